//! Service deployments as `DescribeServiceDeployments` describes them: the lifecycle stage of a deployment and the
//! hooks that it waits for (aws-facts "ECS: service deployments, pauses, early success").

use crate::ecs::arn::{ArnError, EcsArn, shown};
use crate::ecs::deployment::words;
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;

/// The ARN of a service deployment, `…:service-deployment/CLUSTER/SERVICE/ID`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceDeploymentArn(String);

impl ServiceDeploymentArn {
    /// The ARN as ECS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ARN of its service.
    pub fn service_arn(&self) -> String {
        let service = self.0.rsplit_once('/').map_or(self.as_str(), |(service, _)| service);
        service.replacen(":service-deployment/", ":service/", 1)
    }
}

impl FromStr for ServiceDeploymentArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        const WANTED: &str = "service-deployment/CLUSTER/SERVICE/ID";
        let EcsArn { resource, .. } = EcsArn::parse(text, WANTED)?;
        let is_name = |name: &&str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        match resource.split('/').collect::<Vec<_>>()[..] {
            ["service-deployment", cluster, service, id] if [cluster, service, id].iter().all(is_name) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ArnError::OtherResource(shown(text), "service deployment")),
        }
    }
}

impl fmt::Display for ServiceDeploymentArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A service deployment: one change of a service, from its start until it succeeds, stops or is rolled back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: ServiceDeploymentArn,
    /// Its status.
    pub status: ServiceDeploymentStatus,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How far it has progressed; `None` if ECS reports no stage.
    pub stage: Option<LifecycleStage>,
    /// The hooks of this stage.
    pub hooks: Vec<LifecycleHook>,
    /// When ECS began to roll it back.
    pub rollback_started_at: Option<Timestamp>,
    /// The task counts of the revisions: the target's first, then those of the sources.
    pub revisions: Vec<RevisionCounts>,
}

impl ServiceDeployment {
    /// Whether a rollback was requested or has started.
    pub fn is_rolling_back(&self) -> bool {
        let by_status = matches!(
            self.status,
            ServiceDeploymentStatus::RollbackRequested | ServiceDeploymentStatus::RollbackInProgress
        );
        by_status || self.rollback_started_at.is_some()
    }

    /// When ECS stops waiting for the first of the Lambda hooks of the function of this name. If none names the
    /// function, the only hook that runs is taken for its own.
    pub fn hooks_end(&self, function: Option<&str>) -> Option<Timestamp> {
        let running = self.hooks.iter().filter(|hook| hook.status == HookStatus::InProgress);
        let running: Vec<&LifecycleHook> = running.collect();
        let is_own = |hook: &&LifecycleHook| function.is_some_and(|function| hook.invokes(function));
        let own: Vec<&LifecycleHook> = running.iter().copied().filter(is_own).collect();
        let ending = if own.is_empty() && running.len() == 1 { running } else { own };
        ending.into_iter().filter_map(|hook| hook.expires_at).min()
    }
}

/// The task counts of one service revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionCounts {
    /// Its ARN.
    pub arn: String,
    /// Number of tasks that it should run.
    pub requested: u32,
    /// Number of its tasks that run.
    pub running: u32,
    /// Number of its tasks that are starting.
    pub pending: u32,
}

/// A lifecycle hook of a service deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecycleHook {
    /// Its id, which a new deployment invalidates.
    pub id: String,
    /// The ARN of a Lambda hook's function (`targetArn`).
    pub target: Option<String>,
    /// Whether it waits.
    pub status: HookStatus,
    /// When ECS stops waiting.
    pub expires_at: Option<Timestamp>,
    /// What ECS does then.
    pub timeout_action: HookAction,
}

impl LifecycleHook {
    /// Whether it invokes the function of this name, by any version or alias.
    pub fn invokes(&self, function: &str) -> bool {
        // arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]
        self.target.as_deref().is_some_and(|arn| arn.split(':').nth(6) == Some(function))
    }

    /// Whether the deployment waits for it: for a person, or for its function.
    pub fn waits(&self) -> bool {
        matches!(self.status, HookStatus::AwaitingAction | HookStatus::InProgress)
    }
}

/// The status of a service deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceDeploymentStatus {
    /// Has not begun.
    Pending,
    /// In progress.
    InProgress,
    /// Ended well.
    Successful,
    /// Will stop.
    StopRequested,
    /// Was stopped without a rollback.
    Stopped,
    /// Will be rolled back.
    RollbackRequested,
    /// Is being rolled back.
    RollbackInProgress,
    /// Was rolled back.
    RollbackSuccessful,
    /// Could not be rolled back.
    RollbackFailed,
    /// A value that taskhold does not know.
    Other(String),
}

/// A lifecycle stage of a service deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LifecycleStage {
    /// More than one revision is active when the deployment begins.
    ReconcileService,
    /// Before the new tasks start.
    PreScaleUp,
    /// The new tasks start.
    ScaleUp,
    /// The new tasks run.
    PostScaleUp,
    /// Test traffic moves.
    TestTrafficShift,
    /// Test traffic has moved.
    PostTestTrafficShift,
    /// Before production traffic moves.
    PreProductionTrafficShift,
    /// Production traffic moves.
    ProductionTrafficShift,
    /// Production traffic has moved.
    PostProductionTrafficShift,
    /// Both revisions run for the bake time.
    BakeTime,
    /// The old tasks are being stopped.
    CleanUp,
    /// A value that taskhold does not know.
    Other(String),
}

/// The status of a lifecycle hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookStatus {
    /// A PAUSE hook that waits for `ContinueServiceDeployment`.
    AwaitingAction,
    /// A Lambda hook that has not given its final answer.
    InProgress,
    /// Let the deployment continue.
    Succeeded,
    /// Rolls the deployment back.
    Failed,
    /// Its time was up.
    TimedOut,
    /// A value that taskhold does not know.
    Other(String),
}

/// What a hook makes ECS do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAction {
    /// Continue the deployment.
    Continue,
    /// Roll it back.
    Rollback,
    /// A value that taskhold does not know.
    Other(String),
}

impl ServiceDeploymentStatus {
    /// Whether the deployment can still change something.
    pub fn is_in_progress(&self) -> bool {
        match self {
            Self::Pending
            | Self::InProgress
            | Self::StopRequested
            | Self::RollbackRequested
            | Self::RollbackInProgress
            | Self::Other(_) => true,
            Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed => false,
        }
    }
}

words!(ServiceDeploymentStatus: "PENDING" => Pending, "IN_PROGRESS" => InProgress, "SUCCESSFUL" => Successful,
    "STOP_REQUESTED" => StopRequested, "STOPPED" => Stopped, "ROLLBACK_REQUESTED" => RollbackRequested,
    "ROLLBACK_IN_PROGRESS" => RollbackInProgress, "ROLLBACK_SUCCESSFUL" => RollbackSuccessful,
    "ROLLBACK_FAILED" => RollbackFailed);
words!(LifecycleStage: "RECONCILE_SERVICE" => ReconcileService, "PRE_SCALE_UP" => PreScaleUp, "SCALE_UP" => ScaleUp,
    "POST_SCALE_UP" => PostScaleUp, "TEST_TRAFFIC_SHIFT" => TestTrafficShift,
    "POST_TEST_TRAFFIC_SHIFT" => PostTestTrafficShift, "PRE_PRODUCTION_TRAFFIC_SHIFT" => PreProductionTrafficShift,
    "PRODUCTION_TRAFFIC_SHIFT" => ProductionTrafficShift,
    "POST_PRODUCTION_TRAFFIC_SHIFT" => PostProductionTrafficShift, "BAKE_TIME" => BakeTime, "CLEAN_UP" => CleanUp);
words!(HookStatus: "AWAITING_ACTION" => AwaitingAction, "IN_PROGRESS" => InProgress, "SUCCEEDED" => Succeeded,
    "FAILED" => Failed, "TIMED_OUT" => TimedOut);
words!(HookAction: "CONTINUE" => Continue, "ROLLBACK" => Rollback);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_service_deployment_names_cluster_service_and_id() {
        let text = "arn:aws:ecs:eu-west-1:111122223333:service-deployment/video/web/ejGvqq2ilnbKT9qj0vLJe";
        assert_eq!(text.parse::<ServiceDeploymentArn>().unwrap().to_string(), text);
        for other in [
            "",
            "arn:aws:ecs:eu-west-1:111122223333:service/video/web",
            "arn:aws:ecs:eu-west-1:111122223333:service-deployment/video/web",
            "arn:aws:ecs:eu-west-1:111122223333:service-deployment/video/web/a b",
            "arn:aws:ecs:eu-west-1:111122223333:service-deployment/video//a",
            "arn:aws:sns:eu-west-1:111122223333:service-deployment/video/web/a",
        ] {
            assert!(other.parse::<ServiceDeploymentArn>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_status_of_the_future_is_kept_and_counts_as_in_progress() {
        let unknown = ServiceDeploymentStatus::from("SLEEPING");
        assert_eq!((unknown.as_str(), unknown.is_in_progress()), ("SLEEPING", true));
        assert!(!ServiceDeploymentStatus::from("SUCCESSFUL").is_in_progress());
    }
}
