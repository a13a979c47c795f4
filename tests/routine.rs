//! A month of routine operation: two hundred services are deployed in every way, scaled, rebalanced and busy, and
//! no alert is sent. `routine/traffic.rs` defines routine operation and explains why.
//!
//! The real [`taskhold::lambda::function::Function`] runs on the simulated Region, with the events that ECS sends,
//! its own rechecks, the workers' messages, and the sweep. Calls take no time there and none is throttled, so every
//! reconcile reads everything: an alert that is missing because of a failed read would prove nothing. Half of the
//! services run on each of two threads, each half in its own cluster with its own function.

pub(crate) mod kinds;
mod traffic;

use crate::watch::counted::InvocationCause;
use crate::watch::parts::{SentNotification, locked};
use crate::watch::world::{HOUR, MINUTE, WatchedWorld};
use ecs_sim::control_plane::{Millis, ServiceSpec, Throttling};
use ecs_sim::region::CLUSTER;
use ecs_sim::scenario::Extent;
use std::collections::BTreeMap;
use traffic::{RoutineTraffic, Spares};

const SERVICES: usize = 200;
const DAY: Millis = 24 * HOUR;
const SEED: u64 = 20_261_122;

/// The function, and services with their traffic.
fn begin(services: usize, seed: u64, spares: Spares, sweep_every: Millis) -> (WatchedWorld, RoutineTraffic) {
    let mut world = WatchedWorld::for_traffic(Throttling::Off, sweep_every);
    let traffic = RoutineTraffic::begin(&mut world, services, seed, spares);
    (world, traffic)
}

/// The figures of a run.
#[derive(Debug, Default)]
struct RoutineFigures {
    counts: BTreeMap<String, u64>,
    warnings: BTreeMap<String, u64>,
    notices: Vec<SentNotification>,
}

impl RoutineFigures {
    fn of(world: &WatchedWorld, traffic: &RoutineTraffic) -> Self {
        let mut figures = Self { notices: world.notices(), ..Self::default() };
        traffic.done.iter().for_each(|(change, count)| figures.count(format!("1 {change}"), *count));
        world.events_delivered.iter().for_each(|(name, count)| figures.count(format!("2 events: {name}"), *count));
        for cause in [InvocationCause::Event, InvocationCause::Recheck, InvocationCause::Sweep, InvocationCause::Job] {
            figures.count(format!("3 reconciles by {cause:?}"), world.reconciles(cause).len() as u64);
        }
        figures.count("4 rechecks sent".to_owned(), locked(&world.rechecks().inner.sent).len() as u64);
        let calls = world.counted().calls.clone();
        calls.into_iter().for_each(|(operation, count)| figures.count(format!("5 calls of {operation}"), count));
        figures.count("6 alerts".to_owned(), figures.notices.len() as u64);
        world.count_logged(&mut figures.warnings);
        assert_eq!((world.failures, world.dead_lettered().len(), world.given_up()), (0, 0, 0));
        figures
    }

    fn count(&mut self, what: String, count: u64) {
        *self.counts.entry(what).or_default() += count;
    }

    fn add(&mut self, other: Self) {
        other.counts.into_iter().for_each(|(what, count)| self.count(what, count));
        for (text, count) in other.warnings {
            *self.warnings.entry(text).or_default() += count;
        }
        self.notices.extend(other.notices);
    }

    fn print(&self, what: &str) {
        println!("\n{what}");
        self.counts.iter().for_each(|(what, count)| println!("{count:>9} {}", &what[2..]));
        self.warnings.iter().for_each(|(text, count)| println!("{count:>9} times logged: {text}"));
    }
}

/// A hundred services and their function on each of two threads, because a small machine has two cores.
fn two_hundred_services(spares: Spares, lasts: Millis, sweep_every: Millis) -> RoutineFigures {
    let half = |seed| {
        let (mut world, mut traffic) = begin(SERVICES / 2, seed, spares, sweep_every);
        traffic.pass(&mut world, lasts);
        RoutineFigures::of(&world, &traffic)
    };
    std::thread::scope(|scope| {
        let halves = [SEED, SEED + 1].map(|seed| scope.spawn(move || half(seed)));
        let mut figures = RoutineFigures::default();
        halves.into_iter().for_each(|half| figures.add(half.join().unwrap()));
        figures
    })
}

fn sends_no_alert(figures: &RoutineFigures) {
    let notices = &figures.notices;
    assert!(
        notices.is_empty(),
        "seed {SEED}: {} alerts, the first ones {:#?}",
        notices.len(),
        &notices[..notices.len().min(6)]
    );
    let errors = figures.warnings.keys().filter(|text| text.starts_with("ERROR"));
    assert_eq!(errors.count(), 0, "{:?}", figures.warnings);
}

#[test]
fn a_day_of_routine_of_two_hundred_services_swept_every_five_minutes_raises_no_alert() {
    let figures = two_hundred_services(Spares::FalseAlarms, DAY, 5 * MINUTE);
    figures.print("a day of 200 services, swept every 5 minutes");
    sends_no_alert(&figures);
}

/// The sweep runs rarely here, because its reconciles take time; the test of one day runs it as often as deployed. A month
/// with `TASKHOLD_TESTS=all`, five days without.
#[test]
fn long_routine_of_two_hundred_services_raises_no_alert() {
    let days = if Extent::asked() == Extent::All { 30 } else { 5 };
    let figures = two_hundred_services(Spares::FalseAlarms, days * DAY, 6 * HOUR);
    figures.print(&format!("{days} days of 200 services, swept every 6 hours"));
    sends_no_alert(&figures);
}

/// 1.7 million reconciles: `cargo test -p taskhold-tests -- --ignored --nocapture routine::as_deployed`.
#[test]
#[ignore = "a quarter of an hour in a debug build"]
fn a_month_of_routine_as_deployed_raises_no_alert() {
    let figures = two_hundred_services(Spares::FalseAlarms, 30 * DAY, 5 * MINUTE);
    figures.print("30 days of 200 services, swept every 5 minutes");
    sends_no_alert(&figures);
}

#[test]
fn a_week_of_routine_that_spares_the_function_nothing_raises_no_alert() {
    let figures = two_hundred_services(Spares::Nothing, 7 * DAY, 6 * HOUR);
    figures.print("7 days of 200 services, with scale-ins over busy tasks, and with no task idle");
    sends_no_alert(&figures);
}

#[test]
fn one_blocked_deployment_among_the_routine_raises_the_only_alert() {
    let (mut world, mut traffic) = begin(50, SEED, Spares::FalseAlarms, HOUR);
    let tasks = world.create(ServiceSpec::new(CLUSTER, "held-up", 2));
    traffic.pass(&mut world, DAY);
    world.protect(&tasks, Some(120));
    world.ecs(|ecs| ecs.deploy(CLUSTER, "held-up")).unwrap();
    traffic.pass(&mut world, 40 * MINUTE);
    world.protect(&tasks, None);
    traffic.pass(&mut world, DAY);
    let notices: Vec<(String, String)> =
        world.notices().into_iter().map(|notices| (notices.service, notices.what)).collect();
    let expected = ["deployment-blocked opened", "deployment-blocked resolved"];
    assert_eq!(notices, expected.map(|what| ("held-up".to_owned(), what.to_owned())));
}
