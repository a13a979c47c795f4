//! Whether a rollout will meet its deadline: the times in the subject, and the cost of waiting.

use crate::notify::notification::deadline::{Likelihood, after, at_the_deadline, passed};
use crate::notify::notification::rollout::{rollout, whole_minutes};
use crate::notify::wording::{clock, span, time_from};
use crate::service::alert::{Alert, AlertKind};
use crate::service::blocking_task::BlockingTask;
use crate::service::forecast::{Deadline, ForecastBasis};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Whether a rollout will meet its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// It has no deadline, or no end is known.
    Open,
    /// It ends before its deadline, even if every protection lasts until it expires.
    InTime {
        /// The smallest margin.
        to_spare: SignedDuration,
    },
    /// It ends before its deadline if the jobs end as expected.
    Expected {
        /// By how much.
        to_spare: SignedDuration,
        /// By how much it misses the deadline if every protection lasts until it expires.
        late_by: SignedDuration,
    },
    /// It ends after its deadline.
    Late {
        /// By how much.
        by: SignedDuration,
        /// How sure that is.
        likelihood: Likelihood,
    },
    /// The deadline has passed.
    Passed,
}

/// Judges the rollout of an alert.
pub(crate) fn outlook(alert: &Alert) -> Outlook {
    let deadline = alert.diagnosis.deadline.filter(|_| alert.kind != AlertKind::ScaleInBlocked);
    let Some(deadline) = deadline else { return Outlook::Open };
    if deadline.at <= alert.at {
        return Outlook::Passed;
    }
    let Some(forecast) = alert.diagnosis.forecast else { return Outlook::Open };
    let margin = |end: Timestamp| whole_minutes(deadline.at.duration_since(end));
    let latest = margin(forecast.by_expiry);
    let (expected, likelihood) = match forecast.basis {
        ForecastBasis::Declared => (margin(forecast.by_jobs), Likelihood::Declared),
        ForecastBasis::Learned => (margin(forecast.by_jobs), Likelihood::Probable),
        ForecastBasis::Maximum => (latest, Likelihood::Possible),
    };
    let at_risk = forecast.by_risk.map(margin).filter(SignedDuration::is_negative);
    match (expected.is_negative(), at_risk) {
        (true, _) if likelihood == Likelihood::Declared => Outlook::Late { by: expected.abs(), likelihood },
        _ if forecast.is_open_ended() => Outlook::Open,
        (true, _) => Outlook::Late { by: expected.abs(), likelihood },
        (false, Some(risk)) => Outlook::Late { by: risk.abs(), likelihood: Likelihood::Possible },
        (false, None) if latest.is_negative() => Outlook::Expected { to_spare: expected, late_by: latest.abs() },
        (false, None) => Outlook::InTime { to_spare: latest },
    }
}

/// When the rollout ends, with the basis of that forecast.
pub(crate) fn ends(alert: &Alert) -> String {
    let Some(forecast) = alert.diagnosis.forecast else { return "not known.".to_owned() };
    let [by_jobs, by_expiry] = [forecast.by_jobs, forecast.by_expiry].map(|end| time_from(end, alert.at));
    match (forecast.basis, forecast.by_risk) {
        _ if forecast.is_open_ended() => format!(
            "unknown, because old tasks still take new jobs ({} since the {} began). The earliest end is {by_jobs}.",
            forecast.jobs_started,
            rollout(&alert.diagnosis.rollout)
        ),
        (ForecastBasis::Maximum, _) => {
            let of_another =
                if ends_by_another_task(alert) { ", when another protected task can stop instead" } else { "" };
            let reported = match (has_jobs(alert), overrunning(alert)) {
                (false, _) => "",
                (true, 0) => " The workers reported no expected end.",
                (true, _) => " At least one job has run past its expected end.",
            };
            format!("{by_expiry} at the latest{of_another}.{reported}")
        }
        _ if by_jobs == by_expiry => format!("{by_expiry} at the latest, when the last protection ends."),
        (ForecastBasis::Learned, Some(risk)) => {
            let [by_risk, expected] = [risk, forecast.by_jobs].map(|end| clock(end, alert.at));
            let risked = if by_risk == expected { String::new() } else { format!(" 9 in 10 end by {by_risk};") };
            format!("probably {by_jobs}, the median of earlier jobs;{risked} {by_expiry} at the latest.")
        }
        _ => format!("{by_jobs} if the jobs end as expected, {by_expiry} at the latest."),
    }
}

/// Whether the end of a scale-in is that of a protected task that it does not list: ECS may stop either.
fn ends_by_another_task(alert: &Alert) -> bool {
    let Some(forecast) = alert.diagnosis.forecast else { return false };
    let is_listed = alert.diagnosis.blocking_tasks.iter().any(|task| task.protected_until == forecast.by_expiry);
    alert.kind == AlertKind::ScaleInBlocked && forecast.by_expiry > alert.at && !is_listed
}

/// How many jobs of the blocking tasks have run longer than expected.
pub(crate) fn overrunning(alert: &Alert) -> usize {
    let jobs = alert.diagnosis.blocking_tasks.iter().flat_map(BlockingTask::jobs);
    jobs.filter(|job| job.overruns(alert.at)).count()
}

/// Whether a blocking task has jobs.
fn has_jobs(alert: &Alert) -> bool {
    alert.diagnosis.blocking_tasks.iter().any(|task| !task.jobs().is_empty())
}

/// When each deployment with blocking tasks ends at the latest, in order: ECS ends it when its last task stops.
pub(crate) fn deployment_ends(alert: &Alert) -> Vec<Timestamp> {
    let mut ends = BTreeMap::new();
    for task in &alert.diagnosis.blocking_tasks {
        let end = ends.entry(task.deployment.as_deref()).or_insert(task.protected_until);
        *end = task.protected_until.max(*end);
    }
    let mut ends: Vec<Timestamp> = ends.into_values().collect();
    ends.sort();
    ends
}

/// What happens to the rollout without any action.
pub(crate) fn consequence(alert: &Alert) -> String {
    let Some(deadline) = alert.diagnosis.deadline else {
        return "the tasks keep running, and cost money, until then.".to_owned();
    };
    let at = time_from(deadline.at, alert.at);
    match outlook(alert) {
        Outlook::Open => format!("the deadline is {at}. {}", after(deadline)),
        Outlook::InTime { to_spare } => {
            format!("the deadline, {at}, is met, with at least {} to spare.", span(to_spare))
        }
        Outlook::Expected { to_spare, late_by } => format!(
            "the deadline, {at}, is met if the jobs end as expected, with {} to spare. If they run to their latest \
             end, it is missed by {}. {}",
            span(to_spare),
            span(late_by),
            after(deadline)
        ),
        Outlook::Late { by, likelihood } => {
            let ends = match likelihood {
                Likelihood::Declared => "The jobs end",
                Likelihood::Probable => "The jobs probably end",
                Likelihood::Possible if has_jobs(alert) => "The jobs may end",
                Likelihood::Possible => "The protection may end",
            };
            format!("at {at}, {}. {ends} {} later.", at_the_deadline(deadline, likelihood), span(by))
        }
        Outlook::Passed => format!("the deadline, {at}, has passed. {}", passed(deadline)),
    }
}

/// The time that the tasks need if they miss a deadline, for a subject: `tasks need 59 min`.
pub(crate) fn needed(deadline: Deadline, by: SignedDuration, likelihood: Likelihood, now: Timestamp) -> String {
    let need = match likelihood {
        Likelihood::Declared => "need",
        Likelihood::Probable => "probably need",
        Likelihood::Possible => "may need",
    };
    format!("tasks {need} {}", span(deadline.at.duration_since(now).saturating_add(by)))
}
