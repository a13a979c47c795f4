use super::*;
use crate::answer::{AgentProblem, AgentRefusal};
use crate::watch::tests::{MINUTE, now, protected, secs};
use std::collections::BTreeMap;

const HOUR: u64 = 3600;

fn settings() -> ProtectorSettings {
    ProtectorSettings {
        agent: AgentPresence::Present,
        linger: Duration::ZERO,
        start_timeout: secs(10),
        check_interval: secs(MINUTE),
        heartbeat_interval: secs(600),
    }
}

fn application(id: &str, max: u64) -> Application {
    let job = DeclaredJob {
        id: id.to_owned(),
        attempt: 1,
        max: secs(max),
        expected: None,
        kind: None,
        labels: BTreeMap::new(),
    };
    Application { max: Some(job.max), job, attempt: None, unprotected: Unprotected::Forgotten }
}

fn in_any_case(id: &str, max: u64) -> Application {
    Application { unprotected: Unprotected::Recorded, ..application(id, max) }
}

fn refused() -> AgentAnswer {
    AgentAnswer::Refused(AgentRefusal { reason: "DEPLOYMENT_BLOCKED".to_owned(), detail: None })
}

fn unanswered() -> AgentAnswer {
    AgentAnswer::Unknown(AgentProblem::TimedOut("6 s".to_owned()))
}

/// Decides and records what can be decided, as the server does. Returns the verdicts.
fn verdicts(protector: &mut Protector, at: u64) -> Vec<Verdict> {
    let decided = protector.decide(secs(at));
    for application in &decided {
        protector.record(application, secs(at));
    }
    decided.into_iter().map(|decided| decided.verdict).collect()
}

/// The call that is due, which ECS grants as asked.
fn granted(protector: &mut Protector, at: u64) -> u64 {
    match protector.due(secs(at)) {
        Some(ProtectorCall::Request { minutes }) => {
            protector.answered(&protected(at + minutes * MINUTE), now(at));
            minutes
        }
        other => panic!("{other:?}"),
    }
}

/// A protector with one job of this length that is protected.
fn busy(max: u64) -> Protector {
    let mut protector = Protector::new(settings());
    protector.apply(application("first", max), secs(0));
    granted(&mut protector, 0);
    assert!(matches!(verdicts(&mut protector, 0)[..], [Verdict::Protected(_)]));
    protector
}

#[test]
fn an_application_is_answered_when_ecs_has_granted_protection_that_covers_the_job() {
    let mut protector = Protector::new(settings());
    protector.apply(application("a", 2 * HOUR), secs(0));
    assert!(verdicts(&mut protector, 0).is_empty());
    assert_eq!(protector.due(secs(0)), Some(ProtectorCall::Request { minutes: 121 }));
    assert_eq!(protector.due(secs(1)), None, "one call at a time");
    assert!(verdicts(&mut protector, 1).is_empty());
    protector.answered(&protected(121 * MINUTE), now(1));
    assert!(matches!(verdicts(&mut protector, 1)[..], [Verdict::Protected(_)]));
    assert_eq!(protector.jobs().latest_end(), Some(secs(2 * HOUR + 1)));
}

#[test]
fn jobs_that_arrive_together_share_one_request_for_the_latest_end() {
    let mut protector = Protector::new(settings());
    for number in 0..50 {
        protector.apply(application(&number.to_string(), HOUR + number * MINUTE), secs(0));
    }
    assert_eq!(granted(&mut protector, 0), 60 + 49 + 1);
    assert_eq!(verdicts(&mut protector, 0).len(), 50);
    assert_eq!(protector.due(secs(0)), None);
}

#[test]
fn a_job_that_arrives_during_a_request_waits_for_the_next_unless_it_is_covered() {
    let mut protector = Protector::new(settings());
    protector.apply(application("a", 2 * HOUR), secs(0));
    let Some(ProtectorCall::Request { minutes: 121 }) = protector.due(secs(0)) else { panic!() };
    protector.apply(application("short", HOUR), secs(0));
    protector.apply(application("long", 3 * HOUR), secs(0));
    protector.answered(&protected(121 * MINUTE), now(0));
    assert_eq!(verdicts(&mut protector, 0).len(), 2, "the request covers the short one too");
    assert_eq!(granted(&mut protector, 0), 181);
    assert_eq!(verdicts(&mut protector, 0).len(), 1);
}

#[test]
fn jobs_of_the_same_minute_need_no_further_call() {
    let mut protector = busy(2 * HOUR);
    protector.apply(application("b", 2 * HOUR), secs(50));
    assert!(matches!(verdicts(&mut protector, 50)[..], [Verdict::Protected(_)]));
    protector.apply(application("c", 2 * HOUR), secs(70));
    assert!(verdicts(&mut protector, 70).is_empty());
    assert_eq!(granted(&mut protector, 70), 121);
}

#[test]
fn a_refused_job_is_recorded_only_if_its_worker_does_it_all_the_same() {
    let mut protector = Protector::new(settings());
    protector.apply(application("a", HOUR), secs(0));
    protector.apply(in_any_case("b", HOUR), secs(0));
    protector.due(secs(0)).unwrap();
    protector.answered(&refused(), now(0));
    assert_eq!(verdicts(&mut protector, 0), vec![Verdict::Refused("DEPLOYMENT_BLOCKED".to_owned()); 2]);
    let jobs: Vec<&str> = protector.jobs().iter().map(|job| job.declared.id.as_str()).collect();
    assert_eq!(jobs, ["b"]);
    assert_eq!(protector.due(secs(59)), None);
    assert_eq!(granted(&mut protector, 60), 60, "it is asked again for the recorded job");
    let news: Vec<Known> = protector.take_news(secs(60)).iter().map(|job| protector.known_for(job)).collect();
    assert!(matches!(news[..], [Known::Granted(_)]), "the grant is reported");
}

#[test]
fn after_a_refusal_applicants_share_one_request_a_second() {
    let mut protector = Protector::new(settings());
    protector.apply(application("a", HOUR), secs(0));
    protector.due(secs(0)).unwrap();
    protector.answered(&refused(), now(0));
    verdicts(&mut protector, 0);
    protector.apply(application("a", HOUR), secs(0));
    protector.apply(application("b", HOUR), secs(0));
    assert_eq!((protector.due(secs(0)), protector.next()), (None, Some(secs(1))));
    granted(&mut protector, 1);
    assert_eq!(verdicts(&mut protector, 1).len(), 2);
}

#[test]
fn a_refused_extension_leaves_the_other_jobs_protected() {
    let mut protector = busy(2 * HOUR);
    protector.apply(application("long", 5 * HOUR), secs(10));
    protector.due(secs(10)).unwrap();
    protector.answered(&refused(), now(10));
    assert_eq!(verdicts(&mut protector, 10), [Verdict::Refused("DEPLOYMENT_BLOCKED".to_owned())]);
    assert!(protector.take_news(secs(10)).is_empty());
    assert!(matches!(protector.known_for(protector.jobs().get("first").unwrap()), Known::Granted(_)));
    protector.apply(application("short", HOUR), secs(11));
    assert!(matches!(verdicts(&mut protector, 11)[..], [Verdict::Protected(_)]), "the standing protection covers it");
}

#[test]
fn an_agent_without_an_answer_is_asked_again_until_the_start_timeout() {
    let mut protector = Protector::new(settings());
    protector.apply(application("a", HOUR), secs(0));
    protector.due(secs(0)).unwrap();
    protector.answered(&unanswered(), now(6));
    assert!(verdicts(&mut protector, 6).is_empty());
    assert_eq!(protector.due(secs(6)), None);
    assert_eq!(protector.next(), Some(secs(6) + RETRY_PAUSE));
    assert!(protector.due(secs(7)).is_some());
    assert_eq!(protector.next(), Some(secs(10)));
    let expected = "the agent did not answer within 6 s".to_owned();
    assert_eq!(verdicts(&mut protector, 10), [Verdict::Unknown(expected)]);
    protector.answered(&protected(2 * HOUR), now(11));
    assert_eq!(protector.due(secs(11)), Some(ProtectorCall::Clear), "it was granted too late, and no job needs it");
}

#[test]
fn a_missing_permission_is_answered_at_once() {
    let mut protector = Protector::new(settings());
    protector.apply(application("a", HOUR), secs(0));
    protector.due(secs(0)).unwrap();
    let denied = AgentProblem::Status { status: 400, message: "AccessDeniedException".to_owned() };
    protector.answered(&AgentAnswer::Unknown(denied), now(0));
    assert!(matches!(&verdicts(&mut protector, 0)[..], [Verdict::Unknown(why)] if why.contains("AccessDenied")));
}

#[test]
fn protection_is_cleared_when_the_last_ending_is_reported_and_the_linger_is_over() {
    let mut protector = Protector::new(ProtectorSettings { linger: secs(30), ..settings() });
    for id in ["a", "b"] {
        protector.apply(application(id, HOUR), secs(0));
    }
    granted(&mut protector, 0);
    verdicts(&mut protector, 0);
    assert!(protector.end("a", secs(5)).is_some());
    protector.ending_reported();
    assert!(protector.end("b", secs(10)).is_some() && protector.end("b", secs(10)).is_none());
    assert_eq!(protector.due(secs(45)), None, "job.finished is not accepted yet");
    protector.ending_reported();
    assert_eq!(protector.next(), Some(secs(40)));
    assert_eq!(protector.due(secs(40)), Some(ProtectorCall::Clear));
    assert!(!protector.is_at_rest());
    protector.answered(&AgentAnswer::Unprotected, now(40));
    assert!(protector.is_at_rest());
    assert_eq!(protector.next(), None);
}

#[test]
fn a_job_within_the_linger_needs_no_call() {
    let mut protector = Protector::new(ProtectorSettings { linger: secs(30), ..settings() });
    protector.apply(application("a", 2 * HOUR), secs(0));
    granted(&mut protector, 0);
    verdicts(&mut protector, 0);
    protector.end("a", secs(5));
    protector.ending_reported();
    protector.apply(application("b", HOUR), secs(20));
    assert!(matches!(verdicts(&mut protector, 20)[..], [Verdict::Protected(_)]));
    assert_eq!(protector.due(secs(40)), None);
}

#[test]
fn a_job_that_arrives_while_protection_is_cleared_is_protected_anew() {
    let mut protector = busy(2 * HOUR);
    protector.end("first", secs(10));
    protector.ending_reported();
    assert_eq!(protector.due(secs(10)), Some(ProtectorCall::Clear));
    protector.apply(application("b", HOUR), secs(10));
    assert!(verdicts(&mut protector, 10).is_empty(), "the protection may be gone already");
    protector.answered(&AgentAnswer::Unprotected, now(10));
    assert_eq!(granted(&mut protector, 10), 61);
    assert_eq!(verdicts(&mut protector, 10).len(), 1);
}

#[test]
fn a_clearing_that_failed_is_tried_again() {
    let mut protector = busy(2 * HOUR);
    protector.end("first", secs(10));
    protector.ending_reported();
    protector.due(secs(10)).unwrap();
    protector.answered(&unanswered(), now(16));
    assert_eq!(protector.due(secs(16)), None);
    assert_eq!(protector.due(secs(76)), Some(ProtectorCall::Clear));
}

#[test]
fn a_job_that_is_ended_while_it_waits_for_protection_does_not_start() {
    let mut protector = Protector::new(settings());
    protector.apply(application("a", HOUR), secs(0));
    protector.apply(application("b", HOUR), secs(0));
    protector.due(secs(0)).unwrap();
    assert_eq!(protector.end("a", secs(1)), None);
    assert_eq!(verdicts(&mut protector, 1), [Verdict::Ended]);
    protector.answered(&protected(2 * HOUR), now(2));
    assert!(matches!(verdicts(&mut protector, 2)[..], [Verdict::Protected(_)]));
    let jobs: Vec<&str> = protector.jobs().iter().map(|job| job.declared.id.as_str()).collect();
    assert_eq!(jobs, ["b"]);
}

#[test]
fn a_mention_of_a_job_that_ends_before_the_answer_does_not_bring_it_back() {
    let mut protector = busy(HOUR);
    protector.apply(application("first", 3 * HOUR), secs(1));
    protector.due(secs(1)).unwrap();
    assert!(protector.end("first", secs(2)).is_some());
    protector.answered(&protected(4 * HOUR), now(3));
    assert_eq!(verdicts(&mut protector, 3), [Verdict::Ended]);
    assert!(protector.jobs().is_empty());
}

#[test]
fn a_crashed_workers_job_ends_with_its_declared_maximum() {
    let mut protector = busy(HOUR);
    protector.apply(application("b", 2 * HOUR), secs(0));
    granted(&mut protector, 0);
    verdicts(&mut protector, 0);
    assert!(protector.take_overdue(secs(HOUR - 1)).is_empty());
    assert_eq!(protector.take_overdue(secs(HOUR)).len(), 1);
    assert_eq!(protector.take_overdue(secs(2 * HOUR)).len(), 1);
    assert_eq!(protector.due(secs(2 * HOUR)), Some(ProtectorCall::Clear));
}

#[test]
fn protection_that_another_writer_cleared_is_requested_again() {
    let mut protector = busy(2 * HOUR);
    assert_eq!(protector.due(secs(60)), Some(ProtectorCall::Check));
    assert_eq!(protector.answered(&AgentAnswer::Unprotected, now(60)), News::Yes);
    assert!(protector.take_news(secs(60)).is_empty(), "the next answer says more");
    protector.apply(application("b", HOUR), secs(60));
    assert!(verdicts(&mut protector, 60).is_empty());
    assert_eq!(granted(&mut protector, 60), 120);
    assert_eq!(verdicts(&mut protector, 60).len(), 1);
}

#[test]
fn a_job_longer_than_ecs_grants_is_renewed_at_half_of_the_time() {
    let mut protector = busy(72 * HOUR);
    assert_eq!(protector.due(secs(60)), Some(ProtectorCall::Check));
    protector.answered(&protected(48 * HOUR), now(60));
    let half = 24 * HOUR + 30;
    assert_eq!((protector.due(secs(half - 1)), granted(&mut protector, half)), (None, 2880));
    let news = protector.take_news(secs(half));
    assert!(news.len() == 1, "the new end is reported");
}

#[test]
fn a_job_without_news_is_mentioned_now_and_then() {
    let mut protector = busy(2 * HOUR);
    assert!(protector.take_news(secs(599)).is_empty());
    assert_eq!((protector.take_news(secs(600)).len(), protector.take_news(secs(601)).len()), (1, 0));
}

#[test]
fn after_a_refusal_the_task_takes_no_work_for_one_check_interval() {
    let mut protector = Protector::new(settings());
    protector.apply(application("a", HOUR), secs(0));
    protector.due(secs(0)).unwrap();
    protector.answered(&refused(), now(0));
    assert_eq!(protector.closed_for(secs(59)), Some("DEPLOYMENT_BLOCKED".to_owned()));
    assert_eq!(protector.closed_for(secs(60)), None);
}

#[test]
fn a_heartbeat_that_declares_no_duration_extends_the_job_by_its_own() {
    let mut protector = busy(HOUR);
    protector.apply(Application { max: None, ..application("first", 9 * HOUR) }, secs(10));
    assert!(matches!(verdicts(&mut protector, 10)[..], [Verdict::Protected(_)]));
    assert_eq!(protector.jobs().latest_end(), Some(secs(HOUR + 10)));
}

#[test]
fn a_grant_that_is_too_short_is_no_protection() {
    let mut protector = Protector::new(settings());
    protector.apply(application("a", 2 * HOUR), secs(0));
    protector.due(secs(0)).unwrap();
    protector.answered(&protected(HOUR), now(0));
    assert!(matches!(&verdicts(&mut protector, 0)[..], [Verdict::Refused(why)] if why.contains("less protection")));
}

#[test]
fn a_thousand_jobs_are_served_and_one_more_is_not() {
    let mut protector = Protector::new(settings());
    for number in 0..=JOBS_MAX {
        protector.apply(application(&number.to_string(), HOUR), secs(0));
    }
    granted(&mut protector, 0);
    let all = verdicts(&mut protector, 0);
    let admitted = all.iter().filter(|verdict| matches!(verdict, Verdict::Protected(_))).count();
    assert_eq!((admitted, all.last(), protector.jobs().len()), (JOBS_MAX, Some(&Verdict::TooMany), JOBS_MAX));
    protector.apply(application("another", HOUR), secs(0));
    assert_eq!(verdicts(&mut protector, 0), [Verdict::TooMany]);
}

#[test]
fn outside_ecs_every_job_is_admitted_and_nothing_is_called() {
    let mut protector = Protector::new(ProtectorSettings { agent: AgentPresence::Absent, ..settings() });
    protector.apply(application("a", HOUR), secs(0));
    assert_eq!(verdicts(&mut protector, 0), [Verdict::OutsideEcs]);
    assert_eq!((protector.due(secs(0)), protector.jobs().len()), (None, 1));
}
