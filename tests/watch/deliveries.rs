//! Rechecks that are duplicated, out of order, late or pointless: the chain stays one, and nothing continues
//! forever.

use super::counted::InvocationCause;
use super::parts::{QueueDisorder, locked};
use super::rollouts::ROLLOUTS;
use super::world::{HOUR, MINUTE, SECOND, WatchedWorld, set};
use ecs_sim::control_plane::{Millis, ServiceSpec, Setup, Variants};
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{CLUSTER, RECHECK_QUEUE};

/// The seeds of the random tests.
const SEEDS: u64 = 40;

/// A deployed service whose four tasks are protected for ten hours: a recheck is due in 30 seconds.
fn held_up(world: &mut WatchedWorld) -> Vec<String> {
    let tasks = world.create(ServiceSpec::new(CLUSTER, "web", 4));
    world.protect(&tasks, Some(600));
    world.ecs(|ecs| ecs.deploy(CLUSTER, "web")).unwrap();
    world.advance(SECOND);
    tasks
}

/// Releases the blocking tasks. Checks that the watch ends, that the messages left in the queue have no effect, and
/// that one alert was sent for each end.
fn comes_to_rest(world: &mut WatchedWorld, tasks: &[String]) {
    let held: Vec<String> = {
        let region = world.region.lock();
        tasks.iter().filter(|task| region.ecs.task(task).is_some_and(|task| task.is_protected())).cloned().collect()
    };
    world.protect(&held, None);
    world.advance(2 * HOUR);
    assert_eq!(world.record("web").watch, None, "it is steady");
    let reconciles = world.counted().reconciles.len();
    world.advance(6 * HOUR);
    assert_eq!(world.counted().reconciles.len(), reconciles, "only events and the sweep reconcile a steady service");
    assert_eq!(world.rechecks_waiting().len(), 0);
    let notices = world.notice_texts();
    for end in ["deployment-blocked opened", "deployment-blocked resolved"] {
        assert_eq!(notices.iter().filter(|what| *what == end).count(), 1, "{notices:?}");
    }
    assert_eq!(world.failures, 0);
}

#[test]
fn copies_and_delays_of_rechecks_leave_one_chain_with_no_more_checks_than_without() {
    let (mut checks_max, mut sent, mut delivered) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let variants = random.choice(Variants::all()).unwrap();
        let mut world = WatchedWorld::new(Setup { variants, ..Setup::default() }, &[]);
        world.region.lock().latency_ms = 20;
        set(&world.rechecks().inner.disorder, QueueDisorder { random: random.fork(), copies: 1..=3, late_max: 900 });
        let tasks = held_up(&mut world);
        for _ in 0..3 * 60 {
            world.advance(MINUTE);
        }
        let checks = world.reconciles(InvocationCause::Recheck).len();
        // A late recheck that finds the watch's own recheck overdue continues in its place: no check is lost, none
        // is added.
        assert!((4..=20).contains(&checks), "seed {seed}: {checks} checks");
        checks_max = checks_max.max(checks);
        {
            let rechecks = locked(&world.rechecks().inner.sent);
            sent += rechecks.len();
            delivered += rechecks.iter().map(|(.., copies)| copies).sum::<usize>();
        }
        comes_to_rest(&mut world, &tasks);
    }
    println!(
        "\n{SEEDS} watches of 3 hours: {sent} rechecks came {delivered} times, up to 15 minutes late: at most {checks_max} checks"
    );
}

#[test]
fn rechecks_that_come_after_hours_all_at_once_are_one_check() {
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    world.delivers.events = false;
    let tasks = world.create(ServiceSpec::new(CLUSTER, "web", 4));
    world.protect(&tasks, Some(600));
    world.ecs(|ecs| ecs.deploy(CLUSTER, "web")).unwrap();
    // Events that arrive while the queue delays its messages: each one reconciles and finds the chain broken.
    world.delivers.rechecks = false;
    for _ in 0..12 {
        let event = world.event("SERVICE_DEPLOYMENT_IN_PROGRESS", "web");
        world.send_event(event, world.now());
        world.advance(20 * MINUTE);
    }
    let waiting = world.rechecks_waiting().len();
    world.delivers.rechecks = true;
    let before = world.reconciles(InvocationCause::Recheck).len();
    world.advance(0);
    let checks = world.reconciles(InvocationCause::Recheck).len() - before;
    println!("\n{waiting} rechecks come hours late at once: {checks} check");
    assert!(waiting >= 12 && checks == 1, "{waiting} rechecks, {checks} checks");
    assert_eq!(world.awaited("web"), 1);
    world.advance(HOUR);
    assert!(world.reconciles(InvocationCause::Recheck).len() - before <= 6);
    assert_eq!(world.awaited("web"), 1);
}

#[test]
fn every_recheck_delivered_twice_makes_no_second_alert_and_no_second_chain() {
    for rollout in ROLLOUTS {
        let reconciles = [1, 2].map(|copies| {
            let mut world = WatchedWorld::new(Setup::default(), &[]);
            world.sweep_every(5 * MINUTE, 3 * SECOND);
            set(
                &world.rechecks().inner.disorder,
                QueueDisorder { copies: copies..=copies, ..QueueDisorder::default() },
            );
            rollout.begin(&mut world);
            world.advance(3 * HOUR);
            (world.reconciles(InvocationCause::Recheck), world.notices())
        });
        assert_eq!(reconciles[0], reconciles[1], "{}", rollout.name);
    }
}

fn send(world: &WatchedWorld, body: &str, delay: Millis) {
    let delay = u32::try_from(delay / SECOND).unwrap();
    world.region.lock().queues.send(RECHECK_QUEUE, SendMessage::new(body).delayed(delay)).unwrap();
}

#[test]
fn useless_rechecks_are_done_or_dead_lettered_with_a_reason_and_never_retried() {
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    world.create(ServiceSpec::new(CLUSTER, "web", 2));
    world.create(ServiceSpec::new(CLUSTER, "old", 2));
    world.ecs(|ecs| ecs.remove_service(CLUSTER, "old")).unwrap();
    world.advance(2 * HOUR);
    world.take_events();
    world.counted().reconciles.clear();
    world.counted().calls.clear();
    let check = |arn: &str, due: &str| format!(r#"{{"recheck":"check","service":"{arn}","due":"{due}"}}"#);
    let (ours, now) = ("arn:aws:ecs:eu-west-1:111122223333:service", "2026-01-05T09:00:00Z");
    for (what, body, reconciles, dead_lettered) in [
        ("a steady service", check(&format!("{ours}/video/web"), now), 1, None),
        ("one due in a thousand years", check(&format!("{ours}/video/web"), "3026-01-05T09:00:00Z"), 1, None),
        ("a service that is gone", check(&format!("{ours}/video/old"), now), 1, None),
        ("a service that never was", check(&format!("{ours}/video/missing"), now), 1, None),
        ("another cluster", check(&format!("{ours}/other/web"), now), 0, Some("cluster `other` is not in")),
        (
            "another account",
            check(&format!("{}/video/web", ours.replace("1111", "9999")), now),
            0,
            Some("its account is"),
        ),
        ("no moment", check(&format!("{ours}/video/web"), "soon"), 0, Some("not a recheck")),
        (
            "a job message",
            r#"{"version":1,"type":"job.started","jobId":"j"}"#.to_owned(),
            0,
            Some("missing field `recheck`"),
        ),
        ("nonsense", "dance".to_owned(), 0, Some("not a recheck: expected value")),
        ("nothing", "{}".to_owned(), 0, Some("missing field `recheck`")),
    ] {
        let (reconciles_before, dead_lettered_before) = (world.counted().reconciles.len(), world.dead_lettered().len());
        send(&world, &body, 0);
        world.advance(2 * HOUR);
        let new_dead_lettered = world.dead_lettered().split_off(dead_lettered_before);
        println!(
            "{what:<28}: {} reconciles, {new_dead_lettered:?}",
            world.counted().reconciles.len() - reconciles_before
        );
        assert_eq!(world.counted().reconciles.len() - reconciles_before, reconciles, "{what}");
        match dead_lettered {
            None => assert!(new_dead_lettered.is_empty(), "{what}: {new_dead_lettered:?}"),
            Some(reason) => {
                assert!(
                    new_dead_lettered.len() == 1 && new_dead_lettered[0].0.contains(reason),
                    "{what}: {new_dead_lettered:?}"
                );
                assert_eq!(new_dead_lettered[0].1, body);
            }
        }
        assert_eq!((world.rechecks_waiting().len(), world.given_up(), world.failures), (0, 0, 0), "{what}");
    }
    for service in ["web", "old", "idle"] {
        assert_eq!(world.record(service).watch, None);
    }
}

#[test]
fn a_watched_service_that_is_deleted_is_watched_no_more() {
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    let tasks = held_up(&mut world);
    world.advance(20 * MINUTE);
    world.delivers.events = false;
    world.ecs(|ecs| ecs.remove_service(CLUSTER, "web")).unwrap();
    world.protect(&tasks, None);
    world.advance(4 * HOUR);
    assert_eq!(world.record("web").watch, None);
    assert_eq!(world.rechecks_waiting().len(), 0);
    let notices = world.notice_texts();
    let ends: Vec<_> = notices.iter().filter(|what| what.starts_with("deployment-blocked")).collect();
    assert_eq!(ends, ["deployment-blocked opened", "deployment-blocked resolved"]);
    assert_eq!(world.failures, 0);
}
