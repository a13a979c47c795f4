//! Events in the wrong order, about unknown things, or of other clusters: none makes the function loop or reconcile
//! a service outside of its clusters.

use super::counted::InvocationCause;
use super::rollouts::ROLLOUTS;
use super::world::{HOUR, MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{ServiceSpec, Setup, Variants};
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{CLUSTER, JOB_QUEUE};
use serde_json::{Value, json};

/// No more reconciles, sends or pending rechecks.
fn at_rest(world: &mut WatchedWorld, service: &str) {
    let reconciles = world.counted().reconciles.len();
    world.advance(6 * HOUR);
    assert_eq!(world.counted().reconciles.len(), reconciles);
    assert_eq!((world.record(service).watch, world.rechecks_waiting().len()), (None, 0));
}

#[test]
fn events_of_a_finished_deployment_in_reverse_order_end_within_one_check() {
    for variants in Variants::all() {
        let mut world = WatchedWorld::new(Setup { variants, ..Setup::default() }, &[]);
        world.create(ServiceSpec::new(CLUSTER, "web", 3));
        world.delivers.events = false;
        let mut events = Vec::new();
        world.ecs(|ecs| ecs.deploy(CLUSTER, "web")).unwrap();
        for _ in 0..10 {
            // Taken before the world drops the events that it must not deliver.
            events.extend(world.ecs(|ecs| ecs.take_events()));
            let next = world.now() + MINUTE;
            world.region.lock().advance_to(next);
        }
        events.extend(world.ecs(|ecs| ecs.take_events()));
        let names: Vec<&str> = events.iter().filter_map(|event| event["detail"]["eventName"].as_str()).collect();
        assert_eq!(names.first(), Some(&"SERVICE_DEPLOYMENT_IN_PROGRESS"));
        assert!(names.contains(&"SERVICE_DEPLOYMENT_COMPLETED"));
        for (at, event) in events.into_iter().rev().enumerate() {
            world.send_event(event, world.now() + i64::try_from(at).unwrap());
        }
        world.advance(MINUTE);
        assert_eq!(
            (world.reconciles(InvocationCause::Event).len(), world.reconciles(InvocationCause::Recheck).len()),
            (1, 1),
            "{variants}"
        );
        at_rest(&mut world, "web");
        assert_eq!((world.notices().len(), world.failures), (0, 0));
    }
}

#[test]
fn events_that_come_in_reverse_while_a_service_moves_change_neither_its_chain_nor_its_alerts() {
    for rollout in ROLLOUTS {
        let mut world = WatchedWorld::new(Setup::default(), &[]);
        world.sweep_every(5 * MINUTE, SECOND);
        world.delivers.events = false;
        rollout.begin(&mut world);
        let mut waiting: Vec<Value> = Vec::new();
        // All events of ten minutes at once, the last one first.
        for _ in 0..30 {
            for _ in 0..10 {
                waiting.extend(world.ecs(|ecs| ecs.take_events()));
                world.advance(MINUTE);
            }
            for event in waiting.drain(..).rev() {
                world.send_event(event, world.now());
            }
        }
        let opened = world.notice_texts().iter().filter(|what| *what == rollout.alert()).count();
        // A second deployment ends the alert about the first one.
        assert!((1..=2).contains(&opened), "{}: {:?}", rollout.name, world.notice_texts());
        let per_hour = world.reconciles(InvocationCause::Recheck).len() / 5;
        assert!(per_hour <= 8, "{}: {per_hour} checks an hour", rollout.name);
        assert!(world.awaited("web") <= 1);
        assert_eq!(world.failures, 0);
    }
}

#[test]
fn an_event_of_an_unknown_deployment_causes_a_reconcile_and_a_recheck() {
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    world.create(ServiceSpec::new(CLUSTER, "web", 2));
    world.advance(MINUTE);
    for name in ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SOMETHING_NEW"] {
        world.counted().reconciles.clear();
        let event = world.event(name, "web");
        world.send_event(event, world.now());
        world.advance(HOUR);
        assert_eq!(
            (world.reconciles(InvocationCause::Event).len(), world.reconciles(InvocationCause::Recheck).len()),
            (1, 1),
            "{name}"
        );
        at_rest(&mut world, "web");
    }
}

/// Events that name another cluster, each in a different place.
fn foreign(world: &WatchedWorld) -> Vec<Value> {
    let event = world.event("SERVICE_DEPLOYMENT_IN_PROGRESS", "web");
    let with = |resources: Value, cluster: Value| {
        let mut event = event.clone();
        event["resources"] = resources;
        event["detail"]["clusterArn"] = cluster;
        event
    };
    let arn = |account: &str, of: &str| format!("arn:aws:ecs:eu-west-1:{account}:{of}");
    vec![
        with(json!([arn("111122223333", "service/other/web")]), json!(arn("111122223333", "cluster/other"))),
        with(json!([arn("999922223333", "service/video/web")]), json!(arn("999922223333", "cluster/video"))),
        with(json!([arn("111122223333", "service/web")]), json!(arn("111122223333", "cluster/other"))),
        with(json!([arn("111122223333", "service/web")]), Value::Null),
        with(json!([arn("111122223333", "service/video/web")]), json!(arn("111122223333", "cluster/other"))),
        with(json!([]), json!(arn("111122223333", "cluster/video"))),
        with(json!(["nonsense"]), Value::Null),
        with(Value::Null, Value::Null),
    ]
}

#[test]
fn events_of_other_clusters_are_no_reason_to_read_anything() {
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    world.create(ServiceSpec::new(CLUSTER, "web", 2));
    let events = foreign(&world);
    for event in &events {
        world.send_event(event.clone(), world.now());
        world.region.lock().queues.send(JOB_QUEUE, SendMessage::new(event.to_string())).unwrap();
    }
    world.advance(HOUR);
    let calls = world.counted().calls.clone();
    println!("\n{} events of others, alone and in bodies: calls of ECS {calls:?}", events.len());
    assert!(calls.is_empty(), "{calls:?}");
    assert_eq!((world.dead_lettered().len(), world.given_up(), world.failures), (0, 0, 0));
}

#[test]
fn an_event_of_a_service_that_does_not_exist_is_a_reconcile_and_a_recheck() {
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    let event = world.event("SERVICE_DEPLOYMENT_IN_PROGRESS", "idle");
    world.send_event(event, world.now());
    world.advance(HOUR);
    assert_eq!(
        (world.reconciles(InvocationCause::Event).len(), world.reconciles(InvocationCause::Recheck).len()),
        (1, 1)
    );
    at_rest(&mut world, "idle");
    assert_eq!(world.failures, 0);
}

#[test]
fn a_cluster_that_is_gone_is_logged_tried_as_often_as_sqs_allows_and_then_left() {
    let ours = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";
    let clusters = format!("{ours},{}", ours.replace("video", "gone"));
    for queue_is_down in [false, true] {
        let mut world = WatchedWorld::new(Setup::default(), &[("TASKHOLD_CLUSTERS", &clusters)]);
        if queue_is_down {
            world.rechecks().failing.fail_all();
        }
        let text = world.event("SERVICE_DEPLOYMENT_IN_PROGRESS", "web").to_string().replace("/video", "/gone");
        world.send_event(serde_json::from_str(&text).unwrap(), world.now());
        world.advance(6 * HOUR);
        let (reconciles, lines) = (world.counted().reconciles.len(), world.log.take());
        println!(
            "\na cluster that is gone, the queue down {queue_is_down}: {reconciles} reconciles, {} given up",
            world.given_up()
        );
        lines.iter().for_each(|line| println!("  {line}"));
        // One reconcile for the event, and then its recheck as often as SQS delivers it; or the event as often as
        // Lambda delivers it.
        assert_eq!((reconciles, world.given_up()), if queue_is_down { (3, 0) } else { (11, 1) });
        assert!(lines.iter().any(|line| line.contains("ECS found no such cluster")), "{lines:?}");
        world.advance(6 * HOUR);
        assert_eq!((world.counted().reconciles.len(), world.rechecks_waiting().len()), (reconciles, 0));
    }
}
