//! The life of a task: creation, start, stop, removal, and the expiry of its protection.

use super::names;
use super::state::{ControlPlane, Due};
use super::task::{START_DELAY_MS, STOP_DELAY_MS, STOPPED_TASK_REMEMBERED_MS, SimulatedTask, StopCode, TaskStatus};
use super::time::Millis;

/// The owner of a new task.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    /// A service, by key, and the index of the deployment or task set within it.
    Service(u64, usize),
    /// None: a standalone task in this cluster, of this family and revision.
    Standalone { cluster: String, task_definition: String },
}

/// The state in which a task is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Birth {
    /// PENDING; it will run after [`START_DELAY_MS`].
    Pending,
    /// RUNNING already, without an event: the start of a scenario.
    Running,
}

/// Why and how soon a task stops.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) code: StopCode,
    pub(super) reason: String,
    pub(super) after: Millis,
}

impl Stop {
    pub(super) fn new(code: StopCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), after: STOP_DELAY_MS }
    }
}

impl ControlPlane {
    /// Creates a task and returns its key.
    pub(super) fn make_task(&mut self, owner: Owner, birth: Birth) -> u64 {
        let key = self.tasks_made;
        self.tasks_made += 1;
        let task = self.new_task(names::task_id(key), owner, birth);
        self.task_keys.insert(task.id.clone(), key);
        let cluster = self.clusters.get_mut(&task.cluster).expect("the owner was found in its cluster");
        cluster.tasks.insert(key);
        if let Some(service) = task.service_key {
            self.service_mut(service).tasks.insert(key);
        }
        self.tasks.insert(key, task);
        if birth == Birth::Pending {
            self.due.insert((self.now + START_DELAY_MS, Due::TaskRuns(key)));
            self.emit_task_state_change(key);
        }
        key
    }

    fn new_task(&self, id: String, owner: Owner, birth: Birth) -> SimulatedTask {
        let (cluster, service_key, task_definition, deployment) = match owner {
            Owner::Standalone { cluster, task_definition } => (cluster, None, task_definition, None),
            Owner::Service(key, at) => {
                let service = &self.services[&key];
                let deployment = &service.deployments[at];
                let (id, task_definition) = (deployment.id.clone(), deployment.task_definition.clone());
                (service.cluster.clone(), Some(key), task_definition, Some(id))
            }
        };
        let service = service_key.map(|key| &self.services[&key]);
        let (last_status, started_at) = match birth {
            Birth::Pending => (TaskStatus::Pending, None),
            Birth::Running => (TaskStatus::Running, Some(self.now)),
        };
        SimulatedTask {
            arn: self.names.task_arn(&cluster, &id),
            id,
            cluster,
            service: service.map(|service| service.name.clone()),
            deployment,
            task_definition,
            desired_status: TaskStatus::Running,
            last_status,
            protected_until: None,
            version: 1,
            created_at: self.now,
            started_at,
            stopping_at: None,
            stopped_at: None,
            stop_code: None,
            stopped_reason: None,
            exit_code: None,
            stoppable_since: None,
            service_key,
        }
    }

    pub(super) fn task_runs(&mut self, key: u64) {
        if self.is_doomed(key) {
            return self.task_fails_to_start(key);
        }
        let now = self.now;
        let task = self.task_mut(key);
        task.last_status = TaskStatus::Running;
        task.started_at = Some(now);
        self.status_changed(key);
    }

    /// Asks a task to stop. A task that is already stopping continues as before.
    ///
    /// aws-facts: "EventBridge": a stop shows first as desiredStatus STOPPED with lastStatus RUNNING, later as
    /// lastStatus STOPPED. Protection does not matter here: it does not prevent a StopTask, a crash or a lost host, and
    /// the scheduler chooses no protected task.
    pub(super) fn stop(&mut self, key: u64, stop: Stop) {
        if !self.tasks[&key].is_live() {
            return;
        }
        let now = self.now;
        self.set_protection(key, None);
        let task = self.task_mut(key);
        task.desired_status = TaskStatus::Stopped;
        task.stopping_at = Some(now);
        task.stop_code = Some(stop.code);
        task.stopped_reason = Some(stop.reason);
        let would_run_at = task.created_at + START_DELAY_MS;
        self.due.remove(&(would_run_at, Due::TaskRuns(key)));
        self.due.insert((now + stop.after, Due::TaskStops(key)));
        if stop.code == StopCode::InfrastructureHealth {
            // Five events of one stop: this one, three on the way, and the last.
            let steps = (1..=3).map(|step| (now + stop.after * step / 4, Due::TaskStopsFurther(key)));
            self.due.extend(steps);
        }
        self.status_changed(key);
    }

    /// A task reaches the next state on its way to STOPPED, which ECS reports.
    pub(super) fn task_stops_further(&mut self, key: u64) {
        let task = self.task_mut(key);
        task.last_status = task.last_status.next_of_stop();
        self.status_changed(key);
    }

    pub(super) fn task_has_stopped(&mut self, key: u64) {
        let now = self.now;
        let task = self.task_mut(key);
        task.last_status = TaskStatus::Stopped;
        task.stopped_at = Some(now);
        task.exit_code = task.exit_code_on_stop();
        if let Some(service) = task.service_key {
            let service = self.service_mut(service);
            service.tasks.remove(&key);
            service.stopped_tasks.insert(key);
        }
        self.due.insert((now + STOPPED_TASK_REMEMBERED_MS, Due::StoppedTaskIsForgotten(key)));
        self.status_changed(key);
    }

    pub(super) fn forget(&mut self, key: u64) {
        let task = self.tasks.remove(&key).expect("a task is forgotten once");
        self.task_keys.remove(&task.id);
        if let Some(cluster) = self.clusters.get_mut(&task.cluster) {
            cluster.tasks.remove(&key);
        }
        if let Some(service) = task.service_key {
            self.service_mut(service).stopped_tasks.remove(&key);
        }
    }

    /// Sets until when a task is protected, and schedules the expiry.
    pub(super) fn set_protection(&mut self, key: u64, until: Option<Millis>) {
        let before = std::mem::replace(&mut self.task_mut(key).protected_until, until);
        if let Some(before) = before {
            self.due.remove(&(before, Due::ProtectionExpires(key)));
        }
        if let Some(until) = until {
            self.due.insert((until, Due::ProtectionExpires(key)));
        }
    }

    /// Makes the scheduler reconcile the task's service, unless the service is steady: then protection cannot block
    /// anything, however often it is renewed.
    pub(super) fn protection_changed(&mut self, key: u64) {
        if let Some(service) = self.tasks[&key].service_key
            && !self.services[&service].steady
        {
            self.touched.insert(service);
        }
    }

    fn status_changed(&mut self, key: u64) {
        let task = self.task_mut(key);
        task.version += 1;
        if let Some(service) = task.service_key {
            self.touched.insert(service);
        }
        self.emit_task_state_change(key);
    }
}
