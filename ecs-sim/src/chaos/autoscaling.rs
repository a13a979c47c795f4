//! The function's client of Application Auto Scaling.

use super::world::Chaotic;
use crate::doubles::autoscaling::SimulatedAutoscaling;
use async_trait::async_trait;
use taskhold::ecs::autoscaling::{Autoscaling, AutoscalingError, ScalableTarget};
use taskhold::ecs::service::ServiceArn;

#[async_trait]
impl Autoscaling for Chaotic<SimulatedAutoscaling> {
    async fn scalable_target(&self, service: &ServiceArn) -> Result<Option<ScalableTarget>, AutoscalingError> {
        let fails = {
            let mut world = self.sim.world();
            let percent = world.rules.read_fault_percent;
            let fails = world.fault(percent);
            if fails {
                world.counts.strike("Application Auto Scaling denies access");
            }
            fails
        };
        let result = match fails {
            true => Err(AutoscalingError::AccessDenied("denied".to_owned())),
            false => self.inner.scalable_target(service).await,
        };
        self.sim.gate().await;
        result
    }
}
