//! The statements of the scenario language.

use super::job_line::JobLine;
use crate::control_plane::{
    CircuitBreaker, DeploymentControllerType, DeploymentStage, EarlySuccessCriteria, HookDecision, HookSpec, Millis,
    ServiceSpec, StrategySpec,
};
use crate::region::{CLUSTER, Fault};
use std::ops::RangeInclusive;

/// Default bake time of a scenario's service; ECS has no default for BLUE_GREEN.
const BAKE_MINUTES: u32 = 5;

/// One statement of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// Variants that the scenario needs, as `name=value`.
    Needs(Vec<String>),
    /// A setting of the function.
    Set {
        /// The environment variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// A service whose tasks run already.
    Service(ServiceLine),
    /// A task of no service.
    Standalone,
    /// A worker sends a message about a job.
    Job(JobLine),
    /// The last message is delivered this many times more.
    Again(u32),
    /// This body is sent.
    Send(String),
    /// The function sweeps at this interval from now on.
    SweepEvery(Millis),
    /// The faults of ECS end.
    Recover,
    /// The next calls to the topic are lost.
    LoseAlerts(u32),
    /// The rechecks that wait in their queue are lost.
    LoseRechecks,
    /// Alerts need not be expected.
    MuteAlerts,
    /// It need not be expected that ECS stops a task in the middle of a job.
    MuteStops,
    /// An operator invokes the function with this payload.
    Ask(String),
    /// Job messages wait.
    HoldQueue,
    /// Waiting messages arrive in one batch.
    OpenQueue(Order),
    /// A new deployment of a service.
    Deploy(String),
    /// Another desired count of a service.
    Scale(String, u32),
    /// The same, right before the function's next call of an operation.
    ScaleBefore(String, u32, String),
    /// Application Auto Scaling keeps the desired count of a service within these bounds.
    Autoscaling(String, RangeInclusive<u32>),
    /// Application Auto Scaling denies this many of the next calls.
    AutoscalingDenies(u32),
    /// A service gets a tag, or another value of it.
    Tag(String, String, String),
    /// ECS moves a task of a service to another Availability Zone.
    Rebalance(String),
    /// The tasks of a service's present deployment fail to start.
    FailDeployment(String, CircuitBreaker),
    /// A person continues or rolls back the paused deployment of a service.
    ContinueDeployment(String, HookDecision),
    /// A person stops the deployment of a service, and ECS rolls it back.
    StopDeployment(String),
    /// Another function answers the Lambda hook that runs.
    AnswerHook(String, HookDecision),
    /// Lambda refuses this many of the next invocations by ECS.
    ThrottleHooks(u32),
    /// ECS answers every call of an operation with this body, until it recovers.
    EcsAnswers(String, String),
    /// A service is deleted.
    Delete(String),
    /// A task protects itself for this many minutes, or for ECS's default time.
    Protect(String, Option<u32>),
    /// A task clears its own protection.
    Release(String),
    /// How the agent of every container answers `taskhold-run` from now on.
    Agent(AgentCondition),
    /// A task ends, in one of the ways that protection does not prevent.
    End(String, EndOfTask),
    /// The next calls to ECS, or to one operation of it, fail.
    Fault(Fault, u32, Option<String>),
    /// How the events of ECS are delivered from now on.
    Events(EventsOfEcs),
    /// Each call to ECS takes this long from now on.
    Latency(Millis),
    /// Time passes.
    Advance(Millis),
    /// A line for the reader of the timeline.
    Say(String),
    /// An expectation.
    Expect(Expectation),
}

/// A service, and how it is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLine {
    /// Its name.
    pub name: String,
    /// The desired count.
    pub desired: u32,
    /// `minimumHealthyPercent`.
    pub min: u32,
    /// `maximumPercent`.
    pub max: u32,
    /// `deploymentConfiguration.strategy`.
    pub strategy: StrategySpec,
    /// `bakeTimeInMinutes`, or how long an old task set waits to be deleted.
    pub bake_minutes: Option<u32>,
    /// `deploymentConfiguration.lifecycleHooks`.
    pub hooks: Vec<HookSpec>,
    /// `deploymentConfiguration.earlySuccessCriteria`.
    pub early_success: Option<EarlySuccessCriteria>,
    /// `deploymentController`.
    pub controller: DeploymentControllerType,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
}

impl ServiceLine {
    /// The service as ECS creates it.
    pub(super) fn spec(&self) -> ServiceSpec {
        let waits = self.strategy != StrategySpec::Rolling || self.controller != DeploymentControllerType::Ecs;
        ServiceSpec {
            minimum_healthy_percent: self.min,
            maximum_percent: self.max,
            strategy: self.strategy,
            bake_minutes: self.bake_minutes.unwrap_or(if waits { BAKE_MINUTES } else { 0 }),
            controller: self.controller,
            hooks: self.hooks.clone(),
            early_success: self.early_success,
            tags: self.tags.iter().cloned().collect(),
            ..ServiceSpec::new(CLUSTER, &self.name, self.desired)
        }
    }
}

/// The order in which a batch is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As sent.
    Sent,
    /// In reverse.
    Reversed,
}

/// The fate of events of ECS on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventsOfEcs {
    /// They arrive.
    Delivered,
    /// They are lost.
    Lost,
}

/// How the agent of a container answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentCondition {
    /// In time.
    Answers,
    /// Too late for its client. Its requests reach ECS.
    Slow,
    /// Not at all.
    Dead,
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfTask {
    /// `StopTask`.
    Stopped,
    /// Its container ends by itself.
    Crashed,
    /// Its Spot capacity is reclaimed, with two minutes' notice.
    Interrupted,
    /// Its host fails.
    HostLost,
}

/// An expectation.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// ECS protects the task, for this much longer if given.
    Protected(String, Option<Millis>),
    /// ECS does not protect the task.
    Unprotected(String),
    /// The task runs and was not asked to stop.
    Running(String),
    /// The task has stopped.
    Stopped(String),
    /// The service has all its tasks, of one deployment.
    Steady(String),
    /// The opposite.
    Deploying(String),
    /// A service has this many deployments or task sets.
    Deployments(usize, String),
    /// The deployment of the service waits for hooks at this stage.
    Held(String, DeploymentStage),
    /// It waits for none.
    NotHeld(String),
    /// The last deployment of the service was not rolled back.
    NotRolledBack(String),
    /// The last deployment of the service was rolled back, or is being rolled back.
    RolledBack(String),
    /// The last answer of the function to a lifecycle hook has this status, and its reason contains this text.
    HookAnswer(String, Option<String>),
    /// Its answers to lifecycle hooks since the last such line.
    HookAnswers(usize),
    /// The desired count of the service.
    Desired(String, u32),
    /// Calls of this operation since the last such line.
    Calls(usize, String),
    /// Messages in the job queue, visible or not.
    Waiting(usize),
    /// Messages dead-lettered so far; the reason of the last contains this text.
    DeadLettered(usize, Option<String>),
    /// The last answer to an operator has this value at this JSON pointer; times by the time of day.
    Answer(String, String),
    /// The next alert that was sent, as `KIND EVENT SERVICE`.
    Alert(String),
    /// The email of the last expected alert contains this, regardless of line breaks.
    Mail(String),
    /// Jobs forwarded as interrupted so far.
    Interrupted(usize),
    /// No unexpected alert was sent.
    NoAlert,
    /// A log line of level WARN that contains this.
    Warning(String),
    /// No log line of level WARN that contains this.
    NoWarning(String),
    /// A log line of level ERROR that contains this.
    Error(String),
}
