//! The job queue: SQS, with the credentials of the task role.

use crate::aws;
use crate::http::in_words;
use crate::job::TaskName;
use crate::queue_problem::QueueProblem;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::send_message::SendMessageError;
use std::time::Duration;
use tokio::sync::OnceCell;

/// A new IAM policy or queue may take a minute to become effective.
const REJECTED_TIME: Duration = Duration::from_secs(120);
/// Most outages are shorter.
const UNANSWERED_TIME: Duration = Duration::from_secs(3600);

const IF_REJECTED: &str = "set TASKHOLD_QUEUE_URL to the stack output JobQueueUrl, and attach the policy of the stack \
                           output ProtectingWorkerPolicyArn to the task role";
const IF_UNANSWERED: &str = "check that the task can reach SQS, through the internet or a VPC endpoint";

/// A queue that accepts job messages.
#[derive(Debug)]
pub(crate) struct JobQueue {
    url: String,
    region: Option<String>,
    /// Created with the first message, so that COMMAND does not wait for it.
    client: OnceCell<Client>,
}

impl JobQueue {
    /// The queue of this URL.
    ///
    /// # Errors
    /// None; a program without the feature `sqs` has an error here.
    pub(crate) fn of(queue_url: &str, task: &TaskName) -> Result<Self, QueueProblem> {
        Ok(Self { url: queue_url.to_owned(), region: aws::region_of(task), client: OnceCell::new() })
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
        let connect = async || Client::new(&aws::connect(self.region.as_deref()).await.config);
        let client = self.client.get_or_init(connect).await;
        let sent = client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(|_| ()).map_err(|error| problem_of(&error))
    }
}

fn problem_of(error: &SdkError<SendMessageError>) -> QueueProblem {
    let words = in_words(error);
    let is_rejected = matches!(error, SdkError::ServiceError(answer) if answer.raw().status().is_client_error());
    let is_throttled = error.code().is_some_and(|code| code.contains("Throttl"));
    if is_rejected && !is_throttled {
        QueueProblem { words, fix: IF_REJECTED, retry_time: REJECTED_TIME }
    } else {
        QueueProblem { words, fix: IF_UNANSWERED, retry_time: UNANSWERED_TIME }
    }
}
