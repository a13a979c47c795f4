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

/// `eventName` of an event about a service, of any of these detail-types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName(String);

impl From<&str> for EventName {
    fn from(name: &str) -> Self {
        Self(shown(name))
    }
}

impl EventName {
    /// The name that ECS uses.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trigger of an event with this name. An unknown name may mean anything, so it triggers a reconcile.
    pub fn trigger(&self) -> Trigger {
        let known = EVENT_NAMES.iter().find(|(name, _)| *name == self.0);
        known.map_or(Trigger::Reconcile, |(_, trigger)| *trigger)
    }
}

/// All known names with their triggers, in the order of the documentation.
pub const EVENT_NAMES: &[(&str, Trigger)] = &[
    ("SERVICE_DEPLOYMENT_IN_PROGRESS", Trigger::Reconcile),
    // Not sent when a user changes the count by hand.
    ("SERVICE_DESIRED_COUNT_UPDATED", Trigger::Reconcile),
    ("SERVICE_REBALANCING_STARTED", Trigger::Reconcile),
    // The only event about protection. Of type INFO, documented for rebalancing only, and never captured in a
    // deployment.
    ("TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION", Trigger::Reconcile),
    ("HOOK_AWAITING_ACTION", Trigger::Reconcile),
    ("HOOK_IN_PROGRESS", Trigger::ReconcileIfOpen),
    // The pause is over, or the function of a Lambda hook has let the deployment continue.
    ("HOOK_SUCCEEDED", Trigger::Reconcile),
    ("HOOK_FAILED", Trigger::Reconcile),
    ("HOOK_TIMED_OUT", Trigger::Reconcile),
    ("SERVICE_DEPLOYMENT_COMPLETED", Trigger::ReconcileIfOpen),
    ("SERVICE_DEPLOYMENT_FAILED", Trigger::ReconcileIfOpen),
    ("SERVICE_STEADY_STATE", Trigger::ReconcileIfOpen),
    ("TASKSET_STEADY_STATE", Trigger::ReconcileIfOpen),
    ("TASKS_STARTED", Trigger::ReconcileIfOpen),
    ("TASKS_STOPPED", Trigger::ReconcileIfOpen),
    ("SERVICE_REBALANCING_COMPLETED", Trigger::ReconcileIfOpen),
    ("SERVICE_REBALANCING_STOPPED", Trigger::ReconcileIfOpen),
    ("CAPACITY_PROVIDER_STEADY_STATE", Trigger::Nothing),
    ("SERVICE_TASK_START_IMPAIRED", Trigger::Nothing),
    ("SERVICE_DISCOVERY_INSTANCE_UNHEALTHY", Trigger::Nothing),
    ("VPC_LATTICE_TARGET_UNHEALTHY", Trigger::Nothing),
    ("SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED", Trigger::Nothing),
    ("ECS_OPERATION_THROTTLED", Trigger::Nothing),
    ("SERVICE_DISCOVERY_OPERATION_THROTTLED", Trigger::Nothing),
    ("SERVICE_TASK_PLACEMENT_FAILURE", Trigger::Nothing),
    ("SERVICE_TASK_CONFIGURATION_FAILURE", Trigger::Nothing),
    ("SERVICE_HEALTH_UNKNOWN", Trigger::Nothing),
];

/// An event about a service of a configured cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTrigger {
    /// The service.
    pub service: ServiceArn,
    /// The event's name.
    pub name: EventName,
}
