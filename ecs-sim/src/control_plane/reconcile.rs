//! Carries out the scheduler's plan for a service and reports it in service event messages and EventBridge events.

use std::collections::{BTreeMap, BTreeSet};

use super::eventbridge::{DeploymentEvent, ServiceAction};
use super::lifecycle::{Birth, Owner, Stop};
use super::names;
use super::planning::Planning;
use super::scheduler::{self, Bounds, Member, MemberProtection, MemberState, SchedulerPlan};
use super::service::{
    DeploymentRolloutState, Headroom, SERVICE_EVENTS_KEPT, ServiceEventMessage, SimulatedDeployment, SimulatedService,
    SimulatedServiceStatus,
};
use super::state::{ControlPlane, Due};
use super::task::{SimulatedTask, StopCode, TaskStatus};

impl ControlPlane {
    /// Runs the scheduler for every service that changed.
    pub(super) fn settle(&mut self) {
        while let Some(service) = self.touched.pop_first() {
            self.reconcile(service);
        }
    }

    fn reconcile(&mut self, key: u64) {
        self.update_rebalancing(key);
        self.update_shift(key);
        self.update_rolling_stages(key);
        let service = &self.services[&key];
        let plan = self.plan(service);
        let held = held_task_sets(service, &plan.held);
        let room = self.room(service, &plan);
        for (age, count) in plan.start {
            self.start_tasks(key, age, count);
        }
        let stop_now = self.stoppable_long_enough(key, &plan.stop);
        match self.services[&key].rebalance {
            Some(_) => self.stop_to_rebalance(key, &stop_now),
            None => self.stop_tasks(key, &stop_now),
        }
        self.update_hold(key, &held);
        self.update_room(key, room);
        self.remove_drained_deployments(key);
        self.update_early_success(key);
        self.update_steadiness(key);
        self.update_deletion(key);
    }

    fn plan(&self, service: &SimulatedService) -> SchedulerPlan {
        let extra = usize::from(service.rebalance.is_some());
        let members = self.members(service);
        let mut plan = match service.planning() {
            // AWS's API reference, "Deployment": a FAILED one launches no new tasks; that nothing is stopped is
            // assumed.
            Planning::AsItIs => SchedulerPlan::default(),
            Planning::Rolling => {
                let bounds = Bounds {
                    desired: service.desired_count as usize + extra,
                    lower: service.lower_bound() as usize,
                    upper: service.upper_bound() as usize,
                };
                let mut plan = scheduler::plan(bounds, &members);
                if service.primary().rollout_state == DeploymentRolloutState::InProgress {
                    scheduler::keep_available(&mut plan, bounds, &members);
                }
                plan
            }
            Planning::Sets => {
                let mut wanted: Vec<usize> = (0..service.deployments.len()).map(|at| service.wanted(at)).collect();
                wanted[0] += extra;
                scheduler::plan_sets(&wanted, &members)
            }
        };
        self.plan_rebalancing(service, &mut plan);
        plan
    }

    /// None if a rolling deployment can neither start nor stop a task, with or without protection.
    fn room(&self, service: &SimulatedService, plan: &SchedulerPlan) -> Headroom {
        let members = self.members(service);
        let is_stuck = service.planning() == Planning::Rolling
            && service.deployments.len() > 1
            && members.iter().all(|member| member.state == MemberState::Running)
            && members.iter().filter(|member| member.age == 0).count() < service.desired_count as usize
            && *plan == SchedulerPlan::default();
        if is_stuck { Headroom::None } else { Headroom::Some }
    }

    fn members(&self, service: &SimulatedService) -> Vec<Member> {
        service.tasks.iter().map(|key| member(service, *key, &self.tasks[key])).collect()
    }

    fn start_tasks(&mut self, key: u64, age: usize, count: usize) {
        let started: Vec<u64> = (0..count).map(|_| self.make_task(Owner::Service(key, age), Birth::Pending)).collect();
        let list = self.task_list(&started);
        self.say(key, format!("has started {count} tasks: {list}."));
        self.emit_service_action(key, ServiceAction::TasksStarted);
    }

    /// The tasks of `chosen` that have been chosen for as long as [`super::StopDelay`] says; the scheduler runs again
    /// for the others. A task that is no longer chosen starts over.
    fn stoppable_long_enough(&mut self, key: u64, chosen: &[u64]) -> Vec<u64> {
        let (now, delay) = (self.now, self.variants.stop.millis());
        if delay == 0 {
            return chosen.to_vec();
        }
        let wanted: BTreeSet<u64> = chosen.iter().copied().collect();
        for task in self.services[&key].tasks.clone() {
            let since = &mut self.task_mut(task).stoppable_since;
            *since = wanted.contains(&task).then(|| since.unwrap_or(now));
        }
        let mut due_now = Vec::new();
        for task in chosen {
            let due = self.tasks[task].stoppable_since.unwrap_or(now) + delay;
            if due <= now {
                due_now.push(*task);
            } else {
                self.due.insert((due, Due::SchedulerRunsAgain(key)));
            }
        }
        due_now
    }

    /// aws-facts: "EventBridge": the captured reason of an ordinary scale-in. Assumed: it names the task's own
    /// deployment, as `startedBy` does.
    fn stop_tasks(&mut self, key: u64, tasks: &[u64]) {
        if tasks.is_empty() {
            return;
        }
        for task in tasks {
            let deployment = self.tasks[task].deployment.clone().unwrap_or_default();
            let reason = format!("Scaling activity initiated by (deployment {deployment})");
            self.stop(*task, Stop::new(StopCode::ServiceSchedulerInitiated, reason));
        }
        let list = self.task_list(tasks);
        self.say(key, format!("has stopped {} running tasks: {list}.", tasks.len()));
        self.emit_service_action(key, ServiceAction::TasksStopped);
    }

    pub(super) fn task_list(&self, tasks: &[u64]) -> String {
        let listed: Vec<String> = tasks.iter().map(|task| format!("(task {})", self.tasks[task].id)).collect();
        listed.join(" ")
    }

    /// aws-facts: "ECS: deployments and protection": an old deployment is ACTIVE until all of its tasks have stopped.
    fn remove_drained_deployments(&mut self, key: u64) {
        let service = &self.services[&key];
        if service.deployments.len() == 1 {
            return;
        }
        let is_wanted = |at: usize| {
            // A task set exists until it is deleted; blue until its clean-up.
            let stays = service.has_task_sets() && !service.deployments[at].is_draining;
            stays || service.wanted(at) > 0
        };
        let alive: BTreeSet<&str> =
            service.tasks.iter().filter_map(|task| self.tasks[task].deployment.as_deref()).collect();
        let kept = |(at, deployment): &(usize, &SimulatedDeployment)| {
            *at == 0 || is_wanted(*at) || alive.contains(deployment.id.as_str())
        };
        let kept = service.deployments.iter().enumerate().filter(kept);
        let deployments: Vec<SimulatedDeployment> = kept.map(|(_, deployment)| deployment.clone()).collect();
        self.service_mut(key).deployments = deployments;
    }

    /// Records whether the service is steady, and reports when it becomes so. A deployment completes at that moment.
    fn update_steadiness(&mut self, key: u64) {
        let service = &self.services[&key];
        let all_run = service.tasks.iter().all(|task| {
            let task = &self.tasks[task];
            task.is_live() && task.last_status == TaskStatus::Running
        });
        let steady = all_run
            && service.status == SimulatedServiceStatus::Active
            && service.deployments.len() == 1
            && !service.is_paused()
            && service.tasks.len() == service.wanted(0);
        let was_steady = std::mem::replace(&mut self.service_mut(key).steady, steady);
        if !steady || was_steady {
            return;
        }
        if self.services[&key].primary().rollout_state == DeploymentRolloutState::InProgress {
            self.deployment_completes(key);
        }
        self.say(key, "has reached a steady state.");
        self.emit_service_action(key, ServiceAction::ServiceSteadyState);
    }

    pub(super) fn deployment_completes(&mut self, key: u64) {
        let now = self.now;
        let primary = &mut self.service_mut(key).deployments[0];
        let id = primary.id.clone();
        primary.rollout_state = DeploymentRolloutState::Completed;
        primary.updated_at = now;
        self.service_deployment_completes(key);
        self.say(key, format!("(deployment {id}) deployment completed."));
        self.emit_deployment_state_change(key, DeploymentEvent::Completed);
    }

    /// A routine message, in the documented form `(service NAME) …`.
    ///
    /// aws-facts: "ECS: service event messages".
    pub(super) fn say(&mut self, key: u64, what: impl AsRef<str>) {
        let message = format!("(service {}) {}", self.services[&key].name, what.as_ref());
        self.say_message(key, message);
    }

    pub(super) fn say_message(&mut self, key: u64, message: String) {
        let id = names::uuid(self.next_identifier());
        let event = ServiceEventMessage { id, created_at: self.now, message };
        let events = &mut self.service_mut(key).events;
        events.push_front(event);
        events.truncate(SERVICE_EVENTS_KEPT);
    }
}

fn member(service: &SimulatedService, key: u64, task: &SimulatedTask) -> Member {
    let is_own = |deployment: &SimulatedDeployment| Some(deployment.id.as_str()) == task.deployment.as_deref();
    let age = service.deployments.iter().position(is_own);
    let state = match (task.desired_status, task.last_status) {
        (TaskStatus::Running, TaskStatus::Running) => MemberState::Running,
        (TaskStatus::Running, _) => MemberState::Pending,
        _ => MemberState::Stopping,
    };
    Member {
        task: key,
        age: age.expect("a deployment is removed after its last task"),
        state,
        protection: if task.is_protected() { MemberProtection::Protected } else { MemberProtection::Unprotected },
    }
}

fn held_task_sets(service: &SimulatedService, held: &BTreeMap<usize, usize>) -> BTreeMap<String, usize> {
    held.iter().map(|(age, count)| (service.deployments[*age].id.clone(), *count)).collect()
}
