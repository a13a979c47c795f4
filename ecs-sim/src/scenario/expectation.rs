//! Checks the expectations of a scenario.

use super::entries::times_of_day;
use super::statement::Expectation;
use super::timeline::clock_time;
use super::world::ScenarioWorld;
use crate::control_plane::{DeploymentStage, Millis, SimulatedTask, TaskStatus};
use crate::region::{CLUSTER, DEAD_LETTER_QUEUE, INTERRUPTED_QUEUE, JOB_QUEUE};

const MINUTE_MS: Millis = 60_000;

/// Describes the difference if the expectation fails.
pub(super) fn check(world: &mut ScenarioWorld, expected: &Expectation) -> Result<(), String> {
    match expected {
        Expectation::Protected(task, remaining) => protected(world, task, *remaining),
        Expectation::Unprotected(task) => match world.task(task, |task| task.protected_until)? {
            None => Ok(()),
            Some(until) => Err(format!("{task} is protected until {}", clock_time(until))),
        },
        Expectation::Running(task) => {
            let runs = |task: &SimulatedTask| task.is_live() && task.last_status == TaskStatus::Running;
            status(world, task, "running", runs)
        }
        Expectation::Stopped(task) => {
            world.cut_off.remove(task);
            status(world, task, "stopped", |task| task.last_status == TaskStatus::Stopped)
        }
        Expectation::Steady(service) if !steady(world, service)? => Err(format!("{service} is not steady")),
        Expectation::Deploying(service) if steady(world, service)? => Err(format!("{service} is steady")),
        Expectation::Steady(_) | Expectation::Deploying(_) => Ok(()),
        Expectation::Held(service, stage) => match held_at(world, service)? {
            Some(found) if found == *stage => Ok(()),
            Some(found) => Err(format!("the deployment of {service} is held at {found:?}")),
            None => Err(format!("no deployment of {service} is held")),
        },
        Expectation::NotHeld(service) => match held_at(world, service)? {
            Some(found) => Err(format!("the deployment of {service} is held at {found:?}")),
            None => Ok(()),
        },
        Expectation::NotRolledBack(service) if is_rolled_back(world, service)? => {
            Err(format!("the last deployment of {service} was rolled back"))
        }
        Expectation::RolledBack(service) if is_rolled_back(world, service)? => Ok(()),
        Expectation::NotRolledBack(_) => Ok(()),
        Expectation::RolledBack(service) => Err(format!("the last deployment of {service} was not rolled back")),
        Expectation::HookAnswer(status, because) => hook_answer(world, status, because.as_deref()),
        Expectation::HookAnswers(number) => {
            same("hook answers", *number, std::mem::take(&mut world.hook_answers.uncounted))
        }
        Expectation::Deployments(number, service) => {
            same(&format!("deployments of {service}"), *number, deployments(world, service)?)
        }
        Expectation::Desired(service, number) => {
            same(&format!("desired count of {service}"), *number as usize, desired(world, service)?)
        }
        Expectation::Calls(number, of) => same(&format!("calls of {of}"), *number, world.take_calls_counted(of)),
        Expectation::Waiting(number) => same("waiting messages", *number, world.messages_in(JOB_QUEUE).len()),
        Expectation::DeadLettered(number, because) => dead_lettered(world, *number, because.as_deref()),
        Expectation::Alert(expected) => {
            let found = world.take_alert().map(|alert| alert.to_string());
            match found {
                Some(found) if found == *expected => Ok(()),
                Some(found) => Err(format!("the next alert is `{found}`")),
                None => Err("no alert was sent".to_owned()),
            }
        }
        Expectation::Mail(text) => mail(world, text),
        Expectation::Interrupted(number) => {
            same("interrupted jobs", *number, world.messages_in(INTERRUPTED_QUEUE).len())
        }
        Expectation::NoAlert => match world.alerts.first() {
            None => Ok(()),
            Some(alert) => Err(format!("an alert was sent: `{alert}`")),
        },
        Expectation::Answer(pointer, value) => answer(world, pointer, value),
        Expectation::Warning(text) => logged(world, "WARN", text),
        Expectation::NoWarning(text) => match logged(world, "WARN", text) {
            Ok(()) => Err("the function has logged this warning".to_owned()),
            Err(_) => Ok(()),
        },
        Expectation::Error(text) => logged(world, "ERROR", text),
    }
}

fn protected(world: &mut ScenarioWorld, task: &str, remaining: Option<Millis>) -> Result<(), String> {
    let until = world.task(task, |task| task.protected_until)?.ok_or_else(|| format!("{task} is not protected"))?;
    let Some(wished) = remaining else { return Ok(()) };
    let found = until - world.now();
    // Rounded up by at most 5 % or a minute, to whole minutes; and a call takes a moment.
    let most = wished + (wished / 20).max(MINUTE_MS) + MINUTE_MS;
    if (wished - MINUTE_MS / 2..=most).contains(&found) {
        return Ok(());
    }
    Err(format!("{task} is protected for {}m{}s more", found / MINUTE_MS, found % MINUTE_MS / 1000))
}

fn status(world: &mut ScenarioWorld, task: &str, word: &str, holds: fn(&SimulatedTask) -> bool) -> Result<(), String> {
    let (found, last, desired) = world.task(task, |task| (holds(task), task.last_status, task.desired_status))?;
    if found {
        Ok(())
    } else {
        Err(format!("{task} is not {word}: its lastStatus is {last:?}, its desiredStatus {desired:?}"))
    }
}

fn steady(world: &ScenarioWorld, service: &str) -> Result<bool, String> {
    let region = world.region.lock();
    let service = region.ecs.service(CLUSTER, service).ok_or_else(|| format!("there is no service `{service}`"))?;
    Ok(service.steady && service.deployments.len() == 1)
}

fn deployments(world: &ScenarioWorld, service: &str) -> Result<usize, String> {
    let region = world.region.lock();
    let service = region.ecs.service(CLUSTER, service).ok_or_else(|| format!("there is no service `{service}`"))?;
    Ok(service.deployments.len())
}

/// The stage at which hooks hold the deployment of a service.
fn held_at(world: &ScenarioWorld, service: &str) -> Result<Option<DeploymentStage>, String> {
    let region = world.region.lock();
    let service = region.ecs.service(CLUSTER, service).ok_or_else(|| format!("there is no service `{service}`"))?;
    Ok(service.service_deployment().filter(|deployment| deployment.waits()).and_then(|deployment| deployment.stage))
}

fn is_rolled_back(world: &ScenarioWorld, service: &str) -> Result<bool, String> {
    let region = world.region.lock();
    let service = region.ecs.service(CLUSTER, service).ok_or_else(|| format!("there is no service `{service}`"))?;
    Ok(service.service_deployment().is_some_and(|deployment| deployment.rollback.is_some()))
}

fn hook_answer(world: &ScenarioWorld, status: &str, because: Option<&str>) -> Result<(), String> {
    let Some(last) = &world.hook_answers.last else { return Err("no hook was answered".to_owned()) };
    if last.status == status && because.is_none_or(|because| last.because.contains(because)) {
        return Ok(());
    }
    Err(format!("the last answer to a hook is {}: {}", last.status, last.because))
}

fn desired(world: &ScenarioWorld, service: &str) -> Result<usize, String> {
    let region = world.region.lock();
    let service = region.ecs.service(CLUSTER, service).ok_or_else(|| format!("there is no service `{service}`"))?;
    Ok(service.desired_count as usize)
}

fn mail(world: &ScenarioWorld, expected: &str) -> Result<(), String> {
    let mail = world.last_mail.as_deref().ok_or("no line before this one expects an alert")?;
    // The email wraps its lines, and marks the continuation of a quoted text.
    let in_one_line = mail.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ");
    if in_one_line.contains(expected) { Ok(()) } else { Err(format!("the email does not contain this text:\n{mail}")) }
}

fn dead_lettered(world: &mut ScenarioWorld, number: usize, because: Option<&str>) -> Result<(), String> {
    let messages = world.messages_in(DEAD_LETTER_QUEUE);
    same("dead-lettered messages", number, messages.len())?;
    let (Some(because), Some(last)) = (because, messages.last()) else { return Ok(()) };
    let reason = last.attributes.get(taskhold::lambda::dead_letter::REASON_ATTRIBUTE).map(|reason| &reason.value);
    let reason = match reason {
        Some(crate::queue::AttributeValue::String(text)) => world.named(text),
        _ => "(none)".to_owned(),
    };
    if reason.contains(because) { Ok(()) } else { Err(format!("the reason of the last one is: {reason}")) }
}

fn logged(world: &mut ScenarioWorld, level: &str, text: &str) -> Result<(), String> {
    let written = |line: &super::function::LogLine| {
        let fields = line.fields.values().filter_map(|value| value.as_str()).collect::<Vec<_>>().join(" ");
        world.named(&format!("{} {fields}", line.message))
    };
    let found = world.logs.iter().position(|line| line.level == level && written(line).contains(text));
    match found {
        Some(at) => {
            world.logs.remove(at);
            Ok(())
        }
        None => {
            let lines: Vec<String> = world.logs.iter().filter(|line| line.level == level).map(written).collect();
            Err(format!("no log line of level {level} contains this text; there are {lines:?}"))
        }
    }
}

fn answer(world: &ScenarioWorld, pointer: &str, expected: &str) -> Result<(), String> {
    let found = match world.last_answer.pointer(pointer) {
        None => return Err(format!("the answer has no value at {pointer}: {}", world.last_answer)),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let found = times_of_day(&world.named(&found));
    if found == expected { Ok(()) } else { Err(format!("the answer has `{found}` at {pointer}")) }
}

fn same(what: &str, expected: usize, found: usize) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: {found}, not {expected}")) }
}
