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
    /// The command has no such field.
    #[error("`{command}` has no field `{field}`; {allowed}")]
    UnknownField {
        /// The command.
        command: &'static str,
        /// The field, shortened for display.
        field: String,
        /// Which fields it has, or which one the unknown one seems to stand for.
        allowed: String,
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
            Self::UnknownField { .. } => "unknown-field",
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

/// The commands, and the fields of each.
const COMMANDS: [(&str, &[&str]); 5] = [
    ("status", &["cluster", "service"]),
    ("preflight", &["cluster", "service"]),
    ("sweep", &[]),
    ("release", &["cluster", "tasks", "force", "by"]),
    ("redrive", &["messages"]),
];

/// Parses an object that has a member with the name of a command, or only one member. `None` if the payload has another
/// shape.
pub(crate) fn parse(payload: &str, clusters: &Clusters) -> Option<Result<Command, CommandError>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(payload).ok()?;
    let known = COMMANDS.into_iter().find_map(|(name, allowed)| Some((name, allowed, members.get(name)?)));
    if let Some((name, allowed, fields)) = known {
        let is_meant = fields.get().starts_with('{') || members.len() == 1;
        return is_meant.then(|| read(name, allowed, fields.get(), clusters));
    }
    let (only, fields) = members.iter().next().filter(|_| members.len() == 1)?;
    fields.get().starts_with('{').then(|| Err(CommandError::UnknownCommand(crate::ecs::arn::shown(only))))
}

fn read(
    name: &'static str,
    allowed: &[&'static str],
    fields: &str,
    clusters: &Clusters,
) -> Result<Command, CommandError> {
    let invalid =
        |error: serde_json::Error| CommandError::InvalidField { field: "command", problem: error.to_string() };
    if !fields.starts_with('{') {
        let problem = format!("must be an object with its fields, such as {{\"{name}\": {}}}", example(name));
        return Err(CommandError::InvalidField { field: name, problem });
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(fields).map_err(invalid)?;
    if let Some(field) = members.keys().find(|field| !allowed.contains(&field.as_str())) {
        let allowed = fields_of(name, allowed, field);
        return Err(CommandError::UnknownField { command: name, field: crate::ecs::arn::shown(field), allowed });
    }
    if name == "sweep" {
        return Ok(Command::Sweep);
    }
    let fields: Fields = serde_json::from_str(fields).map_err(invalid)?;
    if name == "redrive" {
        return redrive(&fields).map(Command::Redrive);
    }
    let (named, service) = (text("cluster", fields.cluster.as_ref())?, text("service", fields.service.as_ref())?);
    if let Some(arn) = service.filter(|service| service.starts_with("arn:")) {
        let service = clusters.service(arn, named)?;
        return Ok(match name {
            "status" => ServiceCommand::Status(Scope::Service(service)).into(),
            _ => ServiceCommand::Preflight(service).into(),
        });
    }
    let cluster = match named {
        Some(cluster) => clusters.find(cluster)?,
        None => clusters.only().ok_or_else(|| CommandError::InvalidField {
            field: "cluster",
            problem: "is missing, and more than one is configured; it must be a name or an ARN".to_owned(),
        })?,
    };
    if name == "release" {
        return release(cluster, &fields).map(|release| ServiceCommand::Release(release).into());
    }
    let service = service.map(|name| ServiceArn::new(cluster.clone(), name).map_err(NameError::from)).transpose()?;
    match (name, service) {
        ("status", None) => Ok(ServiceCommand::Status(Scope::Cluster(cluster)).into()),
        ("status", Some(service)) => Ok(ServiceCommand::Status(Scope::Service(service)).into()),
        (_, Some(service)) => Ok(ServiceCommand::Preflight(service).into()),
        (_, None) => Err(CommandError::InvalidField {
            field: "service",
            problem: "is missing; it must be the name or the ARN of a service".to_owned(),
        }),
    }
}

/// Fields of a command, as an example.
fn example(name: &str) -> &'static str {
    match name {
        "status" | "preflight" => r#"{"service": "web"}"#,
        "release" => r#"{"tasks": ["6b777c1809a94925ab48098fa09824de"]}"#,
        _ => "{}",
    }
}

/// What the error about an unknown field advises.
fn fields_of(name: &str, allowed: &[&str], unknown: &str) -> String {
    let letters = |text: &str| text.to_lowercase();
    let is_close =
        |field: &&&str| letters(unknown).contains(*field) || strsim::levenshtein(&letters(unknown), field) <= 2;
    match (allowed.iter().find(is_close), allowed) {
        (Some(field), _) => format!("did you mean `{field}`?"),
        (None, []) => format!("`{name}` has no fields"),
        (None, [fields @ .., last]) => {
            let others: String = fields.iter().map(|field| format!("`{field}`, ")).collect();
            format!("its fields are {}`{last}`", others)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:ecs:eu-west-1:111122223333:service/video/web";

    fn read(payload: &str) -> Option<Result<Command, CommandError>> {
        let clusters = ["video", "audio"]
            .map(|name| format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{name}").parse().unwrap());
        parse(payload, &Clusters::new(clusters.into()).unwrap())
    }

    fn refusal(payload: &str) -> String {
        read(payload).unwrap().unwrap_err().to_string()
    }

    #[test]
    fn a_service_is_named_by_its_arn_as_alerts_print_it_or_by_its_name_and_cluster() {
        let by_name = read(r#"{"status": {"cluster": "video", "service": "web"}}"#).unwrap();
        assert_eq!(read(&format!(r#"{{"status": {{"service": "{ARN}"}}}}"#)).unwrap(), by_name);
        let both = format!(r#"{{"preflight": {{"service": "{ARN}", "cluster": "audio"}}}}"#);
        assert_eq!(refusal(&both), "it names cluster `video`, but `cluster` names `audio`");
        let elsewhere = ARN.replace("1111", "9999");
        assert!(refusal(&format!(r#"{{"status": {{"service": "{elsewhere}"}}}}"#)).starts_with("its account is"));
    }

    #[test]
    fn an_unknown_field_is_refused_with_the_right_name() {
        for (payload, expected) in [
            (r#"{"status": {"serviceName": "web"}}"#, "`status` has no field `serviceName`; did you mean `service`?"),
            (r#"{"preflight": {"servcie": "web"}}"#, "`preflight` has no field `servcie`; did you mean `service`?"),
            (r#"{"status": {"tasks": []}}"#, "`status` has no field `tasks`; its fields are `cluster`, `service`"),
            (r#"{"sweep": {"cluster": "video"}}"#, "`sweep` has no field `cluster`; `sweep` has no fields"),
            (r#"{"redrive": {"max": 7}}"#, "`redrive` has no field `max`; its fields are `messages`"),
            (
                r#"{"status": "web"}"#,
                r#"`status` must be an object with its fields, such as {"status": {"service": "web"}}"#,
            ),
            (r#"{"sweep": 7}"#, r#"`sweep` must be an object with its fields, such as {"sweep": {}}"#),
        ] {
            assert_eq!(refusal(payload), expected);
        }
        assert_eq!(read(r#"{"status": "ok", "id": 7}"#), None, "not a command");
    }
}
