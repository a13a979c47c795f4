//! The notification about a service.

use crate::ecs::arn::Task;
use crate::notify::notification::decide;
use crate::notify::notification::ending;
use crate::notify::notification::problem::{problem, severity, silent_tasks, status_of, summary};
use crate::notify::notification::refused::{other_blocking_tasks, outlook};
use crate::notify::notification::rollout::{rollout, task_counts};
use crate::notify::notification::suggested_action::actions;
use crate::notify::notification::tasks::task;
use crate::notify::notification::{List, ListKind, Notification, Section, Source, Text, common_facts, refused};
use crate::notify::wording::time_from;
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::text::shown_time;
use std::collections::BTreeMap;

/// Maximum number of tasks among the resources.
const TASKS_AMONG_RESOURCES_MAX: usize = 5;

impl<'a> From<&'a Alert> for Notification<'a> {
    fn from(alert: &'a Alert) -> Self {
        let is_over = alert.event == Transition::Resolved;
        Self {
            incident: alert.incident.clone(),
            kind: alert.kind,
            event: alert.event,
            at: alert.at,
            cluster: &alert.service.cluster,
            service: Some(alert.service.clone()),
            task: None,
            severity: severity(alert),
            status: status_of(alert),
            problem: problem(alert),
            first_lines: (!is_over).then(|| decide::of_service(alert)),
            summary: summary(alert),
            sections: if is_over { ends(alert) } else { sections(alert) },
            actions: match is_over {
                true => Vec::new(),
                false => actions(alert),
            },
            notes: notes(alert),
            resources: resources(alert),
            facts: facts(alert),
            source: Source::Service(alert),
        }
    }
}

/// What became of the tasks of a problem that is over.
fn ends(alert: &Alert) -> Vec<Section> {
    let ends = ending::tasks(alert);
    let total = ends.len();
    let section = List::section(ListKind::TaskEnds, "The refused tasks:", total, ends.into_iter().map(Into::into));
    if total == 0 { Vec::new() } else { vec![section] }
}

fn sections(alert: &Alert) -> Vec<Section> {
    let mut sections = Vec::new();
    if alert.kind.is_about_refusals() {
        // The end of the rollout is not the end of the refusal.
        sections.extend(refused::section(alert));
        sections.extend(blocking_tasks(alert));
        sections.push(outlook(alert));
    } else {
        sections.extend(blocking_tasks(alert));
    }
    sections.push(task_counts(alert));
    sections
}

fn blocking_tasks(alert: &Alert) -> Option<Section> {
    let others = other_blocking_tasks(alert);
    let is_orphaned = alert.kind == AlertKind::OrphanedProtection;
    if others.is_empty() {
        let nowhere = "They block nothing now. The status command lists them (protectedTasks).";
        return is_orphaned.then(|| Section::Lines(vec![nowhere.into()]));
    }
    let rollout = rollout(&alert.diagnosis.rollout);
    let heading = match others.len() == alert.diagnosis.blocking_tasks.len() {
        _ if is_orphaned && silent_tasks(alert) == 0 => "Protected without a running job, longest first:".to_owned(),
        _ if is_orphaned => "Protected without a running job, or with a silent worker, longest first:".to_owned(),
        true => format!("Tasks that block its {rollout}, longest first:"),
        false => format!("Other tasks that block its {rollout}, longest first:"),
    };
    let kind = if alert.kind.is_about_refusals() { ListKind::OtherBlockingTasks } else { ListKind::BlockingTasks };
    Some(List::section(kind, heading, others.len(), others.iter().map(|blocking| task(*blocking, alert.at))))
}

fn notes(alert: &Alert) -> Vec<Section> {
    let (remediations, gaps) = (&alert.remediations, &alert.diagnosis.gaps);
    let mut notes = Vec::new();
    if alert.event != Transition::Resolved {
        notes.extend(tag_problems(alert));
    }
    if !remediations.is_empty() {
        let items = remediations.iter().rev().map(|note| {
            let when = format!("{}: ", time_from(note.at, alert.at));
            Text::from(when).sentence(&note.text).into()
        });
        let heading = "Remediations by taskhold, newest first:";
        notes.push(List::section(ListKind::Remediations, heading, remediations.len(), items));
    }
    if !gaps.is_empty() {
        let items = gaps.iter().map(|gap| Text::default().sentence(gap).into());
        let heading = "What taskhold could not read, so there may be more:";
        notes.push(List::section(ListKind::FailedReads, heading, gaps.len(), items));
    }
    notes
}

fn tag_problems(alert: &Alert) -> Option<Section> {
    let problems = &alert.diagnosis.tag_problems;
    let items = problems.iter().map(|problem| {
        let text = Text::default().name(&problem.tag).own(" is ").name(&problem.value);
        text.own(format!("; it {}", problem.fault)).into()
    });
    let heading = "Tags of the service that taskhold ignores:";
    (!problems.is_empty()).then(|| List::section(ListKind::TagProblems, heading, problems.len(), items))
}

fn resources(alert: &Alert) -> Vec<String> {
    let cluster = &alert.service.cluster;
    let tasks = alert.diagnosis.blocking_tasks.iter().take(TASKS_AMONG_RESOURCES_MAX);
    let tasks = tasks.map(|blocking| Task { cluster: cluster.clone(), id: blocking.task.clone() }.to_string());
    std::iter::once(alert.service.to_string()).chain(tasks).collect()
}

fn facts(alert: &Alert) -> BTreeMap<&'static str, String> {
    let mut facts = common_facts(alert.event, &alert.service.cluster);
    facts.insert("service", alert.service.name.clone());
    facts.insert("since", shown_time(alert.since));
    facts.insert("blockingTasks", alert.diagnosis.blocking_tasks.len().to_string());
    facts.extend(alert.diagnosis.deadline.map(|deadline| ("deadline", shown_time(deadline.at))));
    facts
}
