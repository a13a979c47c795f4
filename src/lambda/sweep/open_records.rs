//! Which services have an open record of their own, or a running task with one.

use crate::ecs::arn::Task;
use crate::ecs::service::ServiceArn;
use crate::service::finished_tasks::FinishedTasks;
use crate::store::Versioned;
use crate::task::record::TaskRecord;
use std::collections::{BTreeMap, BTreeSet};

/// The running tasks whose records are open, by their services.
#[derive(Debug, Default)]
pub(crate) struct OpenTasks {
    pub(crate) services: BTreeSet<ServiceArn>,
    /// Tasks whose records do not name their service.
    pub(crate) strangers: Vec<Task>,
    /// Tasks that have stopped after jobs from which their services have yet to learn.
    pub(crate) finished: BTreeMap<ServiceArn, FinishedTasks>,
    /// Whether every page of the task records was read.
    pub(crate) is_complete: bool,
}

impl OpenTasks {
    /// Adds a task record if its task may be protected, or have a live job, or if its service has yet to learn from it.
    pub(crate) fn add(&mut self, task: &Task, versioned: &Versioned<TaskRecord>) {
        let record = &versioned.record;
        let learns = record.durations_for.as_deref().and_then(|name| ServiceArn::new(task.cluster.clone(), name).ok());
        if let Some(service) = learns {
            self.finished.entry(service).or_default().add(task, versioned);
        }
        if !record.is_pending() || record.stopped_at.is_some() {
            return;
        }
        let membership = record.membership.as_ref();
        match membership.and_then(|of| ServiceArn::new(task.cluster.clone(), &of.service).ok()) {
            Some(service) => drop(self.services.insert(service)),
            None => self.strangers.push(task.clone()),
        }
    }
}

/// The services of a cluster with open records.
#[derive(Debug)]
pub(crate) enum OpenServices {
    /// These.
    Only(BTreeSet<ServiceArn>),
    /// Any of them may be: ECS did not say to which service a task belongs.
    Any,
}

impl OpenServices {
    pub(crate) fn contains(&self, service: &ServiceArn) -> bool {
        match self {
            Self::Only(services) => services.contains(service),
            Self::Any => true,
        }
    }
}
