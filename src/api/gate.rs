//! The deployment gate: whether a lifecycle hook lets a deployment continue.
//!
//! Pure: the payload, the state of the service and the time in, the answer with its reason out. The gate holds a
//! deployment only where `hookDetails` ask for it, never for longer than they allow, and fails one only if they say so.

use crate::api::hook::{Direction, HookAnswer, HookDetails, HookInput};
use crate::ecs::arn::shown;
use crate::ecs::service_deployment::ServiceDeployment;
use crate::service::diagnosis::{Remembered, diagnose};
use crate::service::forecast::DiagnosisPolicy;
use crate::service::preflight::preflight;
use crate::service::rollout::Rollout;
use crate::service::snapshot::{Gap, Jobs, ServiceSnapshot};
use crate::text::shown_time;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// The member of `hookDetails` that is taskhold's.
const MEMBER: &str = "taskhold";
/// The member in which taskhold remembers when it began to wait. ECS passes the details of an answer back (aws-facts
/// "ECS deployment lifecycle hooks").
const WAITING_SINCE: &str = "waitingSince";
/// The member in which it remembers the deadline that it last read, in case a later read fails.
const ENDS_BY: &str = "endsBy";
/// Its members.
const MEMBERS: [&str; 5] = ["until", "atMostMinutes", "then", WAITING_SINCE, ENDS_BY];
/// The wait without `atMostMinutes`.
const MINUTES_DEFAULT: u64 = 120;
/// The longest wait: a hook's own time-out is at most a day (aws-facts "ECS deployment lifecycle hooks").
const MINUTES_MAX: u64 = 1440;
/// The shortest and the longest time until ECS asks again. Thirty seconds is ECS's default.
const DELAY_MIN: SignedDuration = SignedDuration::from_secs(30);
const DELAY_MAX: SignedDuration = SignedDuration::from_mins(5);
/// The last answer before the end comes this much earlier, because ECS may ask late.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);
/// How far the clock of another instance may be ahead.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What `hookDetails.taskhold` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeploymentGate {
    /// What the deployment waits for.
    pub until: GateCondition,
    /// The longest wait.
    pub at_most: SignedDuration,
    /// What follows the longest wait.
    pub then: GateEnd,
    /// When an earlier answer began to wait.
    pub waiting_since: Option<Timestamp>,
    /// The deadline in an earlier answer.
    pub ends_by: Option<Timestamp>,
}

/// What a deployment waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateCondition {
    /// By the forecast, the protected tasks are free before the deployment's deadline.
    DeadlineMet,
    /// No task of the service has a live job.
    NoLiveJobs,
}

/// What follows the longest wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateEnd {
    /// The deployment continues.
    Continue,
    /// The deployment rolls back.
    RollBack,
}

/// What the reads said of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateState {
    /// Whether the condition holds.
    pub finding: GateFinding,
    /// When the gate must end.
    pub deadline: GateDeadline,
}

/// The deadline of the deployment or the end of the hook's own time, whichever is earlier, if one is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateDeadline {
    /// Every read that determines it succeeded.
    Read(Option<Timestamp>),
    /// A read failed, and an earlier one may have found an earlier deadline.
    Partly(Option<Timestamp>),
}

impl GateDeadline {
    /// The deadline to apply, given the one in an earlier answer.
    fn or_remembered(self, remembered: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::Read(deadline) => deadline,
            Self::Partly(deadline) => deadline.into_iter().chain(remembered).min(),
        }
    }
}

/// Whether the condition of a gate holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateFinding {
    /// It holds.
    Holds,
    /// It does not, for this reason.
    Waits(String),
    /// The reads failed, for this reason.
    Unreadable(String),
}

/// An answer, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct GateVerdict {
    /// The answer.
    pub answer: HookAnswer,
    /// Why, in words.
    pub reason: String,
}

impl GateVerdict {
    /// The deployment continues.
    pub fn continues(reason: impl Into<String>) -> Self {
        Self { answer: HookAnswer::Succeeded {}, reason: reason.into() }
    }
}

impl DeploymentGate {
    /// Reads `hookDetails.taskhold`. `None` if there is none.
    ///
    /// # Errors
    /// It cannot be used; the text says why.
    pub fn of(details: &HookDetails, now: Timestamp) -> Option<Result<Self, String>> {
        details.get(MEMBER).map(|block| Self::read(block, now))
    }

    fn read(block: &Value, now: Timestamp) -> Result<Self, String> {
        let members = block.as_object().ok_or("`hookDetails.taskhold` is no object")?;
        let until = match text(members, "until") {
            Some("deadline-met") => GateCondition::DeadlineMet,
            Some("no-live-jobs") => GateCondition::NoLiveJobs,
            _ => return Err("`until` is neither `deadline-met` nor `no-live-jobs`".to_owned()),
        };
        let then = match members.get("then") {
            None => GateEnd::Continue,
            Some(then) if then == "continue" => GateEnd::Continue,
            Some(then) if then == "rollback" => GateEnd::RollBack,
            Some(_) => return Err("`then` is neither `continue` nor `rollback`".to_owned()),
        };
        let minutes = match members.get("atMostMinutes") {
            None => MINUTES_DEFAULT,
            Some(minutes) => minutes.as_u64().ok_or("`atMostMinutes` is no whole number of minutes")?,
        };
        let minutes = i64::try_from(minutes.min(MINUTES_MAX)).unwrap_or(0);
        let waiting_since = match members.get(WAITING_SINCE) {
            None => None,
            Some(_) => Some(since(text(members, WAITING_SINCE), now)?),
        };
        let ends_by = match members.get(ENDS_BY) {
            None => None,
            Some(moment) => {
                let moment = moment.as_str().and_then(|text| text.parse().ok());
                Some(moment.ok_or_else(|| format!("`{ENDS_BY}` is no moment"))?)
            }
        };
        Ok(Self { until, at_most: SignedDuration::from_mins(minutes), then, waiting_since, ends_by })
    }
}

/// The first member of `hookDetails.taskhold` that taskhold does not know and ignores, probably misspelt.
pub fn unknown_member(details: &HookDetails) -> Option<String> {
    let members = details.get(MEMBER)?.as_object()?;
    members.keys().find(|name| !MEMBERS.contains(&name.as_str())).map(|name| shown(name))
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

fn since(text: Option<&str>, now: Timestamp) -> Result<Timestamp, String> {
    let since = text.and_then(|text| text.parse::<Timestamp>().ok());
    let since = since.filter(|since| since.duration_since(now) <= SKEW);
    since.map(|since| since.min(now)).ok_or_else(|| format!("`{WAITING_SINCE}` is no moment of the past"))
}

/// What a snapshot says of a gate's condition. A rollback is held for nothing. The snapshot has the jobs of all tasks
/// if the condition is about jobs.
pub fn gate_state(until: GateCondition, snapshot: &ServiceSnapshot, policy: &DiagnosisPolicy) -> GateState {
    if snapshot.service_deployment.as_ref().is_some_and(ServiceDeployment::is_rolling_back) {
        return GateState { finding: GateFinding::Holds, deadline: GateDeadline::Read(None) };
    }
    let diagnosis = diagnose(snapshot, Remembered::default(), policy);
    let (finding, deadline) = match (until, &diagnosis.rollout) {
        (GateCondition::NoLiveJobs, _) => {
            let has_live_jobs = |jobs: &Jobs| matches!(jobs, Jobs::Known(jobs) if !jobs.is_empty());
            let busy = snapshot.tasks.iter().filter(|task| has_live_jobs(&task.jobs) || task.rejected.is_some());
            let waits = match busy.count() {
                0 => None,
                count => Some(format!("{count} of its tasks have live jobs")),
            };
            (waits, diagnosis.deadline)
        }
        // ECS does not show the deployment yet: every task is an old one.
        (GateCondition::DeadlineMet, Rollout::None) => {
            let preflight = preflight(snapshot, policy);
            let margin = preflight.forecast.map(|forecast| preflight.deadline.margin(&forecast));
            (misses(margin), None)
        }
        (GateCondition::DeadlineMet, _) => {
            let margin = diagnosis.deadline.zip(diagnosis.forecast).map(|(deadline, by)| deadline.margin(&by));
            (misses(margin), diagnosis.deadline)
        }
    };
    let gap = snapshot.gaps.iter().find(|gap| leaves_open(until, gap, finding.as_deref()));
    let finding = match (finding, gap) {
        (_, Some(gap)) => GateFinding::Unreadable(gap.to_string()),
        (Some(waits), None) => GateFinding::Waits(waits),
        (None, None) => GateFinding::Holds,
    };
    let deployment = snapshot.service_deployment.as_ref();
    let hooks_end = deployment.and_then(|deployment| deployment.hooks_end(policy.function.as_deref()));
    let deadline = deadline.map(|deadline| deadline.at).into_iter().chain(hooks_end).min();
    let deadline = match snapshot.gaps.is_empty() && snapshot.deployment_failure.is_none() {
        true => GateDeadline::Read(deadline),
        false => GateDeadline::Partly(deadline),
    };
    GateState { finding, deadline }
}

/// Whether a failed read leaves a condition open. A condition that does not hold certainly stays so whatever else is
/// read, except that unread jobs may end long before the protection of their task.
fn leaves_open(until: GateCondition, gap: &Gap, waits_for: Option<&str>) -> bool {
    match (until, gap) {
        (GateCondition::DeadlineMet, Gap::Jobs(_)) => true,
        (GateCondition::DeadlineMet, Gap::Protection(_))
        | (_, Gap::Tasks(_) | Gap::Descriptions(_) | Gap::Jobs(_) | Gap::TooManyTasks(_)) => waits_for.is_none(),
        (GateCondition::NoLiveJobs, Gap::Protection(_))
        | (_, Gap::ServiceDeployment(_) | Gap::LifecycleStage(_) | Gap::Incidents(_)) => false,
    }
}

fn misses(margin: Option<SignedDuration>) -> Option<String> {
    let late = margin.filter(|margin| margin.is_negative())?;
    Some(format!("its protected tasks are free {} min after the deployment's deadline", -late.as_mins()))
}

/// The gate that a hook asks for.
///
/// # Errors
/// The deployment continues at once: there is no gate, it cannot be used, or the deployment is rolling back.
pub fn gate_of(input: &HookInput, now: Timestamp) -> Result<DeploymentGate, GateVerdict> {
    if input.direction == Direction::Rollback {
        return Err(GateVerdict::continues("the deployment is rolling back"));
    }
    match DeploymentGate::of(&input.details, now) {
        None => Err(GateVerdict::continues("its hookDetails ask for no gate")),
        Some(Err(problem)) => Err(GateVerdict::continues(problem)),
        Some(Ok(gate)) => Ok(gate),
    }
}

/// Answers a hook with a gate.
pub fn decide_gate(gate: &DeploymentGate, details: &HookDetails, state: &GateState, now: Timestamp) -> GateVerdict {
    let (waits, end) = match &state.finding {
        GateFinding::Holds => return GateVerdict::continues("its condition holds"),
        GateFinding::Waits(waits) => (waits, gate.then),
        // A deployment is rolled back for a state that was read, never for one that could not be read.
        GateFinding::Unreadable(gap) => (gap, GateEnd::Continue),
    };
    let since = gate.waiting_since.unwrap_or(now);
    let at_most = since.saturating_add(gate.at_most).unwrap_or(Timestamp::MAX);
    let deadline = state.deadline.or_remembered(gate.ends_by);
    let left = deadline.map_or(at_most, |deadline| deadline.min(at_most)).duration_since(now);
    if left < DELAY_MIN + MARGIN {
        let answer = match end {
            GateEnd::Continue => HookAnswer::Succeeded {},
            GateEnd::RollBack => HookAnswer::Failed {},
        };
        return GateVerdict { answer, reason: format!("its time to wait is over, and {waits}") };
    }
    // A short wait is noticed soon, and a long one costs few invocations.
    let delay = (now.duration_since(since) / 4).clamp(DELAY_MIN, DELAY_MAX).min(left - MARGIN);
    let mut details = details.clone();
    if let Some(Value::Object(block)) = details.get_mut(MEMBER) {
        block.insert(WAITING_SINCE.to_owned(), json!(since.to_string()));
        if let Some(deadline) = deadline {
            block.insert(ENDS_BY.to_owned(), json!(deadline.to_string()));
        }
    }
    let call_back_delay = u32::try_from(delay.as_secs()).unwrap_or(30);
    let answer = HookAnswer::InProgress { call_back_delay, hook_details: details };
    GateVerdict { answer, reason: format!("it waits since {}: {waits}", shown_time(since)) }
}

#[cfg(test)]
mod tests;
