//! How time passes in a run, and how invocations are cut off.

use super::run::{Run, RunningInvocation};
use crate::control_plane::Millis;

impl Run<'_> {
    /// Advances time: due effects take place, and invocations end at their deadlines.
    pub(super) fn advance(&mut self, to: Millis) {
        loop {
            let now = self.sim.world().now();
            let deadline = self.running.iter().map(|invocation| invocation.deadline).min();
            let late = self.sim.world().next_late();
            let next = [deadline, late].into_iter().flatten().min().filter(|at| *at <= to);
            let at = next.unwrap_or(to).max(now);
            {
                let mut world = self.sim.world();
                if at > now {
                    world.region.lock().advance_to(at);
                }
                world.strike_due();
                world.observe_ecs();
                world.check_moment();
            }
            while let Some(over) = self.running.iter().position(|invocation| invocation.deadline <= at) {
                self.sim.world().counts.strike("invocations cut off at their deadline");
                self.crash(over);
            }
            if next.is_none() || self.is_broken() {
                return;
            }
        }
    }

    /// One invocation is killed, or the instance with all of them.
    pub(super) fn crash_some(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let (all, at) = {
            let mut world = self.sim.world();
            (world.choices.chance(20), world.choices.below(self.running.len()))
        };
        if !all {
            self.sim.world().counts.strike("invocations killed");
            return self.crash(at.min(self.running.len() - 1));
        }
        self.sim.world().counts.strike("instances replaced");
        while !self.running.is_empty() {
            self.crash(0);
        }
    }

    fn crash(&mut self, at: usize) {
        let RunningInvocation { number, work, answering, .. } = self.running.remove(at);
        self.sim.world().narrate(|_| format!("#{number} is cut off"));
        drop(answering);
        let mut world = self.sim.world();
        world.model.hiccups += 1;
        world.return_work(work);
    }
}
