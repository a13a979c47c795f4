//! Rules of a diagnosis, each on a snapshot built by hand.

use super::*;
use crate::ecs::deployment::{Deployment, DeploymentStatus, DeploymentStrategy, RolloutState, TaskSet};
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceEvent;
use crate::service::durations::{Learned, LearnedEnd};
use crate::service::forecast::{self, DeadlineSource, ForecastBasis};
use crate::service::preflight::{PreflightVerdict, preflight};
use crate::service::rollout as replaced;
use crate::service::rollout_status::kept_until;
use crate::service::snapshot::fixture::{self, policy, task};
use crate::service::snapshot::{Gap, JobSnapshot, Jobs};
use crate::service::suggested_action::command::shell_quoted;
use jiff::SignedDuration;

mod service_deployments;

const OLD: &str = "ecs-svc/1";
const NEW: &str = "ecs-svc/2";

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
}

fn id(number: usize) -> TaskId {
    format!("{number:032x}").parse().unwrap()
}

/// A service with a desired count of two and one deployment, an hour after that finished.
fn service() -> ServiceSnapshot {
    let mut snapshot = fixture::service(at(60));
    snapshot.service.deployments = vec![deployment(OLD, DeploymentStatus::Primary, 2)];
    snapshot
}

fn deployment(id: &str, status: DeploymentStatus, running: u32) -> Deployment {
    Deployment {
        id: id.to_owned(),
        rollout_state: RolloutState::Completed,
        status,
        desired_count: running,
        running_count: running,
        pending_count: 0,
        created_at: at(0),
        updated_at: at(0),
    }
}

fn protected(number: usize, deployment: &str, until: i64) -> TaskSnapshot {
    let jobs = Jobs::Known(vec![fixture::job(&format!("j-{number}"), at(until))]);
    TaskSnapshot { protected_until: Some(at(until)), jobs, ..task(number, deployment) }
}

/// A deployment that began 30 minutes before the snapshot, with all new tasks running.
fn deploying(old: Vec<TaskSnapshot>) -> ServiceSnapshot {
    let mut snapshot = service();
    let mut newest = deployment(NEW, DeploymentStatus::Primary, 2);
    newest.rollout_state = RolloutState::InProgress;
    newest.created_at = at(30);
    let count = u32::try_from(old.len()).unwrap();
    snapshot.service.deployments = vec![newest, deployment(OLD, DeploymentStatus::Active, count)];
    snapshot.tasks = old;
    snapshot.tasks.extend([task(101, NEW), task(102, NEW)]);
    snapshot
}

fn judge(snapshot: &ServiceSnapshot) -> Diagnosis {
    diagnose(snapshot, Remembered::default(), &policy())
}

#[test]
fn a_service_with_all_its_tasks_of_one_deployment_is_steady_even_if_they_are_protected() {
    let mut snapshot = service();
    snapshot.tasks = vec![protected(1, OLD, 90), task(2, OLD)];
    let diagnosis = judge(&snapshot);
    assert_eq!((diagnosis.rollout_status, diagnosis.blocking_tasks.len()), (RolloutStatus::Steady, 0));
}

#[test]
fn a_deployment_that_has_only_protected_tasks_to_wait_for_is_blocked_by_them() {
    let diagnosis = judge(&deploying(vec![protected(1, OLD, 90), protected(2, OLD, 120)]));
    assert_eq!(diagnosis.rollout_status, RolloutStatus::Blocked);
    let by: Vec<_> = diagnosis
        .blocking_tasks
        .iter()
        .map(|blocking_task| (&blocking_task.task, blocking_task.protected_until))
        .collect();
    assert_eq!(by, [(&id(2), at(120)), (&id(1), at(90))]);
    assert_eq!(
        diagnosis.forecast,
        Some(Forecast {
            by_expiry: at(120),
            by_jobs: at(120),
            basis: ForecastBasis::Maximum,
            by_risk: None,
            jobs_started: 0
        })
    );
}

#[test]
fn percentages_hold_nothing_up_once_all_new_tasks_are_there() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    (snapshot.service.maximum_percent, snapshot.service.running_count) = (100, 2);
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::Blocked);
    snapshot.service.deployments[0].running_count = 1;
    snapshot.tasks.pop();
    assert_eq!(
        judge(&snapshot).rollout_status,
        RolloutStatus::WillBlock,
        "one is missing, and neither room nor a task to spare"
    );
}

#[test]
fn a_deployment_whose_new_tasks_still_come_up_is_not_blocked_yet_but_will_be() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    snapshot.service.deployments[0].running_count = 1;
    snapshot.tasks.pop();
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::WillBlock);
}

#[test]
fn new_tasks_that_have_no_room_beside_protected_ones_are_blocked_by_them() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90), protected(2, OLD, 90)]);
    (snapshot.service.minimum_healthy_percent, snapshot.service.maximum_percent) = (50, 100);
    snapshot.service.deployments[0].running_count = 0;
    snapshot.tasks.truncate(2);
    let diagnosis = judge(&snapshot);
    assert_eq!((diagnosis.rollout_status, diagnosis.task_counts.room), (RolloutStatus::Blocked, 0));
    let raise = diagnosis.suggested_actions.iter().find_map(|action| match action {
        SuggestedAction::RaiseMaximumPercent { to, command } => Some((*to, command.clone())),
        _ => None,
    });
    let (to, command) = raise.expect("new tasks need room");
    assert_eq!(to, 200);
    assert!(command.ends_with("--deployment-configuration maximumPercent=200,minimumHealthyPercent=50"), "{command}");
}

#[test]
fn the_time_for_which_ecs_keeps_old_tasks_has_passed_at_its_end() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    let rollout = judge(&snapshot).rollout;
    for (minutes, until) in [(31, Some(at(61))), (30, None)] {
        snapshot.service.old_tasks_kept = SignedDuration::from_mins(minutes);
        assert_eq!(kept_until(&snapshot, &rollout), until);
    }
}

#[test]
fn a_deployment_without_protected_tasks_moves() {
    assert_eq!(judge(&deploying(vec![task(1, OLD)])).rollout_status, RolloutStatus::InProgress);
}

#[test]
fn a_snapshot_with_gaps_is_unclear_and_never_no_blocking_tasks() {
    let mut snapshot = deploying(vec![task(1, OLD)]);
    snapshot.gaps.push(Gap::Protection(EcsError::Throttled));
    let diagnosis = judge(&snapshot);
    assert_eq!(diagnosis.rollout_status, RolloutStatus::Unknown);
    assert_eq!(diagnosis.gaps, ["the protection of its tasks could not be read: ECS throttled the call"]);
    snapshot.tasks[0] = protected(1, OLD, 90);
    assert_eq!(
        judge(&snapshot).rollout_status,
        RolloutStatus::Blocked,
        "a gap does not discard the tasks that were read"
    );
}

#[test]
fn blue_green_waits_for_protected_blue_tasks_like_any_deployment() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    snapshot.service.strategy = DeploymentStrategy::BlueGreen;
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::Blocked);
}

#[test]
fn a_draining_task_set_waits_for_its_protected_tasks_and_an_active_one_does_not() {
    let mut snapshot = service();
    let set = |id: &str, status: DeploymentStatus| TaskSet {
        id: id.to_owned(),
        status,
        is_stable: true,
        computed_desired_count: 2,
        running_count: 2,
        pending_count: 0,
        created_at: at(0),
        updated_at: at(40),
    };
    snapshot.service.deployments.clear();
    snapshot.service.task_sets = vec![set(NEW, DeploymentStatus::Primary), set(OLD, DeploymentStatus::Draining)];
    snapshot.tasks = vec![protected(1, OLD, 90), task(101, NEW), task(102, NEW)];
    let diagnosis = judge(&snapshot);
    assert_eq!(diagnosis.rollout_status, RolloutStatus::Blocked);
    assert_eq!(diagnosis.rollout, Rollout::TaskSet { id: NEW.to_owned(), started_at: at(40) });
    snapshot.service.task_sets[1].status = DeploymentStatus::Active;
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::InProgress);
}

#[test]
fn a_scale_in_waits_for_as_many_protected_tasks_as_are_too_many() {
    let mut snapshot = service();
    snapshot.service.desired_count = 1;
    snapshot.service.deployments[0].desired_count = 1;
    snapshot.tasks = vec![protected(1, OLD, 90), protected(2, OLD, 120), protected(3, OLD, 70)];
    let diagnosis = judge(&snapshot);
    assert_eq!(diagnosis.rollout_status, RolloutStatus::Blocked);
    assert!(diagnosis.rollout.is_scale_in());
    let forecast = diagnosis.forecast.unwrap();
    assert_eq!(forecast.by_expiry, at(90), "the one that is protected longest may stay");
    let blocking_tasks: Vec<_> =
        diagnosis.blocking_tasks.iter().map(|blocking_task| blocking_task.task.clone()).collect();
    assert_eq!(blocking_tasks, [id(1), id(3)]);
}

#[test]
fn the_finish_is_sooner_if_jobs_end_as_their_workers_expect() {
    let mut with_expectation = protected(1, OLD, 120);
    if let Jobs::Known(jobs) = &mut with_expectation.jobs {
        jobs[0].expected_until = Some(at(75));
    }
    let diagnosis = judge(&deploying(vec![with_expectation]));
    assert_eq!(
        diagnosis.forecast,
        Some(Forecast {
            by_expiry: at(120),
            by_jobs: at(75),
            basis: ForecastBasis::Declared,
            by_risk: Some(at(75)),
            jobs_started: 0
        })
    );
}

#[test]
fn a_forecast_is_based_on_the_declared_end_else_on_the_learned_one_else_on_the_maximum() {
    let learned = LearnedEnd { expected: at(80), unlikely_after: at(110) };
    let forecast = |expected: Option<i64>, learned: Option<LearnedEnd>| {
        let mut task = protected(1, OLD, 100);
        let Jobs::Known(jobs) = &mut task.jobs else { panic!("it has a job") };
        (jobs[0].expected_until, jobs[0].learned) = (expected.map(at), learned.map_or(Learned::Nothing, Learned::End));
        let forecast = judge(&deploying(vec![task, protected(2, OLD, 70)])).forecast.unwrap();
        (forecast.basis, forecast.by_jobs, forecast.by_risk)
    };
    assert_eq!(forecast(Some(75), Some(learned)), (ForecastBasis::Declared, at(75), Some(at(75))));
    assert_eq!(forecast(None, Some(learned)), (ForecastBasis::Learned, at(80), Some(at(100))), "its maximum is 100");
    assert_eq!(forecast(Some(59), None), (ForecastBasis::Maximum, at(100), None), "the expected end has passed");
    assert_eq!(forecast(Some(65), None), (ForecastBasis::Maximum, at(70), Some(at(65))), "the other task is later");
}

#[test]
fn a_forecast_counts_the_linger_of_a_task_and_never_beyond_its_protection() {
    let policy = DiagnosisPolicy { linger: SignedDuration::from_mins(15), ..policy() };
    let forecast = |task: TaskSnapshot| {
        let diagnosis = diagnose(&deploying(vec![task]), Remembered::default(), &policy);
        let forecast = diagnosis.forecast.unwrap();
        (forecast.by_jobs, forecast.by_risk)
    };
    let busy = |expected: i64| {
        let mut task = protected(1, OLD, 100);
        let Jobs::Known(jobs) = &mut task.jobs else { panic!("it has a job") };
        jobs[0].expected_until = Some(at(expected));
        task
    };
    assert_eq!(forecast(busy(75)), (at(90), Some(at(90))));
    assert_eq!(forecast(busy(90)), (at(100), Some(at(100))), "the protection expires then");
    let idle = |lingers_until| TaskSnapshot {
        protected_until: Some(at(95)),
        jobs: Jobs::Known(Vec::new()),
        lingers_until,
        ..task(1, OLD)
    };
    assert_eq!([idle(Some(at(70))), idle(None)].map(|task| forecast(task).0), [at(70), at(95)]);
}

#[test]
fn protection_that_taskhold_does_not_know_is_foreign_and_lasts_to_its_end() {
    let foreign = TaskSnapshot { protected_until: Some(at(100)), jobs: Jobs::Unknown, ..task(1, OLD) };
    let idle = TaskSnapshot { protected_until: Some(at(95)), jobs: Jobs::Known(Vec::new()), ..task(2, OLD) };
    let diagnosis = judge(&deploying(vec![foreign, idle]));
    let protected_for: Vec<_> =
        diagnosis.blocking_tasks.iter().map(|blocking_task| blocking_task.protected_for.clone()).collect();
    assert_eq!(protected_for, [ProtectedFor::Foreign, ProtectedFor::NoJob]);
    let released: Vec<_> = diagnosis
        .suggested_actions
        .iter()
        .filter_map(|action| match action {
            SuggestedAction::ReleaseIdle { tasks, commands } => Some((tasks.clone(), commands.clone())),
            _ => None,
        })
        .collect();
    let command = format!(
        "aws lambda invoke --region eu-west-1 --function-name taskhold --cli-binary-format raw-in-base64-out --payload \
         '{{\"release\":{{\"cluster\":\"video\",\"tasks\":[\"{}\"]}}}}' /dev/stdout",
        id(2)
    );
    assert_eq!(released, [(vec![id(2)], vec![command])], "only what the state store knows to be idle");
}

#[test]
fn orphans_are_tasks_protected_without_a_job_with_the_command_that_releases_them() {
    let mut snapshot = service();
    let idle = TaskSnapshot { protected_until: Some(at(95)), jobs: Jobs::Known(Vec::new()), ..task(2, OLD) };
    snapshot.tasks = vec![protected(1, OLD, 90), idle];
    let orphans = of_orphans(&snapshot, &judge(&snapshot), &policy());
    assert_eq!(orphans.blocking_tasks.iter().map(|orphan| orphan.task.clone()).collect::<Vec<_>>(), [id(2)]);
    assert!(
        matches!(&orphans.suggested_actions[..], [SuggestedAction::ReleaseIdle { tasks, .. }] if *tasks == [id(2)])
    );
}

#[test]
fn the_deadline_is_the_tag_s_else_cloudformation_s_else_the_setting() {
    let mut snapshot = deploying(vec![protected(1, OLD, 30 + 200)]);
    let deadline = |snapshot: &ServiceSnapshot| judge(snapshot).deadline.unwrap();
    assert_eq!(deadline(&snapshot), Deadline { at: at(30 + 180), source: DeadlineSource::Setting });
    snapshot.service.tags.insert("aws:cloudformation:stack-name".to_owned(), "video".to_owned());
    assert_eq!(deadline(&snapshot).source, DeadlineSource::CloudFormation);
    snapshot.service.tags.insert("taskhold:deadline-minutes".to_owned(), "45".to_owned());
    assert_eq!(deadline(&snapshot), Deadline { at: at(30 + 45), source: DeadlineSource::Tag });
    snapshot.service.tags.insert("taskhold:deadline-minutes".to_owned(), "soon".to_owned());
    assert_eq!(deadline(&snapshot).source, DeadlineSource::CloudFormation);
    let margin = deadline(&snapshot).margin(&judge(&snapshot).forecast.unwrap());
    assert_eq!(margin.as_mins(), -20);
}

#[test]
fn it_is_blocked_since_ecs_first_said_so_or_since_it_was_first_seen() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    assert_eq!(judge(&snapshot).blocked_since, Some(at(60)));
    assert_eq!(
        diagnose(&snapshot, Remembered { blocked_since: Some(at(50)), ..Remembered::default() }, &policy())
            .blocked_since,
        Some(at(50))
    );
    let say = |minute| ServiceEvent {
        id: format!("{minute}"),
        created_at: at(minute),
        message: "(service web, taskSet ecs-svc/1) was unable to scale in due to (reason 1 tasks under protection)"
            .into(),
    };
    snapshot.service.events = vec![say(45), say(35), say(20)];
    assert_eq!(judge(&snapshot).blocked_since, Some(at(35)), "messages before this deployment concern another one");
    let started = "(service web) has started 2 tasks: (task 1) (task 2).".into();
    snapshot.service.events.insert(2, ServiceEvent { message: started, ..say(32) });
    assert_eq!(judge(&snapshot).blocked_since, Some(at(35)), "routine messages do not change it");
}

#[test]
fn a_higher_desired_count_is_for_refused_tasks_only_and_never_for_a_scale_in() {
    let raise = SuggestedAction::RaiseDesiredCount {
        to: 3,
        command: "aws ecs update-service --region eu-west-1 --cluster video --service web --desired-count 3".to_owned(),
    };
    let mut snapshot = deploying(vec![protected(1, OLD, 90), protected(2, OLD, 90)]);
    assert!(!judge(&snapshot).suggested_actions.contains(&raise), "nothing is refused");
    let refused = |deployment| TaskSnapshot {
        protected_until: None,
        refused_since: Some(at(50)),
        ..protected(101, deployment, 90)
    };
    snapshot.tasks[2] = refused(NEW);
    let diagnosis = judge(&snapshot);
    assert!(diagnosis.suggested_actions.contains(&raise), "{:?}", diagnosis.suggested_actions);
    assert!(matches!(diagnosis.suggested_actions[0], SuggestedAction::Wait { .. }), "waiting is the mildest");
    let mut scale_in = service();
    (scale_in.service.desired_count, scale_in.service.deployments[0].desired_count) = (1, 1);
    scale_in.tasks = vec![protected(1, OLD, 90), protected(2, OLD, 90), refused(OLD)];
    let diagnosis = judge(&scale_in);
    assert!(diagnosis.rollout.is_scale_in());
    let raises = |action: &SuggestedAction| matches!(action, SuggestedAction::RaiseDesiredCount { .. });
    assert!(!diagnosis.suggested_actions.iter().any(raises), "{:?}", diagnosis.suggested_actions);
}

#[test]
fn a_missed_deadline_of_taskholds_own_can_be_extended_and_others_only_by_interrupting_jobs() {
    let actions = |snapshot: &ServiceSnapshot| {
        let extended = |action: SuggestedAction| match action {
            SuggestedAction::ExtendDeadline { minutes, .. } => Some((Some(minutes), Vec::new())),
            SuggestedAction::ReleaseByForce { tasks, .. } => Some((None, tasks)),
            _ => None,
        };
        judge(snapshot).suggested_actions.into_iter().filter_map(extended).collect::<Vec<_>>()
    };
    let in_time = deploying(vec![protected(1, OLD, 90)]);
    assert_eq!(actions(&in_time), []);
    let mut late = deploying(vec![protected(1, OLD, 330)]);
    assert_eq!(actions(&late), [(Some(376), vec![]), (None, vec![id(1)])], "5 hours and a quarter more");
    late.service.tags.insert("aws:cloudformation:stack-name".to_owned(), "prod".to_owned());
    assert_eq!(actions(&late), [(None, vec![id(1)])]);
}

#[test]
fn words_for_a_shell_are_quoted_where_they_must_be() {
    assert_eq!(shell_quoted("web-2_a"), "web-2_a");
    assert_eq!(shell_quoted("a b; rm -rf /"), "'a b; rm -rf /'");
    assert_eq!(shell_quoted("it's"), r"'it'\''s'");
    assert_eq!(shell_quoted("-x"), "'-x'");
    assert_eq!(shell_quoted(""), "''");
    assert_eq!(shell_quoted("$(id)"), "'$(id)'");
}

#[test]
fn a_preflight_says_what_a_deployment_would_meet() {
    let mut snapshot = service();
    snapshot.tasks = vec![task(1, OLD), task(2, OLD)];
    assert_eq!(preflight(&snapshot, &policy()).verdict, PreflightVerdict::Clear);
    snapshot.tasks[0] = protected(1, OLD, 60 + 90);
    let judged = preflight(&snapshot, &policy());
    assert_eq!((judged.verdict, judged.blocking_tasks.len()), (PreflightVerdict::Waits, 1));
    assert_eq!(judged.forecast.unwrap().by_expiry, at(150));
    snapshot.tasks[1] = protected(2, OLD, 60 + 181);
    assert_eq!(preflight(&snapshot, &policy()).verdict, PreflightVerdict::MissesDeadline);
    snapshot.service.deployments = (0..5).map(|_| deployment(OLD, DeploymentStatus::Active, 1)).collect();
    assert_eq!(preflight(&snapshot, &policy()).verdict, PreflightVerdict::Refused);
}

#[test]
fn a_preflight_with_gaps_is_never_clear() {
    let mut snapshot = service();
    snapshot.gaps.push(Gap::Tasks(EcsError::Throttled));
    assert_eq!(preflight(&snapshot, &policy()).verdict, PreflightVerdict::Unknown);
}

#[test]
fn a_deployment_that_has_just_begun_is_not_blocked_before_its_new_tasks_had_their_chance() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90), task(2, OLD)]);
    (snapshot.service.deployments[0].running_count, snapshot.service.deployments[0].pending_count) = (0, 2);
    (snapshot.service.running_count, snapshot.service.pending_count) = (2, 2);
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::WillBlock);
    (snapshot.service.deployments[0].running_count, snapshot.service.deployments[0].pending_count) = (2, 0);
    (snapshot.service.running_count, snapshot.service.pending_count) = (4, 0);
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::WillBlock, "the unprotected one leaves first");
    snapshot.tasks.remove(1);
    snapshot.service.running_count = 3;
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::Blocked);
}

#[test]
fn a_service_that_waits_for_a_task_of_its_own_is_not_steady() {
    let mut snapshot = service();
    snapshot.service.running_count = 1;
    snapshot.tasks = vec![task(1, OLD)];
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::InProgress);
}

#[test]
fn in_a_scale_in_to_zero_every_protected_task_is_blocking() {
    let mut snapshot = service();
    snapshot.service.desired_count = 0;
    snapshot.service.deployments[0].desired_count = 0;
    snapshot.tasks = vec![protected(1, OLD, 90), protected(2, OLD, 80), task(3, OLD)];
    let diagnosis = judge(&snapshot);
    assert!(diagnosis.rollout.is_scale_in());
    assert_eq!(
        diagnosis.blocking_tasks.iter().map(|blocking_task| blocking_task.task.clone()).collect::<Vec<_>>(),
        [id(1), id(2)]
    );
}

#[test]
fn bounds_are_shares_of_the_desired_count_the_lower_rounded_up_and_the_upper_down() {
    let mut snapshot = service();
    let mut bounds = |desired, minimum, maximum| {
        snapshot.service.desired_count = desired;
        (snapshot.service.minimum_healthy_percent, snapshot.service.maximum_percent) = (minimum, maximum);
        let task_counts = judge(&snapshot).task_counts;
        (task_counts.lower_bound, task_counts.upper_bound)
    };
    assert_eq!(bounds(3, 50, 150), (2, 4));
    assert_eq!(bounds(4, 50, 200), (2, 8));
    assert_eq!(bounds(7, 0, 100), (0, 7));
}

#[test]
fn what_half_a_minute_of_protection_is_missing_of_is_not_refused() {
    let short_by = |seconds: i64| {
        let mut snapshot = deploying(vec![]);
        let until = at(90) - SignedDuration::from_secs(seconds);
        snapshot.tasks.push(TaskSnapshot {
            protected_until: Some(until),
            refused_since: Some(at(55)),
            ..protected(1, NEW, 90)
        });
        let refused_tasks = judge(&snapshot).refused_tasks;
        refused_tasks.into_iter().map(|refused_task| refused_task.wanted_until()).collect::<Vec<_>>()
    };
    assert_eq!(short_by(30), []);
    assert_eq!(short_by(31), [Some(at(90))]);
}

#[test]
fn orphans_have_no_finish() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    snapshot.tasks.push(TaskSnapshot { protected_until: Some(at(95)), jobs: Jobs::Known(Vec::new()), ..task(2, OLD) });
    let diagnosis = judge(&snapshot);
    assert!(diagnosis.forecast.is_some());
    assert_eq!(of_orphans(&snapshot, &diagnosis, &policy()).forecast, None);
}

#[test]
fn a_deployment_goes_on_while_it_says_so_or_another_has_tasks_or_is_about_to_have() {
    let with = |rollout_state, other: (u32, u32)| {
        let mut snapshot = service();
        let mut older = deployment("ecs-svc/0", DeploymentStatus::Active, other.0);
        older.pending_count = other.1;
        snapshot.service.deployments[0].rollout_state = rollout_state;
        snapshot.service.deployments.push(older);
        judge(&snapshot).rollout_status
    };
    assert_eq!(with(RolloutState::Completed, (0, 0)), RolloutStatus::Steady);
    assert_eq!(with(RolloutState::Completed, (1, 0)), RolloutStatus::InProgress);
    assert_eq!(with(RolloutState::Completed, (0, 1)), RolloutStatus::InProgress);
    assert_eq!(with(RolloutState::Completed, (1, 1)), RolloutStatus::InProgress);
    assert_eq!(with(RolloutState::InProgress, (0, 0)), RolloutStatus::InProgress);
}

/// A task set with two desired tasks: one running, one pending.
fn task_set(id: &str, status: DeploymentStatus) -> TaskSet {
    TaskSet {
        id: id.to_owned(),
        status,
        is_stable: true,
        computed_desired_count: 2,
        running_count: 1,
        pending_count: 1,
        created_at: at(0),
        updated_at: at(40),
    }
}

#[test]
fn one_task_set_alone_is_no_rollout_and_a_second_one_is() {
    let mut snapshot = service();
    snapshot.service.deployments.clear();
    snapshot.service.task_sets = vec![task_set(NEW, DeploymentStatus::Primary)];
    snapshot.tasks = vec![task(101, NEW), task(102, NEW)];
    assert_eq!(replaced::replaced(&snapshot).rollout, Rollout::None);
    snapshot.service.task_sets.push(task_set(OLD, DeploymentStatus::Active));
    let both = replaced::replaced(&snapshot);
    assert_eq!(both.rollout, Rollout::TaskSet { id: NEW.to_owned(), started_at: at(40) });
    assert_eq!((both.new_tasks_pending, both.new_tasks_missing), (1, 0));
    snapshot.service.task_sets = vec![task_set(OLD, DeploymentStatus::Draining)];
    snapshot.tasks = vec![task(1, OLD)];
    assert_eq!(replaced::replaced(&snapshot).tasks.len(), 1, "no other one is PRIMARY yet");
}

#[test]
fn where_all_new_tasks_are_up_free_room_is_no_reason_to_wait_for_more() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    snapshot.service.running_count = 3;
    let task_counts = judge(&snapshot).task_counts;
    assert_eq!((task_counts.live, task_counts.upper_bound), (3, 4));
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::Blocked);
}

#[test]
fn where_no_percentage_lets_a_task_come_or_go_it_is_not_protection_that_blocks() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90), protected(2, OLD, 90)]);
    (snapshot.service.minimum_healthy_percent, snapshot.service.maximum_percent) = (100, 100);
    snapshot.service.deployments[0].running_count = 0;
    snapshot.service.running_count = 2;
    snapshot.tasks.truncate(2);
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::WillBlock);
    snapshot.service.running_count = 3;
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::Blocked, "one could be stopped");
}

#[test]
fn what_ecs_said_before_the_service_was_steady_again_is_over() {
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    let say = |minute, message: &str| ServiceEvent {
        id: format!("{minute}"),
        created_at: at(minute),
        message: message.to_owned(),
    };
    let unable = "(service web, taskSet ecs-svc/1) was unable to scale in due to (reason 1 tasks under protection)";
    let steady = "(service web) has reached a steady state.";
    snapshot.service.events = vec![say(45, unable), say(40, steady), say(35, unable)];
    assert_eq!(judge(&snapshot).blocked_since, Some(at(45)));
}

#[test]
fn a_higher_maximum_is_named_where_new_tasks_do_not_fit_and_nowhere_else() {
    let raised_to = |snapshot: &ServiceSnapshot| {
        let suggested_actions = judge(snapshot).suggested_actions;
        suggested_actions.into_iter().find_map(|action| match action {
            SuggestedAction::RaiseMaximumPercent { to, .. } => Some(to),
            _ => None,
        })
    };
    // Two desired, one of them pending, and three old tasks that cannot stop.
    let mut snapshot = deploying(vec![protected(1, OLD, 90), protected(2, OLD, 90), protected(3, OLD, 90)]);
    snapshot.service.deployments[0].running_count = 1;
    snapshot.service.maximum_percent = 100;
    assert_eq!(judge(&snapshot).task_counts.room, 0);
    assert_eq!(raised_to(&snapshot), Some(250));
    snapshot.service.maximum_percent = 200;
    assert_eq!(judge(&snapshot).task_counts.room, 1);
    assert_eq!(raised_to(&snapshot), None, "there is room for it");
    (snapshot.service.desired_count, snapshot.service.maximum_percent) = (0, 100);
    assert_eq!(raised_to(&snapshot), None, "no percentage of nothing is room");
}

#[test]
fn the_job_that_is_expected_to_last_longest_comes_first() {
    let job = |id: &str, until, expected: Option<i64>| JobSnapshot {
        expected_until: expected.map(at),
        ..fixture::job(id, at(until))
    };
    let jobs = [job("soon", 120, Some(70)), job("late", 90, None), job("next", 80, None)];
    let ids: Vec<_> = forecast::longest_first(&jobs).into_iter().map(|job| job.key.job_id.as_str()).collect();
    assert_eq!(ids, ["late", "next", "soon"]);
}

#[test]
fn a_tag_that_cannot_be_read_is_part_of_the_diagnosis() {
    let mut snapshot = service();
    snapshot.service.tags.insert("taskhold:deadline-minutes".to_owned(), "soon".to_owned());
    let problems = judge(&snapshot).tag_problems;
    assert_eq!(problems.iter().map(|problem| problem.value.as_str()).collect::<Vec<_>>(), ["soon"]);
}
