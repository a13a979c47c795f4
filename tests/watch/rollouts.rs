//! Services that protected tasks block, one for each kind of rollout.

use super::world::{HOUR, MINUTE, SECOND, World};
use ecs_sim::control_plane::{
    ControlPlane, DeploymentControllerType, Millis, ServiceSpec, SimulatedTask, StrategySpec, TaskStatus,
};
use ecs_sim::region::CLUSTER;

/// The action on the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Deploy,
    /// Twice, a minute apart.
    DeployTwice,
    ScaleTo(u32),
}

/// A service `web` of four tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rollout {
    pub(crate) name: &'static str,
    spec: fn(ServiceSpec) -> ServiceSpec,
    deed: Deed,
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

pub(crate) const ROLLOUTS: [Rollout; 12] = [
    Rollout { name: "rolling", spec: plain, deed: Deed::Deploy, protected: 4 },
    Rollout { name: "rolling, one of four", spec: plain, deed: Deed::Deploy, protected: 1 },
    Rollout { name: "rolling, at most 100 %", spec: tight, deed: Deed::Deploy, protected: 4 },
    Rollout { name: "rolling, twice", spec: plain, deed: Deed::DeployTwice, protected: 2 },
    Rollout { name: "blue/green, one of four", spec: blue_green, deed: Deed::Deploy, protected: 1 },
    Rollout { name: "blue/green, three of four", spec: blue_green, deed: Deed::Deploy, protected: 3 },
    Rollout { name: "linear, three of four", spec: linear, deed: Deed::Deploy, protected: 3 },
    Rollout { name: "canary, three of four", spec: canary, deed: Deed::Deploy, protected: 3 },
    Rollout { name: "task sets of CodeDeploy", spec: code_deploy, deed: Deed::Deploy, protected: 4 },
    Rollout { name: "task sets, external", spec: external, deed: Deed::Deploy, protected: 2 },
    Rollout { name: "scale-in", spec: plain, deed: Deed::ScaleTo(1), protected: 4 },
    Rollout { name: "scale-in, three of four", spec: plain, deed: Deed::ScaleTo(2), protected: 3 },
];

/// The same for rollouts that shift traffic, with every old task protected.
pub(crate) const ALL_OF_BLUE: [Rollout; 3] = [
    Rollout { name: "blue/green", spec: blue_green, deed: Deed::Deploy, protected: 4 },
    Rollout { name: "linear", spec: linear, deed: Deed::Deploy, protected: 4 },
    Rollout { name: "canary", spec: canary, deed: Deed::Deploy, protected: 4 },
];

impl Rollout {
    /// The alert about its block.
    pub(crate) fn alert(&self) -> &'static str {
        match self.deed {
            Deed::Deploy | Deed::DeployTwice => "deployment-blocked opened",
            Deed::ScaleTo(_) => "scale-in-blocked opened",
        }
    }

    /// Creates the service, leaves it alone for a while, and starts the rollout.
    pub(crate) fn begin(&self, world: &mut World) {
        let tasks = world.create((self.spec)(ServiceSpec::new(CLUSTER, "web", 4)));
        world.protect(&tasks[..self.protected], Some(47 * 60));
        world.advance(10 * MINUTE);
        let deploy = |ecs: &mut ControlPlane| ecs.deploy(CLUSTER, "web").map(drop);
        match self.deed {
            Deed::Deploy => world.ecs(deploy).unwrap(),
            Deed::DeployTwice => {
                world.ecs(deploy).unwrap();
                world.advance(MINUTE);
                world.ecs(deploy).unwrap();
            }
            Deed::ScaleTo(count) => world.ecs(|ecs| ecs.set_desired_count(CLUSTER, "web", count)).unwrap(),
        }
    }

    /// Lets time pass until the rollout is blocked, and returns the time since when it is.
    pub(crate) fn wait_until_held_up(&self, world: &mut World) -> Millis {
        let started_at = world.now();
        // ECS does not announce again that a later deployment is blocked by the same tasks; then the control plane
        // itself is asked.
        let announced = self.deed != Deed::DeployTwice;
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
fn stands_still(world: &World) -> bool {
    let region = world.region.lock();
    let service = region.ecs.service(CLUSTER, "web").unwrap();
    let waits_for = |task: &SimulatedTask| {
        let is_new = task.deployment.as_ref() == Some(&service.primary().id);
        task.is_live() && task.last_status == TaskStatus::Running && (is_new || task.is_protected())
    };
    service.is_held_up() && region.ecs.tasks_of(CLUSTER, "web").all(waits_for)
}
