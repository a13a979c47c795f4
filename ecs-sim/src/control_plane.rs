//! The control plane: clusters, services, tasks, and the clock that drives them.
//!
//! | Module | Holds |
//! |---|---|
//! | this one | the state and the passing of time |
//! | `lifecycle` | what happens to a task |
//! | `scheduler` | the decisions of the service scheduler (pure) |
//! | `reconcile`, `hold` | how those decisions are carried out |
//! | `shift`, `circuit_breaker` | deployments that move traffic, and deployments that fail |
//! | `rebalance`, `deletion` | other causes of a scale-in |
//! | `protection` | the task protection API |
//! | `service_operations`, `task_operations`, `task_set`, `cluster_operations` | the other operations |
//! | `api`, `input` | the JSON protocol |
//! | `stage` | what a scenario needs beyond ECS's API, such as a task that crashes |

use std::collections::{BTreeMap, BTreeSet};

mod api;
mod circuit_breaker;
mod cluster_operations;
mod configuration_description;
mod deletion;
mod deployment_configuration;
mod error;
mod eventbridge;
mod hold;
mod input;
mod lifecycle;
mod names;
mod planning;
mod protection;
mod rebalance;
mod reconcile;
mod request;
mod response;
mod scheduler;
mod service;
mod service_description;
mod service_operations;
mod shift;
mod stage;
mod task;
mod task_operations;
mod task_set;
mod task_set_description;
mod throttling;
mod variants;

pub use configuration_description::{DeploymentConfigurationDescription, DeploymentControllerDescription};
pub use deletion::{DeleteServiceRequest, INACTIVE_SERVICE_REMEMBERED_MS};
pub use deployment_configuration::{
    CanaryConfiguration, CircuitBreaker, DeploymentCircuitBreaker, DeploymentConfiguration,
    DeploymentConfigurationRequest, DeploymentController, DeploymentStrategy, LinearConfiguration,
};
pub use error::{ApiError, ErrorCode};
pub use request::{
    CreateClusterRequest, CreateServiceRequest, DeploymentControllerRequest, DescribeClustersRequest,
    DescribeServicesRequest, DescribeTasksRequest, GetTaskProtectionRequest, ListServicesRequest,
    ListTagsForResourceRequest, ListTasksRequest, RunTaskRequest, StopTaskRequest, Tag, TagResourceRequest,
    UpdateServiceRequest, UpdateTaskProtectionRequest,
};
pub use response::{
    ClusterDescription, ContainerDescription, CreateClusterResponse, DescribeClustersResponse,
    DescribeServicesResponse, Failure, ListServicesResponse, ListTagsForResourceResponse, ListTasksResponse,
    ProtectedTask, ServiceResponse, StopTaskResponse, TagResourceResponse, TaskDescription, TaskProtectionResponse,
    TasksResponse, Timestamp,
};
pub use service::{
    ACTIVE_DEPLOYMENTS_MAX, Deployment, HOLD_REPEAT_MS, RolloutState, SERVICE_EVENTS_KEPT, Service, ServiceEvent,
    ServiceSpec, ServiceStatus,
};
pub use service_description::{DeploymentDescription, ServiceDescription, ServiceEventDescription};
pub use shift::TASK_SET_SHIFT_DELAY_MS;
pub use task::{SPOT_NOTICE_MS, START_DELAY_MS, STOP_DELAY_MS, STOPPED_TASK_REMEMBERED_MS, StopCode, Task, TaskStatus};
pub use task_set::{
    CreateTaskSetRequest, DeleteTaskSetRequest, DescribeTaskSetsRequest, DescribeTaskSetsResponse, Scale,
    TaskSetResponse, UpdateServicePrimaryTaskSetRequest,
};
pub use task_set_description::TaskSetDescription;
pub use throttling::Throttling;
pub use variants::{
    ArnForm, LATE_STOP_DELAY_MS, ProtectionEvent, Refusal, Renewal, StopDelay, UnknownVariant, Variants,
};

use names::Names;
use service::Cluster;
use throttling::Buckets;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// 2026-01-05T09:00:00Z: a Monday morning, for readable times in scenarios.
pub const START_OF_TIME_MS: Millis = 1_767_603_600_000;

/// What a control plane is created with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The Region.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// The start of the clock.
    pub now: Millis,
    /// The variants of ambiguous points.
    pub variants: Variants,
    /// Whether calls are throttled.
    pub throttling: Throttling,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "111122223333".to_owned(),
            now: START_OF_TIME_MS,
            variants: Variants::default(),
            throttling: Throttling::On,
        }
    }
}

/// Something that happens by itself. Events of the same moment happen in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    TaskStops(u64),
    TaskRuns(u64),
    ProtectionExpires(u64),
    ShiftGoesOn(u64),
    SchedulerLooksAgain(u64),
    HoldIsRepeated(u64),
    StoppedTaskIsForgotten(u64),
    InactiveServiceIsForgotten(u64),
}

/// A simulated ECS control plane of one account in one Region.
///
/// The same calls at the same times always produce the same answers and events.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    names: Names,
    variants: Variants,
    buckets: Buckets,
    now: Millis,
    /// What will happen by itself. Entries that become obsolete are removed.
    due: BTreeSet<(Millis, Due)>,
    clusters: BTreeMap<String, Cluster>,
    /// By key; keys count up from 0 and services are never removed.
    services: BTreeMap<u64, Service>,
    /// By key; keys count up in order of creation.
    tasks: BTreeMap<u64, Task>,
    task_keys: BTreeMap<String, u64>,
    /// Services that the scheduler must reconcile before the present call or moment ends.
    touched: BTreeSet<u64>,
    events: Vec<serde_json::Value>,
    tasks_made: u64,
    /// Counts everything that has an identifier, such as deployments and events.
    identifiers_made: u64,
}

impl ControlPlane {
    /// An empty account: not even the cluster `default` exists.
    pub fn new(setup: Setup) -> Self {
        Self {
            names: Names::new(&setup.partition, setup.region, setup.account),
            variants: setup.variants,
            buckets: Buckets::new(setup.throttling, setup.now),
            now: setup.now,
            due: BTreeSet::new(),
            clusters: BTreeMap::new(),
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            task_keys: BTreeMap::new(),
            touched: BTreeSet::new(),
            events: Vec::new(),
            tasks_made: 0,
            identifiers_made: 0,
        }
    }

    /// The present moment.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// The variants of ambiguous points that this control plane follows.
    pub fn variants(&self) -> Variants {
        self.variants
    }

    /// The next moment at which anything changes by itself. With [`StopDelay::Late`] the scheduler may run then and
    /// find nothing to do.
    pub fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Advances time to `to`, through every due moment in order. Time never goes back: an earlier moment changes
    /// nothing.
    pub fn advance_to(&mut self, to: Millis) {
        while let Some(moment) = self.next_due().filter(|at| *at <= to) {
            self.now = moment;
            // Everything of one moment happens before the scheduler runs, so that it sees and reports all of it.
            while let Some((_, due)) = self.take_due(moment) {
                self.happen(due);
            }
            self.settle();
        }
        self.now = self.now.max(to);
    }

    fn take_due(&mut self, moment: Millis) -> Option<(Millis, Due)> {
        if self.next_due()? > moment {
            return None;
        }
        self.due.pop_first()
    }

    /// The EventBridge events emitted since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<serde_json::Value> {
        std::mem::take(&mut self.events)
    }

    /// All remembered tasks in order of creation, including stopped ones.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// The remembered tasks of a service that are not STOPPED yet, in order of creation.
    pub fn tasks_of(&self, cluster: &str, service: &str) -> impl Iterator<Item = &Task> {
        let key = self.service_key(cluster, service);
        let members = key.map(|key| &self.services[&key].tasks);
        members.into_iter().flatten().map(|task| &self.tasks[task])
    }

    /// A task by its id or ARN, if it is still remembered.
    pub fn task(&self, task: &str) -> Option<&Task> {
        self.task_key_anywhere(task).map(|key| &self.tasks[&key])
    }

    /// All services that DescribeServices returns, including deleted ones, in order of creation.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values().filter(|service| !service.is_forgotten)
    }

    /// A service by the names or ARNs of its cluster and itself.
    pub fn service(&self, cluster: &str, service: &str) -> Option<&Service> {
        self.service_key(cluster, service).map(|key| &self.services[&key])
    }

    /// A cluster's ARN.
    pub fn cluster_arn(&self, cluster: &str) -> String {
        self.names.cluster_arn(cluster)
    }

    /// The cluster that a request names: by name, by ARN, or `default` if absent.
    fn resolve_cluster(&self, given: Option<&str>) -> Result<String, ApiError> {
        let name = self.names.own("cluster", given.unwrap_or("default"));
        name.filter(|name| self.clusters.contains_key(*name)).map(str::to_owned).ok_or_else(ApiError::cluster_not_found)
    }

    fn service_key(&self, cluster: &str, given: &str) -> Option<u64> {
        let cluster = self.names.own("cluster", cluster)?;
        let (named, service) = names::split(self.names.own("service", given)?);
        if named.is_some_and(|named| named != cluster) {
            return None;
        }
        self.clusters.get(cluster)?.services.get(service).copied()
    }

    /// A task of `cluster`, by its id or either form of its ARN. An ARN that names another cluster matches nothing.
    fn task_key(&self, cluster: &str, given: &str) -> Option<u64> {
        self.task_key_anywhere(given).filter(|key| self.tasks[key].cluster == cluster)
    }

    fn task_key_anywhere(&self, given: &str) -> Option<u64> {
        let (cluster, id) = names::split(self.names.own("task", given)?);
        let key = *self.task_keys.get(id)?;
        let matches = cluster.is_none_or(|cluster| cluster == self.tasks[&key].cluster);
        matches.then_some(key)
    }

    /// Services are never removed, so the key always exists.
    fn service_mut(&mut self, key: u64) -> &mut Service {
        self.services.get_mut(&key).expect("services are never removed")
    }

    fn task_mut(&mut self, key: u64) -> &mut Task {
        self.tasks.get_mut(&key).expect("a key is removed together with its task")
    }

    fn next_identifier(&mut self) -> u64 {
        self.identifiers_made += 1;
        self.identifiers_made
    }
}
