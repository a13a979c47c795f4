//! Faults between the function and ECS: calls that go wrong, and actors that act right before a call of the function.

/// A fault of one call to ECS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// ECS answers ThrottlingException; nothing changes.
    Throttled,
    /// ECS answers ServerException; nothing changes.
    ServerError,
    /// ECS rejects the call with AccessDeniedException; nothing changes.
    AccessDenied,
    /// The call never arrives, and no answer comes.
    CallLost,
    /// The call takes effect, and no answer comes.
    AnswerLost,
    /// The function dies before the call arrives.
    DiesBefore,
    /// The call takes effect, and the function dies before it receives the answer.
    DiesAfter,
}

/// A desired count that another actor sets just before a call of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaledBefore {
    /// The operation of that call.
    pub operation: String,
    /// The service's name.
    pub service: String,
    /// The desired count.
    pub count: u32,
}
