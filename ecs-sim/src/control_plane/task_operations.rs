//! ListTasks, DescribeTasks, RunTask and StopTask.

use super::error::ApiError;
use super::eventbridge::CONTAINER_NAME;
use super::lifecycle::{Birth, Owner, Stop};
use super::names;
use super::request::{DescribeTasksRequest, ListTasksRequest, RunTaskRequest, StopTaskRequest};
use super::response::{
    ContainerDescription, DescribedTask, FailureDescription, ListTasksResponse, StopTaskResponse, TasksResponse,
};
use super::service_operations::page_size;
use super::state::ControlPlane;
use super::task::{SimulatedTask, StopCode, TaskStatus};
use super::throttling::Category;
use super::time::Timestamp;

/// Maximum number of tasks in one DescribeTasks call and on one ListTasks page.
const TASKS_MAX: usize = 100;

impl ControlPlane {
    /// Lists the ARNs of tasks in order of creation, a page at a time. A stopped task is listed, under STOPPED, as long
    /// as it is described.
    ///
    /// # Errors
    /// ThrottlingException, ClusterNotFoundException, ServiceNotFoundException, and InvalidParameterException for a bad
    /// status, page size or token, and for other filters with `startedBy`: "it must be the only filter that you use"
    /// (ECS API Reference, "ListTasks"; assumed not to include the status and the launch type, which all tasks have).
    pub fn list_tasks(&mut self, request: ListTasksRequest) -> Result<ListTasksResponse, ApiError> {
        self.buckets.take(Category::ClusterResourceRead, self.now)?;
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        let size = page_size(request.max_results, TASKS_MAX)?;
        let first = first_key(request.next_token.as_deref())?;
        let others = [&request.service_name, &request.family, &request.container_instance, &request.daemon_name];
        if request.started_by.is_some() && others.iter().any(|other| other.is_some()) {
            return Err(ApiError::invalid("startedBy must be the only filter."));
        }
        let are_wanted = request.container_instance.is_none()
            && request.daemon_name.is_none()
            && request.launch_type.is_none_or(|wanted| wanted == "FARGATE");
        let desired = match request.desired_status.as_deref().unwrap_or("RUNNING") {
            "RUNNING" => TaskStatus::Running,
            "STOPPED" => TaskStatus::Stopped,
            "PENDING" => TaskStatus::Pending,
            _ => return Err(ApiError::invalid("desiredStatus is not a task status.")),
        };
        let listed: Box<dyn Iterator<Item = &u64>> = match &request.service_name {
            Some(service) => {
                let key = self.service_key(&cluster, service).ok_or_else(ApiError::service_not_found)?;
                let service = &self.services[&key];
                Box::new(service.tasks.union(&service.stopped_tasks))
            }
            // Starts at the page's first task, not at the cluster's: clusters have thousands of tasks.
            None => Box::new(self.clusters[&cluster].tasks.range(first..)),
        };
        let wanted = |key: &u64| {
            let task = &self.tasks[key];
            let started_by_matches = request.started_by.is_none() || task.deployment == request.started_by;
            let family_matches = request.family.as_deref().is_none_or(|family| task.family() == family);
            are_wanted && *key >= first && task.desired_status == desired && started_by_matches && family_matches
        };
        let mut page: Vec<u64> = listed.copied().filter(wanted).take(size + 1).collect();
        let next_token = page.get(size).map(|next| format!("{next:016x}"));
        page.truncate(size);
        let task_arns = page.iter().map(|key| self.tasks[key].arn.clone()).collect();
        Ok(ListTasksResponse { task_arns, next_token })
    }

    /// Describes up to 100 tasks, including recently stopped ones.
    ///
    /// # Errors
    /// ThrottlingException, ClusterNotFoundException, and InvalidParameterException for none or more than 100.
    pub fn describe_tasks(&mut self, request: DescribeTasksRequest) -> Result<TasksResponse, ApiError> {
        self.buckets.take(Category::ClusterResourceRead, self.now)?;
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        if request.tasks.is_empty() {
            return Err(ApiError::invalid("Tasks cannot be empty."));
        }
        if request.tasks.len() > TASKS_MAX {
            return Err(ApiError::invalid("Tasks can have at most 100 items."));
        }
        let mut response = TasksResponse::default();
        for given in &request.tasks {
            match self.task_key(&cluster, given) {
                Some(key) => response.tasks.push(self.describe_task(&self.tasks[&key])),
                None if given.starts_with("arn:") => {
                    response.failures.push(FailureDescription::missing(given.clone()));
                }
                None => {
                    let (_, id) = names::split(given);
                    response.failures.push(FailureDescription::missing(self.names.task_arn(&cluster, id)));
                }
            }
        }
        Ok(response)
    }

    /// Starts standalone tasks.
    ///
    /// # Errors
    /// ClusterNotFoundException, ClientException for an invalid task definition, and InvalidParameterException for a
    /// count outside 1..=10.
    pub fn run_task(&mut self, request: RunTaskRequest) -> Result<TasksResponse, ApiError> {
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        let count = request.count.unwrap_or(1);
        if !(1..=10).contains(&count) {
            return Err(ApiError::invalid("count must be between 1 and 10."));
        }
        let task_definition = self.family_and_revision(&request.task_definition)?;
        let mut response = TasksResponse::default();
        for _ in 0..count {
            let owner = Owner::Standalone { cluster: cluster.clone(), task_definition: task_definition.clone() };
            let key = self.make_task(owner, Birth::Pending);
            response.tasks.push(self.describe_task(&self.tasks[&key]));
        }
        Ok(response)
    }

    /// StopTask: asks a task to stop, protected or not.
    ///
    /// # Errors
    /// ClusterNotFoundException, and InvalidParameterException for a task that is no longer described.
    pub fn stop_task_by_user(&mut self, request: StopTaskRequest) -> Result<StopTaskResponse, ApiError> {
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        let key = self.task_key(&cluster, &request.task).ok_or_else(task_not_found)?;
        let reason = request.reason.unwrap_or_else(|| "Task stopped by user".to_owned());
        self.stop(key, Stop::new(StopCode::UserInitiated, reason));
        self.settle();
        Ok(StopTaskResponse { task: self.describe_task(&self.tasks[&key]) })
    }

    fn describe_task(&self, task: &SimulatedTask) -> DescribedTask {
        DescribedTask {
            task_arn: task.arn.clone(),
            cluster_arn: self.names.cluster_arn(&task.cluster),
            task_definition_arn: self.names.task_definition_arn(&task.task_definition),
            group: task.group(),
            started_by: task.deployment.clone(),
            last_status: task.last_status,
            desired_status: task.desired_status,
            launch_type: "FARGATE".to_owned(),
            version: task.version,
            containers: vec![ContainerDescription {
                container_arn: self.names.container_arn(&task.cluster, &task.id),
                task_arn: task.arn.clone(),
                name: CONTAINER_NAME.to_owned(),
                last_status: task.last_status,
                exit_code: task.exit_code,
            }],
            created_at: Timestamp(task.created_at),
            started_at: task.started_at.map(Timestamp),
            stopping_at: task.stopping_at.map(Timestamp),
            stopped_at: task.stopped_at.map(Timestamp),
            stop_code: task.stop_code,
            stopped_reason: task.stopped_reason.clone(),
        }
    }
}

pub(super) fn task_not_found() -> ApiError {
    ApiError::invalid("The referenced task was not found.")
}

/// A ListTasks token is the key of the next page's first task. Opaque to callers.
fn first_key(token: Option<&str>) -> Result<u64, ApiError> {
    let Some(token) = token else { return Ok(0) };
    u64::from_str_radix(token, 16).map_err(|_| ApiError::invalid("Invalid token."))
}
