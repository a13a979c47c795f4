//! The passing of time.

use super::state::{ControlPlane, Due};
use super::time::Millis;

impl ControlPlane {
    /// Advances time to `to`, through every due moment in order. Time never goes back: an earlier moment changes
    /// nothing.
    pub fn advance_to(&mut self, to: Millis) {
        while let Some(moment) = self.next_due().filter(|at| *at <= to) {
            self.now = moment;
            // Everything of one moment happens before the scheduler runs, so that it sees and reports all of it.
            while let Some((_, due)) = self.take_due(moment) {
                self.happen(due);
            }
            self.settle();
        }
        self.now = self.now.max(to);
    }

    fn take_due(&mut self, moment: Millis) -> Option<(Millis, Due)> {
        if self.next_due()? > moment {
            return None;
        }
        self.due.pop_first()
    }

    /// Carries out one due change.
    fn happen(&mut self, due: Due) {
        match due {
            Due::TaskStopsFurther(task) => self.task_stops_further(task),
            Due::TaskStops(task) => self.task_has_stopped(task),
            Due::TaskRuns(task) => self.task_runs(task),
            Due::ProtectionExpires(task) => {
                self.task_mut(task).protected_until = None;
                self.protection_changed(task);
            }
            Due::SchedulerRunsAgain(service) => {
                self.touched.insert(service);
            }
            Due::HookTimesOut(service) => self.hook_times_out(service),
            Due::HookIsInvoked(service) => {
                self.hooks_invoked.insert(service);
            }
            Due::ShiftGoesOn(service) => self.shift_goes_on(service),
            Due::InactiveServiceIsForgotten(service) => self.forget_service(service),
            Due::HoldIsRepeated(service) => self.repeat_hold(service),
            Due::StoppedTaskIsForgotten(task) => self.forget(task),
        }
    }
}
