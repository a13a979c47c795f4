//! The policy by which a service is reconciled.

use crate::service::forecast::DiagnosisPolicy;
use crate::service::incident::AlertPolicy;
use crate::service::remediation::RemediationPolicy;

/// The settings that decide about a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePolicy {
    /// How a rollout is judged.
    pub diagnosis: DiagnosisPolicy,
    /// When to notify.
    pub alerts: AlertPolicy,
    /// Which remediations apply.
    pub remediations: RemediationPolicy,
    /// Whether there is a recheck queue. Without one, no service is watched.
    pub has_recheck_queue: bool,
}
