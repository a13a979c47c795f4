//! The ECS reads of one recheck, for services of any size.

use super::counted::InvocationCause;
use super::world::{MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{ServiceSpec, Setup};
use ecs_sim::region::CLUSTER;

#[test]
fn a_check_takes_at_most_two_reads_and_three_for_every_hundred_tasks() {
    println!("\ntasks | reads of a check | at most | ECS's time, at 20 ms a read");
    for tasks in [0, 1, 100, 101, 1000, 5000] {
        let mut world = WatchedWorld::new(Setup::default(), &[]);
        // ECS throttles reads by the second, so a read must take time.
        world.region.lock().latency_ms = 20;
        let ids = world.create(ServiceSpec::new(CLUSTER, "web", tasks));
        world.protect(&ids.iter().take(1).cloned().collect::<Vec<_>>(), Some(600));
        world.delivers.events = false;
        world.advance(MINUTE);
        let started_at = world.now();
        let event = world.event("SERVICE_DEPLOYMENT_IN_PROGRESS", "web");
        world.send_event(event, started_at);
        world.advance(0);
        let taken = world.now() - started_at;
        let reads = world.counted().reads();
        let reconciles = world.reconciles(InvocationCause::Event).len();
        let most = 2 + 3 * u64::from(tasks.div_ceil(100));
        println!("{tasks:>5} | {reads:>16} | {most:>7} | {:.1} s", taken as f64 / SECOND as f64);
        assert!(reconciles == 1 && reads <= most, "{tasks} tasks: {reads} reads");
        assert!(taken < 30 * SECOND, "a check ends within the function's time");
        assert_eq!(world.log.take(), Vec::<String>::new());
    }
}
