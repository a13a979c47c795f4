//! Every run of the function that the model has reached, each once and with a number. A state contains only
//! numbers, and a run is never repeated.

use super::configuration::{Configuration, RecordSpace};
use super::numbered::Numbered;
use super::parts::function;
use super::scene::{InvocationWork, Moment, RECHECK_ID, Set, WorkerMessage, message_of, only, timestamp};
use super::script::{ModelAnswer, ModelRequest, SharedScript, Subject};
use ecs_sim::doubles::interleave::Poller;
use jiff::SignedDuration;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use taskhold::api::answer::Answer as Report;
use taskhold::lambda::function::{self, Response};
use taskhold::task::job::{JobKey, JobReport};
use taskhold::task::rate_limit::RateLimit;
use taskhold::task::record::TaskRecord;

/// Number of a record that the state store has contained.
pub(crate) type RecordNo = u32;
/// Number of a run.
pub(crate) type RunNo = u32;

/// How a run starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Start {
    pub(crate) work: InvocationWork,
    pub(crate) at: Moment,
}

/// An answer that a run received.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReceivedAnswer {
    pub(crate) subject: Subject,
    pub(crate) answer: ModelAnswer<RecordNo>,
    pub(crate) now: Moment,
}

/// The identity of a run. A finished run is identified by its end alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum RunKey {
    Waits(Start, Vec<ReceivedAnswer>),
    Ended(InvocationWork, InvocationResult),
}

/// A run of the function up to the point at which it waits.
#[derive(Debug)]
pub(crate) struct FunctionRun {
    key: RunKey,
    pub(crate) work: InvocationWork,
    pub(crate) waiting: Vec<(Subject, ModelRequest<RecordNo>)>,
    pub(crate) ended: Option<InvocationResult>,
}

/// The answer of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InvocationResult {
    /// Messages reported as failed.
    pub(crate) retried: Set,
    /// Messages that were dead-lettered, and are not failed.
    pub(crate) dead_lettered: Set,
}

/// A record of the state store.
#[derive(Debug)]
pub(crate) struct RecordFacts {
    pub(crate) record: TaskRecord,
    /// The messages that contain no news for this record.
    pub(crate) merged: Set,
    /// The messages of jobs that it has or knows to have finished.
    pub(crate) known: Set,
    /// The messages of jobs that it names as rejected.
    pub(crate) rejected: Set,
}

type ScriptedFunction = (SharedScript, function::Function);
type ModelStep = (RunNo, ReceivedAnswer);

/// The function of one model.
pub(crate) struct ModelFunction {
    payloads: HashMap<InvocationWork, String>,
    snapshot: Vec<JobReport>,
    /// The Lambda timeout.
    timeout: Moment,
    room: RecordSpace,
    linger: SignedDuration,
    records: Numbered<String, RecordFacts>,
    runs: Numbered<RunKey, FunctionRun>,
    steps: RwLock<HashMap<ModelStep, RunNo>>,
    idle_stages: Mutex<Vec<ScriptedFunction>>,
}

impl ModelFunction {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let Configuration { messages, timeout_s, records, linger_s, .. } = configuration;
        let works = (1..only(messages.len())).map(InvocationWork::Batch).chain([
            InvocationWork::Sweep,
            InvocationWork::Release,
            InvocationWork::Recheck,
        ]);
        Self {
            payloads: works.map(|work| (work, work.payload(messages))).collect(),
            snapshot: messages.iter().map(WorkerMessage::snapshot).collect(),
            timeout: *timeout_s,
            room: *records,
            linger: SignedDuration::from_secs(i64::from(*linger_s)),
            records: Numbered::new(),
            runs: Numbered::new(),
            steps: RwLock::default(),
            idle_stages: Mutex::default(),
        }
    }

    pub(crate) fn run(&self, number: RunNo) -> Arc<FunctionRun> {
        self.runs.get(number)
    }

    pub(crate) fn record(&self, number: RecordNo) -> Arc<RecordFacts> {
        self.records.get(number)
    }

    /// The number of distinct runs, and of distinct records.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.runs.len(), self.records.len())
    }

    /// The number of a record. Its JSON identifies it, because the table stores the JSON.
    pub(crate) fn number_of(&self, record: &TaskRecord) -> RecordNo {
        let json = serde_json::to_string(record).expect("a record can be written");
        self.records.number(json, || {
            let is_rejected = |key: &JobKey| {
                let mut rejected = record.rejected.iter().flat_map(|rejected| &rejected.jobs);
                rejected.any(|job| job.key == *key)
            };
            RecordFacts {
                record: record.clone(),
                merged: self.messages_merged_into(record),
                known: self.of_jobs(|key| record.knows(key)),
                rejected: self.of_jobs(is_rejected),
            }
        })
    }

    /// The messages of these jobs.
    fn of_jobs(&self, is_one: impl Fn(&JobKey) -> bool) -> Set {
        let ones = self.snapshot.iter().enumerate().filter(|(_, report)| is_one(&report.key));
        ones.fold(0, |set, (number, _)| set | only(number))
    }

    fn messages_merged_into(&self, record: &TaskRecord) -> Set {
        let is_known = |JobReport { key, job }: &JobReport| {
            record.fingerprints.contains(key)
                || record.jobs.get(key).is_some_and(|known| {
                    let mut merged = known.as_ref().clone();
                    merged.merge(job);
                    merged == **known
                })
        };
        let known = self.snapshot.iter().enumerate().filter(|(_, job)| is_known(job));
        known.fold(0, |set, (number, _)| set | only(number))
    }

    /// Starts a run.
    pub(crate) fn begin(&self, start: Start) -> RunNo {
        self.number_run(RunKey::Waits(start, Vec::new()))
    }

    /// Continues a run with the answer to one of its requests.
    pub(crate) fn step(&self, run: RunNo, event: ReceivedAnswer) -> RunNo {
        let step = (run, event);
        if let Some(next) = self.steps.read().unwrap_or_else(PoisonError::into_inner).get(&step) {
            return *next;
        }
        let RunKey::Waits(start, events) = &self.run(run).key else { unreachable!("what has ended waits for nothing") };
        let next = self.go_on(*start, events, step.1.clone());
        self.steps.write().unwrap_or_else(PoisonError::into_inner).insert(step, next);
        next
    }

    fn go_on(&self, start: Start, before: &[ReceivedAnswer], event: ReceivedAnswer) -> RunNo {
        let mut events = before.to_vec();
        events.push(event);
        let mut known_by = events.clone();
        drop_lost_load(&mut known_by);
        sort_last(&mut known_by);
        let number = self.number_run(RunKey::Waits(start, known_by.clone()));
        if known_by != events {
            let (one, other) = (self.run(number), self.replay(start, &events));
            assert_eq!(one.waiting, other.waiting, "{events:?} is not the same as {known_by:?}");
            assert_eq!(one.ended, other.ended, "{events:?} is not the same as {known_by:?}");
        }
        number
    }

    fn number_run(&self, key: RunKey) -> RunNo {
        if let Some(number) = self.runs.number_of(&key) {
            return number;
        }
        let RunKey::Waits(start, events) = &key else { unreachable!("an ended run is only ever found") };
        let run = self.replay(*start, events);
        match run.ended {
            Some(ended) => {
                let key = RunKey::Ended(run.work, ended);
                self.runs.number(key.clone(), || FunctionRun { key, ..run })
            }
            None => self.runs.number(key.clone(), || FunctionRun { key, ..run }),
        }
    }

    /// Replays the function from its start.
    fn replay(&self, start: Start, events: &[ReceivedAnswer]) -> FunctionRun {
        let idle = self.idle_stages.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut stage = idle.unwrap_or_else(|| {
            let script = SharedScript::default();
            let handler = function(&script, self.room, self.linger);
            (script, handler)
        });
        // State that an instance keeps from earlier runs would depend on their order.
        stage.1.services.tasks.rate_limit = RateLimit::default();
        stage.1.services.tasks.lookups = RateLimit::of_lookups();
        let run = self.replay_on(&stage, start, events);
        self.idle_stages.lock().unwrap_or_else(PoisonError::into_inner).push(stage);
        run
    }

    fn replay_on(&self, stage: &ScriptedFunction, start: Start, events: &[ReceivedAnswer]) -> FunctionRun {
        let (script, handler) = stage;
        script.restart(start.at);
        let mut handling = pin!(handler.handle(&self.payloads[&start.work], timestamp(start.at + self.timeout)));
        let poller = Poller::default();
        let mut handled = poller.poll(handling.as_mut());
        for ReceivedAnswer { subject, answer, now } in events {
            assert!(handled.is_none(), "it has ended before it received {answer:?}");
            script.answer(*subject, answer.clone().map(|number| self.record(number).record.clone()), *now);
            handled = poller.poll(handling.as_mut());
        }
        let ended = handled.map(|handled| {
            let (response, _) = handled.unwrap_or_else(|error| panic!("neither a batch nor a command fails: {error}"));
            InvocationResult {
                retried: retried(&response),
                dead_lettered: script.dead_lettered() & !retried(&response),
            }
        });
        let in_short = |(subject, request): (Subject, ModelRequest<TaskRecord>)| {
            (subject, request.map(|record| self.number_of(&record)))
        };
        let mut waiting: Vec<_> = script.waiting().into_iter().map(in_short).collect();
        waiting.sort_unstable_by_key(|(subject, _)| *subject);
        FunctionRun { key: RunKey::Waits(start, events.to_vec()), work: start.work, waiting, ended }
    }
}

/// A load whose put lost to another writer leaves no trace: `taskhold::store::update` loads again and applies the
/// change to a fresh record. So a run that lost twice is kept as a run that lost once; the caller checks that this
/// is so. This omits one case: a run gives up after eight conflicts in a row.
fn drop_lost_load(events: &mut Vec<ReceivedAnswer>) {
    let Some((last, before)) = events.split_last() else { return };
    if last.answer != ModelAnswer::Conflict {
        return;
    }
    let about_it = before.iter().rposition(|event| event.subject == last.subject);
    // After a call the run stores over its own put, without a load. A conflict there affects the next step, so it
    // stays.
    let load = about_it.filter(|at| matches!(before[*at].answer, ModelAnswer::Loaded(_)));
    if let Some(load) = load {
        events.truncate(events.len() - 1);
        events.remove(load);
    }
}

/// Answers of the state store about two tasks at one moment leave the function in the same state in either order,
/// so they are kept in the order of the tasks. The caller checks that this is so.
fn sort_last(events: &mut [ReceivedAnswer]) {
    let of_store = |event: &ReceivedAnswer| {
        let is_known = matches!(
            event.answer,
            ModelAnswer::Loaded(_) | ModelAnswer::Stored | ModelAnswer::Conflict | ModelAnswer::StoreFails
        );
        is_known && matches!(event.subject, Subject::Task(_))
    };
    for at in (1..events.len()).rev() {
        let (before, last) = (&events[at - 1], &events[at]);
        let can_swap = of_store(before) && of_store(last) && before.now == last.now;
        if !can_swap || before.subject <= last.subject {
            break;
        }
        events.swap(at - 1, at);
    }
}

fn retried(response: &Response) -> Set {
    match response {
        Response::Batch(response) => {
            let failed = response.batch_item_failures.iter().map(|failure| &*failure.item_identifier);
            // A recheck that fails is lost: another one may come.
            failed.filter(|id| *id != RECHECK_ID).fold(0, |set, id| set | only(message_of(id)))
        }
        Response::Command(Report::Sweep(_) | Report::Release { .. }) => 0,
        Response::Command(other) => panic!("unexpected answer to a command: {other:?}"),
        Response::Event { taskhold } => panic!("no event was sent: {taskhold}"),
        Response::Hook(answer) => panic!("no hook was called: {answer:?}"),
    }
}
