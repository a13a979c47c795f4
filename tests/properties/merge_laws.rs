//! [`Job::merge`] takes the later of two states in every field, so that deliveries in any order and number reach
//! the same state. These tests state the laws behind it.

use super::config;
use super::drawn::one_of_few_moments;
use super::records::job_of;
use jiff::Timestamp;
use proptest::prelude::*;
use taskhold::task::agent_protection::AgentProtection;
use taskhold::task::job::{Job, Labels};

fn job() -> impl Strategy<Value = Job> {
    let labels = ("[ab]", "[ab]").prop_map(|(name, value)| Labels::from([(name, value)]));
    let by_agent = one_of_few_moments().prop_map(AgentProtection::Until);
    job_of(one_of_few_moments, 1..3_u32, "[ab]", labels, by_agent)
        // A finished job has neither labels, nor an expectation, nor reports about protection and heartbeats.
        .prop_map(|job| merged(&Job::default(), &job))
}

fn merged(one: &Job, other: &Job) -> Job {
    let mut one = one.clone();
    one.merge(other);
    one
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn merge_does_not_mind_the_order(a in job(), b in job()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
    }

    #[test]
    fn merge_does_not_mind_who_merged_first(a in job(), b in job(), c in job()) {
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn merge_does_not_mind_duplicates(a in job(), b in job()) {
        let both = merged(&a, &b);
        prop_assert_eq!(&merged(&a, &a), &a);
        prop_assert_eq!(&merged(&both, &a), &both);
        prop_assert_eq!(&merged(&both, &b), &both);
    }

    #[test]
    fn merge_with_nothing_known_changes_nothing(a in job()) {
        prop_assert_eq!(&merged(&Job::default(), &a), &a);
        prop_assert_eq!(&merged(&a, &Job::default()), &a);
        prop_assert_eq!(&merged(&a, &Job::default()), &a);
    }

    #[test]
    fn merge_never_revives_a_finished_job(a in job(), b in job()) {
        let both = merged(&a, &b);
        if a.finished_at.is_some() {
            prop_assert_eq!(both.lives_until(Timestamp::MIN), None);
        }
    }

    #[test]
    fn merge_never_shortens_what_a_job_declared(a in job(), b in job()) {
        let both = merged(&a, &b);
        prop_assert!(both.declared_until >= a.declared_until.max(b.declared_until));
        prop_assert!(both.presumed_until >= a.presumed_until.max(b.presumed_until));
    }
}
