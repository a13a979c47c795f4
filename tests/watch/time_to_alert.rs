//! From the moment at which ECS itself says that protection holds a service up to the alert: for every kind of movement,
//! under every reading of AWS, at several phases of the sweep.
//!
//! The moment is ECS's own: its first service event message that it "was unable to scale in". No alert may come before it
//! has been so for long enough, and none much later.

use super::movements::{ALL_OF_BLUE, MOVEMENTS, Movement};
use super::world::{Delivers, MINUTE, SECOND, World, set};
use ecs_sim::control_plane::{Millis, Setup, Variants};

/// TASKHOLD_BLOCKED_AFTER_MINUTES at its default.
const BLOCKED_AFTER: Millis = 5 * MINUTE;
/// As in template.yaml.
const SWEEP_EVERY: Millis = 5 * MINUTE;
/// When the first sweep comes after the service begins to move, neither a whole number of checks after another.
const SWEEP_PHASES: [Millis; 2] = [107 * SECOND, 259 * SECOND];

/// With events and follow-ups.
const PROMPT: Millis = BLOCKED_AFTER + 30 * SECOND;
/// When one of them is missing.
const BY_SWEEP: Millis = BLOCKED_AFTER + SWEEP_EVERY;

/// How the function hears of it, beside the sweep.
#[derive(Clone, Copy, Debug)]
struct Hearing {
    name: &'static str,
    events: bool,
    follow_ups: FollowUps,
    /// The most that an alert may come after ECS's word.
    most: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FollowUps {
    Come,
    NeverCome,
    CannotBeSent,
}

/// How long after ECS's word the alert came.
fn lag(movement: &Movement, hearing: &Hearing, beside: (Variants, Millis)) -> Result<Millis, String> {
    let (variants, phase) = beside;
    let mut world = World::new(Setup { variants, ..Setup::default() }, &[]);
    // A call takes its time in AWS too.
    world.region.lock().latency_ms = 20;
    let follow_ups = hearing.follow_ups == FollowUps::Come;
    world.delivers = Delivers { events: hearing.events, follow_ups, sweep_every: None };
    set(&world.follow_ups().is_down, hearing.follow_ups == FollowUps::CannotBeSent);
    movement.begin(&mut world);
    world.sweep_every(SWEEP_EVERY, phase);
    let held_up_at = movement.wait_until_held_up(&mut world);
    world.advance(held_up_at + BLOCKED_AFTER + 20 * MINUTE - world.now());
    let told = world.told();
    let opened = told.iter().filter(|told| told.what == "deployment-blocked opened");
    match opened.map(|told| told.at).collect::<Vec<_>>()[..] {
        [at] => Ok(at - held_up_at),
        _ => Err(format!("not told of once: {told:?}")),
    }
}

/// Measures every one of `movements` under every reading, prints, and holds the limits.
fn measure(hearing: &Hearing, movements: &[Movement]) {
    let mut table = format!("\nfrom ECS's word to the alert: {}\n", hearing.name);
    let mut problems = Vec::new();
    for movement in movements {
        let mut lags = Vec::new();
        for variants in Variants::all() {
            for phase in SWEEP_PHASES {
                let case = format!("{}, {variants}, sweep after {} s", movement.name, phase / SECOND);
                match lag(movement, hearing, (variants, phase)) {
                    Ok(lag) => lags.push((lag, case)),
                    Err(problem) => problems.push(format!("{case}: {problem}")),
                }
            }
        }
        let seconds = |lag: Option<Millis>| lag.map_or(f64::NAN, |lag| lag as f64 / 1000.0);
        let (least, most) = (lags.iter().map(|(lag, _)| *lag).min(), lags.iter().map(|(lag, _)| *lag).max());
        let (least, most, limit) = (seconds(least), seconds(most), seconds(Some(hearing.most)));
        table += &format!("{:<26} | {least:>6.1} to {most:>6.1} s, at most {limit:.0}\n", movement.name);
        let wrong = lags.into_iter().filter(|(lag, _)| !(BLOCKED_AFTER..=hearing.most).contains(lag));
        problems.extend(wrong.map(|(lag, case)| format!("{case}: {} ms", lag)));
    }
    println!("{table}");
    let first = &problems[..problems.len().min(10)];
    assert!(problems.is_empty(), "{}: {} problems, the first ones: {first:#?}", hearing.name, problems.len());
}

#[test]
fn with_events_and_follow_ups_an_alert_comes_at_most_30_seconds_late() {
    let deployed = Hearing { name: "as deployed", events: true, follow_ups: FollowUps::Come, most: PROMPT };
    measure(&deployed, &MOVEMENTS);
}

#[test]
fn without_events_an_alert_comes_at_most_one_sweep_late() {
    let deaf = Hearing { name: "no event comes", events: false, follow_ups: FollowUps::Come, most: BY_SWEEP };
    measure(&deaf, &MOVEMENTS);
}

#[test]
fn without_follow_ups_an_alert_comes_at_most_one_sweep_late() {
    let name = "follow-ups get lost";
    measure(&Hearing { name, events: true, follow_ups: FollowUps::NeverCome, most: BY_SWEEP }, &MOVEMENTS);
}

#[test]
fn by_the_sweep_alone_an_alert_comes_at_most_one_sweep_late() {
    let name = "nothing but the sweep, and follow-ups cannot be sent";
    measure(&Hearing { name, events: false, follow_ups: FollowUps::CannotBeSent, most: BY_SWEEP }, &MOVEMENTS);
}

#[test]
fn old_tasks_that_stay_on_purpose_are_not_told_of_though_all_of_them_are_protected() {
    let deployed = Hearing { name: "as deployed", events: true, follow_ups: FollowUps::Come, most: PROMPT };
    measure(&deployed, &ALL_OF_BLUE);
}
