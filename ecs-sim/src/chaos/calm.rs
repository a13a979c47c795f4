//! How a run comes to rest after the storm.

use super::broken::Broken;
use super::job::JobModel;
use super::protection::Writer;
use super::run::{INVOCATIONS_AT_ONCE, Run};
use super::world::{SWEEP_EVERY_MS, VisibleMessages, World};
use crate::control_plane::{DeploymentRolloutState, Millis};
use crate::doubles::clock::timestamp;
use crate::region::{CLUSTER, RECHECK_QUEUE};
use serde_json::Value;

/// Time after the storm by which everything that ECS does not refuse must be in order: enough for two redeliveries of a
/// message that failed in the storm, and for three sweeps.
const IN_ORDER_MS: Millis = 16 * 60_000;
/// One sweep interval, plus time for its reads.
pub(super) const SWEPT_MS: Millis = 6 * 60_000;
/// Time after the last job and the last protection by which everything must be at rest: rechecks are up to 15 minutes
/// apart, deployments bake for ten, and one may follow from the other.
const AT_REST_MS: Millis = 3 * 3_600_000;
/// A deployment with more failed tasks than this will not succeed, and without a circuit breaker it never ends.
const FAILED_TASKS_MAX: u32 = 6;
/// More steps than this during the calm phase are a loop.
const STEPS_MAX: usize = 30_000;

impl Run<'_> {
    /// After the storm: lets everything run, become orderly, and then come to rest.
    pub(super) fn come_to_rest(&mut self) {
        if self.is_broken() {
            return;
        }
        self.sim.world().calm_down();
        let started_at = self.sim.world().now();
        self.drain(started_at + IN_ORDER_MS - SWEPT_MS);
        let neglected = self.sim.world().neglected();
        self.drain(started_at + IN_ORDER_MS);
        if self.is_broken() {
            return;
        }
        self.sim.world().check_order(&neglected);
        self.sim.world().finish_all();
        let over = self.sim.world().over_at();
        let limit = over.protections + AT_REST_MS;
        while !self.is_broken() {
            self.sim.world().others_let_go();
            let now = self.sim.world().now();
            if now >= limit || now >= over.jobs && self.is_at_rest() {
                break;
            }
            self.sim.world().mend_failed();
            self.drain((now + SWEEP_EVERY_MS).min(limit));
        }
        let now = self.sim.world().now();
        self.drain(now + SWEPT_MS);
        if !self.is_broken() {
            self.sim.world().check_rest();
        }
    }

    fn is_at_rest(&self) -> bool {
        self.running.is_empty() && self.sim.world().restless().is_none()
    }

    /// Delivers everything that is due until this moment.
    fn drain(&mut self, until: Millis) {
        for _ in 0..STEPS_MAX {
            if self.is_broken() {
                return;
            }
            let has_room = self.running.len() < INVOCATIONS_AT_ONCE;
            let goes_on = !self.running.is_empty();
            let begins = has_room && (!goes_on || self.sim.world().choices.chance(20));
            if begins && self.deliver_any() {
                continue;
            }
            if goes_on {
                self.pass();
                continue;
            }
            let next = self.sim.world().next_due();
            if next > until {
                return self.advance(until);
            }
            self.advance(next);
        }
        let why = format!("not at rest after {STEPS_MAX} steps");
        self.sim.world().break_off(Broken::Convergence, why);
    }

    fn deliver_any(&mut self) -> bool {
        let (jobs, rechecks, event, sweep) = {
            let world = self.sim.world();
            let (now, VisibleMessages { jobs, rechecks }) = (world.now(), world.visible());
            (jobs, rechecks, world.events.next().is_some_and(|at| at <= now), world.sweep_at <= now)
        };
        match (event, jobs, rechecks, sweep) {
            (true, ..) => self.deliver_event(),
            (_, true, ..) => self.deliver_jobs(),
            (_, _, true, _) => self.deliver_rechecks(),
            (.., true) => self.sweep(),
            (false, false, false, false) => return false,
        }
        true
    }
}

/// When a run may come to rest.
struct LastEnds {
    /// The end of the last job.
    jobs: Millis,
    /// The end of the last protection, and not before the end of the last job.
    protections: Millis,
}

impl World {
    /// Stops new faults. Faults that have already happened still run their course.
    fn calm_down(&mut self) {
        (self.is_calm, self.calm_at) = (true, self.now());
        self.narrate(|_| "NO MORE FAULTS".to_owned());
        self.mend_failed();
    }

    /// An operator repairs failed services, which would otherwise stay as they are for ever.
    fn mend_failed(&mut self) {
        let names: Vec<String> = self.model.services.keys().cloned().collect();
        for name in names {
            let mut region = self.region.lock();
            let has_failed = region.ecs.service(CLUSTER, &name).is_some_and(|service| {
                let primary = service.primary();
                primary.rollout_state == DeploymentRolloutState::Failed || primary.failed_tasks > FAILED_TASKS_MAX
            });
            if has_failed {
                // A service with five deployments accepts no other; one of them ends first.
                let _ = region.ecs.deploy(CLUSTER, &name);
            }
        }
    }

    /// Clears the protection that other actors have set.
    fn others_let_go(&mut self) {
        for task in self.running_tasks() {
            let is_protected = {
                let region = self.region.lock();
                region.ecs.task(&self.model.tasks[task].id).is_some_and(|task| task.is_protected())
            };
            let known = &self.model.tasks[task];
            if is_protected
                && known.protection.writer == Writer::Other
                && known.jobs.iter().all(|job| !job.is_live_at(self.now()))
            {
                self.protect_itself(task, None);
            }
        }
    }

    /// When the last job ends, as declared, and when the last protection ends. If a start arrives after the function has
    /// forgotten the finished job, the job counts as live again until its declared end. If another writer shortens the
    /// function's protection, a later request may restore it, because it also covers jobs that outlived their declared
    /// time.
    fn over_at(&self) -> LastEnds {
        let region = self.region.lock();
        let jobs = self.model.tasks.iter().flat_map(|task| &task.jobs).filter(|job| !job.finish_sent);
        let jobs = jobs.filter_map(JobModel::until).max().unwrap_or(0).max(region.now());
        let protections = region.ecs.tasks().filter_map(|task| task.protected_until);
        let now = timestamp(region.now());
        let wanted = self.shelves.tasks.records().flat_map(|(_, record)| {
            let kept = record.protection.own.iter().map(|own| own.latest);
            record.wanted_until(now).into_iter().chain(kept)
        });
        let wanted = wanted.filter_map(|until| Millis::try_from(until.duration_since(timestamp(0)).as_millis()).ok());
        LastEnds { jobs, protections: protections.chain(wanted).max().unwrap_or(0).max(jobs) }
    }

    /// The next moment at which anything is due.
    fn next_due(&self) -> Millis {
        let region = self.region.lock().next_due();
        let others = [region, self.events.next(), self.next_late()];
        others.into_iter().flatten().chain([self.sweep_at]).min().expect("a sweep is always scheduled").max(self.now())
    }
}

/// The payloads of waiting rechecks.
pub(super) fn rechecks(world: &World) -> Vec<Value> {
    let region = world.region.lock();
    let waiting = region.queues.messages(RECHECK_QUEUE).expect("the queue exists");
    waiting.into_iter().filter_map(|message| serde_json::from_str(&message.body).ok()).collect()
}
