//! The form that Amazon Q Developer (once AWS Chatbot) shows in Slack and Teams, and drops silently if anything in it is
//! not as it wants it (aws-facts "SNS and chat").
//!
//! Markdown is the client's own, and Slack's and Teams' differ; so nothing here is markup but code spans, and what stands in
//! them is free of every character that either could take for markup. No text of a worker's gets out of its span.

use super::machine::sendable;
use super::mail::{commands, subject, way_out};
use super::words::{count, margin_in_words, meaning, movement, names, passed, phrase, since, time, time_from};
use super::{Alert, AlertEvent, AlertKind};
use crate::data::{escaped, is_printable};
use crate::decide::diagnose::{Blocker, DEPLOYMENTS_MAX, HeldFor, TagProblem, WayOut, longest_first};
use crate::ecs::Task;
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
/// Jobs of one blocker.
pub const JOBS_SHOWN_MAX: usize = 3;
/// Reasons why something could not be seen.
pub const GAPS_SHOWN_MAX: usize = 3;
/// Tags that count for nothing.
pub const TAG_PROBLEMS_SHOWN_MAX: usize = 3;
/// Names of service and cluster together.
const NAMES_CHARS_MAX: usize = 120;
/// Ids of jobs and deployments.
const ID_CHARS_MAX: usize = 48;
/// A reason why something could not be seen.
const GAP_CHARS_MAX: usize = 160;
/// A tag, and its value.
const TAG_CHARS_MAX: usize = 64;
/// An event's id names it to people alone.
const EVENT_ID_CHARS_MAX: usize = 200;

/// The JSON as text. `threadId` is the incident, so that all that is told of it stands in one thread.
pub fn message(alert: &Alert) -> String {
    let mut content = json!({
        "textType": "client-markdown",
        "title": title(alert),
        "description": description(alert),
        "keywords": ["taskhold", alert.kind.as_str(), alert.event.as_str()],
    });
    if alert.event != AlertEvent::Resolved && !alert.diagnosis.ways_out.is_empty() {
        content["nextSteps"] = alert.diagnosis.ways_out.iter().map(|way| next_step(way, alert.at)).collect();
    }
    let id = format!("{}/{}/{}", alert.incident, alert.event.as_str(), alert.at.as_second());
    let message = json!({
        "version": "1.0",
        "source": "custom",
        "id": escaped(&id, EVENT_ID_CHARS_MAX, is_printable),
        "content": content,
        "metadata": {
            "threadId": alert.incident,
            "summary": subject(alert),
            "eventType": alert.kind.as_str(),
            "relatedResources": related_resources(alert),
            "additionalContext": additional_context(alert),
        },
    });
    sendable(&message.to_string())
}

fn title(alert: &Alert) -> String {
    let sign = match (alert.event, alert.kind) {
        (AlertEvent::Resolved, _) => "🟢",
        (_, AlertKind::DeploymentBlocked | AlertKind::ProtectionRefused) | (AlertEvent::Escalated, _) => "🔴",
        (_, AlertKind::DeploymentAtRisk | AlertKind::LeaseAtRisk) => "🟠",
        (_, AlertKind::DeploymentPileup | AlertKind::OrphanedProtection) => "🟡",
    };
    let (service, cluster) = names(alert, NAMES_CHARS_MAX);
    format!("{sign} {} ({}): {}", code(&service, NAMES_CHARS_MAX), code(&cluster, NAMES_CHARS_MAX), phrase(alert))
}

fn description(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let mut lines = vec![since(alert)];
    lines.extend(passed(alert));
    if alert.event != AlertEvent::Resolved {
        lines.push(meaning(alert).to_owned());
        if let Some(finish) = diagnosis.finish {
            let (expected, worst) = (time_from(finish.by_jobs, alert.at), time_from(finish.by_expiry, alert.at));
            lines.push(format!("Over at the earliest {expected} if the jobs end as expected, {worst} by expiry."));
        }
        lines.extend(margin_in_words(diagnosis));
        lines.extend(blockers(alert));
        let numbers = &diagnosis.arithmetic;
        lines.push(format!(
            "{} desired, min {}, max {}, room for {} new; {} of {DEPLOYMENTS_MAX} deployments.",
            numbers.desired, numbers.lower_bound, numbers.upper_bound, numbers.room, numbers.deployments
        ));
        lines.extend(tag_problems(alert));
    }
    lines.extend(gaps(alert));
    lines.join("\n")
}

fn blockers(alert: &Alert) -> Vec<String> {
    let blockers = &alert.diagnosis.blockers;
    if blockers.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("In the way of its {}, longest first:", movement(&alert.diagnosis.movement))];
    lines.extend(blockers.iter().take(BLOCKERS_SHOWN_MAX).map(|one| blocker(one, alert.at)));
    if blockers.len() > BLOCKERS_SHOWN_MAX {
        lines.push(format!("• and {}", count(blockers.len() - BLOCKERS_SHOWN_MAX, "more task")));
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
        code(blocker.task.as_str(), 36),
        time_from(blocker.protected_until, now)
    )
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

/// What to do, and the command if it fits whole and is safe in a code span. A command is never altered.
fn next_step(way: &WayOut, now: Timestamp) -> String {
    let words = way_out(way, now);
    let commands = commands(way);
    let Some(first) = commands.first() else { return words };
    let more = match commands.len() {
        1 => String::new(),
        many => format!(" and {} of this form", count(many - 1, "more command")),
    };
    let step = format!("{words} `{first}`{more}");
    if first.chars().all(is_safe_in_code) && step.chars().count() <= NEXT_STEP_CHARS_MAX {
        return step;
    }
    format!("{} (the mail and the status command have the command)", words.trim_end_matches(':'))
}

/// The text as a code span that shows in Slack and in Teams as it is, or escaped.
fn code(text: &str, chars_max: usize) -> String {
    // Slack takes a span that begins or ends with a space for no span.
    let text = escaped(text, chars_max, is_safe_in_code);
    let text = text.strip_prefix(' ').map_or(text.clone(), |rest| format!("\\u{{20}}{rest}"));
    let text = text.strip_suffix(' ').map_or(text.clone(), |rest| format!("{rest}\\u{{20}}"));
    format!("`{}`", if text.is_empty() { "-" } else { &text })
}

/// Whether neither client can take a character for the end of a span, for a link, a mention or an entity. Teams' cards know
/// no code spans: there brackets and stars mean what they mean elsewhere.
fn is_safe_in_code(c: char) -> bool {
    is_printable(c) && !"`<>&@*[]|~".contains(c)
}

fn related_resources(alert: &Alert) -> Vec<String> {
    let cluster = &alert.service.cluster;
    let tasks = alert.diagnosis.blockers.iter().take(BLOCKERS_SHOWN_MAX);
    let tasks = tasks.map(|blocker| Task { cluster: cluster.clone(), id: blocker.task.clone() }.to_string());
    std::iter::once(alert.service.to_string()).chain(tasks).collect()
}

/// What a custom action, or another subscriber by HTTPS, needs at hand. Texts alone, as the schema wants it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_holds_nothing_that_could_end_it_or_mean_something_in_it() {
        assert_eq!(code("episode-0417 (b), 50% \"x\" 'y' a_b", 60), "`episode-0417 (b), 50% \"x\" 'y' a_b`");
        assert_eq!(code("a`b", 60), "`a\\u{60}b`");
        assert_eq!(code("<!here> & [x](y) *b*\n", 90).matches(['<', '>', '&', '[', ']', '*', '\n']).count(), 0);
    }

    #[test]
    fn a_code_span_is_never_empty_and_neither_begins_nor_ends_with_a_space() {
        let spans = ["", " ", "  a "].map(|text| code(text, 60));
        assert_eq!(spans, ["`-`", "`\\u{20}`", "`\\u{20} a\\u{20}`"]);
    }
}
