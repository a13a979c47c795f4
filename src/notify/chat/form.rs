//! Amazon Q Developer's schema for custom notifications (aws-facts "SNS and chat").

use crate::notify::json::sendable;
use crate::service::alert::{AlertKind, Transition};
use crate::text::{escaped, is_printable};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Only people read the id of an event, so it may be shortened.
const EVENT_ID_CHARS_MAX: usize = 200;

/// The fields of the schema. Title, description and next steps are markdown; the rest is plain.
pub(crate) struct Form<'a> {
    /// The thread id, which groups all notifications of an incident.
    pub(crate) incident: &'a str,
    pub(crate) kind: AlertKind,
    pub(crate) event: Transition,
    pub(crate) at: Timestamp,
    pub(crate) title: String,
    pub(crate) description: Vec<String>,
    pub(crate) next_steps: Vec<String>,
    pub(crate) summary: String,
    /// ARNs.
    pub(crate) resources: Vec<String>,
    /// Data for custom actions and other HTTPS subscribers. The schema allows only strings.
    pub(crate) context: Value,
}

impl Form<'_> {
    /// The notification as JSON.
    pub(crate) fn text(self) -> String {
        let (kind, event) = (self.kind.as_str(), self.event.as_str());
        let mut content = json!({
            "textType": "client-markdown",
            "title": self.title,
            "description": self.description.join("\n"),
            "keywords": ["taskhold", kind, event],
        });
        if !self.next_steps.is_empty() {
            content["nextSteps"] = self.next_steps.into();
        }
        let id = format!("{}/{event}/{}", self.incident, self.at.as_second());
        let message = json!({
            "version": "1.0",
            "source": "custom",
            "id": escaped(&id, EVENT_ID_CHARS_MAX, is_printable),
            "content": content,
            "metadata": {
                "threadId": self.incident,
                "summary": self.summary,
                "eventType": kind,
                "relatedResources": self.resources,
                "additionalContext": self.context,
            },
        });
        sendable(&message.to_string())
    }
}
