//! Redrives the dead-letter queue: receives its messages, carries them out as if they had just come from their original
//! queue, and deletes those that are done. Nothing is sent to the job queue again, so the original sender and the original
//! time decide, and a message that still cannot be carried out stays where it is.

use crate::api::answer::{Answer, KeptMessage, RedriveReport};
use crate::api::command::{CommandError, RedriveCommand};
use crate::budget::Budget;
use crate::config::settings::{Config, Mode};
use crate::lambda::dead_letter::{
    DeadLetterQueue, MESSAGE_ID_ATTRIBUTE, MESSAGES_PER_RECEIVE_MAX, ReceivedDeadLetter, SENDER_ATTRIBUTE,
    SOURCE_ATTRIBUTE,
};
use crate::lambda::function::Function;
use crate::lambda::outcome::MessageOutcome;
use crate::lambda::received::{Channel, Received, SENT_AT_ATTRIBUTE, first_sent_at, moment_of_sqs};
use crate::sqs::SqsError;
use aws_lambda_events::sqs::SqsMessage;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::{info, warn};

/// The system attribute that SQS adds when it moves a message to a dead-letter queue: the ARN of its original queue.
const MOVED_BY_SQS_FROM: &str = "DeadLetterQueueSourceArn";

/// What a redrive does with one message.
#[derive(Debug, PartialEq, Eq)]
enum RedrivePlan {
    /// Carry it out, as received by its original queue.
    CarryOut(Received),
    /// Delete it: the sweeps since have done its work.
    Discard,
}

impl Function {
    /// Carries out messages of the dead-letter queue, as many as the command allows and the time permits.
    pub(crate) async fn redrive(&self, command: RedriveCommand, budget: Budget<'_>) -> Answer {
        let Some(queue) = self.dead_letters.as_deref() else {
            return cannot_redrive("TASKHOLD_DEAD_LETTER_QUEUE_URL is not set");
        };
        if self.config().mode == Mode::DryRun {
            // It would delete messages without having carried them out.
            return cannot_redrive("this is a dry run, and would delete messages without carrying them out");
        }
        let mut report = RedriveReport { more: true, ..RedriveReport::default() };
        while report.received < command.messages_max && budget.allows_a_call(self.clock()).is_ok() {
            let max = (command.messages_max - report.received).min(MESSAGES_PER_RECEIVE_MAX);
            match queue.receive_dead_letters(max).await {
                Ok(messages) if messages.is_empty() => {
                    report.more = false;
                    break;
                }
                Ok(messages) => self.redrive_messages(queue, messages, &mut report, budget).await,
                Err(error) if report.received == 0 => return cannot_redrive(&error.to_string()),
                Err(failure) => {
                    warn!(%failure, "could not receive more dead letters; ending the redrive");
                    break;
                }
            }
        }
        let RedriveReport { received, carried_out, discarded, kept, .. } = &report;
        info!(received, carried_out, discarded, kept = kept.len(), "redriving dead letters");
        Answer::Redrive(report)
    }

    async fn redrive_messages(
        &self,
        queue: &dyn DeadLetterQueue,
        messages: Vec<ReceivedDeadLetter>,
        report: &mut RedriveReport,
        budget: Budget<'_>,
    ) {
        report.received += messages.len();
        let now = self.clock().now();
        let (mut discarded, mut redriven) = (Vec::new(), Vec::new());
        let (mut records, mut received) = (Vec::new(), Vec::new());
        for message in messages {
            match RedrivePlan::of(&message, self.config(), now) {
                RedrivePlan::Discard => discarded.push(message),
                RedrivePlan::CarryOut(attributes) => {
                    records.push(record(&message));
                    received.push(attributes);
                    redriven.push(message);
                }
            }
        }
        let outcomes = self.carry_out_messages(&mut records, &received, budget).await;
        let mut done = Vec::new();
        for (message, outcome) in redriven.into_iter().zip(outcomes) {
            match outcome {
                MessageOutcome::Done => done.push(message),
                MessageOutcome::Retry(reason) => report.keep(&message, &reason.to_string()),
                MessageOutcome::DeadLetter(reason) => report.keep(&message, &reason),
            }
        }
        report.carried_out += delete(queue, &done, report).await;
        report.discarded += delete(queue, &discarded, report).await;
    }
}

impl RedrivePlan {
    /// Restores what the original queue said about a message.
    ///
    /// The attributes that the function adds to a dead letter are trusted only on a message that was sent to the
    /// dead-letter queue itself, because only the function may do that (SECURITY.md). On a message that SQS moved there,
    /// the sender has written all attributes, and SQS still reports that sender.
    fn of(message: &ReceivedDeadLetter, config: &Config, now: Timestamp) -> Self {
        let system = |name: &str| message.system_attributes.get(name).map(String::as_str);
        let own = |name: &str| message.attributes.get(name).map(String::as_str);
        let (source, sender, channel) = match (system(MOVED_BY_SQS_FROM), own(MESSAGE_ID_ATTRIBUTE)) {
            (Some(source), _) => (source, system("SenderId"), Channel::Queue),
            (None, Some(_)) => (own(SOURCE_ATTRIBUTE).unwrap_or_default(), own(SENDER_ATTRIBUTE), Channel::Queue),
            (None, None) => ("", system("SenderId"), Channel::Undelivered),
        };
        if config.is_recheck_queue(source) || channel == Channel::Undelivered && is_sweep(&message.body) {
            return Self::Discard;
        }
        let sent_at = system("SentTimestamp").and_then(moment_of_sqs).unwrap_or(now);
        Self::CarryOut(Received {
            sent_at: first_sent_at(sent_at, own(SENT_AT_ATTRIBUTE)),
            // How often it was received from the dead-letter queue does not count.
            receives: 1,
            sender: sender.unwrap_or_default().to_owned(),
            channel,
        })
    }
}

fn record(message: &ReceivedDeadLetter) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(message.message_id.clone());
    record.body = Some(message.body.clone());
    record
}

/// Whether a body is the payload of the schedule, which Lambda puts into the dead-letter queue when it failed.
fn is_sweep(body: &str) -> bool {
    #[derive(Deserialize)]
    struct Sweep<'a> {
        #[serde(borrow)]
        sweep: Option<&'a RawValue>,
    }
    serde_json::from_str::<Sweep<'_>>(body).is_ok_and(|payload| payload.sweep.is_some())
}

/// Deletes messages and returns how many; reports the others as kept.
async fn delete(queue: &dyn DeadLetterQueue, messages: &[ReceivedDeadLetter], report: &mut RedriveReport) -> usize {
    if messages.is_empty() {
        return 0;
    }
    let handles: Vec<String> = messages.iter().map(|message| message.receipt_handle.clone()).collect();
    let mut deleted = queue.delete_dead_letters(&handles).await;
    // A message that the answer does not mention is not deleted.
    deleted.resize(messages.len(), Err(SqsError::Unanswered));
    for (message, deleted) in messages.iter().zip(&deleted) {
        if let Err(error) = deleted {
            report.keep(message, &format!("it was carried out, but not deleted: {error}"));
        }
    }
    deleted.iter().filter(|deleted| deleted.is_ok()).count()
}

fn cannot_redrive(why: &str) -> Answer {
    Answer::from(CommandError::Redrive(why.to_owned()))
}

impl RedriveReport {
    fn keep(&mut self, message: &ReceivedDeadLetter, reason: &str) {
        self.kept.push(KeptMessage::new(&message.message_id, reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOBS: &str = "arn:aws:sqs:eu-west-1:111122223333:jobs";
    const RECHECKS: &str = "arn:aws:sqs:eu-west-1:111122223333:rechecks";

    /// The plan for a message with this body, these attributes of SQS and these of its own.
    fn plan(body: &str, system: &[(&str, &str)], own: &[(&str, &str)]) -> RedrivePlan {
        let variables = [
            ("TASKHOLD_CLUSTERS", "arn:aws:ecs:eu-west-1:111122223333:cluster/video"),
            ("TASKHOLD_RECHECK_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/111122223333/rechecks"),
        ];
        let config = Config::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let texts = |texts: &[(&str, &str)]| {
            texts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let message = ReceivedDeadLetter {
            body: body.to_owned(),
            system_attributes: texts(system),
            attributes: texts(own),
            ..ReceivedDeadLetter::default()
        };
        RedrivePlan::of(&message, &config.unwrap(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn rechecks_and_undelivered_sweeps_are_discarded() {
        let noted = |source| [(MESSAGE_ID_ATTRIBUTE, "id-1"), (SOURCE_ATTRIBUTE, source)];
        let sweep = r#"{"sweep": {}}"#;
        assert_eq!(plan("", &[(MOVED_BY_SQS_FROM, RECHECKS)], &[]), RedrivePlan::Discard);
        assert_eq!(plan("", &[], &noted(RECHECKS)), RedrivePlan::Discard);
        assert_eq!(plan(sweep, &[], &[]), RedrivePlan::Discard);
        // From the job queue, it is a malformed job message, and stays for people to see.
        assert!(matches!(plan(sweep, &[], &noted(JOBS)), RedrivePlan::CarryOut(_)));
    }
}
