//! What the records of a batch tell: each is parsed alone, and what it tells is filed under its task or its service.

use crate::apply::TaskChange;
use crate::config::{Config, Senders};
use crate::decide::MessageOutcome;
use crate::ecs::Task;
use crate::event::{
    EcsEvent, JobMessage, JobMessageType, QueueMessage, Received, ServiceTrigger, TaskStopEvent, record,
};
use crate::recheck::Recheck;
use crate::store::JobKey;
use crate::telemetry::{self, Counts};
use aws_lambda_events::sqs::SqsMessage;
use std::collections::HashMap;

/// A record on its way: where its task is among the changes, and what it told.
pub(super) enum Pending {
    /// Ended already.
    Ended(MessageOutcome),
    /// A job message, waiting for the state of the task at this place.
    Job(usize, JobMessageType, JobKey),
    /// An event of ECS, waiting for the state of the task at this place.
    Stop(usize),
    /// A reason to look at a service, at this place among them.
    Look(usize),
}

/// A reason to look at a service, or at several.
pub(super) enum Look {
    /// An event.
    Trigger(ServiceTrigger),
    /// What the function told itself.
    Recheck(Recheck),
}

/// What a batch tells, by task.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) pending: Vec<Pending>,
    pub(super) changes: Vec<TaskChange>,
    pub(super) places: HashMap<Task, usize>,
    /// Tasks that are said to stop.
    pub(super) stops: Vec<(usize, TaskStopEvent)>,
    /// Reasons to look at services.
    pub(super) looks: Vec<Look>,
}

impl Gathered {
    /// Parses each record alone and files what it tells.
    pub(super) fn of(records: &[SqsMessage], beside: (&[Received], &Counts), config: &Config) -> Self {
        let (received, counts) = beside;
        let mut gathered = Self::default();
        for (message, received) in records.iter().zip(received) {
            let body = message.body.as_deref().unwrap_or_default();
            let source = message.event_source_arn.as_deref().unwrap_or_default();
            let pending = match config.is_recheck_queue(source) {
                true => gathered.recheck(Recheck::parse(body, &config.clusters)),
                false => match record::parse(body, &config.clusters) {
                    QueueMessage::Job(told) => gathered.job(told, (message, received), config),
                    QueueMessage::Ecs(event) => gathered.event(event, counts),
                    QueueMessage::Malformed(error) => Pending::Ended(MessageOutcome::DeadLetter(error.to_string())),
                },
            };
            gathered.pending.push(pending);
        }
        gathered
    }

    fn recheck(&mut self, recheck: Result<Recheck, String>) -> Pending {
        match recheck {
            Ok(recheck) => self.look(Look::Recheck(recheck)),
            Err(reason) => Pending::Ended(MessageOutcome::DeadLetter(reason)),
        }
    }

    fn job(&mut self, told: JobMessage, by: (&SqsMessage, &Received), config: &Config) -> Pending {
        let (message, received) = by;
        if config.senders == Senders::TaskItself
            && let Err(reason) = record::check_sender(message, &told.task)
        {
            return Pending::Ended(MessageOutcome::DeadLetter(reason));
        }
        let message_type = told.message_type;
        let (task, key, job) = told.into_job(received.sent_at);
        let place = self.place(task);
        self.changes[place].jobs.push((key.clone(), job));
        Pending::Job(place, message_type, key)
    }

    fn event(&mut self, event: EcsEvent, counts: &Counts) -> Pending {
        match event {
            EcsEvent::TaskStopEvent(stop) => {
                let place = self.place(stop.task.clone());
                self.stops.push((place, stop));
                Pending::Stop(place)
            }
            EcsEvent::Service(prompt) => self.look(Look::Trigger(prompt)),
            EcsEvent::Ignored(what) => {
                telemetry::ignored(&what);
                counts.unrecognized.add(1);
                Pending::Ended(MessageOutcome::Done)
            }
        }
    }

    fn look(&mut self, look: Look) -> Pending {
        self.looks.push(look);
        Pending::Look(self.looks.len() - 1)
    }

    fn place(&mut self, task: Task) -> usize {
        *self.places.entry(task).or_insert_with_key(|task| {
            let task = task.clone();
            self.changes.push(TaskChange::none(task));
            self.changes.len() - 1
        })
    }
}
