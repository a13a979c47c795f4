//! Collects the content of a batch: each record is parsed alone, and its content is filed under its task or service.

use crate::config::settings::{Config, Senders};
use crate::ecs::arn::Task;
use crate::ecs::service::ServiceArn;
use crate::lambda::ecs_event::EcsEvent;
use crate::lambda::job_message::{JobMessage, JobMessageType, ReportedJob};
use crate::lambda::job_message_fields::MisnamedField;
use crate::lambda::outcome::MessageOutcome;
use crate::lambda::received::{Received, check_channel, check_sender};
use crate::lambda::sqs_record;
use crate::lambda::sqs_record::QueueMessage;
use crate::metrics::Counts;
use crate::service::recheck::{Recheck, SweepPlace};
use crate::service::trigger::ServiceTrigger;
use crate::task::change::TaskChange;
use crate::task::job::JobKey;
use crate::task::stop::TaskStopEvent;
use aws_lambda_events::sqs::SqsMessage;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use tracing::{debug, warn};

/// A record without its final outcome: the index of its task or service, and its content.
pub(crate) enum Pending {
    /// The outcome is final.
    Ended(MessageOutcome),
    /// A job message that waits for the state of the task at this index.
    Job { place: usize, message_type: JobMessageType, job: JobKey },
    /// An ECS event that waits for the state of the task at this index.
    Stop(usize),
    /// The recheck of a task that lingers until `due`. It waits for the state of the task at this index.
    TaskRecheck { place: usize, due: Timestamp },
    /// A trigger or recheck that waits for the result at this index.
    ServiceWork(usize),
}

/// A reason to reconcile one service or several.
pub(crate) enum ServiceWork {
    /// An event.
    Trigger(ServiceTrigger),
    /// The recheck of a service that expects it at `due`.
    Recheck { service: ServiceArn, due: Timestamp },
    /// The rest of a sweep.
    Sweep { started_at: Timestamp, place: SweepPlace },
}

/// The content of a batch by task and service.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) pending: Vec<Pending>,
    pub(crate) changes: Vec<TaskChange>,
    pub(crate) places: HashMap<Task, usize>,
    /// The tasks that stop according to messages, by the index of their change.
    pub(crate) stops: BTreeMap<usize, TaskStopEvent>,
    /// Triggers and rechecks.
    pub(crate) service_work: Vec<ServiceWork>,
}

impl Gathered {
    /// Parses each record alone and files its content.
    pub(crate) fn of(records: &[SqsMessage], received: &[Received], counts: &Counts, config: &Config) -> Self {
        let mut gathered = Self::default();
        for (message, received) in records.iter().zip(received) {
            let body = message.body.as_deref().unwrap_or_default();
            let source = message.event_source_arn.as_deref().unwrap_or_default();
            let pending = match config.is_recheck_queue(source) {
                true => gathered.recheck(Recheck::parse(body, &config.clusters)),
                false => match sqs_record::parse(body, &config.clusters) {
                    QueueMessage::Job(job_message) => gathered.job(job_message, received, counts, config),
                    QueueMessage::Ecs(event) => match allows_event(received, config) {
                        Ok(()) => gathered.event(event, counts),
                        Err(reason) => Pending::Ended(MessageOutcome::DeadLetter(reason)),
                    },
                    QueueMessage::Malformed(error) => Pending::Ended(MessageOutcome::DeadLetter(error.to_string())),
                },
            };
            gathered.pending.push(pending);
        }
        gathered
    }

    fn recheck(&mut self, recheck: Result<Recheck, String>) -> Pending {
        match recheck {
            Ok(Recheck::Task { task, due }) => Pending::TaskRecheck { place: self.place(task), due },
            Ok(Recheck::Check { service, due }) => self.push_service_work(ServiceWork::Recheck { service, due }),
            Ok(Recheck::Sweep { started_at, place }) => {
                self.push_service_work(ServiceWork::Sweep { started_at, place })
            }
            Err(reason) => Pending::Ended(MessageOutcome::DeadLetter(reason)),
        }
    }

    fn job(&mut self, job_message: JobMessage, received: &Received, counts: &Counts, config: &Config) -> Pending {
        if config.senders == Senders::TaskItself
            && let Err(reason) = check_sender(&received.sender, &job_message.task)
        {
            return Pending::Ended(MessageOutcome::DeadLetter(reason));
        }
        for MisnamedField { found, meant } in &job_message.misnamed {
            warn!(task = %job_message.task, job = %job_message.job, field = found, meant, "ignoring a misnamed field of a job message");
        }
        counts.misnamed_fields.add(job_message.misnamed.len());
        let message_type = job_message.message_type;
        let ReportedJob { task, report } = job_message.into_job(received.sent_at);
        let place = self.place(task);
        let job = report.key.clone();
        self.changes[place].jobs.push(report);
        Pending::Job { place, message_type, job }
    }

    fn event(&mut self, event: EcsEvent, counts: &Counts) -> Pending {
        match event {
            EcsEvent::TaskStopEvent(stop) => {
                let place = self.place(stop.task.clone());
                // Of two events about a task, the one with a stop code. The code matters only if ECS no longer knows
                // the task: otherwise the read gives more than any event.
                if stop.cause.code.is_some() || !self.stops.contains_key(&place) {
                    self.stops.insert(place, stop);
                }
                Pending::Stop(place)
            }
            EcsEvent::Service(trigger) => self.push_service_work(ServiceWork::Trigger(trigger)),
            EcsEvent::Ignored(what) => {
                debug!(what, "acknowledging an event that requires no action");
                counts.unrecognized.add(1);
                Pending::Ended(MessageOutcome::Done)
            }
        }
    }

    fn push_service_work(&mut self, work: ServiceWork) -> Pending {
        self.service_work.push(work);
        Pending::ServiceWork(self.service_work.len() - 1)
    }

    fn place(&mut self, task: Task) -> usize {
        *self.places.entry(task).or_insert_with_key(|task| {
            let task = task.clone();
            self.changes.push(TaskChange::none(task));
            self.changes.len() - 1
        })
    }
}

fn allows_event(received: &Received, config: &Config) -> Result<(), String> {
    match config.senders {
        Senders::Anybody => Ok(()),
        Senders::TaskItself => check_channel(received.channel),
    }
}
