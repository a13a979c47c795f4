//! What a server does next about the protection of its task, given the time, the agent's answers and the jobs. Nothing
//! here waits or calls.
//!
//! One call is on its way at a time. A request asks for the latest end of all jobs and of all applicants, so that jobs
//! that arrive together share a call. Moments are times since the machine started ([`crate::clock::uptime`]).

mod calls;
mod terms;

pub(crate) use terms::{
    AgentPresence, Application, DecidedApplication, ProtectorCall, ProtectorSettings, Ticket, Unprotected, Verdict,
};

use crate::answer::AgentAnswer;
use crate::job::DeclaredJob;
use crate::jobs::{ActiveJob, JOBS_MAX, JobTable};
use crate::watch::{Expiry, GRANT_MAX, Known, News, Now, ProtectionWatch, TOLERANCE, WatchStep, minutes_until};
use std::collections::BTreeSet;
use std::time::Duration;

/// ECS's answer may be another one a second later. The agent allows 40 requests a second, and ECS 80 for a whole
/// account (aws-facts "ECS: the protection API"), so applicants after a refusal share one request a second.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// The first pause after an agent without an answer, which then doubles.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Applicant {
    ticket: Ticket,
    application: Application,
    deadline: Duration,
    progress: Progression,
}

#[derive(Debug, PartialEq, Eq)]
enum Progression {
    New,
    /// The request on its way asks for it too, until this end.
    Asked(Duration),
    Answered(Verdict),
}

/// The call to the agent that has no answer yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnItsWay {
    Nothing,
    Request { end: Duration },
    Check,
    Clear,
}

/// A request that did not protect the task.
#[derive(Debug, Clone)]
struct FailedRequest {
    at: Duration,
    reason: String,
}

/// Protects a task for all of its jobs.
#[derive(Debug)]
pub(crate) struct Protector {
    settings: ProtectorSettings,
    watch: ProtectionWatch,
    jobs: JobTable,
    applicants: Vec<Applicant>,
    /// Applications whose job ended before they were decided.
    withdrawn: Vec<DecidedApplication>,
    tickets: u64,
    on_its_way: OnItsWay,
    /// What ECS granted last. A refused renewal takes nothing away from it.
    standing: Option<Expiry>,
    /// Whether a request was granted, or may have been.
    may_be_protected: bool,
    failed: Option<FailedRequest>,
    /// The next request for applicants comes no earlier.
    request_from: Duration,
    pause: Duration,
    /// Jobs that have ended, which the function does not know yet.
    endings: usize,
    /// When the last job ended.
    idle_since: Duration,
    /// The next attempt to clear protection comes no earlier.
    clear_from: Duration,
    is_draining: bool,
}

impl Protector {
    pub(crate) fn new(settings: ProtectorSettings) -> Self {
        Self {
            settings,
            watch: ProtectionWatch::new(Duration::ZERO, settings.check_interval),
            jobs: JobTable::default(),
            applicants: Vec::new(),
            withdrawn: Vec::new(),
            tickets: 0,
            on_its_way: OnItsWay::Nothing,
            standing: None,
            may_be_protected: false,
            failed: None,
            request_from: Duration::ZERO,
            pause: RETRY_PAUSE,
            endings: 0,
            idle_since: Duration::ZERO,
            clear_from: Duration::ZERO,
            is_draining: false,
        }
    }

    /// Takes an application. [`Self::decide`] answers it, now or later.
    pub(crate) fn apply(&mut self, mut application: Application, now: Duration) -> Ticket {
        if let (None, Some(job)) = (application.max, self.jobs.get(&application.job.id)) {
            application.job.max = job.declared.max;
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let deadline = now + self.settings.start_timeout;
        self.applicants.push(Applicant { ticket, application, deadline, progress: Progression::New });
        ticket
    }

    /// The applications that can be answered now. [`Self::record`] those whose worker gets the answer.
    pub(crate) fn decide(&mut self, now: Duration) -> Vec<DecidedApplication> {
        let mut decided = std::mem::take(&mut self.withdrawn);
        let mut starting = BTreeSet::new();
        for applicant in std::mem::take(&mut self.applicants) {
            let Some(mut verdict) = self.verdict(&applicant, now) else {
                self.applicants.push(applicant);
                continue;
            };
            let Applicant { ticket, application, .. } = applicant;
            let id = &application.job.id;
            if self.jobs.get(id).is_none() && verdict.starts(application.unprotected) {
                starting.insert(id.clone());
                if self.jobs.len() + starting.len() > JOBS_MAX {
                    starting.remove(id);
                    verdict = Verdict::TooMany;
                }
            }
            decided.push(DecidedApplication { ticket, application, verdict });
        }
        if !decided.is_empty() {
            self.idle_since = now;
        }
        decided
    }

    fn verdict(&self, applicant: &Applicant, now: Duration) -> Option<Verdict> {
        let job = &applicant.application.job;
        let is_known = self.jobs.get(&job.id).is_some();
        if !is_known && self.is_draining {
            return Some(Verdict::Draining);
        }
        if !is_known && self.jobs.len() >= JOBS_MAX {
            return Some(Verdict::TooMany);
        }
        if self.settings.agent == AgentPresence::Absent {
            return Some(Verdict::OutsideEcs);
        }
        // Each request asks for a minute more than needed, so the jobs of the next minute need no call.
        let end = (now + job.max).min(now + GRANT_MAX.saturating_sub(TOLERANCE));
        if let Some(expiry) = self.standing.filter(|expiry| expiry.moment >= end) {
            return Some(Verdict::Protected(expiry));
        }
        match &applicant.progress {
            Progression::Answered(verdict) => Some(verdict.clone()),
            _ if applicant.deadline <= now => {
                let reason = self.failed.as_ref().map(|failed| failed.reason.clone());
                Some(Verdict::Unknown(reason.unwrap_or_else(|| "the agent has not answered yet".to_owned())))
            }
            _ => None,
        }
    }

    /// Records the job of an application whose worker does it: protected, or unprotected as it said. Returns the job if
    /// it starts with that.
    pub(crate) fn record(&mut self, decided: &DecidedApplication, now: Duration) -> Option<ActiveJob> {
        let Application { job, attempt, unprotected, .. } = &decided.application;
        if self.jobs.get(&job.id).is_some() {
            self.jobs.renew(job.clone(), now);
            self.follow_jobs();
            return None;
        }
        if !decided.verdict.starts(*unprotected) {
            return None;
        }
        let attempt = attempt.unwrap_or_else(|| self.jobs.next_attempt(&job.id));
        let job = self.jobs.add(DeclaredJob { attempt, ..job.clone() }, now).clone();
        let known = self.known_for(&job);
        self.jobs.reported(&job.declared.id, &known, now);
        self.follow_jobs();
        Some(job)
    }

    /// A worker says that its job has ended. [`Self::ending_reported`] follows if the job was running.
    pub(crate) fn end(&mut self, id: &str, now: Duration) -> Option<ActiveJob> {
        // An application that came before the end must not start the job again after it.
        let of_job = self.applicants.extract_if(.., |applicant| applicant.application.job.id == id);
        self.withdrawn.extend(of_job.map(|Applicant { ticket, application, .. }| DecidedApplication {
            ticket,
            application,
            verdict: Verdict::Ended,
        }));
        let job = self.jobs.end(id)?;
        self.endings += 1;
        self.idle_since = now;
        self.follow_jobs();
        Some(job)
    }

    /// The function knows that a job has ended, or never will.
    pub(crate) fn ending_reported(&mut self) {
        self.endings = self.endings.saturating_sub(1);
    }

    /// Removes the jobs that have outlived their declared maximum.
    pub(crate) fn take_overdue(&mut self, now: Duration) -> Vec<ActiveJob> {
        let overdue = self.jobs.take_overdue(now);
        if !overdue.is_empty() {
            self.idle_since = now;
            self.follow_jobs();
        }
        overdue
    }

    /// The jobs of which the function must hear, each with what protects it.
    pub(crate) fn take_news(&mut self, now: Duration) -> Vec<ActiveJob> {
        let (standing, known) = (self.standing, self.watch.known().clone());
        let interval = self.settings.heartbeat_interval;
        // A lost protection is requested at once, and the answer says more.
        if known == Known::Lost {
            return Vec::new();
        }
        self.jobs.take_news(|job| protection_of(job, standing, &known), interval, now)
    }

    /// What protects a job.
    pub(crate) fn known_for(&self, job: &ActiveJob) -> Known {
        protection_of(job, self.standing, self.watch.known())
    }

    /// The jobs at work.
    pub(crate) fn jobs(&self) -> &JobTable {
        &self.jobs
    }

    /// The task is being stopped: it is to take no more work.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Why the task is to take no more work now, if it is not.
    pub(crate) fn closed_for(&self, now: Duration) -> Option<String> {
        if self.is_draining {
            return Some("draining".to_owned());
        }
        let failed = self.failed.as_ref().filter(|failed| now < failed.at + self.settings.check_interval);
        failed.map(|failed| failed.reason.clone())
    }

    /// Whether nothing is left to do but to wait for jobs.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_idle() && self.on_its_way == OnItsWay::Nothing && !self.may_be_protected
    }

    /// The call on its way.
    pub(crate) fn on_its_way(&self) -> OnItsWay {
        self.on_its_way
    }

    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.applicants.is_empty() && self.endings == 0
    }

    fn follow_jobs(&mut self) {
        self.watch.postpone(self.jobs.latest_end().unwrap_or(Duration::ZERO));
    }
}

/// What protects a job: what ECS granted, as long as it covers the job, or else the last answer.
fn protection_of(job: &ActiveJob, standing: Option<Expiry>, known: &Known) -> Known {
    match standing {
        Some(expiry) if expiry.moment + TOLERANCE >= job.end => Known::Granted(expiry),
        _ => known.clone(),
    }
}

#[cfg(test)]
mod tests;
