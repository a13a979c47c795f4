//! Phrases that email and chat share: times, durations, names, and the one-line summary of an alert.
//!
//! Text from workers, tags and errors always passes through `escaped`: it is data, and can end neither a line nor a
//! quotation.

use crate::notify::refused;
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::service::diagnosis::{DEPLOYMENTS_MAX, Diagnosis};
use crate::service::forecast::{DEADLINE_TAG, Deadline, DeadlineSource};
use crate::service::rollout::Rollout;
use crate::text::escaped;
use jiff::{SignedDuration, Timestamp};

/// A moment, such as `2026-01-05 10:30 UTC`.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A moment for a reader on the day of `now`: the date is left out if it is the same.
pub(crate) fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    if day(at) == day(now) { at.strftime("%H:%M UTC").to_string() } else { time(at) }
}

/// A moment and its distance from `now`, such as `2026-01-05 10:30 UTC (in 42 minutes)`.
pub(crate) fn time_from(at: Timestamp, now: Timestamp) -> String {
    let away = at.duration_since(now);
    let when = match away.as_secs() {
        60.. => format!("in {}", span(away)),
        ..=-60 => format!("{} ago", span(away)),
        _ => "now".to_owned(),
    };
    format!("{} ({when})", time(at))
}

/// A duration without its sign, in readable units such as `2 h 18 min`.
pub(crate) fn span(duration: SignedDuration) -> String {
    let minutes = duration.as_secs().unsigned_abs() / 60;
    let (hours, days) = (minutes / 60, minutes / (24 * 60));
    match minutes {
        0 => "less than a minute".to_owned(),
        1 => "1 minute".to_owned(),
        2..120 => format!("{minutes} minutes"),
        120..2880 if minutes.is_multiple_of(60) => format!("{hours} h"),
        120..2880 => format!("{hours} h {} min", minutes % 60),
        _ if hours.is_multiple_of(24) => format!("{days} days"),
        _ => format!("{days} days {} h", hours % 24),
    }
}

/// A number of things, such as `1 task` or `2 tasks`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// The characters of service and cluster names.
pub(crate) fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// The names of service and cluster, shortened to fit into `room` characters together.
pub(crate) fn names(alert: &Alert, room: usize) -> (String, String) {
    names_within((&alert.service.name, &alert.service.cluster.name), room)
}

/// Like [`names`], for the given service and cluster names.
pub(crate) fn names_within((service, cluster): (&str, &str), room: usize) -> (String, String) {
    let whole = |name: &str| escaped(name, usize::MAX, is_of_a_name).len();
    // A short cluster name leaves its space to the service name, and vice versa.
    let for_cluster = whole(cluster).min((room / 3).max(room.saturating_sub(whole(service))));
    (escaped(service, room.saturating_sub(for_cluster), is_of_a_name), escaped(cluster, for_cluster, is_of_a_name))
}

/// The severity in one word.
pub(crate) fn word(event: Transition, kind: AlertKind) -> &'static str {
    match (event, kind) {
        (Transition::Resolved, _) => "RESOLVED",
        (_, AlertKind::DeploymentBlocked) => "BLOCKED",
        (_, AlertKind::DeploymentAtRisk) => "AT RISK",
        (_, AlertKind::ProtectionRefused) => "REFUSED",
        (_, AlertKind::ProtectionExpiring) => "EXPIRING",
        (_, AlertKind::TooManyDeployments) => "LIMIT",
        (_, AlertKind::OrphanedProtection) => "ORPHANED",
        (_, AlertKind::JobInterrupted) => "INTERRUPTED",
    }
}

/// The kind of rollout.
pub(crate) fn rollout(rollout: &Rollout) -> &'static str {
    match rollout {
        Rollout::None | Rollout::Deployment { .. } => "deployment",
        Rollout::TaskSet { .. } => "task set change",
        Rollout::ScaleIn { .. } => "scale-in",
    }
}

/// The heading above the blocking tasks, some of which may be listed already.
pub(crate) fn blocking_heading(alert: &Alert) -> String {
    let none_listed_before = refused::other_blocking_tasks(alert).len() == alert.diagnosis.blocking_tasks.len();
    let begin = if none_listed_before { "Tasks that block" } else { "Other tasks that block" };
    format!("{begin} its {}, longest first:", rollout(&alert.diagnosis.rollout))
}

/// The problem of the service in ASCII and at most about 60 characters.
pub(crate) fn phrase(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let moving = rollout(&diagnosis.rollout);
    let still = if alert.event == Transition::Opened { "" } else { "still " };
    let deployments = format!("{} of {DEPLOYMENTS_MAX} deployments", diagnosis.task_counts.deployments);
    if alert.event == Transition::Resolved {
        return match alert.kind {
            AlertKind::DeploymentBlocked => "protected tasks no longer block it".to_owned(),
            AlertKind::DeploymentAtRisk => "it is no longer about to miss its deadline".to_owned(),
            AlertKind::ProtectionRefused | AlertKind::ProtectionExpiring => refused::phrase(alert),
            AlertKind::TooManyDeployments => format!("it can be deployed again, {deployments} used"),
            AlertKind::OrphanedProtection => "every protected task has a job again".to_owned(),
            AlertKind::JobInterrupted => "its interrupted jobs have been reported".to_owned(),
        };
    }
    match alert.kind {
        AlertKind::DeploymentBlocked if diagnosis.blocking_tasks.is_empty() => {
            format!("protected tasks {still}block its {moving}")
        }
        AlertKind::DeploymentBlocked => {
            let blocks = if diagnosis.blocking_tasks.len() == 1 { "blocks" } else { "block" };
            format!("{} {still}{blocks} its {moving}", count(diagnosis.blocking_tasks.len(), "protected task"))
        }
        AlertKind::DeploymentAtRisk => match (diagnosis.deadline, margin(diagnosis)) {
            (Some(deadline), _) if deadline.at <= alert.at => format!("its {moving} has missed its deadline"),
            (_, Some(margin)) if margin.is_negative() => {
                format!("its {moving} will {still}miss its deadline by {}", span(whole_minutes(margin)))
            }
            _ => format!("its {moving} may {still}miss its deadline"),
        },
        AlertKind::ProtectionRefused | AlertKind::ProtectionExpiring => refused::phrase(alert),
        AlertKind::TooManyDeployments => format!("{still}{deployments} in progress"),
        AlertKind::OrphanedProtection => format!("tasks {still}protected though their jobs have ended"),
        AlertKind::JobInterrupted => "a task stopped while its jobs were running".to_owned(),
    }
}

/// When the problem began, and the deadline.
pub(crate) fn since(alert: &Alert) -> String {
    let (at, diagnosis) = (alert.at, &alert.diagnosis);
    if alert.event == Transition::Resolved {
        let lasted = span(at.duration_since(alert.since));
        return format!("It lasted {lasted}: from {} to {}.", time(alert.since), time(at));
    }
    let begun = if alert.kind == AlertKind::DeploymentAtRisk { "Started" } else { "Since" };
    let since = format!("{begun} {}.", time_from(alert.since, at));
    match diagnosis.deadline {
        // The deadline is the rollout's, not the refusal's.
        Some(deadline) if refused::is_about(alert.kind) => {
            let must = if deadline.at < at { "was due" } else { "must end" };
            format!("{since} Its {} {must} by {}.", rollout(&diagnosis.rollout), time_from(deadline.at, at))
        }
        Some(deadline) if deadline.at < at => format!("{since} Was due by {}.", time_from(deadline.at, at)),
        Some(deadline) => format!("{since} Must end by {}.", time_from(deadline.at, at)),
        None => since,
    }
}

/// The percentage of the time to the deadline that has passed. `None` unless the alert escalates because of it.
pub(crate) fn passed(alert: &Alert) -> Option<String> {
    let (started_at, deadline) = (alert.diagnosis.rollout.started_at()?, alert.diagnosis.deadline?);
    let whole = deadline.at.duration_since(started_at).as_secs().max(1);
    let percent = alert.at.duration_since(started_at).as_secs().max(0).saturating_mul(100) / whole;
    let told = alert.event == Transition::Escalated && percent < 100;
    told.then(|| format!("{percent} % of the time to its deadline has passed."))
}

/// The consequences, and what to avoid.
pub(crate) fn meaning(alert: &Alert) -> &'static str {
    match alert.kind {
        AlertKind::DeploymentBlocked => {
            "ECS stops no protected task, and may refuse to protect further ones until this is over."
        }
        AlertKind::DeploymentAtRisk if alert.diagnosis.deadline.is_some_and(|deadline| deadline.at <= alert.at) => {
            "The tool that waited for it may have given up or rolled it back."
        }
        AlertKind::DeploymentAtRisk => "It has not failed yet: there is still time to act.",
        AlertKind::ProtectionRefused => {
            "ECS refuses protection while protected tasks block a deployment or scale-in. Until ECS grants it, a \
             task may be stopped in the middle of its jobs."
        }
        AlertKind::ProtectionExpiring => {
            "ECS refuses to renew. When a protection ends, its task may be stopped in the middle of its jobs."
        }
        AlertKind::TooManyDeployments => "ECS refuses a deployment beyond 5: start none before one of these has ended.",
        AlertKind::OrphanedProtection => {
            "No job needs these protections. They will block the next deployment or scale-in until they expire."
        }
        AlertKind::JobInterrupted => "Its running jobs ended with it.",
    }
}

/// The time between the expected finish and the deadline.
pub(crate) fn margin(diagnosis: &Diagnosis) -> Option<SignedDuration> {
    Some(diagnosis.deadline?.margin(diagnosis.forecast.as_ref()?))
}

/// Both forecasts compared with the deadline.
pub(crate) fn margin_in_words(diagnosis: &Diagnosis) -> Option<String> {
    let (deadline, forecast) = (diagnosis.deadline?, diagnosis.forecast?);
    let at_worst = deadline.at.duration_since(forecast.by_expiry);
    let expected = deadline.margin(&forecast);
    let side = |margin: SignedDuration| {
        let side = if margin.is_negative() { "after" } else { "before" };
        format!("{} {side}", span(whole_minutes(margin)))
    };
    Some(match (expected.is_negative(), at_worst.is_negative()) {
        (true, _) => format!("That is {} the deadline: it will be missed.", side(expected)),
        (false, true) => format!(
            "That is {} the deadline if the jobs end as expected, but {} it if they last.",
            side(expected),
            side(at_worst)
        ),
        (false, false) if expected == at_worst => format!("That is {} the deadline.", side(expected)),
        (false, false) => format!("That is {} the deadline, at worst {} it.", side(expected), side(at_worst)),
    })
}

/// The source of the deadline, and what happens then.
pub(crate) fn deadline_source(deadline: &Deadline) -> String {
    match deadline.source {
        DeadlineSource::CloudFormation => {
            "The deadline is CloudFormation's: after three hours it fails and rolls back.".to_owned()
        }
        DeadlineSource::Tag => format!("The deadline is the service's own (tag {DEADLINE_TAG})."),
        DeadlineSource::Setting => "The deadline is taskhold's setting.".to_owned(),
    }
}

/// Rounded down like `marginMinutes`: a deadline missed by seconds is missed by a minute.
fn whole_minutes(margin: SignedDuration) -> SignedDuration {
    SignedDuration::from_mins(margin.as_secs().div_euclid(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_readable_units() {
        let told = |minutes: i64| span(SignedDuration::from_mins(minutes));
        assert_eq!([0, 1, -42, 119].map(told), ["less than a minute", "1 minute", "42 minutes", "119 minutes"]);
        assert_eq!(
            [120, 138, 2879, 2880, 5000].map(told),
            ["2 h", "2 h 18 min", "47 h 59 min", "2 days", "3 days 11 h"]
        );
    }
}
