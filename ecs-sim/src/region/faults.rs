//! What comes between the function and ECS: faults on the way of a call, and people who are a moment quicker than it.

use super::{CLUSTER, Region};
use std::collections::VecDeque;

/// Something that goes wrong on the way to ECS, with one call.
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
    /// The call takes effect, and the function dies before it learns of it.
    DiesAfter,
}

/// Somebody is a moment quicker than the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaledBefore {
    /// Quicker than its next call of this operation.
    pub operation: String,
    /// The service's name.
    pub service: String,
    /// The desired count that he sets.
    pub count: u32,
}

impl Region {
    /// What goes wrong with the next call, which is of this operation.
    pub(super) fn next_fault(&mut self, operation: &str) -> Option<Fault> {
        let of_its_own = self.faults_of.get_mut(operation).and_then(VecDeque::pop_front);
        of_its_own.or_else(|| self.faults.pop_front())
    }

    /// Lets those be quicker who wait for this operation.
    pub(super) fn scale_before(&mut self, operation: &str) {
        while let Some(at) = self.scaled_before.iter().position(|scaled| scaled.operation == operation) {
            let ScaledBefore { service, count, .. } = self.scaled_before.remove(at);
            // Of a service that is gone there is nothing to scale, for him as for anybody.
            let _ = self.ecs.set_desired_count(CLUSTER, &service, count);
        }
    }
}
