//! What a scenario needs and ECS's API does not offer: a service whose tasks run already, a task that crashes, calls
//! without throttling.

use super::deletion::DeleteServiceRequest;
use super::error::ApiError;
use super::eventbridge::ServiceAction;
use super::lifecycle::{Birth, Owner, Stop};
use super::request::{CreateClusterRequest, UpdateServiceRequest, UpdateTaskProtectionRequest};
use super::response::TaskProtectionResponse;
use super::service::{DeploymentRolloutState, ServiceSpec};
use super::state::ControlPlane;
use super::task::{SPOT_NOTICE_MS, StopCode};
use super::task_operations::task_not_found;

impl ControlPlane {
    /// Creates a cluster of this name unless it exists.
    pub fn create_cluster(&mut self, name: &str) {
        let request = CreateClusterRequest { cluster_name: Some(name.to_owned()), ..Default::default() };
        self.make_cluster(request).expect("creating a cluster has no error");
    }

    /// Creates a service whose tasks run already and whose deployment is complete, so that a scenario begins in steady
    /// state. It emits no EventBridge event. Returns the ids of the tasks.
    ///
    /// # Errors
    /// ClusterNotFoundException, and InvalidParameterException for percentages out of range or a name that is taken.
    pub fn create_service(&mut self, spec: ServiceSpec) -> Result<Vec<String>, ApiError> {
        let key = self.new_service(spec)?;
        let count = self.services[&key].desired_count;
        let tasks: Vec<u64> = (0..count).map(|_| self.make_task(Owner::Service(key, 0), Birth::Running)).collect();
        let service = self.service_mut(key);
        service.steady = true;
        service.deployments[0].rollout_state = DeploymentRolloutState::Completed;
        self.service_deployment_completes(key);
        self.say(key, "has reached a steady state.");
        Ok(tasks.iter().map(|task| self.tasks[task].id.clone()).collect())
    }

    /// Starts a standalone task that is RUNNING at once. Returns its id.
    ///
    /// # Errors
    /// ClusterNotFoundException.
    pub fn run_standalone_task(&mut self, cluster: &str) -> Result<String, ApiError> {
        let cluster = self.resolve_cluster(Some(cluster))?;
        let owner = Owner::Standalone { cluster, task_definition: "standalone:1".to_owned() };
        let key = self.make_task(owner, Birth::Running);
        Ok(self.tasks[&key].id.clone())
    }

    /// Stops the task, by id or ARN, as a user does: UserInitiated. Protection does not prevent it.
    ///
    /// # Errors
    /// InvalidParameterException for a task that is no longer described.
    pub fn stop_task(&mut self, task: &str) -> Result<(), ApiError> {
        self.stop_because(task, Stop::new(StopCode::UserInitiated, "Task stopped by user"))
    }

    /// Ends the task's container with exit code 1: EssentialContainerExited. Protection does not prevent it.
    ///
    /// # Errors
    /// InvalidParameterException for a task that is no longer described.
    pub fn crash_task(&mut self, task: &str) -> Result<(), ApiError> {
        let reason = "Essential container in task exited";
        self.stop_because(task, Stop::new(StopCode::EssentialContainerExited, reason))
    }

    /// Reclaims the Spot capacity under the task, with two minutes' notice. Protection does not prevent it.
    ///
    /// # Errors
    /// InvalidParameterException for a task that is no longer described.
    pub fn interrupt_task(&mut self, task: &str) -> Result<(), ApiError> {
        let reason = "Your Spot Task was interrupted.";
        let stop = Stop { after: SPOT_NOTICE_MS, ..Stop::new(StopCode::SpotInterruption, reason) };
        self.stop_because(task, stop)
    }

    /// The host under the task fails: InfrastructureHealth. Protection does not prevent it. The reason is assumed.
    ///
    /// # Errors
    /// InvalidParameterException for a task that is no longer described.
    pub fn lose_host(&mut self, task: &str) -> Result<(), ApiError> {
        self.stop_because(task, Stop::new(StopCode::InfrastructureHealth, "The host of the task is impaired."))
    }

    /// UpdateService with `forceNewDeployment`; with task sets, everything that CodeDeploy or an external controller
    /// does, as time passes. Returns the id of the new deployment or task set.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, ServiceNotActiveException, and InvalidParameterException for
    /// a sixth deployment, or a second one at a time with task sets.
    pub fn deploy(&mut self, cluster: &str, service: &str) -> Result<String, ApiError> {
        let known = self.service_key(cluster, service).filter(|key| self.services[key].has_task_sets());
        if let Some(key) = known {
            return self.deploy_task_set(key);
        }
        let key = self.apply_service_update(UpdateServiceRequest {
            cluster: Some(cluster.to_owned()),
            service: service.to_owned(),
            force_new_deployment: true,
            ..Default::default()
        })?;
        Ok(self.services[&key].primary().id.clone())
    }

    /// UpdateService with `desiredCount`.
    ///
    /// # Errors
    /// ClusterNotFoundException and ServiceNotFoundException.
    pub fn set_desired_count(&mut self, cluster: &str, service: &str, count: u32) -> Result<(), ApiError> {
        self.apply_service_update(UpdateServiceRequest {
            cluster: Some(cluster.to_owned()),
            service: service.to_owned(),
            desired_count: Some(count.into()),
            ..Default::default()
        })?;
        Ok(())
    }

    /// Application Auto Scaling sets the desired count, and ECS sends an event about it (assumed: ECS does not count this
    /// as a change by a user).
    ///
    /// # Errors
    /// ClusterNotFoundException and ServiceNotFoundException.
    pub fn scale_automatically(&mut self, cluster: &str, service: &str, count: u32) -> Result<(), ApiError> {
        self.set_desired_count(cluster, service, count)?;
        if let Some(key) = self.service_key(cluster, service) {
            self.emit_service_action(key, ServiceAction::ServiceDesiredCountUpdated);
        }
        Ok(())
    }

    /// DeleteService with `force`.
    ///
    /// # Errors
    /// ClusterNotFoundException and ServiceNotFoundException.
    pub fn remove_service(&mut self, cluster: &str, service: &str) -> Result<(), ApiError> {
        let request =
            DeleteServiceRequest { cluster: Some(cluster.to_owned()), service: service.to_owned(), force: Some(true) };
        self.delete_service(request).map(drop)
    }

    /// Sets or clears the task's own protection, as through the agent's endpoint: for `minutes`, or `None` to clear.
    ///
    /// # Errors
    /// Those of UpdateTaskProtection, and InvalidParameterException for a task that is no longer described. A refusal
    /// is in the answer.
    pub fn set_own_protection(&mut self, task: &str, minutes: Option<i64>) -> Result<TaskProtectionResponse, ApiError> {
        let key = self.task_key_anywhere(task).ok_or_else(task_not_found)?;
        self.update_task_protection(UpdateTaskProtectionRequest {
            cluster: Some(self.tasks[&key].cluster.clone()),
            tasks: vec![task.to_owned()],
            protection_enabled: Some(minutes.is_some()),
            expires_in_minutes: minutes,
        })
    }

    fn stop_because(&mut self, task: &str, stop: Stop) -> Result<(), ApiError> {
        let key = self.task_key_anywhere(task).ok_or_else(task_not_found)?;
        self.stop(key, stop);
        self.settle();
        Ok(())
    }
}
