//! Keeps the task protected: does the steps of [`ProtectionWatch`] with the agent, in order with the other processes of the container.

use crate::agent::Agent;
use crate::answer::{AgentAnswer, AgentProblem};
use crate::clock;
use crate::duration::shown;
use crate::holders::{DirLock, Holder, Others};
use crate::log::Log;
use crate::watch::{GRANT_MAX, Known, News, Now, ProtectionWatch, WatchStep, minutes_until};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The first pause between two requests of the start, which then doubles.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Whether other processes of the container may protect the task too.
#[derive(Debug)]
pub(crate) enum Sharing {
    /// They share a directory with this one.
    Shared(Holder),
    /// There is no place that they could share.
    Alone,
    /// There is a directory that this process may not use. Others may, so this one clears nothing.
    Excluded,
}

/// Watches over the protection of the task for one job.
#[derive(Debug)]
pub(crate) struct Guard {
    agent: Agent,
    sharing: Sharing,
    pub(crate) watch: ProtectionWatch,
    /// Whether a request of this process was granted, or may have been.
    may_be_protected: bool,
    log: Log,
}

impl Guard {
    pub(crate) fn new(agent: Agent, sharing: Sharing, watch: ProtectionWatch, log: Log) -> Self {
        Self { agent, sharing, watch, may_be_protected: false, log }
    }

    /// The job has not started yet, so its end is later.
    pub(crate) fn postpone(&mut self, job_end: Duration) {
        self.watch.postpone(job_end);
        if let Sharing::Shared(holder) = &mut self.sharing {
            // The others then ask for less, and this process asks again itself.
            let _ = holder.set_end(job_end);
        }
    }

    /// Requests protection until ECS grants or refuses it, or the time is over.
    pub(crate) async fn acquire(&mut self, within: Duration) {
        let (until, mut pause) = (clock::uptime() + within, RETRY_PAUSE);
        loop {
            self.request(until.saturating_sub(clock::uptime())).await;
            let is_transient = matches!(self.watch.known(), Known::Unanswered(problem) if problem.is_transient());
            if !is_transient || clock::uptime() + pause >= until {
                return;
            }
            clock::sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    /// Does the steps of the watch until the stop signal, and sends each change.
    pub(crate) async fn keep(mut self, mut stop: oneshot::Receiver<()>, changes: mpsc::UnboundedSender<Known>) -> Self {
        loop {
            let next = self.watch.next();
            let due = async {
                match next {
                    Some((at, _)) => clock::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                _ = &mut stop => return self,
            }
            // A step that has begun comes to its end: a request that is on its way must not overtake the clearing.
            if let Some((_, step)) = next
                && self.take(step).await == News::Yes
                // The next request, which is due at once, says more.
                && *self.watch.known() != Known::Lost
            {
                // Without a reporter, nothing listens.
                let _ = changes.send(self.watch.known().clone());
            }
        }
    }

    /// Does one step.
    pub(crate) async fn take(&mut self, step: WatchStep) -> News {
        match step {
            WatchStep::Request => self.request(crate::agent::CALL_TIME).await,
            WatchStep::Check => self.check().await,
            WatchStep::NoteOverrun => {
                self.watch.noted_overrun();
                self.log.warn("job runs longer than --max-duration; its protection ends", &[]);
                News::No
            }
        }
    }

    async fn request(&mut self, within: Duration) -> News {
        let locked = match self.lock(within).await {
            Ok(locked) => locked,
            Err(problem) => {
                let now = now();
                let changed = self.watch.requested(AgentAnswer::Unknown(problem), now.moment, now);
                self.log_known(changed);
                return changed;
            }
        };
        let others = self.others(locked.as_ref());
        let before = clock::uptime();
        let end = self.watch.job_end().max(others.latest_end).min(before + GRANT_MAX);
        let answer = self.agent.protect(minutes_until(end, before), within).await;
        drop(locked);
        self.may_be_protected |= !matches!(answer, AgentAnswer::Refused(_));
        let changed = self.watch.requested(answer, end, now());
        self.log_known(changed);
        changed
    }

    async fn check(&mut self) -> News {
        let answer = self.agent.state().await;
        if let AgentAnswer::Unknown(problem) = &answer {
            self.log.warn("cannot check the protection", &[("agent", &problem.to_string())]);
        }
        let changed = self.watch.checked(answer, now());
        self.log_known(changed);
        changed
    }

    /// Clears the protection, unless another process of the container has a job.
    pub(crate) async fn release(self) {
        let locked = match self.lock(crate::agent::CALL_TIME).await {
            Ok(locked) => locked,
            Err(problem) => {
                self.log.warn("cannot clear protection; it ends by itself", &[("problem", &problem.to_string())]);
                return;
            }
        };
        let others = self.others(locked.as_ref());
        if let (Sharing::Shared(holder), Some(locked)) = (&self.sharing, &locked)
            && let Err(error) = holder.leave(locked)
        {
            self.log.warn("cannot leave the state directory", &[("problem", &error.to_string())]);
        }
        if others.live > 0 {
            self.log.info("keeping protection for other jobs of the task", &[("jobs", &others.live.to_string())]);
            return;
        }
        if matches!(self.sharing, Sharing::Excluded) {
            self.log.warn("leaving protection to end by itself, because others may use the state directory", &[]);
            return;
        }
        if !self.may_be_protected {
            return;
        }
        match self.agent.clear().await {
            AgentAnswer::Unprotected => self.log.info("cleared protection", &[]),
            AgentAnswer::Refused(refusal) => {
                self.log.warn("ECS refused to clear protection; it ends by itself", &[("reason", &refusal.reason)]);
            }
            AgentAnswer::Protected { until } => {
                self.log.warn("agent did not clear protection; it ends by itself", &[("until", &until.to_string())]);
            }
            AgentAnswer::Unknown(problem) => {
                self.log.warn("cannot clear protection; it ends by itself", &[("agent", &problem.to_string())]);
            }
        }
    }

    async fn lock(&self, within: Duration) -> Result<Option<DirLock>, AgentProblem> {
        let Sharing::Shared(holder) = &self.sharing else {
            return Ok(None);
        };
        match holder.lock(within).await {
            Ok(Some(locked)) => Ok(Some(locked)),
            Ok(None) => Err(AgentProblem::Busy),
            // The directory has vanished, but the job still needs protection.
            Err(_) => Ok(None),
        }
    }

    fn others(&self, locked: Option<&DirLock>) -> Others {
        let (Sharing::Shared(holder), Some(locked)) = (&self.sharing, locked) else {
            return Others::default();
        };
        match holder.others(locked) {
            Ok(others) => {
                if others.dead > 0 {
                    let dead = others.dead.to_string();
                    self.log.warn("found that another taskhold-run of the task died", &[("processes", &dead)]);
                }
                others
            }
            Err(error) => {
                self.log.warn("cannot read the state directory", &[("problem", &error.to_string())]);
                Others { live: 1, ..Others::default() } // clears nothing that another may need
            }
        }
    }

    fn log_known(&self, changed: News) {
        if changed == News::No {
            return;
        }
        match self.watch.known() {
            Known::Nothing => {}
            Known::Granted(expiry) if self.watch.is_covered() => {
                self.log.info("task is protected", &[("until", &expiry.date.to_string())]);
            }
            Known::Granted(expiry) => {
                let left = self.watch.job_end().saturating_sub(expiry.moment);
                let fields = [("until", expiry.date.to_string()), ("missing", shown(left))];
                let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
                self.log.warn("ECS granted less protection than the job needs", &fields);
            }
            Known::Refused(refusal) => {
                let detail = refusal.detail.as_deref().unwrap_or_default();
                self.log.warn("ECS refused protection", &[("reason", &refusal.reason), ("detail", detail)]);
            }
            Known::Unanswered(problem) => {
                self.log.warn("cannot protect the task", &[("agent", &problem.to_string())]);
            }
            Known::Lost => self.log.warn("task lost its protection; requesting it again", &[]),
        }
    }
}

fn now() -> Now {
    Now { moment: clock::uptime(), date: clock::date() }
}
