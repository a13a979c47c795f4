//! Combines the requests of several tasks into calls: one `UpdateTaskProtection` takes ten tasks, but only
//! one setting for all of them.
//!
//! A protection may be rounded up by at most 5 % or one minute, whichever is more, so that similar requests
//! share a call. It is never rounded down: a task is never protected for less time than its jobs declared.

use crate::ecs::arn::{ClusterArn, Task};
use crate::ecs::{ProtectionSetting, TASKS_PER_PROTECTION_CALL_MAX};
use crate::task::minutes::{minutes_max, minutes_until};
use crate::task::protection::ProtectionRequest;
use jiff::Timestamp;
use std::sync::Arc;

/// A request for one task. The caller uses `tag` to associate the result with its own state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRequest<T> {
    /// The task.
    pub task: Task,
    /// The protection to request.
    pub protection: ProtectionRequest,
    /// The caller's own value.
    pub tag: T,
}

/// A call to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectionCall<T> {
    /// The cluster of all tasks of the call.
    pub cluster: Arc<ClusterArn>,
    /// The setting for all tasks of the call.
    pub setting: ProtectionSetting,
    /// 1..=[`TASKS_PER_PROTECTION_CALL_MAX`] requests, each for a different task.
    pub requests: Vec<TaskRequest<T>>,
}

/// Groups requests into the fewest calls. There must be at most one request for each task.
///
/// Within a cluster, requests are taken in ascending order. Each call takes the next request and up to nine
/// more that its bound still covers, and requests the longest of them. Because a longer request also has a
/// higher bound, no other grouping needs fewer calls.
pub fn coalesce<T>(mut requests: Vec<TaskRequest<T>>, now: Timestamp) -> Vec<ProtectionCall<T>> {
    // Sorted by cached keys: a request with its tag is large, and a sort moves its elements many times.
    requests.sort_by_cached_key(|request| (request.task.cluster.clone(), request.protection, request.task.id.clone()));
    let mut calls: Vec<ProtectionCall<T>> = Vec::with_capacity(requests.len() / TASKS_PER_PROTECTION_CALL_MAX + 1);
    let mut ceiling = ProtectionSetting::Disabled;
    for request in requests {
        let setting = setting_of(request.protection, now);
        match calls.last_mut() {
            Some(call)
                if call.cluster == request.task.cluster
                    && call.requests.len() < TASKS_PER_PROTECTION_CALL_MAX
                    && setting <= ceiling =>
            {
                call.setting = setting;
                call.requests.push(request);
            }
            _ => {
                ceiling = ceiling_of(request.protection, now);
                calls.push(ProtectionCall { cluster: request.task.cluster.clone(), setting, requests: vec![request] });
            }
        }
    }
    calls
}

fn setting_of(protection: ProtectionRequest, now: Timestamp) -> ProtectionSetting {
    match protection {
        ProtectionRequest::Clear => ProtectionSetting::Disabled,
        ProtectionRequest::ProtectUntil(until) => {
            ProtectionSetting::Enabled { expires_in_minutes: minutes_until(until, now) }
        }
    }
}

fn ceiling_of(protection: ProtectionRequest, now: Timestamp) -> ProtectionSetting {
    match protection {
        ProtectionRequest::Clear => ProtectionSetting::Disabled,
        ProtectionRequest::ProtectUntil(until) => {
            ProtectionSetting::Enabled { expires_in_minutes: minutes_max(until, now) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn in_minutes(minutes: u32) -> Timestamp {
        now() + SignedDuration::from_mins(i64::from(minutes))
    }

    fn request(number: usize, protection: ProtectionRequest) -> TaskRequest<usize> {
        let cluster = Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse::<ClusterArn>().unwrap());
        TaskRequest { task: Task { cluster, id: format!("{number:032x}").parse().unwrap() }, protection, tag: number }
    }

    fn requests(minutes: &[u32]) -> Vec<TaskRequest<usize>> {
        let protection = |minutes: &u32| ProtectionRequest::ProtectUntil(in_minutes(*minutes));
        minutes.iter().enumerate().map(|(number, minutes)| request(number, protection(minutes))).collect()
    }

    fn sizes_and_minutes(minutes: &[u32]) -> Vec<(usize, u32)> {
        let calls = coalesce(requests(minutes), now());
        let minutes = |setting| match setting {
            ProtectionSetting::Enabled { expires_in_minutes } => expires_in_minutes,
            ProtectionSetting::Disabled => panic!("not a release"),
        };
        calls.iter().map(|call| (call.requests.len(), minutes(call.setting))).collect()
    }

    #[test]
    fn ten_tasks_of_one_duration_share_a_call_and_the_eleventh_has_its_own() {
        assert_eq!(sizes_and_minutes(&[60; 11]), [(10, 60), (1, 60)]);
    }

    #[test]
    fn durations_within_five_percent_share_a_call_for_the_longest_of_them() {
        assert_eq!(sizes_and_minutes(&[100, 105, 103]), [(3, 105)]);
        assert_eq!(sizes_and_minutes(&[100, 106]), [(1, 100), (1, 106)]);
    }

    #[test]
    fn short_durations_may_be_rounded_up_by_a_minute() {
        assert_eq!(sizes_and_minutes(&[1, 2, 3]), [(2, 2), (1, 3)]);
    }

    #[test]
    fn the_longest_protection_is_never_rounded_past_what_ecs_takes() {
        assert_eq!(sizes_and_minutes(&[2880, 2800]), [(2, 2880)]);
    }

    #[test]
    fn releases_and_protections_never_share_a_call_nor_do_two_clusters() {
        let mut all = requests(&[1]);
        all.push(request(1, ProtectionRequest::Clear));
        let mut elsewhere = request(2, ProtectionRequest::Clear);
        elsewhere.task.cluster = Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/other".parse().unwrap());
        all.push(elsewhere);
        assert_eq!(coalesce(all, now()).len(), 3);
    }
}
