//! The custom notification that Amazon Q Developer (formerly AWS Chatbot) shows in Slack and Teams. It silently drops
//! one that does not match its schema (aws-facts "SNS and chat").
//!
//! Markdown is the client's own, and Slack's differs from Teams'. The text therefore uses no markup but code spans, and
//! a span contains no character that either client could take for markup. Text from a worker never leaves its span.

pub mod form;
pub mod refused;
pub mod span;

use crate::ecs::arn::Task;
use crate::notify::actions::commands;
use crate::notify::chat::form::Form;
use crate::notify::chat::span::{code, is_safe_in_code};
use crate::notify::email::{subject, suggested_action};
use crate::notify::refused::{
    general_suggested_actions, is_about as is_about_refused, is_lost, other_blocking_tasks, outlook,
};
use crate::notify::words::{
    blocking_heading, count, margin_in_words, meaning, names, passed, phrase, since, time, time_from,
};
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::service::diagnosis::{BlockingTask, DEPLOYMENTS_MAX, ProtectedFor};
use crate::service::forecast::longest_first;
use crate::service::snapshot::JobSnapshot;
use crate::service::suggested_action::SuggestedAction;
use crate::service::tags::TagProblem;

use jiff::Timestamp;
use serde_json::{Value, json};

// The limits of "Custom notifications using Amazon Q Developer in chat applications" in its administrator guide.
/// For `content.title`.
pub const TITLE_CHARS_MAX: usize = 250;
/// For `content.description`.
pub const DESCRIPTION_CHARS_MAX: usize = 8000;
/// For each of `content.nextSteps`.
pub const NEXT_STEP_CHARS_MAX: usize = 350;
/// For each of `content.keywords`.
pub const KEYWORD_CHARS_MAX: usize = 75;

/// Maximum number of blocking tasks in a chat message; the email has more.
pub const BLOCKING_TASKS_SHOWN_MAX: usize = 5;
/// Maximum number of refused tasks.
pub const REFUSED_SHOWN_MAX: usize = 5;
/// Maximum number of blocking tasks beside refused tasks.
pub const BLOCKING_TASKS_BESIDE_SHOWN_MAX: usize = 3;
/// Maximum number of jobs of one task.
pub const JOBS_SHOWN_MAX: usize = 3;
/// Maximum number of failed reads.
pub const GAPS_SHOWN_MAX: usize = 3;
/// Maximum number of tags that taskhold ignores.
pub const TAG_PROBLEMS_SHOWN_MAX: usize = 3;
/// For the names of service and cluster together.
pub(crate) const NAMES_CHARS_MAX: usize = 120;
/// For ids of jobs and deployments.
const ID_CHARS_MAX: usize = 48;
/// For ids of tasks, including those in the old format.
const TASK_ID_CHARS: usize = 36;
/// For all labels of one job together.
const LABELS_CHARS_MAX: usize = 48;
/// For one failed read.
const GAP_CHARS_MAX: usize = 160;
/// For a tag's key, and for its value.
const TAG_CHARS_MAX: usize = 64;

/// The notification as JSON.
pub fn message(alert: &Alert) -> String {
    let steps = alert
        .diagnosis
        .suggested_actions
        .iter()
        .map(|way| next_step(way, alert))
        .chain(general_suggested_actions(alert));
    let form = Form {
        incident: &alert.incident,
        kind: alert.kind,
        event: alert.event,
        at: alert.at,
        title: title(alert),
        description: description(alert),
        next_steps: if alert.event == Transition::Resolved { Vec::new() } else { steps.collect() },
        summary: subject(alert),
        resources: related_resources(alert),
        context: additional_context(alert),
    };
    form.text()
}

fn title(alert: &Alert) -> String {
    let sign = match (alert.event, alert.kind) {
        (Transition::Resolved, _) if !is_lost(alert) => "🟢",
        (_, AlertKind::JobInterrupted | AlertKind::DeploymentBlocked | AlertKind::ProtectionRefused)
        | (Transition::Escalated | Transition::Resolved, _) => "🔴",
        (_, AlertKind::DeploymentAtRisk | AlertKind::ProtectionExpiring) => "🟠",
        (_, AlertKind::TooManyDeployments | AlertKind::OrphanedProtection) => "🟡",
    };
    let (service, cluster) = names(alert, NAMES_CHARS_MAX);
    format!("{sign} {} ({}): {}", code(&service, NAMES_CHARS_MAX), code(&cluster, NAMES_CHARS_MAX), phrase(alert))
}

fn description(alert: &Alert) -> Vec<String> {
    let diagnosis = &alert.diagnosis;
    let mut lines = vec![since(alert)];
    lines.extend(passed(alert));
    if alert.event != Transition::Resolved {
        lines.push(meaning(alert).to_owned());
        if is_about_refused(alert.kind) {
            lines.extend(refused::section(alert));
            lines.extend(blocking_tasks(alert));
            lines.push(outlook(alert));
        } else {
            lines.extend(forecast(alert));
            lines.extend(blocking_tasks(alert));
        }
        let numbers = &diagnosis.task_counts;
        lines.push(format!(
            "{} desired, min {}, max {}, room for {} new; {} of {DEPLOYMENTS_MAX} deployments.",
            numbers.desired, numbers.lower_bound, numbers.upper_bound, numbers.room, numbers.deployments
        ));
        lines.extend(tag_problems(alert));
    }
    lines.extend(gaps(alert));
    lines
}

/// When the rollout can finish, compared with its deadline.
fn forecast(alert: &Alert) -> Vec<String> {
    let over = alert.diagnosis.forecast.map(|forecast| {
        let (expected, worst) = (time_from(forecast.by_jobs, alert.at), time_from(forecast.by_expiry, alert.at));
        format!("Ends at the earliest {expected} if the jobs end as expected, {worst} by expiry.")
    });
    over.into_iter().chain(margin_in_words(&alert.diagnosis)).collect()
}

fn blocking_tasks(alert: &Alert) -> Vec<String> {
    let blocking_tasks = other_blocking_tasks(alert);
    let shown_max =
        if is_about_refused(alert.kind) { BLOCKING_TASKS_BESIDE_SHOWN_MAX } else { BLOCKING_TASKS_SHOWN_MAX };
    if blocking_tasks.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![blocking_heading(alert)];
    lines.extend(blocking_tasks.iter().take(shown_max).map(|one| blocking_task(one, alert.at)));
    if blocking_tasks.len() > shown_max {
        lines.push(format!("• and {}", count(blocking_tasks.len() - shown_max, "more task")));
    }
    lines
}

fn blocking_task(blocking_task: &BlockingTask, now: Timestamp) -> String {
    let of = blocking_task.deployment.as_deref().map_or(String::new(), |id| format!(" of {}", code(id, ID_CHARS_MAX)));
    let who = match &blocking_task.protected_for {
        ProtectedFor::NoJob => "idle: its jobs have ended".to_owned(),
        ProtectedFor::Foreign => "foreign, not protected by taskhold".to_owned(),
        ProtectedFor::Unknown => "taskhold could not read its jobs".to_owned(),
        ProtectedFor::Jobs(jobs) => {
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
        code(blocking_task.task.as_str(), TASK_ID_CHARS),
        time_from(blocking_task.protected_until, now)
    )
}

/// A job with its labels.
pub(crate) fn job(job: &JobSnapshot) -> String {
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
        format!("The service's tag {tag} is {value} and is ignored: it {}.", problem.fault)
    };
    let mut lines: Vec<String> = problems.iter().take(TAG_PROBLEMS_SHOWN_MAX).map(one).collect();
    if problems.len() > TAG_PROBLEMS_SHOWN_MAX {
        lines.push(format!("{} ignored.", count(problems.len() - TAG_PROBLEMS_SHOWN_MAX, "more tag")));
    }
    lines
}

fn gaps(alert: &Alert) -> Vec<String> {
    let gaps = &alert.diagnosis.gaps;
    let mut lines: Vec<String> = gaps
        .iter()
        .take(GAPS_SHOWN_MAX)
        .map(|gap| format!("Could not be read: {}", code(&gap.replace('`', "'"), GAP_CHARS_MAX)))
        .collect();
    if gaps.len() > GAPS_SHOWN_MAX {
        lines.push(format!("and {} more that could not be read.", gaps.len() - GAPS_SHOWN_MAX));
    }
    lines
}

fn next_step(way: &SuggestedAction, alert: &Alert) -> String {
    with_first_command(&suggested_action(way, alert), commands(way), "the email and the status command have")
}

/// The text with its first command, if the command fits whole and is safe in a code span; otherwise with a reference to
/// where the command is. A command is never altered.
pub(crate) fn with_first_command(words: &str, commands: &[String], others_have: &str) -> String {
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
    let tasks = alert.diagnosis.blocking_tasks.iter().take(BLOCKING_TASKS_SHOWN_MAX);
    let tasks =
        tasks.map(|blocking_task| Task { cluster: cluster.clone(), id: blocking_task.task.clone() }.to_string());
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
        "since": crate::text::shown_time(alert.since),
        "blockingTasks": diagnosis.blocking_tasks.len().to_string(),
    });
    if let Some(deadline) = diagnosis.deadline {
        context["deadline"] = json!(crate::text::shown_time(deadline.at));
    }
    context
}
