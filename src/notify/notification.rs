//! One alert as a view model: everything that people read about it, before a format lays it out.
//!
//! [`service`] builds it from an alert about a service, [`interruption`] from a task that stopped with jobs running.
//! Only these modules choose facts and write sentences; the formats choose lengths and markup. Text that others wrote
//! is marked as such (`Piece`), so that each format can escape and shorten it.

pub(crate) mod deadline;
pub(crate) mod decide;
pub(crate) mod ending;
pub(crate) mod first_action;
pub(crate) mod first_lines;
pub mod interruption;
pub(crate) mod outlook;
pub mod problem;
pub mod refused;
pub mod rollout;
pub mod service;
pub mod suggested_action;
pub mod tasks;

use crate::ecs::arn::{ClusterArn, Task};
use crate::ecs::service::ServiceArn;
use crate::notify::notification::first_lines::FirstLines;
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::task::interruption::InterruptedTask;
use crate::text::escaped;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// An alert of any kind, ready to be laid out.
#[derive(Debug)]
pub struct Notification<'a> {
    /// The incident's stable key, which groups all notifications of an incident.
    pub(crate) incident: String,
    pub(crate) kind: AlertKind,
    pub(crate) event: Transition,
    pub(crate) at: Timestamp,
    pub(crate) cluster: &'a ClusterArn,
    /// `None` if it is not known.
    pub(crate) service: Option<ServiceArn>,
    /// The task, if the alert is about a single one.
    pub(crate) task: Option<&'a Task>,
    pub(crate) severity: Severity,
    /// The state of the incident in one word or two, in ASCII.
    pub(crate) status: &'static str,
    /// The problem in ASCII and at most about 65 characters.
    pub(crate) problem: String,
    /// The end, the cost of waiting, and the first action; `None` if the incident is resolved.
    pub(crate) first_lines: Option<FirstLines>,
    /// Sentences on when the problem began and what it means.
    pub(crate) summary: Vec<String>,
    /// The details.
    pub(crate) sections: Vec<Section>,
    /// What people can do, the safest first.
    pub(crate) actions: Vec<Action>,
    /// Details that matter after the actions.
    pub(crate) notes: Vec<Section>,
    /// The ARNs that it is about.
    pub(crate) resources: Vec<String>,
    /// Short facts by name, for programs that read the chat message.
    pub(crate) facts: BTreeMap<&'static str, String>,
    /// The data behind it, for machines.
    pub(crate) source: Source<'a>,
}

/// The alert behind a notification.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    Service(&'a Alert),
    Task(&'a InterruptedTask),
}

/// How urgent a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Something is blocked, unprotected or interrupted.
    Critical,
    /// It will be.
    Warning,
    /// It can wait until tomorrow.
    Minor,
    /// The problem is over.
    Over,
}

/// A part of a notification.
#[derive(Debug)]
pub(crate) enum Section {
    /// Sentences, each on a line of its own.
    Lines(Vec<Text>),
    List(List),
}

/// A list with its heading, of which a format may show only the first items.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) kind: ListKind,
    pub(crate) heading: String,
    /// At most [`ITEMS_MAX`].
    pub(crate) items: Vec<ListItem>,
    /// The number of items before that limit.
    pub(crate) total: usize,
}

/// The number of items that a list holds at most: as many as a format shows.
const ITEMS_MAX: usize = 50;
/// The same for the jobs of a task.
const JOBS_OF_A_TASK_MAX: usize = 5;

/// What a list consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    RefusedTasks,
    BlockingTasks,
    /// Blocking tasks in a notification about refused tasks.
    OtherBlockingTasks,
    Jobs,
    TagProblems,
    Remediations,
    FailedReads,
    /// One item: ECS's reason for a stop.
    StoppedReason,
    /// The outcomes of refused tasks.
    TaskEnds,
}

impl ListKind {
    /// One of its items.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::RefusedTasks | Self::BlockingTasks | Self::OtherBlockingTasks | Self::TaskEnds => "task",
            Self::Jobs => "job",
            Self::TagProblems => "tag",
            Self::Remediations => "remediation",
            Self::FailedReads => "failed read",
            Self::StoppedReason => "reason",
        }
    }
}

impl List {
    /// A list of the first of `total` items.
    fn section(
        kind: ListKind,
        heading: impl Into<String>,
        total: usize,
        items: impl Iterator<Item = ListItem>,
    ) -> Section {
        Section::List(Self { kind, heading: heading.into(), items: items.take(ITEMS_MAX).collect(), total })
    }
}

/// A task, a job, or one sentence.
#[derive(Debug, Default)]
pub(crate) struct ListItem {
    pub(crate) title: Text,
    pub(crate) details: Vec<Text>,
    /// The jobs of a task, at most [`JOBS_OF_A_TASK_MAX`].
    pub(crate) jobs: Vec<ListItem>,
    /// The number of jobs before that limit.
    pub(crate) jobs_total: usize,
}

impl From<Text> for ListItem {
    fn from(title: Text) -> Self {
        Self { title, ..Self::default() }
    }
}

/// An action that a person can take.
#[derive(Debug)]
pub(crate) struct Action {
    /// A sentence, with a colon at its end if there are commands.
    pub(crate) text: String,
    /// Whole commands, which no format may alter.
    pub(crate) commands: Vec<String>,
    /// Who else has the commands, for a format that cannot show one: `the email has`.
    pub(crate) elsewhere: &'static str,
}

/// A sentence, or a part of one.
#[derive(Debug, Default)]
pub(crate) struct Text(pub(crate) Vec<Piece>);

/// A piece of text by its author. Only taskhold's own text may begin a line, and stand outside of quotation marks or
/// code spans.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Written by taskhold.
    Own(String),
    /// An identifier that AWS assigned.
    Id(String),
    /// Chosen by a person or a worker: a job's id, labels, a tag, a container.
    Name(String),
    /// A sentence that may contain AWS's words, of any length.
    Sentence(String),
}

impl Text {
    fn own(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Own(text.into()));
        self
    }

    fn id(mut self, id: &str) -> Self {
        self.0.push(Piece::Id(id.to_owned()));
        self
    }

    fn name(mut self, name: &str) -> Self {
        self.0.push(Piece::Name(name.to_owned()));
        self
    }

    fn sentence(mut self, text: &str) -> Self {
        self.0.push(Piece::Sentence(text.to_owned()));
        self
    }
}

impl From<String> for Text {
    fn from(own: String) -> Self {
        Self::default().own(own)
    }
}

impl From<&str> for Text {
    fn from(own: &str) -> Self {
        Self::default().own(own)
    }
}

/// The names in a line, shortened.
pub(crate) struct ShownNames {
    /// `None` if the service is not known.
    pub(crate) service: Option<String>,
    pub(crate) cluster: String,
}

impl Notification<'_> {
    /// A line with the names of service and cluster, which are shortened so that the line has at most `chars_max`
    /// characters.
    pub(crate) fn line_with_names(&self, chars_max: usize, line: impl Fn(&ShownNames) -> String) -> String {
        let service = self.service.as_ref().map(|service| service.name.as_str());
        let nameless = ShownNames { service: service.map(|_| String::new()), cluster: String::new() };
        let room = chars_max.saturating_sub(line(&nameless).chars().count());
        let whole = |name: &str| escaped(name, usize::MAX, is_of_a_name).len();
        // A short cluster name leaves its space to the service name, and vice versa.
        let left = room.saturating_sub(service.map_or(0, whole));
        let for_cluster = whole(&self.cluster.name).min((room / 3).max(left));
        line(&ShownNames {
            service: service.map(|service| escaped(service, room.saturating_sub(for_cluster), is_of_a_name)),
            cluster: escaped(&self.cluster.name, for_cluster, is_of_a_name),
        })
    }
}

/// The characters of service and cluster names.
fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// The facts about every alert.
fn common_facts(event: Transition, cluster: &ClusterArn) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("event", event.as_str().to_owned()),
        ("cluster", cluster.name.clone()),
        ("region", cluster.region.clone()),
        ("account", cluster.account.clone()),
    ])
}
