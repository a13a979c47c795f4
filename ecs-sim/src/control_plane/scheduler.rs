//! The next step of the service scheduler: a pure function of a service's numbers and its tasks.
//!
//! It carries out nothing, and it never chooses a protected task.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A task that is not STOPPED yet, as the scheduler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) task: u64,
    /// 0 for the PRIMARY deployment, larger for older ones.
    pub(super) age: usize,
    pub(super) state: MemberState,
    pub(super) protection: MemberProtection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberState {
    Pending,
    Running,
    /// Asked to stop and not STOPPED yet.
    Stopping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberProtection {
    Protected,
    Unprotected,
}

/// A service's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) desired: usize,
    /// Minimum number of running tasks.
    pub(super) lower: usize,
    /// Maximum number of tasks, including those that are stopping.
    pub(super) upper: usize,
}

/// The next step, and the tasks that protection keeps from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SchedulerPlan {
    /// How many tasks to start, by age of their deployment.
    pub(super) start: BTreeMap<usize, usize>,
    /// Which tasks to stop, in this order.
    pub(super) stop: Vec<u64>,
    /// Number of blocking protected tasks, by age of their deployment.
    pub(super) held: BTreeMap<usize, usize>,
}

/// Plans one step of a rolling deployment, a scale-out or a scale-in.
///
/// aws-facts: "ECS: deployments and protection": new tasks start as the upper bound leaves room; old unprotected tasks
/// stop as the lower bound allows; protected tasks stay until their protection is cleared or expires. A task stops once
/// as many as desired run without it; sooner, down to the lower bound, only where new tasks have no room. Assumed order
/// of stopping: the oldest deployment first, and within it the newest task first.
pub(super) fn plan(bounds: Bounds, members: &[Member]) -> SchedulerPlan {
    let stopping = members.iter().filter(|member| member.state == MemberState::Stopping).count();
    let mut live: Vec<Member> =
        members.iter().copied().filter(|member| member.state != MemberState::Stopping).collect();
    live.sort_by_key(|member| (Reverse(member.age), Reverse(member.task)));
    let running = count(&live, |member| member.state == MemberState::Running);
    let primary = count(&live, |member| member.age == 0);

    let need = bounds.desired.saturating_sub(primary);
    let room = bounds.upper.saturating_sub(members.len());
    // Tasks that are stopping free their room without further action.
    let shortage = need.saturating_sub(room + stopping);
    let surplus = running.saturating_sub(bounds.desired);
    let mut stops = Stops {
        allowance: surplus.max(shortage).min(running.saturating_sub(bounds.lower)),
        plan: SchedulerPlan::default(),
    };
    stops.plan.start_tasks(0, need.min(room));
    let (old, new): (Vec<Member>, Vec<Member>) = live.into_iter().partition(|member| member.age > 0);
    stops.choose(&old, old.len());
    stops.choose(&new, primary.saturating_sub(bounds.desired));
    stops.plan
}

/// Adds the tasks that an old revision starts while a rolling deployment is in progress: in place of those that it
/// lost, and for a higher desired count.
///
/// aws-facts: "ECS: deployments and protection": ECS replaces tasks in their own revision, and a scale-out goes to both
/// revisions, within the percentages. Assumed: as many as the lower bound lacks, in the newest of the old revisions,
/// after the tasks of the new one.
pub(super) fn keep_available(plan: &mut SchedulerPlan, bounds: Bounds, members: &[Member]) {
    let Some(newest_old) = members.iter().map(|member| member.age).filter(|age| *age > 0).min() else { return };
    let running = members.iter().filter(|member| member.state == MemberState::Running).count();
    let starting = members.iter().filter(|member| member.age > 0 && member.state == MemberState::Pending).count();
    let missing = bounds.lower.saturating_sub(running + starting);
    let room = bounds.upper.saturating_sub(members.len() + plan.start.values().sum::<usize>());
    plan.start_tasks(newest_old, missing.min(room));
}

/// Plans one step of deployments or task sets that have a wanted count each, by age.
///
/// aws-facts: "ECS: deployments and protection": green runs in full beside blue, and blue stays until its protection
/// ends. AWS's API reference, "DeploymentConfiguration": on Fargate the percentages are not used with CODE_DEPLOY and
/// EXTERNAL; assumed: nor with the strategies that move traffic. Assumed order of stopping: the newest task first.
pub(super) fn plan_sets(wanted: &[usize], members: &[Member]) -> SchedulerPlan {
    let mut stops = Stops { allowance: members.len(), plan: SchedulerPlan::default() };
    for (age, wanted) in wanted.iter().enumerate() {
        let is_live = |member: &&Member| member.age == age && member.state != MemberState::Stopping;
        let mut live: Vec<Member> = members.iter().filter(is_live).copied().collect();
        live.sort_by_key(|member| Reverse(member.task));
        stops.plan.start_tasks(age, wanted.saturating_sub(live.len()));
        stops.choose(&live, live.len().saturating_sub(*wanted));
    }
    stops.plan
}

fn count(members: &[Member], predicate: impl Fn(&Member) -> bool) -> usize {
    members.iter().filter(|member| predicate(member)).count()
}

impl SchedulerPlan {
    fn start_tasks(&mut self, age: usize, count: usize) {
        if count > 0 {
            self.start.insert(age, count);
        }
    }
}

struct Stops {
    /// How many running tasks may still be stopped. Pending tasks may always be stopped.
    allowance: usize,
    plan: SchedulerPlan,
}

impl Stops {
    /// Stops up to `excess` of `candidates`, and records the protected ones if they prevent further stops.
    fn choose(&mut self, candidates: &[Member], excess: usize) {
        let mut excess = excess;
        for member in candidates.iter().filter(|member| member.protection == MemberProtection::Unprotected) {
            let is_running = member.state == MemberState::Running;
            if excess == 0 || (is_running && self.allowance == 0) {
                continue;
            }
            excess -= 1;
            self.allowance -= usize::from(is_running);
            self.plan.stop.push(member.task);
        }
        let blocking = |member: &&Member| {
            member.protection == MemberProtection::Protected
                && (member.state == MemberState::Pending || self.allowance > 0)
        };
        if excess > 0 {
            for member in candidates.iter().filter(blocking) {
                *self.plan.held.entry(member.age).or_default() += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(desired: usize, lower: usize, upper: usize) -> Bounds {
        Bounds { desired, lower, upper }
    }

    /// Tasks from words such as `old`, `old+` (protected), `new`, `new?` (pending), `old-` (stopping); keys count up.
    fn members(words: &str) -> Vec<Member> {
        let member = |(key, word): (usize, &str)| Member {
            task: key as u64,
            age: match word.trim_end_matches(['+', '-', '?']) {
                "new" => 0,
                "old" => 1,
                "older" => 2,
                other => panic!("`{other}` is no deployment"),
            },
            state: match word {
                word if word.contains('?') => MemberState::Pending,
                word if word.contains('-') => MemberState::Stopping,
                _ => MemberState::Running,
            },
            protection: match word.contains('+') {
                true => MemberProtection::Protected,
                false => MemberProtection::Unprotected,
            },
        };
        words.split_whitespace().enumerate().map(member).collect()
    }

    fn planned(start: usize, stop: &[u64], held: &[(usize, usize)]) -> SchedulerPlan {
        let mut plan =
            SchedulerPlan { stop: stop.to_vec(), held: held.iter().copied().collect(), ..SchedulerPlan::default() };
        plan.start_tasks(0, start);
        plan
    }

    #[test]
    fn a_deployment_starts_as_many_tasks_as_the_upper_bound_leaves_room_for() {
        assert_eq!(plan(bounds(3, 3, 6), &members("old old old")), planned(3, &[], &[]));
        assert_eq!(plan(bounds(3, 3, 4), &members("old old old")), planned(1, &[], &[]));
        assert_eq!(plan(bounds(3, 3, 3), &members("old old old")), planned(0, &[], &[]));
    }

    #[test]
    fn stopping_tasks_still_take_room() {
        assert_eq!(plan(bounds(2, 0, 2), &members("old- old-")), planned(0, &[], &[]));
        assert_eq!(plan(bounds(2, 0, 2), &members("old-")), planned(1, &[], &[]));
    }

    #[test]
    fn old_tasks_stop_once_as_many_as_desired_run_without_them() {
        assert_eq!(plan(bounds(2, 1, 4), &members("old old new? new?")), planned(0, &[], &[]));
        assert_eq!(plan(bounds(2, 1, 4), &members("old old new new?")), planned(0, &[1], &[]));
        assert_eq!(plan(bounds(2, 1, 4), &members("old old new new")), planned(0, &[1, 0], &[]));
    }

    #[test]
    fn without_room_old_tasks_stop_down_to_the_lower_bound_to_make_some() {
        assert_eq!(plan(bounds(4, 2, 4), &members("old old old old")), planned(0, &[3, 2], &[]));
        assert_eq!(plan(bounds(4, 2, 4), &members("old old old- old-")), planned(0, &[], &[]));
        assert_eq!(plan(bounds(4, 4, 4), &members("old old old old")), planned(0, &[], &[]));
    }

    #[test]
    fn a_protected_task_holds_up_only_what_would_otherwise_go_on() {
        assert_eq!(plan(bounds(1, 1, 2), &members("old+ new?")), planned(0, &[], &[]));
        assert_eq!(plan(bounds(1, 1, 2), &members("old+ new")), planned(0, &[], &[(1, 1)]));
        assert_eq!(plan(bounds(1, 1, 1), &members("old+")), planned(0, &[], &[]));
        assert_eq!(plan(bounds(2, 1, 2), &members("old+ old+")), planned(0, &[], &[(1, 2)]));
    }

    #[test]
    fn an_unprotected_task_stops_in_place_of_a_protected_one() {
        assert_eq!(plan(bounds(2, 2, 4), &members("old old+ new new")), planned(0, &[0], &[(1, 1)]));
        assert_eq!(plan(bounds(2, 2, 4), &members("new new+ new")), planned(0, &[2], &[]));
        assert_eq!(plan(bounds(1, 1, 2), &members("new+ new new+")), planned(0, &[1], &[(0, 2)]));
    }

    #[test]
    fn an_old_revision_replaces_the_tasks_that_it_lost_within_the_bounds() {
        let started = |bounds, words| {
            let members = members(words);
            let mut plan = plan(bounds, &members);
            keep_available(&mut plan, bounds, &members);
            plan.start.get(&1).copied()
        };
        assert_eq!(started(bounds(2, 2, 4), "old old new? new?"), None);
        assert_eq!(started(bounds(2, 2, 4), "old new? new?"), Some(1));
        assert_eq!(started(bounds(2, 2, 4), "old old? new? new?"), None, "it starts already");
        assert_eq!(started(bounds(2, 2, 4), "old new new?"), None, "a new one runs in its place");
        assert_eq!(started(bounds(2, 1, 4), "old new? new?"), None, "the lower bound is kept");
        assert_eq!(started(bounds(2, 2, 3), "old new? new?"), None, "there is no room");
        assert_eq!(started(bounds(4, 4, 8), "old old new? new?"), Some(2), "a scale-out");
    }

    #[test]
    fn the_oldest_deployment_stops_first_and_in_it_the_newest_task() {
        let tasks = members("older older old new new");
        assert_eq!(plan(bounds(2, 2, 6), &tasks), planned(0, &[1, 0, 2], &[]));
        assert_eq!(plan(bounds(4, 4, 8), &tasks), planned(2, &[1], &[]));
    }

    #[test]
    fn a_steady_service_is_left_alone() {
        assert_eq!(plan(bounds(2, 2, 4), &members("new+ new")), planned(0, &[], &[]));
        assert_eq!(plan(bounds(0, 0, 0), &[]), planned(0, &[], &[]));
    }

    #[test]
    fn a_service_scaled_to_nothing_keeps_its_protected_tasks_only() {
        assert_eq!(plan(bounds(0, 0, 0), &members("new+ new? new")), planned(0, &[2, 1], &[(0, 1)]));
    }

    #[test]
    fn each_task_set_gets_the_tasks_it_should_have() {
        let mut plan = plan_sets(&[2, 2], &members("new? old old"));
        assert_eq!(plan.start.remove(&0), Some(1));
        assert_eq!(plan, SchedulerPlan::default());
        assert_eq!(plan_sets(&[1, 2, 0], &members("new old old older older-")), planned(0, &[3], &[]));
    }

    #[test]
    fn a_task_set_that_must_go_keeps_its_protected_tasks_only() {
        assert_eq!(plan_sets(&[2, 0], &members("new new old+ old old?")), planned(0, &[4, 3], &[(1, 1)]));
        assert_eq!(plan_sets(&[1, 0], &members("new new+ old+")), planned(0, &[0], &[(1, 1)]));
    }
}
