//! Connects to AWS with the credentials of the task role.

use crate::job::TaskName;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use std::time::Duration;

/// The roots of Amazon Trust Services, for images without certificates.
const AMAZON_ROOTS: &[u8] = include_bytes!("../../src/aws/roots.pem");

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Time limit for one attempt. The SDK retries it, which is safe because a message that arrives twice changes nothing.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The configuration and the HTTP connector of a call.
#[derive(Debug)]
pub(crate) struct AwsConnection {
    pub(crate) config: SdkConfig,
    pub(crate) connector: SharedHttpConnector,
}

/// The task's Region, unless the environment names one. On EC2, ECS sets no such variable.
pub(crate) fn region_of(task: &TaskName) -> Option<String> {
    let in_environment = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().any(|name| std::env::var_os(name).is_some());
    let of_task = task.arn.split(':').nth(3).filter(|region| !region.is_empty());
    of_task.filter(|_| !in_environment).map(str::to_owned)
}

/// Reads the configuration. This Region takes precedence over that of the environment.
pub(crate) async fn connect(region: Option<&str>) -> AwsConnection {
    let connector = http_connector();
    let of_clients = connector.clone();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client_fn(move |_, _| of_clients.clone()))
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts);
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    AwsConnection { config: loader.load().await, connector }
}

/// Trusts the machine's certificates, those in the file that `AWS_CA_BUNDLE` names, and Amazon's.
fn http_connector() -> SharedHttpConnector {
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
    SharedHttpConnector::new(connector)
}
