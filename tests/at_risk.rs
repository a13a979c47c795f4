//! What learned durations are worth for `deployment-at-risk`: precision and recall over drawn jobs, asserted and printed:
//! `cargo test -p taskhold-tests -- --nocapture at_risk::`. docs/alerts.md has the table.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use taskhold::ecs::arn::TaskId;
use taskhold::service::durations::LearnedDurations;
use taskhold::task::job::{Job, JobKey};
use taskhold::task::record::TaskRecord;

const SEED: u64 = 20_261_130;
/// Deployments of each kind of jobs.
const DEPLOYMENTS: usize = 2000;
/// Every worker declares it, and no job lasts longer.
const MAX_MINUTES: f64 = 480.0;
/// The deadlines lie up to this far ahead.
const DEADLINE_MINUTES: f64 = 120.0;

/// Draws the minutes of a job.
type Distribution = fn(&mut Rng) -> f64;

/// Kinds of jobs, all with a median of an hour or nearly so.
const DISTRIBUTIONS: [(&str, Distribution); 4] = [
    ("nearly equal: 50 to 70 minutes", |random| 50.0 + 20.0 * random.f64()),
    ("log-normal, σ = 0.5", |random| 60.0 * (0.5 * normal(random)).exp()),
    ("exponential", |random| -60.0 / std::f64::consts::LN_2 * (1.0 - random.f64()).ln()),
    ("four of five 40 to 70 minutes, one of five 150 to 210", |random| match random.u8(0..5) {
        0 => 150.0 + 60.0 * random.f64(),
        _ => 40.0 + 30.0 * random.f64(),
    }),
];

fn normal(random: &mut Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

fn minutes(random: &mut Rng, draw: Distribution) -> f64 {
    draw(random).clamp(1.0, MAX_MINUTES)
}

fn after(minutes: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(minutes * 60.0).unwrap()
}

/// What the service has learned from this number of finished jobs.
fn learned(random: &mut Rng, draw: Distribution, jobs: usize) -> LearnedDurations {
    let task: TaskId = format!("{:032x}", 1).parse().unwrap();
    let mut record = TaskRecord::default();
    for job in 0..jobs {
        let started_at = Timestamp::UNIX_EPOCH;
        let finished_at = started_at + after(minutes(random, draw));
        let job_of_kind = Job {
            started_at: Some(started_at),
            finished_at: Some(finished_at),
            reported_at: Some(finished_at),
            kind: Some("encode".to_owned()),
            ..Job::default()
        };
        record.merge_job(&JobKey { job_id: job.to_string(), attempt: 1 }, &job_of_kind);
    }
    let mut durations = LearnedDurations::default();
    durations.gather(&task, &record);
    durations
}

/// The minutes of a job that is found running at a random moment: a long one is found more often.
fn running(random: &mut Rng, draw: Distribution) -> f64 {
    loop {
        let minutes = minutes(random, draw);
        if random.f64() * MAX_MINUTES < minutes {
            return minutes;
        }
    }
}

/// What happened in one deployment.
#[derive(Clone, Copy)]
struct Seen {
    is_alert: bool,
    is_missed: bool,
}

#[derive(Default)]
struct Score {
    alerts: u32,
    missed: u32,
    both: u32,
}

impl Score {
    fn count(&mut self, seen: Seen) {
        self.alerts += u32::from(seen.is_alert);
        self.missed += u32::from(seen.is_missed);
        self.both += u32::from(seen.is_alert && seen.is_missed);
    }

    /// The share of alerts after which the deadline was missed.
    fn precision(&self) -> f64 {
        f64::from(self.both) / f64::from(self.alerts.max(1))
    }

    /// The share of missed deadlines with an alert.
    fn recall(&self) -> f64 {
        f64::from(self.both) / f64::from(self.missed.max(1))
    }

    fn shown(&self) -> String {
        format!("{:.0} % / {:.0} %", 100.0 * self.precision(), 100.0 * self.recall())
    }
}

/// The alerts at the first reconcile of deployments that meet one running job each: by the maximum alone, by the 90th
/// percentile of 5 and of 50 finished jobs, and by the median of the 50.
fn scores(draw: Distribution) -> [Score; 4] {
    let mut random = Rng::with_seed(SEED);
    let mut scores: [Score; 4] = Default::default();
    for _ in 0..DEPLOYMENTS {
        let lasts = running(&mut random, draw);
        let ran = lasts * random.f64();
        let deadline = DEADLINE_MINUTES * random.f64();
        let started_at = Timestamp::UNIX_EPOCH;
        let (now, kind) = (started_at + after(ran), Some("encode".to_owned()));
        let job = Job { started_at: Some(started_at), kind, ..Job::default() };
        let is_missed = lasts - ran > deadline;
        scores[0].count(Seen { is_alert: MAX_MINUTES - ran > deadline, is_missed });
        let [five, fifty] = [5, 50].map(|jobs| learned(&mut random, draw, jobs).of(&job, now).end());
        let is_late = |end: Option<Timestamp>| end.is_some_and(|end| end > now + after(deadline));
        scores[1].count(Seen { is_alert: is_late(five.map(|end| end.unlikely_after)), is_missed });
        scores[2].count(Seen { is_alert: is_late(fifty.map(|end| end.unlikely_after)), is_missed });
        scores[3].count(Seen { is_alert: is_late(fifty.map(|end| end.expected)), is_missed });
    }
    scores
}

#[test]
fn by_learned_durations_fewer_alerts_are_wrong_than_by_the_maximum_and_few_deadlines_are_missed_in_silence() {
    println!("| Jobs | Missed | Maximum | 5 jobs | 50 jobs | Median of 50 |\n|---|---:|---:|---:|---:|---:|");
    for (name, draw) in DISTRIBUTIONS {
        let scores = scores(draw);
        let missed = 100.0 * f64::from(scores[0].missed) / f64::from(u32::try_from(DEPLOYMENTS).unwrap());
        println!("| {name} | {missed:.0} % | {} |", scores.each_ref().map(Score::shown).join(" | "));
        let [maximum, _, fifty, median] = &scores;
        assert!(fifty.precision() > maximum.precision() && fifty.recall() > 0.85, "{name}");
        assert!(median.precision() > fifty.precision() && median.recall() < fifty.recall(), "{name}");
    }
}
