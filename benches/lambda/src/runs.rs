//! The runs: in each, every candidate is started once and goes through all that is measured, the next run begins with another.

use crate::candidates::{Candidate, Kind};
use crate::endpoint::Endpoint;
use crate::payload::{Payloads, RECORDS_MAX};
use crate::process::Instance;
use crate::samples::{Cell, Figure, Samples};
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const LATENCIES_MS: [u64; 2] = [0, 50];
pub(crate) const BATCHES: [usize; 5] = [1, 10, 100, 1000, RECORDS_MAX];

/// Invocations of one record between the first one and those that are measured, so that what is compiled or cached on the way
/// is so: an instance sees them within its first minute.
const WARM_UP: usize = 20;
/// An invocation that would take longer than this is not begun: a table is to be had within the hour.
const INVOCATION_MS_MAX: f64 = 120_000.0;

/// How often a cell is invoked in one run: often where an invocation is short, so that the cells have samples and the processor
/// time of the batches of ten is that of 1,000 messages.
fn invocations(cell: Cell) -> usize {
    match (cell.latency_ms, cell.records) {
        (0, 1) => 200,
        (0, 10) => 100,
        (0, 100) => 10,
        (0, 1000) => 2,
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
    /// So long a cell is measured, all runs together.
    pub(crate) seconds_a_cell: f64,
}

impl Runs {
    /// One run.
    pub(crate) fn run(&mut self, candidates: &[Candidate], number: usize) -> io::Result<()> {
        for at in 0..candidates.len() {
            let candidate = &candidates[(at + number) % candidates.len()];
            self.measure(candidate).map_err(|error| io::Error::other(format!("{}: {error}", candidate.name)))?;
        }
        Ok(())
    }

    fn measure(&mut self, candidate: &Candidate) -> io::Result<()> {
        let kind = candidate.kind;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut payloads = Payloads::sent_at(now.as_millis());
        self.endpoint.set_latency(0);
        let mut instance = Instance::start(candidate, self.endpoint.address)?;
        let first = instance.invoke(&payloads.batch(1))?.answered;
        self.samples.add(kind, Figure::Init, ms(instance.init));
        self.samples.add(kind, Figure::First, ms(first));
        self.samples.add(kind, Figure::InitAndFirst, ms(instance.init + first));
        for _ in 0..WARM_UP {
            instance.invoke(&payloads.batch(1))?;
        }
        // Before a ledger in memory has grown.
        instance.invoke(&payloads.batch(10))?;
        self.samples.add(kind, Figure::PeakOfTen, instance.peak_kib()?);
        self.endpoint.take_asked();
        for latency_ms in LATENCIES_MS {
            self.endpoint.set_latency(latency_ms);
            for records in BATCHES {
                if !kind.heeds_records() && (latency_ms, records) != (0, 1) {
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

    /// Measures a cell, unless there is a reason not to; answers whether it did.
    fn cell(&mut self, kind: Kind, with: (&mut Instance, &mut Payloads), cell: Cell) -> io::Result<bool> {
        if !self.is_worth_while(kind, cell) || is_too_much(kind, cell) {
            return Ok(false);
        }
        let (instance, payloads) = with;
        let count = invocations(cell);
        let batches: Vec<_> = (0..count).map(|_| payloads.batch(cell.records)).collect();
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
            Kind::Bare => 0,
            Kind::SdkFloor => count as u64,
            Kind::Taskhold | Kind::TaskholdInTable | Kind::Python | Kind::Node => records,
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
        Ok(true)
    }

    /// Whether a cell has time left, and none of its invocations would take too long, to judge by batches of a tenth.
    fn is_worth_while(&self, kind: Kind, cell: Cell) -> bool {
        let spent_ms = self.samples.sum(kind, Figure::Occupied(cell));
        let tenth = Cell { records: cell.records / 10, ..cell };
        let expected_ms = 10.0 * self.samples.median(kind, Figure::Occupied(tenth)).unwrap_or(0.0);
        spent_ms < 1000.0 * self.seconds_a_cell && expected_ms <= INVOCATION_MS_MAX
    }
}

/// Whether the function could not do it in one delivery. To write down 10,000 tasks in DynamoDB takes half a minute at 50 ms a
/// call, which is the function's time-out; a call that was written down so long ago is not sent any more, and its messages come
/// again. The template delivers 1,000 at most.
fn is_too_much(kind: Kind, cell: Cell) -> bool {
    kind == Kind::TaskholdInTable && cell.latency_ms > 0 && cell.records == RECORDS_MAX
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
