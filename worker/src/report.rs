//! Sends a job's messages in the background, in order. Each is retried until it is accepted, a newer one replaces it,
//! or the queue appears to be misconfigured.

mod retries;

use crate::clock;
use crate::job::{DeclaredJob, JobState, ReportType, TaskName, message};
use crate::log::Log;
use crate::queue::JobQueue;
use crate::queue_problem::QueueProblem;
use crate::watch::Known;
use retries::{NextTry, Retries};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// How long the end of the job waits for its message to be accepted. With the call that clears protection it fits into
/// the 30 seconds that ECS gives a container to stop.
pub(crate) const FINISH_TIME: Duration = Duration::from_secs(10);

/// How many messages are sent at a time, each on a connection of its own: a burst of jobs must not take all of the
/// memory.
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

    async fn send(&self, body: &str) -> Result<(), QueueProblem> {
        let _permit = self.sends.acquire().await;
        // The future of a call is large, and each job would keep room for one.
        Box::pin(self.queue.send(body)).await
    }
}

/// The messages of one job, in their order.
#[derive(Debug)]
pub(crate) struct JobMessages {
    queue: SharedQueue,
    messages: mpsc::UnboundedSender<String>,
    sending: JoinHandle<()>,
    log: Log,
}

impl JobMessages {
    pub(crate) fn new(queue: SharedQueue, log: Log) -> Self {
        let (messages, to_send) = mpsc::unbounded_channel();
        let sending = tokio::spawn(send_all(queue.clone(), to_send, log));
        Self { queue, messages, sending, log }
    }

    pub(crate) fn send(&self, message: &Value) {
        // The task that sends ends only with this.
        let _ = self.messages.send(message.to_string());
    }

    /// Sends the last message, and waits until it is accepted.
    pub(crate) async fn finish(self, message: &Value) {
        self.send(message);
        let problem = "SQS did not accept job.finished in time; taskhold counts the job as running until its declared end \
                       or until its task stops";
        self.close(problem).await;
    }

    /// Sends no further message: the job counts as interrupted when its task has stopped. taskhold must know of its
    /// start by then, so this waits until the earlier messages are accepted.
    pub(crate) async fn leave_unfinished(self) {
        self.close("could not report an interrupted job in time; taskhold may not know about the job").await;
    }

    async fn close(self, if_late: &str) {
        let Self { queue, messages, sending, log } = self;
        drop(messages);
        tokio::select! {
            _ = sending => {}
            () = clock::sleep(FINISH_TIME) => log.error(if_late, &[("queue", queue.queue.url())]),
        }
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
            heartbeat_interval: None,
            known,
        };
        message(&self.job, &self.task, report, state)
    }

    /// Reports that the job has finished, and waits until that is accepted.
    pub(crate) async fn finish(self) {
        let message = self.message(ReportType::Finished, &Known::Nothing);
        self.messages.finish(&message).await;
    }

    /// Reports no end: the job counts as interrupted when its task has stopped.
    pub(crate) async fn leave_unfinished(self) {
        self.messages.leave_unfinished().await;
    }
}

/// Sends until the channel is closed and every message that still matters is sent. A newer message replaces one that
/// was not accepted: a heartbeat starts a job that the function does not know, and a finished job needs no start.
async fn send_all(queue: SharedQueue, mut to_send: mpsc::UnboundedReceiver<String>, log: Log) {
    let (mut retries, mut is_closed) = (Retries::default(), false);
    while let Some(mut body) = to_send.recv().await {
        loop {
            let Err(problem) = queue.send(&body).await else {
                retries.accepted();
                break;
            };
            let fields = [("queue", queue.queue.url()), ("problem", problem.words.as_str()), ("fix", problem.fix)];
            let NextTry::After(pause) = retries.failed(problem.retry_time, clock::uptime()) else {
                log.error("cannot report the job; the next attempt is its next message", &fields);
                break;
            };
            log.warn("cannot report the job; trying again", &fields);
            tokio::select! {
                newer = to_send.recv(), if !is_closed => match newer {
                    Some(newer) => body = newer,
                    // Little time is left, so the retry is immediate.
                    None => is_closed = true,
                },
                () = clock::sleep(pause) => {}
            }
        }
    }
}
