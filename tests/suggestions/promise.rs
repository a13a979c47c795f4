//! What each suggested action promises, checked against the simulated ECS.

use super::AlertMoment;
use ecs_sim::control_plane::{ControlPlane, Millis, RefusalRule, TaskStatus, Variants};
use ecs_sim::region::{CLUSTER, SharedRegion};
use serde_json::{Value, json};

const MINUTE: Millis = 60_000;
/// The time within which an action takes effect: a scheduler that waits before it stops a task, a task that stops, new
/// tasks that start, and a recheck.
const EFFECT_MAX: Millis = 20 * MINUTE;

/// A suggested action of an alert.
pub(super) struct AlertAction<'a> {
    pub(super) alert: &'a Value,
    pub(super) action: &'a Value,
    pub(super) variants: Variants,
}

impl AlertAction<'_> {
    /// Whether there is anything that the action can clear.
    pub(super) fn is_needed(&self, region: &SharedRegion) -> Result<(), String> {
        let ecs = &region.lock().ecs;
        let is_protected = |id: &String| ecs.task(id).is_some_and(|task| task.is_protected());
        let is_needed = match self.kind() {
            "wait" => !self.tasks(&self.alert["blockingTasks"]).is_empty(),
            "release-idle" | "release-by-force" => self.tasks(&self.action["taskArns"]).iter().any(is_protected),
            "raise-desired-count" => self.tasks(&self.alert["refusedTasks"]).iter().any(|id| !is_protected(id)),
            "raise-maximum-percent" => all_new_tasks_run(ecs, self.service()).is_err(),
            "continue-deployment" | "roll-back-deployment" => self.alert["paused"]["hooks"].is_array(),
            "extend-deadline" | "defer-clean-up" => {
                let margin = self.alert["deadline"]["marginMinutes"].as_i64();
                self.alert["kind"] == "deployment-at-risk" || margin.is_some_and(|minutes| minutes < 0)
            }
            _ => true,
        };
        if is_needed { Ok(()) } else { Err("there is nothing to clear".to_owned()) }
    }

    /// Lets the time pass after which the promise must have come true.
    pub(super) async fn wait(&self, moment: &mut AlertMoment<'_>, region: &SharedRegion) -> Result<(), String> {
        match self.kind() {
            "wait" => {
                let until: jiff::Timestamp = self.action["until"].as_str().unwrap().parse().unwrap();
                let left = until.as_millisecond() - region.lock().now();
                moment.advance(left.max(0) + EFFECT_MAX).await
            }
            "defer-clean-up" => {
                region.lock().ecs.deploy(CLUSTER, self.service()).map_err(|error| error.to_string())?;
                moment.advance(EFFECT_MAX).await
            }
            _ => moment.advance(EFFECT_MAX).await,
        }
    }

    /// What did not come true.
    pub(super) async fn check(&self, moment: &mut AlertMoment<'_>, region: &SharedRegion) -> Result<(), String> {
        match self.kind() {
            "extend-deadline" => return self.deadline_is_met(moment).await,
            "raise-desired-count" => return self.raise_helps(moment, region).await,
            _ => {}
        }
        let mut region = region.lock();
        let now = region.now();
        let ecs = &mut region.ecs;
        match self.kind() {
            "wait" => self.clears_by_itself(ecs),
            "release-idle" | "release-by-force" => gone(ecs, &self.tasks(&self.action["taskArns"]), self.alert),
            "raise-maximum-percent" => {
                kept(ecs, &self.protected_beyond(now))?;
                all_new_tasks_run(ecs, self.service())
            }
            "continue-deployment" => {
                kept(ecs, &self.protected_beyond(now))?;
                ended(self.waiting_hooks(ecs), "hooks still wait")
            }
            "roll-back-deployment" | "stop-deployment" => {
                ended(self.waiting_hooks(ecs), "hooks still wait")?;
                kept(ecs, &self.tasks(&self.alert["blockingTasks"]))?;
                steady(ecs, self.service())
            }
            "defer-clean-up" => succeeded(ecs, self.service(), &self.tasks(&self.alert["blockingTasks"])),
            other => Err(format!("nothing is known about `{other}`")),
        }
    }

    fn kind(&self) -> &str {
        self.action["action"].as_str().unwrap()
    }

    fn service(&self) -> &str {
        self.alert["serviceName"].as_str().unwrap()
    }

    /// The ids of tasks, from ARNs or from objects with one.
    fn tasks(&self, listed: &Value) -> Vec<String> {
        let arn = |task: &Value| task.as_str().or(task["taskArn"].as_str()).map(str::to_owned);
        let arns = listed.as_array().into_iter().flatten().filter_map(arn);
        arns.map(|arn| arn.rsplit('/').next().unwrap().to_owned()).collect()
    }

    /// The busy blocking tasks whose protection had not expired by this time.
    fn protected_beyond(&self, now: Millis) -> Vec<String> {
        let is_busy = |task: &&Value| task["protectedFor"] == "jobs";
        let until = |task: &Value| task["protectedUntil"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let blocking = self.alert["blockingTasks"].as_array().into_iter().flatten().filter(is_busy);
        let tasks: Vec<Value> = blocking.filter(|task| until(task).as_millisecond() > now).cloned().collect();
        self.tasks(&Value::Array(tasks))
    }

    /// Whether the service no longer has the count that the action sets.
    fn is_lowered(&self, ecs: &ControlPlane) -> bool {
        let service = ecs.service(CLUSTER, self.service());
        service.is_some_and(|service| i64::from(service.desired_count) < self.action["to"].as_i64().unwrap())
    }

    /// ECS protects the refused tasks, at once or, as the action says, when no protected task blocks any more. The count
    /// that is then set back stops none of them.
    async fn raise_helps(&self, moment: &mut AlertMoment<'_>, region: &SharedRegion) -> Result<(), String> {
        let mut stopped = Vec::new();
        let hold = |stopped: &[String], check: fn(&ControlPlane, &[String]) -> Result<(), String>| {
            let region = region.lock();
            let mut refused = self.refused_beyond(region.now());
            refused.retain(|task| !stopped.contains(task));
            check(&region.ecs, &refused)
        };
        // As the action says, Application Auto Scaling may lower the count again.
        if self.is_lowered(&region.lock().ecs) {
            return Ok(());
        }
        hold(&stopped, kept)?;
        match (hold(&stopped, granted), self.variants.refusal) {
            (Ok(()), _) => {}
            (Err(problem), RefusalRule::Outnumbered) => return Err(problem),
            (Err(_), RefusalRule::Blocked) => {
                self.no_higher_count_is_suggested(moment).await?;
                // A task whose renewal ECS refuses may be one of those that block.
                stopped = self.tasks(&self.alert["blockingTasks"]);
                for task in &stopped {
                    let stop = json!({"cluster": CLUSTER, "task": task});
                    moment.call_ecs("StopTask", &stop).map_err(|error| error.to_string())?;
                }
                moment.advance(EFFECT_MAX).await?;
                hold(&stopped, granted)?;
            }
        }
        let desired = &self.alert["taskCounts"]["desired"];
        let back = json!({"cluster": CLUSTER, "service": self.service(), "desiredCount": desired});
        moment.call_ecs("UpdateService", &back).map_err(|error| error.to_string())?;
        moment.advance(EFFECT_MAX).await?;
        hold(&stopped, kept)
    }

    /// The refused tasks with jobs that may still run at this time.
    fn refused_beyond(&self, now: Millis) -> Vec<String> {
        let until = |job: &Value| job["until"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let is_live = |task: &&Value| task["jobs"].as_array().into_iter().flatten().any(|job| until(job) > now);
        let refused = self.alert["refusedTasks"].as_array().into_iter().flatten().filter(is_live);
        self.tasks(&Value::Array(refused.cloned().collect()))
    }

    /// A raise that does not help is not followed by the advice to raise further.
    async fn no_higher_count_is_suggested(&self, moment: &mut AlertMoment<'_>) -> Result<(), String> {
        let status = json!({"status": {"service": self.service()}}).to_string();
        let answer = moment.ask(&status).await.ok_or("the function failed")?;
        let actions = answer["status"]["services"][0]["suggestedActions"].as_array().cloned().unwrap_or_default();
        let higher =
            actions.iter().filter(|action| action["action"] == self.kind()).map(|action| action["to"].to_string());
        ended(higher.collect(), "a count that is higher still is suggested")
    }

    /// The hooks of the alert's pause that still wait.
    fn waiting_hooks(&self, ecs: &mut ControlPlane) -> Vec<String> {
        let deployment = &self.alert["paused"]["serviceDeployment"];
        let request = json!({"serviceDeploymentArns": [deployment]});
        let Ok(answer) = ecs.call("DescribeServiceDeployments", &request) else { return Vec::new() };
        let before = self.alert["paused"]["hooks"].as_array().cloned().unwrap_or_default();
        let hooks = answer["serviceDeployments"][0]["lifecycleHookDetails"].as_array().cloned().unwrap_or_default();
        let waiting = hooks.iter().filter(|hook| hook["status"] == "AWAITING_ACTION").map(|hook| &hook["hookId"]);
        waiting.filter(|id| before.iter().any(|hook| hook["hookId"] == **id)).map(Value::to_string).collect()
    }

    /// The tasks no longer block, except those whose workers asked for more time in the meantime. Without a block, ECS
    /// stops no task yet, but none is protected any more.
    fn clears_by_itself(&self, ecs: &mut ControlPlane) -> Result<(), String> {
        let until: jiff::Timestamp = self.action["until"].as_str().unwrap().parse().unwrap();
        let renewed_from = until.as_millisecond() + MINUTE;
        let is_renewed = |id: &String| ecs.task(id).and_then(|task| task.protected_until) > Some(renewed_from);
        let tasks: Vec<String> =
            self.tasks(&self.alert["blockingTasks"]).into_iter().filter(|id| !is_renewed(id)).collect();
        if self.alert["rolloutStatus"] == "blocked" {
            return gone(ecs, &tasks, self.alert);
        }
        let protected = tasks.into_iter().filter(|id| ecs.task(id).is_some_and(|task| task.is_protected()));
        ended(protected.collect(), "tasks are protected")
    }

    /// The function expects the deployment to meet its deadline, and says so if it had reported the opposite.
    async fn deadline_is_met(&self, moment: &mut AlertMoment<'_>) -> Result<(), String> {
        let status = json!({"status": {"service": self.service()}}).to_string();
        let answer = moment.ask(&status).await.ok_or("the function failed")?;
        let margin = &answer["status"]["services"][0]["deadline"]["marginMinutes"];
        if margin.as_i64().is_some_and(|minutes| minutes < 0) {
            return Err(format!("the margin is {margin} minutes"));
        }
        let kind = "deployment-at-risk";
        let of_kind = |alert: &&Value| alert["kind"] == kind && alert["serviceName"] == self.alert["serviceName"];
        match moment.alerts().iter().rfind(of_kind) {
            Some(alert) if self.alert["kind"] == kind && alert["event"] != "resolved" => {
                Err(format!("the last `{kind}` is {}", alert["event"]))
            }
            _ => Ok(()),
        }
    }
}

/// The tasks no longer block: ECS has stopped them. In a scale-in it may have stopped others instead, and without a
/// rollout it keeps them unprotected.
fn gone(ecs: &mut ControlPlane, tasks: &[String], alert: &Value) -> Result<(), String> {
    let kind = alert["rollout"]["kind"].as_str().unwrap_or("none");
    for id in tasks {
        let Some(task) = ecs.task(id) else { continue };
        if task.last_status == TaskStatus::Stopped {
            continue;
        }
        match kind {
            _ if task.is_protected() => return Err(format!("task {id} is protected")),
            "none" => {}
            "scale-in" => steady(ecs, alert["serviceName"].as_str().unwrap())?,
            _ => return Err(format!("task {id} still runs")),
        }
    }
    Ok(())
}

fn granted(ecs: &ControlPlane, tasks: &[String]) -> Result<(), String> {
    let unprotected = tasks.iter().filter(|id| ecs.task(id).is_some_and(|task| task.is_live() && !task.is_protected()));
    ended(unprotected.cloned().collect(), "tasks are still refused")
}

fn kept(ecs: &ControlPlane, tasks: &[String]) -> Result<(), String> {
    let stopped = tasks.iter().filter(|id| !ecs.task(id).is_some_and(|task| task.is_live()));
    ended(stopped.cloned().collect(), "old tasks have stopped")
}

fn all_new_tasks_run(ecs: &ControlPlane, service: &str) -> Result<(), String> {
    let Some(service) = ecs.service(CLUSTER, service) else { return Ok(()) };
    let newest = &service.primary().id;
    let is_new = |task: &&_| is_of(task, newest);
    let running = ecs.tasks_of(CLUSTER, &service.name).filter(is_new).count();
    match running >= service.desired_count as usize {
        true => Ok(()),
        false => Err(format!("{running} of {} new tasks run", service.desired_count)),
    }
}

fn is_of(task: &ecs_sim::control_plane::SimulatedTask, deployment: &str) -> bool {
    task.is_live() && task.last_status == TaskStatus::Running && task.deployment.as_deref() == Some(deployment)
}

fn steady(ecs: &ControlPlane, service: &str) -> Result<(), String> {
    match ecs.service(CLUSTER, service) {
        Some(service) if !service.steady => Err(format!("{} is not steady", service.name)),
        _ => Ok(()),
    }
}

/// The newest deployment has succeeded although the tasks still run.
fn succeeded(ecs: &mut ControlPlane, service: &str, tasks: &[String]) -> Result<(), String> {
    kept(ecs, tasks)?;
    let request = json!({"cluster": CLUSTER, "services": [service]});
    let answer = ecs.call("DescribeServices", &request).map_err(|error| error.to_string())?;
    match answer["services"][0]["deployments"][0]["rolloutState"].as_str() {
        Some("COMPLETED") => Ok(()),
        other => Err(format!("the next deployment is {other:?}")),
    }
}

fn ended(left: Vec<String>, problem: &str) -> Result<(), String> {
    if left.is_empty() { Ok(()) } else { Err(format!("{problem}: {}", left.join(", "))) }
}
