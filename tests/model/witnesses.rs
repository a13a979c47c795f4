//! States that a configuration must reach. Without them, unbroken promises would prove little.

use super::protocol::ModelProtocol;
use super::scene::{InvocationWork, TaskNo, WorkerMessage, only, timestamp};
use super::script::ModelRequest;
use super::state::{Landing, ModelInvocation, ModelState, ModelTask, OpenRequest, ProtectionWriter};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use taskhold::task::protection::SENT_WITHIN;
use taskhold::task::record::TaskRecord;

/// No invocation runs, no request is in flight, and no message is left.
pub(crate) const QUIET: &str = "all is done and quiet";
/// The same with a live job.
pub(crate) const QUIET_AND_BUSY: &str = "all is quiet and a busy task is protected";
/// The version has changed since it was loaded.
pub(crate) const LOST_COMPARISON: &str = "a store comes over a newer version";
pub(crate) const RELEASE_RACES_JOB: &str = "a release is under way to a task with a live job";
/// SEMANTICS.md does not promise to prevent this.
pub(crate) const UNCOVERED_BEFORE_ACKNOWLEDGED: &str = "a release uncovers a job whose start is not acknowledged yet";
pub(crate) const LATE_RELEASE: &str = "a release without a caller may still uncover a live job";
pub(crate) const LATE_PROTECTION: &str = "a protection call without a caller may still protect an idle task";
/// An invocation ended between its put and its call, or between its call and the put of its answer.
pub(crate) const LEFT_IN_STORE: &str = "the state store has a call whose outcome no invocation will record";
pub(crate) const TOO_LATE_TO_SEND: &str = "a call was recorded too long ago to be sent";
pub(crate) const FORGOTTEN: &str = "a call is forgotten that its caller still waits for";
pub(crate) const REFUSED: &str = "ECS has refused a task with a live job";
pub(crate) const OUTLIVED: &str = "a job is over and its finish is on its way";
pub(crate) const EXPIRED: &str = "a job has outlived its time and its protection has expired";
pub(crate) const COMES_AGAIN: &str = "a message waits for its redelivery";
pub(crate) const PART_OF_A_CALL: &str = "a call has taken effect for one of its tasks and not for the other";
pub(crate) const PART_OF_A_BATCH: &str = "of one batch a message is done and another is retried";
pub(crate) const OUTLIVED_AND_KEPT: &str = "a job has outlived its time and keeps its protection";
pub(crate) const FOREIGN_IS_KEPT: &str = "a release was not sent because another writer protects the task";
pub(crate) const BETWEEN_READ_AND_CALL: &str = "another writer acts between a read and the release that follows";
pub(crate) const LOSS_IS_NOTED: &str = "the state store says that another writer took protection away";
pub(crate) const REPAIRED: &str = "protection that another writer took away is there again";
pub(crate) const REJECTED: &str = "a start is rejected because the record has no room";
pub(crate) const ADMITTED: &str = "a job whose start was rejected is recorded";
pub(crate) const TWO_WRITERS: &str = "a task has live jobs of the function and of the agent";
pub(crate) const AGENT_JOB_IS_REFUSED: &str = "a worker has reported that the agent was refused";
pub(crate) const SWEEP_ACTS: &str = "a sweep has found something to do";
pub(crate) const THREE_AT_ONCE: &str = "three invocations have calls under way";

/// A condition that some state must show.
#[derive(Clone, Copy)]
pub(crate) struct Witness {
    pub(crate) name: &'static str,
    holds: fn(&ModelProtocol, &ModelState) -> bool,
}

const fn witness(name: &'static str, holds: fn(&ModelProtocol, &ModelState) -> bool) -> Witness {
    Witness { name, holds }
}

const WITNESSES: [Witness; 27] = [
    witness(QUIET, |_, state| state.is_quiet()),
    witness(QUIET_AND_BUSY, is_quiet_and_busy),
    witness(LOST_COMPARISON, a_comparison_is_lost),
    witness(RELEASE_RACES_JOB, a_release_races_a_job),
    witness(UNCOVERED_BEFORE_ACKNOWLEDGED, a_job_is_uncovered),
    witness(LATE_RELEASE, |protocol, state| is_late(protocol, state, Late::Release)),
    witness(LATE_PROTECTION, |protocol, state| is_late(protocol, state, Late::Protection)),
    witness(LEFT_IN_STORE, a_call_is_left_in_the_store),
    witness(TOO_LATE_TO_SEND, a_call_is_too_late_to_be_sent),
    witness(FORGOTTEN, a_call_is_forgotten),
    witness(REFUSED, a_task_is_refused),
    witness(OUTLIVED, a_job_is_over_before_its_finish),
    witness(EXPIRED, a_protection_has_expired),
    witness(COMES_AGAIN, a_message_is_redelivered),
    witness(PART_OF_A_CALL, a_call_is_half_done),
    witness(PART_OF_A_BATCH, a_batch_ends_in_parts),
    witness(OUTLIVED_AND_KEPT, a_job_is_outlived_and_kept),
    witness(FOREIGN_IS_KEPT, |protocol, state| {
        protocol.records(state).any(|record| record.protection.foreign.is_some())
    }),
    witness(BETWEEN_READ_AND_CALL, |_, state| {
        state.tasks.iter().any(|task| task.writer == ProtectionWriter::AgentTooLate)
    }),
    witness(LOSS_IS_NOTED, |protocol, state| protocol.records(state).any(|record| record.protection.lost.is_some())),
    witness(REPAIRED, a_loss_is_repaired),
    witness(REJECTED, |protocol, state| protocol.records(state).any(|record| record.rejected.is_some())),
    witness(ADMITTED, a_rejected_job_is_recorded),
    witness(TWO_WRITERS, a_task_has_two_writers),
    witness(AGENT_JOB_IS_REFUSED, an_agent_was_refused),
    witness(SWEEP_ACTS, a_sweep_acts),
    witness(THREE_AT_ONCE, |protocol, state| calling(protocol, state).count() == 3),
];

/// The witnesses with these names.
pub(crate) fn witnesses(names: &[&str]) -> Vec<Witness> {
    WITNESSES.into_iter().filter(|witness| names.contains(&witness.name)).collect()
}

/// One property for all witnesses, because the checker spends time on each property in every state.
pub(crate) const EVERY_WITNESS_IS_REACHED: &str = "everything that it has to show is seen";

/// Returns true only once, for the state that reaches the last missing witness.
pub(crate) fn everything_holds(protocol: &ModelProtocol, state: &ModelState) -> bool {
    if protocol.has_reached_all.load(Ordering::Relaxed) {
        return false;
    }
    let mut unreached = protocol.unreached.lock().unwrap_or_else(PoisonError::into_inner);
    unreached.retain(|witness| !(witness.holds)(protocol, state));
    unreached.is_empty() && !protocol.has_reached_all.swap(true, Ordering::Relaxed)
}

impl ModelProtocol {
    fn records(&self, state: &ModelState) -> impl Iterator<Item = TaskRecord> {
        state.tasks.iter().filter_map(|task| Some(self.function.record(task.record?).record.clone()))
    }

    fn has_live_job(&self, state: &ModelState, task: TaskNo) -> bool {
        let record = state.tasks[usize::from(task)].record.map(|record| self.function.record(record));
        record.is_some_and(|known| known.record.wanted_until(timestamp(state.now)).is_some())
    }
}

/// Invocations with ECS calls in flight, and their requests: the minutes, or off, and the tasks.
fn calling<'a>(
    protocol: &ModelProtocol,
    state: &'a ModelState,
) -> impl Iterator<Item = (&'a ModelInvocation, Option<u32>, Vec<TaskNo>)> {
    state.running.iter().filter_map(|invocation| {
        let run = protocol.function.run(invocation.run);
        run.waiting.iter().find_map(|(_, request)| match request {
            ModelRequest::Protect(minutes, tasks) => Some((invocation, *minutes, tasks.clone())),
            _ => None,
        })
    })
}

fn is_quiet_and_busy(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let is_busy = |(number, task): (TaskNo, &ModelTask)| {
        task.protected_until > 0 && protocol.promised_until(state, number).is_some_and(|until| until > state.now)
    };
    state.is_quiet() && protocol.numbered_tasks(state).any(is_busy)
}

fn a_comparison_is_lost(protocol: &ModelProtocol, state: &ModelState) -> bool {
    state.running.iter().any(|invocation| {
        let run = protocol.function.run(invocation.run);
        let loses = |request: &ModelRequest<_>| match request {
            ModelRequest::Store(task, _) => invocation.outrun & only(usize::from(*task)) != 0,
            _ => false,
        };
        run.waiting.iter().any(|(_, request)| loses(request))
    })
}

fn a_release_races_a_job(protocol: &ModelProtocol, state: &ModelState) -> bool {
    calling(protocol, state)
        .any(|(_, minutes, tasks)| minutes.is_none() && tasks.iter().any(|task| protocol.has_live_job(state, *task)))
}

/// The state store contains the job, ECS has protected the task, and a release followed.
fn a_job_is_uncovered(protocol: &ModelProtocol, state: &ModelState) -> bool {
    calling(protocol, state).any(|(invocation, minutes, tasks)| {
        let granted =
            invocation.sent.iter().any(|sent| matches!(sent, OpenRequest::Call { effects, .. } if !effects.is_empty()));
        let is_bare =
            |task: &TaskNo| protocol.has_live_job(state, *task) && state.tasks[usize::from(*task)].protected_until == 0;
        granted && minutes.is_some() && tasks.iter().any(is_bare)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Late {
    Release,
    Protection,
}

fn is_late(protocol: &ModelProtocol, state: &ModelState, what: Late) -> bool {
    state.late.iter().any(|call| match what {
        Late::Release => call.minutes.is_none() && protocol.has_live_job(state, call.task),
        Late::Protection => call.minutes.is_some() && !protocol.has_live_job(state, call.task),
    })
}

fn a_call_is_left_in_the_store(protocol: &ModelProtocol, state: &ModelState) -> bool {
    state.running.is_empty() && protocol.records(state).any(|record| !record.protection.in_flight.is_empty())
}

fn a_call_is_too_late_to_be_sent(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let now = timestamp(state.now);
    state.running.iter().any(|invocation| {
        let run = protocol.function.run(invocation.run);
        invocation.sent.iter().any(|sent| match (sent, run.request(sent.subject())) {
            (OpenRequest::Store { landing: Landing::Stored, .. }, ModelRequest::Store(_, record)) => {
                let record = protocol.function.record(*record);
                let newest = record.record.protection.in_flight.last();
                newest.is_some_and(|call| now.duration_since(call.started_at) > SENT_WITHIN)
            }
            _ => false,
        })
    })
}

/// It was recorded before it was sent, and only its caller removes it.
fn a_call_is_forgotten(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let none_in_flight = |task: &TaskNo| {
        let record = state.tasks[usize::from(*task)].record.map(|record| protocol.function.record(record));
        record.is_some_and(|known| known.record.protection.in_flight.is_empty())
    };
    calling(protocol, state).any(|(.., tasks)| tasks.iter().any(none_in_flight))
}

fn a_task_is_refused(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let now = timestamp(state.now);
    protocol.records(state).any(|record| record.refused_since(now).is_some())
}

fn a_job_is_over_before_its_finish(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let now = timestamp(state.now);
    let is_over = |record: TaskRecord| record.jobs.keys().any(|key| record.outlived(key, now).is_some());
    !state.is_quiet() && protocol.records(state).any(is_over)
}

fn a_protection_has_expired(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let now = timestamp(state.now);
    let outlived = |record: TaskRecord| {
        record.protection.is_set() && record.jobs.keys().any(|key| record.outlived(key, now).is_some())
    };
    state.tasks.iter().all(|task| task.protected_until == 0) && protocol.records(state).any(outlived)
}

fn a_job_is_outlived_and_kept(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let now = timestamp(state.now);
    protocol.records(state).any(|record| record.wanted_until(now).is_none() && record.kept_until(now).is_some())
}

fn a_message_is_redelivered(_: &ModelProtocol, state: &ModelState) -> bool {
    state.running.is_empty() && state.queue.iter().any(|message| message.visible_from > 0)
}

fn a_call_is_half_done(protocol: &ModelProtocol, state: &ModelState) -> bool {
    calling(protocol, state).any(|(invocation, _, tasks)| {
        let is_half_done = |sent: &OpenRequest| matches!(sent, OpenRequest::Call { effects, .. } if effects.len() == 1);
        tasks.len() == 2 && invocation.sent.iter().any(is_half_done)
    })
}

fn a_batch_ends_in_parts(protocol: &ModelProtocol, state: &ModelState) -> bool {
    state.running.iter().any(|invocation| {
        let run = protocol.function.run(invocation.run);
        run.ended.is_some_and(|ended| ended.retried != 0 && ended.retried != run.work.batch())
    })
}

/// The call of a sweep has taken effect for a busy task.
fn a_loss_is_repaired(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let is_lost = |number: TaskNo| {
        let record = state.tasks[usize::from(number)].record.map(|record| protocol.function.record(record));
        record.is_some_and(|known| known.record.protection.lost.is_some())
    };
    let is_repaired = |(number, task): (TaskNo, &ModelTask)| {
        is_lost(number) && !task.is_taken_away && !protocol.is_bare(state, number) && task.protected_until > 0
    };
    protocol.numbered_tasks(state).any(is_repaired)
}

fn a_rejected_job_is_recorded(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let is_recorded = |(number, message): (usize, &WorkerMessage)| {
        let record = state.tasks[usize::from(message.task)].record.map(|record| protocol.function.record(record));
        let is_known = record.is_some_and(|known| known.known & !known.rejected & only(number) != 0);
        state.queue[number].is_dead_lettered && is_known
    };
    protocol.messages().any(is_recorded)
}

fn a_task_has_two_writers(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let now = timestamp(state.now);
    protocol.records(state).any(|record| {
        let mut live = record.jobs.values().filter(|job| job.lives_until(now).is_some());
        record.wanted_until(now).is_some() && live.any(|job| job.is_protected_by_agent())
    })
}

fn an_agent_was_refused(protocol: &ModelProtocol, state: &ModelState) -> bool {
    protocol.records(state).any(|record| record.jobs.values().any(|job| job.agent_refused_at().is_some()))
}

fn a_sweep_acts(protocol: &ModelProtocol, state: &ModelState) -> bool {
    calling(protocol, state).any(|(invocation, ..)| protocol.function.run(invocation.run).work == InvocationWork::Sweep)
}
