//! The sender of a notification and its references for the reader: the function, its status command, and the section
//! of the runbook.

use crate::notify::notification::Notification;
use crate::service::suggested_action::command::invoke;
use serde_json::{Map, json};

/// The function that sends a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The name of the Lambda function. CloudFormation prefixes it with the name of the stack.
    pub function: String,
}

impl Sender {
    /// The command that asks the function about the service, or about the cluster if the service is not known.
    pub(crate) fn status_command(&self, notification: &Notification<'_>) -> String {
        let cluster = notification.cluster;
        let mut of = Map::new();
        of.extend(notification.service.as_ref().map(|service| ("service".to_owned(), json!(service.name))));
        of.insert("cluster".to_owned(), json!(cluster.name));
        invoke(cluster, &self.function, &json!({ "status": of }))
    }

    /// The sender in words.
    pub(crate) fn shown(&self, notification: &Notification<'_>) -> String {
        let cluster = notification.cluster;
        format!("taskhold, Lambda function {} in {} ({})", self.function, cluster.region, cluster.account)
    }
}

/// The section of the runbook about this kind of notification.
pub(crate) fn runbook(notification: &Notification<'_>) -> String {
    format!("docs/on-call.md#{}", notification.kind.as_str())
}
