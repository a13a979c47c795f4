//! Everything about one task: its jobs, its protection, and its end.
//!
//! A task record ([`record`]) merges reported jobs ([`job`]) with calls to ECS and their results
//! ([`protection`]). [`plan`] decides from it which protection the task needs; [`reconcile`] carries that out
//! ([`call`], [`batching`], [`rate_limit`]). [`stop`] and [`interruption`] handle tasks that stop in the
//! middle of jobs. Parsing and acknowledging messages are not here (`src/lambda/`), nor is the task's service
//! (`src/service/`). Start with [`plan::decide_protection`], then read [`reconcile`].

pub mod agent_protection;
pub mod attention;
pub mod batching;
mod busy;
pub mod call;
pub mod change;
pub mod concurrently;
mod existence;
pub mod fingerprints;
#[cfg(test)]
pub(crate) mod fixture;
mod interrupted;
pub mod interruption;
pub mod job;
pub mod left_over;
pub mod linger;
pub mod minutes;
pub mod outcome;
pub mod own_protection;
pub mod plan;
pub mod protection;
pub mod rate_limit;
pub mod reconcile;
pub mod reconciler;
pub mod record;
pub mod rejected;
mod release_check;
pub mod room;
mod stage;
pub mod stop;
