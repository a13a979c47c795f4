//! A record of the state store, as the table stores it (`src/aws/dynamodb/item.rs`): the JSON of a task record or a
//! service record.

use super::{expect, seeds};
use crate::doubles::alerts::sender;
use jiff::{SignedDuration, Timestamp};
use serde_json::to_string;
use taskhold::ecs::FailureReason;
use taskhold::ecs::arn::Task;
use taskhold::ecs::task::{ContainerExit, StopCause};
use taskhold::lambda::sqs_record;
use taskhold::lambda::sqs_record::QueueMessage;
use taskhold::notify::email;
use taskhold::notify::json as machine;
use taskhold::notify::message::AlertMessage;
use taskhold::outbox::Delivery;
use taskhold::service::alert::{AlertKind, Transition};
use taskhold::service::durations::LearnedDurations;
use taskhold::service::forecast::{Deadline, DeadlineSource};
use taskhold::service::incident::delivery::claim;
use taskhold::service::incident::pending::PendingNotification;
use taskhold::service::incident::scope::IncidentScope;
use taskhold::service::incident::{Incident, IncidentState, Incidents};
use taskhold::service::record::{BlockedSince, PausedRollout, ServiceRecord, Watch};
use taskhold::service::remediation::{RaiseStage, Raised, RemediationNote, RemediationState};
use taskhold::service::waiting_scale_in::WaitingScaleIn;
use taskhold::task::attention::{Attention, attention};
use taskhold::task::change::EcsProtection;
use taskhold::task::interruption::InterruptedTask;
use taskhold::task::interruption::{StopStage, TaskStop};
use taskhold::task::job::{Job, JobKey};
use taskhold::task::plan::{Decision, KeepReason, decide_protection};
use taskhold::task::protection::{CallResult, ProtectionRequest, Refusal};
use taskhold::task::record::{Membership, TaskRecord};

const FINISHED_JOB_RETENTION: SignedDuration = SignedDuration::from_hours(336);
const PROTECTION_MAX: SignedDuration = SignedDuration::from_mins(2880);

/// This number of minutes after 2026-01-05 10:00 UTC.
fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_767_607_200 + minute * 60).expect("a moment of 2026")
}

/// Realistic records: of a task with the jobs of `events/`, protected, refused, interrupted, stopped; of a service.
pub fn seeds() -> Vec<String> {
    let mut task = TaskRecord::default();
    for body in seeds::bodies() {
        if let QueueMessage::Job(message) = sqs_record::parse(&body, expect::clusters()) {
            let reported = message.into_job(at(0));
            task.merge_job(&reported.report.key, &reported.report.job);
        }
    }
    let mut seeds = vec![json(&TaskRecord::default()), json(&task)];
    let begin = |task: &mut TaskRecord, ask, minute| task.protection.begin(ask, at(minute)).expect("a call or two");
    let call = begin(&mut task, ProtectionRequest::ProtectUntil(at(60)), 0);
    let release = begin(&mut task, ProtectionRequest::Clear, 0);
    seeds.push(json(&task));
    task.protection.settle(release, CallResult::WithoutEffect);
    task.protection.settle(call, CallResult::Granted(at(63)));
    task.membership = Some(Box::new(Membership { service: "transcode".to_owned(), is_awaited: true }));
    seeds.push(json(&task));
    let renewal = begin(&mut task, ProtectionRequest::ProtectUntil(at(90)), 30);
    let detail = Some("a sentence of ECS's".to_owned());
    let refusal = Refusal { reason: FailureReason::DeploymentBlocked, detail, at: at(30) };
    task.protection.settle(renewal, CallResult::Refused(refusal));
    task.protection.allow_retry();
    seeds.push(json(&task));
    task.interrupt(&end(), EcsProtection::NotAsked, at(31));
    task.claim_interruption(at(31));
    seeds.push(json(&task));
    task.stop(at(32));
    seeds.push(json(&task));
    seeds.extend([ServiceRecord::default(), service()].iter().map(json));
    seeds
}

fn end() -> TaskStop {
    let cause = StopCause {
        code: Some("ServiceSchedulerInitiated".to_owned()),
        reason: Some("Scaling activity initiated by (deployment ecs-svc/8646900195280463695)".to_owned()),
        exit_codes: [("worker", 143), ("log", 0)]
            .map(|(name, code)| ContainerExit { container: name.to_owned(), code })
            .to_vec(),
    };
    TaskStop { stage: StopStage::Stopped, service: Some("transcode".to_owned()), cause }
}

fn service() -> ServiceRecord {
    let rollout = "ecs-svc/2222222222222222222".to_owned();
    let task = |digit: char| digit.to_string().repeat(32).parse().expect("a task's id");
    let pending = PendingNotification {
        event: Transition::Escalated,
        delivery: Delivery { claimed_until: Some(at(9)), failures: 2 },
        after: Some(Transition::Opened),
    };
    let deadline = Some(Deadline { at: at(30), source: DeadlineSource::CloudFormation });
    let scope = IncidentScope {
        deployments: vec![rollout.clone()],
        tasks: [task('d')].into(),
        last_deadline: deadline,
        ..IncidentScope::default()
    };
    let incident = |kind, pending, state| {
        let scope = scope.clone();
        Incident { kind, since: at(0), notified_at: at(5), state, attempted: true, pending, scope }
    };
    let raised = Raised { from: 2, to: 4, before: 3, at: at(6), stage: RaiseStage::Raised };
    ServiceRecord {
        blocked: Some(BlockedSince { rollout: rollout.clone(), since: at(1) }),
        paused: Some(PausedRollout { rollout: rollout.clone(), until: at(1) }),
        waiting_scale_in: Some(WaitingScaleIn { desired: 1, jobs_expected_until: at(2) }),
        watch: Some(Watch { rollout: Some(rollout), started_at: at(0), checks: 3, due: Some(at(7)) }),
        triggered_at: Some(at(0)),
        refused: [task('a'), task('b')].into(),
        idle_since: [(task('c'), at(2))].into(),
        remediation: RemediationState {
            raised: Some(raised),
            raised_at: Some(at(6)),
            notes: vec![RemediationNote { at: at(6), text: "raised the desired count from 3 to 4".to_owned() }],
        },
        durations: durations(),
        incidents: [
            (
                "video/web/deployment-blocked".to_owned(),
                incident(AlertKind::DeploymentBlocked, Some(pending), IncidentState::Escalated { marks: 1 }),
            ),
            (
                "video/web/protection-expiring".to_owned(),
                incident(AlertKind::ProtectionExpiring, None, IncidentState::Resolved { at: at(8), marks: 1 }),
            ),
        ]
        .into(),
    }
}

/// What a finished job of a kind leaves.
fn durations() -> LearnedDurations {
    let job = Job {
        started_at: Some(at(0)),
        finished_at: Some(at(40)),
        reported_at: Some(at(40)),
        kind: Some("encode".to_owned()),
        ..Job::default()
    };
    let mut record = TaskRecord::default();
    record.merge_job(&JobKey { job_id: "j".to_owned(), attempt: 1 }, &job);
    let mut durations = LearnedDurations::default();
    durations.gather(&"a".repeat(32).parse().expect("a task's id"), &record);
    durations
}

fn json(record: &impl serde::Serialize) -> String {
    to_string(record).expect("a record is made of texts, numbers, lists and maps")
}

/// A record that was read is stored unchanged, and the decisions that follow from any record keep to the rules.
pub fn check(text: &str) {
    if let Ok(record) = serde_json::from_str::<TaskRecord>(text) {
        assert_eq!(serde_json::from_str::<TaskRecord>(&json(&record)).ok().as_ref(), Some(&record));
        let ends = record.jobs.values().filter_map(|job| job.until()).take(4);
        let moments: Vec<Timestamp> = ends.chain(record.protection.confirmed_until).chain([at(1)]).collect();
        moments.into_iter().for_each(|now| task_at(&record, now));
    }
    if let Ok(mut record) = serde_json::from_str::<ServiceRecord>(text) {
        assert_eq!(serde_json::from_str::<ServiceRecord>(&json(&record)).ok().as_ref(), Some(&record));
        claimed_once(&mut record.incidents);
    }
}

fn task_at(record: &TaskRecord, now: Timestamp) {
    let wanted = record.wanted_until(now);
    let grantable = now.saturating_add(PROTECTION_MAX).unwrap_or(Timestamp::MAX);
    match decide_protection(record, now) {
        Decision::Request(ProtectionRequest::Clear) => assert!(!record.is_busy(now) && record.protection.is_set()),
        Decision::Request(ProtectionRequest::ProtectUntil(until)) => {
            assert!(wanted.is_some_and(|wanted| wanted.min(grantable) <= until));
            assert!(record.protection.confirmed_until.is_none_or(|certain| certain < until), "it would be shortened");
        }
        Decision::Keep(KeepReason::Stopped) => assert!(record.stopped_at.is_some()),
        Decision::Keep(KeepReason::Idle) => assert!(!record.is_busy(now) && !record.protection.is_set()),
        Decision::Keep(KeepReason::ByAgent) => assert!(wanted.is_none() && record.is_busy(now)),
        Decision::Keep(KeepReason::Lingers { until }) => {
            assert!(until > now && !record.is_busy(now) && record.protection.is_set());
        }
        Decision::Keep(KeepReason::Outlived { .. }) => assert!(wanted.is_none() && record.is_busy(now)),
        Decision::Keep(KeepReason::Confirmed { .. } | KeepReason::RefusedJustNow) => assert!(wanted.is_some()),
    }
    if attention(record, now) != Attention::None {
        assert!(record.is_open(), "a sweep would not find it");
    }
    let keep_until = record.keep_until(now, FINISHED_JOB_RETENTION);
    assert!(wanted.is_none_or(|wanted| wanted <= keep_until), "it is forgotten while a job lives");
    let mut kept = record.clone();
    kept.forget(now, FINISHED_JOB_RETENTION);
    assert_eq!(kept.wanted_until(now), wanted);
    kept.interrupt(&end(), EcsProtection::NotAsked, now);
    kept.interruptions.iter().for_each(|news| check_alerts_about(&news.what));
}

fn check_alerts_about(what: &taskhold::task::interruption::Interruption) {
    let cluster = expect::clusters().only().expect("one cluster is configured");
    let task = Task { cluster, id: "0123456789abcdef0123456789abcdef".parse().expect("a task's id") };
    let message = AlertMessage::of(&InterruptedTask { task: task.clone(), interruption: what.clone() }, &sender());
    assert!(message.subject.len() <= email::SUBJECT_CHARS_MAX, "{}", message.subject);
    assert!(message.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{}", message.subject);
    assert!(!message.email.contains(|c: char| c.is_control() && c != '\n'), "{}", message.email);
    assert!(message.json.len() <= machine::ESCAPED_BYTES_MAX, "{} bytes", message.json.len());
}

/// A notification that one instance has claimed is not sent by another one at the same time.
fn claimed_once(incidents: &mut Incidents) {
    let now = at(10);
    let pending = incidents.values().filter(|incident| incident.pending.is_some()).count();
    assert!(claim(incidents, now).len() <= pending);
    assert!(claim(incidents, now).is_empty());
}
