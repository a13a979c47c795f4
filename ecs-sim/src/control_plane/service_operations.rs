//! DescribeServices, ListServices, UpdateService and CreateService.

use super::eventbridge::{DeploymentEvent, ServiceAction};
use super::request::{
    CreateServiceRequest, DeploymentConfigurationRequest, DescribeServicesRequest, ListServicesRequest,
    UpdateServiceRequest, tag_list, tag_map,
};
use super::response::{DescribeServicesResponse, Failure, ListServicesResponse, ServiceResponse};
use super::service::{ACTIVE_DEPLOYMENTS_MAX, Deployment, RolloutState, Service, ServiceSpec};
use super::throttling::Category;
use super::{ApiError, ControlPlane, names};

/// What a page of ListServices holds unless the caller says otherwise.
const LIST_SERVICES_DEFAULT: usize = 10;
/// What DescribeServices takes in one call.
const DESCRIBE_SERVICES_MAX: usize = 10;

impl ControlPlane {
    /// Describes up to ten services.
    ///
    /// # Errors
    /// ThrottlingException, ClusterNotFoundException, and InvalidParameterException for none or more than ten.
    pub fn describe_services(
        &mut self,
        request: DescribeServicesRequest,
    ) -> Result<DescribeServicesResponse, ApiError> {
        self.buckets.take(Category::ServiceRead, self.now)?;
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        if request.services.is_empty() {
            return Err(ApiError::invalid("Services cannot be empty."));
        }
        if request.services.len() > DESCRIBE_SERVICES_MAX {
            return Err(ApiError::invalid("service names can have at most 10 items."));
        }
        let tags_wanted = request.include.iter().any(|include| include == "TAGS");
        let mut response = DescribeServicesResponse::default();
        for given in &request.services {
            match self.service_key(&cluster, given) {
                Some(key) => {
                    let service = &self.services[&key];
                    let mut description = self.describe_service(service);
                    description.tags = tags_wanted.then(|| tag_list(&service.tags));
                    response.services.push(description);
                }
                None => response.failures.push(Failure::missing(self.arn_of_service(&cluster, given))),
            }
        }
        Ok(response)
    }

    /// Lists a cluster's services by name, a page at a time.
    ///
    /// # Errors
    /// ThrottlingException, ClusterNotFoundException, and InvalidParameterException for a bad page size or token.
    pub fn list_services(&mut self, request: ListServicesRequest) -> Result<ListServicesResponse, ApiError> {
        self.buckets.take(Category::ServiceRead, self.now)?;
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        let size = page_size(request.max_results, LIST_SERVICES_DEFAULT)?;
        let after = request.next_token.unwrap_or_default();
        let names = self.clusters[&cluster].services.keys().filter(|name| **name > after);
        let mut page: Vec<&String> = names.take(size + 1).collect();
        let next_token = (page.len() > size).then(|| page[size - 1].clone());
        page.truncate(size);
        let service_arns = page.iter().map(|name| self.names.service_arn(&cluster, name)).collect();
        Ok(ListServicesResponse { service_arns, next_token })
    }

    /// Changes the desired count or the percentages, or begins a deployment: when forced, or with another task definition.
    ///
    /// # Errors
    /// ThrottlingException, ClusterNotFoundException, ServiceNotFoundException, and InvalidParameterException for a number
    /// out of range and for a sixth deployment; nothing is changed then.
    pub fn update_service(&mut self, request: UpdateServiceRequest) -> Result<ServiceResponse, ApiError> {
        self.buckets.take(Category::ServiceModify, self.now)?;
        let key = self.apply_service_update(request)?;
        Ok(ServiceResponse { service: self.describe_service(&self.services[&key]) })
    }

    /// CreateService: the service's tasks start as in a deployment. For a service that runs already see
    /// [`Self::create_service`].
    ///
    /// # Errors
    /// ClusterNotFoundException, and InvalidParameterException for a number out of range or a name that is taken.
    pub fn make_service(&mut self, request: CreateServiceRequest) -> Result<ServiceResponse, ApiError> {
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        let desired_count = desired_count(request.desired_count.unwrap_or(0))?;
        let mut spec = ServiceSpec::new(cluster, request.service_name, desired_count);
        let (minimum, maximum) = percentages(request.deployment_configuration.as_ref(), (100, 200))?;
        (spec.minimum_healthy_percent, spec.maximum_percent) = (minimum, maximum);
        spec.tags = tag_map(request.tags);
        let key = self.new_service(spec)?;
        if let Some(task_definition) = request.task_definition {
            self.service_mut(key).deployments[0].task_definition = self.family_and_revision(&task_definition);
        }
        self.emit_deployment_state_change(key, DeploymentEvent::InProgress);
        self.touched.insert(key);
        self.settle();
        Ok(ServiceResponse { service: self.describe_service(&self.services[&key]) })
    }

    /// UpdateService without its token bucket.
    pub(super) fn apply_service_update(&mut self, request: UpdateServiceRequest) -> Result<u64, ApiError> {
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        let key = self.service_key(&cluster, &request.service).ok_or_else(ApiError::service_not_found)?;
        let service = &self.services[&key];
        let desired = request.desired_count.map(desired_count).transpose()?;
        let before = (service.minimum_healthy_percent, service.maximum_percent);
        let (minimum, maximum) = percentages(request.deployment_configuration.as_ref(), before)?;
        let task_definition = match &request.task_definition {
            Some(given) => self.family_and_revision(given),
            None => service.primary().task_definition.clone(),
        };
        let deploys = request.force_new_deployment || task_definition != service.primary().task_definition;
        // aws-facts: "ECS: deployments and protection": five at once are a hard wall. The exception's name is assumed.
        if deploys && service.deployments.len() >= ACTIVE_DEPLOYMENTS_MAX {
            return Err(ApiError::invalid("5 active deployments exist, unable to create new deployment"));
        }
        let service = self.service_mut(key);
        (service.minimum_healthy_percent, service.maximum_percent) = (minimum, maximum);
        if let Some(desired) = desired {
            let before = std::mem::replace(&mut service.desired_count, desired);
            if before != desired {
                self.emit_service_action(key, ServiceAction::ServiceDesiredCountUpdated);
            }
        }
        if deploys {
            self.begin_deployment(key, task_definition);
        }
        self.touched.insert(key);
        self.settle();
        Ok(key)
    }

    fn begin_deployment(&mut self, key: u64, task_definition: String) {
        let deployment = self.new_deployment(task_definition);
        let service = self.service_mut(key);
        service.deployments.insert(0, deployment);
        service.steady = false;
        self.emit_deployment_state_change(key, DeploymentEvent::InProgress);
    }

    fn new_deployment(&mut self, task_definition: String) -> Deployment {
        Deployment {
            id: names::deployment_id(self.next_identifier()),
            rollout_state: RolloutState::InProgress,
            task_definition,
            created_at: self.now,
            updated_at: self.now,
        }
    }

    /// Makes a service that has no tasks yet, and answers its key.
    pub(super) fn new_service(&mut self, spec: ServiceSpec) -> Result<u64, ApiError> {
        let cluster = self.resolve_cluster(Some(&spec.cluster))?;
        if spec.name.is_empty() || self.service_key(&cluster, &spec.name).is_some() {
            return Err(ApiError::invalid("Creation of service was not idempotent."));
        }
        if spec.minimum_healthy_percent > 100 || spec.maximum_percent < 100 {
            return Err(ApiError::invalid("minimumHealthyPercent or maximumPercent is out of range."));
        }
        let key = self.services.len() as u64;
        let deployment = self.new_deployment(format!("{}:1", spec.name));
        let service = Service {
            arn: self.names.service_arn(&cluster, &spec.name),
            name: spec.name.clone(),
            cluster: cluster.clone(),
            desired_count: spec.desired_count,
            minimum_healthy_percent: spec.minimum_healthy_percent,
            maximum_percent: spec.maximum_percent,
            tags: spec.tags,
            deployments: vec![deployment],
            events: std::collections::VecDeque::new(),
            created_at: self.now,
            steady: false,
            hold: None,
            tasks: std::collections::BTreeSet::new(),
            stopped_tasks: std::collections::BTreeSet::new(),
        };
        self.services.insert(key, service);
        let cluster = self.clusters.get_mut(&cluster).expect("it was resolved above");
        cluster.services.insert(spec.name, key);
        Ok(key)
    }

    fn family_and_revision(&self, given: &str) -> String {
        self.names.own("task-definition", given).unwrap_or(given).to_owned()
    }

    fn arn_of_service(&self, cluster: &str, given: &str) -> String {
        if given.starts_with("arn:") { given.to_owned() } else { self.names.service_arn(cluster, given) }
    }
}

fn desired_count(given: i64) -> Result<u32, ApiError> {
    u32::try_from(given).map_err(|_| ApiError::invalid("desiredCount is out of range."))
}

fn percentages(given: Option<&DeploymentConfigurationRequest>, before: (u32, u32)) -> Result<(u32, u32), ApiError> {
    let minimum = given.and_then(|given| given.minimum_healthy_percent).unwrap_or(before.0.into());
    let maximum = given.and_then(|given| given.maximum_percent).unwrap_or(before.1.into());
    match (u32::try_from(minimum), u32::try_from(maximum)) {
        (Ok(minimum @ 0..=100), Ok(maximum @ 100..)) => Ok((minimum, maximum)),
        _ => Err(ApiError::invalid("minimumHealthyPercent or maximumPercent is out of range.")),
    }
}

/// The size of a page: 1..=100.
pub(super) fn page_size(given: Option<i64>, default: usize) -> Result<usize, ApiError> {
    match given.map(usize::try_from) {
        None => Ok(default),
        Some(Ok(size @ 1..=100)) => Ok(size),
        Some(_) => Err(ApiError::invalid("maxResults must be between 1 and 100.")),
    }
}
