//! The minimal Lambda function in Rust that calls ECS, tuned as taskhold is: the same HTTP client, trust store,
//! source of credentials and profile. Each invocation makes one call for one task, independent of its payload.

use aws_config::BehaviorVersion;
use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;

/// The roots that taskhold trusts in Lambda.
const AMAZON_ROOTS: &[u8] = include_bytes!("../../../../../src/aws/roots.pem");
const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";
const TASK: &str = "6b777c1809a94925ab48098fa09824de";
/// The answer that means "no failed messages" in Lambda (Lambda Developer Guide, "Reporting batch item failures").
const ALL_DONE: &str = r#"{"batchItemFailures":[]}"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client()?)
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .retry_config(RetryConfig::disabled());
    let ecs = Client::new(&config.load().await);
    lambda_runtime::run(service_fn(|_: LambdaEvent<Box<RawValue>>| protect(&ecs))).await
}

fn http_client() -> Result<SharedHttpClient, Error> {
    let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let tls = TlsContext::builder().with_trust_store(roots).build()?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https())
}

async fn protect(ecs: &Client) -> Result<Box<RawValue>, Error> {
    let call =
        ecs.update_task_protection().cluster(CLUSTER).tasks(TASK).protection_enabled(true).expires_in_minutes(120);
    let answer = call.send().await?;
    if answer.protected_tasks().is_empty() {
        return Err("it is not protected".into());
    }
    Ok(RawValue::from_string(ALL_DONE.to_owned())?)
}
