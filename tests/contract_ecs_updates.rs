//! The update of a service's desired count: the exact request, sent once, the result of every answer, and the
//! effect on the simulated ECS.

use crate::canned_aws::{CannedAws, ecs_exceptions};
use ecs_sim::control_plane::{ControlPlane, ServiceSpec, Setup};
use ecs_sim::http::{AwsService, ServiceAnswer, ServiceCall};
use serde_json::json;
use std::sync::Arc;
use taskhold::ecs::error::{EcsError, Effect};
use taskhold::ecs::service::ServiceArn;
use taskhold::ecs::{ServiceReads, ServiceUpdates};

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";

fn service(name: &str) -> ServiceArn {
    ServiceArn::new(Arc::new(CLUSTER.parse().unwrap()), name).unwrap()
}

/// The result of setting a desired count on an ECS that gives this answer, and the calls.
async fn set_before(answer: ServiceAnswer, to: u32) -> (Result<(), EcsError>, Vec<ServiceCall>) {
    let aws = CannedAws::answering(answer).await;
    (aws.ecs.set_desired_count(&service("web"), to).await, aws.take_calls())
}

#[tokio::test]
async fn a_change_names_cluster_service_and_count_and_nothing_else() {
    let answer =
        ServiceAnswer::Output(json!({"service": {"serviceName": "web", "desiredCount": 7, "fromTheFuture": [1]}}));
    let (outcome, calls) = set_before(answer, 7).await;
    assert_eq!(outcome, Ok(()));
    let [call] = calls.as_slice() else { panic!("a call is sent exactly once: {calls:?}") };
    assert_eq!((call.service, call.operation.as_str()), (AwsService::Ecs, "UpdateService"));
    assert_eq!(call.body, json!({"cluster": CLUSTER, "service": "web", "desiredCount": 7}), "so nothing is deployed");
}

#[tokio::test]
async fn a_count_of_zero_is_sent_as_one() {
    let (_, calls) = set_before(ServiceAnswer::Output(json!({})), 0).await;
    assert_eq!(calls[0].body["desiredCount"], 0);
}

#[tokio::test]
async fn every_exception_tells_whether_the_count_may_have_changed_and_is_not_tried_again() {
    for (exception, expected) in ecs_exceptions() {
        let effect = if matches!(expected, EcsError::Server(_)) { Effect::Unknown } else { Effect::None };
        let (outcome, calls) = set_before(exception, 3).await;
        assert_eq!(expected.effect(), effect, "{expected}");
        assert_eq!((outcome, calls.len()), (Err(expected), 1));
    }
    let (outcome, calls) = set_before(ServiceAnswer::ConnectionLost, 3).await;
    assert!(matches!(&outcome, Err(error) if error.effect() == Effect::Unknown), "{outcome:?}");
    assert_eq!(calls.len(), 1);
}

#[tokio::test]
async fn the_simulated_ecs_sets_the_count_and_deploys_nothing() {
    let mut ecs = ControlPlane::new(Setup::default());
    ecs.create_cluster("video");
    ecs.create_service(ServiceSpec::new("video", "web", 2)).unwrap();
    let aws =
        CannedAws::with(move |call: ServiceCall| ServiceAnswer::from(ecs.call(&call.operation, &call.body))).await;
    let ecs = &aws.ecs;
    let deployments =
        |service: taskhold::ecs::service::Service| service.deployments.into_iter().map(|it| it.id).collect::<Vec<_>>();
    let before = ecs.describe_service(&service("web")).await.unwrap().unwrap();
    assert_eq!(ecs.set_desired_count(&service("web"), 5).await, Ok(()));
    let after = ecs.describe_service(&service("web")).await.unwrap().unwrap();
    assert_eq!((before.desired_count, after.desired_count), (2, 5));
    assert_eq!(deployments(before), deployments(after));
    let unknown = ecs.set_desired_count(&service("api"), 5).await;
    assert!(matches!(&unknown, Err(EcsError::NotFound(_))), "{unknown:?}");
}
