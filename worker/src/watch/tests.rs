use super::*;

pub(crate) const MINUTE: u64 = 60;

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn now(seconds: u64) -> Now {
    Now { moment: secs(seconds), date: date(seconds) }
}

/// The clocks of these tests start together.
pub(crate) fn date(seconds: u64) -> Timestamp {
    Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap()
}

pub(crate) fn protected(until: u64) -> AgentAnswer {
    AgentAnswer::Protected { until: date(until) }
}

fn refused(reason: &str) -> AgentAnswer {
    AgentAnswer::Refused(AgentRefusal { reason: reason.to_owned(), detail: None })
}

fn unknown() -> AgentAnswer {
    AgentAnswer::Unknown(AgentProblem::TimedOut("5 s".to_owned()))
}

/// A watch over a job that ends then, which asks once a minute.
fn watch(job_end: u64) -> ProtectionWatch {
    ProtectionWatch::new(secs(job_end), secs(MINUTE))
}

fn next(watch: &ProtectionWatch) -> Option<(u64, WatchStep)> {
    watch.next().map(|(at, step)| (at.as_secs(), step))
}

#[test]
fn protection_is_requested_at_once_and_checked_after_a_minute_and_then_at_half_of_the_time_left() {
    let mut watch = watch(7200);
    assert_eq!(next(&watch), Some((0, WatchStep::Request)));
    assert!(!watch.is_covered());
    assert_eq!(watch.requested(protected(7260), secs(7200), now(0)), News::Yes);
    assert!(watch.is_covered());
    assert_eq!(next(&watch), Some((60, WatchStep::Check)));
    assert_eq!(watch.checked(protected(7260), now(60)), News::No);
    assert_eq!(next(&watch), Some((3660, WatchStep::Check)));
    watch.checked(protected(7260), now(3660));
    assert_eq!(next(&watch), Some((5460, WatchStep::Check)));
    watch.checked(protected(7260), now(7190));
    assert_eq!(next(&watch), Some((7200, WatchStep::NoteOverrun)), "the last check would come after the job's end");
    watch.noted_overrun();
    assert_eq!(next(&watch), None);
}

#[test]
fn a_protection_that_is_gone_is_requested_again_at_once() {
    for gone in [AgentAnswer::Unprotected, refused("MISSING")] {
        let mut watch = watch(7200);
        watch.requested(protected(7260), secs(7200), now(0));
        assert_eq!(watch.checked(gone, now(60)), News::Yes);
        assert_eq!(next(&watch), Some((60, WatchStep::Request)));
        watch.requested(protected(7260), secs(7200), now(61));
        assert!(watch.is_covered());
    }
}

#[test]
fn a_check_without_an_answer_takes_nothing_away() {
    let mut watch = watch(7200);
    watch.requested(protected(7260), secs(7200), now(0));
    assert_eq!(watch.checked(unknown(), now(60)), News::No);
    assert!(watch.is_covered());
}

#[test]
fn a_refusal_is_followed_by_a_request_each_minute() {
    let mut watch = watch(7200);
    assert_eq!(watch.requested(refused("DEPLOYMENT_BLOCKED"), secs(7200), now(5)), News::Yes);
    assert_eq!(next(&watch), Some((65, WatchStep::Request)));
    assert_eq!(watch.requested(refused("DEPLOYMENT_BLOCKED"), secs(7200), now(65)), News::No);
    assert_eq!(next(&watch), Some((125, WatchStep::Request)));
    assert_eq!(watch.requested(protected(7260), secs(7200), now(125)), News::Yes);
}

#[test]
fn a_task_without_a_service_is_not_asked_about_again() {
    let mut watch = watch(7200);
    watch.requested(refused("TASK_NOT_VALID"), secs(7200), now(0));
    assert_eq!(next(&watch), Some((7200, WatchStep::NoteOverrun)));
}

#[test]
fn an_agent_without_an_answer_is_asked_again_each_minute() {
    let mut watch = watch(7200);
    assert_eq!(watch.requested(unknown(), secs(7200), now(0)), News::Yes);
    assert_eq!(next(&watch), Some((60, WatchStep::Request)));
    assert_eq!(watch.requested(unknown(), secs(7200), now(60)), News::No);
}

#[test]
fn a_shorter_protection_than_the_job_needs_does_not_cover_it() {
    let mut watch = watch(7200);
    watch.requested(protected(7200 - 61), secs(7200), now(0));
    assert!(!watch.is_covered());
    assert_eq!(next(&watch), Some((60, WatchStep::Request)));
    watch.requested(protected(7200 - 60), secs(7200), now(60));
    assert!(watch.is_covered(), "ECS may cut off the seconds");
}

#[test]
fn a_job_longer_than_ecs_grants_is_renewed_at_half_of_the_time_left() {
    let max = GRANT_MAX.as_secs();
    let mut watch = watch(2 * max);
    watch.requested(protected(max), secs(max), now(0));
    assert!(watch.is_covered(), "as far as ECS grants");
    assert_eq!(next(&watch), Some((60, WatchStep::Check)));
    watch.checked(protected(max), now(60));
    let renewal = 60 + (max - 60) / 2;
    assert_eq!(next(&watch), Some((renewal, WatchStep::Request)));
    watch.requested(protected(renewal + max), secs(renewal + max), now(renewal));
    assert!(watch.is_covered());
}

#[test]
fn a_renewal_without_an_answer_leaves_the_protection_that_stands_and_is_repeated() {
    let max = GRANT_MAX.as_secs();
    let mut watch = watch(2 * max);
    watch.requested(protected(max), secs(max), now(0));
    assert_eq!(watch.requested(unknown(), secs(max + 600), now(600)), News::No);
    assert!(matches!(watch.known(), Known::Granted(_)));
    assert_eq!(next(&watch), Some((660, WatchStep::Request)));
    watch.requested(unknown(), secs(2 * max), now(max + 1));
    assert!(matches!(watch.known(), Known::Unanswered(_)), "by then it has ended");
}

#[test]
fn a_clock_that_is_wrong_extends_no_protection() {
    // The container's date is an hour behind: the expiry seems to be an hour later than asked for.
    let behind = Now { moment: secs(0), date: date(0) };
    let expiry = Expiry::read(date(7260 + 3600), secs(7260), behind);
    assert_eq!(expiry.moment, secs(7260));
    // The date is far ahead: the expiry seems to be over, which is the safe side.
    let ahead = Now { moment: secs(50), date: date(1_000_000) };
    assert_eq!(Expiry::read(date(7260), secs(7260), ahead).moment, secs(50));
}
