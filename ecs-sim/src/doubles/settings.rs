//! The function's settings in a Region.

use crate::region::{CLUSTER, DEAD_LETTER_QUEUE, INTERRUPTED_QUEUE, RECHECK_QUEUE, Region};
use taskhold::config::problem::ConfigProblems;
use taskhold::config::settings::Config;

/// The settings, in addition to those that every function in this Region needs.
///
/// # Errors
/// The settings are invalid.
pub fn config<'a>(
    region: &Region,
    settings: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Config, ConfigProblems> {
    let always = [
        ("TASKHOLD_CLUSTERS", region.ecs.cluster_arn(CLUSTER)),
        ("TASKHOLD_DEAD_LETTER_QUEUE_URL", region.queues.url(DEAD_LETTER_QUEUE)),
        ("TASKHOLD_RECHECK_QUEUE_URL", region.queues.url(RECHECK_QUEUE)),
        ("TASKHOLD_INTERRUPTED_QUEUE_URL", region.queues.url(INTERRUPTED_QUEUE)),
    ];
    let always = always.into_iter().map(|(name, value)| (name.to_owned(), value));
    Config::from_variables(always.chain(settings.map(|(name, value)| (name.to_owned(), value.to_owned()))))
}
