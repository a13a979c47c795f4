//! Whole records from messages as workers send them: SEMANTICS.md, "Order and number of deliveries do not matter".

use super::config;
use super::drawn::{at, clusters, id, video};
use super::notified::validator;
use ecs_sim::fuzz::json as fuzz_json;
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use taskhold::ecs::arn::Task;
use taskhold::lambda::job_message::{JobMessageError, ReportedJob};
use taskhold::lambda::sqs_record;
use taskhold::lambda::sqs_record::QueueMessage;
use taskhold::task::job::{Job, JobKey, JobReport};
use taskhold::task::record::TaskRecord;

/// A message, and the time at which SQS received it.
#[derive(Clone, Debug)]
pub(crate) struct SentMessage {
    pub(crate) at: Timestamp,
    pub(crate) job: String,
    pub(crate) attempt: u32,
    pub(crate) message_type: &'static str,
    pub(crate) max_minutes: Option<u32>,
    expected_minutes: Option<u32>,
    heartbeat_minutes: Option<u32>,
    label: Option<String>,
}

impl SentMessage {
    /// Its body.
    fn body(&self) -> Value {
        let task = Task { cluster: video(), id: id(1) };
        let mut body = json!({
            "version": 1,
            "type": self.message_type,
            "jobId": self.job,
            "attempt": self.attempt,
            "taskArn": task.to_string(),
        });
        self.max_minutes.inspect(|minutes| body["maxDurationMinutes"] = json!(minutes));
        self.expected_minutes.inspect(|minutes| body["expectedDurationMinutes"] = json!(minutes));
        self.heartbeat_minutes.inspect(|minutes| body["heartbeatMinutes"] = json!(minutes));
        self.label.iter().for_each(|label| body["labels"] = json!({"title": label}));
        body
    }

    /// What the message reports.
    pub(crate) fn reported(&self) -> ReportedJob {
        let body = self.body();
        let QueueMessage::Job(message) = sqs_record::parse(&body.to_string(), &clusters()) else {
            panic!("no job message: {body}")
        };
        message.into_job(self.at)
    }

    /// Delivers the message to a task.
    pub(crate) fn deliver(&self, record: &mut TaskRecord) {
        let reported = self.reported();
        record.merge_job(&reported.report.key, &reported.report.job);
    }
}

/// A message about one of a few jobs, sent within four hours; many at the same time.
pub(crate) fn sent() -> impl Strategy<Value = SentMessage> {
    let minutes = || option::of(prop_oneof![Just(1_u32), Just(120), 1..=2880_u32]);
    (
        prop_oneof![(0..4_i64).prop_map(|hour| hour * 3600), 0..4 * 3600_i64],
        "[ab]",
        1..3_u32,
        select(vec!["job.started", "job.heartbeat", "job.finished"]),
        minutes(),
        minutes(),
        minutes(),
        option::of("[xy]"),
    )
        .prop_map(
            |(second, job, attempt, message_type, max_minutes, expected_minutes, heartbeat_minutes, label)| {
                SentMessage {
                    at: at(second),
                    job,
                    attempt,
                    message_type,
                    max_minutes,
                    expected_minutes,
                    heartbeat_minutes,
                    label,
                }
            },
        )
}

/// The end of every live job, computed from the messages alone, as SEMANTICS.md and docs/workers.md define it.
pub(crate) fn live(messages: &[&SentMessage], now: Timestamp) -> BTreeMap<JobKey, Timestamp> {
    let mut jobs: BTreeMap<JobKey, Vec<&SentMessage>> = BTreeMap::new();
    for sent in messages {
        jobs.entry(JobKey { job_id: sent.job.clone(), attempt: sent.attempt }).or_default().push(sent);
    }
    let end = |sent: &SentMessage, minutes: u32| sent.at + SignedDuration::from_mins(i64::from(minutes));
    let until = |messages: &[&SentMessage]| {
        if messages.iter().any(|sent| sent.message_type == "job.finished") {
            return None;
        }
        let declared = messages.iter().filter_map(|sent| match (sent.message_type, sent.max_minutes) {
            (_, Some(minutes)) => Some(end(sent, minutes)),
            ("job.started", None) => Some(end(sent, 120)),
            _ => None,
        });
        declared.max().or_else(|| messages.iter().map(|sent| end(sent, 120)).max())
    };
    let ends = jobs.into_iter().filter_map(|(key, messages)| Some((key, until(&messages)?)));
    ends.filter(|(_, until)| *until > now).collect()
}

/// Messages, and two orders of delivery: each message at least once, in any order.
fn deliveries() -> impl Strategy<Value = (Vec<SentMessage>, Vec<usize>, Vec<usize>)> {
    let order = |count: usize| {
        vec(any::<Index>(), 0..6).prop_flat_map(move |again| {
            let again = again.into_iter().map(|index| index.index(count));
            Just((0..count).chain(again).collect::<Vec<usize>>()).prop_shuffle()
        })
    };
    vec(sent(), 1..9).prop_flat_map(move |messages| {
        let count = messages.len();
        (Just(messages), order(count), order(count))
    })
}

/// Fills the record with finished jobs until every older one has shrunk to its fingerprint.
fn crowd(record: &mut TaskRecord, now: Timestamp) {
    let finished = |number: usize| {
        let far = at(100 * 3600);
        let job = Job { finished_at: Some(far), reported_at: Some(far), ..Job::default() };
        JobReport { key: JobKey { job_id: format!("crowd-{number}"), attempt: 1 }, job }
    };
    record.add_reports(&(0..200).map(finished).collect::<Vec<_>>(), now);
    record.shrink(now, SignedDuration::from_hours(336));
}

fn record_of(messages: &[SentMessage], order: &[usize]) -> TaskRecord {
    let mut record = TaskRecord::default();
    order.iter().for_each(|index| messages[*index].deliver(&mut record));
    record
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_order_and_number_of_deliveries_gives_the_same_record((messages, one, other) in deliveries()) {
        prop_assert_eq!(record_of(&messages, &one), record_of(&messages, &other));
    }

    #[test]
    fn records_of_two_instances_merge_in_either_order((messages, one, _) in deliveries(), cut in any::<Index>()) {
        let (mine, theirs) = one.split_at(cut.index(one.len() + 1));
        let (mut mine, mut theirs) = (record_of(&messages, mine), record_of(&messages, theirs));
        let (known_to_me, known_to_them) = (mine.clone(), theirs.clone());
        known_to_them.jobs.iter().for_each(|(key, job)| mine.merge_job(key, job));
        known_to_me.jobs.iter().for_each(|(key, job)| theirs.merge_job(key, job));
        prop_assert_eq!(&mine, &theirs);
        prop_assert_eq!(mine, record_of(&messages, &one));
    }

    #[test]
    fn the_live_jobs_are_those_that_the_messages_say((messages, order, _) in deliveries(), second in 0..60 * 3600_i64) {
        let (now, record) = (at(second), record_of(&messages, &order));
        let lives: BTreeMap<JobKey, Timestamp> = record.live_jobs(now).map(|(key, until)| (key.clone(), until)).collect();
        let expected = live(&messages.iter().collect::<Vec<_>>(), now);
        prop_assert_eq!(record.wanted_until(now), expected.values().max().copied());
        prop_assert_eq!(lives, expected);
    }

    /// A finish is the last message that a worker sends about a job, and SQS delivers nothing older than the
    /// finished-job retention.
    #[test]
    fn a_finished_job_is_never_revived_however_late_a_message_comes_and_whatever_was_forgotten(
        sends in vec(0..3 * 3600_i64, 1..5),
        late in vec((any::<Index>(), 0..3600_i64), 1..12),
        minutes in 1..=2880_u32,
    ) {
        let finished_job_retention = SignedDuration::from_hours(1);
        let last = sends.iter().max().unwrap() + 1;
        let message = |second: i64, message_type| SentMessage {
            at: at(second), job: "j".to_owned(), attempt: 1, message_type, max_minutes: Some(minutes), expected_minutes: None,
            heartbeat_minutes: None, label: None,
        };
        let started = sends.iter().map(|second| message(*second, "job.started"));
        let messages: Vec<SentMessage> = started.chain([message(last, "job.finished")]).collect();
        let mut deliveries: Vec<(Timestamp, &SentMessage)> = late.iter().map(|(index, delay)| {
            let sent = index.get(&messages);
            (sent.at + SignedDuration::from_secs(*delay), sent)
        }).collect();
        deliveries.push((at(last), messages.last().unwrap()));
        deliveries.sort_by_key(|(when, _)| *when);
        let (mut record, mut has_finished) = (TaskRecord::default(), false);
        for (now, sent) in deliveries {
            sent.deliver(&mut record);
            record.forget(now, finished_job_retention);
            has_finished |= sent.message_type == "job.finished";
            prop_assert!(!has_finished || record.wanted_until(Timestamp::MIN).is_none(), "revived at {}", now);
        }
    }

    #[test]
    fn nothing_is_forgotten_that_lives_and_everything_is_in_the_end((messages, order, _) in deliveries(), hours in 1..=336_i64, second in 0..60 * 3600_i64) {
        let (finished_job_retention, now) = (SignedDuration::from_hours(hours), at(second));
        let record = record_of(&messages, &order);
        let mut kept = record.clone();
        kept.forget(now, finished_job_retention);
        prop_assert!(kept.live_jobs(now).eq(record.live_jobs(now)));
        let keep_until = record.keep_until(now, finished_job_retention);
        prop_assert!(record.wanted_until(now).is_none_or(|wanted| wanted <= keep_until));
        kept.forget(keep_until, finished_job_retention);
        prop_assert!(kept.jobs.is_empty(), "{:?} outlast {}", kept.jobs, keep_until);
    }

    /// Shrinking finished jobs to fingerprints at any point, and any number of times, changes nothing about which jobs
    /// live, whatever the order of deliveries; and merging stays idempotent.
    #[test]
    fn fingerprints_absorb_what_whole_finished_jobs_absorb(
        (messages, one, other) in deliveries(),
        crowds in vec(any::<Index>(), 0..3),
        second in 0..60 * 3600_i64,
    ) {
        let now = at(second);
        let crowded = |order: &[usize]| {
            let crowds: Vec<usize> = crowds.iter().map(|index| index.index(order.len())).collect();
            let mut record = TaskRecord::default();
            for (step, index) in order.iter().enumerate() {
                let reported = messages[*index].reported();
                record.add_reports(&[reported.report], now);
                if crowds.contains(&step) {
                    crowd(&mut record, now);
                }
            }
            record
        };
        let (mine, theirs, whole) = (crowded(&one), crowded(&other), record_of(&messages, &one));
        prop_assert!(mine.live_jobs(now).eq(whole.live_jobs(now)), "{:?} {:?}", mine, whole);
        prop_assert!(theirs.live_jobs(now).eq(mine.live_jobs(now)));
        let mut again = mine.clone();
        for sent in &messages {
            let reported = sent.reported();
            again.add_reports(&[reported.report], now);
        }
        prop_assert!(again.live_jobs(now).eq(mine.live_jobs(now)));
    }

    /// Rules that a schema cannot express: the cluster is configured, two fields agree, and an event's members make
    /// it an event.
    #[test]
    fn the_parser_takes_what_the_schema_takes_and_nothing_else(sent in sent(), draw in any::<u64>()) {
        static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
        let schema = SCHEMA.get_or_init(|| validator(include_str!("../../schemas/job-message.schema.json")));
        let altered = fuzz_json::altered(&sent.body().to_string(), &mut fastrand::Rng::with_seed(draw)).unwrap();
        let is_valid = schema.is_valid(&serde_json::from_str(&altered).unwrap());
        match sqs_record::parse(&altered, &clusters()) {
            QueueMessage::Job(_) => prop_assert!(is_valid, "the schema refuses {}", altered),
            QueueMessage::Malformed(JobMessageError::Task { .. }) | QueueMessage::Ecs(_) => {}
            QueueMessage::Malformed(JobMessageError::Wrong { field, .. }) if field == "taskId" => {}
            QueueMessage::Malformed(error) => prop_assert!(!is_valid, "{}: {}", error, altered),
        }
    }
}
