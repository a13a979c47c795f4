//! Errors of the calls in [`crate::ecs`], and the disposition of a message whose call failed.

/// A failed call. ECS refusing a single task is not an error but a [`crate::ecs::ProtectionFailure`] in an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EcsError {
    /// The token bucket of the account and Region is empty (aws-facts "ECS: the protection API").
    #[error("ECS throttled the call")]
    Throttled,
    /// IAM denied the call.
    #[error("ECS denied access: {0}")]
    AccessDenied(String),
    /// ECS knows no such cluster.
    #[error("ECS found no such cluster: {0}")]
    ClusterNotFound(String),
    /// ECS knows no such resource of another kind.
    #[error("ECS found no such resource: {0}")]
    NotFound(String),
    /// ECS rejected the request.
    #[error("ECS rejected the call: {0}")]
    Rejected(String),
    /// A 5xx answer, or an error code that taskhold does not know.
    #[error("ECS failed: {0}")]
    Server(String),
    /// An answer that lacks the requested item, or a list that does not end.
    #[error("ECS failed: {0}")]
    Incomplete(String),
    /// No answer, or an unreadable one.
    #[error("no answer from ECS: {0}")]
    NoAnswer(String),
}

/// Whether a failed call may have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It did not.
    None,
    /// It may have, or still may.
    Unknown,
}

/// The outcome of a message that could not be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Retried: SQS redelivers it.
    Retry,
    /// Retried while it is young, because the resource that it names may only just have been created; then
    /// dead-lettered.
    RetryWhileYoung,
    /// Dead-lettered with a reason.
    DeadLetter,
}

impl EcsError {
    /// The disposition of a message whose call failed with this error.
    ///
    /// A denied call is retried: an operator can attach the missing policy while the job still runs. Like any
    /// message that was received too often, it is dead-lettered in the end.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Throttled | Self::AccessDenied(_) | Self::Server(_) | Self::Incomplete(_) | Self::NoAnswer(_) => {
                Disposition::Retry
            }
            Self::ClusterNotFound(_) | Self::NotFound(_) => Disposition::RetryWhileYoung,
            Self::Rejected(_) => Disposition::DeadLetter,
        }
    }

    /// Whether the call may have taken effect. An answer that rejects the call proves that it did not; a 5xx
    /// proves nothing.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Throttled
            | Self::AccessDenied(_)
            | Self::ClusterNotFound(_)
            | Self::NotFound(_)
            | Self::Rejected(_) => Effect::None,
            Self::Server(_) | Self::Incomplete(_) | Self::NoAnswer(_) => Effect::Unknown,
        }
    }

    /// Whether a single task may have caused the error, so that calls for each task alone can succeed for the
    /// others.
    pub fn may_be_of_one_task(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::NotFound(_))
    }

    /// The error for the code of a failed answer (aws-facts "ECS: the protection API": exceptions). The only
    /// table of AWS's error codes.
    pub fn of_code(code: &str, message: &str) -> Self {
        let text = || format!("{code}: {message}");
        match code {
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
                Self::Throttled
            }
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "ExpiredTokenException"
            | "InvalidSignatureException" => Self::AccessDenied(text()),
            "ClusterNotFoundException" => Self::ClusterNotFound(message.to_owned()),
            "ResourceNotFoundException" | "ServiceNotFoundException" => Self::NotFound(message.to_owned()),
            "ClientException"
            | "InvalidParameterException"
            | "ServiceNotActiveException"
            | "UnsupportedFeatureException" => Self::Rejected(text()),
            _ => Self::Server(text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_disposition_and_its_effect() {
        for (code, disposition, effect) in [
            ("ThrottlingException", Disposition::Retry, Effect::None),
            ("AccessDeniedException", Disposition::Retry, Effect::None),
            ("ExpiredTokenException", Disposition::Retry, Effect::None),
            ("ClusterNotFoundException", Disposition::RetryWhileYoung, Effect::None),
            ("ResourceNotFoundException", Disposition::RetryWhileYoung, Effect::None),
            ("ServiceNotFoundException", Disposition::RetryWhileYoung, Effect::None),
            ("ServiceNotActiveException", Disposition::DeadLetter, Effect::None),
            ("ClientException", Disposition::DeadLetter, Effect::None),
            ("InvalidParameterException", Disposition::DeadLetter, Effect::None),
            ("UnsupportedFeatureException", Disposition::DeadLetter, Effect::None),
            ("ServerException", Disposition::Retry, Effect::Unknown),
            ("FromTheFutureException", Disposition::Retry, Effect::Unknown),
        ] {
            let error = EcsError::of_code(code, "…");
            assert_eq!((error.disposition(), error.effect()), (disposition, effect), "{code}");
        }
    }

    #[test]
    fn a_call_without_an_answer_may_yet_take_effect() {
        assert_eq!(EcsError::NoAnswer("timeout".to_owned()).effect(), Effect::Unknown);
    }
}
