//! The real `taskhold-run` against the simulated agent, ECS and queue, in one program.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

mod examples;
mod fault_cases;
mod faults;
mod hooks;
mod init;
mod limits;
mod link;
mod openapi;
mod served;
mod serving;
mod sharing;
mod snippets;
mod stack;
mod whole_job;
