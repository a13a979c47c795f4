//! The function's dependencies in the model: every call asks the script and waits.

use super::configuration::RecordSpace;
use super::scene::{TaskNo, config, message_of, number_of, only, task, timestamp};
use super::script::{EcsFault, ModelAnswer, ModelRequest, SharedScript, Subject, TaskEffect};
use super::store::ScriptedStore;
use async_trait::async_trait;
use ecs_sim::doubles::no_services::NoServiceRecords;
use ecs_sim::doubles::parts::parts;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use taskhold::clock::Clock;
use taskhold::config::settings::Config;
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Service, ServiceArn};
use taskhold::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use taskhold::ecs::task::{StopCause, TaskDescription};
use taskhold::ecs::{
    Ecs, FailureReason, ProtectedTask, ProtectionAnswer, ProtectionFailure, ProtectionSetting, ServiceReads,
};
use taskhold::lambda::dead_letter::{DeadLetter, DeadLetterQueue, MESSAGE_ID_ATTRIBUTE, ReceivedDeadLetter};
use taskhold::lambda::function::{Function, Parts};
use taskhold::page::Page;
use taskhold::sqs::SqsError;

/// The real function on a script. It has no queue to send rechecks to: the model has them come at any moment.
pub(crate) fn function(script: &SharedScript, records: RecordSpace, linger: SignedDuration) -> Function {
    Function::new(Parts {
        task_records: Arc::new(ScriptedStore { script: script.clone(), records }),
        service_records: Arc::new(NoServiceRecords),
        dead_letters: Some(Arc::new(ScriptedDeadLetters(script.clone()))),
        ..parts(Arc::new(ScriptedEcs(script.clone())), Arc::new(script.clone()), Config { linger, ..config().clone() })
    })
}

#[async_trait]
impl Clock for SharedScript {
    fn now(&self) -> Timestamp {
        timestamp(SharedScript::now(self))
    }

    /// The model's clock cannot resolve milliseconds, but other steps can interleave here.
    async fn sleep(&self, _: Duration) {
        self.ask(Subject::Pause, ModelRequest::Pause).await;
    }
}

#[derive(Debug)]
pub(crate) struct ScriptedEcs(SharedScript);

ecs_sim::updates_no_services!(ScriptedEcs);

#[async_trait]
impl Ecs for ScriptedEcs {
    async fn update_task_protection(
        &self,
        _: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let numbers: Vec<TaskNo> = tasks.iter().map(number_of).collect();
        let minutes = match setting {
            ProtectionSetting::Disabled => None,
            ProtectionSetting::Enabled { expires_in_minutes } => Some(expires_in_minutes),
        };
        match self.0.ask(Subject::Task(numbers[0]), ModelRequest::Protect(minutes, numbers)).await {
            ModelAnswer::Protected(effects) => Ok(answer_of(&effects)),
            ModelAnswer::EcsFails(fault) => Err(error_of(fault)),
            other => unreachable!("a call is answered {other:?}"),
        }
    }
}

fn answer_of(effects: &[(TaskNo, TaskEffect)]) -> ProtectionAnswer {
    let mut answer = ProtectionAnswer::default();
    for (number, effect) in effects {
        let task_id = task(*number).id.clone();
        let set = |protection_enabled, expiration_date| ProtectedTask {
            task_id: task_id.clone(),
            protection_enabled,
            expiration_date,
        };
        match effect {
            TaskEffect::ProtectedUntil(until) => answer.protected_tasks.push(set(true, Some(timestamp(*until)))),
            TaskEffect::Cleared => answer.protected_tasks.push(set(false, None)),
            TaskEffect::Refused => {
                answer.failures.push(ProtectionFailure {
                    task_id,
                    reason: FailureReason::DeploymentBlocked,
                    detail: None,
                });
            }
        }
    }
    answer
}

fn error_of(fault: EcsFault) -> EcsError {
    match fault {
        EcsFault::NoAnswer => EcsError::NoAnswer("timeout".to_owned()),
        EcsFault::Throttled => EcsError::Throttled,
        EcsFault::Denied => EcsError::AccessDenied("AccessDeniedException".to_owned()),
        EcsFault::Rejected => EcsError::Rejected("InvalidParameterException".to_owned()),
    }
}

/// No promise of the model concerns services, so there are none, and these reads return at once.
#[async_trait]
impl ServiceReads for ScriptedEcs {
    async fn describe_services(&self, _: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        panic!("unexpected read of {services:?}")
    }

    async fn list_tasks(&self, service: &ServiceArn, _: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        panic!("unexpected list of the tasks of {service}")
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        panic!("unexpected read of {arns:?}")
    }

    async fn list_services(&self, _: &Arc<ClusterArn>, _: Option<&str>) -> Result<Page<ServiceArn>, EcsError> {
        Ok(Page { items: Vec::new(), next_token: None })
    }

    async fn describe_tasks(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        let running = |id: &TaskId| TaskDescription {
            id: id.clone(),
            service: None,
            started_by: None,
            last_status: "RUNNING".to_owned(),
            desired_status: "RUNNING".to_owned(),
            stop: StopCause::default(),
        };
        Ok(tasks.iter().map(running).collect())
    }

    async fn get_task_protection(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        let numbers = tasks.iter().map(number_of).collect();
        match self.0.ask(Subject::Protections, ModelRequest::Protections(numbers)).await {
            ModelAnswer::Protections(seen) => {
                let effect = |(number, until): (TaskNo, Option<_>)| {
                    (number, until.map_or(TaskEffect::Cleared, TaskEffect::ProtectedUntil))
                };
                Ok(answer_of(&seen.into_iter().map(effect).collect::<Vec<_>>()))
            }
            ModelAnswer::EcsFails(fault) => Err(error_of(fault)),
            other => unreachable!("a read of protections is answered {other:?}"),
        }
    }
}

/// Collects dead-lettered messages.
#[derive(Debug)]
pub(crate) struct ScriptedDeadLetters(SharedScript);

#[async_trait]
impl DeadLetterQueue for ScriptedDeadLetters {
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), SqsError>> {
        for message in messages {
            let id = message.attributes.iter().find(|(name, _)| *name == MESSAGE_ID_ATTRIBUTE);
            let (_, id) = id.expect("a dead-lettered message bears its id");
            self.0.send_dead_letters(only(message_of(id)));
        }
        vec![Ok(()); messages.len()]
    }

    async fn receive_dead_letters(&self, _: usize) -> Result<Vec<ReceivedDeadLetter>, SqsError> {
        unreachable!("nothing redrives here")
    }

    async fn delete_dead_letters(&self, _: &[String]) -> Vec<Result<(), SqsError>> {
        unreachable!("nothing redrives here")
    }
}
