//! Parses the description of a service.

use super::super::statement::ServiceLine;
use super::hook::hook;
use super::words::{Parsed, Words, minutes};
use crate::control_plane::{DeploymentControllerType, EarlySuccessCriteria, StrategySpec};

pub(super) fn service(words: &mut Words<'_>) -> Parsed<ServiceLine> {
    let name = words.next("a name")?.to_owned();
    words.literal("desired")?;
    let mut line = ServiceLine {
        name,
        desired: words.number("a number of tasks")?,
        min: 100,
        max: 200,
        strategy: StrategySpec::Rolling,
        bake_minutes: None,
        hooks: Vec::new(),
        early_success: None,
        controller: DeploymentControllerType::Ecs,
        tags: Vec::new(),
    };
    loop {
        if words.has("min") {
            line.min = words.number("a percentage")?;
        } else if words.has("max") {
            line.max = words.number("a percentage")?;
        } else if words.has("strategy") {
            line.strategy = strategy(words)?;
        } else if words.has("bake") {
            line.bake_minutes = Some(minutes(words)?);
        } else if words.has("controller") {
            line.controller = controller(words)?;
        } else if words.has("hook") {
            line.hooks.push(hook(words)?);
        } else if words.has("early") {
            line.early_success = Some(early_success(words)?);
        } else if words.has("tag") {
            line.tags.push(tag(words)?);
        } else {
            return Ok(line);
        }
    }
}

fn strategy(words: &mut Words<'_>) -> Parsed<StrategySpec> {
    match words.next("a strategy")? {
        "rolling" => Ok(StrategySpec::Rolling),
        "blue-green" => Ok(StrategySpec::BlueGreen),
        "linear" => Ok(StrategySpec::LINEAR),
        "canary" => Ok(StrategySpec::CANARY),
        other => Err(format!("unknown strategy `{other}`: use `rolling`, `blue-green`, `linear` or `canary`")),
    }
}

/// `100 deferred`, without `early`.
fn early_success(words: &mut Words<'_>) -> Parsed<EarlySuccessCriteria> {
    let healthy_percent = words.number("a percentage")?;
    match words.next("`blocking` or `deferred`")? {
        "blocking" => Ok(EarlySuccessCriteria { healthy_percent, is_deferred: false }),
        "deferred" => Ok(EarlySuccessCriteria { healthy_percent, is_deferred: true }),
        other => Err(format!("expected `blocking` or `deferred`, not `{other}`")),
    }
}

fn controller(words: &mut Words<'_>) -> Parsed<DeploymentControllerType> {
    match words.next("a controller")? {
        "ecs" => Ok(DeploymentControllerType::Ecs),
        "code-deploy" => Ok(DeploymentControllerType::CodeDeploy),
        "external" => Ok(DeploymentControllerType::External),
        other => Err(format!("unknown controller `{other}`: use `ecs`, `code-deploy` or `external`")),
    }
}

pub(super) fn tag(words: &mut Words<'_>) -> Parsed<(String, String)> {
    let tag = words.next("a tag")?;
    let (key, value) = tag.split_once('=').ok_or_else(|| format!("`{tag}` is not a tag such as team=video"))?;
    Ok((key.to_owned(), value.to_owned()))
}
