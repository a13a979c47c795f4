//! Sends the notifications of a reconcile: completes each alert with what taskhold did and how it ended, delivers it,
//! and settles its delivery.

use crate::ecs::arn::TaskId;
use crate::outbox::DeliveryOutcome;
use crate::service::alert::{Alert, AlertKind, OwnAction};
use crate::service::diagnosis::{Diagnosis, of_orphans};
use crate::service::incident::Incident;
use crate::service::incident::delivery::{self, ClaimedNotification};
use crate::service::reconcile::Findings;
use crate::service::reconciler::ServiceReconciler;
use crate::service::record::ServiceRecord;
use crate::service::remediation::{CarriedOut, RaiseStage, RemediationState};
use crate::service::resolution::{TaskEnd, task_end};
use crate::service::resolved::resolution;
use crate::service::snapshot::ServiceSnapshot;
use crate::service::suggested_action::SuggestedAction;
use crate::store::error::StoreError;
use crate::store::{self, Changed};
use crate::text::{listed, shown_time};
use std::collections::BTreeSet;
use tracing::{error, info, warn};

/// A log line names at most this many tasks; the alert names more.
const TASKS_LOGGED_MAX: usize = 20;
/// The end of an incident names at most this many tasks, each of which costs a read of the state store.
const TASK_ENDS_MAX: usize = 10;

impl ServiceReconciler {
    /// Sends the claimed notifications. Returns the number of those that were delivered.
    pub(crate) async fn notify_all(
        &self,
        snapshot: &ServiceSnapshot,
        findings: &Findings,
        done: &CarriedOut,
    ) -> Result<usize, StoreError> {
        let mut sent = 0;
        for ClaimedNotification { key, incident, event } in &findings.to_notify {
            let mut diagnosis = match incident.kind {
                AlertKind::OrphanedProtection => of_orphans(snapshot, &findings.diagnosis, &self.policy().diagnosis),
                _ => findings.diagnosis.clone(),
            };
            let own_action = own_action(done, &mut diagnosis);
            let tasks = self.task_ends(snapshot, incident).await;
            let resolution = resolution(incident, snapshot, &diagnosis, tasks);
            let alert = Alert {
                incident: key.clone(),
                kind: incident.kind,
                event: *event,
                service: snapshot.service.arn.clone(),
                since: incident.since,
                superseded: incident.scope.superseded().to_vec(),
                came_back_at: incident.scope.came_back_at,
                first_expected_end: findings.first_expected_end,
                at: snapshot.at,
                diagnosis,
                remediations: done.state.notes.clone(),
                own_action,
                resolution,
            };
            let failures = incident.pending.map_or(0, |pending| pending.delivery.failures);
            sent += usize::from(self.notify(&alert, failures).await? == DeliveryOutcome::Acknowledged);
        }
        Ok(sent)
    }

    /// The outcomes of the refused tasks of a resolved incident. Leaves out a task whose record cannot be read.
    async fn task_ends(&self, snapshot: &ServiceSnapshot, incident: &Incident) -> Vec<TaskEnd> {
        let is_about = incident.kind.is_about_refusals();
        let mut ends = Vec::new();
        for task in incident.scope.tasks.iter().filter(|_| is_about && !incident.is_open()).take(TASK_ENDS_MAX) {
            let record = self.tasks.store.load(&snapshot.service.arn.task(task)).await;
            ends.extend(record.ok().map(|known| task_end(task, snapshot, &known.record)));
        }
        ends
    }

    /// Sends an alert after this number of failed attempts, and settles its delivery.
    async fn notify(&self, alert: &Alert, failures: u8) -> Result<DeliveryOutcome, StoreError> {
        log(alert, failures);
        let incident = &alert.incident;
        let outcome = match self.notifier.deliver(alert).await {
            Ok(()) => DeliveryOutcome::Acknowledged,
            Err(failure) if failures == 0 => {
                error!(incident, %failure, "could not send the alert; later reconciles retry");
                DeliveryOutcome::Failed
            }
            Err(failure) => {
                info!(incident, %failure, failures, "still could not send the alert");
                DeliveryOutcome::Failed
            }
        };
        store::update(&*self.store, &alert.service, None, |record: &mut ServiceRecord| {
            delivery::settle(&mut record.incidents, &alert.incident, alert.event, outcome, self.tasks.clock.now());
            Changed { result: (), keep_until: ServiceRecord::keep_until(alert.at) }
        })
        .await?;
        Ok(outcome)
    }
}

/// What taskhold has done by itself. The diagnosis no longer suggests it.
fn own_action(done: &CarriedOut, diagnosis: &mut Diagnosis) -> OwnAction {
    let CarriedOut { state, released } = done;
    state.leave_to_taskhold(&mut diagnosis.suggested_actions);
    let released: BTreeSet<&TaskId> = released.iter().collect();
    let is_done = |action: &SuggestedAction| match action {
        SuggestedAction::ReleaseIdle { tasks, .. } => tasks.iter().all(|task| released.contains(task)),
        _ => false,
    };
    let before = diagnosis.suggested_actions.len();
    diagnosis.suggested_actions.retain(|action| !is_done(action));
    if diagnosis.suggested_actions.len() < before {
        return OwnAction::ReleasedIdle { tasks: released.len() };
    }
    raised(state).unwrap_or_default()
}

fn raised(state: &RemediationState) -> Option<OwnAction> {
    let raised = state.raised.as_ref()?;
    let is_sent = matches!(raised.stage, RaiseStage::Sending | RaiseStage::Raised);
    is_sent.then_some(OwnAction::RaisedDesiredCount { from: raised.from, to: raised.to })
}

/// Logs an alert: the first attempt to send it as a warning.
fn log(alert: &Alert, failures: u8) {
    let Alert { incident, kind, event, service, since, .. } = alert;
    let (kind, event, since) = (kind.as_str(), event.as_str(), shown_time(*since));
    let blocking = alert.diagnosis.blocking_tasks.iter().map(|blocking| blocking.task.as_str());
    let tasks = listed(blocking.take(TASKS_LOGGED_MAX));
    match failures {
        0 => warn!(incident, kind, event, %service, since, tasks, "sending an alert"),
        _ => info!(incident, kind, event, %service, failures, "sending an alert again"),
    }
}
