//! DescribeServices, ListServices, UpdateService and CreateService.

use super::deployment_configuration::{DeploymentConfiguration, DeploymentControllerType, StrategySpec};
use super::error::{ApiError, ErrorCode};
use super::eventbridge::DeploymentEvent;
use super::names;
use super::request::{
    CreateServiceRequest, DescribeServicesRequest, ListServicesRequest, UpdateServiceRequest, tag_list, tag_map,
};
use super::response::{DescribeServicesResponse, FailureDescription, ListServicesResponse, ServiceResponse};
use super::service::{
    ACTIVE_DEPLOYMENTS_MAX, DeploymentRolloutState, Headroom, ServiceSpec, SimulatedDeployment, SimulatedService,
    SimulatedServiceStatus,
};
use super::shift::Shift;
use super::state::ControlPlane;
use super::throttling::Category;

/// Default page size of ListServices.
const LIST_SERVICES_DEFAULT: usize = 10;
/// Beginning of a ListServices token, before the last name of a page. Opaque to callers.
const TOKEN_PREFIX: &str = "after:";
/// Maximum number of services in one DescribeServices call.
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
                None => response.failures.push(FailureDescription::missing(self.arn_of_service(&cluster, given))),
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
        let after = match request.next_token.as_deref() {
            None => "",
            Some(token) => token.strip_prefix(TOKEN_PREFIX).ok_or_else(|| ApiError::invalid("Invalid token."))?,
        };
        let is_wanted = |wanted: Option<String>, is: &str| wanted.is_none_or(|wanted| wanted == is);
        let are_wanted = is_wanted(request.launch_type, "FARGATE")
            && is_wanted(request.scheduling_strategy, "REPLICA")
            && is_wanted(request.resource_management_type, "CUSTOMER");
        let names = self.active_services(&self.clusters[&cluster]);
        let names = names.filter(|name| are_wanted && name.as_str() > after);
        let mut page: Vec<&String> = names.take(size + 1).collect();
        let next_token = (page.len() > size).then(|| format!("{TOKEN_PREFIX}{}", page[size - 1]));
        page.truncate(size);
        let service_arns = page.iter().map(|name| self.names.service_arn(&cluster, name)).collect();
        Ok(ListServicesResponse { service_arns, next_token })
    }

    /// Changes the desired count or the percentages, or starts a deployment: when forced, or with another task
    /// definition.
    ///
    /// # Errors
    /// ThrottlingException, ClusterNotFoundException, ServiceNotFoundException, ClientException for an invalid task
    /// definition, and InvalidParameterException for a number out of range and for a sixth deployment. After an error
    /// nothing has changed.
    pub fn update_service(&mut self, request: UpdateServiceRequest) -> Result<ServiceResponse, ApiError> {
        self.buckets.take(Category::ServiceModify, self.now)?;
        let key = self.apply_service_update(request)?;
        Ok(ServiceResponse { service: self.describe_service(&self.services[&key]) })
    }

    /// CreateService: the service's tasks start as in a deployment. For a service whose tasks run already see
    /// [`Self::create_service`].
    ///
    /// # Errors
    /// ClusterNotFoundException, ClientException for an invalid task definition, and InvalidParameterException for an
    /// invalid or taken name, a number out of range, and a missing task definition or count: "A task definition must be
    /// specified if the service uses either the ECS or CODE_DEPLOY deployment controllers", and a desired count "is
    /// required if schedulingStrategy is REPLICA or isn't specified" (ECS API Reference, "CreateService").
    pub fn make_service(&mut self, request: CreateServiceRequest) -> Result<ServiceResponse, ApiError> {
        let cluster = self.resolve_cluster(request.cluster.as_deref())?;
        if !names::is_name(&request.service_name) {
            return Err(ApiError::invalid("serviceName is not up to 255 letters, numbers, underscores and hyphens."));
        }
        let count = request.desired_count.ok_or_else(|| ApiError::invalid("desiredCount is required."))?;
        let mut spec = ServiceSpec::new(cluster, request.service_name, desired_count(count)?);
        let given = request.deployment_configuration.as_ref();
        let configuration = DeploymentConfiguration::default().changed_by(given)?;
        let controller = request.deployment_controller.as_ref().map(|controller| controller.kind.as_str());
        spec.controller = DeploymentControllerType::from_request(controller)?;
        spec.tags = tag_map(request.tags);
        let task_definition = match request.task_definition {
            Some(given) => Some(self.family_and_revision(&given)?),
            None if spec.controller == DeploymentControllerType::External => None,
            None => return Err(ApiError::invalid("taskDefinition is required.")),
        };
        let key = self.new_service(spec)?;
        self.service_mut(key).configuration = configuration;
        if let Some(task_definition) = task_definition {
            self.service_mut(key).deployments[0].task_definition = task_definition;
        }
        self.emit_deployment_state_change(key, DeploymentEvent::InProgress);
        self.touched.insert(key);
        self.settle();
        Ok(ServiceResponse { service: self.describe_service(&self.services[&key]) })
    }

    /// UpdateService without its token bucket.
    pub(super) fn apply_service_update(&mut self, request: UpdateServiceRequest) -> Result<u64, ApiError> {
        let key = self.named_service(request.cluster.as_deref(), &request.service)?;
        let service = &self.services[&key];
        if service.status != SimulatedServiceStatus::Active {
            return Err(ApiError::service_not_active());
        }
        let desired = request.desired_count.map(desired_count).transpose()?;
        let configuration = service.configuration.clone().changed_by(request.deployment_configuration.as_ref())?;
        let task_definition = match &request.task_definition {
            Some(given) => self.family_and_revision(given)?,
            None => service.primary().task_definition.clone(),
        };
        let deploys = request.force_new_deployment || task_definition != service.primary().task_definition;
        if deploys && service.has_task_sets() {
            return Err(deployed_by_another(service.controller));
        }
        // aws-facts: "ECS: deployments and protection": five at once are a hard limit. The exception's name is assumed.
        let counted = service.deployments.iter().filter(|deployment| self.is_listed(deployment)).count();
        if deploys && counted >= ACTIVE_DEPLOYMENTS_MAX {
            return Err(ApiError::invalid("5 active deployments exist, unable to create new deployment"));
        }
        let service = self.service_mut(key);
        service.configuration = configuration;
        // aws-facts: "EventBridge": no event says that a user changed the count.
        service.desired_count = desired.unwrap_or(service.desired_count);
        if deploys {
            self.begin_deployment(key, task_definition);
        }
        self.touched.insert(key);
        self.settle();
        Ok(key)
    }

    fn begin_deployment(&mut self, key: u64, task_definition: String) {
        let deployment = self.new_deployment(task_definition);
        let before = self.services[&key].primary().id.clone();
        let blue = self.end_shift(key, before);
        self.begin_service_deployment(key, &deployment.id);
        let service = self.service_mut(key);
        if service.configuration.strategy != StrategySpec::Rolling {
            let has_several = service.deployments.len() > 1;
            let shift = Shift::by_strategy(deployment.id.clone(), blue, &service.configuration);
            service.shift = Some(if has_several { shift.with_reconciliation() } else { shift });
        }
        service.deployments.insert(0, deployment);
        service.steady = false;
        self.emit_deployment_state_change(key, DeploymentEvent::InProgress);
        self.shift_begins(key);
    }

    pub(super) fn new_deployment(&mut self, task_definition: String) -> SimulatedDeployment {
        SimulatedDeployment {
            id: names::deployment_id(self.next_identifier()),
            rollout_state: DeploymentRolloutState::InProgress,
            task_definition,
            created_at: self.now,
            updated_at: self.now,
            failed_tasks: 0,
            scale_percent: 100,
            is_draining: false,
            is_deferred: false,
            is_rollback: false,
            is_doomed: false,
        }
    }

    /// Creates a service without tasks and returns its key.
    pub(super) fn new_service(&mut self, spec: ServiceSpec) -> Result<u64, ApiError> {
        let cluster = self.resolve_cluster(Some(&spec.cluster))?;
        let namesake = self.service_key(&cluster, &spec.name);
        if spec.name.is_empty()
            || namesake.is_some_and(|key| self.services[&key].status != SimulatedServiceStatus::Inactive)
        {
            return Err(ApiError::invalid("Creation of service was not idempotent."));
        }
        if spec.minimum_healthy_percent > 100 || spec.maximum_percent < 100 {
            return Err(ApiError::invalid("minimumHealthyPercent or maximumPercent is out of range."));
        }
        let key = self.services.len() as u64;
        let mut deployment = self.new_deployment(format!("{}:1", spec.name));
        if spec.controller != DeploymentControllerType::Ecs {
            // A task set has no rollout state; this value never changes.
            deployment.rollout_state = DeploymentRolloutState::Completed;
        }
        let service = SimulatedService {
            arn: self.names.service_arn(&cluster, &spec.name),
            name: spec.name.clone(),
            cluster: cluster.clone(),
            desired_count: spec.desired_count,
            status: SimulatedServiceStatus::Active,
            controller: spec.controller,
            configuration: spec.configuration(),
            tags: spec.tags,
            deployments: vec![deployment],
            events: std::collections::VecDeque::new(),
            created_at: self.now,
            steady: false,
            is_forgotten: false,
            service_deployments: std::collections::VecDeque::new(),
            hold: None,
            room: Headroom::Some,
            shift: None,
            rebalance: None,
            tasks: std::collections::BTreeSet::new(),
            stopped_tasks: std::collections::BTreeSet::new(),
        };
        if let Some(namesake) = namesake {
            self.forget_service(namesake);
        }
        let (target, has_task_sets) = (service.primary().id.clone(), service.has_task_sets());
        self.services.insert(key, service);
        let cluster = self.clusters.get_mut(&cluster).expect("it was resolved above");
        cluster.services.insert(spec.name, key);
        if !has_task_sets {
            self.begin_service_deployment(key, &target);
        }
        Ok(key)
    }

    /// The task definition that a request names. Any exists. "If a revision isn't specified, the latest ACTIVE revision
    /// is used" (ECS API Reference, "CreateService"). Assumed: this is the latest revision that any request has named,
    /// or the first.
    pub(super) fn family_and_revision(&self, given: &str) -> Result<String, ApiError> {
        let none = || ApiError::new(ErrorCode::Client, format!("{given} is not a task definition."));
        let named = self.names.own("task-definition", given).ok_or_else(none)?;
        let (family, revision) = named.split_once(':').map_or((named, None), |(family, number)| (family, Some(number)));
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
        let revision = match revision {
            Some(given) => number(given).ok_or_else(none)?,
            None => {
                let of_services = self.services.values().flat_map(|service| &service.deployments);
                let asked_for = of_services.map(|deployment| &deployment.task_definition);
                let asked_for = asked_for.chain(self.tasks.values().map(|task| &task.task_definition));
                let revisions = asked_for.filter_map(|known| number(known.strip_prefix(family)?.strip_prefix(':')?));
                revisions.max().unwrap_or(1)
            }
        };
        if names::is_name(family) { Ok(format!("{family}:{revision}")) } else { Err(none()) }
    }

    fn arn_of_service(&self, cluster: &str, given: &str) -> String {
        if given.starts_with("arn:") { given.to_owned() } else { self.names.service_arn(cluster, given) }
    }
}

fn desired_count(given: i64) -> Result<u32, ApiError> {
    u32::try_from(given).map_err(|_| ApiError::invalid("desiredCount is out of range."))
}

/// AWS's API reference, "UpdateService": with CODE_DEPLOY and EXTERNAL it changes neither the task definition nor what
/// runs.
fn deployed_by_another(controller: DeploymentControllerType) -> ApiError {
    let controller = controller.as_str();
    ApiError::invalid(format!("Cannot force a new deployment on services with a {controller} deployment controller."))
}

/// The size of a page: 1..=100.
pub(super) fn page_size(given: Option<i64>, default: usize) -> Result<usize, ApiError> {
    match given.map(usize::try_from) {
        None => Ok(default),
        Some(Ok(size @ 1..=100)) => Ok(size),
        Some(_) => Err(ApiError::invalid("maxResults must be between 1 and 100.")),
    }
}
