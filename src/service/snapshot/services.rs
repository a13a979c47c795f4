//! Lists the services of a cluster, by bounded pages.

use crate::ecs::ServiceReads;
use crate::ecs::arn::ClusterArn;
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use crate::service::snapshot::read::LIST_PAGES_MAX;
use std::sync::Arc;

/// Services of a cluster.
pub struct ListedServices {
    /// In the order of ECS.
    pub services: Vec<ServiceArn>,
    /// Whether the cluster has more.
    pub more: bool,
}

/// The first services of a cluster, at most `max`.
///
/// # Errors A page could not be read, since a partial list is of no use, or ECS returned pages without end.
pub async fn list_services(
    ecs: &dyn ServiceReads,
    cluster: &Arc<ClusterArn>,
    max: usize,
) -> Result<ListedServices, EcsError> {
    list_services_paced(ecs, cluster, max, async || Ok(())).await
}

/// Like [`list_services`], and waits for `before_page` before each page.
///
/// # Errors As [`list_services`], or `before_page` failed.
pub(crate) async fn list_services_paced<E: From<EcsError>>(
    ecs: &dyn ServiceReads,
    cluster: &Arc<ClusterArn>,
    max: usize,
    before_page: impl AsyncFn() -> Result<(), E>,
) -> Result<ListedServices, E> {
    let mut services = Vec::new();
    let mut token = None;
    for _ in 0..LIST_PAGES_MAX {
        before_page().await?;
        let page = ecs.list_services(cluster, token.as_deref()).await?;
        services.extend(page.items);
        token = page.next_token;
        if token.is_none() || services.len() >= max {
            let more = token.is_some() || services.len() > max;
            services.truncate(max);
            return Ok(ListedServices { services, more });
        }
    }
    Err(EcsError::Incomplete(format!("ListServices answered {LIST_PAGES_MAX} pages and reported more")).into())
}
