//! Whether a rollout will meet its deadline: the times in the subject, and the cost of waiting.

use crate::notify::notification::rollout::{rollout, whole_minutes};
use crate::notify::wording::{clock, span, time_from};
use crate::service::alert::{Alert, AlertKind};
use crate::service::forecast::{Deadline, DeadlineSource, ForecastBasis};
use jiff::{SignedDuration, Timestamp};

/// Whether a rollout will meet its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// It has no deadline, or no end is known.
    Open,
    /// It ends before its deadline if the jobs end as expected.
    InTime {
        /// By how much.
        to_spare: SignedDuration,
        /// By how much it misses the deadline if every protection lasts until it expires.
        late_at_the_latest: Option<SignedDuration>,
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

/// How sure it is that a deadline is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likelihood {
    /// The workers say so.
    Declared,
    /// Half of the earlier jobs lasted as long.
    Probable,
    /// Few of the earlier jobs lasted as long, or only the maximum is known.
    Possible,
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
        (false, None) => {
            let late_at_the_latest = latest.is_negative().then(|| latest.abs());
            Outlook::InTime { to_spare: expected, late_at_the_latest }
        }
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
        (ForecastBasis::Maximum, _) => format!("{by_expiry} at the latest. The workers reported no expected end."),
        _ if by_jobs == by_expiry => format!("{by_expiry} at the latest, when the last protection ends."),
        (ForecastBasis::Learned, Some(risk)) => format!(
            "{by_jobs} by the median of earlier jobs, unlikely after {}, {by_expiry} at the latest.",
            clock(risk, alert.at)
        ),
        _ => format!("{by_jobs} if the jobs end as expected, {by_expiry} at the latest."),
    }
}

/// What happens to the rollout without any action.
pub(crate) fn consequence(alert: &Alert) -> String {
    let Some(deadline) = alert.diagnosis.deadline else {
        return "nothing fails. The tasks keep running, and cost money, until then.".to_owned();
    };
    let at = time_from(deadline.at, alert.at);
    match outlook(alert) {
        Outlook::Open => format!("the deadline is {at}. {}", after(deadline)),
        Outlook::InTime { to_spare, late_at_the_latest: None } => {
            format!("nothing fails: the deadline is {at}, with {} to spare.", span(to_spare))
        }
        Outlook::InTime { to_spare, late_at_the_latest: Some(late) } => format!(
            "nothing fails if the jobs end as expected: the deadline is {at}, with {} to spare. If they run to \
             their latest end, it is missed by {}. {}",
            span(to_spare),
            span(late),
            after(deadline)
        ),
        Outlook::Late { by, likelihood } => {
            let missed = match likelihood {
                Likelihood::Declared => "is missed by",
                Likelihood::Probable => "is probably missed by",
                Likelihood::Possible => "may be missed by",
            };
            format!("the deadline, {at}, {missed} {}. {}", span(by), after(deadline))
        }
        Outlook::Passed => format!("the deadline, {at}, has passed. {}", passed(deadline)),
    }
}

/// What happens at the deadline.
fn after(deadline: Deadline) -> &'static str {
    match deadline.source {
        DeadlineSource::CloudFormation => "CloudFormation then fails the update and rolls it back.",
        DeadlineSource::LifecycleStage => "ECS then ends the lifecycle stage, after its 24 hours.",
        DeadlineSource::CleanUp => "AWS does not document what ECS then does with the old tasks.",
        DeadlineSource::Tag | DeadlineSource::Setting => "The deployment tool may then give up.",
    }
}

/// What has happened since the deadline.
fn passed(deadline: Deadline) -> &'static str {
    match deadline.source {
        DeadlineSource::CloudFormation => "CloudFormation fails the update and rolls it back.",
        DeadlineSource::LifecycleStage => "ECS ends the lifecycle stage.",
        DeadlineSource::CleanUp => "AWS does not document what ECS now does with the old tasks.",
        DeadlineSource::Tag | DeadlineSource::Setting => "The deployment tool may have given up.",
    }
}

/// A deadline that is missed, for a subject: `CloudFormation rolls back in 36 min, tasks need 59 min`.
pub(crate) fn late(deadline: Deadline, by: SignedDuration, likelihood: Likelihood, now: Timestamp) -> String {
    let left = deadline.at.duration_since(now);
    let what = match deadline.source {
        DeadlineSource::CloudFormation => "CloudFormation rolls back",
        DeadlineSource::LifecycleStage => "ECS ends its stage",
        DeadlineSource::CleanUp => "clean-up ends",
        DeadlineSource::Tag | DeadlineSource::Setting => "deadline",
    };
    let need = match likelihood {
        Likelihood::Declared => "need",
        Likelihood::Probable | Likelihood::Possible => "may need",
    };
    format!("{what} in {}, tasks {need} {}", span(left), span(left.saturating_add(by)))
}
