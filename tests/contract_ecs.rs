//! The ECS adapter against canned answers on loopback: the exact requests, sent once, and the result of every
//! answer.

use crate::canned_aws::{CannedAws, ecs_exceptions};
use crate::canned_http::{HttpReply, serve};
use crate::simulated::sdk_config;
use aws_config::timeout::TimeoutConfig;
use ecs_sim::http::ServiceAnswer;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;
use taskhold::aws;
use taskhold::aws::ecs::AwsEcs;
use taskhold::ecs::arn::TaskId;
use taskhold::ecs::error::{Disposition, EcsError, Effect};
use taskhold::ecs::{Ecs, FailureReason, ProtectedTask, ProtectionAnswer, ProtectionFailure, ProtectionSetting};

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";
const A: &str = "6b777c1809a94925ab48098fa09824de";
const B: &str = "4f0c2a9be1d84763a5c07be214d95f3a";
const C: &str = "9d61e7f83b2c4a10b6e58c0f7a3d2e91";

fn long_arn(id: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{id}")
}

fn short_arn(id: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:111122223333:task/{id}")
}

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

#[tokio::test]
async fn without_a_region_in_the_environment_that_of_the_clusters_counts() {
    for variable in [None, Some(("AWS_REGION".to_owned(), String::new()))] {
        let config = aws::sdk_config(&variable.into_iter().collect(), "eu-south-2").await.unwrap();
        assert_eq!(config.region().map(AsRef::as_ref), Some("eu-south-2"));
    }
}

/// The result of a release for which an ECS gives this reply. The call is sent exactly once.
async fn release_before(reply: HttpReply) -> Result<ProtectionAnswer, EcsError> {
    let (endpoint, calls) = serve(move |_| reply.clone());
    let answer = release(&AwsEcs::new(&sdk_config(&endpoint).await)).await;
    assert_eq!(calls.lock().unwrap().len(), 1, "a call is sent exactly once");
    answer
}

fn http(status: &str, headers: &str, body: &str) -> HttpReply {
    let bytes = body.len();
    HttpReply::Bytes(format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {bytes}\r\n\r\n{body}"
    ))
}

async fn set_protection(
    ecs: &AwsEcs,
    setting: ProtectionSetting,
    tasks: &[&str],
) -> Result<ProtectionAnswer, EcsError> {
    let tasks: Vec<TaskId> = tasks.iter().map(|task| id(task)).collect();
    ecs.update_task_protection(&CLUSTER.parse().unwrap(), setting, &tasks).await
}

async fn release(ecs: &AwsEcs) -> Result<ProtectionAnswer, EcsError> {
    set_protection(ecs, ProtectionSetting::Disabled, &[A]).await
}

fn nothing() -> Value {
    json!({"protectedTasks": [], "failures": []})
}

#[tokio::test]
async fn a_protection_names_cluster_tasks_and_minutes_and_nothing_else() {
    let canned = CannedAws::returning(nothing()).await;
    let setting = ProtectionSetting::Enabled { expires_in_minutes: 2880 };
    set_protection(&canned.ecs, setting, &[A, B]).await.unwrap();
    let call = canned.take_call();
    assert_eq!(call.operation, "UpdateTaskProtection");
    let expected = json!({"cluster": CLUSTER, "tasks": [A, B], "protectionEnabled": true, "expiresInMinutes": 2880});
    assert_eq!(call.body, expected);
    assert_eq!(call.access_key_id.as_deref(), Some("AROAEXAMPLE:taskhold"), "the call is signed");
}

#[tokio::test]
async fn a_release_names_no_minutes() {
    let canned = CannedAws::returning(nothing()).await;
    release(&canned.ecs).await.unwrap();
    assert_eq!(canned.take_call().body, json!({"cluster": CLUSTER, "tasks": [A], "protectionEnabled": false}));
}

#[tokio::test]
async fn protected_tasks_and_failures_of_one_answer_are_both_read_by_long_and_short_arn() {
    let canned = CannedAws::returning(json!({
        "protectedTasks": [
            {"taskArn": long_arn(A), "protectionEnabled": true, "expirationDate": 1_790_000_000.25},
            {"taskArn": short_arn(B), "protectionEnabled": true, "expirationDate": 1_790_000_060, "fromTheFuture": [1]},
        ],
        "failures": [
            {"arn": short_arn(C), "reason": "DEPLOYMENT_BLOCKED", "detail": "protected tasks prevent steady state"},
        ],
        "fromTheFuture": {"a": null},
    }))
    .await;
    let answer = release(&canned.ecs).await.unwrap();
    let protected = |task, millis| ProtectedTask {
        task_id: id(task),
        protection_enabled: true,
        expiration_date: Some(Timestamp::from_millisecond(millis).unwrap()),
    };
    assert_eq!(answer.protected_tasks, [protected(A, 1_790_000_000_250), protected(B, 1_790_000_060_000)]);
    let detail = Some("protected tasks prevent steady state".to_owned());
    assert_eq!(
        answer.failures,
        [ProtectionFailure { task_id: id(C), reason: FailureReason::DeploymentBlocked, detail }]
    );
}

#[tokio::test]
async fn an_entry_that_names_no_task_counts_as_not_answered_and_its_neighbours_stay() {
    let canned = CannedAws::returning(json!({
        "protectedTasks": [
            {"protectionEnabled": true, "expirationDate": 1_790_000_000},
            {"taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/video/none", "protectionEnabled": true},
            {"taskArn": null, "protectionEnabled": true},
            {"taskArn": long_arn(A), "protectionEnabled": false},
        ],
        "failures": [{"reason": "MISSING"}, {"arn": "", "reason": "MISSING"}, {"arn": long_arn(B), "reason": "MISSING"}],
    }))
    .await;
    let answer = release(&canned.ecs).await.unwrap();
    let released = ProtectedTask { task_id: id(A), protection_enabled: false, expiration_date: None };
    assert_eq!(answer.protected_tasks, [released]);
    assert_eq!(answer.failures, [ProtectionFailure { task_id: id(B), reason: FailureReason::Missing, detail: None }]);
}

#[tokio::test]
async fn a_protection_without_its_end_is_forwarded_without_an_end() {
    let task = json!({"taskArn": long_arn(A), "protectionEnabled": true});
    let canned = CannedAws::returning(json!({"protectedTasks": [task]})).await;
    let answer = release(&canned.ecs).await.unwrap();
    let protected = ProtectedTask { task_id: id(A), protection_enabled: true, expiration_date: None };
    assert_eq!(answer, ProtectionAnswer { protected_tasks: vec![protected], failures: Vec::new() });
}

#[tokio::test]
async fn empty_missing_and_null_lists_are_an_answer_about_no_task() {
    let canned = CannedAws::returning(nothing()).await;
    for output in [json!({"protectedTasks": [], "failures": []}), json!({}), json!({"protectedTasks": null})] {
        canned.set_output(output.clone());
        assert_eq!(release(&canned.ecs).await, Ok(ProtectionAnswer::default()), "{output}");
    }
}

#[tokio::test]
async fn every_failure_reason_is_forwarded_also_an_unknown_one() {
    let canned = CannedAws::returning(nothing()).await;
    for (word, reason) in [
        (Some("DEPLOYMENT_BLOCKED"), FailureReason::DeploymentBlocked),
        (Some("MISSING"), FailureReason::Missing),
        (Some("TASK_NOT_VALID"), FailureReason::TaskNotValid),
        (Some("FROM_THE_FUTURE"), FailureReason::Other("FROM_THE_FUTURE".to_owned())),
        (None, FailureReason::Other(String::new())),
    ] {
        canned.set_output(json!({"failures": [{"arn": long_arn(A), "reason": word}]}));
        let failures = release(&canned.ecs).await.unwrap().failures;
        assert_eq!(failures, [ProtectionFailure { task_id: id(A), reason, detail: None }]);
    }
}

#[tokio::test]
async fn every_exception_of_ecs_is_the_error_of_its_code_with_its_text_and_is_not_tried_again() {
    let canned = CannedAws::returning(nothing()).await;
    for (exception, expected) in ecs_exceptions() {
        canned.set([exception]);
        assert_eq!(release(&canned.ecs).await, Err(expected));
        assert_eq!(canned.take_call().operation, "UpdateTaskProtection");
    }
}

#[tokio::test]
async fn an_exception_is_known_by_its_qualified_type_too() {
    let body = r#"{"__type":"com.amazonaws.ecs#ClusterNotFoundException","Message":"Cluster not found."}"#;
    let released = release_before(http("400 Bad Request", "", body)).await;
    assert_eq!(released, Err(EcsError::ClusterNotFound("Cluster not found.".to_owned())));
}

#[tokio::test]
async fn an_unreadable_answer_proves_nothing_and_is_reported_by_its_status_without_its_body() {
    for (status, body) in [
        ("500 Internal Server Error", "<html>secret</html>"),
        ("503 Service Unavailable", ""),
        ("502 Bad Gateway", r#"{"unknown":"secret"}"#),
        ("403 Forbidden", "secret"),
        ("200 OK", r#"{"protectedTasks":[{"taskArn":"secret"#),
    ] {
        let error = release_before(http(status, "Content-Type: text/html\r\n", body)).await.unwrap_err();
        assert_eq!((error.effect(), error.disposition()), (Effect::Unknown, Disposition::Retry), "{error}");
        assert_eq!(matches!(error, EcsError::Server(_)), status.starts_with('5'), "{error:?}");
        assert!(error.to_string().contains(&format!("HTTP {}", &status[..3])), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_is_no_answer_and_the_call_is_not_sent_again() {
    let canned = CannedAws::answering(ServiceAnswer::ConnectionLost).await;
    let error = release(&canned.ecs).await.unwrap_err();
    assert!(matches!(error, EcsError::NoAnswer(_)), "{error:?}");
    canned.take_call();
}

#[tokio::test]
async fn a_connection_that_was_used_before_and_is_lost_does_not_make_the_call_be_sent_again() {
    let canned = CannedAws::returning(nothing()).await;
    release(&canned.ecs).await.unwrap();
    canned.take_call();
    canned.set([ServiceAnswer::ConnectionLost]);
    assert!(matches!(release(&canned.ecs).await, Err(EcsError::NoAnswer(_))));
    canned.take_call();
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let HttpReply::Bytes(mut bytes) = http("200 OK", "", &nothing().to_string()) else { unreachable!() };
    bytes.truncate(bytes.len() - 10);
    let error = release_before(HttpReply::Bytes(bytes)).await.unwrap_err();
    assert!(matches!(error, EcsError::NoAnswer(_)), "{error:?}");
}

#[tokio::test]
async fn without_a_listener_there_is_no_answer() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let ecs = AwsEcs::new(&sdk_config(&format!("http://127.0.0.1:{port}")).await);
    let error = release(&ecs).await.unwrap_err();
    assert!(matches!(error, EcsError::NoAnswer(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_within_the_time_that_a_call_gets() {
    let (endpoint, calls) = serve(|_| HttpReply::Silence);
    let config = sdk_config(&endpoint).await;
    let timeouts = config.timeout_config().unwrap();
    assert!(timeouts.operation_timeout().unwrap() < taskhold::budget::CALL_TIME.unsigned_abs(), "{timeouts:?}");

    // The same with shorter timeouts, to keep the test fast.
    let short = TimeoutConfig::builder().operation_timeout(Duration::from_millis(200)).build();
    let ecs = AwsEcs::new(&config.into_builder().timeout_config(short).build());
    let error = release(&ecs).await.unwrap_err();
    assert!(matches!(error, EcsError::NoAnswer(_)), "{error:?}");
    assert_eq!(calls.lock().unwrap().len(), 1);
}
