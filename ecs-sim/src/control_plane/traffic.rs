//! Deployments that start all new tasks beside the old ones, move the traffic, wait, and only then stop the old ones:
//! blue/green, linear, canary, and the task sets of CodeDeploy and of external controllers.
//!
//! AWS's page "Amazon ECS blue/green service deployments workflow": scale up, traffic shift, bake time, clean up.
//! aws-facts: "ECS: deployments and protection": traffic moves, blue stays until its protection ends.

use super::eventbridge::ServiceAction;
use super::shift::{Shift, ShiftStep, ShiftWait};
use super::state::{ControlPlane, Due};
use super::task::TaskStatus;

impl ControlPlane {
    /// Ends the shift in progress and returns the production revision: the one that receives the traffic, otherwise
    /// `primary`.
    pub(super) fn end_shift(&mut self, key: u64, primary: String) -> String {
        let Some(shift) = self.service_mut(key).shift.take() else { return primary };
        if let Some(ShiftWait::Until(at)) = shift.wait {
            self.due.remove(&(at, Due::ShiftGoesOn(key)));
        }
        shift.in_production()
    }

    /// A deployment takes its first steps.
    pub(super) fn shift_begins(&mut self, key: u64) {
        self.schedule_next_step(key);
    }

    /// The hooks of the stage have let the deployment continue.
    pub(super) fn shift_goes_on_after_hooks(&mut self, key: u64) {
        if let Some(shift) = &mut self.service_mut(key).shift
            && shift.wait == Some(ShiftWait::Hooks)
        {
            shift.wait = None;
            self.schedule_next_step(key);
        }
    }

    /// A shift goes on when all green tasks run.
    pub(super) fn update_shift(&mut self, key: u64) {
        let service = &self.services[&key];
        let waits = |shift: &&Shift| shift.wait == Some(ShiftWait::GreenRuns);
        let Some(shift) = service.shift.as_ref().filter(waits) else { return };
        let green = service.deployments.iter().position(|deployment| deployment.id == shift.green);
        let wanted = green.map_or(0, |at| service.wanted(at));
        if self.running_in(key, &shift.green) < wanted {
            return;
        }
        if service.has_task_sets() {
            self.emit_service_action(key, ServiceAction::TasksetSteadyState);
        }
        if let Some(shift) = &mut self.service_mut(key).shift {
            shift.wait = None;
        }
        self.schedule_next_step(key);
    }

    /// The pause is over. A shift that ended earlier has removed its timer.
    pub(super) fn shift_goes_on(&mut self, key: u64) {
        if let Some(shift) = &mut self.service_mut(key).shift {
            shift.wait = None;
        }
        self.take_step(key);
        self.schedule_next_step(key);
        self.touched.insert(key);
    }

    pub(super) fn running_in(&self, key: u64, deployment: &str) -> usize {
        let tasks = self.services[&key].tasks.iter().map(|task| &self.tasks[task]);
        let runs = tasks.filter(|task| task.is_live() && task.last_status == TaskStatus::Running);
        runs.filter(|task| task.deployment.as_deref() == Some(deployment)).count()
    }

    /// Takes the steps that need no pause, and waits for the next step that does.
    fn schedule_next_step(&mut self, key: u64) {
        let now = self.now;
        while let Some(shift) = &mut self.service_mut(key).shift {
            if shift.wait.is_some() {
                return;
            }
            let pause = shift.steps.front().map_or(0, |(pause, _)| *pause);
            if pause > 0 {
                shift.wait = Some(ShiftWait::Until(now + pause));
                self.due.insert((now + pause, Due::ShiftGoesOn(key)));
                return;
            }
            self.take_step(key);
        }
    }

    fn take_step(&mut self, key: u64) {
        let now = self.now;
        let service = self.service_mut(key);
        let Some(shift) = &mut service.shift else { return };
        match shift.steps.pop_front() {
            Some((_, ShiftStep::Traffic(tenths))) => {
                shift.green_tenths = tenths;
                let green = shift.green.clone();
                if service.has_task_sets() {
                    service.make_primary(&green, now);
                }
            }
            Some((_, ShiftStep::GreenRuns)) => shift.wait = Some(ShiftWait::GreenRuns),
            Some((_, ShiftStep::Stage(stage))) => {
                self.enter_stage(key, stage);
                let is_paused = self.services[&key].is_paused();
                if let Some(shift) = self.service_mut(key).shift.as_mut().filter(|_| is_paused) {
                    shift.wait = Some(ShiftWait::Hooks);
                }
            }
            Some((_, ShiftStep::CleanUp)) | None => {
                let blue = shift.blue.clone();
                service.shift = None;
                if service.has_task_sets() {
                    service.drain(&blue, now);
                }
            }
        }
    }
}
