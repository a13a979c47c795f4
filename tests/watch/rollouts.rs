//! Services that protected tasks block, one for each kind of rollout.

use super::world::{HOUR, MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{
    ControlPlane, DeploymentControllerType, Millis, ServiceSpec, SimulatedTask, StrategySpec, TaskStatus,
};
use ecs_sim::region::CLUSTER;

/// The action on the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RolloutAction {
    Deploy,
    /// Twice, a minute apart.
    DeployTwice,
    ScaleTo(u32),
}

/// A service `web` of four tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchedRollout {
    pub(crate) name: &'static str,
    spec: fn(ServiceSpec) -> ServiceSpec,
    action: RolloutAction,
    /// This many of its oldest tasks are protected, for longer than any test lasts.
    protected: usize,
}

fn plain(spec: ServiceSpec) -> ServiceSpec {
    spec
}

fn tight(spec: ServiceSpec) -> ServiceSpec {
    ServiceSpec { minimum_healthy_percent: 50, maximum_percent: 100, ..spec }
}

fn blue_green(spec: ServiceSpec) -> ServiceSpec {
    ServiceSpec { strategy: StrategySpec::BlueGreen, bake_minutes: 20, ..spec }
}

fn linear(spec: ServiceSpec) -> ServiceSpec {
    ServiceSpec { strategy: StrategySpec::LINEAR, bake_minutes: 5, ..spec }
}

fn canary(spec: ServiceSpec) -> ServiceSpec {
    ServiceSpec { strategy: StrategySpec::CANARY, bake_minutes: 5, ..spec }
}

fn code_deploy(spec: ServiceSpec) -> ServiceSpec {
    ServiceSpec { controller: DeploymentControllerType::CodeDeploy, bake_minutes: 60, ..spec }
}

fn external(spec: ServiceSpec) -> ServiceSpec {
    ServiceSpec { controller: DeploymentControllerType::External, bake_minutes: 5, ..spec }
}

pub(crate) const ROLLOUTS: [WatchedRollout; 12] = [
    WatchedRollout { name: "rolling", spec: plain, action: RolloutAction::Deploy, protected: 4 },
    WatchedRollout { name: "rolling, one of four", spec: plain, action: RolloutAction::Deploy, protected: 1 },
    WatchedRollout { name: "rolling, at most 100 %", spec: tight, action: RolloutAction::Deploy, protected: 4 },
    WatchedRollout { name: "rolling, twice", spec: plain, action: RolloutAction::DeployTwice, protected: 2 },
    WatchedRollout { name: "blue/green, one of four", spec: blue_green, action: RolloutAction::Deploy, protected: 1 },
    WatchedRollout { name: "blue/green, three of four", spec: blue_green, action: RolloutAction::Deploy, protected: 3 },
    WatchedRollout { name: "linear, three of four", spec: linear, action: RolloutAction::Deploy, protected: 3 },
    WatchedRollout { name: "canary, three of four", spec: canary, action: RolloutAction::Deploy, protected: 3 },
    WatchedRollout { name: "task sets of CodeDeploy", spec: code_deploy, action: RolloutAction::Deploy, protected: 4 },
    WatchedRollout { name: "task sets, external", spec: external, action: RolloutAction::Deploy, protected: 2 },
    WatchedRollout { name: "scale-in", spec: plain, action: RolloutAction::ScaleTo(1), protected: 4 },
    WatchedRollout { name: "scale-in, three of four", spec: plain, action: RolloutAction::ScaleTo(2), protected: 3 },
];

/// The same for rollouts that shift traffic, with every old task protected.
pub(crate) const ALL_OF_BLUE: [WatchedRollout; 3] = [
    WatchedRollout { name: "blue/green", spec: blue_green, action: RolloutAction::Deploy, protected: 4 },
    WatchedRollout { name: "linear", spec: linear, action: RolloutAction::Deploy, protected: 4 },
    WatchedRollout { name: "canary", spec: canary, action: RolloutAction::Deploy, protected: 4 },
];

impl WatchedRollout {
    /// The alert about its block.
    pub(crate) fn alert(&self) -> &'static str {
        match self.action {
            RolloutAction::Deploy | RolloutAction::DeployTwice => "deployment-blocked opened",
            RolloutAction::ScaleTo(_) => "scale-in-blocked opened",
        }
    }

    /// Creates the service, leaves it alone for a while, and starts the rollout.
    pub(crate) fn begin(&self, world: &mut WatchedWorld) {
        let tasks = world.create((self.spec)(ServiceSpec::new(CLUSTER, "web", 4)));
        world.protect(&tasks[..self.protected], Some(47 * 60));
        world.advance(10 * MINUTE);
        let deploy = |ecs: &mut ControlPlane| ecs.deploy(CLUSTER, "web").map(drop);
        match self.action {
            RolloutAction::Deploy => world.ecs(deploy).unwrap(),
            RolloutAction::DeployTwice => {
                world.ecs(deploy).unwrap();
                world.advance(MINUTE);
                world.ecs(deploy).unwrap();
            }
            RolloutAction::ScaleTo(count) => world.ecs(|ecs| ecs.set_desired_count(CLUSTER, "web", count)).unwrap(),
        }
    }

    /// Lets time pass until the rollout is blocked, and returns the time since when it is.
    pub(crate) fn wait_until_held_up(&self, world: &mut WatchedWorld) -> Millis {
        let started_at = world.now();
        // ECS does not announce again that a later deployment is blocked by the same tasks; then the control plane
        // itself is asked.
        let announced = self.action != RolloutAction::DeployTwice;
        while world.now() < started_at + 4 * HOUR {
            if let Some(said_at) = world.said_blocked("web", started_at) {
                return said_at;
            }
            if !announced && stands_still(world) {
                return world.now();
            }
            world.advance(if announced { MINUTE } else { SECOND });
        }
        panic!("{}: the rollout is never blocked", self.name);
    }
}

/// Whether the control plane itself is blocked and has no other work.
fn stands_still(world: &WatchedWorld) -> bool {
    let region = world.region.lock();
    let service = region.ecs.service(CLUSTER, "web").unwrap();
    let waits_for = |task: &SimulatedTask| {
        let is_new = task.deployment.as_ref() == Some(&service.primary().id);
        task.is_live() && task.last_status == TaskStatus::Running && (is_new || task.is_protected())
    };
    service.is_held_up() && region.ecs.tasks_of(CLUSTER, "web").all(waits_for)
}
