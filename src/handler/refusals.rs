//! What follows when ECS refuses to protect tasks: their service learns of it, and they are asked for again when what is in
//! their way may be gone.

use super::{Handler, Parts, Within};
use crate::apply::{RefusedBefore, TaskChange};
use crate::clock::Clock;
use crate::decide::watch::Reason;
use crate::decide::{Diagnosis, RetryReason, TaskState};
use crate::ecs::{ServiceArn, ServiceReads, TASKS_PER_READ_MAX, Task, TaskId};
use crate::ledger::{self, ENTRIES_AT_ONCE, Home, ServiceEntry, TaskEntry};
use crate::observe::{Jobs, Observed, ObservedTask};
use crate::telemetry;
use futures_util::StreamExt;
use futures_util::stream;
use std::collections::{BTreeMap, BTreeSet};

/// Tasks by the service that they belong to.
type ByService = BTreeMap<ServiceArn, Vec<Task>>;

impl<P: Parts> Handler<P> {
    /// Takes notice of what came of tasks that were carried out: of refusals their services learn, and where others wait
    /// for a release, they are asked for again. A failure here is logged: the messages of refused tasks come again, and
    /// with them the refusal.
    pub(super) async fn hear<'a>(
        &self,
        carried_out: impl Iterator<Item = (&'a Task, &'a TaskState)>,
        within: Within<'_>,
    ) {
        let now = self.clock.now();
        let (mut refused, mut released) = (Vec::new(), ByService::new());
        for (task, state) in carried_out {
            let TaskState::Known(entry, _) = state else { continue };
            if entry.refused_since(now).is_some() {
                refused.push((task, entry));
            }
            if let Some(home) = entry.home.as_ref().filter(|home| home.is_awaited && is_out_of_the_way(entry))
                && let Ok(service) = ServiceArn::new(task.cluster.clone(), &home.service)
            {
                released.entry(service).or_default().push(task.clone());
            }
        }
        if !refused.is_empty() {
            self.hear_refused(&refused, within).await;
        }
        for (service, tasks) in released {
            self.hear_released(&service, &tasks, within).await;
        }
    }

    async fn hear_refused(&self, refused: &[(&Task, &TaskEntry)], within: Within<'_>) {
        let by_service = match self.services_of(refused).await {
            Ok(by_service) => by_service,
            Err(failure) => return telemetry::refusals_not_heard(&failure),
        };
        for (service, tasks) in by_service {
            let ids: BTreeSet<TaskId> = tasks.into_iter().map(|task| task.id).collect();
            let noted = ledger::update(&self.ledger, &service, None, |entry: &mut ServiceEntry| {
                let is_news = !ids.is_subset(&entry.refused);
                entry.refused.extend(ids.iter().cloned());
                (is_news, ServiceEntry::keep_until(self.clock.now()))
            });
            match noted.await.map(|(is_news, _)| is_news) {
                // Who is in the way, and until when, is told at once.
                Ok(true) => self.look_or_put_off(&service, Reason::Begun, within).await,
                Ok(false) => {}
                Err(failure) => telemetry::refusals_not_heard(&failure.into()),
            }
        }
    }

    /// Tasks of the service may have room now.
    async fn hear_released(&self, service: &ServiceArn, tasks: &[Task], within: Within<'_>) {
        self.at_home(service, tasks, false).await;
        self.look_or_put_off(service, Reason::Routine, within).await;
    }

    async fn look_or_put_off(&self, service: &ServiceArn, reason: Reason, within: Within<'_>) {
        if let Err(failure) = self.check(service, reason, within).await
            && let Err(failure) = self.put_off(service, &failure).await
        {
            telemetry::look_failed(service, &failure.to_string());
        }
    }

    /// Which services refused tasks belong to. ECS is asked once for each task, and the ledger remembers.
    async fn services_of(&self, refused: &[(&Task, &TaskEntry)]) -> Result<ByService, RetryReason> {
        let mut by_service = ByService::new();
        let mut strangers: BTreeMap<_, Vec<TaskId>> = BTreeMap::new();
        for (task, entry) in refused {
            match entry.home.as_ref().and_then(|home| ServiceArn::new(task.cluster.clone(), &home.service).ok()) {
                Some(service) => by_service.entry(service).or_default().push((*task).clone()),
                None => strangers.entry(task.cluster.clone()).or_default().push(task.id.clone()),
            }
        }
        for (cluster, ids) in strangers {
            let mut found = ByService::new();
            for ids in ids.chunks(TASKS_PER_READ_MAX) {
                for told in self.ecs.describe_tasks(&cluster, ids).await? {
                    if let Some(service) = told.service.and_then(|name| ServiceArn::new(cluster.clone(), &name).ok()) {
                        found.entry(service).or_default().push(Task { cluster: cluster.clone(), id: told.id });
                    }
                }
            }
            for (service, tasks) in found {
                self.at_home(&service, &tasks, false).await;
                by_service.entry(service).or_default().extend(tasks);
            }
        }
        Ok(by_service)
    }

    /// Asks again for the tasks of a service that were refused.
    pub(super) async fn ask_again(&self, service: &ServiceArn, refused: &BTreeSet<TaskId>, within: Within<'_>) {
        if refused.is_empty() {
            return;
        }
        let change = |id| TaskChange { refusal: RefusedBefore::MayBeOver, ..TaskChange::none(service.task(id)) };
        self.apply(within).run(refused.iter().map(change).collect()).await;
    }

    /// While tasks of a service are refused, lets the release of any other one be heard of: ECS counts all that are protected
    /// against the desired count, not only those in the way of a deployment.
    pub(super) async fn await_releases(&self, observed: &Observed, diagnosis: &Diagnosis) {
        if diagnosis.unmet.is_empty() {
            return;
        }
        let service = &observed.service.arn;
        let is_ours = |task: &ObservedTask| matches!(&task.jobs, Jobs::Known(jobs) if !jobs.is_empty());
        let news = observed.protected().filter(|(task, _)| is_ours(task) && !task.is_awaited);
        let tasks: Vec<Task> = news.map(|(task, _)| service.task(&task.id)).collect();
        self.at_home(service, &tasks, true).await;
    }

    /// Remembers where tasks belong, and whether they are waited for.
    async fn at_home(&self, service: &ServiceArn, tasks: &[Task], is_awaited: bool) {
        let stores = tasks.iter().map(|task| async move {
            let stored = ledger::update(&self.ledger, task, None, |entry: &mut TaskEntry| {
                let home = Home { service: service.name.clone(), is_awaited };
                // Of a task that the ledger has forgotten there is nothing to remember.
                if *entry != TaskEntry::default() {
                    entry.home = Some(Box::new(home));
                }
                ((), entry.keep_until(self.clock.now(), self.config.tombstone))
            });
            if let Err(failure) = stored.await {
                telemetry::refusals_not_heard(&failure.into());
            }
        });
        stream::iter(stores).buffer_unordered(ENTRIES_AT_ONCE).collect::<Vec<()>>().await;
    }
}

/// Whether a task holds nothing up any more, as far as taskhold has a part in it.
fn is_out_of_the_way(entry: &TaskEntry) -> bool {
    !entry.protection.held || entry.stopped_at.is_some()
}
