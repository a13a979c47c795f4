//! Suggested actions in words.

use crate::ecs::arn::TaskId;
use crate::notify::notification::Action;
use crate::notify::notification::deadline::Likelihood;
use crate::notify::notification::outlook::{Outlook, deployment_ends, outlook};
use crate::notify::notification::refused::{lost_by_waiting, without_renewal};
use crate::notify::wording::{clock, count, span, time, time_from};
use crate::service::alert::{Alert, AlertKind};
use crate::service::blocking_task::ProtectedFor;
use crate::service::forecast::DeadlineSource;
use crate::service::refused_task::RefusedTask;
use crate::service::suggested_action::SuggestedAction;
use jiff::{SignedDuration, Timestamp};

/// The actions that would clear the problem, the least invasive first.
pub(crate) fn actions(alert: &Alert) -> Vec<Action> {
    let action = |action: &SuggestedAction| Action {
        text: text(action, alert, ""),
        commands: commands(action).to_vec(),
        elsewhere: "the email and the status command have",
    };
    shown(alert).into_iter().map(action).collect()
}

/// The suggested actions that the text lists. An alert about a protection that ends too early does not suggest to end
/// it at once.
pub(crate) fn shown(alert: &Alert) -> Vec<&SuggestedAction> {
    let expiring = without_renewal(alert);
    let is_contrary = |action: &SuggestedAction| match action {
        SuggestedAction::ReleaseByForce { tasks, .. } => {
            alert.kind == AlertKind::ProtectionExpiring && tasks.iter().all(|task| expiring.contains(task))
        }
        _ => false,
    };
    alert.diagnosis.suggested_actions.iter().filter(|action| !is_contrary(action)).collect()
}

/// The action as the end of a sentence, with a full stop.
pub(crate) fn instruction(action: &SuggestedAction, alert: &Alert) -> String {
    let below = if commands(action).is_empty() { "" } else { " (command below)" };
    let text = text(action, alert, below);
    let text = text.trim_end_matches([':', '.']);
    let (first, rest) = text.split_at(text.len().min(1));
    format!("{}{rest}.", first.to_ascii_lowercase())
}

/// The action in sentences, with `below` after the one that its command carries out.
fn text(action: &SuggestedAction, alert: &Alert, below: &str) -> String {
    match action {
        SuggestedAction::Wait { until, expected } => wait(*until, *expected, alert),
        SuggestedAction::ReleaseIdle { tasks, .. } if tasks.len() == 1 => {
            format!("Release the task whose jobs have all ended{below}:")
        }
        SuggestedAction::ReleaseIdle { tasks, .. } => {
            format!("Release the {} tasks whose jobs have all ended{below}:", tasks.len())
        }
        SuggestedAction::RaiseDesiredCount { to, .. } => {
            let desired = alert.diagnosis.task_counts.desired;
            let extra = if to.saturating_sub(desired) == 1 { "task" } else { "tasks" };
            format!(
                "Raise the desired count to {to}{below}, as AWS advises. You pay for the extra {extra}. It does not help \
                 if ECS refuses because a protected task blocks, or if Application Auto Scaling lowers it. \
                 Set {desired} again only when no job is refused: before that, ECS may stop a task with such a job."
            )
        }
        SuggestedAction::RaiseMaximumPercent { to, .. } => raise_maximum_percent(*to, alert, below),
        SuggestedAction::ContinueDeployment { .. } => format!(
            "Continue the paused deployment{below}. This clears no protection: the deployment waits for protected old \
             tasks. ECS stops old tasks that are not protected{}.",
            interrupting(&refused_of(alert, Side::Old))
        ),
        SuggestedAction::RollBackDeployment { .. } => {
            format!("Roll the paused deployment back{below}. {}.", new_tasks_stop(alert))
        }
        SuggestedAction::ExtendDeadline { minutes, .. } => format!(
            "If the time limit of your deployment tool is at least {}, set taskhold's deadline to that{below}. This only \
             changes when taskhold alerts, for this and later deployments. It does not extend the limit of your tool.",
            span(SignedDuration::from_mins(*minutes))
        ),
        SuggestedAction::StopDeployment { .. } => {
            format!("Stop the deployment{below}. ECS rolls it back, and the old tasks stay. {}.", new_tasks_stop(alert))
        }
        SuggestedAction::DeferCleanUp { .. } => format!(
            "This does not help the current deployment. Let the next deployments succeed without waiting for protected \
             tasks (early success with DEFERRED cleanup){below}. This clears no protection and interrupts no job. Old \
             tasks may then run for up to two weeks beside the new ones, and cause no rollback."
        ),
        SuggestedAction::ReleaseByForce { tasks, .. } => release_by_force(tasks, alert, below),
    }
}

/// What waiting means.
fn wait(until: Timestamp, expected: Timestamp, alert: &Alert) -> String {
    let now = alert.at;
    if let Some(lost) = lost_by_waiting(alert) {
        let jobs = if lost.tasks == 1 { "its jobs" } else { "their jobs" };
        return format!(
            "Wait. ECS may stop {} and interrupt {jobs} from {} on, if it does not renew the protection.",
            count(lost.tasks, "task"),
            clock(lost.from, now)
        );
    }
    let unprotected = match alert.kind {
        AlertKind::ProtectionRefused => " The refused jobs may stay unprotected until then.",
        _ => "",
    };
    match (deployment_ends(alert).first(), outlook(alert)) {
        _ if is_open_ended(alert) => "Wait. No end is known while the old tasks take new jobs.".to_owned(),
        (Some(first), _) if alert.kind == AlertKind::TooManyDeployments && *first < until => format!(
            "Wait. The first of the deployments ends by {}, the last by {}.",
            time_from(*first, now),
            time_from(until, now)
        ),
        (_, Outlook::Late { .. } | Outlook::Passed) => format!("{}{unprotected}", wait_past_deadline(until, alert)),
        _ if until == expected => format!("Wait until {}.{unprotected}", time_from(until, now)),
        _ => format!("Wait. The expected end is {}, the latest {}.{unprotected}", time(expected), time(until)),
    }
}

fn is_open_ended(alert: &Alert) -> bool {
    alert.diagnosis.forecast.is_some_and(|forecast| forecast.is_open_ended())
}

/// What waiting means if the deadline passes before the jobs end.
fn wait_past_deadline(until: Timestamp, alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let wait = format!("Wait. The block ends by {}", time_from(until, alert.at));
    let wait = match outlook(alert) {
        Outlook::Late { likelihood: Likelihood::Declared, .. } => format!("{wait}, after the deadline."),
        Outlook::Late { likelihood: Likelihood::Probable, .. } => format!("{wait}, probably after the deadline."),
        Outlook::Late { likelihood: Likelihood::Possible, .. } => format!("{wait}, possibly after the deadline."),
        Outlook::Passed | Outlook::Open | Outlook::InTime { .. } | Outlook::Expected { .. } => {
            return format!("{wait}. The deadline has passed.");
        }
    };
    let avoids = |action: &SuggestedAction| match action {
        SuggestedAction::ReleaseIdle { tasks, .. } => tasks.len() == diagnosis.blocking_tasks.len(),
        SuggestedAction::RollBackDeployment { .. }
        | SuggestedAction::StopDeployment { .. }
        | SuggestedAction::ExtendDeadline { .. } => true,
        _ => false,
    };
    let by_force = |action: &SuggestedAction| matches!(action, SuggestedAction::ReleaseByForce { .. });
    let actions = &diagnosis.suggested_actions;
    match (actions.iter().any(avoids), actions.iter().any(by_force)) {
        (true, _) => wait,
        (false, true) => format!("{wait} Only an action that interrupts jobs can meet the deadline."),
        (false, false) => format!("{wait} No suggested action can meet the deadline."),
    }
}

/// The tasks that fit beside the blocking ones, and what that costs.
fn raise_maximum_percent(to: u32, alert: &Alert, below: &str) -> String {
    let counts = &alert.diagnosis.task_counts;
    let tasks = u32::try_from(u64::from(counts.desired) * u64::from(to) / 100).unwrap_or(u32::MAX);
    format!(
        "Raise maximumPercent to {to}{below}, so that new tasks fit beside the protected ones. This clears no \
         protection: the deployment still waits. ECS stops old tasks that are not protected{}. You pay for up to {} \
         until you set it back.",
        interrupting(&refused_of(alert, Side::Old)),
        count(tasks.saturating_sub(counts.upper_bound) as usize, "more task")
    )
}

/// The tasks that a deployment replaces, or those that it has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Old,
    New,
}

/// The refused tasks of one side of the deployment, which ECS may stop at once.
fn refused_of(alert: &Alert, side: Side) -> Vec<&RefusedTask> {
    let new = alert.diagnosis.rollout.id();
    let side_of = |task: &RefusedTask| if task.deployment.as_deref() == new { Side::New } else { Side::Old };
    let is_unprotected = |task: &&RefusedTask| task.protected_until.is_none() && side_of(task) == side;
    alert.diagnosis.refused_tasks.iter().filter(is_unprotected).collect()
}

/// The jobs that the stop of these tasks interrupts, as the end of a clause; empty without any.
fn interrupting(tasks: &[&RefusedTask]) -> String {
    let jobs: Vec<&str> = tasks.iter().flat_map(|task| &task.jobs).map(|job| job.key.job_id.as_str()).collect();
    match jobs.is_empty() {
        true => String::new(),
        false => format!(", which interrupts {}", named(&jobs, NAMES_BESIDE_MORE_CHARS_MAX, "")),
    }
}

/// What a rollback does to the new tasks.
fn new_tasks_stop(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let interrupting = interrupting(&refused_of(alert, Side::New));
    let protected = usize::try_from(diagnosis.task_counts.protected).unwrap_or(usize::MAX);
    match protected.saturating_sub(diagnosis.blocking_tasks.len()) {
        0 => format!("ECS stops the new tasks{interrupting}"),
        _ => format!("ECS stops the new tasks{interrupting}, and protected ones when their protection ends"),
    }
}

/// Maximum number of characters of jobs that a sentence names: three UUIDs. A chat limits the length of an action
/// ([`crate::notify::chat::NEXT_STEP_CHARS_MAX`]).
const NAMES_CHARS_MAX: usize = 118;
/// The same in an action that has more to say: one UUID.
const NAMES_BESIDE_MORE_CHARS_MAX: usize = 38;

/// The jobs in a sentence. Job ids are the workers' words: a sentence names only harmless ones, and the list of tasks
/// names all. `whose` follows the number of jobs if they are not named.
fn named(jobs: &[&str], chars_max: usize, whose: &str) -> String {
    let is_harmless = |id: &&&str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let named: Vec<String> = jobs.iter().filter(is_harmless).map(|id| format!("\"{id}\"")).collect();
    let names = named.join(", ");
    match jobs.len() {
        many if named.len() < many || names.len() > chars_max => format!("{}{whose}", count(many, "job")),
        1 => format!("job {names}"),
        _ => format!("jobs {names}"),
    }
}

/// What a release by force costs.
fn release_by_force(tasks: &[TaskId], alert: &Alert, below: &str) -> String {
    let blocking = || alert.diagnosis.blocking_tasks.iter().filter(|task| tasks.contains(&task.task));
    let jobs: Vec<&str> = blocking().flat_map(|task| task.jobs()).map(|job| job.key.job_id.as_str()).collect();
    let unknown = blocking().filter(|task| !matches!(task.protected_for, ProtectedFor::Jobs(_))).count();
    let (them, their, above) = match tasks.len() {
        1 => ("it", "its", "task"),
        _ => ("them", "their", "tasks"),
    };
    let cost = match jobs.len() {
        0 => format!("{their} work"),
        _ => named(&jobs, NAMES_CHARS_MAX, &format!(" of the {above} above")),
    };
    let more = match unknown {
        1.. if !jobs.is_empty() => {
            format!(", and any work on {} that taskhold does not know of", count(unknown, "task"))
        }
        _ => String::new(),
    };
    let silent = blocking().filter(|task| task.silent_since().is_some()).count();
    let condition = match silent == tasks.len() {
        true if tasks.len() == 1 => ", if its worker no longer runs",
        true => ", if their workers no longer run",
        false if is_rolled_back(alert) => ", but only if CloudFormation is not rolling back",
        false => "",
    };
    let effect = match alert.kind {
        AlertKind::OrphanedProtection => {
            format!("ECS may then stop {them}. If a worker still runs, that interrupts {cost}")
        }
        _ => format!("ECS then stops {them} and interrupts {cost}{more}"),
    };
    format!("Release {} by force{below}{condition}. {effect}:", count(tasks.len(), "task"))
}

/// Whether CloudFormation has probably rolled the deployment back.
fn is_rolled_back(alert: &Alert) -> bool {
    let source = alert.diagnosis.deadline.map(|deadline| deadline.source);
    outlook(alert) == Outlook::Passed && source == Some(DeadlineSource::CloudFormation)
}

/// The commands of a suggested action.
pub(crate) fn commands(action: &SuggestedAction) -> &[String] {
    match action {
        SuggestedAction::Wait { .. } => &[],
        SuggestedAction::ReleaseIdle { commands, .. }
        | SuggestedAction::ReleaseByForce { commands, .. }
        | SuggestedAction::ContinueDeployment { commands } => commands,
        SuggestedAction::RaiseDesiredCount { command, .. }
        | SuggestedAction::RaiseMaximumPercent { command, .. }
        | SuggestedAction::RollBackDeployment { command }
        | SuggestedAction::StopDeployment { command }
        | SuggestedAction::ExtendDeadline { command, .. }
        | SuggestedAction::DeferCleanUp { command } => std::slice::from_ref(command),
    }
}
