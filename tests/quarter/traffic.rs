//! Fifty services: ten are deployed every twenty minutes and the others once a day, whatever their tasks do; all are scaled
//! out in the morning and in at night. Half run jobs of minutes, half jobs of up to four hours. The workers of a quarter
//! of them name the kind of a job and do not know how long it takes; the others expect an end.

use crate::watch::world::{HOUR, MINUTE, WatchedWorld};
use ecs_sim::control_plane::{Millis, ServiceSpec, TaskStatus};
use ecs_sim::region::CLUSTER;
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) const SERVICES: usize = 50;
/// The first ones are deployed often.
const DEPLOYED_OFTEN: usize = 10;
const OFTEN_MINUTES: usize = 20;
const DAY_MINUTES: usize = 24 * 60;
/// Desired counts by night and by day.
const TASKS: (u32, u32) = (2, 5);
/// The mean time for which a worker waits for its next job.
const IDLE: Millis = 30 * MINUTE;

/// A job in the eyes of its worker.
pub(crate) struct WorkerJob {
    id: String,
    pub(crate) service: usize,
    ends_at: Millis,
    /// The end that its worker expects; of a job of which only the kind is known, the end of the longest ones.
    pub(crate) expected_at: Millis,
}

pub(crate) struct QuarterTraffic {
    random: fastrand::Rng,
    /// The running jobs by task.
    pub(crate) jobs: BTreeMap<String, WorkerJob>,
    /// Services with a job that its task's stop has just interrupted.
    pub(crate) interrupted: Vec<usize>,
    jobs_made: u64,
    pub(crate) done: BTreeMap<&'static str, usize>,
}

pub(crate) fn name(service: usize) -> String {
    format!("s-{service}")
}

/// Whether the jobs of the service take minutes.
pub(crate) fn has_short_jobs(service: &str) -> bool {
    (0..SERVICES).step_by(2).any(|short| name(short) == service)
}

/// Whether the workers of the service name the kind of each job instead of its expected end.
fn names_kinds(service: usize) -> bool {
    service % 8 >= 6
}

impl QuarterTraffic {
    pub(crate) fn begin(world: &mut WatchedWorld, seed: u64) -> Self {
        for service in 0..SERVICES {
            world.create(ServiceSpec::new(CLUSTER, name(service), TASKS.0));
        }
        let random = fastrand::Rng::with_seed(seed);
        Self { random, jobs: BTreeMap::new(), interrupted: Vec::new(), jobs_made: 0, done: BTreeMap::new() }
    }

    /// Everything that begins or ends in this minute.
    pub(crate) fn act(&mut self, world: &mut WatchedWorld, minute: usize) {
        self.end_jobs(world);
        for service in 0..SERVICES {
            self.operate(world, service, minute);
            self.start_jobs(world, service);
        }
    }

    /// The services of the running jobs whose tasks ECS stops.
    pub(crate) fn stopping(&self, world: &WatchedWorld) -> Vec<usize> {
        let region = world.region.lock();
        let stops = |task: &str| region.ecs.task(task).is_some_and(|task| task.desired_status == TaskStatus::Stopped);
        self.jobs.iter().filter(|(task, _)| stops(task)).map(|(_, job)| job.service).collect()
    }

    fn operate(&mut self, world: &mut WatchedWorld, service: usize, minute: usize) {
        let every = if service < DEPLOYED_OFTEN { OFTEN_MINUTES } else { DAY_MINUTES };
        // Each service at its own time.
        let at = |every: usize| minute % every == (service * 37) % every;
        let name = name(service);
        if minute >= every && at(every) {
            let deployed = world.ecs(|ecs| ecs.deploy(CLUSTER, &name));
            self.count(if deployed.is_ok() { "deployments" } else { "deployments that ECS refused" });
        }
        let scaled = [(8 * 60, TASKS.1, "scale-outs"), (20 * 60, TASKS.0, "scale-ins")];
        let time = (minute + service * 7) % DAY_MINUTES;
        if let Some((_, count, what)) = scaled.into_iter().find(|(at, ..)| *at == time) {
            world.ecs(|ecs| ecs.set_desired_count(CLUSTER, &name, count)).unwrap();
            self.count(what);
        }
    }

    fn end_jobs(&mut self, world: &WatchedWorld) {
        let now = world.now();
        self.interrupted.clear();
        for (task, job) in std::mem::take(&mut self.jobs) {
            if !runs(world, &task) {
                self.interrupted.push(job.service);
                self.count("jobs interrupted");
            } else if job.ends_at <= now {
                world.send_about(&task, json!({"type": "job.finished", "jobId": job.id}));
            } else {
                self.jobs.insert(task, job);
            }
        }
    }

    /// Idle workers take jobs, on old tasks too, until ECS stops them.
    fn start_jobs(&mut self, world: &WatchedWorld, service: usize) {
        for task in world.running_tasks(&name(service)) {
            let takes_one = self.random.i64(0..IDLE) < MINUTE;
            if !takes_one || self.jobs.contains_key(&task) {
                continue;
            }
            let lengths = match service % 2 {
                0 => MINUTE..10 * MINUTE,
                _ => 10 * MINUTE..4 * HOUR,
            };
            let lasts = self.random.i64(lengths.clone());
            self.jobs_made += 1;
            let id = format!("job-{}", self.jobs_made);
            // Workers declare a generous maximum, and expect the true time within a quarter.
            let expected = lasts * self.random.i64(75..=125) / 100;
            let mut declared = json!({
                "type": "job.started",
                "jobId": id,
                "maxDurationMinutes": 2 * lasts / MINUTE + 10,
            });
            match names_kinds(service) {
                true => {
                    declared["kind"] = json!("encode");
                    self.count("jobs of which only the kind is known");
                }
                false => declared["expectedDurationMinutes"] = json!((expected / MINUTE).max(1)),
            }
            world.send_about(&task, declared);
            let expected = if names_kinds(service) { lengths.end } else { expected };
            let now = world.now();
            self.jobs.insert(task, WorkerJob { id, service, ends_at: now + lasts, expected_at: now + expected });
            self.count("jobs");
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }
}

/// Whether the task runs. A job goes on until its task has stopped.
fn runs(world: &WatchedWorld, task: &str) -> bool {
    world.region.lock().ecs.task(task).is_some_and(|task| task.last_status == TaskStatus::Running)
}
