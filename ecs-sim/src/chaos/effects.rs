//! Whether and when calls and stores take effect: at once, later, whether or not their callers still wait, or never.

use super::protection::SentRequest;
use super::rules::Sabotage;
use super::world::{PendingEffect, STRIKES_WITHIN_MS, World, WorldChange};
use crate::control_plane::Millis;
use serde_json::Value;
use taskhold::ecs::ProtectionAnswer;
use taskhold::ecs::error::EcsError;

/// When a call takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strikes {
    InTime,
    Late,
    Never,
}

/// The fate of a call that changes something.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    pub(super) strikes: Strikes,
    pub(super) error: Option<EcsError>,
    /// One task is missing from both lists of the answer.
    pub(super) is_partial: bool,
}

impl Fate {
    fn failing(strikes: Strikes, error: EcsError) -> Self {
        Self { strikes, error: Some(error), is_partial: false }
    }
}

impl World {
    /// Draws the fate of a call for this number of tasks.
    pub(super) fn fate(&mut self, tasks: usize) -> Fate {
        if !self.fault(self.rules.call_fault_percent) {
            return Fate { strikes: Strikes::InTime, error: None, is_partial: false };
        }
        let no_answer = match self.rules.sabotage {
            Sabotage::EffectsDenied => EcsError::Throttled,
            _ => EcsError::NoAnswer("timeout".to_owned()),
        };
        let server = || EcsError::Server("500".to_owned());
        let (fate, what) = match self.choices.below(10) {
            0 => (Fate::failing(Strikes::Never, EcsError::Throttled), "ECS throttles"),
            1 => (Fate::failing(Strikes::Never, server()), "ECS answers 5xx"),
            2 => (Fate::failing(Strikes::InTime, server()), "ECS answers 5xx, with effect"),
            3 => (Fate::failing(Strikes::Never, no_answer), "ECS loses calls"),
            4 => (Fate::failing(Strikes::InTime, no_answer), "ECS loses answers"),
            5 | 6 => (Fate::failing(Strikes::Late, no_answer), "ECS loses answers, with late effect"),
            7 => (Fate::failing(Strikes::Never, EcsError::AccessDenied("denied".to_owned())), "ECS denies access"),
            8 if tasks > 1 => {
                let rejected = EcsError::Rejected("InvalidParameterException".to_owned());
                (Fate::failing(Strikes::Never, rejected), "ECS rejects a call for several tasks")
            }
            _ => (Fate { strikes: Strikes::InTime, error: None, is_partial: true }, "ECS answers partially"),
        };
        self.counts.strike(what);
        fate
    }

    /// Schedules an effect for later than its caller waits, within the time that taskhold assumes.
    pub(super) fn leave_behind(&mut self, within: Millis, effect: WorldChange) {
        self.counts.strike("late effects");
        self.put_on_its_way(None, within, effect);
    }

    /// Schedules an effect. `call` is the call that waits for it, if one does.
    fn put_on_its_way(&mut self, call: Option<usize>, within: Millis, effect: WorldChange) {
        let within = match self.rules.sabotage {
            Sabotage::StrikesTooLate => within * 3,
            _ => within,
        };
        // The latest moment is the worst case, so every second effect waits for it.
        let is_slow = self.choices.chance(50);
        let after = if is_slow { within } else { self.choices.below(within as usize) as Millis };
        let at = self.now() + after;
        self.pending.push(PendingEffect { at, is_slow, call, effect });
    }

    pub(super) fn next_late(&self) -> Option<Millis> {
        self.pending.iter().map(|late| late.at).min()
    }

    /// Carries out the effects that a call still has to come, because it is answered.
    fn strike_all_of(&mut self, call: usize) {
        while let Some(place) = self.pending.iter().position(|late| late.call == Some(call)) {
            let late = self.pending.remove(place);
            (late.effect)(self);
        }
    }

    /// The caller has given up: its call's effects are late. Returns their number.
    fn give_up(&mut self, call: usize) -> usize {
        let of_call = self.pending.iter_mut().filter(|late| late.call == Some(call));
        of_call.map(|late| late.call = None).count()
    }

    /// Whether an effect may take place now, if the scheduler wants it.
    pub(super) fn may_strike(&self) -> bool {
        self.pending.iter().any(|late| !late.is_slow)
    }

    /// Carries out one of the effects that may take place now.
    pub(super) fn strike_any(&mut self) {
        let quick: Vec<usize> = (0..self.pending.len()).filter(|place| !self.pending[*place].is_slow).collect();
        if !quick.is_empty() {
            let late = self.pending.remove(quick[self.choices.below(quick.len())]);
            (late.effect)(self);
        }
    }

    /// Carries out every effect that is due.
    pub(super) fn strike_due(&mut self) {
        let now = self.now();
        while let Some(place) = self.pending.iter().position(|late| late.at <= now) {
            let late = self.pending.remove(place);
            (late.effect)(self);
        }
    }

    /// Sends a call whose effect on each task takes place by itself, whether or not its caller waits for it. There is one
    /// request for each task.
    pub(super) fn sends_apart(&mut self, sent: &SentRequest, requests: impl Iterator<Item = Value>) -> usize {
        let call = self.answers.len();
        self.answers.push(Ok(ProtectionAnswer::default()));
        for request in requests {
            let sent = sent.clone();
            let strike = move |world: &mut Self| {
                let result = world.set_protection(&sent, &request);
                match (&mut world.answers[call], result) {
                    (Ok(answer), Ok(result)) => {
                        answer.protected_tasks.extend(result.protected_tasks);
                        answer.failures.extend(result.failures);
                    }
                    (answer, Err(error)) => *answer = Err(error),
                    (Err(_), Ok(_)) => {}
                }
            };
            self.put_on_its_way(Some(call), STRIKES_WITHIN_MS, Box::new(strike));
        }
        call
    }

    /// ECS answers such a call when it has had all its effects.
    pub(super) fn answer(&mut self, call: usize) -> Result<ProtectionAnswer, EcsError> {
        self.strike_all_of(call);
        self.take_answer(call)
    }

    /// A caller that gets an error does not wait for the effects.
    pub(super) fn answer_given_up(&mut self, call: usize) -> Result<ProtectionAnswer, EcsError> {
        for _ in 0..self.give_up(call) {
            self.counts.strike("late effects");
        }
        self.take_answer(call)
    }

    fn take_answer(&mut self, call: usize) -> Result<ProtectionAnswer, EcsError> {
        std::mem::replace(&mut self.answers[call], Ok(ProtectionAnswer::default()))
    }
}
