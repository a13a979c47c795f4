//! The effects of calls, puts, answers and time on the world around the function.

use super::configuration::{Records, Sabotage};
use super::function::{EntryNo, Run};
use super::promises::Acknowledged;
use super::protocol::Protocol;
use super::scene::{Moment, Set, TaskNo, members, only, timestamp};
use super::script::{Request, Subject, Told};
use super::state::{Harm, Invocation, LateCall, Sent, State, TaskState, Writer};
use jiff::SignedDuration;
use std::sync::Arc;
use taskhold::task::protection::ProtectionRequest;
use taskhold::task::record::TaskRecord;

/// SEMANTICS.md, "A release never leaves a live job unprotected": two minutes from storing the call, of which
/// sending may take 30 s.
const EFFECT_WITHIN_S: Moment = 90;

/// The default of `TASKHOLD_FINISHED_JOB_RETENTION_HOURS`.
const FINISHED_JOB_RETENTION: SignedDuration = SignedDuration::from_hours(336);

impl Protocol {
    /// The period after sending in which a call takes effect, or never.
    pub(crate) fn takes_effect_within(&self) -> Moment {
        match self.configuration.sabotage {
            Sabotage::EffectsAreTooLate => EFFECT_WITHIN_S * 3,
            _ => EFFECT_WITHIN_S,
        }
    }

    /// The state store compares and sets.
    pub(crate) fn land(&self, state: &mut State, at: usize, stored: (TaskNo, EntryNo)) -> bool {
        let (task, record) = stored;
        let bit = only(usize::from(task));
        let compares = self.configuration.sabotage != Sabotage::StoresAreNotCompared;
        if compares && state.running[at].outrun & bit != 0 {
            return false;
        }
        let batch = self.function.run(state.running[at].run).work.batch();
        state.tasks[usize::from(task)].record = Some(self.sabotaged(self.squeezed(record), batch));
        for (other, invocation) in state.running.iter_mut().enumerate() {
            if other == at {
                invocation.outrun &= !bit;
            } else {
                invocation.outrun |= bit & self.function.run(invocation.run).holds();
            }
        }
        true
    }

    /// A full record keeps fingerprints of the jobs that have finished.
    fn squeezed(&self, number: EntryNo) -> EntryNo {
        if self.configuration.records == Records::Roomy {
            return number;
        }
        let mut record: TaskRecord = self.function.record(number).record.clone();
        for (key, job) in std::mem::take(&mut record.jobs).iter() {
            match job.finished_at {
                None => record.merge_job(key, job),
                Some(_) if self.configuration.sabotage == Sabotage::NoFingerprints => {}
                Some(finished_at) => record.fingerprints.insert(key, finished_at + FINISHED_JOB_RETENTION),
            }
        }
        self.function.number_of(&record)
    }

    fn sabotaged(&self, number: EntryNo, batch: Set) -> EntryNo {
        let known = self.function.record(number);
        let mut record: TaskRecord = known.record.clone();
        match self.configuration.sabotage {
            Sabotage::ReleasesAreNotWrittenDown => {
                record.protection.in_flight.retain(|call| call.request != ProtectionRequest::Clear);
            }
            Sabotage::UnfinishedJobsAreDropped => {
                let of_batch = |job: &str| members(batch).any(|told| self.message(told).job == job);
                let jobs = Arc::make_mut(&mut record.jobs);
                jobs.retain(|key, job| job.finished_at.is_some() || of_batch(&key.job_id));
            }
            Sabotage::LingersAreNotWrittenDown => record.lingers_until = None,
            _ => return number,
        }
        self.function.number_of(&record)
    }

    /// The function's answer reaches the queue.
    pub(crate) fn respond(&self, state: &mut State, at: usize) {
        let invocation = state.running.remove(at);
        let run = self.function.run(invocation.run);
        let ended = run.ended.expect("only what has ended responds");
        let retried = match self.configuration.sabotage {
            Sabotage::FailuresAreAcknowledged => 0,
            _ => ended.retried,
        };
        for number in members(run.work.batch() & !retried) {
            let message = &mut state.queue[usize::from(number)];
            (message.is_deleted, message.visible_from) = (true, 0);
            message.is_dead_lettered |= ended.dead_lettered & only(usize::from(number)) != 0;
            message.is_late = self.message(number).end().is_some_and(|end| end <= state.now);
        }
    }

    pub(crate) fn crash(&self, state: &mut State, at: usize) {
        let invocation = state.running.remove(at);
        let run = self.function.run(invocation.run);
        let late = late_calls(&invocation, &run, None);
        state.late.extend(late);
    }

    /// Time passes.
    pub(crate) fn pass(&self, state: &mut State, to: Moment) {
        state.now = to;
        while let Some(over) = state.running.iter().position(|invocation| invocation.deadline <= to) {
            self.crash(state, over);
        }
        state.late.retain(|call| call.until > to);
        for invocation in &mut state.running {
            for sent in &mut invocation.sent {
                if let Sent::Call { until, .. } = sent
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
                (task.set_at, task.writer) = (0, Writer::Function);
            }
        }
    }
}

/// How long a worker protects its task: not as long as any job of the model.
const AGENT_MINUTES: u32 = 90;

fn minutes_from(now: Moment, minutes: u32) -> Moment {
    now + Moment::try_from(minutes * 60).expect("a model lasts hours at most")
}

impl Protocol {
    /// ECS applies a call to one task.
    pub(crate) fn take_effect(&self, state: &mut State, number: TaskNo, minutes: Option<u32>) -> Told {
        let until = minutes.map(|minutes| minutes_from(state.now, minutes));
        let harm = match until {
            None => self.harm(state, number),
            Some(_) => Harm::None,
        };
        let now = state.now;
        let task = &mut state.tasks[usize::from(number)];
        if harm != Harm::None {
            task.harm = harm;
        }
        (task.protected_until, task.writer) = (until.unwrap_or(0), Writer::Function);
        task.set_at = if until.is_some() { now } else { 0 };
        until.map_or(Told::Cleared, Told::ProtectedUntil)
    }

    /// What a release of the task would break.
    fn harm(&self, state: &State, number: TaskNo) -> Harm {
        let task = &state.tasks[usize::from(number)];
        if task.protected_until > 0 && task.writer == Writer::Agent {
            return Harm::ForeignCleared;
        }
        if self.lingers(state) {
            return Harm::ReleasedEarly;
        }
        let ends = self.unfinished_ends(state, number, Acknowledged::InTime);
        let mut kept = ends.filter(|end| task.set_at < *end && *end <= state.now && state.now < task.protected_until);
        if kept.next().is_some() { Harm::ReleasedWithoutAnEnd } else { Harm::None }
    }

    /// The worker of a task protects it. A release that the function has checked may be on its way.
    pub(crate) fn agent_protects(&self, state: &mut State, number: TaskNo) {
        let is_release = |request: &Request<EntryNo>| match request {
            Request::Protect(None, tasks) => tasks.contains(&number),
            _ => false,
        };
        let is_checked = |invocation: &Invocation| {
            let run = self.function.run(invocation.run);
            run.waiting.iter().any(|(_, request)| is_release(request))
        };
        let is_late = state.late.iter().any(|call| call.task == number && call.minutes.is_none());
        let is_too_late = is_late || state.running.iter().any(is_checked);
        let (now, until) = (state.now, minutes_from(state.now, AGENT_MINUTES));
        let task = &mut state.tasks[usize::from(number)];
        (task.protected_until, task.set_at) = (until, now);
        task.writer = if is_too_late { Writer::AgentTooLate } else { Writer::Agent };
    }

    /// The end that ECS reports for a task's protection.
    pub(crate) fn reported(&self, task: &TaskState) -> Moment {
        let is_lied_about = self.configuration.sabotage == Sabotage::ForeignProtectionIsNotSeen;
        let own = task.record.filter(|_| is_lied_about && task.is_protected_by_agent()).and_then(|record| {
            let record = self.function.record(record);
            let latest = record.record.protection.own.last()?.latest;
            Moment::try_from(latest.duration_since(timestamp(0)).as_secs()).ok()
        });
        own.unwrap_or(task.protected_until)
    }

    /// A record as the state store hands it out.
    pub(crate) fn loaded(&self, state: &State, number: EntryNo) -> EntryNo {
        if self.configuration.sabotage != Sabotage::DeclaredEndsRelease {
            return number;
        }
        let mut record: TaskRecord = self.function.record(number).record.clone();
        let now = timestamp(state.now);
        for job in Arc::make_mut(&mut record.jobs).values_mut() {
            job.finished_at = job.finished_at.or_else(|| job.until().filter(|until| *until <= now));
        }
        self.function.number_of(&record)
    }
}

/// The parts of the calls about `subject`, or of all calls, that may still take effect after their caller is gone.
pub(crate) fn late_calls(invocation: &Invocation, run: &Run, subject: Option<Subject>) -> Vec<LateCall> {
    let mut late = Vec::new();
    for sent in &invocation.sent {
        let Sent::Call { subject: of, until, told } = sent else { continue };
        if *until == 0 || subject.is_some_and(|subject| subject != *of) {
            continue;
        }
        let Request::Protect(minutes, tasks) = run.request(*of) else { unreachable!("only these are sent so") };
        let untold = tasks.iter().filter(|task| told.iter().all(|(told, _)| told != *task));
        late.extend(untold.map(|task| LateCall { task: *task, minutes: *minutes, until: *until }));
    }
    late
}
