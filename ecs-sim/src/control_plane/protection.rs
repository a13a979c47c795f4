//! UpdateTaskProtection and GetTaskProtection.
//!
//! aws-facts: "ECS: the protection API".

use super::error::ApiError;
use super::names;
use super::request::{GetTaskProtectionRequest, UpdateTaskProtectionRequest};
use super::response::{FailureDescription, ProtectedTaskDescription, TaskProtectionResponse};
use super::state::ControlPlane;
use super::task::{SimulatedTask, TaskStatus};
use super::throttling::Category;
use super::time::Millis;
use super::time::Timestamp;
use super::variants::{ArnForm, ProtectionWhilePaused, RefusalRule, Renewal};

/// aws-facts: "ECS: the protection API".
const UPDATE_TASK_PROTECTION_TASKS_MAX: usize = 10;
/// aws-facts: "ECS: the protection API".
const GET_TASK_PROTECTION_TASKS_MAX: usize = 100;

const MINUTE_MS: Millis = 60_000;
const EXPIRES_IN_MINUTES_DEFAULT: i64 = 120;
const EXPIRES_IN_MINUTES_MAX: i64 = 2880;

/// What a call requests for each of its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Protect { until: Millis },
    Release,
}

/// Why ECS left a task unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProtectionFailureReason {
    /// No such task, or already gone.
    Missing,
    /// A standalone task.
    TaskNotValid,
    /// Protected tasks keep the service from reaching steady state.
    DeploymentBlocked,
}

impl ProtectionFailureReason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::TaskNotValid => "TASK_NOT_VALID",
            Self::DeploymentBlocked => "DEPLOYMENT_BLOCKED",
        }
    }
}

/// How many tasks of a service stay and how many are being removed, without those that are stopping.
#[derive(Clone, Copy, Debug, Default)]
struct RefusalCounts {
    desired: usize,
    /// The desired number of tasks of the deployments or task sets that stay.
    wanted: usize,
    staying: usize,
    staying_protected: usize,
    leaving: usize,
    old_protected: usize,
}

impl ControlPlane {
    /// Protects up to ten tasks of one cluster from scale-in, or clears their protection. Every call replaces the
    /// expiry, even by an earlier one. A refused task is in `failures` of the answer.
    ///
    /// # Errors
    /// ThrottlingException, ClusterNotFoundException, and InvalidParameterException for no task or more than ten, for a
    /// missing `protectionEnabled` and for an expiry outside 1..=2880 minutes.
    pub fn update_task_protection(
        &mut self,
        request: UpdateTaskProtectionRequest,
    ) -> Result<TaskProtectionResponse, ApiError> {
        self.buckets.take(Category::TaskProtection, self.now)?;
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        if request.tasks.is_empty() {
            return Err(ApiError::invalid("Tasks cannot be empty."));
        }
        if request.tasks.len() > UPDATE_TASK_PROTECTION_TASKS_MAX {
            return Err(ApiError::invalid("Tasks can have at most 10 items."));
        }
        let ask = self.ask(&request)?;
        let mut response = TaskProtectionResponse::default();
        for given in &request.tasks {
            match self.update_one(&cluster, given, ask) {
                Ok(task) => response.protected_tasks.push(task),
                Err(reason) => response.failures.push(self.protection_failure(&cluster, given, reason)),
            }
        }
        self.settle();
        Ok(response)
    }

    /// Returns the protection of up to 100 tasks. Without `tasks` it returns the first 100 tasks of services in the
    /// cluster that are not stopped; ECS's model lets the list be absent and does not say what that means.
    ///
    /// # Errors
    /// ThrottlingException, ClusterNotFoundException, and InvalidParameterException for more than 100 tasks.
    pub fn get_task_protection(
        &mut self,
        request: GetTaskProtectionRequest,
    ) -> Result<TaskProtectionResponse, ApiError> {
        self.buckets.take(Category::TaskProtection, self.now)?;
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        if request.tasks.len() > GET_TASK_PROTECTION_TASKS_MAX {
            return Err(ApiError::invalid("Tasks can have at most 100 items."));
        }
        let mut response = TaskProtectionResponse::default();
        if request.tasks.is_empty() {
            let tasks = self.clusters[&cluster].tasks.iter().map(|key| &self.tasks[key]);
            let of_services = tasks.filter(|task| task.is_live() && task.service_key.is_some());
            let first = of_services.take(GET_TASK_PROTECTION_TASKS_MAX);
            response.protected_tasks = first.map(|task| self.protected_task(task)).collect();
        }
        for given in &request.tasks {
            match self.protectable(&cluster, given) {
                Ok(key) => response.protected_tasks.push(self.protected_task(&self.tasks[&key])),
                Err(reason) => response.failures.push(self.protection_failure(&cluster, given, reason)),
            }
        }
        Ok(response)
    }

    fn ask(&self, request: &UpdateTaskProtectionRequest) -> Result<Ask, ApiError> {
        match request.protection_enabled {
            None => Err(ApiError::invalid("protectionEnabled is required.")),
            Some(false) => Ok(Ask::Release),
            Some(true) => {
                let minutes = request.expires_in_minutes.unwrap_or(EXPIRES_IN_MINUTES_DEFAULT);
                if !(1..=EXPIRES_IN_MINUTES_MAX).contains(&minutes) {
                    return Err(ApiError::invalid("expiresInMinutes must be between 1 and 2880."));
                }
                Ok(Ask::Protect { until: self.now + minutes * MINUTE_MS })
            }
        }
    }

    /// The named task, if it can be protected and is not STOPPED.
    fn protectable(&self, cluster: &str, given: &str) -> Result<u64, ProtectionFailureReason> {
        let key = self.task_key(cluster, given).ok_or(ProtectionFailureReason::Missing)?;
        let task = &self.tasks[&key];
        if task.last_status == TaskStatus::Stopped {
            return Err(ProtectionFailureReason::Missing);
        }
        if task.service_key.is_none() {
            return Err(ProtectionFailureReason::TaskNotValid);
        }
        Ok(key)
    }

    fn update_one(
        &mut self,
        cluster: &str,
        given: &str,
        ask: Ask,
    ) -> Result<ProtectedTaskDescription, ProtectionFailureReason> {
        let key = self.protectable(cluster, given)?;
        let task = &self.tasks[&key];
        if !task.is_live() {
            // It was asked to stop; protection would have no effect.
            return Err(ProtectionFailureReason::Missing);
        }
        let until = match ask {
            Ask::Release => None,
            Ask::Protect { .. } if self.refuses(task) => {
                return Err(ProtectionFailureReason::DeploymentBlocked);
            }
            Ask::Protect { until } => Some(until),
        };
        self.set_protection(key, until);
        self.protection_changed(key);
        Ok(self.protected_task(&self.tasks[&key]))
    }

    /// Whether ECS refuses one more protection.
    ///
    /// aws-facts: "Open questions": both when ECS refuses and whether it refuses a renewal are variants. A refusal
    /// keeps the task's present protection, and clearing protection is never refused.
    fn refuses(&self, task: &SimulatedTask) -> bool {
        if task.is_protected() && self.variants.renewal == Renewal::Granted {
            return false;
        }
        let is_paused = task.service_key.is_some_and(|key| self.services[&key].is_paused());
        if is_paused && self.variants.paused == ProtectionWhilePaused::Granted {
            return false;
        }
        let counts = self.task_counts(task);
        let scale_in = counts.staying > counts.wanted;
        match self.variants.refusal {
            RefusalRule::Outnumbered => {
                let protected = counts.staying_protected + counts.old_protected;
                let with_this = protected + usize::from(!task.is_protected());
                (counts.leaving > 0 || scale_in) && with_this > counts.desired
            }
            RefusalRule::Blocked => counts.old_protected > 0 || (scale_in && counts.staying_protected > 0),
        }
    }

    fn task_counts(&self, task: &SimulatedTask) -> RefusalCounts {
        let Some(service) = task.service_key.map(|key| &self.services[&key]) else {
            return RefusalCounts::default();
        };
        let stays = |at: &usize| !service.is_old(&service.deployments[*at].id);
        let mut counts = RefusalCounts {
            desired: service.desired_count as usize,
            wanted: (0..service.deployments.len()).filter(stays).map(|at| service.wanted(at)).sum(),
            ..RefusalCounts::default()
        };
        for task in service.tasks.iter().map(|key| &self.tasks[key]).filter(|task| task.is_live()) {
            let protected = usize::from(task.is_protected());
            if task.deployment.as_deref().is_some_and(|id| service.is_old(id)) {
                counts.leaving += 1;
                counts.old_protected += protected;
            } else {
                counts.staying += 1;
                counts.staying_protected += protected;
            }
        }
        counts
    }

    fn protected_task(&self, task: &SimulatedTask) -> ProtectedTaskDescription {
        ProtectedTaskDescription {
            task_arn: self.answered_arn(&task.cluster, &task.id),
            protection_enabled: task.is_protected(),
            expiration_date: task.protected_until.map(Timestamp),
        }
    }

    /// A foreign ARN is returned as given, so that the caller can match it to the request.
    fn protection_failure(&self, cluster: &str, given: &str, reason: ProtectionFailureReason) -> FailureDescription {
        let own = self.names.own("task", given).map(names::split);
        let arn = match own {
            Some((named, id)) => self.answered_arn(named.unwrap_or(cluster), id),
            None => given.to_owned(),
        };
        FailureDescription { arn, reason: reason.as_str().to_owned() }
    }

    fn answered_arn(&self, cluster: &str, id: &str) -> String {
        match self.variants.arns {
            ArnForm::Long => self.names.task_arn(cluster, id),
            ArnForm::Short => self.names.short_task_arn(id),
        }
    }
}
