//! Runs a scenario against the real function: its `bootstrap` runs as a process and uses ECS, SQS and the Lambda
//! runtime API on loopback, as it would in AWS.
//!
//! Its clock follows the scenario's (`TASKHOLD_SIMULATED_TIMEOUT_SECONDS`). It has its own state store in memory, which
//! is lost when the process dies, so a scenario in which the function dies can end differently than in process.

mod workers;

pub use workers::Workers;

use crate::control_plane::Millis;
use crate::event_source::FunctionAnswer;
use crate::http::{InvocationError, Server, ServerOptions};
use crate::region::{ALERT_TOPIC_ARN, CLUSTER, DEAD_LETTER_QUEUE, INTERRUPTED_QUEUE, RECHECK_QUEUE, SharedRegion};
use crate::scenario::{FUNCTION_TIMEOUT_MS, FunctionUnderTest, Invoked, LogLine};
use serde_json::Value;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Maximum time of an invocation by the machine's clock. The function gives a call 5 s, so a longer invocation hangs.
const INVOCATION_MAX: Duration = Duration::from_secs(60);
/// How often to check whether the scenario kills the function during a running invocation.
const CHECK_EVERY: Duration = Duration::from_millis(20);

/// Why a function process could not be run.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The port or the log file is not available.
    #[error("could not prepare the run: {0}")]
    Stage(std::io::Error),
    /// The program could not be started.
    #[error("could not start `{}`: {problem}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        problem: std::io::Error,
    },
    /// The program ended before it requested its first invocation.
    #[error("`{}` did not start: {problem}\n{log}", bootstrap.display())]
    NotReady {
        /// The program.
        bootstrap: PathBuf,
        /// The cause.
        problem: InvocationError,
        /// Its log.
        log: String,
    },
}

/// The function as a process.
#[derive(Debug)]
pub struct Process {
    region: SharedRegion,
    server: Server,
    bootstrap: PathBuf,
    settings: Vec<(String, String)>,
    child: Option<Child>,
    /// The process writes its log here. A file, not a pipe: lines written before the answer can be read after it.
    log: File,
    log_read: u64,
}

impl Process {
    /// Starts the server and the process, and waits until the process requests its first invocation.
    ///
    /// # Errors
    /// The process did not start.
    pub async fn start<'a>(
        region: &SharedRegion,
        bootstrap: &Path,
        settings: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PlayError> {
        let options = ServerOptions { cluster: CLUSTER.to_owned(), ..ServerOptions::default() };
        let server = Server::start(region.backend(), options).await.map_err(PlayError::Stage)?;
        Self::behind(server, region, bootstrap, settings).await
    }

    /// Starts the process behind this server of the Region, and waits until it requests its first invocation.
    ///
    /// # Errors
    /// The process did not start.
    pub async fn behind<'a>(
        server: Server,
        region: &SharedRegion,
        bootstrap: &Path,
        settings: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PlayError> {
        region.lock().queues.set_endpoint(server.endpoint());
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let log = tempfile::tempfile().map_err(PlayError::Stage)?;
        let mut process = Self {
            region: region.clone(),
            server,
            bootstrap: bootstrap.to_owned(),
            settings,
            child: None,
            log,
            log_read: 0,
        };
        process.spawn().await?;
        Ok(process)
    }

    /// Where its ECS, SQS and SNS answer, and the agents of tasks.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Ends the process and the server.
    pub async fn stop(mut self) {
        self.kill("the scenario is over").await;
        self.server.stop().await;
    }

    async fn spawn(&mut self) -> Result<(), PlayError> {
        let ready = self.server.runtime_api().ready();
        let log = || self.log.try_clone().map(Stdio::from).map_err(PlayError::Stage);
        let mut command = Command::new(&self.bootstrap);
        command.env_clear().envs(self.environment()).stdin(Stdio::null()).stdout(log()?).stderr(log()?);
        let child = command.kill_on_drop(true).spawn();
        self.child = Some(child.map_err(|problem| PlayError::Start { program: self.bootstrap.clone(), problem })?);
        let child = self.child.as_mut().expect("it was just started");
        let came_up = tokio::select! {
            came_up = ready => came_up,
            ended = child.wait() => {
                Err(InvocationError::Exited { reason: ended.map_or_else(|error| error.to_string(), |end| end.to_string()) })
            }
        };
        let bootstrap = self.bootstrap.clone();
        came_up.map_err(|problem| PlayError::NotReady { bootstrap, problem, log: self.read_log() })
    }

    /// What Lambda would set, and the settings. The environment of this machine does not reach the function.
    fn environment(&self) -> Vec<(String, String)> {
        let region = self.region.lock();
        let cluster = region.ecs.cluster_arn(CLUSTER);
        let [dead_letters, rechecks, interrupted] =
            [DEAD_LETTER_QUEUE, RECHECK_QUEUE, INTERRUPTED_QUEUE].map(|queue| region.queues.url(queue));
        let aws_region = region.queues.origin().region.clone();
        drop(region);
        let timeout_seconds = (FUNCTION_TIMEOUT_MS / 1000).to_string();
        let fixed = [
            ("AWS_LAMBDA_RUNTIME_API", self.server.address().to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "taskhold".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_LOG_LEVEL", "DEBUG".to_owned()),
            ("AWS_REGION", aws_region),
            ("AWS_ENDPOINT_URL", self.server.endpoint()),
            // The server checks no signature; the SDK needs credentials to sign.
            ("AWS_ACCESS_KEY_ID", "simulated".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "simulated".to_owned()),
            ("TASKHOLD_CLUSTERS", cluster),
            ("TASKHOLD_DEAD_LETTER_QUEUE_URL", dead_letters),
            ("TASKHOLD_RECHECK_QUEUE_URL", rechecks),
            ("TASKHOLD_INTERRUPTED_QUEUE_URL", interrupted),
            ("TASKHOLD_ALERT_TOPIC_ARN", ALERT_TOPIC_ARN.to_owned()),
            ("TASKHOLD_SIMULATED_TIMEOUT_SECONDS", timeout_seconds),
        ];
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value));
        fixed.chain(self.settings.iter().cloned()).collect()
    }

    async fn kill(&mut self, reason: &str) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already; either way it is gone after this.
            let _ = child.kill().await;
            self.server.runtime_api().process_exited(reason);
        }
    }

    /// What the process has written since the last call.
    fn read_log(&mut self) -> String {
        let mut text = Vec::new();
        let mut chunk = [0; 8192];
        while let Ok(length @ 1..) = self.log.read_at(&mut chunk, self.log_read) {
            text.extend_from_slice(&chunk[..length]);
            self.log_read += length as u64;
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits until the function is to die, has died, or has hung for too long.
    async fn death(&mut self) -> String {
        let mut waited = Duration::ZERO;
        loop {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(ended) = ended {
                return ended.to_string();
            }
            if self.region.lock().caller_is_dead {
                return "the scenario killed it".to_owned();
            }
            if waited > INVOCATION_MAX {
                return format!("no answer for {} seconds", INVOCATION_MAX.as_secs());
            }
            pause(CHECK_EVERY).await;
            waited += CHECK_EVERY;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "waits for a process in real time")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

impl FunctionUnderTest for Process {
    async fn invoke(&mut self, payload: &str, deadline: Millis) -> Invoked {
        self.region.lock().caller_is_dead = false;
        if self.child.is_none()
            && let Err(error) = self.spawn().await
        {
            let line =
                LogLine { level: "ERROR".to_owned(), message: error.to_string(), fields: serde_json::Map::new() };
            return Invoked { answer: FunctionAnswer::Failed, logs: vec![line] };
        }
        let invocation = self.server.runtime_api().invoke(payload.as_bytes().to_vec(), deadline);
        let answered = tokio::select! {
            answered = invocation => Ok(answered),
            reason = self.death() => Err(reason),
        };
        let answer = match answered {
            Ok(Ok(answer)) => FunctionAnswer::from_payload(&answer),
            Ok(Err(_)) => FunctionAnswer::Failed,
            Err(reason) => {
                self.kill(&reason).await;
                FunctionAnswer::Failed
            }
        };
        let logs = self.read_log().lines().filter_map(log_line).collect();
        Invoked { answer, logs }
    }
}

/// A line of the function's log; `None` for a line of metrics. A line that is not JSON is an unexpected error.
fn log_line(text: &str) -> Option<LogLine> {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
        return Some(LogLine { level: "ERROR".to_owned(), message: text.to_owned(), fields: serde_json::Map::new() });
    };
    if fields.contains_key("_aws") {
        return None;
    }
    let mut take =
        |name: &str| fields.remove(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let (level, message, _) = (take("level"), take("message"), take("timestamp"));
    Some(LogLine { level, message, fields })
}
