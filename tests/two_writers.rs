//! Another writer acts between the function's read of a protection and its release: the moment that SEMANTICS.md, "A
//! release clears only protection that taskhold set", does not promise.

use crate::watch::counted::InvocationCause;
use crate::watch::world::{MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{Millis, ServiceSpec, Setup};
use ecs_sim::doubles::clock::timestamp;
use ecs_sim::region::CLUSTER;
use serde_json::{Value, json};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use taskhold::lambda::function::Function;

/// How the invocation ends whose release takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Released {
    /// It receives the answer of ECS, and settles the call.
    Settles,
    /// It dies when ECS has carried out the call.
    Dies,
}

/// A task whose first job has started and is protected.
struct Race {
    world: WatchedWorld,
    task: String,
}

impl Race {
    fn new() -> Self {
        let mut world = WatchedWorld::new(Setup::default(), &[]);
        let task = world.create(ServiceSpec::new(CLUSTER, "web", 2)).remove(0);
        let race = Self { world, task };
        assert_eq!(race.deliver(&race.world.function, &race.message("job.started", "one", 60)), 0);
        assert_eq!(race.minutes_left(), Some(60));
        race
    }

    fn message(&self, message_type: &str, job: &str, minutes: u32) -> String {
        let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/{}", self.task);
        let body =
            json!({"version": 1, "type": message_type, "jobId": job, "taskArn": arn, "maxDurationMinutes": minutes});
        let sent_at = self.world.now().to_string();
        let record = json!({
            "messageId": job, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:jobs",
            "body": body.to_string(), "attributes": {"SentTimestamp": sent_at, "ApproximateReceiveCount": "1"},
        });
        json!({"Records": [record]}).to_string()
    }

    /// Delivers a message to an instance of the function, and returns the number of messages to retry.
    fn deliver(&self, function: &Function, message: &str) -> usize {
        let deadline = timestamp(self.world.now() + 30 * SECOND);
        let (response, _) = crate::block_on(function.handle(message, deadline)).unwrap();
        let answer: Value = serde_json::to_value(response).unwrap();
        answer["batchItemFailures"].as_array().unwrap().len()
    }

    /// The first job finishes. Its invocation has read the protection, which is taskhold's own, and is about to clear it
    /// when `between` happens.
    fn finish_first_job_and_meanwhile(&self, between: impl FnOnce(), released: Released) {
        let finish = self.message("job.finished", "one", 60);
        let deadline = timestamp(self.world.now() + 15 * MINUTE);
        let steps = &self.world.steps;
        let mut invocation = pin!(self.world.function.handle(&finish, deadline));
        let mut context = Context::from_waker(Waker::noop());
        let mut run_until = |point: &str| {
            steps.enable();
            while steps.last() != point {
                assert!(invocation.as_mut().poll(&mut context).is_pending(), "it ends before it comes to {point}");
            }
            steps.disable();
        };
        run_until("after GetTaskProtection");
        run_until("before UpdateTaskProtection");
        between();
        run_until("after UpdateTaskProtection");
        if released == Released::Settles {
            let answer = loop {
                if let Poll::Ready(answer) = invocation.as_mut().poll(&mut context) {
                    break answer;
                }
            };
            assert!(answer.is_ok());
        }
    }

    /// The worker of the task protects it, for its next job.
    fn protect_by_worker(&self, minutes: i64) {
        let answer = self.world.region.lock().ecs.set_own_protection(&self.task, Some(minutes)).unwrap();
        assert!(answer.failures.is_empty());
    }

    /// Returns the number of messages to retry.
    fn start_second_job(&self, minutes: u32) -> usize {
        self.deliver(&self.world.another_instance(), &self.message("job.started", "two", minutes))
    }

    fn pass(&self, by: Millis) {
        let mut region = self.world.region.lock();
        let to = region.now() + by;
        region.advance_to(to);
    }

    fn minutes_left(&self) -> Option<i64> {
        let region = self.world.region.lock();
        region.ecs.task(&self.task).unwrap().protected_until.map(|until| (until - region.now()) / MINUTE)
    }

    /// The function's calls to `UpdateTaskProtection` since the last time.
    fn calls(&self) -> usize {
        let calls = std::mem::take(&mut self.world.region.lock().calls);
        calls.iter().filter(|call| call.operation == "UpdateTaskProtection").count()
    }
}

#[test]
fn the_start_of_the_next_job_protects_its_task_again_after_a_release_that_came_over_the_worker_s_protection() {
    let race = Race::new();
    race.finish_first_job_and_meanwhile(|| race.protect_by_worker(30), Released::Settles);
    assert_eq!(race.minutes_left(), None, "the moment that is not promised");
    race.pass(15 * SECOND);
    // For less time than the first job had.
    assert_eq!((race.start_second_job(30), race.minutes_left()), (0, Some(30)));
}

#[test]
fn a_release_that_comes_over_a_job_that_starts_meanwhile_is_followed_by_its_protection_in_the_same_invocation() {
    let race = Race::new();
    let between = || {
        race.protect_by_worker(180);
        assert_eq!(race.start_second_job(180), 1, "no answer of ECS is certain while the release may still come");
        assert_eq!(race.calls(), 2);
    };
    race.finish_first_job_and_meanwhile(between, Released::Settles);
    assert_eq!((race.minutes_left(), race.calls()), (Some(180), 2), "cleared, and protected again");
    assert_eq!((race.start_second_job(180), race.calls()), (0, 0), "certain now, without a further call");
}

#[test]
fn after_a_release_that_took_effect_too_late_the_next_sweep_protects_the_busy_task_again_and_says_so() {
    for released in [Released::Settles, Released::Dies] {
        let mut race = Race::new();
        let between = || {
            race.protect_by_worker(180);
            assert_eq!(race.start_second_job(180), 1);
            // Longer than a call is assumed to be under way.
            race.pass(3 * MINUTE);
            assert_eq!((race.start_second_job(180), race.minutes_left()), (0, Some(180)));
        };
        race.finish_first_job_and_meanwhile(between, released);
        race.world.log.take();
        // The invocation that receives the answer sees that it came too late, and asks again itself.
        let is_lost = released == Released::Dies;
        assert_eq!(race.minutes_left().is_none(), is_lost, "{released:?}");
        race.world.invoke(r#"{"sweep": {}}"#, InvocationCause::Sweep);
        assert_eq!(race.minutes_left(), Some(180), "{released:?}");
        let log = race.world.log.take();
        let says_so =
            log.iter().any(|line| line.contains("busy task lost its protection") && line.contains(&race.task));
        assert_eq!(says_so, is_lost, "{log:?}");
    }
}
