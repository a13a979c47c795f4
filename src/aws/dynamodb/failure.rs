//! Failed calls to DynamoDB: their meaning for the state store, and what may follow them.

use crate::store::error::StoreError;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use std::error::Error;

/// Which call may follow a failed one immediately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Any call: the failed one certainly had no effect.
    AnyCall,
    /// A read, because it changes nothing. The effect of the failed call is unknown: DynamoDB failed, or the
    /// connection broke, for example while Lambda had frozen the function.
    Read,
    /// None: it would fail again, or there is no time left for it.
    Nothing,
}

/// A failed call.
#[derive(Debug)]
pub(crate) struct TableFailure {
    pub(crate) error: StoreError,
    pub(crate) again: Again,
}

impl TableFailure {
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>, table: &str) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = match error {
            SdkError::ServiceError(answer) => answer.err().code(),
            _ => None,
        };
        if matches!(
            code,
            Some("ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded")
        ) {
            return Self { error: StoreError::Throttled, again: Again::AnyCall };
        }
        let again = match error {
            SdkError::DispatchFailure(failure) if !failure.is_timeout() => Again::Read,
            _ if error.raw_response().is_some_and(|answer| answer.status().is_server_error()) => Again::Read,
            _ => Again::Nothing,
        };
        let message = match (error, code) {
            (SdkError::ServiceError(answer), Some(code)) => {
                format!("{code}: {}", answer.err().message().unwrap_or("no message"))
            }
            _ => crate::aws::on_one_line(error),
        };
        Self { error: StoreError::Unexpected(format!("table `{table}`: {message}")), again }
    }
}

/// Whether the stored item has another version.
pub(crate) fn is_conflict(error: &SdkError<PutItemError, HttpResponse>) -> bool {
    matches!(error, SdkError::ServiceError(answer) if answer.err().is_conditional_check_failed_exception())
}
