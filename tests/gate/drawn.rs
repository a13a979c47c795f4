//! Drawn payloads and states: the gate never fails a deployment unasked, and never holds one for longer than
//! `atMostMinutes`.

use super::STAGES;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use taskhold::api::gate::{GateDeadline, GateFinding, GateState, decide_gate, gate_of};
use taskhold::api::hook::HookAnswer;
use taskhold::config::clusters::Clusters;
use taskhold::lambda::payload::Invocation;

const DEPLOYMENTS: u64 = 10_000;
/// More calls than the longest wait has.
const CALLS_MAX: usize = 2_000;

fn clusters() -> Clusters {
    Clusters::new(vec!["arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap()]).unwrap()
}

/// One of the given values, or any other.
fn one_of(random: &mut Rng, known: &[Value]) -> Value {
    let others = [json!(null), json!("other"), json!(0), json!(-1), json!(1.5), json!([]), json!({}), json!(true)];
    match random.u32(..8) {
        0 => random.choice(others).unwrap(),
        _ => random.choice(known).unwrap().clone(),
    }
}

fn minutes(random: &mut Rng) -> Value {
    let any = random.u64(..3000);
    one_of(random, &[json!(any), json!(any), json!(120), json!(1), json!(0), json!(1_000_000), json!(u64::MAX)])
}

fn details(random: &mut Rng) -> Value {
    let mut block = json!({});
    if random.u32(..20) > 0 {
        block["until"] = one_of(random, &[json!("deadline-met"), json!("no-live-jobs")]);
    }
    if random.bool() {
        block["atMostMinutes"] = minutes(random);
    }
    if random.bool() {
        block["then"] = one_of(random, &[json!("continue"), json!("rollback")]);
    }
    if random.u32(..10) == 0 {
        block["waitingSince"] = one_of(random, &[json!("2026-01-05T09:30:00Z"), json!("2999-01-01T00:00:00Z")]);
    }
    if random.u32(..10) == 0 {
        block["endsBy"] = one_of(random, &[json!("2026-01-05T09:30:00Z"), json!("2999-01-01T00:00:00Z"), json!(7)]);
    }
    match random.u32(..20) {
        0 => one_of(random, &[json!({"another": "hook's"})]),
        1 => json!({"taskhold": one_of(random, &[json!("text")])}),
        2 => json!(json!({"taskhold": block}).to_string()),
        _ => json!({"taskhold": block, "another": 7}),
    }
}

fn payload(random: &mut Rng) -> Value {
    let (target, old) = ("arn:aws:ecs:eu-west-1:111122223333:service-revision/video/web/2", "another");
    let mut execution = json!({"serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/video/web",
        "targetServiceRevisionArn": target, "testTrafficWeights": {}, "productionTrafficWeights": {}});
    if random.bool() {
        let weight = *random.choice(&[0, 10, 100]).unwrap();
        execution[*random.choice(&["testTrafficWeights", "productionTrafficWeights"]).unwrap()] =
            json!({target: weight, old: 100 - weight});
    }
    let mut payload = json!({"executionId": "x", "lifecycleStage": random.choice(STAGES).unwrap(),
        "resourceArn": "arn:aws:ecs:eu-west-1:111122223333:service-deployment/video/web/x",
        "executionDetails": execution, "hookDetails": details(random)});
    for member in ["executionId", "lifecycleStage", "resourceArn", "executionDetails", "hookDetails"] {
        if random.u32(..30) == 0 {
            payload[member] = one_of(random, &[json!("text")]);
        }
    }
    if random.u32(..20) == 0 {
        payload.as_object_mut().unwrap().remove(*random.choice(&["executionDetails", "hookDetails"]).unwrap());
    }
    payload
}

fn state(random: &mut Rng, began_at: Timestamp) -> GateState {
    let finding = match random.u32(..40) {
        0 => GateFinding::Holds,
        1..=9 => GateFinding::Unreadable("a gap".to_owned()),
        _ => GateFinding::Waits("a task is busy".to_owned()),
    };
    let deadline = SignedDuration::from_mins(random.i64(-60..3000));
    let deadline = random.bool().then(|| began_at + deadline);
    let was_read = random.bool() && !matches!(finding, GateFinding::Unreadable(_));
    GateState {
        finding,
        deadline: if was_read { GateDeadline::Read(deadline) } else { GateDeadline::Partly(deadline) },
    }
}

/// How a deployment ended at the hook.
struct HookEnd {
    status: &'static str,
    held: SignedDuration,
    /// Whether the last state was read, and its condition did not hold.
    waits: bool,
}

/// Asks as ECS does, after each delay and perhaps a little later, until the hook has an answer.
fn hold(random: &mut Rng, payload: &Value, began_at: Timestamp) -> HookEnd {
    let mut payload = payload.clone();
    let mut now = began_at;
    for _ in 0..CALLS_MAX {
        let parsed = Invocation::parse(&payload.to_string(), &clusters());
        let Invocation::Hook(input) = parsed else { panic!("{payload} is read as {parsed:?}") };
        let state = state(random, began_at);
        let waits = matches!(state.finding, GateFinding::Waits(_));
        let answer = match gate_of(&input, now) {
            Err(verdict) => verdict.answer,
            Ok(gate) => decide_gate(&gate, &input.details, &state, now).answer,
        };
        let (status, held) = (answer.status(), now.duration_since(began_at));
        let HookAnswer::InProgress { call_back_delay, hook_details } = answer else {
            return HookEnd { status, held, waits };
        };
        assert!((30..=300).contains(&call_back_delay), "{payload}: {call_back_delay} s");
        let others = payload["hookDetails"].get("another");
        assert!(others.is_none_or(|others| hook_details["another"] == *others), "{payload}");
        payload["hookDetails"] = Value::Object(hook_details);
        now += SignedDuration::from_secs(i64::from(call_back_delay) + random.i64(0..=30));
    }
    panic!("{payload} is held without end");
}

#[test]
fn no_drawn_deployment_fails_unasked_or_is_held_for_longer_than_allowed() {
    let began_at = Timestamp::from_second(1_790_000_000).unwrap();
    let (mut failed, mut held_at_all) = (0, 0);
    for seed in 0..DEPLOYMENTS {
        let mut random = Rng::with_seed(seed);
        let payload = payload(&mut random);
        let HookEnd { status, held, waits } = hold(&mut random, &payload, began_at);
        let text = payload["hookDetails"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let block = text.unwrap_or_else(|| payload["hookDetails"].clone())["taskhold"].clone();
        if status == "FAILED" {
            assert!(block["then"] == "rollback" && waits, "seed {seed}: {payload}");
            failed += 1;
        }
        let minutes = match &block["atMostMinutes"] {
            Value::Null => 120,
            minutes => minutes.as_u64().unwrap_or(0).min(1440),
        };
        let allowed = SignedDuration::from_mins(i64::try_from(minutes).unwrap());
        assert!(held <= allowed, "seed {seed}: {held:#} for {payload}");
        held_at_all += u32::from(!held.is_zero());
    }
    println!("{DEPLOYMENTS} deployments: {held_at_all} held, {failed} rolled back as asked");
    assert!(failed > 300 && held_at_all > 3000, "{failed} failed, {held_at_all} held");
}
