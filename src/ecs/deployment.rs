//! Deployments, task sets and deployment configurations as ECS's answers describe them. Values that taskhold
//! does not know are kept, because ECS adds new ones.

use jiff::{SignedDuration, Timestamp};

/// The deployment controller of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentController {
    /// ECS itself.
    Ecs,
    /// CodeDeploy, with task sets.
    CodeDeploy,
    /// An external controller, with task sets.
    External,
    /// A value that taskhold does not know.
    Other(String),
}

/// The deployment strategy of ECS's own controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentStrategy {
    /// Replaces tasks a few at a time.
    Rolling,
    /// Starts all new tasks beside the old ones, then shifts all traffic at once.
    BlueGreen,
    /// Like blue/green, but shifts traffic in equal steps.
    Linear,
    /// Like blue/green, but shifts a small share of the traffic first.
    Canary,
    /// A value that taskhold does not know.
    Other(String),
}

impl DeploymentStrategy {
    /// Whether the old tasks stay until the traffic has moved. A strategy that taskhold does not know may do so.
    pub fn shifts_traffic(&self) -> bool {
        *self != Self::Rolling
    }
}

/// The steps of a LINEAR deployment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearSteps {
    /// `stepPercent`: the traffic that shifts with each.
    pub percent: f64,
    /// `stepBakeTimeInMinutes`: the pause after each.
    pub bake_minutes: i64,
}

/// The timing of a traffic shift.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrafficShift {
    /// `bakeTimeInMinutes`: how long the old tasks stay after all traffic has shifted.
    pub bake_minutes: i64,
    /// For LINEAR.
    pub linear: Option<LinearSteps>,
    /// For CANARY: `canaryBakeTimeInMinutes` before the remaining traffic shifts.
    pub canary_minutes: Option<i64>,
}

impl TrafficShift {
    /// How long the old tasks stay at least (ECS API Reference, "DeploymentConfiguration").
    pub fn old_tasks_kept(self, strategy: &DeploymentStrategy) -> SignedDuration {
        let steps = |percent: f64| if percent > 0.0 { (100.0 / percent).ceil() as i64 } else { 0 };
        let minutes = match strategy {
            DeploymentStrategy::Rolling | DeploymentStrategy::Other(_) => 0,
            DeploymentStrategy::BlueGreen => self.bake_minutes,
            DeploymentStrategy::Linear => {
                let shift = self.linear.map_or(0, |linear| (steps(linear.percent) - 1).max(0) * linear.bake_minutes);
                self.bake_minutes + shift
            }
            DeploymentStrategy::Canary => self.bake_minutes + self.canary_minutes.unwrap_or(0),
        };
        SignedDuration::from_mins(minutes.clamp(0, MINUTES_KEPT_MAX))
    }
}

/// The bake time is at most a day ("DeploymentConfiguration": bakeTimeInMinutes 0 to 1440), and so is that of
/// each step.
const MINUTES_KEPT_MAX: i64 = 34 * 1440;

/// The status of a deployment or task set within its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// The newest.
    Primary,
    /// An older one that still has tasks.
    Active,
    /// A task set that is being scaled down.
    Draining,
    /// Finished.
    Inactive,
    /// A value that taskhold does not know.
    Other(String),
}

/// The `rolloutState` of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// Has not reached steady state.
    InProgress,
    /// Reached steady state.
    Completed,
    /// Ended by the circuit breaker or an alarm.
    Failed,
    /// ECS reports no state, as for task sets.
    NotReported,
    /// A value that taskhold does not know.
    Other(String),
}

/// A deployment of a service whose deployment controller is ECS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/` and digits: the `startedBy` of its tasks.
    pub id: String,
    /// Status within the service.
    pub status: DeploymentStatus,
    /// Progress.
    pub rollout_state: RolloutState,
    /// Number of tasks that it should run.
    pub desired_count: u32,
    /// Number of its tasks that run.
    pub running_count: u32,
    /// Number of its tasks that are starting.
    pub pending_count: u32,
    /// When it started.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A task set of CodeDeploy or of an external controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSet {
    /// `ecs-svc/` and digits: the `startedBy` of its tasks.
    pub id: String,
    /// Status within the service.
    pub status: DeploymentStatus,
    /// Whether it runs the number of tasks that it should.
    pub is_stable: bool,
    /// Number of tasks that it should run.
    pub computed_desired_count: u32,
    /// Number of its tasks that run.
    pub running_count: u32,
    /// Number of its tasks that are starting.
    pub pending_count: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Parses ECS's values into an enum that keeps unknown ones, and writes them.
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

        impl $name {
            /// The value as ECS writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(other) => other,
                }
            }
        }
    };
}
pub(crate) use words;

words!(DeploymentController: "ECS" => Ecs, "CODE_DEPLOY" => CodeDeploy, "EXTERNAL" => External);
words!(DeploymentStrategy: "ROLLING" => Rolling, "BLUE_GREEN" => BlueGreen, "LINEAR" => Linear, "CANARY" => Canary);
words!(DeploymentStatus: "PRIMARY" => Primary, "ACTIVE" => Active, "DRAINING" => Draining, "INACTIVE" => Inactive);
words!(RolloutState: "IN_PROGRESS" => InProgress, "COMPLETED" => Completed, "FAILED" => Failed, "" => NotReported);
