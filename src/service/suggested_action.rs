//! Actions that would clear a blocked service: those that AWS documents (aws-facts "ECS: deployments and protection"),
//! the least invasive first, each with its command.

use crate::ecs::TASKS_PER_PROTECTION_CALL_MAX;
use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::service::Service;
use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::forecast::Forecast;
use crate::service::refused_task::{RefusalCause, RefusedTask, refused_tasks};
use crate::service::rollout::ReplacedTasks;
use crate::service::snapshot::ServiceSnapshot;
use crate::service::task_counts::TaskCounts;
use jiff::Timestamp;

/// An action that a person can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuggestedAction {
    /// Wait: the block clears by itself.
    Wait {
        /// When it clears at the latest.
        until: Timestamp,
        /// When it clears if the jobs end as expected.
        expected: Timestamp,
    },
    /// Release tasks whose jobs have all ended.
    ReleaseIdle {
        /// The tasks.
        tasks: Vec<TaskId>,
        /// One command for every ten tasks.
        commands: Vec<String>,
    },
    /// Raise the desired count above the number of protected tasks, so that ECS accepts protection again and the rollout
    /// continues.
    RaiseDesiredCount {
        /// The new desired count.
        to: u32,
        /// The command.
        command: String,
    },
    /// Allow more tasks at once, so that new tasks fit beside the protected ones.
    RaiseMaximumPercent {
        /// The new maximum percent.
        to: u32,
        /// The command.
        command: String,
    },
}

pub(crate) fn suggested_actions(
    snapshot: &ServiceSnapshot,
    replaced: &ReplacedTasks<'_>,
    blocking_tasks: &[BlockingTask],
    task_counts: &TaskCounts,
    forecast: Option<&Forecast>,
) -> Vec<SuggestedAction> {
    let Some(forecast) = forecast else { return Vec::new() };
    let service = &snapshot.service;
    let mut actions = vec![SuggestedAction::Wait { until: forecast.by_expiry, expected: forecast.by_jobs }];
    actions.extend(release_idle(&service.arn.cluster, blocking_tasks));
    if task_counts.protected >= task_counts.desired {
        let is_unprotected =
            |refused: &&RefusedTask| refused.cause == RefusalCause::Ecs && refused.protected_until.is_none();
        let refused = refused_tasks(snapshot).iter().filter(is_unprotected).count();
        let to = task_counts.protected.saturating_add(u32::try_from(refused).unwrap_or(u32::MAX).max(1));
        actions.push(SuggestedAction::RaiseDesiredCount { to, command: desired_count_command(service, to) });
    }
    if replaced.new_tasks_missing > task_counts.room && task_counts.desired > 0 && !replaced.rollout.is_scale_in() {
        // Room for all new tasks beside all blocking tasks.
        let tasks = u64::from(task_counts.desired) + blocking_tasks.len() as u64;
        let to = u32::try_from((tasks * 100).div_ceil(u64::from(task_counts.desired))).unwrap_or(u32::MAX);
        actions.push(SuggestedAction::RaiseMaximumPercent { to, command: maximum_percent_command(service, to) });
    }
    actions
}

/// The release of the tasks that are protected but idle, if there are any.
pub(crate) fn release_idle(cluster: &ClusterArn, blocking_tasks: &[BlockingTask]) -> Option<SuggestedAction> {
    let idle = blocking_tasks.iter().filter(|blocking_task| blocking_task.protected_for == ProtectedFor::NoJob);
    let tasks: Vec<TaskId> = idle.map(|blocking_task| blocking_task.task.clone()).collect();
    let commands = tasks.chunks(TASKS_PER_PROTECTION_CALL_MAX).map(|tasks| release_command(cluster, tasks)).collect();
    (!tasks.is_empty()).then_some(SuggestedAction::ReleaseIdle { tasks, commands })
}

fn release_command(cluster: &ClusterArn, tasks: &[TaskId]) -> String {
    let tasks: Vec<String> = tasks.iter().map(|id| shell_quoted(id.as_str())).collect();
    format!(
        "aws ecs update-task-protection --region {} --cluster {} --no-protection-enabled --tasks {}",
        shell_quoted(&cluster.region),
        shell_quoted(&cluster.name),
        tasks.join(" ")
    )
}

fn update_service(service: &Service) -> String {
    let cluster = &service.arn.cluster;
    format!(
        "aws ecs update-service --region {} --cluster {} --service {}",
        shell_quoted(&cluster.region),
        shell_quoted(&cluster.name),
        shell_quoted(&service.arn.name)
    )
}

fn desired_count_command(service: &Service, to: u32) -> String {
    format!("{} --desired-count {to}", update_service(service))
}

fn maximum_percent_command(service: &Service, to: u32) -> String {
    let min = service.minimum_healthy_percent;
    format!("{} --deployment-configuration maximumPercent={to},minimumHealthyPercent={min}", update_service(service))
}

/// One POSIX shell argument: unquoted if it contains no special character, else in single quotes.
pub fn shell_quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
