//! CreateTaskSet, UpdateServicePrimaryTaskSet, DeleteTaskSet and DescribeTaskSets, and the deployments that CodeDeploy
//! makes of them.
//!
//! aws-facts: "ECS: deployments and protection": CODE_DEPLOY and EXTERNAL have `taskSets[]`.

use serde::{Deserialize, Serialize};

use super::error::{ApiError, ErrorCode};
use super::response::FailureDescription;
use super::service::{
    ACTIVE_DEPLOYMENTS_MAX, DeploymentRolloutState, SimulatedDeployment, SimulatedService, SimulatedServiceStatus,
};
use super::shift::Shift;
use super::state::ControlPlane;
use super::task_set_description::{Scale, TaskSetDescription, percent};

/// Request of [`ControlPlane::create_task_set`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateTaskSetRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Name or ARN.
    #[serde(default)]
    pub service: String,
    /// `family:revision`.
    #[serde(default)]
    pub task_definition: String,
    /// 100 % if absent.
    pub scale: Option<Scale>,
}

/// Request of [`ControlPlane::update_service_primary_task_set`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateServicePrimaryTaskSetRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Name or ARN.
    #[serde(default)]
    pub service: String,
    /// Id or ARN.
    #[serde(default)]
    pub primary_task_set: String,
}

/// Request of [`ControlPlane::delete_task_set`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteTaskSetRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Name or ARN.
    #[serde(default)]
    pub service: String,
    /// Id or ARN.
    #[serde(default)]
    pub task_set: String,
    /// Whether a task set that is not scaled to 0 may be deleted.
    pub force: Option<bool>,
}

/// Request of [`ControlPlane::describe_task_sets`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeTaskSetsRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Name or ARN.
    #[serde(default)]
    pub service: String,
    /// Ids or ARNs; all if empty.
    #[serde(default)]
    pub task_sets: Vec<String>,
}

/// Answer of CreateTaskSet, UpdateServicePrimaryTaskSet and DeleteTaskSet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskSetResponse {
    /// The task set after the call.
    pub task_set: TaskSetDescription,
}

/// Answer of DescribeTaskSets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeTaskSetsResponse {
    /// The task sets that exist.
    pub task_sets: Vec<TaskSetDescription>,
    /// Those that do not.
    pub failures: Vec<FailureDescription>,
}

impl ControlPlane {
    /// Creates a task set of a service, ACTIVE and without production traffic.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, ServiceNotActiveException, ClientException for an invalid
    /// task definition, and InvalidParameterException for a service without task sets, a scale out of range or a sixth
    /// task set.
    pub fn create_task_set(&mut self, request: CreateTaskSetRequest) -> Result<TaskSetResponse, ApiError> {
        let key = self.service_with_task_sets(request.cluster.as_deref(), &request.service)?;
        let scale = request.scale.unwrap_or(Scale { value: 100.0, unit: percent() });
        if !(0.0..=100.0).contains(&scale.value) || scale.unit != percent() {
            return Err(ApiError::invalid("scale must be between 0 and 100 PERCENT."));
        }
        let task_definition = self.family_and_revision(&request.task_definition)?;
        // The range check ensures that the cast loses only the fraction.
        let id = self.new_task_set(key, Some(task_definition), scale.value.round() as u32)?;
        Ok(self.answer_with(key, &id))
    }

    /// Makes a task set serve production traffic.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, ServiceNotActiveException, TaskSetNotFoundException, and
    /// InvalidParameterException for a service without task sets or a task set that was deleted.
    pub fn update_service_primary_task_set(
        &mut self,
        request: UpdateServicePrimaryTaskSetRequest,
    ) -> Result<TaskSetResponse, ApiError> {
        let key = self.service_with_task_sets(request.cluster.as_deref(), &request.service)?;
        let set = task_set_of(&self.services[&key], &request.primary_task_set).ok_or_else(not_found)?;
        if set.is_draining {
            return Err(ApiError::invalid("The task set is being deleted."));
        }
        let (id, now) = (set.id.clone(), self.now);
        self.service_mut(key).make_primary(&id, now);
        Ok(self.answer_with(key, &id))
    }

    /// Deletes a task set: it is DRAINING, and is removed when its last task has stopped. Protected tasks stay until
    /// their protection ends.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, ServiceNotActiveException, TaskSetNotFoundException, and
    /// InvalidParameterException for a service without task sets, for the primary one, and for one that is not scaled
    /// to 0 without `force`.
    pub fn delete_task_set(&mut self, request: DeleteTaskSetRequest) -> Result<TaskSetResponse, ApiError> {
        let key = self.service_with_task_sets(request.cluster.as_deref(), &request.service)?;
        let service = &self.services[&key];
        let set = task_set_of(service, &request.task_set).ok_or_else(not_found)?;
        let id = set.id.clone();
        if service.is_primary(Some(&id)) {
            return Err(ApiError::invalid("The primary task set cannot be deleted."));
        }
        if set.scale_percent > 0 && request.force != Some(true) {
            return Err(ApiError::invalid("The task set is not scaled to 0; use force."));
        }
        let now = self.now;
        self.service_mut(key).drain(&id, now);
        let response = self.answer_with(key, &id);
        self.touched.insert(key);
        self.settle();
        Ok(response)
    }

    /// Describes the task sets of a service.
    ///
    /// # Errors
    /// The same as for the other operations.
    pub fn describe_task_sets(
        &mut self,
        request: DescribeTaskSetsRequest,
    ) -> Result<DescribeTaskSetsResponse, ApiError> {
        let key = self.service_with_task_sets(request.cluster.as_deref(), &request.service)?;
        let service = &self.services[&key];
        let mut response = DescribeTaskSetsResponse::default();
        if request.task_sets.is_empty() {
            response.task_sets = self.describe_sets(service);
        }
        for given in &request.task_sets {
            match task_set_of(service, given) {
                Some(set) => response.task_sets.push(self.describe_set(service, set)),
                None => response.failures.push(FailureDescription::missing(given.clone())),
            }
        }
        Ok(response)
    }

    /// A whole deployment with task sets, as CodeDeploy does it: a replacement, the traffic shift, and after the bake
    /// time the deletion of the previous task set. Returns the id of the new task set.
    pub(super) fn deploy_task_set(&mut self, key: u64) -> Result<String, ApiError> {
        if self.services[&key].shift.is_some() {
            // CodeDeploy's DeploymentLimitExceededException; ECS has no such exception.
            return Err(ApiError::invalid("the service has a deployment in progress already"));
        }
        let blue = self.services[&key].primary().id.clone();
        let green = self.new_task_set(key, None, 100)?;
        let service = self.service_mut(key);
        service.shift = Some(Shift::by_task_sets(green.clone(), blue, &service.configuration));
        self.touched.insert(key);
        self.settle();
        Ok(green)
    }

    fn new_task_set(&mut self, key: u64, task_definition: Option<String>, scale: u32) -> Result<String, ApiError> {
        let service = &self.services[&key];
        if service.deployments.len() >= ACTIVE_DEPLOYMENTS_MAX {
            return Err(ApiError::invalid("5 task sets exist, unable to create new task set"));
        }
        let task_definition = task_definition.unwrap_or_else(|| service.primary().task_definition.clone());
        let mut set = self.new_deployment(task_definition);
        set.rollout_state = DeploymentRolloutState::Completed;
        set.scale_percent = scale;
        let id = set.id.clone();
        let service = self.service_mut(key);
        service.deployments.insert(1, set);
        service.steady = false;
        self.touched.insert(key);
        self.settle();
        Ok(id)
    }

    fn service_with_task_sets(&self, cluster: Option<&str>, service: &str) -> Result<u64, ApiError> {
        let key = self.named_service(cluster, service)?;
        let service = &self.services[&key];
        if service.status != SimulatedServiceStatus::Active {
            return Err(ApiError::service_not_active());
        }
        if !service.has_task_sets() {
            return Err(ApiError::invalid("The service's deployment controller is ECS: it has no task sets."));
        }
        Ok(key)
    }

    fn answer_with(&self, key: u64, id: &str) -> TaskSetResponse {
        let service = &self.services[&key];
        let set = task_set_of(service, id).expect("it is removed by the scheduler only");
        TaskSetResponse { task_set: self.describe_set(service, set) }
    }
}

/// A task set by its id, `ecs-svc/N`, or by its ARN, which ends with the id.
fn task_set_of<'a>(service: &'a SimulatedService, given: &str) -> Option<&'a SimulatedDeployment> {
    let id = given.find("ecs-svc/").map_or(given, |at| &given[at..]);
    service.deployments.iter().find(|set| set.id == id)
}

fn not_found() -> ApiError {
    ApiError::new(ErrorCode::TaskSetNotFound, "The specified task set wasn't found.")
}
