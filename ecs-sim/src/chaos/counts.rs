//! How often what happened, so that whoever runs the simulation can tell that it tried anything.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// One more.
    pub(super) fn add(&mut self, what: &'static str) {
        self.add_many(what, 1);
    }

    pub(super) fn add_many(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    /// The largest so far.
    pub(super) fn at_least(&mut self, what: &'static str, number: u64) {
        let known = self.0.entry(what).or_default();
        *known = number.max(*known);
    }

    /// How often this happened.
    #[must_use]
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Takes in the counts of another run. What ends in `at most` is the largest of all.
    pub fn take_in(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            match what.ends_with("at most") {
                true => self.at_least(what, *times),
                false => self.add_many(what, *times),
            }
        }
    }
}

/// A table, two columns wide.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.0.iter().collect();
        let half = rows.len().div_ceil(2);
        for at in 0..half {
            let cell =
                |at: usize| rows.get(at).map_or(String::new(), |(what, times)| format!("{times:>10} {what:<34}"));
            writeln!(f, "{}", format!("{}{}", cell(at), cell(at + half)).trim_end())?;
        }
        Ok(())
    }
}
