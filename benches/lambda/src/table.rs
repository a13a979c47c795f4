//! The printed output: Markdown tables in the format of docs/performance.md.

use crate::candidates::{Candidate, CandidateKind};
use crate::cost::{
    MeasuredInvocation, USD_A_GB_SECOND, USD_A_MILLION_READ_UNITS, USD_A_MILLION_REQUESTS, USD_A_MILLION_WRITE_UNITS,
};
use crate::runs::{BATCHES, LATENCIES_MS};
use crate::samples::{Cell, Figure, Samples};
use std::fmt::Write;
use std::fs;

/// The text of a cell without a measurement.
const NONE: &str = "–";
/// Sustained rate of ECS's bucket for protection calls, per second (aws-facts "ECS: the protection API").
const CALLS_A_SECOND: f64 = 80.0;
/// The template's batch size for job messages.
const TEMPLATE_BATCH: usize = 1000;

const WARM: Cell = Cell { records: 1, latency_ms: 0 };
pub(crate) const TEN: Cell = Cell { records: 10, latency_ms: 0 };

/// All tables in order.
pub(crate) fn all(candidates: &[Candidate], samples: &Samples) -> String {
    [one_message(candidates, samples), throughput(candidates, samples), cost(candidates, samples)].join("\n")
}

/// A row of Markdown.
pub(crate) fn row(cells: impl IntoIterator<Item = String>) -> String {
    let mut row = "|".to_owned();
    for cell in cells {
        let _ = write!(row, " {cell} |"); // writing to a String cannot fail
    }
    row + "\n"
}

/// Two rows: the column names and the separator.
pub(crate) fn head(names: &[String]) -> String {
    row(names.iter().cloned()) + &row(names.iter().map(|_| "---".to_owned()))
}

fn one_message(candidates: &[Candidate], samples: &Samples) -> String {
    let names = [
        "function",
        "init, ms",
        "first, ms",
        "init + first, ms",
        "warm, ms",
        "peak memory, MiB",
        "processor for 1,000 messages, s",
        "binary, MB",
    ];
    let mut table = "### One message, and batches of ten (median / 99th percentile)\n\n".to_owned();
    table += &head(&names.map(str::to_owned));
    for candidate in candidates {
        let of = |figure| pair(samples, candidate.kind, figure, 1.0);
        // For 1,000 messages in batches of ten, in seconds.
        let processor = match candidate.kind.reads_records() {
            true => pair(samples, candidate.kind, Figure::Processor(TEN), 0.1),
            false => NONE.to_owned(),
        };
        table += &row([
            candidate.name.to_owned(),
            of(Figure::Init),
            of(Figure::First),
            of(Figure::InitAndFirst),
            of(Figure::Answered(WARM)),
            pair(samples, candidate.kind, Figure::PeakOfTen, 1.0 / 1024.0),
            processor,
            megabytes(candidate),
        ]);
    }
    table
}

/// For Rust functions; the others have no binary.
fn megabytes(candidate: &Candidate) -> String {
    binary_mb(candidate).map_or_else(|| NONE.to_owned(), |mb| format!("{mb:.1}"))
}

pub(crate) fn binary_mb(candidate: &Candidate) -> Option<f64> {
    let is_rust = matches!(
        candidate.kind,
        CandidateKind::Taskhold | CandidateKind::TaskholdInTable | CandidateKind::Bare | CandidateKind::SdkFloor
    );
    let bytes = is_rust.then(|| fs::metadata(&candidate.command[0]).ok()).flatten()?.len();
    Some(bytes as f64 / 1e6)
}

fn throughput(candidates: &[Candidate], samples: &Samples) -> String {
    let mut table = "### Messages a second of one instance (median), by records of a batch\n\n".to_owned();
    let mut names = vec!["function".to_owned(), "AWS takes".to_owned()];
    names.extend(BATCHES.iter().map(|records| format!("{records}")));
    names.extend(
        ["calls a message, batches of 1,000", "ECS lets through, a second", "peak memory after 6 MB, MiB"]
            .map(str::to_owned),
    );
    table += &head(&names);
    for candidate in candidates.iter().filter(|candidate| candidate.kind.reads_records()) {
        for latency_ms in LATENCIES_MS {
            let mut cells = vec![candidate.name.to_owned(), format!("{latency_ms} ms")];
            cells.extend(BATCHES.iter().map(|&records| {
                let a_second = messages_a_second(samples, candidate.kind, Cell { records, latency_ms });
                a_second.map_or_else(|| NONE.to_owned(), |a_second| format!("{a_second:.0}"))
            }));
            let full = Figure::Calls(Cell { records: TEMPLATE_BATCH, latency_ms });
            let calls = samples.median(candidate.kind, full);
            cells.push(calls.map_or_else(|| NONE.to_owned(), |calls| format!("{calls:.2}")));
            cells.push(calls.map_or_else(|| NONE.to_owned(), |calls| format!("{:.0}", CALLS_A_SECOND / calls)));
            cells.push(pair(samples, candidate.kind, Figure::PeakOfAll, 1.0 / 1024.0));
            table += &row(cells);
        }
    }
    table
}

pub(crate) fn messages_a_second(samples: &Samples, kind: CandidateKind, cell: Cell) -> Option<f64> {
    samples.median(kind, Figure::Occupied(cell)).map(|ms| cell.records as f64 * 1000.0 / ms)
}

fn cost(candidates: &[Candidate], samples: &Samples) -> String {
    const MEMORY_MB: [u32; 2] = [128, 256];
    let mut table = format!(
        "### US dollars for a million messages, AWS takes 50 ms\n\nReckoned at list prices of us-east-1, \
        November 2026 (`benches/lambda/src/cost.rs` says where they are from): {USD_A_GB_SECOND} a GB-second and \
        {USD_A_MILLION_REQUESTS:.2} a million requests; DynamoDB at {USD_A_MILLION_READ_UNITS} a million read units and \
        {USD_A_MILLION_WRITE_UNITS} a million write units, without the index.\n\n"
    );
    let batches = [1, 10, TEMPLATE_BATCH];
    let mut names = vec!["function".to_owned()];
    names.extend(batches.iter().flat_map(|records| MEMORY_MB.map(|mb| format!("batches of {records}, {mb} MB"))));
    table += &head(&names);
    for candidate in candidates.iter().filter(|candidate| candidate.kind.reads_records()) {
        let mut cells = vec![candidate.name.to_owned()];
        for records in batches {
            let invocation = invocation(samples, candidate.kind, records);
            let peak = if records > 10 { Figure::PeakOfThousand } else { Figure::PeakOfTen };
            let peak_mb = samples.median(candidate.kind, peak).unwrap_or(0.0) / 1024.0;
            cells.extend(MEMORY_MB.map(|mb| match invocation {
                Some(_) if peak_mb > f64::from(mb) => format!("needs {peak_mb:.0} MB"),
                Some(invocation) => format!("{:.3}", invocation.usd_a_million(mb)),
                None => NONE.to_owned(),
            }));
        }
        table += &row(cells);
    }
    table
}

fn invocation(samples: &Samples, kind: CandidateKind, records: usize) -> Option<MeasuredInvocation> {
    let cell = Cell { records, latency_ms: 50 };
    let median = |figure| samples.median(kind, figure);
    Some(MeasuredInvocation {
        records,
        answered_ms: median(Figure::Answered(cell))?,
        processor_ms: median(Figure::Processor(cell))?,
        reads: median(Figure::Reads(cell))?,
        write_units: median(Figure::WriteUnits(cell))?,
    })
}

/// Median and 99th percentile, in another unit.
fn pair(samples: &Samples, kind: CandidateKind, figure: Figure, unit: f64) -> String {
    let both = samples.median(kind, figure).zip(samples.p99(kind, figure));
    both.map_or_else(|| NONE.to_owned(), |(median, p99)| format!("{} / {}", short(median * unit), short(p99 * unit)))
}

/// Three significant digits, if the figure has them.
pub(crate) fn short(value: f64) -> String {
    match value {
        value if value < 0.1 => format!("{value:.4}"),
        value if value < 1.0 => format!("{value:.3}"),
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
