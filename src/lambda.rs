//! The Lambda function: recognizes payloads, handles SQS batches with partial failures, runs the sweep, and responds.
//!
//! Start at [`function::Function::handle`]. [`payload`] recognizes the shape of an invocation; [`sqs_record`],
//! [`job_message`], [`ecs_event`], [`service_event`] and [`task_state_change`] parse what it contains, and [`messages`] what SNS and other
//! sources deliver without a queue. [`batch`] handles SQS messages
//! and [`outcome`] decides whether each is done, retried or dead-lettered. [`sweep`] reconciles everything
//! periodically.
//!
//! Not here: decisions about tasks ([`crate::task`]) and services ([`crate::service`]), and the AWS SDK (`aws/`).

pub mod batch;
pub mod dead_letter;
pub mod ecs_event;
pub mod function;
pub mod job_message;
pub mod job_message_fields;
pub mod messages;
pub mod outcome;
pub mod payload;
pub mod received;
pub mod redrive;
pub mod service_event;
pub mod sqs_record;
pub mod sweep;
pub mod task_state_change;
