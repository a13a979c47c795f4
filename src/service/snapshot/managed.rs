//! Whether taskhold may judge protection that it has not set.

use crate::ecs::service::Service;

/// With the value `true`, workers report all jobs of the service's tasks to taskhold. A protection without a live job
/// is then left over, no matter which writer set it.
pub const MANAGED_TAG: &str = "taskhold:managed";

/// Whether a service is managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Managed {
    /// taskhold judges every protection of its tasks.
    Yes,
    /// taskhold judges only the protection that it has set.
    No,
}

/// The value of [`MANAGED_TAG`], if it is `true` or `false`.
pub fn managed_tag(value: &str) -> Option<Managed> {
    match value.trim() {
        "true" => Some(Managed::Yes),
        "false" => Some(Managed::No),
        _ => None,
    }
}

/// Whether a service is managed: not without the tag, and not if its value is not valid.
pub fn is_managed(service: &Service) -> Managed {
    service.tags.get(MANAGED_TAG).and_then(|value| managed_tag(value)).unwrap_or(Managed::No)
}
