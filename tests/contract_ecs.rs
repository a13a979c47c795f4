//! The ECS adapter against canned answers on loopback: the exact requests, sent once, and the result of every
//! answer.

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::Credentials;
use ecs_sim::http::{Server, ServerOptions, ServiceAnswer, ServiceCall, ServiceError};
use jiff::Timestamp;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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

async fn sdk_config(endpoint: &str) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"));
    aws::with_own_settings(loader, &aws::trust::Trust::Amazon).load().await
}

#[tokio::test]
async fn without_a_region_in_the_environment_that_of_the_clusters_counts() {
    for variable in [None, Some(("AWS_REGION".to_owned(), String::new()))] {
        let config = aws::sdk_config(&variable.into_iter().collect(), "eu-south-2").await.unwrap();
        assert_eq!(config.region().map(AsRef::as_ref), Some("eu-south-2"));
    }
}

/// The adapter on an ECS that gives each call the most recently configured answer and records the calls.
struct Canned {
    ecs: AwsEcs,
    shared: Arc<Mutex<(ServiceAnswer, Vec<ServiceCall>)>>,
    _server: Server,
}

impl Canned {
    async fn answering(answer: ServiceAnswer) -> Self {
        let shared = Arc::new(Mutex::new((answer, Vec::new())));
        let backend = {
            let shared = Arc::clone(&shared);
            move |call: ServiceCall| {
                let mut shared = shared.lock().unwrap();
                shared.1.push(call);
                shared.0.clone()
            }
        };
        let server = Server::start(Arc::new(Mutex::new(backend)), ServerOptions::default()).await.unwrap();
        let ecs = AwsEcs::new(&sdk_config(&server.endpoint()).await);
        Self { ecs, shared, _server: server }
    }

    fn set(&self, answer: ServiceAnswer) {
        self.shared.lock().unwrap().0 = answer;
    }

    /// The only call since the last one was taken.
    fn take_call(&self) -> ServiceCall {
        let calls = std::mem::take(&mut self.shared.lock().unwrap().1);
        let [call] = calls.try_into().expect("each call is sent exactly once");
        call
    }
}

/// A server that answers every request with these bytes and closes the connection. Without bytes it never answers.
struct Raw {
    endpoint: String,
    requests: Arc<AtomicUsize>,
}

impl Raw {
    fn answering(answer: Option<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        // Ends with the test's process: the test does not wait for it.
        std::thread::spawn(move || {
            let mut unanswered = Vec::new();
            for mut stream in listener.incoming().flatten() {
                read_request(&stream);
                counted.fetch_add(1, Ordering::SeqCst);
                match &answer {
                    Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                    None => unanswered.push(stream),
                }
            }
        });
        Self { endpoint, requests }
    }

    async fn ask(&self) -> Result<ProtectionAnswer, EcsError> {
        let answer = release(&AwsEcs::new(&sdk_config(&self.endpoint).await)).await;
        assert_eq!(self.requests.load(Ordering::SeqCst), 1, "a call is sent exactly once");
        answer
    }
}

fn read_request(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut body_bytes = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", bytes)) => body_bytes = bytes.parse().unwrap(),
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; body_bytes]).unwrap();
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let bytes = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {bytes}\r\n\r\n{body}")
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

fn nothing() -> ServiceAnswer {
    ServiceAnswer::Output(json!({"protectedTasks": [], "failures": []}))
}

#[tokio::test]
async fn a_protection_names_cluster_tasks_and_minutes_and_nothing_else() {
    let canned = Canned::answering(nothing()).await;
    let setting = ProtectionSetting::Enabled { expires_in_minutes: 2880 };
    set_protection(&canned.ecs, setting, &[A, B]).await.unwrap();
    let call = canned.take_call();
    assert_eq!(call.operation, "UpdateTaskProtection");
    let expected = json!({"cluster": CLUSTER, "tasks": [A, B], "protectionEnabled": true, "expiresInMinutes": 2880});
    assert_eq!(call.body, expected);
    assert_eq!(call.access_key_id.as_deref(), Some("AKIDEXAMPLE"), "the call is signed");
}

#[tokio::test]
async fn a_release_names_no_minutes() {
    let canned = Canned::answering(nothing()).await;
    release(&canned.ecs).await.unwrap();
    assert_eq!(canned.take_call().body, json!({"cluster": CLUSTER, "tasks": [A], "protectionEnabled": false}));
}

#[tokio::test]
async fn protected_tasks_and_failures_of_one_answer_are_both_read_by_long_and_short_arn() {
    let canned = Canned::answering(ServiceAnswer::Output(json!({
        "protectedTasks": [
            {"taskArn": long_arn(A), "protectionEnabled": true, "expirationDate": 1_790_000_000.25},
            {"taskArn": short_arn(B), "protectionEnabled": true, "expirationDate": 1_790_000_060, "fromTheFuture": [1]},
        ],
        "failures": [
            {"arn": short_arn(C), "reason": "DEPLOYMENT_BLOCKED", "detail": "protected tasks prevent steady state"},
        ],
        "fromTheFuture": {"a": null},
    })))
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
    let canned = Canned::answering(ServiceAnswer::Output(json!({
        "protectedTasks": [
            {"protectionEnabled": true, "expirationDate": 1_790_000_000},
            {"taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/video/none", "protectionEnabled": true},
            {"taskArn": null, "protectionEnabled": true},
            {"taskArn": long_arn(A), "protectionEnabled": false},
        ],
        "failures": [{"reason": "MISSING"}, {"arn": "", "reason": "MISSING"}, {"arn": long_arn(B), "reason": "MISSING"}],
    })))
    .await;
    let answer = release(&canned.ecs).await.unwrap();
    let released = ProtectedTask { task_id: id(A), protection_enabled: false, expiration_date: None };
    assert_eq!(answer.protected_tasks, [released]);
    assert_eq!(answer.failures, [ProtectionFailure { task_id: id(B), reason: FailureReason::Missing, detail: None }]);
}

#[tokio::test]
async fn a_protection_without_its_end_is_forwarded_without_an_end() {
    let task = json!({"taskArn": long_arn(A), "protectionEnabled": true});
    let canned = Canned::answering(ServiceAnswer::Output(json!({"protectedTasks": [task]}))).await;
    let answer = release(&canned.ecs).await.unwrap();
    let protected = ProtectedTask { task_id: id(A), protection_enabled: true, expiration_date: None };
    assert_eq!(answer, ProtectionAnswer { protected_tasks: vec![protected], failures: Vec::new() });
}

#[tokio::test]
async fn empty_missing_and_null_lists_are_an_answer_about_no_task() {
    let canned = Canned::answering(nothing()).await;
    for output in [json!({"protectedTasks": [], "failures": []}), json!({}), json!({"protectedTasks": null})] {
        canned.set(ServiceAnswer::Output(output.clone()));
        assert_eq!(release(&canned.ecs).await, Ok(ProtectionAnswer::default()), "{output}");
    }
}

#[tokio::test]
async fn every_failure_reason_is_forwarded_also_an_unknown_one() {
    let canned = Canned::answering(nothing()).await;
    for (word, reason) in [
        (Some("DEPLOYMENT_BLOCKED"), FailureReason::DeploymentBlocked),
        (Some("MISSING"), FailureReason::Missing),
        (Some("TASK_NOT_VALID"), FailureReason::TaskNotValid),
        (Some("FROM_THE_FUTURE"), FailureReason::Other("FROM_THE_FUTURE".to_owned())),
        (None, FailureReason::Other(String::new())),
    ] {
        canned.set(ServiceAnswer::Output(json!({"failures": [{"arn": long_arn(A), "reason": word}]})));
        let failures = release(&canned.ecs).await.unwrap().failures;
        assert_eq!(failures, [ProtectionFailure { task_id: id(A), reason, detail: None }]);
    }
}

#[tokio::test]
async fn every_exception_of_ecs_is_the_error_of_its_code_with_its_text_and_is_not_tried_again() {
    let canned = Canned::answering(nothing()).await;
    let with_cause = |code: &str| format!("{code}: because of x");
    for (code, status, expected) in [
        ("AccessDeniedException", 400, EcsError::AccessDenied(with_cause("AccessDeniedException"))),
        ("ClientException", 400, EcsError::Rejected(with_cause("ClientException"))),
        ("ClusterNotFoundException", 400, EcsError::ClusterNotFound("because of x".to_owned())),
        ("InvalidParameterException", 400, EcsError::Rejected(with_cause("InvalidParameterException"))),
        ("ResourceNotFoundException", 400, EcsError::NotFound("because of x".to_owned())),
        ("ServerException", 500, EcsError::Server(with_cause("ServerException"))),
        ("UnsupportedFeatureException", 400, EcsError::Rejected(with_cause("UnsupportedFeatureException"))),
        ("ThrottlingException", 400, EcsError::Throttled),
        ("ExpiredTokenException", 400, EcsError::AccessDenied(with_cause("ExpiredTokenException"))),
        ("FromTheFutureException", 400, EcsError::Server(with_cause("FromTheFutureException"))),
    ] {
        let (code, message) = (code.to_owned(), "because of x".to_owned());
        canned.set(ServiceAnswer::Error(ServiceError { code: code.clone(), message, status }));
        assert_eq!(release(&canned.ecs).await, Err(expected), "{code}");
        assert_eq!(canned.take_call().operation, "UpdateTaskProtection");
    }
}

#[tokio::test]
async fn an_exception_is_known_by_its_qualified_type_too() {
    let body = r#"{"__type":"com.amazonaws.ecs#ClusterNotFoundException","Message":"Cluster not found."}"#;
    let raw = Raw::answering(Some(http("400 Bad Request", "", body)));
    assert_eq!(raw.ask().await, Err(EcsError::ClusterNotFound("Cluster not found.".to_owned())));
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
        let raw = Raw::answering(Some(http(status, "Content-Type: text/html\r\n", body)));
        let error = raw.ask().await.unwrap_err();
        assert_eq!((error.effect(), error.disposition()), (Effect::Unknown, Disposition::Retry), "{error}");
        assert_eq!(matches!(error, EcsError::Server(_)), status.starts_with('5'), "{error:?}");
        assert!(error.to_string().contains(&format!("HTTP {}", &status[..3])), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_is_no_answer_and_the_call_is_not_sent_again() {
    let canned = Canned::answering(ServiceAnswer::ConnectionLost).await;
    let error = release(&canned.ecs).await.unwrap_err();
    assert!(matches!(error, EcsError::NoAnswer(_)), "{error:?}");
    canned.take_call();
}

#[tokio::test]
async fn a_connection_that_was_used_before_and_is_lost_does_not_make_the_call_be_sent_again() {
    let canned = Canned::answering(nothing()).await;
    release(&canned.ecs).await.unwrap();
    canned.take_call();
    canned.set(ServiceAnswer::ConnectionLost);
    assert!(matches!(release(&canned.ecs).await, Err(EcsError::NoAnswer(_))));
    canned.take_call();
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let whole = http("200 OK", "", r#"{"protectedTasks":[],"failures":[]}"#);
    let error = Raw::answering(Some(whole[..whole.len() - 10].to_owned())).ask().await.unwrap_err();
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
    let raw = Raw::answering(None);
    let config = sdk_config(&raw.endpoint).await;
    let timeouts = config.timeout_config().unwrap();
    assert!(timeouts.operation_timeout().unwrap() < taskhold::budget::CALL_TIME.unsigned_abs(), "{timeouts:?}");

    // The same with shorter timeouts, to keep the test fast.
    let short = TimeoutConfig::builder().operation_timeout(Duration::from_millis(200)).build();
    let ecs = AwsEcs::new(&config.into_builder().timeout_config(short).build());
    let error = release(&ecs).await.unwrap_err();
    assert!(matches!(error, EcsError::NoAnswer(_)), "{error:?}");
    assert_eq!(raw.requests.load(Ordering::SeqCst), 1);
}
