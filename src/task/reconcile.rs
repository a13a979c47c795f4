//! Reconciles many tasks at once and returns the state of each.
//!
//! The decisions are made elsewhere: [`crate::task::plan`] decides what to request, and
//! [`crate::task::protection`] how a call and its answer change a record. The order of the steps matters
//! here. A call is stored before it is sent, and its result is stored afterwards. The store that removes the
//! call also decides whether another one is needed.

mod log;

use crate::budget::Budget;
use crate::clock::Clock;
use crate::config::settings::{Config, Mode};
use crate::ecs::EcsClient;
use crate::ecs::arn::Task;
use crate::store;
use crate::store::{Changed, RECORDS_AT_ONCE, Store, Updated, Versioned};
use crate::task::batching::{TaskRequest, coalesce};
use crate::task::change::TaskChange;
use crate::task::concurrently::at_once;
use crate::task::outcome::{TaskState, Unsettled};
use crate::task::plan::{Decision, KeepReason, decide_change, decide_protection};
use crate::task::protection::CallResult;
use crate::task::rate_limit::RateLimit;
use crate::task::record::TaskRecord;
use crate::task::stage::{BoxedStage, CalledStage, CheckedReleases, EndedStage, Existence, FoundRecord, Next, Stage};
use futures_util::FutureExt;
use futures_util::future::join;
use jiff::Timestamp;
use tracing::warn;

/// Most protection calls in flight at once: enough for the bucket's 80 calls per second if each takes half a
/// second. [`RateLimit`] limits their rate.
const CALLS_AT_ONCE: usize = 40;
/// A task is reconciled again after each call. Two rounds suffice for every interleaving of two invocations;
/// the third allows for a third invocation.
const ROUNDS_MAX: u32 = 3;
/// What a reconcile works with.
pub struct Reconcile<'a> {
    /// ECS.
    pub ecs: &'a dyn EcsClient,
    /// The task records.
    pub store: &'a dyn Store<TaskRecord>,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// The settings.
    pub config: &'a Config,
    /// The rate limit for protection calls, shared by all invocations of this instance.
    pub rate_limit: &'a RateLimit,
    /// The rate limit for reads about tasks that ECS may not know, shared in the same way.
    pub lookups: &'a RateLimit,
    /// The invocation's time and counts.
    pub budget: Budget<'a>,
}

impl Reconcile<'_> {
    /// Stores the changes, sends the calls that follow from them, and returns the state of each task in the
    /// order of `changes`.
    pub async fn run(&self, changes: Vec<TaskChange>) -> Vec<TaskState> {
        let mut states: Vec<Option<TaskState>> = vec![None; changes.len()];
        let first = changes.into_iter().enumerate();
        let first = first.map(|(at, change)| self.merge_and_plan(at, change, None));
        let open = self.collect(&mut states, first).await;
        let (unproved, open): (Vec<_>, Vec<_>) = open.into_iter().partition(|stage| stage.is_unproved());
        match unproved.is_empty() {
            true => self.carry_out(&mut states, open).await,
            false => self.carry_out_and_prove(&mut states, open, unproved).await,
        }
        states.into_iter().map(|state| state.expect("every change was taken in and has ended")).collect()
    }

    /// Makes the calls of these stages, and decides again after each.
    pub(crate) async fn carry_out(&self, states: &mut [Option<TaskState>], mut open: Vec<BoxedStage>) {
        for round in 1..=ROUNDS_MAX {
            if open.is_empty() {
                return;
            }
            if self.time_is_short() {
                return end_all(states, open, &Unsettled::OutOfTime);
            }
            let called = self.make_calls(open).await;
            let unknown = self.unknown_among(&called).await;
            let settled = called.into_iter().map(|called| {
                let existence = unknown.get(&called.stage.task).copied().unwrap_or(Existence::Unproved);
                self.settle(called, existence, round)
            });
            open = self.collect(states, settled).await;
        }
        end_all(states, open, &Unsettled::AnotherCallInFlight);
    }

    /// Merges a change into the record, decides, and records the resulting call, all in one store. `found` is the record
    /// as loaded, and what ECS has since said of the task.
    pub(crate) async fn merge_and_plan(
        &self,
        at: usize,
        change: TaskChange,
        found: Option<FoundRecord>,
    ) -> Result<Stage, EndedStage> {
        let TaskChange { task, jobs, .. } = &change;
        if self.time_is_short() {
            return Err(EndedStage { at, state: TaskState::NotStored(Unsettled::OutOfTime) });
        }
        // A task's first job is usually the first report about the task, so the record is likely absent.
        let begins = jobs.iter().any(|report| report.job.started_at.is_some()) && self.store.may_be_absent(task);
        let is_proved = found.as_ref().is_some_and(|found| found.existence == Existence::Known);
        let is_asked = found.is_some();
        let guess = found.map(|found| found.versioned).or_else(|| begins.then(Versioned::default));
        let retention = self.config.finished_job_retention;
        let change_record = |before: &TaskRecord, record: &mut TaskRecord| {
            let now = self.clock.now();
            record.forget(now, retention);
            record.merge_change(&change, self.config.linger, now);
            let decision = decide_change(record, &change, now);
            if let Decision::Keep(reason) = &decision {
                log::kept(task, reason);
            }
            record.protection.is_known |= is_proved;
            let by_agent = matches!(decision, Decision::Keep(KeepReason::ByAgent));
            let mut next = self.next(task, record, decision, now);
            record.shrink(now, retention);
            // Without a call nothing says whether ECS knows the task, and a message alone creates no record.
            let creates = !is_proved && matches!(next, Next::End(_)) && before.is_blank() && record != before;
            if creates {
                *record = before.clone();
            }
            // The function makes no call for a job whose task protects itself, and ECS may not answer the call for another.
            let is_in_doubt = creates || by_agent && !record.protection.is_known && !jobs.is_empty();
            if is_in_doubt && !is_asked {
                next = Next::Prove(Box::new(change.clone()));
            } else if is_in_doubt {
                record.give_up_unknown();
                next = Next::End(self.of_unknown_task(now));
            }
            Changed { result: next, keep_until: record.keep_until(now, retention) }
        };
        let stored = store::update_after(self.store, task, guess.as_ref(), change_record, async |_, _, _| {});
        match stored.await {
            Ok(Updated { result: next, versioned }) => {
                Ok(Stage { at, task: change.task, versioned, release: change.release, next })
            }
            Err(error) => {
                warn!(%task, failure = %error, "state store unavailable; messages will be retried");
                Err(EndedStage { at, state: TaskState::NotStored(Unsettled::Store(error)) })
            }
        }
    }

    /// Turns a decision into the next step. A call is recorded here, before it is sent.
    fn next(&self, task: &Task, record: &mut TaskRecord, decision: Decision, now: Timestamp) -> Next {
        match decision {
            Decision::Request(request) if self.config.mode == Mode::DryRun => {
                log::dry_run(task, request);
                Next::End(None)
            }
            Decision::Request(request) => match record.protection.begin(request, now) {
                Some(call) => Next::Call(request, call),
                None => Next::End(Some(Unsettled::AnotherCallInFlight)),
            },
            Decision::Keep(KeepReason::RefusedJustNow) => {
                Next::End(record.protection.refusal.clone().map(Unsettled::Refused))
            }
            Decision::Keep(
                KeepReason::Confirmed { .. }
                | KeepReason::Idle
                | KeepReason::Stopped
                | KeepReason::ByAgent
                | KeepReason::Outlived { .. }
                | KeepReason::Lingers { .. },
            ) => Next::End(None),
        }
    }

    /// Makes the calls. Releases wait for a read of what ECS reports, and nothing else waits for them.
    async fn make_calls(&self, open: Vec<BoxedStage>) -> Vec<CalledStage> {
        let (to_check, others): (Vec<_>, Vec<_>) = open.into_iter().partition(|stage| stage.is_to_check());
        if to_check.is_empty() {
            return self.send_calls(others).await;
        }
        let released = async {
            let CheckedReleases { to_send, mut decided } = self.check_releases(to_check).await;
            decided.extend(self.send_calls(to_send).await);
            decided
        };
        // Boxed: no start awaits it, and it would make the future of every reconcile larger.
        let (mut all, released) = join(self.send_calls(others), released.boxed_local()).await;
        all.extend(released);
        all
    }

    async fn send_calls(&self, open: Vec<BoxedStage>) -> Vec<CalledStage> {
        let request = |stage: BoxedStage| match stage.next {
            Next::Call(protection, _) => Some(TaskRequest { task: stage.task.clone(), protection, tag: stage }),
            Next::End(_) | Next::Prove(_) => None,
        };
        let calls = coalesce(open.into_iter().filter_map(request).collect(), self.clock.now());
        let mut all = Vec::new();
        let made = calls.into_iter().map(|call| self.make_call(call));
        at_once(CALLS_AT_ONCE, made, |called| all.extend(called)).await;
        all
    }

    /// Records the result of a call and decides again: the task may have gained or lost its last job
    /// meanwhile.
    async fn settle(&self, called: CalledStage, existence: Existence, round: u32) -> Result<Stage, EndedStage> {
        let CalledStage { stage, outcome } = called;
        let Stage { at, task, versioned, release, next } = *stage;
        let Next::Call(_, call) = next else { unreachable!("only stages with a call are made") };
        let stored = store::update(self.store, &task, Some(&versioned), |record: &mut TaskRecord| {
            let now = self.clock.now();
            let foreign_before = record.protection.foreign;
            if matches!(outcome.result, CallResult::Granted(_)) {
                record.remember_kept(now);
            }
            record.protection.settle(call, outcome.result.clone());
            log::foreign(&task, foreign_before, record.protection.foreign);
            record.protection.is_known |= existence == Existence::Known;
            if outcome.is_standalone() {
                record.give_up_jobs();
            } else if existence == Existence::Unknown {
                record.give_up_unknown();
            }
            let may_call_again = round < ROUNDS_MAX && record.protection.in_flight.is_empty();
            let next = match (&outcome.unsettled, decide_protection(record, now)) {
                (Some(unsettled), _) => Next::End(Some(unsettled.clone())),
                // While other instances' calls are in flight, the result of another call would be as
                // uncertain as this one.
                (None, Decision::Request(_)) if !may_call_again => Next::End(Some(Unsettled::AnotherCallInFlight)),
                (None, decision) => self.next(&task, record, decision, now),
            };
            Changed { result: next, keep_until: record.keep_until(now, self.config.finished_job_retention) }
        });
        match stored.await {
            Ok(Updated { result: next, versioned }) => Ok(Stage { at, task, versioned, release, next }),
            Err(error) => {
                // The call stays recorded as one that may take effect; the next reconcile requests protection
                // again.
                warn!(%task, failure = %error, "state store unavailable; messages will be retried");
                Err(EndedStage { at, state: TaskState::Known(versioned.record, Some(Unsettled::Store(error))) })
            }
        }
    }

    /// Stores the final state of each finished stage in `states` and returns the stages that have a call to
    /// send.
    pub(crate) async fn collect(
        &self,
        states: &mut [Option<TaskState>],
        stages: impl ExactSizeIterator<Item = impl Future<Output = Result<Stage, EndedStage>>>,
    ) -> Vec<BoxedStage> {
        let mut open = Vec::new();
        at_once(RECORDS_AT_ONCE, stages, |stage| match stage {
            Ok(Stage { at, versioned, next: Next::End(unsettled), .. }) => {
                states[at] = Some(TaskState::Known(versioned.record, unsettled));
            }
            Ok(stage) => open.push(Box::new(stage)),
            Err(EndedStage { at, state }) => states[at] = Some(state),
        })
        .await;
        open
    }

    pub(crate) fn time_is_short(&self) -> bool {
        self.budget.allows_a_call(self.clock).is_err()
    }
}

fn end_all(states: &mut [Option<TaskState>], open: Vec<BoxedStage>, unsettled: &Unsettled) {
    for stage in open {
        states[stage.at] = Some(TaskState::Known(stage.versioned.record, Some(unsettled.clone())));
    }
}

#[cfg(test)]
mod tests;
