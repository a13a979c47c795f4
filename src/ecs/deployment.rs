//! Deployments and task sets, and how they are rolled out, as the reads of ECS describe them. Words of ECS that are not known here
//! are kept, because new ones will come.

use jiff::{SignedDuration, Timestamp};

/// Who rolls out new versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentController {
    /// ECS itself.
    Ecs,
    /// CodeDeploy, by task sets.
    CodeDeploy,
    /// Somebody else, by task sets.
    External,
    /// A word that taskhold does not know.
    Other(String),
}

/// How ECS itself rolls out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentStrategy {
    /// Task by task.
    Rolling,
    /// All of the new beside all of the old, then traffic moves.
    BlueGreen,
    /// The same, traffic moves in equal steps.
    Linear,
    /// The same, a little traffic moves first.
    Canary,
    /// A word that taskhold does not know.
    Other(String),
}

/// How traffic moves, as far as it takes time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrafficShift {
    /// `bakeTimeInMinutes`: after all of it has moved.
    pub bake_minutes: i64,
    /// Of LINEAR: `stepPercent`, and `stepBakeTimeInMinutes` after each step.
    pub linear: Option<(f64, i64)>,
    /// Of CANARY: `canaryBakeTimeInMinutes` before all the rest moves.
    pub canary_minutes: Option<i64>,
}

impl TrafficShift {
    /// How long the old tasks are kept, at the least (ECS API Reference, "DeploymentConfiguration").
    pub fn old_tasks_kept(self, strategy: &DeploymentStrategy) -> SignedDuration {
        let steps = |percent: f64| if percent > 0.0 { (100.0 / percent).ceil() as i64 } else { 0 };
        let minutes = match strategy {
            DeploymentStrategy::Rolling | DeploymentStrategy::Other(_) => 0,
            DeploymentStrategy::BlueGreen => self.bake_minutes,
            DeploymentStrategy::Linear => {
                let shift = self.linear.map_or(0, |(percent, minutes)| (steps(percent) - 1).max(0) * minutes);
                self.bake_minutes + shift
            }
            DeploymentStrategy::Canary => self.bake_minutes + self.canary_minutes.unwrap_or(0),
        };
        SignedDuration::from_mins(minutes.clamp(0, MINUTES_KEPT_MAX))
    }
}

/// ECS bakes for a day at most ("DeploymentConfiguration": bakeTimeInMinutes 0 to 1440), and so with each of its steps.
const MINUTES_KEPT_MAX: i64 = 34 * 1440;

/// Where a deployment stands among those of its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// The newest.
    Primary,
    /// An older one that still has tasks.
    Active,
    /// A task set that is being emptied.
    Draining,
    /// Over.
    Inactive,
    /// A word that taskhold does not know.
    Other(String),
}

/// How far a deployment got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// Not there yet.
    InProgress,
    /// It reached steady state.
    Completed,
    /// A circuit breaker or an alarm ended it.
    Failed,
    /// ECS does not say, as for task sets.
    PendingNotification,
    /// A word that taskhold does not know.
    Other(String),
}

/// A deployment of a service that ECS itself rolls out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/` and digits: what its tasks name in `startedBy`.
    pub id: String,
    /// Where it stands.
    pub status: DeploymentStatus,
    /// How far it got.
    pub rollout_state: RolloutState,
    /// How many tasks it wants.
    pub desired_count: u32,
    /// How many of them run.
    pub running_count: u32,
    /// How many of them are about to.
    pub pending_count: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A task set of CodeDeploy or an external controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSet {
    /// `ecs-svc/` and digits: what its tasks name in `startedBy`.
    pub id: String,
    /// Where it stands.
    pub status: DeploymentStatus,
    /// Whether it has the tasks that it wants.
    pub is_stable: bool,
    /// How many tasks it wants.
    pub computed_desired_count: u32,
    /// How many of them run.
    pub running_count: u32,
    /// How many of them are about to.
    pub pending_count: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Reads ECS's words into an enum that keeps those it does not know.
macro_rules! words {
    ($name:ident: $($word:literal => $variant:ident),+) => {
        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}
pub(crate) use words;

words!(DeploymentController: "ECS" => Ecs, "CODE_DEPLOY" => CodeDeploy, "EXTERNAL" => External);
words!(DeploymentStrategy: "ROLLING" => Rolling, "BLUE_GREEN" => BlueGreen, "LINEAR" => Linear, "CANARY" => Canary);
words!(DeploymentStatus: "PRIMARY" => Primary, "ACTIVE" => Active, "DRAINING" => Draining, "INACTIVE" => Inactive);
words!(RolloutState: "IN_PROGRESS" => InProgress, "COMPLETED" => Completed, "FAILED" => Failed, "" => PendingNotification);
