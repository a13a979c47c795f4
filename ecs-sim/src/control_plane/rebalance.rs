//! Availability Zone rebalancing: ECS starts one task where there are too few, then stops one where there are too many.
//!
//! Sources: AWS's pages "Track Amazon ECS Availability Zone rebalancing" (events) and "Amazon ECS Availability Zone
//! service rebalancing service event messages" (texts). Tasks have no zone here; see the list of assumptions in the
//! crate's documentation.

use super::error::ApiError;
use super::eventbridge::ServiceAction;
use super::lifecycle::{Birth, Owner, Stop};
use super::scheduler::SchedulerPlan;
use super::service::{Rebalance, SimulatedService, SimulatedServiceStatus};
use super::state::ControlPlane;
use super::task::{SimulatedTask, StopCode, TaskStatus};

/// The number of tasks in each of three zones.
type Spread = [usize; 3];

impl ControlPlane {
    /// ECS begins to move one task of a service to another Availability Zone.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, and InvalidParameterException for a service that ECS would
    /// not rebalance: one with task sets, not steady, with fewer than two tasks, or without room for another.
    pub fn rebalance(&mut self, cluster: &str, service: &str) -> Result<(), ApiError> {
        let key = self.named_service(Some(cluster), service)?;
        let service = &self.services[&key];
        let count = service.tasks.len();
        let has_room = service.upper_bound() as usize > count;
        if service.has_task_sets() || !service.steady || count < 2 || !has_room {
            return Err(ApiError::invalid(
                "ECS rebalances only a steady service with at least two tasks and room for one more",
            ));
        }
        let (uneven, to) = uneven(count);
        let crowded = service.tasks.iter().copied().take(uneven[0]).collect();
        let (deployment, desired_count) = (service.primary().id.clone(), service.desired_count);
        let [a, b, c] = uneven;
        let zones = [0, 1, 2].map(|zone| self.zone(zone));
        self.say_documented(
            key,
            format!(
                "is not AZ balanced with {a} tasks in {}, {b} in {}, and {c} in {}. AZ Rebalancing in progress.",
                zones[0], zones[1], zones[2]
            ),
        );
        self.emit_service_action(key, ServiceAction::ServiceRebalancingStarted);
        let extra = self.make_task(Owner::Service(key, 0), Birth::Pending);
        let list = self.task_list(&[extra]);
        self.say(key, format!("has started 1 tasks in {} to AZ Rebalance: {list}.", zones[to]));
        self.emit_service_action(key, ServiceAction::TasksStarted);
        let service = self.service_mut(key);
        service.steady = false;
        service.rebalance = Some(Rebalance { deployment, desired_count, extra, crowded });
        self.touched.insert(key);
        self.settle();
        Ok(())
    }

    /// Ends a rebalancing that another change has superseded, or that has nothing left to do.
    pub(super) fn update_rebalancing(&mut self, key: u64) {
        let service = &self.services[&key];
        let Some(rebalance) = &service.rebalance else { return };
        let is_live = |task: &u64| self.tasks.get(task).is_some_and(SimulatedTask::is_live);
        let goes_on = service.status == SimulatedServiceStatus::Active
            && service.deployments.len() == 1
            && service.primary().id == rebalance.deployment
            && service.desired_count == rebalance.desired_count
            && is_live(&rebalance.extra);
        if !goes_on {
            self.service_mut(key).rebalance = None;
            self.say_documented(key, "stopped AZ Rebalancing.");
            self.emit_service_action(key, ServiceAction::ServiceRebalancingStopped);
        } else if !rebalance.crowded.iter().any(is_live) {
            self.complete_rebalancing(key);
        }
    }

    /// Plans which task to stop once the new one runs: the newest task of the crowded zone that is not protected.
    pub(super) fn plan_rebalancing(&self, service: &SimulatedService, plan: &mut SchedulerPlan) {
        let Some(rebalance) = &service.rebalance else { return };
        plan.stop.clear();
        if self.tasks[&rebalance.extra].last_status != TaskStatus::Running {
            return;
        }
        let live =
            rebalance.crowded.iter().rev().filter(|task| self.tasks.get(task).is_some_and(SimulatedTask::is_live));
        let live: Vec<u64> = live.copied().collect();
        match live.iter().find(|task| !self.tasks[task].is_protected()) {
            Some(task) => plan.stop.push(*task),
            None => drop(plan.held.insert(0, live.len())),
        }
    }

    /// AWS's page "Track Amazon ECS Availability Zone rebalancing": the stopped reason.
    pub(super) fn stop_to_rebalance(&mut self, key: u64, tasks: &[u64]) {
        for task in tasks {
            let deployment = self.tasks[task].deployment.clone().unwrap_or_default();
            let reason = format!("Availability-zone rebalancing initiated by (deployment {deployment})");
            self.stop(*task, Stop::new(StopCode::ServiceSchedulerInitiated, reason));
            let list = self.task_list(&[*task]);
            let zone = self.zone(0);
            self.say(key, format!("has stopped 1 running tasks in {zone} due to AZ rebalancing: {list}."));
            self.emit_service_action(key, ServiceAction::TasksStopped);
            self.complete_rebalancing(key);
        }
    }

    fn complete_rebalancing(&mut self, key: u64) {
        let service = self.service_mut(key);
        service.rebalance = None;
        let [a, b, c] = even(service.desired_count as usize);
        let zones = [0, 1, 2].map(|zone| self.zone(zone));
        self.say_documented(
            key,
            format!(
                "is AZ balanced with {a} tasks in {}, {b} tasks in {}, and {c} tasks in {}.",
                zones[0], zones[1], zones[2]
            ),
        );
        self.emit_service_action(key, ServiceAction::ServiceRebalancingCompleted);
    }

    fn zone(&self, at: usize) -> String {
        format!("{}{}", self.names.region, ["a", "b", "c"][at])
    }

    /// A message in the form that AWS documents for rebalancing: `service (NAME) …`.
    fn say_documented(&mut self, key: u64, what: impl AsRef<str>) {
        let message = format!("service ({}) {}", self.services[&key].name, what.as_ref());
        self.say_message(key, message);
    }
}

fn even(count: usize) -> Spread {
    [0, 1, 2].map(|zone| count / 3 + usize::from(count % 3 > zone))
}

/// One task too many in the first zone, and one too few in the returned zone. `count` is 2 or more.
fn uneven(count: usize) -> (Spread, usize) {
    let mut spread = even(count);
    let to = if count == 2 { 1 } else { 2 };
    spread[0] += 1;
    spread[to] -= 1;
    (spread, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uneven_spread_is_one_task_away_from_an_even_one() {
        for count in 2..50 {
            let (spread, to) = uneven(count);
            assert_eq!(spread.iter().sum::<usize>(), count);
            assert!(spread[0] >= spread[to] + 2, "{spread:?} needs no rebalancing");
        }
    }
}
