//! Adapters that implement the traits of the other modules with the AWS SDK.
//!
//! No other module names the SDK, and no adapter makes a decision: each translates one call and its answer
//! between the SDK's types and taskhold's. Here are ECS ([`ecs`], [`autoscaling`]), the state store in
//! DynamoDB ([`dynamodb`], [`store`]), the senders of alerts ([`alerts`]), and the queues of rechecks,
//! dead-lettered messages and interrupted jobs ([`sqs`]). The settings of the SDK that all clients share,
//! such as time-outs and no retries, are below; trusted certificates are in [`trust`]. Start with
//! [`with_own_settings`] and [`ecs`].

pub mod alerts;
pub mod autoscaling;
pub mod dynamodb;
pub mod ecs;
pub mod lazy;
pub mod sqs;
pub mod store;
pub mod trust;

use crate::aws::trust::{BundleError, Trust, Variables};

use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_ecs::config::SharedHttpClient;
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::SdkError;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use std::error::Error;
use std::time::Duration;

/// Time-out of a call: its only attempt with the whole answer. Including [`CONNECT_TIMEOUT`], it stays below
/// [`crate::budget::CALL_TIME`].
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time-out for making a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The variables in which the SDK looks for a Region.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Reads Region, credentials and endpoints as the SDK does (`AWS_REGION`, `AWS_ENDPOINT_URL`, …), for all
/// clients. Without a Region in the environment, `region` counts: the SDK would ask the metadata service of a host.
///
/// # Errors
/// `AWS_CA_BUNDLE` is set and does not name a file of certificates.
pub async fn sdk_config(variables: &Variables, region: &str) -> Result<SdkConfig, BundleError> {
    let trust = Trust::of_environment(variables)?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].iter().all(|name| variables.contains_key(*name)) {
        // They take precedence in any case, and building the SDK's whole chain of providers takes time.
        loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
    }
    let names_region = |name: &&str| variables.get(*name).is_some_and(|value| !value.is_empty());
    if !REGION_VARIABLES.iter().any(names_region) {
        loader = loader.region(Region::new(region.to_owned()));
    }
    Ok(with_own_settings(loader, &trust).load().await)
}

/// Applies taskhold's own settings, wherever Region, credentials and endpoint come from: the HTTP client, one
/// time-out for a whole call including a slow answer, and no retries. Public so that the tests of the
/// adapters use the settings of production.
///
/// The SDK's retries are off because a request that timed out may still take effect, and only the caller
/// knows whether a second one may follow.
pub fn with_own_settings(loader: ConfigLoader, trust: &Trust) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(ATTEMPT_TIMEOUT).build();
    loader
        .http_client(http_client(trust))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

/// One HTTP client with one connection pool for all SDK clients, built once. The SDK's default client reads
/// the root certificates again for each SDK client, to validate them, and once more at the first request.
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

/// An SDK error on one line: the HTTP status if there was an answer, the error and its causes. The SDK's own
/// `DisplayErrorContext` would add the raw answer, whose body belongs neither in a log nor in the reason of a
/// dead-lettered message.
fn on_one_line<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
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
