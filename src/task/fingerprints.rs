//! Fingerprints of finished jobs: eight bytes that are left of a job when its record needs the space.
//!
//! A fingerprint does one thing: it absorbs a message about its job that arrives late, so that a `job.started` of a
//! finished job revives nothing. It is the first eight bytes of a SHA-256, so two different jobs share one with
//! probability 2^-64. A new job therefore meets one of n fingerprints with probability n / 2^64: 1.5 in 10^15 for the
//! 28,000 fingerprints that fill a record. Such a job would count as finished and run unprotected.

use crate::task::job::JobKey;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A fingerprint in a stored record: eleven digits of six bits each.
const DIGITS: usize = 11;
/// The digits, in the order of base64 for URLs, none of which JSON escapes.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The JSON of an hour beside its fingerprints: `"4294967295":"",`.
const HOUR_BYTES: usize = 16;

/// Fingerprints by the hour, counted from 1970, at whose beginning they are forgotten. In each hour they are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprints(BTreeMap<u32, Vec<u64>>);

impl Fingerprints {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their number.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether the job has finished, according to its fingerprint.
    pub fn contains(&self, key: &JobKey) -> bool {
        if self.is_empty() {
            return false;
        }
        let fingerprint = fingerprint(key);
        self.0.values().any(|hour| hour.binary_search(&fingerprint).is_ok())
    }

    /// Adds the fingerprint of a finished job, to be kept until `until` at least.
    pub fn insert(&mut self, key: &JobKey, until: Timestamp) {
        let hour = self.0.entry(hour_after(until)).or_default();
        let fingerprint = fingerprint(key);
        if let Err(at) = hour.binary_search(&fingerprint) {
            hour.insert(at, fingerprint);
        }
    }

    /// Removes the fingerprints whose time is over.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        while self.0.first_entry().is_some_and(|first| begin_of(*first.key()) <= now) {
            self.0.pop_first();
        }
    }

    /// Removes one of the fingerprints that would be forgotten first. Returns whether there was one.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let Some(mut first) = self.0.first_entry() else { return false };
        first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        true
    }

    /// Until when the last of them is kept.
    pub(crate) fn keep_until(&self) -> Option<Timestamp> {
        self.0.keys().next_back().map(|hour| begin_of(*hour))
    }

    /// Most bytes of JSON that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.0.values().map(|hour| HOUR_BYTES + hour.len() * DIGITS).sum()
    }
}

fn fingerprint(key: &JobKey) -> u64 {
    let mut hash = Sha256::new();
    hash.update(key.attempt.to_be_bytes());
    hash.update(key.job_id.as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hash.finalize());
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn hour_after(moment: Timestamp) -> u32 {
    let hour = moment.as_second().div_euclid(3600).saturating_add(1);
    u32::try_from(hour.max(0)).unwrap_or(u32::MAX)
}

fn begin_of(hour: u32) -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_hours(i64::from(hour))).unwrap_or(Timestamp::MAX)
}

fn push_digits(text: &mut String, fingerprint: u64) {
    for place in (0..DIGITS).rev() {
        let digit = usize::try_from((fingerprint >> (6 * place)) & 63).unwrap_or_default();
        text.push(char::from(ALPHABET[digit]));
    }
}

fn of_digits(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let value = ALPHABET.iter().position(|known| known == digit)?;
        number.checked_mul(64)?.checked_add(u64::try_from(value).ok()?)
    })
}

impl Serialize for Fingerprints {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(hour, fingerprints)| {
            let mut text = String::with_capacity(fingerprints.len() * DIGITS);
            fingerprints.iter().for_each(|fingerprint| push_digits(&mut text, *fingerprint));
            (hour, text)
        }))
    }
}

impl<'de> Deserialize<'de> for Fingerprints {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("fingerprints are not groups of eleven base64 digits");
        let mut hours = BTreeMap::new();
        for (hour, text) in BTreeMap::<u32, String>::deserialize(from)? {
            let groups = text.as_bytes().chunks(DIGITS);
            let mut fingerprints = groups
                .map(|digits| (digits.len() == DIGITS).then(|| of_digits(digits)).flatten())
                .collect::<Option<Vec<u64>>>()
                .ok_or_else(wrong)?;
            fingerprints.sort_unstable();
            hours.insert(hour, fingerprints);
        }
        Ok(Self(hours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 - 1_700_000_000 % 3600 + minute * 60).unwrap()
    }

    fn key(id: &str, attempt: u32) -> JobKey {
        JobKey { job_id: id.to_owned(), attempt }
    }

    #[test]
    fn a_job_is_recognized_by_id_and_attempt_until_its_hour_is_over() {
        let mut fingerprints = Fingerprints::default();
        fingerprints.insert(&key("j", 1), at(30));
        fingerprints.insert(&key("j", 1), at(30));
        assert!(fingerprints.contains(&key("j", 1)));
        assert!(!fingerprints.contains(&key("j", 2)) && !fingerprints.contains(&key("k", 1)));
        assert_eq!((fingerprints.len(), fingerprints.keep_until()), (1, Some(at(60))));
        fingerprints.forget(at(59));
        assert!(fingerprints.contains(&key("j", 1)));
        fingerprints.forget(at(60));
        assert!(fingerprints.is_empty());
    }

    #[test]
    fn the_fingerprint_of_a_job_never_changes_because_stored_records_hold_it() {
        // The first eight bytes of `printf '\0\0\0\001render-7' | sha256sum`.
        assert_eq!(fingerprint(&key("render-7", 1)), 0x2efd_bc50_1915_5ce4);
    }

    #[test]
    fn fingerprints_are_read_back_as_they_were_stored_in_eleven_bytes_each() {
        let mut fingerprints = Fingerprints::default();
        (0..100).for_each(|number| fingerprints.insert(&key(&number.to_string(), 1), at(number * 7)));
        let json = serde_json::to_string(&fingerprints).unwrap();
        assert!(json.len() <= fingerprints.bytes() + 2, "{} bytes", json.len());
        assert_eq!(serde_json::from_str::<Fingerprints>(&json).unwrap(), fingerprints);
        for wrong in [r#"{"1":"AAAAAAAAAA"}"#, r#"{"1":"AAAAAAAAAA="}"#, r#"{"1":"___________"}"#, r#"{"x":""}"#] {
            assert!(serde_json::from_str::<Fingerprints>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_one_that_would_be_forgotten_first_is_dropped_first() {
        let mut fingerprints = Fingerprints::default();
        fingerprints.insert(&key("later", 1), at(90));
        fingerprints.insert(&key("sooner", 1), at(30));
        assert!(fingerprints.drop_oldest());
        assert!(fingerprints.contains(&key("later", 1)) && !fingerprints.contains(&key("sooner", 1)));
        assert!(fingerprints.drop_oldest());
        assert!(!fingerprints.drop_oldest());
    }
}
