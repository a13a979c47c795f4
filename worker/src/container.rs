//! What a container says about itself, and the exit codes that all commands share.

use crate::clock;
use crate::job::TaskName;
use crate::log::Log;
use crate::metadata::MetadataEndpoint;
use std::time::Duration;

/// The task is not protected, and the options say not to start then (sysexits.h, `EX_TEMPFAIL`).
pub(crate) const EXIT_REFUSED: u8 = 75;
/// An error of this program, as of `env` and `docker run`.
pub(crate) const EXIT_OWN_ERROR: u8 = 125;

/// What the environment says about the container.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContainerEnvironment {
    /// `ECS_AGENT_URI`.
    pub(crate) agent_uri: Option<String>,
    /// `ECS_CONTAINER_METADATA_URI_V4`.
    pub(crate) metadata_uri: Option<String>,
    /// A name that no other process has.
    pub(crate) process_name: String,
}

/// How often the metadata is read before a program goes on without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Once,
    /// A server lives long, so that it is worth a second.
    AFewTimes,
}

/// The name of the task. The log says why there is none.
pub(crate) async fn task_name(metadata: Option<&MetadataEndpoint>, patience: Patience, log: Log) -> Option<TaskName> {
    let metadata = metadata?;
    let mut read = metadata.read().await;
    for _ in 0..if patience == Patience::AFewTimes { 3 } else { 0 } {
        if read.is_err() {
            clock::sleep(Duration::from_millis(300)).await;
            read = metadata.read().await;
        }
    }
    match read {
        Ok(task) => {
            let name = task.task();
            if name.is_none() {
                log.warn("metadata does not name the task and its cluster; the job is not reported", &[]);
            }
            name
        }
        Err(problem) => {
            log.warn("cannot read the task's metadata; the job is not reported", &[("problem", &problem)]);
            None
        }
    }
}
