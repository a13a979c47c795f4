//! CreateCluster and DescribeClusters, and the tags of clusters and services.

use std::collections::BTreeMap;

use super::error::{ApiError, ErrorCode};
use super::names::is_name;
use super::request::{
    CreateClusterRequest, DescribeClustersRequest, ListTagsForResourceRequest, TagResourceRequest, tag_list, tag_map,
};
use super::response::{
    ClusterDescription, CreateClusterResponse, DescribeClustersResponse, FailureDescription,
    ListTagsForResourceResponse, TagResourceResponse,
};
use super::service::{Cluster, SimulatedServiceStatus};
use super::state::ControlPlane;
use super::task::TaskStatus;

/// Maximum number of clusters in one DescribeClusters call.
const DESCRIBE_CLUSTERS_MAX: usize = 100;

impl ControlPlane {
    /// CreateCluster. An existing cluster stays as it is, as in ECS. For a scenario see [`Self::create_cluster`].
    ///
    /// # Errors
    /// InvalidParameterException for an invalid name.
    pub fn make_cluster(&mut self, request: CreateClusterRequest) -> Result<CreateClusterResponse, ApiError> {
        let name = request.cluster_name.unwrap_or_else(|| "default".to_owned());
        if !is_name(&name) {
            return Err(ApiError::invalid("clusterName is not up to 255 letters, numbers, underscores and hyphens."));
        }
        let tags = tag_map(request.tags);
        let new = || Cluster { tags, ..Cluster::default() };
        self.clusters.entry(name.clone()).or_insert_with(new);
        Ok(CreateClusterResponse { cluster: self.describe_cluster(&name) })
    }

    /// Describes up to 100 clusters, `default` if none is named.
    ///
    /// # Errors
    /// InvalidParameterException for more than 100.
    pub fn describe_clusters(
        &mut self,
        request: DescribeClustersRequest,
    ) -> Result<DescribeClustersResponse, ApiError> {
        if request.clusters.len() > DESCRIBE_CLUSTERS_MAX {
            return Err(ApiError::invalid("Clusters can have at most 100 items."));
        }
        let tags_wanted = request.include.iter().any(|include| include == "TAGS");
        let mut wanted = request.clusters;
        if wanted.is_empty() {
            wanted.push("default".to_owned());
        }
        let mut response = DescribeClustersResponse::default();
        for given in wanted {
            let Ok(name) = self.resolve_cluster(Some(&given)) else {
                let arn = if given.starts_with("arn:") { given } else { self.names.cluster_arn(&given) };
                response.failures.push(FailureDescription::missing(arn));
                continue;
            };
            let mut description = self.describe_cluster(&name);
            description.tags = tags_wanted.then(|| tag_list(&self.clusters[&name].tags));
            response.clusters.push(description);
        }
        Ok(response)
    }

    /// The tags of a service or a cluster.
    ///
    /// # Errors
    /// InvalidParameterException for anything else.
    pub fn list_tags_for_resource(
        &mut self,
        request: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, ApiError> {
        let missing = || ApiError::invalid("The specified resource was not found.");
        let tags = self.tags_mut(&request.resource_arn).ok_or_else(missing)?;
        Ok(ListTagsForResourceResponse { tags: tag_list(tags) })
    }

    /// Sets tags of a service or a cluster.
    ///
    /// # Errors
    /// ResourceNotFoundException for anything else.
    pub fn tag_resource(&mut self, request: TagResourceRequest) -> Result<TagResourceResponse, ApiError> {
        let missing = || ApiError::new(ErrorCode::ResourceNotFound, "The specified resource was not found.");
        let tags = self.tags_mut(&request.resource_arn).ok_or_else(missing)?;
        tags.extend(tag_map(request.tags));
        Ok(TagResourceResponse {})
    }

    fn tags_mut(&mut self, arn: &str) -> Option<&mut BTreeMap<String, String>> {
        if !arn.starts_with("arn:") {
            return None;
        }
        if let Some(cluster) = self.names.own("cluster", arn) {
            return self.clusters.get_mut(cluster).map(|cluster| &mut cluster.tags);
        }
        let (cluster, service) = self.names.own("service", arn)?.split_once('/')?;
        let key = self.service_key(cluster, service)?;
        Some(&mut self.service_mut(key).tags)
    }

    /// The names of a cluster's services that were not deleted, sorted.
    pub(super) fn active_services<'a>(&'a self, cluster: &'a Cluster) -> impl Iterator<Item = &'a String> {
        let is_active = |key: &u64| self.services[key].status == SimulatedServiceStatus::Active;
        cluster.services.iter().filter(move |(_, key)| is_active(key)).map(|(name, _)| name)
    }

    fn describe_cluster(&self, name: &str) -> ClusterDescription {
        let cluster = &self.clusters[name];
        let count =
            |status: TaskStatus| cluster.tasks.iter().filter(|key| self.tasks[key].last_status == status).count();
        ClusterDescription {
            cluster_arn: self.names.cluster_arn(name),
            cluster_name: name.to_owned(),
            status: "ACTIVE".to_owned(),
            running_tasks_count: count(TaskStatus::Running),
            pending_tasks_count: count(TaskStatus::Pending),
            active_services_count: self.active_services(cluster).count(),
            tags: None,
        }
    }
}
