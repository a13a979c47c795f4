//! Lambda's Invoke (Lambda API Reference, "Invoke"): a client invokes the function process. Any function name is accepted.

use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use serde_json::json;

use super::response::{HttpResponse, finish, text};
use super::runtime_api::{InvocationError, RuntimeApi};
use super::server_state::Unanswered;
use super::services::wall_clock;
use crate::service_error::ServiceError;

/// As in template.yaml.
const TIMEOUT_MS: i64 = 30_000;

/// Whether the path is that of Invoke.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with("/2015-03-31/functions/") && path.ends_with("/invocations")
}

/// Invokes the function process. The answer to an asynchronous invocation comes at once, and a failed one is not repeated.
pub(super) async fn respond(
    api: &RuntimeApi,
    head: &Parts,
    body: Result<Vec<u8>, ServiceError>,
) -> Result<HttpResponse, Unanswered> {
    let payload = match body {
        Ok(body) if body.is_empty() => b"{}".to_vec(),
        Ok(body) => body,
        Err(error) => return Ok(refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", &error.message)),
    };
    if !api.is_ready() {
        let message = "no function runs here: start `ecs-sim serve` with --bootstrap";
        return Ok(refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException", message));
    }
    let kind = text(&head.headers, "x-amz-invocation-type").unwrap_or("RequestResponse");
    if kind == "DryRun" {
        return Ok(finish(Response::builder().status(StatusCode::NO_CONTENT), ""));
    }
    let invocation = api.invoke(payload, wall_clock() + TIMEOUT_MS);
    if kind == "Event" {
        tokio::spawn(invocation);
        return Ok(finish(Response::builder().status(StatusCode::ACCEPTED), ""));
    }
    let builder =
        Response::builder().header(CONTENT_TYPE, "application/json").header("X-Amz-Executed-Version", "$LATEST");
    match invocation.await {
        Ok(answer) => Ok(finish(builder, answer)),
        Err(InvocationError::Stopped) => Err(Unanswered),
        Err(error) => {
            let (error_type, message) = match error {
                InvocationError::Reported { error_type, message } | InvocationError::Init { error_type, message } => {
                    (error_type, message)
                }
                other => ("Runtime.ExitError".to_owned(), other.to_string()),
            };
            let body = json!({ "errorType": error_type, "errorMessage": message }).to_string();
            Ok(finish(builder.header("X-Amz-Function-Error", "Unhandled"), body))
        }
    }
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> HttpResponse {
    let builder = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    let builder = builder.header("x-amzn-errortype", error_type);
    finish(builder, json!({ "Type": "User", "Message": message }).to_string())
}
