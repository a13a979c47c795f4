//! A simulated ECS: tasks with protection that expires, and calls that take effect in time, late, or never.

use super::world::{Broken, Sabotage, Sim, World};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, MutexGuard};
use taskhold::ecs::arn::{ClusterArn, Task, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Page, Service, ServiceArn};
use taskhold::ecs::task::{StopCause, TaskDescription};
use taskhold::ecs::{
    Ecs, FailureReason, ProtectedTask, ProtectionAnswer, ProtectionFailure, ProtectionSetting, ServiceReads,
};
use taskhold::task::protection::{LATE_EFFECT_MAX, SENT_WITHIN};

/// Maximum time between sending a call and its effect: the maximum that taskhold assumes, less the time in which it
/// sends a recorded call, less a millisecond.
const STRIKES_WITHIN: SignedDuration =
    SignedDuration::from_millis((LATE_EFFECT_MAX.as_secs() - SENT_WITHIN.as_secs()) * 1000 - 1);

#[derive(Debug)]
pub(crate) struct ControlPlane {
    pub(crate) tasks: Vec<SimTask>,
    pub(crate) effects: Vec<Effect>,
    calls: Vec<SentCall>,
}

#[derive(Debug)]
pub(crate) struct SimTask {
    pub(crate) task: Task,
    pub(crate) protected_until: Option<Timestamp>,
    /// Until then ECS refuses protection with `DEPLOYMENT_BLOCKED`.
    pub(crate) blocked_until: Timestamp,
    pub(crate) stopped: bool,
}

/// The pending effect of a call on one task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effect {
    call: usize,
    task: usize,
    /// The latest time at which it takes effect.
    pub(crate) by: Timestamp,
    /// Takes effect at `by` and no earlier, unless ECS answers the call.
    pub(crate) late: bool,
}

#[derive(Debug)]
struct SentCall {
    setting: ProtectionSetting,
    fate: Fate,
    told: ProtectionAnswer,
}

/// The outcome of a call.
#[derive(Clone, Debug)]
enum Fate {
    Answered,
    /// As `Answered`, but neither list of the answer has one of the tasks.
    AnsweredInPart,
    FailsWithEffect(EcsError),
    FailsWithoutEffect(EcsError),
}

impl ControlPlane {
    pub(crate) fn new(tasks: usize) -> Self {
        let cluster: Arc<ClusterArn> = Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap());
        let task = |number: usize| SimTask {
            task: Task { cluster: cluster.clone(), id: format!("{:032x}", 10 + number).parse().unwrap() },
            protected_until: None,
            blocked_until: Timestamp::MIN,
            stopped: false,
        };
        Self { tasks: (0..tasks).map(task).collect(), effects: Vec::new(), calls: Vec::new() }
    }

    pub(crate) fn number_of(&self, id: &TaskId) -> usize {
        self.tasks.iter().position(|task| task.task.id == *id).expect("only known tasks are asked for")
    }
}

impl World {
    fn fate(&mut self, tasks: usize) -> Fate {
        if self.calm || !self.percent(self.rules.ecs_fault_percent) {
            return Fate::Answered;
        }
        let no_answer = match self.rules.sabotage {
            Sabotage::DeniesEffects => EcsError::Throttled,
            _ => EcsError::NoAnswer("timeout".to_owned()),
        };
        match self.rng.u32(..10) {
            0 => Fate::FailsWithoutEffect(EcsError::Throttled),
            1 => Fate::FailsWithoutEffect(EcsError::Server("500".to_owned())),
            2 => Fate::FailsWithEffect(EcsError::Server("500".to_owned())),
            3 => Fate::FailsWithoutEffect(no_answer),
            4..=6 => Fate::FailsWithEffect(no_answer),
            7 => Fate::FailsWithoutEffect(EcsError::AccessDenied("AccessDeniedException".to_owned())),
            8 if tasks > 1 => Fate::FailsWithoutEffect(EcsError::Rejected("InvalidParameterException".to_owned())),
            _ => Fate::AnsweredInPart,
        }
    }

    /// The function sends a call.
    fn send(&mut self, setting: ProtectionSetting, ids: &[TaskId]) -> usize {
        let fate = self.fate(ids.len());
        let number = self.ecs.calls.len();
        let tasks: Vec<usize> = ids.iter().map(|id| self.ecs.number_of(id)).collect();
        self.record(format!("  #{} sends call {number} {setting:?} for {tasks:?}: {fate:?}", self.polled));
        if !matches!(fate, Fate::FailsWithoutEffect(_)) {
            for task in tasks {
                let within = match self.rules.sabotage {
                    Sabotage::StrikesTooLate => STRIKES_WITHIN * 3,
                    _ => STRIKES_WITHIN,
                };
                let late = self.rng.bool();
                let millis = i64::try_from(within.as_millis()).unwrap();
                let millis = if self.rng.bool() { millis } else { self.rng.i64(0..millis) };
                let by = self.now + SignedDuration::from_millis(millis);
                self.ecs.effects.push(Effect { call: number, task, by, late });
            }
        }
        self.stats.releases += u64::from(setting == ProtectionSetting::Disabled);
        self.ecs.calls.push(SentCall { setting, fate, told: ProtectionAnswer::default() });
        number
    }

    /// Applies the effect of a call to one task.
    pub(crate) fn strike(&mut self, at: usize) {
        let Effect { call: number, task: place, .. } = self.ecs.effects.swap_remove(at);
        let (call, task) = (&mut self.ecs.calls[number], &mut self.ecs.tasks[place]);
        let task_id = task.task.id.clone();
        let refused = match call.setting {
            _ if task.stopped => Some(FailureReason::Missing),
            ProtectionSetting::Enabled { .. } if self.now < task.blocked_until => {
                Some(FailureReason::DeploymentBlocked)
            }
            _ => None,
        };
        if let Some(reason) = refused {
            call.told.failures.push(ProtectionFailure { task_id, reason: reason.clone(), detail: None });
            return self.record(format!("call {number} is refused for task {place}: {}", reason.as_str()));
        }
        task.protected_until = match call.setting {
            ProtectionSetting::Disabled => None,
            ProtectionSetting::Enabled { expires_in_minutes } => {
                Some(self.now + SignedDuration::from_mins(i64::from(expires_in_minutes)))
            }
        };
        let until = task.protected_until;
        let protection_enabled = until.is_some();
        call.told.protected_tasks.push(ProtectedTask { task_id, protection_enabled, expiration_date: until });
        let shown = until.map_or_else(|| "never".to_owned(), |until| self.shown(until));
        self.record(format!("call {number} strikes: task {place} protected until {shown}"));
        self.check_not_longer_than_asked(place);
    }

    fn check_not_longer_than_asked(&mut self, task: usize) {
        let bound = self.promise.protected_at_most_until(task);
        if let Some(until) =
            self.ecs.tasks[task].protected_until.filter(|until| bound.is_none_or(|bound| *until > bound))
        {
            let until = self.shown(until);
            self.break_off(
                Broken::Convergence,
                format!("task {task} is held until {until}, longer than any job asked"),
            );
        }
    }

    /// The answer to a call.
    fn answer(&mut self, number: usize) -> Result<ProtectionAnswer, EcsError> {
        let fate = self.ecs.calls[number].fate.clone();
        if let Fate::FailsWithEffect(error) | Fate::FailsWithoutEffect(error) = fate {
            let open = self.ecs.effects.iter().filter(|effect| effect.call == number).count();
            self.stats.late_effects += open as u64;
            self.record(format!("  #{} call {number} fails ({open} effects to come): {error}", self.polled));
            return Err(error);
        }
        while let Some(at) = self.ecs.effects.iter().position(|effect| effect.call == number) {
            self.strike(at);
        }
        let mut told = self.ecs.calls[number].told.clone();
        if matches!(fate, Fate::AnsweredInPart) && told.protected_tasks.pop().is_none() {
            told.failures.pop();
        }
        let (set, refused) = (told.protected_tasks.len(), told.failures.len());
        self.record(format!("  #{} call {number} is answered: {set} set, {refused} refused", self.polled));
        Ok(told)
    }
}

/// The function's ECS client.
#[derive(Debug)]
pub(crate) struct FakeEcs(pub(crate) Sim);

ecs_sim::updates_no_services!(FakeEcs);

/// The simulation has no services, but a sweep reads the protection of busy tasks.
impl ServiceReads for FakeEcs {
    async fn describe_service(&self, service: &ServiceArn) -> Result<Option<Service>, EcsError> {
        panic!("unexpected read of {service}")
    }

    async fn list_tasks(&self, service: &ServiceArn, _: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        panic!("unexpected list of the tasks of {service}")
    }

    async fn list_services(&self, _: &Arc<ClusterArn>, _: Option<&str>) -> Result<Page<ServiceArn>, EcsError> {
        Ok(Page { items: Vec::new(), next_token: None })
    }

    async fn describe_tasks(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        let world = self.0.read().await?;
        let running = tasks.iter().filter(|id| !world.ecs.tasks[world.ecs.number_of(id)].stopped);
        Ok(running.map(description).collect())
    }

    async fn get_task_protection(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        let world = self.0.read().await?;
        let mut answer = ProtectionAnswer::default();
        for id in tasks {
            let task = &world.ecs.tasks[world.ecs.number_of(id)];
            if task.stopped {
                let (task_id, reason) = (id.clone(), FailureReason::Missing);
                answer.failures.push(ProtectionFailure { task_id, reason, detail: None });
                continue;
            }
            let expiration_date = task.protected_until.filter(|until| *until > world.now);
            let protection_enabled = expiration_date.is_some();
            answer.protected_tasks.push(ProtectedTask { task_id: id.clone(), protection_enabled, expiration_date });
        }
        Ok(answer)
    }
}

fn description(id: &TaskId) -> TaskDescription {
    let running = || "RUNNING".to_owned();
    let (last_status, desired_status) = (running(), running());
    TaskDescription {
        id: id.clone(),
        service: None,
        started_by: None,
        last_status,
        desired_status,
        started_at: None,
        stop: StopCause::default(),
    }
}

impl Sim {
    /// Waits at a gate and then reads the world as it is at that moment, or fails.
    async fn read(&self) -> Result<MutexGuard<'_, World>, EcsError> {
        self.gate().await;
        let mut world = self.world();
        if world.fault() { Err(EcsError::NoAnswer("timeout".to_owned())) } else { Ok(world) }
    }
}

impl Ecs for FakeEcs {
    async fn update_task_protection(
        &self,
        _cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let call = self.0.world().send(setting, tasks);
        self.0.gate().await;
        self.0.world().answer(call)
    }
}
