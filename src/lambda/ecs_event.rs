//! An ECS event in EventBridge's envelope, from a payload or from the body of a message.

use crate::config::clusters::Clusters;
use crate::ecs::arn::shown;
use crate::lambda::{service_event, task_state_change};
use crate::service::trigger::ServiceTrigger;
use crate::task::stop::TaskStopEvent;
use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde_json::value::RawValue;

/// An ECS event as EventBridge delivers it. It says what to reconcile and proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EcsEvent {
    /// A task of a configured cluster is stopping or has stopped, according to the event.
    TaskStopEvent(TaskStopEvent),
    /// An event about a service of a configured cluster.
    Service(ServiceTrigger),
    /// An event without consequences, with a short description.
    Ignored(String),
}

impl EcsEvent {
    /// Parses an EventBridge envelope, from a payload or from the body of a message.
    ///
    /// # Errors It is not an envelope. An unknown source, detail-type or event name is not an error but
    /// [`EcsEvent::Ignored`].
    pub fn parse(envelope: &str, clusters: &Clusters) -> Result<Self, serde_json::Error> {
        let event: EventBridgeEvent<Box<RawValue>> = serde_json::from_str(envelope)?;
        Ok(match (event.source.as_str(), event.detail_type.as_str()) {
            ("aws.ecs", "ECS Task State Change") => {
                let stop = task_state_change::parse(event.detail.get(), clusters);
                stop.map_or_else(Self::Ignored, Self::TaskStopEvent)
            }
            ("aws.ecs", "ECS Service Action" | "ECS Deployment State Change" | "ECS Hook State Change") => {
                let resources: Vec<String> = event.resources.into_iter().flatten().collect();
                let trigger = service_event::parse(event.detail.get(), &resources, clusters);
                trigger.map_or_else(Self::Ignored, Self::Service)
            }
            (source, detail_type) => Self::Ignored(format!("`{}` of `{}`", shown(detail_type), shown(source))),
        })
    }
}
