//! Everything about one task: its jobs, its protection, and its end.
//!
//! A task record ([`record`]) merges what the job messages report ([`job`]) with what taskhold asked of ECS
//! and what ECS confirmed ([`protection`]). [`plan`] decides from the record alone which protection the task
//! needs. [`reconcile`] carries that out for many tasks: it stores each call, sends it ([`call`],
//! [`batching`], [`rate_limit`]), stores the result, and decides again. [`stop`] and [`interruption`] handle
//! tasks that stop in the middle of jobs; [`attention`] selects the tasks that a sweep must act on.
//!
//! Parsing job messages, acknowledging and dead-lettering are not here (`src/lambda/`), nor is the service of
//! a task (`src/service/`). Start with [`plan::decide_protection`], then read [`reconcile`].

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
