//! The form that Amazon Q Developer (once AWS Chatbot) shows in Slack and Teams, and drops silently if anything in it is
//! not as it wants it (aws-facts "SNS and chat").
//!
//! Markdown is the client's own, and Slack's and Teams' differ; so nothing here is markup but code spans, and what stands in
//! them is free of every character that either could take for markup. No text of a worker's gets out of its span.

mod form;
mod span;
mod unmet;

pub(super) use form::Form;
pub(super) use span::{code, is_safe_in_code};

use super::mail::{commands, subject, way_out};
use super::unmet::{general_ways_out, hope, is_about as is_about_unmet, is_lost, others_in_the_way};
use super::words::{
    count, in_the_way_heading, margin_in_words, meaning, names, passed, phrase, since, time, time_from,
};
use super::{Alert, AlertEvent, AlertKind};
use crate::decide::diagnose::{Blocker, DEPLOYMENTS_MAX, HeldFor, TagProblem, WayOut, longest_first};
use crate::ecs::Task;
use crate::observe::ObservedJob;
use jiff::Timestamp;
use serde_json::{Value, json};

// The limits of "Custom notifications using Amazon Q Developer in chat applications" in its administrator guide.
/// Of `content.title`.
pub const TITLE_CHARS_MAX: usize = 250;
/// Of `content.description`.
pub const DESCRIPTION_CHARS_MAX: usize = 8000;
/// Of each of `content.nextSteps`.
pub const NEXT_STEP_CHARS_MAX: usize = 350;
/// Of each of `content.keywords`.
pub const KEYWORD_CHARS_MAX: usize = 75;

/// A chat shows who is in the way first; the mail has more.
pub const BLOCKERS_SHOWN_MAX: usize = 5;
/// Tasks that ECS refused.
pub const UNMET_SHOWN_MAX: usize = 5;
/// Blockers beside tasks that ECS refused.
pub const BLOCKERS_BESIDE_SHOWN_MAX: usize = 3;
/// Jobs of one task.
pub const JOBS_SHOWN_MAX: usize = 3;
/// Reasons why something could not be seen.
pub const GAPS_SHOWN_MAX: usize = 3;
/// Tags that count for nothing.
pub const TAG_PROBLEMS_SHOWN_MAX: usize = 3;
/// Names of service and cluster together.
pub(super) const NAMES_CHARS_MAX: usize = 120;
/// Ids of jobs and deployments.
const ID_CHARS_MAX: usize = 48;
/// Ids of tasks, those of the old format too.
const TASK_ID_CHARS: usize = 36;
/// All labels of a job together.
const LABELS_CHARS_MAX: usize = 48;
/// A reason why something could not be seen.
const GAP_CHARS_MAX: usize = 160;
/// A tag, and its value.
const TAG_CHARS_MAX: usize = 64;

/// The JSON as text.
pub fn message(alert: &Alert) -> String {
    let steps = alert.diagnosis.ways_out.iter().map(|way| next_step(way, alert)).chain(general_ways_out(alert));
    let form = Form {
        incident: &alert.incident,
        kind: alert.kind,
        event: alert.event,
        at: alert.at,
        title: title(alert),
        description: description(alert),
        next_steps: if alert.event == AlertEvent::Resolved { Vec::new() } else { steps.collect() },
        summary: subject(alert),
        resources: related_resources(alert),
        context: additional_context(alert),
    };
    form.text()
}

fn title(alert: &Alert) -> String {
    let sign = match (alert.event, alert.kind) {
        (AlertEvent::Resolved, _) if !is_lost(alert) => "🟢",
        (_, AlertKind::JobInterrupted | AlertKind::DeploymentBlocked | AlertKind::ProtectionRefused)
        | (AlertEvent::Escalated | AlertEvent::Resolved, _) => "🔴",
        (_, AlertKind::DeploymentAtRisk | AlertKind::LeaseAtRisk) => "🟠",
        (_, AlertKind::DeploymentPileup | AlertKind::OrphanedProtection) => "🟡",
    };
    let (service, cluster) = names(alert, NAMES_CHARS_MAX);
    format!("{sign} {} ({}): {}", code(&service, NAMES_CHARS_MAX), code(&cluster, NAMES_CHARS_MAX), phrase(alert))
}

fn description(alert: &Alert) -> Vec<String> {
    let diagnosis = &alert.diagnosis;
    let mut lines = vec![since(alert)];
    lines.extend(passed(alert));
    if alert.event != AlertEvent::Resolved {
        lines.push(meaning(alert).to_owned());
        if is_about_unmet(alert.kind) {
            lines.extend(unmet::section(alert));
            lines.extend(blockers(alert));
            lines.push(hope(alert));
        } else {
            lines.extend(forecast(alert));
            lines.extend(blockers(alert));
        }
        let numbers = &diagnosis.arithmetic;
        lines.push(format!(
            "{} desired, min {}, max {}, room for {} new; {} of {DEPLOYMENTS_MAX} deployments.",
            numbers.desired, numbers.lower_bound, numbers.upper_bound, numbers.room, numbers.deployments
        ));
        lines.extend(tag_problems(alert));
    }
    lines.extend(gaps(alert));
    lines
}

/// When the movement can be over, and what that is against its deadline.
fn forecast(alert: &Alert) -> Vec<String> {
    let over = alert.diagnosis.finish.map(|finish| {
        let (expected, worst) = (time_from(finish.by_jobs, alert.at), time_from(finish.by_expiry, alert.at));
        format!("Over at the earliest {expected} if the jobs end as expected, {worst} by expiry.")
    });
    over.into_iter().chain(margin_in_words(&alert.diagnosis)).collect()
}

fn blockers(alert: &Alert) -> Vec<String> {
    let blockers = others_in_the_way(alert);
    let shown_max = if is_about_unmet(alert.kind) { BLOCKERS_BESIDE_SHOWN_MAX } else { BLOCKERS_SHOWN_MAX };
    if blockers.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![in_the_way_heading(alert)];
    lines.extend(blockers.iter().take(shown_max).map(|one| blocker(one, alert.at)));
    if blockers.len() > shown_max {
        lines.push(format!("• and {}", count(blockers.len() - shown_max, "more task")));
    }
    lines
}

fn blocker(blocker: &Blocker, now: Timestamp) -> String {
    let of = blocker.deployment.as_deref().map_or(String::new(), |id| format!(" of {}", code(id, ID_CHARS_MAX)));
    let who = match &blocker.held_for {
        HeldFor::Nobody => "for nobody, its jobs have ended".to_owned(),
        HeldFor::Foreign => "foreign, not protected by taskhold".to_owned(),
        HeldFor::Unread => "by whom could not be read".to_owned(),
        HeldFor::Jobs(jobs) => {
            let mut shown = Vec::new();
            for job in longest_first(jobs).into_iter().take(JOBS_SHOWN_MAX) {
                let attempt =
                    if job.key.attempt == 1 { String::new() } else { format!(" attempt {}", job.key.attempt) };
                let end = match job.expected_until {
                    Some(expected) => format!("expected {}", time(expected)),
                    None => format!("until {}", time(job.until)),
                };
                shown.push(format!("{}{attempt} {end}", code(&job.key.job_id, ID_CHARS_MAX)));
            }
            if jobs.len() > JOBS_SHOWN_MAX {
                shown.push(format!("and {}", count(jobs.len() - JOBS_SHOWN_MAX, "more job")));
            }
            format!("for {}", shown.join(", "))
        }
    };
    format!(
        "• {}{of}, protected until {}, {who}",
        code(blocker.task.as_str(), TASK_ID_CHARS),
        time_from(blocker.protected_until, now)
    )
}

/// A job, with its labels.
pub(super) fn job(job: &ObservedJob) -> String {
    let attempt = if job.key.attempt == 1 { String::new() } else { format!(" attempt {}", job.key.attempt) };
    let labels: Vec<String> = job.labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let labels =
        if labels.is_empty() { String::new() } else { format!(" {}", code(&labels.join(", "), LABELS_CHARS_MAX)) };
    format!("{}{attempt}{labels} until {}", code(&job.key.job_id, ID_CHARS_MAX), time(job.until))
}

fn tag_problems(alert: &Alert) -> Vec<String> {
    let problems = &alert.diagnosis.tag_problems;
    let one = |problem: &TagProblem| {
        let (tag, value) = (code(&problem.tag, TAG_CHARS_MAX), code(&problem.value, TAG_CHARS_MAX));
        format!("The service's tag {tag} is {value} and is passed over: it {}.", problem.fault)
    };
    let mut lines: Vec<String> = problems.iter().take(TAG_PROBLEMS_SHOWN_MAX).map(one).collect();
    if problems.len() > TAG_PROBLEMS_SHOWN_MAX {
        lines.push(format!("{} passed over.", count(problems.len() - TAG_PROBLEMS_SHOWN_MAX, "more tag")));
    }
    lines
}

fn gaps(alert: &Alert) -> Vec<String> {
    let gaps = &alert.diagnosis.gaps;
    let mut lines: Vec<String> = gaps
        .iter()
        .take(GAPS_SHOWN_MAX)
        .map(|gap| format!("Could not be seen: {}", code(&gap.replace('`', "'"), GAP_CHARS_MAX)))
        .collect();
    if gaps.len() > GAPS_SHOWN_MAX {
        lines.push(format!("and {} more that could not be seen.", gaps.len() - GAPS_SHOWN_MAX));
    }
    lines
}

fn next_step(way: &WayOut, alert: &Alert) -> String {
    with_first_command(&way_out(way, alert), commands(way), "the mail and the status command have")
}

/// What to do, and the first command if it fits whole and is safe in a code span, else who has it. A command is never altered.
pub(super) fn with_first_command(words: &str, commands: &[String], others_have: &str) -> String {
    let Some(first) = commands.first() else { return words.to_owned() };
    let more = match commands.len() {
        1 => String::new(),
        many => format!(" and {} of this form", count(many - 1, "more command")),
    };
    let step = format!("{words} `{first}`{more}");
    if first.chars().all(is_safe_in_code) && step.chars().count() <= NEXT_STEP_CHARS_MAX {
        return step;
    }
    format!("{} ({others_have} the command)", words.trim_end_matches(':'))
}

fn related_resources(alert: &Alert) -> Vec<String> {
    let cluster = &alert.service.cluster;
    let tasks = alert.diagnosis.blockers.iter().take(BLOCKERS_SHOWN_MAX);
    let tasks = tasks.map(|blocker| Task { cluster: cluster.clone(), id: blocker.task.clone() }.to_string());
    std::iter::once(alert.service.to_string()).chain(tasks).collect()
}

fn additional_context(alert: &Alert) -> Value {
    let diagnosis = &alert.diagnosis;
    let mut context = json!({
        "event": alert.event.as_str(),
        "service": alert.service.name,
        "cluster": alert.service.cluster.name,
        "region": alert.service.cluster.region,
        "account": alert.service.cluster.account,
        "since": crate::telemetry::shown(alert.since),
        "blockers": diagnosis.blockers.len().to_string(),
    });
    if let Some(deadline) = diagnosis.deadline {
        context["deadline"] = json!(crate::telemetry::shown(deadline.at));
    }
    context
}
