//! Handles a batch of SQS messages. Each record is parsed alone and has its own outcome: done, retried or
//! dead-lettered. In between, the messages of one task are reconciled together.

pub mod gathered;
mod lingering;

use crate::budget::Budget;
use crate::ecs::arn::Task;
use crate::lambda::batch::gathered::{Gathered, Pending, ServiceWork};
use crate::lambda::dead_letter::DeadLetter;
use crate::lambda::function::Function;
use crate::lambda::job_message::JobMessageType;
use crate::lambda::outcome::{MessageOutcome, message_outcome, release_is_open, retry_or_dead_letter};
use crate::lambda::received::Received;
use crate::metrics::Counts;
use crate::service::lookups::EventOrigin;
use crate::service::reconciler::SERVICES_AT_ONCE;
use crate::sqs::SqsError;
use crate::task::concurrently::at_once;
use crate::task::outcome::{ReconciledTask, TaskState, Unsettled};
use crate::task::stop::{ReportedStop, StopReport};
use crate::text::shown_time;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use tracing::{error, info, warn};

/// Maximum number of concurrent sends to the dead-letter queue.
const SENDS_AT_ONCE: usize = 8;

/// The results for a whole batch.
struct Outcomes {
    /// By index of the task change.
    states: Vec<TaskState>,
    /// Tasks whose release could not be scheduled, with the reason, by index of the task change.
    unscheduled: HashMap<usize, Unsettled>,
    /// Task stops that could not be read, with the reason, by index of the task change.
    unread: HashMap<usize, Unsettled>,
    /// By index of the service or sweep to reconcile.
    reconciled: Vec<Result<(), Unsettled>>,
    now: Timestamp,
}

impl Function {
    pub(crate) async fn handle_batch(&self, mut batch: SqsEvent, budget: Budget<'_>) -> SqsBatchResponse {
        let now = self.clock().now();
        let received: Vec<Received> =
            batch.records.iter_mut().map(|message| Received::take_from(message, now)).collect();
        let mut message_outcomes = self.carry_out_messages(&mut batch.records, &received, budget).await;
        // Before dead-lettering, so that held messages are not dead-lettered as well; and again after it, since it can
        // fail.
        hold_groups(&batch.records, &mut message_outcomes);
        self.dead_letter(&batch.records, &received, &mut message_outcomes, budget).await;
        hold_groups(&batch.records, &mut message_outcomes);
        respond(&batch.records, &message_outcomes, budget.counts)
    }

    /// Carries out messages and returns the outcome of each, in order. Dead-letters none: that is up to the caller.
    pub(crate) async fn carry_out_messages(
        &self,
        records: &mut [SqsMessage],
        received: &[Received],
        budget: Budget<'_>,
    ) -> Vec<MessageOutcome> {
        let mut gathered = Gathered::of(records, received, budget.counts, self.config());
        records.iter_mut().for_each(drop_what_is_read);
        let mut unread = match gathered.stops.is_empty() {
            true => HashMap::new(),
            // Boxed, so that the future of a batch without stops stays small.
            false => self.read_reported_stops(&mut gathered, budget).boxed_local().await,
        };
        // In the order of the records, so that the same batch is always handled the same way.
        let tasks: Vec<Task> = gathered.changes.iter().map(|change| change.task.clone()).collect();
        let states = self.services.tasks.reconcile(gathered.changes, budget).await;
        let reconciled_tasks = || ReconciledTask::all(&tasks, &states);
        let unscheduled = self.schedule_releases(&gathered.pending, &tasks, &states, budget).await;
        self.services.process_results(reconciled_tasks(), budget).await;
        let unreported = self.services.tasks.report_interruptions(reconciled_tasks()).await;
        unread.extend(unreported.into_iter().map(|one| (gathered.places[&one.task], one.failure)));
        // After the jobs: a task that needs protection waits for nothing else.
        let mut reconciled = vec![Ok(()); gathered.service_work.len()];
        let work = gathered.service_work.iter().enumerate();
        let work = work.map(async |(at, work)| (at, self.carry_out(work, budget).await));
        at_once(SERVICES_AT_ONCE, work, |(at, result)| reconciled[at] = result).await;
        let outcomes = Outcomes { states, unscheduled, unread, reconciled, now: self.clock().now() };
        let pending = gathered.pending.into_iter().zip(received);
        pending.map(|(pending, received)| self.message_outcome(pending, received, &outcomes)).collect()
    }

    fn message_outcome(&self, pending: Pending, received: &Received, outcomes: &Outcomes) -> MessageOutcome {
        let Outcomes { states, unscheduled, unread, reconciled, now } = outcomes;
        let retry = |reason: &Unsettled| retry_or_dead_letter(reason.clone(), received, self.config());
        match pending {
            Pending::Ended(message_outcome) => message_outcome,
            Pending::Job { place, message_type, job: key } => {
                if let (JobMessageType::Started | JobMessageType::Heartbeat, TaskState::Known(record, _)) =
                    (message_type, &states[place])
                    && let Some(until) = record.outlived(&key, *now)
                {
                    info!(job = %key, until = shown_time(until), "ignoring a job whose declared time is over");
                }
                if message_type == JobMessageType::Finished
                    && let Some(reason) = unscheduled.get(&place)
                {
                    return retry(reason);
                }
                message_outcome(message_type, &key, received, &states[place], self.config(), *now)
            }
            Pending::Stop(place) => match (unread.get(&place), &states[place]) {
                (Some(reason), _) | (None, TaskState::NotStored(reason)) => retry(reason),
                (None, TaskState::Known(..)) => MessageOutcome::Done,
            },
            Pending::TaskRecheck { place, .. } => match (unscheduled.get(&place), &states[place]) {
                (Some(reason), _) | (None, TaskState::NotStored(reason)) => retry(reason),
                (None, TaskState::Known(record, Some(reason))) if release_is_open(record, *now) => retry(reason),
                (None, TaskState::Known(..)) => MessageOutcome::Done,
            },
            Pending::ServiceWork(place) => reconciled[place].as_ref().map_or_else(retry, |()| MessageOutcome::Done),
        }
    }

    /// Reads the task stops that messages report, together with the jobs that the batch itself reports for those tasks. Returns
    /// the failed ones by index, with the reason.
    async fn read_reported_stops(&self, gathered: &mut Gathered, budget: Budget<'_>) -> HashMap<usize, Unsettled> {
        let stops = std::mem::take(&mut gathered.stops);
        let jobs_at = |place: &usize| gathered.changes[*place].jobs.as_slice();
        let reported: Vec<_> = stops.iter().map(|(place, stop)| ReportedStop { stop, jobs: jobs_at(place) }).collect();
        let reports = self.services.tasks.read_stops(&reported, budget).await;
        let mut unread = HashMap::new();
        for (place, report) in stops.into_keys().zip(reports) {
            match report {
                Ok(report) => {
                    let change = &mut gathered.changes[place];
                    if let Some(StopReport { end, protection }) = report {
                        (change.end, change.protection) = (end, protection);
                    }
                }
                Err(reason) => {
                    unread.insert(place, reason);
                }
            }
        }
        unread
    }

    async fn carry_out(&self, work: &ServiceWork, budget: Budget<'_>) -> Result<(), Unsettled> {
        match work {
            ServiceWork::Trigger(trigger) => {
                self.services.on_trigger(trigger, EventOrigin::Queue, budget).await.map(drop)
            }
            ServiceWork::Recheck { service, due } => self.services.check_again(service, *due, budget).await.map(drop),
            ServiceWork::Sweep { started_at, place } => {
                self.continue_sweep(*started_at, place.clone(), budget).boxed_local().await
            }
        }
    }

    /// Sends the messages to dead-letter. A message that could not be sent is retried instead.
    async fn dead_letter(
        &self,
        records: &[SqsMessage],
        received: &[Received],
        message_outcomes: &mut [MessageOutcome],
        budget: Budget<'_>,
    ) {
        let mut places = Vec::new();
        let mut messages = Vec::new();
        for (at, message_outcome) in message_outcomes.iter().enumerate() {
            if let MessageOutcome::DeadLetter(reason) = message_outcome {
                places.push(at);
                messages.push(DeadLetter::new(&records[at], &received[at], reason));
            }
        }
        if messages.is_empty() {
            return;
        }
        let sends = DeadLetter::sends(&messages).into_iter().map(|send| self.send_dead_letters(send, budget));
        let kept: Vec<_> = stream::iter(sends).buffered(SENDS_AT_ONCE).concat().await;
        for (at, kept) in places.into_iter().zip(kept) {
            log_dead_letter(&records[at], &message_outcomes[at], &kept);
            if let Err(reason) = kept {
                message_outcomes[at] = MessageOutcome::Retry(reason);
            }
        }
    }

    /// Sends a few messages to the dead-letter queue and returns for each, in order, whether the queue has stored it.
    async fn send_dead_letters(&self, send: &[DeadLetter], budget: Budget<'_>) -> Vec<Result<(), Unsettled>> {
        let all = |reason| vec![Err(reason); send.len()];
        let Some(queue) = &self.dead_letters else { return all(Unsettled::NoDeadLetterQueue) };
        if let Err(out_of_time) = budget.allows_a_call(self.clock()) {
            return all(out_of_time.into());
        }
        let mut kept = queue.send_dead_letters(send).await;
        // A message that the answer does not mention is not stored.
        kept.resize(send.len(), Err(SqsError::Unanswered));
        kept.into_iter().map(|kept| kept.map_err(Unsettled::NotDeadLettered)).collect()
    }
}

/// After parsing, only the id, body, queue and group of a record are needed. In a batch of 6 MB the rest is as much
/// again.
fn drop_what_is_read(message: &mut SqsMessage) {
    message.receipt_handle = None;
    message.md5_of_body = None;
    message.md5_of_message_attributes = None;
    message.message_attributes = HashMap::new();
    if !message.attributes.contains_key(GROUP) {
        message.attributes = HashMap::new();
    }
}

/// The attribute with the message group id, on a FIFO queue.
const GROUP: &str = "MessageGroupId";

/// On a FIFO queue, every message after a retried one of the same group is retried too, to keep the order.
fn hold_groups(records: &[SqsMessage], message_outcomes: &mut [MessageOutcome]) {
    let mut held = HashSet::new();
    for (message, message_outcome) in records.iter().zip(message_outcomes) {
        let retried = matches!(message_outcome, MessageOutcome::Retry(_));
        if held.is_empty() && !retried {
            // The usual case: nothing is held, so the group does not matter.
            continue;
        }
        let Some(group) = message.attributes.get(GROUP) else { continue };
        if held.contains(group) {
            *message_outcome = MessageOutcome::Retry(Unsettled::GroupHeld);
        } else if retried {
            held.insert(group);
        }
    }
}

fn respond(records: &[SqsMessage], message_outcomes: &[MessageOutcome], counts: &Counts) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for (message, message_outcome) in records.iter().zip(message_outcomes) {
        match message_outcome {
            MessageOutcome::Done => counts.done.add(1),
            MessageOutcome::DeadLetter(_) => counts.dead_lettered.add(1),
            MessageOutcome::Retry(reason) => {
                counts.retried.add(1);
                let id = message.message_id.as_deref().unwrap_or_default();
                info!(id, %reason, "retrying a message");
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.message_id.clone().unwrap_or_default();
                response.batch_item_failures.push(failure);
            }
        }
    }
    response
}

fn log_dead_letter(message: &SqsMessage, outcome: &MessageOutcome, kept: &Result<(), Unsettled>) {
    let id = message.message_id.as_deref().unwrap_or_default();
    let MessageOutcome::DeadLetter(reason) = outcome else { return };
    match kept {
        Ok(()) => warn!(id, reason, "message dead-lettered"),
        Err(failure) => error!(id, reason, %failure, "could not dead-letter a message; it will be retried"),
    }
}
