//! What any implementation of [`crate::ecs::Ecs`] could answer when a whole call fails, and what becomes of the message.

/// A failed call. Refusals of single tasks are not errors: they are [`crate::ecs::Failure`]s in an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EcsError {
    /// The token bucket of the account and Region is empty (aws-facts "ECS: the protection API").
    #[error("ecs throttled the call")]
    Throttled,
    /// IAM said no.
    #[error("ecs denied access: {0}")]
    AccessDenied(String),
    /// No such cluster.
    #[error("ecs found no such cluster: {0}")]
    ClusterNotFound(String),
    /// Something else that was named does not exist.
    #[error("ecs found no such resource: {0}")]
    NotFound(String),
    /// ECS rejects what was asked.
    #[error("ecs rejected the call: {0}")]
    Rejected(String),
    /// An answer of 5xx, or one that taskhold does not know.
    #[error("ecs failed: {0}")]
    Server(String),
    /// No answer, or one that could not be read.
    #[error("no answer from ecs: {0}")]
    NoAnswer(String),
}

/// Whether a failed call may have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Certainly not.
    None,
    /// It may have, or may yet.
    Unknown,
}

/// How a message ends when it could not be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It comes again: the queue delivers it once more.
    Retry,
    /// It comes again while it is young, since what it names may only just have been made; then it is dead-lettered.
    RetryWhileYoung,
    /// It goes to the dead-letter queue with a reason.
    DeadLetter,
}

impl EcsError {
    /// What becomes of a message whose call failed so.
    ///
    /// A denied call is retried: the cure is a policy, and the job still runs when it is mended. It is dead-lettered in the end
    /// like everything that was retried too often.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Throttled | Self::AccessDenied(_) | Self::Server(_) | Self::NoAnswer(_) => Disposition::Retry,
            Self::ClusterNotFound(_) | Self::NotFound(_) => Disposition::RetryWhileYoung,
            Self::Rejected(_) => Disposition::DeadLetter,
        }
    }

    /// Whether the call may have taken effect. An answer that refuses proves that it has not; a 5xx proves nothing.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Throttled
            | Self::AccessDenied(_)
            | Self::ClusterNotFound(_)
            | Self::NotFound(_)
            | Self::Rejected(_) => Effect::None,
            Self::Server(_) | Self::NoAnswer(_) => Effect::Unknown,
        }
    }

    /// Whether one task of several may be to blame, so that the others deserve calls of their own.
    pub fn may_be_of_one_task(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::NotFound(_))
    }

    /// The error for the code of an answer that failed (aws-facts "ECS: the protection API": exceptions). The one table
    /// of AWS's codes.
    pub fn of_code(code: &str, message: &str) -> Self {
        let told = || format!("{code}: {message}");
        match code {
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
                Self::Throttled
            }
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "ExpiredTokenException"
            | "InvalidSignatureException" => Self::AccessDenied(told()),
            "ClusterNotFoundException" => Self::ClusterNotFound(message.to_owned()),
            "ResourceNotFoundException" | "ServiceNotFoundException" => Self::NotFound(message.to_owned()),
            "ClientException"
            | "InvalidParameterException"
            | "ServiceNotActiveException"
            | "UnsupportedFeatureException" => Self::Rejected(told()),
            _ => Self::Server(told()),
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
