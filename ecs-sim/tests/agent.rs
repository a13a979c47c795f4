//! The endpoints of a container, through plain HTTP/1.1 over TCP.

use ecs_sim::control_plane::{ControlPlane, ServiceSpec, Setup};
use ecs_sim::http::{AgentErrorShape, AgentFault, Server, ServerOptions, Services, wall_clock};
use ecs_sim::queue::{QueueOrigin, Queues};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server, and the ids of a service's task and of a task without a service.
async fn server() -> (Server, String, String) {
    let mut ecs = ControlPlane::new(Setup { now: wall_clock(), ..Setup::default() });
    ecs.create_cluster("video");
    let task = ecs.create_service(ServiceSpec::new("video", "encode", 1)).unwrap().remove(0);
    let standalone = ecs.run_standalone_task("video").unwrap();
    let queues = Queues::new(QueueOrigin::new("eu-west-1", "111122223333"), wall_clock());
    let services = Arc::new(Mutex::new(Services::new(ecs, queues, wall_clock)));
    let options = ServerOptions { cluster: "video".to_owned(), ..ServerOptions::default() };
    (Server::start(services, options).await.unwrap(), task, standalone)
}

/// Status and body; status 0 if the connection ended without an answer.
async fn ask(server: &Server, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), body.to_owned())
}

fn json(answer: &(u16, String)) -> Value {
    serde_json::from_str(&answer.1).unwrap_or_else(|_| panic!("{answer:?}"))
}

fn protection(task: &str) -> String {
    format!("/api/{task}/task-protection/v1/state")
}

const PROTECT: &str = r#"{"ProtectionEnabled": true, "ExpiresInMinutes": 60}"#;

#[tokio::test]
async fn a_container_protects_its_task_and_reads_that_it_did() {
    let (server, task, _) = server().await;
    let granted = ask(&server, "PUT", &protection(&task), PROTECT).await;
    assert_eq!(granted.0, 200);
    let granted = json(&granted)["protection"].clone();
    assert_eq!(granted["ProtectionEnabled"], true);
    assert!(granted["ExpirationDate"].as_str().unwrap().ends_with('Z'));
    let read = json(&ask(&server, "GET", &protection(&task), "").await);
    assert_eq!(read["protection"], granted);
    let cleared = json(&ask(&server, "PUT", &protection(&task), r#"{"ProtectionEnabled": false}"#).await);
    assert_eq!(cleared["protection"]["ProtectionEnabled"], false);
}

#[tokio::test]
async fn a_refusal_of_ecs_has_status_200() {
    let (server, _, standalone) = server().await;
    let refused = ask(&server, "PUT", &protection(&standalone), PROTECT).await;
    assert_eq!((refused.0, json(&refused)["failure"]["Reason"].clone()), (200, json!("TASK_NOT_VALID")));
}

#[tokio::test]
async fn metadata_names_the_task_and_its_desired_status() {
    let (server, task, _) = server().await;
    let metadata = json(&ask(&server, "GET", &format!("/v4/{task}/task"), "").await);
    assert!(metadata["TaskARN"].as_str().unwrap().ends_with(&format!("task/video/{task}")), "{metadata}");
    assert_eq!((&metadata["Cluster"], &metadata["DesiredStatus"]), (&json!("video"), &json!("RUNNING")));
    let container = json(&ask(&server, "GET", &format!("/v4/{task}"), "").await);
    assert_eq!(container["Name"], "app");
}

#[tokio::test]
async fn errors_have_the_shape_of_the_agents_version() {
    let (server, task, _) = server().await;
    let invalid = ask(&server, "PUT", &protection(&task), "{}").await;
    assert_eq!((invalid.0, json(&invalid)["error"]["Code"].clone()), (400, json!("InvalidParameterException")));
    let unknown = ask(&server, "GET", &protection("ffff"), "").await;
    assert_eq!((unknown.0, json(&unknown)["error"]["Code"].clone()), (404, json!("ResourceNotFoundException")));
    server.agent().lock().error_shape = AgentErrorShape::Text;
    let unknown = ask(&server, "GET", &protection("ffff"), "").await;
    assert_eq!((unknown.0, json(&unknown)), (404, json!("Invalid request: no task was found")));
}

#[tokio::test]
async fn a_client_sets_how_the_agent_behaves_and_ends_that() {
    let (server, task, _) = server().await;
    let set = async |body: &str| ask(&server, "PUT", "/ecs-sim/agent", body).await;
    let protect = async || ask(&server, "PUT", &protection(&task), PROTECT).await;
    assert_eq!(set(r#"{"always": {"refuses": "DEPLOYMENT_BLOCKED"}, "next": [{"loses": "connection"}]}"#).await.0, 204);
    assert_eq!(protect().await.0, 0);
    for _ in 0..2 {
        let failure = json(&protect().await)["failure"].clone();
        assert_eq!(failure["Reason"], "DEPLOYMENT_BLOCKED");
        assert!(failure["Arn"].as_str().unwrap().ends_with(&task), "{failure}");
    }
    let canned = r#"{"always": {"answers": {"status": 503, "body": "busy"}}, "metadata": {"loses": "connection"}}"#;
    assert_eq!(set(canned).await.0, 204);
    assert_eq!(protect().await, (503, "busy".to_owned()));
    assert_eq!(ask(&server, "GET", &format!("/v4/{task}/task"), "").await.0, 0);
    assert_eq!(set(r#"{"errors": "text", "next": [{"loses": "answer"}]}"#).await.0, 204);
    assert_eq!(protect().await.0, 0);
    assert_eq!(json(&ask(&server, "GET", &protection("ffff"), "").await), json!("Invalid request: no task was found"));
    assert_eq!(set("{}").await.0, 204);
    assert_eq!(json(&protect().await)["protection"]["ProtectionEnabled"], true);
    assert_eq!(ask(&server, "GET", &format!("/v4/{task}/task"), "").await.0, 200);
}

#[tokio::test]
async fn a_slow_agent_answers_after_the_time_that_a_client_sets() {
    let (server, task, _) = server().await;
    ask(&server, "PUT", "/ecs-sim/agent", r#"{"next": [{"delayMilliseconds": 300}]}"#).await;
    #[expect(clippy::disallowed_methods, reason = "the test measures")]
    let began = std::time::Instant::now();
    let granted = ask(&server, "PUT", &protection(&task), PROTECT).await;
    assert_eq!(json(&granted)["protection"]["ProtectionEnabled"], true);
    assert!(began.elapsed() >= std::time::Duration::from_millis(300), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_behavior_that_cannot_be_read_changes_nothing_and_is_named() {
    let (server, task, _) = server().await;
    for (body, words) in [
        ("", "EOF"),
        (r#"{"allways": {}}"#, "unknown field `allways`"),
        (r#"{"always": {"explodes": 1}}"#, "unknown variant `explodes`"),
        (r#"{"always": {"answers": {"status": 99}}}"#, "from 200 to 599"),
    ] {
        let answer = ask(&server, "PUT", "/ecs-sim/agent", body).await;
        let message = json(&answer)["message"].as_str().unwrap().to_owned();
        assert!(answer.0 == 400 && message.contains(words), "{body}: {message}");
    }
    assert_eq!(ask(&server, "GET", "/ecs-sim/agent", "").await.0, 405);
    assert_eq!(ask(&server, "PUT", &protection(&task), PROTECT).await.0, 200);
}

#[tokio::test]
async fn a_lost_answer_has_its_effect_and_a_lost_connection_has_none() {
    let (server, task, _) = server().await;
    server.agent().lock().faults = [AgentFault::ConnectionLost].into();
    assert_eq!(ask(&server, "PUT", &protection(&task), PROTECT).await.0, 0);
    let is_protected = |answer: (u16, String)| json(&answer)["protection"]["ProtectionEnabled"] == true;
    assert!(!is_protected(ask(&server, "GET", &protection(&task), "").await));
    server.agent().lock().faults = [AgentFault::AnswerLost].into();
    assert_eq!(ask(&server, "PUT", &protection(&task), PROTECT).await.0, 0);
    assert!(is_protected(ask(&server, "GET", &protection(&task), "").await));
}
