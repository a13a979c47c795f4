//! The simulated SQS and SNS, over HTTP, for the contract tests of their adapters.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use ecs_sim::http::{Server, ServerOptions, ServiceAnswer, Services};
use ecs_sim::queue::{MessageAttribute, QueueOrigin, QueueSettings, Queues};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use taskhold::aws;

pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

/// The client configuration of the function, with this endpoint for all of AWS.
pub(crate) async fn sdk_config(endpoint: &str) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AROAEXAMPLE:taskhold", "secret", None, None, "test"));
    aws::with_own_settings(loader, &aws::trust::Trust::Amazon).load().await
}

/// An ECS that must not be called.
pub(crate) type NoEcs = fn(i64, &str, &Value) -> ServiceAnswer;

/// The simulated SNS, and the simulated SQS with one queue.
pub(crate) struct Simulated {
    pub(crate) services: Arc<Mutex<Services<NoEcs>>>,
    pub(crate) server: Server,
    queue: &'static str,
}

impl Simulated {
    pub(crate) async fn with_queue(queue: &'static str) -> Self {
        let mut queues = Queues::new(QueueOrigin::new("eu-west-1", "111122223333"), NOW_MS);
        queues.create(queue, QueueSettings::default()).unwrap();
        let no_ecs: NoEcs = |_, operation, _| panic!("{operation} was called");
        let services = Arc::new(Mutex::new(Services::new(no_ecs, queues, || NOW_MS)));
        let server = Server::start(Arc::clone(&services), ServerOptions::default()).await.unwrap();
        Self { services, server, queue }
    }

    /// The bodies and attributes of the messages in the queue.
    pub(crate) fn queued(&self) -> Vec<(String, Vec<(String, MessageAttribute)>)> {
        let services = self.services.lock().unwrap();
        let messages = services.queues.messages(self.queue).unwrap();
        messages.iter().map(|kept| (kept.body.clone(), kept.attributes.clone().into_iter().collect())).collect()
    }
}
