//! The paths of the Lambda runtime API.

use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::response::{HttpResponse, finish, text};
use super::runtime_api::{InvocationError, PendingInvocation, Reply, RuntimeApi};
use super::server_state::Unanswered;
use crate::service_error::ServiceError;

/// Common beginning of the runtime API's paths.
pub(super) const PATH: &str = "/2018-06-01/runtime/";

/// Answers a function process. A process that waits when the server stops gets no answer; its connection ends.
/// lambda_runtime panics over an answer without an invocation, but reports a broken connection and ends.
pub(super) async fn respond(
    api: &RuntimeApi,
    head: &Parts,
    body: Result<Vec<u8>, ServiceError>,
) -> Result<HttpResponse, Unanswered> {
    let path = head.uri.path().strip_prefix(PATH).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let body = match body {
        Ok(body) => body,
        Err(error) => return Ok(refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &error.message)),
    };
    Ok(match (&head.method, parts.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => offer(api.function_arn(), api.next().await.ok_or(Unanswered)?),
        (&Method::POST, ["invocation", request_id, "response"]) => finished(api, request_id, Ok(body)),
        (&Method::POST, ["invocation", request_id, "error"]) => {
            let ReportedError { error_type, message } = reported(head, &body);
            finished(api, request_id, Err(InvocationError::Reported { error_type, message }))
        }
        (&Method::POST, ["init", "error"]) => {
            let ReportedError { error_type, message } = reported(head, &body);
            api.init_failed(&InvocationError::Init { error_type, message });
            accepted()
        }
        _ => refuse(StatusCode::NOT_FOUND, "Runtime.NotFound", "the runtime API has no such path and method"),
    })
}

fn offer(function_arn: &str, invocation: PendingInvocation) -> HttpResponse {
    let number = invocation.number;
    let builder = Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", invocation.request_id())
        .header("Lambda-Runtime-Deadline-Ms", invocation.deadline_ms)
        .header("Lambda-Runtime-Invoked-Function-Arn", function_arn)
        // Not sampled: nothing here collects traces.
        .header("Lambda-Runtime-Trace-Id", format!("Root=1-00000000-{number:024x};Parent={number:016x};Sampled=0"));
    finish(builder, invocation.payload)
}

/// The answer to the result of an invocation.
fn finished(api: &RuntimeApi, request_id: &str, result: Reply) -> HttpResponse {
    match api.finish(request_id, result) {
        true => accepted(),
        false => refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "no invocation with this id is running"),
    }
}

fn accepted() -> HttpResponse {
    let builder = Response::builder().status(StatusCode::ACCEPTED).header(CONTENT_TYPE, "application/json");
    finish(builder, json!({ "status": "OK" }).to_string())
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> HttpResponse {
    let builder = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    finish(builder, json!({ "errorType": error_type, "errorMessage": message }).to_string())
}

/// An error that a function reports.
struct ReportedError {
    error_type: String,
    message: String,
}

/// The error in the body. Its type is from the header if the body has none.
fn reported(head: &Parts, body: &[u8]) -> ReportedError {
    let report: Value = serde_json::from_slice(body).unwrap_or_default();
    let header = text(&head.headers, "lambda-runtime-function-error-type");
    let error_type = report["errorType"].as_str().or(header).unwrap_or("Unknown").to_owned();
    let message = report["errorMessage"].as_str().map(str::to_owned);
    ReportedError { error_type, message: message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()) }
}
