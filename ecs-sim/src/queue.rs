//! A simulated Amazon SQS: queues of one account in one Region, without a clock and without randomness.
//!
//! The caller sets the time of [`Queues`] ([`Queues::advance_to`]), and identifiers come from a counter, so that a
//! scenario runs the same way twice. Where real SQS leaves a choice, this simulation makes a fixed one: a standard
//! queue delivers the message that has been visible the longest, and duplicates only when a test asks for one
//! ([`Queues::deliver_again`]).
//!
//! [`api`] has the JSON shape of the operations, [`crate::http`] has HTTP. Left out on purpose: long polling, the limit
//! of 120,000 messages in flight, deleting queues, high-throughput FIFO, encryption and access policies.

pub mod api;
mod batch;
mod deduplication;
mod delivery;
mod digest;
mod error;
mod limits;
mod message;
mod origin;
mod queues;
mod received;
mod settings;
mod storage;
mod stored;

pub(crate) use batch::check_entry_ids;
pub use batch::{BATCH_ENTRIES_MAX, SendMessageEntry};
pub(crate) use digest::{md5_of_attributes, md5_of_text};
pub use error::QueueError;
pub use limits::{DELAY_SECONDS_MAX, MESSAGE_BYTES_MAX, VISIBILITY_TIMEOUT_SECONDS_MAX};
pub use message::{AttributeValue, Message, MessageAttribute, SendMessage};
pub use origin::QueueOrigin;
pub use queues::Queues;
pub use received::{Receive, ReceivedMessage};
pub use settings::{QueueSettings, RedrivePolicy};
pub use storage::MessageCounts;

#[cfg(test)]
mod tests;
