//! Selects scenarios for tests in which each takes seconds: few that together cover everything that all of them cover.

use super::function::{FunctionUnderTest, Invoked};
use super::in_process::InProcess;
use super::result::ScenarioFailure;
use super::run::run;
use super::script::Scenario;
use super::timeline::Silent;
use crate::control_plane::{Millis, Variants};
use crate::event_source::FunctionAnswer;
use crate::region::{
    DEAD_LETTER_QUEUE, EcsCall, EcsCallOutcome, INTERRUPTED_QUEUE, RECHECK_QUEUE, Region, SharedRegion,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The environment variable that selects the extent.
const ASKED_BY: &str = "TASKHOLD_TESTS";

/// How much of a long test to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A selection, for CI.
    Sample,
    /// Everything, for the nightly run.
    All,
}

impl Extent {
    /// The value of `TASKHOLD_TESTS`: `all`, or `sample`, which is the default.
    ///
    /// # Panics
    /// On any other value, so that a typing error cannot reduce a full run to a sample.
    #[must_use]
    pub fn asked() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the environment alone selects the extent of a test")]
        let asked = std::env::var(ASKED_BY);
        match asked.as_deref() {
            Err(_) | Ok("" | "sample") => Self::Sample,
            Ok("all") => Self::All,
            Ok(other) => panic!("{ASKED_BY} is `sample` or `all`, not `{other}`"),
        }
    }

    /// The variants under which to run a scenario.
    #[must_use]
    pub fn variants(self, scenario: &Scenario) -> Vec<Variants> {
        match self {
            Self::Sample => sampled(&scenario.variants()),
            Self::All => scenario.variants(),
        }
    }

    /// The scenarios to run in a test in which each takes seconds.
    ///
    /// # Panics
    /// A scenario fails in process.
    #[must_use]
    pub fn scenarios(self, scenarios: Vec<Scenario>) -> Vec<Scenario> {
        match self {
            Self::Sample => cover(scenarios),
            Self::All => scenarios,
        }
    }
}

/// Of the variants that a scenario allows: the first, those that differ from it in one switch, and the last, which
/// differs in every switch that the scenario leaves open.
fn sampled(allowed: &[Variants]) -> Vec<Variants> {
    let (Some(first), Some(last)) = (allowed.first(), allowed.last()) else { return Vec::new() };
    let is_sampled = |variants: &&Variants| variants.switches_apart(*first) <= 1 || *variants == last;
    allowed.iter().filter(is_sampled).copied().collect()
}

/// A subset of scenarios that together cover everything that all of these cover. A greedy choice: each time the scenario
/// that adds most, the first of several.
fn cover(scenarios: Vec<Scenario>) -> Vec<Scenario> {
    let with_met = |scenario: Scenario| {
        let met = met(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
        (scenario, met)
    };
    let mut left: Vec<(Scenario, BTreeSet<String>)> = scenarios.into_iter().map(with_met).collect();
    let mut chosen = Vec::new();
    loop {
        let most = (0..left.len()).rev().max_by_key(|at| left[*at].1.len());
        let Some(at) = most.filter(|at| !left[*at].1.is_empty()) else { break };
        let (scenario, new) = left.remove(at);
        left.iter_mut().for_each(|(_, met)| met.retain(|one| !new.contains(one)));
        chosen.push(scenario);
    }
    chosen.sort_by(|one, other| one.name.cmp(&other.name));
    chosen
}

/// What a scenario covers, run in process under the last variant that it allows: kinds of payloads, calls with their
/// results, alerts, queues that the function sends to, and kinds of answers.
///
/// # Errors
/// The scenario fails.
pub fn met(scenario: &Scenario) -> Result<BTreeSet<String>, ScenarioFailure> {
    let variants = scenario.variants().last().copied().unwrap_or_default();
    let region = SharedRegion::new(Region::for_scenario(variants));
    let function =
        InProcess::new(&region, scenario.settings()).unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    let mut noting = Noting { function, region: region.clone(), met: BTreeSet::new() };
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers always starts");
    runtime.block_on(run(scenario, region.clone(), &mut noting, &mut Silent))?;
    noting.met.extend(region.lock().called.iter().cloned());
    Ok(noting.met)
}

/// The function, and what the scenario has covered so far.
struct Noting {
    function: InProcess,
    region: SharedRegion,
    met: BTreeSet<String>,
}

impl Noting {
    /// The lengths of the queues that receive messages only from the function or from SQS's redrive policy.
    fn sent(&self) -> [(&'static str, usize); 3] {
        let region = self.region.lock();
        [DEAD_LETTER_QUEUE, RECHECK_QUEUE, INTERRUPTED_QUEUE].map(|queue| {
            let messages = region.queues.messages(queue).expect("every Region has these queues");
            (queue, messages.len())
        })
    }
}

impl FunctionUnderTest for Noting {
    async fn invoke(&mut self, payload: &str, deadline: Millis) -> Invoked {
        let before = self.sent();
        let invoked = self.function.invoke(payload, deadline).await;
        let sent = self.sent().into_iter().zip(before).filter(|((_, now), (_, before))| now > before);
        self.met.extend(sent.map(|((queue, _), _)| format!("sends to {queue}")));
        self.met.extend(inputs(payload));
        self.met.extend(answer(&invoked.answer));
        let region = self.region.lock();
        self.met.extend(region.calls.iter().flat_map(call));
        self.met.extend(region.topics.publications().iter().map(|published| alert(&published.message)));
        invoked
    }
}

fn word<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// The kinds of input in a payload.
fn inputs(payload: &str) -> Vec<String> {
    let payload: Value = serde_json::from_str(payload).unwrap_or_default();
    if let Some(records) = payload["Records"].as_array() {
        let several = (records.len() > 1).then(|| "several messages in a batch".to_owned());
        return records.iter().flat_map(message).chain(several).collect();
    }
    if word(&payload, "/detail-type").is_some() {
        return vec![event(&payload)];
    }
    if word(&payload, "/lifecycleStage").is_some() {
        return vec!["lifecycle hook".to_owned()];
    }
    payload.as_object().into_iter().flatten().map(|(name, _)| format!("command {name}")).collect()
}

/// The kind of a message, and whether it was redelivered.
fn message(record: &Value) -> Vec<String> {
    let body: Value = word(record, "/body").and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let again = word(record, "/attributes/ApproximateReceiveCount") != Some("1");
    let kind = [("/type", "message"), ("/recheck", "recheck"), ("/Type", "message of SNS's type")];
    let kind = kind.iter().find_map(|(pointer, of)| Some(format!("{of} {}", word(&body, pointer)?)));
    let kind = kind.unwrap_or_else(|| "message of an unknown kind".to_owned());
    let again = again.then(|| "redelivered message".to_owned());
    [kind].into_iter().chain(again).collect()
}

/// The kind of an event of ECS.
fn event(event: &Value) -> String {
    let of = ["/detail/eventName", "/detail/stopCode", "/detail/lastStatus"].iter().find_map(|at| word(event, at));
    format!("event {}: {}", word(event, "/detail-type").unwrap_or_default(), of.unwrap_or_default())
}

/// A call to ECS and its result.
fn call(call: &EcsCall) -> Vec<String> {
    let operation = match call.request["protectionEnabled"].as_bool() {
        Some(true) => "UpdateTaskProtection that protects",
        Some(false) => "UpdateTaskProtection that clears",
        None => &call.operation,
    };
    let failures = |answer: &Value| {
        let failures = answer["failures"].as_array().into_iter().flatten();
        failures.filter_map(|failure| Some(format!("{operation}: {}", word(failure, "/reason")?))).collect()
    };
    let ended = match &call.outcome {
        EcsCallOutcome::Answered(Ok(answer)) if !answer["failures"].as_array().is_none_or(Vec::is_empty) => {
            return failures(answer);
        }
        EcsCallOutcome::Answered(Ok(_)) => "done".to_owned(),
        EcsCallOutcome::Answered(Err(error)) => error.code.to_string(),
        EcsCallOutcome::NoAnswer => "no answer".to_owned(),
        EcsCallOutcome::CallerDies => "the function dies".to_owned(),
    };
    vec![format!("{operation}: {ended}")]
}

/// The kind and transition of an alert.
fn alert(message: &str) -> String {
    let texts: Value = serde_json::from_str(message).unwrap_or_default();
    let machine: Value = word(&texts, "/default").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    format!("alert {} {}", word(&machine, "/kind").unwrap_or_default(), word(&machine, "/event").unwrap_or_default())
}

/// The kind of an answer.
fn answer(answer: &FunctionAnswer) -> Option<String> {
    match answer {
        FunctionAnswer::Failed => Some("an invocation fails".to_owned()),
        FunctionAnswer::Answered(answer) => match answer["batchItemFailures"].as_array() {
            Some(failures) => (!failures.is_empty()).then(|| "messages to retry".to_owned()),
            None => word(answer, "/error/code")
                .map(|code| format!("error {code}"))
                .or_else(|| word(answer, "/hookStatus").map(|status| format!("hook answer {status}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_variants_is_the_default_each_switch_alone_and_all_at_once() {
        let all = Scenario::parse("any", "deploy web").unwrap();
        let sample = Extent::Sample.variants(&all);
        let apart: Vec<usize> = sample.iter().map(|variants| variants.switches_apart(Variants::default())).collect();
        assert_eq!(apart, [0, 1, 1, 1, 1, 1, 5]);
        assert_eq!(Extent::All.variants(&all).len(), 32);
        let needy = Scenario::parse("needy", "needs refusal=blocked arn=short event=silent").unwrap();
        assert_eq!(Extent::Sample.variants(&needy), Extent::All.variants(&needy), "two switches are open");
        let settled =
            Scenario::parse("settled", "needs refusal=blocked renewal=refused event=sent arn=long stop=late").unwrap();
        assert_eq!(Extent::Sample.variants(&settled).len(), 1);
    }

    #[test]
    fn a_sample_of_scenarios_meets_what_all_of_them_meet_and_leaves_out_what_adds_nothing() {
        let texts = [
            ("starts", "job j starts on a"),
            ("starts and is refused", "ecs denies 1\njob j starts on a\nexpect error ECS denied access"),
            ("starts and finishes", "job j starts on a\njob j finishes"),
            ("asks", "status of web"),
        ];
        let scenarios: Vec<Scenario> = texts.iter().map(|(name, text)| Scenario::parse(name, text).unwrap()).collect();
        let all: BTreeSet<String> = scenarios.iter().flat_map(|scenario| met(scenario).unwrap()).collect();
        let chosen = Extent::Sample.scenarios(scenarios);
        let names: Vec<&str> = chosen.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names, ["asks", "starts and finishes", "starts and is refused"]);
        assert_eq!(chosen.iter().flat_map(|scenario| met(scenario).unwrap()).collect::<BTreeSet<_>>(), all);
        for one in ["message job.finished", "UpdateTaskProtection that clears: done", "command status"] {
            assert!(all.contains(one), "{one}: {all:?}");
        }
    }
}
