//! A soak test: simulated days of many busy services, with everything that people, workers and ECS do, and with
//! faults. Then all of it stops, and everything open must close. The process and the state store must not grow with
//! the number of days.
//!
//! The real [`taskhold::lambda::function::Function`] runs on the simulated Region, throttled as ECS throttles, with a sweep
//! every five minutes as deployed. `soak/traffic.rs` defines the traffic, `soak/weather.rs` the faults.
//!
//! `make soak` runs the month; `cargo test -p taskhold-tests soak::` runs two days with a few services.

mod days;
mod traffic;
mod weather;

use crate::watch::world::{HOUR, MINUTE, WatchedWorld};
use days::{Day, Notified, growth};
use ecs_sim::control_plane::Throttling;
use ecs_sim::region::{JOB_QUEUE, RECHECK_QUEUE};
use futures_util::FutureExt;
use std::collections::BTreeMap;
use std::time::Instant;
use taskhold::ecs::service::ServiceArn;
use taskhold::service::record::ServiceRecord;
use taskhold::store::StorePages;
use traffic::{SoakTraffic, TASKS};
use weather::Weather;

const SERVICES: usize = 500;
const DAYS: u64 = 30;

/// ECS protects a task for at most two days; of several blocks, one may start only after another ends.
const DRAINED_WITHIN_HOURS: u64 = 4 * 24;

struct Soak {
    seed: u64,
    world: WatchedWorld,
    traffic: SoakTraffic,
    weather: Weather,
    heard: Notified,
    days: Vec<Day>,
}

impl Soak {
    fn begin(services: usize, seed: u64) -> Self {
        let mut world = WatchedWorld::for_traffic(Throttling::On, 5 * MINUTE);
        let traffic = SoakTraffic::begin(&mut world, services, seed);
        let weather = Weather::begin(&mut world, seed);
        Self { seed, world, traffic, weather, heard: Notified::default(), days: Vec::new() }
    }

    fn day(&mut self) {
        let started_at = moment();
        let mut day = Day { number: self.days.len() as u64 + 1, ..Day::default() };
        for _ in 0..24 {
            for _ in 0..6 {
                self.weather.change(&mut self.world);
                self.traffic.pass(&mut self.world, 10 * MINUTE);
            }
            self.heard.gather(&self.world, &mut day);
            day.measure(&self.world);
        }
        println!("seed {}, {day}; {:.1} s", self.seed, started_at.elapsed().as_secs_f64());
        self.days.push(day);
    }

    /// Stops traffic and faults and lets everything finish. Returns the number of hours that this took.
    fn drain(&mut self) -> u64 {
        self.weather.clear(&mut self.world);
        self.traffic.stop();
        let mut last = Day::default();
        let mut hours = 0;
        while hours < DRAINED_WITHIN_HOURS && !(self.traffic.is_over() && self.open().is_empty()) {
            hours += 1;
            self.traffic.mend_failed(&mut self.world);
            self.traffic.pass(&mut self.world, HOUR);
            self.heard.gather(&self.world, &mut last);
        }
        // A sweep that continues correctly has a message in a queue.
        self.world.delivers.sweep_every = None;
        self.traffic.pass(&mut self.world, HOUR);
        self.heard.gather(&self.world, &mut last);
        hours
    }

    /// The services with an open record in the state store, and the tasks that ECS protects.
    fn open(&self) -> Vec<String> {
        let page = StorePages::<ServiceRecord>::page(&self.world.parts.store.inner.kept, None);
        let page: Vec<(ServiceArn, _)> = page.now_or_never().unwrap().unwrap().items;
        let services = page.into_iter().map(|(service, versioned)| format!("{}: {:?}", service.name, versioned.record));
        let region = self.world.region.lock();
        let protected = region.ecs.tasks().filter(|task| task.is_protected());
        services.chain(protected.map(|task| format!("{} is protected", task.arn))).collect()
    }

    fn print(&self) {
        println!("\nseed {}:", self.seed);
        table("traffic", &self.traffic.done);
        table("what failed", &self.weather.done);
        table("alerts", &self.heard.alerts);
        table("calls of ECS", &self.world.counted().calls);
        table("warnings and errors logged", &self.heard.logged);
        table("messages dead-lettered, by their reasons", &self.heard.dead_lettered);
        println!("{} jobs forwarded as interrupted", self.heard.forwarded);
    }

    fn everything_has_come_to_its_end(&self) {
        assert_eq!(self.open(), Vec::<String>::new());
        assert!(self.heard.open.is_empty(), "alerts without a resolution: {:?}", self.heard.open);
        let region = self.world.region.lock();
        for queue in [JOB_QUEUE, RECHECK_QUEUE] {
            assert_eq!(region.queues.messages(queue).unwrap().len(), 0, "messages are left in the queue {queue}");
        }
        drop(region);
        assert!(self.heard.dead_lettered.keys().all(|reason| !reason.is_empty()));
    }
}

fn table<K: AsRef<str>>(title: &str, counts: &BTreeMap<K, u64>) {
    println!("\n{title}:");
    counts.iter().for_each(|(what, count)| println!("{count:>10} {}", what.as_ref()));
}

#[expect(clippy::disallowed_methods, reason = "prints progress in real time")]
fn moment() -> Instant {
    Instant::now()
}

/// This many days of this many services, from a seed.
fn soak(services: usize, days: u64, seed: u64) -> Soak {
    let started_at = moment();
    println!("seed {seed}: {services} services, {} tasks, {days} days", services * TASKS as usize);
    let mut soak = Soak::begin(services, seed);
    (0..days).for_each(|_| soak.day());
    let hours = soak.drain();
    soak.print();
    println!("\nseed {seed}: drained in {hours} hours; wall time {:.0} s", started_at.elapsed().as_secs_f64());
    soak.everything_has_come_to_its_end();
    soak
}

#[test]
fn after_two_days_of_everything_nothing_is_left_open() {
    let soak = soak(25, 2, 1);
    for what in
        ["deployments", "crashes", "losses of Spot capacity", "jobs that finished", "jobs that ended with their task"]
    {
        assert!(soak.traffic.done.contains_key(what), "no {what}");
    }
    for what in ["deployment-blocked opened", "deployment-blocked resolved", "job-interrupted opened"] {
        assert!(soak.heard.alerts.contains_key(what), "no alert: {what}");
    }
}

/// Half of the services run on each of two threads, each half in its own cluster with its own function, because a
/// small machine has two cores. The memory is that of both.
#[test]
#[ignore = "minutes in a release build: make soak"]
fn after_a_month_of_everything_nothing_is_left_open_and_nothing_has_grown() {
    let seed = seed();
    let halves = std::thread::scope(|scope| {
        let halves = [seed, seed + 1].map(|seed| scope.spawn(move || soak(SERVICES / 2, DAYS, seed).days));
        halves.map(|half| half.join().unwrap())
    });
    for days in halves {
        assert_eq!(growth(&days), Vec::<String>::new());
    }
}

#[expect(clippy::disallowed_methods, reason = "the seed is an input of the test run")]
fn seed() -> u64 {
    std::env::var("SOAK_SEED").map_or(1, |seed| seed.parse().expect("SOAK_SEED is a number"))
}

#[test]
fn growth_beyond_chance_is_reported() {
    let day = |number: u64, memory_mib: f64| Day { number, memory_mib, records: 7, ..Day::default() };
    let steady: Vec<Day> = (1..=30).map(|number| day(number, 100.0 + (number % 3) as f64)).collect();
    assert_eq!(growth(&steady), Vec::<String>::new());
    let growing: Vec<Day> = (1..=30).map(|number| day(number, 100.0 + 3.0 * number as f64)).collect();
    assert_eq!(growth(&growing).len(), 1);
}
