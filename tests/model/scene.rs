//! The tasks, messages and times of the model.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use taskhold::config::settings::Config;
use taskhold::ecs::arn::{ClusterArn, Task, TaskId};
use taskhold::lambda::job_message::{JobMessage, JobMessageType};
use taskhold::lambda::sqs_record;
use taskhold::lambda::sqs_record::QueueMessage;
use taskhold::service::recheck::Recheck;
use taskhold::task::job::JobReport;

/// Seconds since the start of the model.
pub(crate) type Moment = u16;
/// Number of a task.
pub(crate) type TaskNo = u8;
/// Number of a message.
pub(crate) type MessageNo = usize;
/// A set of messages or tasks, one bit for each.
pub(crate) type Set = u16;

/// Time between two deliveries of a message, as in template.yaml.
pub(crate) const VISIBILITY_TIMEOUT_S: Moment = 180;

/// Time between two sweeps, as in template.yaml.
pub(crate) const SWEEP_EVERY_S: Moment = 300;

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";
/// An arbitrary time.
const BEGINNING_S: i64 = 1_700_000_000;
/// Maximum number of tasks in a configuration.
const TASKS_MAX: TaskNo = 2;

/// A message that a worker sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkerMessage {
    pub(crate) message_type: JobMessageType,
    pub(crate) task: TaskNo,
    pub(crate) job: &'static str,
    /// The declared duration. All messages carry the time at which the model starts, so this is also the job's end.
    pub(crate) minutes: Option<u32>,
    pub(crate) writer: JobWriter,
}

/// Who protects the task for a job, according to its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobWriter {
    /// The function.
    Function,
    /// The task itself, until the job's declared end.
    Agent,
    /// The task itself, and ECS has refused it.
    RefusedAgent,
}

/// `job.started` with this duration.
pub(crate) fn started(task: TaskNo, job: &'static str, minutes: u32) -> WorkerMessage {
    let (message_type, minutes) = (JobMessageType::Started, Some(minutes));
    WorkerMessage { message_type, task, job, minutes, writer: JobWriter::Function }
}

/// `job.started` of a job for which the task has protected itself until its end.
pub(crate) fn started_by_agent(task: TaskNo, job: &'static str, minutes: u32) -> WorkerMessage {
    WorkerMessage { writer: JobWriter::Agent, ..started(task, job, minutes) }
}

/// `job.started` of a job for which the task could not protect itself.
pub(crate) fn started_unprotected(task: TaskNo, job: &'static str, minutes: u32) -> WorkerMessage {
    WorkerMessage { writer: JobWriter::RefusedAgent, ..started(task, job, minutes) }
}

/// `job.finished`
pub(crate) fn finished(task: TaskNo, job: &'static str) -> WorkerMessage {
    WorkerMessage { message_type: JobMessageType::Finished, minutes: None, ..started(task, job, 0) }
}

/// `job.heartbeat` that moves the job's end to this many minutes.
pub(crate) fn heartbeat(task: TaskNo, job: &'static str, minutes: u32) -> WorkerMessage {
    WorkerMessage { message_type: JobMessageType::Heartbeat, ..started(task, job, minutes) }
}

impl WorkerMessage {
    /// The declared end of the job.
    pub(crate) fn end(&self) -> Option<Moment> {
        self.minutes.map(|minutes| Moment::try_from(minutes * 60).expect("a model lasts hours at most"))
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "version": 1, "type": self.message_type.as_str(), "jobId": self.job, "taskArn": task(self.task).to_string(),
        });
        if let Some(minutes) = self.minutes {
            body["maxDurationMinutes"] = json!(minutes);
        }
        match (self.writer, self.end()) {
            (JobWriter::Agent, Some(end)) => {
                body["protection"] = json!({"by": "agent", "until": timestamp(end).to_string()});
            }
            (JobWriter::RefusedAgent, _) => {
                body["protection"] = json!({"by": "agent", "refused": {"reason": "DEPLOYMENT_BLOCKED"}});
            }
            (JobWriter::Agent, None) | (JobWriter::Function, _) => {}
        }
        body
    }

    fn record(&self, number: MessageNo) -> Value {
        json!({
            "messageId": message_id(number), "receiptHandle": "r", "body": self.body().to_string(),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": timestamp(0).as_millisecond().to_string(),
            },
            "messageAttributes": {}, "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:jobs", "awsRegion": "eu-west-1",
        })
    }

    /// The job as the message reports it.
    pub(crate) fn snapshot(&self) -> JobReport {
        let QueueMessage::Job(message) = sqs_record::parse(&self.body().to_string(), &config().clusters) else {
            unreachable!("workers send valid messages")
        };
        JobMessage::into_job(message, timestamp(0)).report
    }
}

impl std::fmt::Display for WorkerMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match self.message_type {
            JobMessageType::Started => "started",
            JobMessageType::Heartbeat => "heartbeat",
            JobMessageType::Finished => "finished",
        };
        write!(f, "{} {verb}", self.job)
    }
}

fn message_id(number: MessageNo) -> String {
    format!("m-{number}")
}

/// The number in a message's id.
pub(crate) fn message_of(id: &str) -> MessageNo {
    id.strip_prefix("m-").and_then(|number| number.parse().ok()).expect("an id of the model's")
}

/// The work of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum InvocationWork {
    /// Process these messages.
    Batch(Set),
    /// Compare the state store with ECS.
    Sweep,
    /// Release the first task if it is idle, on an operator's command.
    Release,
    /// Reconcile the first task, because a recheck has arrived.
    Recheck,
}

impl InvocationWork {
    /// Its messages.
    pub(crate) fn batch(self) -> Set {
        match self {
            Self::Batch(batch) => batch,
            Self::Sweep | Self::Release | Self::Recheck => 0,
        }
    }

    pub(crate) fn payload(self, messages: &[WorkerMessage]) -> String {
        match self {
            Self::Batch(batch) => payload(messages, batch),
            Self::Sweep => r#"{"sweep": {}}"#.to_owned(),
            Self::Release => json!({"release": {"tasks": [task(0).id.as_str()]}}).to_string(),
            Self::Recheck => recheck().to_string(),
        }
    }
}

/// The id of every recheck.
pub(crate) const RECHECK_ID: &str = "recheck";

fn recheck() -> Value {
    let body = Recheck::Task { task: task(0).clone(), due: timestamp(0) }.body();
    json!({"Records": [{
        "messageId": RECHECK_ID, "receiptHandle": "r", "body": body, "messageAttributes": {},
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": timestamp(0).as_millisecond().to_string()},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:rechecks",
        "awsRegion": "eu-west-1",
    }]})
}

fn payload(messages: &[WorkerMessage], batch: Set) -> String {
    let records: Vec<Value> =
        members(batch).map(|number| messages[usize::from(number)].record(usize::from(number))).collect();
    json!({"Records": records}).to_string()
}

/// The numbers in a set.
pub(crate) fn members(set: Set) -> impl Iterator<Item = TaskNo> {
    (0..16).filter(move |number| set & 1 << number != 0)
}

/// A set with one element.
pub(crate) fn only(number: usize) -> Set {
    1 << number
}

/// The task with this number.
pub(crate) fn task(number: TaskNo) -> &'static Task {
    static TASKS: LazyLock<Vec<Task>> = LazyLock::new(|| {
        let cluster: Arc<ClusterArn> = Arc::new(CLUSTER.parse().unwrap());
        let id = |number: TaskNo| format!("{:032x}", 10 + number).parse().unwrap();
        (0..TASKS_MAX).map(|number| Task { cluster: cluster.clone(), id: id(number) }).collect()
    });
    &TASKS[usize::from(number)]
}

/// The number of a task.
pub(crate) fn number_of(id: &TaskId) -> TaskNo {
    (0..TASKS_MAX).find(|number| task(*number).id == *id).expect("only known tasks are asked for")
}

/// The settings of the template, without a linger.
pub(crate) fn config() -> &'static Config {
    static CONFIG: LazyLock<Config> = LazyLock::new(|| {
        let rechecks = "https://sqs.eu-west-1.amazonaws.com/111122223333/rechecks";
        let variables = [("TASKHOLD_CLUSTERS", CLUSTER), ("TASKHOLD_RECHECK_QUEUE_URL", rechecks)];
        Config::from_variables(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    });
    &CONFIG
}

/// A model time as a timestamp.
pub(crate) fn timestamp(moment: Moment) -> Timestamp {
    Timestamp::from_second(BEGINNING_S).unwrap() + SignedDuration::from_secs(i64::from(moment))
}
