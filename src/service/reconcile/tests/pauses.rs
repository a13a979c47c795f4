//! What a record remembers of a pause, and when the next recheck comes.

use super::*;
use crate::ecs::deployment::DeploymentStrategy;
use crate::ecs::service_deployment::{HookAction, HookStatus, LifecycleHook, LifecycleStage, ServiceDeployment};

/// The blocked deployment, paused by a hook that times out at 3600.
fn paused(second: i64) -> ServiceSnapshot {
    held(second, HookStatus::AwaitingAction)
}

/// The blocked deployment at a hook with this status.
fn held(second: i64, status: HookStatus) -> ServiceSnapshot {
    let hook = LifecycleHook {
        id: "h".to_owned(),
        target: None,
        status,
        expires_at: Some(at(3600)),
        timeout_action: HookAction::Continue,
    };
    let deployment = fixture::service_deployment(LifecycleStage::PostScaleUp);
    let deployment = ServiceDeployment { hooks: vec![hook], ..deployment };
    ServiceSnapshot { service_deployment: Some(deployment), ..blocked(second) }
}

#[test]
fn a_pause_ends_the_block_and_the_next_block_is_as_old_as_the_first_reconcile_after_it() {
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &blocked(60), Reason::Routine);
    assert_eq!(record.blocked.as_ref().map(|blocked| blocked.since), Some(at(60)));
    let findings = reconciled(&mut record, &paused(600), Reason::Routine);
    assert_eq!((findings.diagnosis.rollout_status, &record.blocked), (RolloutStatus::Paused, &None));
    assert!(findings.to_notify.is_empty());
    let findings = reconciled(&mut record, &blocked(1000), Reason::Routine);
    let diagnosis = findings.diagnosis;
    assert_eq!((diagnosis.blocked_since, diagnosis.paused_until), (Some(at(1000)), Some(at(600))));
    let findings = reconciled(&mut record, &blocked(1300), Reason::Routine);
    assert_eq!((findings.diagnosis.blocked_since, findings.to_notify.len()), (Some(at(1000)), 1));
}

#[test]
fn the_end_of_a_lambda_hook_is_remembered_like_that_of_a_pause() {
    let mut record = ServiceRecord::default();
    let findings = reconciled(&mut record, &held(600, HookStatus::InProgress), Reason::Routine);
    assert_eq!((findings.diagnosis.rollout_status, findings.diagnosis.paused_until), (RolloutStatus::WillBlock, None));
    let findings = reconciled(&mut record, &blocked(1000), Reason::Routine);
    let diagnosis = findings.diagnosis;
    assert_eq!((diagnosis.blocked_since, diagnosis.paused_until), (Some(at(1000)), Some(at(600))));
}

#[test]
fn a_pause_is_forgotten_with_its_rollout_and_not_because_of_a_failed_read() {
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &paused(600), Reason::Routine);
    reconciled(&mut record, &unread(blocked(700)), Reason::Routine);
    assert!(record.paused.is_some());
    reconciled(&mut record, &steady(800), Reason::Routine);
    assert_eq!(record.paused, None);
}

#[test]
fn a_recheck_comes_when_a_pause_times_out() {
    let mut record = watched(Some(NEW), 9, Some(3000));
    reconciled(&mut record, &paused(3000), Reason::Recheck(at(3000)));
    assert_eq!(due(&record), Some(3600));
}

#[test]
fn a_check_comes_when_ecs_may_keep_old_tasks_no_longer_if_protected_ones_are_among_them() {
    for (protected, second) in [(0, 960), (2, 500)] {
        let mut snapshot = deploying(60, protected);
        snapshot.service.strategy = DeploymentStrategy::BlueGreen;
        snapshot.service.old_tasks_kept = SignedDuration::from_secs(500);
        let deployment = paused(60).service_deployment.unwrap();
        let stage = Some(LifecycleStage::BakeTime);
        snapshot.service_deployment = Some(ServiceDeployment { stage, hooks: Vec::new(), ..deployment });
        let mut record = watched(Some(NEW), 5, Some(60));
        reconciled(&mut record, &snapshot, Reason::Recheck(at(60)));
        assert_eq!(due(&record), Some(second), "{protected} protected");
    }
}
