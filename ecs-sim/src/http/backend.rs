//! The boundary between the protocols and the simulated services.

use serde_json::Value;

use crate::service_error::ServiceError;

/// The services behind the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsService {
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
pub struct ServiceCall {
    /// The called service.
    pub service: AwsService,
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
pub enum ServiceAnswer {
    /// The client receives the operation's output.
    Output(Value),
    /// The client receives an error.
    Error(ServiceError),
    /// The client receives nothing: the connection ends. The call keeps its effect, as when an answer gets lost.
    ConnectionLost,
}

/// Answers calls, without delay.
pub trait Backend: Send + 'static {
    /// Answers one call.
    fn call(&mut self, call: ServiceCall) -> ServiceAnswer;
}

impl<F: FnMut(ServiceCall) -> ServiceAnswer + Send + 'static> Backend for F {
    fn call(&mut self, call: ServiceCall) -> ServiceAnswer {
        self(call)
    }
}

impl<E: Into<ServiceError>> From<Result<Value, E>> for ServiceAnswer {
    fn from(result: Result<Value, E>) -> Self {
        match result {
            Ok(output) => Self::Output(output),
            Err(error) => Self::Error(error.into()),
        }
    }
}
