//! ECS invokes the function at lifecycle hooks.

use super::entries::times_of_day;
use super::function::{FunctionUnderTest, Invoked};
use super::hook_answers::HookAnswered;
use super::run::ScenarioRun;
use super::timeline::{Observer, TimelineEntry};
use super::world::ScenarioWorld;
use crate::control_plane::HookInvocation;
use crate::event_source::FunctionAnswer;
use serde_json::Value;

impl<F: FunctionUnderTest, A: Observer> ScenarioRun<'_, F, A> {
    /// Makes an invocation, unless Lambda refuses it. Either way ECS learns how it ended.
    pub(super) async fn call_hook(&mut self, invocation: HookInvocation) {
        let (answer, answered) = if self.world.takes_hook_throttle() {
            (None, HookAnswered { status: "TooManyRequestsException".to_owned(), because: String::new() })
        } else {
            let invoked = self.invoke(&invocation.payload.to_string()).await;
            let answered = self.world.answered(&invoked);
            match invoked.answer {
                FunctionAnswer::Answered(answer) => (Some(answer), answered),
                FunctionAnswer::Failed => (None, answered),
            }
        };
        self.record(TimelineEntry::Ecs(report(&invocation, answer.as_ref(), &answered)));
        self.world.hook_answers.uncounted += 1;
        self.world.hook_answers.last = Some(answered);
        self.world.region.lock().ecs.hook_was_invoked(&invocation, answer.as_ref());
        self.world.observe_ecs();
    }
}

impl ScenarioWorld {
    fn takes_hook_throttle(&self) -> bool {
        let mut region = self.region.lock();
        let is_throttled = region.hooks_throttled > 0;
        region.hooks_throttled = region.hooks_throttled.saturating_sub(1);
        is_throttled
    }

    fn answered(&self, invoked: &Invoked) -> HookAnswered {
        let status = match &invoked.answer {
            FunctionAnswer::Answered(answer) => answer["hookStatus"].as_str().unwrap_or("no hookStatus"),
            FunctionAnswer::Failed => "none",
        };
        let reasons = invoked.logs.iter().rev().filter_map(|line| line.fields.get("reason"));
        let because = reasons.filter_map(Value::as_str).next().unwrap_or_default();
        HookAnswered { status: status.to_owned(), because: times_of_day(&self.named(because)) }
    }
}

fn report(invocation: &HookInvocation, answer: Option<&Value>, answered: &HookAnswered) -> String {
    let HookInvocation { service, stage, .. } = invocation;
    let stage = serde_json::to_value(stage).expect("a stage is a word");
    let stage = stage.as_str().unwrap_or_default();
    let again = answer.and_then(|answer| answer["callBackDelay"].as_u64());
    let again = again.map(|seconds| format!(", again in {seconds} s")).unwrap_or_default();
    let because = if answered.because.is_empty() { String::new() } else { format!(": {}", answered.because) };
    format!("hook of {service} at {stage} ⇒ {}{again}{because}", answered.status)
}
