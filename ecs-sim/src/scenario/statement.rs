//! What a line of a scenario can mean.

use crate::control_plane::{CircuitBreaker, DeploymentController, DeploymentStrategy, Millis, ServiceSpec};
use crate::region::{CLUSTER, Fault};
use std::ops::RangeInclusive;

/// What a scenario's service bakes unless told otherwise; ECS has no default for BLUE_GREEN.
const BAKE_MINUTES: u32 = 5;

/// One statement of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// Readings of AWS that the scenario needs, as `name=value`.
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
    /// The last message is delivered so many times more.
    Again(u32),
    /// This body is sent.
    Send(String),
    /// The function sweeps at this interval from now on.
    SweepEvery(Millis),
    /// The faults of ECS are over.
    Recover,
    /// The next alerts are not taken.
    LoseAlerts(u32),
    /// Alerts need not be expected.
    MuteAlerts,
    /// An operator invokes the function with this payload.
    Ask(String),
    /// Messages wait.
    HoldQueue,
    /// Waiting messages come in one batch.
    OpenQueue(Order),
    /// A new deployment of a service.
    Deploy(String),
    /// Another desired count of a service.
    Scale(String, u32),
    /// The same, right before the function's next call of an operation.
    ScaleBefore(String, u32, String),
    /// Application Auto Scaling keeps the desired count of a service within these bounds.
    Autoscaling(String, RangeInclusive<u32>),
    /// Application Auto Scaling denies so many of the next calls.
    AutoscalingDenies(u32),
    /// A tag of a service, its value new or another.
    Tag(String, String, String),
    /// ECS moves a task of a service to another Availability Zone.
    Rebalance(String),
    /// The tasks of a service's present deployment fail to start.
    FailDeployment(String, CircuitBreaker),
    /// A service is deleted.
    Delete(String),
    /// A task protects itself for so many minutes, or as long as ECS does unless told.
    Protect(String, Option<u32>),
    /// A task clears its own protection.
    Release(String),
    /// A task ends, in one of the ways against which protection does not help.
    End(String, EndOfTask),
    /// The next calls to ECS go wrong, or the next of one operation.
    Fault(Fault, u32, Option<String>),
    /// What becomes of the events of ECS from now on.
    Events(EventsOfEcs),
    /// Each call to ECS takes this long from now on.
    Latency(Millis),
    /// Time passes.
    Advance(Millis),
    /// A line for who reads along.
    Say(String),
    /// Something must be so.
    Expect(Expectation),
}

/// A service, and how it is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceLine {
    /// Its name.
    pub name: String,
    /// How many tasks.
    pub desired: u32,
    /// `minimumHealthyPercent`.
    pub min: u32,
    /// `maximumPercent`.
    pub max: u32,
    /// `deploymentConfiguration.strategy`.
    pub strategy: DeploymentStrategy,
    /// `bakeTimeInMinutes`, or how long an old task set waits to be deleted.
    pub bake_minutes: Option<u32>,
    /// `deploymentController`.
    pub controller: DeploymentController,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
}

impl ServiceLine {
    /// The service as ECS is to have it.
    pub(super) fn spec(&self) -> ServiceSpec {
        let waits = self.strategy != DeploymentStrategy::Rolling || self.controller != DeploymentController::Ecs;
        ServiceSpec {
            minimum_healthy_percent: self.min,
            maximum_percent: self.max,
            strategy: self.strategy,
            bake_minutes: self.bake_minutes.unwrap_or(if waits { BAKE_MINUTES } else { 0 }),
            controller: self.controller,
            tags: self.tags.iter().cloned().collect(),
            ..ServiceSpec::new(CLUSTER, &self.name, self.desired)
        }
    }
}

/// What a worker tells about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLine {
    /// The job's id.
    pub job: String,
    /// What is told.
    pub verb: Verb,
    /// The task, by its letters.
    pub task: Option<String>,
    /// If there is one such job on each task up to this one; they are called by the tasks then, `j-a`, `j-b` and so on.
    pub through: Option<String>,
    /// `attempt`.
    pub attempt: u32,
    /// `maxDurationMinutes`.
    pub minutes: Option<u32>,
    /// `expectedDurationMinutes`.
    pub expected_minutes: Option<u32>,
    /// How long the message is held up on its way.
    pub late: Millis,
}

/// What is told about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `job.started`
    Starts,
    /// `job.heartbeat`
    Beats,
    /// `job.finished`
    Finishes,
}

/// The order in which a batch is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As sent.
    Sent,
    /// The other way round.
    Reversed,
}

/// What becomes of events of ECS on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventsOfEcs {
    /// They come.
    Delivered,
    /// They do not.
    Lost,
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfTask {
    /// `StopTask`.
    Stopped,
    /// Its container ends by itself.
    Crashed,
    /// Its Spot capacity is taken back, with two minutes' notice.
    Interrupted,
}

/// Something that must be so.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// ECS protects the task, for so much longer if that is said.
    Protected(String, Option<Millis>),
    /// ECS does not protect the task.
    Unprotected(String),
    /// The task runs and nobody has asked it to stop.
    Running(String),
    /// The task has stopped.
    Stopped(String),
    /// The service has all its tasks, of one deployment.
    Steady(String),
    /// It has not.
    Deploying(String),
    /// A service has so many deployments or task sets.
    Deployments(usize, String),
    /// So many tasks of the service are wanted.
    Desired(String, u32),
    /// Calls of this operation since the last such line.
    Calls(usize, String),
    /// Messages in the job queue, visible or not.
    Waiting(usize),
    /// Messages dead-lettered so far, the last of them for a reason that contains this.
    DeadLettered(usize, Option<String>),
    /// At this JSON pointer the last answer to an operator has this value, times by the time of day.
    Answer(String, String),
    /// The next alert that was sent, as `KIND EVENT SERVICE`.
    Alert(String),
    /// The mail of the alert that was expected last contains this, however its lines are broken.
    Mail(String),
    /// Jobs that were handed on as interrupted so far.
    Interrupted(usize),
    /// No alert was sent that no line has expected.
    NoAlert,
    /// A line of level WARN that contains this.
    Warning(String),
    /// A line of level ERROR that contains this.
    Error(String),
}
