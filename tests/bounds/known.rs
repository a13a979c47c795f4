//! Events in the job queue about a service and a task that exist.

use super::{ARN, AttackedService, event};
use crate::files::prose;
use crate::watch::world::{MINUTE, SECOND};
use ecs_sim::region::{CLUSTER, JOB_QUEUE};
use serde_json::{Value, json};

impl AttackedService {
    /// No sweep, and a job of two days on its first task.
    fn with_a_busy_task() -> Self {
        let mut attacked = Self::new();
        attacked.world.delivers.sweep_every = None;
        attacked.job("busy", "job.started", 2880);
        attacked.world.advance(SECOND);
        attacked
    }

    fn stop(&self) -> Value {
        let task = format!("{ARN}:task/{CLUSTER}/{}", self.tasks[0]);
        event("ECS Task State Change", task.clone(), json!({"taskArn": task, "lastStatus": "STOPPED"}))
    }

    fn reads(&mut self) -> u64 {
        self.world.counted().reads()
    }

    /// Sends an event 300 times within a minute, and lets twenty minutes pass. Returns the number of reads.
    fn reads_of_three_hundred(&mut self, event: &Value) -> u64 {
        let before = self.reads();
        for number in 0..300 {
            self.send(event);
            if number % 10 == 9 {
                self.world.advance(2 * SECOND);
            }
        }
        self.world.advance(20 * MINUTE);
        self.reads() - before
    }
}

#[test]
fn three_hundred_events_about_a_service_that_exists_or_stops_of_a_busy_task_cost_the_documented_reads() {
    let begun = event(
        "ECS Service Action",
        format!("{ARN}:service/{CLUSTER}/web"),
        json!({"eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS", "clusterArn": format!("{ARN}:cluster/{CLUSTER}")}),
    );
    let of_service = AttackedService::with_a_busy_task().reads_of_three_hundred(&begun);
    let mut attacked = AttackedService::with_a_busy_task();
    let stop = attacked.stop();
    let of_task = attacked.reads_of_three_hundred(&stop);
    println!("300 events about a service that exists: {of_service} reads; 300 stops of a busy task: {of_task} reads");
    assert!(attacked.is_protected() && attacked.world.dead_lettered().is_empty());
    assert!(
        prose("SECURITY.md").contains(&format!("300 of them within a minute cost {of_service} reads")),
        "{of_service}"
    );
    assert!(prose("SECURITY.md").contains(&format!("300 of them within a minute cost {of_task} reads")), "{of_task}");
}

#[test]
fn stops_of_a_busy_task_are_read_at_the_rate_of_unknown_tasks_delay_no_job_and_are_retried_beyond_it() {
    let mut attacked = AttackedService::with_a_busy_task();
    let (before, began_at) = (attacked.reads(), attacked.world.now());
    for number in 0..40 {
        attacked.send(&attacked.stop());
        attacked.job(&format!("job-{number}"), "job.finished", 60);
        attacked.world.advance(1);
    }
    assert_eq!(attacked.reads() - before, 10, "a burst of ten");
    assert!(attacked.world.now() - began_at < SECOND, "a job waits for a read");
    attacked.world.advance(10 * MINUTE);
    assert!(attacked.world.region.lock().queues.messages(JOB_QUEUE).unwrap().is_empty(), "an event is not done");
    assert!(attacked.is_protected() && attacked.world.dead_lettered().is_empty());
}
