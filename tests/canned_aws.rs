//! ECS, SQS, SNS and Application Auto Scaling with canned answers, for the contract tests of their adapters.

use crate::simulated::sdk_config;
use aws_config::SdkConfig;
use ecs_sim::http::{Backend, Server, ServerOptions, ServiceAnswer, ServiceCall, ServiceError};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use taskhold::aws::ecs::AwsEcs;
use taskhold::ecs::error::EcsError;

/// A server that answers as configured and records the calls, and the function's client of ECS.
pub(crate) struct CannedAws {
    pub(crate) config: SdkConfig,
    pub(crate) ecs: AwsEcs,
    pub(crate) endpoint: String,
    backend: Arc<Mutex<Box<dyn Backend>>>,
    calls: Arc<Mutex<Vec<ServiceCall>>>,
    _server: Server,
}

impl CannedAws {
    /// Without answers.
    pub(crate) async fn new() -> Self {
        Self::with(|call: ServiceCall| -> ServiceAnswer { panic!("unexpected {call:?}") }).await
    }

    pub(crate) async fn with(backend: impl Backend) -> Self {
        let backend: Arc<Mutex<Box<dyn Backend>>> = Arc::new(Mutex::new(Box::new(backend)));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (answers, captured) = (Arc::clone(&backend), Arc::clone(&calls));
        let recorder = move |call: ServiceCall| {
            captured.lock().unwrap().push(call.clone());
            answers.lock().unwrap().call(call)
        };
        let server = Server::start(Arc::new(Mutex::new(recorder)), ServerOptions::default()).await.unwrap();
        let endpoint = server.endpoint();
        let config = sdk_config(&endpoint).await;
        Self { ecs: AwsEcs::new(&config), config, endpoint, backend, calls, _server: server }
    }

    /// Each call gets this answer.
    pub(crate) async fn answering(answer: ServiceAnswer) -> Self {
        Self::with(move |_: ServiceCall| answer.clone()).await
    }

    /// Each call gets this output.
    pub(crate) async fn returning(output: Value) -> Self {
        Self::answering(ServiceAnswer::Output(output)).await
    }

    /// From now on, calls get these answers in order, and the last one again and again.
    pub(crate) fn set(&self, answers: impl IntoIterator<Item = ServiceAnswer>) {
        let mut answers: VecDeque<ServiceAnswer> = answers.into_iter().collect();
        *self.backend.lock().unwrap() = Box::new(move |_: ServiceCall| match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().expect("at least one answer is set"),
        });
    }

    /// From now on, each call gets this output.
    pub(crate) fn set_output(&self, output: Value) {
        self.set([ServiceAnswer::Output(output)]);
    }

    /// The calls since they were last taken.
    pub(crate) fn take_calls(&self) -> Vec<ServiceCall> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// The only call since the calls were last taken.
    pub(crate) fn take_call(&self) -> ServiceCall {
        let [call] = self.take_calls().try_into().expect("each call is sent exactly once");
        call
    }

    /// Asserts that the only call since the calls were last taken is this operation with this input.
    #[track_caller]
    pub(crate) fn assert_called(&self, operation: &str, input: &Value) {
        let call = self.take_call();
        assert_eq!((call.operation.as_str(), &call.body), (operation, input));
    }
}

/// An error of this code and status, with the message `because of x`.
pub(crate) fn failed(code: &str, status: u16) -> ServiceAnswer {
    ServiceAnswer::Error(ServiceError { code: code.to_owned(), message: "because of x".to_owned(), status })
}

/// The exceptions of ECS, each with the adapter's error.
pub(crate) fn ecs_exceptions() -> Vec<(ServiceAnswer, EcsError)> {
    let cause = || "because of x".to_owned();
    let with_cause = |code: &str| format!("{code}: because of x");
    vec![
        (failed("AccessDeniedException", 400), EcsError::AccessDenied(with_cause("AccessDeniedException"))),
        (failed("ClientException", 400), EcsError::Rejected(with_cause("ClientException"))),
        (failed("ClusterNotFoundException", 400), EcsError::ClusterNotFound(cause())),
        (failed("ExpiredTokenException", 400), EcsError::AccessDenied(with_cause("ExpiredTokenException"))),
        (failed("FromTheFutureException", 400), EcsError::Server(with_cause("FromTheFutureException"))),
        (failed("FromTheFutureException", 503), EcsError::Server(with_cause("FromTheFutureException"))),
        (failed("InvalidParameterException", 400), EcsError::Rejected(with_cause("InvalidParameterException"))),
        (failed("ResourceNotFoundException", 400), EcsError::NotFound(cause())),
        (failed("ServerException", 500), EcsError::Server(with_cause("ServerException"))),
        (failed("ServiceNotActiveException", 400), EcsError::Rejected(with_cause("ServiceNotActiveException"))),
        (failed("ServiceNotFoundException", 400), EcsError::NotFound(cause())),
        (failed("ThrottlingException", 400), EcsError::Throttled),
        (failed("UnsupportedFeatureException", 400), EcsError::Rejected(with_cause("UnsupportedFeatureException"))),
    ]
}
