//! Errors of the simulated services, in the form that every protocol can carry.

use crate::control_plane::ApiError;
use crate::queue::QueueError;

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
