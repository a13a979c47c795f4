//! Application Auto Scaling's nouns as taskhold uses them, and [`Autoscaling`], the trait through which
//! taskhold calls it.
//!
//! Application Auto Scaling also sets desired counts of services. Where it manages a service, it may lower a
//! count that taskhold raised, and taskhold may undo its changes when it puts a count back. The consequences
//! are decided in `service`, not here.

use crate::ecs::arn::ClusterArn;
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use async_trait::async_trait;

/// A service whose desired count Application Auto Scaling may set (Application Auto Scaling API Reference,
/// "ScalableTarget").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalableTarget {
    /// `MaxCapacity`: Application Auto Scaling sets no higher count, and lowers a count above it.
    pub max: u32,
    /// `DynamicScalingInSuspended`: no scaling policy lowers the count.
    pub is_scale_in_suspended: bool,
}

/// Why the scalable target of a service could not be read. The error says nothing about the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutoscalingError {
    /// Too many calls from this account and Region.
    #[error("Application Auto Scaling throttled the call")]
    Throttled,
    /// IAM denied the call, as it does where taskhold's role has no permission for it.
    #[error("Application Auto Scaling denied access: {0}")]
    AccessDenied(String),
    /// Any other error, or no answer.
    #[error("Application Auto Scaling gave no answer: {0}")]
    Unexpected(String),
}

impl AutoscalingError {
    /// The error for the code of a failed answer. AWS services share the codes for throttling and missing
    /// permissions: [`EcsError::of_code`].
    pub fn of_code(code: &str, message: &str) -> Self {
        match EcsError::of_code(code, message) {
            EcsError::Throttled => Self::Throttled,
            EcsError::AccessDenied(message) => Self::AccessDenied(message),
            _ => Self::Unexpected(format!("{code}: {message}")),
        }
    }
}

/// The call to Application Auto Scaling. Sent once.
#[async_trait]
pub trait Autoscaling: Send + Sync {
    /// The scalable target of a service's desired count (`DescribeScalableTargets`). `None` if the service is
    /// not registered, so that Application Auto Scaling does not manage it.
    ///
    /// # Errors
    /// The call failed, which says nothing about the service.
    async fn scalable_target(&self, service: &ServiceArn) -> Result<Option<ScalableTarget>, AutoscalingError>;
}

/// The id of a service in Application Auto Scaling (Application Auto Scaling API Reference, "ScalableTarget":
/// `ResourceId`).
pub fn resource_id(service: &ServiceArn) -> String {
    let ClusterArn { name: cluster, .. } = service.cluster.as_ref();
    format!("service/{cluster}/{}", service.name)
}
