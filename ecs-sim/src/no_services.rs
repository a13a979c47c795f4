//! For tests whose ECS knows tasks and no services.

use taskhold::autoscaling::{Autoscaling, AutoscalingError, ScalableTarget};
use taskhold::ecs::ServiceArn;

/// Implements [`taskhold::ecs::ServiceReads`] for a fake that nobody asks about services: each read panics with its name.
#[macro_export]
macro_rules! reads_no_services {
    ($fake:ty) => {
        impl taskhold::ecs::ServiceReads for $fake {
            async fn describe_service(
                &self,
                service: &taskhold::ecs::ServiceArn,
            ) -> Result<Option<taskhold::ecs::Service>, taskhold::ecs::EcsError> {
                panic!("nobody should describe {service}")
            }

            async fn list_tasks(
                &self,
                service: &taskhold::ecs::ServiceArn,
                _: Option<&str>,
            ) -> Result<taskhold::ecs::Page<taskhold::ecs::TaskId>, taskhold::ecs::EcsError> {
                panic!("nobody should list the tasks of {service}")
            }

            async fn describe_tasks(
                &self,
                _: &taskhold::ecs::ClusterArn,
                tasks: &[taskhold::ecs::TaskId],
            ) -> Result<Vec<taskhold::ecs::TaskDescription>, taskhold::ecs::EcsError> {
                panic!("nobody should describe {tasks:?}")
            }

            async fn get_task_protection(
                &self,
                _: &taskhold::ecs::ClusterArn,
                tasks: &[taskhold::ecs::TaskId],
            ) -> Result<taskhold::ecs::ProtectionAnswer, taskhold::ecs::EcsError> {
                panic!("nobody should read the protection of {tasks:?}")
            }

            async fn list_services(
                &self,
                cluster: &std::sync::Arc<taskhold::ecs::ClusterArn>,
                _: Option<&str>,
            ) -> Result<taskhold::ecs::Page<taskhold::ecs::ServiceArn>, taskhold::ecs::EcsError> {
                panic!("nobody should list the services of {cluster}")
            }
        }
    };
}

/// An Application Auto Scaling with which nobody has registered anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAutoscaling;

impl Autoscaling for NoAutoscaling {
    async fn scalable_target(&self, _: &ServiceArn) -> Result<Option<ScalableTarget>, AutoscalingError> {
        Ok(None)
    }
}

/// Implements [`taskhold::ecs::ServiceUpdates`] for a fake of which nobody should change a service: the call panics.
#[macro_export]
macro_rules! updates_no_services {
    ($fake:ty) => {
        impl taskhold::ecs::ServiceUpdates for $fake {
            async fn set_desired_count(
                &self,
                service: &taskhold::ecs::ServiceArn,
                to: u32,
            ) -> Result<(), taskhold::ecs::EcsError> {
                panic!("nobody should set the desired count of {service} to {to}")
            }
        }
    };
}

/// Implements [`taskhold::store::Store`] of services for a fake that nobody asks about services: it has none, and
/// each other call panics.
#[macro_export]
macro_rules! keeps_no_services {
    ($fake:ty) => {
        impl taskhold::store::Store<taskhold::store::ServiceRecord> for $fake {
            async fn load(
                &self,
                service: &taskhold::ecs::ServiceArn,
            ) -> Result<taskhold::store::Versioned<taskhold::store::ServiceRecord>, taskhold::store::StoreError> {
                panic!("nobody should load {service}")
            }

            async fn put(
                &self,
                service: &taskhold::ecs::ServiceArn,
                _: &taskhold::store::Versioned<taskhold::store::ServiceRecord>,
                _: jiff::Timestamp,
            ) -> Result<taskhold::store::Stored, taskhold::store::StoreError> {
                panic!("nobody should store {service}")
            }
        }

        impl taskhold::store::StorePages<taskhold::store::ServiceRecord> for $fake {
            async fn page(
                &self,
                _: Option<&str>,
            ) -> Result<
                taskhold::ecs::Page<(
                    taskhold::ecs::ServiceArn,
                    taskhold::store::Versioned<taskhold::store::ServiceRecord>,
                )>,
                taskhold::store::StoreError,
            > {
                Ok(taskhold::ecs::Page { items: Vec::new(), next_token: None })
            }
        }
    };
}
