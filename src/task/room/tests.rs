//! Records filled to their last bytes.

use super::*;
use crate::ecs::task::StopCause;
use crate::store::Record;
use crate::task::agent_protection::AgentProtection;
use crate::task::change::EcsProtection;
use crate::task::fixture::key;
use crate::task::interruption::{StopStage, TaskStop};
use crate::task::job::{Labels, Reported};
use crate::task::protection::{CALLS_IN_FLIGHT_MAX, ForeignProtection, ProtectionRequest};

const RETENTION: SignedDuration = SignedDuration::from_hours(336);

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_123 + minute * 60_000).unwrap()
}

fn started(minute: i64, minutes: i64) -> Job {
    Job {
        started_at: Some(at(minute)),
        declared_until: Some(at(minute + minutes)),
        reported_at: Some(at(minute)),
        ..Job::default()
    }
}

fn finished(minute: i64) -> Job {
    Job { finished_at: Some(at(minute)), reported_at: Some(at(minute)), ..Job::default() }
}

/// What a job message can carry at most, in characters that JSON writes as six.
fn longest(number: usize) -> JobReport {
    let mut job = started(0, 2880);
    let label = |label| (format!("{label}{}", "\u{1}".repeat(63)), "\u{1}".repeat(128));
    job.labels = Some(Reported { at: at(0), value: Labels::from_iter((0..8).map(label)) });
    job.expected_until = Some(Reported { at: at(0), value: at(2880) });
    job.presumed_until = Some(at(2880));
    job.heartbeat_minutes = Some(2880);
    job.kind = Some("\u{1}".repeat(64));
    job.protection = Some(Reported { at: at(0), value: AgentProtection::Refused { reason: "\u{1}".repeat(256) } });
    JobReport { key: key(&format!("{number:04}{}", "\u{1}".repeat(252))), job }
}

fn bytes(record: &TaskRecord) -> usize {
    serde_json::to_string(record).unwrap().len()
}

/// Takes in reports one by one, as separate messages.
fn add_reports(record: &mut TaskRecord, reports: impl IntoIterator<Item = JobReport>, now: Timestamp) {
    for (number, report) in reports.into_iter().enumerate() {
        record.add_reports(&[report], now);
        record.shrink(now, RETENTION);
        if number % 50 == 0 {
            assert!(bytes(record) <= RECORD_BYTES_MAX, "{} bytes", bytes(record));
        }
    }
    assert!(bytes(record) <= RECORD_BYTES_MAX, "{} bytes", bytes(record));
}

/// A record that rejects the next start, and its live jobs.
fn full(job: impl Fn(usize) -> JobReport) -> (TaskRecord, Vec<JobKey>) {
    let mut record = TaskRecord::default();
    for number in 0.. {
        record.add_reports(&[job(number)], at(0));
        if record.rejected.is_some() {
            break;
        }
    }
    assert!(bytes(&record) <= RECORD_BYTES_MAX, "{} bytes", bytes(&record));
    let live = record.live_jobs(at(0)).map(|(key, _)| key.clone()).collect();
    (record, live)
}

fn short(number: usize) -> JobReport {
    JobReport { key: key(&format!("6b777c18-09a9-4925-ab48-0000{number:08}")), job: started(0, 600) }
}

#[test]
fn in_a_full_record_every_finish_a_forced_release_and_an_interruption_still_fit() {
    for job in [short as fn(usize) -> JobReport, longest] {
        let (record, live) = full(job);
        assert!(live.len() > 65, "{} live jobs", live.len());
        let mut by_finishes = record.clone();
        let rejected = record.rejected_jobs(at(0)).map(|job| job.key.clone());
        add_reports(
            &mut by_finishes,
            live.iter().cloned().chain(rejected).map(|key| JobReport { key, job: finished(5) }),
            at(5),
        );
        let mut by_force = record.clone();
        by_force.finish_jobs(at(5));
        by_force.shrink(at(5), RETENTION);
        for ended in [&by_finishes, &by_force] {
            assert!(bytes(ended) <= RECORD_BYTES_MAX);
            assert_eq!(ended.wanted_until(at(5)), None);
            assert!(live.iter().all(|key| ended.knows(key)), "a late start would revive a job");
        }
        let mut interrupted = record;
        let cause = StopCause { reason: Some("\u{1}".repeat(10_000)), ..StopCause::default() };
        interrupted.protection.foreign = Some(ForeignProtection { until: at(2880), at: at(5) });
        for (stage, minute) in [(StopStage::Stopping, 5), (StopStage::Stopped, 7)] {
            interrupted.protection.forget_stale(at(minute));
            for _ in 0..CALLS_IN_FLIGHT_MAX {
                interrupted.protection.begin(ProtectionRequest::ProtectUntil(at(2880)), at(minute));
            }
            interrupted.interrupt(
                &TaskStop { stage, service: None, cause: cause.clone() },
                EcsProtection::NotAsked,
                at(minute),
            );
            interrupted.shrink(at(minute), RETENTION);
            assert!(bytes(&interrupted) <= RECORD_BYTES_MAX, "{} bytes", bytes(&interrupted));
        }
        let rejected = interrupted.rejected_jobs(at(5)).count();
        assert_eq!(interrupted.interruptions[0].what.jobs.len(), live.len() + rejected);
    }
}

#[test]
fn finished_jobs_shrink_to_fingerprints_and_absorb_late_starts() {
    let mut record = TaskRecord::default();
    for number in 0..2000 {
        let minute = i64::try_from(number).unwrap();
        let JobReport { key, .. } = short(number);
        let jobs = [started(minute, 600), finished(minute)];
        add_reports(&mut record, jobs.map(|job| JobReport { key: key.clone(), job }), at(minute));
    }
    assert!(record.fingerprints.len() > 1800, "{} fingerprints", record.fingerprints.len());
    assert!(bytes(&record) < 64_000, "{} bytes", bytes(&record));
    let is_whole = |number| record.jobs.contains_key(&short(number).key);
    assert!(is_whole(1999) && !is_whole(0), "the oldest shrink first");
    let before = record.clone();
    add_reports(&mut record, (0..2000).map(|number| JobReport { job: started(1000, 2880), ..short(number) }), at(2000));
    assert_eq!(record.wanted_until(at(2000)), None, "a job was revived");
    assert_eq!(record.fingerprints, before.fingerprints);
}

#[test]
fn a_live_job_is_not_rejected_for_the_sake_of_finished_ones() {
    let mut record = TaskRecord::default();
    let reports: Vec<_> = (0..35_000).map(|number| JobReport { job: finished(0), ..short(number) }).collect();
    record.add_reports(&reports, at(0));
    record.shrink(at(0), RETENTION);
    assert!(bytes(&record) <= RECORD_BYTES_MAX && bytes(&record) > RECORD_BYTES_MAX - 65_000, "{}", bytes(&record));
    let job = |number| JobReport { key: key(&format!("live-{number}")), job: started(0, 600) };
    add_reports(&mut record, (0..500).map(job), at(0));
    assert_eq!((record.live_jobs(at(0)).count(), record.rejected), (500, None));
}

#[test]
fn a_rejected_start_is_remembered_until_its_job_is_recorded_finished_or_over() {
    let (record, live) = full(short);
    let rejected = short(live.len()).key;
    assert_eq!(record.rejected_since(at(0)), Some(at(0)));
    assert_eq!(
        record.rejected_jobs(at(0)).map(|job| job.key.clone()).collect::<Vec<_>>(),
        std::slice::from_ref(&rejected)
    );
    assert!(!record.knows(&rejected));
    assert_eq!([599, 600].map(|minute| record.rejected_since(at(minute)).is_some()), [true, false]);
    let mut finished_first = record.clone();
    add_reports(&mut finished_first, [JobReport { key: rejected.clone(), job: finished(5) }], at(5));
    assert_eq!(finished_first.rejected, None);
    let mut with_room = record.clone();
    add_reports(&mut with_room, [JobReport { key: live[0].clone(), job: finished(5) }], at(5));
    assert!(with_room.rejected.is_none() && with_room.live_jobs(at(5)).any(|(live, _)| *live == rejected));
    let mut by_force = record;
    by_force.finish_jobs(at(5));
    assert_eq!(by_force.rejected, None);
}

#[test]
fn a_rejected_job_for_which_its_task_protects_itself_stays_one() {
    let (mut record, live) = full(short);
    let (own, mut job) = (key("own"), started(0, 700));
    let refused = AgentProtection::Refused { reason: "DEPLOYMENT_BLOCKED".to_owned() };
    job.protection = Some(Reported { at: at(0), value: refused });
    add_reports(&mut record, [JobReport { key: own.clone(), job }], at(0));
    assert!(!record.knows(&own));
    add_reports(&mut record, live.into_iter().take(2).map(|key| JobReport { key, job: finished(5) }), at(5));
    assert!(record.knows(&own) && record.jobs[&own].is_protected_by_agent());
    assert_eq!(record.jobs[&own].agent_refused_at(), Some(at(0)));
}

#[test]
fn labels_that_do_not_fit_are_left_out_and_their_jobs_are_recorded() {
    let (record, live) = full(longest);
    let labelled = record.jobs.values().filter(|job| job.labels.is_some()).count();
    assert!((1..10).contains(&labelled), "{labelled} of {} jobs with labels", live.len());
    let JobReport { key: known, job } = longest(0);
    let mut relabelled = TaskRecord::default();
    let jobs = [started(0, 60), job.clone()];
    add_reports(&mut relabelled, jobs.map(|job| JobReport { key: known.clone(), job }), at(0));
    assert_eq!(relabelled.jobs[&known].labels, job.labels);
}

#[test]
fn a_job_that_outlived_its_declared_end_is_revived_only_if_it_fits() {
    let mut record = TaskRecord::default();
    add_reports(&mut record, [JobReport { key: key("outlived"), job: started(0, 5) }], at(0));
    let reports: Vec<_> = (0..2000).map(short).collect();
    record.add_reports(&reports[..1000], at(6));
    assert!(record.rejected.is_some() && record.knows(&key("outlived")));
    let longer = Job { declared_until: Some(at(60)), reported_at: Some(at(6)), ..Job::default() };
    add_reports(&mut record, [JobReport { key: key("outlived"), job: longer }], at(6));
    assert!(record.live_jobs(at(6)).all(|(live, _)| *live != key("outlived")));
}

#[test]
fn a_record_with_a_rejected_start_alone_is_not_open_because_no_sweep_can_help_it() {
    let mut record = TaskRecord::default();
    record.reject(&key("j"), &started(0, 60), at(0));
    assert!(!Record::is_open(&record));
}

/// How many jobs per minute one task can run indefinitely: the figure in docs/operating.md. A fingerprint is kept for up
/// to an hour longer than the retention. tests/figures/sustained.rs runs that many.
#[test]
fn one_task_can_sustain_some_jobs_a_minute_for_ever() {
    for (hours, least) in [(24, 186), (120, 38), (336, 13)] {
        let retention = SignedDuration::from_hours(hours);
        let mut record = TaskRecord::default();
        let reports = |range: std::ops::Range<usize>| -> Vec<_> {
            range.map(|number| JobReport { job: finished(0), ..short(number) }).collect()
        };
        record.add_reports(&reports(0..35_000), at(0));
        record.shrink(at(0), retention);
        let kept = record.fingerprints.len();
        let tenths = kept * 10 / usize::try_from((hours + 1) * 60).unwrap();
        let (whole, tenth) = (tenths / 10, tenths % 10);
        println!("retention {hours} h: {kept} fingerprints in {} bytes, {whole}.{tenth} jobs a minute", bytes(&record));
        assert!(tenths >= least);
    }
}

#[test]
fn a_live_job_whose_task_reports_its_own_protection_later_has_room_for_the_report() {
    let (record, live) = full(short);
    for value in [AgentProtection::Until(at(2880)), AgentProtection::Refused { reason: "\u{1}".repeat(256) }] {
        let report = Reported { at: at(1), value };
        let job = Job { presumed_until: Some(at(2880)), protection: Some(report), ..started(0, 600) };
        let mut reported = record.clone();
        add_reports(&mut reported, live.iter().map(|key| JobReport { key: key.clone(), job: job.clone() }), at(1));
        assert!(live.iter().all(|key| reported.jobs[key].is_protected_by_agent()));
    }
}
