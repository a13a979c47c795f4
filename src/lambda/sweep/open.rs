//! The services that a sweep reads whole, however steady they look: those with an open record of their own or of a
//! running task.

use crate::ecs::TASKS_PER_READ_MAX;
use crate::ecs::arn::{ClusterArn, Task, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use crate::lambda::function::Function;
use crate::lambda::sweep::open_records::{OpenServices, OpenTasks};
use crate::lambda::sweep::pace::Reads;
use crate::lambda::sweep::part::Part;
use crate::service::refused::Awaited;
use crate::task::outcome::Unsettled;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tracing::warn;

/// Maximum number of store pages read to find open records: more than any cluster fills.
const STORE_PAGES_MAX: usize = 1_000;

impl Function {
    /// The services of a cluster whose own records are open.
    pub(crate) async fn open_service_records(
        &self,
        cluster: &Arc<ClusterArn>,
    ) -> Result<BTreeSet<ServiceArn>, Unsettled> {
        let mut open = BTreeSet::new();
        let mut token = None;
        for _ in 0..STORE_PAGES_MAX {
            let page = self.services.store.page(token.as_deref()).await?;
            let of_cluster = page.items.into_iter().filter(|(service, _)| service.cluster == *cluster);
            open.extend(of_cluster.filter(|(_, versioned)| versioned.record.is_open()).map(|(service, _)| service));
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(open)
    }

    /// Adds the services of the cluster's tasks with open records.
    pub(crate) async fn with_open_tasks(
        &self,
        mut open: BTreeSet<ServiceArn>,
        cluster: &Arc<ClusterArn>,
        part: &mut Part<'_>,
    ) -> Result<OpenServices, Unsettled> {
        if !part.open_tasks.is_complete {
            part.open_tasks = self.open_tasks().await?;
        }
        let OpenTasks { services, strangers, .. } = &part.open_tasks;
        open.extend(services.iter().filter(|service| service.cluster == *cluster).cloned());
        let strangers: Vec<TaskId> =
            strangers.iter().filter(|task| task.cluster == *cluster).map(|task| task.id.clone()).collect();
        for ids in strangers.chunks(TASKS_PER_READ_MAX) {
            part.pace.keep(Reads::TASKS, part.share, self.clock()).await?;
            match self.services_of_tasks(cluster, ids).await {
                Ok(services) => open.extend(services),
                Err(EcsError::Throttled) => return Err(EcsError::Throttled.into()),
                Err(failure) => {
                    let cluster = cluster.name.as_str();
                    warn!(cluster, %failure, "could not read the services of busy tasks; reading every service");
                    return Ok(OpenServices::Any);
                }
            }
        }
        Ok(OpenServices::Only(open))
    }

    async fn open_tasks(&self) -> Result<OpenTasks, Unsettled> {
        let mut open = OpenTasks { is_complete: true, ..OpenTasks::default() };
        let mut token = None;
        for _ in 0..STORE_PAGES_MAX {
            let page = self.services.tasks.store.page(token.as_deref()).await?;
            page.items.iter().for_each(|(task, versioned)| open.add(task, versioned));
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(open)
    }

    /// Asks ECS for the services of tasks, which their records remember. A task that has no service, or that ECS no
    /// longer knows, concerns none.
    async fn services_of_tasks(
        &self,
        cluster: &Arc<ClusterArn>,
        ids: &[TaskId],
    ) -> Result<BTreeSet<ServiceArn>, EcsError> {
        let mut tasks: BTreeMap<ServiceArn, Vec<Task>> = BTreeMap::new();
        for described in self.services.tasks.ecs.describe_tasks(cluster, ids).await? {
            let service = described.service.and_then(|name| ServiceArn::new(cluster.clone(), &name).ok());
            if let Some(service) = service {
                let task = Task { cluster: cluster.clone(), id: described.id };
                tasks.entry(service).or_default().push(task);
            }
        }
        for (service, tasks) in &tasks {
            self.services.record_service(service, tasks, Awaited::AsRecorded).await;
        }
        Ok(tasks.into_keys().collect())
    }
}
