//! `ECS Service Action`, `ECS Deployment State Change` and `ECS Hook State Change` (aws-facts "EventBridge"): what an
//! event about a service triggers.
//!
//! No event proves anything. At most it says that something has started, or may be over. [`EVENT_NAMES`] is the only
//! table of event names, and a test compares `docs/events.md` with it.

use crate::ecs::arn::shown;
use crate::ecs::service::ServiceArn;

/// What the function does about an event about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Something may have begun: reconcile the service, and watch it with rechecks while something is in progress.
    Reconcile,
    /// Something may have ended or advanced: reconcile the service if it is being watched.
    ReconcileIfOpen,
    /// The event has nothing to do with protection.
    Nothing,
}

impl Trigger {
    /// The text in the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reconcile => "reconciles the service, and schedules rechecks while something is in progress",
            Self::ReconcileIfOpen => "reconciles a service that is being followed",
            Self::Nothing => "ignored",
        }
    }
}

/// Declares ECS's event names, each with its trigger.
macro_rules! event_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal => $trigger:ident,)+) => {
        /// `eventName` of an event about a service, of any of these detail-types.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum EventName {
            $($(#[$doc])* #[doc = concat!("`", $name, "`")] $variant,)+
            /// A name that taskhold does not know, such as one that AWS adds later.
            Other(String),
        }

        impl From<&str> for EventName {
            fn from(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)+
                    other => Self::Other(shown(other)),
                }
            }
        }

        impl EventName {
            /// The name that ECS uses.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(name) => name,
                }
            }

            /// The trigger of an event with this name. An unknown name may mean anything, so it triggers a reconcile.
            pub fn trigger(&self) -> Trigger {
                match self {
                    $(Self::$variant => Trigger::$trigger,)+
                    Self::Other(_) => Trigger::Reconcile,
                }
            }
        }

        /// All known names, in the order of the documentation.
        pub const EVENT_NAMES: &[EventName] = &[$(EventName::$variant,)+];
    };
}

event_names! {
    ServiceDeploymentInProgress = "SERVICE_DEPLOYMENT_IN_PROGRESS" => Reconcile,
    /// Not sent when a user changes the count by hand:
    ServiceDesiredCountUpdated = "SERVICE_DESIRED_COUNT_UPDATED" => Reconcile,
    ServiceRebalancingStarted = "SERVICE_REBALANCING_STARTED" => Reconcile,
    /// The only event about protection. Of type INFO, documented for rebalancing only, and never captured in a
    /// deployment:
    TasksetScaleInFailureByTaskProtection = "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION" => Reconcile,
    HookAwaitingAction = "HOOK_AWAITING_ACTION" => Reconcile,
    HookInProgress = "HOOK_IN_PROGRESS" => ReconcileIfOpen,
    /// The pause is over, or the function of a Lambda hook has let the deployment continue:
    HookSucceeded = "HOOK_SUCCEEDED" => Reconcile,
    HookFailed = "HOOK_FAILED" => Reconcile,
    HookTimedOut = "HOOK_TIMED_OUT" => Reconcile,
    ServiceDeploymentCompleted = "SERVICE_DEPLOYMENT_COMPLETED" => ReconcileIfOpen,
    ServiceDeploymentFailed = "SERVICE_DEPLOYMENT_FAILED" => ReconcileIfOpen,
    ServiceSteadyState = "SERVICE_STEADY_STATE" => ReconcileIfOpen,
    TasksetSteadyState = "TASKSET_STEADY_STATE" => ReconcileIfOpen,
    TasksStarted = "TASKS_STARTED" => ReconcileIfOpen,
    TasksStopped = "TASKS_STOPPED" => ReconcileIfOpen,
    ServiceRebalancingCompleted = "SERVICE_REBALANCING_COMPLETED" => ReconcileIfOpen,
    ServiceRebalancingStopped = "SERVICE_REBALANCING_STOPPED" => ReconcileIfOpen,
    CapacityProviderSteadyState = "CAPACITY_PROVIDER_STEADY_STATE" => Nothing,
    ServiceTaskStartImpaired = "SERVICE_TASK_START_IMPAIRED" => Nothing,
    ServiceDiscoveryInstanceUnhealthy = "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY" => Nothing,
    VpcLatticeTargetUnhealthy = "VPC_LATTICE_TARGET_UNHEALTHY" => Nothing,
    ServiceDaemonPlacementConstraintViolated = "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED" => Nothing,
    EcsOperationThrottled = "ECS_OPERATION_THROTTLED" => Nothing,
    ServiceDiscoveryOperationThrottled = "SERVICE_DISCOVERY_OPERATION_THROTTLED" => Nothing,
    ServiceTaskPlacementFailure = "SERVICE_TASK_PLACEMENT_FAILURE" => Nothing,
    ServiceTaskConfigurationFailure = "SERVICE_TASK_CONFIGURATION_FAILURE" => Nothing,
    ServiceHealthUnknown = "SERVICE_HEALTH_UNKNOWN" => Nothing,
}

/// An event about a service of a configured cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTrigger {
    /// The service.
    pub service: ServiceArn,
    /// The event's name.
    pub name: EventName,
}
