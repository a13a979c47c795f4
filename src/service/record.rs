//! The state store's record of one service: what earlier snapshots showed, its incidents and its remediations.

use crate::ecs::arn::TaskId;
use crate::ecs::service::ServiceArn;
use crate::service::diagnosis::Remembered;
use crate::service::durations::LearnedDurations;
use crate::service::incident::{Incident, Incidents};
use crate::service::remediation::RemediationState;
use crate::service::waiting_scale_in::WaitingScaleIn;
use crate::store::Record;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that taskhold remembers about a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// The rollout that the last snapshots showed blocked, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<BlockedSince>,
    /// The rollout that the last snapshots showed held by a lifecycle hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PausedRollout>,
    /// The scale-in that waits for jobs, as the first snapshot showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_scale_in: Option<WaitingScaleIn>,
    /// The watch, while the service is rechecked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// When an event last triggered a reconcile; events right after it share the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggered_at: Option<Timestamp>,
    /// Tasks with live jobs that ECS refused to protect. Each reconcile confirms or removes them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refused: BTreeSet<TaskId>,
    /// Protected tasks without a live job, with the moment at which a snapshot first showed them idle.
    // Its name in records of earlier commits.
    #[serde(default, alias = "idle_seen", skip_serializing_if = "BTreeMap::is_empty")]
    pub idle_since: BTreeMap<TaskId, Timestamp>,
    /// The remediations that taskhold applied.
    #[serde(default, skip_serializing_if = "RemediationState::is_empty")]
    pub remediation: RemediationState,
    /// How long its finished jobs ran.
    #[serde(default, skip_serializing_if = "LearnedDurations::is_empty")]
    pub durations: LearnedDurations,
    /// Present problems, and past ones for a while.
    #[serde(default)]
    pub incidents: Incidents,
}

/// A rollout that snapshots showed blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedSince {
    /// The deployment or task set.
    pub rollout: String,
    /// Since when.
    pub since: Timestamp,
}

/// A rollout that snapshots showed held by a lifecycle hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedRollout {
    /// The deployment.
    pub rollout: String,
    /// When a snapshot last showed it held.
    pub until: Timestamp,
}

/// The chain of rechecks of a service with something in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The deployment or task set; `None` after an event that no snapshot has confirmed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// When the watch began.
    pub started_at: Timestamp,
    /// The number of its own rechecks so far.
    pub checks: u32,
    /// When the next recheck arrives. The recheck of exactly this moment is on its way; any other is out of date.
    /// `None` if the watch has lasted too long and the sweep alone continues.
    pub due: Option<Timestamp>,
}

/// How long a record is kept after its last write. After that, the service is gone or steady.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

impl Record for ServiceRecord {
    type Key = ServiceArn;

    fn is_open(&self) -> bool {
        Self::is_open(self)
    }
}

impl ServiceRecord {
    /// What the record remembers of this rollout.
    pub fn remembered(&self, rollout: Option<&str>) -> Remembered {
        let blocked = self.blocked.as_ref().filter(|blocked| Some(blocked.rollout.as_str()) == rollout);
        let paused = self.paused.as_ref().filter(|paused| Some(paused.rollout.as_str()) == rollout);
        Remembered { blocked_since: blocked.map(|it| it.since), paused_until: paused.map(|it| it.until) }
    }

    /// Whether the sweep must read the service whole, even if it looks steady or ECS no longer lists it: it is watched,
    /// has refused tasks or an open incident, its desired count is to be put back, a notification is pending, or a later
    /// reconcile would count from what an earlier one saw blocked or idle.
    pub fn is_open(&self) -> bool {
        let open = |incident: &Incident| incident.is_open() || incident.pending.is_some();
        self.watch.is_some()
            || !self.refused.is_empty()
            || self.remediation.raised.is_some()
            || self.blocked.is_some()
            || !self.idle_since.is_empty()
            || self.incidents.values().any(open)
    }

    /// When the record may expire.
    pub fn keep_until(now: Timestamp) -> Timestamp {
        now.saturating_add(KEPT).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::alert::{AlertKind, Transition};
    use crate::service::incident::IncidentState;
    use crate::service::incident::pending::PendingNotification;
    use crate::service::incident::scope::IncidentScope;
    use crate::service::remediation::{RaiseStage, Raised};

    #[test]
    fn idle_tasks_of_a_record_of_an_earlier_commit_are_read() {
        let task: TaskId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let since = "2026-01-05T09:00:00Z";
        let record = serde_json::json!({ "idle_seen": { task.as_str(): since } });
        let record: ServiceRecord = serde_json::from_value(record).unwrap();
        assert_eq!(record.idle_since, BTreeMap::from([(task, since.parse().unwrap())]));
    }

    #[test]
    fn a_record_is_open_while_a_later_reconcile_has_to_continue_what_it_says() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let task: TaskId = format!("{:032x}", 1).parse().unwrap();
        let pending = PendingNotification::new(Transition::Resolved);
        let resolved = IncidentState::Resolved { at: now, marks: 0 };
        let incident = |state, pending| {
            let kind = AlertKind::DeploymentBlocked;
            let scope = IncidentScope::default();
            let incident = Incident { kind, since: now, notified_at: now, state, attempted: true, pending, scope };
            ServiceRecord { incidents: Incidents::from([("key".to_owned(), incident)]), ..ServiceRecord::default() }
        };
        let watch = Watch { rollout: None, started_at: now, checks: 0, due: None };
        let raised = Raised { from: 1, to: 2, before: 1, at: now, stage: RaiseStage::Raised };
        let remediation = RemediationState { raised: Some(raised), ..RemediationState::default() };
        let blocked = BlockedSince { rollout: "ecs-svc/1".to_owned(), since: now };
        let idle_since = BTreeMap::from([(task.clone(), now)]);
        for (is_open, record) in [
            (false, ServiceRecord::default()),
            (false, ServiceRecord { triggered_at: Some(now), ..ServiceRecord::default() }),
            (false, incident(resolved, None)),
            (true, incident(resolved, Some(pending))),
            (true, incident(IncidentState::Open, None)),
            (true, ServiceRecord { watch: Some(watch), ..ServiceRecord::default() }),
            (true, ServiceRecord { refused: BTreeSet::from([task]), ..ServiceRecord::default() }),
            (true, ServiceRecord { remediation, ..ServiceRecord::default() }),
            (true, ServiceRecord { blocked: Some(blocked), ..ServiceRecord::default() }),
            (true, ServiceRecord { idle_since, ..ServiceRecord::default() }),
        ] {
            assert_eq!(record.is_open(), is_open, "{record:?}");
        }
    }

    #[test]
    fn a_record_is_kept_for_two_weeks() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(ServiceRecord::keep_until(now).duration_since(now).as_secs(), 14 * 24 * 60 * 60);
    }
}
