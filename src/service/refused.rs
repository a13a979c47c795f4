//! The consequences of refused protection: the service record learns of the refused tasks, and the function requests
//! their protection again when the blocking tasks may be gone.

use crate::budget::Budget;
use crate::ecs::TASKS_PER_READ_MAX;
use crate::ecs::arn::{ClusterArn, Task, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use crate::service::alert::{AlertKind, Transition};
use crate::service::diagnosis::Diagnosis;
use crate::service::incident::delivery::ClaimedNotification;
use crate::service::incident::problem::alert_kind;
use crate::service::reconcile::Findings;
use crate::service::reconciler::ServiceReconciler;
use crate::service::record::ServiceRecord;
use crate::service::refused_task::RefusedTask;
use crate::service::schedule::Reason;
use crate::service::snapshot::managed::is_managed;
use crate::service::snapshot::read::jobs;
use crate::service::snapshot::{Jobs, LostTask, ServiceSnapshot, TaskSnapshot};
use crate::store::error::StoreError;
use crate::store::{self, Changed, RECORDS_AT_ONCE};
use crate::task::change::{RefusedBefore, TaskChange};
use crate::task::outcome::{ReconciledTask, TaskState, Unsettled};
use crate::task::record::{Membership, RecordedTask, TaskRecord};
use crate::text::shown_time;
use futures_util::StreamExt;
use futures_util::stream;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tracing::warn;

/// Tasks by the service that they belong to.
pub(crate) type ByService = BTreeMap<ServiceArn, Vec<Task>>;

/// Whether refused tasks of a service wait for the release of a task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    Yes,
    No,
    /// As the record says; if it does not, they do not wait.
    AsRecorded,
}

impl ServiceReconciler {
    /// Processes the results of reconciled tasks. Refusals go to the records of the services; where refused tasks wait
    /// for a release that happened, their protection is requested again. A failure here is only logged: the messages of
    /// refused tasks are retried, and bring the refusal again.
    pub(crate) async fn process_results<'a>(
        &self,
        reconciled: impl Iterator<Item = ReconciledTask<'a>>,
        budget: Budget<'_>,
    ) {
        let now = self.tasks.clock.now();
        let (mut refused, mut released) = (Vec::new(), ByService::new());
        for ReconciledTask { task, state } in reconciled {
            let TaskState::Known(record, _) = state else { continue };
            if record.refused_since(now).or(record.rejected_since(now)).is_some() {
                refused.push(RecordedTask { task, record });
            }
            if let Some(membership) =
                record.membership.as_ref().filter(|membership| membership.is_awaited && has_freed_room(record))
                && let Ok(service) = ServiceArn::new(task.cluster.clone(), &membership.service)
            {
                released.entry(service).or_default().push(task.clone());
            }
        }
        if !refused.is_empty() {
            self.record_refusals(&refused, budget).await;
        }
        for (service, tasks) in released {
            self.retry_refused(&service, &tasks, budget).await;
        }
    }

    async fn record_refusals(&self, refused: &[RecordedTask<'_>], budget: Budget<'_>) {
        let by_service = match self.services_of(refused).await {
            Ok(by_service) => by_service,
            Err(failure) => return log_unrecorded(&failure),
        };
        for (service, tasks) in by_service {
            let ids: BTreeSet<TaskId> = tasks.into_iter().map(|task| task.id).collect();
            let noted = store::update(&*self.store, &service, None, |record: &mut ServiceRecord| {
                let has_new = !ids.is_subset(&record.refused);
                record.refused.extend(ids.iter().cloned());
                Changed { result: has_new, keep_until: ServiceRecord::keep_until(self.tasks.clock.now()) }
            });
            match noted.await.map(|updated| updated.result) {
                // The alert names the blocking tasks immediately.
                Ok(true) => self.reconcile_or_postpone(&service, Reason::Begun, budget).await,
                Ok(false) => {}
                Err(failure) => log_unrecorded(&failure.into()),
            }
        }
    }

    /// Reconciles the service of released tasks: ECS may accept the protection of its refused tasks now.
    async fn retry_refused(&self, service: &ServiceArn, tasks: &[Task], budget: Budget<'_>) {
        self.record_service(service, tasks, Awaited::No).await;
        self.reconcile_or_postpone(service, Reason::Routine, budget).await;
    }

    async fn reconcile_or_postpone(&self, service: &ServiceArn, reason: Reason, budget: Budget<'_>) {
        if let Err(failure) = self.check(service, reason, budget).await
            && let Err(failure) = self.put_off(service, &failure).await
        {
            warn!(%service, %failure, "could not reconcile the service");
        }
    }

    /// The services of refused tasks. ECS is asked once for each task; the task record remembers the answer.
    async fn services_of(&self, refused: &[RecordedTask<'_>]) -> Result<ByService, Unsettled> {
        let mut by_service = ByService::new();
        let mut strangers: BTreeMap<_, Vec<TaskId>> = BTreeMap::new();
        for RecordedTask { task, record } in refused {
            match record
                .membership
                .as_ref()
                .and_then(|membership| ServiceArn::new(task.cluster.clone(), &membership.service).ok())
            {
                Some(service) => by_service.entry(service).or_default().push((*task).clone()),
                None => strangers.entry(task.cluster.clone()).or_default().push(task.id.clone()),
            }
        }
        for (cluster, ids) in strangers {
            for ids in ids.chunks(TASKS_PER_READ_MAX) {
                for (service, tasks) in self.read_services(&cluster, ids, Awaited::No).await? {
                    by_service.entry(service).or_default().extend(tasks);
                }
            }
        }
        Ok(by_service)
    }

    /// Asks ECS for the services of tasks, which their records remember: at most [`TASKS_PER_READ_MAX`] tasks. A task
    /// that has no service, or that ECS no longer knows, is left out.
    pub(crate) async fn read_services(
        &self,
        cluster: &Arc<ClusterArn>,
        ids: &[TaskId],
        awaited: Awaited,
    ) -> Result<ByService, EcsError> {
        let mut by_service = ByService::new();
        for described in self.tasks.ecs.describe_tasks(cluster, ids).await? {
            let service = described.service.and_then(|name| ServiceArn::new(cluster.clone(), &name).ok());
            if let Some(service) = service {
                by_service.entry(service).or_default().push(Task { cluster: cluster.clone(), id: described.id });
            }
        }
        for (service, tasks) in &by_service {
            self.record_service(service, tasks, awaited).await;
        }
        Ok(by_service)
    }

    /// Requests protection again for the refused tasks of a service.
    pub(crate) async fn request_again(
        &self,
        service: &ServiceArn,
        refused: &BTreeSet<TaskId>,
        budget: Budget<'_>,
    ) -> Vec<TaskState> {
        if refused.is_empty() {
            return Vec::new();
        }
        let change = |id| TaskChange { refusal: RefusedBefore::MayBeOver, ..TaskChange::none(service.task(id)) };
        self.tasks.reconcile(refused.iter().map(change).collect(), budget).await
    }

    /// Whether ECS no longer refuses what the jobs of a task need, and its record has room for all of them.
    pub(crate) fn is_granted(&self, state: &TaskState) -> bool {
        let now = self.tasks.clock.now();
        let is_met = |record: &TaskRecord| record.refused_since(now).or(record.rejected_since(now)).is_none();
        matches!(state, TaskState::Known(record, None) if is_met(record))
    }

    /// Leaves tasks out of the alerts that ECS first refused and then granted in this reconcile. An incident that
    /// opened in it and has no other task is dropped, and is again what it was in `known`. Nothing changes if another
    /// invocation has meanwhile recorded a refused task that the alerts do not name.
    pub(crate) async fn withdraw_refusals(
        &self,
        snapshot: &ServiceSnapshot,
        known: &ServiceRecord,
        granted: &BTreeSet<TaskId>,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let service = &snapshot.service.arn;
        let named = findings.diagnosis.refused_tasks.clone();
        let left: Vec<RefusedTask> = named.iter().filter(|refused| !granted.contains(&refused.task)).cloned().collect();
        if left.len() == named.len() {
            return Ok(());
        }
        let is_over = |kind: AlertKind| left.iter().all(|refused| alert_kind(refused) != kind);
        let is_about_none =
            |one: &ClaimedNotification| one.incident.kind.is_about_refusals() && is_over(one.incident.kind);
        // One that opened earlier may have been reported as open already, although its delivery was not confirmed.
        let is_new = |one: &ClaimedNotification| {
            let before = known.incidents.get(&one.key);
            let was_over = before.is_none_or(|incident| !incident.is_open() && incident.pending.is_none());
            one.event == Transition::Opened && one.incident.notified_at == snapshot.at && was_over
        };
        let is_dropped = |one: &ClaimedNotification| is_about_none(one) && is_new(one);
        if findings.to_notify.iter().any(|one| is_about_none(one) && !is_dropped(one)) {
            // It repeats, and the next reconcile resolves it.
            return Ok(());
        }
        let stored = store::update(&*self.store, service, None, |record: &mut ServiceRecord| {
            record.refused.retain(|task| !granted.contains(task));
            let is_complete = record.refused.iter().all(|task| named.iter().any(|refused| refused.task == *task));
            for one in findings.to_notify.iter().filter(|one| is_complete && one.incident.kind.is_about_refusals()) {
                if is_dropped(one) {
                    match known.incidents.get(&one.key) {
                        Some(before) => record.incidents.insert(one.key.clone(), before.clone()),
                        None => record.incidents.remove(&one.key),
                    };
                } else if let Some(incident) = record.incidents.get_mut(&one.key) {
                    incident.scope.tasks.retain(|task| !granted.contains(task));
                }
            }
            Changed { result: is_complete, keep_until: ServiceRecord::keep_until(self.tasks.clock.now()) }
        });
        if stored.await?.result {
            findings.to_notify.retain(|one| !is_dropped(one));
            findings.diagnosis.refused_tasks = left;
        }
        Ok(())
    }

    /// Requests protection again for busy tasks that lost it, and puts the result into the snapshot.
    pub(crate) async fn repair_lost(&self, snapshot: &mut ServiceSnapshot, budget: Budget<'_>) {
        let lost = std::mem::take(&mut snapshot.lost);
        if lost.is_empty() {
            return;
        }
        let service = &snapshot.service.arn;
        let change = |LostTask { task, until, reported }: &LostTask| {
            let (task, until) = (service.task(task), shown_time(*until));
            warn!(%task, until, "busy task lost its protection; requesting it again");
            TaskChange { protection: *reported, refusal: RefusedBefore::MayBeOver, ..TaskChange::none(task) }
        };
        let states = self.tasks.reconcile(lost.iter().map(change).collect(), budget).await;
        let managed = is_managed(&snapshot.service);
        for (lost, state) in lost.iter().zip(states) {
            let task = snapshot.tasks.iter_mut().find(|task| task.id == lost.task);
            if let (Some(task), TaskState::Known(record, _)) = (task, state) {
                task.protected_until = record.protection.confirmed_until.max(task.protected_until);
                task.refused_since = record.refused_since(snapshot.at);
                task.jobs = jobs(&record, snapshot.at, managed, &snapshot.durations);
            }
        }
    }

    /// While a service has refused tasks, marks its protected tasks so that the release of any of them triggers a
    /// reconcile: ECS counts every protected task against the desired count, not only those that block a deployment.
    pub(crate) async fn await_releases(&self, snapshot: &ServiceSnapshot, diagnosis: &Diagnosis) {
        if diagnosis.refused_by_ecs().next().is_none() {
            return;
        }
        let service = &snapshot.service.arn;
        let has_jobs = |task: &TaskSnapshot| matches!(&task.jobs, Jobs::Known(jobs) if !jobs.is_empty());
        let is_ours = |task: &TaskSnapshot| has_jobs(task) || task.lingers_until.is_some();
        let unmarked = snapshot.protected().filter(|(task, _)| is_ours(task) && !task.is_awaited);
        let tasks: Vec<Task> = unmarked.map(|(task, _)| service.task(&task.id)).collect();
        self.record_service(service, &tasks, Awaited::Yes).await;
    }

    /// Records the service of tasks, and whether refused tasks wait for their release.
    pub(crate) async fn record_service(&self, service: &ServiceArn, tasks: &[Task], awaited: Awaited) {
        let stores = tasks.iter().map(|task| async move {
            let stored = store::update(&*self.tasks.store, task, None, |record: &mut TaskRecord| {
                let is_awaited = match awaited {
                    Awaited::Yes => true,
                    Awaited::No => false,
                    Awaited::AsRecorded => record.membership.as_ref().is_some_and(|membership| membership.is_awaited),
                };
                let membership = Membership { service: service.name.clone(), is_awaited };
                // A task that the state store has forgotten gets no new record.
                if *record != TaskRecord::default() {
                    record.membership = Some(Box::new(membership));
                }
                let retention = self.tasks.config.finished_job_retention;
                Changed { result: (), keep_until: record.keep_until(self.tasks.clock.now(), retention) }
            });
            if let Err(failure) = stored.await {
                log_unrecorded(&failure.into());
            }
        });
        stream::iter(stores).buffer_unordered(RECORDS_AT_ONCE).collect::<Vec<()>>().await;
    }
}

/// Whether the task no longer counts against the desired count: it has stopped, or taskhold no longer protects it.
fn has_freed_room(record: &TaskRecord) -> bool {
    !record.protection.is_set() || record.stopped_at.is_some()
}

fn log_unrecorded(failure: &Unsettled) {
    warn!(%failure, "could not record the service of refused tasks; their messages will be retried");
}
