//! The simulated Application Auto Scaling: its answers, and its effect on desired counts.

use ecs_sim::autoscaling::ScalableTargets;
use ecs_sim::control_plane::{ServiceSpec, Variants};
use ecs_sim::region::{CLUSTER, Region};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;

/// A Region with a service `web` of three tasks, registered with the bounds 2 to 4.
fn region() -> Region {
    let mut region = Region::for_scenario(Variants::default());
    region.ecs.create_service(ServiceSpec::new(CLUSTER, "web", 3)).unwrap();
    region.autoscaling.register(CLUSTER, "web", 2..=4);
    region
}

fn desired_count(region: &Region) -> u32 {
    region.ecs.service(CLUSTER, "web").unwrap().desired_count
}

/// Sets a count and lets time pass as a scenario does, from one due moment to the next.
fn after_setting(region: &mut Region, count: u32) -> u32 {
    region.ecs.set_desired_count(CLUSTER, "web", count).unwrap();
    let end = region.now() + 2 * MINUTE;
    while let Some(at) = region.next_due().filter(|at| *at <= end) {
        region.advance_to(at);
    }
    region.advance_to(end);
    desired_count(region)
}

fn registration(members: Value) -> Value {
    let mut input = json!({"ServiceNamespace": "ecs", "ResourceId": format!("service/{CLUSTER}/web"),
        "ScalableDimension": "ecs:service:DesiredCount"});
    input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    input
}

#[test]
fn a_count_outside_of_the_bounds_is_put_back_to_the_nearest_within_a_minute() {
    for (set, expected) in [(0, 2), (1, 2), (2, 2), (3, 3), (4, 4), (5, 4), (40, 4)] {
        assert_eq!(after_setting(&mut region(), set), expected, "{set}");
    }
    let mut region = region();
    region.ecs.set_desired_count(CLUSTER, "web", 40).unwrap();
    let end = region.now() + MINUTE;
    region.advance_to(end);
    assert_eq!(desired_count(&region), 4, "however time passes");
}

#[test]
fn a_count_is_left_alone_where_nothing_is_registered() {
    let mut region = region();
    region.autoscaling = ScalableTargets::default();
    assert_eq!(after_setting(&mut region, 40), 40);
}

#[test]
fn a_service_that_is_being_deleted_is_left_alone() {
    let mut region = region();
    region.ecs.remove_service(CLUSTER, "web").unwrap();
    assert_eq!(region.autoscaling.next_due(&region.ecs), None);
}

#[test]
fn a_registration_may_be_changed_in_part_and_taken_away() {
    let mut region = region();
    let suspended = registration(json!({"SuspendedState": {"DynamicScalingInSuspended": true}}));
    region.call_autoscaling("RegisterScalableTarget", &suspended).unwrap();
    assert_eq!(after_setting(&mut region, 40), 40, "what may not be lowered stays");
    assert_eq!(after_setting(&mut region, 1), 2);
    let wider = registration(json!({"MaxCapacity": 9, "SuspendedState": {"DynamicScalingInSuspended": false}}));
    region.call_autoscaling("RegisterScalableTarget", &wider).unwrap();
    assert_eq!(after_setting(&mut region, 40), 9);
    region.call_autoscaling("DeregisterScalableTarget", &registration(json!({}))).unwrap();
    assert_eq!(after_setting(&mut region, 40), 40);
    let again = region.call_autoscaling("DeregisterScalableTarget", &registration(json!({})));
    assert_eq!(again.unwrap_err().code, "ObjectNotFoundException");
}

#[test]
fn a_registered_service_is_described() {
    let mut region = region();
    region.autoscaling.register(CLUSTER, "api", 0..=1);
    let asked = |ids: Value| json!({"ServiceNamespace": "ecs", "ResourceIds": ids});
    let mut described = |ids: Value| {
        let answer = region.call_autoscaling("DescribeScalableTargets", &asked(ids)).unwrap();
        let targets = answer["ScalableTargets"].as_array().unwrap().clone();
        let minimum = |target: &Value| (target["ResourceId"].clone(), target["MinCapacity"].clone());
        targets.iter().map(minimum).collect::<Vec<_>>()
    };
    let (web, api) = (json!(format!("service/{CLUSTER}/web")), json!(format!("service/{CLUSTER}/api")));
    assert_eq!(described(json!([web])), [(web.clone(), json!(2))]);
    assert_eq!(described(json!(["service/other/web"])), []);
    assert_eq!(described(Value::Null), [(api, json!(0)), (web, json!(2))]);
}

#[test]
fn invalid_requests_are_refused() {
    let mut region = region();
    let mut refused = |operation: &str, input: Value| region.call_autoscaling(operation, &input).unwrap_err().code;
    let crossed = registration(json!({"MinCapacity": 5, "MaxCapacity": 4}));
    assert_eq!(refused("RegisterScalableTarget", crossed), "ValidationException");
    let table = registration(json!({"ServiceNamespace": "dynamodb"}));
    assert_eq!(refused("DescribeScalableTargets", table), "ValidationException");
    let no_service = registration(json!({"ResourceId": "table/x", "MinCapacity": 1, "MaxCapacity": 2}));
    assert_eq!(refused("RegisterScalableTarget", no_service), "ValidationException");
    let new = registration(json!({"ResourceId": "service/video/api", "MaxCapacity": 2}));
    assert_eq!(refused("RegisterScalableTarget", new), "ValidationException");
    assert_eq!(refused("PutScalingPolicy", registration(json!({}))), "UnknownOperationException");
}

#[test]
fn calls_are_denied_as_often_as_a_scenario_says() {
    let mut region = region();
    region.autoscaling_denied = 1;
    let mut ask = || region.call_autoscaling("DescribeScalableTargets", &registration(json!({})));
    assert_eq!(ask().unwrap_err().code, "AccessDeniedException");
    assert!(ask().is_ok());
}
