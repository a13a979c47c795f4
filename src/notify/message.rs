//! An alert in every format. Sinks deliver these texts without knowing their content.

use crate::ecs::service::ServiceArn;
use crate::notify::notification::Notification;
use crate::notify::sender::Sender;
use crate::notify::{chat, email, json};
use crate::service::alert::{AlertKind, Transition};

/// A notification in every format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertMessage {
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
    pub email: String,
    /// The chat message for Amazon Q Developer, as JSON.
    pub chat: String,
    /// The JSON for machines: at most [`json::ESCAPED_BYTES_MAX`].
    pub json: String,
}

impl AlertMessage {
    /// Lays out an alert about a service, or about an interrupted task, in every format.
    pub fn of<'a>(alert: impl Into<Notification<'a>>, sender: &Sender) -> Self {
        let notification = alert.into();
        Self {
            subject: email::subject(&notification),
            email: email::body(&notification, sender),
            chat: chat::message(&notification, sender),
            json: json::message(&notification),
            incident: notification.incident,
            kind: notification.kind,
            event: notification.event,
            service: notification.service,
        }
    }

    /// The message attributes for subscription filters and consumers, the same for topic and queue. An unknown service
    /// has no attribute, because SNS and SQS refuse empty values.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, String)> {
        let kind = ("kind", self.kind.as_str().to_owned());
        let event = ("event", self.event.as_str().to_owned());
        let service = self.service.as_ref().map(|service| ("service", service.to_string()));
        [kind, event].into_iter().chain(service)
    }
}
