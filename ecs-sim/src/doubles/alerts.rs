//! The function's client of the Region's topic.

use crate::region::{ALERT_TOPIC_ARN, SharedRegion};
use async_trait::async_trait;
use serde_json::json;
use taskhold::notify::message::AlertMessage;
use taskhold::notify::published;
use taskhold::notify::sender::Sender;
use taskhold::notify::sink::Sink;
use taskhold::outbox::DeliveryError;

/// The function that sends the alerts of a simulation.
pub fn sender() -> Sender {
    Sender { function: "taskhold".to_owned() }
}

/// Publishes alerts to the simulated topic, with the same texts as the real sink.
#[derive(Clone, Debug)]
pub struct SimulatedAlerts(pub SharedRegion);

#[async_trait]
impl Sink for SimulatedAlerts {
    async fn send(&self, message: &AlertMessage) -> Result<(), DeliveryError> {
        let input = json!({
            "TopicArn": ALERT_TOPIC_ARN,
            "Subject": message.subject,
            "Message": published::message(message),
            "MessageStructure": "json",
        });
        match self.0.lock().publish("Publish", &input) {
            Some(answer) => answer.map(drop).map_err(|error| DeliveryError::Alerts(error.message)),
            None => Err(DeliveryError::Alerts("the connection was lost".to_owned())),
        }
    }
}
