//! The function's clients of its topic and queues: sends fail, or arrive without a confirmation.

use super::broken::Broken;
use super::rules::Sabotage;
use super::workers::short;
use super::world::{Chaotic, World};
use crate::doubles::alerts::SimulatedAlerts;
use crate::doubles::queues::{SimulatedDeadLetterQueue, SimulatedInterruptedJobQueue, SimulatedRecheckQueue};
use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;
use taskhold::lambda::dead_letter::{
    DeadLetter, DeadLetterQueue, MESSAGE_ID_ATTRIBUTE, REASON_ATTRIBUTE, ReceivedDeadLetter,
};
use taskhold::notify::message::AlertMessage;
use taskhold::notify::sink::InterruptedJobQueue;
use taskhold::notify::sink::Sink;
use taskhold::outbox::{CLAIM, DeliveryError};
use taskhold::service::alert::{AlertKind, Transition};
use taskhold::service::recheck::{Recheck, RecheckQueue};
use taskhold::sqs::SqsError;

/// The fate of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Taken,
    Lost,
    AnswerLost,
}

/// Why a call to SQS or SNS has no answer.
const LOST: &str = "the connection was lost";

fn lost() -> SqsError {
    SqsError::Failed(LOST.to_owned())
}

impl Sent {
    /// The result that the sender receives.
    fn result<E>(self, of_the_place: Result<(), E>, lost: impl FnOnce() -> E) -> Result<(), E> {
        match self {
            Self::Taken => of_the_place,
            Self::Lost | Self::AnswerLost => Err(lost()),
        }
    }
}

impl World {
    fn send_fate(&mut self, what: [&'static str; 2]) -> Sent {
        if !self.fault(self.rules.send_fault_percent) {
            return Sent::Taken;
        }
        self.model.hiccups += 1;
        let is_taken = self.choices.chance(50);
        let what = what[usize::from(is_taken)];
        self.counts.strike(what);
        let number = self.polled;
        self.narrate(|_| format!("  #{number}: {what}"));
        if is_taken { Sent::AnswerLost } else { Sent::Lost }
    }
}

#[async_trait]
impl Sink for Chaotic<SimulatedAlerts> {
    async fn send(&self, message: &AlertMessage) -> Result<(), DeliveryError> {
        let (sent, is_swallowed) = {
            let mut world = self.sim.world();
            let sent = world.send_fate(["SNS: an alert is lost", "SNS: the answer to an alert is lost"]);
            let swallows = world.rules.sabotage == Sabotage::ResolutionsSwallowed;
            (sent, swallows && message.event == Transition::Resolved)
        };
        let taken = match sent {
            Sent::Taken | Sent::AnswerLost if !is_swallowed => {
                let taken = self.inner.send(message).await;
                self.sim.world().check_alert(message);
                taken
            }
            _ => Ok(()),
        };
        self.sim.gate().await;
        sent.result(taken, || DeliveryError::Alerts(LOST.to_owned()))
    }
}

/// What must not be sent twice: an incident, or each job of a stopping task.
fn alert_subjects(message: &AlertMessage) -> Vec<String> {
    if message.kind != AlertKind::JobInterrupted {
        return vec![message.incident.clone()];
    }
    let alert: Value = serde_json::from_str(&message.json).expect("taskhold writes JSON");
    let jobs = alert["jobs"].as_array().expect("an interruption names its jobs");
    jobs.iter().map(|job| format!("{} {} {}", message.incident, job["jobId"], job["attempt"])).collect()
}

impl World {
    /// Whether a claim lasts at least as long as an invocation can run. With the deployed function's timeout it does.
    /// Otherwise another invocation may send the same again while the first still runs, or the resolution before the
    /// alert that it resolves.
    pub(super) fn claims_outlast_invocations(&self) -> bool {
        i128::from(self.rules.function_timeout_ms) <= CLAIM.as_millis()
    }

    fn check_alert(&mut self, message: &AlertMessage) {
        let service = message.service.as_ref().map(|service| service.name.clone());
        self.counts.add(match message.event {
            Transition::Opened => "alerts: opened",
            Transition::Escalated => "alerts: escalated",
            Transition::Repeated => "alerts: repeated",
            Transition::Resolved => "alerts: resolved",
        });
        self.counts.add(message.kind.as_str());
        let number = self.polled;
        self.narrate(|_| {
            format!("  #{number} ALERT {} {} of {}", message.kind.as_str(), message.event.as_str(), message.incident)
        });
        let mut is_excessive = false;
        for what in alert_subjects(message) {
            is_excessive |= self.model.published(&what, message.kind, message.event, service.as_deref());
        }
        if is_excessive && self.claims_outlast_invocations() {
            let why = format!(
                "{} {} was sent more often than the faults explain",
                message.kind.as_str(),
                message.event.as_str()
            );
            self.break_off(Broken::Alerts, why);
        }
    }
}

#[async_trait]
impl RecheckQueue for Chaotic<SimulatedRecheckQueue> {
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), SqsError> {
        let (sent, is_swallowed) = {
            let mut world = self.sim.world();
            let sent = world.send_fate(["SQS: a recheck is lost", "SQS: the answer to a recheck is lost"]);
            let number = world.polled;
            world.narrate(|_| {
                format!("  #{number} sends a recheck with a delay of {} s: {}", delay.as_secs(), recheck.body())
            });
            world.counts.add("rechecks");
            (sent, world.rules.sabotage == Sabotage::RechecksSwallowed)
        };
        let taken = match sent {
            Sent::Taken | Sent::AnswerLost if !is_swallowed => self.inner.send(recheck, delay).await,
            _ => Ok(()),
        };
        self.sim.gate().await;
        sent.result(taken, lost)
    }
}

#[async_trait]
impl DeadLetterQueue for Chaotic<SimulatedDeadLetterQueue> {
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), SqsError>> {
        let sent =
            self.sim.world().send_fate(["SQS: dead-lettering fails", "SQS: the answer to dead-lettering is lost"]);
        let taken = match sent {
            Sent::Lost => messages.iter().map(|_| Err(lost())).collect(),
            Sent::Taken | Sent::AnswerLost => self.inner.send_dead_letters(messages).await,
        };
        for (message, _) in messages.iter().zip(&taken).filter(|(_, taken)| taken.is_ok()) {
            self.sim.world().dead_lettered(message);
        }
        self.sim.gate().await;
        taken.into_iter().map(|taken| sent.result(taken, lost)).collect()
    }

    async fn receive_dead_letters(&self, max: usize) -> Result<Vec<ReceivedDeadLetter>, SqsError> {
        self.inner.receive_dead_letters(max).await
    }

    async fn delete_dead_letters(&self, receipt_handles: &[String]) -> Vec<Result<(), SqsError>> {
        self.inner.delete_dead_letters(receipt_handles).await
    }
}

impl World {
    fn dead_lettered(&mut self, message: &DeadLetter) {
        let attribute =
            |name: &str| message.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let id = attribute(MESSAGE_ID_ATTRIBUTE).unwrap_or_default();
        let reason = attribute(REASON_ATTRIBUTE).unwrap_or_default();
        if id.is_empty() || reason.is_empty() {
            return self
                .break_off(Broken::Loss, format!("{} was dead-lettered without its id or a reason", short(&id)));
        }
        let number = self.polled;
        self.narrate(|_| format!("  #{number} dead-letters {}: {reason}", short(&id)));
        if let Some(known) = self.model.messages.get_mut(&id) {
            known.dead_lettered_by.push(number);
        }
    }
}

#[async_trait]
impl InterruptedJobQueue for Chaotic<SimulatedInterruptedJobQueue> {
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), SqsError>> {
        let (sent, is_swallowed) = {
            let mut world = self.sim.world();
            let sent =
                world.send_fate(["SQS: interrupted jobs are lost", "SQS: the answer to interrupted jobs is lost"]);
            (sent, world.rules.sabotage == Sabotage::InterruptionsSwallowed)
        };
        let taken = match sent {
            Sent::Taken | Sent::AnswerLost if !is_swallowed => {
                let taken = self.inner.send(bodies).await;
                bodies.iter().for_each(|body| self.sim.world().forwarded(body));
                taken
            }
            _ => bodies.iter().map(|_| Ok(())).collect(),
        };
        self.sim.gate().await;
        taken.into_iter().map(|taken| sent.result(taken, lost)).collect()
    }
}

impl World {
    fn forwarded(&mut self, body: &str) {
        let interrupted: Value = serde_json::from_str(body).expect("taskhold writes JSON");
        let attempt = interrupted["attempt"].as_u64().and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1);
        let id = interrupted["jobId"].as_str().unwrap_or_default().to_owned();
        self.counts.add("jobs forwarded");
        self.narrate(|_| format!("  {id} (attempt {attempt}) is forwarded as interrupted"));
        let times = self.model.forwarded.entry((id.clone(), attempt)).or_default();
        *times += 1;
        let times = *times;
        if times > 1 + self.model.hiccups && self.claims_outlast_invocations() {
            let why = format!("{id} (attempt {attempt}) was forwarded {times} times");
            self.break_off(Broken::Alerts, why);
        }
    }
}
