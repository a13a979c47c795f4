//! The services that a sweep reads whole, however steady they look: those with an open record of their own or of a
//! running task.

use crate::ecs::TASKS_PER_READ_MAX;
use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use crate::lambda::function::Function;
use crate::lambda::sweep::open_records::{OpenServices, OpenTasks};
use crate::lambda::sweep::pace::Reads;
use crate::lambda::sweep::part::Part;
use crate::service::record::ServiceRecord;
use crate::service::refused::Awaited;
use crate::store::error::StoreError;
use crate::store::{Record, StorePages, Versioned};
use crate::task::outcome::Unsettled;
use std::collections::BTreeSet;
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
        let is_of_it = |service: &ServiceArn, record: &ServiceRecord| service.cluster == *cluster && record.is_open();
        let add =
            |service, versioned: Versioned<_>| open.extend(is_of_it(&service, &versioned.record).then_some(service));
        for_each_open(&*self.services.store, add).await?;
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
            match self.services.read_services(cluster, ids, Awaited::AsRecorded).await {
                Ok(services) => open.extend(services.into_keys()),
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
        for_each_open(&*self.services.tasks.store, |task, versioned| open.add(&task, &versioned)).await?;
        Ok(open)
    }
}

/// Passes every open record to `each`.
async fn for_each_open<R: Record>(
    store: &dyn StorePages<R>,
    mut each: impl FnMut(R::Key, Versioned<R>),
) -> Result<(), StoreError> {
    let mut token = None;
    for _ in 0..STORE_PAGES_MAX {
        let page = store.page(token.as_deref()).await?;
        page.items.into_iter().for_each(|(key, versioned)| each(key, versioned));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    Ok(())
}
