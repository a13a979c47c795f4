//! Jobs in processes under the real `taskhold-run`, which reaches the agent of its task, ECS and SQS on loopback.

use super::{PlayError, pause};
use crate::control_plane::Millis;
use crate::http::wall_clock;
use crate::region::{JOB_QUEUE, SharedRegion};
use crate::scenario::{ProcessJob, WorkerProcesses};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How often to check whether a process has reported its job.
const CHECK_EVERY: Duration = Duration::from_millis(20);
/// Maximum time for a process to report its job, or to end.
const REPORT_MAX: Duration = Duration::from_secs(20);
const DAY_MS: Millis = 24 * 60 * 60_000;
const NINE_O_CLOCK_MS: Millis = 9 * 60 * 60_000;

/// The processes of jobs.
#[derive(Debug)]
pub struct Workers {
    region: SharedRegion,
    endpoint: String,
    taskhold_run: PathBuf,
    jobs: BTreeMap<String, Child>,
}

impl Workers {
    /// Workers that reach the Region at this endpoint.
    pub fn new(region: &SharedRegion, endpoint: String, taskhold_run: &Path) -> Self {
        Self { region: region.clone(), endpoint, taskhold_run: taskhold_run.to_owned(), jobs: BTreeMap::new() }
    }

    /// When a scenario with real workers begins: tomorrow at nine o'clock. Their clock is that of the machine, and no
    /// protection may seem to end before they ask for it.
    #[must_use]
    pub fn begin_at() -> Millis {
        wall_clock() / DAY_MS * DAY_MS + DAY_MS + NINE_O_CLOCK_MS
    }

    fn command(&self, job: &ProcessJob) -> Command {
        let (endpoint, task) = (&self.endpoint, &job.task);
        let region = self.region.lock();
        let mut command = Command::new(&self.taskhold_run);
        command.env_clear().envs([
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("ECS_AGENT_URI", format!("{endpoint}/api/{task}")),
            ("ECS_CONTAINER_METADATA_URI_V4", format!("{endpoint}/v4/{task}")),
            ("AWS_ENDPOINT_URL", endpoint.clone()),
            ("AWS_REGION", region.queues.origin().region.clone()),
            // SQS sees the task's role as the sender.
            ("AWS_ACCESS_KEY_ID", format!("AROAEXAMPLEID:{task}")),
            ("AWS_SECRET_ACCESS_KEY", "simulated".to_owned()),
        ]);
        command.args(["exec", "--job-id", &job.id, "--queue-url", &region.queues.url(JOB_QUEUE)]);
        command.args(["--max-duration", &format!("{}m", job.minutes)]);
        if let Some(expected) = job.expected_minutes {
            command.args(["--expected-duration", &format!("{expected}m")]);
        }
        // It ends when its input does.
        command.args(["--", "cat"]);
        command
    }

    fn has_reported(&self, job: &ProcessJob) -> bool {
        let region = self.region.lock();
        let messages = region.queues.messages(JOB_QUEUE).unwrap_or_default();
        let body = |body: &str| serde_json::from_str::<Value>(body).unwrap_or_default();
        messages.iter().any(|message| body(&message.body)["jobId"] == job.id.as_str())
    }
}

#[async_trait(?Send)]
impl WorkerProcesses for Workers {
    async fn start(&mut self, job: &ProcessJob) -> Result<(), String> {
        let mut command = self.command(job);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn();
        let child =
            child.map_err(|problem| PlayError::Start { program: self.taskhold_run.clone(), problem }.to_string())?;
        self.jobs.insert(job.id.clone(), child);
        let mut waited = Duration::ZERO;
        while !self.has_reported(job) {
            if waited > REPORT_MAX {
                return Err(format!("taskhold-run has not reported {} within {} s", job.id, REPORT_MAX.as_secs()));
            }
            pause(CHECK_EVERY).await;
            waited += CHECK_EVERY;
        }
        Ok(())
    }

    async fn finish(&mut self, job: &str) -> Result<(), String> {
        let mut child = self.jobs.remove(job).ok_or_else(|| format!("no process runs {job}"))?;
        drop(child.stdin.take());
        let mut waited = Duration::ZERO;
        loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(ended) if ended.success() => return Ok(()),
                Some(ended) => return Err(format!("taskhold-run ended with {ended}")),
                None if waited > REPORT_MAX => return Err(format!("taskhold-run did not end for {job}")),
                None => pause(CHECK_EVERY).await,
            }
            waited += CHECK_EVERY;
        }
    }
}
