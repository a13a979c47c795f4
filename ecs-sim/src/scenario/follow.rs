//! A scenario that stops right after it sent an alert, so that a test can act on the alert and see what follows.

use super::function::FunctionUnderTest;
use super::result::ScenarioFailure;
use super::run::ScenarioRun;
use super::script::Scenario;
use super::timeline::Observer;
use super::world::ScenarioWorld;
use crate::control_plane::{ApiError, Millis};
use crate::event_source::FunctionAnswer;
use crate::region::SharedRegion;
use serde_json::Value;

/// The world right after an alert. The rest of the scenario does not happen.
pub struct AfterAlert<'a, F, A>(ScenarioRun<'a, F, A>);

/// Runs a scenario until it has sent this many alerts, or to its end if it sends fewer. Then faults end.
///
/// # Errors
/// The line that failed before.
pub async fn after_alert<'a, F: FunctionUnderTest, A: Observer>(
    scenario: &Scenario,
    region: SharedRegion,
    function: &'a mut F,
    observer: &'a mut A,
    number: usize,
) -> Result<AfterAlert<'a, F, A>, ScenarioFailure> {
    let mut run = ScenarioRun::new(ScenarioWorld::new(region), function, observer);
    run.stops_after = Some(number);
    for line in &scenario.lines {
        let ran = run.line(line).await;
        if run.has_stopped() {
            break;
        }
        ran.map_err(|problem| ScenarioFailure::new(scenario, line.number, problem))?;
    }
    run.stops_after = None;
    run.world.ecs_recovers();
    Ok(AfterAlert(run))
}

impl<F: FunctionUnderTest, A: Observer> AfterAlert<'_, F, A> {
    /// The alerts so far, as JSON, the newest last.
    #[must_use]
    pub fn alerts(&self) -> &[Value] {
        &self.0.world.documents
    }

    /// Calls ECS as a person does.
    ///
    /// # Errors
    /// Those of the operation.
    pub fn call_ecs(&mut self, operation: &str, request: &Value) -> Result<Value, ApiError> {
        let answer = self.0.world.region.lock().ecs.call(operation, request);
        self.0.world.observe_ecs();
        answer
    }

    /// Invokes the function as a person does; `None` if it fails.
    pub async fn ask(&mut self, payload: &str) -> Option<Value> {
        match self.0.invoke(payload).await.answer {
            FunctionAnswer::Answered(answer) => Some(answer),
            FunctionAnswer::Failed => None,
        }
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// More deliveries at one moment than a loop makes.
    pub async fn advance(&mut self, by: Millis) -> Result<(), String> {
        self.0.deliver().await?;
        self.0.advance(by).await
    }
}
