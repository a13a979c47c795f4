//! A wrapper that lets an invocation pause or die before and after each call of a port, and lets calls fail.

use super::steps::Steps;
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Service, ServiceArn};
use taskhold::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use taskhold::ecs::task::TaskDescription;
use taskhold::ecs::{Ecs, ProtectionAnswer, ProtectionSetting, ServiceReads, ServiceUpdates};
use taskhold::notify::message::AlertMessage;
use taskhold::notify::sink::Sink;
use taskhold::outbox::DeliveryError;
use taskhold::page::Page;
use taskhold::service::recheck::{Recheck, RecheckQueue};
use taskhold::sqs::SqsError;
use taskhold::store::error::StoreError;
use taskhold::store::{Record, Store, StorePages, Stored, Versioned};

/// How many of the next calls fail without effect. Clones share the number.
#[derive(Clone, Debug, Default)]
pub struct Failing(Arc<AtomicU32>);

impl Failing {
    /// This many of the next calls fail, and no others.
    pub fn set(&self, calls: u32) {
        self.0.store(calls, Ordering::Relaxed);
    }

    /// All calls fail from now on.
    pub fn fail_all(&self) {
        self.set(u32::MAX);
    }

    /// No call fails any more.
    pub fn fail_none(&self) {
        self.set(0);
    }

    /// Whether the present call fails.
    fn strikes(&self) -> bool {
        let next = |left: u32| match left {
            0 => None,
            u32::MAX => Some(u32::MAX),
            left => Some(left - 1),
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// A port with a point of [`Steps`] before each call, and after each call that changes something or reads ECS.
///
/// Calls of ECS fail by the faults of its Region; those of the other ports by `failing`.
#[derive(Clone, Debug)]
pub struct Stepped<P> {
    /// The port.
    pub inner: P,
    /// The points, which all ports of a function share.
    pub steps: Steps,
    /// The calls that fail without effect.
    pub failing: Failing,
}

impl<P> Stepped<P> {
    /// None of the calls fails at first.
    pub fn new(inner: P, steps: &Steps) -> Self {
        Self { inner, steps: steps.clone(), failing: Failing::default() }
    }

    async fn around<T>(&self, what: &str, call: impl Future<Output = T>) -> T {
        self.steps.point(&["before", what]).await;
        let answer = call.await;
        self.steps.point(&["after", what]).await;
        answer
    }

    async fn begin<R>(&self, what: &str) -> Result<(), StoreError> {
        self.steps.point(&["before", what, name_of::<R>()]).await;
        if self.failing.strikes() { Err(StoreError::Unexpected("connection reset".to_owned())) } else { Ok(()) }
    }
}

/// The name of a type of records, without its path.
fn name_of<R>() -> &'static str {
    let path = std::any::type_name::<R>();
    path.rsplit("::").next().unwrap_or(path)
}

#[async_trait]
impl<P: Ecs> Ecs for Stepped<P> {
    async fn update_task_protection(
        &self,
        cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        self.around("UpdateTaskProtection", self.inner.update_task_protection(cluster, setting, tasks)).await
    }
}

#[async_trait]
impl<P: ServiceReads> ServiceReads for Stepped<P> {
    async fn describe_services(&self, cluster: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        self.around("DescribeServices", self.inner.describe_services(cluster, services)).await
    }

    async fn list_tasks(&self, service: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        self.around("ListTasks", self.inner.list_tasks(service, next_token)).await
    }

    async fn describe_tasks(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        self.around("DescribeTasks", self.inner.describe_tasks(cluster, tasks)).await
    }

    async fn get_task_protection(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        self.around("GetTaskProtection", self.inner.get_task_protection(cluster, tasks)).await
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        self.around("DescribeServiceDeployments", self.inner.describe_service_deployments(arns)).await
    }

    async fn list_services(
        &self,
        cluster: &Arc<ClusterArn>,
        next_token: Option<&str>,
    ) -> Result<Page<ServiceArn>, EcsError> {
        self.around("ListServices", self.inner.list_services(cluster, next_token)).await
    }
}

#[async_trait]
impl<P: ServiceUpdates> ServiceUpdates for Stepped<P> {
    async fn set_desired_count(&self, service: &ServiceArn, to: u32) -> Result<(), EcsError> {
        self.around("UpdateService", self.inner.set_desired_count(service, to)).await
    }
}

#[async_trait]
impl<R: Record, P: Store<R>> Store<R> for Stepped<P> {
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, StoreError> {
        self.begin::<R>("a load of").await?;
        self.inner.load(key).await
    }

    async fn put(&self, key: &R::Key, versioned: &Versioned<R>, keep_until: Timestamp) -> Result<Stored, StoreError> {
        self.begin::<R>("a store of").await?;
        let stored = self.inner.put(key, versioned, keep_until).await;
        self.steps.point(&["after", "a store of", name_of::<R>()]).await;
        stored
    }
}

#[async_trait]
impl<R: Record, P: StorePages<R>> StorePages<R> for Stepped<P> {
    async fn page(&self, token: Option<&str>) -> Result<Page<(R::Key, Versioned<R>)>, StoreError> {
        self.begin::<R>("a page of").await?;
        self.inner.page(token).await
    }
}

#[async_trait]
impl<P: RecheckQueue> RecheckQueue for Stepped<P> {
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), SqsError> {
        let send = async {
            if self.failing.strikes() {
                return Err(SqsError::Failed("the queue is down".to_owned()));
            }
            self.inner.send(recheck, delay).await
        };
        self.around("the send of a recheck", send).await
    }
}

#[async_trait]
impl<P: Sink> Sink for Stepped<P> {
    async fn send(&self, message: &AlertMessage) -> Result<(), DeliveryError> {
        self.steps.point(&["before", "the send of an alert"]).await;
        if self.failing.strikes() {
            return Err(DeliveryError::Alerts("the topic is down".to_owned()));
        }
        let sent = self.inner.send(message).await;
        self.steps.point(&["after", "the send of an alert"]).await;
        sent
    }
}
