//! Sends a job's messages in the background, one after another, until each is accepted or a newer one says the same.

use crate::clock;
use crate::job::{DeclaredJob, JobState, ReportType, TaskName, message};
use crate::log::Log;
use crate::queue::JobQueue;
use crate::watch::Known;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// The first pause before a message is sent again, which then doubles.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long the end of the job waits for its message to be accepted. With the call that clears protection it fits into the 30
/// seconds that ECS gives a container to stop.
pub(crate) const FINISH_TIME: Duration = Duration::from_secs(10);

/// How many messages are sent at a time, each on a connection of its own: a burst of jobs must not take all of the memory.
const SENDS_MAX: usize = 8;

/// A queue to which the messages of many jobs go.
#[derive(Debug, Clone)]
pub(crate) struct SharedQueue {
    queue: Arc<JobQueue>,
    sends: Arc<Semaphore>,
}

impl SharedQueue {
    pub(crate) fn new(queue: JobQueue) -> Self {
        Self { queue: Arc::new(queue), sends: Arc::new(Semaphore::new(SENDS_MAX)) }
    }

    async fn send(&self, body: &str) -> Result<(), String> {
        let _permit = self.sends.acquire().await.map_err(|error| error.to_string())?;
        // The future of a call is large, and each job would keep room for one.
        Box::pin(self.queue.send(body)).await
    }
}

/// The messages of one job, in their order.
#[derive(Debug)]
pub(crate) struct JobMessages {
    messages: mpsc::UnboundedSender<String>,
    sending: JoinHandle<()>,
    log: Log,
}

impl JobMessages {
    pub(crate) fn new(queue: SharedQueue, log: Log) -> Self {
        let (messages, to_send) = mpsc::unbounded_channel();
        Self { messages, sending: tokio::spawn(send_all(queue, to_send, log)), log }
    }

    pub(crate) fn send(&self, message: &Value) {
        // The task that sends ends only with this.
        let _ = self.messages.send(message.to_string());
    }

    /// Sends the last message, and waits until it is accepted.
    pub(crate) async fn finish(self, message: &Value) {
        self.send(message);
        let Self { messages, mut sending, log } = self;
        drop(messages);
        tokio::select! {
            _ = &mut sending => {}
            () = clock::sleep(FINISH_TIME) => {
                log.error("job.finished was not accepted in time; taskhold takes the job as running until its task stops", &[]);
            }
        }
    }

    /// Sends nothing more: the job counts as interrupted when its task has stopped.
    pub(crate) fn abandon(self) {
        self.sending.abort();
    }
}

/// Reports one job.
#[derive(Debug)]
pub(crate) struct Reporter {
    job: DeclaredJob,
    task: TaskName,
    started_at: Duration,
    messages: JobMessages,
}

impl Reporter {
    /// Reports a job that starts now.
    pub(crate) fn new(job: DeclaredJob, task: TaskName, queue: JobQueue, log: Log) -> Self {
        let messages = JobMessages::new(SharedQueue::new(queue), log);
        Self { job, task, started_at: clock::uptime(), messages }
    }

    /// Reports that the job starts, or that it still runs, with its protection.
    pub(crate) fn report(&self, report: ReportType, known: &Known) {
        self.messages.send(&self.message(report, known));
    }

    fn message(&self, report: ReportType, known: &Known) -> Value {
        let passed = clock::uptime().saturating_sub(self.started_at);
        let state = JobState {
            left: self.job.max.saturating_sub(passed),
            expected_left: self.job.expected.map(|expected| expected.saturating_sub(passed)),
            known,
        };
        message(&self.job, &self.task, report, state)
    }

    /// Reports that the job has finished, and waits until that is accepted.
    pub(crate) async fn finish(self) {
        let message = self.message(ReportType::Finished, &Known::Nothing);
        self.messages.finish(&message).await;
    }

    /// Reports nothing more: the job counts as interrupted when its task has stopped.
    pub(crate) fn abandon(self) {
        self.messages.abandon();
    }
}

/// Sends until the channel is closed and all that matters is sent. A newer message replaces one that was not accepted: a
/// heartbeat starts a job that the function does not know, and a finished job needs no start.
async fn send_all(queue: SharedQueue, mut to_send: mpsc::UnboundedReceiver<String>, log: Log) {
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
