//! Updates the incidents of a service with the problems of a new snapshot.

use crate::service::alert::AlertKind;
use crate::service::diagnosis::Assessment;
use crate::service::incident::escalation::marks_passed;
use crate::service::incident::problem::{problems, suppresses};
use crate::service::incident::{AlertPolicy, Incident, Incidents};
use jiff::{SignedDuration, Timestamp};

/// How long an incident is remembered once its resolution was delivered.
pub const RESOLVED_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Updates the incidents with a new snapshot. With gaps in the snapshot, no incident is resolved.
pub fn advance(incidents: &mut Incidents, assessment: Assessment<'_>, policy: &AlertPolicy) {
    let diagnosis = assessment.diagnosis;
    let now = assessment.snapshot.at;
    let problems = problems(incidents, assessment, policy);
    // Suppressed kinds are neither opened nor resolved meanwhile.
    let is_suppressed = |kind: AlertKind| problems.values().any(|problem| suppresses(problem.kind, kind));
    for (key, problem) in problems.iter().filter(|(_, problem)| !is_suppressed(problem.kind)) {
        let marks = marks_passed(problem.kind, diagnosis, now);
        match incidents.get_mut(key) {
            Some(incident) => incident.persist(problem.clone(), marks, now, policy),
            None => drop(incidents.insert(key.clone(), Incident::open(problem.clone(), marks, now))),
        }
    }
    for incident in incidents.values_mut().filter(|incident| incident.is_open()) {
        // When the rollout is over, its deadline is known from here only.
        incident.scope.last_deadline = diagnosis.deadline.or(incident.scope.last_deadline);
    }
    if diagnosis.gaps.is_empty() {
        let open = incidents.iter_mut().filter(|(_, incident)| incident.is_open() && !is_suppressed(incident.kind));
        open.filter(|(key, _)| !problems.contains_key(*key)).for_each(|(_, incident)| incident.resolve(now));
    }
    let is_recent = |at: Timestamp| now.duration_since(at) < RESOLVED_KEPT;
    incidents.retain(|_, incident| incident.pending.is_some() || incident.state.resolved_at().is_none_or(is_recent));
}
