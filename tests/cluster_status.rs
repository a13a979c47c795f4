//! The status of all services of a cluster under failures: a service that cannot be read, too little time, a
//! failing state store, and an answer larger than Lambda allows.

use crate::block_on;
use crate::files::read;
use async_trait::async_trait;
use ecs_sim::doubles::parts::parts;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use taskhold::clock::Clock;
use taskhold::config::settings::Config;
use taskhold::ecs::arn::{ClusterArn, Task, TaskId};
use taskhold::ecs::deployment::{Deployment, DeploymentStatus, RolloutState};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Service, ServiceArn, ServiceStatus};
use taskhold::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use taskhold::ecs::task::TaskDescription;
use taskhold::ecs::{Ecs, ProtectedTask, ProtectionAnswer, ProtectionSetting, ServiceReads};
use taskhold::lambda::function::{Function, Parts};
use taskhold::page::Page;
use taskhold::service::alert::AlertKind;
use taskhold::service::incident::scope::IncidentScope;
use taskhold::service::incident::{Incident, IncidentState};
use taskhold::service::record::{BlockedSince, ServiceRecord, Watch};
use taskhold::store::error::StoreError;
use taskhold::store::memory::MemoryStore;
use taskhold::store::{Changed, Store, StorePages, Stored, Versioned, update};
use taskhold::task::job::{Job, JobKey, Reported};
use taskhold::task::record::TaskRecord;

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";
const OLD: &str = "ecs-svc/1111111111111111111";
const NEW: &str = "ecs-svc/2222222222222222222";
/// Maximum size of a Lambda response ("Lambda quotas": invocation payload).
const LAMBDA_BYTES_MAX: usize = 6 * 1024 * 1024;

fn start() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

fn service(name: &str) -> ServiceArn {
    let cluster: ClusterArn = CLUSTER.parse().unwrap();
    ServiceArn::new(Arc::new(cluster), name).unwrap()
}

/// A clock that only the test advances. Waiting on it yields to other futures.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        after(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now() + SignedDuration::try_from(duration).unwrap();
        while self.now() < until {
            tokio::task::yield_now().await;
        }
    }
}

/// The answer to the first read of a service.
#[derive(Clone, Debug)]
enum ReadAnswer {
    /// This number of tasks, all protected, all of an older deployment.
    Tasks(usize),
    /// Describing the service fails.
    Fail(EcsError),
    /// The service was deleted after it was listed.
    Gone,
    /// Describing the service never returns. Every wait for it takes one second.
    Never,
}

/// An ECS whose services have task ids with distinct first letters.
#[derive(Debug)]
struct LetteredEcs {
    services: Vec<(String, ReadAnswer)>,
    clock: Hand,
    seconds_per_read: AtomicI64,
    reads: AtomicUsize,
    most_reads: AtomicUsize,
    /// In seconds of the clock.
    last_begun: AtomicI64,
}

impl LetteredEcs {
    fn reads(&self, service: &ServiceArn) -> (usize, &ReadAnswer) {
        let at = self.services.iter().position(|(name, _)| *name == service.name).unwrap();
        (at, &self.services[at].1)
    }
}

fn task(service: usize, number: usize) -> TaskId {
    format!("{service:016x}{number:016x}").parse().unwrap()
}

#[async_trait]
impl Ecs for LetteredEcs {
    async fn update_task_protection(
        &self,
        _: &ClusterArn,
        _: ProtectionSetting,
        _: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        panic!("a question changes nothing")
    }
}

ecs_sim::updates_no_services!(LetteredEcs);

#[async_trait]
impl ServiceReads for LetteredEcs {
    async fn describe_services(&self, _: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        let [service] = services else { panic!("{services:?} are described together") };
        let reads = self.reads.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_reads.fetch_max(reads, Ordering::SeqCst);
        self.last_begun.store(self.clock.0.load(Ordering::SeqCst), Ordering::SeqCst);
        let (at, reads) = self.reads(service);
        // Services listed later answer sooner, so that the answers arrive in a different order from the requests.
        for _ in 0..self.services.len() - at {
            tokio::task::yield_now().await;
        }
        self.clock.turn(self.seconds_per_read.load(Ordering::SeqCst));
        let answer = match reads {
            ReadAnswer::Tasks(_) => Ok(vec![deploying(service)]),
            ReadAnswer::Fail(error) => Err(error.clone()),
            ReadAnswer::Gone => Ok(Vec::new()),
            ReadAnswer::Never => loop {
                self.clock.turn(1);
                tokio::task::yield_now().await;
            },
        };
        self.reads.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn list_tasks(&self, service: &ServiceArn, _: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        let (at, ReadAnswer::Tasks(tasks)) = self.reads(service) else { panic!("`{service}` has no tasks") };
        Ok(Page { items: (0..*tasks).map(|number| task(at, number)).collect(), next_token: None })
    }

    async fn describe_tasks(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        let described = |id: &TaskId| TaskDescription {
            id: id.clone(),
            service: None,
            started_by: Some(OLD.to_owned()),
            desired_status: "RUNNING".to_owned(),
            last_status: "RUNNING".to_owned(),
            stop: taskhold::ecs::task::StopCause::default(),
        };
        Ok(tasks.iter().map(described).collect())
    }

    async fn get_task_protection(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        let protected = |id: &TaskId| ProtectedTask {
            task_id: id.clone(),
            protection_enabled: true,
            expiration_date: Some(after(3600)),
        };
        Ok(ProtectionAnswer { protected_tasks: tasks.iter().map(protected).collect(), failures: Vec::new() })
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        panic!("unexpected read of {arns:?}")
    }

    async fn list_services(&self, cluster: &Arc<ClusterArn>, _: Option<&str>) -> Result<Page<ServiceArn>, EcsError> {
        let arn = |(name, _): &(String, ReadAnswer)| ServiceArn::new(cluster.clone(), name).unwrap();
        Ok(Page { items: self.services.iter().map(arn).collect(), next_token: None })
    }
}

/// A deployment that started ten minutes ago, whose own two tasks are running.
fn deploying(arn: &ServiceArn) -> Service {
    let deployment = |id: &str, status, rollout_state| Deployment {
        id: id.to_owned(),
        status,
        rollout_state,
        desired_count: 2,
        running_count: 2,
        pending_count: 0,
        created_at: after(-600),
        updated_at: after(-600),
    };
    Service {
        status: ServiceStatus::Active,
        desired_count: 2,
        running_count: 2,
        deployments: vec![
            deployment(NEW, DeploymentStatus::Primary, RolloutState::InProgress),
            deployment(OLD, DeploymentStatus::Active, RolloutState::Completed),
        ],
        ..Service::gone(arn.clone())
    }
}

/// A state store in memory that fails for the services with these names.
struct PartialStore {
    kept: MemoryStore,
    unreadable: Mutex<Vec<String>>,
}

#[async_trait]
impl Store<TaskRecord> for PartialStore {
    async fn load(&self, task: &Task) -> Result<Versioned<TaskRecord>, StoreError> {
        Store::<TaskRecord>::load(&self.kept, task).await
    }

    async fn put(&self, task: &Task, _: &Versioned<TaskRecord>, _: Timestamp) -> Result<Stored, StoreError> {
        panic!("a question stores nothing about {task}")
    }
}

#[async_trait]
impl Store<ServiceRecord> for PartialStore {
    async fn load(&self, service: &ServiceArn) -> Result<Versioned<ServiceRecord>, StoreError> {
        if self.unreadable.lock().unwrap().contains(&service.name) {
            return Err(StoreError::Unexpected("the table is gone".to_owned()));
        }
        Store::<ServiceRecord>::load(&self.kept, service).await
    }

    async fn put(
        &self,
        service: &ServiceArn,
        _: &Versioned<ServiceRecord>,
        _: Timestamp,
    ) -> Result<Stored, StoreError> {
        panic!("a question stores nothing about {service}")
    }
}

#[async_trait]
impl StorePages<TaskRecord> for PartialStore {
    async fn page(&self, _: Option<&str>) -> Result<Page<(Task, Versioned<TaskRecord>)>, StoreError> {
        panic!("a question does not read all tasks")
    }
}

#[async_trait]
impl StorePages<ServiceRecord> for PartialStore {
    async fn page(&self, _: Option<&str>) -> Result<Page<(ServiceArn, Versioned<ServiceRecord>)>, StoreError> {
        panic!("a question does not read all services")
    }
}

/// The function, and what a test changes of its parts.
struct Fake {
    function: Function,
    ecs: Arc<LetteredEcs>,
    store: Arc<PartialStore>,
    clock: Hand,
}

fn function(services: impl IntoIterator<Item = (String, ReadAnswer)>) -> Fake {
    let clock = Hand::default();
    let ecs = Arc::new(LetteredEcs {
        services: services.into_iter().collect(),
        clock: clock.clone(),
        seconds_per_read: AtomicI64::default(),
        reads: AtomicUsize::default(),
        most_reads: AtomicUsize::default(),
        last_begun: AtomicI64::default(),
    });
    let kept = MemoryStore::new(Arc::new(clock.clone()));
    let store = Arc::new(PartialStore { kept, unreadable: Mutex::default() });
    let config = Config::from_variables([("TASKHOLD_CLUSTERS".to_owned(), CLUSTER.to_owned())]).unwrap();
    let function = Function::new(Parts {
        task_records: store.clone(),
        service_records: store.clone(),
        ..parts(ecs.clone(), Arc::new(clock.clone()), config)
    });
    Fake { function, ecs, store, clock }
}

fn named<const N: usize>(services: [(&str, ReadAnswer); N]) -> Fake {
    function(services.map(|(name, reads)| (name.to_owned(), reads)))
}

/// The answer as the text that Lambda returns, in an invocation of 30 seconds.
fn answer_to(function: &Fake, payload: &str) -> String {
    let (response, _) = block_on(function.function.handle(payload, after(30))).unwrap();
    serde_json::to_string(&response).unwrap()
}

fn ask(function: &Fake, payload: &str) -> Value {
    let answer: Value = serde_json::from_str(&answer_to(function, payload)).unwrap();
    check(&answer);
    answer
}

fn check(answer: &Value) {
    let schema: Value = serde_json::from_str(&read("schemas/answers.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let problems: Vec<String> = validator.iter_errors(answer).take(3).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
}

/// The names of the services in the answer, in order.
fn services_in(answer: &Value) -> Vec<&str> {
    let services = answer["status"]["services"].as_array().unwrap();
    services.iter().map(|service| service["service"].as_str().unwrap().rsplit('/').next().unwrap()).collect()
}

#[test]
fn a_service_that_cannot_be_read_is_reported_with_its_error_beside_the_others() {
    let denied = EcsError::AccessDenied(format!("not authorized\n{}", "x".repeat(10_000)));
    let function = named([("a", ReadAnswer::Tasks(1)), ("b", ReadAnswer::Fail(denied)), ("c", ReadAnswer::Tasks(0))]);
    let answer = ask(&function, r#"{"status": {}}"#);
    assert_eq!(services_in(&answer), ["a", "c"]);
    let failed = &answer["status"]["failed"];
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed}");
    assert_eq!(failed[0]["service"], service("b").to_string());
    assert_eq!(failed[0]["error"]["code"], "ecs-failed");
    let message = failed[0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("not authorized") && message.len() <= 500, "{message}");
    assert_eq!(answer["status"]["more"], false, "the failed service is reported");
}

#[test]
fn a_service_that_was_deleted_since_it_was_listed_is_no_failure() {
    let function = named([("a", ReadAnswer::Tasks(0)), ("b", ReadAnswer::Gone)]);
    let answer = ask(&function, r#"{"status": {}}"#);
    assert_eq!((services_in(&answer), &answer["status"]["failed"]), (vec!["a"], &json!([])));
}

#[test]
fn a_service_that_cannot_be_read_is_the_whole_answer_if_it_alone_is_asked_for() {
    let function = named([("a", ReadAnswer::Fail(EcsError::Throttled))]);
    assert_eq!(ask(&function, r#"{"status": {"service": "a"}}"#)["error"]["code"], "ecs-failed");
}

#[test]
fn several_services_are_read_concurrently_and_reported_in_the_order_of_ecs() {
    let names: Vec<String> = (0..12).map(|number| format!("web-{number:02}")).collect();
    let function = function(names.iter().map(|name| (name.clone(), ReadAnswer::Tasks(1))));
    let answer = ask(&function, r#"{"status": {}}"#);
    assert_eq!(services_in(&answer), names);
    assert_eq!(function.ecs.most_reads.load(Ordering::SeqCst), 4);
}

#[test]
fn no_read_is_begun_shortly_before_the_deadline_and_the_answer_says_that_there_is_more() {
    let function = function((0..40).map(|number| (format!("web-{number}"), ReadAnswer::Tasks(1))));
    function.ecs.seconds_per_read.store(1, Ordering::SeqCst);
    let answer = ask(&function, r#"{"status": {}}"#);
    let services = services_in(&answer).len();
    assert!((24..=28).contains(&services), "{services}");
    assert_eq!((&answer["status"]["more"], &answer["status"]["failed"]), (&json!(true), &json!([])));
    let last_begun = function.ecs.last_begun.load(Ordering::SeqCst);
    assert!((20..=24).contains(&last_begun), "{last_begun}: a call may take six seconds");
    assert!(function.clock.now() < after(30));
    function.clock.turn(30);
    let answer = ask(&function, r#"{"status": {}}"#);
    assert_eq!((services_in(&answer).len(), &answer["status"]["more"]), (0, &json!(true)));
}

#[test]
fn a_read_that_would_last_into_the_deadline_is_given_up_for_the_answer() {
    let function = named([("a", ReadAnswer::Tasks(1)), ("b", ReadAnswer::Never), ("c", ReadAnswer::Tasks(1))]);
    let answer = ask(&function, r#"{"status": {}}"#);
    assert_eq!((services_in(&answer), &answer["status"]["more"]), (vec!["a", "c"], &json!(true)));
    assert!(function.clock.now() < after(30), "{}", function.clock.now());
}

#[test]
fn the_results_of_earlier_reconciles_count_and_are_reported() {
    let function = named([("a", ReadAnswer::Tasks(1)), ("b", ReadAnswer::Tasks(1))]);
    let incident = Incident {
        kind: AlertKind::DeploymentBlocked,
        since: after(-500),
        notified_at: after(-200),
        state: IncidentState::Open,
        attempted: true,
        pending: None,
        scope: IncidentScope::default(),
    };
    let (a, keep_until) = (service("a"), after(100_000));
    let stored = update(&function.store.kept, &a, None, |record: &mut ServiceRecord| {
        record.blocked = Some(BlockedSince { rollout: NEW.to_owned(), since: after(-500) });
        record.watch =
            Some(Watch { rollout: Some(NEW.to_owned()), started_at: after(-600), checks: 3, due: Some(after(60)) });
        record.incidents.insert("video/a/deployment-blocked".to_owned(), incident.clone());
        Changed { result: (), keep_until }
    });
    futures_util::FutureExt::now_or_never(stored).unwrap().unwrap();
    let answer = ask(&function, r#"{"status": {}}"#);
    let [a, b] = answer["status"]["services"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    let text = |at: Timestamp| json!(at);
    assert_eq!((&a["rolloutStatus"], &a["blockedSince"]), (&json!("blocked"), &text(after(-500))));
    assert_eq!((&a["incidents"][0]["notifiedAt"], &a["nextRecheckAt"]), (&text(after(-200)), &text(after(60))));
    assert_eq!((&b["blockedSince"], &b["incidents"]), (&text(start()), &json!([])), "no earlier reconcile has seen it");
    assert!(b.get("nextRecheckAt").is_none());
}

#[test]
fn incidents_that_cannot_be_read_are_a_gap_and_no_empty_list() {
    let function = named([("a", ReadAnswer::Tasks(1)), ("b", ReadAnswer::Tasks(0)), ("c", ReadAnswer::Tasks(0))]);
    *function.store.unreadable.lock().unwrap() = vec!["a".to_owned(), "b".to_owned()];
    let answer = ask(&function, r#"{"status": {}}"#);
    let services = answer["status"]["services"].as_array().unwrap();
    let rollout_status: Vec<&Value> = services.iter().map(|service| &service["rolloutStatus"]).collect();
    assert_eq!(rollout_status, ["blocked", "unknown", "in-progress"], "what earlier reconciles recorded still counts");
    for service in &services[..2] {
        assert!(service.get("incidents").is_none(), "{service}");
        assert_eq!(
            service["gaps"],
            json!(["its incidents could not be read: the state store failed: the table is gone"])
        );
    }
    assert_eq!((&services[2]["incidents"], &services[2]["gaps"]), (&json!([]), &json!([])));
}

/// Three jobs on each of this many tasks. Each job has the longest id and the most labels that a message may have,
/// in the characters that are largest in JSON.
fn fill(function: &Fake, service: usize, tasks: usize) {
    let labels = (0..8).map(|number| (format!("{number}{}", "\u{1}".repeat(63)), "\u{1}".repeat(128))).collect();
    let job = Job {
        started_at: Some(start()),
        declared_until: Some(after(7200)),
        labels: Some(Reported { at: start(), value: labels }),
        ..Job::default()
    };
    let cluster: Arc<ClusterArn> = Arc::new(CLUSTER.parse().unwrap());
    for number in 0..tasks {
        let task = Task { cluster: cluster.clone(), id: task(service, number) };
        let stored = update(&function.store.kept, &task, None, |record: &mut TaskRecord| {
            for attempt in 1..=3 {
                record.merge_job(&JobKey { job_id: "\u{1}".repeat(256), attempt }, &job);
            }
            Changed { result: (), keep_until: after(100_000) }
        });
        futures_util::FutureExt::now_or_never(stored).unwrap().unwrap();
    }
}

/// Asserts that the list and its `…Omitted` count add up to all items.
fn shown_and_omitted(of: &Value, list: &str, all: usize) -> usize {
    let shown = of[list].as_array().unwrap().len();
    let omitted = of.get(format!("{list}Omitted")).map_or(0, |omitted| omitted.as_u64().unwrap());
    assert_eq!(shown + usize::try_from(omitted).unwrap(), all, "{list}");
    shown
}

#[test]
fn an_answer_about_the_largest_service_is_not_larger_than_lambda_allows() {
    let function = named([("a", ReadAnswer::Tasks(5000))]);
    fill(&function, 0, 5000);
    let status = answer_to(&function, r#"{"status": {"service": "a"}}"#);
    let preflight = answer_to(&function, r#"{"preflight": {"service": "a"}}"#);
    println!("{} and {} bytes", status.len(), preflight.len());
    assert!(status.len() < LAMBDA_BYTES_MAX && preflight.len() < LAMBDA_BYTES_MAX);
    let (status, preflight): (Value, Value) =
        (serde_json::from_str(&status).unwrap(), serde_json::from_str(&preflight).unwrap());
    let service = &status["status"]["services"][0];
    check(&status);
    check(&preflight);
    assert!(shown_and_omitted(service, "blockingTasks", 5000) > 1000);
    assert!(shown_and_omitted(service, "protectedTasks", 5000) > 1000);
    assert!(shown_and_omitted(&preflight["preflight"], "blockingTasks", 5000) > 1000);
    let job = &service["blockingTasks"][0]["jobs"][0];
    assert_eq!((&service["blockingTasks"][0]["jobsOmitted"], &job["labelsOmitted"]), (&json!(2), &json!(8)));
}

#[test]
fn an_answer_about_the_largest_cluster_is_not_larger_than_lambda_allows_and_leaves_out_no_service() {
    const TASKS: usize = 150;
    let function =
        function((0..100).map(|number| (format!("{number:03}{}", "x".repeat(252)), ReadAnswer::Tasks(TASKS))));
    (0..100).for_each(|service| fill(&function, service, TASKS));
    let answer = answer_to(&function, r#"{"status": {}}"#);
    println!("{} bytes", answer.len());
    assert!(answer.len() < LAMBDA_BYTES_MAX);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    check(&answer);
    let services = answer["status"]["services"].as_array().unwrap();
    assert_eq!((services.len(), &answer["status"]["more"]), (100, &json!(false)));
    for service in services {
        assert!(shown_and_omitted(service, "blockingTasks", TASKS) > 5);
        assert!(shown_and_omitted(service, "protectedTasks", TASKS) > 5);
        assert_eq!(service["rolloutStatus"], "blocked");
    }
}

#[test]
fn an_answer_that_fits_is_complete() {
    let function = named([("a", ReadAnswer::Tasks(50))]);
    fill(&function, 0, 50);
    let answer = ask(&function, r#"{"status": {}}"#);
    let service = &answer["status"]["services"][0];
    assert_eq!(service["blockingTasks"], service["protectedTasks"]);
    let jobs = service["blockingTasks"][49]["jobs"].as_array().unwrap();
    assert_eq!((jobs.len(), jobs[2]["labels"].as_object().unwrap().len()), (3, 8));
    assert!(!answer.to_string().contains("Omitted"));
}
