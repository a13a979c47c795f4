//! The targets of the function, beside its measurements.

use crate::candidates::{Candidate, CandidateKind};
use crate::samples::{Cell, Figure, Samples};
use crate::table::{binary_mb, head, messages_a_second, row, short};
use std::cmp::Ordering;

/// A bound, and on which side of it the function must be.
struct Wanted {
    what: &'static str,
    side: Ordering,
    bound: f64,
    measured: Option<f64>,
}

/// The table. Ratios are ratios of medians.
pub(crate) fn table(candidates: &[Candidate], samples: &Samples) -> String {
    let names = ["Target", "Bound", "Measured", ""].map(str::to_owned);
    let mut table = "### Targets\n\n".to_owned() + &head(&names);
    for Wanted { what, side, bound, measured } in all(candidates, samples) {
        let sign = if side == Ordering::Less { "≤" } else { "≥" };
        let verdict = match measured {
            None => "not measured",
            Some(measured) if measured == bound || measured.total_cmp(&bound) == side => "holds",
            Some(_) => "MISSED",
        };
        let measured = measured.map_or_else(|| "–".to_owned(), short);
        table += &row([what.to_owned(), format!("{sign} {bound}"), measured, verdict.to_owned()]);
    }
    table
}

fn all(candidates: &[Candidate], samples: &Samples) -> Vec<Wanted> {
    let own = |figure| samples.median(CandidateKind::Taskhold, figure);
    let beside = |figure, kind| Some(own(figure)? / samples.median(kind, figure)?);
    let thousand = |latency_ms| {
        let cell = Cell { records: 1000, latency_ms };
        let of = |kind| messages_a_second(samples, kind, cell);
        Some(of(CandidateKind::Taskhold)? / of(CandidateKind::Python)?)
    };
    let most = |what, bound, measured| Wanted { what, side: Ordering::Less, bound, measured };
    let least = |what, bound, measured| Wanted { what, side: Ordering::Greater, bound, measured };
    let warm = Figure::Answered(Cell { records: 1, latency_ms: 0 });
    let faster_than_python = beside(Figure::InitAndFirst, CandidateKind::Python).map(|ratio| 1.0 / ratio);
    let binary = candidates.iter().find(|candidate| candidate.kind == CandidateKind::Taskhold).and_then(binary_mb);
    let hundred = Figure::Answered(Cell { records: 100, latency_ms: 50 });
    let latencies = samples.median(CandidateKind::TaskholdInTable, hundred).map(|ms| ms / 50.0);
    vec![
        most(
            "init + first invocation, times the SDK floor's",
            1.3,
            beside(Figure::InitAndFirst, CandidateKind::SdkFloor),
        ),
        least("init + first invocation, times as fast as Python's", 80.0, faster_than_python),
        most(
            "peak memory for batches of 10, times the SDK floor's",
            2.0,
            beside(Figure::PeakOfTen, CandidateKind::SdkFloor),
        ),
        most("peak memory for a batch of 6 MB, MiB", 64.0, own(Figure::PeakOfAll).map(|kib| kib / 1024.0)),
        most("binary, MB", 8.5, binary),
        most("warm invocation, times the SDK floor's", 1.35, beside(warm, CandidateKind::SdkFloor)),
        most("100 messages, store in DynamoDB, ECS and DynamoDB take 50 ms, times 50 ms", 4.0, latencies),
        least("1,000 messages, ECS takes 50 ms, times as fast as Python", 50.0, thousand(50)),
        least("1,000 messages, ECS takes 0 ms, times as fast as Python", 10.0, thousand(0)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_is_missed_is_called_so() {
        let mut samples = Samples::default();
        samples.add(CandidateKind::Taskhold, Figure::InitAndFirst, 5.0);
        samples.add(CandidateKind::SdkFloor, Figure::InitAndFirst, 3.0);
        samples.add(CandidateKind::Python, Figure::InitAndFirst, 500.0);
        let table = table(&[], &samples);
        assert!(table.contains("times the SDK floor's | ≤ 1.3 | 1.67 | MISSED |"), "{table}");
        assert!(table.contains("times as fast as Python's | ≥ 80 | 100 | holds |"), "{table}");
        assert!(table.contains("| binary, MB | ≤ 8.5 | – | not measured |"), "{table}");
    }
}
