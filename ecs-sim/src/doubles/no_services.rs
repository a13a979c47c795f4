//! For tests whose ECS has tasks and no services.

use async_trait::async_trait;
use jiff::Timestamp;
use taskhold::ecs::autoscaling::{Autoscaling, AutoscalingError, ScalableTarget};
use taskhold::ecs::service::ServiceArn;
use taskhold::service::record::ServiceRecord;
use taskhold::store::error::StoreError;
use taskhold::store::{RecordPage, Store, StorePages, Stored, Versioned};

/// Implements [`taskhold::ecs::ServiceReads`] for a fake that must receive no service reads: each read panics with its
/// name. The fake's own method `protection_of` answers the read of protection, which precedes each release.
#[macro_export]
macro_rules! reads_no_services {
    ($fake:ty) => {
        #[async_trait::async_trait]
        impl taskhold::ecs::ServiceReads for $fake {
            async fn describe_services(
                &self,
                _: &taskhold::ecs::arn::ClusterArn,
                services: &[taskhold::ecs::service::ServiceArn],
            ) -> Result<Vec<taskhold::ecs::service::Service>, taskhold::ecs::error::EcsError> {
                panic!("unexpected read of {services:?}")
            }

            async fn list_tasks(
                &self,
                service: &taskhold::ecs::service::ServiceArn,
                _: Option<&str>,
            ) -> Result<taskhold::page::Page<taskhold::ecs::arn::TaskId>, taskhold::ecs::error::EcsError> {
                panic!("unexpected list of the tasks of {service}")
            }

            async fn describe_tasks(
                &self,
                _: &taskhold::ecs::arn::ClusterArn,
                tasks: &[taskhold::ecs::arn::TaskId],
            ) -> Result<Vec<taskhold::ecs::task::TaskDescription>, taskhold::ecs::error::EcsError> {
                panic!("unexpected read of {tasks:?}")
            }

            async fn get_task_protection(
                &self,
                _: &taskhold::ecs::arn::ClusterArn,
                tasks: &[taskhold::ecs::arn::TaskId],
            ) -> Result<taskhold::ecs::ProtectionAnswer, taskhold::ecs::error::EcsError> {
                self.protection_of(tasks)
            }

            async fn describe_service_deployments(
                &self,
                arns: &[taskhold::ecs::service_deployment::ServiceDeploymentArn],
            ) -> Result<Vec<taskhold::ecs::service_deployment::ServiceDeployment>, taskhold::ecs::error::EcsError> {
                panic!("unexpected read of {arns:?}")
            }

            async fn list_services(
                &self,
                cluster: &std::sync::Arc<taskhold::ecs::arn::ClusterArn>,
                _: Option<&str>,
            ) -> Result<taskhold::page::Page<taskhold::ecs::service::ServiceArn>, taskhold::ecs::error::EcsError> {
                panic!("unexpected list of the services of {cluster}")
            }
        }
    };
}

/// An Application Auto Scaling without registered targets.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAutoscaling;

#[async_trait]
impl Autoscaling for NoAutoscaling {
    async fn scalable_target(&self, _: &ServiceArn) -> Result<Option<ScalableTarget>, AutoscalingError> {
        Ok(None)
    }
}

/// Implements [`taskhold::ecs::ServiceUpdates`] for a fake whose services must not be changed: the call panics.
#[macro_export]
macro_rules! updates_no_services {
    ($fake:ty) => {
        #[async_trait::async_trait]
        impl taskhold::ecs::ServiceUpdates for $fake {
            async fn set_desired_count(
                &self,
                service: &taskhold::ecs::service::ServiceArn,
                to: u32,
            ) -> Result<(), taskhold::ecs::error::EcsError> {
                panic!("unexpected update of the desired count of {service} to {to}")
            }
        }
    };
}

/// The service records of a function that never writes one: there are none, and a load or a store panics.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoServiceRecords;

#[async_trait]
impl Store<ServiceRecord> for NoServiceRecords {
    async fn load(&self, service: &ServiceArn) -> Result<Versioned<ServiceRecord>, StoreError> {
        panic!("unexpected load of {service}")
    }

    async fn put(
        &self,
        service: &ServiceArn,
        _: &Versioned<ServiceRecord>,
        _: Timestamp,
    ) -> Result<Stored, StoreError> {
        panic!("unexpected store of {service}")
    }
}

#[async_trait]
impl StorePages<ServiceRecord> for NoServiceRecords {
    async fn page(&self, _: Option<&str>) -> Result<RecordPage<ServiceRecord>, StoreError> {
        Ok(RecordPage { items: Vec::new(), next_token: None })
    }
}
