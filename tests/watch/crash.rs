//! The function dies at every point of an invocation at which it makes a request: the watch continues as one chain,
//! and the alert and its resolution are both sent.

use super::counted::Cause;
use super::world::{Delivers, HOUR, MINUTE, SECOND, World};
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
struct Outcome {
    /// The point, or nothing if the invocation has fewer.
    died: Option<String>,
    /// Delay of the alert after it was due.
    told_late: Millis,
    /// How often the opening was sent, and how often the resolution.
    told: [usize; 2],
}

const SWEEP_EVERY: Millis = 5 * MINUTE;
const BLOCKED_AFTER: Millis = 5 * MINUTE;

/// Runs a deployment over protected tasks from start to end, with a death at this point.
fn run(death: Death, point: usize, sweeps: bool) -> Outcome {
    // Repeated events about the blocked deployment may each repair the damage.
    let protection_event = if sweeps { ProtectionEvent::Sent } else { ProtectionEvent::Silent };
    let variants = Variants { protection_event, ..Variants::default() };
    let mut world = World::new(Setup { variants, ..Setup::default() }, &[]);
    world.region.lock().latency_ms = 20;
    let tasks = world.create(ServiceSpec::new(CLUSTER, "web", 2));
    world.protect(&tasks, Some(170));
    world.delivers = Delivers { events: !death.by_sweep(), rechecks: true, sweep_every: None };
    if sweeps {
        world.sweep_every(SWEEP_EVERY, 47 * SECOND);
    }
    world.ecs(|ecs| ecs.deploy(CLUSTER, "web")).unwrap();
    let started_at = world.now();
    match death {
        Death::FirstEvent => world.dies_at = Some((Cause::Event, point)),
        Death::EventThatWaits => {
            world.advance(10 * MINUTE);
            let event = world.event("SERVICE_STEADY_STATE", "web");
            world.send_event(event.clone(), world.now());
            world.advance(SECOND);
            world.dies_at = Some((Cause::Event, point));
            world.send_event(event, world.now());
        }
        Death::Check => world.dies_at = Some((Cause::Recheck, point)),
        Death::CheckThatTells => {
            world.advance(4 * MINUTE);
            world.dies_at = Some((Cause::Recheck, point));
        }
        Death::FirstSweep => world.dies_at = Some((Cause::Sweep, point)),
        Death::SweepThatTells => {
            world.delivers.rechecks = false;
            world.advance(4 * MINUTE);
            world.dies_at = Some((Cause::Sweep, point));
        }
        Death::End => {}
    }
    world.advance(started_at + 40 * MINUTE - world.now());
    world.delivers.rechecks = true;
    world.advance(20 * MINUTE);
    let said_at = world.said_blocked("web", started_at).unwrap();
    one_chain(&mut world, death, point);
    if death == Death::End {
        world.dies_at = Some((Cause::Event, point));
    }
    world.protect(&tasks, None);
    world.advance(HOUR);
    assert_eq!(world.record("web").watch, None, "{death:?} {point}");
    assert_eq!(world.rechecks_waiting().len(), 0, "{death:?} {point}");
    let told = world.told();
    let times = |what: &str| told.iter().filter(|told| told.what == what).count();
    let opened = told.iter().find(|told| told.what == "deployment-blocked opened");
    Outcome {
        died: world.died.take(),
        told_late: opened.map_or(Millis::MAX, |told| told.at - said_at - BLOCKED_AFTER),
        told: [times("deployment-blocked opened"), times("deployment-blocked resolved")],
    }
}

/// For an hour there is one chain of rechecks.
fn one_chain(world: &mut World, death: Death, point: usize) {
    let before = world.looks(Cause::Recheck).len();
    for _ in 0..60 {
        world.advance(MINUTE);
        assert!(world.awaited("web") <= 1, "{death:?} {point}");
    }
    // Every 15 minutes, and at half of the three hours.
    let checks = world.looks(Cause::Recheck).len() - before;
    assert!((3..=6).contains(&checks), "{death:?} {point}: {checks} checks in an hour");
    assert_eq!(world.awaited("web"), 1, "{death:?} {point}");
}

fn at_every_point(death: Death, sweeps: bool, late_max: Millis) {
    let (mut points, mut latest, mut told_twice) = (Vec::new(), (0, String::new()), Vec::new());
    for point in 1.. {
        assert!(point < 500, "an invocation has an end");
        let Outcome { died, told_late, told } = run(death, point, sweeps);
        let Some(died) = died else { break };
        assert!(told.iter().all(|times| (1..=2).contains(times)), "{death:?} {died}: told {told:?} times");
        assert!(told_late <= late_max, "{death:?} {died}: told {} s late", told_late / SECOND);
        if told_late > latest.0 {
            latest = (told_late, died.clone());
        }
        if told.contains(&2) {
            told_twice.push(died.clone());
        }
        points.push(died);
    }
    assert!(!points.is_empty(), "{death:?}: no invocation died");
    let (late, at) = latest;
    println!(
        "{:<20} sweeps {sweeps:<5} | {:>2} points | told at most {:>3} s late ({at}) | told twice: {told_twice:?}",
        format!("{death:?}"),
        points.len(),
        late / SECOND,
    );
}

#[test]
fn wherever_the_function_dies_the_watch_continues_and_the_next_sweep_sends_the_alert() {
    println!("\nthe function dies");
    for death in Death::ALL {
        at_every_point(death, true, SWEEP_EVERY + MINUTE);
    }
}

#[test]
fn without_a_sweep_the_watch_goes_on_by_what_is_delivered_again() {
    println!("\nthe function dies, and nothing sweeps");
    for death in Death::ALL.into_iter().filter(|death| !death.by_sweep() && *death != Death::EventThatWaits) {
        at_every_point(death, false, 15 * MINUTE + SECOND);
    }
}
