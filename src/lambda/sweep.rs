//! The sweep: compares the task records with ECS, reconciles every service of the configured clusters, and so finds what no
//! event reported.
//!
//! A recheck continues the part that does not fit into one invocation. Without a recheck queue each sweep begins at
//! another service, so that no service is always last.

pub mod open;
pub mod open_records;
pub mod pace;
pub mod part;
pub mod services;
pub mod tasks;

use crate::api::answer::SweepReport;
use crate::budget::Budget;
use crate::lambda::function::Function;
use crate::lambda::sweep::open_records::OpenTasks;
use crate::lambda::sweep::pace::Pace;
use crate::lambda::sweep::part::Part;
use crate::service::recheck::{Recheck, SweepPlace};
use crate::task::outcome::Unsettled;
use crate::text::shown_time;
use jiff::{SignedDuration, Timestamp};
use std::cell::Cell;
use std::time::Duration;
use tracing::warn;

/// Maximum time of one invocation's part: the sweep shares ECS's limits, and perhaps its instance, with job messages.
const SWEEP_TIME: SignedDuration = SignedDuration::from_secs(10);
/// Maximum time of a whole sweep. Meanwhile the schedule begins others, which share ECS's limits with it.
const SWEEP_MAX: SignedDuration = SignedDuration::from_mins(15);
/// The buckets of ECS's reads refill by 20 calls a second, up to 100 (aws-facts "ECS: the protection API").
const THROTTLED_PAUSE: Duration = Duration::from_secs(5);

/// The result of one invocation's part of a sweep.
struct SweptPart {
    report: SweepReport,
    /// Whether the recheck for the rest was sent, if one is needed.
    rest: Result<(), Unsettled>,
}

impl SweptPart {
    /// A part without a recheck: nothing is left, or the next sweep takes it.
    fn whole(report: SweepReport) -> Self {
        Self { report, rest: Ok(()) }
    }
}

impl Function {
    /// Sweeps until everything is reconciled or the time is up. A failure is logged, and the sweep continues.
    pub(crate) async fn sweep(&self, budget: Budget<'_>) -> SweepReport {
        let place = SweepPlace::Tasks { page: None };
        self.sweep_from(place, self.clock().now(), Pace::full(), budget).await.report
    }

    /// Continues a sweep that began at `started_at`.
    pub(crate) async fn continue_sweep(
        &self,
        started_at: Timestamp,
        place: SweepPlace,
        budget: Budget<'_>,
    ) -> Result<(), Unsettled> {
        let now = self.clock().now();
        if now.duration_since(started_at) >= SWEEP_MAX {
            warn!(started = shown_time(started_at), "ending a sweep that has taken too long; later ones continue");
            return Ok(());
        }
        self.sweep_from(place, started_at, Pace::empty(now), budget).await.rest
    }

    /// Sweeps from a place on.
    async fn sweep_from(&self, place: SweepPlace, started_at: Timestamp, pace: Pace, budget: Budget<'_>) -> SweptPart {
        let share = budget.within(SWEEP_TIME, self.clock());
        let (open_tasks, report) = (OpenTasks::default(), SweepReport::default());
        let mut part = Part { share, budget, is_throttled: Cell::new(false), pace, open_tasks, report };
        let Some(place) = self.sweep_part(place, &mut part).await else { return SweptPart::whole(part.report) };
        let Some(queue) = &self.services.rechecks else { return SweptPart::whole(part.report) };
        // Immediately, but behind job messages that arrived meanwhile; after throttling, once ECS accepts calls again.
        let delay = if part.is_throttled.get() { THROTTLED_PAUSE } else { Duration::ZERO };
        let sent = queue.send(&Recheck::Sweep { started_at, place }, delay).await;
        part.report.continues = sent.is_ok();
        let rest = sent.map_err(|error| {
            warn!(failure = %error, "could not schedule the rest of the sweep");
            Unsettled::RecheckNotSent(error)
        });
        SweptPart { report: part.report, rest }
    }

    /// Sweeps until the end of the part. Returns where to continue, if anything is left.
    async fn sweep_part(&self, place: SweepPlace, part: &mut Part<'_>) -> Option<SweepPlace> {
        let (mut begin_at, mut rest) = match place {
            SweepPlace::Services { cluster, rest } => (Some(cluster), rest),
            SweepPlace::Tasks { page } => match self.sweep_tasks(page, part).await {
                Some(place) => return Some(place),
                None => (None, None),
            },
        };
        for cluster in self.config().clusters.iter() {
            if begin_at.as_ref().is_some_and(|begin_at| begin_at != cluster) {
                continue;
            }
            begin_at = None;
            let place = self.sweep_services(cluster, rest.take(), part).await;
            if place.is_some() {
                return place;
            }
        }
        None
    }
}
