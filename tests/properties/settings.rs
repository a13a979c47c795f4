//! Settings: every value that a rule allows is read as given, and no other.

use super::config;
use super::drawn::{name, text};
use proptest::prelude::*;
use proptest::sample::select;
use std::ops::RangeInclusive;
use taskhold::config::declarations::{SETTINGS, Setting, Values};
use taskhold::config::policy::{Policy, Remediations};
use taskhold::config::settings::Config;

const CLUSTER: (&str, &str) = ("TASKHOLD_CLUSTERS", "arn:aws:ecs:eu-west-1:111122223333:cluster/video");

/// The names of the invalid settings.
fn wrong(variables: &[(&str, &str)]) -> Vec<String> {
    let variables = [CLUSTER].iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    match Config::from_variables(variables) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.into_iter().map(|problem| problem.name).collect(),
    }
}

/// The settings that take numbers, each with its range.
fn numbers() -> Vec<(&'static str, RangeInclusive<i64>)> {
    let range = |setting: &Setting| match setting.values {
        Values::Number { min, max } => Some((setting.name, min..=max)),
        _ => None,
    };
    SETTINGS.iter().filter_map(range).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_number_is_taken_if_and_only_if_it_is_within_what_its_rule_says(
        (name, range) in select(numbers()),
        near in -3..4_i64,
        far in any::<i64>(),
    ) {
        for number in [range.start() + near, range.end() + near, far] {
            let is_wrong = wrong(&[(name, &number.to_string())]) == [name];
            prop_assert_eq!(is_wrong, !range.contains(&number), "{} of {:?}", number, range);
        }
    }

    #[test]
    fn whatever_a_setting_is_set_to_it_alone_is_blamed_in_one_short_line(setting in select(SETTINGS.to_vec()), value in text()) {
        let variables = [CLUSTER, (setting.name, value.as_str())];
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        if let Err(problems) = Config::from_variables(variables) {
            for problem in &problems.0 {
                // A policy must be in the list of remediations, so the error may name either setting.
                prop_assert!(problem.name == setting.name || setting.name.ends_with("REMEDIATIONS"), "{:?}", problem);
                prop_assert!(!problem.problem.contains(|c: char| c.is_control()), "{:?}", problem);
                prop_assert!(problem.problem.chars().count() < 1000, "{:?}", problem);
            }
        }
    }

    #[test]
    fn an_unknown_variable_with_the_prefix_is_a_problem(name in "TASKHOLD_[A-Z_]{0,30}", value in text()) {
        let is_known = SETTINGS.iter().any(|setting| setting.name == name);
        prop_assert!(is_known || wrong(&[(&name, &value)]) == [name.clone()]);
    }

    #[test]
    fn remediations_are_read_from_any_list_of_their_names_and_allow_those_policies_alone(
        listed in proptest::collection::vec(select(vec![Policy::ReleaseIdle, Policy::RaiseDesiredCount]), 0..4),
        between in select(vec![",", ", ", " ,,"]),
        policy in select(vec![Policy::Notify, Policy::ReleaseIdle, Policy::RaiseDesiredCount]),
    ) {
        let list = listed.iter().map(|policy| policy.as_str()).collect::<Vec<_>>().join(between);
        let variables = [CLUSTER, ("TASKHOLD_REMEDIATIONS", &list), ("TASKHOLD_POLICY", policy.as_str())];
        let config = Config::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let is_allowed = policy == Policy::Notify || listed.contains(&policy);
        prop_assert_eq!(config.is_ok(), is_allowed, "{}", list);
        if let Ok(config) = config {
            let expected = Remediations {
                release_idle: listed.contains(&Policy::ReleaseIdle),
                raise_desired_count: listed.contains(&Policy::RaiseDesiredCount),
            };
            prop_assert_eq!((config.policy, config.remediations), (policy, expected));
        }
    }

    #[test]
    fn clusters_of_one_place_are_all_read(names in proptest::collection::btree_set(name(), 1..5), elsewhere in any::<bool>()) {
        let arn = |name: &String| format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{name}");
        let mut arns: Vec<String> = names.iter().map(arn).collect();
        if elsewhere {
            arns.push("arn:aws:ecs:us-east-1:111122223333:cluster/x".to_owned());
        }
        let config = Config::from_variables([("TASKHOLD_CLUSTERS".to_owned(), arns.join(" , "))]);
        prop_assert_eq!(config.is_ok(), !elsewhere);
        if let Ok(config) = config {
            prop_assert!(config.clusters.iter().map(ToString::to_string).eq(arns));
        }
    }
}
