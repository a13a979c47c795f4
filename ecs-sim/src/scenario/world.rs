//! The world of a scenario: a Region, the names of its tasks, sent messages, and their effects.

use super::disorder::EventDelivery;
use super::function::LogLine;
use super::hook_answers::HookAnswers;
use super::job_line::JobReporter;
use super::result::Summary;
use super::sent_alert::SentAlert;
use super::statement::{AgentCondition, EventsOfEcs};
use super::task_names::{TaskNames, name_of};
use crate::control_plane::{ApiError, ControlPlane, Millis, ServiceSpec, SimulatedTask};
use crate::event_source::{Batch, EventSource, FunctionAnswer};
use crate::queue::Message;
use crate::region::{CLUSTER, DEAD_LETTER_QUEUE, Fault, SharedRegion};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A job as the scenario knows it: the truth that the function cannot see.
#[derive(Clone, Debug)]
pub(super) struct TrueJob {
    pub(super) task: String,
    /// Its latest end, as declared.
    pub(super) until: Millis,
    pub(super) finished: bool,
    pub(super) reporter: JobReporter,
    /// Whether the protection of its task was cleared or shortened before it expired, and not set again.
    pub(super) is_uncovered: bool,
}

pub(super) struct ScenarioWorld {
    pub(super) region: SharedRegion,
    pub(super) summary: Summary,
    /// Log lines that no line has expected yet.
    pub(super) logs: Vec<LogLine>,
    /// Task ids, in order of creation: the first is `a`.
    pub(super) tasks: Vec<String>,
    /// Their indices, by id.
    pub(super) named: BTreeMap<String, usize>,
    pub(super) task_names: TaskNames,
    pub(super) jobs: BTreeMap<(String, u32), TrueJob>,
    pub(super) agent: AgentCondition,
    /// Until when ECS protects each task, by id.
    pub(super) protected: BTreeMap<String, Millis>,
    /// Tasks that the scheduler stopped in the middle of a job whose protection had not expired, and of which no line
    /// has expected that they stop: by letters.
    pub(super) cut_off: BTreeSet<String>,
    pub(super) last_message: Option<String>,
    /// Sent alerts that no line has expected yet.
    pub(super) alerts: Vec<SentAlert>,
    /// Their emails.
    pub(super) mails: Vec<String>,
    /// All alerts so far, as JSON.
    pub(super) documents: Vec<Value>,
    /// The email of the last expected alert.
    pub(super) last_mail: Option<String>,
    /// Whether alerts need not be expected.
    pub(super) alerts_are_muted: bool,
    /// Whether it need not be expected that a task stops in the middle of a job.
    pub(super) stops_are_muted: bool,
    /// When the next sweep is due, and the sweep interval.
    pub(super) sweep: Option<(Millis, Millis)>,
    /// The function's last answer to an operator.
    pub(super) last_answer: Value,
    /// The order and number of event deliveries.
    pub(super) delivery: EventDelivery,
    /// Whether events are delivered at all.
    pub(super) events_of_ecs: EventsOfEcs,
    /// Events of ECS on their way to the function, by arrival time, with the number of their failures.
    pub(super) events: BTreeMap<(Millis, u64), (Value, usize)>,
    pub(super) events_made: u64,
    /// The function's answers to lifecycle hooks.
    pub(super) hook_answers: HookAnswers,
    /// The calls to ECS that no line has counted yet, by operation.
    pub(super) calls_counted: BTreeMap<String, usize>,
    /// For each service the id of the last message in the timeline.
    pub(super) last_messages: BTreeMap<String, String>,
    pub(super) ecs_reports: Vec<String>,
}

impl ScenarioWorld {
    pub(super) fn new(region: SharedRegion) -> Self {
        Self {
            region,
            summary: Summary::default(),
            logs: Vec::new(),
            tasks: Vec::new(),
            named: BTreeMap::new(),
            task_names: TaskNames::default(),
            jobs: BTreeMap::new(),
            agent: AgentCondition::Answers,
            protected: BTreeMap::new(),
            cut_off: BTreeSet::new(),
            last_message: None,
            alerts: Vec::new(),
            mails: Vec::new(),
            documents: Vec::new(),
            last_mail: None,
            alerts_are_muted: false,
            stops_are_muted: false,
            sweep: None,
            last_answer: Value::Null,
            delivery: EventDelivery::default(),
            events_of_ecs: EventsOfEcs::Delivered,
            events: BTreeMap::new(),
            events_made: 0,
            hook_answers: HookAnswers::default(),
            calls_counted: BTreeMap::new(),
            last_messages: BTreeMap::new(),
            ecs_reports: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Millis {
        self.region.lock().now()
    }

    pub(super) fn next_due(&self) -> Option<Millis> {
        let event = self.events.keys().next().map(|(at, _)| *at);
        let sweep = self.sweep.map(|(at, _)| at);
        self.region.lock().next_due().into_iter().chain(event).chain(sweep).min()
    }

    pub(super) fn advance_to(&mut self, to: Millis) {
        self.region.lock().advance_to(to);
        self.observe_ecs();
    }

    /// Changes something in ECS.
    pub(super) fn ecs(&mut self, act: impl FnOnce(&mut ControlPlane) -> Result<(), ApiError>) -> Result<(), String> {
        act(&mut self.region.lock().ecs).map_err(|error| error.to_string())?;
        self.observe_ecs();
        Ok(())
    }

    pub(super) fn create_service(&mut self, spec: ServiceSpec) -> Result<(), String> {
        self.ecs(|ecs| ecs.create_service(spec).map(drop))?;
        // A scenario begins in steady state; the messages on the way there are not reported.
        self.ecs_reports.clear();
        Ok(())
    }

    /// Creates the default service, `web` with two tasks, if the scenario names none.
    pub(super) fn have_a_service(&mut self) -> Result<(), String> {
        if self.tasks.is_empty() { self.create_service(ServiceSpec::new(CLUSTER, "web", 2)) } else { Ok(()) }
    }

    pub(super) fn run_standalone_task(&mut self) -> Result<(), String> {
        self.ecs(|ecs| ecs.run_standalone_task(CLUSTER).map(drop))
    }

    /// Sets or clears the task's own protection without the function: it does not count as a call of the function.
    pub(super) fn set_own_protection(&mut self, letters: &str, minutes: Option<u32>) -> Result<(), String> {
        let id = self.task_id(letters)?;
        self.set_own_protection_of(&id, minutes)
    }

    pub(super) fn set_own_protection_of(&mut self, task: &str, minutes: Option<u32>) -> Result<(), String> {
        let answer = self.region.lock().ecs.set_own_protection(task, minutes.map(i64::from));
        self.observe_ecs();
        match answer.map_err(|error| error.to_string())?.failures.first() {
            None => Ok(()),
            Some(failure) => Err(format!("ECS refuses to protect {}: {}", self.named(task), failure.reason)),
        }
    }

    pub(super) fn expect_faults(&mut self, fault: Fault, times: u32, of: Option<&str>) {
        let mut region = self.region.lock();
        let faults = match of {
            None => &mut region.faults,
            Some(operation) => region.faults_of.entry(operation.to_owned()).or_default(),
        };
        faults.extend((0..times).map(|_| fault));
    }

    pub(super) fn ecs_answers(&mut self, operation: &str, body: &str) -> Result<(), String> {
        let answer = serde_json::from_str(body).map_err(|error| format!("not JSON: {error}"))?;
        self.region.lock().answers_of.insert(operation.to_owned(), answer);
        Ok(())
    }

    pub(super) fn ecs_recovers(&mut self) {
        let mut region = self.region.lock();
        region.faults.clear();
        region.faults_of.clear();
        region.answers_of.clear();
    }

    pub(super) fn tag(&mut self, service: &str, key: &str, value: &str) -> Result<(), String> {
        let arn = self.region.lock().ecs.cluster_arn(CLUSTER).replace(":cluster/", ":service/");
        let request = json!({"resourceArn": format!("{arn}/{service}"), "tags": [{"key": key, "value": value}]});
        self.ecs(|ecs| ecs.call("TagResource", &request).map(drop))
    }

    /// The id of the task with these letters.
    pub(super) fn task_id(&self, letters: &str) -> Result<String, String> {
        let known = (0..self.tasks.len()).find(|at| name_of(*at) == letters);
        known.map(|at| self.tasks[at].clone()).ok_or_else(|| format!("there is no task `{letters}` yet"))
    }

    pub(super) fn task<T>(&self, letters: &str, read: impl FnOnce(&SimulatedTask) -> T) -> Result<T, String> {
        let id = self.task_id(letters)?;
        let region = self.region.lock();
        region.ecs.task(&id).map(read).ok_or_else(|| format!("ECS no longer knows the task {letters}"))
    }

    /// Replaces task ARNs and ids in the text by the scenario's letters, or ARNs by ids.
    pub(super) fn named(&self, text: &str) -> String {
        // An id is a run of hexadecimal digits: only those are looked up, since a scenario can have a thousand tasks.
        let runs = text.split(|c: char| !c.is_ascii_hexdigit());
        let ids: BTreeMap<&str, usize> = runs.filter_map(|run| Some((run, *self.named.get(run)?))).collect();
        if ids.is_empty() {
            return text.to_owned();
        }
        let short = self.region.lock().ecs.cluster_arn("").replace(":cluster/", ":task/");
        let mut text = text.to_owned();
        for (id, at) in ids {
            let name = match self.task_names {
                TaskNames::Letters => name_of(at),
                TaskNames::Ids => id.to_owned(),
            };
            text = text.replace(&format!("{short}{CLUSTER}/{id}"), &name);
            text = text.replace(&format!("{short}{id}"), &name).replace(id, &name);
        }
        text
    }

    pub(super) fn poll(&mut self, source: &EventSource) -> Result<Option<Batch>, String> {
        source.poll(&mut self.region.lock().queues).map_err(|error| error.to_string())
    }

    pub(super) fn settle(
        &mut self,
        source: &EventSource,
        batch: &Batch,
        answer: &FunctionAnswer,
    ) -> Result<(), String> {
        let settled =
            source.settle(&mut self.region.lock().queues, batch, answer).map_err(|error| error.to_string())?;
        self.summary.delivered_again += settled.kept.len();
        self.summary.dead_lettered = self.messages_in(DEAD_LETTER_QUEUE).len();
        Ok(())
    }

    /// The messages of a queue, visible or not, oldest first.
    pub(super) fn messages_in(&self, queue: &str) -> Vec<Message> {
        let region = self.region.lock();
        let messages = region.queues.messages(queue).expect("every Region has these queues");
        messages.into_iter().cloned().collect()
    }

    pub(super) fn take_calls_counted(&mut self, operation: &str) -> usize {
        self.calls_counted.remove(operation).unwrap_or(0)
    }

    /// Takes the first alert that no line has expected yet; its email becomes the last one.
    pub(super) fn take_alert(&mut self) -> Option<SentAlert> {
        if self.alerts.is_empty() {
            return None;
        }
        self.last_mail = Some(self.mails.remove(0));
        Some(self.alerts.remove(0))
    }

    /// Forgets what only a line of a script could expect.
    pub(super) fn forget_unexpected(&mut self) {
        self.logs.clear();
        self.alerts.clear();
        self.mails.clear();
        self.calls_counted.clear();
    }

    pub(super) fn nothing_unexpected(&self) -> Result<(), String> {
        if let Some(alert) = self.alerts.first().filter(|_| !self.alerts_are_muted) {
            return Err(format!("no line expects this alert: `{alert}`"));
        }
        if let Some(task) = self.cut_off.first().filter(|_| !self.stops_are_muted) {
            return Err(format!(
                "ECS stopped {task} in the middle of a job whose protection was cleared before it expired, and no line \
                 expects that {task} is stopped"
            ));
        }
        match self.logs.iter().find(|line| line.level == "ERROR") {
            None => Ok(()),
            Some(line) => {
                Err(format!("the function logged an error: {} {}", line.message, Value::Object(line.fields.clone())))
            }
        }
    }
}
