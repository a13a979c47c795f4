//! Faults between the function and ECS: calls that go wrong, and actors that act right before a call of the function.

use super::{CLUSTER, Region};
use std::collections::VecDeque;

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

impl Region {
    /// The fault for the next call, which is of this operation.
    pub(super) fn next_fault(&mut self, operation: &str) -> Option<Fault> {
        let of_its_own = self.faults_of.get_mut(operation).and_then(VecDeque::pop_front);
        of_its_own.or_else(|| self.faults.pop_front())
    }

    /// Sets the desired counts that wait for this operation.
    pub(super) fn scale_before(&mut self, operation: &str) {
        while let Some(at) = self.scaled_before.iter().position(|scaled| scaled.operation == operation) {
            let ScaledBefore { service, count, .. } = self.scaled_before.remove(at);
            // A deleted service cannot be scaled.
            let _ = self.ecs.set_desired_count(CLUSTER, &service, count);
        }
    }
}
