//! The daily operation of two hundred services, drawn from a seed.
//!
//! In routine operation, no deployment and no scale-in waits for protected tasks for as long as five minutes
//! (TASKHOLD_BLOCKED_AFTER_MINUTES): a worker has just taken a job of a few minutes, and a deployment waits for it
//! and continues. Longer jobs, up to an hour, are routine as well, but deployments and scale-ins wait for them, as
//! `preflight` advises, unless the old tasks stay longer than the jobs anyway. So the traffic draws actions at
//! random, and postpones or skips those that would block a rollout for more than [`HOLD_MAX`]. It requests no more
//! protection than ECS grants during a rollout, and crashes no busy task: those cases are refusals and
//! interruptions, which do raise alerts.

use super::kinds::KINDS;
use crate::watch::traffic::pause;
use crate::watch::world::{HOUR, MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{CircuitBreaker, Millis, ServiceSpec};
use ecs_sim::region::CLUSTER;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The longest time that protected tasks block a rollout: less than five minutes, minus time to report the end of
/// the last job.
const HOLD_MAX: Millis = 4 * MINUTE;

/// Routine actions that the traffic avoids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spares {
    Nothing,
    /// Known causes of false alarms: scale-ins and rebalancing over busy tasks, and services whose tasks are all
    /// busy.
    FalseAlarms,
}

const DAY: Millis = 24 * HOUR;

/// Minimum and maximum number of tasks of a service.
const TASKS: std::ops::RangeInclusive<u32> = 2..=6;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RoutineChange {
    Deploy,
    /// The tasks of the new version do not start, and the circuit breaker rolls back.
    DeployWhatFails,
    Scale,
    Rebalance,
    Crash,
    StartJob,
    EndJob,
}

/// Each with the mean time between two occurrences, for one service.
const HABITS: [(RoutineChange, Millis); 6] = [
    (RoutineChange::Deploy, 2 * DAY),
    (RoutineChange::DeployWhatFails, 20 * DAY),
    (RoutineChange::Scale, 12 * HOUR),
    (RoutineChange::Rebalance, 4 * DAY),
    (RoutineChange::Crash, 4 * DAY),
    (RoutineChange::StartJob, 6 * HOUR),
];

#[derive(Debug, Default)]
struct RoutineService {
    name: String,
    /// Index into [`KINDS`].
    kind: usize,
    /// Job and end, by task.
    jobs: BTreeMap<String, (String, Millis)>,
    /// During a rollout, no job may last longer.
    jobs_end_by: Millis,
}

/// The traffic of some services.
pub(crate) struct RoutineTraffic {
    random: fastrand::Rng,
    spares: Spares,
    places: Vec<RoutineService>,
    changes: BTreeSet<(Millis, usize, RoutineChange)>,
    jobs_made: u64,
    /// The actions, with their counts.
    pub(crate) done: BTreeMap<&'static str, u64>,
}

impl RoutineTraffic {
    /// Creates the services.
    pub(crate) fn begin(world: &mut WatchedWorld, services: usize, seed: u64, spares: Spares) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut changes = BTreeSet::new();
        let places = (0..services).map(|at| RoutineService {
            name: format!("s-{at}"),
            kind: at % KINDS.len(),
            ..RoutineService::default()
        });
        let places: Vec<RoutineService> = places.collect();
        for (at, place) in places.iter().enumerate() {
            world.create((KINDS[place.kind].spec)(ServiceSpec::new(CLUSTER, &place.name, random.u32(TASKS))));
            for (change, mean) in HABITS {
                changes.insert((world.now() + pause(&mut random, mean), at, change));
            }
        }
        Self { random, spares, places, changes, jobs_made: 0, done: BTreeMap::new() }
    }

    /// Lets this much time pass.
    pub(crate) fn pass(&mut self, world: &mut WatchedWorld, time: Millis) {
        let until = world.now() + time;
        while let Some(next) = self.changes.first().copied().filter(|(at, ..)| *at <= until) {
            self.changes.remove(&next);
            let (at, place, change) = next;
            world.advance((at - world.now()).max(0));
            self.act(world, place, change);
        }
        world.advance(until - world.now());
    }

    fn act(&mut self, world: &mut WatchedWorld, place: usize, change: RoutineChange) {
        let done = match change {
            RoutineChange::Deploy | RoutineChange::DeployWhatFails => self.deploy(world, place, change),
            RoutineChange::Scale => self.scale(world, place),
            RoutineChange::Rebalance => self.rebalance(world, place),
            RoutineChange::Crash => self.crash(world, place),
            RoutineChange::StartJob => self.start_job(world, place),
            RoutineChange::EndJob => return self.end_job(world, place),
        };
        let mean = HABITS.iter().find(|(habit, _)| *habit == change).map_or(HOUR, |(_, mean)| *mean);
        // A postponed action is retried soon.
        let pause = if done.is_some() { pause(&mut self.random, mean) } else { 7 * MINUTE };
        self.changes.insert((world.now() + pause, place, change));
        if let Some(what) = done {
            *self.done.entry(what).or_default() += 1;
        }
    }

    fn deploy(&mut self, world: &mut WatchedWorld, at: usize, change: RoutineChange) -> Option<&'static str> {
        let old_stay = KINDS[self.places[at].kind].old_stay;
        let end_by = world.now() + old_stay + HOLD_MAX;
        let place = &self.places[at];
        if !is_steady(world, &place.name) || place.jobs.values().any(|(_, end)| *end > end_by) {
            return None;
        }
        // Every other time a worker has just taken a job that lasts longer than the old tasks stay.
        if self.random.bool() {
            let lasts = old_stay + self.random.i64(MINUTE..HOLD_MAX);
            self.take_job(world, at, lasts);
            // Until its message has reached the function.
            world.deliver();
        }
        let place = &mut self.places[at];
        world.ecs(|ecs| ecs.deploy(CLUSTER, &place.name)).unwrap();
        place.jobs_end_by = end_by;
        if change == RoutineChange::Deploy {
            return Some("deployments");
        }
        // Only ECS itself has a circuit breaker; for a service with another controller this is a normal deployment.
        let fails = world.ecs(|ecs| ecs.fail_deployment(CLUSTER, &place.name, CircuitBreaker::RollsBack));
        Some(if fails.is_ok() { "deployments that fail and are rolled back" } else { "deployments" })
    }

    fn scale(&mut self, world: &mut WatchedWorld, at: usize) -> Option<&'static str> {
        let to = self.random.u32(TASKS);
        let name = self.places[at].name.clone();
        let desired = world.region.lock().ecs.service(CLUSTER, &name).unwrap().desired_count;
        let mut what = "scale-outs";
        if to < desired {
            what = self.make_way(world, at, to)?;
        }
        world.ecs(|ecs| ecs.set_desired_count(CLUSTER, &name, to)).unwrap();
        Some(what)
    }

    /// Whether a scale-in can start: no more long jobs than remaining tasks. Every other time, more workers than
    /// that have just taken short jobs.
    fn make_way(&mut self, world: &mut WatchedWorld, at: usize, to: u32) -> Option<&'static str> {
        let end_by = world.now() + HOLD_MAX;
        let place = &self.places[at];
        let spares = self.spares == Spares::FalseAlarms;
        let long_jobs = place.jobs.values().filter(|(_, end)| spares || *end > end_by).count();
        if !is_steady(world, &place.name) || long_jobs > to as usize {
            return None;
        }
        let mut what = "scale-ins";
        if !spares && self.random.bool() {
            while self.places[at].jobs.len() <= to as usize {
                let lasts = self.random.i64(MINUTE..HOLD_MAX);
                if !self.take_job(world, at, lasts) {
                    break;
                }
                what = "scale-ins over tasks that have just become busy";
            }
            world.deliver();
        }
        self.places[at].jobs_end_by = end_by;
        Some(what)
    }

    fn rebalance(&mut self, world: &mut WatchedWorld, place: usize) -> Option<&'static str> {
        let place = &mut self.places[place];
        if self.spares == Spares::FalseAlarms && !place.jobs.is_empty() {
            return None;
        }
        place.jobs_end_by = world.now() + HOLD_MAX;
        // ECS refuses this for services with task sets, during a rollout, and without spare capacity.
        world.ecs(|ecs| ecs.rebalance(CLUSTER, &place.name)).ok().map(|()| "rebalancings")
    }

    fn crash(&mut self, world: &mut WatchedWorld, place: usize) -> Option<&'static str> {
        let idle = self.idle_tasks(world, place);
        let task = self.random.choice(idle)?;
        world.ecs(|ecs| ecs.crash_task(&task)).unwrap();
        Some("crashes of idle tasks")
    }

    fn idle_tasks(&self, world: &WatchedWorld, place: usize) -> Vec<String> {
        let place = &self.places[place];
        let mut idle = world.running_tasks(&place.name);
        idle.retain(|task| !place.jobs.contains_key(task));
        idle
    }

    fn start_job(&mut self, world: &mut WatchedWorld, place: usize) -> Option<&'static str> {
        let (what, lasts) = match self.random.u32(0..10) {
            0..7 => ("jobs of minutes", self.random.i64(20 * SECOND..4 * MINUTE)),
            _ => ("jobs of up to an hour", self.random.i64(4 * MINUTE..HOUR)),
        };
        let moves = !is_steady(world, &self.places[place].name);
        if moves && world.now() + lasts > self.places[place].jobs_end_by {
            return None;
        }
        self.take_job(world, place, lasts).then_some(what)
    }

    /// A worker takes a job, if one is idle and ECS grants protection.
    fn take_job(&mut self, world: &mut WatchedWorld, at: usize, lasts: Millis) -> bool {
        let idle = self.idle_tasks(world, at);
        let place = &mut self.places[at];
        let desired = world.region.lock().ecs.service(CLUSTER, &place.name).unwrap().desired_count as usize;
        let most = match self.spares {
            Spares::Nothing => desired,
            Spares::FalseAlarms => desired.min(idle.len() + place.jobs.len()) - 1,
        };
        if place.jobs.len() >= most {
            return false;
        }
        let Some(task) = self.random.choice(idle) else { return false };
        self.jobs_made += 1;
        let (job, end) = (format!("job-{}", self.jobs_made), world.now() + lasts);
        // Workers declare more time than they need.
        let minutes = lasts / MINUTE + 30;
        world.send_about(&task, json!({"type": "job.started", "jobId": job, "maxDurationMinutes": minutes}));
        place.jobs.insert(task, (job, end));
        self.changes.insert((end, at, RoutineChange::EndJob));
        true
    }

    fn end_job(&mut self, world: &mut WatchedWorld, place: usize) {
        let place = &mut self.places[place];
        let now = world.now();
        let over = place.jobs.extract_if(.., |_, (_, end)| *end <= now);
        for (task, (job, _)) in over.collect::<Vec<_>>() {
            world.send_about(&task, json!({"type": "job.finished", "jobId": job}));
        }
    }
}

fn is_steady(world: &WatchedWorld, service: &str) -> bool {
    world.region.lock().ecs.service(CLUSTER, service).unwrap().steady
}
