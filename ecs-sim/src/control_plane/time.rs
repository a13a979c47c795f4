//! Times of the simulation, and how ECS's JSON protocol writes them.

use serde::{Serialize, Serializer};

/// Milliseconds: a moment, counted from the Unix epoch, or a duration.
pub type Millis = i64;

/// 2026-01-05T09:00:00Z: a Monday morning, for readable times in scenarios.
pub const START_OF_TIME_MS: Millis = 1_767_603_600_000;

/// A time in milliseconds; written as seconds since the epoch with a fraction, as awsJson1_1 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub Millis);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Exact: milliseconds of any year that occurs here fit into 53 bits.
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}
