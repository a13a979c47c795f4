//! Counts faults and other events, to show that the simulation exercised them.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name: of faults, and of everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    struck: BTreeMap<&'static str, u64>,
    happened: BTreeMap<&'static str, u64>,
}

impl RunCounts {
    /// Counts a fault.
    pub(super) fn strike(&mut self, what: &'static str) {
        *self.struck.entry(what).or_default() += 1;
    }

    /// Adds one.
    pub(super) fn add(&mut self, what: &'static str) {
        self.add_many(what, 1);
    }

    pub(super) fn add_many(&mut self, what: &'static str, times: u64) {
        *self.happened.entry(what).or_default() += times;
    }

    /// Keeps the largest number so far.
    pub(super) fn at_least(&mut self, what: &'static str, number: u64) {
        let known = self.happened.entry(what).or_default();
        *known = number.max(*known);
    }

    /// How often this event or fault occurred.
    #[must_use]
    pub fn of(&self, what: &str) -> u64 {
        self.struck.get(what).or(self.happened.get(what)).copied().unwrap_or(0)
    }

    /// Adds the counts of another run. For names that end in `at most` the maximum is kept.
    pub fn add_all(&mut self, other: &Self) {
        other.struck.iter().for_each(|(what, times)| *self.struck.entry(what).or_default() += times);
        for (what, times) in &other.happened {
            match what.ends_with("at most") {
                true => self.at_least(what, *times),
                false => self.add_many(what, *times),
            }
        }
    }
}

/// Two tables: the faults, and everything else that happened.
impl fmt::Display for RunCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: u64 = self.struck.values().sum();
        writeln!(f, "{faults} faults, of {} kinds:", self.struck.len())?;
        table(f, &self.struck)?;
        writeln!(f, "\nother events:")?;
        table(f, &self.happened)
    }
}

/// Prints two columns.
fn table(f: &mut fmt::Formatter<'_>, counts: &BTreeMap<&'static str, u64>) -> fmt::Result {
    let rows: Vec<_> = counts.iter().collect();
    let half = rows.len().div_ceil(2);
    for at in 0..half {
        let cell = |at: usize| rows.get(at).map_or(String::new(), |(what, times)| format!("{times:>10} {what:<48}"));
        writeln!(f, "{}", format!("{}{}", cell(at), cell(at + half)).trim_end())?;
    }
    Ok(())
}
