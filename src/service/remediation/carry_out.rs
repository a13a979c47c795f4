//! Carries out the remediation of a service and records the result.

use crate::budget::Budget;
use crate::config::settings::Mode;
use crate::ecs::arn::TaskId;
use crate::ecs::error::Effect;
use crate::ecs::service::ServiceArn;
use crate::service::reconciler::ServiceReconciler;
use crate::service::record::ServiceRecord;
use crate::service::remediation::{CarriedOut, CountChange, Remediation};
use crate::service::snapshot::managed::Managed;
use crate::store::error::StoreError;
use crate::store::{self, Changed};
use crate::task::change::{ReleaseRule, TaskChange};
use crate::task::outcome::TaskState;
use tracing::warn;

/// The result of a remediation: one sentence for people, and the state of the desired count.
struct Outcome {
    text: String,
    count: CountAfter,
    released: Vec<TaskId>,
}

impl Outcome {
    fn new(text: String, count: CountAfter) -> Self {
        Self { text, count, released: Vec::new() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CountAfter {
    /// The change may have taken effect.
    MayBeChanged,
    /// No raise is in effect: ECS rejected it, taskhold did not send it, or taskhold has put the count back.
    AsItWas,
    /// ECS raised it to this number.
    Raised(u32),
}

impl ServiceReconciler {
    /// Carries out a remediation and notes the result.
    pub(crate) async fn act(
        &self,
        service: &ServiceArn,
        action: &Remediation,
        budget: Budget<'_>,
    ) -> Result<CarriedOut, StoreError> {
        let outcome = match action {
            Remediation::Release { tasks, managed } => self.release_idle(service, tasks, *managed, budget).await,
            Remediation::SetDesiredCount { from, to, why } => self.set_desired_count(service, *from, *to, *why).await,
        };
        let what = &outcome.text;
        warn!(%service, what, "remediation carried out");
        let noted = store::update(&*self.store, service, None, |record: &mut ServiceRecord| {
            let now = self.tasks.clock.now();
            record.remediation.note(now, outcome.text.clone());
            match outcome.count {
                CountAfter::MayBeChanged => {}
                CountAfter::AsItWas => record.remediation.forget_raise(),
                CountAfter::Raised(to) => record.remediation.confirm_raise(to),
            }
            Changed { result: record.remediation.clone(), keep_until: ServiceRecord::keep_until(now) }
        });
        Ok(CarriedOut { state: noted.await?.result, released: outcome.released })
    }

    async fn release_idle(
        &self,
        service: &ServiceArn,
        tasks: &[TaskId],
        managed: Managed,
        budget: Budget<'_>,
    ) -> Outcome {
        let ids = tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ");
        let count = CountAfter::MayBeChanged;
        if self.tasks.config.mode == Mode::DryRun {
            return Outcome::new(format!("dry run: these idle tasks would have been released: {ids}"), count);
        }
        let release = match managed {
            Managed::Yes => ReleaseRule::IfIdleByAnyWriter,
            Managed::No => ReleaseRule::ByJobs,
        };
        let changes = tasks.iter().map(|id| TaskChange { release, ..TaskChange::none(service.task(id)) });
        let states = self.tasks.reconcile(changes.collect(), budget).await;
        let released = tasks.iter().zip(&states).filter(|(_, state)| is_released(state));
        let released: Vec<TaskId> = released.map(|(id, _)| id.clone()).collect();
        let text = match (released.len(), tasks.len() - released.len()) {
            (0, _) => format!("these idle tasks could not be released: {ids}"),
            (_, 0) => format!("released idle tasks: {ids}"),
            (_, more) => {
                let released = released.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ");
                format!("released idle tasks: {released}; {more} more could not be released")
            }
        };
        Outcome { released, ..Outcome::new(text, count) }
    }

    async fn set_desired_count(&self, service: &ServiceArn, from: u32, to: u32, why: CountChange) -> Outcome {
        // If the put-back fails, the raise is still in effect.
        let as_it_was = if why == CountChange::Raise { CountAfter::AsItWas } else { CountAfter::MayBeChanged };
        let not_done = |text: String| Outcome::new(text, as_it_was);
        if self.tasks.config.mode == Mode::DryRun {
            return not_done(format!("dry run: the desired count would have been set from {from} to {to}"));
        }
        let remark = match self.caution(service, to, why).await {
            Ok(remark) => remark.map(|remark| format!("; {remark}")).unwrap_or_default(),
            Err(text) => return not_done(text),
        };
        if why == CountChange::Raise
            && let Err(text) = self.begin_raise(service, to).await
        {
            return Outcome::new(text, CountAfter::MayBeChanged);
        }
        // ECS offers no conditional update, so the count is read once more right before the call.
        match self.tasks.ecs.describe_service(service).await {
            Ok(Some(described)) if described.desired_count == from => {}
            Ok(described) => {
                let is = described.map_or("gone".to_owned(), |described| described.desired_count.to_string());
                return not_done(format!("the desired count was {from} and is {is} now: it was not set to {to}"));
            }
            Err(error) => {
                return not_done(format!(
                    "the desired count could not be read again, and was not set to {to}: {error}"
                ));
            }
        }
        let did = match why {
            CountChange::Raise => "raised",
            CountChange::PutBack => "put back",
        };
        match self.tasks.ecs.set_desired_count(service, to).await {
            Ok(()) => {
                let count = match why {
                    CountChange::Raise => CountAfter::Raised(to),
                    // A later change of the count is by another writer, such as Application Auto Scaling.
                    CountChange::PutBack => CountAfter::AsItWas,
                };
                Outcome::new(format!("{did} the desired count from {from} to {to}{remark}"), count)
            }
            Err(error) => {
                let text = format!("the desired count could not be {did} from {from} to {to}: {error}");
                match error.effect() {
                    Effect::None => not_done(text),
                    Effect::Unknown => Outcome::new(text, CountAfter::MayBeChanged),
                }
            }
        }
    }

    /// Records that the raise is about to be sent; the error says why it must not be sent.
    async fn begin_raise(&self, service: &ServiceArn, to: u32) -> Result<(), String> {
        let begun = store::update(&*self.store, service, None, |record: &mut ServiceRecord| {
            let keep_until = ServiceRecord::keep_until(self.tasks.clock.now());
            Changed { result: record.remediation.begin_raise(to), keep_until }
        });
        match begun.await.map(|updated| updated.result) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("the raise to {to} is no longer wanted: it was not made")),
            Err(error) => Err(format!("the raise to {to} could not be recorded, and was not made: {error}")),
        }
    }

    /// Checks a raise against Application Auto Scaling. Returns a remark for the note, if there is one; the
    /// error says why the count must not be raised.
    async fn caution(&self, service: &ServiceArn, to: u32, why: CountChange) -> Result<Option<String>, String> {
        if why == CountChange::PutBack {
            return Ok(None);
        }
        match self.autoscaling.scalable_target(service).await {
            Ok(None) => Ok(None),
            Ok(Some(target)) if to > target.max => Err(format!(
                "Application Auto Scaling allows at most {} and would undo it: the desired count was not raised to {to}",
                target.max
            )),
            Ok(Some(target)) if target.is_scale_in_suspended => Ok(None),
            Ok(Some(_)) => Ok(Some("Application Auto Scaling manages it, and may lower it again".to_owned())),
            Err(error) => Ok(Some(format!("whether Application Auto Scaling would undo it is unknown ({error})"))),
        }
    }
}

pub(crate) fn is_released(state: &TaskState) -> bool {
    matches!(state, TaskState::Known(record, None) if !record.protection.is_set() && record.protection.foreign.is_none())
}
