//! task

pub mod attention;
pub mod batching;
pub mod call;
pub mod change;
pub mod concurrently;
pub mod interruption;
pub mod job;
pub mod outcome;
pub mod plan;
pub mod protection;
pub mod rate_limit;
pub mod reconcile;
pub mod reconciler;
pub mod record;
pub mod stop;
