//! [`Job::merge`] takes the further of two states in every field, so that any order and number of deliveries ends in the
//! same state. These are the laws that say so.

use jiff::Timestamp;
use taskhold::ledger::Job;
use taskhold::ledger::job::{Labels, Told};

const CASES: u64 = 20_000;

/// Few different moments, so that many are equal.
fn moment(rng: &mut fastrand::Rng) -> Option<Timestamp> {
    rng.bool().then(|| Timestamp::from_second(1_700_000_000 + rng.i64(0..4)).unwrap())
}

fn job(rng: &mut fastrand::Rng) -> Job {
    let told = moment(rng).zip(moment(rng)).map(|(at, value)| Told { at, value });
    let labels = moment(rng).map(|at| {
        let value = Labels::from([(rng.u8(..2).to_string(), rng.u8(..2).to_string())]);
        Told { at, value }
    });
    Job {
        started_at: moment(rng),
        declared_until: moment(rng),
        presumed_until: moment(rng),
        expected_until: told,
        heard_at: moment(rng),
        finished_at: moment(rng),
        labels,
    }
}

fn merged(mut one: Job, other: &Job) -> Job {
    one.merge(other);
    one
}

fn for_three_jobs(law: impl Fn(&Job, &Job, &Job)) {
    for seed in 0..CASES {
        let mut rng = fastrand::Rng::with_seed(seed);
        law(&job(&mut rng), &job(&mut rng), &job(&mut rng));
    }
}

#[test]
fn merge_does_not_mind_the_order() {
    for_three_jobs(|a, b, _| assert_eq!(merged(a.clone(), b), merged(b.clone(), a)));
}

#[test]
fn merge_does_not_mind_who_merged_first() {
    for_three_jobs(|a, b, c| assert_eq!(merged(merged(a.clone(), b), c), merged(a.clone(), &merged(b.clone(), c))));
}

#[test]
fn merge_does_not_mind_duplicates() {
    for_three_jobs(|a, b, _| {
        let both = merged(a.clone(), b);
        assert_eq!(merged(a.clone(), a), *a);
        assert_eq!(merged(both.clone(), a), both);
    });
}

#[test]
fn merge_with_nothing_known_changes_nothing() {
    for_three_jobs(|a, _, _| assert_eq!(merged(Job::default(), a), *a));
}

#[test]
fn merge_never_revives_a_finished_job() {
    for_three_jobs(|a, b, _| {
        let both = merged(a.clone(), b);
        if a.finished_at.is_some() {
            assert_eq!(both.lives_until(Timestamp::MIN), None);
        }
    });
}
