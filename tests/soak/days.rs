//! The measurements of a soak test for each simulated day, and whether they grow.

use crate::watch::parts::locked;
use crate::watch::world::WatchedWorld;
use ecs_sim::doubles::clock::timestamp;
use ecs_sim::region::{DEAD_LETTER_QUEUE, INTERRUPTED_QUEUE};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

/// The maxima of one simulated day, and its events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Day {
    pub(crate) number: u64,
    /// Records of tasks and services that the state store may not delete yet.
    pub(crate) records: usize,
    /// Their size as JSON.
    pub(crate) store_bytes: usize,
    /// Of this process.
    pub(crate) memory_mib: f64,
    pub(crate) reconciles: usize,
    pub(crate) alerts: usize,
    /// Open incidents at the end of the day.
    pub(crate) open: usize,
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, records, memory_mib, reconciles, alerts, open, .. } = self;
        let store = self.store_bytes as f64 / 1_000_000.0;
        write!(f, "day {number:>2}: {records:>6} records, {store:>5.1} MB; process {memory_mib:>6.1} MiB; ")?;
        write!(f, "{reconciles:>6} reconciles, {alerts:>5} alerts, {open:>3} incidents open")
    }
}

/// The counts of all notifications, forwarded jobs, dead-lettered messages and log lines.
#[derive(Debug, Default)]
pub(crate) struct Notified {
    /// The incidents that were reported and not resolved.
    pub(crate) open: BTreeSet<String>,
    pub(crate) alerts: BTreeMap<String, u64>,
    pub(crate) dead_lettered: BTreeMap<String, u64>,
    pub(crate) forwarded: u64,
    pub(crate) logged: BTreeMap<String, u64>,
}

impl Notified {
    /// Drains the recorded output of the world, which would otherwise grow with time.
    pub(crate) fn gather(&mut self, world: &WatchedWorld, day: &mut Day) {
        day.reconciles += std::mem::take(&mut world.counted().reconciles).len();
        locked(&world.rechecks().inner.sent).clear();
        let notices = std::mem::take(&mut *locked(&world.parts.alerts.inner.notices));
        day.alerts += notices.len();
        for notice in notices {
            match notice.what.split_once(' ') {
                Some(("job-interrupted", _)) => {} // this alert is never resolved
                Some((_, "resolved")) => drop(self.open.remove(&notice.incident)),
                _ => drop(self.open.insert(notice.incident)),
            }
            *self.alerts.entry(notice.what).or_default() += 1;
        }
        day.open = self.open.len();
        for (reason, _) in world.dead_lettered() {
            *self.dead_lettered.entry(reason).or_default() += 1;
        }
        assert_eq!(world.given_up(), 0, "messages that SQS gave up, which have no reason");
        let queues = &mut world.region.lock().queues;
        self.forwarded += queues.messages(INTERRUPTED_QUEUE).unwrap().len() as u64;
        for queue in [DEAD_LETTER_QUEUE, INTERRUPTED_QUEUE] {
            queues.purge(queue).unwrap();
        }
        world.count_logged(&mut self.logged);
    }
}

impl Day {
    /// Records the current figures if they are the largest of the day.
    pub(crate) fn measure(&mut self, world: &WatchedWorld) {
        let now = timestamp(world.now());
        let mut sizes = locked(&world.parts.store.inner.sizes);
        sizes.retain(|_, (_, keep_until)| *keep_until > now);
        self.records = self.records.max(sizes.len());
        self.store_bytes = self.store_bytes.max(sizes.iter().map(|(key, (bytes, _))| key.len() + bytes).sum());
        self.memory_mib = self.memory_mib.max(memory_mib().unwrap_or(0.0));
    }
}

/// The memory of this process, on Linux.
fn memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

/// The days that are compared: those after the first ones, in which the state store fills, and the last ones.
const EARLY: RangeInclusive<u64> = 5..=15;
const LATE: RangeInclusive<u64> = 20..=30;
/// Growth up to this factor may be random.
const GROWTH_MAX: f64 = 1.2;

type DayFigure = fn(&Day) -> f64;

/// The figures that have grown from the early days to the late ones.
pub(crate) fn growth(days: &[Day]) -> Vec<String> {
    let most = |of: &RangeInclusive<u64>, figure: DayFigure| {
        days.iter().filter(|day| of.contains(&day.number)).map(figure).fold(0.0, f64::max)
    };
    let figures: [(&str, DayFigure); 3] = [
        ("records of the state store", |day| day.records as f64),
        ("bytes of the state store", |day| day.store_bytes as f64),
        ("MiB of memory", |day| day.memory_mib),
    ];
    let mut grown = Vec::new();
    for (what, figure) in figures {
        let (early, late) = (most(&EARLY, figure), most(&LATE, figure));
        if late > early * GROWTH_MAX {
            grown.push(format!("{late:.1} {what} in the days {LATE:?}, after {early:.1} in the days {EARLY:?}"));
        }
    }
    grown
}
