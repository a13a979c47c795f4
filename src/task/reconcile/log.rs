//! What a reconcile logs about a task for which it makes no call.

use crate::ecs::arn::Task;
use crate::task::plan::KeepReason;
use crate::task::protection::{ForeignProtection, ProtectionRequest};
use crate::text::shown_time;
use tracing::{debug, info};

/// Why no protection is requested.
pub(super) fn kept(task: &Task, reason: &KeepReason) {
    let why = match reason {
        KeepReason::Confirmed { until } => format!("already protected until {}", shown_time(*until)),
        KeepReason::Idle => "no live job, and nothing to clear".to_owned(),
        KeepReason::Stopped => "the task has stopped".to_owned(),
        KeepReason::ByAgent => "the task protects itself for its jobs".to_owned(),
        KeepReason::Outlived { until } => {
            format!("a job outlived its declared time and keeps its protection until {}", shown_time(*until))
        }
        KeepReason::Lingers { until } => {
            format!("its last job has just finished; protected until {}", shown_time(*until))
        }
        KeepReason::RefusedJustNow => "ECS refused less than a minute ago".to_owned(),
    };
    debug!(%task, why, "protection not requested");
}

/// Once for each expiry that ECS reports.
pub(super) fn foreign(task: &Task, before: Option<ForeignProtection>, after: Option<ForeignProtection>) {
    if let Some(foreign) = after
        && before.map(|foreign| foreign.until) != Some(foreign.until)
    {
        info!(%task, until = shown_time(foreign.until), "keeping protection that another writer set");
    }
}

/// Logs a request that is not sent because of a dry run.
pub(super) fn dry_run(task: &Task, request: ProtectionRequest) {
    let request = match request {
        ProtectionRequest::Clear => "clear".to_owned(),
        ProtectionRequest::ProtectUntil(until) => format!("protect until {}", shown_time(until)),
    };
    info!(%task, request, "dry run: protection not requested");
}
