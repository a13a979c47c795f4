//! Remediations, on snapshots built by hand.

use super::*;
use crate::ecs::deployment::{DeploymentStatus, RolloutState};
use crate::ecs::error::EcsError;
use crate::service::diagnosis::{Assessment, Remembered, diagnose};
use crate::service::remediation::decide::decide_remediation;
use crate::service::snapshot::fixture;
use crate::service::snapshot::managed::{MANAGED_TAG, Managed};
use crate::service::snapshot::{Gap, Jobs, ServiceSnapshot, TaskSnapshot};

const OLD: &str = "ecs-svc/1";
const NEW: &str = "ecs-svc/2";

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
}

fn policy(policy: Policy) -> RemediationPolicy {
    RemediationPolicy {
        policy,
        allowed: Remediations { release_idle: true, raise_desired_count: true },
        release_grace: SignedDuration::from_mins(5),
        raise_cool_down: SignedDuration::from_mins(15),
    }
}

fn id(number: usize) -> TaskId {
    format!("{number:032x}").parse().unwrap()
}

fn task(number: usize, deployment: &str, jobs: Jobs) -> TaskSnapshot {
    TaskSnapshot { protected_until: Some(at(600)), jobs, ..fixture::task(number, deployment) }
}

fn idle(number: usize, since: i64) -> TaskSnapshot {
    TaskSnapshot { idle_since: Some(at(since)), ..task(number, OLD, Jobs::Known(Vec::new())) }
}

fn busy(number: usize) -> TaskSnapshot {
    task(number, OLD, Jobs::Known(vec![fixture::job("j", at(600))]))
}

/// A task of the new deployment that ECS refused to protect.
fn refused(number: usize) -> TaskSnapshot {
    let wants = task(number, NEW, Jobs::Known(vec![fixture::job("j", at(600))]));
    TaskSnapshot { protected_until: None, refused_since: Some(at(0)), ..wants }
}

/// A service with a deployment in progress, all new tasks running and `tasks` left of the old deployment.
fn blocked(minute: i64, tasks: Vec<TaskSnapshot>) -> ServiceSnapshot {
    let mut snapshot = fixture::service(at(minute));
    let deployment = |id, status, rollout_state| fixture::deployment(id, status, rollout_state, at(0));
    snapshot.service.deployments = vec![
        deployment(NEW, DeploymentStatus::Primary, RolloutState::InProgress),
        deployment(OLD, DeploymentStatus::Active, RolloutState::Completed),
    ];
    snapshot.tasks = tasks;
    snapshot
}

/// The same service after the rollout.
fn steady(minute: i64, desired: u32) -> ServiceSnapshot {
    let mut snapshot = blocked(minute, Vec::new());
    snapshot.service.deployments.truncate(1);
    snapshot.service.deployments[0].rollout_state = RolloutState::Completed;
    snapshot.service.deployments[0].desired_count = desired;
    (snapshot.service.desired_count, snapshot.service.running_count) = (desired, desired);
    snapshot
}

fn tagged(mut snapshot: ServiceSnapshot, key: &str, value: &str) -> ServiceSnapshot {
    snapshot.service.tags.insert(key.to_owned(), value.to_owned());
    snapshot
}

fn decide(state: &mut RemediationState, snapshot: &ServiceSnapshot, of: Policy) -> Option<Remediation> {
    decide_with(state, snapshot, &policy(of))
}

thread_local! {
    /// The tasks that snapshots have shown idle so far, as the service record keeps them.
    static IDLE_SEEN: std::cell::RefCell<BTreeMap<TaskId, Timestamp>> = const { std::cell::RefCell::new(BTreeMap::new()) };
}

fn decide_with(
    state: &mut RemediationState,
    snapshot: &ServiceSnapshot,
    policy: &RemediationPolicy,
) -> Option<Remediation> {
    let diagnosis = diagnose(snapshot, Remembered::default(), &fixture::policy());
    IDLE_SEEN.with_borrow_mut(|seen| {
        let since = |task: &TaskId| seen.get(task).copied().unwrap_or(snapshot.at);
        *seen = crate::service::incident::problem::idle_tasks(snapshot)
            .map(|(task, _)| (task.clone(), since(task)))
            .collect();
        decide_remediation(
            state,
            Assessment { snapshot, diagnosis: &diagnosis, idle_since: seen, waiting_scale_in: None },
            policy,
        )
    })
}

fn last_note(state: &RemediationState) -> &str {
    state.notes.last().map_or("", |note| &note.text)
}

#[test]
fn an_idle_task_is_released_when_two_reconciles_a_grace_time_apart_have_seen_it_idle() {
    let mut state = RemediationState::default();
    for minute in [10, 12, 14] {
        assert_eq!(decide(&mut state, &blocked(minute, vec![idle(1, 0), busy(2)]), Policy::ReleaseIdle), None);
    }
    let action = decide(&mut state, &blocked(15, vec![idle(1, 0), busy(2)]), Policy::ReleaseIdle);
    assert_eq!(action, Some(Remediation::Release { tasks: vec![id(1)], managed: Managed::No }));
}

#[test]
fn a_task_that_was_busy_in_between_is_idle_anew() {
    let mut state = RemediationState::default();
    assert_eq!(decide(&mut state, &blocked(10, vec![idle(1, 0)]), Policy::ReleaseIdle), None);
    assert_eq!(decide(&mut state, &blocked(12, vec![busy(1)]), Policy::ReleaseIdle), None);
    assert_eq!(decide(&mut state, &blocked(16, vec![idle(1, 13)]), Policy::ReleaseIdle), None);
    assert_eq!(decide(&mut state, &blocked(20, vec![idle(1, 13)]), Policy::ReleaseIdle), None);
    assert!(decide(&mut state, &blocked(21, vec![idle(1, 13)]), Policy::ReleaseIdle).is_some());
}

#[test]
fn what_the_store_does_not_know_to_be_idle_is_never_released() {
    for jobs in [Jobs::Unknown, Jobs::Unread, Jobs::Known(vec![fixture::job("j", at(600))])] {
        let mut state = RemediationState::default();
        for minute in [10, 20, 600] {
            let seen = blocked(minute, vec![task(1, OLD, jobs.clone())]);
            assert_eq!(decide(&mut state, &seen, Policy::ReleaseIdle), None, "{jobs:?}");
        }
    }
}

#[test]
fn nothing_is_done_on_an_incomplete_picture() {
    let mut state = RemediationState::default();
    for minute in [10, 20, 30] {
        let mut seen = blocked(minute, vec![idle(1, 0)]);
        seen.gaps.push(Gap::Protection(EcsError::Throttled));
        assert_eq!(decide(&mut state, &seen, Policy::ReleaseIdle), None);
    }
    assert!(state.is_empty());
}

#[test]
fn the_reserve_of_idle_tasks_stays() {
    let release = |reserve: &str| {
        IDLE_SEEN.take();
        let mut state = RemediationState::default();
        let seen =
            |minute| tagged(blocked(minute, vec![idle(1, 0), idle(2, 0), idle(3, 0)]), IDLE_RESERVE_TAG, reserve);
        decide(&mut state, &seen(10), Policy::ReleaseIdle);
        match decide(&mut state, &seen(20), Policy::ReleaseIdle) {
            Some(Remediation::Release { tasks, .. }) => tasks.len(),
            None => 0,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([release("0"), release("1"), release("3"), release("9")], [3, 2, 0, 0]);
    assert_eq!([release("all"), release("")], [0, 0], "such a tag means that some tasks must stay");
}

#[test]
fn in_a_scale_in_the_idle_task_goes_though_it_is_protected_longest() {
    let scaling_in = |minute| {
        let longest = TaskSnapshot { protected_until: Some(at(900)), ..idle(1, 0) };
        let mut snapshot = steady(minute, 1);
        snapshot.tasks =
            [longest, busy(2)].map(|task| TaskSnapshot { deployment: Some(NEW.to_owned()), ..task }).to_vec();
        snapshot
    };
    let mut state = RemediationState::default();
    decide(&mut state, &scaling_in(10), Policy::ReleaseIdle);
    let action = decide(&mut state, &scaling_in(20), Policy::ReleaseIdle);
    assert_eq!(action, Some(Remediation::Release { tasks: vec![id(1)], managed: Managed::No }));
}

#[test]
fn of_more_idle_tasks_than_have_to_go_in_a_scale_in_the_others_stay_protected() {
    let scaling_in = |minute| {
        let mut snapshot = steady(minute, 2);
        snapshot.tasks =
            [1, 2, 3].map(|number| TaskSnapshot { deployment: Some(NEW.to_owned()), ..idle(number, 0) }).to_vec();
        snapshot
    };
    let mut state = RemediationState::default();
    decide(&mut state, &scaling_in(10), Policy::ReleaseIdle);
    match decide(&mut state, &scaling_in(20), Policy::ReleaseIdle) {
        Some(Remediation::Release { tasks, .. }) => assert_eq!(tasks.len(), 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_policy_that_cannot_be_read_does_nothing_whatever_the_setting_says() {
    let mut state = RemediationState::default();
    for minute in [10, 20, 30] {
        let seen = tagged(blocked(minute, vec![idle(1, 0)]), POLICY_TAG, "off");
        assert_eq!(decide(&mut state, &seen, Policy::ReleaseIdle), None);
    }
}

#[test]
fn a_policy_that_is_not_allowed_does_nothing_and_says_so() {
    let mut state = RemediationState::default();
    let seen = tagged(blocked(10, vec![busy(1), refused(2)]), POLICY_TAG, "raise-desired-count");
    let nothing_allowed = RemediationPolicy { allowed: Remediations::default(), ..policy(Policy::Notify) };
    assert_eq!(decide_with(&mut state, &seen, &nothing_allowed), None);
    assert!(last_note(&state).contains("raise-desired-count is not allowed by TASKHOLD_REMEDIATIONS"), "{state:?}");
}

/// Two protected tasks, a desired count of two, and a third task that was refused.
fn wants_more(minute: i64, desired: u32, ceiling: &str) -> ServiceSnapshot {
    let mut seen = blocked(minute, vec![busy(1), busy(2), refused(3)]);
    seen.service.desired_count = desired;
    tagged(seen, MAX_DESIRED_COUNT_TAG, ceiling)
}

const RAISE: Policy = Policy::RaiseDesiredCount;

fn raise(from: u32, to: u32) -> Option<Remediation> {
    Some(Remediation::SetDesiredCount { from, to, why: CountChange::Raise })
}

/// Makes the call of a raise and confirms it.
fn make(state: &mut RemediationState, to: u32) {
    assert!(state.begin_raise(to));
    state.confirm_raise(to);
}

fn put_back(from: u32, to: u32) -> Option<Remediation> {
    Some(Remediation::SetDesiredCount { from, to, why: CountChange::PutBack })
}

#[test]
fn the_count_is_raised_above_the_protected_tasks_and_put_back_when_it_is_over() {
    let mut state = RemediationState::default();
    assert_eq!(decide(&mut state, &wants_more(10, 2, "9"), RAISE), raise(2, 3));
    make(&mut state, 3);
    assert_eq!(decide(&mut state, &wants_more(11, 3, "9"), RAISE), None);
    assert_eq!(decide(&mut state, &steady(60, 3), RAISE), put_back(3, 2));
    assert_eq!(decide(&mut state, &steady(61, 2), RAISE), None);
    assert_eq!((last_note(&state), &state.raised), ("the desired count is 2 again", &None));
}

#[test]
fn the_ceiling_holds_and_without_one_there_is_no_raise() {
    for (ceiling, expected) in [("3", raise(2, 3)), ("2", None), ("none", None), ("", None), ("-1", None)] {
        let mut state = RemediationState::default();
        assert_eq!(decide(&mut state, &wants_more(10, 2, ceiling), RAISE), expected, "{ceiling}");
        assert_eq!(last_note(&state).is_empty(), expected.is_some(), "{ceiling}: {state:?}");
    }
}

#[test]
fn two_raises_have_the_cool_down_between_them_and_are_put_back_together() {
    let mut state = RemediationState::default();
    assert_eq!(decide(&mut state, &wants_more(10, 2, "3"), RAISE), raise(2, 3));
    make(&mut state, 3);
    let more = |minute| {
        let mut seen = wants_more(minute, 3, "9");
        seen.tasks.push(TaskSnapshot { protected_until: Some(at(600)), ..busy(4) });
        seen
    };
    assert_eq!(decide(&mut state, &more(12), RAISE), None);
    assert_eq!(decide(&mut state, &more(24), RAISE), None);
    assert_eq!(decide(&mut state, &more(25), RAISE), raise(3, 4));
    make(&mut state, 4);
    assert_eq!(decide(&mut state, &steady(60, 4), RAISE), put_back(4, 2));
}

#[test]
fn a_raise_that_was_decided_and_never_made_is_forgotten_and_tried_again() {
    let mut state = RemediationState::default();
    assert_eq!(decide(&mut state, &wants_more(10, 2, "9"), RAISE), raise(2, 3));
    assert_eq!(decide(&mut state, &wants_more(11, 2, "9"), RAISE), None, "it may take effect yet");
    assert_eq!(decide(&mut state, &wants_more(26, 2, "9"), RAISE), raise(2, 3));
}

#[test]
fn a_count_that_others_set_to_the_value_of_an_unsent_raise_is_left_alone() {
    let mut state = RemediationState::default();
    assert_eq!(decide(&mut state, &wants_more(10, 2, "9"), RAISE), raise(2, 3));
    assert_eq!(decide(&mut state, &steady(11, 3), RAISE), None);
    assert!(state.raised.is_some(), "the snapshot may be older than the raise's end");
    assert_eq!(decide(&mut state, &steady(60, 3), RAISE), None);
    assert_eq!(state.raised, None);
    assert!(
        last_note(&state).ends_with("after taskhold was to raise it to 3: taskhold leaves it unchanged"),
        "{state:?}"
    );
}

#[test]
fn what_is_not_decided_is_not_sent_and_what_is_not_sent_is_not_confirmed() {
    let stage = |state: &RemediationState| state.raised.as_ref().map(|raised| raised.stage);
    let mut state = RemediationState::default();
    assert!(!state.begin_raise(3));
    decide(&mut state, &wants_more(10, 2, "9"), RAISE);
    assert!(!state.begin_raise(4));
    state.confirm_raise(3);
    assert_eq!(stage(&state), Some(RaiseStage::Raising));
    assert!(state.begin_raise(3));
    assert!(!state.begin_raise(3), "another invocation has begun already");
    state.confirm_raise(4);
    assert_eq!(stage(&state), Some(RaiseStage::Sending));
    state.confirm_raise(3);
    assert_eq!(stage(&state), Some(RaiseStage::Raised));
    decide(&mut state, &steady(60, 3), RAISE);
    state.confirm_raise(3);
    assert_eq!(stage(&state), Some(RaiseStage::PuttingBack));
}

#[test]
fn a_raise_whose_maker_died_over_it_is_put_back_all_the_same() {
    let mut state = RemediationState::default();
    assert_eq!(decide(&mut state, &wants_more(10, 2, "9"), RAISE), raise(2, 3));
    assert!(state.begin_raise(3));
    assert_eq!(decide(&mut state, &steady(60, 3), RAISE), put_back(3, 2));
}

#[test]
fn a_raise_that_was_sent_and_had_no_effect_is_forgotten() {
    let mut state = RemediationState::default();
    decide(&mut state, &wants_more(10, 2, "9"), RAISE);
    state.begin_raise(3);
    assert_eq!(decide(&mut state, &wants_more(11, 2, "9"), RAISE), None, "it may take effect yet");
    assert!(state.raised.is_some());
    assert_eq!(decide(&mut state, &wants_more(20, 2, "9"), RAISE), None);
    assert_eq!(state.raised, None);
    let said = "the desired count was to be raised to 3, which did not happen: it is 2";
    assert!(
        state.notes.iter().any(|note| note.text == said),
        "the count is not blamed on another writer: {:?}",
        state.notes
    );
}

#[test]
fn a_raise_whose_putting_back_was_cut_off_is_put_back_all_the_same() {
    let mut state = RemediationState::default();
    assert_eq!(decide(&mut state, &wants_more(10, 2, "9"), RAISE), raise(2, 3));
    make(&mut state, 3);
    assert_eq!(decide(&mut state, &steady(60, 3), RAISE), put_back(3, 2));
    assert_eq!(decide(&mut state, &steady(61, 3), RAISE), None, "it may take effect yet");
    assert_eq!(decide(&mut state, &steady(63, 3), RAISE), put_back(3, 2));
}

#[test]
fn a_snapshot_from_before_the_raise_changes_nothing() {
    let mut state = RemediationState::default();
    assert_eq!(decide(&mut state, &wants_more(10, 2, "9"), RAISE), raise(2, 3));
    make(&mut state, 3);
    assert_eq!(decide(&mut state, &wants_more(11, 3, "9"), RAISE), None);
    let raised = state.raised.clone();
    for minute in [9, 10, 11] {
        assert_eq!(decide(&mut state, &wants_more(minute, 2, "9"), RAISE), None);
        assert_eq!(state.raised, raised, "after a snapshot of minute {minute}");
    }
    assert_eq!(decide(&mut state, &steady(60, 3), RAISE), put_back(3, 2));
}

#[test]
fn what_somebody_has_set_since_is_left_alone() {
    for minute in [11, 60] {
        let mut state = RemediationState::default();
        decide(&mut state, &wants_more(10, 2, "9"), RAISE);
        make(&mut state, 3);
        decide(&mut state, &wants_more(10, 3, "9"), RAISE);
        assert_eq!(decide(&mut state, &steady(minute, 7), RAISE), None);
        assert_eq!(decide(&mut state, &steady(minute + 1, 7), RAISE), None);
        assert_eq!(state.raised, None);
    }
}

#[test]
fn a_raise_is_not_put_back_while_more_tasks_are_protected_than_were_wanted() {
    let mut state = RemediationState::default();
    decide(&mut state, &wants_more(10, 2, "9"), RAISE);
    make(&mut state, 3);
    let mut seen = steady(60, 3);
    seen.tasks = (1..=3).map(|number| task(number, NEW, Jobs::Known(vec![fixture::job("j", at(600))]))).collect();
    assert_eq!(decide(&mut state, &seen, RAISE), None);
    seen.tasks.truncate(2);
    assert_eq!(decide(&mut state, &seen, RAISE), put_back(3, 2));
}

#[test]
fn where_nothing_was_refused_more_tasks_would_not_help() {
    let mut state = RemediationState::default();
    let seen = tagged(blocked(10, vec![busy(1), busy(2)]), MAX_DESIRED_COUNT_TAG, "9");
    assert_eq!(decide(&mut state, &seen, RAISE), None);
}

#[test]
fn what_was_noted_last_is_not_noted_again_and_the_oldest_of_too_many_goes() {
    let mut state = RemediationState::default();
    assert!(state.is_empty());
    for minute in 0..3 {
        state.note(at(minute), "the same".to_owned());
    }
    assert!(!state.is_empty());
    assert_eq!(state.notes, [RemediationNote { at: at(0), text: "the same".to_owned() }]);
    (1..=NOTES_MAX).for_each(|number| state.note(at(10), format!("note {number}")));
    assert_eq!((state.notes.len(), state.notes[0].text.as_str()), (NOTES_MAX, "note 1"));
}

#[test]
fn notes_of_what_is_over_are_kept_for_a_day() {
    let mut state = RemediationState::default();
    state.note(at(0), "done".to_owned());
    let day = 24 * 60;
    decide(&mut state, &steady(day - 1, 2), Policy::Notify);
    assert_eq!(last_note(&state), "done");
    decide(&mut state, &steady(day, 2), Policy::Notify);
    assert!(state.is_empty());
}

#[test]
fn the_next_release_is_due_when_the_first_idle_task_has_been_so_for_the_grace() {
    let idle_since = BTreeMap::from([(id(1), at(3)), (id(2), at(1))]);
    let ripe = |policy: &RemediationPolicy| RemediationState::default().ripe_from(&idle_since, policy);
    assert_eq!(ripe(&policy(Policy::Notify)), Some(at(6)));
    assert_eq!(ripe(&RemediationPolicy { allowed: Remediations::default(), ..policy(Policy::Notify) }), None);
}

#[test]
fn it_says_that_nothing_is_idle_and_what_others_protect() {
    let note = |tasks: Vec<TaskSnapshot>| {
        let mut state = RemediationState::default();
        decide(&mut state, &blocked(10, tasks), Policy::ReleaseIdle);
        last_note(&state).to_owned()
    };
    let foreign = |number| task(number, OLD, Jobs::Unknown);
    let nothing = "no blocking task is known to be idle: nothing was released";
    assert_eq!(note(vec![busy(1)]), nothing);
    assert_eq!(note(vec![busy(1), foreign(2)]), format!("{nothing}; 1 has foreign protection"));
    assert_eq!(note(vec![foreign(1), foreign(2)]), format!("{nothing}; 2 have foreign protection"));
    let left = TaskSnapshot { is_left_protected: true, ..idle(2, 0) };
    assert_eq!(note(vec![foreign(1), left]), format!("{nothing}; 2 have foreign protection"));
}

#[test]
fn protection_that_a_worker_left_is_released_only_with_the_tag() {
    let decided = |tags: &[(&str, &str)]| {
        let mut snapshot = blocked(10, vec![TaskSnapshot { is_left_protected: true, ..idle(1, 0) }]);
        snapshot.service.tags.extend(tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut state = RemediationState::default();
        decide(&mut state, &snapshot, Policy::ReleaseIdle);
        let later = ServiceSnapshot { at: at(20), ..snapshot };
        decide(&mut state, &later, Policy::ReleaseIdle).is_some()
    };
    assert_eq!([decided(&[]), decided(&[(MANAGED_TAG, "true")])], [false, true]);
}

#[test]
fn a_second_raise_that_is_not_made_leaves_the_first_as_it_was() {
    let mut state = RemediationState::default();
    assert_eq!(state.cool_from(&policy(RAISE)), None);
    decide(&mut state, &wants_more(10, 2, "3"), RAISE);
    make(&mut state, 3);
    assert_eq!(state.cool_from(&policy(RAISE)), Some(at(25)));
    let mut more = wants_more(30, 3, "9");
    more.tasks.push(busy(4));
    assert_eq!(decide(&mut state, &more, RAISE), raise(3, 4));
    state.forget_raise();
    let first = Raised { from: 2, to: 3, before: 3, at: at(30), stage: RaiseStage::Raised };
    assert_eq!(state.raised, Some(first));
    assert_eq!(decide(&mut state, &steady(60, 3), RAISE), put_back(3, 2));
}

#[test]
fn a_snapshot_older_than_a_raise_says_nothing_about_it() {
    let stage = |state: &RemediationState| state.raised.as_ref().map(|raised| raised.stage);
    let mut state = RemediationState::default();
    decide(&mut state, &wants_more(10, 2, "9"), RAISE);
    assert!(state.begin_raise(3));
    decide(&mut state, &wants_more(9, 3, "9"), RAISE);
    assert_eq!(stage(&state), Some(RaiseStage::Sending));
    decide(&mut state, &wants_more(10, 3, "9"), RAISE);
    assert_eq!(stage(&state), Some(RaiseStage::Raised));
}

#[test]
fn a_raise_that_is_not_seen_yet_is_given_two_minutes_and_no_more() {
    for seconds in [119, 120] {
        let mut state = RemediationState::default();
        decide(&mut state, &wants_more(10, 2, "9"), RAISE);
        assert!(state.begin_raise(3));
        let mut snapshot = wants_more(10, 2, "9");
        snapshot.at += SignedDuration::from_secs(seconds);
        decide(&mut state, &snapshot, RAISE);
        assert_eq!(state.raised.is_some(), seconds < 120, "after {seconds} seconds");
    }
}

#[test]
fn what_is_not_put_back_yet_is_asked_for_again_after_two_minutes_and_not_before() {
    let mut state = RemediationState::default();
    decide(&mut state, &wants_more(10, 2, "9"), RAISE);
    make(&mut state, 3);
    assert_eq!(decide(&mut state, &steady(60, 3), RAISE), put_back(3, 2));
    assert_eq!(decide(&mut state, &steady(61, 3), RAISE), None);
    assert_eq!(decide(&mut state, &steady(62, 3), RAISE), put_back(3, 2));
}

#[test]
fn a_count_that_taskhold_raised_is_not_suggested_to_a_person() {
    let wait = SuggestedAction::Wait { until: at(60), expected: at(30) };
    let raise = SuggestedAction::RaiseDesiredCount { to: 3, command: "aws ecs update-service".to_owned() };
    let left = |raised: Option<Raised>| {
        let mut actions = vec![wait.clone(), raise.clone()];
        RemediationState { raised, ..RemediationState::default() }.leave_to_taskhold(&mut actions);
        actions
    };
    let raised = Raised { from: 1, to: 2, before: 1, at: at(0), stage: RaiseStage::Raised };
    assert_eq!(left(None), [wait.clone(), raise.clone()]);
    assert_eq!(left(Some(raised)), std::slice::from_ref(&wait));
}
