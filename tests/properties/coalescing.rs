//! Protection requests that share calls: none is lost or invented, none gets less than it requires or more than its
//! bound, and no other grouping needs fewer calls.

use super::drawn::at;
use super::{config, fewer};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use taskhold::ecs::ProtectionSetting;
use taskhold::ecs::arn::{ClusterArn, Task};
use taskhold::task::batching::{ProtectionCall, TaskRequest, coalesce};
use taskhold::task::minutes::{minutes_max, minutes_until};
use taskhold::task::protection::ProtectionRequest;

fn now() -> Timestamp {
    at(0)
}

fn ask() -> impl Strategy<Value = ProtectionRequest> {
    let left = prop_oneof![
        2 => (0..=12_i64).prop_map(|minutes| minutes * 60_000),
        3 => 0..=200 * 60_000_i64,
        2 => 0..=3000 * 60_000_i64,
    ];
    let protect = left.prop_map(|milli| ProtectionRequest::ProtectUntil(now() + SignedDuration::from_millis(milli)));
    prop_oneof![1 => Just(ProtectionRequest::Clear), 5 => protect]
}

/// Many requests: all different, or of two kinds, so that more requests could share a call than fit into one.
fn asks() -> impl Strategy<Value = Vec<(usize, ProtectionRequest)>> {
    let alike = (ask(), ask(), vec((0..2_usize, any::<bool>()), 0..80)).prop_map(|(one, other, requests)| {
        requests.into_iter().map(|(of, is_one)| (of, if is_one { one } else { other })).collect()
    });
    prop_oneof![vec((0..3_usize, ask()), 0..80), alike]
}

fn cluster(number: usize) -> Arc<ClusterArn> {
    Arc::new(format!("arn:aws:ecs:eu-west-1:111122223333:cluster/c-{number}").parse().unwrap())
}

/// One for each task; the tag is its number.
fn requests(asks: &[(usize, ProtectionRequest)]) -> Vec<TaskRequest<usize>> {
    let request = |(number, (of, ask)): (usize, &(usize, ProtectionRequest))| TaskRequest {
        // Chosen so that the order of ids differs from the order of numbers.
        task: Task { cluster: cluster(*of), id: super::drawn::id((number * 7919) % 10_007) },
        protection: *ask,
        tag: number,
    };
    asks.iter().enumerate().map(request).collect()
}

/// Whether a call with this setting satisfies the request.
fn does(setting: ProtectionSetting, ask: ProtectionRequest) -> bool {
    match (setting, ask) {
        (ProtectionSetting::Disabled, ProtectionRequest::Clear) => true,
        (ProtectionSetting::Enabled { expires_in_minutes: minutes }, ProtectionRequest::ProtectUntil(until)) => {
            (minutes_until(until, now())..=minutes_max(until, now())).contains(&minutes)
        }
        _ => false,
    }
}

/// Whether one call can satisfy all of these.
fn can_share(asks: &[ProtectionRequest]) -> bool {
    let setting = |ask: &ProtectionRequest| match ask {
        ProtectionRequest::Clear => ProtectionSetting::Disabled,
        ProtectionRequest::ProtectUntil(until) => {
            ProtectionSetting::Enabled { expires_in_minutes: minutes_until(*until, now()) }
        }
    };
    // If any setting satisfies all requests, then one of their own does: the longest.
    asks.len() <= 10 && asks.iter().map(setting).any(|setting| asks.iter().all(|ask| does(setting, *ask)))
}

/// The minimum number of calls for these requests in one cluster, by trying every grouping.
fn fewest(asks: &[ProtectionRequest]) -> usize {
    fn put(rest: &[ProtectionRequest], groups: &mut Vec<Vec<ProtectionRequest>>, best: &mut usize) {
        if groups.len() >= *best {
            return;
        }
        let Some((first, rest)) = rest.split_first() else {
            *best = groups.len();
            return;
        };
        for place in 0..groups.len() {
            groups[place].push(*first);
            if can_share(&groups[place]) {
                put(rest, groups, best);
            }
            groups[place].pop();
        }
        groups.push(vec![*first]);
        put(rest, groups, best);
        groups.pop();
    }
    let mut best = asks.len() + 1;
    put(asks, &mut Vec::new(), &mut best);
    best
}

/// The minimum number of calls for these counts of three kinds of requests, where the limit of ten tasks per call
/// matters. Tries every call.
fn fewest_of(kinds: [ProtectionRequest; 3], counts: [usize; 3], known: &mut BTreeMap<[usize; 3], usize>) -> usize {
    if counts == [0; 3] {
        return 0;
    }
    if let Some(fewest) = known.get(&counts) {
        return *fewest;
    }
    let mut best = usize::MAX;
    for a in 0..=counts[0] {
        for b in 0..=counts[1] {
            for c in 0..=counts[2] {
                let call: Vec<ProtectionRequest> =
                    [(0, a), (1, b), (2, c)].into_iter().flat_map(|(kind, n)| vec![kinds[kind]; n]).collect();
                if !call.is_empty() && can_share(&call) {
                    let rest = [counts[0] - a, counts[1] - b, counts[2] - c];
                    best = best.min(1 + fewest_of(kinds, rest, known));
                }
            }
        }
    }
    known.insert(counts, best);
    best
}

fn holds_to_the_rules(call: &ProtectionCall<usize>) -> Result<(), TestCaseError> {
    prop_assert!((1..=10).contains(&call.requests.len()), "{} tasks in a call", call.requests.len());
    for request in &call.requests {
        prop_assert_eq!(&request.task.cluster, &call.cluster);
        prop_assert!(does(call.setting, request.protection), "{:?} for {:?}", call.setting, request.protection);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_wish_is_in_one_call_that_does_for_it_and_nothing_else_is(asks in asks()) {
        let wished = requests(&asks);
        let calls = coalesce(wished.clone(), now());
        calls.iter().try_for_each(holds_to_the_rules)?;
        let mut done: Vec<TaskRequest<usize>> = calls.into_iter().flat_map(|call| call.requests).collect();
        done.sort_by_key(|request| request.tag);
        prop_assert_eq!(done, wished);
    }

    #[test]
    fn the_order_in_which_wishes_come_does_not_matter(asks in vec((0..2_usize, ask()), 0..30), turn in any::<prop::sample::Index>()) {
        let wished = requests(&asks);
        let mut turned = wished.clone();
        turned.rotate_left(if asks.is_empty() { 0 } else { turn.index(asks.len()) });
        prop_assert_eq!(coalesce(turned, now()), coalesce(wished, now()));
    }

    #[test]
    fn no_other_grouping_of_a_few_wishes_needs_fewer_calls(asks in vec((0..2_usize, ask()), 0..8)) {
        let clusters: BTreeSet<usize> = asks.iter().map(|(of, _)| *of).collect();
        let of = |number: usize| asks.iter().filter(|(of, _)| *of == number).map(|(_, ask)| *ask).collect::<Vec<ProtectionRequest>>();
        let fewest: usize = clusters.into_iter().map(|number| fewest(&of(number))).sum();
        prop_assert_eq!(coalesce(requests(&asks), now()).len(), fewest);
    }
}

proptest! {
    #![proptest_config(fewer(4))]

    #[test]
    fn no_other_grouping_of_many_alike_wishes_needs_fewer_calls(
        base in 1..200_i64,
        apart in (0..8_i64, 0..8_i64),
        counts in [0..9_usize, 0..9_usize, 0..9_usize],
    ) {
        let until = |minutes: i64| ProtectionRequest::ProtectUntil(now() + SignedDuration::from_mins(minutes));
        let kinds = [until(base), until(base + apart.0), until(base + apart.0 + apart.1)];
        let asks: Vec<(usize, ProtectionRequest)> = (0..3).flat_map(|kind| vec![(0, kinds[kind]); counts[kind]]).collect();
        let fewest = fewest_of(kinds, counts, &mut BTreeMap::new());
        prop_assert_eq!(coalesce(requests(&asks), now()).len(), fewest);
    }
}
