//! The published schema of `hookDetails` and the parser agree.

use crate::files::read;
use jiff::Timestamp;
use serde_json::{Value, json};
use taskhold::api::gate::DeploymentGate;

#[test]
fn the_schema_takes_the_gates_that_the_function_takes_and_no_others() {
    let schema: Value = serde_json::from_str(&read("schemas/hook-details.schema.json")).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let with = |member: &str, value: Value| {
        let mut block = json!({"until": "no-live-jobs", "atMostMinutes": 7, "then": "rollback"});
        block[member] = value;
        json!({"taskhold": block, "another": 7})
    };
    let good = [
        json!({}),
        json!({"S3_BUCKET_NAME": "b"}),
        json!({"taskhold": {"until": "deadline-met"}}),
        with("until", json!("deadline-met")),
        with("atMostMinutes", json!(0)),
        with("atMostMinutes", json!(1_000_000)),
        with("then", json!("continue")),
        with("waitingSince", json!("2026-01-05T09:30:00Z")),
        with("endsBy", json!("2026-01-05T12:30:00Z")),
        with("fromTheFuture", json!([])),
    ];
    let bad = [
        json!({"taskhold": null}),
        json!({"taskhold": {}}),
        with("until", json!("forever")),
        with("until", json!(null)),
        with("atMostMinutes", json!(-1)),
        with("atMostMinutes", json!(1.5)),
        with("atMostMinutes", json!("7")),
        with("then", json!("fail")),
        with("then", json!(null)),
        with("waitingSince", json!(7)),
        with("endsBy", json!(7)),
    ];
    for (details, is_good) in good.iter().map(|good| (good, true)).chain(bad.iter().map(|bad| (bad, false))) {
        assert_eq!(schema.is_valid(details), is_good, "{details}");
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let gate = DeploymentGate::of(details.as_object().unwrap(), now);
        assert_eq!(gate.is_none_or(|gate| gate.is_ok()), is_good, "{details}");
    }
}

#[test]
fn the_samples_of_hooks_have_details_that_the_schema_takes() {
    let schema: Value = serde_json::from_str(&read("schemas/hook-details.schema.json")).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    for sample in ["lifecycle-hook-post-scale-up", "lifecycle-hook-waiting"] {
        let payload: Value = serde_json::from_str(&read(&format!("events/{sample}.json"))).unwrap();
        assert!(schema.is_valid(&payload["hookDetails"]), "{sample}");
    }
}
