//! The real `taskhold-run` against the simulated agent, ECS and queue, in one program.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

mod faults;
mod init;
mod sharing;
mod stack;
mod whole_job;
