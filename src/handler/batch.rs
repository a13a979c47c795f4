//! A batch of SQS messages: each record alone comes in and alone ends, done, retried or parked; in between, those of one
//! task are carried out together.

mod gathered;

use super::{Handler, Parts, SERVICES_AT_ONCE, Within};
use crate::apply::CALL_TIME;
use crate::clock::Clock;
use crate::decide::{Ending, RetryReason, TaskState, ending, retry_or_park};
use crate::ecs::Task;
use crate::event::{JobMessageType, Received};
use crate::follow_up::FollowUp;
use crate::park::{ParkedMessage, ParkingQueue};
use crate::telemetry::{self, Counts};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::StreamExt;
use futures_util::stream;
use gathered::{Gathered, Look, Pending};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

/// So many sends to the parking queue are under way at once.
const SENDS_AT_ONCE: usize = 8;
/// So many stops are looked into at once: their bucket gives 20 calls a second after a burst of 100 (aws-facts "ECS: the
/// protection API").
const LOOKS_AT_ONCE: usize = 8;

/// What came of everything that a batch told.
struct Outcomes {
    /// By place among the changes.
    states: Vec<TaskState>,
    /// Stops that could not be looked into, and why; by place among the changes.
    unobserved: HashMap<usize, RetryReason>,
    /// By place among the looks.
    looks: Vec<Result<(), RetryReason>>,
    now: Timestamp,
}

impl<P: Parts> Handler<P> {
    pub(super) async fn handle_batch(&self, mut batch: SqsEvent, within: Within<'_>) -> SqsBatchResponse {
        let now = self.clock.now();
        let received: Vec<Received> = batch.records.iter().map(|message| Received::of(message, now)).collect();
        let mut gathered = Gathered::of(&batch.records, (&received, within.counts), &self.config);
        batch.records.iter_mut().for_each(drop_what_is_read);
        let mut unobserved = self.observe_stops(&mut gathered, within).await;
        // In the order of the records, so that the same batch is carried out in the same way each time.
        let tasks: Vec<Task> = gathered.changes.iter().map(|change| change.task.clone()).collect();
        let states = self.apply(within).run(gathered.changes).await;
        let carried_out = || tasks.iter().zip(&states);
        self.hear(carried_out(), within).await;
        let untold = self.tell_interruptions(carried_out()).await;
        unobserved.extend(untold.into_iter().map(|(task, failure)| (gathered.places[&task], failure)));
        // After the jobs: a task that is to be protected waits for nothing else.
        let looks = gathered.looks.iter().map(|look| self.carry_out(look, within));
        let looks = stream::iter(looks).buffered(SERVICES_AT_ONCE).collect().await;
        let outcomes = Outcomes { states, unobserved, looks, now: self.clock.now() };
        let pending = gathered.pending.into_iter().zip(&received);
        let mut endings: Vec<Ending> =
            pending.map(|(pending, received)| self.ending(pending, received, &outcomes)).collect();
        // Before parking, so that what is held is not parked as well; and after it, since parking can fail.
        hold_groups(&batch.records, &mut endings);
        self.park(&batch.records, &mut endings, within.deadline).await;
        hold_groups(&batch.records, &mut endings);
        respond(&batch.records, &endings, within.counts)
    }

    fn ending(&self, pending: Pending, received: &Received, outcomes: &Outcomes) -> Ending {
        let Outcomes { states, unobserved, looks, now } = outcomes;
        let retry = |reason: &RetryReason| retry_or_park(reason.clone(), received, &self.config);
        match pending {
            Pending::Ended(ending) => ending,
            Pending::Job(place, told, key) => {
                if let (JobMessageType::Started | JobMessageType::Heartbeat, TaskState::Known(entry, _)) =
                    (told, &states[place])
                    && let Some(until) = entry.outlived(&key, *now)
                {
                    telemetry::too_late(&key, until);
                }
                ending((told, &key), received, &states[place], (&self.config, *now))
            }
            Pending::Stop(place) => match (unobserved.get(&place), &states[place]) {
                (Some(reason), _) | (None, TaskState::NotStored(reason)) => retry(reason),
                (None, TaskState::Known(..)) => Ending::Done,
            },
            Pending::Look(place) => looks[place].as_ref().map_or_else(retry, |()| Ending::Done),
        }
    }

    /// Looks into the stops that were claimed, with what the batch itself tells of their tasks' jobs.
    /// Answers for which places that failed, and why.
    async fn observe_stops(&self, gathered: &mut Gathered, within: Within<'_>) -> HashMap<usize, RetryReason> {
        if gathered.stops.is_empty() {
            return HashMap::new();
        }
        let stops = std::mem::take(&mut gathered.stops);
        let changes = &gathered.changes;
        let looks = stops
            .iter()
            .map(|(place, stop)| async move { (*place, self.observe_stop(stop, &changes[*place].jobs, within).await) });
        let looked: Vec<_> = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).collect().await;
        let mut unobserved = HashMap::new();
        for (place, observed) in looked {
            match observed {
                Ok(end) => gathered.changes[place].end = end,
                Err(reason) => {
                    unobserved.insert(place, reason);
                }
            }
        }
        unobserved
    }

    async fn carry_out(&self, look: &Look, within: Within<'_>) -> Result<(), RetryReason> {
        match look {
            Look::Prompt(prompt) => self.heed(prompt, within).await.map(drop),
            Look::FollowUp(FollowUp::Check { service, due }) => self.check_again(service, *due, within).await.map(drop),
            Look::FollowUp(FollowUp::Sweep { begun_at, place }) => {
                self.go_on_sweeping(*begun_at, place.clone(), within).await
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
        if messages.is_empty() {
            return;
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

/// Of a record that was read only its id, body, queue and group are needed. In a batch of 6 MB the rest is as much again.
fn drop_what_is_read(message: &mut SqsMessage) {
    message.receipt_handle = None;
    message.md5_of_body = None;
    message.md5_of_message_attributes = None;
    message.message_attributes = HashMap::new();
    if !message.attributes.contains_key(GROUP) {
        message.attributes = HashMap::new();
    }
}

/// The attribute that names a message's group, on a FIFO queue.
const GROUP: &str = "MessageGroupId";

/// On a FIFO queue everything behind a retried message of the same group comes again too, or the order would be lost.
fn hold_groups(records: &[SqsMessage], endings: &mut [Ending]) {
    let mut held = HashSet::new();
    for (message, ending) in records.iter().zip(endings) {
        let retried = matches!(ending, Ending::Retry(_));
        if held.is_empty() && !retried {
            // As nearly always: nothing to hold, so its group need not be looked up.
            continue;
        }
        let Some(group) = message.attributes.get(GROUP) else { continue };
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
