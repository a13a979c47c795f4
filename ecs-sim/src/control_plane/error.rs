//! Errors of calls that fail as a whole. A refused task is not such an error: it is in `failures` of an answer.

use std::fmt;

/// The exceptions of the simulated operations.
///
/// aws-facts: "ECS: the protection API", and the error shapes of ECS's published model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The caller lacks permission. The control plane has no IAM; only injected faults use this.
    AccessDenied,
    /// A client error without a more specific code.
    Client,
    /// No such cluster.
    ClusterNotFound,
    /// The resource is in another state.
    Conflict,
    /// A parameter is missing, out of range or malformed.
    InvalidParameter,
    /// No such resource.
    ResourceNotFound,
    /// An error of ECS itself (HTTP 500). Only injected faults use this.
    Server,
    /// The service was deleted.
    ServiceNotActive,
    /// No such service deployment.
    ServiceDeploymentNotFound,
    /// No such service.
    ServiceNotFound,
    /// No such task set.
    TaskSetNotFound,
    /// More calls than the token bucket allows.
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
            Self::Conflict => "ConflictException",
            Self::InvalidParameter => "InvalidParameterException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::Server => "ServerException",
            Self::ServiceNotActive => "ServiceNotActiveException",
            Self::TaskSetNotFound => "TaskSetNotFoundException",
            Self::ServiceDeploymentNotFound => "ServiceDeploymentNotFoundException",
            Self::ServiceNotFound => "ServiceNotFoundException",
            Self::Throttling => "ThrottlingException",
            Self::UnsupportedFeature => "UnsupportedFeatureException",
            Self::Serialization => "SerializationException",
            Self::UnknownOperation => "UnknownOperationException",
        }
    }

    /// The HTTP status of the exception: 500 for ECS's own errors, 404 for an operation that does not exist ("Common
    /// Error Types" in AWS's API references), 400 for everything else, throttling included.
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
    /// The exception.
    pub code: ErrorCode,
    /// Its text, as AWS words it where that is known.
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
