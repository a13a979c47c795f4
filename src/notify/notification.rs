//! An alert in the words of everyone who gets it. This is what sinks carry: they know texts, and not what these are about.

use crate::ecs::service::ServiceArn;
use crate::notify::chat;
use crate::notify::email;
use crate::notify::interrupted;
use crate::notify::json;
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::task::interruption::InterruptedTask;

/// One thing to tell, rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The incident's stable key.
    pub incident: String,
    /// What is wrong.
    pub kind: AlertKind,
    /// Where in its life the incident is.
    pub event: Transition,
    /// Which service it is about; `None` if that is not known.
    pub service: Option<ServiceArn>,
    /// The mail's subject: at most [`email::SUBJECT_CHARS_MAX`] printable ASCII characters.
    pub subject: String,
    /// For people.
    pub mail: String,
    /// For Amazon Q Developer, as JSON.
    pub chat: String,
    /// For machines, as JSON: at most [`json::ESCAPED_BYTES_MAX`].
    pub machine: String,
}

impl Notification {
    /// What is told of a service.
    pub fn of(alert: &Alert) -> Self {
        Self {
            incident: alert.incident.clone(),
            kind: alert.kind,
            event: alert.event,
            service: Some(alert.service.clone()),
            subject: email::subject(alert),
            mail: email::body(alert),
            chat: chat::message(alert),
            machine: json::message(alert),
        }
    }

    /// What is told of a task that ends in the middle of jobs.
    pub fn of_interruption(task: &InterruptedTask) -> Self {
        interrupted::message(&task.task, &task.interruption)
    }
}
