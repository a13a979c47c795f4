//! What the API answers when a call fails as a whole. A refused task is no such thing: it is in `failures` of an answer.

use std::fmt;

/// The exceptions of the operations that are simulated.
///
/// aws-facts: "ECS: the protection API", and the error shapes of ECS's published model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The caller may not do this. The control plane knows no IAM; for whoever injects faults.
    AccessDenied,
    /// Something about the call that the other codes do not name.
    Client,
    /// No such cluster.
    ClusterNotFound,
    /// A parameter is missing, out of range or of no known form.
    InvalidParameter,
    /// No such resource.
    ResourceNotFound,
    /// The fault is ECS's own (HTTP 500). The control plane never errs; for whoever injects faults.
    Server,
    /// The service was deleted.
    ServiceNotActive,
    /// No such service.
    ServiceNotFound,
    /// No such task set.
    TaskSetNotFound,
    /// More calls than the token bucket holds.
    Throttling,
    /// Not available for this task, or not simulated.
    UnsupportedFeature,
    /// The body is not JSON of the expected types.
    Serialization,
    /// No such operation, or one that is not simulated.
    UnknownOperation,
}

impl ErrorCode {
    /// The code as the JSON protocol writes it in `__type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDeniedException",
            Self::Client => "ClientException",
            Self::ClusterNotFound => "ClusterNotFoundException",
            Self::InvalidParameter => "InvalidParameterException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::Server => "ServerException",
            Self::ServiceNotActive => "ServiceNotActiveException",
            Self::TaskSetNotFound => "TaskSetNotFoundException",
            Self::ServiceNotFound => "ServiceNotFoundException",
            Self::Throttling => "ThrottlingException",
            Self::UnsupportedFeature => "UnsupportedFeatureException",
            Self::Serialization => "SerializationException",
            Self::UnknownOperation => "UnknownOperationException",
        }
    }

    /// The HTTP status that goes with it: 500 for ECS's own faults, 404 for an operation that does not exist ("Common Error
    /// Types" in AWS's API references), 400 for everything else, throttling included.
    pub fn http_status(self) -> u16 {
        match self {
            Self::Server => 500,
            Self::UnknownOperation => 404,
            _ => 400,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call that failed as a whole and had no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// Which exception.
    pub code: ErrorCode,
    /// Its text, in AWS's words where they are known.
    pub message: String,
}

impl ApiError {
    /// An exception with its text.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The HTTP status of the answer.
    pub fn http_status(&self) -> u16 {
        self.code.http_status()
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidParameter, message)
    }

    pub(super) fn cluster_not_found() -> Self {
        Self::new(ErrorCode::ClusterNotFound, "Cluster not found.")
    }

    pub(super) fn service_not_active() -> Self {
        Self::new(ErrorCode::ServiceNotActive, "Service was not ACTIVE.")
    }

    pub(super) fn service_not_found() -> Self {
        Self::new(ErrorCode::ServiceNotFound, "Service not found.")
    }
}
