//! Tests of the reconcile against an ECS with scripted answers and a clock with scripted progress.

use super::*;
use crate::budget::CALL_TIME;
use crate::config::clusters::Clusters;
use crate::ecs::FailureReason;
use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::service::{Service, ServiceArn};
use crate::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use crate::ecs::task::{StopCause, TaskDescription};
use crate::ecs::{Ecs, ProtectedTask, ProtectionAnswer, ProtectionSetting, ServiceReads, ServiceUpdates};
use crate::metrics::Counts;
use crate::page::Page;
use crate::store::error::StoreError;
use crate::store::memory::MemoryStore;
use crate::task::agent_protection::AgentProtection;
use crate::task::change::{RefusedBefore, ReleaseRule};
use crate::task::interruption::{StopStage, TaskStop};
use crate::task::job::{Job, JobKey, JobReport, Reported};
use crate::task::protection::Call;
use crate::task::protection::{ProtectionRequest, Refusal};
use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::SignedDuration;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
}

fn millis_of(moment: Timestamp) -> i64 {
    moment.as_millisecond() - at(0).as_millisecond()
}

fn minutes(minutes: i64) -> Timestamp {
    at(minutes * 60_000)
}

/// A clock that advances while a caller sleeps, and by `tick` whenever it is read.
#[derive(Clone, Debug)]
struct Watchmaker {
    now: Arc<Mutex<Timestamp>>,
    tick: SignedDuration,
}

impl Watchmaker {
    fn goes_on(&self, by: SignedDuration) -> Timestamp {
        let mut now = self.now.lock().unwrap();
        *now += by;
        *now
    }
}

#[async_trait]
impl Clock for Watchmaker {
    fn now(&self) -> Timestamp {
        self.goes_on(self.tick)
    }

    async fn sleep(&self, duration: Duration) {
        self.goes_on(SignedDuration::try_from(duration).unwrap());
    }
}

type Answers<'a> = dyn Fn(usize, &[TaskId]) -> Result<(), EcsError> + Send + Sync + 'a;

/// Answers its calls, counted from 0, as `answers` says, and records the time of each call and its number of
/// tasks. A call that is not rejected as a whole grants each task a different end.
struct AnsweringEcs<'a> {
    clock: &'a Watchmaker,
    answers: Box<Answers<'a>>,
    calls: Mutex<Vec<(i64, usize)>>,
}

/// Until when [`AnsweringEcs`] protects a task: two hours, and a minute more for each task before it.
fn granted_until(id: &TaskId) -> Timestamp {
    minutes(120 + i64::from_str_radix(id.as_str(), 16).unwrap())
}

#[async_trait]
impl Ecs for AnsweringEcs<'_> {
    async fn update_task_protection(
        &self,
        _: &ClusterArn,
        _: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push((millis_of(*self.clock.now.lock().unwrap()), tasks.len()));
            calls.len() - 1
        };
        (self.answers)(number, tasks)?;
        Ok(protected(tasks))
    }
}

/// It knows every task except number 9, takes two seconds to answer, and reports each protected as it grants it.
#[async_trait]
impl ServiceReads for AnsweringEcs<'_> {
    async fn describe_services(&self, _: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        panic!("unexpected read of {services:?}")
    }

    async fn list_tasks(&self, service: &ServiceArn, _: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        panic!("unexpected list of the tasks of {service}")
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        panic!("unexpected read of {arns:?}")
    }

    async fn list_services(&self, _: &Arc<ClusterArn>, _: Option<&str>) -> Result<Page<ServiceArn>, EcsError> {
        panic!("unexpected list of services")
    }

    async fn describe_tasks(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        self.clock.goes_on(SignedDuration::from_secs(2));
        let running = |id: &TaskId| TaskDescription {
            id: id.clone(),
            service: None,
            started_by: None,
            last_status: "RUNNING".to_owned(),
            desired_status: "RUNNING".to_owned(),
            stop: StopCause::default(),
        };
        Ok(tasks.iter().filter(|id| **id != task(9).id).map(running).collect())
    }

    async fn get_task_protection(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        Ok(protected(tasks))
    }
}

#[async_trait]
impl ServiceUpdates for AnsweringEcs<'_> {
    async fn set_desired_count(&self, service: &ServiceArn, _: u32) -> Result<(), EcsError> {
        panic!("unexpected update of {service}")
    }
}

fn protected(tasks: &[TaskId]) -> ProtectionAnswer {
    let granted = |id: &TaskId| ProtectedTask {
        task_id: id.clone(),
        protection_enabled: true,
        expiration_date: Some(granted_until(id)),
    };
    ProtectionAnswer { protected_tasks: tasks.iter().map(granted).collect(), failures: Vec::new() }
}

fn watchmaker() -> Watchmaker {
    Watchmaker { now: Arc::new(Mutex::new(at(0))), tick: SignedDuration::ZERO }
}

fn task(number: usize) -> Task {
    Clusters::new(vec![CLUSTER.parse().unwrap()]).unwrap().task_in("video", &format!("{number:032x}")).unwrap()
}

fn key(id: &str) -> JobKey {
    JobKey { job_id: id.to_owned(), attempt: 1 }
}

fn job(until: Timestamp) -> Job {
    Job { started_at: Some(at(0)), declared_until: Some(until), reported_at: Some(at(0)), ..Job::default() }
}

/// A job of one hour starts on the task.
fn starts(number: usize) -> TaskChange {
    TaskChange { jobs: vec![JobReport { key: key("j"), job: job(minutes(60)) }], ..TaskChange::none(task(number)) }
}

/// Runs a reconcile with this state store, this clock and these answers, with the given milliseconds left.
fn carried_out<'a, L: Store<TaskRecord>>(
    store: &L,
    clock: &'a Watchmaker,
    changes: Vec<TaskChange>,
    millis_to_go: i64,
    answers: Box<Answers<'a>>,
) -> (Vec<TaskState>, Vec<(i64, usize)>) {
    let config = Config::from_variables([("TASKHOLD_CLUSTERS".to_owned(), CLUSTER.to_owned())]).unwrap();
    carried_out_by(&config, store, clock, changes, millis_to_go, answers)
}

fn carried_out_by<'a, L: Store<TaskRecord>>(
    config: &Config,
    store: &L,
    clock: &'a Watchmaker,
    changes: Vec<TaskChange>,
    millis_to_go: i64,
    answers: Box<Answers<'a>>,
) -> (Vec<TaskState>, Vec<(i64, usize)>) {
    let ecs = AnsweringEcs { clock, answers, calls: Mutex::default() };
    let reconcile = Reconcile {
        ecs: &ecs,
        store,
        clock,
        config,
        rate_limit: &RateLimit::default(),
        lookups: &RateLimit::of_lookups(),
        budget: Budget { deadline: at(millis_to_go), counts: &Counts::default() },
    };
    let states = reconcile.run(changes).now_or_never().expect("nothing here waits");
    (states, ecs.calls.into_inner().unwrap())
}

/// More than enough for every test here.
const TEN_MINUTES: i64 = 600_000;

fn stored(store: &MemoryStore, number: usize) -> Versioned<TaskRecord> {
    Store::<TaskRecord>::load(store, &task(number)).now_or_never().unwrap().unwrap()
}

/// Another instance changes the record of task 1.
fn meanwhile(store: &MemoryStore, change: impl Fn(&mut TaskRecord)) {
    change_record(store, 1, change);
}

fn change_record(store: &MemoryStore, number: usize, change: impl Fn(&mut TaskRecord)) {
    let task = task(number);
    let updated = store::update(store, &task, None, |record: &mut TaskRecord| {
        change(record);
        store::Changed { result: (), keep_until: minutes(600) }
    });
    updated.now_or_never().unwrap().unwrap();
}

fn unsettled(state: &TaskState) -> Option<&Unsettled> {
    match state {
        TaskState::NotStored(why) => Some(why),
        TaskState::Known(_, why) => why.as_ref(),
    }
}

#[test]
fn each_task_of_a_call_receives_what_ecs_granted_it() {
    let clock = watchmaker();
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let (states, calls) = carried_out(&store, &clock, vec![starts(1), starts(2)], TEN_MINUTES, Box::new(|_, _| Ok(())));
    assert_eq!(calls, [(0, 2)]);
    assert!(states.iter().all(|state| unsettled(state).is_none()), "{states:?}");
    let confirmed = [1, 2].map(|number| stored(&store, number).record.protection.confirmed_until);
    assert_eq!(confirmed, [1, 2].map(|number| Some(granted_until(&task(number).id))));
}

#[test]
fn a_start_does_not_wait_for_what_ecs_says_about_the_task_of_another_message() {
    let clock = watchmaker();
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let finished = Job { finished_at: Some(at(0)), ..job(minutes(60)) };
    let finish = TaskChange { jobs: vec![JobReport { key: key("j"), job: finished }], ..TaskChange::none(task(2)) };
    let (states, calls) = carried_out(&store, &clock, vec![finish, starts(1)], TEN_MINUTES, Box::new(|_, _| Ok(())));
    assert_eq!(calls, [(0, 1)]);
    assert_eq!(clock.now(), at(2_000), "ECS was asked about the other task");
    assert!(states.iter().all(|state| unsettled(state).is_none()), "{states:?}");
    assert!(!stored(&store, 2).record.is_blank());
}

#[test]
fn ecs_is_asked_about_a_task_that_protects_itself_unless_it_has_proved_that_it_knows_it() {
    let by_agent = Reported { value: AgentProtection::Until(minutes(60)), at: at(0) };
    let by_agent = Job { protection: Some(by_agent), ..job(minutes(60)) };
    let started = |number| TaskChange {
        jobs: vec![JobReport { key: key("j"), job: by_agent.clone() }],
        ..TaskChange::none(task(number))
    };
    // An earlier message has created the record, and its call was not answered.
    let unanswered = |record: &mut TaskRecord| {
        record.merge_job(&key("earlier"), &Job { finished_at: Some(at(0)), ..job(minutes(60)) });
    };
    for (number, is_proved, ends, jobs) in [(1, false, at(2_000), 2), (1, true, at(0), 2), (9, false, at(2_000), 0)] {
        let clock = watchmaker();
        let store = MemoryStore::new(Arc::new(clock.clone()));
        let prepare = |record: &mut TaskRecord| {
            unanswered(record);
            record.protection.is_known = is_proved;
        };
        change_record(&store, number, prepare);
        let ok: Box<Answers<'_>> = Box::new(|_, _| Ok(()));
        let (states, calls) = carried_out(&store, &clock, vec![started(number)], TEN_MINUTES, ok);
        assert_eq!((calls, clock.now()), (Vec::new(), ends), "{number}");
        let record = stored(&store, number).record;
        assert_eq!((record.protection.is_known, record.jobs.len()), (number != 9, jobs));
        let is_refused = matches!(unsettled(&states[0]), Some(Unsettled::Refused(refusal)) if refusal.reason == FailureReason::Missing);
        assert_eq!(is_refused, number == 9, "{states:?}");
    }
}

#[test]
fn for_one_task_that_ecs_does_not_like_each_of_a_call_gets_one_of_its_own() {
    let clock = watchmaker();
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let bad = task(2).id;
    let is_liked = move |_, tasks: &[TaskId]| match tasks.contains(&bad) {
        true => Err(EcsError::Rejected("InvalidParameterException: a task".to_owned())),
        false => Ok(()),
    };
    let changes = (1..=3).map(starts).collect();
    let (states, calls) = carried_out(&store, &clock, changes, TEN_MINUTES, Box::new(is_liked));
    assert_eq!(calls.iter().map(|(_, tasks)| *tasks).collect::<Vec<_>>(), [3, 1, 1, 1]);
    let refused: Vec<bool> = states.iter().map(|state| unsettled(state).is_some()).collect();
    assert_eq!(refused, [false, true, false]);
}

#[test]
fn the_pauses_after_throttled_calls_double_and_are_not_the_same_for_all() {
    let pauses = |number: usize| {
        let clock = watchmaker();
        let store = MemoryStore::new(Arc::new(clock.clone()));
        let throttle = |call, _: &[TaskId]| if call < 4 { Err(EcsError::Throttled) } else { Ok(()) };
        let (states, calls) = carried_out(&store, &clock, vec![starts(number)], TEN_MINUTES, Box::new(throttle));
        assert_eq!(unsettled(&states[0]), None);
        calls.windows(2).map(|two| two[1].0 - two[0].0).collect::<Vec<_>>()
    };
    let [one, another] = [64, 100].map(pauses);
    for pauses in [&one, &another] {
        for (pause, least) in pauses.iter().zip([50, 100, 200, 400]) {
            assert!((least + 1..2 * least).contains(pause), "{pauses:?}");
        }
    }
    assert_ne!(one, another);
}

#[test]
fn what_waited_too_long_or_has_too_little_time_left_is_not_sent_again() {
    // The first call is throttled after `seconds`, with `seconds_to_go` left when it starts.
    for (seconds, seconds_to_go, calls_made) in [(1, 600, 2), (31, 600, 1), (5, 10, 1)] {
        let clock = watchmaker();
        let store = MemoryStore::new(Arc::new(clock.clone()));
        let answers = |call, _: &[TaskId]| {
            if call > 0 {
                return Ok(());
            }
            clock.goes_on(SignedDuration::from_secs(seconds));
            Err(EcsError::Throttled)
        };
        let (states, calls) = carried_out(&store, &clock, vec![starts(1)], seconds_to_go * 1000, Box::new(answers));
        assert_eq!(calls.len(), calls_made, "throttled after {seconds} s, {seconds_to_go} s to go");
        assert_eq!(unsettled(&states[0]).is_some(), calls_made == 1);
        assert!(stored(&store, 1).record.protection.in_flight.is_empty(), "it certainly did nothing");
    }
}

#[test]
fn nothing_is_begun_without_the_time_for_a_call() {
    let call_time = i64::try_from(CALL_TIME.as_millis()).unwrap();
    for (to_go, calls_made) in [(call_time, 1), (call_time - 1, 0)] {
        let clock = watchmaker();
        let store = MemoryStore::new(Arc::new(clock.clone()));
        let (states, calls) = carried_out(&store, &clock, vec![starts(1)], to_go, Box::new(|_, _| Ok(())));
        assert_eq!((calls.len(), unsettled(&states[0]).is_none()), (calls_made, calls_made == 1), "{to_go} ms to go");
    }
}

#[test]
fn whenever_the_time_runs_out_each_task_has_a_state_and_none_is_met_without_its_call() {
    let call_time = i64::try_from(CALL_TIME.as_millis()).unwrap();
    let mut seen = Vec::new();
    for more in 0..20 {
        let clock = Watchmaker { tick: SignedDuration::from_millis(1), ..watchmaker() };
        let store = MemoryStore::new(Arc::new(clock.clone()));
        let (states, calls) = carried_out(&store, &clock, vec![starts(1)], call_time + more, Box::new(|_, _| Ok(())));
        assert_eq!(calls.len(), usize::from(unsettled(&states[0]).is_none()));
        seen.push(match &states[0] {
            TaskState::NotStored(_) => "not stored",
            TaskState::Known(_, Some(_)) => "stored",
            TaskState::Known(_, None) => "carried out",
        });
    }
    seen.dedup();
    assert_eq!(seen, ["not stored", "stored", "carried out"]);
}

#[test]
fn a_task_that_gains_jobs_while_it_is_protected_is_asked_for_again_and_not_for_ever() {
    let clock = watchmaker();
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let longer_jobs = |call: usize, _: &[TaskId]| {
        let until = minutes(1000 + 100 * i64::try_from(call).unwrap());
        meanwhile(&store, |record| record.merge_job(&key(&format!("longer-{call}")), &job(until)));
        Ok(())
    };
    let (states, calls) = carried_out(&store, &clock, vec![starts(1)], TEN_MINUTES, Box::new(longer_jobs));
    assert_eq!(calls.len(), 3);
    assert_eq!(unsettled(&states[0]), Some(&Unsettled::AnotherCallInFlight));
    assert!(stored(&store, 1).record.protection.in_flight.is_empty(), "no call is recorded that is not sent");
}

#[test]
fn while_another_s_call_is_in_flight_one_more_would_be_as_uncertain() {
    let clock = watchmaker();
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let another_call = |_: usize, _: &[TaskId]| {
        meanwhile(&store, |record| assert!(record.protection.begin(ProtectionRequest::Clear, at(0)).is_some()));
        Ok(())
    };
    let (states, calls) = carried_out(&store, &clock, vec![starts(1)], TEN_MINUTES, Box::new(another_call));
    assert_eq!((calls.len(), unsettled(&states[0])), (1, Some(&Unsettled::AnotherCallInFlight)));
    let in_flight = stored(&store, 1).record.protection.in_flight;
    assert!(matches!(&in_flight[..], [Call { request: ProtectionRequest::Clear, .. }]), "{in_flight:?}");
}

/// Returns the number of calls that a change causes on a prepared record of task 1, and the record
/// afterwards.
fn calls_after(prepare: impl Fn(&mut TaskRecord), change: TaskChange) -> (usize, TaskRecord) {
    let clock = watchmaker();
    let store = MemoryStore::new(Arc::new(clock.clone()));
    meanwhile(&store, prepare);
    let (_, calls) = carried_out(&store, &clock, vec![change], TEN_MINUTES, Box::new(|_, _| Ok(())));
    (calls.len(), stored(&store, 1).record)
}

#[test]
fn a_stop_closes_the_jobs_of_a_task_and_a_notice_does_not() {
    for (stage, is_closed) in [(StopStage::Stopping, false), (StopStage::Stopped, true)] {
        let end = TaskStop { stage, service: None, cause: crate::ecs::task::StopCause::default() };
        let (_, record) = calls_after(|_| {}, TaskChange { end: Some(end), ..starts(1) });
        assert_eq!(record.stopped_at.is_some(), is_closed, "{stage:?}");
    }
}

#[test]
fn protection_of_others_is_cleared_from_an_idle_task_only_if_that_is_allowed_and_never_from_a_busy_one() {
    let finished =
        |record: &mut TaskRecord| record.merge_job(&key("j"), &Job { finished_at: Some(at(0)), ..Job::default() });
    let busy = |record: &mut TaskRecord| {
        record.merge_job(&key("j"), &job(minutes(60)));
        record.protection.confirmed_until = Some(minutes(60));
    };
    let released = |release| TaskChange { release, ..TaskChange::none(task(1)) };
    assert_eq!(calls_after(finished, released(ReleaseRule::ByJobs)).0, 0);
    let (calls, record) = calls_after(finished, released(ReleaseRule::IfIdle));
    assert_eq!((calls, record.protection.foreign.map(|foreign| foreign.until)), (0, Some(minutes(121))));
    assert_eq!(calls_after(finished, released(ReleaseRule::IfIdleByAnyWriter)).0, 1);
    assert_eq!(calls_after(finished, released(ReleaseRule::ByForce)).0, 1);
    for release in [ReleaseRule::IfIdle, ReleaseRule::IfIdleByAnyWriter] {
        let (calls, record) = calls_after(busy, released(release));
        assert_eq!((calls, record.protection.is_set()), (0, false), "{release:?}");
    }
}

#[test]
fn a_task_refused_just_now_is_asked_for_again_only_if_there_is_new_hope() {
    let refused = |record: &mut TaskRecord| {
        record.merge_job(&key("j"), &job(minutes(60)));
        let reason = crate::ecs::FailureReason::DeploymentBlocked;
        record.protection.refusal = Some(Refusal { reason, detail: None, at: at(0) });
    };
    for (refusal, calls_made) in [(RefusedBefore::Stands, 0), (RefusedBefore::MayBeOver, 1)] {
        let (calls, _) = calls_after(refused, TaskChange { refusal, ..TaskChange::none(task(1)) });
        assert_eq!(calls, calls_made, "{refusal:?}");
    }
}

#[test]
fn a_dry_run_sends_no_call_and_records_none() {
    let variables = [("TASKHOLD_CLUSTERS", CLUSTER), ("TASKHOLD_DRY_RUN", "true")];
    let config = Config::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let clock = watchmaker();
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let (states, calls) =
        carried_out_by(&config, &store, &clock, vec![starts(1)], TEN_MINUTES, Box::new(|_, _| Ok(())));
    assert_eq!((calls.len(), unsettled(&states[0])), (0, None));
    let record = stored(&store, 1).record;
    assert_eq!((record.jobs.len(), record.protection.in_flight.len()), (1, 0));
}

/// Counts reads, and claims of every task, or of none, that its record may be absent.
struct Counting<'a> {
    store: &'a MemoryStore,
    loads: Mutex<usize>,
    all_may_be_new: bool,
}

#[async_trait]
impl Store<TaskRecord> for Counting<'_> {
    async fn load(&self, task: &Task) -> Result<Versioned<TaskRecord>, StoreError> {
        *self.loads.lock().unwrap() += 1;
        Store::<TaskRecord>::load(self.store, task).await
    }

    async fn put(
        &self,
        task: &Task,
        versioned: &Versioned<TaskRecord>,
        keep_until: Timestamp,
    ) -> Result<store::Stored, StoreError> {
        self.store.put(task, versioned, keep_until).await
    }

    fn may_be_absent(&self, _: &Task) -> bool {
        self.all_may_be_new
    }
}

#[test]
fn the_first_job_of_a_task_that_may_be_new_is_stored_without_a_read_and_nothing_else_is() {
    let finish = || {
        let job = Job { finished_at: Some(at(0)), reported_at: Some(at(0)), ..Job::default() };
        TaskChange { jobs: vec![JobReport { key: key("j"), job }], ..TaskChange::none(task(1)) }
    };
    let loads = |all_may_be_new, change| {
        let clock = watchmaker();
        let store = MemoryStore::new(Arc::new(clock.clone()));
        let counting = Counting { store: &store, loads: Mutex::default(), all_may_be_new };
        let (states, _) = carried_out(&counting, &clock, vec![change], TEN_MINUTES, Box::new(|_, _| Ok(())));
        assert_eq!(unsettled(&states[0]), None);
        counting.loads.into_inner().unwrap()
    };
    assert_eq!([loads(true, starts(1)), loads(false, starts(1)), loads(true, finish())], [0, 1, 1]);
    let clock = watchmaker();
    let in_memory = MemoryStore::new(Arc::new(clock.clone()));
    assert!(!Store::<TaskRecord>::may_be_absent(&in_memory, &task(1)), "a read costs it no round trip");
}

#[test]
fn a_call_waits_for_its_turn_once_the_burst_is_over() {
    let clock = watchmaker();
    let rate_limit = RateLimit::default();
    let sent: Vec<i64> = (0..152)
        .map(|_| {
            rate_limit.keep(&clock).now_or_never().expect("the clock goes on at once");
            millis_of(*clock.now.lock().unwrap())
        })
        .collect();
    assert_eq!(sent[..150], [0; 150]);
    assert_eq!(sent[150..], [12, 25]);
}
