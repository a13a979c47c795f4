//! The checks, at every moment and at the end.
//!
//! *Every moment*: the promises of `chaos/model.rs`. *When a message ends*: its information is in the state store. It
//! is dead-lettered only if it is malformed, its task is gone, or SQS delivered it too often. The answer to a batch
//! names only messages of the batch, and every sweep and event is answered (`chaos/deliveries.rs`). *When a sweep lists
//! the open records*: it would have nothing to do for any other task (`chaos/store.rs`). *After the storm*: a message
//! ends within three deliveries, unless ECS refuses its task (`chaos/deliveries.rs`).
//!
//! *In order* (`chaos/order.rs`), a quarter of an hour after the storm: every task with a live job is protected, unless
//! ECS refuses and an open alert says so. Every service with several deployments has exactly one recheck on its way.
//!
//! *At rest*, when all jobs have ended: all messages are done or dead-lettered. No task is still protected by taskhold,
//! no service has a rollout record, no recheck is left, and no incident is open. Desired counts are as set by actors
//! other than taskhold. Every job whose task stopped in the middle of it was forwarded as interrupted.

use super::broken::Broken;
use super::calm::SWEPT_MS;
use super::model::{Content, TOLERANCE_MS, TaskModel};
use super::protection::Writer;
use super::workers::short;
use super::world::World;
use crate::control_plane::{Millis, SimulatedServiceStatus, TaskStatus};
use crate::doubles::clock::timestamp;
use crate::region::{CLUSTER, JOB_QUEUE, RECHECK_QUEUE};
use taskhold::config::clusters::Clusters;
use taskhold::lambda::job_message::{JobMessage, ReportedJob};
use taskhold::lambda::sqs_record;
use taskhold::lambda::sqs_record::QueueMessage;
use taskhold::service::alert::AlertKind;
use taskhold::task::job::JobReport;

impl World {
    /// Records changes: new tasks, tasks that stopped, desired counts that others have set.
    pub(super) fn observe_ecs(&mut self) {
        self.take_events();
        let region = self.region.clone();
        let mut region = region.lock();
        let now = region.now();
        // This simulation does not use the record of calls.
        region.calls.clear();
        region.topics.take_publications();
        for task in region.ecs.tasks() {
            let number = self.model.meet(&task.id, task.service.as_deref());
            if task.last_status == TaskStatus::Stopped {
                self.model.tasks[number].has_stopped(now);
            }
        }
        for (name, service) in &mut self.model.services {
            let Some(desired) = region.ecs.service(CLUSTER, name).map(|service| service.desired_count) else {
                continue;
            };
            if desired != service.count.known {
                service.count.set_by_others(desired, now);
            }
            // The raise may have been recorded before another actor set its count, or right after.
            service.count.is_overruled |= self.shelves.may_be_raised_to(name, service.count.set_by_others);
        }
    }

    /// Checks the promise of safety.
    pub(super) fn check_moment(&mut self) {
        let found = self.uncovered();
        if let Some((number, needed, protected)) = found {
            let (needed, protected) = (self.shown(needed), protected.map(|until| self.shown(until)));
            let why = format!("t{number} was promised protection until {needed}, but is protected until {protected:?}");
            self.break_off(Broken::Safety, why);
        }
    }

    fn uncovered(&self) -> Option<(usize, Millis, Option<Millis>)> {
        let region = self.region.lock();
        let now = region.now();
        for (number, task) in self.model.tasks.iter().enumerate() {
            if task.is_meddled_with || task.jobs.is_empty() {
                continue;
            }
            let Some(needed) = task.promised_until().map(|until| until - TOLERANCE_MS) else { continue };
            let Some(real) = region.ecs.task(&task.id).filter(|real| real.is_live()) else { continue };
            if needed > now && real.protected_until < Some(needed) {
                return Some((number, needed, real.protected_until));
            }
        }
        None
    }

    /// The state store must contain the information of a message that was acknowledged as done.
    pub(super) fn check_done(&mut self, id: &str) {
        let message = &self.model.messages[id];
        let is_old = self.now() - message.sent_at >= self.rules.finished_job_retention_ms();
        match message.content {
            Content::Malformed => {
                self.break_off(Broken::Loss, format!("{} is malformed, but was acknowledged as done", short(id)))
            }
            Content::Job { .. } | Content::Forecast { .. } if !is_old => {
                let cluster = self.region.lock().ecs.cluster_arn(CLUSTER).parse().expect("the ARN is valid");
                let clusters = Clusters::new(vec![cluster]).expect("there is a cluster");
                let QueueMessage::Job(job_message) = sqs_record::parse(&message.body, &clusters) else {
                    unreachable!("workers send job messages")
                };
                let ReportedJob { task, report: JobReport { key, job } } =
                    JobMessage::into_job(job_message, timestamp(message.sent_at));
                let entry = self.task_record(&task);
                let is_live = self.region.lock().ecs.task(task.id.as_str()).map(|task| task.is_live());
                match is_live {
                    // ECS has forgotten the task. Its record gives up its jobs, also one whose start is recorded just now.
                    None => return,
                    // Nothing can be requested for it.
                    Some(false) if !entry.jobs.contains_key(&key) => return,
                    _ => {}
                }
                let known = entry.jobs.get(&key).cloned().unwrap_or_default();
                let mut merged = known.clone();
                merged.merge(&job);
                if merged != known {
                    self.break_off(
                        Broken::Loss,
                        format!("{} was acknowledged as done, but the state store has only {known:?}", short(id)),
                    );
                }
            }
            Content::Job { .. } | Content::Forecast { .. } | Content::Stop => {}
        }
    }

    pub(super) fn check_dead_lettered_rightly(&mut self, id: &str) {
        let message = &self.model.messages[id];
        let is_gone = |task: usize| {
            let region = self.region.lock();
            region.ecs.task(&self.model.tasks[task].id).is_none_or(|task| !task.is_live())
        };
        let is_hopeless = matches!(message.content, Content::Malformed) || message.content.task().is_some_and(is_gone);
        if !is_hopeless && message.receives < self.rules.receives_max {
            self.break_off(Broken::Loss, format!("{} was dead-lettered needlessly", short(id)));
        }
    }

    /// The first thing that is not at rest yet, if any.
    pub(super) fn restless(&self) -> Option<String> {
        let region = self.region.lock();
        for queue in [JOB_QUEUE, RECHECK_QUEUE] {
            let left = region.queues.messages(queue).expect("the queue exists").len();
            if left > 0 {
                return Some(format!("{left} messages are left in the queue {queue}"));
            }
        }
        if self.events.next().is_some() || self.next_late().is_some() {
            return Some("an event or an effect is still pending".to_owned());
        }
        let moves = |service: &&crate::control_plane::SimulatedService| {
            service.status != SimulatedServiceStatus::Inactive && !service.steady
        };
        if let Some(service) = region.ecs.services().find(moves) {
            return Some(format!("{} is not steady", service.name));
        }
        drop(region);
        for (service, record) in self.service_records() {
            if record.is_open() {
                return Some(format!("the state store still has an open record of {}: {record:?}", service.name));
            }
        }
        None
    }

    /// Checks the final state, after all jobs have ended and time has passed.
    pub(super) fn check_rest(&mut self) {
        if let Some(restless) = self.restless() {
            return self.break_off(Broken::Convergence, restless);
        }
        let lost =
            self.model.messages.iter().find(|(_, message)| !message.is_done && message.dead_lettered_by.is_empty());
        if let Some((id, _)) = lost {
            let why = format!("{} is no longer in the queue, but was neither done nor dead-lettered", short(id));
            return self.break_off(Broken::Loss, why);
        }
        if let Some(why) = self.protected_in_vain().or_else(|| self.wrong_count()) {
            return self.break_off(Broken::Convergence, why);
        }
        // A job that has reported no end may keep its task, and so block its service, until the protection expires.
        let is_kept = |service: &Option<String>| {
            let mut tasks = self.model.tasks.iter().filter(|task| task.service.is_some() && task.service == *service);
            tasks.any(TaskModel::has_unfinished_job)
        };
        let open = self.model.incidents.iter().find(|(_, alerts)| {
            alerts.is_open && alerts.kind != AlertKind::JobInterrupted && !is_kept(&alerts.service)
        });
        if let Some((incident, _)) = open
            && self.claims_outlast_invocations()
        {
            let why = format!("{incident} was never resolved");
            return self.break_off(Broken::Alerts, why);
        }
        if let Some(why) = self.not_forwarded() {
            self.break_off(Broken::Alerts, why);
        }
    }

    fn protected_in_vain(&self) -> Option<String> {
        let region = self.region.lock();
        let now = region.now();
        for (number, task) in self.model.tasks.iter().enumerate() {
            // A dead-lettered finish may have left its task protected. With a finished-job retention shorter than the
            // queue's, a late heartbeat may have revived a job.
            let is_excused = self.has_dead_lettered(number) || self.rules.finished_job_retention_hours == 1;
            // Only an end releases.
            let is_busy = task.jobs.iter().any(|job| job.is_live_at(now)) || task.has_unfinished_job();
            let real = region.ecs.task(&task.id).filter(|real| real.is_live() && real.is_protected());
            if real.is_some() && task.protection.writer == Writer::Function && !is_busy && !is_excused {
                return Some(format!("t{number} is still protected, although all its jobs have ended"));
            }
        }
        None
    }

    fn wrong_count(&self) -> Option<String> {
        let region = self.region.lock();
        let wrong = self.model.services.iter().find(|(name, service)| {
            let count = &service.count;
            let desired = region.ecs.service(CLUSTER, name).map(|service| service.desired_count);
            !service.is_deleted && !count.is_overruled && desired != Some(count.set_by_others)
        });
        wrong.map(|(name, service)| {
            format!("the desired count of {name} was raised and not put back to {}", service.count.set_by_others)
        })
    }

    fn not_forwarded(&self) -> Option<String> {
        for (number, task) in self.model.tasks.iter().enumerate() {
            for (job, until) in &task.interrupted {
                let job = &task.jobs[*job];
                let key = (job.id.clone(), job.attempt);
                if *until > self.calm_at + 2 * SWEPT_MS && !self.model.forwarded.contains_key(&key) {
                    let (id, attempt) = key;
                    return Some(format!("{id} (attempt {attempt}) was interrupted on t{number}, but not forwarded"));
                }
            }
        }
        None
    }
}
