//! Sends the job's messages in the background, one after another, until each is accepted or a newer one says the same.

use crate::clock;
use crate::job::{DeclaredJob, JobState, ReportType, TaskName, message};
use crate::log::Log;
use crate::queue::JobQueue;
use crate::watch::Known;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The first pause before a message is sent again, which then doubles.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long the end of the job waits for its message to be accepted. With the call that clears protection it fits into the 30
/// seconds that ECS gives a container to stop.
const FINISH_TIME: Duration = Duration::from_secs(10);

/// Reports one job.
#[derive(Debug)]
pub(crate) struct Reporter {
    job: DeclaredJob,
    task: TaskName,
    started_at: Duration,
    messages: mpsc::UnboundedSender<String>,
    sending: JoinHandle<()>,
    log: Log,
}

impl Reporter {
    /// Reports a job that started then.
    pub(crate) fn new(job: DeclaredJob, task: TaskName, queue: JobQueue, log: Log) -> Self {
        let (messages, to_send) = mpsc::unbounded_channel();
        let sending = tokio::spawn(send_all(queue, to_send, log));
        Self { job, task, started_at: clock::uptime(), messages, sending, log }
    }

    /// Reports that the job starts, or that it still runs, with its protection.
    pub(crate) fn report(&self, report: ReportType, known: &Known) {
        let passed = clock::uptime().saturating_sub(self.started_at);
        let state = JobState {
            left: self.job.max.saturating_sub(passed),
            expected_left: self.job.expected.map(|expected| expected.saturating_sub(passed)),
            known,
        };
        // The task that sends ends only with this reporter.
        let _ = self.messages.send(message(&self.job, &self.task, report, state).to_string());
    }

    /// Reports that the job has finished, and waits until that is accepted.
    pub(crate) async fn finish(self) {
        self.report(ReportType::Finished, &Known::Nothing);
        let Self { messages, mut sending, log, .. } = self;
        drop(messages);
        tokio::select! {
            _ = &mut sending => {}
            () = clock::sleep(FINISH_TIME) => {
                log.error("job.finished was not accepted in time; taskhold takes the job as running until its task stops", &[]);
            }
        }
    }

    /// Reports nothing more: the job counts as interrupted when its task has stopped.
    pub(crate) fn abandon(self) {
        self.sending.abort();
    }
}

/// Sends until the channel is closed and all that matters is sent. A newer message replaces one that was not accepted: a
/// heartbeat starts a job that the function does not know, and a finished job needs no start.
async fn send_all(queue: JobQueue, mut to_send: mpsc::UnboundedReceiver<String>, log: Log) {
    while let Some(mut body) = to_send.recv().await {
        let mut pause = RETRY_PAUSE;
        while let Err(problem) = queue.send(&body).await {
            log.warn("cannot report the job; trying again", &[("problem", &problem)]);
            tokio::select! {
                Some(newer) = to_send.recv() => body = newer,
                () = clock::sleep(pause) => pause = (pause * 2).min(RETRY_PAUSE_MAX),
            }
        }
    }
}
