//! Tasks and their jobs as items of a list.

use crate::notify::notification::{JOBS_OF_A_TASK_MAX, ListItem, Text};
use crate::notify::task_view::TaskView;
use crate::notify::wording::{clock, count, span, time_from};
use crate::service::blocking_task::ProtectedFor;
use crate::service::durations::LearnedEnd;
use crate::service::refused_task::RefusalCause;
use crate::service::snapshot::JobSnapshot;
use jiff::Timestamp;

/// A blocking or refused task with its jobs.
pub(crate) fn task<'a>(task: impl Into<TaskView<'a>>, now: Timestamp) -> ListItem {
    let view = task.into();
    let title = Text::from("task ").id(view.task.as_str());
    let title = match view.deployment {
        Some(deployment) => title.own(" of ").id(deployment),
        None => title,
    };
    let until = view.protected_until.map(|until| format!("protected until {}", time_from(until, now)));
    let refused = view.refused_since.map(|since| match view.refusal_cause {
        Some(RefusalCause::RecordFull) => format!("its record has been full since {}", time_from(since, now)),
        Some(RefusalCause::Ecs) | None => format!("refused since {}", time_from(since, now)),
    });
    let protected_for = match view.protected_for {
        None | Some(ProtectedFor::Jobs(_)) => format!("for {}", count(view.jobs.len(), "job")),
        Some(ProtectedFor::NoJob) => match view.lingers_until {
            Some(until) => format!("idle: its jobs have ended, and it lingers until {}", time_from(until, now)),
            None => "idle: its jobs have ended".to_owned(),
        },
        Some(ProtectedFor::Foreign) => "foreign: not protected by taskhold".to_owned(),
        Some(ProtectedFor::Unknown) => "taskhold could not read its jobs".to_owned(),
    };
    let started =
        (view.jobs_started > 0).then(|| format!("{} started since the rollout began", count(view.jobs_started, "job")));
    let details = [until, too_short(&view), refused, Some(protected_for), started];
    ListItem {
        title,
        details: details.into_iter().flatten().map(Text::from).collect(),
        jobs: view.jobs.iter().take(JOBS_OF_A_TASK_MAX).map(|one| job(one, now)).collect(),
        jobs_total: view.jobs.len(),
    }
}

/// By how much the protection of a refused task ends before its jobs.
fn too_short(view: &TaskView<'_>) -> Option<String> {
    let (_, until) = view.refused_since.zip(view.protected_until)?;
    let wanted = view.jobs.iter().map(|job| job.until).max()?;
    Some(format!("{} before its last job ends", span(wanted.duration_since(until))))
}

/// A job with its labels and its end.
pub(crate) fn job(job: &JobSnapshot, now: Timestamp) -> ListItem {
    let until = time_from(job.until, now);
    let expected = |at: Timestamp| {
        let verb = if at < now { "was expected to end" } else { "expected to end" };
        format!("{verb} {}", time_from(at, now))
    };
    let learned = |learned: LearnedEnd| format!("{}, judging by earlier jobs", expected(learned.expected));
    let mut ends = match job.expected_until.map(expected).or_else(|| job.learned.end().map(learned)) {
        Some(expected) => vec![expected, format!("at the latest {until}")],
        None => vec![format!("until {until}")],
    };
    ends.extend(job.silent_since.map(|last| format!("no heartbeat since {}", time_from(last, now))));
    named_job(job, ends)
}

/// A job of a task that stops, with its labels and the end that it had declared.
pub(crate) fn interrupted_job(job: &JobSnapshot, now: Timestamp) -> ListItem {
    named_job(job, vec![format!("had declared an end by {}", clock(job.until, now))])
}

fn named_job(job: &JobSnapshot, ends: Vec<String>) -> ListItem {
    let attempt = if job.key.attempt == 1 { String::new() } else { format!(" attempt {}", job.key.attempt) };
    let labels: Vec<String> = job.labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let labels = (!labels.is_empty()).then(|| Text::from("labels ").name(&labels.join(", ")));
    ListItem {
        title: Text::default().name(&job.key.job_id).own(attempt),
        details: labels.into_iter().chain(ends.into_iter().map(Text::from)).collect(),
        ..ListItem::default()
    }
}
