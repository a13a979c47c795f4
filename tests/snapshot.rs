//! Snapshots of a service when reads fail: each failure leaves its gap, and none looks like "no tasks", "no
//! protection" or "no job". A diagnosis of such a snapshot is never "steady" and never "clear".

use async_trait::async_trait;
use ecs_sim::doubles::clock::SetClock;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use taskhold::clock::Clock;
use taskhold::ecs::arn::{ClusterArn, Task, TaskId};
use taskhold::ecs::deployment::{Deployment, DeploymentStatus, RolloutState};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Service, ServiceArn, ServiceStatus};
use taskhold::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use taskhold::ecs::task::TaskDescription;
use taskhold::ecs::{FailureReason, ProtectedTask, ProtectionAnswer, ProtectionFailure, ServiceReads};
use taskhold::page::Page;
use taskhold::service::blocking_task::ProtectedFor;
use taskhold::service::diagnosis::{Remembered, diagnose};
use taskhold::service::forecast::DiagnosisPolicy;
use taskhold::service::preflight::{PreflightVerdict, preflight};
use taskhold::service::record::ServiceRecord;
use taskhold::service::rollout_status::RolloutStatus;
use taskhold::service::snapshot::read::{TASKS_READ_MAX, read_service};
use taskhold::service::snapshot::{Gap, Jobs, ServiceSnapshot, TaskSnapshot};
use taskhold::service::suggested_action::SuggestedAction;
use taskhold::store::error::StoreError;
use taskhold::store::{Store, Stored, Versioned};
use taskhold::task::job::{Job, JobKey};
use taskhold::task::record::TaskRecord;

const OLD: &str = "ecs-svc/1111111111111111111";
const NEW: &str = "ecs-svc/2222222222222222222";
/// The maximum number of tasks that ECS lists, describes, or returns the protection of in one answer.
const PAGE: usize = 100;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
}

fn id(number: usize) -> TaskId {
    format!("{number:032x}").parse().unwrap()
}

fn web() -> ServiceArn {
    let cluster: ClusterArn = "arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap();
    ServiceArn::new(Arc::new(cluster), "web").unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    Service,
    List,
    Tasks,
    Protection,
}

/// The answer of ECS about the protection of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AnsweredProtection {
    Until(i64),
    None,
    WithoutEnd,
    Refused(FailureReason),
    NotAnswered,
}

#[derive(Clone, Debug)]
struct FakeTask {
    started_by: &'static str,
    desired_status: &'static str,
    protection: AnsweredProtection,
    /// The task stops between the list and its description.
    is_gone: bool,
}

/// An ECS with one service. The `n`-th read of a kind fails if the script says so.
struct FakeEcs {
    service: Option<Service>,
    tasks: Vec<FakeTask>,
    fails: BTreeMap<(Read, usize), EcsError>,
    list_never_ends: bool,
    reads: Mutex<Vec<Read>>,
}

impl FakeEcs {
    fn new(service: Service, tasks: Vec<FakeTask>) -> Self {
        let (fails, reads) = (BTreeMap::new(), Mutex::default());
        Self { service: Some(service), tasks, fails, list_never_ends: false, reads }
    }

    fn failing(mut self, read: Read, number: usize, error: EcsError) -> Self {
        self.fails.insert((read, number), error);
        self
    }

    fn read(&self, read: Read) -> Result<(), EcsError> {
        let mut reads = self.reads.lock().unwrap();
        let number = reads.iter().filter(|earlier| **earlier == read).count();
        reads.push(read);
        self.fails.get(&(read, number)).cloned().map_or(Ok(()), Err)
    }

    fn count(&self, read: Read) -> usize {
        self.reads.lock().unwrap().iter().filter(|made| **made == read).count()
    }

    fn named<'a>(&'a self, ids: &'a [TaskId]) -> impl Iterator<Item = (TaskId, &'a FakeTask)> {
        assert!((1..=PAGE).contains(&ids.len()), "ECS takes 1 to {PAGE} tasks, not {}", ids.len());
        ids.iter().map(|id| (id.clone(), &self.tasks[usize::from_str_radix(id.as_str(), 16).unwrap()]))
    }
}

#[async_trait]
impl ServiceReads for FakeEcs {
    async fn describe_services(&self, _: &ClusterArn, _: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        self.read(Read::Service).map(|()| self.service.clone().into_iter().collect())
    }

    async fn list_tasks(&self, _: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        self.read(Read::List)?;
        if self.list_never_ends {
            return Ok(Page { items: Vec::new(), next_token: Some("again".to_owned()) });
        }
        let from = next_token.map_or(0, |token| token.parse().unwrap());
        let to = (from + PAGE).min(self.tasks.len());
        let next_token = (to < self.tasks.len()).then(|| to.to_string());
        Ok(Page { items: (from..to).map(id).collect(), next_token })
    }

    async fn describe_tasks(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        self.read(Read::Tasks)?;
        let described = self.named(tasks).filter(|(_, task)| !task.is_gone).map(|(id, task)| TaskDescription {
            id,
            service: None,
            started_by: Some(task.started_by.to_owned()),
            last_status: "RUNNING".to_owned(),
            desired_status: task.desired_status.to_owned(),
            stop: taskhold::ecs::task::StopCause::default(),
        });
        Ok(described.collect())
    }

    async fn get_task_protection(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        self.read(Read::Protection)?;
        let mut answer = ProtectionAnswer::default();
        for (task_id, task) in self.named(tasks) {
            let (protection_enabled, expiration_date) = match &task.protection {
                AnsweredProtection::Until(minute) => (true, Some(at(*minute))),
                AnsweredProtection::None => (false, None),
                AnsweredProtection::WithoutEnd => (true, None),
                AnsweredProtection::NotAnswered => continue,
                AnsweredProtection::Refused(reason) => {
                    answer.failures.push(ProtectionFailure { task_id, reason: reason.clone(), detail: None });
                    continue;
                }
            };
            answer.protected_tasks.push(ProtectedTask { task_id, protection_enabled, expiration_date });
        }
        Ok(answer)
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        panic!("unexpected read of {arns:?}")
    }

    async fn list_services(&self, cluster: &Arc<ClusterArn>, _: Option<&str>) -> Result<Page<ServiceArn>, EcsError> {
        panic!("a snapshot of one service does not list those of {cluster:?}");
    }
}

/// A state store in which every task has one job until the 90th minute, except the tasks that it cannot read.
#[derive(Default)]
struct FakeStore {
    fails_for: BTreeSet<TaskId>,
    loads: Mutex<usize>,
}

fn store_error() -> StoreError {
    StoreError::Unexpected("the table is gone".to_owned())
}

#[async_trait]
impl Store<TaskRecord> for FakeStore {
    async fn load(&self, task: &Task) -> Result<Versioned<TaskRecord>, StoreError> {
        *self.loads.lock().unwrap() += 1;
        if self.fails_for.contains(&task.id) {
            return Err(store_error());
        }
        let job =
            Job { started_at: Some(at(0)), declared_until: Some(at(90)), reported_at: Some(at(0)), ..Job::default() };
        let mut record = TaskRecord::default();
        record.merge_job(&JobKey { job_id: "j".to_owned(), attempt: 1 }, &job);
        Ok(Versioned { record, version: 1 })
    }

    async fn put(&self, task: &Task, _: &Versioned<TaskRecord>, _: Timestamp) -> Result<Stored, StoreError> {
        panic!("a snapshot stores nothing about {task}");
    }
}

fn task(started_by: &'static str, protection: AnsweredProtection) -> FakeTask {
    FakeTask { started_by, desired_status: "RUNNING", protection, is_gone: false }
}

fn deployment(id: &str, status: DeploymentStatus, running: usize) -> Deployment {
    let count = u32::try_from(running).unwrap();
    let is_new = id == NEW;
    Deployment {
        id: id.to_owned(),
        status,
        rollout_state: if is_new { RolloutState::InProgress } else { RolloutState::Completed },
        desired_count: count,
        running_count: count,
        pending_count: 0,
        created_at: at(if is_new { 30 } else { 0 }),
        updated_at: at(if is_new { 30 } else { 0 }),
    }
}

fn service(desired: usize, deployments: Vec<Deployment>) -> Service {
    let count = u32::try_from(desired).unwrap();
    Service {
        status: ServiceStatus::Active,
        desired_count: count,
        running_count: count,
        deployments,
        ..Service::gone(web())
    }
}

/// All tasks belong to one deployment; every tenth task is protected.
fn steady(tasks: usize) -> FakeEcs {
    let protection = |number: usize| {
        if number.is_multiple_of(10) { AnsweredProtection::Until(95) } else { AnsweredProtection::None }
    };
    let service = service(tasks, vec![deployment(OLD, DeploymentStatus::Primary, tasks)]);
    FakeEcs::new(service, (0..tasks).map(|number| task(OLD, protection(number))).collect())
}

/// A deployment that waits only for the protected tasks of the old one, which are last in the list.
fn blocked(new: usize, old: usize) -> FakeEcs {
    let deployments =
        vec![deployment(NEW, DeploymentStatus::Primary, new), deployment(OLD, DeploymentStatus::Active, old)];
    let mut tasks = vec![task(NEW, AnsweredProtection::None); new];
    tasks.extend(vec![task(OLD, AnsweredProtection::Until(95)); old]);
    FakeEcs::new(service(new, deployments), tasks)
}

async fn snapshot_of(ecs: &FakeEcs) -> ServiceSnapshot {
    snapshot_with(ecs, &FakeStore::default()).await
}

async fn snapshot_with(ecs: &FakeEcs, store: &FakeStore) -> ServiceSnapshot {
    let clock = SetClock::at(at(60));
    let snapshot = read_service(ecs, store, &clock, &web(), &ServiceRecord::default()).await.unwrap().unwrap();
    assert_eq!(clock.now(), at(60), "a snapshot does not wait");
    snapshot
}

fn policy() -> DiagnosisPolicy {
    DiagnosisPolicy {
        deadline: SignedDuration::from_hours(3),
        linger: SignedDuration::ZERO,
        function: Some("taskhold".into()),
    }
}

/// Diagnoses a snapshot with a gap: nothing is declared healthy, and no finding is lost.
fn judged_with_care(snapshot: &ServiceSnapshot, name: &str) {
    assert!(!snapshot.gaps.is_empty(), "{name}");
    let diagnosis = diagnose(snapshot, Remembered::default(), &policy());
    let gaps: Vec<String> = snapshot.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(diagnosis.gaps, gaps, "{name}: every gap is reported");
    match diagnosis.rollout_status {
        RolloutStatus::Unknown => assert_eq!(diagnosis.blocking_tasks.len(), 0, "{name}: {diagnosis:?}"),
        RolloutStatus::Blocked | RolloutStatus::WillBlock => {
            assert_ne!(diagnosis.blocking_tasks.len(), 0, "{name}: {diagnosis:?}")
        }
        RolloutStatus::Steady | RolloutStatus::InProgress | RolloutStatus::Paused => {
            panic!("{name} looks in order: {diagnosis:?}")
        }
    }
    let ahead = preflight(snapshot, &policy());
    assert_eq!(ahead.verdict, PreflightVerdict::Unknown, "{name}: {ahead:?}");
    assert_eq!(ahead.gaps, gaps, "{name}: every gap is reported");
    assert_eq!(ahead.blocking_tasks.len(), snapshot.protected().count(), "{name}: every protected task is reported");
}

fn errors() -> [EcsError; 3] {
    [EcsError::Throttled, EcsError::Server("HTTP 500".to_owned()), EcsError::NoAnswer("timed out".to_owned())]
}

#[tokio::test]
async fn a_snapshot_without_gaps_has_every_task_its_protection_and_its_jobs() {
    let ecs = steady(250);
    let store = FakeStore::default();
    let snapshot = snapshot_with(&ecs, &store).await;
    assert_eq!((snapshot.at, snapshot.tasks.len(), &snapshot.gaps), (at(60), 250, &vec![]));
    let order: Vec<TaskId> = snapshot.tasks.iter().map(|task| task.id.clone()).collect();
    assert_eq!(order, (0..250).map(id).collect::<Vec<_>>(), "in the order of ECS");
    for (number, task) in snapshot.tasks.iter().enumerate() {
        let until = number.is_multiple_of(10).then(|| at(95));
        assert_eq!(task.protected_until, until, "task {number}");
        assert_eq!(matches!(task.jobs, Jobs::Known(_)), until.is_some(), "task {number}: only these are looked up");
    }
    assert_eq!(*store.loads.lock().unwrap(), 25);
    let counts = [Read::Service, Read::List, Read::Tasks, Read::Protection].map(|read| ecs.count(read));
    assert_eq!(counts, [1, 3, 3, 3]);
    assert_eq!(diagnose(&snapshot, Remembered::default(), &policy()).rollout_status, RolloutStatus::Steady);
    assert_eq!(preflight(&snapshot, &policy()).verdict, PreflightVerdict::Waits);
    let snapshot = snapshot_of(&blocked(2, 1)).await;
    assert_eq!(diagnose(&snapshot, Remembered::default(), &policy()).rollout_status, RolloutStatus::Blocked);
}

#[tokio::test]
async fn a_service_that_could_not_be_described_is_an_error_and_not_an_absent_service() {
    for error in errors() {
        let ecs = steady(2).failing(Read::Service, 0, error.clone());
        let seen =
            read_service(&ecs, &FakeStore::default(), &SetClock::at(at(60)), &web(), &ServiceRecord::default()).await;
        assert_eq!(seen, Err(error));
        assert_eq!(ecs.reads.lock().unwrap().len(), 1, "nothing else is asked");
    }
    let absent = FakeEcs { service: None, ..steady(2) };
    assert_eq!(
        read_service(&absent, &FakeStore::default(), &SetClock::at(at(60)), &web(), &ServiceRecord::default()).await,
        Ok(None)
    );
}

#[tokio::test]
async fn every_read_that_fails_on_any_page_leaves_its_gap_and_is_never_taken_for_an_answer() {
    let gap = |read, error| match read {
        Read::List => Gap::Tasks(error),
        Read::Tasks => Gap::Descriptions(error),
        Read::Protection => Gap::Protection(error),
        Read::Service => unreachable!("that is an error"),
    };
    for read in [Read::List, Read::Tasks, Read::Protection] {
        for page in 0..3 {
            for error in errors() {
                for (name, ecs) in [("steady", steady(250)), ("blocked", blocked(150, 100))] {
                    let name = format!("{name}, {read:?} {page}, {error}");
                    let snapshot = snapshot_of(&ecs.failing(read, page, error.clone())).await;
                    assert_eq!(snapshot.gaps, [gap(read, error.clone())], "{name}");
                    judged_with_care(&snapshot, &name);
                }
            }
        }
    }
}

#[tokio::test]
async fn pages_that_were_read_stay_when_another_page_fails() {
    let snapshot = snapshot_of(&steady(250).failing(Read::List, 1, EcsError::Throttled)).await;
    assert_eq!((snapshot.tasks.len(), snapshot.protected().count()), (100, 10), "the list ends at its failed page");
    let snapshot = snapshot_of(&steady(250).failing(Read::Tasks, 1, EcsError::Throttled)).await;
    assert_eq!((snapshot.tasks.len(), snapshot.protected().count()), (150, 15), "the third page is read all the same");
    let snapshot = snapshot_of(&steady(250).failing(Read::Protection, 0, EcsError::Throttled)).await;
    assert_eq!((snapshot.tasks.len(), snapshot.protected().count()), (250, 15));
    let blocked = snapshot_of(&blocked(150, 100).failing(Read::Protection, 0, EcsError::Throttled)).await;
    assert_eq!(
        diagnose(&blocked, Remembered::default(), &policy()).blocking_tasks.len(),
        100,
        "blocking tasks that were read are kept"
    );
}

#[tokio::test]
async fn when_all_reads_fail_every_gap_is_reported() {
    let mut ecs = steady(250);
    for page in 0..3 {
        ecs = ecs.failing(Read::Tasks, page, EcsError::Throttled);
    }
    let snapshot = snapshot_of(&ecs.failing(Read::List, 2, EcsError::Throttled)).await;
    let expected = [
        Gap::Tasks(EcsError::Throttled),
        Gap::Descriptions(EcsError::Throttled),
        Gap::Descriptions(EcsError::Throttled),
    ];
    assert_eq!(snapshot.gaps, expected);
    judged_with_care(&snapshot, "everything");
}

#[tokio::test]
async fn a_protection_that_ecs_does_not_tell_is_a_gap_and_not_no_protection() {
    for (protection, says) in [
        (AnsweredProtection::NotAnswered, "only `nothing`"),
        (AnsweredProtection::WithoutEnd, "only `protected, and no end`"),
        (AnsweredProtection::Refused(FailureReason::Other("FROM_THE_FUTURE".to_owned())), "only `FROM_THE_FUTURE`"),
        (AnsweredProtection::Refused(FailureReason::TaskNotValid), "only `TASK_NOT_VALID`"),
    ] {
        let mut ecs = blocked(2, 1);
        ecs.tasks[2].protection = protection.clone();
        let snapshot = snapshot_of(&ecs).await;
        let [Gap::Protection(EcsError::Incomplete(text))] = snapshot.gaps.as_slice() else {
            panic!("{protection:?}: {:?}", snapshot.gaps)
        };
        assert!(text.contains(id(2).as_str()) && text.ends_with(says), "{text}");
        judged_with_care(&snapshot, &format!("{protection:?}"));
    }
}

#[tokio::test]
async fn tasks_that_are_gone_or_stopping_hold_nothing_up_and_are_no_gap() {
    let mut ecs = blocked(2, 3);
    ecs.tasks[2].is_gone = true;
    ecs.tasks[3].desired_status = "STOPPED";
    ecs.tasks[4].protection = AnsweredProtection::Refused(FailureReason::Missing);
    let snapshot = snapshot_of(&ecs).await;
    assert_eq!((snapshot.tasks.len(), snapshot.protected().count(), &snapshot.gaps), (3, 0, &vec![]));
    assert_eq!(diagnose(&snapshot, Remembered::default(), &policy()).rollout_status, RolloutStatus::InProgress);
}

#[tokio::test]
async fn a_store_that_fails_is_a_gap_and_the_task_is_neither_idle_nor_foreign() {
    let store = FakeStore { fails_for: BTreeSet::from([id(2)]), ..FakeStore::default() };
    let snapshot = snapshot_with(&blocked(2, 2), &store).await;
    assert_eq!(snapshot.gaps, [Gap::Jobs(store_error())]);
    let jobs: Vec<&Jobs> =
        snapshot.tasks.iter().filter(|task| task.protected_until.is_some()).map(|t| &t.jobs).collect();
    assert!(matches!(jobs.as_slice(), [Jobs::Unread, Jobs::Known(known)] if known.len() == 1), "{jobs:?}");
    judged_with_care(&snapshot, "the state store");
    let diagnosis = diagnose(&snapshot, Remembered::default(), &policy());
    let held: Vec<_> = diagnosis
        .blocking_tasks
        .iter()
        .map(|blocking_task| (&blocking_task.task, &blocking_task.protected_for))
        .collect();
    assert!(matches!(held.as_slice(), [(_, ProtectedFor::Unknown), (_, ProtectedFor::Jobs(_))]), "{held:?}");
    assert!(
        !diagnosis.suggested_actions.iter().any(|way| matches!(way, SuggestedAction::ReleaseIdle { .. })),
        "{diagnosis:?}"
    );
    assert_eq!(diagnosis.forecast.unwrap().by_jobs, at(95), "an unknown end counts to the end of the protection");
    let steady = snapshot_with(&steady(3), &FakeStore { fails_for: BTreeSet::from([id(0)]), ..store }).await;
    judged_with_care(&steady, "the state store, of a steady service");
}

#[tokio::test]
async fn a_partial_snapshot_can_be_enough_for_a_negative_answer() {
    let mut ecs = steady(150);
    ecs.tasks[0].protection = AnsweredProtection::Until(60 + 181);
    let store = FakeStore { fails_for: BTreeSet::from([id(0)]), ..FakeStore::default() };
    let snapshot = snapshot_with(&ecs.failing(Read::Protection, 1, EcsError::Throttled), &store).await;
    assert_eq!(snapshot.gaps, [Gap::Protection(EcsError::Throttled), Gap::Jobs(store_error())]);
    assert_eq!(preflight(&snapshot, &policy()).verdict, PreflightVerdict::MissesDeadline);
    let mut ecs = steady(150);
    let deployments = (0..5).map(|_| deployment(OLD, DeploymentStatus::Active, 30)).collect();
    ecs.service = Some(service(150, deployments));
    let snapshot = snapshot_of(&ecs.failing(Read::List, 0, EcsError::Throttled)).await;
    assert_eq!(preflight(&snapshot, &policy()).verdict, PreflightVerdict::Refused);
}

#[tokio::test]
async fn as_many_tasks_as_ecs_allows_are_seen_and_more_are_a_gap() {
    let full = steady(TASKS_READ_MAX);
    let snapshot = snapshot_of(&full).await;
    assert_eq!((snapshot.tasks.len(), &snapshot.gaps), (TASKS_READ_MAX, &vec![]));
    let over = steady(TASKS_READ_MAX + 1);
    let snapshot = snapshot_of(&over).await;
    assert_eq!(snapshot.gaps, [Gap::TooManyTasks(TASKS_READ_MAX)]);
    assert_eq!(snapshot.tasks.len(), TASKS_READ_MAX);
    judged_with_care(&snapshot, "more tasks than are read");
    for ecs in [full, over] {
        let counts = [Read::Service, Read::List, Read::Tasks, Read::Protection].map(|read| ecs.count(read));
        assert_eq!(counts, [1, 50, 50, 50]);
    }
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up_and_is_a_gap() {
    let ecs = FakeEcs { list_never_ends: true, ..steady(2) };
    let snapshot = snapshot_of(&ecs).await;
    assert_eq!(ecs.count(Read::List), 100);
    let failure = "ListTasks answered 100 pages with 0 tasks and reported more";
    assert_eq!(snapshot.gaps, [Gap::Tasks(EcsError::Incomplete(failure.to_owned()))]);
    judged_with_care(&snapshot, "a list without an end");
}

#[tokio::test]
async fn a_service_without_tasks_is_seen_without_a_gap_and_without_a_read_for_nothing() {
    let ecs = steady(0);
    let snapshot = snapshot_of(&ecs).await;
    assert_eq!((snapshot.tasks, snapshot.gaps), (Vec::<TaskSnapshot>::new(), vec![]));
    assert_eq!(*ecs.reads.lock().unwrap(), [Read::Service, Read::List]);
}
