//! The sweep against one that reads every service whole: on drawn worlds, both send the same alerts and leave the same
//! tasks protected.
//!
//! Neither events nor rechecks reach the functions, so only the sweep finds anything.

use crate::block_on;
use async_trait::async_trait;
use ecs_sim::control_plane::{
    ControlPlane, DeploymentControllerType, DeploymentStage, EarlySuccessCriteria, HookDecision, HookSpec, ServiceSpec,
    StrategySpec, Variants,
};
use ecs_sim::doubles::alerts::SimulatedAlerts;
use ecs_sim::doubles::autoscaling::SimulatedAutoscaling;
use ecs_sim::doubles::clock::{SimulatedClock, timestamp};
use ecs_sim::doubles::ecs::SimulatedEcs;
use ecs_sim::doubles::parts::parts;
use ecs_sim::doubles::settings::config;
use ecs_sim::region::{CLUSTER, Region, SharedRegion};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Service, ServiceArn};
use taskhold::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use taskhold::ecs::task::TaskDescription;
use taskhold::ecs::{Ecs, EcsClient, ProtectionAnswer, ProtectionSetting, ServiceReads, ServiceUpdates};
use taskhold::lambda::function::{Function, Parts};
use taskhold::page::Page;

const WORLDS: u64 = 150;
const MINUTE_MS: i64 = 60_000;
const SERVICES: usize = 5;

/// An ECS whose services all seem to be in progress when they are described together, so that the sweep reads each of
/// them whole. What the reconciler reads of a single service is true.
struct AllInProgress(SimulatedEcs);

#[async_trait]
impl Ecs for AllInProgress {
    async fn update_task_protection(
        &self,
        cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        self.0.update_task_protection(cluster, setting, tasks).await
    }
}

#[async_trait]
impl ServiceReads for AllInProgress {
    async fn describe_services(&self, cluster: &ClusterArn, arns: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        let services = self.0.describe_services(cluster, arns).await?;
        let starting = |service: Service| Service { pending_count: service.pending_count + 1, ..service };
        Ok(services.into_iter().map(starting).collect())
    }

    async fn describe_service(&self, service: &ServiceArn) -> Result<Option<Service>, EcsError> {
        self.0.describe_service(service).await
    }

    async fn list_tasks(&self, service: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        self.0.list_tasks(service, next_token).await
    }

    async fn describe_tasks(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        self.0.describe_tasks(cluster, tasks).await
    }

    async fn get_task_protection(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        self.0.get_task_protection(cluster, tasks).await
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        self.0.describe_service_deployments(arns).await
    }

    async fn list_services(
        &self,
        cluster: &Arc<ClusterArn>,
        token: Option<&str>,
    ) -> Result<Page<ServiceArn>, EcsError> {
        self.0.list_services(cluster, token).await
    }
}

#[async_trait]
impl ServiceUpdates for AllInProgress {
    async fn set_desired_count(&self, service: &ServiceArn, to: u32) -> Result<(), EcsError> {
        self.0.set_desired_count(service, to).await
    }
}

/// A Region and its function.
struct ComparedRegion {
    region: SharedRegion,
    function: Function,
}

impl ComparedRegion {
    fn new(variants: Variants, remediates: &str, ecs: impl FnOnce(SimulatedEcs) -> Arc<dyn EcsClient>) -> Self {
        let region = SharedRegion::new(Region::for_scenario(variants));
        let settings = ["TASKHOLD_REMEDIATIONS", "TASKHOLD_POLICY"].map(|name| (name, remediates));
        let settings = settings.into_iter().filter(|(_, value)| !value.is_empty());
        let config = config(&region.lock(), settings).unwrap();
        let clock = Arc::new(SimulatedClock(region.clone()));
        let function = Function::new(Parts {
            autoscaling: Arc::new(SimulatedAutoscaling(region.clone())),
            alerts: Arc::new(SimulatedAlerts(region.clone())),
            ..parts(ecs(SimulatedEcs(region.clone())), clock, config)
        });
        Self { region, function }
    }

    fn ecs<T>(&self, act: impl FnOnce(&mut ControlPlane) -> T) -> T {
        act(&mut self.region.lock().ecs)
    }

    fn invoke(&self, payload: &Value) {
        let deadline = timestamp(self.region.lock().now() + 30_000);
        // A message about a task that has stopped may fail.
        drop(block_on(self.function.handle(&payload.to_string(), deadline)));
    }

    fn found(&self) -> Found {
        let mut region = self.region.lock();
        let alerts = region.topics.take_publications();
        let mut alerts: Vec<_> = alerts.into_iter().map(|alert| (alert.subject, alert.message)).collect();
        alerts.sort();
        let tasks = region.ecs.tasks();
        Found { alerts, protected_until: tasks.map(|task| (task.id.clone(), task.protected_until)).collect() }
    }
}

/// What a sweep has done.
#[derive(Debug, PartialEq)]
struct Found {
    /// Subject and text of each alert.
    alerts: Vec<(Option<String>, String)>,
    /// By task.
    protected_until: BTreeMap<String, Option<i64>>,
}

/// What happens between two sweeps, the same on both sides. Task ids are drawn from those that run.
#[derive(Clone, Debug)]
enum BetweenSweeps {
    Message(&'static str, String),
    OwnProtection(String, Option<i64>),
    Deploys(String),
    Scales(String, u32),
    Stops(String),
    Removed(String),
    /// A person continues or rolls back a paused deployment.
    Decided(String, HookDecision),
    /// The topic refuses this many of the next alerts.
    AlertsFail(u32),
    Later(i64),
}

impl BetweenSweeps {
    fn drawn(random: &mut Rng, side: &ComparedRegion) -> Self {
        let service = format!("web-{}", random.usize(..SERVICES));
        let tasks = side.ecs(|ecs| {
            let of_service = ecs.tasks_of(CLUSTER, &service).filter(|task| task.is_live());
            of_service.map(|task| task.id.clone()).collect::<Vec<_>>()
        });
        let task = random.choice(tasks);
        match (random.u32(..23), task) {
            (0..=4, Some(task)) => Self::Message("job.started", task),
            (5..=7, Some(task)) => Self::Message("job.finished", task),
            (8, Some(task)) => Self::OwnProtection(task, None),
            (9..=10, Some(task)) => Self::OwnProtection(task, Some(random.i64(1..300))),
            (11, Some(task)) => Self::Stops(task),
            (12..=14, _) => Self::Deploys(service),
            (15..=16, _) => Self::Scales(service, random.u32(0..4)),
            (17, _) if random.u32(..4) == 0 => Self::Removed(service),
            (20..=21, _) => {
                Self::Decided(service, *random.choice(&[HookDecision::Continue, HookDecision::Rollback]).unwrap())
            }
            (22, _) => Self::AlertsFail(random.u32(1..3)),
            _ => Self::Later(random.i64(1..30)),
        }
    }

    fn happens_to(&self, side: &ComparedRegion) {
        // A service may have been removed, and a task may be stopping: ECS then refuses.
        match self {
            Self::Message(kind, task) => {
                let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/{task}");
                let message = json!({"version": 1, "type": kind, "jobId": format!("j-{task}"), "taskArn": arn});
                side.invoke(&message);
            }
            Self::OwnProtection(task, minutes) => drop(side.ecs(|ecs| ecs.set_own_protection(task, *minutes))),
            Self::Deploys(service) => drop(side.ecs(|ecs| ecs.deploy(CLUSTER, service))),
            Self::Scales(service, count) => drop(side.ecs(|ecs| ecs.set_desired_count(CLUSTER, service, *count))),
            Self::Stops(task) => drop(side.ecs(|ecs| ecs.stop_task(task))),
            Self::Removed(service) => drop(side.ecs(|ecs| ecs.remove_service(CLUSTER, service))),
            Self::Decided(service, decision) => {
                drop(side.ecs(|ecs| ecs.continue_deployment(CLUSTER, service, *decision)));
            }
            Self::AlertsFail(number) => side.region.lock().publications_lost = *number,
            Self::Later(minutes) => {
                let mut region = side.region.lock();
                let to = region.now() + minutes * MINUTE_MS;
                region.advance_to(to);
            }
        }
    }
}

fn service(number: usize, random: &mut Rng) -> ServiceSpec {
    let mut spec = ServiceSpec::new(CLUSTER, format!("web-{number}"), random.u32(1..4));
    spec.maximum_percent = *random.choice(&[100, 150, 200]).unwrap();
    spec.minimum_healthy_percent = *random.choice(&[0, 50, 100]).unwrap();
    if random.u32(..4) == 0 {
        spec.tags.insert("taskhold:managed".to_owned(), "true".to_owned());
    }
    spec.tags.insert("taskhold:max-desired-count".to_owned(), "5".to_owned());
    let pause = |stage| HookSpec {
        function: None,
        stages: vec![stage],
        timeout_minutes: 60,
        timeout_action: HookDecision::Continue,
    };
    match random.u32(..12) {
        0..=1 => spec.controller = DeploymentControllerType::CodeDeploy,
        2..=3 => {
            spec.strategy =
                *random.choice(&[StrategySpec::BlueGreen, StrategySpec::LINEAR, StrategySpec::CANARY]).unwrap();
            spec.bake_minutes = 5;
            let stages = [DeploymentStage::PreScaleUp, DeploymentStage::PostProductionTrafficShift];
            spec.hooks = random.choice(stages).filter(|_| random.bool()).into_iter().map(pause).collect();
        }
        4 => spec.hooks = vec![pause(DeploymentStage::PreScaleUp)],
        5..=6 => {
            spec.early_success = Some(EarlySuccessCriteria { healthy_percent: 100, is_deferred: random.bool() });
        }
        _ => {}
    }
    spec
}

#[test]
fn a_sweep_finds_and_repairs_what_one_that_reads_everything_finds_and_repairs() {
    let variants = Variants::with_hooks();
    let (mut alerts, mut whole_calls, mut calls) = (0, 0, 0);
    for seed in 0..WORLDS {
        let mut random = Rng::with_seed(seed);
        let variants = variants[random.usize(..variants.len())];
        let remediates = *random.choice(&["", "release-idle", "raise-desired-count"]).unwrap();
        let sides = [
            ComparedRegion::new(variants, remediates, |ecs| Arc::new(ecs)),
            ComparedRegion::new(variants, remediates, |ecs| Arc::new(AllInProgress(ecs))),
        ];
        for number in 0..SERVICES {
            let spec = service(number, &mut random);
            for side in &sides {
                side.ecs(|ecs| ecs.create_service(spec.clone())).unwrap();
            }
        }
        let mut history = Vec::new();
        for _ in 0..12 {
            for _ in 0..random.u32(1..4) {
                let happens = BetweenSweeps::drawn(&mut random, &sides[0]);
                sides.iter().for_each(|side| happens.happens_to(side));
                history.push(happens);
            }
            let found = sides.each_ref().map(|side| {
                BetweenSweeps::Later(5).happens_to(side);
                side.invoke(&json!({"sweep": {}}));
                side.found()
            });
            assert_eq!(found[0], found[1], "seed {seed}: {history:#?}");
            alerts += found[0].alerts.len();
        }
        calls += sides[0].region.lock().calls.len();
        whole_calls += sides[1].region.lock().calls.len();
    }
    println!("\n{WORLDS} worlds: {alerts} alerts; {calls} calls to ECS, {whole_calls} if everything is read");
    assert!(alerts > 150 && calls < whole_calls, "{alerts} alerts, {calls} and {whole_calls} calls");
}
