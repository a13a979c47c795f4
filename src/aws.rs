//! The SDK in, our nouns out. Nothing here has an opinion, and nothing else names the SDK.

pub mod alerts;
pub mod autoscaling;
pub mod dynamodb;
pub mod ecs;
pub mod lazy;
pub mod rechecks;
pub mod sqs;
pub mod store;
pub mod trust;

use crate::aws::trust::{BundleError, Trust, Variables};

use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_ecs::config::SharedHttpClient;
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::SdkError;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use std::error::Error;
use std::time::Duration;

/// A call gets this long, for its only attempt and the whole answer. Together with [`CONNECT_TIMEOUT`] it stays within [`crate::budget::CALL_TIME`].
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Making a connection gets this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads Region, credentials and endpoints as the SDK does (`AWS_REGION`, `AWS_ENDPOINT_URL`, …), for all clients.
///
/// # Errors
/// `AWS_CA_BUNDLE` is set, and names no list of certificates.
pub async fn sdk_config(variables: &Variables) -> Result<SdkConfig, BundleError> {
    let trust = Trust::of_environment(variables)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].iter().all(|name| variables.contains_key(*name)) {
        // They come first in any case. The chain that would look for others is built before it looks.
        loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
    }
    Ok(with_own_settings(loader, &trust).load().await)
}

/// What taskhold sets itself, wherever Region, credentials and endpoint come from: the HTTP client, one time-out for a whole call, its
/// only attempt and a slow answer included, and no retries. Public so that the adapters are tested with the settings that they run with.
///
/// The SDK's own retries are off: a request that timed out may still take effect, and only the caller can tell whether a
/// second one may follow it.
pub fn with_own_settings(loader: ConfigLoader, trust: &Trust) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(ATTEMPT_TIMEOUT).build();
    loader
        .http_client(http_client(trust))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

/// One for all clients, with one pool of connections, made here and now. The SDK's own client reads the roots once more for each
/// of the SDK's clients, to see whether they can be read, and then again at the first request.
fn http_client(trust: &Trust) -> SharedHttpClient {
    let tls =
        TlsContext::builder().with_trust_store(trust.store()).build().expect("it has no name that could be wrong");
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .connector_settings(settings)
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}

/// An error of the SDK in one line: the status if there was an answer, the error and what caused it. The SDK's own
/// `DisplayErrorContext` would add the raw answer, whose body belongs neither in a log nor in a dead-lettered message's reason.
fn told<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let mut text = error.to_string();
    if let Some(answer) = error.raw_response() {
        text = format!("HTTP {}: {text}", answer.status());
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
