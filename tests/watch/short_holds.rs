//! Successive blocks that are shorter than the alert delay: the delay applies to each of them anew.

use super::world::{HOUR, MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{ServiceSpec, Setup};
use ecs_sim::region::CLUSTER;

/// As deployed, with the sweep.
fn deployed() -> WatchedWorld {
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    world.sweep_every(5 * MINUTE, 41 * SECOND);
    world
}

/// Three protected tasks block a scale-in to one task for two minutes.
fn short_scale_in(world: &mut WatchedWorld) {
    world.ecs(|ecs| ecs.set_desired_count(CLUSTER, "web", 3)).unwrap();
    world.advance(10 * MINUTE);
    let live = |world: &WatchedWorld| -> Vec<String> {
        let region = world.region.lock();
        region.ecs.tasks_of(CLUSTER, "web").map(|task| task.id.clone()).collect()
    };
    let tasks = live(world);
    world.protect(&tasks, Some(60));
    world.ecs(|ecs| ecs.set_desired_count(CLUSTER, "web", 1)).unwrap();
    world.advance(2 * MINUTE);
    world.protect(&tasks, None);
    world.advance(10 * MINUTE);
}

#[test]
fn a_short_scale_in_raises_no_alert() {
    let mut world = deployed();
    world.create(ServiceSpec::new(CLUSTER, "web", 3));
    short_scale_in(&mut world);
    assert_eq!(world.notices(), []);
}

#[test]
fn a_short_scale_in_long_after_the_last_deployment_raises_no_alert() {
    let mut world = deployed();
    world.create(ServiceSpec::new(CLUSTER, "web", 3));
    world.advance(24 * HOUR);
    short_scale_in(&mut world);
    assert_eq!(world.notices(), []);
}

#[test]
fn a_second_short_scale_in_raises_no_alert() {
    let mut world = deployed();
    world.create(ServiceSpec::new(CLUSTER, "web", 3));
    short_scale_in(&mut world);
    short_scale_in(&mut world);
    assert_eq!(world.notices(), []);
}

#[test]
fn a_short_scale_in_after_a_rebalancing_that_waited_raises_no_alert() {
    let mut world = deployed();
    let tasks = world.create(ServiceSpec::new(CLUSTER, "web", 3));
    world.protect(&tasks, Some(30));
    world.ecs(|ecs| ecs.rebalance(CLUSTER, "web")).unwrap();
    world.advance(HOUR);
    assert_eq!(world.notices(), []);
    short_scale_in(&mut world);
    assert_eq!(world.notices(), []);
}
