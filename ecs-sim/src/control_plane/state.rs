//! The state of the control plane, and how its parts are found.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ApiError;
use super::names::{self, Names};
use super::service::{Cluster, SimulatedService};
use super::task::SimulatedTask;
use super::throttling::{Buckets, Throttling};
use super::time::{Millis, START_OF_TIME_MS};
use super::variants::Variants;

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
pub(super) enum Due {
    TaskStopsFurther(u64),
    TaskStops(u64),
    TaskRuns(u64),
    ProtectionExpires(u64),
    HookTimesOut(u64),
    HookIsInvoked(u64),
    ShiftGoesOn(u64),
    SchedulerRunsAgain(u64),
    HoldIsRepeated(u64),
    StoppedTaskIsForgotten(u64),
    InactiveServiceIsForgotten(u64),
}

/// A simulated ECS control plane of one account in one Region.
///
/// The same calls at the same times always produce the same answers and events.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    pub(super) names: Names,
    pub(super) variants: Variants,
    pub(super) buckets: Buckets,
    pub(super) now: Millis,
    /// What will happen by itself. Entries that become obsolete are removed.
    pub(super) due: BTreeSet<(Millis, Due)>,
    pub(super) clusters: BTreeMap<String, Cluster>,
    /// By key; keys count up from 0 and services are never removed.
    pub(super) services: BTreeMap<u64, SimulatedService>,
    /// By key; keys count up in order of creation.
    pub(super) tasks: BTreeMap<u64, SimulatedTask>,
    pub(super) task_keys: BTreeMap<String, u64>,
    /// Services that the scheduler must reconcile before the present call or moment ends.
    pub(super) touched: BTreeSet<u64>,
    /// Services with Lambda hooks whose functions are to be invoked now.
    pub(super) hooks_invoked: BTreeSet<u64>,
    pub(super) events: Vec<serde_json::Value>,
    pub(super) tasks_made: u64,
    /// Counts everything that has an identifier, such as deployments and events.
    pub(super) identifiers_made: u64,
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
            hooks_invoked: BTreeSet::new(),
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

    /// The next moment at which anything changes by itself. With [`StopDelay::Late`](super::StopDelay::Late) the
    /// scheduler may run then and find nothing to do.
    pub fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The EventBridge events emitted since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<serde_json::Value> {
        std::mem::take(&mut self.events)
    }

    /// All remembered tasks in order of creation, including stopped ones.
    pub fn tasks(&self) -> impl Iterator<Item = &SimulatedTask> {
        self.tasks.values()
    }

    /// The remembered tasks of a service that are not STOPPED yet, in order of creation.
    pub fn tasks_of(&self, cluster: &str, service: &str) -> impl Iterator<Item = &SimulatedTask> {
        let key = self.service_key(cluster, service);
        let members = key.map(|key| &self.services[&key].tasks);
        members.into_iter().flatten().map(|task| &self.tasks[task])
    }

    /// A task by its id or ARN, if it is still remembered.
    pub fn task(&self, task: &str) -> Option<&SimulatedTask> {
        self.task_key_anywhere(task).map(|key| &self.tasks[&key])
    }

    /// All services that DescribeServices returns, including deleted ones, in order of creation.
    pub fn services(&self) -> impl Iterator<Item = &SimulatedService> {
        self.services.values().filter(|service| !service.is_forgotten)
    }

    /// A service by the names or ARNs of its cluster and itself.
    pub fn service(&self, cluster: &str, service: &str) -> Option<&SimulatedService> {
        self.service_key(cluster, service).map(|key| &self.services[&key])
    }

    /// A cluster's ARN.
    pub fn cluster_arn(&self, cluster: &str) -> String {
        self.names.cluster_arn(cluster)
    }

    /// The cluster that a request names: by name, by ARN, or `default` if absent.
    pub(super) fn resolve_cluster(&self, given: Option<&str>) -> Result<String, ApiError> {
        let name = self.names.own("cluster", given.unwrap_or("default"));
        name.filter(|name| self.clusters.contains_key(*name)).map(str::to_owned).ok_or_else(ApiError::cluster_not_found)
    }

    /// The service that a request names, in the cluster that it names.
    pub(super) fn named_service(&self, cluster: Option<&str>, service: &str) -> Result<u64, ApiError> {
        let cluster = self.resolve_cluster(cluster)?;
        self.service_key(&cluster, service).ok_or_else(ApiError::service_not_found)
    }

    pub(super) fn service_key(&self, cluster: &str, given: &str) -> Option<u64> {
        let cluster = self.names.own("cluster", cluster)?;
        let (named, service) = names::split(self.names.own("service", given)?);
        if named.is_some_and(|named| named != cluster) {
            return None;
        }
        self.clusters.get(cluster)?.services.get(service).copied()
    }

    /// A task of `cluster`, by its id or either form of its ARN. An ARN that names another cluster matches nothing.
    pub(super) fn task_key(&self, cluster: &str, given: &str) -> Option<u64> {
        self.task_key_anywhere(given).filter(|key| self.tasks[key].cluster == cluster)
    }

    pub(super) fn task_key_anywhere(&self, given: &str) -> Option<u64> {
        let (cluster, id) = names::split(self.names.own("task", given)?);
        let key = *self.task_keys.get(id)?;
        let matches = cluster.is_none_or(|cluster| cluster == self.tasks[&key].cluster);
        matches.then_some(key)
    }

    /// Services are never removed, so the key always exists.
    pub(super) fn service_mut(&mut self, key: u64) -> &mut SimulatedService {
        self.services.get_mut(&key).expect("services are never removed")
    }

    pub(super) fn task_mut(&mut self, key: u64) -> &mut SimulatedTask {
        self.tasks.get_mut(&key).expect("a key is removed together with its task")
    }

    pub(super) fn next_identifier(&mut self) -> u64 {
        self.identifiers_made += 1;
        self.identifiers_made
    }
}
