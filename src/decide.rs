//! The pure core: what is known, the policy and `now` in; what to do, and why not, out.
//!
//! [`protection`] decides for one task, [`mod@coalesce`] lets tasks share calls, [`mod@ending`] says how a message ends. Nothing here
//! waits, reads a clock or knows where a record comes from.

pub mod attention;
pub mod coalesce;
pub mod diagnose;
pub mod message_outcome;
pub mod preflight;
pub mod protection;
pub mod remediation;
pub mod service_message;
pub mod watch;

pub use coalesce::{ProtectionCall, TaskRequest, coalesce};
pub use diagnose::{DeadlinePolicy, Diagnosis, RolloutStatus, diagnose};
pub use message_outcome::{MessageOutcome, RetryReason, TaskState, message_outcome, retry_or_park};
pub use preflight::{Preflight, Verdict, preflight};
pub use protection::{Decision, KeepReason, decide_protection};
pub use service_message::ServiceMessage;
