//! Amazon Q Developer's own schema, of whatever there is to tell (aws-facts "SNS and chat").

use crate::notify::json::sendable;
use crate::service::alert::{AlertKind, Transition};
use crate::text::{escaped, is_printable};
use jiff::Timestamp;
use serde_json::{Value, json};

/// An event's id names it to people alone.
const EVENT_ID_CHARS_MAX: usize = 200;

/// What stands in the schema. Title, description and steps are markdown; the rest is not.
pub(crate) struct Form<'a> {
    /// The thread, so that all that is told of an incident stands together.
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
    /// What a custom action, or another subscriber by HTTPS, needs at hand. Texts alone, as the schema wants it.
    pub(crate) context: Value,
}

impl Form<'_> {
    /// The JSON as text.
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
