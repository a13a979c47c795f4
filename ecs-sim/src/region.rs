//! A Region of one account, as the function sees it: ECS, SQS, SNS and Application Auto Scaling under one clock, with
//! injected faults.
//!
//! The function's in-process adapters, the HTTP server and the scenario share a [`SharedRegion`].

mod faults;
mod shared;

pub use faults::{Fault, ScaledBefore};
pub use shared::SharedRegion;

use crate::autoscaling::ScalableTargets;
use crate::control_plane::{ApiError, ControlPlane, ErrorCode, Millis, Setup, Throttling, Variants};
use crate::http::{AwsService, Backend, ServiceAnswer, ServiceCall, ServiceError, Topics};
use crate::queue::{self, QueueOrigin, QueueSettings, Queues};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The queue that workers send to.
pub const JOB_QUEUE: &str = "jobs";
/// The queue for dead-lettered messages, and the target of SQS's own redrive policy.
pub const DEAD_LETTER_QUEUE: &str = "jobs-dead-lettered";
/// The queue for the function's delayed messages to itself.
pub const RECHECK_QUEUE: &str = "rechecks";
/// The queue to which the function forwards interrupted jobs.
pub const INTERRUPTED_QUEUE: &str = "interrupted-jobs";
/// The topic to which the function publishes alerts.
pub const ALERT_TOPIC_ARN: &str = "arn:aws:sns:eu-west-1:111122223333:taskhold-alerts";
/// The function under test, as Lambda hooks name it.
pub const FUNCTION_ARN: &str = "arn:aws:lambda:eu-west-1:111122223333:function:taskhold";
/// Another function.
pub const OTHER_FUNCTION_ARN: &str = "arn:aws:lambda:eu-west-1:111122223333:function:another";
/// The role that ECS assumes to invoke them.
pub const HOOK_ROLE_ARN: &str = "arn:aws:iam::111122223333:role/taskhold-hook";
/// The cluster of every scenario.
pub const CLUSTER: &str = "video";

/// As in template.yaml: six times the function's timeout.
pub const VISIBILITY_TIMEOUT_SECONDS: u32 = 180;
/// As in template.yaml: more than TASKHOLD_RECEIVES_MAX, so that taskhold dead-letters first, with a reason.
pub const RECEIVES_MAX: u32 = 60;

/// As in template.yaml.
pub const RECHECK_RECEIVES_MAX: u32 = 10;

/// How a call to ECS ends for its caller.
#[derive(Clone, Debug, PartialEq)]
pub enum EcsCallOutcome {
    /// With an answer, or an exception.
    Answered(Result<Value, ApiError>),
    /// No answer arrives.
    NoAnswer,
    /// Its caller dies.
    CallerDies,
}

/// A call to ECS, recorded for the scenario's timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct EcsCall {
    /// When.
    pub at: Millis,
    /// As in the ECS API.
    pub operation: String,
    /// The request.
    pub request: Value,
    /// The outcome that its caller saw.
    pub outcome: EcsCallOutcome,
}

/// ECS, SQS, SNS and Application Auto Scaling at one moment.
#[derive(Debug)]
pub struct Region {
    /// ECS.
    pub ecs: ControlPlane,
    /// SQS.
    pub queues: Queues,
    /// SNS.
    pub topics: Topics,
    /// Application Auto Scaling.
    pub autoscaling: ScalableTargets,
    /// One for each of the next calls to ECS.
    pub faults: VecDeque<Fault>,
    /// Faults of certain operations: each strikes the next call of its operation, before the general ones do.
    pub faults_of: BTreeMap<String, VecDeque<Fault>>,
    /// Bodies with which ECS answers every call of an operation; `$deployment` stands for the service deployment of the
    /// request.
    pub answers_of: BTreeMap<String, Value>,
    /// Desired counts that another actor sets just before the function's next call of an operation.
    pub scaled_before: Vec<ScaledBefore>,
    /// This many of the next calls to SNS get no answer and have no effect.
    pub publications_lost: u32,
    /// This many of the next sends to the dead-letter queue fail.
    pub dead_letters_lost: u32,
    /// This many of the next calls to Application Auto Scaling are denied.
    pub autoscaling_denied: u32,
    /// Lambda refuses this many of the next invocations by ECS.
    pub hooks_throttled: u32,
    /// How long ECS takes for each call, on the clock of the Region.
    pub latency_ms: Millis,
    /// The calls since they were last taken.
    pub calls: Vec<EcsCall>,
    /// Which operations were ever called, as IAM names them: `ecs:DescribeServices`. Of SQS only those that came over
    /// HTTP.
    pub called: BTreeSet<String>,
    /// Whether the function that called last is dead.
    pub caller_is_dead: bool,
}

impl Region {
    /// A Region for a scenario: these variants of AWS, throttling as documented.
    #[must_use]
    pub fn for_scenario(variants: Variants) -> Self {
        Self::for_scenario_from(variants, None)
    }

    /// The same, beginning at another time than that of [`Setup::default`].
    #[must_use]
    pub fn for_scenario_from(variants: Variants, now: Option<Millis>) -> Self {
        let setup = Setup { variants, throttling: Throttling::On, ..Setup::default() };
        Self::new(Setup { now: now.unwrap_or(setup.now), ..setup })
    }

    /// A Region with a cluster and the queues, all empty.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let origin =
            QueueOrigin { partition: setup.partition.clone(), ..QueueOrigin::new(&setup.region, &setup.account) };
        let mut queues = Queues::new(origin, setup.now);
        let mut ecs = ControlPlane::new(setup);
        ecs.create_cluster(CLUSTER);
        let jobs = QueueSettings::default()
            .with_visibility_timeout(VISIBILITY_TIMEOUT_SECONDS)
            .with_redrive(DEAD_LETTER_QUEUE, RECEIVES_MAX);
        for name in [DEAD_LETTER_QUEUE, INTERRUPTED_QUEUE] {
            queues.create(name, QueueSettings::default()).expect("the name is valid");
        }
        let rechecks = QueueSettings::default()
            .with_visibility_timeout(VISIBILITY_TIMEOUT_SECONDS)
            .with_redrive(DEAD_LETTER_QUEUE, RECHECK_RECEIVES_MAX);
        queues.create(RECHECK_QUEUE, rechecks).expect("the dead-letter queue was made before");
        queues.create(JOB_QUEUE, jobs).expect("the dead-letter queue was made before");
        Self {
            ecs,
            queues,
            topics: Topics::default(),
            autoscaling: ScalableTargets::default(),
            faults: VecDeque::new(),
            faults_of: BTreeMap::new(),
            answers_of: BTreeMap::new(),
            scaled_before: Vec::new(),
            publications_lost: 0,
            dead_letters_lost: 0,
            autoscaling_denied: 0,
            hooks_throttled: 0,
            latency_ms: 0,
            calls: Vec::new(),
            called: BTreeSet::new(),
            caller_is_dead: false,
        }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.ecs.now()
    }

    /// Moves the clock of all services forward.
    pub fn advance_to(&mut self, to: Millis) {
        while let Some(at) = self.autoscaling.next_due(&self.ecs).filter(|at| *at <= to) {
            self.ecs.advance_to(at);
            self.autoscaling.put_back(&mut self.ecs);
        }
        self.ecs.advance_to(to);
        self.queues.advance_to(to);
        self.autoscaling.advance_to(to);
    }

    /// The next moment at which anything happens by itself.
    #[must_use]
    pub fn next_due(&self) -> Option<Millis> {
        let scaled = self.autoscaling.next_due(&self.ecs);
        self.ecs.next_due().into_iter().chain(self.queues.next_due()).chain(scaled).min()
    }

    /// Calls ECS, unless the next fault prevents it.
    pub fn call_ecs(&mut self, operation: &str, request: &Value) -> EcsCallOutcome {
        self.note("ecs", operation);
        let answered_at = self.now() + self.latency_ms;
        self.advance_to(answered_at);
        let exception = |code, message: &str| EcsCallOutcome::Answered(Err(ApiError::new(code, message)));
        self.scale_before(operation);
        let outcome = match self.next_fault(operation) {
            None => EcsCallOutcome::Answered(match self.answers_of.get(operation) {
                Some(answer) => Ok(made_up(answer, request)),
                None => self.ecs.call(operation, request),
            }),
            Some(Fault::Throttled) => exception(ErrorCode::Throttling, "Rate exceeded"),
            Some(Fault::ServerError) => exception(ErrorCode::Server, "Service Unavailable. Please try again later."),
            Some(Fault::AccessDenied) => {
                exception(ErrorCode::AccessDenied, "User is not authorized to perform this action")
            }
            Some(Fault::CallLost) => EcsCallOutcome::NoAnswer,
            Some(Fault::AnswerLost) => {
                // The fault loses the answer, even a refusal.
                let _ = self.ecs.call(operation, request);
                EcsCallOutcome::NoAnswer
            }
            Some(Fault::DiesBefore) => EcsCallOutcome::CallerDies,
            Some(Fault::DiesAfter) => {
                let _ = self.ecs.call(operation, request);
                EcsCallOutcome::CallerDies
            }
        };
        self.caller_is_dead |= outcome == EcsCallOutcome::CallerDies;
        let (at, operation, request) = (self.now(), operation.to_owned(), request.clone());
        self.calls.push(EcsCall { at, operation, request, outcome: outcome.clone() });
        outcome
    }

    /// The fault for the next call, which is of this operation.
    fn next_fault(&mut self, operation: &str) -> Option<Fault> {
        let of_its_own = self.faults_of.get_mut(operation).and_then(VecDeque::pop_front);
        of_its_own.or_else(|| self.faults.pop_front())
    }

    /// Sets the desired counts that wait for this operation.
    fn scale_before(&mut self, operation: &str) {
        while let Some(at) = self.scaled_before.iter().position(|scaled| scaled.operation == operation) {
            let ScaledBefore { service, count, .. } = self.scaled_before.remove(at);
            // A deleted service cannot be scaled.
            let _ = self.ecs.set_desired_count(CLUSTER, &service, count);
        }
    }
}

/// An answer that a scenario has made up, for this request.
fn made_up(answer: &Value, request: &Value) -> Value {
    let deployment = request["serviceDeploymentArns"][0].as_str().unwrap_or_default();
    let text = answer.to_string().replace("$deployment", deployment);
    serde_json::from_str(&text).expect("an ARN needs no escapes")
}

impl Region {
    fn note(&mut self, service: &str, operation: &str) {
        self.called.insert(format!("{service}:{operation}"));
    }
}

impl Region {
    /// Makes a call to SNS; `None` if it is lost.
    pub fn publish(&mut self, operation: &str, input: &Value) -> Option<Result<Value, ServiceError>> {
        self.note("sns", operation);
        if self.publications_lost > 0 {
            self.publications_lost -= 1;
            return None;
        }
        Some(self.topics.call(operation, input))
    }
}

impl Region {
    /// Calls Application Auto Scaling.
    ///
    /// # Errors
    /// Its error; AccessDeniedException while calls are denied.
    pub fn call_autoscaling(&mut self, operation: &str, input: &Value) -> Result<Value, ServiceError> {
        self.note("application-autoscaling", operation);
        if self.autoscaling_denied > 0 {
            self.autoscaling_denied -= 1;
            let message = "User is not authorized to perform this action";
            return Err(ServiceError::client("AccessDeniedException", message));
        }
        self.autoscaling.call(operation, input)
    }
}

impl Backend for Region {
    fn call(&mut self, call: ServiceCall) -> ServiceAnswer {
        match call.service {
            AwsService::Ecs => match self.call_ecs(&call.operation, &call.body) {
                EcsCallOutcome::Answered(answer) => answer.into(),
                EcsCallOutcome::NoAnswer | EcsCallOutcome::CallerDies => ServiceAnswer::ConnectionLost,
            },
            AwsService::Sqs => {
                self.note("sqs", &call.operation);
                queue::api::call(&mut self.queues, call.access_key_id.as_deref(), &call.operation, &call.body).into()
            }
            AwsService::Sns => match self.publish(&call.operation, &call.body) {
                Some(answer) => answer.into(),
                None => ServiceAnswer::ConnectionLost,
            },
            AwsService::ApplicationAutoScaling => self.call_autoscaling(&call.operation, &call.body).into(),
        }
    }
}
