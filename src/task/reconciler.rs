//! The reconciler of tasks: the only place that sets and clears protection.

use crate::budget::Budget;
use crate::clock::Clock;
use crate::config::settings::Config;
use crate::ecs::EcsClient;
use crate::outbox::Deliver;
use crate::store::StorePages;
use crate::task::change::TaskChange;
use crate::task::interruption::InterruptedTask;
use crate::task::outcome::TaskState;
use crate::task::rate_limit::RateLimit;
use crate::task::reconcile::Reconcile;
use crate::task::record::TaskRecord;
use std::sync::Arc;

/// Reconciles tasks with the given adapters and settings.
pub struct TaskReconciler {
    /// ECS.
    pub ecs: Arc<dyn EcsClient>,
    /// Task records.
    pub store: Arc<dyn StorePages<TaskRecord>>,
    /// Queue for interrupted jobs; without it, only the alert reports them.
    pub interrupted: Option<Arc<dyn Deliver<InterruptedTask>>>,
    /// Sends alerts about interrupted jobs.
    pub notifier: Arc<dyn Deliver<InterruptedTask>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub config: Config,
    /// The rate limit for protection calls, shared by all invocations of this instance.
    pub rate_limit: RateLimit,
    /// The rate limit for reads about tasks that ECS may not know, shared by all invocations of this instance.
    pub lookups: RateLimit,
}

impl TaskReconciler {
    /// Stores the changes, sends the calls that follow from them, and returns the state of each task in the
    /// order of `changes`.
    pub async fn reconcile(&self, changes: Vec<TaskChange>, budget: Budget<'_>) -> Vec<TaskState> {
        let Self { ecs, store, clock, config, rate_limit, lookups, .. } = self;
        let (ecs, store, clock) = (&**ecs, &**store, &**clock);
        Reconcile { ecs, store, clock, config, rate_limit, lookups, budget }.run(changes).await
    }
}
