//! The job queue: SQS, with the credentials of the task role.

use crate::job::TaskName;
use crate::queue_problem::QueueProblem;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::SharedHttpClient;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::send_message::SendMessageError;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use std::time::Duration;
use tokio::sync::OnceCell;

/// The roots of Amazon Trust Services, for images without certificates.
const AMAZON_ROOTS: &[u8] = include_bytes!("../../src/aws/roots.pem");

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One attempt. The SDK repeats it, since a message that arrives twice changes nothing.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// IAM and SQS may take a minute to know a policy or a queue that was just created.
const REJECTED_TIME: Duration = Duration::from_secs(120);
/// Most outages are shorter.
const UNANSWERED_TIME: Duration = Duration::from_secs(3600);

const IF_REJECTED: &str = "set TASKHOLD_QUEUE_URL to the stack output JobQueueUrl, and attach the policy of the stack \
                           output ProtectingWorkerPolicyArn to the task role";
const IF_UNANSWERED: &str = "check that the task reaches SQS: through the internet, or through a VPC endpoint";

/// A queue that accepts job messages.
#[derive(Debug)]
pub(crate) struct JobQueue {
    url: String,
    region: Option<String>,
    /// Made with the first message, so that COMMAND does not wait for it.
    client: OnceCell<Client>,
}

impl JobQueue {
    /// The queue of this URL. The Region is that of the environment, or else the task's: on EC2, no variable names it.
    ///
    /// # Errors
    /// None; a program without the feature `sqs` has an error here.
    pub(crate) fn of(queue_url: &str, task: &TaskName) -> Result<Self, QueueProblem> {
        let in_environment = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().any(|name| std::env::var_os(name).is_some());
        let of_task = task.arn.split(':').nth(3).filter(|region| !region.is_empty());
        let region = of_task.filter(|_| !in_environment).map(str::to_owned);
        Ok(Self { url: queue_url.to_owned(), region, client: OnceCell::new() })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The queue has not accepted it.
    pub(crate) async fn send(&self, body: &str) -> Result<(), QueueProblem> {
        let client = self.client.get_or_init(|| self.connect()).await;
        let sent = client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(|_| ()).map_err(|error| problem_of(&error))
    }

    async fn connect(&self) -> Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client())
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts);
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        Client::new(&loader.load().await)
    }
}

fn problem_of(error: &SdkError<SendMessageError>) -> QueueProblem {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    let is_rejected = matches!(error, SdkError::ServiceError(answer) if answer.raw().status().is_client_error());
    let is_throttled = error.code().is_some_and(|code| code.contains("Throttl"));
    if is_rejected && !is_throttled {
        QueueProblem { words, way_out: IF_REJECTED, retry_time: REJECTED_TIME }
    } else {
        QueueProblem { words, way_out: IF_UNANSWERED, retry_time: UNANSWERED_TIME }
    }
}

/// Trusts the machine's certificates, those in the file that `AWS_CA_BUNDLE` names, and Amazon's.
fn http_client() -> SharedHttpClient {
    let mut trusted = TrustStore::empty().with_native_roots(true).with_pem_certificate(AMAZON_ROOTS);
    let bundle = std::env::var_os("AWS_CA_BUNDLE").and_then(|path| std::fs::read(path).ok());
    if let Some(bundle) = bundle {
        trusted = trusted.with_pem_certificate(bundle);
    }
    let tls = TlsContext::builder().with_trust_store(trusted).build().expect("it has no name that could be wrong");
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .connector_settings(settings)
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}
