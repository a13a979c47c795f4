//! A record as an item of the table.
//!
//! | attribute | type | content |
//! |---|---|---|
//! | `key` | S | the ARN of the task or the service: the table's only key |
//! | `version` | N | `version_after` |
//! | `schema` | N | `SCHEMA`, the shape of the record |
//! | `record` | S | the record as JSON text, so that it can be read in the DynamoDB console |
//! | `expires` | N | seconds since 1970 from which on DynamoDB may delete the item |
//! | `open` | S | the shard of the index; only in items whose record is open |

use crate::aws::dynamodb::index;
use crate::aws::dynamodb::table_record::TableRecord;
use crate::ecs::arn::ArnError;
use crate::store::error::StoreError;
use crate::store::{RECORD_BYTES_MAX, Version, Versioned};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::str::FromStr;

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) const KEY: &str = "key";
pub(crate) const VERSION: &str = "version";
const SCHEMA_ATTRIBUTE: &str = "schema";
const RECORD: &str = "record";
const EXPIRES: &str = "expires";
pub(crate) const OPEN: &str = "open";

/// The shape of stored records. A change that this version could misread, or that an older one could, gets the next number:
/// a record of another number is an error that names both, and never an empty record.
pub(crate) const SCHEMA: u32 = 1;

/// How much longer than necessary an item is kept. DynamoDB deletes it by its own clock, and another instance
/// numbers its successor by its clock; clocks differ. DynamoDB takes days to delete an item anyway.
const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_hours(1);

/// The version of a record stored after `before`: the time in milliseconds, or `before` plus one if that is
/// greater.
///
/// Versions therefore grow with each store. The first version after a record was forgotten is greater than
/// all earlier ones: an item is kept for at least [`CLOCKS_DIFFER_MAX`] after each store, and no item is
/// stored so often that its versions get ahead of the clock by that much.
pub(crate) fn version_after(before: Version, now: Timestamp) -> Version {
    let millis = Version::try_from(now.as_millisecond()).unwrap_or(0);
    millis.max(before.saturating_add(1))
}

/// The item of a record that is stored as this version at `now`.
pub(crate) fn of<R: TableRecord>(
    key: &str,
    record: &R,
    version: Version,
    now: Timestamp,
    keep_until: Timestamp,
) -> Result<Item, StoreError> {
    let json = serde_json::to_string(record).expect("a record is made of texts, numbers, lists and maps");
    if json.len() > RECORD_BYTES_MAX {
        return Err(StoreError::TooLarge(key.to_owned(), json.len(), RECORD_BYTES_MAX));
    }
    let until = keep_until.max(now).saturating_add(CLOCKS_DIFFER_MAX).unwrap_or(Timestamp::MAX);
    let mut item = Item::from([
        (KEY.to_owned(), AttributeValue::S(key.to_owned())),
        (VERSION.to_owned(), AttributeValue::N(version.to_string())),
        (SCHEMA_ATTRIBUTE.to_owned(), AttributeValue::N(SCHEMA.to_string())),
        (RECORD.to_owned(), AttributeValue::S(json)),
        (EXPIRES.to_owned(), AttributeValue::N(until.as_second().saturating_add(1).to_string())),
    ]);
    if record.is_open() {
        let shard = index::shard_name::<R>(index::shard_of::<R>(key));
        item.insert(OPEN.to_owned(), AttributeValue::S(shard));
    }
    Ok(item)
}

/// The record in an item, with its version. An unreadable item is an error and never an absent record,
/// because an absent record could clear protection.
pub(crate) fn versioned<R: TableRecord>(key: &str, item: &Item) -> Result<Versioned<R>, StoreError> {
    let unreadable = |why: String| StoreError::Unreadable(key.to_owned(), why);
    let version = number::<Version>(item, VERSION).filter(|version| *version > 0);
    let version = version.ok_or_else(|| unreadable(format!("its `{VERSION}` is no number above 0")))?;
    match number::<u32>(item, SCHEMA_ATTRIBUTE) {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(unreadable(format!("it is of schema {other}, and this version reads schema {SCHEMA}")));
        }
        None => return Err(unreadable(format!("its `{SCHEMA_ATTRIBUTE}` is no number"))),
    }
    let json = item.get(RECORD).and_then(|record| record.as_s().ok());
    let json = json.ok_or_else(|| unreadable(format!("its `{RECORD}` is no text")))?;
    let record = serde_json::from_str(json).map_err(|error| unreadable(format!("its `{RECORD}`: {error}")))?;
    Ok(Versioned { record, version })
}

/// Like [`versioned`], together with the key.
pub(crate) fn keyed<R: TableRecord>(key: &str, item: &Item) -> Result<(R::Key, Versioned<R>), StoreError> {
    let versioned = versioned(key, item)?;
    let key = key.parse().map_err(|error: ArnError| StoreError::Unreadable(key.to_owned(), error.to_string()))?;
    Ok((key, versioned))
}

/// Whether an item has expired, although DynamoDB has not deleted it yet.
pub(crate) fn has_expired(item: &Item, now: Timestamp) -> bool {
    number::<i64>(item, EXPIRES).is_some_and(|expires| expires <= now.as_second())
}

fn number<N: FromStr>(item: &Item, name: &str) -> Option<N> {
    item.get(name)?.as_n().ok()?.parse().ok()
}
