//! Draws and records every random decision of a run, so that the run can be replayed.
//!
//! 0 is always the calmest choice: no fault, the first of several, the shortest. Shortening a run therefore puts 0
//! wherever the choice does not matter, and drops trailing zeros.

use fastrand::Rng;

/// Draws choices, or replays recorded ones, one step of a run at a time.
#[derive(Debug)]
pub(super) struct Choices {
    /// `None` in a replay.
    rng: Option<Rng>,
    /// The choices of the current step, in a replay.
    given: Vec<u32>,
    /// The choices that the current step has drawn so far.
    made: Vec<u32>,
}

impl Choices {
    /// Draws from a seed.
    pub(super) fn of_seed(seed: u64) -> Self {
        Self { rng: Some(Rng::with_seed(seed)), given: Vec::new(), made: Vec::new() }
    }

    /// Draws nothing and returns the recorded choices of each step.
    pub(super) fn replayed() -> Self {
        Self { rng: None, given: Vec::new(), made: Vec::new() }
    }

    /// Begins a step; `given` are its choices in a replay, where a missing one is 0.
    pub(super) fn begin(&mut self, given: &[u32]) {
        self.made.clear();
        self.given.clear();
        self.given.extend_from_slice(given);
    }

    /// The choices of the step, without trailing zeros.
    pub(super) fn end(&mut self) -> Vec<u32> {
        let used = self.made.iter().rposition(|choice| *choice != 0).map_or(0, |at| at + 1);
        self.made.truncate(used);
        std::mem::take(&mut self.made)
    }

    fn draw(&mut self, drawn: impl FnOnce(&mut Rng) -> u32) -> u32 {
        let choice = match &mut self.rng {
            Some(rng) => drawn(rng),
            None => self.given.get(self.made.len()).copied().unwrap_or(0),
        };
        self.made.push(choice);
        choice
    }

    /// A number below `count`, which must not be 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let choice = self.draw(|rng| rng.u32(..count));
        (choice % count) as usize
    }

    /// One of several values; there must be at least one.
    pub(super) fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// Draws an event with a probability of `percent`. In a replay only the record counts.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.draw(|rng| u32::from(rng.u32(..100) < percent)) != 0
    }

    /// The number of moves of a drawn run; a replay does not ask for it. It is not recorded, because the moves are.
    pub(super) fn moves(&mut self) -> usize {
        self.rng.as_mut().map_or(0, |rng| rng.usize(120..420))
    }

    /// The index of one of several, drawn in proportion to its weight. The sum of the weights must not be 0.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let last = weights.len() - 1;
        let choice = self.draw(|rng| u32::try_from(place(weights, rng)).unwrap_or(0));
        (choice as usize).min(last)
    }

    /// As [`Self::weighted`], but unrecorded: the next move is recorded by its name. `None` in a replay.
    pub(super) fn next_move(&mut self, weights: &[u32]) -> Option<usize> {
        let rng = self.rng.as_mut()?;
        Some(place(weights, rng))
    }
}

fn place(weights: &[u32], rng: &mut Rng) -> usize {
    let sum: u32 = weights.iter().sum();
    let mut drawn = rng.u32(..sum);
    for (at, weight) in weights.iter().enumerate() {
        match drawn.checked_sub(*weight) {
            Some(rest) => drawn = rest,
            None => return at,
        }
    }
    unreachable!("the drawn number is less than the total")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(choices: &mut Choices) -> (usize, bool, usize, usize) {
        (choices.below(7), choices.chance(50), choices.weighted(&[1, 5, 2]), choices.one_of(&[0, 0, 0]))
    }

    #[test]
    fn a_replay_returns_the_choices_that_a_seed_has_drawn() {
        for seed in 0..50 {
            let mut choices = Choices::of_seed(seed);
            choices.begin(&[]);
            let drawn = draw(&mut choices);
            let record = choices.end();
            let mut replay = Choices::replayed();
            replay.begin(&record);
            assert_eq!(draw(&mut replay), drawn);
            assert_eq!(replay.end(), record);
        }
    }

    #[test]
    fn a_choice_that_a_replay_does_not_have_is_the_calmest() {
        let mut replay = Choices::replayed();
        replay.begin(&[]);
        assert_eq!(draw(&mut replay), (0, false, 0, 0));
        assert_eq!(replay.end(), Vec::<u32>::new());
    }
}
