//! The boundary between the protocols and the simulated services.

use serde_json::Value;

use crate::control_plane::ApiError;
use crate::queue::QueueError;

/// The services behind the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Amazon ECS.
    Ecs,
    /// Amazon SQS.
    Sqs,
    /// Amazon SNS.
    Sns,
    /// Application Auto Scaling.
    ApplicationAutoScaling,
}

/// One call, independent of its protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The called service.
    pub service: Service,
    /// The operation by AWS's name, such as `UpdateTaskProtection`.
    pub operation: String,
    /// The operation's input. A call of SNS is JSON too: lists are arrays, maps are objects, all values are strings.
    pub body: Value,
    /// The access key id that signed the call, if any. SQS sees a simulated task that signs with an access key id of
    /// `AROAEXAMPLEID:TASK-ID` as that sender.
    pub access_key_id: Option<String>,
}

/// The outcome of a call for the client.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The client receives the operation's output.
    Output(Value),
    /// The client receives an error.
    Error(ServiceError),
    /// The client receives nothing: the connection ends. The call keeps its effect, as when an answer gets lost.
    ConnectionLost,
}

/// An error as a service reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// AWS's name, such as `ThrottlingException`.
    pub code: String,
    /// The human-readable text.
    pub message: String,
    /// The HTTP status: 4xx for errors of the caller, otherwise 5xx, which SDKs retry.
    pub status: u16,
}

/// Answers the calls, without delay; no backend needs to be slow yet.
pub trait Backend: Send + 'static {
    /// Answers one call.
    fn call(&mut self, call: Call) -> Answer;
}

impl<F: FnMut(Call) -> Answer + Send + 'static> Backend for F {
    fn call(&mut self, call: Call) -> Answer {
        self(call)
    }
}

impl ServiceError {
    /// An error of the caller: HTTP 400, or 404 for an operation that does not exist ("Common Error Types" in AWS's API
    /// references).
    #[must_use]
    pub fn client(code: impl Into<String>, message: impl Into<String>) -> Self {
        let code = code.into();
        let status = if code == "UnknownOperationException" { 404 } else { 400 };
        Self { code, message: message.into(), status }
    }
}

impl From<QueueError> for ServiceError {
    fn from(error: QueueError) -> Self {
        Self::client(error.code(), error.to_string())
    }
}

impl From<ApiError> for ServiceError {
    fn from(error: ApiError) -> Self {
        Self { code: error.code.as_str().to_owned(), status: error.http_status(), message: error.message }
    }
}

impl<E: Into<ServiceError>> From<Result<Value, E>> for Answer {
    fn from(result: Result<Value, E>) -> Self {
        match result {
            Ok(output) => Self::Output(output),
            Err(error) => Self::Error(error.into()),
        }
    }
}
