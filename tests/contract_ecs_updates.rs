//! The update of a service's desired count: the exact request, sent once, the result of every answer, and the
//! effect on the simulated ECS.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_ecs::config::Credentials;
use ecs_sim::control_plane::{ControlPlane, ServiceSpec, Setup};
use ecs_sim::http::{AwsService, Backend, Server, ServerOptions, ServiceAnswer, ServiceCall, ServiceError};
use serde_json::json;
use std::sync::{Arc, Mutex};
use taskhold::aws;
use taskhold::aws::ecs::AwsEcs;
use taskhold::ecs::error::{EcsError, Effect};
use taskhold::ecs::service::ServiceArn;
use taskhold::ecs::{ServiceReads, ServiceUpdates};

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";

fn service(name: &str) -> ServiceArn {
    ServiceArn::new(Arc::new(CLUSTER.parse().unwrap()), name).unwrap()
}

/// The adapter on this backend.
async fn before(backend: impl Backend) -> (AwsEcs, Server) {
    let server = Server::start(Arc::new(Mutex::new(backend)), ServerOptions::default()).await.unwrap();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(server.endpoint())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"));
    (AwsEcs::new(&aws::with_own_settings(loader, &aws::trust::Trust::Amazon).load().await), server)
}

/// The result of setting a desired count on an ECS that gives this answer, and the calls.
async fn set_before(answer: ServiceAnswer, to: u32) -> (Result<(), EcsError>, Vec<ServiceCall>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let captured = Arc::clone(&calls);
    let backend = move |call: ServiceCall| {
        captured.lock().unwrap().push(call);
        answer.clone()
    };
    let (ecs, _server) = before(backend).await;
    let outcome = ecs.set_desired_count(&service("web"), to).await;
    (outcome, std::mem::take(&mut calls.lock().unwrap()))
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
    let with_cause = |code: &str| format!("{code}: because of x");
    for (code, status, expected, effect) in [
        ("AccessDeniedException", 400, EcsError::AccessDenied(with_cause("AccessDeniedException")), Effect::None),
        ("ClientException", 400, EcsError::Rejected(with_cause("ClientException")), Effect::None),
        ("ClusterNotFoundException", 400, EcsError::ClusterNotFound("because of x".to_owned()), Effect::None),
        ("InvalidParameterException", 400, EcsError::Rejected(with_cause("InvalidParameterException")), Effect::None),
        ("ServiceNotActiveException", 400, EcsError::Rejected(with_cause("ServiceNotActiveException")), Effect::None),
        ("ServiceNotFoundException", 400, EcsError::NotFound("because of x".to_owned()), Effect::None),
        ("ThrottlingException", 400, EcsError::Throttled, Effect::None),
        ("ServerException", 500, EcsError::Server(with_cause("ServerException")), Effect::Unknown),
        ("FromTheFutureException", 400, EcsError::Server(with_cause("FromTheFutureException")), Effect::Unknown),
    ] {
        let error = ServiceError { code: code.to_owned(), message: "because of x".to_owned(), status };
        let (outcome, calls) = set_before(ServiceAnswer::Error(error), 3).await;
        assert_eq!(expected.effect(), effect, "{code}");
        assert_eq!((outcome, calls.len()), (Err(expected), 1), "{code}");
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
    let backend = move |call: ServiceCall| ServiceAnswer::from(ecs.call(&call.operation, &call.body));
    let (ecs, _server) = before(backend).await;
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
