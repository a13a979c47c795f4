//! Schedules the release of tasks that linger after their last job: a recheck arrives when the linger has passed.
//!
//! The message that reports the finish is done when SQS has accepted its recheck. A crash before that leaves the finish to
//! be redelivered, which sends the recheck. If the recheck is lost nevertheless, the next sweep releases the task.

use crate::budget::Budget;
use crate::ecs::arn::Task;
use crate::lambda::batch::gathered::Pending;
use crate::lambda::function::Function;
use crate::lambda::job_message::JobMessageType;
use crate::service::recheck::{Recheck, RecheckQueue, delay_until};
use crate::task::concurrently::at_once;
use crate::task::outcome::{TaskState, Unsettled};
use futures_util::FutureExt;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use tracing::warn;

/// Maximum number of concurrent sends: a thousand finishes in one batch take 25 rounds.
const SENDS_AT_ONCE: usize = 40;

impl Function {
    /// Schedules the releases that follow from finishes, and from rechecks that came early. Returns those that failed
    /// by index of the task, with the reason.
    pub(crate) async fn schedule_releases(
        &self,
        pending: &[Pending],
        tasks: &[Task],
        states: &[TaskState],
        budget: Budget<'_>,
    ) -> HashMap<usize, Unsettled> {
        let Some(queue) = &self.services.rechecks else { return HashMap::new() };
        let now = self.clock().now();
        let due: BTreeMap<usize, Timestamp> = pending.iter().filter_map(|one| release_due(one, states, now)).collect();
        if due.is_empty() {
            return HashMap::new();
        }
        // Boxed: few batches await it.
        self.send_rechecks(&**queue, tasks, due, budget).boxed_local().await
    }

    async fn send_rechecks(
        &self,
        queue: &dyn RecheckQueue,
        tasks: &[Task],
        due: BTreeMap<usize, Timestamp>,
        budget: Budget<'_>,
    ) -> HashMap<usize, Unsettled> {
        let sends = due
            .into_iter()
            .map(async |(place, due)| (place, self.schedule_release(queue, &tasks[place], due, budget).await));
        let mut failed = HashMap::new();
        at_once(SENDS_AT_ONCE, sends, |(place, sent)| failed.extend(sent.err().map(|reason| (place, reason)))).await;
        failed
    }

    async fn schedule_release(
        &self,
        queue: &dyn RecheckQueue,
        task: &Task,
        due: Timestamp,
        budget: Budget<'_>,
    ) -> Result<(), Unsettled> {
        budget.allows_a_call(self.clock())?;
        let recheck = Recheck::Task { task: task.clone(), due };
        queue.send(&recheck, delay_until(due, self.clock().now())).await.map_err(|error| {
            warn!(%task, failure = %error, "could not schedule the release of a task; taskhold will retry its message");
            Unsettled::RecheckNotSent(error)
        })
    }
}

/// The task whose release must be scheduled because of this message, by its index, and when it is due.
fn release_due(pending: &Pending, states: &[TaskState], now: Timestamp) -> Option<(usize, Timestamp)> {
    let (place, awaited) = match pending {
        Pending::Job { place, message_type: JobMessageType::Finished, .. } => (*place, None),
        // It came early: clocks differ. If the linger ends at another time, the finish that moved it has sent a recheck.
        Pending::TaskRecheck { place, due } => (*place, Some(*due)),
        Pending::Job { .. } | Pending::Ended(_) | Pending::Stop(_) | Pending::ServiceWork(_) => return None,
    };
    let TaskState::Known(record, None) = &states[place] else { return None };
    let due = record.release_due_at(now)?;
    awaited.is_none_or(|awaited| awaited == due).then_some((place, due))
}
