//! The measurements and their statistics: medians and 99th percentiles.

use crate::candidates::CandidateKind;
use std::collections::BTreeMap;

/// A kind of batch at a latency of ECS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) records: usize,
    pub(crate) latency_ms: u64,
}

/// A measured quantity. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// From the start of the process to its first poll.
    Init,
    /// The first invocation, of one record.
    First,
    /// Both together.
    InitAndFirst,
    /// Peak memory in KiB, after single messages and a batch of ten.
    PeakOfTen,
    /// The same after batches of 1,000.
    PeakOfThousand,
    /// The same after a batch of 10,000, 6 MB.
    PeakOfAll,
    /// An invocation, as Lambda charges it.
    Answered(Cell),
    /// An invocation, as it occupies an instance.
    Occupied(Cell),
    /// Its CPU time: the mean of a cell of one run.
    Processor(Cell),
    /// Calls to ECS for one record: the mean of a cell of one run.
    Calls(Cell),
    /// Reads of DynamoDB for one record, likewise.
    Reads(Cell),
    /// Write units of DynamoDB for one record, likewise.
    WriteUnits(Cell),
}

/// All measurements.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<(CandidateKind, Figure), Vec<f64>>);

impl Samples {
    pub(crate) fn add(&mut self, kind: CandidateKind, figure: Figure, value: f64) {
        self.0.entry((kind, figure)).or_default().push(value);
    }

    pub(crate) fn sum(&self, kind: CandidateKind, figure: Figure) -> f64 {
        self.0.get(&(kind, figure)).map_or(0.0, |values| values.iter().sum())
    }

    pub(crate) fn median(&self, kind: CandidateKind, figure: Figure) -> Option<f64> {
        self.percentile(kind, figure, 50.0)
    }

    pub(crate) fn p99(&self, kind: CandidateKind, figure: Figure) -> Option<f64> {
        self.percentile(kind, figure, 99.0)
    }

    fn percentile(&self, kind: CandidateKind, figure: Figure, percent: f64) -> Option<f64> {
        let mut values = self.0.get(&(kind, figure))?.clone();
        values.sort_unstable_by(f64::total_cmp);
        percentile(&values, percent)
    }
}

/// The smallest of the ascending `values` that is at least as large as this percentage of them. With an even count,
/// the median is the mean of the two middle values.
fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let rank = percent / 100.0 * values.len() as f64;
    let at = (rank.ceil() as usize).max(1) - 1;
    let is_between = percent == 50.0 && values.len().is_multiple_of(2);
    let upper = if is_between { values.get(at + 1) } else { values.get(at) };
    Some((values.get(at)? + upper?) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle_and_a_99th_percentile_near_the_end() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 50.0), Some(100.5));
        assert_eq!(percentile(&values, 99.0), Some(198.0));
        assert_eq!(percentile(&values[..20], 99.0), Some(20.0), "the worst of 20");
        assert_eq!(percentile(&values[..3], 50.0), Some(2.0));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn what_was_not_measured_has_no_figure() {
        let mut samples = Samples::default();
        samples.add(CandidateKind::Bare, Figure::Init, 2.0);
        assert_eq!(samples.median(CandidateKind::Bare, Figure::Init), Some(2.0));
        assert_eq!(samples.median(CandidateKind::Python, Figure::Init), None);
    }
}
