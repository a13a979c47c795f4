//! Deterministic simulation of the whole function: taskhold's own handler on the simulated Region, with faults everywhere, up to
//! four invocations at once, and a scheduler that alone decides who goes on, what fails, and how the time passes.
//!
//! A run is one seed. First there is a storm of faults, in which workers, people and ECS go about their business; then all
//! faults stop, and what is promised has to come true. What is promised and checked stands in `chaos/model.rs`, for every
//! moment, and in `chaos/checks.rs` and `chaos/order.rs`, for the end. Every decision is drawn through one object that writes it down
//! (`chaos/choices.rs`); so a run that breaks a promise is shortened, and replayed exactly, from a text that people can read.
//! A seed means another run as soon as the simulation draws otherwise. A text is hardier, since its moves have names, but
//! not immune.
//!
//! What can go wrong:
//! - ECS throttles, answers 5xx, denies, gets no answer through, takes effect although it failed, or up to 90 seconds later,
//!   leaves a task out of its answer, and refuses protection as the variant of AWS has it that was drawn;
//! - loads, stores and lists of the state store fail, before and after they took effect, or take effect later; records are
//!   forgotten as soon as they may be; the list of open ones lags behind;
//! - sends to the topic and the queues fail, before and after they took effect;
//! - messages come again, late, in another order; events of ECS too, or not at all; sweeps are missed;
//! - invocations are cut off at any point, one or all of them.
//!
//! Deliberately not here: the SDK and its wire formats (the contract tests have them), DynamoDB, a clock that jumps.

mod autoscaling;
mod calm;
mod checks;
mod choices;
mod counts;
mod deliveries;
mod ecs;
mod events;
mod model;
mod order;
mod people;
mod plan;
mod rules;
mod run;
mod sends;
mod shorten;
mod stage;
mod store;
mod time;
mod workers;
mod world;

pub use counts::Counts;
pub use plan::{Plan, PlanError, Told};
pub use rules::Sabotage;
pub use run::{Outcome, of_seed, replay};
pub use shorten::shortened;

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A task lost its protection under a job whose message was acknowledged.
    Safety,
    /// A message got lost, or what it told did.
    Loss,
    /// Protection was cleared of a task that taskhold was told nothing of.
    Foreign,
    /// A task is protected for longer than any of its jobs asked for.
    Longer,
    /// A desired count was set that should not have been.
    Count,
    /// An alert, or a job that is handed on, came too often or never.
    Alerts,
    /// After the faults it does not come right.
    Convergence,
}

impl Broken {
    const ALL: [Self; 7] =
        [Self::Safety, Self::Loss, Self::Foreign, Self::Longer, Self::Count, Self::Alerts, Self::Convergence];

    /// Its name in plans.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Loss => "loss",
            Self::Foreign => "foreign",
            Self::Longer => "longer",
            Self::Count => "count",
            Self::Alerts => "alerts",
            Self::Convergence => "convergence",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|broken| broken.as_str() == name)
    }
}
