//! The cost of gathering how long jobs take: which records the function writes, and which calls to ECS it makes.

use crate::stage::StagedRegion;
use crate::watch::store::MeasuredStore;
use ecs_sim::control_plane::ServiceSpec;
use ecs_sim::doubles::clock::SimulatedClock;
use ecs_sim::region::CLUSTER;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use taskhold::ecs::service::ServiceArn;
use taskhold::lambda::function::{Function, Parts};
use taskhold::service::record::ServiceRecord;
use taskhold::store::Store;

const TASKS: u32 = 60;

/// What a step costs.
#[derive(Debug, PartialEq, Eq)]
struct StepCost {
    task_writes: usize,
    service_writes: usize,
    calls: usize,
}

/// The function, with a service of [`TASKS`] tasks and measured stores.
struct MeasuredFunction {
    stage: StagedRegion<Function>,
    task_records: Arc<MeasuredStore>,
    service_records: Arc<MeasuredStore>,
}

impl MeasuredFunction {
    fn new() -> Self {
        let mut stores = None;
        let stage = StagedRegion::of_parts(ServiceSpec::new(CLUSTER, "web", TASKS), &[], |region, parts| {
            let [tasks, services] = [(); 2].map(|()| Arc::new(MeasuredStore::at(SimulatedClock(region.clone()))));
            stores = Some((tasks.clone(), services.clone()));
            Parts { task_records: tasks, service_records: services, ..parts }
        });
        let (task_records, service_records) = stores.unwrap();
        Self { stage, task_records, service_records }
    }

    /// A worker on each task reports; each message arrives in an invocation of its own.
    fn report(&self, message_type: &str) {
        for task in 0..self.stage.tasks.len() {
            let detail = self.stage.job_message(task, json!({"type": message_type, "kind": "encode"}));
            self.stage.invoke(&json!({"source": "jobs", "detail-type": message_type, "detail": detail}));
        }
    }

    /// The containers of all tasks exit, and ECS reports it.
    fn exit(&self) {
        for task in &self.stage.tasks {
            self.stage.region.lock().ecs.crash_task(task).unwrap();
        }
        self.stage.advance(2 * 60);
        let events = self.stage.region.lock().ecs.take_events();
        let of_tasks = events.iter().filter(|event| event["detail-type"] == "ECS Task State Change");
        let stops = of_tasks.filter(|event| event["detail"]["desiredStatus"] == "STOPPED");
        stops.for_each(|event| drop(self.stage.invoke(event)));
    }

    fn sweep(&self) {
        self.stage.invoke(&json!({"sweep": {}}));
    }

    fn cost_of(&self, act: impl FnOnce(&Self)) -> StepCost {
        let now = |measured: &Self| {
            let writes =
                [&measured.task_records, &measured.service_records].map(|it| it.stores.load(Ordering::Relaxed));
            (writes, measured.stage.region.lock().calls.len())
        };
        let ([tasks, services], calls) = now(self);
        act(self);
        let ([tasks_after, services_after], calls_after) = now(self);
        StepCost {
            task_writes: tasks_after - tasks,
            service_writes: services_after - services,
            calls: calls_after - calls,
        }
    }

    /// The number of durations that the service has learned.
    fn learned(&self) -> usize {
        let arn: ServiceArn = format!("arn:aws:ecs:eu-west-1:111122223333:service/{CLUSTER}/web").parse().unwrap();
        let record: ServiceRecord = crate::block_on(self.service_records.load(&arn)).unwrap().record;
        serde_json::to_value(&record.durations).unwrap()["encode"].as_array().map_or(0, Vec::len)
    }
}

#[test]
fn a_finished_job_costs_no_write_of_the_service_record() {
    let measured = MeasuredFunction::new();
    measured.report("job.started");
    measured.stage.advance(10 * 60);
    let finishes = measured.cost_of(|measured| measured.report("job.finished"));
    assert_eq!(finishes.service_writes, 0);
    assert!(finishes.task_writes > 0, "the finishes arrived");
    // The write that a reconcile makes anyway has them.
    measured.stage.region.lock().ecs.deploy(CLUSTER, "web").unwrap();
    let reconcile = measured.cost_of(MeasuredFunction::sweep);
    assert_eq!((measured.learned(), reconcile.service_writes), (50, 1));
}

#[test]
fn jobs_of_stopped_tasks_cost_no_call_and_one_write_of_the_service_record_for_each_sweep() {
    let measured = MeasuredFunction::new();
    let idle = measured.cost_of(MeasuredFunction::sweep);
    measured.report("job.started");
    measured.stage.advance(10 * 60);
    measured.report("job.finished");
    let stops = measured.cost_of(MeasuredFunction::exit);
    assert_eq!(stops, StepCost { task_writes: TASKS as usize, service_writes: 0, calls: 0 });
    measured.stage.advance(10 * 60);
    let sweep = measured.cost_of(MeasuredFunction::sweep);
    assert_eq!(sweep, StepCost { task_writes: TASKS as usize, service_writes: 1, calls: idle.calls });
    assert_eq!(measured.learned(), 50, "the last fifty");
    assert_eq!(
        measured.cost_of(MeasuredFunction::sweep),
        StepCost { task_writes: 0, service_writes: 0, calls: idle.calls }
    );
}

#[test]
fn a_stop_event_that_names_a_service_unknown_to_ecs_creates_no_record_of_it() {
    let measured = MeasuredFunction::new();
    measured.report("job.started");
    measured.stage.advance(10 * 60);
    measured.report("job.finished");
    let event = json!({
        "source": "aws.ecs", "detail-type": "ECS Task State Change",
        "detail": {
            "taskArn": measured.stage.arn(0), "clusterArn": format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{CLUSTER}"),
            "group": "service:nowhere", "lastStatus": "STOPPED", "desiredStatus": "STOPPED",
        },
    });
    let stop = measured.cost_of(|measured| drop(measured.stage.invoke(&event)));
    assert_eq!(stop.task_writes, 1, "the record is marked");
    assert_eq!(measured.cost_of(MeasuredFunction::sweep).service_writes, 0);
}
