//! The SDK in, our nouns out. Nothing here has an opinion, and nothing else names the SDK.

mod ecs;
mod sqs;

pub use ecs::AwsEcs;
pub use sqs::AwsParkingQueue;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use std::time::Duration;

/// An attempt gets this long. Together with [`CONNECT_TIMEOUT`] it stays within [`crate::apply::CALL_TIME`].
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Making a connection gets this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads Region, credentials and endpoints as the SDK does (`AWS_REGION`, `AWS_ENDPOINT_URL`, …), for all clients.
///
/// The SDK's own retries are off: a request that timed out may still take effect, and only the caller can tell whether a
/// second one may follow it.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(ATTEMPT_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .load()
        .await
}
