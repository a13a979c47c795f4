//! Test doubles of the function's ports.

pub mod granting;
pub mod log;
