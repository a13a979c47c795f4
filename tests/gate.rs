//! The deployment gate: the function answers ECS's lifecycle hooks. ECS takes a missing answer for a failure, so each
//! payload here gets one, at every stage and with every failed read.

mod drawn;
mod schema;
mod stages;

use crate::block_on;
use crate::files::read;
use crate::stage::StagedRegion;
use ecs_sim::event_source::FunctionAnswer;
use ecs_sim::region::{CLUSTER, Fault};
use ecs_sim::scenario::{FUNCTION_TIMEOUT_MS, FunctionUnderTest};
use serde_json::{Value, json};

const MINUTE_MS: i64 = 60_000;
const STAGES: [&str; 9] = [
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "A_STAGE_FROM_THE_FUTURE",
];

impl StagedRegion {
    /// With a job of this many minutes on the first task, and then a deployment.
    fn busy_for(minutes: u32) -> Self {
        let mut stage = Self::with(&[]);
        stage.tell("job.started", minutes);
        stage.region.lock().ecs.deploy(CLUSTER, "web").unwrap();
        stage
    }

    fn tell(&mut self, kind: &str, minutes: u32) {
        let message = self.message(0, json!({"type": kind, "maxDurationMinutes": minutes}));
        self.invoke(message);
    }

    /// The answer to a hook with this gate.
    fn ask(&mut self, stage: &str, gate: &Value) -> Value {
        self.invoke(payload(stage, &json!({"taskhold": gate})))
    }

    /// Answers until ECS asks no more, as ECS asks: after the delay, with the details of the answer. Returns the last
    /// status, and how long the deployment waited.
    fn hold(&mut self, gate: &Value, mut each: impl FnMut(&mut Self)) -> (String, i64) {
        let began_at = self.region.lock().now();
        let mut details = json!({"taskhold": gate});
        loop {
            let answer = self.invoke(payload("PRE_SCALE_UP", &details));
            if answer["hookStatus"] != "IN_PROGRESS" {
                return (answer["hookStatus"].as_str().unwrap().to_owned(), self.region.lock().now() - began_at);
            }
            let delay = answer["callBackDelay"].as_i64().unwrap();
            assert!((30..=300).contains(&delay), "{answer}");
            details = answer["hookDetails"].clone();
            self.advance(delay);
            each(self);
        }
    }
}

fn payload(stage: &str, details: &Value) -> Value {
    let mut payload: Value = serde_json::from_str(&read("events/lifecycle-hook-post-scale-up.json")).unwrap();
    let text = payload.to_string().replace("/transcode", "/web").replace("POST_SCALE_UP", stage);
    payload = serde_json::from_str(&text).unwrap();
    payload["hookDetails"] = details.clone();
    payload
}

#[test]
fn at_every_stage_it_waits_for_what_it_is_asked_to_wait_for() {
    let no_jobs = json!({"until": "no-live-jobs"});
    let deadline = json!({"until": "deadline-met"});
    for stage in STAGES {
        for (minutes, no_jobs_status, deadline_status) in
            [(60, "IN_PROGRESS", "SUCCEEDED"), (600, "IN_PROGRESS", "IN_PROGRESS")]
        {
            let mut world = StagedRegion::busy_for(minutes);
            assert_eq!(world.ask(stage, &no_jobs)["hookStatus"], no_jobs_status, "{stage}, {minutes} min");
            assert_eq!(world.ask(stage, &deadline)["hookStatus"], deadline_status, "{stage}, {minutes} min");
            assert_eq!(world.invoke(payload(stage, &json!({}))), json!({"hookStatus": "SUCCEEDED"}), "{stage}");
            world.tell("job.finished", 1);
            for gate in [&no_jobs, &deadline] {
                assert_eq!(world.ask(stage, gate), json!({"hookStatus": "SUCCEEDED"}), "{stage}, {gate}");
            }
        }
    }
}

#[test]
fn a_live_job_counts_even_if_its_task_is_not_protected() {
    let mut world = StagedRegion::with(&[("TASKHOLD_DEADLINE_MINUTES", "60")]);
    world.tell("job.started", 600);
    world.region.lock().ecs.set_own_protection(&world.tasks[0].clone(), None).unwrap();
    let answers = ["no-live-jobs", "deadline-met"].map(|until| world.ask("PRE_SCALE_UP", &json!({"until": until})));
    assert_eq!(answers.map(|answer| answer["hookStatus"].clone()), ["IN_PROGRESS", "SUCCEEDED"]);
}

#[test]
fn a_wait_ends_when_the_job_does_or_when_its_time_is_over() {
    let gate = |then: &str| json!({"until": "no-live-jobs", "atMostMinutes": 45, "then": then});
    let (status, held) = StagedRegion::busy_for(600).hold(&gate("continue"), |_| {});
    assert!(status == "SUCCEEDED" && (40 * MINUTE_MS..=45 * MINUTE_MS).contains(&held), "{status} after {held} ms");
    let (status, held) = StagedRegion::busy_for(600).hold(&gate("rollback"), |_| {});
    assert!(status == "FAILED" && (40 * MINUTE_MS..=45 * MINUTE_MS).contains(&held), "{status} after {held} ms");
    let mut asked = 0;
    let (status, held) = StagedRegion::busy_for(600).hold(&gate("rollback"), |world| {
        asked += 1;
        if asked == 4 {
            world.tell("job.finished", 1);
        }
    });
    assert!(status == "SUCCEEDED" && held < 10 * MINUTE_MS, "{status} after {held} ms");
}

#[test]
fn it_gives_up_before_the_deployment_s_deadline() {
    let mut world = StagedRegion::with(&[("TASKHOLD_DEADLINE_MINUTES", "30")]);
    world.tell("job.started", 600);
    world.region.lock().ecs.deploy(CLUSTER, "web").unwrap();
    let gate = json!({"until": "deadline-met", "atMostMinutes": 120, "then": "rollback"});
    let (status, held) = world.hold(&gate, |_| {});
    assert!(status == "FAILED" && (25 * MINUTE_MS..30 * MINUTE_MS).contains(&held), "{status} after {held} ms");
}

#[test]
fn what_cannot_be_read_is_waited_for_and_never_rolled_back() {
    for fault in [Fault::AccessDenied, Fault::ServerError, Fault::Throttled, Fault::CallLost, Fault::DiesBefore] {
        for operation in ["DescribeServices", "ListTasks", "DescribeTasks", "GetTaskProtection"] {
            let mut world = StagedRegion::with(&[]);
            world.region.lock().ecs.deploy(CLUSTER, "web").unwrap();
            let faults = std::iter::repeat_n(fault, 100).collect();
            world.region.lock().faults_of.insert(operation.to_owned(), faults);
            let gate = json!({"until": "deadline-met", "atMostMinutes": 10, "then": "rollback"});
            let (status, held) = world.hold(&gate, |_| {});
            let is_whole = held > 8 * MINUTE_MS;
            assert!(status == "SUCCEEDED" && is_whole, "{operation} {fault:?}: {status} after {held} ms");
        }
    }
}

#[test]
fn a_rollback_is_never_held() {
    let mut world = StagedRegion::busy_for(600);
    let gate = json!({"taskhold": {"until": "no-live-jobs", "then": "rollback", "atMostMinutes": 0}});
    for (stage, weights) in
        [("TEST_TRAFFIC_SHIFT", "testTrafficWeights"), ("PRODUCTION_TRAFFIC_SHIFT", "productionTrafficWeights")]
    {
        let mut payload = payload(stage, &gate);
        assert_eq!(world.invoke(&payload)["hookStatus"], "FAILED", "asked for, in the forward direction");
        let target = payload["executionDetails"]["targetServiceRevisionArn"].as_str().unwrap().to_owned();
        payload["executionDetails"][weights] = json!({target: 0, "the old revision": 100});
        assert_eq!(world.invoke(&payload), json!({"hookStatus": "SUCCEEDED"}));
    }
}

#[test]
fn bad_input_lets_the_deployment_continue() {
    let mut world = StagedRegion::busy_for(600);
    let until = "no-live-jobs";
    let foreign = [json!(null), json!([1]), json!("text"), json!(7), json!({"S3_BUCKET_NAME": "b"})];
    let unusable = [
        json!({"taskhold": null}),
        json!({"taskhold": []}),
        json!({"taskhold": {"until": "forever"}}),
        json!({"taskhold": {"until": until, "then": "explode"}}),
        json!({"taskhold": {"until": until, "atMostMinutes": -5}}),
        json!({"taskhold": {"until": until, "atMostMinutes": "long"}}),
        json!({"taskhold": {"until": until, "atMostMinutes": 0}}),
        json!({"taskhold": {"until": until, "waitingSince": "2999-01-01T00:00:00Z"}}),
        json!({"taskhold": {"until": until, "waitingSince": "yesterday"}}),
    ];
    for details in foreign.into_iter().chain(unusable) {
        assert_eq!(world.invoke(payload("PRE_SCALE_UP", &details)), json!({"hookStatus": "SUCCEEDED"}), "{details}");
    }
    let gate = json!({"taskhold": {"until": until, "atMostMinutes": 1_000_000, "fromTheFuture": 1}});
    for details in [&gate, &json!(gate.to_string())] {
        assert_eq!(world.invoke(payload("PRE_SCALE_UP", details))["hookStatus"], "IN_PROGRESS", "{details}");
    }
    let mut other = payload("PRE_SCALE_UP", &gate);
    other["executionDetails"]["serviceArn"] = json!("arn:aws:ecs:eu-west-1:111122223333:service/other/web");
    assert_eq!(world.invoke(&other), json!({"hookStatus": "SUCCEEDED"}), "another cluster's deployments are not ours");
    let mut bare = json!({"lifecycleStage": 7, "executionId": null});
    assert_eq!(world.invoke(&bare), json!({"hookStatus": "SUCCEEDED"}));
    bare["hookDetails"] = gate.clone();
    assert_eq!(world.invoke(&bare), json!({"hookStatus": "SUCCEEDED"}));
}

#[test]
fn a_hook_without_a_gate_continues_and_the_log_says_what_the_function_saw() {
    let mut world = StagedRegion::busy_for(600);
    let payload = payload("POST_SCALE_UP", &json!({"S3_BUCKET_NAME": "b", "canary": {"percent": 5}}));
    let deadline = world.region.lock().now() + FUNCTION_TIMEOUT_MS;
    let invoked = block_on(world.function.invoke(&payload.to_string(), deadline));
    assert_eq!(invoked.answer, FunctionAnswer::Answered(json!({"hookStatus": "SUCCEEDED"})));
    let line = invoked.logs.iter().find(|line| line.message == "answering a deployment lifecycle hook").unwrap();
    let seen = ["service", "deployment", "stage", "direction", "details", "status", "reason"];
    let seen = seen.map(|name| line.fields[name].as_str().unwrap());
    let arn = payload["resourceArn"].as_str().unwrap();
    assert_eq!(
        seen,
        [
            "arn:aws:ecs:eu-west-1:111122223333:service/video/web",
            arn,
            "POST_SCALE_UP",
            "forward",
            "S3_BUCKET_NAME, canary",
            "SUCCEEDED",
            "its hookDetails ask for no gate",
        ]
    );
}

#[test]
fn the_service_is_found_without_execution_details() {
    let mut world = StagedRegion::busy_for(600);
    let mut payload = payload("PRE_SCALE_UP", &json!({"taskhold": {"until": "no-live-jobs"}}));
    for details in [json!(null), json!([]), json!({"serviceArn": 7}), json!("text")] {
        payload["executionDetails"] = details;
        assert_eq!(world.invoke(&payload)["hookStatus"], "IN_PROGRESS", "{payload}");
    }
    payload.as_object_mut().unwrap().remove("executionDetails");
    assert_eq!(world.invoke(&payload)["hookStatus"], "IN_PROGRESS");
    for arn in [json!("text"), json!(7), json!("arn:aws:ecs:eu-west-1:111122223333:service-deployment/other/web/x")] {
        payload["resourceArn"] = arn;
        assert_eq!(world.invoke(&payload)["hookStatus"], "SUCCEEDED", "{payload}");
    }
}

#[test]
fn in_a_dry_run_no_deployment_is_held() {
    let mut world = StagedRegion::with(&[("TASKHOLD_DRY_RUN", "true")]);
    world.tell("job.started", 600);
    let gate = json!({"until": "no-live-jobs", "atMostMinutes": 0, "then": "rollback"});
    assert_eq!(world.ask("PRE_SCALE_UP", &gate), json!({"hookStatus": "SUCCEEDED"}));
}
