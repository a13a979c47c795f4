//! The state of each service in each minute, by the simulated ECS and the workers.

use super::MISSED_AFTER;
use super::traffic::{QuarterTraffic, SERVICES, name};
use crate::watch::world::{MINUTE, WatchedWorld};
use ecs_sim::control_plane::{Millis, SimulatedTask, TaskStatus};
use ecs_sim::region::CLUSTER;
use std::collections::BTreeSet;

/// A state of a service that a notification may report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A deployment waits for nothing but protected old tasks, and longer than all their workers expected or nearly
    /// until its deadline.
    Blocked,
    /// Protected tasks keep a deployment or a scale-in from finishing.
    Held,
    /// A worker's job runs on an unprotected task, or its protection is about to end.
    Unprotected,
    /// Four or five deployments are in progress.
    Crowded,
    /// A task is protected whose worker has no job.
    Idle,
    /// The stop of a task has interrupted a job within the last minutes.
    Interrupted,
}

impl Fact {
    /// The fact that a notification reports; `None` for one that reports an end.
    pub(crate) fn of(what: &str) -> Option<Self> {
        let (kind, event) = what.split_once(' ').expect("a kind and an event");
        let fact = match kind {
            "deployment-blocked" | "deployment-at-risk" | "scale-in-blocked" => Self::Held,
            "protection-refused" | "protection-expiring" => Self::Unprotected,
            "too-many-deployments" => Self::Crowded,
            "orphaned-protection" => Self::Idle,
            "job-interrupted" => Self::Interrupted,
            _ => panic!("what does {kind} report?"),
        };
        (event != "resolved").then_some(fact)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The deadline of a deployment: the default of `TASKHOLD_DEADLINE_MINUTES`.
const DEADLINE: Millis = 180 * MINUTE;
/// How long before that a block counts, whatever the workers expect, so that it must be reported by the deadline.
const LATEST_NEWS: Millis = MISSED_AFTER as Millis * MINUTE;
/// For how many minutes an interruption is news.
const NEWS_MINUTES: usize = 15;

/// The facts of each minute, by service.
#[derive(Default)]
pub(crate) struct Truth {
    minutes: Vec<[u8; SERVICES]>,
    /// The services whose jobs were interrupted, with the minute.
    interrupted: BTreeSet<(usize, usize)>,
}

impl Truth {
    /// Records the present minute.
    pub(crate) fn see(&mut self, world: &WatchedWorld, traffic: &mut QuarterTraffic) {
        let now = self.minutes.len();
        self.interrupted.extend(traffic.interrupted.drain(..).map(|service| (service, now)));
        let mut facts = [0; SERVICES];
        // ECS stops a task some time before it has stopped: what a warning about its job said has come true.
        self.interrupted.extend(traffic.stopping(world).into_iter().map(|service| (service, now)));
        for (service, facts) in facts.iter_mut().enumerate() {
            let news = (now + 1).saturating_sub(NEWS_MINUTES);
            let recent = self.interrupted.range((service, news)..=(service, now)).next().is_some();
            let add = [(Fact::Interrupted, recent)].into_iter().chain(of_service(world, traffic, service));
            *facts = add.filter(|(_, is)| *is).map(|(fact, _)| fact.bit()).sum();
        }
        self.minutes.push(facts);
    }

    /// Whether it is a fact of the service in this minute.
    pub(crate) fn is(&self, fact: Fact, service: &str, minute: usize) -> bool {
        self.minutes[minute][service_number(service)] & fact.bit() != 0
    }

    /// Whether a job of the service was interrupted in one of the minutes after this one, until the last.
    pub(crate) fn has_interrupted(&self, service: &str, minute: usize, last: usize) -> bool {
        self.interrupted.range((service_number(service), minute + 1)..=(service_number(service), last)).next().is_some()
    }

    /// The times at which a fact had held for this many minutes without an open notification.
    pub(crate) fn missed(&self, fact: Fact, minutes: usize, reported: &[(usize, &str, &str)]) -> Vec<String> {
        let mut missed = Vec::new();
        for service in 0..SERVICES {
            let mut since = None;
            for minute in 0..self.minutes.len() {
                let is = self.minutes[minute][service] & fact.bit() != 0;
                since = if is { since.or(Some(minute)) } else { None };
                if since.is_some_and(|since| minute - since == minutes) && !is_reported(fact, service, minute, reported)
                {
                    missed.push(format!("{fact:?} of {} until minute {minute}", name(service)));
                }
            }
        }
        missed
    }
}

fn service_number(service: &str) -> usize {
    service.trim_start_matches("s-").parse().expect("a service of the traffic")
}

/// Whether the last notification about it until this minute has not been resolved.
fn is_reported(fact: Fact, service: usize, minute: usize, reported: &[(usize, &str, &str)]) -> bool {
    let kinds: &[&str] = match fact {
        Fact::Unprotected => &["protection-refused", "protection-expiring"],
        _ => &["deployment-blocked", "deployment-at-risk"],
    };
    let is_open = |kind: &&str| {
        let of_kind = reported.iter().rev().filter(|(at, of, _)| *at <= minute && *of == name(service));
        let mut events = of_kind.filter_map(|(_, _, what)| what.split_once(' ')).filter(|(of, _)| of == kind);
        events.next().is_some_and(|(_, event)| event != "resolved")
    };
    kinds.iter().any(is_open)
}

fn of_service(world: &WatchedWorld, traffic: &QuarterTraffic, service: usize) -> [(Fact, bool); 5] {
    let (region, name) = (world.region.lock(), name(service));
    let described = region.ecs.service(CLUSTER, &name).expect("no service is deleted");
    let tasks: Vec<&SimulatedTask> = region.ecs.tasks_of(CLUSTER, &name).filter(|task| task.is_live()).collect();
    let primary = &described.primary().id;
    let is_new = |task: &&&SimulatedTask| task.deployment.as_ref() == Some(primary);
    let old: Vec<&&SimulatedTask> = tasks.iter().filter(|task| !is_new(task)).collect();
    let new_running = tasks.iter().filter(is_new).filter(|task| task.last_status == TaskStatus::Running).count();
    let desired = described.desired_count as usize;
    let is_protected = |task: &SimulatedTask| task.protected_until.is_some();
    let now = region.ecs.now();
    let overruns = old.iter().all(|task| traffic.jobs.get(&task.id).is_none_or(|job| job.expected_at <= now));
    let is_due = now - described.primary().created_at >= DEADLINE - LATEST_NEWS;
    let protected = tasks.iter().filter(|task| is_protected(task)).count();
    let holds_old = old.iter().any(|task| is_protected(task));
    let is_unsafe = |task: &&&SimulatedTask| traffic.jobs.contains_key(&task.id) && !is_protected(task);
    [
        (
            Fact::Blocked,
            holds_old && old.iter().all(|task| is_protected(task)) && new_running >= desired && (overruns || is_due),
        ),
        (Fact::Held, holds_old || old.is_empty() && protected > desired && tasks.len() > desired),
        (Fact::Unprotected, tasks.iter().filter(is_unsafe).count() > 0),
        (Fact::Crowded, described.deployments.len() >= 4),
        (Fact::Idle, tasks.iter().any(|task| is_protected(task) && !traffic.jobs.contains_key(&task.id))),
    ]
}
