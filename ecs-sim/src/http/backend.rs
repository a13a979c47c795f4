//! The seam between the protocols and what the services do.

use serde_json::Value;

use crate::control_plane::ApiError;
use crate::queue::QueueError;

/// The services that the server can be asked for.
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

/// One call, free of its protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The service that is asked.
    pub service: Service,
    /// The operation by AWS's name, such as `UpdateTaskProtection`.
    pub operation: String,
    /// The operation's input. A call of SNS comes as JSON too: lists are arrays, maps are objects, all values are text.
    pub body: Value,
    /// Who signed the call, if it is signed. A simulated task that signs with an access key id of
    /// `AROAEXAMPLEID:TASK-ID` is seen by SQS as that sender.
    pub access_key_id: Option<String>,
}

/// How a call ends for the client.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It gets the operation's output.
    Output(Value),
    /// It gets an error.
    Error(ServiceError),
    /// It gets nothing: the connection ends. What the call did stays done, which is how an effect outlives its answer.
    ConnectionLost,
}

/// An error as a service reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// AWS's name, such as `ThrottlingException`.
    pub code: String,
    /// The text for people.
    pub message: String,
    /// The HTTP status: 4xx when the caller is at fault, else 5xx, which SDKs try again.
    pub status: u16,
}

/// What answers the calls. A call is answered at once; a backend that wants to be slow is not needed yet.
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
    /// An error that is the caller's fault: HTTP 400, or 404 for an operation that does not exist ("Common Error Types" in AWS's
    /// API references).
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
