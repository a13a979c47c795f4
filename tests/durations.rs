//! The cost of gathering how long jobs take: which records the function writes, and which calls to ECS it makes.

use crate::watch::store::MeasuredStore;
use ecs_sim::control_plane::{Millis, ServiceSpec, Setup};
use ecs_sim::doubles::clock::{SimulatedClock, timestamp};
use ecs_sim::doubles::ecs::SimulatedEcs;
use ecs_sim::doubles::parts::parts;
use ecs_sim::doubles::settings::config;
use ecs_sim::region::{CLUSTER, Region, SharedRegion};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use taskhold::ecs::service::ServiceArn;
use taskhold::lambda::function::{Function, Parts};
use taskhold::service::record::ServiceRecord;
use taskhold::store::Store;

const MINUTE: Millis = 60_000;
const TASKS: u32 = 60;

/// What a step costs.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    task_writes: usize,
    service_writes: usize,
    calls: usize,
}

/// The function, with a service of [`TASKS`] tasks.
struct Place {
    region: SharedRegion,
    function: Function,
    task_records: Arc<MeasuredStore>,
    service_records: Arc<MeasuredStore>,
    tasks: Vec<String>,
}

impl Place {
    fn new() -> Self {
        let region = SharedRegion::new(Region::new(Setup::default()));
        let tasks = region.lock().ecs.create_service(ServiceSpec::new(CLUSTER, "web", TASKS)).unwrap();
        let config = config(&region.lock(), std::iter::empty::<(&str, &str)>()).unwrap();
        let clock = Arc::new(SimulatedClock(region.clone()));
        let [task_records, service_records] =
            [(); 2].map(|()| Arc::new(MeasuredStore::at(SimulatedClock(region.clone()))));
        let function = Function::new(Parts {
            task_records: task_records.clone(),
            service_records: service_records.clone(),
            ..parts(Arc::new(SimulatedEcs(region.clone())), clock, config)
        });
        Self { region, function, task_records, service_records, tasks }
    }

    fn invoke(&self, payload: &Value) {
        let deadline = timestamp(self.region.lock().now() + MINUTE / 2);
        crate::block_on(self.function.handle(&payload.to_string(), deadline)).unwrap();
    }

    /// A worker on each task reports; each message arrives in an invocation of its own.
    fn report(&self, message_type: &str) {
        for task in &self.tasks {
            let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/{task}");
            self.invoke(&json!({
                "source": "jobs", "detail-type": message_type,
                "detail": {"version": 1, "type": message_type, "jobId": "j", "taskArn": arn, "kind": "encode"},
            }));
        }
    }

    /// The containers of all tasks exit, and ECS reports it.
    fn exit(&self) {
        for task in &self.tasks {
            self.region.lock().ecs.crash_task(task).unwrap();
        }
        self.advance(2 * MINUTE);
        let events = self.region.lock().ecs.take_events();
        let of_tasks = events.iter().filter(|event| event["detail-type"] == "ECS Task State Change");
        let stops = of_tasks.filter(|event| event["detail"]["desiredStatus"] == "STOPPED");
        stops.for_each(|event| self.invoke(event));
    }

    fn sweep(&self) {
        self.invoke(&json!({"sweep": {}}));
    }

    fn advance(&self, by: Millis) {
        let mut region = self.region.lock();
        let until = region.now() + by;
        region.advance_to(until);
    }

    fn cost_of(&self, act: impl FnOnce(&Self)) -> Cost {
        let now = |place: &Self| {
            let writes = [&place.task_records, &place.service_records].map(|it| it.stores.load(Ordering::Relaxed));
            (writes, place.region.lock().calls.len())
        };
        let ([tasks, services], calls) = now(self);
        act(self);
        let ([tasks_after, services_after], calls_after) = now(self);
        Cost { task_writes: tasks_after - tasks, service_writes: services_after - services, calls: calls_after - calls }
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
    let place = Place::new();
    place.report("job.started");
    place.advance(10 * MINUTE);
    let finishes = place.cost_of(|place| place.report("job.finished"));
    assert_eq!(finishes.service_writes, 0);
    assert!(finishes.task_writes > 0, "the finishes arrived");
    // The write that a reconcile makes anyway has them.
    place.region.lock().ecs.deploy(CLUSTER, "web").unwrap();
    let reconcile = place.cost_of(Place::sweep);
    assert_eq!((place.learned(), reconcile.service_writes), (50, 1));
}

#[test]
fn jobs_of_stopped_tasks_cost_no_call_and_one_write_of_the_service_record_for_each_sweep() {
    let place = Place::new();
    let idle = place.cost_of(Place::sweep);
    place.report("job.started");
    place.advance(10 * MINUTE);
    place.report("job.finished");
    let stops = place.cost_of(Place::exit);
    assert_eq!(stops, Cost { task_writes: TASKS as usize, service_writes: 0, calls: 0 });
    place.advance(10 * MINUTE);
    let sweep = place.cost_of(Place::sweep);
    assert_eq!(sweep, Cost { task_writes: TASKS as usize, service_writes: 1, calls: idle.calls });
    assert_eq!(place.learned(), 50, "the last fifty");
    assert_eq!(place.cost_of(Place::sweep), Cost { task_writes: 0, service_writes: 0, calls: idle.calls });
}

#[test]
fn a_stop_event_that_names_a_service_unknown_to_ecs_creates_no_record_of_it() {
    let place = Place::new();
    place.report("job.started");
    place.advance(10 * MINUTE);
    place.report("job.finished");
    let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/{}", place.tasks[0]);
    let event = json!({
        "source": "aws.ecs", "detail-type": "ECS Task State Change",
        "detail": {
            "taskArn": arn, "clusterArn": format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{CLUSTER}"),
            "group": "service:nowhere", "lastStatus": "STOPPED", "desiredStatus": "STOPPED",
        },
    });
    let stop = place.cost_of(|place| place.invoke(&event));
    assert_eq!(stop.task_writes, 1, "the record is marked");
    assert_eq!(place.cost_of(Place::sweep).service_writes, 0);
}
