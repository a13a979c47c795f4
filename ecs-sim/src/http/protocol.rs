//! Recognizes the protocols, reads requests and writes answers.

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::backend::{AwsService, ServiceAnswer, ServiceCall};
use super::body::{self, BodyError};
use super::response::{HttpResponse, finish, text};
use super::server_state::{ServerState, Unanswered};
use super::{agent_control, agent_http, lambda_http, query, runtime_http};
use crate::service_error::ServiceError;

const TARGET: &str = "x-amz-target";

/// The protocol of a request, according to its head.
enum Protocol {
    Json { service: AwsService, operation: String },
    Query,
    RuntimeApi,
    Invoke,
    Agent,
    AgentControl,
    Unknown { reason: String },
}

impl Protocol {
    fn of(request: &Request<Incoming>) -> Self {
        if request.uri().path().starts_with(runtime_http::PATH) {
            return Self::RuntimeApi;
        }
        if agent_http::is_path(request.uri().path()) {
            return Self::Agent;
        }
        if request.uri().path() == agent_control::PATH {
            return Self::AgentControl;
        }
        if request.method() != hyper::Method::POST {
            return Self::Unknown { reason: "only POST is supported".to_owned() };
        }
        if lambda_http::is_path(request.uri().path()) {
            return Self::Invoke;
        }
        if let Some(target) = text(request.headers(), TARGET) {
            return match target.split_once('.') {
                Some(("AmazonEC2ContainerServiceV20141113", operation)) => Self::json(AwsService::Ecs, operation),
                Some(("AmazonSQS", operation)) => Self::json(AwsService::Sqs, operation),
                Some(("AnyScaleFrontendService", operation)) => {
                    Self::json(AwsService::ApplicationAutoScaling, operation)
                }
                _ => Self::Unknown { reason: format!("target `{target}` is not simulated") },
            };
        }
        match text(request.headers(), CONTENT_TYPE.as_str()) {
            Some(kind) if kind.starts_with("application/x-www-form-urlencoded") => Self::Query,
            _ => Self::Unknown { reason: "neither a target nor a form".to_owned() },
        }
    }

    fn json(service: AwsService, operation: &str) -> Self {
        Self::Json { service, operation: operation.to_owned() }
    }
}

/// Answers one request. The error ends the connection without an answer.
pub(super) async fn respond(shared: &ServerState, request: Request<Incoming>) -> Result<HttpResponse, Unanswered> {
    let protocol = Protocol::of(&request);
    let (head, incoming) = request.into_parts();
    let body = match body::read(incoming).await {
        Ok(body) => Ok(body),
        Err(BodyError::Broken(_)) => return Err(Unanswered), // the client is gone
        Err(error @ BodyError::TooLarge) => Err(ServiceError {
            code: "RequestEntityTooLargeException".to_owned(),
            message: error.to_string(),
            status: StatusCode::PAYLOAD_TOO_LARGE.as_u16(),
        }),
    };
    let request_id = shared.next_request_id();
    let access_key_id = access_key_id(&head.headers);
    match protocol {
        Protocol::RuntimeApi => runtime_http::respond(&shared.runtime_api, &head, body).await,
        Protocol::Invoke => lambda_http::respond(&shared.runtime_api, &head, body).await,
        Protocol::Agent => match body {
            Ok(body) => agent_http::respond(shared, &head, &body).await,
            Err(error) => json_response(AwsService::Ecs, ServiceAnswer::Error(error), &request_id),
        },
        Protocol::AgentControl => match body {
            Ok(body) => Ok(agent_control::respond(shared, &head.method, &body)),
            Err(error) => json_response(AwsService::Ecs, ServiceAnswer::Error(error), &request_id),
        },
        Protocol::Json { service, operation } => {
            let answer = match body.and_then(|body| parse_json(&body)) {
                Ok(body) => shared.call(ServiceCall { service, operation, body, access_key_id }),
                Err(error) => ServiceAnswer::Error(error),
            };
            json_response(service, answer, &request_id)
        }
        Protocol::Query => {
            let (operation, answer) = match body.and_then(|body| query::parse(&body)) {
                Ok((operation, body)) => {
                    let call =
                        ServiceCall { service: AwsService::Sns, operation: operation.clone(), body, access_key_id };
                    (operation, shared.call(call))
                }
                Err(error) => (String::new(), ServiceAnswer::Error(error)),
            };
            query::response(&operation, answer, &request_id)
        }
        Protocol::Unknown { reason } => {
            let status = StatusCode::NOT_FOUND.as_u16();
            let error = ServiceError { code: "UnknownOperationException".to_owned(), message: reason, status };
            json_response(AwsService::Ecs, ServiceAnswer::Error(error), &request_id)
        }
    }
}

/// An empty body stands for an input without members.
fn parse_json(body: &[u8]) -> Result<Value, ServiceError> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let mut body = serde_json::from_slice(body).ok().filter(Value::is_object);
    body.iter_mut().for_each(drop_nulls);
    body.ok_or_else(|| ServiceError::client("SerializationException", "request body is not a JSON object"))
}

/// A null member means the same as an absent one (Smithy, protocol test
/// AwsJson11ServersDontDeserializeNullStructureValues).
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

fn json_response(service: AwsService, answer: ServiceAnswer, request_id: &str) -> Result<HttpResponse, Unanswered> {
    let version = if service == AwsService::Sqs { "1.0" } else { "1.1" };
    let builder = Response::builder()
        .header(CONTENT_TYPE, format!("application/x-amz-json-{version}"))
        .header("x-amzn-requestid", request_id);
    let (builder, body) = match answer {
        ServiceAnswer::ConnectionLost => return Err(Unanswered),
        ServiceAnswer::Output(output) => (builder, output),
        ServiceAnswer::Error(ServiceError { code, message, status }) => {
            let mut builder = builder.status(status).header("x-amzn-errortype", &code);
            let mut kind = code.clone();
            if service == AwsService::Sqs {
                builder = builder.header("x-amzn-query-error", query_error(&code, status));
                kind = format!("com.amazonaws.sqs#{code}");
            }
            (builder, json!({ "__type": kind, "message": message }))
        }
    };
    Ok(finish(builder, body.to_string()))
}

/// SQS still sends the codes of its older protocol in a header, and older client code reads them.
fn query_error(code: &str, status: u16) -> String {
    let (prefix, old) = match code {
        "QueueDoesNotExist" => ("AWS.SimpleQueueService.", "NonExistentQueue"),
        "QueueNameExists" => ("", "QueueAlreadyExists"),
        "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "MessageNotInflight"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation" => ("AWS.SimpleQueueService.", code),
        _ => ("", code),
    };
    format!("{prefix}{old};{}", if status < 500 { "Sender" } else { "Receiver" })
}

/// Extracts the access key id from `AWS4-HMAC-SHA256 Credential=ID/20261105/REGION/SERVICE/aws4_request, …`.
fn access_key_id(headers: &HeaderMap) -> Option<String> {
    let credential = text(headers, AUTHORIZATION.as_str())?.split_once("Credential=")?.1;
    credential.split_once('/').map(|(id, _)| id.to_owned())
}
