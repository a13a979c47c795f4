//! The adapter to Application Auto Scaling.

use crate::aws::lazy::Lazy;
use crate::ecs::autoscaling::{Autoscaling, AutoscalingError, ScalableTarget, resource_id};
use crate::ecs::service::ServiceArn;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_applicationautoscaling::operation::describe_scalable_targets::DescribeScalableTargetsError;
use aws_sdk_applicationautoscaling::types::{self, ScalableDimension, ServiceNamespace};

/// Application Auto Scaling in the configured Region.
#[derive(Clone, Debug)]
pub struct AwsAutoscaling(Lazy<Client>);

impl AwsAutoscaling {
    /// Makes a client that shares its connections between all calls.
    pub fn new(config: &SdkConfig) -> Self {
        Self(Lazy::new(config, Client::new))
    }
}

#[async_trait]
impl Autoscaling for AwsAutoscaling {
    async fn scalable_target(&self, service: &ServiceArn) -> Result<Option<ScalableTarget>, AutoscalingError> {
        let wanted = resource_id(service);
        let call = self.0.client().describe_scalable_targets().service_namespace(ServiceNamespace::Ecs);
        let call = call.resource_ids(&wanted).scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let answer = call.send().await.map_err(|error| error_of(&error))?;
        // Compared by name although only one was requested: another service's target must not count for this
        // one.
        let found = answer.scalable_targets().iter().find(|target| target.resource_id() == wanted);
        Ok(found.map(scalable_target))
    }
}

fn scalable_target(target: &types::ScalableTarget) -> ScalableTarget {
    let is_suspended = target.suspended_state().and_then(types::SuspendedState::dynamic_scaling_in_suspended);
    ScalableTarget {
        max: u32::try_from(target.max_capacity()).unwrap_or(0),
        is_scale_in_suspended: is_suspended == Some(true),
    }
}

fn error_of(error: &SdkError<DescribeScalableTargetsError>) -> AutoscalingError {
    if let SdkError::ServiceError(answer) = error
        && let Some(code) = answer.err().code()
    {
        return AutoscalingError::of_code(code, answer.err().message().unwrap_or("no message"));
    }
    AutoscalingError::Unexpected(crate::aws::on_one_line(error))
}
