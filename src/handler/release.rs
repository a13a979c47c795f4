//! The operator's `release`: clears the protection of tasks that are idle, and by force of any.

use super::remediations::is_released;
use super::{Handler, Parts, Within};
use crate::apply::{Release, TaskChange};
use crate::clock::Clock;
use crate::config::Mode;
use crate::decide::TaskState;
use crate::ecs::Task;
use crate::event::ReleaseCommand;
use crate::report::{Answer, ReleaseOutcome, ReleasedTask};
use crate::store::{Store, StoreError, TaskRecord};
use crate::telemetry;

/// What is to become of a task, before ECS is asked.
enum Verdict {
    Release,
    Not(ReleaseOutcome, String),
}

impl<P: Parts> Handler<P> {
    pub(super) async fn release(&self, command: ReleaseCommand, within: Within<'_>) -> Answer {
        let ReleaseCommand { cluster, tasks, forced_by } = command;
        if let Some(by) = &forced_by {
            telemetry::forced_release(&cluster, &tasks, by);
        }
        let release = if forced_by.is_some() { Release::ByForce } else { Release::IfIdle };
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
        let states = self.apply(within).run(changes.collect()).await;
        self.hear(to_release.iter().zip(&states), within).await;
        answers.extend(to_release.iter().zip(states).map(|(task, state)| {
            let (outcome, why) = self.outcome(state);
            answer(task, outcome, why)
        }));
        answers.sort_by(|one, other| one.task_arn.cmp(&other.task_arn));
        Answer::Release { tasks: answers }
    }

    async fn verdict(&self, task: &Task, release: Release) -> Result<Verdict, StoreError> {
        let record = Store::<TaskRecord>::load(&self.store, task).await?.record;
        let jobs: Vec<String> = record.live_jobs(self.clock.now()).map(|(job, _)| job.to_string()).collect();
        Ok(match release {
            Release::ByForce => Verdict::Release,
            Release::ByJobs | Release::IfIdle if record == TaskRecord::default() => {
                let why = "the state store knows nothing of it, so it is not known to be idle; `force` releases it";
                Verdict::Not(ReleaseOutcome::Foreign, why.to_owned())
            }
            Release::ByJobs | Release::IfIdle if !jobs.is_empty() => {
                let why = format!("{} live on it; `force` releases it, and counts them as finished", jobs.len());
                Verdict::Not(ReleaseOutcome::Busy, format!("jobs: {why}"))
            }
            Release::ByJobs | Release::IfIdle => Verdict::Release,
        })
    }

    fn outcome(&self, state: TaskState) -> (ReleaseOutcome, Option<String>) {
        let failed = |why: String| (ReleaseOutcome::Failed, Some(why));
        match state {
            _ if self.config.mode == Mode::DryRun => failed("this is a dry run: nothing was asked of ecs".to_owned()),
            state if is_released(&state) => (ReleaseOutcome::Released, None),
            TaskState::NotStored(reason) | TaskState::Known(_, Some(reason)) => failed(reason.to_string()),
            TaskState::Known(_, None) => failed("a job has begun on it meanwhile".to_owned()),
        }
    }
}

fn answer(task: &Task, outcome: ReleaseOutcome, why: Option<String>) -> ReleasedTask {
    ReleasedTask { task_arn: task.to_string(), outcome, reason: why }
}
