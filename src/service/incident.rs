//! When to notify: an incident opens once, escalates at its marks, the last of which is the deadline, repeats at an
//! interval, and resolves once.
//!
//! A service has one incident of each kind. A new deployment behind the same blocking tasks continues it, and so does a
//! problem that comes back within [`CONTINUED_WITHIN`].
//!
//! Pure. Incidents are part of the service record, so any instance of the function continues what another one began. A
//! transition is stored together with its pending notification ([`Incident::pending`]), which is cleared only after
//! delivery. A crash in between therefore sends a notification twice rather than never. If two instances reconcile
//! concurrently, only the one that stores its record notifies.
//!
//! [`problem`] finds the problems of a snapshot, [`advance`] opens, continues and resolves their incidents, and
//! [`delivery`] claims and settles the notifications.

pub mod advance;
pub mod delivery;
pub mod escalation;
mod in_time;
pub mod pending;
pub mod problem;
pub mod scale_in;
pub mod scope;

use crate::service::alert::{AlertKind, Transition};
use crate::service::incident::pending::PendingNotification;
use crate::service::incident::scope::{IncidentScope, Problem};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When to notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertPolicy {
    /// How long a deployment or a change of task sets must have been blocked before an incident opens.
    pub blocked_after: SignedDuration,
    /// How long a scale-in must have waited beyond the expected end of its jobs before an incident opens.
    pub scale_in_blocked_after: SignedDuration,
    /// The interval at which an open incident is repeated.
    pub repeat_after: SignedDuration,
}

/// One problem of a service, present or past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The kind of problem.
    pub kind: AlertKind,
    /// When the problem began.
    pub since: Timestamp,
    /// When the latest notification became due.
    pub notified_at: Timestamp,
    /// Whether the problem persists.
    pub state: IncidentState,
    /// Whether a delivery was attempted. The notification may have arrived, because a failed delivery may have
    /// succeeded nevertheless, or in part.
    #[serde(default)]
    pub attempted: bool,
    /// The notification that is not delivered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingNotification>,
    /// The deployments and tasks that it is about.
    #[serde(default)]
    pub scope: IncidentScope,
}

/// A problem that comes back within this time after it was over continues its incident, with the same start.
pub const CONTINUED_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// A refused task that joins an open incident is notified at once, unless the incident was notified more recently.
const JOINED_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Whether a problem persists, and how urgent it has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentState {
    /// The problem persists, and no escalation mark has passed.
    Open,
    /// The problem persists after escalation marks.
    Escalated {
        /// How many of them have passed, at least one.
        marks: u8,
    },
    /// The problem is over.
    Resolved {
        /// When it ended.
        at: Timestamp,
        /// How many escalation marks had passed before.
        marks: u8,
    },
}

impl IncidentState {
    /// The state of a problem that persists after this number of escalation marks.
    fn open_after(marks: u8) -> Self {
        if marks == 0 { Self::Open } else { Self::Escalated { marks } }
    }

    /// How many escalation marks have passed.
    pub fn marks(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Escalated { marks } | Self::Resolved { marks, .. } => marks,
        }
    }

    /// When the problem ended, if it is over.
    pub fn resolved_at(self) -> Option<Timestamp> {
        match self {
            Self::Open | Self::Escalated { .. } => None,
            Self::Resolved { at, .. } => Some(at),
        }
    }
}

/// When a problem was over, and how many escalation marks had passed.
#[derive(Clone, Copy)]
struct PastProblem {
    at: Timestamp,
    marks: u8,
}

/// The incidents of one service by key.
pub type Incidents = BTreeMap<String, Incident>;

/// The transitions. Each one that is worth a notification makes it pending in the same change.
impl Incident {
    /// Whether the problem persists.
    pub fn is_open(&self) -> bool {
        self.state.resolved_at().is_none()
    }

    /// A new incident.
    fn open(problem: Problem, marks: u8, now: Timestamp) -> Self {
        Self {
            kind: problem.kind,
            since: problem.since,
            notified_at: now,
            state: IncidentState::open_after(marks),
            attempted: false,
            pending: Some(PendingNotification::new(Transition::Opened)),
            scope: problem.scope,
        }
    }

    /// The problem is still there: the incident escalates, repeats or reopens when that is due.
    fn persist(&mut self, problem: Problem, marks: u8, now: Timestamp, policy: &AlertPolicy) {
        if let IncidentState::Resolved { marks: marks_before, at } = self.state {
            return self.reopen(problem, PastProblem { at, marks: marks_before }, marks, now);
        }
        // The escalations follow the deadline of the newest deployment.
        if self.scope.supersede(&problem.scope) {
            self.state = IncidentState::open_after(marks.min(self.state.marks()));
        }
        let has_joined = self.kind == AlertKind::ProtectionRefused && self.scope.has_joined(&problem.scope);
        let is_quiet = problem.is_quiet(now);
        let since_notified = now.duration_since(self.notified_at);
        let mut tasks = problem.scope.tasks;
        match self.state {
            // One notification at a time. The one that is being sent does not name a task that joins meanwhile.
            _ if self.pending.is_some_and(|pending| has_joined && !pending.delivery.is_due(now)) => {
                tasks.retain(|task| self.scope.tasks.contains(task));
            }
            _ if self.pending.is_some() => {}
            _ if marks > self.state.marks() && !is_quiet => {
                self.state = IncidentState::Escalated { marks };
                self.notify(PendingNotification::new(Transition::Escalated), now);
            }
            _ if (since_notified >= policy.repeat_after && !is_quiet)
                || (has_joined && since_notified >= JOINED_AFTER) =>
            {
                self.notify(PendingNotification::new(Transition::Repeated), now);
            }
            // A task that joined stays unknown until a notification names it.
            _ if has_joined => tasks.retain(|task| self.scope.tasks.contains(task)),
            _ => {}
        }
        self.scope.tasks = tasks;
    }

    /// The problem came back after it was resolved.
    fn reopen(&mut self, problem: Problem, past: PastProblem, marks: u8, now: Timestamp) {
        let unsent = self.pending.filter(|pending| pending.event == Transition::Resolved && pending.is_fresh());
        if let Some(unsent) = unsent {
            // Its RESOLVED was not sent yet: the incident simply continues.
            self.state = IncidentState::open_after(past.marks);
            self.pending = unsent.withdrawn();
            return;
        }
        self.state = IncidentState::open_after(marks);
        // A later scale-in is another one, unless one of the same tasks blocks it.
        let is_another = self.kind == AlertKind::ScaleInBlocked && self.scope.tasks.is_disjoint(&problem.scope.tasks);
        if now.duration_since(past.at) < CONTINUED_WITHIN && !is_another {
            self.scope.supersede(&problem.scope);
            (self.scope.tasks, self.scope.came_back_at) = (problem.scope.tasks, Some(now));
        } else {
            (self.since, self.scope) = (problem.since, problem.scope);
        }
        self.notify(PendingNotification::replacing(self.pending, Transition::Opened, now), now);
    }

    /// The problem is over.
    fn resolve(&mut self, now: Timestamp) {
        self.state = IncidentState::Resolved { at: now, marks: self.state.marks() };
        match self.pending {
            // No RESOLVED for an incident that was never reported.
            _ if !self.attempted => (self.notified_at, self.pending) = (now, None),
            // The problem came back and went away again before its OPENED was sent: drop both.
            Some(pending) if pending.event == Transition::Opened && pending.is_fresh() => {
                (self.notified_at, self.pending) = (now, pending.withdrawn());
            }
            pending => self.notify(PendingNotification::replacing(pending, Transition::Resolved, now), now),
        }
    }

    fn notify(&mut self, pending: PendingNotification, now: Timestamp) {
        (self.notified_at, self.pending) = (now, Some(pending));
    }
}

#[cfg(test)]
mod tests;
