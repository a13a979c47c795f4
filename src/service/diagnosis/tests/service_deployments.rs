//! What the service deployment of a rollout decides: pauses, stages, early success, and the deadline of its kind.

use super::*;
use crate::ecs::deployment_options::{DeploymentOptions, EarlySuccess, OtherOptions, RevisionCleanup};
use crate::ecs::service_deployment::{
    HookAction, HookStatus, LifecycleHook, LifecycleStage, ServiceDeployment, ServiceDeploymentStatus,
};

fn hook(id: &str, status: HookStatus, minute: i64) -> LifecycleHook {
    let (id, timeout_action) = (id.to_owned(), HookAction::Rollback);
    LifecycleHook { id, target: None, status, expires_at: Some(at(minute)), timeout_action }
}

/// A deployment over a protected old task, at this stage with these hooks.
fn at_stage(strategy: DeploymentStrategy, stage: LifecycleStage, hooks: Vec<LifecycleHook>) -> ServiceSnapshot {
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    snapshot.service.strategy = strategy;
    snapshot.service_deployment = Some(ServiceDeployment { hooks, ..fixture::service_deployment(stage) });
    snapshot
}

fn deferring(mut snapshot: ServiceSnapshot) -> ServiceSnapshot {
    let early = EarlySuccess { enable: true, healthy_percent: Some(100), cleanup: Some(RevisionCleanup::Deferred) };
    snapshot.service.options = DeploymentOptions { early_success: Some(early), ..DeploymentOptions::default() };
    snapshot
}

#[test]
fn a_deployment_that_shifts_traffic_is_blocked_only_while_it_cleans_up() {
    for strategy in [DeploymentStrategy::BlueGreen, DeploymentStrategy::Linear, DeploymentStrategy::Canary] {
        for (stage, status) in [
            (LifecycleStage::PostScaleUp, RolloutStatus::WillBlock),
            (LifecycleStage::BakeTime, RolloutStatus::WillBlock),
            (LifecycleStage::CleanUp, RolloutStatus::Blocked),
        ] {
            let snapshot = at_stage(strategy.clone(), stage, Vec::new());
            assert_eq!(judge(&snapshot).rollout_status, status, "{strategy:?}");
        }
    }
    let rolling = at_stage(DeploymentStrategy::Rolling, LifecycleStage::PostScaleUp, Vec::new());
    assert_eq!(judge(&rolling).rollout_status, RolloutStatus::Blocked, "its stages say nothing");
}

#[test]
fn a_rollback_is_judged_by_its_tasks_unless_traffic_shifts_back() {
    let mut snapshot = at_stage(DeploymentStrategy::BlueGreen, LifecycleStage::ProductionTrafficShift, Vec::new());
    snapshot.service_deployment.as_mut().unwrap().status = ServiceDeploymentStatus::RollbackInProgress;
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::WillBlock);
    snapshot.service_deployment.as_mut().unwrap().stage = None;
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::Blocked);
}

#[test]
fn a_deployment_that_waits_for_a_person_is_paused_and_its_hooks_can_be_continued() {
    let hooks = vec![
        hook("late", HookStatus::AwaitingAction, 500),
        hook("done", HookStatus::Succeeded, 100),
        hook("soon", HookStatus::AwaitingAction, 200),
    ];
    let snapshot = at_stage(DeploymentStrategy::Rolling, LifecycleStage::PostScaleUp, hooks);
    let diagnosis = judge(&snapshot);
    assert_eq!((diagnosis.rollout_status, diagnosis.blocked_since), (RolloutStatus::Paused, None));
    let pause = diagnosis.pause.unwrap();
    assert_eq!(pause.timeout(), Some((at(200), &HookAction::Rollback)));
    let ids: Vec<&str> = pause.hooks.iter().map(|hook| hook.id.as_str()).collect();
    assert_eq!(ids, ["soon", "late"]);
    let commands: Vec<&String> = diagnosis
        .suggested_actions
        .iter()
        .flat_map(|action| match action {
            SuggestedAction::ContinueDeployment { commands } => commands.iter().collect(),
            SuggestedAction::RollBackDeployment { command } => vec![command],
            _ => Vec::new(),
        })
        .collect();
    let deployment = "arn:aws:ecs:eu-west-1:111122223333:service-deployment/video/web/a1";
    let command = |hook: &str, action: &str| {
        format!(
            "aws ecs continue-service-deployment --region eu-west-1 --service-deployment-arn {deployment} \
             --hook-id {hook} --action {action}"
        )
    };
    assert_eq!(commands, [&command("soon", "CONTINUE"), &command("late", "CONTINUE"), &command("soon", "ROLLBACK")]);
    let without = ServiceSnapshot { tasks: Vec::new(), ..snapshot };
    let diagnosis = judge(&without);
    assert_eq!((diagnosis.rollout_status, diagnosis.suggested_actions.len()), (RolloutStatus::Paused, 2));
}

#[test]
fn a_deployment_is_not_blocked_while_a_lambda_hook_runs() {
    let hooks = vec![hook("h", HookStatus::InProgress, 500)];
    let snapshot = at_stage(DeploymentStrategy::Rolling, LifecycleStage::PostScaleUp, hooks);
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::WillBlock);
}

#[test]
fn the_block_after_a_pause_began_when_the_pause_was_over() {
    let mut snapshot = at_stage(DeploymentStrategy::Rolling, LifecycleStage::CleanUp, Vec::new());
    snapshot.service.events = vec![ServiceEvent {
        id: "1".to_owned(),
        created_at: at(40),
        message: format!(
            "(service web, taskSet {OLD}) was unable to scale in due to (reason 1 tasks under protection)"
        ),
    }];
    assert_eq!(judge(&snapshot).blocked_since, Some(at(40)));
    let paused = Remembered { paused_until: Some(at(35)), ..Remembered::default() };
    let diagnosis = diagnose(&snapshot, paused, &policy());
    assert_eq!((diagnosis.blocked_since, diagnosis.paused_until), (Some(at(60)), Some(at(35))));
    let later = diagnose(&snapshot, Remembered { blocked_since: Some(at(50)), ..paused }, &policy());
    assert_eq!(later.blocked_since, Some(at(50)));
}

#[test]
fn without_its_service_deployment_only_a_rolling_deployment_is_judged() {
    for (gap, strategy, status) in [
        (true, DeploymentStrategy::BlueGreen, RolloutStatus::Unknown),
        (false, DeploymentStrategy::Rolling, RolloutStatus::Blocked),
    ] {
        let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
        snapshot.service.strategy = strategy;
        snapshot.gaps.extend(gap.then_some(Gap::ServiceDeployment(EcsError::Throttled)));
        assert_eq!(judge(&snapshot).rollout_status, status);
    }
    let mut snapshot = deploying(vec![protected(1, OLD, 90)]);
    snapshot.gaps.push(Gap::LifecycleStage("DREAMING".to_owned()));
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::Unknown);
}

#[test]
fn what_remains_of_a_deployment_that_succeeded_is_a_clean_up_with_two_weeks() {
    let mut snapshot = at_stage(DeploymentStrategy::Rolling, LifecycleStage::CleanUp, Vec::new());
    let deployment = snapshot.service_deployment.as_mut().unwrap();
    (deployment.status, deployment.finished_at) = (ServiceDeploymentStatus::Successful, Some(at(40)));
    let diagnosis = judge(&snapshot);
    assert_eq!(diagnosis.rollout, Rollout::CleanUp { id: NEW.to_owned(), succeeded_at: at(40) });
    assert_eq!((diagnosis.rollout_status, diagnosis.blocking_tasks.len()), (RolloutStatus::Steady, 1));
    let deadline = Deadline { at: at(40 + 14 * 24 * 60), source: DeadlineSource::CleanUp };
    assert_eq!(diagnosis.deadline, Some(deadline));
    assert!(matches!(diagnosis.suggested_actions[..], [SuggestedAction::Wait { .. }]));
    let gaps = vec![Gap::Protection(EcsError::Throttled)];
    assert_eq!(judge(&ServiceSnapshot { gaps, ..snapshot.clone() }).rollout_status, RolloutStatus::Unknown);
    // The service deployment of an earlier deployment says nothing about this one.
    snapshot.service_deployment.as_mut().unwrap().finished_at = Some(at(29));
    assert_eq!(judge(&snapshot).rollout_status, RolloutStatus::Blocked);
}

#[test]
fn early_success_with_deferred_cleanup_waits_for_no_old_task_if_the_new_ones_fit() {
    let snapshot = deferring(deploying(vec![protected(1, OLD, 400)]));
    let diagnosis = judge(&snapshot);
    assert_eq!((diagnosis.rollout_status, diagnosis.blocking_tasks.len()), (RolloutStatus::InProgress, 0));
    let mut completed = snapshot;
    completed.service.deployments[0].rollout_state = RolloutState::Completed;
    assert!(judge(&completed).rollout.is_clean_up(), "even if the service deployment was not read");
    let mut tight = deferring(deploying(vec![protected(1, OLD, 400), protected(2, OLD, 400)]));
    (tight.service.maximum_percent, tight.service.minimum_healthy_percent) = (100, 50);
    tight.service.deployments[0].running_count = 0;
    tight.tasks.retain(|task| task.deployment.as_deref() == Some(OLD));
    assert_eq!(judge(&tight).blocking_tasks.len(), 2, "the new tasks have no room beside the protected ones");
}

#[test]
fn cloudformation_gives_each_kind_of_deployment_its_own_time() {
    let deadline = |strategy: DeploymentStrategy, blocked_since: Option<i64>| {
        let mut service = service().service;
        service.strategy = strategy;
        service.tags.insert("aws:cloudformation:stack-name".to_owned(), "video".to_owned());
        let deadline = forecast::deadline(&service, at(0), blocked_since.map(at), &policy());
        (deadline.at, deadline.source)
    };
    let hours = |hours: i64| at(hours * 60);
    assert_eq!(deadline(DeploymentStrategy::Rolling, Some(0)), (hours(3), DeadlineSource::CloudFormation));
    for strategy in [DeploymentStrategy::BlueGreen, DeploymentStrategy::Linear, DeploymentStrategy::Canary] {
        assert_eq!(deadline(strategy.clone(), None), (hours(36), DeadlineSource::CloudFormation));
        assert_eq!(deadline(strategy.clone(), Some(60)), (hours(25), DeadlineSource::LifecycleStage));
        assert_eq!(deadline(strategy, Some(13 * 60)), (hours(36), DeadlineSource::CloudFormation));
    }
}

#[test]
fn a_deployment_is_stopped_only_where_its_old_tasks_become_the_current_ones() {
    let offers = |snapshot: &ServiceSnapshot| {
        let actions = judge(snapshot).suggested_actions;
        let stops = actions.iter().any(|action| matches!(action, SuggestedAction::StopDeployment { .. }));
        let defers = actions.iter().any(|action| matches!(action, SuggestedAction::DeferCleanUp { .. }));
        (stops, defers)
    };
    let blue_green = at_stage(DeploymentStrategy::BlueGreen, LifecycleStage::CleanUp, Vec::new());
    assert_eq!(offers(&blue_green), (true, false));
    let mut new_is_protected = blue_green;
    new_is_protected.tasks.push(protected(9, NEW, 90));
    assert_eq!(offers(&new_is_protected), (false, false), "the rollback would wait for it");
    let mut rolling = at_stage(DeploymentStrategy::Rolling, LifecycleStage::CleanUp, Vec::new());
    assert_eq!(offers(&rolling), (false, false), "it meets its deadline");
    rolling.tasks[0] = protected(1, OLD, 400);
    assert_eq!(offers(&rolling), (false, true));
    let mut with_hooks = rolling;
    with_hooks.service.options.others = OtherOptions::Some;
    assert_eq!(offers(&with_hooks), (false, false), "its command could not repeat the hooks");
}
