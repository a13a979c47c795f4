//! Everything about one service's rollouts: whether protected tasks block one, until when, and what the function does
//! about it.
//!
//! The cycle is the same as in [`crate::task`]: load the record, read ECS ([`mod@snapshot`]), reconcile (pure,
//! [`mod@reconcile`]), store the record, carry out the result. Start at `ServiceReconciler::check` in [`reconciler`], then
//! read [`diagnosis`], which judges a snapshot, and [`incident`], which decides when to notify.
//!
//! Not here: the protection of single tasks ([`crate::task`]), the wording and delivery of notifications
//! (`notify/`), and the recognition of events and commands (`lambda/`, `api/`).

pub mod alert;
mod alerting;
pub mod blocking_task;
pub mod denial;
pub mod diagnosis;
pub mod durations;
pub(crate) mod finished_tasks;
pub mod forecast;
pub mod in_progress;
pub mod incident;
pub mod lookups;
pub mod pause;
pub mod policy;
pub mod preflight;
pub mod recheck;
pub mod reconcile;
pub mod reconciler;
pub mod record;
pub mod refused;
pub mod refused_task;
pub mod remediation;
pub mod resolution;
mod resolved;
pub mod rollout;
pub mod rollout_status;
pub mod schedule;
pub mod service_message;
pub mod snapshot;
pub mod suggested_action;
pub mod tags;
pub mod task_counts;
pub mod trigger;
pub mod waiting_scale_in;
