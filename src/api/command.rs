//! Direct invocations: commands that an operator or a CI step sends with `aws lambda invoke`.

use crate::config::clusters::{Clusters, NameError};
use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::service::ServiceArn;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An operator command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `{"sweep": {}}`: reconcile all services and send new alerts.
    Sweep,
    /// `{"redrive": {}}`: carry out messages of the dead-letter queue.
    Redrive(RedriveCommand),
    /// About one service, or the services of a cluster.
    Services(ServiceCommand),
}

/// Messages of the dead-letter queue that are to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedriveCommand {
    /// Maximum number of messages to receive.
    pub messages_max: usize,
}

/// Number of messages that `redrive` receives unless it names another: what an invocation of 30 seconds manages.
const MESSAGES_REDRIVEN_DEFAULT: usize = 100;
/// Maximum number of messages in one `redrive`, so that its answer stays small.
const MESSAGES_REDRIVEN_MAX: u64 = 1000;

/// A command about services or their tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceCommand {
    /// `{"status": {"service": "web"}}`: the status of a service; without `service`, of all services of a cluster.
    Status(Scope),
    /// `{"release": {"tasks": ["ID", …]}}`: clear the protection of these tasks, if they are idle.
    Release(ReleaseCommand),
    /// `{"preflight": {"service": "web"}}`: what would happen to a deployment that started now.
    Preflight(ServiceArn),
}

impl From<ServiceCommand> for Command {
    fn from(command: ServiceCommand) -> Self {
        Self::Services(command)
    }
}

/// Tasks whose protection is to be cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseCommand {
    /// Their cluster.
    pub cluster: Arc<ClusterArn>,
    /// 1 to 100 tasks.
    pub tasks: Vec<TaskId>,
    /// Who forces the release of busy tasks and of foreign protection; `None` releases only idle tasks.
    pub forced_by: Option<String>,
}

/// Maximum number of tasks in one `release`.
const TASKS_RELEASED_MAX: usize = 100;

/// The scope of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One service.
    Service(ServiceArn),
    /// All services of a cluster.
    Cluster(Arc<ClusterArn>),
}

/// Why a command failed, with a code for machines and a text for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such command.
    #[error("`{0}` is not a command; the commands are `status`, `preflight`, `sweep`, `release` and `redrive`")]
    UnknownCommand(String),
    /// A field is missing or has the wrong type.
    #[error("`{field}` {problem}")]
    InvalidField {
        /// The field.
        field: &'static str,
        /// The rule that it breaks.
        problem: String,
    },
    /// The cluster is not configured, or the service name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// ECS does not know the service.
    #[error("ECS does not know service `{0}`")]
    ServiceNotFound(ServiceArn),
    /// The call to ECS failed.
    #[error(transparent)]
    Ecs(#[from] crate::ecs::error::EcsError),
    /// The dead-letter queue cannot be redriven.
    #[error("cannot redrive the dead-letter queue: {0}")]
    Redrive(String),
}

impl CommandError {
    /// The code in the answer.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownCommand(_) => "unknown-command",
            Self::InvalidField { .. } => "invalid-field",
            Self::Name(_) => "not-configured",
            Self::ServiceNotFound(_) => "service-not-found",
            Self::Ecs(_) => "ecs-failed",
            Self::Redrive(_) => "cannot-redrive",
        }
    }
}

#[derive(Deserialize)]
struct Fields {
    cluster: Option<Value>,
    service: Option<Value>,
    tasks: Option<Value>,
    force: Option<Value>,
    by: Option<Value>,
    messages: Option<Value>,
}

/// The names of all commands.
const COMMANDS: [&str; 5] = ["status", "preflight", "sweep", "release", "redrive"];

/// Parses an object that has a member with the name of a command, or only one member. `None` if the payload has another
/// shape.
pub(crate) fn parse(payload: &str, clusters: &Clusters) -> Option<Result<Command, CommandError>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(payload).ok()?;
    let known = COMMANDS.into_iter().find_map(|name| Some((name, members.get(name)?)));
    let only = members.iter().next().filter(|_| members.len() == 1).map(|(name, fields)| (name.as_str(), fields));
    let (name, fields) = known.or(only).filter(|(_, fields)| fields.get().starts_with('{'))?;
    Some(read(name, fields.get(), clusters))
}

fn read(name: &str, fields: &str, clusters: &Clusters) -> Result<Command, CommandError> {
    if !COMMANDS.contains(&name) {
        return Err(CommandError::UnknownCommand(crate::ecs::arn::shown(name)));
    }
    if name == "sweep" {
        return Ok(Command::Sweep);
    }
    let invalid =
        |error: serde_json::Error| CommandError::InvalidField { field: "command", problem: error.to_string() };
    let fields: Fields = serde_json::from_str(fields).map_err(invalid)?;
    if name == "redrive" {
        return redrive(&fields).map(Command::Redrive);
    }
    let cluster = match text("cluster", fields.cluster.as_ref())? {
        Some(cluster) => clusters.find(cluster)?,
        None => clusters.only().ok_or_else(|| CommandError::InvalidField {
            field: "cluster",
            problem: "is missing, and more than one is configured; it must be a name or an ARN".to_owned(),
        })?,
    };
    if name == "release" {
        return release(cluster, &fields).map(|release| ServiceCommand::Release(release).into());
    }
    let service = match text("service", fields.service.as_ref())? {
        Some(service) => Some(ServiceArn::new(cluster.clone(), service).map_err(NameError::from)?),
        None => None,
    };
    match (name, service) {
        ("status", None) => Ok(ServiceCommand::Status(Scope::Cluster(cluster)).into()),
        ("status", Some(service)) => Ok(ServiceCommand::Status(Scope::Service(service)).into()),
        (_, Some(service)) => Ok(ServiceCommand::Preflight(service).into()),
        (_, None) => Err(CommandError::InvalidField {
            field: "service",
            problem: "is missing; it must be the name of a service".to_owned(),
        }),
    }
}

fn redrive(fields: &Fields) -> Result<RedriveCommand, CommandError> {
    let messages_max = match &fields.messages {
        None | Some(Value::Null) => MESSAGES_REDRIVEN_DEFAULT,
        Some(messages) => {
            let number = messages.as_u64().filter(|number| (1..=MESSAGES_REDRIVEN_MAX).contains(number));
            number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| CommandError::InvalidField {
                field: "messages",
                problem: format!("must be a whole number from 1 to {MESSAGES_REDRIVEN_MAX}"),
            })?
        }
    };
    Ok(RedriveCommand { messages_max })
}

fn release(cluster: Arc<ClusterArn>, fields: &Fields) -> Result<ReleaseCommand, CommandError> {
    let invalid = |field, problem: String| CommandError::InvalidField { field, problem };
    let rule = format!("must be a list of 1 to {TASKS_RELEASED_MAX} task ids or ARNs");
    let listed = match &fields.tasks {
        Some(Value::Array(listed)) if (1..=TASKS_RELEASED_MAX).contains(&listed.len()) => listed,
        Some(_) => return Err(invalid("tasks", rule)),
        None => return Err(invalid("tasks", format!("is missing; it {rule}"))),
    };
    let mut tasks = Vec::with_capacity(listed.len());
    for value in listed {
        let text = value.as_str().ok_or_else(|| invalid("tasks", rule.clone()))?;
        let id = if text.starts_with("arn:") { TaskId::at_end_of(text) } else { text.parse() };
        tasks.push(id.map_err(|error| invalid("tasks", format!("contains an invalid task: {error}")))?);
    }
    tasks.sort();
    tasks.dedup();
    let forced_by = match (&fields.force, text("by", fields.by.as_ref())?) {
        (None | Some(Value::Null | Value::Bool(false)), _) => None,
        (Some(Value::Bool(true)), Some(by)) if !by.trim().is_empty() => Some(crate::ecs::arn::shown(by)),
        (Some(Value::Bool(true)), _) => {
            let problem = "is missing; with `force` it must name the operator, for the log".to_owned();
            return Err(invalid("by", problem));
        }
        (Some(_), _) => return Err(invalid("force", "must be true or false".to_owned())),
    };
    Ok(ReleaseCommand { cluster, tasks, forced_by })
}

fn text<'a>(field: &'static str, value: Option<&'a Value>) -> Result<Option<&'a str>, CommandError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(CommandError::InvalidField { field, problem: "must be a string".to_owned() }),
    }
}
