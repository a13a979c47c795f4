//! What people and ECS do to services and tasks while taskhold runs.

use super::model::Content;
use super::rules::Focus;
use super::stage::{TAGS, ceiling};
use super::workers::short;
use super::world::World;
use crate::control_plane::{
    ACTIVE_DEPLOYMENTS_MAX, ApiError, CircuitBreaker, ControlPlane, ErrorCode, SimulatedServiceStatus,
};
use crate::region::{CLUSTER, JOB_QUEUE};
use serde_json::json;
use taskhold::service::remediation::MAX_DESIRED_COUNT_TAG;
use taskhold::service::snapshot::managed::MANAGED_TAG;

#[derive(Clone, Copy)]
enum Deed {
    Deploy,
    Scale,
    FailDeployment,
    Crash,
    Stop,
    Interrupt,
    Protect,
    Release,
    Tag,
    Rebalance,
    Autoscale,
    ClaimStop,
    Delete,
}

const DEEDS: [(Deed, u32); 13] = [
    (Deed::Deploy, 12),
    (Deed::Scale, 9),
    (Deed::FailDeployment, 2),
    (Deed::Crash, 3),
    (Deed::Stop, 2),
    (Deed::Interrupt, 2),
    (Deed::Protect, 3),
    (Deed::Release, 1),
    (Deed::Tag, 2),
    (Deed::Rebalance, 1),
    (Deed::Autoscale, 1),
    (Deed::ClaimStop, 1),
    (Deed::Delete, 1),
];

/// With the focus on protection: a deployment now and then, so that ECS refuses protection for a while, and tasks that
/// stop or are said to.
const DEEDS_ON_TASKS: [(Deed, u32); 4] = [(Deed::Deploy, 1), (Deed::Crash, 2), (Deed::Stop, 2), (Deed::ClaimStop, 4)];

/// The tasks of a service's deployment do not start. The fifth of five deployments is exempt: a failed deployment is
/// assumed to stay as it is (`control_plane/planning.rs`), so that no deployment could repair it.
fn fail(ecs: &mut ControlPlane, name: &str) -> Result<(), ApiError> {
    let deployments = ecs.service(CLUSTER, name).map_or(0, |service| service.deployments.len());
    if deployments >= ACTIVE_DEPLOYMENTS_MAX {
        return Err(ApiError::new(ErrorCode::InvalidParameter, "no deployment could replace it"));
    }
    ecs.fail_deployment(CLUSTER, name, CircuitBreaker::RollsBack)
}

impl World {
    /// A person or ECS changes a service or a task. Changes that ECS refuses are skipped.
    pub(super) fn operate(&mut self) {
        let deeds = match self.rules.focus {
            Focus::Services => &DEEDS[..],
            Focus::Protection => &DEEDS_ON_TASKS[..],
        };
        let weights: Vec<u32> = deeds.iter().map(|(_, weight)| *weight).collect();
        let (deed, _) = deeds[self.choices.weighted(&weights)];
        let names: Vec<String> = self.model.services.keys().cloned().collect();
        let name = names[self.choices.below(names.len())].clone();
        match deed {
            Deed::Deploy => self.does("an operator deploys", &name, |ecs, name| ecs.deploy(CLUSTER, name).map(drop)),
            Deed::Scale => self.scale(&name),
            Deed::FailDeployment => self.does("ECS fails the deployment of", &name, fail),
            Deed::Rebalance => self.does("ECS rebalances", &name, |ecs, name| ecs.rebalance(CLUSTER, name)),
            Deed::Tag => self.tag(&name),
            Deed::Autoscale => self.autoscale(&name),
            Deed::Delete => self.delete(&name),
            Deed::Crash | Deed::Stop | Deed::Interrupt | Deed::Protect | Deed::Release | Deed::ClaimStop => {
                let running = self.running_tasks();
                if !running.is_empty() {
                    let task = running[self.choices.below(running.len())];
                    self.operate_on_task(deed, task);
                }
            }
        }
    }

    fn operate_on_task(&mut self, deed: Deed, task: usize) {
        let id = self.model.tasks[task].id.clone();
        match deed {
            Deed::Crash => self.does("ECS reports a crash of", &id, ControlPlane::crash_task),
            Deed::Stop => self.does("an operator stops", &id, ControlPlane::stop_task),
            Deed::Interrupt => self.does("EC2 reclaims the Spot capacity of", &id, ControlPlane::interrupt_task),
            Deed::Protect => {
                let minutes = self.choices.one_of(&[15, 60, 3]);
                self.protect_itself(task, Some(minutes));
            }
            Deed::Release => self.protect_itself(task, None),
            _ => self.claim_stop(&id),
        }
    }

    /// Calls ECS by operation name, and counts the call if ECS accepts it.
    fn does(
        &mut self,
        verb: &'static str,
        of: &str,
        act: impl FnOnce(&mut ControlPlane, &str) -> Result<(), ApiError>,
    ) {
        let done = act(&mut self.region.lock().ecs, of);
        self.narrate(|_| match &done {
            Ok(()) => format!("{verb} {of}"),
            Err(error) => format!("{verb} {of}, which fails: {error}"),
        });
        if done.is_ok() {
            self.counts.add(match verb {
                "an operator deploys" => "deployments",
                "ECS fails the deployment of" => "deployments that fail",
                "ECS rebalances" => "rebalancings",
                "an operator scales" => "desired counts set by others",
                "an operator deletes" => "services deleted",
                _ => "tasks crashed or stopped",
            });
        }
    }

    fn scale(&mut self, name: &str) {
        let count = self.choices.one_of(&[1, 2, 3, 4, 5, 0]);
        self.narrate(|_| format!("desired count {count}:"));
        self.does("an operator scales", name, |ecs, name| ecs.set_desired_count(CLUSTER, name, count));
        let now = self.now();
        let known = self.region.lock().ecs.service(CLUSTER, name).map(|service| service.desired_count);
        if let (Some(service), Some(count)) = (self.model.services.get_mut(name), known) {
            service.count.set_by_others(count, now);
            service.count.is_overruled |= self.shelves.may_be_raised_to(name, count);
        }
    }

    /// The task, or a person, sets or clears its protection without taskhold.
    pub(super) fn protect_itself(&mut self, task: usize, minutes: Option<i64>) {
        let id = self.model.tasks[task].id.clone();
        let changed = self.set_by_other(task, minutes);
        if changed.is_ok() {
            self.counts.add("protections set by others");
        }
        self.narrate(|_| match (minutes, changed) {
            (_, Err(_)) => format!("ECS refuses another actor's change of the protection of {id}"),
            (Some(minutes), Ok(_)) => format!("another actor protects {id} for {minutes} minutes"),
            (None, Ok(_)) => format!("another actor clears the protection of {id}"),
        });
    }

    fn tag(&mut self, name: &str) {
        let tag = &TAGS[self.choices.below(TAGS.len())];
        let value = self.choices.one_of(tag.values).unwrap_or("");
        let arn = self.region.lock().ecs.cluster_arn(CLUSTER).replace(":cluster/", ":service/");
        let request = json!({"resourceArn": format!("{arn}/{name}"), "tags": [{"key": tag.name, "value": value}]});
        self.narrate(|_| format!("{name} gets the tag {} with the value `{value}`", tag.name));
        // A service that is gone has no tags.
        let _ = self.region.lock().ecs.call("TagResource", &request);
        let Some(service) = self.model.services.get_mut(name) else { return };
        service.was_managed |= tag.name == MANAGED_TAG;
        if tag.name == MAX_DESIRED_COUNT_TAG {
            service.count.ceiling = service.count.ceiling.max(ceiling(Some(&value.to_owned())));
        }
    }

    fn autoscale(&mut self, name: &str) {
        let (least, most) = self.choices.one_of(&[(1, 8), (1, 3), (2, 4)]);
        self.narrate(|_| format!("Application Auto Scaling keeps {name} between {least} and {most} tasks"));
        self.region.lock().autoscaling.register(CLUSTER, name, least..=most);
    }

    fn delete(&mut self, name: &str) {
        // Deleting the only service would leave the rest of the run without one.
        let others = self.model.services.values().filter(|service| !service.is_deleted).count();
        let is_active = |status: SimulatedServiceStatus| status == SimulatedServiceStatus::Active;
        let is_there = self.region.lock().ecs.service(CLUSTER, name).is_some_and(|service| is_active(service.status));
        if others < 2 || !is_there {
            return;
        }
        self.does("an operator deletes", name, |ecs, name| ecs.remove_service(CLUSTER, name));
        if let Some(service) = self.model.services.get_mut(name) {
            service.is_deleted = true;
        }
    }

    /// A sender with access to the job queue claims that a task stops.
    fn claim_stop(&mut self, id: &str) {
        let cluster = self.region.lock().ecs.cluster_arn(CLUSTER);
        let task = format!("{}/{id}", cluster.replace(":cluster/", ":task/"));
        let event = json!({
            "version": "0", "id": "e", "detail-type": "ECS Task State Change", "source": "aws.ecs",
            "account": "111122223333", "time": "2026-01-05T09:00:00Z", "region": "eu-west-1", "resources": [task],
            "detail": {"taskArn": task, "clusterArn": cluster, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"},
        });
        self.narrate(|_| format!("a forged event claims that {id} has stopped"));
        self.send_message(event.to_string(), Content::Stop, 0);
    }

    /// SQS delivers a message once more, whether it is waiting, in flight or deleted.
    pub(super) fn deliver_again(&mut self) {
        let known: Vec<String> = self.model.messages.keys().cloned().collect();
        if known.is_empty() {
            return;
        }
        let id = &known[self.choices.below(known.len())];
        if self.region.lock().queues.deliver_again(JOB_QUEUE, id).is_ok() {
            self.counts.strike("redeliveries");
            self.model.messages.get_mut(id).expect("it is known").copies += 1;
            self.narrate(|_| format!("{} is redelivered", short(id)));
        }
    }
}
