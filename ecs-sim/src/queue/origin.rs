//! Where queues live.

/// The location of the queues, which is part of their ARNs and URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOrigin {
    /// The partition: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The Region, such as `eu-central-1`.
    pub region: String,
    /// The twelve digits of the account.
    pub account: String,
    /// The beginning of queue URLs, without a trailing slash; a loopback server sets its own address here.
    pub endpoint: String,
}

impl QueueOrigin {
    /// The queues of `account` in `region`, with URLs in AWS's form.
    #[must_use]
    pub fn new(region: impl Into<String>, account: impl Into<String>) -> Self {
        let region = region.into();
        Self {
            partition: "aws".to_owned(),
            endpoint: format!("https://sqs.{region}.amazonaws.com"),
            region,
            account: account.into(),
        }
    }
}
