//! An alert in every format. Sinks deliver these texts without knowing their content.

use crate::ecs::service::ServiceArn;
use crate::notify::chat;
use crate::notify::email;
use crate::notify::interrupted;
use crate::notify::json;
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::task::interruption::InterruptedTask;

/// A rendered notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The incident's stable key.
    pub incident: String,
    /// The kind of problem.
    pub kind: AlertKind,
    /// The step of the incident's life.
    pub event: Transition,
    /// The service; `None` if it is not known.
    pub service: Option<ServiceArn>,
    /// The email's subject: at most [`email::SUBJECT_CHARS_MAX`] printable ASCII characters.
    pub subject: String,
    /// The email's body.
    pub mail: String,
    /// The chat message for Amazon Q Developer, as JSON.
    pub chat: String,
    /// The JSON for machines: at most [`json::ESCAPED_BYTES_MAX`].
    pub machine: String,
}

impl Notification {
    /// Renders an alert about a service.
    pub fn of(alert: &Alert) -> Self {
        Self {
            incident: alert.incident.clone(),
            kind: alert.kind,
            event: alert.event,
            service: Some(alert.service.clone()),
            subject: email::subject(alert),
            mail: email::body(alert),
            chat: chat::message(alert),
            machine: json::alert::message(alert),
        }
    }

    /// Renders a task that stopped with jobs running.
    pub fn of_interruption(task: &InterruptedTask) -> Self {
        interrupted::message(&task.task, &task.interruption)
    }
}
