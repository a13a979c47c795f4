//! Reads the service deployment of a rollout in progress.

use crate::ecs::ServiceReads;
use crate::ecs::arn::shown;
use crate::ecs::error::EcsError;
use crate::ecs::service::Service;
use crate::ecs::service_deployment::{LifecycleStage, ServiceDeployment};
use crate::service::rollout::{self, Rollout};
use crate::service::snapshot::{Gap, ServiceSnapshot};
use tracing::warn;

/// Adds the service deployment of a deployment in progress. A rolling deployment can be judged without it; any other is
/// unknown then, so a failed read is a gap.
pub(super) async fn add_service_deployment(ecs: &dyn ServiceReads, snapshot: &mut ServiceSnapshot) {
    if !matches!(rollout::replaced(snapshot).rollout, Rollout::Deployment { .. } | Rollout::CleanUp { .. }) {
        return;
    }
    let shifts_traffic = snapshot.service.strategy.shifts_traffic();
    match read(ecs, &snapshot.service).await {
        Ok(Some(deployment)) => {
            let unknown = unknown_stage(&deployment).filter(|_| shifts_traffic);
            snapshot.gaps.extend(unknown.map(Gap::LifecycleStage));
            snapshot.service_deployment = Some(deployment);
        }
        // Old services have none.
        Ok(None) if !shifts_traffic => {}
        Ok(None) => snapshot.gaps.push(Gap::ServiceDeployment(EcsError::Incomplete(
            "DescribeServices names no service deployment".to_owned(),
        ))),
        Err(error) => {
            // Of a permission that the role lacks, `DenialWarning` warns once.
            if !matches!(error, EcsError::AccessDenied(_)) {
                warn!(service = %snapshot.service.arn, failure = %error, "could not read the service deployment");
            }
            snapshot.deployment_failure = Some(error.clone());
            if shifts_traffic {
                snapshot.gaps.push(Gap::ServiceDeployment(error));
            }
        }
    }
}

async fn read(ecs: &dyn ServiceReads, service: &Service) -> Result<Option<ServiceDeployment>, EcsError> {
    let Some(arn) = &service.service_deployment else { return Ok(None) };
    let described = ecs.describe_service_deployments(std::slice::from_ref(arn)).await?;
    let is_it = |deployment: &ServiceDeployment| deployment.arn == *arn;
    let missing = || EcsError::Incomplete(format!("DescribeServiceDeployments did not answer for `{arn}`"));
    described.into_iter().find(is_it).map(Some).ok_or_else(missing)
}

/// The stage of a deployment in progress, if taskhold does not know it. A rollback may have none.
fn unknown_stage(deployment: &ServiceDeployment) -> Option<String> {
    match &deployment.stage {
        _ if !deployment.status.is_in_progress() => None,
        None if deployment.is_rolling_back() => None,
        None => Some("a lifecycle stage that ECS does not report".to_owned()),
        Some(LifecycleStage::Other(stage)) => {
            Some(format!("the lifecycle stage `{}`, which this version does not know", shown(stage)))
        }
        Some(_) => None,
    }
}
