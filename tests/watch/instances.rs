//! Two concurrent instances of the function, in every order that a seed draws: one sends the alert, and one chain
//! continues.

use super::counted::InvocationCause;
use super::world::{HOUR, MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{ServiceSpec, Setup};
use ecs_sim::doubles::clock::timestamp;
use ecs_sim::event_source::{EventSource, FunctionAnswer};
use ecs_sim::region::{CLUSTER, RECHECK_QUEUE};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use taskhold::lambda::function::{FunctionError, Response};
use taskhold::metrics::Counts;

const SEEDS: u64 = 60;

type InvocationAnswer = Result<(Response, Counts), FunctionError>;

/// Runs two invocations, one step of either at a time.
fn at_once(
    random: &mut fastrand::Rng,
    invocations: [Pin<&mut dyn Future<Output = InvocationAnswer>>; 2],
) -> [InvocationAnswer; 2] {
    let mut answers = [None, None];
    let mut invocations = invocations;
    let mut context = Context::from_waker(Waker::noop());
    while answers.iter().any(Option::is_none) {
        let next = random.usize(0..2);
        if answers[next].is_none()
            && let Poll::Ready(answer) = invocations[next].as_mut().poll(&mut context)
        {
            answers[next] = Some(answer);
        }
    }
    answers.map(|answer| answer.expect("both have ended"))
}

/// The payloads of the two invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TwoPayloads {
    /// The same recheck, which SQS delivers twice.
    SameRecheck,
    /// The same event, which EventBridge delivers twice.
    SameEvent,
    EventAndRecheck,
    SweepAndRecheck,
    SweepAndEvent,
    TwoSweeps,
}

impl TwoPayloads {
    const ALL: [Self; 6] = [
        Self::SameRecheck,
        Self::SameEvent,
        Self::EventAndRecheck,
        Self::SweepAndRecheck,
        Self::SweepAndEvent,
        Self::TwoSweeps,
    ];

    fn of(self, recheck: &str, event: &str) -> [String; 2] {
        let sweep = r#"{"sweep": {}}"#;
        match self {
            Self::SameRecheck => [recheck, recheck],
            Self::SameEvent => [event, event],
            Self::EventAndRecheck => [event, recheck],
            Self::SweepAndRecheck => [sweep, recheck],
            Self::SweepAndEvent => [sweep, event],
            Self::TwoSweeps => [sweep, sweep],
        }
        .map(str::to_owned)
    }
}

/// Two concurrent invocations when an alert is due. Returns their number of reconciles.
fn tell_at_once(payloads: TwoPayloads, seed: u64) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = WatchedWorld::new(Setup::default(), &[]);
    world.region.lock().latency_ms = random.i64(1..=50);
    let tasks = world.create(ServiceSpec::new(CLUSTER, "web", 2));
    world.protect(&tasks, Some(160));
    world.ecs(|ecs| ecs.deploy(CLUSTER, "web")).unwrap();
    world.advance(5 * MINUTE + 20 * SECOND);
    world.delivers.rechecks = false;
    world.advance(20 * SECOND);
    let source = EventSource::new(RECHECK_QUEUE, 10);
    let batch = source.poll(&mut world.region.lock().queues).unwrap().expect("the check that tells is due");
    let event = world.event("TASKS_STOPPED", "web").to_string();
    let [one, other] = payloads.of(&batch.event.to_string(), &event);
    let reconciles_before = world.counted().reconciles.len();
    world.steps.enable();
    let deadline = timestamp(world.now() + 30 * SECOND);
    let another = world.another_instance();
    let answers = {
        let (one, other) = (pin!(world.function.handle(&one, deadline)), pin!(another.handle(&other, deadline)));
        at_once(&mut random, [one, other])
    };
    world.steps.disable();
    let reconciles = world.counted().reconciles.len() - reconciles_before;
    let case = format!("{payloads:?}, seed {seed}");
    assert!(answers.iter().all(Result::is_ok), "{case}");
    let failed = |answer: &InvocationAnswer| matches!(answer, Ok((Response::Batch(batch), _)) if !batch.batch_item_failures.is_empty());
    assert!(!answers.iter().any(failed), "{case}");
    let settled = FunctionAnswer::Answered(serde_json::json!({"batchItemFailures": []}));
    source.settle(&mut world.region.lock().queues, &batch, &settled).unwrap();
    assert_eq!(world.notice_texts(), ["deployment-blocked opened"], "{case}");
    one_chain_goes_on(&mut world, &case);
    world.protect(&tasks, None);
    world.advance(HOUR);
    let notices = world.notice_texts();
    assert_eq!(notices.iter().filter(|what| *what == "deployment-blocked opened").count(), 1, "{case}");
    assert_eq!(notices.last().map(String::as_str), Some("deployment-blocked resolved"), "{case}");
    assert_eq!((world.record("web").watch, world.rechecks_waiting().len()), (None, 0), "{case}");
    reconciles
}

fn one_chain_goes_on(world: &mut WatchedWorld, case: &str) {
    world.delivers.rechecks = true;
    // A broken chain shows at the first sweep; a second chain would show within the hour.
    world.sweep_every(5 * MINUTE, 5 * MINUTE);
    let before = world.reconciles(InvocationCause::Recheck).len();
    // Two that reconcile in the same millisecond both send the same next recheck; the first one delivered continues
    // alone.
    world.advance(HOUR);
    let checks = world.reconciles(InvocationCause::Recheck).len() - before;
    assert!((3..=7).contains(&checks), "{case}: {checks} checks in an hour");
    assert_eq!(world.awaited("web"), 1, "{case}");
}

#[test]
fn two_instances_at_once_tell_once_and_leave_one_chain() {
    println!("\ntwo instances at once, {SEEDS} orders each");
    for payloads in TwoPayloads::ALL {
        let reconciles: Vec<usize> = (0..SEEDS).map(|seed| tell_at_once(payloads, seed)).collect();
        let (least, most) = (reconciles.iter().min().unwrap(), reconciles.iter().max().unwrap());
        println!("{:<18} | one alert, one chain | {least} to {most} reconciles", format!("{payloads:?}"));
    }
}

#[test]
fn two_instances_that_begin_a_watch_at_once_begin_one() {
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = WatchedWorld::new(Setup::default(), &[]);
        world.region.lock().latency_ms = random.i64(1..=50);
        world.delivers.events = false;
        let tasks = world.create(ServiceSpec::new(CLUSTER, "web", 2));
        world.protect(&tasks, Some(600));
        world.ecs(|ecs| ecs.deploy(CLUSTER, "web")).unwrap();
        world.steps.enable();
        let names = ["SERVICE_DEPLOYMENT_IN_PROGRESS", "TASKS_STARTED", "SERVICE_DESIRED_COUNT_UPDATED"];
        let payloads = [0, 1].map(|_| world.event(random.choice(names).unwrap(), "web").to_string());
        let deadline = timestamp(world.now() + 30 * SECOND);
        let another = world.another_instance();
        {
            let one = pin!(world.function.handle(&payloads[0], deadline));
            let other = pin!(another.handle(&payloads[1], deadline));
            assert!(at_once(&mut random, [one, other]).iter().all(Result::is_ok));
        }
        world.steps.disable();
        one_chain_goes_on_from_the_beginning(&mut world, seed);
    }
}

fn one_chain_goes_on_from_the_beginning(world: &mut WatchedWorld, seed: u64) {
    world.sweep_every(5 * MINUTE, 5 * MINUTE);
    world.advance(HOUR);
    // 30 seconds, 1, 2, 5, 10, 15, 15 minutes; and the time at which the alert is due.
    let checks = world.reconciles(InvocationCause::Recheck).len();
    assert!((5..=9).contains(&checks), "seed {seed}: {checks} checks in an hour");
    assert_eq!(world.awaited("web"), 1, "seed {seed}");
}
