//! An entry of the ledger, as the table holds it (`src/aws/dynamodb/item.rs`): the JSON of a task's or a service's.

use super::{expect, seeds};
use jiff::{SignedDuration, Timestamp};
use serde_json::to_string;
use taskhold::alert::incident::{Incident, Incidents, Untold, claim};
use taskhold::alert::{AlertEvent, AlertKind, Message, machine, mail};
use taskhold::decide::attention::{Attention, attention};
use taskhold::decide::remedy::{RaiseStage, Raised, RemedyNote, RemedyState};
use taskhold::decide::{Decision, KeepReason, decide_protection};
use taskhold::ecs::{FailureReason, StopCause, Task};
use taskhold::event::{Record, record};
use taskhold::ledger::service::{SeenBlocked, Watch};
use taskhold::ledger::{Ask, CallResult, Home, Refusal, ServiceEntry, StopStage, TaskEnd, TaskEntry};

const TOMBSTONE: SignedDuration = SignedDuration::from_hours(336);
const PROTECTION_MAX: SignedDuration = SignedDuration::from_mins(2880);

/// So many minutes after 2026-01-05 10:00 UTC.
fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_767_607_200 + minute * 60).expect("a moment of 2026")
}

/// Entries as they come about: of a task with the jobs of `events/`, protected, refused, interrupted, stopped; of a service.
pub fn seeds() -> Vec<String> {
    let mut task = TaskEntry::default();
    for body in seeds::bodies() {
        if let Record::Job(message) = record::parse(&body, expect::clusters()) {
            let (_, key, job) = message.observed(at(0));
            task.merge_job(&key, &job);
        }
    }
    let mut seeds = vec![json(&TaskEntry::default()), json(&task)];
    let begin = |task: &mut TaskEntry, ask, minute| task.protection.begin(ask, at(minute)).expect("a call or two");
    let call = begin(&mut task, Ask::ProtectUntil(at(60)), 0);
    let release = begin(&mut task, Ask::Release, 0);
    seeds.push(json(&task));
    task.protection.settle(release, CallResult::WithoutEffect);
    task.protection.settle(call, CallResult::Granted(at(63)));
    task.home = Some(Box::new(Home { service: "transcode".to_owned(), is_awaited: true }));
    seeds.push(json(&task));
    let renewal = begin(&mut task, Ask::ProtectUntil(at(90)), 30);
    let detail = Some("a sentence of ECS's".to_owned());
    let refusal = Refusal { reason: FailureReason::DeploymentBlocked, detail, at: at(30) };
    task.protection.settle(renewal, CallResult::Refused(refusal));
    task.protection.hope();
    seeds.push(json(&task));
    task.interrupt(&end(), at(31));
    task.claim_interruption(at(31));
    seeds.push(json(&task));
    task.stop(at(32));
    seeds.push(json(&task));
    seeds.extend([ServiceEntry::default(), service()].iter().map(json));
    seeds
}

fn end() -> TaskEnd {
    let cause = StopCause {
        code: Some("ServiceSchedulerInitiated".to_owned()),
        reason: Some("Scaling activity initiated by (deployment ecs-svc/8646900195280463695)".to_owned()),
        exit_codes: vec![("worker".to_owned(), 143), ("log".to_owned(), 0)],
    };
    TaskEnd { stage: StopStage::Stopped, service: Some("transcode".to_owned()), cause }
}

fn service() -> ServiceEntry {
    let movement = "ecs-svc/2222222222222222222".to_owned();
    let task = |digit: char| digit.to_string().repeat(32).parse().expect("a task's id");
    let untold = Untold {
        event: AlertEvent::Escalated,
        claimed_until: Some(at(9)),
        failures: 2,
        after: Some(AlertEvent::Opened),
    };
    let incident = |kind, untold, resolved_at| Incident {
        kind,
        since: at(0),
        told_at: at(5),
        escalations: 1,
        resolved_at,
        heard: true,
        untold,
    };
    let raised = Raised { from: 2, to: 4, before: 3, at: at(6), stage: RaiseStage::Raised };
    ServiceEntry {
        blocked: Some(SeenBlocked { movement: movement.clone(), since: at(1) }),
        watch: Some(Watch { movement: Some(movement), begun_at: at(0), checks: 3, due: Some(at(7)) }),
        prompted_at: Some(at(0)),
        refused: [task('a'), task('b')].into(),
        idle_seen: [(task('c'), at(2))].into(),
        remedy: RemedyState {
            raised: Some(raised),
            raised_at: Some(at(6)),
            notes: vec![RemedyNote { at: at(6), text: "raised the desired count from 3 to 4".to_owned() }],
        },
        incidents: [
            ("video/web/x/deployment-blocked".to_owned(), incident(AlertKind::DeploymentBlocked, Some(untold), None)),
            ("video/web/x/lease-at-risk".to_owned(), incident(AlertKind::LeaseAtRisk, None, Some(at(8)))),
        ]
        .into(),
    }
}

fn json(entry: &impl serde::Serialize) -> String {
    to_string(entry).expect("an entry is made of texts, numbers, lists and maps")
}

/// What was read is what is stored again; and whatever an entry says, the decisions that follow from it keep to the rules.
pub fn check(text: &str) {
    if let Ok(entry) = serde_json::from_str::<TaskEntry>(text) {
        assert_eq!(serde_json::from_str::<TaskEntry>(&json(&entry)).ok().as_ref(), Some(&entry));
        let ends = entry.jobs.values().filter_map(|job| job.until()).take(4);
        let moments: Vec<Timestamp> = ends.chain(entry.protection.confirmed_until).chain([at(1)]).collect();
        moments.into_iter().for_each(|now| task_at(&entry, now));
    }
    if let Ok(mut entry) = serde_json::from_str::<ServiceEntry>(text) {
        assert_eq!(serde_json::from_str::<ServiceEntry>(&json(&entry)).ok().as_ref(), Some(&entry));
        told_once(&mut entry.incidents);
    }
}

fn task_at(entry: &TaskEntry, now: Timestamp) {
    let wanted = entry.wanted_until(now);
    let grantable = now.saturating_add(PROTECTION_MAX).unwrap_or(Timestamp::MAX);
    match decide_protection(entry, now) {
        Decision::Ask(Ask::Release) => assert!(wanted.is_none() && entry.protection.held),
        Decision::Ask(Ask::ProtectUntil(until)) => {
            assert_eq!(Some(until), wanted.map(|wanted| wanted.min(grantable)));
            assert!(entry.protection.confirmed_until.is_none_or(|certain| certain < until), "it would be shortened");
        }
        Decision::Keep(KeepReason::Stopped) => assert!(entry.stopped_at.is_some()),
        Decision::Keep(KeepReason::Idle) => assert!(wanted.is_none() && !entry.protection.held),
        Decision::Keep(KeepReason::Confirmed { .. } | KeepReason::RefusedJustNow) => assert!(wanted.is_some()),
    }
    if attention(entry, now) != Attention::None {
        assert!(entry.is_open(), "a sweep would not find it");
    }
    let keep_until = entry.keep_until(now, TOMBSTONE);
    assert!(wanted.is_none_or(|wanted| wanted <= keep_until), "it is forgotten while a job lives");
    let mut kept = entry.clone();
    kept.forget(now, TOMBSTONE);
    assert_eq!(kept.wanted_until(now), wanted);
    kept.interrupt(&end(), now);
    kept.interruptions.iter().for_each(|news| interruption_is_told_well(&news.what));
}

fn interruption_is_told_well(what: &taskhold::ledger::Interruption) {
    let cluster = expect::clusters().only().expect("one cluster is configured");
    let task = Task { cluster, id: "0123456789abcdef0123456789abcdef".parse().expect("a task's id") };
    let message = Message::of_interruption(&task, what);
    assert!(message.subject.len() <= mail::SUBJECT_CHARS_MAX, "{}", message.subject);
    assert!(message.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{}", message.subject);
    assert!(!message.mail.contains(|c: char| c.is_control() && c != '\n'), "{}", message.mail);
    assert!(message.machine.len() <= machine::ESCAPED_BYTES_MAX, "{} bytes", message.machine.len());
}

/// What one instance has claimed, another one does not tell at the same time.
fn told_once(incidents: &mut Incidents) {
    let now = at(10);
    let untold = incidents.values().filter(|incident| incident.untold.is_some()).count();
    assert!(claim(incidents, now).len() <= untold);
    assert!(claim(incidents, now).is_empty());
}
