//! The SDK in, our nouns out. Nothing here has an opinion, and nothing else names the SDK.

mod alerts;
mod autoscaling;
mod dynamodb;
mod ecs;
mod follow_ups;
mod ledger;
mod sqs;

pub use alerts::AwsAlertSink;
pub use autoscaling::AwsAutoscaling;
pub use dynamodb::{DynamoDbLedger, Tabled};
pub use ecs::AwsEcs;
pub use follow_ups::AwsFollowUpQueue;
pub use ledger::AwsLedger;
pub use sqs::AwsQueue;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::SdkError;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use std::error::Error;
use std::time::Duration;

/// An attempt gets this long. Together with [`CONNECT_TIMEOUT`] it stays within [`crate::apply::CALL_TIME`].
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Making a connection gets this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads Region, credentials and endpoints as the SDK does (`AWS_REGION`, `AWS_ENDPOINT_URL`, …), for all clients.
pub async fn sdk_config() -> SdkConfig {
    with_own_settings(aws_config::defaults(BehaviorVersion::latest())).load().await
}

/// What taskhold sets itself, wherever Region, credentials and endpoint come from: the HTTP client, the timeouts, and no
/// retries. Public so that the adapters are tested with the settings that they run with.
///
/// The SDK's own retries are off: a request that timed out may still take effect, and only the caller can tell whether a
/// second one may follow it.
pub fn with_own_settings(loader: ConfigLoader) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(ATTEMPT_TIMEOUT)
        .build();
    loader
        .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
}

/// An error of the SDK in one line: the status if there was an answer, the error and what caused it. The SDK's own
/// `DisplayErrorContext` would add the raw answer, whose body belongs neither in a log nor in a parked message's reason.
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
