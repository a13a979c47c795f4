//! One watch: at most twenty checks in three hours, and one chain of rechecks, however many events arrive at once.

use super::counted::InvocationCause;
use super::parts::locked;
use super::rollouts::ROLLOUTS;
use super::world::{HOUR, MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{Millis, ServiceSpec, Setup, StrategySpec, Variants};
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{CLUSTER, JOB_QUEUE};
use serde_json::{Value, json};

/// Maximum number of rechecks of a watch in three hours.
const CHECKS_MAX: usize = 20;

/// The intervals between times, in seconds.
fn pauses(moments: &[Millis]) -> Vec<Millis> {
    moments.windows(2).map(|pair| (pair[1] - pair[0]) / SECOND).collect()
}

/// A service whose deployment bakes for hours without protected tasks: the rollout is in progress, and nothing is
/// ever due.
fn baking(world: &mut WatchedWorld) {
    let strategy = StrategySpec::BlueGreen;
    world.create(ServiceSpec { strategy, bake_minutes: 600, ..ServiceSpec::new(CLUSTER, "web", 2) });
    world.ecs(|ecs| ecs.deploy(CLUSTER, "web")).unwrap();
}

#[test]
fn where_nothing_is_due_the_checks_come_after_30_seconds_1_2_5_10_and_then_15_minutes() {
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    let started_at = world.now();
    baking(&mut world);
    world.advance(3 * HOUR);
    let checks = world.reconciles(InvocationCause::Recheck);
    let pauses = pauses(&[vec![started_at], checks.clone()].concat());
    println!("\na watch of 3 hours: {} checks, after {pauses:?} s", checks.len());
    assert_eq!(pauses[..5], [30, 60, 120, 300, 600]);
    assert!(pauses[5..].iter().all(|pause| *pause == 900), "{pauses:?}");
    assert!((6..=CHECKS_MAX).contains(&checks.len()));
}

#[test]
fn a_watch_of_three_hours_takes_at_most_20_checks_whatever_moves() {
    println!("\nreconciles in 3 hours, over all variants of AWS | checks    | by events | by sweeps | alerts");
    for rollout in ROLLOUTS {
        for (how, variants) in [("with sweeps", Variants::all()), ("no sweep", vec![Variants::default()])] {
            let [mut checks, mut by_events, mut by_sweeps, mut alerts] = [Range::default(); 4];
            for variants in variants {
                let mut world = WatchedWorld::new(Setup { variants, ..Setup::default() }, &[]);
                if how == "with sweeps" {
                    world.sweep_every(5 * MINUTE, 41 * SECOND);
                }
                rollout.begin(&mut world);
                world.advance(3 * HOUR);
                checks.take(world.reconciles(InvocationCause::Recheck).len());
                by_events.take(world.reconciles(InvocationCause::Event).len());
                by_sweeps.take(world.reconciles(InvocationCause::Sweep).len());
                alerts.take(world.notices().len());
                assert!(world.awaited("web") <= 1);
            }
            println!("{:<26} {how:<15} | {checks:<9} | {by_events:<9} | {by_sweeps:<9} | {alerts}", rollout.name);
            assert!(checks.most <= CHECKS_MAX, "{}: {checks} checks", rollout.name);
        }
    }
}

/// The minimum and the maximum.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    least: Option<usize>,
    most: usize,
}

impl Range {
    fn take(&mut self, number: usize) {
        self.least = Some(self.least.map_or(number, |least| least.min(number)));
        self.most = self.most.max(number);
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{} to {}", self.least.unwrap_or_default(), self.most))
    }
}

/// How a hundred copies of an event arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copies {
    /// Ten milliseconds apart.
    OneByOne,
    /// In the bodies of one batch, with several reconciled concurrently.
    InOneBatch,
}

const COPIES: usize = 100;

/// The state of the service when a hundred copies of an event arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BurstState {
    Steady,
    Moving,
    HeldUp,
}

fn burst(world: &mut WatchedWorld, event: &Value, copies: Copies) {
    match copies {
        Copies::OneByOne => {
            for copy in 0..COPIES {
                world.send_event(event.clone(), world.now() + 10 * copy as Millis);
            }
            world.advance(SECOND);
        }
        Copies::InOneBatch => {
            for _ in 0..COPIES {
                let body = SendMessage::new(event.to_string());
                world.region.lock().queues.send(JOB_QUEUE, body).unwrap();
            }
            world.steps.enable();
            world.advance(0);
            world.steps.disable();
        }
    }
}

/// Reconciles within 31 seconds of the burst; then, in the hour after it, reconciles and rechecks sent.
fn reconciles_after_a_burst(service: BurstState, copies: Copies, latency: Millis) -> (usize, usize, usize) {
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    world.delivers.events = false;
    world.region.lock().latency_ms = latency;
    match service {
        BurstState::Steady => drop(world.create(ServiceSpec::new(CLUSTER, "web", 2))),
        BurstState::Moving => baking(&mut world),
        BurstState::HeldUp => {
            let tasks = world.create(ServiceSpec::new(CLUSTER, "web", 2));
            world.protect(&tasks, Some(600));
            world.ecs(|ecs| ecs.deploy(CLUSTER, "web")).unwrap();
            world.advance(MINUTE);
        }
    }
    let event = world.event("SERVICE_DEPLOYMENT_IN_PROGRESS", "web");
    burst(&mut world, &event, copies);
    world.advance(30 * SECOND);
    let soon = world.counted().reconciles.len();
    locked(&world.rechecks().inner.sent).clear();
    world.advance(HOUR);
    assert_eq!(world.awaited("web"), usize::from(service != BurstState::Steady));
    assert_eq!(world.failures, 0);
    let (reconciles, sent) = (world.counted().reconciles.len() - soon, locked(&world.rechecks().inner.sent).len());
    println!("{:<39} | {soon:>13} | {reconciles}, {sent}", format!("{service:?}, {copies:?}, {latency} ms a call"));
    (soon, reconciles, sent)
}

/// How many services an invocation reconciles at once.
const SERVICES_AT_ONCE: usize = 4;

const BURST_TITLE: &str =
    "copies of an event in one second   | reconciles in 31 s | in the hour after: reconciles, rechecks sent";

fn a_burst_causes_two_reconciles(cases: &[(BurstState, Copies, Millis)]) {
    println!("\n{COPIES} {BURST_TITLE}");
    for case in cases {
        let (soon, reconciles, sent) = reconciles_after_a_burst(case.0, case.1, case.2);
        // Before a message of the queue creates a record of a service, a lookup says whether ECS knows it: one for each
        // of the copies that are handled at once.
        let lookups = if case.1 == Copies::InOneBatch { SERVICES_AT_ONCE } else { 0 };
        assert!(soon <= 2 + lookups, "{case:?}: {soon} reconciles");
        // After the reconcile at 30 seconds: 1, 2, 5, 10, 15, 15 minutes; and the time at which the alert of a
        // blocked service is due.
        let chain = match case.0 {
            BurstState::Steady => 0,
            BurstState::Moving => 6,
            BurstState::HeldUp => 7,
        };
        assert!(reconciles <= chain && sent <= chain, "{case:?}: {reconciles} reconciles, {sent} rechecks sent");
    }
}

#[test]
fn a_hundred_copies_of_an_event_cause_two_reconciles_and_one_chain_continues() {
    let mut cases = Vec::new();
    for service in [BurstState::Steady, BurstState::Moving, BurstState::HeldUp] {
        cases.extend([0, 20].map(|latency| (service, Copies::OneByOne, latency)));
        cases.extend([0, 20].map(|latency| (service, Copies::InOneBatch, latency)));
    }
    cases.retain(|case| *case != FOUR_RECONCILES);
    a_burst_causes_two_reconciles(&cases);
}

const FOUR_RECONCILES: (BurstState, Copies, Millis) = (BurstState::Steady, Copies::InOneBatch, 20);

#[test]
fn a_hundred_copies_in_one_batch_about_a_steady_service_cause_two_reconciles() {
    a_burst_causes_two_reconciles(&[FOUR_RECONCILES]);
}

impl WatchedWorld {
    /// An event with this name about a service of the cluster, in the format of ECS.
    pub(crate) fn event(&self, name: &str, service: &str) -> Value {
        let arn = self.arn(service).to_string();
        json!({
            "version": "0", "id": "00000000-0000-4000-8000-000000000001", "source": "aws.ecs", "account": "111122223333",
            "detail-type": "ECS Deployment State Change", "time": "2026-01-05T09:00:00Z", "region": "eu-west-1",
            "resources": [arn],
            "detail": {"eventType": "INFO", "eventName": name, "clusterArn": self.region.lock().ecs.cluster_arn(CLUSTER),
                "deploymentId": "ecs-svc/9999999999999999999", "updatedAt": "2026-01-05T09:00:00.000Z", "reason": "made up"},
        })
    }
}
