//! The reconciler of tasks: the only place that sets and clears protection.

use crate::budget::Budget;
use crate::clock::Clock;
use crate::config::settings::Config;
use crate::ecs::{Ecs, ServiceReads};
use crate::outbox::Deliver;
use crate::store::StorePages;
use crate::task::change::TaskChange;
use crate::task::interruption::InterruptedTask;
use crate::task::outcome::TaskState;
use crate::task::rate_limit::RateLimit;
use crate::task::reconcile::Reconcile;
use crate::task::record::TaskRecord;

/// The adapters that the reconciler of tasks uses.
pub trait TaskPorts {
    /// ECS.
    type Ecs: Ecs + ServiceReads;
    /// Task records.
    type Store: StorePages<TaskRecord>;
    /// Queue for interrupted jobs.
    type Interrupted: Deliver<InterruptedTask>;
    /// Sends alerts about interrupted jobs.
    type Notifier: Deliver<InterruptedTask>;
    /// Source of time.
    type Clock: Clock;
}

/// Reconciles tasks with the given adapters and settings.
pub struct TaskReconciler<P: TaskPorts> {
    /// ECS.
    pub ecs: P::Ecs,
    /// Task records.
    pub store: P::Store,
    /// Queue for interrupted jobs; without it, only the alert reports them.
    pub interrupted: Option<P::Interrupted>,
    /// Sends alerts.
    pub notifier: P::Notifier,
    /// The clock.
    pub clock: P::Clock,
    /// The settings.
    pub config: Config,
    /// The rate limit for protection calls, shared by all invocations of this instance.
    pub rate_limit: RateLimit,
}

impl<P: TaskPorts> TaskReconciler<P> {
    /// Stores the changes, sends the calls that follow from them, and returns the state of each task in the
    /// order of `changes`.
    pub async fn reconcile(&self, changes: Vec<TaskChange>, budget: Budget<'_>) -> Vec<TaskState> {
        let Self { ecs, store, clock, config, rate_limit, .. } = self;
        Reconcile { ecs, store, clock, config, rate_limit, budget }.run(changes).await
    }
}
