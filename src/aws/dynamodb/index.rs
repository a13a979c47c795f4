//! The index of open records: sparse, in shards, with a place where each page begins.
//!
//! The index contains only items with the attribute `open`, and only their keys. Most records belong to jobs
//! that have ended and are kept for days; a sweep that read them every few minutes would cost more than
//! everything else. The sweep loads the listed records one by one, so a store that leaves a record open does
//! not write to the index at all.

use crate::aws::dynamodb::table_record::TableRecord;
use crate::store::error::StoreError;
use std::fmt;

/// The name of the index in the template.
pub(crate) const NAME: &str = "open";

/// The value of the attribute `open` for the items of a shard.
pub(crate) fn shard_name<R: TableRecord>(shard: u32) -> String {
    format!("{}#{shard}", R::KIND)
}

/// The shard of a key. It must never change, so the hash is FNV-1a: that of Rust's maps may change with its
/// version.
pub(crate) fn shard_of<R: TableRecord>(key: &str) -> u32 {
    let hash = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // The highest bits, because the lowest bits depend only on the lowest bits of each byte.
    (hash >> 24) % R::SHARDS
}

/// Where a page begins. The token of a place is `SHARD:` or `SHARD:KEY`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) shard: u32,
    /// The last key of the previous page.
    pub(crate) after: Option<String>,
}

impl Place {
    pub(crate) fn of_token(token: Option<&str>) -> Result<Self, StoreError> {
        let Some(token) = token else { return Ok(Self::default()) };
        let place = token.split_once(':').and_then(|(shard, after)| {
            let after = Some(after).filter(|after| !after.is_empty()).map(str::to_owned);
            Some(Self { shard: shard.parse().ok()?, after })
        });
        // For example a token in a recheck that an older version of the function sent.
        place.ok_or_else(|| StoreError::Unexpected(format!("`{token}` is no page of it")))
    }

    /// Where the next page begins; `None` after the last page of the last shard.
    pub(crate) fn next<R: TableRecord>(&self, goes_on_after: Option<String>) -> Option<Self> {
        match goes_on_after {
            Some(key) => Some(Self { shard: self.shard, after: Some(key) }),
            None => Some(self.shard + 1).filter(|shard| *shard < R::SHARDS).map(|shard| Self { shard, after: None }),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.shard, self.after.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::record::TaskRecord;

    #[test]
    fn keys_are_spread_over_the_shards_and_each_stays_in_its_own() {
        let of = |number: u32| {
            shard_of::<TaskRecord>(&format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{number:032x}"))
        };
        let mut counts = [0_u32; TaskRecord::SHARDS as usize];
        (0..8000).for_each(|number| counts[of(number) as usize] += 1);
        assert!(counts.iter().all(|count| (700..1300).contains(count)), "{counts:?}");
        assert_eq!([1, 2, 3, 4].map(of), EXPECTED, "stored items would be read from another shard");
    }

    /// Values from when the table was first used: the items in it depend on them.
    const EXPECTED: [u32; 4] = [3, 4, 5, 6];
}
