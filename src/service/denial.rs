//! Warns once that the function's role lacks a permission.

use crate::ecs::error::EcsError;
use crate::service::snapshot::ServiceSnapshot;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::warn;

/// Whether this instance has warned. The role stays the same until someone updates the stack, so one warning of each
/// instance is enough, and none at each reconcile.
#[derive(Debug, Default)]
pub struct DenialWarning(AtomicBool);

impl DenialWarning {
    /// Warns if a read of the snapshot was denied, unless this instance has warned already.
    pub(crate) fn warn_once(&self, snapshot: &ServiceSnapshot) {
        let Some(denied @ EcsError::AccessDenied(_)) = &snapshot.deployment_failure else { return };
        if !self.0.swap(true, Ordering::Relaxed) {
            let service = &snapshot.service.arn;
            warn!(%service, failure = %denied, "could not read the service deployment: the function's role lacks ecs:DescribeServiceDeployments");
        }
    }
}
