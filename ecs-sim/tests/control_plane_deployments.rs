//! Deployments other than rolling ones, failing ones, rebalancing and deletion, through the control plane's public API
//! only.

use crate::web_service::{Dice, MINUTE, PREFIX, WebService, code};
use ecs_sim::control_plane::{
    CircuitBreaker, ControlPlane, DeploymentControllerType, ErrorCode, HOLD_REPEAT_MS, INACTIVE_SERVICE_REMEMBERED_MS,
    Millis, ServiceSpec, Setup, SimulatedTask, StopCode, StrategySpec, Variants,
};
use serde_json::{Value, json};

const START: Millis = 30_000;
const STOP: Millis = 10_000;
const BAKE: Millis = 5 * MINUTE;

fn rolling(desired: u32) -> ServiceSpec {
    ServiceSpec::new("jobs", "web", desired)
}

fn shifting(strategy: StrategySpec, desired: u32) -> ServiceSpec {
    ServiceSpec { strategy, bake_minutes: 5, ..rolling(desired) }
}

fn with_task_sets(controller: DeploymentControllerType, desired: u32) -> ServiceSpec {
    ServiceSpec { controller, bake_minutes: 5, ..rolling(desired) }
}

fn every_kind(desired: u32) -> [ServiceSpec; 6] {
    [
        rolling(desired),
        shifting(StrategySpec::BlueGreen, desired),
        shifting(StrategySpec::LINEAR, desired),
        shifting(StrategySpec::CANARY, desired),
        with_task_sets(DeploymentControllerType::CodeDeploy, desired),
        with_task_sets(DeploymentControllerType::External, desired),
    ]
}

fn stage(spec: ServiceSpec) -> WebService {
    WebService::new(Variants::default(), spec)
}

impl WebService {
    fn protect_task(&mut self, task: usize, minutes: i64) -> String {
        let answer = self.ecs.set_own_protection(&self.tasks[task].clone(), Some(minutes)).expect("an answer");
        answer.failures.first().map_or("granted", |failure| failure.reason.as_str()).to_owned()
    }

    /// For each deployment or task set: its status, and how many of its tasks are desired, running and pending.
    fn sets(&mut self) -> Vec<String> {
        let service = self.service();
        let (sets, desired) = match service.get("taskSets") {
            Some(sets) => (sets.clone(), "computedDesiredCount"),
            None => (service["deployments"].clone(), "desiredCount"),
        };
        let line = |set: &Value| {
            let status = set["status"].as_str().expect("a status");
            format!("{status} {} {} {}", set[desired], set["runningCount"], set["pendingCount"])
        };
        sets.as_array().expect("a list").iter().map(line).collect()
    }

    fn live_of(&self, deployment: &str) -> usize {
        let tasks = self.ecs.tasks_of("jobs", "web");
        tasks.filter(|task| task.is_live() && task.deployment.as_deref() == Some(deployment)).count()
    }

    fn is_live(&self, task: usize) -> bool {
        self.ecs.task(&self.tasks[task]).is_some_and(SimulatedTask::is_live)
    }

    /// The EventBridge events about the service, without those about its tasks.
    fn service_event_names(&mut self) -> Vec<String> {
        let events = self.ecs.take_events();
        events.iter().filter_map(|event| event["detail"]["eventName"].as_str().map(str::to_owned)).collect()
    }

    fn primary(&self) -> String {
        self.ecs.service("jobs", "web").expect("the service").primary().id.clone()
    }

    fn is_steady(&self) -> bool {
        self.ecs.service("jobs", "web").expect("the service").steady
    }
}

// Blue/green, linear and canary.

#[test]
fn green_runs_fully_beside_blue_until_the_bake_time_is_over() {
    let mut stage = stage(shifting(StrategySpec::BlueGreen, 3));
    let blue = stage.primary();
    let green = stage.deploy();
    assert_eq!(stage.sets(), ["PRIMARY 3 0 3", "ACTIVE 3 3 0"]);
    stage.advance(START);
    assert_eq!(stage.sets(), ["PRIMARY 3 3 0", "ACTIVE 3 3 0"]);
    stage.advance(BAKE - 1);
    assert_eq!((stage.live_of(&green), stage.live_of(&blue)), (3, 3));
    assert_eq!(stage.service()["deployments"][0]["rolloutState"], "IN_PROGRESS");
    stage.advance(1);
    assert_eq!((stage.live_of(&green), stage.live_of(&blue)), (3, 0));
    stage.advance(STOP);
    assert_eq!(stage.sets(), ["PRIMARY 3 3 0"]);
    assert_eq!(stage.service()["deployments"][0]["rolloutState"], "COMPLETED");
    let names = stage.service_event_names();
    assert_eq!(names.first().map(String::as_str), Some("SERVICE_DEPLOYMENT_IN_PROGRESS"));
    assert_eq!(names[names.len() - 2..], ["SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE"]);
}

#[test]
fn the_percentages_do_not_bound_a_blue_green_deployment() {
    let spec = ServiceSpec { maximum_percent: 100, ..shifting(StrategySpec::BlueGreen, 2) };
    let mut stage = stage(spec);
    stage.deploy();
    assert_eq!(stage.sets(), ["PRIMARY 2 0 2", "ACTIVE 2 2 0"]);
}

#[test]
fn traffic_moves_in_steps_before_the_bake_time() {
    // Ten steps of 10 % with nine pauses of six minutes; 5 % for ten minutes.
    for (strategy, steps) in [(StrategySpec::LINEAR, 54 * MINUTE), (StrategySpec::CANARY, 10 * MINUTE)] {
        let mut stage = stage(shifting(strategy, 1));
        let blue = stage.primary();
        stage.deploy();
        stage.advance(START + steps + BAKE - 1);
        assert_eq!(stage.live_of(&blue), 1, "{strategy:?}");
        stage.advance(1);
        assert_eq!(stage.live_of(&blue), 0, "{strategy:?}");
    }
}

#[test]
fn a_blue_task_that_crashes_before_the_clean_up_is_replaced_by_a_blue_one() {
    let mut stage = stage(shifting(StrategySpec::BlueGreen, 2));
    let blue = stage.primary();
    stage.deploy();
    stage.advance(START + MINUTE);
    stage.ecs.crash_task(&stage.tasks[0].clone()).unwrap();
    stage.advance(MINUTE);
    assert_eq!(stage.live_of(&blue), 2);
}

#[test]
fn a_deployment_before_all_traffic_has_moved_keeps_the_blue_that_still_has_some() {
    let mut stage = stage(shifting(StrategySpec::CANARY, 2));
    let blue = stage.primary();
    let first = stage.deploy();
    stage.advance(START + MINUTE);
    let second = stage.deploy();
    stage.advance(START + MINUTE);
    assert_eq!([&blue, &first, &second].map(|id| stage.live_of(id)), [2, 0, 2]);
}

#[test]
fn a_deployment_during_the_bake_time_finds_green_in_production() {
    let mut stage = stage(shifting(StrategySpec::BlueGreen, 2));
    let blue = stage.primary();
    let first = stage.deploy();
    stage.advance(START + MINUTE);
    let second = stage.deploy();
    stage.advance(START + MINUTE);
    assert_eq!([&blue, &first, &second].map(|id| stage.live_of(id)), [0, 2, 2]);
    stage.advance(BAKE);
    assert_eq!([&blue, &first, &second].map(|id| stage.live_of(id)), [0, 0, 2]);
    assert!(stage.is_steady());
}

#[test]
fn strategies_are_described_in_the_members_of_the_model() {
    let body = json!({"cluster": "jobs", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 1, "deploymentConfiguration": {
        "strategy": "LINEAR", "bakeTimeInMinutes": 7, "linearConfiguration": {"stepPercent": 12.5, "stepBakeTimeInMinutes": 3}}});
    let mut ecs = ControlPlane::new(Setup::default());
    ecs.create_cluster("jobs");
    let created = ecs.call("CreateService", &body).expect("a service");
    let expected = json!({"strategy": "LINEAR", "bakeTimeInMinutes": 7, "maximumPercent": 200, "minimumHealthyPercent": 100,
        "linearConfiguration": {"stepPercent": 12.5, "stepBakeTimeInMinutes": 3},
        "deploymentCircuitBreaker": {"enable": false, "rollback": false}});
    assert_eq!(created["service"]["deploymentConfiguration"], expected);
    let body = json!({"cluster": "jobs", "service": "web", "deploymentConfiguration": {
        "strategy": "CANARY", "deploymentCircuitBreaker": {"enable": true, "rollback": true}}});
    let updated = ecs.call("UpdateService", &body).expect("a service")["service"]["deploymentConfiguration"].clone();
    assert_eq!(updated["canaryConfiguration"], json!({"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}));
    assert_eq!(updated["deploymentCircuitBreaker"], json!({"enable": true, "rollback": true}));
    for wrong in [
        json!({"strategy": "PURPLE"}),
        json!({"bakeTimeInMinutes": 1441}),
        json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.9}}),
    ] {
        let body = json!({"cluster": "jobs", "service": "web", "deploymentConfiguration": wrong});
        assert_eq!(code(ecs.call("UpdateService", &body)), ErrorCode::InvalidParameter, "{wrong}");
    }
}

// All kinds.

#[test]
fn protected_old_tasks_stay_until_their_protection_ends_and_hold_up_every_kind_of_deployment() {
    for variants in Variants::all() {
        for spec in every_kind(2) {
            let kind = format!("{variants} {:?} {:?}", spec.controller, spec.strategy);
            let mut stage = WebService::new(variants, spec);
            assert_eq!(stage.protect_task(0, 120), "granted", "{kind}");
            stage.deploy();
            stage.advance(120 * MINUTE - 1);
            assert!(stage.is_live(0), "{kind}");
            assert!(!stage.is_live(1), "{kind}");
            assert!(!stage.is_steady(), "{kind}");
            assert!(stage.ecs.service("jobs", "web").unwrap().is_held_up(), "{kind}");
            assert_eq!(stage.ecs.service("jobs", "web").unwrap().deployments.len(), 2, "{kind}");
            assert!(stage.messages()[0].contains("was unable to scale in due to (reason 1 tasks under protection)"));
            stage.advance(1 + 3 * MINUTE + STOP);
            assert!(!stage.is_live(0), "{kind}");
            assert!(stage.is_steady(), "{kind}");
            assert_eq!(stage.ecs.service("jobs", "web").unwrap().deployments.len(), 1, "{kind}");
        }
    }
}

#[test]
fn protected_tasks_are_no_hindrance_before_the_clean_up() {
    let mut stage = stage(shifting(StrategySpec::BlueGreen, 2));
    stage.protect_task(0, 120);
    stage.deploy();
    stage.advance(START + BAKE - 1);
    assert!(!stage.ecs.service("jobs", "web").unwrap().is_held_up());
    stage.advance(1);
    assert!(stage.ecs.service("jobs", "web").unwrap().is_held_up());
}

#[test]
fn protection_is_refused_where_it_would_outnumber_the_desired_count_in_every_kind_of_deployment() {
    for spec in every_kind(2) {
        let kind = format!("{:?} {:?}", spec.controller, spec.strategy);
        let mut stage = stage(spec);
        assert_eq!([stage.protect_task(0, 600), stage.protect_task(1, 600)], ["granted", "granted"], "{kind}");
        stage.deploy();
        stage.advance(120 * MINUTE);
        let newest = stage.ecs.tasks().last().expect("a task").id.clone();
        stage.tasks.push(newest);
        assert_eq!(stage.protect_task(2, 600), "DEPLOYMENT_BLOCKED", "{kind}");
    }
}

#[test]
fn deployments_over_protected_tasks_run_into_the_wall_of_five() {
    for spec in every_kind(5) {
        let kind = format!("{:?} {:?}", spec.controller, spec.strategy);
        let mut stage = stage(spec);
        for _ in 0..4 {
            let newest = stage.ecs.tasks_of("jobs", "web").last().expect("a task").id.clone();
            stage.ecs.set_own_protection(&newest, Some(2880)).expect("an answer");
            stage.deploy();
            stage.advance(90 * MINUTE);
        }
        assert_eq!(stage.sets().len(), 5, "{kind}");
        let error = stage.ecs.deploy("jobs", "web").expect_err("a sixth one");
        assert!(error.message.starts_with("5 "), "{kind}: {}", error.message);
        stage.advance(2880 * MINUTE);
        assert_eq!(stage.sets().len(), 1, "{kind}: it is over when the protections are");
    }
}

// Task sets.

#[test]
fn code_deploy_replaces_a_task_set_step_by_step() {
    let mut stage = stage(with_task_sets(DeploymentControllerType::CodeDeploy, 2));
    let (blue, green) = (stage.primary(), stage.deploy());
    assert_eq!(stage.sets(), ["PRIMARY 2 2 0", "ACTIVE 2 0 2"]);
    stage.advance(START + MINUTE - 1);
    assert_eq!((stage.sets(), stage.primary()), (vec!["PRIMARY 2 2 0".to_owned(), "ACTIVE 2 2 0".to_owned()], blue));
    stage.advance(1);
    assert_eq!(stage.primary(), green, "UpdateServicePrimaryTaskSet");
    stage.protect_task(0, 60);
    stage.advance(BAKE);
    assert_eq!(stage.sets(), ["PRIMARY 2 2 0", "DRAINING 0 2 0"]);
    stage.advance(STOP);
    assert_eq!(stage.sets(), ["PRIMARY 2 2 0", "DRAINING 0 1 0"]);
    stage.advance(60 * MINUTE);
    assert_eq!(stage.sets(), ["PRIMARY 2 2 0"]);
    let names = stage.service_event_names();
    assert!(names.contains(&"TASKSET_STEADY_STATE".to_owned()));
    assert!(!names.iter().any(|name| name.starts_with("SERVICE_DEPLOYMENT")), "task sets have no deployments");
}

#[test]
fn a_task_set_is_described_in_the_members_of_the_model() {
    let mut stage = stage(with_task_sets(DeploymentControllerType::CodeDeploy, 2));
    let began = stage.ecs.now() as f64 / 1000.0;
    let green = stage.deploy();
    stage.advance(MINUTE / 4);
    let service = stage.service();
    assert_eq!(service["deployments"], json!([]));
    assert_eq!(service["deploymentController"], json!({"type": "CODE_DEPLOY"}));
    assert_eq!(service["deploymentConfiguration"], json!({"maximumPercent": 200, "minimumHealthyPercent": 100}));
    let expected = json!({
        "id": green,
        "taskSetArn": format!("{PREFIX}:task-set/jobs/web/{green}"),
        "serviceArn": format!("{PREFIX}:service/jobs/web"),
        "clusterArn": format!("{PREFIX}:cluster/jobs"),
        "startedBy": "CODE_DEPLOY",
        "status": "ACTIVE",
        "taskDefinition": format!("{PREFIX}:task-definition/web:1"),
        "computedDesiredCount": 2,
        "pendingCount": 2,
        "runningCount": 0,
        "createdAt": began,
        "updatedAt": began,
        "launchType": "FARGATE",
        "scale": {"value": 100.0, "unit": "PERCENT"},
        "stabilityStatus": "STABILIZING",
        "stabilityStatusAt": began + 15.0,
    });
    assert_eq!(service["taskSets"][1], expected);
    assert_eq!(service["taskSets"][0]["stabilityStatus"], "STEADY_STATE");
    let tasks = stage.answer("ListTasks", json!({"cluster": "jobs", "startedBy": green}));
    assert_eq!(tasks["taskArns"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_external_controller_creates_shifts_and_deletes_task_sets() {
    let mut stage = stage(with_task_sets(DeploymentControllerType::External, 3));
    let blue = stage.primary();
    let scale = json!({"value": 50.0, "unit": "PERCENT"});
    let body = json!({"cluster": "jobs", "service": "web", "taskDefinition": "web:2", "scale": scale});
    let created = stage.answer("CreateTaskSet", body)["taskSet"].clone();
    let green = created["id"].as_str().expect("an id").to_owned();
    assert_eq!((&created["computedDesiredCount"], created.get("startedBy")), (&json!(2), None));
    assert_eq!(stage.sets(), ["PRIMARY 3 3 0", "ACTIVE 2 0 2"]);
    stage.advance(START);
    let arn = format!("{PREFIX}:task-set/jobs/web/{green}");
    let named = |member: &str, task_set: &str| json!({"cluster": "jobs", "service": "web", member: task_set});
    let primary = stage.answer("UpdateServicePrimaryTaskSet", named("primaryTaskSet", &arn));
    assert_eq!(primary["taskSet"]["status"], "PRIMARY");
    assert_eq!(stage.sets(), ["PRIMARY 2 2 0", "ACTIVE 3 3 0"]);
    stage.protect_task(1, 30);
    assert_eq!(code(stage.call("DeleteTaskSet", named("taskSet", &blue))), ErrorCode::InvalidParameter);
    let mut forced = named("taskSet", &blue);
    forced["force"] = json!(true);
    assert_eq!(stage.answer("DeleteTaskSet", forced)["taskSet"]["status"], "DRAINING");
    stage.advance(29 * MINUTE);
    assert_eq!(stage.sets(), ["PRIMARY 2 2 0", "DRAINING 0 1 0"]);
    let described =
        stage.answer("DescribeTaskSets", json!({"cluster": "jobs", "service": "web", "taskSets": [blue, "ecs-svc/1"]}));
    assert_eq!(described["taskSets"][0]["stabilityStatus"], "STABILIZING");
    assert_eq!(described["failures"][0]["reason"], "MISSING");
    stage.advance(2 * MINUTE);
    assert_eq!(stage.sets(), ["PRIMARY 2 2 0"]);
    let gone = stage.call("UpdateServicePrimaryTaskSet", named("primaryTaskSet", &blue));
    assert_eq!(code(gone), ErrorCode::TaskSetNotFound);
}

#[test]
fn a_task_set_beside_the_primary_one_is_no_scale_in() {
    let variants = "refusal=blocked".parse().expect("variants");
    let mut stage = WebService::new(variants, with_task_sets(DeploymentControllerType::External, 2));
    stage.answer("CreateTaskSet", json!({"cluster": "jobs", "service": "web", "taskDefinition": "web:1"}));
    stage.advance(MINUTE);
    for task in stage.ecs.tasks_of("jobs", "web").map(|task| task.id.clone()).collect::<Vec<_>>() {
        assert!(stage.ecs.set_own_protection(&task, Some(60)).unwrap().failures.is_empty());
    }
}

#[test]
fn ecs_itself_deploys_no_service_with_task_sets_and_has_none_for_others() {
    let mut stage = stage(with_task_sets(DeploymentControllerType::CodeDeploy, 1));
    let body = json!({"cluster": "jobs", "service": "web", "forceNewDeployment": true});
    assert_eq!(code(stage.call("UpdateService", body)), ErrorCode::InvalidParameter);
    stage.deploy();
    assert!(stage.ecs.deploy("jobs", "web").is_err(), "one at a time");
    stage.ecs.create_service(ServiceSpec::new("jobs", "other", 1)).unwrap();
    let other = json!({"cluster": "jobs", "service": "other", "taskDefinition": "other:1"});
    assert_eq!(code(stage.call("CreateTaskSet", other)), ErrorCode::InvalidParameter);
    assert_eq!(
        stage.answer("DescribeServices", json!({"cluster": "jobs", "services": ["other"]}))["services"][0]
            .get("taskSets"),
        None
    );
}

// Deployments that fail.

#[test]
fn a_deployment_whose_tasks_fail_to_start_is_failed_after_three_of_them() {
    let mut stage = stage(rolling(2));
    let id = stage.deploy();
    stage.ecs.fail_deployment("jobs", "web", CircuitBreaker::On).unwrap();
    stage.advance(START);
    assert_eq!(stage.service()["deployments"][0]["failedTasks"], 2);
    stage.advance(10 * MINUTE);
    let service = stage.service();
    let failed = &service["deployments"][0];
    assert_eq!((&failed["status"], &failed["rolloutState"]), (&json!("PRIMARY"), &json!("FAILED")));
    assert_eq!(failed["rolloutStateReason"], "ECS deployment circuit breaker: tasks failed to start.");
    assert_eq!(stage.sets(), ["PRIMARY 2 0 0", "ACTIVE 2 2 0"], "the old tasks stay, and nothing more is started");
    let message = format!("(service web) (deployment {id}) deployment failed: tasks failed to start.");
    assert_eq!(stage.messages()[0], message);
    let events = stage.ecs.take_events();
    let failed = events.iter().find(|event| event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_FAILED");
    let detail = &failed.expect("the event")["detail"];
    assert_eq!((&detail["eventType"], &detail["deploymentId"]), (&json!("ERROR"), &json!(id)));
    let stopped = events.iter().find(|event| event["detail"]["stopCode"] == "TaskFailedToStart").expect("a task");
    assert_eq!(stopped["detail"].get("startedAt"), None);
    stage.deploy();
    stage.advance(10 * MINUTE);
    assert_eq!(stage.sets(), ["PRIMARY 2 2 0"], "the next deployment may succeed");
}

#[test]
fn a_failed_rolling_update_is_rolled_back_by_a_new_deployment_of_the_old_revision() {
    let mut stage = stage(rolling(2));
    let old = stage.primary();
    let update = json!({"cluster": "jobs", "service": "web", "taskDefinition": "web:2"});
    stage.answer("UpdateService", update);
    let failing = stage.primary();
    stage.ecs.fail_deployment("jobs", "web", CircuitBreaker::RollsBack).unwrap();
    stage.advance(START + START);
    let primary = stage.primary();
    assert!(primary != old && primary != failing);
    let deployment = stage.service()["deployments"][0].clone();
    assert_eq!(deployment["taskDefinition"], format!("{PREFIX}:task-definition/web:1"));
    let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {primary}.");
    assert_eq!(
        (&deployment["rolloutState"], &deployment["rolloutStateReason"]),
        (&json!("IN_PROGRESS"), &json!(reason))
    );
    assert!(stage.messages().contains(&format!("(service web) rolling back to deployment {primary}.")));
    let events = stage.ecs.take_events();
    let reasons: Vec<&Value> = events.iter().map(|event| &event["detail"]["reason"]).collect();
    assert!(reasons.contains(&&json!(reason)));
    stage.advance(10 * MINUTE);
    assert_eq!(stage.sets(), ["PRIMARY 2 2 0"]);
    assert_eq!(stage.service()["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn a_failed_blue_green_deployment_is_rolled_back_to_blue_as_it_stands() {
    let mut stage = stage(shifting(StrategySpec::BlueGreen, 2));
    let blue = stage.primary();
    stage.deploy();
    stage.ecs.fail_deployment("jobs", "web", CircuitBreaker::RollsBack).unwrap();
    stage.advance(10 * MINUTE);
    assert_eq!((stage.primary(), stage.sets()), (blue, vec!["PRIMARY 2 2 0".to_owned()]));
    assert!(stage.is_live(0) && stage.is_live(1) && stage.is_steady());
}

#[test]
fn without_a_circuit_breaker_failing_tasks_are_started_for_ever() {
    let mut stage = stage(rolling(1));
    stage.deploy();
    stage.ecs.fail_deployment("jobs", "web", CircuitBreaker::Off).unwrap();
    stage.advance(60 * MINUTE);
    assert_eq!(stage.service()["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert!(stage.service()["deployments"][0]["failedTasks"].as_u64() > Some(50));
}

#[test]
fn a_deployment_whose_tasks_run_can_no_longer_fail() {
    let mut stage = stage(rolling(1));
    assert!(stage.ecs.fail_deployment("jobs", "web", CircuitBreaker::On).is_err(), "none is in progress");
    stage.protect_task(0, 60);
    stage.deploy();
    stage.advance(START);
    assert!(stage.ecs.fail_deployment("jobs", "web", CircuitBreaker::On).is_err());
}

// Messages and events of ECS.

#[test]
fn more_protected_tasks_than_desired_are_said_in_the_documented_words_in_every_round() {
    let mut stage = stage(rolling(3));
    let id = stage.primary();
    for task in 0..3 {
        stage.protect_task(task, 60);
    }
    stage.ecs.set_desired_count("jobs", "web", 2).unwrap();
    assert_eq!(
        stage.service_event_names(),
        ["TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION"],
        "a user changed the count"
    );
    stage.advance(HOLD_REPEAT_MS);
    let documented = format!(
        "service (web) was unable to reach steady state because task set ({id}) was unable to scale in. Reason: The number of protected tasks are more than the desired count of tasks"
    );
    assert_eq!(stage.messages().iter().filter(|message| **message == documented).count(), 1);
    stage.advance(HOLD_REPEAT_MS);
    assert_eq!(stage.messages().iter().filter(|message| **message == documented).count(), 2);
}

#[test]
fn a_deployment_without_room_is_said_once() {
    let mut stage = stage(ServiceSpec { maximum_percent: 100, ..rolling(2) });
    stage.deploy();
    stage.advance(60 * MINUTE);
    let documented = "service (web) was unable to stop or start tasks during a deployment because of the service deployment configuration.";
    assert_eq!(stage.messages().iter().filter(|message| **message == documented).count(), 1);
}

// Availability Zone rebalancing.

#[test]
fn rebalancing_starts_one_task_and_then_stops_one_in_the_crowded_zone() {
    let mut stage = stage(rolling(2));
    stage.protect_task(1, 60);
    stage.ecs.rebalance("jobs", "web").unwrap();
    assert_eq!(stage.service_event_names(), ["SERVICE_REBALANCING_STARTED", "TASKS_STARTED"]);
    stage.advance(START);
    assert_eq!(stage.service_event_names(), ["TASKS_STOPPED", "SERVICE_REBALANCING_COMPLETED"]);
    assert!(!stage.is_live(0) && stage.is_live(1));
    let deployment = stage.primary();
    let reason = stage.ecs.task(&stage.tasks[0]).unwrap().stopped_reason.clone();
    assert_eq!(reason, Some(format!("Availability-zone rebalancing initiated by (deployment {deployment})")));
    stage.advance(STOP);
    assert_eq!(stage.service_event_names(), ["SERVICE_STEADY_STATE"]);
    let messages = stage.messages();
    let said = |text: &str| messages.iter().any(|message| message == text);
    assert!(said(
        "service (web) is not AZ balanced with 2 tasks in eu-west-1a, 0 in eu-west-1b, and 0 in eu-west-1c. AZ Rebalancing in progress."
    ));
    assert!(said(
        "service (web) is AZ balanced with 1 tasks in eu-west-1a, 1 tasks in eu-west-1b, and 0 tasks in eu-west-1c."
    ));
}

#[test]
fn rebalancing_waits_for_protected_tasks_and_says_so_in_the_documented_words() {
    for variants in Variants::all() {
        let mut stage = WebService::new(variants, rolling(2));
        let id = stage.primary();
        stage.protect_task(0, 60);
        stage.protect_task(1, 90);
        stage.ecs.rebalance("jobs", "web").unwrap();
        stage.advance(START);
        let blocked = format!(
            "service (web) was unable to AZ Rebalance because (taskSet {id}) was unable to scale in due to (reason 2 tasks under protection)."
        );
        assert_eq!(stage.messages()[0], blocked, "{variants}");
        stage.advance(HOLD_REPEAT_MS);
        assert_eq!(stage.messages()[..2], [blocked.clone(), blocked], "{variants}");
        let names = stage.service_event_names();
        let is_sent = variants.to_string().contains("event=sent");
        let held = names.iter().filter(|name| *name == "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION").count();
        assert_eq!(held, if is_sent { 2 } else { 0 }, "{variants}");
        stage.advance(60 * MINUTE);
        assert!(!stage.is_live(0) && stage.is_live(1), "{variants}");
        assert!(stage.service_event_names().contains(&"SERVICE_REBALANCING_COMPLETED".to_owned()), "{variants}");
        assert!(!stage.ecs.service("jobs", "web").unwrap().is_held_up() && stage.is_steady(), "{variants}");
    }
}

#[test]
fn a_deployment_stops_a_rebalancing() {
    let mut stage = stage(rolling(3));
    for task in 0..3 {
        stage.protect_task(task, 600);
    }
    stage.ecs.rebalance("jobs", "web").unwrap();
    stage.advance(MINUTE);
    stage.deploy();
    assert!(stage.service_event_names().contains(&"SERVICE_REBALANCING_STOPPED".to_owned()));
    assert!(stage.messages().contains(&"service (web) stopped AZ Rebalancing.".to_owned()));
    stage.advance(700 * MINUTE);
    assert!(stage.is_steady());
}

#[test]
fn only_a_steady_service_with_room_is_rebalanced() {
    let one = stage(rolling(1)).ecs.rebalance("jobs", "web");
    let no_room = stage(ServiceSpec { maximum_percent: 100, ..rolling(3) }).ecs.rebalance("jobs", "web");
    let task_sets = stage(with_task_sets(DeploymentControllerType::External, 3)).ecs.rebalance("jobs", "web");
    assert!([one, no_room, task_sets].iter().all(Result::is_err));
}

// Deleted services.

#[test]
fn a_deleted_service_drains_is_inactive_and_is_missing_in_the_end() {
    for spec in every_kind(2) {
        let kind = format!("{:?} {:?}", spec.controller, spec.strategy);
        let mut stage = stage(spec);
        stage.protect_task(0, 60);
        let body = json!({"cluster": "jobs", "service": "web"});
        assert_eq!(code(stage.call("DeleteService", body.clone())), ErrorCode::InvalidParameter, "{kind}");
        let forced = json!({"cluster": "jobs", "service": "web", "force": true});
        assert_eq!(stage.answer("DeleteService", forced)["service"]["status"], "DRAINING");
        assert_eq!(stage.answer("ListServices", json!({"cluster": "jobs"})), json!({"serviceArns": []}));
        assert_eq!(code(stage.call("UpdateService", body)), ErrorCode::ServiceNotActive, "{kind}");
        assert!(stage.ecs.create_service(rolling(1)).is_err(), "{kind}: the name is taken");
        stage.advance(60 * MINUTE - 1);
        assert_eq!((&stage.service()["status"], stage.is_live(0)), (&json!("DRAINING"), true), "{kind}");
        stage.advance(1);
        let service = stage.service();
        assert_eq!((&service["status"], &service["desiredCount"]), (&json!("INACTIVE"), &json!(0)), "{kind}");
        stage.advance(INACTIVE_SERVICE_REMEMBERED_MS);
        let body = json!({"cluster": "jobs", "services": ["web"]});
        assert_eq!(stage.answer("DescribeServices", body)["failures"][0]["reason"], "MISSING", "{kind}");
        assert_eq!(stage.ecs.services().count(), 0, "{kind}");
    }
}

#[test]
fn a_name_is_free_again_once_its_service_is_inactive() {
    let mut stage = stage(rolling(1));
    stage.ecs.remove_service("jobs", "web").unwrap();
    stage.advance(MINUTE);
    assert_eq!(stage.service()["status"], "INACTIVE");
    stage.ecs.create_service(rolling(3)).unwrap();
    stage.advance(2 * INACTIVE_SERVICE_REMEMBERED_MS);
    assert_eq!(stage.service()["runningCount"], 3, "the new one is not forgotten with the old one");
    assert_eq!(stage.ecs.services().count(), 1);
}

#[test]
fn an_empty_service_is_deleted_without_force() {
    let mut stage = stage(rolling(0));
    let deleted = stage.answer("DeleteService", json!({"cluster": "jobs", "service": "web"}));
    assert_eq!(deleted["service"]["status"], "INACTIVE");
    let again = stage.call("DeleteService", json!({"cluster": "jobs", "service": "web"}));
    assert_eq!(code(again), ErrorCode::ServiceNotFound);
}

// Invariants: many short random lives, the same in every run.

/// One random act on the service. Returns the task that the act itself, not the scheduler, stopped or freed.
fn act(stage: &mut WebService, dice: &mut Dice) -> Option<String> {
    let tasks: Vec<String> = stage.ecs.tasks_of("jobs", "web").map(|task| task.id.clone()).collect();
    let task = (!tasks.is_empty()).then(|| tasks[dice.roll(tasks.len())].clone());
    match (dice.roll(12), task) {
        (0..=3, Some(task)) => drop(stage.ecs.set_own_protection(&task, Some(1 + dice.roll(30) as i64))),
        (4, Some(task)) => {
            stage.ecs.set_own_protection(&task, None).expect("an answer");
            return Some(task);
        }
        (5..=6, _) => drop(stage.ecs.deploy("jobs", "web")),
        (7, _) => stage.ecs.set_desired_count("jobs", "web", dice.roll(5) as u32).expect("a count"),
        (8, Some(task)) => {
            stage.ecs.crash_task(&task).expect("a crash");
            return Some(task);
        }
        (9, _) => drop(stage.ecs.rebalance("jobs", "web")),
        (10, _) => {
            let breaker = [CircuitBreaker::On, CircuitBreaker::RollsBack][dice.roll(2)];
            drop(stage.ecs.fail_deployment("jobs", "web", breaker));
        }
        _ => {}
    }
    None
}

/// No previously protected task is asked to stop, except by the act itself or because it fails to start.
fn check_step(before: &ControlPlane, after: &ControlPlane, exempt: Option<&str>) {
    for task in before.tasks().filter(|task| task.is_live() && Some(task.id.as_str()) != exempt) {
        let until = task.protected_until.unwrap_or(Millis::MIN);
        let now = after.task(&task.id);
        let stopped = !now.is_some_and(SimulatedTask::is_live);
        let never_ran = now.is_some_and(|task| task.stop_code == Some(StopCode::TaskFailedToStart));
        assert!(!stopped || until <= after.now() || never_ran, "protected task {} was stopped", task.id);
    }
}

#[test]
fn no_kind_of_deployment_stops_a_protected_task_and_each_ends_when_it_is_left_alone() {
    for variants in Variants::all() {
        for (seed, spec) in every_kind(3).into_iter().enumerate() {
            println!("{variants} seed={seed}");
            let mut dice = Dice(seed as u64);
            let mut stage = WebService::new(variants, spec);
            stage.live(&mut dice, 300_000, act, check_step);
            stage.advance(3 * 60 * MINUTE);
            drop(stage.ecs.deploy("jobs", "web")); // after one that has failed
            stage.advance(3 * 60 * MINUTE);
            let service = stage.ecs.service("jobs", "web").expect("the service");
            assert!(service.steady && !service.is_held_up(), "{:?}", service.deployments);
            assert_eq!(stage.ecs.next_due(), None, "nothing is left to happen");
        }
    }
}

#[test]
fn one_leap_is_many_small_steps_in_every_kind_of_deployment() {
    let live = |variants: Variants, kind: usize, step: Millis| {
        let mut dice = Dice(kind as u64);
        let stage = WebService::new(variants, every_kind(3)[kind].clone());
        stage.live_in_steps(&mut dice, 300_000, act, step)
    };
    for variants in Variants::all().into_iter().step_by(5) {
        for kind in 0..6 {
            let leap = live(variants, kind, Millis::MAX / 4);
            assert_eq!(leap, live(variants, kind, 977), "{variants} kind={kind}");
        }
    }
}
