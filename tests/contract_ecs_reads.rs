//! The reads of services and tasks against canned answers on loopback: the exact requests, page by page, and the
//! result of real ECS answers. The answers have the members of the ECS API Reference ("Service", "TaskSet",
//! "Task").

use crate::canned_aws::{CannedAws, ecs_exceptions};
use ecs_sim::http::ServiceAnswer;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::deployment::{
    Deployment, DeploymentController, DeploymentStatus, DeploymentStrategy, RolloutState, TaskSet,
};
use taskhold::ecs::deployment_options::{
    AlarmOptions, CircuitBreakerOptions, DeploymentOptions, EarlySuccess, FailureThreshold, OtherOptions,
    RevisionCleanup,
};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Service, ServiceArn, ServiceEvent, ServiceStatus};
use taskhold::ecs::service_deployment::{
    HookAction, HookStatus, LifecycleHook, LifecycleStage, RevisionCounts, ServiceDeployment, ServiceDeploymentStatus,
};
use taskhold::ecs::task::TaskDescription;
use taskhold::ecs::{FailureReason, ProtectedTask, ProtectionAnswer, ProtectionFailure, ServiceReads};

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";
const LONG: &str = "arn:aws:ecs:eu-west-1:111122223333:service/video/web";
const SHORT: &str = "arn:aws:ecs:eu-west-1:111122223333:service/web";
const HOOK_FUNCTION: &str = "arn:aws:lambda:eu-west-1:111122223333:function:taskhold";
const SERVICE_DEPLOYMENT: &str =
    "arn:aws:ecs:eu-west-1:111122223333:service-deployment/video/web/ejGvqq2ilnbKT9qj0vLJe";
const A: &str = "6b777c1809a94925ab48098fa09824de";
const B: &str = "4f0c2a9be1d84763a5c07be214d95f3a";
const OLD_FORMAT: &str = "4f0c2a9b-e1d8-4763-a5c0-7be214d95f3a";

fn cluster() -> Arc<ClusterArn> {
    Arc::new(CLUSTER.parse().unwrap())
}

fn web() -> ServiceArn {
    ServiceArn::new(cluster(), "web").unwrap()
}

fn ids(texts: &[&str]) -> Vec<TaskId> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn task_arn(id: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{id}")
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

impl CannedAws {
    async fn describe(&self) -> Result<Option<Service>, EcsError> {
        self.ecs.describe_service(&web()).await
    }

    /// The adapter's result for this description of a service.
    async fn read(&self, service: Value) -> Service {
        self.set_output(json!({"services": [service], "failures": []}));
        self.describe().await.unwrap().expect("it is there")
    }
}

/// A service in the middle of a rolling deployment, with the members that ECS sends.
fn rolling() -> Value {
    json!({
        "serviceArn": LONG,
        "serviceName": "web",
        "clusterArn": CLUSTER,
        "loadBalancers": [{
            "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/943f017f100becff",
            "containerName": "web", "containerPort": 8080}],
        "serviceRegistries": [],
        "status": "ACTIVE",
        "desiredCount": 2, "runningCount": 3, "pendingCount": 1,
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
        "platformVersion": "LATEST", "platformFamily": "Linux",
        "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:18",
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": true, "rollback": true, "resetOnHealthyTask": false,
                "thresholdConfiguration": {"type": "COUNT", "value": 7}},
            "maximumPercent": 150, "minimumHealthyPercent": 50, "strategy": "ROLLING", "bakeTimeInMinutes": 0,
            "alarms": {"alarmNames": ["errors"], "rollback": true, "enable": true},
            "earlySuccessCriteria": {
                "enable": true, "healthyPercent": 75, "sourceServiceRevisionCleanup": "DEFERRED"}},
        "currentServiceDeployment": SERVICE_DEPLOYMENT,
        "deployments": [
            {"id": "ecs-svc/2222222222222222222", "status": "PRIMARY",
             "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:18",
             "desiredCount": 2, "pendingCount": 1, "runningCount": 1, "failedTasks": 0,
             "createdAt": 1_790_000_060.123, "updatedAt": 1_790_000_090.5, "launchType": "FARGATE",
             "rolloutState": "IN_PROGRESS",
             "rolloutStateReason": "ECS deployment ecs-svc/2222222222222222222 in progress."},
            {"id": "ecs-svc/1111111111111111111", "status": "ACTIVE",
             "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:17",
             "desiredCount": 2, "pendingCount": 0, "runningCount": 2, "failedTasks": 1,
             "createdAt": 1_790_000_000, "updatedAt": 1_790_000_030, "rolloutState": "COMPLETED",
             "rolloutStateReason": "ECS deployment ecs-svc/1111111111111111111 completed."}],
        "events": [
            {"id": "4c1f1b0e-9c1d-4c40-9f4e-0b2d9a6b1c11", "createdAt": 1_790_000_095.75,
             "message": "(service web, taskSet ecs-svc/1111111111111111111) was unable to scale in due to (reason 2 tasks under protection)"},
            {"id": "0a4b7a52-3d0d-4f7b-a3a4-6a1f3d0b9a02", "createdAt": 1_790_000_061,
             "message": "(service web) has started 1 tasks: (task 6b777c1809a94925ab48098fa09824de)."}],
        "createdAt": 1_780_000_000.001, "placementConstraints": [], "placementStrategy": [],
        "networkConfiguration": {"awsvpcConfiguration": {
            "subnets": ["subnet-0123456789abcdef0"], "securityGroups": ["sg-0123456789abcdef0"],
            "assignPublicIp": "DISABLED"}},
        "healthCheckGracePeriodSeconds": 60, "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "tags": [
            {"key": "aws:cloudformation:stack-name", "value": "video"},
            {"key": "taskhold:deadline-minutes", "value": "90"}, {"key": "empty"}],
        "createdBy": "arn:aws:iam::111122223333:role/deploy",
        "enableECSManagedTags": true, "propagateTags": "SERVICE", "enableExecuteCommand": false,
        "availabilityZoneRebalancing": "ENABLED"
    })
}

/// A CodeDeploy service in the middle of a traffic shift.
fn with_task_sets() -> Value {
    let set = |number: u64, status: &str, stability: &str| {
        let id = format!("ecs-svc/{number}");
        json!({
            "id": id, "taskSetArn": format!("arn:aws:ecs:eu-west-1:111122223333:task-set/video/web/{id}"),
            "serviceArn": LONG, "clusterArn": CLUSTER, "startedBy": "CODE_DEPLOY", "externalId": "d-A1B2C3D4E",
            "status": status, "taskDefinition": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:18",
            "computedDesiredCount": 2, "pendingCount": 1, "runningCount": 3,
            "createdAt": 1_790_000_000, "updatedAt": 1_790_000_100.25, "launchType": "FARGATE",
            "platformVersion": "1.4.0", "loadBalancers": [], "serviceRegistries": [],
            "scale": {"value": 100.0, "unit": "PERCENT"},
            "stabilityStatus": stability, "stabilityStatusAt": 1_790_000_101, "tags": []
        })
    };
    let mut service = rolling();
    service["deploymentController"] = json!({"type": "CODE_DEPLOY"});
    service["deployments"] = json!([]);
    service["taskSets"] = json!([
        set(2_222_222_222_222_222_222, "PRIMARY", "STEADY_STATE"),
        set(1_111_111_111_111_111_111, "DRAINING", "STABILIZING"),
        set(3_333_333_333_333_333_333, "ACTIVE", "FROM_THE_FUTURE")
    ]);
    service
}

#[tokio::test]
async fn a_service_is_described_by_cluster_and_name_with_its_tags() {
    let canned = CannedAws::returning(json!({"services": [rolling()], "failures": []})).await;
    canned.describe().await.unwrap();
    let request = json!({"cluster": CLUSTER, "services": ["web"], "include": ["TAGS"]});
    canned.assert_called("DescribeServices", &request);
}

#[tokio::test]
async fn a_rolling_service_is_read_member_by_member() {
    let service = CannedAws::new().await.read(rolling()).await;
    let deployment = |id: &str, status, rollout_state| Deployment {
        id: format!("ecs-svc/{id}"),
        status,
        rollout_state,
        desired_count: 2,
        running_count: 2,
        pending_count: 0,
        created_at: at(1_790_000_000_000),
        updated_at: at(1_790_000_030_000),
    };
    let event = |id: &str, millis, message: &str| ServiceEvent {
        id: id.to_owned(),
        created_at: at(millis),
        message: message.to_owned(),
    };
    let tags = [("aws:cloudformation:stack-name", "video"), ("taskhold:deadline-minutes", "90"), ("empty", "")];
    let expected = Service {
        arn: web(),
        status: ServiceStatus::Active,
        desired_count: 2,
        running_count: 3,
        pending_count: 1,
        controller: DeploymentController::Ecs,
        strategy: DeploymentStrategy::Rolling,
        old_tasks_kept: jiff::SignedDuration::ZERO,
        minimum_healthy_percent: 50,
        maximum_percent: 150,
        options: DeploymentOptions {
            circuit_breaker: Some(CircuitBreakerOptions {
                enable: true,
                rollback: true,
                reset_on_healthy_task: Some(false),
                threshold: Some(FailureThreshold { kind: "COUNT".to_owned(), value: 7 }),
            }),
            alarms: Some(AlarmOptions { names: vec!["errors".to_owned()], enable: true, rollback: true }),
            early_success: Some(EarlySuccess {
                enable: true,
                healthy_percent: Some(75),
                cleanup: Some(RevisionCleanup::Deferred),
            }),
            others: OtherOptions::None,
        },
        service_deployment: Some(SERVICE_DEPLOYMENT.parse().unwrap()),
        deployments: vec![
            Deployment {
                running_count: 1,
                pending_count: 1,
                created_at: at(1_790_000_060_123),
                updated_at: at(1_790_000_090_500),
                ..deployment("2222222222222222222", DeploymentStatus::Primary, RolloutState::InProgress)
            },
            deployment("1111111111111111111", DeploymentStatus::Active, RolloutState::Completed),
        ],
        task_sets: Vec::new(),
        events: vec![
            event(
                "4c1f1b0e-9c1d-4c40-9f4e-0b2d9a6b1c11",
                1_790_000_095_750,
                "(service web, taskSet ecs-svc/1111111111111111111) was unable to scale in due to (reason 2 tasks under protection)",
            ),
            event(
                "0a4b7a52-3d0d-4f7b-a3a4-6a1f3d0b9a02",
                1_790_000_061_000,
                "(service web) has started 1 tasks: (task 6b777c1809a94925ab48098fa09824de).",
            ),
        ],
        tags: tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    };
    assert_eq!(service, expected);
}

#[tokio::test]
async fn task_sets_are_read_member_by_member() {
    let service = CannedAws::new().await.read(with_task_sets()).await;
    assert_eq!((service.controller, service.deployments), (DeploymentController::CodeDeploy, Vec::new()));
    let set = |id: &str, status, is_stable| TaskSet {
        id: format!("ecs-svc/{id}"),
        status,
        is_stable,
        computed_desired_count: 2,
        running_count: 3,
        pending_count: 1,
        created_at: at(1_790_000_000_000),
        updated_at: at(1_790_000_100_250),
    };
    let expected = [
        set("2222222222222222222", DeploymentStatus::Primary, true),
        set("1111111111111111111", DeploymentStatus::Draining, false),
        set("3333333333333333333", DeploymentStatus::Active, false),
    ];
    assert_eq!(service.task_sets, expected);
}

#[tokio::test]
async fn members_that_are_missing_take_ecs_s_defaults_or_none() {
    let canned = CannedAws::new().await;
    let bare = canned.read(json!({"serviceArn": LONG})).await;
    let expected = Service {
        arn: web(),
        status: ServiceStatus::Other(String::new()),
        desired_count: 0,
        running_count: 0,
        pending_count: 0,
        controller: DeploymentController::Ecs,
        strategy: DeploymentStrategy::Rolling,
        old_tasks_kept: jiff::SignedDuration::ZERO,
        minimum_healthy_percent: 100,
        maximum_percent: 200,
        options: DeploymentOptions::default(),
        service_deployment: None,
        deployments: Vec::new(),
        task_sets: Vec::new(),
        events: Vec::new(),
        tags: std::collections::BTreeMap::new(),
    };
    assert_eq!(bare, expected);
    let mut sparse = rolling();
    sparse["deploymentConfiguration"] = json!({"maximumPercent": 125});
    sparse["deployments"] = json!([{"status": "PRIMARY"}, {"id": "ecs-svc/1"}]);
    sparse["taskSets"] = json!([{"status": "PRIMARY"}, {"id": "ecs-svc/2"}]);
    sparse["events"] = json!([{"message": "no id"}, {"id": "e"}]);
    sparse["tags"] = json!([{"value": "no key"}]);
    let service = canned.read(sparse).await;
    assert_eq!((service.minimum_healthy_percent, service.maximum_percent), (100, 125));
    let [deployment] = service.deployments.as_slice() else { panic!("{service:?}") };
    assert_eq!((deployment.id.as_str(), &deployment.rollout_state), ("ecs-svc/1", &RolloutState::NotReported));
    assert_eq!(deployment.status, DeploymentStatus::Other(String::new()));
    assert_eq!(deployment.created_at, Timestamp::UNIX_EPOCH);
    let [set] = service.task_sets.as_slice() else { panic!("{service:?}") };
    assert_eq!((set.id.as_str(), set.is_stable), ("ecs-svc/2", false));
    let expected = ServiceEvent { id: "e".to_owned(), created_at: Timestamp::UNIX_EPOCH, message: String::new() };
    assert_eq!((service.events, service.tags.len()), (vec![expected], 0));
}

#[tokio::test]
async fn the_words_of_ecs_are_known_and_those_of_the_future_are_kept() {
    let canned = CannedAws::new().await;
    let other = "FROM_THE_FUTURE";
    for (word, controller) in [
        ("ECS", DeploymentController::Ecs),
        ("CODE_DEPLOY", DeploymentController::CodeDeploy),
        ("EXTERNAL", DeploymentController::External),
        (other, DeploymentController::Other(other.to_owned())),
    ] {
        let mut service = rolling();
        service["deploymentController"]["type"] = json!(word);
        assert_eq!(canned.read(service).await.controller, controller);
    }
    for (word, strategy) in [
        ("ROLLING", DeploymentStrategy::Rolling),
        ("BLUE_GREEN", DeploymentStrategy::BlueGreen),
        ("LINEAR", DeploymentStrategy::Linear),
        ("CANARY", DeploymentStrategy::Canary),
        (other, DeploymentStrategy::Other(other.to_owned())),
    ] {
        let mut service = rolling();
        service["deploymentConfiguration"]["strategy"] = json!(word);
        assert_eq!(canned.read(service).await.strategy, strategy);
    }
    for (word, status) in [
        ("ACTIVE", ServiceStatus::Active),
        ("DRAINING", ServiceStatus::Draining),
        ("INACTIVE", ServiceStatus::Inactive),
        (other, ServiceStatus::Other(other.to_owned())),
    ] {
        let mut service = rolling();
        service["status"] = json!(word);
        assert_eq!(canned.read(service).await.status, status);
    }
    for (word, status) in [
        ("PRIMARY", DeploymentStatus::Primary),
        ("ACTIVE", DeploymentStatus::Active),
        ("DRAINING", DeploymentStatus::Draining),
        ("INACTIVE", DeploymentStatus::Inactive),
        (other, DeploymentStatus::Other(other.to_owned())),
    ] {
        let mut service = with_task_sets();
        service["deployments"] = json!([{"id": "ecs-svc/1", "status": word}]);
        service["taskSets"][0]["status"] = json!(word);
        let service = canned.read(service).await;
        assert_eq!((&service.deployments[0].status, &service.task_sets[0].status), (&status, &status));
    }
    for (word, state) in [
        ("IN_PROGRESS", RolloutState::InProgress),
        ("COMPLETED", RolloutState::Completed),
        ("FAILED", RolloutState::Failed),
        (other, RolloutState::Other(other.to_owned())),
    ] {
        let mut service = rolling();
        service["deployments"][0]["rolloutState"] = json!(word);
        assert_eq!(canned.read(service).await.deployments[0].rollout_state, state);
    }
}

/// A command that sets the whole deployment configuration would drop them (suggested_action.rs).
#[tokio::test]
async fn members_of_a_deployment_configuration_that_taskhold_does_not_repeat_are_noticed() {
    let canned = CannedAws::new().await;
    let hook = json!({"lifecycleStages": ["POST_SCALE_UP"], "hookTargetArn": "arn:aws:lambda:eu-west-1:111122223333:function:f", "roleArn": "arn:aws:iam::111122223333:role/r"});
    for (member, value, others) in [
        ("lifecycleHooks", json!([]), OtherOptions::None),
        ("lifecycleHooks", json!([hook]), OtherOptions::Some),
        ("bakeTimeInMinutes", json!(0), OtherOptions::None),
        ("bakeTimeInMinutes", json!(5), OtherOptions::Some),
        ("linearConfiguration", json!({"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}), OtherOptions::Some),
        ("canaryConfiguration", json!({"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}), OtherOptions::Some),
    ] {
        let mut service = rolling();
        service["deploymentConfiguration"][member] = value.clone();
        assert_eq!(canned.read(service).await.options.others, others, "{member} {value}");
    }
}

#[tokio::test]
async fn numbers_that_make_no_sense_count_as_none() {
    let mut service = rolling();
    service["desiredCount"] = json!(-1);
    service["deploymentConfiguration"]["maximumPercent"] = json!(-200);
    let service = CannedAws::new().await.read(service).await;
    assert_eq!((service.desired_count, service.maximum_percent), (0, 0));
}

#[tokio::test]
async fn a_service_is_known_by_its_arn_in_long_and_in_short_form_and_another_one_is_not_it() {
    let canned = CannedAws::new().await;
    for arn in [LONG, SHORT] {
        let mut service = rolling();
        service["serviceArn"] = json!(arn);
        assert_eq!(canned.read(service).await.arn, web(), "{arn}");
    }
    for arn in [json!(LONG.replace("web", "api")), json!(SHORT.replace("web", "webs")), json!(""), Value::Null] {
        let mut service = rolling();
        service["serviceArn"] = arn.clone();
        canned.set_output(json!({"services": [service]}));
        let error = canned.describe().await.unwrap_err();
        assert!(
            matches!(&error, EcsError::Incomplete(text) if text.contains("`web` only `nothing`")),
            "{arn}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_service_that_is_missing_is_none_and_any_other_failure_is_an_error() {
    let canned = CannedAws::new().await;
    for arn in [LONG, SHORT] {
        canned.set_output(json!({"services": [], "failures": [{"arn": arn, "reason": "MISSING"}]}));
        assert_eq!(canned.describe().await, Ok(None), "{arn}");
    }
    for (answer, reported) in [
        (json!({"failures": [{"arn": LONG, "reason": "FROM_THE_FUTURE", "detail": "x"}]}), "FROM_THE_FUTURE"),
        (json!({"failures": [{"arn": LONG}]}), "nothing"),
        (json!({"services": [], "failures": []}), "nothing"),
        (json!({}), "nothing"),
    ] {
        canned.set_output(answer.clone());
        let error = canned.describe().await.unwrap_err();
        let EcsError::Incomplete(text) = &error else { panic!("{answer}: {error:?}") };
        assert!(text.contains("`web`") && text.contains(&format!("only `{reported}`")), "{text}");
    }
}

#[tokio::test]
async fn services_are_described_together_and_each_must_be_answered() {
    let services = ["web", "gone", "api"].map(|name| ServiceArn::new(cluster(), name).unwrap());
    let named = |name: &str| LONG.replace("/web", &format!("/{name}"));
    let mut api = rolling();
    api["serviceArn"] = json!(named("api"));
    let missing = json!({"arn": named("gone"), "reason": "MISSING"});
    let canned = CannedAws::returning(json!({"services": [api, rolling()], "failures": [missing]})).await;
    let described = canned.ecs.describe_services(&cluster(), &services).await.unwrap();
    let names: Vec<&str> = described.iter().map(|service| service.arn.name.as_str()).collect();
    assert_eq!(names, ["web", "api"], "in the order of the request");
    let request = json!({"cluster": CLUSTER, "services": ["web", "gone", "api"], "include": ["TAGS"]});
    canned.assert_called("DescribeServices", &request);
    for failures in [json!([missing]), json!([]), json!([missing, {"arn": named("api"), "reason": "OTHER"}])] {
        canned.set_output(json!({"services": [rolling()], "failures": failures}));
        let error = canned.ecs.describe_services(&cluster(), &services).await.unwrap_err();
        assert!(
            matches!(&error, EcsError::Incomplete(_)),
            "an answer about one service proves nothing about another: {error:?}"
        );
    }
}

#[tokio::test]
async fn tasks_are_listed_by_service_page_by_page() {
    let canned = CannedAws::new().await;
    let arns = |ids: &[&str]| ids.iter().map(|id| task_arn(id)).collect::<Vec<_>>();
    let page =
        |ids: &[&str], token: Option<&str>| ServiceAnswer::Output(json!({"taskArns": arns(ids), "nextToken": token}));
    canned.set([page(&[A, B], Some("eyJ0b2tlbiI6IDF9")), page(&[OLD_FORMAT], None)]);
    let first = canned.ecs.list_tasks(&web(), None).await.unwrap();
    assert_eq!((first.items, first.next_token.as_deref()), (ids(&[A, B]), Some("eyJ0b2tlbiI6IDF9")));
    let request = json!({"cluster": CLUSTER, "serviceName": "web", "desiredStatus": "RUNNING"});
    canned.assert_called("ListTasks", &request);
    let last = canned.ecs.list_tasks(&web(), first.next_token.as_deref()).await.unwrap();
    assert_eq!((last.items, last.next_token), (ids(&[OLD_FORMAT]), None));
    let mut with_token = request;
    with_token["nextToken"] = json!("eyJ0b2tlbiI6IDF9");
    canned.assert_called("ListTasks", &with_token);
    for empty in [json!({"taskArns": []}), json!({}), json!({"taskArns": null, "nextToken": null})] {
        canned.set_output(empty);
        let page = canned.ecs.list_tasks(&web(), None).await.unwrap();
        assert_eq!((page.items, page.next_token), (Vec::new(), None));
    }
}

#[tokio::test]
async fn tasks_are_described_by_cluster_and_id() {
    let full = json!({
        "taskArn": task_arn(A), "clusterArn": CLUSTER, "group": "service:web",
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:18",
        "startedBy": "ecs-svc/2222222222222222222", "lastStatus": "RUNNING", "desiredStatus": "RUNNING",
        "createdAt": 1_790_000_000.5, "startedAt": 1_790_000_040.25, "pullStartedAt": 1_790_000_010,
        "connectivity": "CONNECTED", "availabilityZone": "eu-west-1a", "launchType": "FARGATE",
        "capacityProviderName": "FARGATE", "cpu": "256", "memory": "512", "healthStatus": "HEALTHY",
        "version": 4, "enableExecuteCommand": false, "ephemeralStorage": {"sizeInGiB": 20},
        "containers": [{"name": "web", "lastStatus": "RUNNING", "runtimeId": "x", "healthStatus": "UNKNOWN"}],
        "attachments": [], "attributes": [], "overrides": {"containerOverrides": []}, "tags": []
    });
    let short = json!({"taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/{B}"), "lastStatus": null});
    let (c, d) = ("c".repeat(32), "d".repeat(32));
    let deleted = json!({"taskArn": task_arn(&c), "lastStatus": "DELETED"});
    let unknown = json!({"taskArn": task_arn(&d), "lastStatus": "FROM_THE_FUTURE"});
    let canned = CannedAws::returning(json!({"tasks": [full, short, deleted, unknown], "failures": []})).await;
    let described = canned.ecs.describe_tasks(&cluster(), &ids(&[A, B, &c, &d])).await.unwrap();
    let request = json!({"cluster": CLUSTER, "tasks": [A, B, c, d]});
    canned.assert_called("DescribeTasks", &request);
    let with_status = |id: &str, last_status: &str| TaskDescription {
        id: id.parse().unwrap(),
        service: None,
        started_by: None,
        last_status: last_status.to_owned(),
        desired_status: String::new(),
        stop: taskhold::ecs::task::StopCause::default(),
    };
    let expected = [
        TaskDescription {
            id: A.parse().unwrap(),
            service: Some("web".to_owned()),
            started_by: Some("ecs-svc/2222222222222222222".to_owned()),
            last_status: "RUNNING".to_owned(),
            desired_status: "RUNNING".to_owned(),
            stop: taskhold::ecs::task::StopCause::default(),
        },
        with_status(B, ""),
        with_status(&c, "DELETED"),
        with_status(&d, "FROM_THE_FUTURE"),
    ];
    assert_eq!(described, expected);
}

#[tokio::test]
async fn a_task_that_is_gone_is_omitted_and_one_that_is_not_answered_for_is_an_error() {
    let canned = CannedAws::new().await;
    let a = json!({"taskArn": task_arn(A), "lastStatus": "RUNNING", "desiredStatus": "RUNNING"});
    let short_b = format!("arn:aws:ecs:eu-west-1:111122223333:task/{B}");
    for arn in [task_arn(B), short_b] {
        canned.set_output(json!({"tasks": [a], "failures": [{"arn": arn, "reason": "MISSING"}]}));
        let described = canned.ecs.describe_tasks(&cluster(), &ids(&[A, B])).await.unwrap();
        assert_eq!(described.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), [A]);
    }
    for failures in [
        json!([]),
        json!([{"arn": task_arn(A), "reason": "MISSING"}]),
        json!([{"arn": task_arn(B), "reason": "FROM_THE_FUTURE"}]),
        json!([{"reason": "MISSING"}]),
        Value::Null,
    ] {
        canned.set_output(json!({"tasks": [a, {"lastStatus": "RUNNING"}], "failures": failures}));
        let error = canned.ecs.describe_tasks(&cluster(), &ids(&[A, B])).await.unwrap_err();
        assert!(matches!(&error, EcsError::Incomplete(text) if text.contains(B)), "{failures}: {error:?}");
    }
}

#[tokio::test]
async fn protection_is_read_by_cluster_and_id_for_protected_unprotected_and_refused_tasks() {
    let canned = CannedAws::returning(json!({
        "protectedTasks": [
            {"taskArn": task_arn(A), "protectionEnabled": true, "expirationDate": 1_790_007_200.125},
            {"taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/{B}"), "protectionEnabled": false},
        ],
        "failures": [{"arn": task_arn(OLD_FORMAT), "reason": "TASK_NOT_VALID", "detail": "no service"}],
    }))
    .await;
    let answer = canned.ecs.get_task_protection(&cluster(), &ids(&[A, B, OLD_FORMAT])).await.unwrap();
    let request = json!({"cluster": CLUSTER, "tasks": [A, B, OLD_FORMAT]});
    canned.assert_called("GetTaskProtection", &request);
    let task = |id: &str, protection_enabled, expiration_date| ProtectedTask {
        task_id: id.parse().unwrap(),
        protection_enabled,
        expiration_date,
    };
    let refused = ProtectionFailure {
        task_id: OLD_FORMAT.parse().unwrap(),
        reason: FailureReason::TaskNotValid,
        detail: Some("no service".to_owned()),
    };
    let expected = ProtectionAnswer {
        protected_tasks: vec![task(A, true, Some(at(1_790_007_200_125))), task(B, false, None)],
        failures: vec![refused],
    };
    assert_eq!(answer, expected);
    canned.set_output(json!({}));
    let answer = canned.ecs.get_task_protection(&cluster(), &ids(&[A])).await.unwrap();
    assert_eq!(answer, ProtectionAnswer::default(), "who asks has to see that nothing was answered");
}

#[tokio::test]
async fn services_are_listed_by_cluster_page_by_page_in_long_and_in_short_form() {
    let canned = CannedAws::new().await;
    let others = ["", "arn:aws:ecs:eu-west-1:111122223333:service/video/a b"];
    canned.set([
        ServiceAnswer::Output(json!({"serviceArns": [LONG, SHORT.replace("web", "api")], "nextToken": "t-1"})),
        ServiceAnswer::Output(json!({"serviceArns": others})),
    ]);
    let first = canned.ecs.list_services(&cluster(), None).await.unwrap();
    let api = ServiceArn::new(cluster(), "api").unwrap();
    assert_eq!((first.items, first.next_token.as_deref()), (vec![web(), api], Some("t-1")));
    let request = json!({"cluster": CLUSTER, "maxResults": 100});
    canned.assert_called("ListServices", &request);
    let last = canned.ecs.list_services(&cluster(), Some("t-1")).await.unwrap();
    assert_eq!((last.items, last.next_token), (Vec::new(), None), "an ARN that is not a service's is left out");
    let mut with_token = request;
    with_token["nextToken"] = json!("t-1");
    canned.assert_called("ListServices", &with_token);
}

#[tokio::test]
async fn a_service_deployment_is_read_member_by_member() {
    let revision = |name: &str, running: u64| {
        json!({"arn": name, "requestedTaskCount": 2, "runningTaskCount": running, "pendingTaskCount": 1,
            "requestedTestTrafficWeight": 0.0, "requestedProductionTrafficWeight": 100.0})
    };
    let canned = CannedAws::returning(json!({"serviceDeployments": [{
        "serviceDeploymentArn": SERVICE_DEPLOYMENT, "serviceArn": LONG, "clusterArn": CLUSTER,
        "createdAt": 1_790_000_000.5, "startedAt": 1_790_000_001, "finishedAt": 1_790_000_900.25,
        "updatedAt": 1_790_000_002, "status": "IN_PROGRESS", "statusReason": "…",
        "sourceServiceRevisions": [revision("old", 2)], "targetServiceRevision": revision("new", 1),
        "lifecycleStage": "POST_SCALE_UP",
        "lifecycleHookDetails": [
            {"hookId": "h-1", "targetType": "PAUSE", "status": "AWAITING_ACTION", "expiresAt": 1_790_086_400,
             "timeoutAction": "ROLLBACK"},
            {"hookId": "h-2", "targetType": "AWS_LAMBDA", "targetArn": HOOK_FUNCTION, "status": "IN_PROGRESS"},
            {"status": "IN_PROGRESS"}],
        "rollback": {"reason": "…", "startedAt": 1_790_000_800},
        "deploymentConfiguration": {}
    }, {"status": "IN_PROGRESS"}], "failures": []}))
    .await;
    let arn: taskhold::ecs::service_deployment::ServiceDeploymentArn = SERVICE_DEPLOYMENT.parse().unwrap();
    let read = canned.ecs.describe_service_deployments(std::slice::from_ref(&arn)).await.unwrap();
    let request = json!({"serviceDeploymentArns": [SERVICE_DEPLOYMENT]});
    canned.assert_called("DescribeServiceDeployments", &request);
    let counts = |name: &str, running| RevisionCounts { arn: name.to_owned(), requested: 2, running, pending: 1 };
    let expected = ServiceDeployment {
        arn,
        status: ServiceDeploymentStatus::InProgress,
        finished_at: Some(at(1_790_000_900_250)),
        stage: Some(LifecycleStage::PostScaleUp),
        hooks: vec![
            LifecycleHook {
                id: "h-1".to_owned(),
                target: None,
                status: HookStatus::AwaitingAction,
                expires_at: Some(at(1_790_086_400_000)),
                timeout_action: HookAction::Rollback,
            },
            LifecycleHook {
                id: "h-2".to_owned(),
                target: Some(HOOK_FUNCTION.to_owned()),
                status: HookStatus::InProgress,
                expires_at: None,
                timeout_action: HookAction::Other(String::new()),
            },
        ],
        rollback_started_at: Some(at(1_790_000_800_000)),
        revisions: vec![counts("new", 1), counts("old", 2)],
    };
    assert_eq!(read, [expected]);
}

#[tokio::test]
async fn several_service_deployments_are_read_in_one_call() {
    let other = SERVICE_DEPLOYMENT.replace("/web/", "/api/");
    let described = |arn: &str| json!({"serviceDeploymentArn": arn, "status": "PENDING"});
    let answer = json!({"serviceDeployments": [described(&other), described(SERVICE_DEPLOYMENT)], "failures": []});
    let canned = CannedAws::returning(answer).await;
    let arns = [SERVICE_DEPLOYMENT, &other].map(|arn| arn.parse().unwrap());
    let read = canned.ecs.describe_service_deployments(&arns).await.unwrap();
    let request = json!({"serviceDeploymentArns": [SERVICE_DEPLOYMENT, other]});
    canned.assert_called("DescribeServiceDeployments", &request);
    assert_eq!(
        read.into_iter().map(|deployment| deployment.arn).collect::<Vec<_>>(),
        [&arns[1], &arns[0]].map(Clone::clone)
    );
}

#[tokio::test]
async fn a_service_deployment_that_ecs_does_not_know_is_left_out_and_a_stage_of_the_future_is_kept() {
    let canned = CannedAws::returning(json!({"serviceDeployments": [], "failures": [
        {"arn": SERVICE_DEPLOYMENT, "reason": "MISSING"}]}))
    .await;
    let arns = [SERVICE_DEPLOYMENT.parse().unwrap()];
    assert_eq!(canned.ecs.describe_service_deployments(&arns).await.unwrap(), []);
    canned.set_output(json!({"serviceDeployments": [
        {"serviceDeploymentArn": SERVICE_DEPLOYMENT, "status": "SLEEPING", "lifecycleStage": "DREAMING"}]}));
    let read = canned.ecs.describe_service_deployments(&arns).await.unwrap();
    assert_eq!(read[0].status, ServiceDeploymentStatus::Other("SLEEPING".to_owned()));
    assert_eq!(read[0].stage, Some(LifecycleStage::Other("DREAMING".to_owned())));
}

/// Makes each read once and checks its operation.
async fn every_read(canned: &CannedAws) -> Vec<(String, EcsError)> {
    let mut failed = Vec::new();
    let mut keep = |error: EcsError| failed.push((canned.take_call().operation, error));
    keep(canned.describe().await.unwrap_err());
    keep(canned.ecs.list_tasks(&web(), None).await.unwrap_err());
    keep(canned.ecs.describe_tasks(&cluster(), &ids(&[A])).await.unwrap_err());
    keep(canned.ecs.get_task_protection(&cluster(), &ids(&[A])).await.unwrap_err());
    keep(canned.ecs.list_services(&cluster(), None).await.unwrap_err());
    let arns = [SERVICE_DEPLOYMENT.parse().unwrap()];
    keep(canned.ecs.describe_service_deployments(&arns).await.unwrap_err());
    failed
}

#[tokio::test]
async fn every_exception_of_every_read_is_the_error_of_its_code_and_is_not_tried_again() {
    let canned = CannedAws::new().await;
    let operations = [
        "DescribeServices",
        "ListTasks",
        "DescribeTasks",
        "GetTaskProtection",
        "ListServices",
        "DescribeServiceDeployments",
    ];
    for (exception, expected) in ecs_exceptions() {
        canned.set([exception]);
        let expected: Vec<_> = operations.iter().map(|name| ((*name).to_owned(), expected.clone())).collect();
        assert_eq!(every_read(&canned).await, expected);
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_is_no_answer_for_every_read() {
    let canned = CannedAws::new().await;
    canned.set([ServiceAnswer::ConnectionLost]);
    for (operation, error) in every_read(&canned).await {
        assert!(matches!(error, EcsError::NoAnswer(_)), "{operation}: {error:?}");
    }
}
