//! One service in a control plane, for tests of its rules through its public API only.

use ecs_sim::control_plane::{ApiError, ControlPlane, ErrorCode, Millis, ServiceSpec, Setup, Throttling, Variants};
use serde_json::{Value, json};

pub(crate) const MINUTE: Millis = 60_000;
pub(crate) const PREFIX: &str = "arn:aws:ecs:eu-west-1:111122223333";

/// A control plane without throttling, with a cluster `jobs` and a service `web` in it.
pub(crate) struct WebService {
    pub(crate) ecs: ControlPlane,
    pub(crate) tasks: Vec<String>,
}

impl WebService {
    pub(crate) fn new(variants: Variants, spec: ServiceSpec) -> Self {
        let mut ecs = ControlPlane::new(Setup { variants, throttling: Throttling::Off, ..Setup::default() });
        ecs.create_cluster("jobs");
        let tasks = ecs.create_service(spec).expect("a service");
        Self { ecs, tasks }
    }

    pub(crate) fn call(&mut self, operation: &str, body: Value) -> Result<Value, ApiError> {
        self.ecs.call(operation, &body)
    }

    pub(crate) fn answer(&mut self, operation: &str, body: Value) -> Value {
        self.call(operation, body).expect("an answer")
    }

    pub(crate) fn advance(&mut self, by: Millis) {
        self.ecs.advance_to(self.ecs.now() + by);
    }

    pub(crate) fn deploy(&mut self) -> String {
        self.ecs.deploy("jobs", "web").expect("a deployment")
    }

    pub(crate) fn service(&mut self) -> Value {
        let body = json!({"cluster": "jobs", "services": ["web"], "include": ["TAGS"]});
        self.answer("DescribeServices", body)["services"][0].clone()
    }

    pub(crate) fn messages(&mut self) -> Vec<String> {
        let events = self.service()["events"].clone();
        let message = |event: &Value| event["message"].as_str().expect("a message").to_owned();
        events.as_array().expect("events").iter().map(message).collect()
    }

    /// Performs sixty random actions, pausing up to `pause_max` after each, and checks every step of the control
    /// plane. `check` gets the states before and after a step, and the task that an action stopped or freed.
    pub(crate) fn live(
        &mut self,
        dice: &mut Dice,
        pause_max: usize,
        act: fn(&mut Self, &mut Dice) -> Option<String>,
        check: fn(&ControlPlane, &ControlPlane, Option<&str>),
    ) {
        for _ in 0..60 {
            let before = self.ecs.clone();
            let exempt = act(self, dice);
            check(&before, &self.ecs, exempt.as_deref());
            let until = self.ecs.now() + dice.roll(pause_max) as Millis;
            while let Some(next) = self.ecs.next_due().filter(|next| *next <= until) {
                self.ecs.take_events(); // otherwise they would be cloned
                let before = self.ecs.clone();
                self.ecs.advance_to(next);
                check(&before, &self.ecs, None);
            }
            self.ecs.advance_to(until);
        }
    }

    /// Performs thirty random actions. After each, it pauses for up to `pause_max`, in steps of this length.
    /// Returns the events, the service and the tasks.
    pub(crate) fn live_in_steps(
        mut self,
        dice: &mut Dice,
        pause_max: usize,
        act: fn(&mut Self, &mut Dice) -> Option<String>,
        step: Millis,
    ) -> (Vec<Value>, Value, String) {
        for _ in 0..30 {
            act(&mut self, dice);
            let until = self.ecs.now() + dice.roll(pause_max) as Millis;
            while self.ecs.now() < until {
                self.ecs.advance_to((self.ecs.now() + step).min(until));
            }
        }
        let service = self.service();
        (self.ecs.take_events(), service, format!("{:?}", self.ecs.tasks().collect::<Vec<_>>()))
    }
}

pub(crate) fn code(answer: Result<Value, ApiError>) -> ErrorCode {
    answer.expect_err("an exception").code
}

/// A linear congruential generator (Knuth's MMIX constants); only its high bits are used.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}
