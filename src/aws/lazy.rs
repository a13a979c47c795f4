//! SDK clients that most instances never use: for topics, queues and Application Auto Scaling.

use aws_config::SdkConfig;
use std::sync::OnceLock;

/// A client that is made at its first use. Each client parses the SDK's table of partitions and endpoints
/// when it is made, which takes a tenth of the function's start. An alert pays for that once, a job message
/// never.
#[derive(Clone, Debug)]
pub(crate) struct Lazy<C> {
    made: OnceLock<C>,
    config: SdkConfig,
    make: fn(&SdkConfig) -> C,
}

impl<C> Lazy<C> {
    pub(crate) fn new(config: &SdkConfig, make: fn(&SdkConfig) -> C) -> Self {
        Self { made: OnceLock::new(), config: config.clone(), make }
    }

    pub(crate) fn client(&self) -> &C {
        self.made.get_or_init(|| (self.make)(&self.config))
    }
}
