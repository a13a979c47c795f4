//! Printing and parsing round-trip: ids, ARNs, names of events, rechecks, policies.

use super::config;
use super::drawn::{any_moment, cluster, clusters, name, service, task, task_id, text, video};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::str::FromStr;
use taskhold::config::clusters::Clusters;
use taskhold::config::policy::Policy;
use taskhold::ecs::FailureReason;
use taskhold::ecs::arn::{ClusterArn, Task, TaskArn, TaskId};
use taskhold::ecs::service::ServiceArn;
use taskhold::service::recheck::{Recheck, ServicesLeft, SweepPlace};
use taskhold::service::trigger::{EVENT_NAMES, EventName};

/// Every text that parses is printed unchanged.
fn is_printed_as_it_was_written<T: FromStr + ToString>(text: &str) -> Result<(), TestCaseError> {
    if let Ok(read) = text.parse::<T>() {
        prop_assert_eq!(read.to_string(), text);
    }
    Ok(())
}

/// A valid ARN, or one with an invalid part.
fn nearly_an_arn() -> impl Strategy<Value = String> {
    let arn = prop_oneof![
        cluster().prop_map(|arn| arn.to_string()),
        service().prop_map(|arn| arn.to_string()),
        task().prop_map(|arn| arn.to_string()),
    ];
    let part = prop_oneof![
        Just(String::new()),
        name(),
        text(),
        "[0-9]{0,13}",
        Just("ecs".to_owned()),
        Just("a/b/c".to_owned())
    ];
    prop_oneof![
        1 => arn.clone(),
        3 => (arn, 0..7_usize, part).prop_map(|(arn, place, part)| {
            let mut parts: Vec<String> = arn.split(':').map(str::to_owned).collect();
            if place < parts.len() { parts[place] = part } else { parts.push(part) }
            parts.join(":")
        }),
        1 => text(),
    ]
}

fn recheck() -> impl Strategy<Value = Recheck> {
    let check = (name(), any_moment())
        .prop_map(|(name, due)| Recheck::Check { service: ServiceArn::new(video(), &name).unwrap(), due });
    let of_task =
        (task_id(), any_moment()).prop_map(|(id, due)| Recheck::Task { task: Task { cluster: video(), id }, due });
    let tasks = option::of(text()).prop_map(|page| SweepPlace::Tasks { page });
    let names = proptest::collection::vec(text(), 0..3);
    let left = (names, text(), any::<usize>()).prop_map(|(names, next, count)| ServicesLeft { names, next, count });
    let services = option::of(left).prop_map(|rest| SweepPlace::Services { cluster: video(), rest });
    let sweep = (any_moment(), prop_oneof![tasks, services])
        .prop_map(|(started_at, place)| Recheck::Sweep { started_at, place });
    prop_oneof![check, of_task, sweep]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn ids_and_arns_are_read_as_what_they_were_printed_from(id in task_id(), cluster in cluster(), service in service(), task in task()) {
        prop_assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
        prop_assert_eq!(&cluster.to_string().parse::<ClusterArn>().unwrap(), cluster.as_ref());
        prop_assert_eq!(service.to_string().parse::<ServiceArn>(), Ok(service));
        prop_assert_eq!(task.to_string().parse::<Task>(), Ok(task.clone()));
        prop_assert_eq!(TaskId::at_end_of(&task.to_string()), Ok(task.id));
    }

    #[test]
    fn whatever_is_read_as_an_id_or_an_arn_is_printed_as_it_was_written(text in nearly_an_arn()) {
        is_printed_as_it_was_written::<TaskId>(&text)?;
        is_printed_as_it_was_written::<ClusterArn>(&text)?;
        is_printed_as_it_was_written::<ServiceArn>(&text)?;
        is_printed_as_it_was_written::<Task>(&text)?;
    }

    #[test]
    fn an_account_has_twelve_digits_and_a_name_is_one_of_ecs_wherever_an_arn_is_read(text in nearly_an_arn()) {
        let is_named = |name: &str| (1..=255).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        let read = text.parse::<ClusterArn>().ok().into_iter();
        let read = read.chain(text.parse::<ServiceArn>().ok().map(|service| service.cluster.as_ref().clone()));
        for cluster in read.chain(text.parse::<Task>().ok().map(|task| task.cluster.as_ref().clone())) {
            prop_assert!(is_named(&cluster.name), "{}", cluster);
            prop_assert!(cluster.account.len() == 12 && cluster.account.bytes().all(|b| b.is_ascii_digit()), "{}", cluster);
            prop_assert!(cluster.region.chars().chain(cluster.partition.chars()).all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{}", cluster);
        }
    }

    #[test]
    fn a_task_of_a_configured_cluster_is_found_by_either_form_of_its_arn_and_no_other_is(of in cluster(), id in task_id(), other in task()) {
        let ours = Clusters::new(vec![of.as_ref().clone()]).unwrap();
        let task = Task { cluster: of.clone(), id };
        let ClusterArn { partition, region, account, name } = of.as_ref();
        let short = format!("arn:{partition}:ecs:{region}:{account}:task/{}", task.id);
        prop_assert_eq!(ours.task(&task.to_string(), None), Ok(task.clone()));
        prop_assert_eq!(ours.task(&short, Some(name)), Ok(task.clone()));
        prop_assert_eq!(ours.task(&short, Some(&of.to_string())), Ok(task));
        prop_assert!(ours.task(&short, None).is_err());
        prop_assert_eq!(TaskArn::parse(&short).map(|arn| arn.cluster), Ok(None));
        prop_assert_eq!(ours.task(&other.to_string(), None).is_ok(), other.cluster == of);
    }

    #[test]
    fn a_recheck_is_read_as_what_it_was_printed_from(recheck in recheck()) {
        prop_assert_eq!(Recheck::parse(&recheck.body(), &clusters()), Ok(recheck));
    }

    #[test]
    fn a_name_of_an_event_is_read_as_what_it_was_printed_from(known in select(EVENT_NAMES.to_vec()), unknown in "[A-Z_]{1,200}") {
        let name = EventName::from(known.0);
        prop_assert_eq!((name.as_str(), name.trigger()), known);
        let read = EventName::from(unknown.as_str());
        prop_assert_eq!(read.as_str(), unknown);
    }

    #[test]
    fn a_reason_of_a_failure_is_ecs_s_own_word(word in text()) {
        let reason = FailureReason::from(word.as_str());
        prop_assert_eq!(reason.as_str(), word);
    }

    #[test]
    fn a_policy_is_read_as_what_it_was_printed_from_and_nothing_else_is_one(text in prop_oneof![text(), "[a-z-]{0,20}"]) {
        for policy in [Policy::Notify, Policy::ReleaseIdle, Policy::RaiseDesiredCount] {
            prop_assert_eq!(policy.as_str().parse::<Policy>().ok(), Some(policy));
            prop_assert_eq!(text.parse::<Policy>().ok() == Some(policy), text == policy.as_str());
        }
    }
}
