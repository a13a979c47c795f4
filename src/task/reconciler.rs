//! Keeps tasks as their jobs want them: the one place from which protection is set and cleared.

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

/// What tasks are reconciled with, by kind.
pub trait Ports {
    /// ECS.
    type Ecs: Ecs + ServiceReads;
    /// Task records.
    type Store: StorePages<TaskRecord>;
    /// Takes interrupted jobs.
    type Interrupted: Deliver<InterruptedTask>;
    /// Sends alerts.
    type Notifier: Deliver<InterruptedTask>;
    /// Tells the time.
    type Clock: Clock;
}

/// The reconciler of tasks, with everything that it works with.
pub struct Reconciler<P: Ports> {
    /// ECS.
    pub ecs: P::Ecs,
    /// Task records.
    pub store: P::Store,
    /// Where interrupted jobs are forwarded; `None` leaves them to the alert.
    pub interrupted: Option<P::Interrupted>,
    /// Sends alerts.
    pub notifier: P::Notifier,
    /// The time.
    pub clock: P::Clock,
    /// The settings.
    pub config: Config,
    /// How fast protection calls are sent, by all invocations of this instance.
    pub rate_limit: RateLimit,
}

impl<P: Ports> Reconciler<P> {
    /// Stores each change, makes the calls that follow from it, and answers with the state of each task, in the order of
    /// `changes`.
    pub async fn reconcile(&self, changes: Vec<TaskChange>, budget: Budget<'_>) -> Vec<TaskState> {
        let Self { ecs, store, clock, config, rate_limit, .. } = self;
        Reconcile { ecs, store, clock, config, rate_limit, budget }.run(changes).await
    }
}
