//! The model as the checker sees it.

use super::actions::{ModelAction, RequestProgress};
use super::configuration::Configuration;
use super::function::ModelFunction;
use super::harm::Harm;
use super::left::NOTHING;
use super::promises::{EVERY_PROMISE_IS_KEPT, ModelPromise, every_promise_is_kept, promises};
use super::scene::{Moment, Set, VISIBILITY_TIMEOUT_S, WorkerMessage, members, only};
use super::state::{MessageState, ModelState, ModelTask, ProtectionWriter};
use super::witnesses::{EVERY_WITNESS_IS_REACHED, Witness, everything_holds, witnesses};
use stateright::{Model, Property};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// A configuration with the runs of the function that it has reached.
pub(crate) struct ModelProtocol {
    pub(crate) configuration: Configuration,
    pub(crate) function: ModelFunction,
    /// The promises that are checked.
    pub(crate) promises: Vec<ModelPromise>,
    /// The first promise found broken.
    pub(crate) broken: OnceLock<&'static str>,
    /// The number of states visited before the first violation.
    pub(crate) states_visited: AtomicUsize,
    pub(crate) unreached: Mutex<Vec<Witness>>,
    pub(crate) has_reached_all: AtomicBool,
    /// The latest time of any state.
    latest: AtomicU16,
}

impl ModelProtocol {
    pub(crate) fn new(configuration: Configuration) -> Self {
        Self {
            function: ModelFunction::new(&configuration),
            promises: promises(None),
            broken: OnceLock::new(),
            states_visited: AtomicUsize::new(0),
            unreached: Mutex::new(witnesses(&configuration.must_reach)),
            has_reached_all: AtomicBool::new(false),
            latest: AtomicU16::new(0),
            configuration,
        }
    }

    /// Checks one promise alone.
    pub(crate) fn looking_at(configuration: Configuration, promise: &str) -> Self {
        Self { promises: promises(Some(promise)), ..Self::new(configuration) }
    }

    /// The latest time of any state so far.
    pub(crate) fn latest(&self) -> Moment {
        self.latest.load(Ordering::Relaxed)
    }

    pub(crate) fn message(&self, number: u8) -> &WorkerMessage {
        &self.configuration.messages[usize::from(number)]
    }

    /// Delivers one message alone, without faults.
    fn carry_out(&self, state: ModelState, message: Set) -> ModelState {
        let mut state = self.after(&state, ModelAction::Deliver(message));
        let mut actions = Vec::new();
        while !state.running.is_empty() {
            actions.clear();
            self.possible(&state, &mut actions);
            let goes_well = |action: &&ModelAction| match action {
                ModelAction::Request(_, _, happens) => {
                    matches!(
                        happens,
                        RequestProgress::Answered | RequestProgress::Lands | RequestProgress::TakesEffect(_)
                    )
                }
                ModelAction::Respond(_) => true,
                _ => false,
            };
            let next = actions.iter().find(goes_well).expect("it goes on");
            state = self.after(&state, *next);
        }
        state
    }
}

const UNTOUCHED: ModelTask = ModelTask {
    record: None,
    protected_until: 0,
    set_at: 0,
    writer: ProtectionWriter::Function,
    is_taken_away: false,
    harm: Harm::None,
};

impl Model for ModelProtocol {
    type State = ModelState;
    type Action = ModelAction;

    fn init_states(&self) -> Vec<ModelState> {
        let Configuration { tasks, messages, carried_out, left, .. } = &self.configuration;
        let mut state = ModelState {
            now: 0,
            tasks: (0..*tasks).map(|number| self.protected_by_agent(number, UNTOUCHED)).collect(),
            queue: vec![MessageState::default(); messages.len()],
            running: Vec::new(),
            late: Vec::new(),
            alone: None,
            left: NOTHING,
        };
        for message in members(*carried_out) {
            state = self.carry_out(state, only(usize::from(message)));
        }
        state.left = *left;
        vec![state]
    }

    fn actions(&self, state: &ModelState, actions: &mut Vec<ModelAction>) {
        self.possible(state, actions);
        assert!(!actions.is_empty() || state.is_quiet(), "nothing goes on, and not all is done: {state:?}");
    }

    fn next_state(&self, state: &ModelState, action: ModelAction) -> Option<ModelState> {
        Some(self.after(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(EVERY_PROMISE_IS_KEPT, every_promise_is_kept),
            Property::sometimes(EVERY_WITNESS_IS_REACHED, everything_holds),
        ]
    }

    /// A run that exceeds the time limit has already broken a promise; the checker does not continue it.
    fn within_boundary(&self, state: &ModelState) -> bool {
        self.latest.fetch_max(state.now, Ordering::Relaxed);
        state.now <= self.configuration.ends_within_s() + VISIBILITY_TIMEOUT_S
    }
}
