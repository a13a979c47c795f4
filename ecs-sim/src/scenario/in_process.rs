//! The function in process: taskhold's own handler on a simulated Region, without a network and without waiting.
//!
//! Its state store outlives the invocation and the function's death, as a durable one would.

use super::captured::Captured;
use super::function::{FunctionUnderTest, Invoked};
use crate::control_plane::Millis;
use crate::doubles::alerts::SimulatedAlerts;
use crate::doubles::autoscaling::SimulatedAutoscaling;
use crate::doubles::clock::{SimulatedClock, timestamp};
use crate::doubles::ecs::SimulatedEcs;
use crate::doubles::queues::{SimulatedDeadLetterQueue, SimulatedInterruptedJobQueue, SimulatedRecheckQueue};
use crate::doubles::settings::config;
use crate::event_source::FunctionAnswer;
use crate::region::SharedRegion;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use taskhold::config::problem::ConfigProblems;
use taskhold::lambda::function::{Function as TaskholdFunction, FunctionPorts, Parts};
use taskhold::notify::sink::{JobForwarder, Notifier};
use taskhold::store::memory::MemoryStore;
use taskhold::task::rate_limit::RateLimit;
use taskhold::{service, task};
use tracing::Dispatch;

/// The adapters of one Region.
#[derive(Debug)]
struct Simulated;

impl task::reconciler::TaskPorts for Simulated {
    type Ecs = SimulatedEcs;
    type Store = MemoryStore<SimulatedClock>;
    type Interrupted = JobForwarder<SimulatedInterruptedJobQueue>;
    type Notifier = Notifier<SimulatedAlerts>;
    type Clock = SimulatedClock;
}

impl service::reconciler::ServicePorts for Simulated {
    type Autoscaling = SimulatedAutoscaling;
    type Rechecks = SimulatedRecheckQueue;
}

impl FunctionPorts for Simulated {
    type DeadLetters = SimulatedDeadLetterQueue;
}

/// taskhold's handler on a simulated Region.
pub struct InProcess {
    function: TaskholdFunction<Simulated>,
    region: SharedRegion,
    logs: Captured,
    /// Forwards the logs. Created once, because that takes as long as an invocation.
    dispatch: Dispatch,
}

impl InProcess {
    /// Creates the function with these settings, in addition to those that every scenario needs.
    ///
    /// # Errors
    /// The settings are invalid.
    pub fn new<'a>(
        region: &SharedRegion,
        settings: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConfigProblems> {
        let config = config(&region.lock(), settings)?;
        let clock = SimulatedClock(region.clone());
        let function = TaskholdFunction::new(Parts {
            ecs: SimulatedEcs(region.clone()),
            autoscaling: SimulatedAutoscaling(region.clone()),
            store: MemoryStore::new(clock.clone()),
            notifier: Notifier(SimulatedAlerts(region.clone())),
            dead_letters: Some(SimulatedDeadLetterQueue(region.clone())),
            rechecks: Some(SimulatedRecheckQueue(region.clone())),
            interrupted: Some(JobForwarder(SimulatedInterruptedJobQueue(region.clone()))),
            clock,
            config,
            rate_limit: RateLimit::default(),
        });
        let logs = Captured::default();
        let dispatch = logs.dispatch();
        Ok(Self { function, region: region.clone(), logs, dispatch })
    }
}

impl FunctionUnderTest for InProcess {
    async fn invoke(&mut self, payload: &str, deadline: Millis) -> Invoked {
        self.region.lock().caller_is_dead = false;
        let answer = tracing::dispatcher::with_default(&self.dispatch, || {
            let mut invocation = pin!(self.function.handle(payload, timestamp(deadline)));
            let mut context = Context::from_waker(Waker::noop());
            loop {
                match invocation.as_mut().poll(&mut context) {
                    Poll::Ready(Ok((response, _))) => {
                        break FunctionAnswer::Answered(serde_json::to_value(response).expect("a response is JSON"));
                    }
                    Poll::Ready(Err(_)) => break FunctionAnswer::Failed,
                    // Nothing here waits, except a call at which the function dies: it then stops.
                    Poll::Pending if self.region.lock().caller_is_dead => break FunctionAnswer::Failed,
                    Poll::Pending => {}
                }
            }
        });
        Invoked { answer, logs: self.logs.take() }
    }
}
