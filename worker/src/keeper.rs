//! Protects the task of a server: does the calls of [`Protector`] one after another, answers workers, and reports their jobs.

mod shown;

use crate::agent::{Agent, CALL_TIME};
use crate::answer::AgentAnswer;
use crate::clock;
use crate::job::{JobState, ReportType, TaskName, message};
use crate::jobs::ActiveJob;
use crate::log::Log;
use crate::protector::{Application, DecidedApplication, Protector, ProtectorCall, ProtectorSettings, Ticket};
use crate::report::{FINISH_TIME, JobMessages, SharedQueue};
use crate::watch::{Known, News, Now};
use crate::wire::{ApiReply, JobOutcome, Recorded};
use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What a worker, or the end of the server, wants.
#[derive(Debug)]
pub(crate) enum KeeperOrder {
    Apply {
        application: Application,
        reply: oneshot::Sender<ApiReply>,
    },
    End {
        id: String,
        outcome: JobOutcome,
        reply: oneshot::Sender<ApiReply>,
    },
    Jobs {
        reply: oneshot::Sender<ApiReply>,
    },
    Admission {
        reply: oneshot::Sender<ApiReply>,
    },
    /// The task is being stopped. The answer comes when the last job has ended.
    Drain {
        at_rest: oneshot::Sender<()>,
    },
    /// The server ends.
    Leave,
}

/// Where jobs are reported.
#[derive(Debug, Clone)]
pub(crate) struct JobReports {
    pub(crate) queue: SharedQueue,
    pub(crate) task: TaskName,
    pub(crate) heartbeat_interval: Duration,
}

/// The keeper at work.
#[derive(Debug)]
pub(crate) struct Keeper {
    protector: Protector,
    agent: Option<Agent>,
    reports: Option<JobReports>,
    replies: HashMap<Ticket, oneshot::Sender<ApiReply>>,
    messages: HashMap<String, JobMessages>,
    ended: mpsc::UnboundedSender<()>,
    endings: mpsc::UnboundedReceiver<()>,
    endings_left: usize,
    at_rest: Option<oneshot::Sender<()>>,
    log: Log,
}

type AgentCall = Pin<Box<dyn Future<Output = AgentAnswer> + Send>>;

impl Keeper {
    pub(crate) fn new(
        settings: ProtectorSettings,
        agent: Option<Agent>,
        reports: Option<JobReports>,
        log: Log,
    ) -> Self {
        let (ended, endings) = mpsc::unbounded_channel();
        Self {
            protector: Protector::new(settings),
            agent,
            reports,
            replies: HashMap::new(),
            messages: HashMap::new(),
            ended,
            endings,
            endings_left: 0,
            at_rest: None,
            log,
        }
    }

    /// Serves until the order to leave. Then it waits until the ends of jobs are reported, and clears the protection unless
    /// a job is still at work.
    pub(crate) async fn run(mut self, mut orders: mpsc::Receiver<KeeperOrder>) {
        let mut call: Option<AgentCall> = None;
        let mut leave_at: Option<Duration> = None;
        loop {
            self.settle();
            if call.is_none() {
                call = self.protector.due(clock::uptime()).and_then(|due| self.start(due));
            }
            if leave_at.is_some_and(|at| (call.is_none() && self.endings_left == 0) || at <= clock::uptime()) {
                self.note_unfinished();
                return;
            }
            if self.protector.is_at_rest()
                && let Some(at_rest) = self.at_rest.take()
            {
                let _ = at_rest.send(());
            }
            let next = self.protector.next().into_iter().chain(leave_at).min();
            tokio::select! {
                Some(order) = orders.recv() => if matches!(order, KeeperOrder::Leave) {
                    self.protector.drain();
                    leave_at = Some(clock::uptime() + FINISH_TIME + CALL_TIME);
                } else {
                    self.take(order);
                },
                answer = answer_of(&mut call) => {
                    call = None;
                    self.heard(&answer);
                }
                Some(()) = self.endings.recv() => {
                    self.endings_left -= 1;
                    self.protector.ending_reported();
                }
                () = wait_until(next) => {}
            }
        }
    }

    fn start(&self, due: ProtectorCall) -> Option<AgentCall> {
        let agent = self.agent.clone()?;
        Some(Box::pin(async move {
            match due {
                ProtectorCall::Request { minutes } => agent.protect(minutes, CALL_TIME).await,
                ProtectorCall::Check => agent.state().await,
                ProtectorCall::Clear => agent.clear().await,
            }
        }))
    }

    fn take(&mut self, order: KeeperOrder) {
        let now = clock::uptime();
        match order {
            KeeperOrder::Apply { application, reply } => {
                let ticket = self.protector.apply(application, now);
                self.replies.insert(ticket, reply);
            }
            KeeperOrder::End { id, outcome, reply } => {
                self.end(&id, outcome, now);
                let _ = reply.send(ApiReply::empty(204));
            }
            KeeperOrder::Jobs { reply } => {
                let _ = reply.send(ApiReply::json(200, shown::listed(&self.protector)));
            }
            KeeperOrder::Admission { reply } => {
                let closed = self.protector.closed_for(now);
                let _ = reply.send(closed.map_or(ApiReply::empty(204), |reason| ApiReply::because(409, reason)));
            }
            KeeperOrder::Drain { at_rest } => {
                self.protector.drain();
                self.at_rest = Some(at_rest);
            }
            KeeperOrder::Leave => {}
        }
    }

    /// Answers the applications that are decided, and reports what the function must know.
    fn settle(&mut self) {
        let now = clock::uptime();
        for job in self.protector.take_overdue(now) {
            self.log.warn("job did not end within its maximum; no longer protected", &[("job", &job.declared.id)]);
            self.messages.remove(&job.declared.id);
        }
        for decided in self.protector.decide(now) {
            self.answer(&decided, now);
        }
        for job in self.protector.take_news(now) {
            self.report(&job, ReportType::Heartbeat, now);
        }
    }

    fn answer(&mut self, decided: &DecidedApplication, now: Duration) {
        let Some(reply) = self.replies.remove(&decided.ticket) else {
            return;
        };
        if reply.is_closed() {
            // The worker has gone away and does nothing.
            return;
        }
        let started = self.protector.record(decided, now);
        let id = &decided.application.job.id;
        let recorded = if self.protector.jobs().get(id).is_some() { Recorded::Yes } else { Recorded::No };
        let answer = ApiReply::of_verdict(&decided.verdict, recorded);
        if let Some(reason) = answer.body.as_ref().and_then(|body| body["reason"].as_str()) {
            self.log.warn("job is not protected", &[("job", id), ("reason", reason)]);
        }
        let _ = reply.send(answer);
        if let Some(job) = started {
            self.log.info("job starts", &[("job", id)]);
            job.declared.note_length(self.log);
            if let Some(reports) = &self.reports {
                self.messages.insert(id.clone(), JobMessages::new(reports.queue.clone(), self.log));
            }
            self.report(&job, ReportType::Started, now);
        }
    }

    fn end(&mut self, id: &str, outcome: JobOutcome, now: Duration) {
        let Some(job) = self.protector.end(id, now) else {
            return;
        };
        self.log.info("job ended", &[("job", id), ("outcome", outcome.name())]);
        let (Some(messages), Some(reports)) = (self.messages.remove(id), &self.reports) else {
            self.protector.ending_reported();
            return;
        };
        let state =
            JobState { left: Duration::ZERO, expected_left: None, heartbeat_interval: None, known: &Known::Nothing };
        let message = message(&job.declared, &reports.task, ReportType::Finished, state);
        let ended = self.ended.clone();
        self.endings_left += 1;
        tokio::spawn(async move {
            match outcome {
                JobOutcome::Interrupted => messages.leave_unfinished().await,
                JobOutcome::Success | JobOutcome::Failure => messages.finish(&message).await,
            }
            let _ = ended.send(());
        });
    }

    fn report(&self, job: &ActiveJob, report: ReportType, now: Duration) {
        if let (Some(reports), Some(messages)) = (&self.reports, self.messages.get(&job.declared.id)) {
            let known = self.protector.known_for(job);
            let state = JobState {
                left: job.end.saturating_sub(now),
                expected_left: job.expected_end.map(|end| end.saturating_sub(now)),
                heartbeat_interval: Some(reports.heartbeat_interval),
                known: &known,
            };
            messages.send(&message(&job.declared, &reports.task, report, state));
        }
    }

    fn heard(&mut self, answer: &AgentAnswer) {
        let now = Now { moment: clock::uptime(), date: clock::date() };
        let was_on_its_way = self.protector.on_its_way();
        let news = self.protector.answered(answer, now);
        if news == News::No {
            return;
        }
        shown::log(self.log, answer, was_on_its_way);
    }

    fn note_unfinished(&self) {
        let jobs = self.protector.jobs().len();
        if jobs > 0 {
            let jobs = jobs.to_string();
            self.log.warn(
                "ending while jobs are at work; they count as interrupted when the task stops",
                &[("jobs", &jobs)],
            );
        }
    }
}

async fn answer_of(call: &mut Option<AgentCall>) -> AgentAnswer {
    match call {
        Some(call) => call.await,
        None => std::future::pending().await,
    }
}

async fn wait_until(moment: Option<Duration>) {
    match moment {
        Some(moment) => clock::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
