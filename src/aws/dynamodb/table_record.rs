//! The kinds of records in the table.

use crate::ecs::arn::ArnError;
use crate::service::record::ServiceRecord;
use crate::store::Record;
use crate::task::record::TaskRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// What the table needs to know about a kind of record.
pub trait TableRecord: Record<Key: FromStr<Err = ArnError>> + Serialize + DeserializeOwned {
    /// The prefix of the names of its index shards.
    const KIND: &'static str;
    /// Number of its index shards. It may be raised but never lowered: records in the higher shards would no
    /// longer be listed.
    const SHARDS: u32;
}

impl TableRecord for TaskRecord {
    const KIND: &'static str = "task";
    // A task enters and leaves the index once per busy period, and a partition accepts 1000 writes per
    // second. ECS accepts at most 800 protections per second, so eight shards suffice; each costs a query per
    // sweep.
    const SHARDS: u32 = 8;
}

impl TableRecord for ServiceRecord {
    const KIND: &'static str = "service";
    // A service is reconciled a few times a minute at most.
    const SHARDS: u32 = 1;
}
