//! A batch of SQS messages: each record alone comes in and alone ends, done, retried or parked; in between, those of one
//! task are carried out together.

use super::{Handler, StopObserved};
use crate::alert::AlertSink;
use crate::apply::{CALL_TIME, TaskChange};
use crate::clock::Clock;
use crate::decide::{Ending, RetryReason, TaskState, ending, retry_or_park};
use crate::ecs::{Ecs, ServiceReads, Task, TaskPresence};
use crate::event::{EcsEvent, JobMessageType, Received, Record, TaskStopped, record};
use crate::ledger::{JobKey, Ledger, ServiceEntry};
use crate::park::{ParkedMessage, ParkingQueue};
use crate::telemetry::{self, Counts};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

/// So many sends to the parking queue are under way at once.
const SENDS_AT_ONCE: usize = 8;
/// So many stops are looked into at once: their bucket gives 20 calls a second after a burst of 100 (aws-facts "ECS: the
/// protection API").
const LOOKS_AT_ONCE: usize = 8;

/// A record on its way: where its task is among the changes, and what it told.
enum Pending {
    /// Ended already.
    Ended(Ending),
    /// A job message, waiting for the state of the task at this place.
    Job(usize, JobMessageType, JobKey),
    /// An event of ECS, waiting for the state of the task at this place.
    Stop(usize),
}

/// What a batch tells, by task.
#[derive(Default)]
struct Gathered {
    pending: Vec<Pending>,
    changes: Vec<TaskChange>,
    places: HashMap<Task, usize>,
    /// Tasks that are said to have stopped.
    stops: Vec<(usize, TaskStopped)>,
    /// Stops that could not be looked into, and why.
    unobserved: HashMap<usize, RetryReason>,
}

impl Gathered {
    fn place(&mut self, task: Task) -> usize {
        *self.places.entry(task).or_insert_with_key(|task| {
            let task = task.clone();
            self.changes.push(TaskChange { task, jobs: Vec::new(), presence: TaskPresence::Running });
            self.changes.len() - 1
        })
    }
}

impl<E, L, Q, C, A> Handler<E, L, Q, C, A>
where
    E: Ecs + ServiceReads,
    L: Ledger + Ledger<ServiceEntry>,
    Q: ParkingQueue,
    C: Clock,
    A: AlertSink,
{
    pub(super) async fn handle_batch(&self, batch: SqsEvent, deadline: Timestamp, counts: &Counts) -> SqsBatchResponse {
        let now = self.clock.now();
        let received: Vec<Received> = batch.records.iter().map(|message| Received::of(message, now)).collect();
        let mut gathered = self.gather(&batch.records, (&received, counts));
        self.observe_stops(&mut gathered, deadline).await;
        let states = self.apply(deadline, counts).run(gathered.changes).await;
        let now = self.clock.now();
        let unobserved = &gathered.unobserved;
        let pending = gathered.pending.into_iter().zip(&received);
        let mut endings: Vec<Ending> = pending
            .map(|(pending, received)| match pending {
                Pending::Stop(place) if unobserved.contains_key(&place) => {
                    retry_or_park(unobserved[&place].clone(), received, &self.config)
                }
                pending => self.ending(pending, received, (&states, now)),
            })
            .collect();
        // Before parking, so that what is held is not parked as well; and after it, since parking can fail.
        hold_groups(&batch.records, &mut endings);
        self.park(&batch.records, &mut endings, deadline).await;
        hold_groups(&batch.records, &mut endings);
        respond(&batch.records, &endings, counts)
    }

    fn ending(&self, pending: Pending, received: &Received, what_is: (&[TaskState], Timestamp)) -> Ending {
        let (states, now) = what_is;
        match pending {
            Pending::Ended(ending) => ending,
            Pending::Job(place, told, key) => {
                if let (JobMessageType::Started | JobMessageType::Heartbeat, TaskState::Known(entry, _)) =
                    (told, &states[place])
                    && let Some(until) = entry.outlived(&key, now)
                {
                    telemetry::too_late(&key, until);
                }
                ending((told, &key), received, &states[place], (&self.config, now))
            }
            Pending::Stop(place) => match &states[place] {
                TaskState::NotStored(reason) => retry_or_park(reason.clone(), received, &self.config),
                TaskState::Known(..) => Ending::Done,
            },
        }
    }

    /// Parses each record alone and files what it tells under its task.
    fn gather(&self, records: &[SqsMessage], beside: (&[Received], &Counts)) -> Gathered {
        let (received, counts) = beside;
        let mut gathered = Gathered::default();
        for (message, received) in records.iter().zip(received) {
            let body = message.body.as_deref().unwrap_or_default();
            let pending = match record::parse(body, &self.config.clusters) {
                Record::Job(told) => {
                    let message_type = told.message_type;
                    let (task, key, job) = told.observed(received.sent_at);
                    let place = gathered.place(task);
                    gathered.changes[place].jobs.push((key.clone(), job));
                    Pending::Job(place, message_type, key)
                }
                Record::Ecs(EcsEvent::TaskStopped(stopped)) => {
                    let place = gathered.place(stopped.task.clone());
                    gathered.stops.push((place, stopped));
                    Pending::Stop(place)
                }
                Record::Ecs(EcsEvent::Ignored(what)) => {
                    telemetry::ignored(&what);
                    counts.unrecognized.add(1);
                    Pending::Ended(Ending::Done)
                }
                Record::Malformed(error) => Pending::Ended(Ending::Park(error.to_string())),
            };
            gathered.pending.push(pending);
        }
        gathered
    }

    /// Looks into the stops that were claimed, with what the batch itself tells of their tasks' jobs.
    async fn observe_stops(&self, gathered: &mut Gathered, deadline: Timestamp) {
        let stops = std::mem::take(&mut gathered.stops);
        let changes = &gathered.changes;
        let looks = stops.iter().map(|(place, stopped)| async move {
            (*place, self.observe_stop(stopped, &changes[*place].jobs, deadline).await)
        });
        let looked: Vec<_> = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).collect().await;
        for (place, observed) in looked {
            match observed {
                Ok(StopObserved::JobsToClose) => gathered.changes[place].presence = TaskPresence::Stopped,
                Ok(StopObserved::NothingToClose) => {}
                Err(reason) => {
                    gathered.unobserved.insert(place, reason);
                }
            }
        }
    }

    /// Sends what is to be parked. What could not be sent comes again instead.
    async fn park(&self, records: &[SqsMessage], endings: &mut [Ending], deadline: Timestamp) {
        let mut places = Vec::new();
        let mut messages = Vec::new();
        for (at, (ending, message)) in endings.iter().zip(records).enumerate() {
            if let Ending::Park(reason) = ending {
                places.push(at);
                messages.push(ParkedMessage::new(
                    message.body.as_deref().unwrap_or_default(),
                    reason,
                    message.message_id.as_deref().unwrap_or_default(),
                    message.event_source_arn.as_deref().unwrap_or_default(),
                ));
            }
        }
        let sends = ParkedMessage::sends(&messages).into_iter().map(|send| self.send_parked(send, deadline));
        let kept: Vec<_> = stream::iter(sends).buffered(SENDS_AT_ONCE).concat().await;
        for (at, kept) in places.into_iter().zip(kept) {
            telemetry::parking(&records[at], &endings[at], &kept);
            if let Err(error) = kept {
                endings[at] = Ending::Retry(RetryReason::NotParked(error));
            }
        }
    }

    /// Sends a few messages to the parking queue and answers for each, in their order, whether it is kept now.
    async fn send_parked(&self, send: &[ParkedMessage], deadline: Timestamp) -> Vec<Result<(), String>> {
        let all = |problem: &str| vec![Err(problem.to_owned()); send.len()];
        let Some(queue) = &self.parking else { return all("TASKHOLD_PARKING_QUEUE_URL is not set") };
        if deadline.duration_since(self.clock.now()) < CALL_TIME {
            return all("the invocation's time ran short");
        }
        let mut kept = queue.park(send).await;
        // An answer that says nothing about a message has not kept it.
        kept.resize(send.len(), Err("the queue did not answer for it".to_owned()));
        kept
    }
}

/// On a FIFO queue everything behind a retried message of the same group comes again too, or the order would be lost.
fn hold_groups(records: &[SqsMessage], endings: &mut [Ending]) {
    let mut held = HashSet::new();
    for (message, ending) in records.iter().zip(endings) {
        let retried = matches!(ending, Ending::Retry(_));
        if held.is_empty() && !retried {
            // As nearly always: nothing to hold, so its group need not be looked up.
            continue;
        }
        let Some(group) = message.attributes.get("MessageGroupId") else { continue };
        if held.contains(group) {
            *ending = Ending::Retry(RetryReason::GroupHeld);
        } else if retried {
            held.insert(group);
        }
    }
}

fn respond(records: &[SqsMessage], endings: &[Ending], counts: &Counts) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for (message, ending) in records.iter().zip(endings) {
        match ending {
            Ending::Done => counts.done.add(1),
            Ending::Park(_) => counts.parked.add(1),
            Ending::Retry(reason) => {
                counts.retried.add(1);
                telemetry::retried(message, reason);
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.message_id.clone().unwrap_or_default();
                response.batch_item_failures.push(failure);
            }
        }
    }
    response
}
