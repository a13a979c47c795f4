//! Where queues live.

/// Where the queues live, which their ARNs and URLs spell out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOrigin {
    /// The partition: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The Region, such as `eu-central-1`.
    pub region: String,
    /// The twelve digits of the account.
    pub account: String,
    /// What queue URLs begin with, without a slash at the end; a server on loopback puts its own address here.
    pub endpoint: String,
}

impl QueueOrigin {
    /// The queues of `account` in `region`, with URLs as AWS gives them.
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
