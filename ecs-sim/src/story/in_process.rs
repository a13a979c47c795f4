//! The function in process: taskhold's own handler on a simulated Region, without a network and without waiting.
//!
//! Its ledger outlives the invocation and the function's death, as a durable one would.

use super::described;
use super::run::{Function, Invoked, LogLine};
use crate::control_plane::Millis;
use crate::event_source::FunctionAnswer;
use crate::queue::{SendMessage, SendMessageEntry};
use crate::region::{ALERT_TOPIC_ARN, CLUSTER, FOLLOW_UP_QUEUE, Outcome, PARKING_QUEUE, SharedRegion};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use taskhold::alert::{Alert, AlertSink, mail, published};
use taskhold::clock::Clock;
use taskhold::config::{Config, ConfigProblems};
use taskhold::ecs::{
    ClusterArn, Ecs, EcsError, Failure, FailureReason, Page, ProtectedTask, ProtectionAnswer, ProtectionSetting,
    Service, ServiceArn, ServiceReads, Task, TaskDescription, TaskId, TaskPresence,
};
use taskhold::follow_up::{FollowUp, FollowUpQueue};
use taskhold::handler::{Handler, Parts};
use taskhold::ledger::InMemoryLedger;
use taskhold::park::{ParkedMessage, ParkingQueue};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::SubscriberExt;

/// Everything of one Region.
#[derive(Debug)]
struct Simulated;

impl Parts for Simulated {
    type Ecs = SimulatedEcs;
    type Ledger = InMemoryLedger<SimulatedClock>;
    type Parking = SimulatedParkingQueue;
    type FollowUps = SimulatedFollowUpQueue;
    type Alerts = SimulatedAlerts;
    type Clock = SimulatedClock;
}

/// taskhold's handler on a simulated Region.
#[derive(Debug)]
pub struct InProcess {
    handler: Handler<Simulated>,
    region: SharedRegion,
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
            ]
        };
        let variables = always
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let clock = SimulatedClock(region.clone());
        let handler = Handler {
            ecs: SimulatedEcs(region.clone()),
            ledger: InMemoryLedger::new(clock.clone()),
            alerts: SimulatedAlerts(region.clone()),
            parking: Some(SimulatedParkingQueue(region.clone())),
            follow_ups: Some(SimulatedFollowUpQueue(region.clone())),
            clock,
            config: Config::from_variables(variables)?,
        };
        Ok(Self { handler, region: region.clone() })
    }
}

impl Function for InProcess {
    async fn invoke(&mut self, payload: &str, deadline: Millis) -> Invoked {
        let logs = Captured::default();
        let subscriber = tracing_subscriber::registry().with(logs.clone());
        self.region.lock().caller_is_dead = false;
        let answer = tracing::subscriber::with_default(subscriber, || {
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
        Invoked { answer, logs: logs.take() }
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

    async fn task_presence(&self, task: &Task) -> Result<TaskPresence, EcsError> {
        let request = json!({"cluster": task.cluster.to_string(), "tasks": [task.id]});
        let answer = self.call("DescribeTasks", request).await?;
        Ok(match list(&answer, "tasks").next().map(|task| task["lastStatus"] == "STOPPED") {
            Some(false) => TaskPresence::Running,
            Some(true) | None => TaskPresence::Stopped,
        })
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
struct SimulatedParkingQueue(SharedRegion);

impl ParkingQueue for SimulatedParkingQueue {
    async fn park(&self, messages: &[ParkedMessage]) -> Vec<Result<(), String>> {
        let entry = |(at, parked): (usize, &ParkedMessage)| {
            let message = SendMessage::new(&parked.body);
            let message =
                parked.attributes.iter().fold(message, |message, (name, value)| message.with_attribute(*name, value));
            SendMessageEntry { id: at.to_string(), message }
        };
        let entries = messages.iter().enumerate().map(entry).collect();
        match self.0.lock().queues.send_batch(PARKING_QUEUE, entries) {
            Ok(sent) => sent.into_iter().map(|sent| sent.map(drop).map_err(|error| error.to_string())).collect(),
            Err(error) => vec![Err(error.to_string()); messages.len()],
        }
    }
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
    async fn send(&self, alert: &Alert) -> Result<(), String> {
        let input = json!({
            "TopicArn": ALERT_TOPIC_ARN,
            "Subject": mail::subject(alert),
            "Message": published::message(alert),
            "MessageStructure": "json",
        });
        match self.0.lock().publish("Publish", &input) {
            Some(answer) => answer.map(drop).map_err(|error| error.message),
            None => Err("the connection was lost".to_owned()),
        }
    }
}

/// Keeps what the function logs, with the same fields that its JSON lines have.
#[derive(Clone, Debug, Default)]
struct Captured(Arc<Mutex<Vec<LogLine>>>);

impl Captured {
    fn take(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Captured {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let message = fields.0.remove("message").and_then(|message| message.as_str().map(str::to_owned));
        let level = event.metadata().level().to_string();
        let line = LogLine { level, message: message.unwrap_or_default(), fields: fields.0 };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), json!(value));
    }
}
