//! Shortens a run that breaks a promise: it removes moves and uses the calmest choice wherever that still breaks the
//! same promise (Zeller, "Simplifying and Isolating Failure-Inducing Input": delta debugging).

use super::choices::Choices;
use super::plan::Plan;
use super::run::{RunOutcome, replay, run};
use super::world::Recording;
use std::time::{Duration, Instant};

/// Returns the shortest run found within this time that breaks the same promise, with its events.
///
/// The result is reproducible unless time runs out; then a faster machine finds a shorter run.
#[must_use]
pub fn shortened(outcome: &RunOutcome, within: Duration) -> RunOutcome {
    let mut search = Search { best: outcome.plan.clone(), until: moment() + within };
    search.leave_calm_away();
    loop {
        let before = search.best.clone();
        search.leave_moves_away();
        search.calm_choices();
        if search.best == before || search.is_over() {
            break;
        }
    }
    replay(&search.best)
}

struct Search {
    best: Plan,
    until: Instant,
}

impl Search {
    fn is_over(&self) -> bool {
        moment() >= self.until
    }

    /// Keeps a plan that breaks the same promise.
    fn take(&mut self, plan: Plan) -> bool {
        if self.is_over() {
            return false;
        }
        let outcome = run(Choices::replayed(), &plan, Recording::Silent);
        let is_same = outcome.plan.breaks == self.best.breaks;
        if is_same {
            // The recorded plan, since moves after the break are not made.
            self.best = outcome.plan;
        }
        is_same
    }

    fn leave_calm_away(&mut self) {
        let plan = Plan { calm: Vec::new(), ..self.best.clone() };
        self.take(plan);
    }

    /// Removes blocks of moves, large ones first, from the end.
    fn leave_moves_away(&mut self) {
        let mut block = self.best.storm.len().div_ceil(2);
        while block > 0 && !self.is_over() {
            let mut end = self.best.storm.len();
            while end > 0 && !self.is_over() {
                end = end.min(self.best.storm.len());
                let begin = end.saturating_sub(block);
                let mut plan = self.best.clone();
                plan.storm.drain(begin..end);
                self.take(plan);
                end = begin;
            }
            block /= 2;
        }
    }

    /// Sets choices to 0: all of a move first, then each one.
    fn calm_choices(&mut self) {
        for at in 0..self.best.setup.len() {
            self.try_zero(|plan| plan.setup.get_mut(at));
        }
        let mut step = 0;
        while step < self.best.storm.len() && !self.is_over() {
            let mut plan = self.best.clone();
            let had_any = !std::mem::take(&mut plan.storm[step].drawn).is_empty();
            if had_any && !self.take(plan) {
                for at in 0..self.best.storm[step].drawn.len() {
                    self.try_zero(|plan| plan.storm.get_mut(step)?.drawn.get_mut(at));
                }
            }
            step += 1;
        }
        for at in 0..self.best.calm.len() {
            self.try_zero(|plan| plan.calm.get_mut(at));
        }
    }

    fn try_zero(&mut self, choice: impl Fn(&mut Plan) -> Option<&mut u32>) {
        let mut plan = self.best.clone();
        if let Some(choice) = choice(&mut plan)
            && std::mem::take(choice) != 0
        {
            self.take(plan);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the search is limited in real time")]
fn moment() -> Instant {
    Instant::now()
}
