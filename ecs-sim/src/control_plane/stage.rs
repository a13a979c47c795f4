//! What a scenario needs and ECS's API does not give: a service that runs already, a task that crashes, calls without
//! throttling.

use super::deletion::DeleteServiceRequest;
use super::lifecycle::{Birth, Owner, Stop};
use super::request::{CreateClusterRequest, UpdateServiceRequest, UpdateTaskProtectionRequest};
use super::response::TaskProtectionResponse;
use super::service::{RolloutState, ServiceSpec};
use super::task::{SPOT_NOTICE_MS, StopCode};
use super::task_operations::task_not_found;
use super::{ApiError, ControlPlane};

impl ControlPlane {
    /// A cluster of this name exists from now on, if it did not before.
    pub fn create_cluster(&mut self, name: &str) {
        let request = CreateClusterRequest { cluster_name: Some(name.to_owned()), ..Default::default() };
        self.make_cluster(request).expect("creating a cluster has no error");
    }

    /// A service whose tasks run already and whose deployment is complete, so that a scenario begins in steady state. No
    /// EventBridge event tells of it. Answers the ids of its tasks.
    ///
    /// # Errors
    /// ClusterNotFoundException, and InvalidParameterException for percentages out of range or a name that is taken.
    pub fn create_service(&mut self, spec: ServiceSpec) -> Result<Vec<String>, ApiError> {
        let key = self.new_service(spec)?;
        let count = self.services[&key].desired_count;
        let tasks: Vec<u64> = (0..count).map(|_| self.make_task(Owner::Service(key, 0), Birth::Running)).collect();
        let service = self.service_mut(key);
        service.steady = true;
        service.deployments[0].rollout_state = RolloutState::Completed;
        self.say(key, "has reached a steady state.");
        Ok(tasks.iter().map(|task| self.tasks[task].id.clone()).collect())
    }

    /// A task of no service, RUNNING at once. Answers its id.
    ///
    /// # Errors
    /// ClusterNotFoundException.
    pub fn run_standalone_task(&mut self, cluster: &str) -> Result<String, ApiError> {
        let cluster = self.resolve_cluster(Some(cluster))?;
        let owner = Owner::Standalone { cluster, task_definition: "standalone:1".to_owned() };
        let key = self.make_task(owner, Birth::Running);
        Ok(self.tasks[&key].id.clone())
    }

    /// Somebody stops the task, by id or ARN: UserInitiated. Protection does not keep it.
    ///
    /// # Errors
    /// InvalidParameterException for a task that is not remembered.
    pub fn stop_task(&mut self, task: &str) -> Result<(), ApiError> {
        self.stop_because(task, Stop::new(StopCode::UserInitiated, "Task stopped by user"))
    }

    /// The task's container ends by itself, with exit code 1: EssentialContainerExited. Protection does not keep it.
    ///
    /// # Errors
    /// InvalidParameterException for a task that is not remembered.
    pub fn crash_task(&mut self, task: &str) -> Result<(), ApiError> {
        let reason = "Essential container in task exited";
        self.stop_because(task, Stop::new(StopCode::EssentialContainerExited, reason))
    }

    /// The Spot capacity under the task is taken back, with two minutes' notice. Protection does not keep it.
    ///
    /// # Errors
    /// InvalidParameterException for a task that is not remembered.
    pub fn interrupt_task(&mut self, task: &str) -> Result<(), ApiError> {
        let reason = "Your Spot Task was interrupted.";
        let stop = Stop { after: SPOT_NOTICE_MS, ..Stop::new(StopCode::SpotInterruption, reason) };
        self.stop_because(task, stop)
    }

    /// UpdateService with `forceNewDeployment`; with task sets, everything that CodeDeploy or an external controller does,
    /// in its time. Answers the id of the new deployment or task set.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, ServiceNotActiveException, and InvalidParameterException for a
    /// sixth deployment, or a second one at a time with task sets.
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

    /// DeleteService with `force`.
    ///
    /// # Errors
    /// ClusterNotFoundException and ServiceNotFoundException.
    pub fn remove_service(&mut self, cluster: &str, service: &str) -> Result<(), ApiError> {
        let request =
            DeleteServiceRequest { cluster: Some(cluster.to_owned()), service: service.to_owned(), force: Some(true) };
        self.delete_service(request).map(drop)
    }

    /// The task sets its own protection, or clears it, as through the agent's endpoint: `minutes` or nothing.
    ///
    /// # Errors
    /// Those of UpdateTaskProtection, and InvalidParameterException for a task that is not remembered. A refusal is in the
    /// answer.
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
