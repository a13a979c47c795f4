//! The effects of calls, puts, answers and time on the world around the function.

use super::configuration::RecordSpace;
use super::function::{FunctionRun, RecordNo};
use super::harm::Harm;
use super::protocol::ModelProtocol;
use super::sabotage::ModelSabotage;
use super::scene::{Moment, TaskNo, members, only};
use super::script::{ModelRequest, Subject, TaskEffect};
use super::state::{Alone, Landing, LateCall, ModelInvocation, ModelState, OpenRequest, ProtectionWriter};
use jiff::SignedDuration;
use taskhold::task::record::TaskRecord;

/// The default of `TASKHOLD_FINISHED_JOB_RETENTION_HOURS`.
const FINISHED_JOB_RETENTION: SignedDuration = SignedDuration::from_hours(336);

impl ModelProtocol {
    /// The state store compares and sets.
    pub(crate) fn land(&self, state: &mut ModelState, at: usize, stored: (TaskNo, RecordNo)) -> Landing {
        let (task, record) = stored;
        let bit = only(usize::from(task));
        let compares = self.configuration.sabotage != ModelSabotage::StoresAreNotCompared;
        if compares && state.running[at].outrun & bit != 0 {
            return Landing::Conflict;
        }
        let batch = self.function.run(state.running[at].run).work.batch();
        let before = state.tasks[usize::from(task)].record;
        let record = self.stored(self.squeezed(record, before), batch);
        let harm = self.harm_of_new_calls(state, (task, record));
        let landed = &mut state.tasks[usize::from(task)];
        landed.record = Some(record);
        if harm != Harm::None {
            landed.harm = harm;
        }
        for (other, invocation) in state.running.iter_mut().enumerate() {
            if other == at {
                invocation.outrun &= !bit;
            } else {
                invocation.outrun |= bit & self.function.run(invocation.run).holds();
            }
        }
        Landing::Stored
    }

    /// A full record keeps fingerprints of the jobs that have finished. `before` is the record that it replaces.
    fn squeezed(&self, number: RecordNo, before: Option<RecordNo>) -> RecordNo {
        if self.configuration.records != RecordSpace::Full {
            return number;
        }
        let mut record: TaskRecord = self.function.record(number).record.clone();
        for (key, job) in std::mem::take(&mut record.jobs).iter() {
            match job.finished_at {
                None => record.merge_job(key, job),
                Some(_) if self.configuration.sabotage == ModelSabotage::NoFingerprints => {}
                Some(_) if self.configuration.sabotage == ModelSabotage::FinishesFindNoRoom => {
                    let before = before.map(|before| self.function.record(before));
                    if let Some(unfinished) = before.as_ref().and_then(|known| known.record.jobs.get(key)) {
                        record.merge_job(key, unfinished);
                    }
                }
                Some(finished_at) => record.fingerprints.insert(key, finished_at + FINISHED_JOB_RETENTION),
            }
        }
        self.function.number_of(&record)
    }

    /// The function's answer reaches the queue.
    pub(crate) fn respond(&self, state: &mut ModelState, at: usize) {
        let invocation = state.running.remove(at);
        let run = self.function.run(invocation.run);
        let ended = run.ended.expect("only what has ended responds");
        match state.alone.take() {
            Some(Alone::Sweep) => self.note_unprotected(state),
            Some(Alone::RecheckAfterLinger) => self.note_lingering(state),
            None => {}
        }
        let retried = match self.configuration.sabotage {
            ModelSabotage::FailuresAreAcknowledged => 0,
            _ => ended.retried,
        };
        for number in members(run.work.batch() & !retried) {
            let message = &mut state.queue[usize::from(number)];
            (message.is_deleted, message.visible_from) = (true, 0);
            message.is_dead_lettered |= ended.dead_lettered & only(usize::from(number)) != 0;
            message.is_late = self.message(number).end().is_some_and(|end| end <= state.now);
        }
    }

    pub(crate) fn crash(&self, state: &mut ModelState, at: usize) {
        let invocation = state.running.remove(at);
        let run = self.function.run(invocation.run);
        let late = late_calls(&invocation, &run, None);
        state.late.extend(late);
    }

    /// Time passes.
    pub(crate) fn pass(&self, state: &mut ModelState, to: Moment) {
        state.now = to;
        while let Some(over) = state.running.iter().position(|invocation| invocation.deadline <= to) {
            self.crash(state, over);
        }
        state.late.retain(|call| call.until > to);
        for invocation in &mut state.running {
            for sent in &mut invocation.sent {
                if let OpenRequest::Call { until, .. } = sent
                    && *until <= to
                {
                    *until = 0;
                }
            }
        }
        let is_over = |moment: &mut Moment| *moment = if *moment <= to { 0 } else { *moment };
        state.queue.iter_mut().for_each(|message| is_over(&mut message.visible_from));
        for task in &mut state.tasks {
            is_over(&mut task.protected_until);
            if task.protected_until == 0 {
                (task.set_at, task.writer) = (0, ProtectionWriter::Function);
            }
        }
    }
}

fn minutes_from(now: Moment, minutes: u32) -> Moment {
    now + Moment::try_from(minutes * 60).expect("a model lasts hours at most")
}

impl ModelProtocol {
    /// ECS applies a call to one task.
    pub(crate) fn take_effect(&self, state: &mut ModelState, number: TaskNo, minutes: Option<u32>) -> TaskEffect {
        let until = minutes.map(|minutes| minutes_from(state.now, minutes));
        let harm = match until {
            None => self.harm_of_release(state, number),
            Some(_) => Harm::None,
        };
        let now = state.now;
        let task = &mut state.tasks[usize::from(number)];
        if harm != Harm::None {
            task.harm = harm;
        }
        (task.protected_until, task.writer, task.is_taken_away) =
            (until.unwrap_or(0), ProtectionWriter::Function, false);
        task.set_at = if until.is_some() { now } else { 0 };
        until.map_or(TaskEffect::Cleared, TaskEffect::ProtectedUntil)
    }
}

/// The parts of the calls about `subject`, or of all calls, that may still take effect after their caller is gone.
pub(crate) fn late_calls(invocation: &ModelInvocation, run: &FunctionRun, subject: Option<Subject>) -> Vec<LateCall> {
    let mut late = Vec::new();
    for sent in &invocation.sent {
        let OpenRequest::Call { subject: of, until, effects } = sent else { continue };
        if *until == 0 || subject.is_some_and(|subject| subject != *of) {
            continue;
        }
        let ModelRequest::Protect(minutes, tasks) = run.request(*of) else { unreachable!("only these are sent so") };
        let pending = tasks.iter().filter(|task| effects.iter().all(|(affected, _)| affected != *task));
        late.extend(pending.map(|task| LateCall { task: *task, minutes: *minutes, until: *until }));
    }
    late
}
