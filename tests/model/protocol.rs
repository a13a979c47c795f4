//! The model as the checker sees it.

use super::actions::{Action, Happens};
use super::configuration::Configuration;
use super::function::Function;
use super::harm::Harm;
use super::left::NOTHING;
use super::promises::{EVERY_PROMISE_IS_KEPT, Promise, every_promise_is_kept, promises};
use super::scene::{Message, Moment, Set, VISIBILITY_TIMEOUT_S, members, only};
use super::state::{MessageState, State, TaskState, Writer};
use super::witnesses::{EVERY_WITNESS_IS_REACHED, Witness, everything_holds, witnesses};
use stateright::{Model, Property};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// A configuration with the runs of the function that it has reached.
pub(crate) struct Protocol {
    pub(crate) configuration: Configuration,
    pub(crate) function: Function,
    /// The promises that are checked.
    pub(crate) promises: Vec<Promise>,
    /// The first promise found broken.
    pub(crate) broken: OnceLock<&'static str>,
    /// The number of states visited before the first violation.
    pub(crate) states_visited: AtomicUsize,
    pub(crate) unreached: Mutex<Vec<Witness>>,
    pub(crate) has_reached_all: AtomicBool,
    /// The latest time of any state.
    latest: AtomicU16,
}

impl Protocol {
    pub(crate) fn new(configuration: Configuration) -> Self {
        Self {
            function: Function::new(&configuration),
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

    pub(crate) fn message(&self, number: u8) -> &Message {
        &self.configuration.messages[usize::from(number)]
    }

    /// Delivers one message alone, without faults.
    fn carry_out(&self, state: State, message: Set) -> State {
        let mut state = self.after(&state, Action::Deliver(message));
        let mut actions = Vec::new();
        while !state.running.is_empty() {
            actions.clear();
            self.possible(&state, &mut actions);
            let goes_well = |action: &&Action| match action {
                Action::Request(_, _, happens) => {
                    matches!(happens, Happens::Answered | Happens::Lands | Happens::TakesEffect(_))
                }
                Action::Respond(_) => true,
                _ => false,
            };
            let next = actions.iter().find(goes_well).expect("it goes on");
            state = self.after(&state, *next);
        }
        state
    }
}

const UNTOUCHED: TaskState = TaskState {
    record: None,
    protected_until: 0,
    set_at: 0,
    writer: Writer::Function,
    is_taken_away: false,
    harm: Harm::None,
};

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let Configuration { tasks, messages, carried_out, left, .. } = &self.configuration;
        let mut state = State {
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

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.possible(state, actions);
        assert!(!actions.is_empty() || state.is_quiet(), "nothing goes on, and not all is done: {state:?}");
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.after(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(EVERY_PROMISE_IS_KEPT, every_promise_is_kept),
            Property::sometimes(EVERY_WITNESS_IS_REACHED, everything_holds),
        ]
    }

    /// A run that exceeds the time limit has already broken a promise; the checker does not continue it.
    fn within_boundary(&self, state: &State) -> bool {
        self.latest.fetch_max(state.now, Ordering::Relaxed);
        state.now <= self.configuration.ends_within_s() + VISIBILITY_TIMEOUT_S
    }
}
