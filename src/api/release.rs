//! The operator's `release`: clears the protection of idle tasks, and with `force` of any task.

use crate::api::answer::{Answer, ReleaseOutcome, ReleasedTask};
use crate::api::command::ReleaseCommand;
use crate::api::commands::Commands;
use crate::budget::Budget;
use crate::clock::Clock;
use crate::config::settings::Mode;
use crate::ecs::arn::Task;
use crate::ecs::arn::TaskId;
use crate::service::reconciler::ServicePorts;
use crate::service::remediation::carry_out::is_released;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::task::change::{ReleaseRule, TaskChange};
use crate::task::outcome::TaskState;
use crate::task::record::TaskRecord;
use crate::text::listed;
use tracing::warn;

/// The decision about a task before ECS is called.
enum Verdict {
    Release,
    Not(ReleaseOutcome, String),
}

impl<P: ServicePorts> Commands<'_, P> {
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
            match self.verdict(&task, release).await {
                Ok(Verdict::Release) => to_release.push(task),
                Ok(Verdict::Not(outcome, why)) => answers.push(answer(&task, outcome, Some(why))),
                Err(error) => answers.push(answer(&task, ReleaseOutcome::Failed, Some(error.to_string()))),
            }
        }
        let changes = to_release.iter().map(|task| TaskChange { release, ..TaskChange::none(task.clone()) });
        let states = self.services.tasks.reconcile(changes.collect(), budget).await;
        self.services.process_results(to_release.iter().zip(&states), budget).await;
        answers.extend(to_release.iter().zip(states).map(|(task, state)| {
            let (outcome, why) = self.outcome(state);
            answer(task, outcome, why)
        }));
        answers.sort_by(|one, other| one.task_arn.cmp(&other.task_arn));
        Answer::Release { tasks: answers }
    }

    async fn verdict(&self, task: &Task, release: ReleaseRule) -> Result<Verdict, StoreError> {
        let record = Store::<TaskRecord>::load(&self.services.tasks.store, task).await?.record;
        let jobs: Vec<String> =
            record.live_jobs(self.services.tasks.clock.now()).map(|(job, _)| job.to_string()).collect();
        Ok(match release {
            ReleaseRule::ByForce => Verdict::Release,
            ReleaseRule::ByJobs | ReleaseRule::IfIdle if record == TaskRecord::default() => {
                let why = "the state store has no record of it, so it may not be idle; `force` releases it";
                Verdict::Not(ReleaseOutcome::Foreign, why.to_owned())
            }
            ReleaseRule::ByJobs | ReleaseRule::IfIdle if !jobs.is_empty() => {
                let live = jobs.len();
                let why = format!("it has live jobs ({live}); `force` releases it, and they count as finished");
                Verdict::Not(ReleaseOutcome::Busy, why)
            }
            ReleaseRule::ByJobs | ReleaseRule::IfIdle => Verdict::Release,
        })
    }

    fn outcome(&self, state: TaskState) -> (ReleaseOutcome, Option<String>) {
        let failed = |why: String| (ReleaseOutcome::Failed, Some(why));
        match state {
            _ if self.services.tasks.config.mode == Mode::DryRun => {
                failed("this is a dry run: no request was sent to ECS".to_owned())
            }
            state if is_released(&state) => (ReleaseOutcome::Released, None),
            TaskState::NotStored(reason) | TaskState::Known(_, Some(reason)) => failed(reason.to_string()),
            TaskState::Known(_, None) => failed("a job has started on it in the meantime".to_owned()),
        }
    }
}

fn answer(task: &Task, outcome: ReleaseOutcome, why: Option<String>) -> ReleasedTask {
    ReleasedTask { task_arn: task.to_string(), outcome, reason: why }
}
