//! Application Auto Scaling's nouns as taskhold uses them, and [`Autoscaling`], the one seam to it.
//!
//! It sets desired counts of services too. Where it is in charge of one, a count that taskhold raises may be set back by it,
//! and one that taskhold puts back may undo what it decided meanwhile. What follows from that is not decided here.

use crate::ecs::arn::ClusterArn;
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use std::future::Future;

/// A service whose desired count Application Auto Scaling may set (Application Auto Scaling API Reference,
/// "ScalableTarget").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalableTarget {
    /// `MinCapacity`: it sets no lower count, and raises what is below.
    pub min: u32,
    /// `MaxCapacity`: it sets no higher count, and lowers what is above.
    pub max: u32,
    /// `DynamicScalingInSuspended`: no scaling policy lowers the count.
    pub is_scale_in_suspended: bool,
    /// `DynamicScalingOutSuspended`: no scaling policy raises the count.
    pub is_scale_out_suspended: bool,
    /// `ScheduledScalingSuspended`: no scheduled action changes the count or the bounds.
    pub is_scheduled_scaling_suspended: bool,
}

/// Whether a service is registered could not be learned. It says nothing about the service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutoscalingError {
    /// Too many calls from this account and Region.
    #[error("application auto scaling throttled the call")]
    Throttled,
    /// IAM said no, as it does where nobody has allowed taskhold to ask.
    #[error("application auto scaling denied access: {0}")]
    AccessDenied(String),
    /// Any other error, or no answer.
    #[error("application auto scaling gave no answer: {0}")]
    Unexpected(String),
}

impl AutoscalingError {
    /// The error for the code of an answer that failed. What throttling and a lack of permission are called, all of AWS
    /// shares: [`EcsError::of_code`].
    pub fn of_code(code: &str, message: &str) -> Self {
        match EcsError::of_code(code, message) {
            EcsError::Throttled => Self::Throttled,
            EcsError::AccessDenied(told) => Self::AccessDenied(told),
            _ => Self::Unexpected(format!("{code}: {message}")),
        }
    }
}

/// What Application Auto Scaling is asked. Each call is sent once.
pub trait Autoscaling: Send + Sync {
    /// The scalable target of a service's desired count (`DescribeScalableTargets`). `None` if nobody has registered the
    /// service, so that Application Auto Scaling leaves it alone.
    ///
    /// # Errors
    /// The call failed, which says nothing about the service.
    fn scalable_target(
        &self,
        service: &ServiceArn,
    ) -> impl Future<Output = Result<Option<ScalableTarget>, AutoscalingError>> + Send;
}

/// What Application Auto Scaling calls a service (Application Auto Scaling API Reference, "ScalableTarget": `ResourceId`).
pub fn resource_id(service: &ServiceArn) -> String {
    let ClusterArn { name: cluster, .. } = service.cluster.as_ref();
    format!("service/{cluster}/{}", service.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_error() {
        let told = |code: &str| format!("{code}: because of x");
        for (code, expected) in [
            ("ThrottlingException", AutoscalingError::Throttled),
            ("AccessDeniedException", AutoscalingError::AccessDenied(told("AccessDeniedException"))),
            ("ExpiredTokenException", AutoscalingError::AccessDenied(told("ExpiredTokenException"))),
            ("ValidationException", AutoscalingError::Unexpected(told("ValidationException"))),
            ("InternalServiceException", AutoscalingError::Unexpected(told("InternalServiceException"))),
            ("ClusterNotFoundException", AutoscalingError::Unexpected(told("ClusterNotFoundException"))),
        ] {
            assert_eq!(AutoscalingError::of_code(code, "because of x"), expected);
        }
    }
}
