//! Whether taskhold may judge protection that it has not set.

use crate::ecs::service::Service;

/// With the value `true`: the jobs of the service's tasks are all told to taskhold, so a protection for which no job lives is
/// left over, whoever has set it.
pub const MANAGED_TAG: &str = "taskhold:managed";

/// Whether a service is managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Managed {
    /// Taskhold judges every protection of its tasks.
    Yes,
    /// It judges those that it has set.
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

/// Whether a service is managed: not without the tag, and not if it cannot be read.
pub fn is_managed(service: &Service) -> Managed {
    service.tags.get(MANAGED_TAG).and_then(|value| managed_tag(value)).unwrap_or(Managed::No)
}
