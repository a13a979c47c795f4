//! How a service stands, and what a deployment of it would meet, in bounded room.

use super::ANSWER_BYTES_MAX;
use super::parts::{
    DeadlineReport, FinishReport, IncidentReport, TagProblemReport, bytes, fitting, gaps, incidents, movement,
    tag_problems, way_out,
};
use super::tasks::{Detail, LeftOut, Room, tasks, unmet};
use crate::decide::diagnose::{Arithmetic, Blocker, Diagnosis, Standing, Unmet, WayOut, blockers_among};
use crate::decide::preflight::{Preflight, Verdict};
use crate::ecs::ClusterArn;
use crate::ledger::ServiceEntry;
use crate::observe::Observed;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// How a service stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    service: String,
    at: Timestamp,
    standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    movement: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_since: Option<Timestamp>,
    blockers: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blockers_left_out: LeftOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish: Option<FinishReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<DeadlineReport>,
    arithmetic: Arithmetic,
    ways_out: Vec<Value>,
    unmet: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unmet_left_out: LeftOut,
    protected_tasks: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_tasks_left_out: LeftOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    incidents: Option<Vec<IncidentReport>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incidents_left_out: LeftOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_check_at: Option<Timestamp>,
    tag_problems: Vec<TagProblemReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_problems_left_out: LeftOut,
    gaps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps_left_out: LeftOut,
}

/// What a deployment would meet that began now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreflightReport {
    service: String,
    at: Timestamp,
    verdict: Verdict,
    protected_tasks: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish: Option<FinishReport>,
    deadline: DeadlineReport,
    blockers: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blockers_left_out: LeftOut,
    tag_problems: Vec<TagProblemReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_problems_left_out: LeftOut,
    gaps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps_left_out: LeftOut,
}

/// Of the room that a report has, this part each for what is not tasks: many gaps, say, do not displace who is in the way.
const SHARES: usize = 8;
/// What the members that tell how much was left out take themselves.
const LEFT_OUT_BYTES: usize = 256;

impl ServiceReport {
    /// Puts what was observed, what was made of it and what is `known` from before into words for machines: at most
    /// `bytes_max` of them, which should be some tens of thousands.
    pub fn new(observed: &Observed, diagnosis: &Diagnosis, known: Option<&ServiceEntry>, bytes_max: usize) -> Self {
        let cluster = &observed.service.arn.cluster;
        let share = bytes_max / SHARES;
        let incidents = known.map(|known| fitting(incidents(&known.incidents), known.incidents.len(), share));
        let (incidents, incidents_left_out) = incidents.map_or((None, None), |(told, left_out)| (Some(told), left_out));
        let problems = &diagnosis.tag_problems;
        let (tag_problems, tag_problems_left_out) = fitting(tag_problems(problems), problems.len(), share);
        let (gaps, gaps_left_out) = fitting(gaps(&diagnosis.gaps), diagnosis.gaps.len(), share);
        let report = Self {
            service: observed.service.arn.to_string(),
            at: observed.at,
            standing: diagnosis.standing,
            movement: movement(&diagnosis.movement),
            blocked_since: diagnosis.blocked_since,
            blockers: Vec::new(),
            blockers_left_out: None,
            finish: diagnosis.finish.as_ref().map(FinishReport::from),
            deadline: diagnosis.deadline.map(|deadline| DeadlineReport::new(deadline, diagnosis.finish.as_ref())),
            arithmetic: diagnosis.arithmetic,
            ways_out: ways_out(cluster, &diagnosis.ways_out, share),
            unmet: Vec::new(),
            unmet_left_out: None,
            protected_tasks: Vec::new(),
            protected_tasks_left_out: None,
            incidents,
            incidents_left_out,
            next_check_at: known.and_then(|known| known.watch.as_ref()?.due),
            tag_problems,
            tag_problems_left_out,
            gaps,
            gaps_left_out,
        };
        report.with_tasks(observed, diagnosis, bytes_max)
    }

    /// Fills the room that is left with tasks: a quarter is for those that ECS refused, one half of the rest for those in the
    /// way, and what remains for all that are protected.
    fn with_tasks(self, observed: &Observed, diagnosis: &Diagnosis, bytes_max: usize) -> Self {
        let cluster = &observed.service.arn.cluster;
        let room = bytes_max.saturating_sub(bytes(&self) + LEFT_OUT_BYTES);
        let refused: Vec<&Unmet> = diagnosis.unmet.iter().collect();
        let (unmet, unmet_left_out) =
            within(&refused, room / 4, |all, room, details| unmet(cluster, all, room, details));
        let room = room.saturating_sub(bytes(&unmet));
        let (blockers, blockers_left_out) = tasks_within(cluster, &diagnosis.blockers, room / 2);
        let protected: Vec<_> = observed.protected().map(|(task, _)| task).collect();
        let room = room.saturating_sub(bytes(&blockers));
        let (protected_tasks, protected_tasks_left_out) = tasks_within(cluster, &blockers_among(&protected), room);
        let of_refused = Self { unmet, unmet_left_out, ..self };
        Self { blockers, blockers_left_out, protected_tasks, protected_tasks_left_out, ..of_refused }
    }
}

impl PreflightReport {
    /// Puts a preflight into words for machines, in at most [`ANSWER_BYTES_MAX`].
    pub fn new(observed: &Observed, preflight: &Preflight) -> Self {
        let share = ANSWER_BYTES_MAX / SHARES;
        let problems = &preflight.tag_problems;
        let (tag_problems, tag_problems_left_out) = fitting(tag_problems(problems), problems.len(), share);
        let (gaps, gaps_left_out) = fitting(gaps(&preflight.gaps), preflight.gaps.len(), share);
        // As much as a status has for those in the way.
        let room = ANSWER_BYTES_MAX / 2;
        let (blockers, blockers_left_out) = tasks_within(&observed.service.arn.cluster, &preflight.blockers, room);
        Self {
            service: observed.service.arn.to_string(),
            at: observed.at,
            verdict: preflight.verdict,
            protected_tasks: preflight.blockers.len(),
            finish: preflight.finish.as_ref().map(FinishReport::from),
            deadline: DeadlineReport::new(preflight.deadline, preflight.finish.as_ref()),
            blockers,
            blockers_left_out,
            tag_problems,
            tag_problems_left_out,
            gaps,
            gaps_left_out,
        }
    }
}

fn tasks_within(cluster: &Arc<ClusterArn>, all: &[Blocker], bytes_max: usize) -> (Vec<Value>, LeftOut) {
    within(all, bytes_max, |all, room, details| tasks(cluster, all, room, details))
}

/// As many as are told in so many bytes, and how many are left out.
fn within<T>(
    all: &[T],
    bytes_max: usize,
    tell: impl Fn(&[T], &Room, &[Detail]) -> Vec<Value>,
) -> (Vec<Value>, LeftOut) {
    let room = Room { items_max: usize::MAX, bytes_max, bytes: str::len };
    let [some, fewer, one, bare] = Detail::LESS_AND_LESS;
    let told = tell(all, &room, &[Detail::WHOLE, some, fewer, one, bare]);
    let left_out = NonZeroUsize::new(all.len() - told.len());
    (told, left_out)
}

/// The ways out: whole if they fit into so many bytes, else each with fewer of its commands.
fn ways_out(cluster: &Arc<ClusterArn>, ways: &[WayOut], room: usize) -> Vec<Value> {
    let mut told = Vec::new();
    for commands_max in [usize::MAX, 10, 1] {
        told = ways.iter().map(|way| way_out(cluster, way, commands_max)).collect();
        if bytes(&told) <= room {
            break;
        }
    }
    told
}
