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
use crate::doubles::parts::parts;
use crate::doubles::queues::{SimulatedDeadLetterQueue, SimulatedInterruptedJobQueue, SimulatedRecheckQueue};
use crate::doubles::settings::config;
use crate::event_source::FunctionAnswer;
use crate::region::SharedRegion;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use taskhold::config::problem::ConfigProblems;
use taskhold::lambda::function::{Function, Parts};
use tracing::Dispatch;

/// taskhold's handler on a simulated Region.
pub struct InProcess {
    function: Function,
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
        let function = Function::new(Parts {
            autoscaling: Arc::new(SimulatedAutoscaling(region.clone())),
            alerts: Arc::new(SimulatedAlerts(region.clone())),
            dead_letters: Some(Arc::new(SimulatedDeadLetterQueue(region.clone()))),
            rechecks: Some(Arc::new(SimulatedRecheckQueue(region.clone()))),
            interrupted: Some(Arc::new(SimulatedInterruptedJobQueue(region.clone()))),
            ..parts(Arc::new(SimulatedEcs(region.clone())), Arc::new(SimulatedClock(region.clone())), config)
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
