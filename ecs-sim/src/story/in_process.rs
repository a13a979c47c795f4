//! The function in process: taskhold's own handler on a simulated Region, without a network and without waiting.
//!
//! Its ledger outlives the invocation and the function's death, as a durable one would.

mod autoscaling;
mod queues;

use super::captured::Captured;
use super::described;
use super::run::{Function, Invoked};
use crate::control_plane::Millis;
use crate::event_source::FunctionAnswer;
use crate::queue::SendMessage;
use crate::region::{
    ALERT_TOPIC_ARN, CLUSTER, FOLLOW_UP_QUEUE, INTERRUPTED_QUEUE, Outcome, PARKING_QUEUE, SharedRegion,
};
use autoscaling::SimulatedAutoscaling;
use jiff::Timestamp;
use queues::{SimulatedInterruptedJobs, SimulatedParkingQueue};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use taskhold::alert::{AlertSink, Message, published};
use taskhold::clock::Clock;
use taskhold::config::{Config, ConfigProblems};
use taskhold::ecs::{
    ClusterArn, Ecs, EcsError, Failure, FailureReason, Page, ProtectedTask, ProtectionAnswer, ProtectionSetting,
    Service, ServiceArn, ServiceReads, ServiceUpdates, TaskDescription, TaskId,
};
use taskhold::follow_up::{FollowUp, FollowUpQueue};
use taskhold::handler::{Handler, Parts};
use taskhold::ledger::InMemoryLedger;
use tracing::Dispatch;

/// Everything of one Region.
#[derive(Debug)]
struct Simulated;

impl Parts for Simulated {
    type Ecs = SimulatedEcs;
    type Autoscaling = SimulatedAutoscaling;
    type Ledger = InMemoryLedger<SimulatedClock>;
    type Parking = SimulatedParkingQueue;
    type FollowUps = SimulatedFollowUpQueue;
    type Interrupted = SimulatedInterruptedJobs;
    type Alerts = SimulatedAlerts;
    type Clock = SimulatedClock;
}

/// taskhold's handler on a simulated Region.
#[derive(Debug)]
pub struct InProcess {
    handler: Handler<Simulated>,
    region: SharedRegion,
    logs: Captured,
    /// Hands the logs over. It is made once, since that takes as long as an invocation.
    dispatch: Dispatch,
}

impl InProcess {
    /// The function with these settings, beside those that every story needs.
    ///
    /// # Errors
    /// The settings are wrong.
    pub fn new<'a>(
        region: &SharedRegion,
        settings: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConfigProblems> {
        let always = {
            let region = region.lock();
            [
                ("TASKHOLD_CLUSTERS", region.ecs.cluster_arn(CLUSTER)),
                ("TASKHOLD_PARKING_QUEUE_URL", region.queues.url(PARKING_QUEUE)),
                ("TASKHOLD_FOLLOW_UP_QUEUE_URL", region.queues.url(FOLLOW_UP_QUEUE)),
                ("TASKHOLD_INTERRUPTED_QUEUE_URL", region.queues.url(INTERRUPTED_QUEUE)),
            ]
        };
        let variables = always
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let clock = SimulatedClock(region.clone());
        let handler = Handler {
            ecs: SimulatedEcs(region.clone()),
            autoscaling: SimulatedAutoscaling(region.clone()),
            ledger: InMemoryLedger::new(clock.clone()),
            alerts: SimulatedAlerts(region.clone()),
            parking: Some(SimulatedParkingQueue(region.clone())),
            follow_ups: Some(SimulatedFollowUpQueue(region.clone())),
            interrupted: Some(SimulatedInterruptedJobs(region.clone())),
            clock,
            config: Config::from_variables(variables)?,
        };
        let logs = Captured::default();
        let dispatch = logs.dispatch();
        Ok(Self { handler, region: region.clone(), logs, dispatch })
    }
}

impl Function for InProcess {
    async fn invoke(&mut self, payload: &str, deadline: Millis) -> Invoked {
        self.region.lock().caller_is_dead = false;
        let answer = tracing::dispatcher::with_default(&self.dispatch, || {
            let mut invocation = pin!(self.handler.handle(payload, timestamp(deadline)));
            let mut context = Context::from_waker(Waker::noop());
            loop {
                match invocation.as_mut().poll(&mut context) {
                    Poll::Ready(Ok((response, _))) => {
                        break FunctionAnswer::Answered(serde_json::to_value(response).expect("a response is JSON"));
                    }
                    Poll::Ready(Err(_)) => break FunctionAnswer::Failed,
                    // Nothing here ever waits, except for a call at which the function dies: then it goes no further.
                    Poll::Pending if self.region.lock().caller_is_dead => break FunctionAnswer::Failed,
                    Poll::Pending => {}
                }
            }
        });
        Invoked { answer, logs: self.logs.take() }
    }
}

pub(super) fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).expect("stories play in this century")
}

#[derive(Clone, Debug)]
struct SimulatedClock(SharedRegion);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        timestamp(self.0.lock().now())
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        let mut region = self.0.lock();
        let millis = Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX);
        let to = region.now().saturating_add(millis);
        region.advance_to(to);
        std::future::ready(())
    }
}

#[derive(Clone, Debug)]
struct SimulatedEcs(SharedRegion);

impl SimulatedEcs {
    async fn call(&self, operation: &str, request: Value) -> Result<Value, EcsError> {
        let outcome = self.0.lock().call_ecs(operation, &request);
        match outcome {
            Outcome::Answered(answer) => answer.map_err(|error| EcsError::of_code(error.code.as_str(), &error.message)),
            Outcome::NoAnswer => Err(EcsError::NoAnswer("the connection was lost".to_owned())),
            Outcome::CallerDies => std::future::pending().await,
        }
    }
}

impl Ecs for SimulatedEcs {
    async fn update_task_protection(
        &self,
        cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let mut request = json!({"cluster": cluster.to_string(), "tasks": tasks});
        match setting {
            ProtectionSetting::Disabled => request["protectionEnabled"] = json!(false),
            ProtectionSetting::Enabled { expires_in_minutes } => {
                request["protectionEnabled"] = json!(true);
                request["expiresInMinutes"] = json!(expires_in_minutes);
            }
        }
        let answer = self.call("UpdateTaskProtection", request).await?;
        Ok(protection_answer(&answer))
    }
}

impl ServiceReads for SimulatedEcs {
    async fn describe_service(&self, service: &ServiceArn) -> Result<Option<Service>, EcsError> {
        let request = json!({"cluster": service.cluster.to_string(), "services": [service.name], "include": ["TAGS"]});
        let answer = self.call("DescribeServices", request).await?;
        Ok(list(&answer, "services").next().map(|told| described::service(service, told)))
    }

    async fn list_tasks(&self, service: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        let request =
            json!({"cluster": service.cluster.to_string(), "serviceName": service.name, "nextToken": next_token});
        let answer = self.call("ListTasks", request).await?;
        let id = |arn: &Value| TaskId::at_end_of(arn.as_str()?).ok();
        Ok(Page { items: list(&answer, "taskArns").filter_map(id).collect(), next_token: text(&answer, "nextToken") })
    }

    async fn describe_tasks(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        let request = json!({"cluster": cluster.to_string(), "tasks": tasks});
        let answer = self.call("DescribeTasks", request).await?;
        Ok(list(&answer, "tasks").filter_map(described::task).collect())
    }

    async fn get_task_protection(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        let request = json!({"cluster": cluster.to_string(), "tasks": tasks});
        let answer = self.call("GetTaskProtection", request).await?;
        Ok(protection_answer(&answer))
    }

    async fn list_services(
        &self,
        cluster: &Arc<ClusterArn>,
        next_token: Option<&str>,
    ) -> Result<Page<ServiceArn>, EcsError> {
        let request = json!({"cluster": cluster.to_string(), "maxResults": 100, "nextToken": next_token});
        let answer = self.call("ListServices", request).await?;
        let service = |arn: &Value| ServiceArn::new(cluster.clone(), arn.as_str()?.rsplit('/').next()?).ok();
        let items = list(&answer, "serviceArns").filter_map(service).collect();
        Ok(Page { items, next_token: text(&answer, "nextToken") })
    }
}

impl ServiceUpdates for SimulatedEcs {
    async fn set_desired_count(&self, service: &ServiceArn, to: u32) -> Result<(), EcsError> {
        let request = json!({"cluster": service.cluster.to_string(), "service": service.name, "desiredCount": to});
        self.call("UpdateService", request).await.map(drop)
    }
}

fn list<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer[name].as_array().into_iter().flatten()
}

fn text(answer: &Value, name: &str) -> Option<String> {
    answer[name].as_str().map(str::to_owned)
}

fn protection_answer(answer: &Value) -> ProtectionAnswer {
    ProtectionAnswer {
        protected_tasks: list(answer, "protectedTasks").filter_map(protected_task).collect(),
        failures: list(answer, "failures").filter_map(failure).collect(),
    }
}

fn protected_task(task: &Value) -> Option<ProtectedTask> {
    Some(ProtectedTask {
        task_id: TaskId::at_end_of(task["taskArn"].as_str()?).ok()?,
        protection_enabled: task["protectionEnabled"].as_bool()?,
        expiration_date: described::date(&task["expirationDate"]),
    })
}

fn failure(failure: &Value) -> Option<Failure> {
    Some(Failure {
        task_id: TaskId::at_end_of(failure["arn"].as_str()?).ok()?,
        reason: FailureReason::from(failure["reason"].as_str()?),
        detail: failure["detail"].as_str().map(str::to_owned),
    })
}

#[derive(Clone, Debug)]
struct SimulatedFollowUpQueue(SharedRegion);

impl FollowUpQueue for SimulatedFollowUpQueue {
    async fn send(&self, follow_up: &FollowUp, delay: Duration) -> Result<(), String> {
        let message = SendMessage::new(follow_up.body()).delayed(u32::try_from(delay.as_secs()).unwrap_or(u32::MAX));
        let sent = self.0.lock().queues.send(FOLLOW_UP_QUEUE, message);
        sent.map(drop).map_err(|error| error.to_string())
    }
}

/// Publishes alerts to the simulated topic, in the texts that the real sink publishes.
#[derive(Clone, Debug)]
struct SimulatedAlerts(SharedRegion);

impl AlertSink for SimulatedAlerts {
    async fn send(&self, message: &Message) -> Result<(), String> {
        let input = json!({
            "TopicArn": ALERT_TOPIC_ARN,
            "Subject": message.subject,
            "Message": published::message(message),
            "MessageStructure": "json",
        });
        match self.0.lock().publish("Publish", &input) {
            Some(answer) => answer.map(drop).map_err(|error| error.message),
            None => Err("the connection was lost".to_owned()),
        }
    }
}
