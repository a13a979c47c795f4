//! Clients of what most instances never call: topics, queues, Application Auto Scaling.

use aws_config::SdkConfig;
use std::sync::OnceLock;

/// A client that is made when it is first used. Each reads the SDK's table of partitions and endpoints when it is made, which is a
/// tenth of what the function does before its first invocation; an alert waits that long once, and no job message does.
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
