//! The agent's endpoints over HTTP: reads requests, asks the simulated ECS, and words the answers as the agent does.

use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::agent::{AgentErrorShape, AgentFault, AgentRequest};
use super::backend::{AwsService, ServiceAnswer, ServiceCall};
use super::response::{HttpResponse, finish};
use super::server_state::{ServerState, Unanswered};
use super::services::wall_clock;

/// A path of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum AgentPath {
    Protection { task: String },
    Task { task: String },
    Container { task: String },
    Unknown,
}

/// Whether the path is one of the agent's.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with("/v4/") || path.starts_with("/api/")
}

fn parsed(path: &str) -> AgentPath {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["api", task, "task-protection", "v1", "state"] => AgentPath::Protection { task: (*task).to_owned() },
        ["v4", task, "task"] => AgentPath::Task { task: (*task).to_owned() },
        ["v4", task] => AgentPath::Container { task: (*task).to_owned() },
        _ => AgentPath::Unknown,
    }
}

/// An answer of the agent.
struct AgentReply {
    status: u16,
    body: String,
}

impl AgentReply {
    fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string() }
    }
}

/// Answers one request.
pub(super) async fn respond(shared: &ServerState, head: &Parts, body: &[u8]) -> Result<HttpResponse, Unanswered> {
    let path = parsed(head.uri.path());
    let is_protection = matches!(path, AgentPath::Protection { .. });
    let admitted = shared.agent.lock().admits(wall_clock());
    let fault = match is_protection {
        true => shared.agent.lock().next_fault(),
        false => shared.agent.lock().metadata_fault.clone(),
    };
    let reply = match fault {
        _ if !admitted => Ok(AgentReply { status: 429, body: "You have reached maximum request limit.".to_owned() }),
        Some(AgentFault::ConnectionLost) => Err(Unanswered),
        Some(AgentFault::Refuses { reason }) => Ok(refusal(shared, &path, &reason)),
        Some(AgentFault::Answers { status, body }) => Ok(AgentReply { status, body }),
        Some(AgentFault::AnswerLost) => {
            reply(shared, &head.method, &path, body);
            Err(Unanswered)
        }
        Some(AgentFault::Slow(time)) => {
            wait(time).await;
            Ok(reply(shared, &head.method, &path, body))
        }
        None => Ok(reply(shared, &head.method, &path, body)),
    };
    if is_protection {
        let (method, body) = (head.method.to_string(), String::from_utf8_lossy(body).into_owned());
        let status = reply.as_ref().ok().map(|reply| reply.status);
        shared.agent.lock().requests.push(AgentRequest { method, body, status });
    }
    let AgentReply { status, body } = reply?;
    Ok(finish(Response::builder().status(status).header("content-type", "application/json"), body))
}

#[expect(clippy::disallowed_methods, reason = "a slow agent is slow in real time")]
async fn wait(time: std::time::Duration) {
    tokio::time::sleep(time).await;
}

fn refusal(shared: &ServerState, path: &AgentPath, reason: &str) -> AgentReply {
    let AgentPath::Protection { task } = path else { return not_found() };
    match describe(shared, task) {
        Some(described) => {
            let failure = json!({ "Arn": described["taskArn"], "Reason": reason, "Detail": null });
            AgentReply::json(200, &json!({ "failure": failure }))
        }
        None => error(shared, StatusCode::NOT_FOUND.as_u16(), &no_task(shared)),
    }
}

fn not_found() -> AgentReply {
    AgentReply { status: 404, body: "404 page not found\n".to_owned() }
}

fn reply(shared: &ServerState, method: &Method, path: &AgentPath, body: &[u8]) -> AgentReply {
    let task = match path {
        AgentPath::Protection { task } | AgentPath::Task { task } | AgentPath::Container { task } => task,
        AgentPath::Unknown => return not_found(),
    };
    let Some(described) = describe(shared, task) else {
        return error(shared, StatusCode::NOT_FOUND.as_u16(), &no_task(shared));
    };
    match (path, method) {
        (AgentPath::Task { .. }, &Method::GET) => AgentReply::json(200, &task_metadata(shared, &described)),
        (AgentPath::Container { .. }, &Method::GET) => AgentReply::json(200, &container_metadata(shared, &described)),
        (AgentPath::Protection { .. }, &Method::GET) => protection(shared, "GetTaskProtection", &described, json!({})),
        (AgentPath::Protection { .. }, &Method::PUT) => put_protection(shared, &described, body),
        _ => not_found(),
    }
}

/// The versions of the agent word it differently (aws/amazon-ecs-agent#3748).
fn no_task(shared: &ServerState) -> Value {
    let message = match shared.agent.lock().error_shape {
        AgentErrorShape::Object => "Failed to find a task for the request",
        AgentErrorShape::Text => "Invalid request: no task was found",
    };
    json!({ "Code": "ResourceNotFoundException", "Message": message })
}

fn error(shared: &ServerState, status: u16, error: &Value) -> AgentReply {
    match shared.agent.lock().error_shape {
        AgentErrorShape::Object => AgentReply::json(status, &json!({ "error": error })),
        AgentErrorShape::Text => AgentReply::json(status, &error["Message"]),
    }
}

fn describe(shared: &ServerState, task: &str) -> Option<Value> {
    let cluster = shared.agent.lock().cluster.clone();
    match call(shared, task, "DescribeTasks", json!({ "cluster": cluster, "tasks": [task] })) {
        ServiceAnswer::Output(output) => output["tasks"].get(0).cloned(),
        _ => None,
    }
}

/// A call with the credentials of the task's role.
fn call(shared: &ServerState, task: &str, operation: &str, body: Value) -> ServiceAnswer {
    let access_key_id = Some(format!("AROAEXAMPLEID:{task}"));
    shared.call(ServiceCall { service: AwsService::Ecs, operation: operation.to_owned(), body, access_key_id })
}

fn put_protection(shared: &ServerState, task: &Value, body: &[u8]) -> AgentReply {
    let invalid = |message: &str| {
        let problem = json!({ "Arn": task["taskArn"], "Code": "InvalidParameterException", "Message": message });
        error(shared, 400, &problem)
    };
    let request: Value = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(_) => return invalid("UpdateTaskProtection: failed to decode request"),
    };
    let known = ["ProtectionEnabled", "ExpiresInMinutes"];
    if !request.as_object().is_some_and(|members| members.keys().all(|name| known.contains(&name.as_str()))) {
        return invalid("UpdateTaskProtection: failed to decode request");
    }
    let Some(enabled) = request["ProtectionEnabled"].as_bool() else {
        return invalid("Invalid request: does not contain 'ProtectionEnabled' field");
    };
    let mut input = json!({ "protectionEnabled": enabled });
    if enabled && !request["ExpiresInMinutes"].is_null() {
        input["expiresInMinutes"] = request["ExpiresInMinutes"].clone();
    }
    protection(shared, "UpdateTaskProtection", task, input)
}

fn protection(shared: &ServerState, operation: &str, task: &Value, mut input: Value) -> AgentReply {
    let arn = &task["taskArn"];
    input["cluster"] = shared.agent.lock().cluster.clone().into();
    input["tasks"] = json!([arn]);
    let id = arn.as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
    match call(shared, id, operation, input) {
        ServiceAnswer::Output(output) => {
            if let Some(failure) = output["failures"].get(0) {
                let failure =
                    json!({ "Arn": failure["arn"], "Reason": failure["reason"], "Detail": failure["detail"] });
                return AgentReply::json(200, &json!({ "failure": failure }));
            }
            let task = &output["protectedTasks"][0];
            let protection = json!({
                "ExpirationDate": date(&task["expirationDate"]),
                "ProtectionEnabled": task["protectionEnabled"],
                "TaskArn": task["taskArn"],
            });
            AgentReply::json(200, &json!({ "protection": protection }))
        }
        ServiceAnswer::Error(problem) => {
            let words = json!({ "Arn": arn, "Code": problem.code, "Message": problem.message });
            let mut reply = error(shared, problem.status, &words);
            if shared.agent.lock().error_shape == AgentErrorShape::Object {
                reply =
                    AgentReply::json(problem.status, &json!({ "requestID": shared.next_request_id(), "error": words }));
            }
            reply
        }
        // The agent gives ECS some seconds.
        ServiceAnswer::ConnectionLost => {
            let message = "Timed out calling ECS Task Protection API";
            error(shared, 504, &json!({ "Arn": arn, "Code": "RequestCanceled", "Message": message }))
        }
    }
}

/// ECS sends seconds; the agent answers in RFC 3339.
fn date(seconds: &Value) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of dates fit")]
    let date = seconds.as_f64().and_then(|seconds| jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).ok());
    date.map_or(Value::Null, |date| date.to_string().into())
}

fn task_metadata(shared: &ServerState, task: &Value) -> Value {
    json!({
        "Cluster": shared.agent.lock().cluster,
        "TaskARN": task["taskArn"],
        "Family": "worker",
        "Revision": "1",
        "DesiredStatus": task["desiredStatus"],
        "KnownStatus": task["lastStatus"],
        "LaunchType": "FARGATE",
        "Containers": [container_metadata(shared, task)],
    })
}

fn container_metadata(shared: &ServerState, task: &Value) -> Value {
    json!({
        "DockerId": "4f0c2a9be1d84763a5c07be214d95f3a-1",
        "Name": "app",
        "Type": "NORMAL",
        "DesiredStatus": task["desiredStatus"],
        "KnownStatus": task["lastStatus"],
        "Labels": {
            "com.amazonaws.ecs.cluster": shared.agent.lock().cluster,
            "com.amazonaws.ecs.container-name": "app",
            "com.amazonaws.ecs.task-arn": task["taskArn"],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_agent() {
        let task = "4f0c".to_owned();
        assert_eq!(parsed("/api/4f0c/task-protection/v1/state"), AgentPath::Protection { task: task.clone() });
        assert_eq!(parsed("/v4/4f0c/task"), AgentPath::Task { task: task.clone() });
        assert_eq!(parsed("/v4/4f0c"), AgentPath::Container { task });
        assert_eq!(parsed("/api/4f0c/task-protection/v2/state"), AgentPath::Unknown);
    }
}
