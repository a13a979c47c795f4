//! lambda

pub mod batch;
pub mod dead_letter;
pub mod function;
pub mod job_message;
pub mod outcome;
pub mod payload;
pub mod service_event;
pub mod sqs_record;
pub mod sweep;
pub mod task_state_change;
