//! The JSON parts that alerts and command answers share.

pub mod parts;
pub mod tasks;

use crate::ecs::arn::{ClusterArn, Task, TaskId};
use std::sync::Arc;

pub(crate) fn task_arn(cluster: &Arc<ClusterArn>, id: &TaskId) -> String {
    Task { cluster: cluster.clone(), id: id.clone() }.to_string()
}
