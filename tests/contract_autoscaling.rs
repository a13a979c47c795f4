//! The request to Application Auto Scaling: the exact request, sent once, and the result of every answer, both
//! canned and from the simulated service.

use crate::canned_aws::{CannedAws, failed};
use ecs_sim::autoscaling::ScalableTargets;
use ecs_sim::http::{AwsService, ServiceAnswer, ServiceCall};
use serde_json::{Value, json};
use std::sync::Arc;
use taskhold::aws::autoscaling::AwsAutoscaling;
use taskhold::ecs::autoscaling::{Autoscaling, AutoscalingError, ScalableTarget};
use taskhold::ecs::service::ServiceArn;

fn service(name: &str) -> ServiceArn {
    let cluster = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";
    ServiceArn::new(Arc::new(cluster.parse().unwrap()), name).unwrap()
}

/// The adapter's result for service `web`.
async fn ask(aws: &CannedAws) -> Result<Option<ScalableTarget>, AutoscalingError> {
    AwsAutoscaling::new(&aws.config).scalable_target(&service("web")).await
}

/// With the members that Application Auto Scaling sends (Application Auto Scaling API Reference, "ScalableTarget").
fn target(name: &str) -> Value {
    json!({
        "ServiceNamespace": "ecs",
        "ResourceId": format!("service/video/{name}"),
        "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 2,
        "MaxCapacity": 40,
        "PredictedCapacity": 3,
        "RoleARN": "arn:aws:iam::111122223333:role/AWSServiceRoleForApplicationAutoScaling_ECSService",
        "CreationTime": 1_790_000_000.123,
        "SuspendedState": {
            "DynamicScalingInSuspended": true,
            "DynamicScalingOutSuspended": false,
            "ScheduledScalingSuspended": false,
        },
        "ScalableTargetARN": "arn:aws:application-autoscaling:eu-west-1:111122223333:scalable-target/0ec51234",
    })
}

const TARGET: ScalableTarget = ScalableTarget { max: 40, is_scale_in_suspended: true };

#[tokio::test]
async fn the_question_names_the_service_and_its_desired_count_and_the_answer_is_read() {
    let aws = CannedAws::returning(json!({"ScalableTargets": [target("web")]})).await;
    assert_eq!(ask(&aws).await, Ok(Some(TARGET)));
    let call = aws.take_call();
    assert_eq!(
        (call.service, call.operation.as_str()),
        (AwsService::ApplicationAutoScaling, "DescribeScalableTargets")
    );
    let expected = json!({"ServiceNamespace": "ecs", "ResourceIds": ["service/video/web"],
        "ScalableDimension": "ecs:service:DesiredCount"});
    assert_eq!(call.body, expected);
}

#[tokio::test]
async fn a_service_that_is_not_named_in_the_answer_is_not_registered() {
    for answer in [json!({"ScalableTargets": []}), json!({}), json!({"ScalableTargets": [target("webshop")]})] {
        assert_eq!(ask(&CannedAws::returning(answer.clone()).await).await, Ok(None), "{answer}");
    }
    let both = CannedAws::returning(json!({"ScalableTargets": [target("webshop"), target("web")]})).await;
    assert_eq!(ask(&both).await, Ok(Some(TARGET)));
}

#[tokio::test]
async fn scaling_is_not_suspended_unless_the_answer_says_so() {
    let mut without = target("web");
    without.as_object_mut().unwrap().remove("SuspendedState").unwrap();
    let mut empty = target("web");
    empty["SuspendedState"] = json!({});
    let expected = ScalableTarget { is_scale_in_suspended: false, ..TARGET };
    for target in [without, empty] {
        let aws = CannedAws::returning(json!({"ScalableTargets": [target]})).await;
        assert_eq!(ask(&aws).await, Ok(Some(expected)));
    }
}

#[tokio::test]
async fn every_failure_is_an_error_and_never_an_answer_without_a_scalable_target() {
    let with_cause = |code: &str| format!("{code}: because of x");
    for (code, status, expected) in [
        ("AccessDeniedException", 400, AutoscalingError::AccessDenied(with_cause("AccessDeniedException"))),
        ("ExpiredTokenException", 400, AutoscalingError::AccessDenied(with_cause("ExpiredTokenException"))),
        ("ThrottlingException", 400, AutoscalingError::Throttled),
        ("ValidationException", 400, AutoscalingError::Unexpected(with_cause("ValidationException"))),
        ("ConcurrentUpdateException", 500, AutoscalingError::Unexpected(with_cause("ConcurrentUpdateException"))),
        ("InternalServiceException", 500, AutoscalingError::Unexpected(with_cause("InternalServiceException"))),
        ("FromTheFutureException", 503, AutoscalingError::Unexpected(with_cause("FromTheFutureException"))),
    ] {
        let aws = CannedAws::answering(failed(code, status)).await;
        assert_eq!((ask(&aws).await, aws.take_calls().len()), (Err(expected), 1), "{code}");
    }
    let aws = CannedAws::answering(ServiceAnswer::ConnectionLost).await;
    let answered = ask(&aws).await;
    assert!(matches!(&answered, Err(AutoscalingError::Unexpected(_))), "{answered:?}");
    aws.take_call();
}

#[tokio::test]
async fn the_simulated_service_tells_the_bounds_of_what_is_registered_and_nothing_of_what_is_not() {
    let mut targets = ScalableTargets::default();
    targets.register("video", "api", 1..=2);
    let without = targets.clone();
    targets.register("video", "web", 2..=40);
    let simulated = |mut targets: ScalableTargets| {
        CannedAws::with(move |call: ServiceCall| ServiceAnswer::from(targets.call(&call.operation, &call.body)))
    };
    assert_eq!(ask(&simulated(without).await).await, Ok(None));
    let expected = ScalableTarget { is_scale_in_suspended: false, ..TARGET };
    assert_eq!(ask(&simulated(targets).await).await, Ok(Some(expected)));
}
