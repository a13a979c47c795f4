//! The sweep: it finds changes that no message or event has reported, and continues with a recheck when its time
//! runs out.
//!
//! No event reaches the function here, and messages are delivered only when a test does so.

mod calls;
mod compared;

use crate::stage::StagedRegion;
use ecs_sim::control_plane::ServiceSpec;
use ecs_sim::event_source::{EventSource, FunctionAnswer};
use ecs_sim::region::{CLUSTER, EcsCall, EcsCallOutcome, Fault, JOB_QUEUE, RECHECK_QUEUE};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// In seconds.
const MINUTE: i64 = 60;

/// A Region with this many services of two tasks, and the function.
fn services(number: usize) -> StagedRegion {
    let stage = StagedRegion::in_process(ServiceSpec::new(CLUSTER, "web-000", 2), &[]);
    stage.add(number - 1, 2);
    stage
}

impl StagedRegion {
    /// Adds services of this many tasks each.
    fn add(&self, services: usize, tasks: u32) {
        self.create(services, |name| ServiceSpec::new(CLUSTER, name, tasks));
    }

    fn create(&self, services: usize, spec: impl Fn(String) -> ServiceSpec) {
        let ecs = &mut self.region.lock().ecs;
        let first = ecs.services().count();
        for number in first..first + services {
            ecs.create_service(spec(format!("web-{number:03}"))).unwrap();
        }
    }

    fn sweep(&mut self) -> Value {
        self.region.lock().calls.clear();
        self.invoke(r#"{"sweep": {}}"#)["sweep"].clone()
    }

    /// Delivers one batch of a queue, if there is one, and returns the number of messages to retry.
    fn deliver_from(&mut self, queue: &str) -> Option<usize> {
        let source = EventSource::new(queue, 10);
        let batch = source.poll(&mut self.region.lock().queues).unwrap()?;
        let answer = FunctionAnswer::Answered(self.invoke(&batch.event));
        let settled = source.settle(&mut self.region.lock().queues, &batch, &answer).unwrap();
        Some(settled.kept.len())
    }

    /// A worker on a task of the first service reports.
    fn report(&mut self, message_type: &str, task: usize) {
        self.send(&self.message(task, json!({"type": message_type})));
        self.deliver_from(JOB_QUEUE);
    }

    fn alerts(&self) -> Vec<String> {
        let publications = self.region.lock().topics.take_publications();
        publications.into_iter().map(|publication| publication.subject.unwrap()).collect()
    }
}

#[test]
fn a_busy_task_that_lost_its_protection_gets_it_again() {
    let mut stage = services(1);
    stage.report("job.started", 0);
    stage.report("job.started", 1);
    stage.region.lock().ecs.set_own_protection(&stage.tasks[0], None).unwrap();
    let report = stage.sweep();
    assert!(stage.protected(0));
    assert_eq!((&report["tasks"], &report["tasksRepaired"]), (&json!(2), &json!(1)), "{report}");
    assert_eq!(stage.calls("UpdateTaskProtection"), 1);
    let report = stage.sweep();
    assert_eq!((&report["tasks"], &report["tasksRepaired"]), (&json!(2), &json!(0)), "{report}");
    assert_eq!(stage.calls("UpdateTaskProtection"), 0);
}

#[test]
fn a_protection_that_somebody_shortened_is_asked_for_whole() {
    let mut stage = services(1);
    stage.report("job.started", 0);
    stage.region.lock().ecs.set_own_protection(&stage.tasks[0], Some(5)).unwrap();
    stage.sweep();
    stage.advance(10 * MINUTE);
    assert!(stage.protected(0));
}

#[test]
fn the_jobs_of_a_task_that_stopped_without_an_event_are_closed() {
    let mut stage = services(1);
    stage.report("job.started", 0);
    stage.region.lock().ecs.stop_task(&stage.tasks[0]).unwrap();
    stage.advance(2 * MINUTE);
    let report = stage.sweep();
    assert_eq!((&report["tasks"], &report["tasksRepaired"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(stage.calls("UpdateTaskProtection"), 0, "nothing can be asked for it");
    assert_eq!(stage.sweep()["tasks"], 0);
}

#[test]
fn a_release_that_failed_is_tried_again() {
    let mut stage = services(1);
    stage.report("job.started", 0);
    stage.region.lock().faults.push_back(Fault::ServerError);
    stage.report("job.finished", 0);
    assert!(stage.protected(0));
    // The sweep leaves a call alone while it may still take effect.
    stage.advance(3 * MINUTE);
    let report = stage.sweep();
    assert!(!stage.protected(0), "{report}");
}

#[test]
fn a_steady_service_is_described_and_one_with_busy_tasks_is_read_whole() {
    let mut stage = services(2);
    let of_tasks = ["ListTasks", "DescribeTasks", "GetTaskProtection"];
    let report = stage.sweep();
    assert_eq!(report["servicesReconciled"], 2, "{report}");
    assert_eq!((stage.calls("DescribeServices"), of_tasks.map(|call| stage.calls(call))), (1, [0, 0, 0]));
    stage.report("job.started", 0);
    stage.report("job.started", 1);
    stage.sweep();
    // Both tasks are compared with ECS and looked up together; then their service is read.
    assert_eq!((stage.calls("DescribeServices"), of_tasks.map(|call| stage.calls(call))), (2, [1, 2, 2]));
    stage.sweep();
    assert_eq!((stage.calls("DescribeServices"), of_tasks.map(|call| stage.calls(call))), (2, [1, 1, 2]));
}

#[test]
fn where_ecs_does_not_say_whose_a_busy_task_is_every_service_is_read_whole() {
    let mut stage = services(3);
    stage.report("job.started", 0);
    let denied = [Fault::AccessDenied].into();
    stage.region.lock().faults_of.insert("DescribeTasks".to_owned(), denied);
    let report = stage.sweep();
    assert_eq!((&report["servicesReconciled"], &report["failed"]), (&json!(3), &json!(0)), "{report}");
    assert_eq!(stage.calls("ListTasks"), 3);
    stage.sweep();
    assert_eq!(stage.calls("ListTasks"), 1);
}

#[test]
fn services_that_cannot_be_described_together_are_read_one_by_one() {
    let mut stage = services(3);
    stage.region.lock().faults_of.insert("DescribeServices".to_owned(), [Fault::ServerError].into());
    let report = stage.sweep();
    assert_eq!((&report["servicesReconciled"], &report["failed"]), (&json!(3), &json!(0)), "{report}");
    assert_eq!((stage.calls("DescribeServices"), stage.calls("ListTasks")), (4, 3));
}

#[test]
fn a_comparison_that_fails_changes_nothing_and_is_counted() {
    let mut stage = services(1);
    stage.report("job.started", 0);
    stage.region.lock().faults.push_back(Fault::Throttled);
    let report = stage.sweep();
    assert_eq!((&report["failed"], &report["tasksRepaired"]), (&json!(1), &json!(0)), "{report}");
    assert_eq!(stage.calls("UpdateTaskProtection"), 0);
    assert!(stage.protected(0));
}

#[test]
fn the_incident_of_a_service_that_was_deleted_is_resolved() {
    let mut stage = services(1);
    stage.report("job.started", 0);
    stage.region.lock().ecs.deploy(CLUSTER, "web-000").unwrap();
    stage.advance(MINUTE);
    stage.sweep();
    stage.advance(6 * MINUTE);
    stage.sweep();
    let alerts = stage.alerts();
    assert!(alerts.len() == 1 && alerts[0].starts_with("BLOCKED web-000"), "{alerts:?}");
    stage.region.lock().ecs.remove_service(CLUSTER, "web-000").unwrap();
    stage.region.lock().ecs.stop_task(&stage.tasks[0]).unwrap();
    stage.advance(60 * MINUTE);
    stage.sweep();
    let alerts = stage.alerts();
    let [interrupted, resolved] = &alerts[..] else { panic!("{alerts:?}") };
    assert!(interrupted.starts_with("INTERRUPTED web-000"), "{alerts:?}");
    assert!(resolved.starts_with("RESOLVED web-000"), "{alerts:?}");
    stage.sweep();
    assert_eq!(stage.calls("DescribeServices"), 0, "its record is closed");
}

/// The services that were described since the calls were cleared, once for each time.
fn described(stage: &StagedRegion) -> Vec<String> {
    let region = stage.region.lock();
    let calls = region.calls.iter().filter(|call| call.operation == "DescribeServices");
    let named = calls.flat_map(|call| call.request["services"].as_array().unwrap());
    named.map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn rechecks_reconcile_once_each_service_that_a_sweep_had_no_time_for() {
    const SERVICES: usize = 1000;
    let mut stage = services(SERVICES);
    stage.region.lock().latency_ms = 300;
    let report = stage.sweep();
    let (services_reconciled, left) =
        (report["servicesReconciled"].as_u64().unwrap(), report["servicesRemaining"].as_u64().unwrap());
    assert_eq!((services_reconciled + left, &report["continues"]), (SERVICES as u64, &json!(true)), "{report}");
    assert!(services_reconciled > 0 && left > 0, "{report}");
    let mut parts = 1;
    while let Some(kept) = stage.deliver_from(RECHECK_QUEUE) {
        assert_eq!(kept, 0);
        parts += 1;
        assert!(parts < 20, "it goes on for ever");
    }
    let described = described(&stage);
    assert_eq!(described.len(), SERVICES);
    assert_eq!(described.iter().collect::<BTreeSet<_>>().len(), SERVICES);
    assert_eq!(stage.calls("ListServices"), SERVICES / 100, "the rechecks name the services");
    assert!(parts > 3, "{parts} parts");
}

#[test]
fn a_sweep_that_ecs_throttles_waits_and_goes_on_until_every_service_was_seen_whole() {
    const SERVICES: usize = 30;
    let mut stage = services(SERVICES);
    for number in [3, 14, 22] {
        stage.region.lock().ecs.deploy(CLUSTER, &format!("web-{number:03}")).unwrap();
    }
    let throttled = |stage: &StagedRegion, operation: &str| {
        stage.region.lock().faults_of.insert(operation.to_owned(), [Fault::Throttled].into());
    };
    throttled(&stage, "DescribeServices");
    let report = stage.sweep();
    assert_eq!((&report["servicesReconciled"], &report["continues"]), (&json!(0), &json!(true)), "{report}");
    for operation in ["DescribeTasks", "GetTaskProtection", "ListTasks"] {
        assert_eq!(stage.deliver_from(RECHECK_QUEUE), None, "it waits");
        stage.advance(5);
        throttled(&stage, operation);
        assert_eq!(stage.deliver_from(RECHECK_QUEUE), Some(0));
    }
    stage.advance(5);
    assert_eq!(stage.deliver_from(RECHECK_QUEUE), Some(0));
    assert_eq!(described(&stage).iter().collect::<BTreeSet<_>>().len(), SERVICES);
    let region = stage.region.lock();
    let answered = |call: &&EcsCall| matches!(call.outcome, EcsCallOutcome::Answered(Ok(_)));
    let whole = region.calls.iter().filter(|call| call.operation == "GetTaskProtection").filter(answered);
    assert!(whole.count() >= 3, "the protection of its tasks is the last read of a complete snapshot");
}

#[test]
fn a_sweep_that_has_gone_on_for_too_long_is_left_to_those_that_began_later() {
    let mut stage = services(1000);
    stage.region.lock().latency_ms = 300;
    assert_eq!(stage.sweep()["continues"], true);
    stage.region.lock().calls.clear();
    stage.advance(20 * MINUTE);
    assert_eq!(stage.deliver_from(RECHECK_QUEUE), Some(0));
    assert_eq!(described(&stage), [""; 0]);
    assert_eq!(stage.deliver_from(RECHECK_QUEUE), None);
}

#[test]
fn sweeps_begin_at_different_services() {
    let mut stage = services(30);
    let first = |stage: &mut StagedRegion| {
        stage.sweep();
        described(stage)[0].clone()
    };
    let mut started_at = BTreeSet::new();
    for _ in 0..24 {
        started_at.insert(first(&mut stage));
        stage.advance(60 * MINUTE);
    }
    assert!(started_at.len() > 10, "{started_at:?}");
}
