//! What a model consists of: its size, its faults, and how it goes on.

use super::agent::ModelAgentCall;
use super::left::Left;
use super::sabotage::ModelSabotage;
use super::scene::{Moment, SWEEP_EVERY_S, Set, TaskNo, VISIBILITY_TIMEOUT_S, WorkerMessage};
use super::script::EcsFault;
use super::witnesses::{COMES_AGAIN, LATE_RELEASE, LEFT_IN_STORE, REFUSED};

/// When the caller of a put receives its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stores {
    /// In the same step.
    AnsweredAtOnce,
    /// In a separate step: others act in between, time passes, and the recorded call may be sent too late.
    AnsweredLater,
}

/// The room in the record of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordSpace {
    /// More than its jobs take.
    Roomy,
    /// None for finished jobs, so that fingerprints of them are left.
    Full,
    /// For one live job, and for fingerprints of finished ones. The function itself finds out.
    OneLiveJob,
}

/// How the model continues once it is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// Nothing.
    None,
    /// Time passes until every job is over, and sweeps run while they have work: protection to clear, or a busy task to
    /// protect.
    Sweeps,
}

/// A model that is small enough for a complete walk.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) name: &'static str,
    pub(crate) tasks: TaskNo,
    pub(crate) messages: Vec<WorkerMessage>,
    /// These messages are delivered and processed, one by one and undisturbed, before the model starts.
    pub(crate) carried_out: Set,
    /// Maximum number of concurrent invocations.
    pub(crate) at_once: usize,
    /// Maximum number of messages in a batch.
    pub(crate) batch_max: u32,
    /// Maximum duration of an invocation.
    pub(crate) timeout_s: Moment,
    /// Duration of a tick.
    pub(crate) tick_s: Moment,
    pub(crate) left: Left,
    /// How long a task keeps its protection after its last job.
    pub(crate) linger_s: Moment,
    /// What the worker of a task may request from the agent.
    pub(crate) agent_calls: Vec<ModelAgentCall>,
    /// How calls to ECS may fail.
    pub(crate) ecs_faults: Vec<EcsFault>,
    pub(crate) stores: Stores,
    pub(crate) records: RecordSpace,
    pub(crate) schedule: Schedule,
    pub(crate) sabotage: ModelSabotage,
    /// The witnesses that the model must reach (`witnesses.rs`).
    pub(crate) must_reach: Vec<&'static str>,
}

impl Configuration {
    /// Allows these events.
    pub(crate) fn with(mut self, left: Left) -> Self {
        if left.crashes > 0 {
            self.must_reach.extend([LEFT_IN_STORE, LATE_RELEASE, COMES_AGAIN]);
        }
        if left.ecs_faults > 0 {
            self.must_reach.push(LATE_RELEASE);
        }
        if left.refusals > 0 {
            self.must_reach.push(REFUSED);
        }
        Self { left, ..self }
    }

    /// Adds witnesses that the model must reach.
    pub(crate) fn reaching(mut self, witnesses: &[&'static str]) -> Self {
        self.must_reach.extend(witnesses);
        self
    }

    /// Lists the only witnesses that the model must reach.
    pub(crate) fn reaching_only(self, witnesses: &[&'static str]) -> Self {
        Self { must_reach: witnesses.to_vec(), ..self }
    }

    /// By this time no message is left, and a sweep has no work. A message may be redelivered once because of
    /// concurrent invocations, and each event costs at most one more delivery or one more sweep.
    pub(crate) fn ends_within_s(&self) -> Moment {
        let messages = Moment::try_from(self.messages.len()).expect("few");
        let times = messages + self.left.sum();
        let last_job = self.messages.iter().filter_map(WorkerMessage::end).max().unwrap_or(0);
        match self.schedule {
            Schedule::None => VISIBILITY_TIMEOUT_S * times,
            Schedule::Sweeps => last_job + SWEEP_EVERY_S * times,
        }
    }
}
