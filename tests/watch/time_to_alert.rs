//! The time from ECS's first report that protection blocks a service to the alert: for every kind of rollout, under
//! every variant of AWS, at several phases of the sweep.
//!
//! The report is ECS's first service event message that it "was unable to scale in". No alert may be sent before
//! the block has lasted for the delay, and none much later.

use super::rollouts::{ALL_OF_BLUE, ROLLOUTS, WatchedRollout};
use super::world::{Delivers, MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{Millis, Setup, Variants};

/// The default of TASKHOLD_BLOCKED_AFTER_MINUTES. For scale-ins, their own delay is set to it.
const BLOCKED_AFTER: Millis = 5 * MINUTE;
/// As in template.yaml.
const SWEEP_EVERY: Millis = 5 * MINUTE;
/// Time of the first sweep after the start of the rollout; neither coincides with a recheck.
const SWEEP_PHASES: [Millis; 2] = [107 * SECOND, 259 * SECOND];

/// With events and rechecks.
const PROMPT: Millis = BLOCKED_AFTER + 30 * SECOND;
/// When one of them is missing.
const BY_SWEEP: Millis = BLOCKED_AFTER + SWEEP_EVERY;

/// How the function learns of the block, in addition to the sweep.
#[derive(Clone, Copy, Debug)]
struct Hearing {
    name: &'static str,
    events: bool,
    rechecks: Rechecks,
    /// Maximum delay of an alert after ECS's report.
    most: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rechecks {
    Come,
    NeverCome,
    CannotBeSent,
}

/// The delay of the alert after ECS's report.
fn lag(rollout: &WatchedRollout, hearing: &Hearing, variants: Variants, phase: Millis) -> Result<Millis, String> {
    let settings = [("TASKHOLD_SCALE_IN_BLOCKED_AFTER_MINUTES", "5")];
    let mut world = WatchedWorld::new(Setup { variants, ..Setup::default() }, &settings);
    // A call takes time in AWS too.
    world.region.lock().latency_ms = 20;
    let rechecks = hearing.rechecks == Rechecks::Come;
    world.delivers = Delivers { events: hearing.events, rechecks, sweep_every: None };
    if hearing.rechecks == Rechecks::CannotBeSent {
        world.rechecks().failing.fail_all();
    }
    rollout.begin(&mut world);
    world.sweep_every(SWEEP_EVERY, phase);
    let held_up_at = rollout.wait_until_held_up(&mut world);
    world.advance(held_up_at + BLOCKED_AFTER + 20 * MINUTE - world.now());
    let notices = world.notices();
    let opened = notices.iter().filter(|notice| notice.what == rollout.alert());
    match opened.map(|notice| notice.at).collect::<Vec<_>>()[..] {
        [at] => Ok(at - held_up_at),
        _ => Err(format!("not reported exactly once: {notices:?}")),
    }
}

/// Measures each of `rollouts` under every variant, prints the results, and asserts the limits.
fn measure(hearing: &Hearing, rollouts: &[WatchedRollout]) {
    let mut table = format!("\nfrom ECS's word to the alert: {}\n", hearing.name);
    let mut problems = Vec::new();
    for rollout in rollouts {
        let mut lags = Vec::new();
        for variants in Variants::all() {
            for phase in SWEEP_PHASES {
                let case = format!("{}, {variants}, sweep after {} s", rollout.name, phase / SECOND);
                match lag(rollout, hearing, variants, phase) {
                    Ok(lag) => lags.push((lag, case)),
                    Err(problem) => problems.push(format!("{case}: {problem}")),
                }
            }
        }
        let seconds = |lag: Option<Millis>| lag.map_or(f64::NAN, |lag| lag as f64 / 1000.0);
        let (least, most) = (lags.iter().map(|(lag, _)| *lag).min(), lags.iter().map(|(lag, _)| *lag).max());
        let (least, most, limit) = (seconds(least), seconds(most), seconds(Some(hearing.most)));
        table += &format!("{:<26} | {least:>6.1} to {most:>6.1} s, at most {limit:.0}\n", rollout.name);
        let wrong = lags.into_iter().filter(|(lag, _)| !(BLOCKED_AFTER..=hearing.most).contains(lag));
        problems.extend(wrong.map(|(lag, case)| format!("{case}: {} ms", lag)));
    }
    println!("{table}");
    let first = &problems[..problems.len().min(10)];
    assert!(problems.is_empty(), "{}: {} problems, the first ones: {first:#?}", hearing.name, problems.len());
}

#[test]
fn with_events_and_rechecks_an_alert_comes_at_most_30_seconds_late() {
    let deployed = Hearing { name: "as deployed", events: true, rechecks: Rechecks::Come, most: PROMPT };
    measure(&deployed, &ROLLOUTS);
}

#[test]
fn without_events_an_alert_comes_at_most_one_sweep_late() {
    let deaf = Hearing { name: "no event comes", events: false, rechecks: Rechecks::Come, most: BY_SWEEP };
    measure(&deaf, &ROLLOUTS);
}

#[test]
fn without_rechecks_an_alert_comes_at_most_one_sweep_late() {
    let name = "rechecks get lost";
    measure(&Hearing { name, events: true, rechecks: Rechecks::NeverCome, most: BY_SWEEP }, &ROLLOUTS);
}

#[test]
fn by_the_sweep_alone_an_alert_comes_at_most_one_sweep_late() {
    let name = "nothing but the sweep, and rechecks cannot be sent";
    measure(&Hearing { name, events: false, rechecks: Rechecks::CannotBeSent, most: BY_SWEEP }, &ROLLOUTS);
}

#[test]
fn old_tasks_that_stay_on_purpose_raise_no_alert_although_all_are_protected() {
    let deployed = Hearing { name: "as deployed", events: true, rechecks: Rechecks::Come, most: PROMPT };
    measure(&deployed, &ALL_OF_BLUE);
}
