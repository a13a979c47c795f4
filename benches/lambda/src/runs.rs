//! The runs: in each, every candidate is started once and goes through all measurements. The next run begins with
//! another candidate.

use crate::candidates::{Candidate, CandidateKind};
use crate::endpoint::Endpoint;
use crate::machine;
use crate::payload::{BatchMaker, RECORDS_MAX};
use crate::process::Instance;
use crate::samples::{Cell, Figure, Samples};
use std::io;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const LATENCIES_MS: [u64; 2] = [0, 50];
pub(crate) const BATCHES: [usize; 5] = [1, 10, 100, 1000, RECORDS_MAX];

/// Number of starts of each candidate for its first invocation only, before the rest of a run.
const STARTS: usize = 5;
/// Invocations of one record between the first one and the measured ones, to warm up compilation and caches: an
/// instance handles this many within its first minute.
const WARM_UP: usize = 20;
/// An invocation that would take longer than this is skipped, so that the table is complete within the hour.
const INVOCATION_MS_MAX: f64 = 120_000.0;

/// Number of invocations of a cell in one run: many where an invocation is short, so that the cells have enough
/// samples and the CPU time of the batches of ten is that of 1,000 messages. For batches up to 1,000, no more than
/// taskhold's burst of calls to ECS allows.
fn invocations(cell: Cell) -> usize {
    match (cell.latency_ms, cell.records) {
        (0, 1) => 120,
        (0, 10) => 100,
        (0, 100) => 10,
        (_, 1) => 5,
        (_, 10) => 3,
        _ => 1,
    }
}

/// Measures candidates on an endpoint.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) endpoint: Endpoint,
    pub(crate) samples: Samples,
    /// Time limit of a cell, for all runs together.
    pub(crate) seconds_a_cell: f64,
    /// Larger batches are skipped.
    pub(crate) records_max: usize,
}

impl Runs {
    /// One run.
    pub(crate) fn run(&mut self, candidates: &[Candidate], number: usize) -> io::Result<()> {
        let in_turn = || candidates.iter().cycle().skip(number % candidates.len()).take(candidates.len());
        let with_name = |candidate: &Candidate, error| io::Error::other(format!("{}: {error}", candidate.name));
        self.endpoint.set_latency(0);
        for _ in 0..STARTS {
            for candidate in in_turn() {
                self.start(candidate).map_err(|error| with_name(candidate, error))?;
            }
        }
        for candidate in in_turn() {
            self.measure(candidate).map_err(|error| with_name(candidate, error))?;
        }
        Ok(())
    }

    /// A process after its first invocation.
    fn start(&mut self, candidate: &Candidate) -> io::Result<(Instance, BatchMaker)> {
        let kind = candidate.kind;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut payloads = BatchMaker::sent_at(now.as_millis());
        machine::wake();
        let mut instance = Instance::start(candidate, self.endpoint.address)?;
        let first = instance.invoke(&payloads.batch(1))?.answered;
        self.samples.add(kind, Figure::Init, ms(instance.init));
        self.samples.add(kind, Figure::First, ms(first));
        self.samples.add(kind, Figure::InitAndFirst, ms(instance.init + first));
        Ok((instance, payloads))
    }

    fn measure(&mut self, candidate: &Candidate) -> io::Result<()> {
        let kind = candidate.kind;
        self.endpoint.set_latency(0);
        let (mut instance, mut payloads) = self.start(candidate)?;
        for _ in 0..WARM_UP {
            instance.invoke(&payloads.batch(1))?;
        }
        // Before a state store in memory has grown.
        instance.invoke(&payloads.batch(10))?;
        self.samples.add(kind, Figure::PeakOfTen, instance.peak_kib()?);
        // From here on only the requests of a cell count. There is no pause before single messages are measured,
        // because an idle processor would be slow for as long as they take. Together with the earlier calls, they
        // are fewer than the burst.
        self.endpoint.take_asked();
        for latency_ms in LATENCIES_MS {
            self.endpoint.set_latency(latency_ms);
            for records in BATCHES {
                if !kind.reads_records() && (latency_ms, records) != (0, 1) {
                    return Ok(());
                }
                if !self.cell(kind, (&mut instance, &mut payloads), Cell { records, latency_ms })? {
                    continue;
                }
                let peak = match (latency_ms, records) {
                    (0, 1000) => Figure::PeakOfThousand,
                    (0, RECORDS_MAX) => Figure::PeakOfAll,
                    _ => continue,
                };
                self.samples.add(kind, peak, instance.peak_kib()?);
            }
        }
        Ok(())
    }

    /// Measures a cell, unless there is a reason to skip it; returns whether it did.
    fn cell(&mut self, kind: CandidateKind, with: (&mut Instance, &mut BatchMaker), cell: Cell) -> io::Result<bool> {
        if cell.records > self.records_max || !self.is_worth_while(kind, cell) {
            return Ok(false);
        }
        let (instance, payloads) = with;
        let count = invocations(cell);
        let batches: Vec<_> = (0..count).map(|_| payloads.batch(cell.records)).collect();
        machine::wake();
        let before = instance.on_processor()?;
        for batch in &batches {
            let took = instance.invoke(batch)?;
            self.samples.add(kind, Figure::Answered(cell), ms(took.answered));
            self.samples.add(kind, Figure::Occupied(cell), ms(took.occupied));
        }
        let processor = instance.on_processor()?.saturating_sub(before);
        self.samples.add(kind, Figure::Processor(cell), ms(processor) / count as f64);
        let asked = self.endpoint.take_asked();
        let records = (count * cell.records) as u64;
        let wanted = match kind {
            CandidateKind::Bare => 0,
            CandidateKind::SdkFloor => count as u64,
            CandidateKind::Taskhold | CandidateKind::TaskholdInTable | CandidateKind::Python => records,
        };
        if asked.tasks != wanted {
            return Err(io::Error::other(format!("{} tasks were protected of {wanted}", asked.tasks)));
        }
        for (figure, count) in [
            (Figure::Calls(cell), asked.calls),
            (Figure::Reads(cell), asked.reads),
            (Figure::WriteUnits(cell), asked.write_units),
        ] {
            self.samples.add(kind, figure, count as f64 / records as f64);
        }
        rest(kind, asked.calls);
        Ok(true)
    }

    /// Whether a cell has time left, and none of its invocations would take too long, estimated from batches of a
    /// tenth.
    fn is_worth_while(&self, kind: CandidateKind, cell: Cell) -> bool {
        let spent_ms = self.samples.sum(kind, Figure::Occupied(cell));
        let tenth = Cell { records: cell.records / 10, ..cell };
        let expected_ms = 10.0 * self.samples.median(kind, Figure::Occupied(tenth)).unwrap_or(0.0);
        spent_ms < 1000.0 * self.seconds_a_cell && expected_ms <= INVOCATION_MS_MAX
    }
}

/// taskhold follows ECS's token bucket (`src/task/rate_limit.rs`): 80 calls a second after a burst. Between two
/// cells it pauses until the bucket is full, so that the next cell does not wait for the calls of the last one. The
/// other candidates send as fast as they can, which this endpoint accepts and ECS does not.
fn rest(kind: CandidateKind, calls: u64) {
    if matches!(kind, CandidateKind::Taskhold | CandidateKind::TaskholdInTable) {
        thread::sleep(REFILL.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX)).min(FULL));
    }
}

/// One more call.
const REFILL: Duration = Duration::from_micros(12_500);
/// All calls of a burst.
const FULL: Duration = Duration::from_secs(2);

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
