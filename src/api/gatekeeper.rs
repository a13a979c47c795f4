//! Answers deployment lifecycle hooks: reads the service for its gate, and logs the answer.

use crate::api::gate::{
    DeploymentGate, GateCondition, GateDeadline, GateFinding, GateState, GateVerdict, decide_gate, gate_of, gate_state,
    unknown_member,
};
use crate::api::hook::{HookAnswer, HookInput};
use crate::budget::{Budget, OutOfTime};
use crate::config::settings::Mode;
use crate::ecs::service::ServiceArn;
use crate::service::forecast::DiagnosisPolicy;
use crate::service::reconciler::ServiceReconciler;
use crate::service::snapshot::all_jobs::read_all_jobs;
use jiff::SignedDuration;
use tracing::{info, warn};

/// Time reserved to answer. An invocation that Lambda ends rolls the deployment back.
const ANSWER_TIME: SignedDuration = SignedDuration::from_secs(5);

/// Answers lifecycle hooks with the reconciler's reads.
pub(crate) struct Gatekeeper<'a> {
    /// Reads services.
    pub(crate) services: &'a ServiceReconciler,
}

impl Gatekeeper<'_> {
    /// Answers a hook. It never fails: ECS would roll the deployment back.
    pub(crate) async fn answer(&self, input: &HookInput, budget: Budget<'_>) -> HookAnswer {
        let tasks = &self.services.tasks;
        let now = tasks.clock.now();
        let (service, verdict) = match &input.service {
            Err(why) => (String::new(), GateVerdict::continues(why.as_str())),
            Ok(service) => {
                let verdict = match gate_of(input, now) {
                    Err(verdict) => verdict,
                    Ok(gate) => {
                        let state = self.state_in_time(service, &gate, budget).await;
                        decide_gate(&gate, &input.details, &state, tasks.clock.now())
                    }
                };
                (service.to_string(), verdict)
            }
        };
        let GateVerdict { answer, reason } = verdict;
        let (stage, status) = (input.stage.as_str(), answer.status());
        let (deployment, direction) = (input.deployment.as_str(), input.direction.as_str());
        if let Some(Err(problem)) = DeploymentGate::of(&input.details, now) {
            warn!(service, stage, problem, "ignoring a deployment gate that cannot be used");
        } else if let Some(field) = unknown_member(&input.details) {
            warn!(service, stage, field, "ignoring an unknown member of a deployment gate");
        }
        if tasks.config.mode == Mode::DryRun && !matches!(answer, HookAnswer::Succeeded {}) {
            info!(
                service,
                deployment, stage, status, reason, "dry run: deployment lifecycle hook lets the deployment continue"
            );
            return HookAnswer::Succeeded {};
        }
        let details = input.detail_names();
        info!(service, deployment, stage, direction, details, status, reason, "answering a deployment lifecycle hook");
        answer
    }

    /// The state of the service, or that it could not be read in the time of the invocation.
    async fn state_in_time(&self, service: &ServiceArn, gate: &DeploymentGate, budget: Budget<'_>) -> GateState {
        let clock = &*self.services.tasks.clock;
        let finding = match budget.in_time(clock, ANSWER_TIME, self.state(service, gate.until)).await {
            Ok(Ok(state)) => return state,
            Ok(Err(failure)) => failure,
            Err(OutOfTime) => "the service could not be read in time".to_owned(),
        };
        GateState { finding: GateFinding::Unreadable(finding), deadline: GateDeadline::Partly(None) }
    }

    async fn state(&self, service: &ServiceArn, until: GateCondition) -> Result<GateState, String> {
        let tasks = &self.services.tasks;
        let known = self.services.store.load(service).await;
        let known = known.map_err(|error| format!("the service record could not be read: {error}"))?.record;
        let snapshot = self.services.read(service, &known).await;
        let snapshot = snapshot.map_err(|error| format!("the service could not be read: {error}"))?;
        let mut snapshot = snapshot.ok_or("ECS does not know the service")?;
        if until == GateCondition::NoLiveJobs {
            read_all_jobs(&*tasks.store, &mut snapshot).await;
        }
        Ok(gate_state(until, &snapshot, &DiagnosisPolicy::of(&tasks.config)))
    }
}
