//! The function dies at every point of an invocation at which it makes a request: the watch continues as one chain,
//! and the alert and its resolution are both sent.

use super::counted::InvocationCause;
use super::world::{Delivers, HOUR, MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{Millis, ProtectionEvent, ServiceSpec, Setup, Variants};
use ecs_sim::region::CLUSTER;

/// The invocation in which the function dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// The event that starts the watch.
    FirstEvent,
    /// The second event of a minute, which waits for the end of the pause.
    EventThatWaits,
    /// The first recheck.
    Check,
    /// The recheck that must send the alert.
    CheckThatTells,
    /// The sweep that starts the watch.
    FirstSweep,
    /// The sweep that must send the alert, because no recheck was delivered.
    SweepThatTells,
    /// The reconcile that must resolve the alert.
    End,
}

impl Death {
    const ALL: [Self; 7] = [
        Self::FirstEvent,
        Self::EventThatWaits,
        Self::Check,
        Self::CheckThatTells,
        Self::FirstSweep,
        Self::SweepThatTells,
        Self::End,
    ];

    fn by_sweep(self) -> bool {
        matches!(self, Self::FirstSweep | Self::SweepThatTells)
    }
}

/// The outcome of a death.
#[derive(Debug)]
struct DeathOutcome {
    /// The point, or nothing if the invocation has fewer.
    died: Option<String>,
    /// Delay of the alert after it was due.
    delay: Millis,
    /// How often the opening was sent, and how often the resolution.
    reported: [usize; 2],
}

const SWEEP_EVERY: Millis = 5 * MINUTE;
const BLOCKED_AFTER: Millis = 5 * MINUTE;

/// Runs a deployment over protected tasks from start to end, with a death at this point.
fn run(death: Death, point: usize, sweep_every: Option<Millis>) -> DeathOutcome {
    // Repeated events about the blocked deployment may each repair the damage.
    let protection_event = if sweep_every.is_some() { ProtectionEvent::Sent } else { ProtectionEvent::Silent };
    let variants = Variants { protection_event, ..Variants::default() };
    let mut world = WatchedWorld::new(Setup { variants, ..Setup::default() }, &[]);
    world.region.lock().latency_ms = 20;
    let tasks = world.create(ServiceSpec::new(CLUSTER, "web", 2));
    world.protect(&tasks, Some(170));
    world.delivers = Delivers { events: !death.by_sweep(), rechecks: true, sweep_every: None };
    if let Some(period) = sweep_every {
        world.sweep_every(period, 47 * SECOND);
    }
    world.ecs(|ecs| ecs.deploy(CLUSTER, "web")).unwrap();
    let started_at = world.now();
    match death {
        Death::FirstEvent => world.dies_at = Some((InvocationCause::Event, point)),
        Death::EventThatWaits => {
            world.advance(10 * MINUTE);
            let event = world.event("SERVICE_STEADY_STATE", "web");
            world.send_event(event.clone(), world.now());
            world.advance(SECOND);
            world.dies_at = Some((InvocationCause::Event, point));
            world.send_event(event, world.now());
        }
        Death::Check => world.dies_at = Some((InvocationCause::Recheck, point)),
        Death::CheckThatTells => {
            world.advance(4 * MINUTE);
            world.dies_at = Some((InvocationCause::Recheck, point));
        }
        Death::FirstSweep => world.dies_at = Some((InvocationCause::Sweep, point)),
        Death::SweepThatTells => {
            world.delivers.rechecks = false;
            world.advance(4 * MINUTE);
            world.dies_at = Some((InvocationCause::Sweep, point));
        }
        Death::End => {}
    }
    world.advance(started_at + 40 * MINUTE - world.now());
    world.delivers.rechecks = true;
    world.advance(20 * MINUTE);
    let said_at = world.said_blocked("web", started_at).unwrap();
    one_chain(&mut world, death, point);
    if death == Death::End {
        world.dies_at = Some((InvocationCause::Event, point));
    }
    world.protect(&tasks, None);
    world.advance(HOUR);
    assert_eq!(world.record("web").watch, None, "{death:?} {point}");
    assert_eq!(world.rechecks_waiting().len(), 0, "{death:?} {point}");
    let notices = world.notices();
    let times = |what: &str| notices.iter().filter(|notice| notice.what == what).count();
    let opened = notices.iter().find(|notice| notice.what == "deployment-blocked opened");
    DeathOutcome {
        died: world.died.take(),
        delay: opened.map_or(Millis::MAX, |notice| notice.at - said_at - BLOCKED_AFTER),
        reported: [times("deployment-blocked opened"), times("deployment-blocked resolved")],
    }
}

/// For an hour there is one chain of rechecks.
fn one_chain(world: &mut WatchedWorld, death: Death, point: usize) {
    let before = world.reconciles(InvocationCause::Recheck).len();
    for _ in 0..60 {
        world.advance(MINUTE);
        assert!(world.awaited("web") <= 1, "{death:?} {point}");
    }
    // Every 15 minutes, and at half of the three hours.
    let checks = world.reconciles(InvocationCause::Recheck).len() - before;
    assert!((3..=6).contains(&checks), "{death:?} {point}: {checks} checks in an hour");
    assert_eq!(world.awaited("web"), 1, "{death:?} {point}");
}

fn at_every_point(death: Death, sweep_every: Option<Millis>, late_max: Millis) {
    let (mut points, mut latest, mut reported_twice) = (Vec::new(), (0, String::new()), Vec::new());
    for point in 1.. {
        assert!(point < 500, "an invocation has an end");
        let DeathOutcome { died, delay, reported } = run(death, point, sweep_every);
        let Some(died) = died else { break };
        assert!(reported.iter().all(|times| (1..=2).contains(times)), "{death:?} {died}: reported {reported:?} times");
        assert!(delay <= late_max, "{death:?} {died}: reported {} s late", delay / SECOND);
        if delay > latest.0 {
            latest = (delay, died.clone());
        }
        if reported.contains(&2) {
            reported_twice.push(died.clone());
        }
        points.push(died);
    }
    assert!(!points.is_empty(), "{death:?}: no invocation died");
    let (late, at) = latest;
    println!(
        "{:<20} sweeps {:<5} | {:>2} points | reported at most {:>3} s late ({at}) | reported twice: {reported_twice:?}",
        format!("{death:?}"),
        sweep_every.is_some(),
        points.len(),
        late / SECOND,
    );
}

#[test]
fn wherever_the_function_dies_the_watch_continues_and_the_next_sweep_sends_the_alert() {
    println!("\nthe function dies");
    for death in Death::ALL {
        at_every_point(death, Some(SWEEP_EVERY), SWEEP_EVERY + MINUTE);
    }
}

#[test]
fn without_a_sweep_the_watch_goes_on_by_what_is_delivered_again() {
    println!("\nthe function dies, and nothing sweeps");
    for death in Death::ALL.into_iter().filter(|death| !death.by_sweep() && *death != Death::EventThatWaits) {
        at_every_point(death, None, 15 * MINUTE + SECOND);
    }
}
