//! `ECS Service Action`, `ECS Deployment State Change` and `ECS Hook State Change` (aws-facts "EventBridge"), as
//! EventBridge delivers them.

use crate::config::clusters::Clusters;
use crate::ecs::arn::shown;
use crate::ecs::service_deployment::ServiceDeploymentArn;
use crate::service::trigger::{EventName, ServiceTrigger};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceEventDetail {
    event_name: Option<String>,
    cluster_arn: Option<String>,
    /// Of a hook only: there, `resources` names the service deployment, whose ARN names the service as well.
    service_arn: Option<String>,
}

/// The deployment that an event names is not read, since reconciling the service finds all deployments.
///
/// # Errors
/// The event is to be ignored, for this reason.
pub(crate) fn parse(detail: &str, resources: &[String], clusters: &Clusters) -> Result<ServiceTrigger, String> {
    let ignored = |why: String| Err(format!("event of a service {why}"));
    let detail: ServiceEventDetail = match serde_json::from_str(detail) {
        Ok(detail) => detail,
        Err(error) => return ignored(format!("with an unreadable detail: {}", shown(&error.to_string()))),
    };
    let of_resource = || {
        let resource = resources.first()?;
        let deployment = resource.parse::<ServiceDeploymentArn>().ok();
        Some(deployment.map_or_else(|| resource.clone(), |deployment| deployment.service_arn()))
    };
    let Some(service_arn) = detail.service_arn.or_else(of_resource) else {
        return ignored("that neither `resources` nor `serviceArn` names".to_owned());
    };
    match clusters.service(&service_arn, detail.cluster_arn.as_deref()) {
        Ok(service) => {
            let name = EventName::from(detail.event_name.as_deref().unwrap_or_default());
            Ok(ServiceTrigger { service, name })
        }
        Err(error) => ignored(format!("that is none of ours: {error}")),
    }
}
