//! The notification about a task that stopped, or is about to stop, with jobs running. It is sent once: nothing undoes
//! an interruption.

use crate::ecs::arn::Task;
use crate::ecs::service::ServiceArn;
use crate::ecs::task::ContainerExit;
use crate::notify::notification::decide;
use crate::notify::notification::problem::status;
use crate::notify::notification::tasks::interrupted_job;
use crate::notify::notification::{
    Action, List, ListKind, Notification, Section, Severity, Source, Text, common_facts,
};
use crate::notify::wording::{count, time, time_from};
use crate::service::alert::{AlertKind, Transition};
use crate::service::durations::Learned;
use crate::service::forecast::longest_first;
use crate::service::snapshot::JobSnapshot;
use crate::service::suggested_action::command::shell_quoted;
use crate::task::interruption::{InterruptedJob, InterruptedTask, Interruption, StopStage};
use crate::text::shown_time;

/// Maximum number of containers, as many as ECS allows in a task (ECS Developer Guide, "Amazon ECS service quotas").
const CONTAINERS_MAX: usize = 10;

impl<'a> From<&'a InterruptedTask> for Notification<'a> {
    fn from(interrupted: &'a InterruptedTask) -> Self {
        let InterruptedTask { task, interruption } = interrupted;
        let (kind, event) = (AlertKind::JobInterrupted, Transition::Opened);
        let service = service(task, interruption);
        let mut facts = common_facts(event, &task.cluster);
        facts.insert("task", task.id.to_string());
        facts.insert("stage", interruption.stage.as_str().to_owned());
        facts.insert("at", shown_time(interruption.at));
        facts.insert("jobs", interruption.jobs.len().to_string());
        facts.extend(service.as_ref().map(|service| ("service", service.name.clone())));
        Self {
            // The key contains only the task: its service may become known later, or never.
            incident: format!("{}/-/{}/{}", task.cluster.name, task.id, kind.as_str()),
            kind,
            event,
            at: interruption.at,
            cluster: &task.cluster,
            task: Some(task),
            severity: Severity::Critical,
            status: status(kind, event),
            problem: problem(interruption),
            first_lines: Some(decide::of_interruption(interruption)),
            summary: vec![format!("Noticed {}.", time(interruption.at))],
            sections: sections(interruption),
            actions: actions(interrupted),
            notes: Vec::new(),
            resources: service.iter().map(ToString::to_string).chain([task.to_string()]).collect(),
            service,
            facts,
            source: Source::Task(interrupted),
        }
    }
}

/// The service of the task. An invalid name counts as unknown.
pub(crate) fn service(task: &Task, interruption: &Interruption) -> Option<ServiceArn> {
    ServiceArn::new(task.cluster.clone(), interruption.service.as_ref()?).ok()
}

/// The interrupted jobs, the one with the latest declared end first.
pub(crate) fn jobs(interruption: &Interruption) -> Vec<JobSnapshot> {
    let job = |job: &InterruptedJob| JobSnapshot {
        key: job.key.clone(),
        until: job.until,
        expected_until: None,
        learned: Learned::Nothing,
        silent_since: None,
        labels: job.labels.clone(),
    };
    let jobs: Vec<JobSnapshot> = interruption.jobs.iter().map(job).collect();
    longest_first(&jobs).into_iter().cloned().collect()
}

/// What happened, in ASCII and at most about 60 characters.
fn problem(interruption: &Interruption) -> String {
    let jobs = count(interruption.jobs.len(), "running job");
    let cause = cause(interruption).map_or(String::new(), |cause| format!(" ({})", cause.short));
    match (was_scaled_in_although_protected(interruption), interruption.stage) {
        (true, StopStage::Stopped) => format!("ECS scaled in a protected task with {jobs}"),
        (true, StopStage::Stopping) => format!("ECS is scaling in a protected task with {jobs}"),
        (false, StopStage::Stopped) => format!("a task with {jobs} stopped{cause}"),
        (false, StopStage::Stopping) => format!("a task with {jobs} is stopping{cause}"),
    }
}

fn sections(interruption: &Interruption) -> Vec<Section> {
    let lines = [Some(why(interruption)), exit_codes(interruption), Some(protection(interruption).into())];
    let mut sections = vec![Section::Lines(lines.into_iter().flatten().collect())];
    sections.extend(interruption.stopped_reason.iter().map(|reason| {
        let items = std::iter::once(Text::default().sentence(reason).into());
        List::section(ListKind::StoppedReason, "ECS says:", 1, items)
    }));
    let jobs = jobs(interruption);
    let items = jobs.iter().map(|one| interrupted_job(one, interruption.at));
    let heading = "The jobs that were running, longest remaining first:";
    sections.push(List::section(ListKind::Jobs, heading, jobs.len(), items));
    sections
}

fn why(interruption: &Interruption) -> Text {
    match (cause(interruption), &interruption.stop_code) {
        (Some(cause), Some(code)) => Text::from(format!("Why: {} (", cause.plain)).id(code).own(")."),
        (_, Some(code)) => Text::from("Why: a stopCode that taskhold does not know, ").name(code).own("."),
        (_, None) => "Why: ECS reports no stopCode.".into(),
    }
}

fn exit_codes(interruption: &Interruption) -> Option<Text> {
    let codes = &interruption.exit_codes;
    let mut text = Text::default();
    for (number, ContainerExit { container, code }) in codes.iter().take(CONTAINERS_MAX).enumerate() {
        let before = if number == 0 { "Exit codes: " } else { ", " };
        text = text.own(format!("{before}{code} of ")).name(container);
    }
    if codes.len() > CONTAINERS_MAX {
        text = text.own(format!(", and of {}", count(codes.len() - CONTAINERS_MAX, "more container")));
    }
    (!codes.is_empty()).then(|| text.own("."))
}

/// How protection relates to the stop.
fn protection(interruption: &Interruption) -> String {
    if let Some(lost_at) = interruption.protection_lost_at.filter(|_| !interruption.is_reported_by_worker) {
        return format!(
            "ECS had confirmed protection for it, and reported less {}: a writer other than taskhold had cleared or \
             shortened it.",
            time_from(lost_at, interruption.at)
        );
    }
    if interruption.protection_lost_at.is_some() {
        return "Its worker had reported protection for it, and ECS reported none when it stopped the task: the worker or \
                another writer had cleared it."
            .to_owned();
    }
    let Some(until) = interruption.protected_until.map(|until| time_from(until, interruption.at)) else {
        // Protection that another writer set may be unknown.
        return "The task was not protected, as far as taskhold knows.".to_owned();
    };
    if was_scaled_in_although_protected(interruption) {
        return format!(
            "ECS scaled in a task whose protection it had confirmed until {until}. ECS should not do this: keep this \
             message, and report the stop to AWS."
        );
    }
    if interruption.is_reported_by_worker {
        let knows_no_more = may_have_lost_protection(interruption);
        let then = if knows_no_more {
            "taskhold does not know whether the task still had it"
        } else {
            "Protection does not prevent this kind of stop"
        };
        return format!("Its worker had reported protection for it until {until}. {then}.");
    }
    match cause(interruption) {
        Some(_) if may_have_lost_protection(interruption) => format!(
            "ECS had confirmed its protection until {until}. taskhold does not know whether the task still had it."
        ),
        Some(_) => format!("The task was protected until {until}. Protection does not prevent this kind of stop."),
        None => format!("ECS had confirmed its protection until {until}."),
    }
}

/// Whether ECS stopped the task although it was protected, which must not happen. A failed health check is excluded:
/// the service scheduler stops the task for it as well, it has no `stopCode` of its own, and protection does not cover
/// it.
fn was_scaled_in_although_protected(interruption: &Interruption) -> bool {
    interruption.was_protected_in_vain() && !failed_a_health_check(interruption)
}

/// Whether the service scheduler stopped the task in a way that protection prevents, and ECS last reported the
/// protection long before.
fn may_have_lost_protection(interruption: &Interruption) -> bool {
    interruption.stop_code.as_deref() == Some("ServiceSchedulerInitiated") && !failed_a_health_check(interruption)
}

fn failed_a_health_check(interruption: &Interruption) -> bool {
    let reason = interruption.stopped_reason.as_deref().unwrap_or_default();
    reason.to_ascii_lowercase().contains("health check")
}

fn actions(interrupted: &InterruptedTask) -> Vec<Action> {
    let restart = match interrupted.interruption.stage {
        StopStage::Stopped => {
            "Restart the jobs that no queue restarts. One of them may have finished just before the task stopped."
        }
        StopStage::Stopping => {
            "When the task has stopped, restart the jobs that did not finish and that no queue restarts."
        }
    };
    let Task { cluster, id } = &interrupted.task;
    let describe = format!(
        "aws ecs describe-tasks --region {} --cluster {} --tasks {}",
        shell_quoted(&cluster.region),
        shell_quoted(&cluster.name),
        shell_quoted(id.as_str())
    );
    let see = "See how the task ended; ECS keeps it for about an hour:";
    let action = |text: &str, commands| Action { text: text.to_owned(), commands, elsewhere: "the email has" };
    vec![action(restart, Vec::new()), action(see, vec![describe])]
}

/// A `stopCode` in words.
struct Cause {
    /// For a subject: ASCII, and short.
    short: &'static str,
    plain: &'static str,
}

/// Why the task stopped (aws-facts "EventBridge": the values of `stopCode`; and ECS API Reference, "Task"). `None` if
/// ECS gives no `stopCode`, or one that this version does not know.
fn cause(interruption: &Interruption) -> Option<Cause> {
    let cause = |short, plain| Some(Cause { short, plain });
    match interruption.stop_code.as_deref()? {
        "EssentialContainerExited" => {
            cause("a container exited", "an essential container exited, and the task stopped with it")
        }
        "InfrastructureHealth" => cause("unhealthy host", "its host was unhealthy"),
        "ServiceSchedulerInitiated" => cause(
            "its service stopped it",
            "the scheduler of its service stopped it, for a scale-in, a deployment or a failed health check",
        ),
        "SpotInterruption" => cause("Spot interruption", "AWS reclaimed its Spot capacity"),
        "TaskFailedToStart" => cause("failed to start", "it failed to start"),
        "TerminationNotice" => cause(
            "termination notice",
            "its host is about to be terminated, for example Spot capacity that AWS reclaims",
        ),
        "UserInitiated" => cause("a call to StopTask", "a call to StopTask stopped it"),
        _ => None,
    }
}
