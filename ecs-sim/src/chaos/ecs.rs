//! The function's client of ECS: it calls the Region's ECS, but calls fail, take effect late, or get a partial answer.

use super::broken::Broken;
use super::effects::{Fate, Strikes};
use super::protection::SentRequest;
use super::rules::{Focus, Sabotage};
use super::world::{Chaotic, STRIKES_WITHIN_MS, World};
use crate::doubles::ecs::{SimulatedEcs, answer, count_request, protection_request};
use crate::region::CLUSTER;
use async_trait::async_trait;
use std::sync::Arc;
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Service, ServiceArn};
use taskhold::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use taskhold::ecs::task::TaskDescription;
use taskhold::ecs::{Ecs, ProtectionAnswer, ProtectionSetting, ServiceReads, ServiceUpdates};
use taskhold::page::Page;

impl World {
    /// A call for another desired count takes effect.
    fn set_count(&mut self, service: &ServiceArn, to: u32) -> Result<(), EcsError> {
        let before = self.region.lock().ecs.service(CLUSTER, &service.name).map(|service| service.desired_count);
        if self.rules.sabotage == Sabotage::CountsNotPutBack && before.is_some_and(|before| to < before) {
            return Ok(());
        }
        let request = count_request(service, to);
        let answered = answer(&mut self.region.lock(), "UpdateService", &request);
        answered.expect("no fault of the Region's own is set")?;
        if let Some(before) = before {
            self.narrate(|_| format!("  ECS changes the desired count of {} from {before} to {to}", service.name));
            self.count_was_set(&service.name, before, to);
        }
        Ok(())
    }

    fn count_was_set(&mut self, name: &str, before: u32, to: u32) {
        let last_read = self.last_reads.get(&(self.polled, name.to_owned())).copied();
        let Some(service) = self.model.services.get_mut(name) else { return };
        let count = &mut service.count;
        count.known = to;
        // Another actor set the count after taskhold had last read it; ECS offers no conditional update
        // (docs/remediations.md, "Cost and limits of a raise").
        count.is_overruled |= last_read.is_none_or(|read| count.set_at >= read);
        let (ceiling, by_others, is_overruled) = (count.ceiling, count.set_by_others, count.is_overruled);
        self.counts.add(if to > before { "desired counts raised" } else { "desired counts put back" });
        if is_overruled {
            self.counts.add("desired counts overwritten");
        } else if to > before && to > ceiling {
            self.break_off(Broken::Count, format!("{name} was raised to {to}, but its tag allows only {ceiling}"));
        } else if to < before && to != by_others {
            self.break_off(Broken::Count, format!("{name} was lowered to {to}, but another actor has set {by_others}"));
        }
    }

    /// Whether a read of ECS fails, and how.
    fn read_fault(&mut self) -> Option<EcsError> {
        if !self.fault(self.rules.read_fault_percent) {
            return None;
        }
        self.counts.strike("reads of ECS fail");
        Some(match self.choices.below(3) {
            0 => EcsError::NoAnswer("timeout".to_owned()),
            1 => EcsError::Throttled,
            _ => EcsError::Server("500".to_owned()),
        })
    }
}

impl Chaotic<SimulatedEcs> {
    /// A read either fails or returns the present state; the answer itself arrives later.
    async fn read<T>(&self, read: impl Future<Output = Result<T, EcsError>>) -> Result<T, EcsError> {
        let fault = self.sim.world().read_fault();
        let result = match fault {
            Some(error) => Err(error),
            None => read.await,
        };
        self.sim.gate().await;
        result
    }
}

#[async_trait]
impl Ecs for Chaotic<SimulatedEcs> {
    async fn update_task_protection(
        &self,
        cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let (fate, call) = self.sim.world().sends_protection(setting, tasks);
        let focus = self.sim.world().rules.focus;
        let result = match fate.strikes {
            Strikes::InTime | Strikes::Late if focus == Focus::Protection => {
                let requests = tasks.iter().map(|id| protection_request(cluster, setting, std::slice::from_ref(id)));
                let call = self.sim.world().sends_apart(&call, requests);
                self.sim.gate().await;
                let mut world = self.sim.world();
                if fate.error.is_some() { world.answer_given_up(call) } else { world.answer(call) }
            }
            Strikes::InTime => {
                let request = protection_request(cluster, setting, tasks);
                self.sim.send(move |world| world.set_protection(&call, &request)).await
            }
            Strikes::Late => {
                let requests = tasks.iter().map(|id| protection_request(cluster, setting, std::slice::from_ref(id)));
                for request in requests {
                    let call = call.clone();
                    let strike = Box::new(move |world: &mut World| drop(world.set_protection(&call, &request)));
                    self.sim.world().leave_behind(STRIKES_WITHIN_MS, strike);
                }
                Ok(ProtectionAnswer::default())
            }
            Strikes::Never => Ok(ProtectionAnswer::default()),
        };
        self.sim.gate().await;
        {
            let mut world = self.sim.world();
            let number = world.polled;
            world.stopped_clocks.remove(&number);
            world.narrate(|_| format!("  #{number} gets its answer: {fate:?}"));
        }
        if let Some(error) = fate.error {
            return Err(error);
        }
        let mut result = result?;
        if fate.is_partial && result.protected_tasks.pop().is_none() {
            result.failures.pop();
        }
        Ok(result)
    }
}

impl World {
    fn sends_protection(&mut self, setting: ProtectionSetting, tasks: &[TaskId]) -> (Fate, SentRequest) {
        self.counts.add("calls of UpdateTaskProtection");
        let fate = self.fate(tasks.len());
        let number = self.polled;
        self.narrate(|_| {
            format!(
                "  #{number} requests {setting:?} for {}",
                tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().join(" ")
            )
        });
        (fate, self.protection_call(setting, tasks))
    }
}

#[async_trait]
impl ServiceReads for Chaotic<SimulatedEcs> {
    async fn describe_services(&self, cluster: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        {
            let mut world = self.sim.world();
            let (now, reader) = (world.now(), world.polled);
            for service in services {
                world.last_reads.insert((reader, service.name.clone()), now);
            }
        }
        self.read(self.inner.describe_services(cluster, services)).await
    }

    async fn list_tasks(&self, service: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        self.read(self.inner.list_tasks(service, next_token)).await
    }

    async fn describe_tasks(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        self.read(self.inner.describe_tasks(cluster, tasks)).await
    }

    async fn get_task_protection(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        self.sim.world().reads_protection(tasks);
        let read = async {
            let mut answer = self.inner.get_task_protection(cluster, tasks).await?;
            let world = self.sim.world();
            if world.rules.sabotage == Sabotage::ForeignProtectionNotSeen {
                world.disguise(cluster, &mut answer);
            }
            Ok(answer)
        };
        let mut result = self.read(read).await?;
        let mut world = self.sim.world();
        let percent = world.rules.read_fault_percent;
        if world.fault(percent) {
            world.counts.strike("ECS answers a read partially");
            result.protected_tasks.pop();
        }
        Ok(result)
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        self.read(self.inner.describe_service_deployments(arns)).await
    }

    async fn list_services(
        &self,
        cluster: &Arc<ClusterArn>,
        next_token: Option<&str>,
    ) -> Result<Page<ServiceArn>, EcsError> {
        self.read(self.inner.list_services(cluster, next_token)).await
    }
}

#[async_trait]
impl ServiceUpdates for Chaotic<SimulatedEcs> {
    async fn set_desired_count(&self, service: &ServiceArn, to: u32) -> Result<(), EcsError> {
        let fate = self.sim.world().fate(1);
        let number = self.sim.world().polled;
        self.sim
            .world()
            .narrate(|_| format!("  #{number} requests the desired count {to} of {}: {fate:?}", service.name));
        let of = service.clone();
        // The caller's own read counts, even if the call takes effect while another invocation runs.
        let set = move |world: &mut World| {
            let polled = std::mem::replace(&mut world.polled, number);
            let set = world.set_count(&of, to);
            world.polled = polled;
            set
        };
        let result = match fate.strikes {
            Strikes::InTime => self.sim.send(set).await,
            Strikes::Late => {
                self.sim.world().leave_behind(STRIKES_WITHIN_MS, Box::new(move |world| drop(set(world))));
                Ok(())
            }
            Strikes::Never => Ok(()),
        };
        self.sim.gate().await;
        fate.error.map_or(result, Err)
    }
}
