//! Delivery of messages and events to invocations, during the storm and after it.

use super::queue::Work;
use super::run::{INVOCATIONS_AT_ONCE, Invocation, Run};
use super::world::{Broken, World};
use jiff::{SignedDuration, Timestamp};

/// A message that is delivered more often than this after the storm counts as never ending. Calls of the storm may take
/// effect for two more minutes, which is less than one visibility timeout: the first delivery may find them in flight,
/// and the second may conflict with another invocation that settles them.
const DELIVERIES_MAX: u32 = 3;

impl World {
    /// Ends the storm: no new faults. Calls and stores in flight still take effect.
    pub(super) fn calm_down(&mut self) {
        self.record("the storm is over".to_owned());
        self.calm = true;
        for task in &mut self.ecs.tasks {
            task.blocked_until = Timestamp::MIN;
        }
    }

    /// Redelivers the input of a crashed invocation: messages after their visibility timeout, events by Lambda's retry.
    pub(super) fn crashed(&mut self, work: &Work) {
        if let Work::Event(task) = work {
            self.queue.events.push(*task);
        }
    }

    fn has_deliveries(&self) -> bool {
        !self.queue.events.is_empty() || !self.visible().is_empty()
    }

    fn comes_for_ever(&self) -> bool {
        self.stats.deliveries_after_storm_max > DELIVERIES_MAX
    }
}

impl Run<'_> {
    pub(super) fn is_broken(&self) -> bool {
        self.sim.world().broken.is_some()
    }

    /// Starts an invocation with an event or with a batch of visible messages.
    pub(super) fn deliver(&mut self) {
        let (payload, work) = {
            let mut world = self.sim.world();
            if world.queue.events.is_empty() || world.rng.bool() && !world.visible().is_empty() {
                let batch = world.batch();
                (world.deliver(&batch), Work::Batch(batch))
            } else {
                let at = world.below_count(|world| world.queue.events.len());
                let task = world.queue.events.swap_remove(at);
                (world.stop_event(task), Work::Event(task))
            }
        };
        self.begin(payload, work);
    }

    /// Starts an invocation that sweeps: it compares the state store with ECS.
    pub(super) fn sweep(&mut self) {
        self.sim.world().stats.sweeps += 1;
        self.begin(r#"{"sweep": {}}"#.to_owned(), Work::Sweep);
    }

    fn begin(&mut self, payload: String, work: Work) {
        let (number, deadline) = {
            let mut world = self.sim.world();
            world.stats.invocations += 1;
            let number = usize::try_from(world.stats.invocations).expect("there are few");
            world.record(format!("#{number} begins with {work:?}"));
            (number, world.now + world.rules.function_timeout)
        };
        let function = self.function;
        let answering =
            Box::pin(async move { function.handle(&payload, deadline).await.map(|(response, _)| response) });
        self.running.push(Invocation { number, work, deadline, answering });
        {
            let mut world = self.sim.world();
            world.stats.at_once_max = world.stats.at_once_max.max(self.running.len());
        }
        self.poll(number);
    }

    /// Delivers until every message and event has ended, and checks the promises that must hold then.
    pub(super) fn drain(&mut self) {
        while !self.is_broken() {
            let (room, has_deliveries) = (self.running.len() < INVOCATIONS_AT_ONCE, self.sim.world().has_deliveries());
            let idle = self.running.is_empty();
            if room && has_deliveries && (idle || self.sim.world().rng.bool()) {
                self.deliver();
            } else if !idle {
                let now = self.sim.world().now;
                if self.sim.world().percent(10) {
                    self.advance(now + SignedDuration::from_millis(20));
                } else {
                    self.pass();
                }
            } else if !self.wait_for_messages() {
                break;
            }
        }
    }

    /// Advances the clock until the next message is visible. False if none is left.
    fn wait_for_messages(&mut self) -> bool {
        let next = {
            let mut world = self.sim.world();
            if world.is_drained() {
                world.check_promises();
                world.check_idle_tasks();
                return false;
            }
            if world.comes_for_ever() {
                world.break_off(Broken::Convergence, "a message never ends after the storm".to_owned());
                return false;
            }
            world.queue.messages.iter().filter_map(|message| message.visible_from).min()
        };
        self.advance(next.expect("an event would be delivered at once"));
        true
    }
}
