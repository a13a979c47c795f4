//! service

pub mod alert;
pub mod diagnosis;
pub mod forecast;
pub mod incident;
pub mod preflight;
pub mod recheck;
pub mod reconcile;
pub mod reconciler;
pub mod record;
pub mod refused;
pub mod remediation;
pub mod rollout;
pub mod rollout_status;
pub mod service_message;
pub mod snapshot;
pub mod suggested_action;
pub mod tags;
pub mod trigger;
