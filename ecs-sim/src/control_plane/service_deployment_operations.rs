//! DescribeServiceDeployments, ListServiceDeployments, StopServiceDeployment and ContinueServiceDeployment.

use super::configuration_description::DeploymentConfigurationDescription;
use super::error::{ApiError, ErrorCode};
use super::hook::{ActiveHook, HookDecision, HookState};
use super::response::FailureDescription;
use super::service::SimulatedService;
use super::service_deployment::{ServiceDeploymentState, SimulatedServiceDeployment};
use super::service_deployment_shapes::{
    ChangedServiceDeploymentResponse, ContinueServiceDeploymentRequest, DescribeServiceDeploymentsRequest,
    DescribeServiceDeploymentsResponse, HookDetail, ListServiceDeploymentsRequest, ListServiceDeploymentsResponse,
    RevisionSummary, RollbackDescription, ServiceDeploymentBrief, ServiceDeploymentDescription,
    StopServiceDeploymentRequest,
};
use super::service_operations::page_size;
use super::state::ControlPlane;
use super::task::TaskNumbers;
use super::throttling::Category;
use super::time::Timestamp;

/// ECS's published model: "You can specify a maximum of 20 ARNs".
const DESCRIBED_MAX: usize = 20;
/// The page size of ListServiceDeployments that names none.
const LISTED_DEFAULT: usize = 20;

impl ControlPlane {
    /// Describes up to twenty service deployments.
    ///
    /// # Errors
    /// ThrottlingException, and InvalidParameterException for none or more than twenty.
    pub fn describe_service_deployments(
        &mut self,
        request: DescribeServiceDeploymentsRequest,
    ) -> Result<DescribeServiceDeploymentsResponse, ApiError> {
        self.buckets.take(Category::ServiceDeploymentRead, self.now)?;
        if !(1..=DESCRIBED_MAX).contains(&request.service_deployment_arns.len()) {
            return Err(ApiError::invalid("serviceDeploymentArns must have 1 to 20 items."));
        }
        let mut response = DescribeServiceDeploymentsResponse::default();
        for arn in request.service_deployment_arns {
            match self.find_service_deployment(&arn) {
                Some((service, deployment)) => {
                    response.service_deployments.push(self.describe_service_deployment(service, deployment));
                }
                None => response.failures.push(FailureDescription::missing(arn)),
            }
        }
        Ok(response)
    }

    /// Lists the service deployments of a service, newest first.
    ///
    /// # Errors
    /// ThrottlingException, ClusterNotFoundException, ServiceNotFoundException, and InvalidParameterException for a bad
    /// page size or token.
    pub fn list_service_deployments(
        &mut self,
        request: ListServiceDeploymentsRequest,
    ) -> Result<ListServiceDeploymentsResponse, ApiError> {
        self.buckets.take(Category::ServiceDeploymentRead, self.now)?;
        let key = self.named_service(request.cluster.as_deref(), &request.service)?;
        let size = page_size(request.max_results, LISTED_DEFAULT)?;
        let skip = request.next_token.as_deref().map_or(Ok(0), str::parse::<usize>);
        let skip = skip.map_err(|_| ApiError::invalid("Invalid token."))?;
        let service = &self.services[&key];
        let created = request.created_at.unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit")]
        let is_wanted = |deployment: &&SimulatedServiceDeployment| {
            let status = serde_json::to_value(deployment.state).expect("a state is a word");
            let at = deployment.created_at as f64 / 1000.0;
            (request.status.is_empty() || request.status.iter().any(|wanted| status == wanted.as_str()))
                && created.before.is_none_or(|before| at < before)
                && created.after.is_none_or(|after| at > after)
        };
        let all: Vec<_> = service.service_deployments.iter().filter(is_wanted).skip(skip).collect();
        let next_token = (all.len() > size).then(|| (skip + size).to_string());
        let service_deployments = all.into_iter().take(size).map(|it| self.brief(service, it)).collect();
        Ok(ListServiceDeploymentsResponse { service_deployments, next_token })
    }

    /// Rolls a service deployment back.
    ///
    /// # Errors
    /// ThrottlingException, ServiceDeploymentNotFoundException, InvalidParameterException for another stop type than
    /// ROLLBACK, and ConflictException unless it is in progress (assumed).
    pub fn stop_service_deployment(
        &mut self,
        request: StopServiceDeploymentRequest,
    ) -> Result<ChangedServiceDeploymentResponse, ApiError> {
        self.buckets.take(Category::ServiceModify, self.now)?;
        if request.stop_type.as_deref().is_some_and(|kind| kind != "ROLLBACK") {
            return Err(ApiError::invalid("stopType must be ROLLBACK."));
        }
        let (service, deployment) = self.named_service_deployment(&request.service_deployment_arn)?;
        if deployment.state != ServiceDeploymentState::InProgress {
            return Err(ApiError::new(ErrorCode::Conflict, "The service deployment is not in progress."));
        }
        let key = self.service_key(&service.cluster, &service.name).ok_or_else(ApiError::service_not_found)?;
        self.roll_back_service_deployment(key, "A user stopped the service deployment.");
        self.settle();
        Ok(ChangedServiceDeploymentResponse { service_deployment_arn: request.service_deployment_arn })
    }

    /// Continues or rolls back a paused service deployment.
    ///
    /// # Errors
    /// ThrottlingException, ServiceDeploymentNotFoundException, and InvalidParameterException for a hook that does not
    /// wait (assumed).
    pub fn continue_service_deployment(
        &mut self,
        request: ContinueServiceDeploymentRequest,
    ) -> Result<ChangedServiceDeploymentResponse, ApiError> {
        self.buckets.take(Category::ServiceModify, self.now)?;
        let (service, deployment) = self.named_service_deployment(&request.service_deployment_arn)?;
        let waits = |hook: &ActiveHook| hook.id == request.hook_id && hook.status == HookState::AwaitingAction;
        if !deployment.hooks.iter().any(waits) {
            return Err(ApiError::invalid("The lifecycle hook does not wait for an action."));
        }
        let key = self.service_key(&service.cluster, &service.name).ok_or_else(ApiError::service_not_found)?;
        let decision = request.action.unwrap_or(HookDecision::Continue);
        self.settle_hook(key, &request.hook_id, HookState::Succeeded, decision);
        self.settle();
        Ok(ChangedServiceDeploymentResponse { service_deployment_arn: request.service_deployment_arn })
    }

    fn named_service_deployment(
        &self,
        arn: &str,
    ) -> Result<(&SimulatedService, &SimulatedServiceDeployment), ApiError> {
        let none = || ApiError::new(ErrorCode::ServiceDeploymentNotFound, "Service deployment not found.");
        self.find_service_deployment(arn).ok_or_else(none)
    }

    fn find_service_deployment(&self, arn: &str) -> Option<(&SimulatedService, &SimulatedServiceDeployment)> {
        let (path, id) = self.names.own("service-deployment", arn)?.rsplit_once('/')?;
        let (cluster, service) = path.split_once('/')?;
        let service = self.services.get(&self.service_key(cluster, service)?)?;
        let deployment = service.service_deployments.iter().find(|deployment| deployment.id == id)?;
        Some((service, deployment))
    }

    fn describe_service_deployment(
        &self,
        service: &SimulatedService,
        deployment: &SimulatedServiceDeployment,
    ) -> ServiceDeploymentDescription {
        let exists = |id: &&String| service.deployments.iter().any(|it| it.id == **id);
        let sources = deployment.sources.iter().filter(exists).map(|id| self.revision_summary(service, id));
        let rollback = deployment.rollback.map(|(at, reason)| RollbackDescription {
            reason: reason.to_owned(),
            started_at: Timestamp(at),
            service_revision_arn: self.revision_arn(service, deployment.sources.first().unwrap_or(&deployment.target)),
        });
        let was_stopped = deployment.state == ServiceDeploymentState::Stopped;
        let ended_at = deployment.finished_at.map(Timestamp);
        ServiceDeploymentDescription {
            service_deployment_arn: self.service_deployment_arn(service, deployment),
            service_arn: service.arn.clone(),
            cluster_arn: self.names.cluster_arn(&service.cluster),
            created_at: Timestamp(deployment.created_at),
            started_at: Timestamp(deployment.created_at),
            finished_at: ended_at.filter(|_| !was_stopped),
            stopped_at: ended_at.filter(|_| was_stopped),
            status: deployment.state,
            updated_at: Timestamp(deployment.updated_at),
            source_service_revisions: sources.collect(),
            target_service_revision: self.revision_summary(service, &deployment.target),
            lifecycle_stage: deployment.stage,
            lifecycle_hook_details: deployment.hooks.iter().map(hook_detail).collect(),
            deployment_configuration: DeploymentConfigurationDescription::of(
                &service.configuration,
                service.controller,
            ),
            rollback,
        }
    }

    fn brief(&self, service: &SimulatedService, deployment: &SimulatedServiceDeployment) -> ServiceDeploymentBrief {
        ServiceDeploymentBrief {
            service_deployment_arn: self.service_deployment_arn(service, deployment),
            service_arn: service.arn.clone(),
            cluster_arn: self.names.cluster_arn(&service.cluster),
            created_at: Timestamp(deployment.created_at),
            started_at: Timestamp(deployment.created_at),
            finished_at: deployment.finished_at.map(Timestamp),
            target_service_revision_arn: self.revision_arn(service, &deployment.target),
            status: deployment.state,
        }
    }

    /// The ARN of a service deployment.
    pub(super) fn service_deployment_arn(
        &self,
        service: &SimulatedService,
        deployment: &SimulatedServiceDeployment,
    ) -> String {
        self.names.service_deployment_arn(&service.cluster, &service.name, &deployment.id)
    }

    /// A revision has the number of its deployment (assumed).
    pub(super) fn revision_arn(&self, service: &SimulatedService, id: &str) -> String {
        let number = id.rsplit('/').next().unwrap_or(id);
        self.names.service_revision_arn(&service.cluster, &service.name, number)
    }

    fn revision_summary(&self, service: &SimulatedService, id: &str) -> RevisionSummary {
        let TaskNumbers { pending, running, live } = self.counts(service, Some(id));
        let green = service.shift.as_ref().map(|shift| (shift.green == id, f64::from(shift.green_tenths) / 10.0));
        let weight = match green {
            Some((true, percent)) => percent,
            Some((false, percent)) => 100.0 - percent,
            None if service.is_primary(Some(id)) => 100.0,
            None => 0.0,
        };
        RevisionSummary {
            arn: self.revision_arn(service, id),
            requested_task_count: if service.is_primary(Some(id)) { service.desired_count as usize } else { live },
            running_task_count: running,
            pending_task_count: pending,
            requested_test_traffic_weight: weight,
            requested_production_traffic_weight: weight,
        }
    }
}

fn hook_detail(hook: &ActiveHook) -> HookDetail {
    HookDetail {
        hook_id: hook.id.clone(),
        target_type: hook.kind(),
        target_arn: hook.function.as_ref().map(|function| function.arn.clone()),
        status: hook.status,
        expires_at: Timestamp(hook.expires_at),
        timeout_action: hook.timeout_action,
    }
}
