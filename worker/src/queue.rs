//! Where job messages go: to SQS, if this program was built with it.

#[cfg(not(feature = "sqs"))]
pub(crate) use crate::no_sqs::NoJobQueue as JobQueue;
#[cfg(feature = "sqs")]
pub(crate) use crate::sqs::JobQueue;
