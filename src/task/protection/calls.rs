//! The calls that set and clear protection, from their record to their result.

use crate::ecs::FailureReason;
use crate::task::own_protection::OwnProtection;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a call without a recorded result is assumed to be able to take effect. A function's call times
/// out after seconds and the function itself after at most 15 minutes; ECS handles a received call in less
/// than a minute. This assumes that the network delivers a request no later than this.
pub const LATE_EFFECT_MAX: SignedDuration = SignedDuration::from_mins(2);

/// What a call requests for one task, before it is rounded up to share a call with other tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProtectionRequest {
    /// Clear the protection. Lower than every other request.
    Clear,
    /// Protect the task at least until then.
    ProtectUntil(Timestamp),
}

/// Identifies a call among those of one task.
pub type CallId = u64;

/// A call that may still take effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Unique within the record.
    pub id: CallId,
    /// The request.
    pub request: ProtectionRequest,
    /// When the call was recorded, by the caller's clock.
    pub started_at: Timestamp,
    /// The calls that were in flight at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlaps: Option<Overlaps>,
}

/// The range of what other calls request that are in flight at the same time as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlaps {
    /// The lowest request.
    pub least: ProtectionRequest,
    /// The highest request.
    pub greatest: ProtectionRequest,
}

impl Call {
    /// The protection that exists if the call takes effect. `None` for a call that clears protection.
    pub(super) fn may_set(&self) -> Option<OwnProtection> {
        match self.request {
            ProtectionRequest::Clear => None,
            ProtectionRequest::ProtectUntil(until) => {
                Some(OwnProtection::requested(self.started_at, until, LATE_EFFECT_MAX))
            }
        }
    }

    pub(super) fn overlapped_a_protection(&self) -> bool {
        self.overlaps.is_some_and(|others| others.greatest != ProtectionRequest::Clear)
    }

    pub(super) fn overlap(&mut self, request: ProtectionRequest) {
        self.overlaps = Some(match self.overlaps {
            None => Overlaps { least: request, greatest: request },
            Some(Overlaps { least, greatest }) => {
                Overlaps { least: least.min(request), greatest: greatest.max(request) }
            }
        });
    }
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// ECS protects the task until then.
    Granted(Timestamp),
    /// ECS cleared the protection, does not protect the task, or no longer knows it.
    Cleared,
    /// A release was not sent, because ECS reports protection until then that taskhold has not set.
    Foreign(Timestamp),
    /// ECS refused the task; nothing changed.
    Refused(Refusal),
    /// The call certainly had no effect: it was not sent, throttled or denied.
    WithoutEffect,
    /// The effect is unknown: the call stays recorded.
    Unknown,
}

impl CallResult {
    /// Whether the result proves that the task exists or existed.
    pub(super) fn proves_task(&self) -> bool {
        match self {
            Self::Granted(_) | Self::Foreign(_) => true,
            Self::Refused(refusal) => refusal.reason != FailureReason::Missing,
            Self::Cleared | Self::WithoutEffect | Self::Unknown => false,
        }
    }
}

/// ECS's last refusal for a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The reason code.
    pub reason: FailureReason,
    /// ECS's explanation, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When ECS answered.
    pub at: Timestamp,
}
