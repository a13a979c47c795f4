//! DeleteService and its consequences.
//!
//! AWS's API reference, "DeleteService": DRAINING while tasks run, then INACTIVE, and eventually purged.

use serde::Deserialize;

use super::error::ApiError;
use super::response::ServiceResponse;
use super::service::SimulatedServiceStatus;
use super::service_deployment::ServiceDeploymentState;
use super::state::{ControlPlane, Due};
use super::time::Millis;

/// How long an INACTIVE service is described; then it is MISSING. An assumption: AWS says "in the future".
pub const INACTIVE_SERVICE_REMEMBERED_MS: Millis = 60 * 60 * 1000;

/// Request of [`ControlPlane::delete_service`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteServiceRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Name or ARN.
    #[serde(default)]
    pub service: String,
    /// Whether a service that still has tasks may be deleted.
    #[serde(default)]
    pub force: Option<bool>,
}

impl ControlPlane {
    /// Deletes a service. Its protected tasks stay until their protection ends (an assumption), and the service is
    /// DRAINING until then.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException (also for an INACTIVE service), and InvalidParameterException
    /// for a service with tasks without `force`.
    pub fn delete_service(&mut self, request: DeleteServiceRequest) -> Result<ServiceResponse, ApiError> {
        let key = self.named_service(request.cluster.as_deref(), &request.service)?;
        let service = &self.services[&key];
        match service.status {
            SimulatedServiceStatus::Inactive => return Err(ApiError::service_not_found()),
            SimulatedServiceStatus::Draining => {}
            SimulatedServiceStatus::Active => {
                let is_empty = service.desired_count == 0 && service.tasks.is_empty();
                if !is_empty && request.force != Some(true) {
                    return Err(ApiError::invalid("The service cannot be stopped while it is scaled above 0."));
                }
                self.begin_deletion(key);
            }
        }
        Ok(ServiceResponse { service: self.describe_service(&self.services[&key]) })
    }

    fn begin_deletion(&mut self, key: u64) {
        let primary = self.services[&key].primary().id.clone();
        self.end_shift(key, primary);
        self.finish_service_deployment(key, ServiceDeploymentState::Stopped);
        let service = self.service_mut(key);
        service.status = SimulatedServiceStatus::Draining;
        service.desired_count = 0;
        service.steady = false;
        self.touched.insert(key);
        self.settle();
    }

    /// A deleted service becomes INACTIVE once its last task has stopped.
    pub(super) fn update_deletion(&mut self, key: u64) {
        let service = &self.services[&key];
        if service.status != SimulatedServiceStatus::Draining
            || service.tasks.iter().any(|task| self.tasks[task].is_live())
        {
            return;
        }
        let forgotten_at = self.now + INACTIVE_SERVICE_REMEMBERED_MS;
        self.service_mut(key).status = SimulatedServiceStatus::Inactive;
        self.due.insert((forgotten_at, Due::InactiveServiceIsForgotten(key)));
    }

    /// An INACTIVE service becomes MISSING, unless another service has taken its name already.
    pub(super) fn forget_service(&mut self, key: u64) {
        let service = self.service_mut(key);
        service.is_forgotten = true;
        let (cluster, name) = (service.cluster.clone(), service.name.clone());
        if let Some(cluster) = self.clusters.get_mut(&cluster)
            && cluster.services.get(&name) == Some(&key)
        {
            cluster.services.remove(&name);
        }
    }
}
