//! A batch of SQS messages: each record alone comes in and alone ends, done, retried or parked; in between, those of one
//! task are carried out together.

use super::{Handler, StopObserved};
use crate::apply::TaskChange;
use crate::clock::Clock;
use crate::decide::{Ending, RetryReason, TaskState, ending, retry_or_park};
use crate::ecs::{Ecs, ServiceReads, Task, TaskPresence};
use crate::event::{EcsEvent, JobMessageType, Received, Record, record};
use crate::ledger::{JobKey, Ledger};
use crate::park::{ParkedMessage, ParkingQueue};
use crate::telemetry::{self, Counts};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

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

impl<E: Ecs + ServiceReads, L: Ledger, Q: ParkingQueue, C: Clock> Handler<E, L, Q, C> {
    pub(super) async fn handle_batch(&self, batch: SqsEvent, deadline: Timestamp, counts: &Counts) -> SqsBatchResponse {
        let now = self.clock.now();
        let received: Vec<Received> = batch.records.iter().map(|message| Received::of(message, now)).collect();
        let gathered = self.gather(&batch.records, (&received, counts)).await;
        let states = self.apply(deadline, counts).run(gathered.changes).await;
        let now = self.clock.now();
        let pending = gathered.pending.into_iter().zip(&received);
        let mut endings: Vec<Ending> =
            pending.map(|(pending, received)| self.ending(pending, received, (&states, now))).collect();
        // Before parking, so that what is held is not parked as well; and after it, since parking can fail.
        hold_groups(&batch.records, &mut endings);
        self.park(&batch.records, &mut endings).await;
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
    async fn gather(&self, records: &[SqsMessage], beside: (&[Received], &Counts)) -> Gathered {
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
                Record::Ecs(EcsEvent::TaskStopped(stopped)) => match self.observe_stop(&stopped).await {
                    Ok(StopObserved::NothingToClose) => Pending::Ended(Ending::Done),
                    Ok(StopObserved::JobsToClose) => {
                        let place = gathered.place(stopped.task);
                        gathered.changes[place].presence = TaskPresence::Stopped;
                        Pending::Stop(place)
                    }
                    Err(reason) => Pending::Ended(retry_or_park(reason, received, &self.config)),
                },
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

    /// Sends what is to be parked. What could not be sent comes again instead.
    async fn park(&self, records: &[SqsMessage], endings: &mut [Ending]) {
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
        let mut places = places.into_iter();
        for send in ParkedMessage::sends(&messages) {
            let kept = match &self.parking {
                Some(queue) => queue.park(send).await,
                None => vec![Err("TASKHOLD_PARKING_QUEUE_URL is not set".to_owned()); send.len()],
            };
            // An answer that says nothing about a message has not kept it.
            let unsaid = std::iter::repeat_with(|| Err("the queue did not answer for it".to_owned()));
            for (kept, at) in kept.into_iter().chain(unsaid).zip(places.by_ref().take(send.len())) {
                telemetry::parking(&records[at], &endings[at], &kept);
                if let Err(error) = kept {
                    endings[at] = Ending::Retry(RetryReason::NotParked(error));
                }
            }
        }
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
