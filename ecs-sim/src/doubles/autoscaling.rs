//! The function's client of the Region's Application Auto Scaling.

use crate::region::SharedRegion;
use async_trait::async_trait;
use serde_json::{Value, json};
use taskhold::ecs::autoscaling::{Autoscaling, AutoscalingError, ScalableTarget, resource_id};
use taskhold::ecs::service::ServiceArn;

/// Calls the Application Auto Scaling of a Region.
#[derive(Clone, Debug)]
pub struct SimulatedAutoscaling(pub SharedRegion);

#[async_trait]
impl Autoscaling for SimulatedAutoscaling {
    async fn scalable_target(&self, service: &ServiceArn) -> Result<Option<ScalableTarget>, AutoscalingError> {
        let request = json!({
            "ServiceNamespace": "ecs",
            "ResourceIds": [resource_id(service)],
            "ScalableDimension": "ecs:service:DesiredCount",
        });
        let answer = self.0.lock().call_autoscaling("DescribeScalableTargets", &request);
        let answer = answer.map_err(|error| AutoscalingError::of_code(&error.code, &error.message))?;
        Ok(answer["ScalableTargets"].get(0).map(scalable_target))
    }
}

fn scalable_target(json: &Value) -> ScalableTarget {
    let max = json["MaxCapacity"].as_u64().and_then(|number| u32::try_from(number).ok());
    ScalableTarget {
        max: max.unwrap_or(0),
        is_scale_in_suspended: json["SuspendedState"]["DynamicScalingInSuspended"] == true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::Variants;
    use crate::region::{CLUSTER, Region};
    use std::sync::Arc;

    #[tokio::test]
    async fn the_function_sees_what_is_registered_unless_it_is_denied() {
        let region = SharedRegion::new(Region::for_scenario(Variants::default()));
        let cluster = region.lock().ecs.cluster_arn(CLUSTER).parse().unwrap();
        let service = ServiceArn::new(Arc::new(cluster), "web").unwrap();
        let autoscaling = SimulatedAutoscaling(region.clone());
        assert_eq!(autoscaling.scalable_target(&service).await, Ok(None));
        region.lock().autoscaling.register(CLUSTER, "web", 2..=4);
        let found = autoscaling.scalable_target(&service).await.unwrap().unwrap();
        assert_eq!((found.max, found.is_scale_in_suspended), (4, false));
        region.lock().autoscaling_denied = 1;
        let denied = autoscaling.scalable_target(&service).await;
        assert!(matches!(denied, Err(AutoscalingError::AccessDenied(_))), "{denied:?}");
    }
}
