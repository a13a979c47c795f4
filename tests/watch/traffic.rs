//! What drawn traffic has in common: the world that it begins in, pauses, and the tasks and messages of workers.

use super::world::{SECOND, WatchedWorld};
use ecs_sim::control_plane::{Millis, Setup, TaskStatus, Throttling};
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{CLUSTER, JOB_QUEUE};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Drawn so that the pause is independent of the past.
pub(crate) fn pause(random: &mut fastrand::Rng, mean: Millis) -> Millis {
    let seconds = -(1.0 - random.f64()).ln() * (mean / SECOND) as f64;
    // At most ten times the mean, far below the range of an i64.
    (seconds as Millis).clamp(1, 10 * mean / SECOND) * SECOND
}

impl WatchedWorld {
    /// A world that is swept this often. Finished jobs are retained for one day. That is longer than any message
    /// delay, and keeps the state store small: it reaches its full size after one day.
    pub(crate) fn for_traffic(throttling: Throttling, sweep_every: Millis) -> Self {
        let setup = Setup { throttling, ..Setup::default() };
        let mut world = Self::new(setup, &[("TASKHOLD_FINISHED_JOB_RETENTION_HOURS", "24")]);
        world.sweep_every(sweep_every, 41_000);
        world
    }

    /// The tasks of a service that run and are not asked to stop.
    pub(crate) fn running_tasks(&self, service: &str) -> Vec<String> {
        let region = self.region.lock();
        let tasks = region.ecs.tasks_of(CLUSTER, service);
        let running = tasks.filter(|task| task.is_live() && task.last_status == TaskStatus::Running);
        running.map(|task| task.id.clone()).collect()
    }

    /// Sends a worker's message about a job on this task. Returns the id that SQS gives it.
    pub(crate) fn send_about(&self, task: &str, mut message: Value) -> String {
        let mut region = self.region.lock();
        message["version"] = json!(1);
        message["taskArn"] = json!(region.ecs.task(task).unwrap().arn);
        region.queues.send(JOB_QUEUE, SendMessage::new(serde_json::to_string(&message).unwrap())).unwrap()
    }

    /// Counts the warnings and errors logged since the last call, without the fields, which distinguish the lines.
    pub(crate) fn count_logged(&self, counts: &mut BTreeMap<String, u64>) {
        for line in self.log.take() {
            let words = line.split(' ').take_while(|word| !word.contains('='));
            *counts.entry(words.collect::<Vec<_>>().join(" ")).or_default() += 1;
        }
    }
}
