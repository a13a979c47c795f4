//! What the records of a batch tell: each is parsed alone, and what it tells is filed under its task or its service.

use crate::apply::TaskChange;
use crate::config::{Config, Senders};
use crate::decide::Ending;
use crate::ecs::Task;
use crate::event::{EcsEvent, JobMessage, JobMessageType, Received, Record, ServicePrompt, TaskStop, record};
use crate::follow_up::FollowUp;
use crate::ledger::JobKey;
use crate::telemetry::{self, Counts};
use aws_lambda_events::sqs::SqsMessage;
use std::collections::HashMap;

/// A record on its way: where its task is among the changes, and what it told.
pub(super) enum Pending {
    /// Ended already.
    Ended(Ending),
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
    Prompt(ServicePrompt),
    /// What the function told itself.
    FollowUp(FollowUp),
}

/// What a batch tells, by task.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) pending: Vec<Pending>,
    pub(super) changes: Vec<TaskChange>,
    pub(super) places: HashMap<Task, usize>,
    /// Tasks that are said to stop.
    pub(super) stops: Vec<(usize, TaskStop)>,
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
            let pending = match config.is_follow_up_queue(source) {
                true => gathered.follow_up(FollowUp::parse(body, &config.clusters)),
                false => match record::parse(body, &config.clusters) {
                    Record::Job(told) => gathered.job(told, (message, received), config),
                    Record::Ecs(event) => gathered.event(event, counts),
                    Record::Malformed(error) => Pending::Ended(Ending::Park(error.to_string())),
                },
            };
            gathered.pending.push(pending);
        }
        gathered
    }

    fn follow_up(&mut self, follow_up: Result<FollowUp, String>) -> Pending {
        match follow_up {
            Ok(follow_up) => self.look(Look::FollowUp(follow_up)),
            Err(reason) => Pending::Ended(Ending::Park(reason)),
        }
    }

    fn job(&mut self, told: JobMessage, by: (&SqsMessage, &Received), config: &Config) -> Pending {
        let (message, received) = by;
        if config.senders == Senders::TaskItself
            && let Err(reason) = record::check_sender(message, &told.task)
        {
            return Pending::Ended(Ending::Park(reason));
        }
        let message_type = told.message_type;
        let (task, key, job) = told.observed(received.sent_at);
        let place = self.place(task);
        self.changes[place].jobs.push((key.clone(), job));
        Pending::Job(place, message_type, key)
    }

    fn event(&mut self, event: EcsEvent, counts: &Counts) -> Pending {
        match event {
            EcsEvent::TaskStop(stop) => {
                let place = self.place(stop.task.clone());
                self.stops.push((place, stop));
                Pending::Stop(place)
            }
            EcsEvent::Service(prompt) => self.look(Look::Prompt(prompt)),
            EcsEvent::Ignored(what) => {
                telemetry::ignored(&what);
                counts.unrecognized.add(1);
                Pending::Ended(Ending::Done)
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
