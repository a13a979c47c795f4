//! Service deployments, hooks and early success, through the operations of ECS's JSON protocol.

use ecs_sim::control_plane::{
    ControlPlane, DeferredRevisions, DeploymentStage, EarlySuccessCriteria, HookDecision, HookFunction, HookSpec,
    MessageRepeats, Millis, ProtectionWhilePaused, RefusalRule, RollingPauses, ServiceSpec, Setup, StrategySpec,
    Throttling, Variants,
};
use serde_json::{Value, json};

const MINUTE: Millis = 60_000;
const GATE: &str = "arn:aws:lambda:eu-west-1:111122223333:function:gate";

fn control_plane(variants: Variants, spec: ServiceSpec) -> (ControlPlane, Vec<String>) {
    let mut ecs = ControlPlane::new(Setup { variants, throttling: Throttling::Off, ..Setup::default() });
    ecs.create_cluster("jobs");
    let tasks = ecs.create_service(spec).unwrap();
    (ecs, tasks)
}

fn rolling(desired: u32) -> ServiceSpec {
    ServiceSpec::new("jobs", "web", desired)
}

fn blue_green(desired: u32) -> ServiceSpec {
    ServiceSpec { strategy: StrategySpec::BlueGreen, bake_minutes: 5, ..rolling(desired) }
}

fn pause(stage: DeploymentStage) -> HookSpec {
    HookSpec { function: None, stages: vec![stage], timeout_minutes: 60, timeout_action: HookDecision::Rollback }
}

fn function(arn: &str) -> HookFunction {
    HookFunction::new(arn, "arn:aws:iam::111122223333:role/hook")
}

fn advance(ecs: &mut ControlPlane, by: Millis) {
    ecs.advance_to(ecs.now() + by);
}

fn service(ecs: &mut ControlPlane) -> Value {
    let answer = ecs.call("DescribeServices", &json!({"cluster": "jobs", "services": ["web"]})).unwrap();
    answer["services"][0].clone()
}

/// The service deployment that DescribeServices names.
fn current(ecs: &mut ControlPlane) -> Value {
    let arn = service(ecs)["currentServiceDeployment"].clone();
    let answer = ecs.call("DescribeServiceDeployments", &json!({"serviceDeploymentArns": [arn]})).unwrap();
    answer["serviceDeployments"][0].clone()
}

fn stage_of(ecs: &mut ControlPlane) -> String {
    current(ecs)["lifecycleStage"].as_str().unwrap_or("-").to_owned()
}

fn events(ecs: &mut ControlPlane) -> Vec<String> {
    let hooks = ecs.take_events().into_iter().filter(|event| event["detail-type"] == "ECS Hook State Change");
    hooks.map(|event| event["detail"]["eventName"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_blue_green_deployment_passes_its_stages_and_ends_in_clean_up_behind_a_protected_task() {
    let (mut ecs, tasks) = control_plane(Variants::default(), blue_green(2));
    assert_eq!(current(&mut ecs)["status"], "SUCCESSFUL");
    ecs.set_own_protection(&tasks[0], Some(60)).unwrap();
    ecs.deploy("jobs", "web").unwrap();
    assert_eq!(stage_of(&mut ecs), "SCALE_UP");
    advance(&mut ecs, MINUTE);
    assert_eq!(stage_of(&mut ecs), "BAKE_TIME");
    advance(&mut ecs, 6 * MINUTE);
    let deployment = current(&mut ecs);
    assert_eq!((&deployment["lifecycleStage"], &deployment["status"]), (&json!("CLEAN_UP"), &json!("IN_PROGRESS")));
    assert_eq!(deployment["sourceServiceRevisions"][0]["runningTaskCount"], 1);
    ecs.set_own_protection(&tasks[0], None).unwrap();
    advance(&mut ecs, MINUTE);
    let deployment = current(&mut ecs);
    assert_eq!((&deployment["lifecycleStage"], &deployment["status"]), (&Value::Null, &json!("SUCCESSFUL")));
}

#[test]
fn a_pause_hook_holds_every_stage_at_which_it_is_allowed_until_it_is_continued() {
    for (stage, name) in [
        (DeploymentStage::PreScaleUp, "PRE_SCALE_UP"),
        (DeploymentStage::PostScaleUp, "POST_SCALE_UP"),
        (DeploymentStage::PostTestTrafficShift, "POST_TEST_TRAFFIC_SHIFT"),
        (DeploymentStage::PreProductionTrafficShift, "PRE_PRODUCTION_TRAFFIC_SHIFT"),
        (DeploymentStage::PostProductionTrafficShift, "POST_PRODUCTION_TRAFFIC_SHIFT"),
    ] {
        let (mut ecs, _) =
            control_plane(Variants::default(), ServiceSpec { hooks: vec![pause(stage)], ..blue_green(1) });
        ecs.deploy("jobs", "web").unwrap();
        advance(&mut ecs, 30 * MINUTE);
        let deployment = current(&mut ecs);
        assert_eq!(deployment["lifecycleStage"], name);
        let hook = &deployment["lifecycleHookDetails"][0];
        assert_eq!((&hook["status"], &hook["targetType"]), (&json!("AWAITING_ACTION"), &json!("PAUSE")), "{name}");
        let green = if stage == DeploymentStage::PreScaleUp { 0 } else { 1 };
        assert_eq!(deployment["targetServiceRevision"]["runningTaskCount"], green, "{name}");
        let arn = &deployment["serviceDeploymentArn"];
        let wrong = json!({"serviceDeploymentArn": arn, "hookId": "another"});
        assert_eq!(
            ecs.call("ContinueServiceDeployment", &wrong).unwrap_err().code.as_str(),
            "InvalidParameterException"
        );
        ecs.call("ContinueServiceDeployment", &json!({"serviceDeploymentArn": arn, "hookId": hook["hookId"]})).unwrap();
        advance(&mut ecs, 10 * MINUTE);
        assert_eq!(current(&mut ecs)["status"], "SUCCESSFUL", "{name}");
        assert_eq!(events(&mut ecs), ["HOOK_AWAITING_ACTION", "HOOK_SUCCEEDED"], "{name}");
    }
}

/// ECS runs the stage only with more than one active revision at the start.
#[test]
fn a_pause_hook_holds_the_stage_at_which_ecs_finds_an_unfinished_deployment() {
    let hooks = vec![pause(DeploymentStage::ReconcileService)];
    let (mut ecs, tasks) = control_plane(Variants::default(), ServiceSpec { hooks, ..blue_green(1) });
    ecs.set_own_protection(&tasks[0], Some(600)).unwrap();
    ecs.deploy("jobs", "web").unwrap();
    advance(&mut ecs, 10 * MINUTE);
    assert_eq!(stage_of(&mut ecs), "CLEAN_UP", "it began with one revision");
    ecs.deploy("jobs", "web").unwrap();
    advance(&mut ecs, 10 * MINUTE);
    let deployment = current(&mut ecs);
    assert_eq!(deployment["lifecycleStage"], "RECONCILE_SERVICE");
    assert_eq!(deployment["lifecycleHookDetails"][0]["status"], "AWAITING_ACTION");
    assert_eq!(deployment["targetServiceRevision"]["runningTaskCount"], 0);
    ecs.continue_deployment("jobs", "web", HookDecision::Continue).unwrap();
    advance(&mut ecs, MINUTE);
    assert_ne!(stage_of(&mut ecs), "RECONCILE_SERVICE");
}

#[test]
fn the_first_deployment_of_a_service_waits_at_its_hook_too() {
    let (mut ecs, _) = control_plane(Variants::default(), rolling(1));
    let hooks = json!([{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}]);
    let request = json!({"cluster": "jobs", "serviceName": "api", "taskDefinition": "api:1", "desiredCount": 1,
        "deploymentConfiguration": {"lifecycleHooks": hooks}});
    let created = ecs.call("CreateService", &request).unwrap();
    let arn = created["service"]["currentServiceDeployment"].clone();
    advance(&mut ecs, 10 * MINUTE);
    let described = ecs.call("DescribeServiceDeployments", &json!({"serviceDeploymentArns": [arn]})).unwrap();
    let deployment = &described["serviceDeployments"][0];
    assert_eq!((&deployment["status"], &deployment["lifecycleStage"]), (&json!("IN_PROGRESS"), &json!("PRE_SCALE_UP")));
    ecs.continue_deployment("jobs", "api", HookDecision::Continue).unwrap();
    advance(&mut ecs, MINUTE);
    assert_eq!(ecs.tasks_of("jobs", "api").count(), 1);
}

#[test]
fn a_hook_that_times_out_rolls_back_or_continues_at_every_stage() {
    let stages = [
        DeploymentStage::PreScaleUp,
        DeploymentStage::PostScaleUp,
        DeploymentStage::PostTestTrafficShift,
        DeploymentStage::PreProductionTrafficShift,
        DeploymentStage::PostProductionTrafficShift,
    ];
    let ends = [(HookDecision::Rollback, "ROLLBACK_SUCCESSFUL"), (HookDecision::Continue, "SUCCESSFUL")];
    for (stage, (timeout_action, status)) in stages.into_iter().flat_map(|stage| ends.map(|end| (stage, end))) {
        let hook = HookSpec { timeout_action, ..pause(stage) };
        let (mut ecs, tasks) = control_plane(Variants::default(), ServiceSpec { hooks: vec![hook], ..blue_green(1) });
        ecs.deploy("jobs", "web").unwrap();
        advance(&mut ecs, 80 * MINUTE);
        assert_eq!(current(&mut ecs)["status"], status, "{stage:?}");
        assert_eq!(events(&mut ecs), ["HOOK_AWAITING_ACTION", "HOOK_TIMED_OUT"], "{stage:?}");
        assert_eq!(ecs.task(&tasks[0]).is_some_and(|task| task.stopping_at.is_none()), status != "SUCCESSFUL");
    }
}

#[test]
fn hooks_of_a_stage_run_in_parallel_and_one_rollback_wins() {
    let lambda = HookSpec { function: Some(function(GATE)), ..pause(DeploymentStage::PostScaleUp) };
    let hooks = vec![pause(DeploymentStage::PostScaleUp), lambda];
    let (mut ecs, _) = control_plane(Variants::default(), ServiceSpec { hooks, ..blue_green(1) });
    ecs.deploy("jobs", "web").unwrap();
    advance(&mut ecs, MINUTE);
    ecs.continue_deployment("jobs", "web", HookDecision::Continue).unwrap();
    advance(&mut ecs, MINUTE);
    assert_eq!(stage_of(&mut ecs), "POST_SCALE_UP", "the other hook still runs");
    ecs.answer_hook("jobs", "web", GATE, HookDecision::Rollback).unwrap();
    advance(&mut ecs, MINUTE);
    assert_eq!(current(&mut ecs)["status"], "ROLLBACK_SUCCESSFUL");
}

#[test]
fn a_rolling_deployment_pauses_or_not_and_protection_is_granted_meanwhile_or_not() {
    let spec = || ServiceSpec { hooks: vec![pause(DeploymentStage::PostScaleUp)], ..rolling(1) };
    for (rolling_pauses, status) in [(RollingPauses::Yes, "IN_PROGRESS"), (RollingPauses::No, "SUCCESSFUL")] {
        let (mut ecs, _) = control_plane(Variants { rolling_pauses, ..Variants::default() }, spec());
        ecs.deploy("jobs", "web").unwrap();
        advance(&mut ecs, 10 * MINUTE);
        assert_eq!(current(&mut ecs)["status"], status);
    }
    for (paused, refused) in [(ProtectionWhilePaused::AsOtherwise, 1), (ProtectionWhilePaused::Granted, 0)] {
        let variants = Variants { paused, refusal: RefusalRule::Blocked, ..Variants::default() };
        let (mut ecs, tasks) = control_plane(variants, spec());
        ecs.set_own_protection(&tasks[0], Some(60)).unwrap();
        ecs.deploy("jobs", "web").unwrap();
        advance(&mut ecs, MINUTE);
        let new = ecs.tasks_of("jobs", "web").last().unwrap().id.clone();
        assert_eq!(ecs.set_own_protection(&new, Some(60)).unwrap().failures.len(), refused);
    }
}

#[test]
fn early_success_ends_the_deployment_before_its_old_tasks_are_gone_only_if_their_cleanup_is_deferred() {
    for (is_deferred, status) in [(true, "SUCCESSFUL"), (false, "IN_PROGRESS")] {
        let early_success = Some(EarlySuccessCriteria { healthy_percent: 100, is_deferred });
        for (deferred, listed) in [(DeferredRevisions::Listed, 2), (DeferredRevisions::Gone, 1)] {
            let variants = Variants { deferred, ..Variants::default() };
            let (mut ecs, tasks) = control_plane(variants, ServiceSpec { early_success, ..rolling(2) });
            ecs.set_own_protection(&tasks[0], Some(60)).unwrap();
            ecs.deploy("jobs", "web").unwrap();
            advance(&mut ecs, 5 * MINUTE);
            assert_eq!(current(&mut ecs)["status"], status);
            let expected = if is_deferred { listed } else { 2 };
            assert_eq!(service(&mut ecs)["deployments"].as_array().unwrap().len(), expected);
            advance(&mut ecs, 60 * MINUTE);
            assert_eq!(current(&mut ecs)["status"], "SUCCESSFUL");
            assert!(service(&mut ecs)["runningCount"] == 2);
        }
    }
}

#[test]
fn old_revisions_under_deferred_cleanup_count_towards_the_five_deployments_if_they_are_listed() {
    let early_success = Some(EarlySuccessCriteria { healthy_percent: 100, is_deferred: true });
    for (deferred, accepted) in [(DeferredRevisions::Listed, 4), (DeferredRevisions::Gone, 8)] {
        let variants = Variants { deferred, ..Variants::default() };
        let (mut ecs, _) = control_plane(variants, ServiceSpec { early_success, ..rolling(8) });
        let mut deployments = 0;
        while deployments < 8 {
            let newest = ecs.tasks_of("jobs", "web").last().unwrap().id.clone();
            assert!(ecs.set_own_protection(&newest, Some(2880)).unwrap().failures.is_empty());
            if ecs.deploy("jobs", "web").is_err() {
                break;
            }
            deployments += 1;
            advance(&mut ecs, 10 * MINUTE);
            assert_eq!(current(&mut ecs)["status"], "SUCCESSFUL");
        }
        assert_eq!(deployments, accepted, "{deferred:?}");
    }
}

#[test]
fn a_message_about_protected_tasks_is_repeated_after_ten_minutes_or_after_six_hours() {
    for (repeats, counts) in [(MessageRepeats::TenMinutes, [1, 2, 36, 37]), (MessageRepeats::SixHours, [1, 1, 1, 2])] {
        let variants = Variants { repeats, ..Variants::default() };
        let (mut ecs, tasks) = control_plane(variants, rolling(1));
        ecs.set_own_protection(&tasks[0], Some(2880)).unwrap();
        ecs.deploy("jobs", "web").unwrap();
        advance(&mut ecs, 2 * MINUTE);
        let messages = |ecs: &mut ControlPlane| {
            let events = service(ecs)["events"].clone();
            let is_about = |event: &&Value| event["message"].as_str().unwrap().starts_with("(service web, taskSet");
            events.as_array().unwrap().iter().filter(is_about).count()
        };
        let mut counted = vec![messages(&mut ecs)];
        for minutes in [10, 346, 5] {
            advance(&mut ecs, minutes * MINUTE);
            counted.push(messages(&mut ecs));
        }
        assert_eq!(counted, counts, "after 2 min, 12 min, 5 h 58 min and 6 h 3 min, {repeats:?}");
    }
}

#[test]
fn a_stopped_service_deployment_is_rolled_back_and_listed_with_the_earlier_ones() {
    let (mut ecs, tasks) = control_plane(Variants::default(), blue_green(1));
    ecs.deploy("jobs", "web").unwrap();
    advance(&mut ecs, MINUTE);
    let arn = current(&mut ecs)["serviceDeploymentArn"].clone();
    let abort = json!({"serviceDeploymentArn": arn, "stopType": "ABORT"});
    assert_eq!(ecs.call("StopServiceDeployment", &abort).unwrap_err().code.as_str(), "InvalidParameterException");
    let stop = json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"});
    assert_eq!(ecs.call("StopServiceDeployment", &stop).unwrap(), json!({"serviceDeploymentArn": arn}));
    assert_eq!(ecs.call("StopServiceDeployment", &stop).unwrap_err().code.as_str(), "ConflictException");
    advance(&mut ecs, MINUTE);
    assert_eq!(current(&mut ecs)["status"], "ROLLBACK_SUCCESSFUL");
    assert!(ecs.task(&tasks[0]).unwrap().stopping_at.is_none());
    let list = |ecs: &mut ControlPlane, more: Value| {
        let mut request = json!({"cluster": "jobs", "service": "web"});
        more.as_object().unwrap().iter().for_each(|(name, value)| request[name] = value.clone());
        ecs.call("ListServiceDeployments", &request).unwrap()
    };
    let statuses = |answer: &Value| -> Vec<String> {
        let all = answer["serviceDeployments"].as_array().unwrap().iter();
        all.map(|deployment| deployment["status"].as_str().unwrap().to_owned()).collect()
    };
    let all = list(&mut ecs, json!({}));
    assert_eq!(statuses(&all), ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]);
    assert_eq!(statuses(&list(&mut ecs, json!({"status": ["SUCCESSFUL"]}))), ["SUCCESSFUL"]);
    let page = list(&mut ecs, json!({"maxResults": 1}));
    assert_eq!(statuses(&page), ["ROLLBACK_SUCCESSFUL"]);
    assert_eq!(statuses(&list(&mut ecs, json!({"nextToken": page["nextToken"]}))), ["SUCCESSFUL"]);
}

#[test]
fn a_service_deployment_that_does_not_exist_is_missing_and_cannot_be_changed() {
    let (mut ecs, _) = control_plane(Variants::default(), rolling(1));
    let arn = "arn:aws:ecs:eu-west-1:111122223333:service-deployment/jobs/web/none";
    let answer = ecs.call("DescribeServiceDeployments", &json!({"serviceDeploymentArns": [arn]})).unwrap();
    assert_eq!(answer["failures"], json!([{"arn": arn, "reason": "MISSING"}]));
    for (operation, body) in [
        ("StopServiceDeployment", json!({"serviceDeploymentArn": arn})),
        ("ContinueServiceDeployment", json!({"serviceDeploymentArn": arn, "hookId": "x"})),
    ] {
        let code = ecs.call(operation, &body).unwrap_err().code;
        assert_eq!(code.as_str(), "ServiceDeploymentNotFoundException", "{operation}");
    }
    let many: Vec<&str> = vec![arn; 21];
    let error = ecs.call("DescribeServiceDeployments", &json!({"serviceDeploymentArns": many})).unwrap_err();
    assert_eq!(error.code.as_str(), "InvalidParameterException");
}

#[test]
fn hooks_and_early_success_are_read_from_a_request_and_described_in_the_members_of_the_model() {
    let (mut ecs, _) = control_plane(Variants::default(), rolling(1));
    let hooks = json!([{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"],
        "timeoutConfiguration": {"timeoutInMinutes": 30, "action": "CONTINUE"}}]);
    let early = json!({"enable": true, "healthyPercent": 100, "sourceServiceRevisionCleanup": "DEFERRED"});
    let update =
        |configuration: Value| json!({"cluster": "jobs", "service": "web", "deploymentConfiguration": configuration});
    ecs.call("UpdateService", &update(json!({"lifecycleHooks": hooks, "earlySuccessCriteria": early}))).unwrap();
    let described = service(&mut ecs)["deploymentConfiguration"].clone();
    assert_eq!((&described["lifecycleHooks"], &described["earlySuccessCriteria"]), (&hooks, &early));
    for wrong in [
        json!({"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["PRODUCTION_TRAFFIC_SHIFT"]}]}),
        json!({"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["BAKE_TIME"]}]}),
        json!({"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": []}]}),
        json!({"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"],
            "timeoutConfiguration": {"timeoutInMinutes": 20_161}}]}),
        json!({"earlySuccessCriteria": {"enable": true, "healthyPercent": 99, "sourceServiceRevisionCleanup": "DEFERRED"}}),
        json!({"earlySuccessCriteria": {"enable": true, "healthyPercent": 100}}),
        json!({"strategy": "BLUE_GREEN"}),
    ] {
        let error = ecs.call("UpdateService", &update(wrong.clone())).unwrap_err();
        assert_eq!(error.code.as_str(), "InvalidParameterException", "{wrong}");
    }
}

/// A service with a Lambda hook at these stages.
fn gated(stages: &[DeploymentStage]) -> ServiceSpec {
    let details = Some(json!({"S3_BUCKET_NAME": "b"}));
    let hook = HookSpec {
        function: Some(HookFunction { details, ..function(GATE) }),
        stages: stages.to_vec(),
        ..pause(DeploymentStage::PreScaleUp)
    };
    ServiceSpec { hooks: vec![hook], ..blue_green(1) }
}

#[test]
fn a_lambda_hook_is_invoked_again_after_its_delay_with_the_details_of_its_answer() {
    let (mut ecs, _) = control_plane(Variants::default(), gated(&[DeploymentStage::PreScaleUp]));
    ecs.deploy("jobs", "web").unwrap();
    let first = ecs.take_hook_invocation(GATE).unwrap();
    assert!(ecs.take_hook_invocation(GATE).is_none(), "it runs already");
    let described = current(&mut ecs);
    let expected = json!({
        "executionId": described["lifecycleHookDetails"][0]["hookId"],
        "lifecycleStage": "PRE_SCALE_UP",
        "resourceArn": described["serviceDeploymentArn"],
        "executionDetails": {
            "serviceArn": described["serviceArn"],
            "targetServiceRevisionArn": described["targetServiceRevision"]["arn"],
            "testTrafficWeights": {},
            "productionTrafficWeights": {},
        },
        "hookDetails": {"S3_BUCKET_NAME": "b"},
    });
    assert_eq!(first.payload, expected);
    assert_eq!(described["lifecycleHookDetails"][0]["targetArn"], GATE);
    let mut last = first;
    for (answer, seconds, details) in [
        (json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 90, "hookDetails": {"a": 1}}), 90, json!({"a": 1})),
        (json!({"hookStatus": "IN_PROGRESS"}), 30, json!({"a": 1})),
    ] {
        ecs.hook_was_invoked(&last, Some(&answer));
        advance(&mut ecs, seconds * 1000 - 1);
        assert!(ecs.take_hook_invocation(GATE).is_none(), "{answer}");
        advance(&mut ecs, 1);
        last = ecs.take_hook_invocation(GATE).unwrap();
        assert_eq!(last.payload["hookDetails"], details);
    }
    ecs.hook_was_invoked(&last, Some(&json!({"hookStatus": "SUCCEEDED"})));
    advance(&mut ecs, 10 * MINUTE);
    assert_eq!(current(&mut ecs)["status"], "SUCCESSFUL");
    assert_eq!(events(&mut ecs), ["HOOK_IN_PROGRESS", "HOOK_SUCCEEDED"]);
}

#[test]
fn any_answer_of_a_lambda_hook_without_a_valid_status_rolls_the_deployment_back() {
    let wrong = [
        Some(json!({"hookStatus": "FAILED"})),
        Some(json!({"hookStatus": null})),
        Some(json!({"hookStatus": "DONE"})),
        Some(json!("SUCCEEDED")),
        None,
    ];
    for answer in wrong {
        let (mut ecs, _) = control_plane(Variants::default(), gated(&[DeploymentStage::PostScaleUp]));
        ecs.deploy("jobs", "web").unwrap();
        advance(&mut ecs, MINUTE);
        let invocation = ecs.take_hook_invocation(GATE).unwrap();
        ecs.hook_was_invoked(&invocation, answer.as_ref());
        advance(&mut ecs, MINUTE);
        assert_eq!(current(&mut ecs)["status"], "ROLLBACK_SUCCESSFUL", "{answer:?}");
        assert_eq!(events(&mut ecs), ["HOOK_IN_PROGRESS", "HOOK_FAILED"], "{answer:?}");
    }
}

#[test]
fn a_lambda_hook_that_times_out_is_invoked_no_more() {
    let (mut ecs, _) = control_plane(Variants::default(), gated(&[DeploymentStage::PostScaleUp]));
    ecs.deploy("jobs", "web").unwrap();
    advance(&mut ecs, MINUTE);
    let invocation = ecs.take_hook_invocation(GATE).unwrap();
    let later = json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 3600});
    ecs.hook_was_invoked(&invocation, Some(&later));
    advance(&mut ecs, 61 * MINUTE);
    assert!(ecs.take_hook_invocation(GATE).is_none());
    assert_eq!(current(&mut ecs)["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(events(&mut ecs), ["HOOK_IN_PROGRESS", "HOOK_TIMED_OUT"]);
}

#[test]
fn the_stages_in_which_traffic_shifts_run_again_in_a_rollback_with_the_target_at_weight_0() {
    use DeploymentStage::{PostProductionTrafficShift, ProductionTrafficShift, TestTrafficShift};
    let stages = [TestTrafficShift, ProductionTrafficShift, PostProductionTrafficShift];
    let (mut ecs, _) = control_plane(Variants::default(), gated(&stages));
    ecs.deploy("jobs", "web").unwrap();
    advance(&mut ecs, MINUTE);
    let weight = |payload: &Value, weights: &str| {
        let execution = &payload["executionDetails"];
        execution[weights][execution["targetServiceRevisionArn"].as_str().unwrap()].as_f64()
    };
    let mut found = Vec::new();
    while let Some(invocation) = ecs.take_hook_invocation(GATE) {
        let payload = &invocation.payload;
        let weights = ["testTrafficWeights", "productionTrafficWeights"].map(|weights| weight(payload, weights));
        found.push((invocation.stage, weights));
        let is_last = invocation.stage == PostProductionTrafficShift;
        let status = if is_last { "FAILED" } else { "SUCCEEDED" };
        ecs.hook_was_invoked(&invocation, Some(&json!({"hookStatus": status})));
        if is_last {
            advance(&mut ecs, MINUTE);
            assert_eq!(current(&mut ecs)["status"], "ROLLBACK_IN_PROGRESS", "the hooks have not answered");
        }
    }
    let expected = [
        (TestTrafficShift, [Some(100.0), None]),
        (ProductionTrafficShift, [None, Some(100.0)]),
        (PostProductionTrafficShift, [None, None]),
        (ProductionTrafficShift, [None, Some(0.0)]),
        (TestTrafficShift, [Some(0.0), None]),
    ];
    assert_eq!(found, expected);
    advance(&mut ecs, MINUTE);
    assert_eq!(current(&mut ecs)["status"], "ROLLBACK_SUCCESSFUL");
}

#[test]
fn the_function_role_and_details_of_a_lambda_hook_are_described_as_they_were_declared() {
    let (mut ecs, _) = control_plane(Variants::default(), blue_green(1));
    let hooks = json!([{"targetType": "AWS_LAMBDA", "hookTargetArn": GATE, "roleArn": "arn:aws:iam::111122223333:role/hook",
        "hookDetails": {"taskhold": {"until": "deadline-met"}}, "lifecycleStages": ["PRE_SCALE_UP", "TEST_TRAFFIC_SHIFT"],
        "timeoutConfiguration": {"timeoutInMinutes": 150, "action": "CONTINUE"}}]);
    let request = json!({"cluster": "jobs", "service": "web", "deploymentConfiguration": {"lifecycleHooks": hooks}});
    ecs.call("UpdateService", &request).unwrap();
    assert_eq!(service(&mut ecs)["deploymentConfiguration"]["lifecycleHooks"], hooks);
}
