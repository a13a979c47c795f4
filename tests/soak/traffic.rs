//! The actions of people, workers and ECS during a soak test, drawn from a seed. Unlike the routine's traffic, it
//! includes hard cases: deployments and scale-ins meet long jobs, tasks crash with running jobs, and workers stop
//! reporting.

use crate::routine::kinds::KINDS;
use crate::watch::traffic::pause;
use crate::watch::world::{HOUR, MINUTE, WatchedWorld};
use ecs_sim::control_plane::{ApiError, CircuitBreaker, ControlPlane, DeploymentRolloutState, Millis, ServiceSpec};
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{CLUSTER, JOB_QUEUE};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

const DAY: Millis = 24 * HOUR;
/// The initial number of tasks of a service, and its average after scaling.
pub(crate) const TASKS: u32 = 10;
const SCALED: RangeInclusive<u32> = 8..=12;
/// A worker with a long job sends a heartbeat at this interval, and declares this duration each time.
const HEARTBEAT_EVERY: Millis = 25 * MINUTE;
const DECLARED_MINUTES: i64 = 60;
/// Percentage of workers that stop reporting during a job, and of messages that are delivered twice.
const SILENT_PERCENT: u32 = 1;
const TWICE_PERCENT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
enum SoakChange {
    Deploy,
    /// The tasks of the new version do not start, and the circuit breaker rolls back.
    DeployWhatFails,
    Scale,
    Rebalance,
    Crash,
    LoseSpot,
    Stop,
    /// A person protects a task and never clears the protection.
    Protect,
    SendNonsense,
    StartJob,
    /// Of the job with this number on this task.
    Heartbeat(String, u64),
    EndJob(String, u64),
}

/// Each with the mean time between two occurrences, for one service.
const HABITS: [(SoakChange, Millis); 10] = [
    (SoakChange::Deploy, 2 * DAY),
    (SoakChange::DeployWhatFails, 20 * DAY),
    (SoakChange::Scale, DAY),
    (SoakChange::Rebalance, 4 * DAY),
    (SoakChange::Crash, 4 * DAY),
    (SoakChange::LoseSpot, 8 * DAY),
    (SoakChange::Stop, 20 * DAY),
    (SoakChange::Protect, 10 * DAY),
    (SoakChange::SendNonsense, 100 * DAY),
    // A job for each task every four hours.
    (SoakChange::StartJob, 24 * MINUTE),
];

/// The current work of a task's worker.
struct SoakJob {
    number: u64,
    end: Millis,
    is_silent: bool,
}

struct SoakService {
    name: String,
    /// By task.
    jobs: BTreeMap<String, SoakJob>,
}

pub(crate) struct SoakTraffic {
    random: fastrand::Rng,
    places: Vec<SoakService>,
    changes: BTreeMap<(Millis, u64), (usize, SoakChange)>,
    changes_made: u64,
    jobs_made: u64,
    /// The actions, with their counts.
    pub(crate) done: BTreeMap<&'static str, u64>,
}

impl SoakTraffic {
    /// Creates the services.
    pub(crate) fn begin(world: &mut WatchedWorld, services: usize, seed: u64) -> Self {
        let place = |at: usize| SoakService { name: format!("s-{at}"), jobs: BTreeMap::new() };
        let mut traffic = Self {
            random: fastrand::Rng::with_seed(seed),
            places: (0..services).map(place).collect(),
            changes: BTreeMap::new(),
            changes_made: 0,
            jobs_made: 0,
            done: BTreeMap::new(),
        };
        for at in 0..services {
            let kind = &KINDS[at % KINDS.len()];
            world.create((kind.spec)(ServiceSpec::new(CLUSTER, &traffic.places[at].name, TASKS)));
            for (change, mean) in HABITS {
                traffic.plan_next(world.now(), at, change, mean);
            }
        }
        traffic
    }

    /// Lets this much time pass.
    pub(crate) fn pass(&mut self, world: &mut WatchedWorld, time: Millis) {
        let until = world.now() + time;
        while let Some(next) = self.changes.first_entry().filter(|next| next.key().0 <= until) {
            let ((at, _), (place, change)) = next.remove_entry();
            world.advance((at - world.now()).max(0));
            self.act(world, place, change);
        }
        world.advance(until - world.now());
    }

    /// No new actions start from now on; running ones continue to their end.
    pub(crate) fn stop(&mut self) {
        self.changes.retain(|_, (_, change)| matches!(change, SoakChange::Heartbeat(..) | SoakChange::EndJob(..)));
    }

    /// Whether no action is left.
    pub(crate) fn is_over(&self) -> bool {
        self.changes.is_empty()
    }

    /// A person redeploys after a failed deployment; otherwise the service would stay failed forever.
    pub(crate) fn mend_failed(&mut self, world: &mut WatchedWorld) {
        for place in &self.places {
            let failed = |ecs: &ControlPlane| {
                ecs.service(CLUSTER, &place.name)
                    .is_some_and(|it| it.primary().rollout_state == DeploymentRolloutState::Failed)
            };
            if world.ecs(|ecs| failed(ecs)) {
                // ECS rejects a sixth concurrent deployment; one of the five ends first.
                let _ = world.ecs(|ecs| ecs.deploy(CLUSTER, &place.name));
            }
        }
    }

    fn plan(&mut self, at: Millis, place: usize, change: SoakChange) {
        self.changes_made += 1;
        self.changes.insert((at, self.changes_made), (place, change));
    }

    fn plan_next(&mut self, now: Millis, place: usize, change: SoakChange, mean: Millis) {
        let pause = pause(&mut self.random, mean);
        self.plan(now + pause, place, change);
    }

    fn act(&mut self, world: &mut WatchedWorld, place: usize, change: SoakChange) {
        let done = match &change {
            SoakChange::Heartbeat(task, number) => self.heartbeat(world, place, task, *number),
            SoakChange::EndJob(task, number) => self.end_job(world, place, task, *number),
            SoakChange::StartJob => self.start_job(world, place),
            SoakChange::SendNonsense => self.send_nonsense(world),
            SoakChange::Crash => self.befall(world, place, "crashes", ControlPlane::crash_task),
            SoakChange::LoseSpot => self.befall(world, place, "losses of Spot capacity", ControlPlane::interrupt_task),
            SoakChange::Stop => self.befall(world, place, "tasks stopped by people", ControlPlane::stop_task),
            SoakChange::Protect => self.befall(world, place, "tasks protected by people", |ecs, task| {
                ecs.set_own_protection(task, Some(90)).map(drop)
            }),
            SoakChange::Deploy | SoakChange::DeployWhatFails | SoakChange::Scale | SoakChange::Rebalance => {
                self.operate(world, place, &change)
            }
        };
        if let Some(what) = done {
            *self.done.entry(what).or_default() += 1;
        }
        if let Some((_, mean)) = HABITS.iter().find(|(habit, _)| *habit == change) {
            self.plan_next(world.now(), place, change, *mean);
        }
    }

    /// Actions that ECS rejects are skipped.
    fn operate(&mut self, world: &mut WatchedWorld, place: usize, change: &SoakChange) -> Option<&'static str> {
        let name = &self.places[place].name;
        let count = self.random.u32(SCALED);
        let (done, what) = world.ecs(|ecs| match change {
            SoakChange::Deploy => (ecs.deploy(CLUSTER, name).map(drop), "deployments"),
            SoakChange::DeployWhatFails => (deploy_what_fails(ecs, name), "deployments that fail"),
            SoakChange::Scale => (ecs.set_desired_count(CLUSTER, name, count), "changes of a desired count"),
            _ => (ecs.rebalance(CLUSTER, name), "rebalancings"),
        });
        done.ok().map(|()| what)
    }

    /// An action on one of a service's tasks, busy or not.
    fn befall(
        &mut self,
        world: &mut WatchedWorld,
        place: usize,
        what: &'static str,
        act: impl FnOnce(&mut ControlPlane, &str) -> Result<(), ApiError>,
    ) -> Option<&'static str> {
        let task = self.random.choice(world.running_tasks(&self.places[place].name))?;
        world.ecs(|ecs| act(ecs, &task)).ok().map(|()| what)
    }

    fn start_job(&mut self, world: &mut WatchedWorld, place: usize) -> Option<&'static str> {
        let mut idle = world.running_tasks(&self.places[place].name);
        idle.retain(|task| !self.places[place].jobs.contains_key(task));
        let task = self.random.choice(idle)?;
        let lasts = match self.random.u32(0..100) {
            0..70 => self.random.i64(MINUTE..20 * MINUTE),
            70..95 => self.random.i64(20 * MINUTE..HOUR),
            _ => self.random.i64(HOUR..6 * HOUR),
        };
        self.jobs_made += 1;
        let job = SoakJob {
            number: self.jobs_made,
            end: world.now() + lasts,
            is_silent: self.random.u32(..100) < SILENT_PERCENT,
        };
        let number = job.number;
        if lasts > HEARTBEAT_EVERY {
            self.plan(world.now() + HEARTBEAT_EVERY, place, SoakChange::Heartbeat(task.clone(), number));
        }
        self.plan(job.end, place, SoakChange::EndJob(task.clone(), number));
        self.places[place].jobs.insert(task.clone(), job);
        self.send(world, json!({"type": "job.started", "maxDurationMinutes": DECLARED_MINUTES}), &task, number);
        Some("jobs")
    }

    /// Whether a worker still runs its job: its task has not stopped or started to stop.
    fn is_at_work(&self, world: &WatchedWorld, place: usize, task: &str, number: u64) -> bool {
        let has_it = self.places[place].jobs.get(task).is_some_and(|job| job.number == number && !job.is_silent);
        has_it && world.region.lock().ecs.task(task).is_some_and(|task| task.is_live())
    }

    fn heartbeat(&mut self, world: &mut WatchedWorld, place: usize, task: &str, number: u64) -> Option<&'static str> {
        if !self.is_at_work(world, place, task, number) {
            return None;
        }
        if self.places[place].jobs[task].end > world.now() + HEARTBEAT_EVERY {
            self.plan(world.now() + HEARTBEAT_EVERY, place, SoakChange::Heartbeat(task.to_owned(), number));
        }
        self.send(world, json!({"type": "job.heartbeat", "maxDurationMinutes": DECLARED_MINUTES}), task, number);
        Some("heartbeats")
    }

    fn end_job(&mut self, world: &mut WatchedWorld, place: usize, task: &str, number: u64) -> Option<&'static str> {
        let is_at_work = self.is_at_work(world, place, task, number);
        let job = self.places[place].jobs.remove(task)?;
        if job.is_silent {
            return Some("jobs whose worker fell silent");
        }
        if !is_at_work {
            return Some("jobs that ended with their task");
        }
        self.send(world, json!({"type": "job.finished"}), task, number);
        Some("jobs that finished")
    }

    fn send(&mut self, world: &WatchedWorld, mut message: Value, task: &str, job: u64) {
        message["jobId"] = json!(format!("job-{job}"));
        let id = world.send_about(task, message);
        if self.random.u32(..100) < TWICE_PERCENT {
            world.region.lock().queues.deliver_again(JOB_QUEUE, &id).unwrap();
        }
    }

    fn send_nonsense(&mut self, world: &WatchedWorld) -> Option<&'static str> {
        let body = r#"{"version": 1, "type": "job.paused"}"#;
        world.region.lock().queues.send(JOB_QUEUE, SendMessage::new(body)).unwrap();
        Some("messages that say nothing")
    }
}

/// Only for a steady service, because it has a deployment to roll back to.
fn deploy_what_fails(ecs: &mut ControlPlane, name: &str) -> Result<(), ApiError> {
    if ecs.service(CLUSTER, name).is_some_and(|service| service.steady) {
        ecs.deploy(CLUSTER, name)?;
        // Only ECS itself has a circuit breaker; for a service with another controller this is a normal deployment.
        let _ = ecs.fail_deployment(CLUSTER, name, CircuitBreaker::RollsBack);
    }
    Ok(())
}
