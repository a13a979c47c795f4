//! The operator's `release`: clears the protection of idle tasks, and with `force` of any task.

use crate::api::answer::{Answer, ReleaseOutcome, ReleasedTask};
use crate::api::command::ReleaseCommand;
use crate::api::commands::Commands;
use crate::budget::Budget;
use crate::config::settings::Mode;
use crate::ecs::arn::Task;
use crate::ecs::arn::TaskId;
use crate::service::remediation::carry_out::is_released;
use crate::task::change::{ReleaseRule, TaskChange};
use crate::task::outcome::{ReconciledTask, TaskState};
use crate::task::protection::Protection;
use crate::task::record::TaskRecord;
use crate::text::{listed, shown_time};
use tracing::warn;

impl Commands<'_> {
    pub(crate) async fn release(&self, command: ReleaseCommand, budget: Budget<'_>) -> Answer {
        let ReleaseCommand { cluster, tasks, forced_by } = command;
        if let Some(by) = &forced_by {
            let tasks = listed(tasks.iter().map(TaskId::as_str));
            warn!(cluster = %cluster.name, tasks, by, "releasing tasks by force; their jobs count as finished");
        }
        let release = if forced_by.is_some() { ReleaseRule::ByForce } else { ReleaseRule::IfIdle };
        let mut answers = Vec::with_capacity(tasks.len());
        let mut to_release = Vec::new();
        for id in tasks {
            let task = Task { cluster: cluster.clone(), id };
            match self.not_to_release(&task, release).await {
                Some(answer) => answers.push(answer),
                None => to_release.push(task),
            }
        }
        let changes = to_release.iter().map(|task| TaskChange { release, ..TaskChange::none(task.clone()) });
        let states = self.services.tasks.reconcile(changes.collect(), budget).await;
        self.services.process_results(ReconciledTask::all(&to_release, &states), budget).await;
        answers.extend(to_release.iter().zip(states).map(|(task, state)| self.released(task, state)));
        answers.sort_by(|one, other| one.task_arn.cmp(&other.task_arn));
        Answer::Release { tasks: answers }
    }

    /// The answer for a task that must not be released; `None` if it may be.
    async fn not_to_release(&self, task: &Task, release: ReleaseRule) -> Option<ReleasedTask> {
        if release == ReleaseRule::ByForce {
            return None;
        }
        let record = match self.services.tasks.store.load(task).await {
            Ok(versioned) => versioned.record,
            Err(error) => return Some(not_released(task, ReleaseOutcome::Failed, error.to_string())),
        };
        if record == TaskRecord::default() {
            let reason = "the state store has no record of it, so it may not be idle; `force` releases it";
            return Some(not_released(task, ReleaseOutcome::Foreign, reason.to_owned()));
        }
        let now = self.services.tasks.clock.now();
        let live = record.live_jobs(now).count();
        let reason = match (live, record.kept_until(now)) {
            (0, None) => return None,
            (0, Some(until)) => format!(
                "a job outlived its declared time, reported no end, and is protected until {}; `force` releases it, and \
                 the job counts as finished",
                shown_time(until)
            ),
            (live, _) => format!("it has live jobs ({live}); `force` releases it, and they count as finished"),
        };
        Some(not_released(task, ReleaseOutcome::Busy, reason))
    }

    /// The answer for a task after the request to ECS.
    fn released(&self, task: &Task, state: TaskState) -> ReleasedTask {
        let failed = |reason: String| not_released(task, ReleaseOutcome::Failed, reason);
        match state {
            _ if self.services.tasks.config.mode == Mode::DryRun => {
                failed("this is a dry run: no request was sent to ECS".to_owned())
            }
            state if is_released(&state) => {
                ReleasedTask { task_arn: task.to_string(), outcome: ReleaseOutcome::Released, reason: None }
            }
            TaskState::NotStored(reason) | TaskState::Known(_, Some(reason)) => failed(reason.to_string()),
            TaskState::Known(TaskRecord { protection: Protection { foreign: Some(foreign), .. }, .. }, None) => {
                let until = shown_time(foreign.until);
                let reason = format!("another writer has protected it until {until}; `force` releases it");
                not_released(task, ReleaseOutcome::Foreign, reason)
            }
            TaskState::Known(_, None) => failed("a job has started on it in the meantime".to_owned()),
        }
    }
}

fn not_released(task: &Task, outcome: ReleaseOutcome, reason: String) -> ReleasedTask {
    ReleasedTask { task_arn: task.to_string(), outcome, reason: Some(reason) }
}
