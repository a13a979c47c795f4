//! Parses the lifecycle hooks of a service.

use super::words::{Parsed, Words, minutes};
use crate::control_plane::{DeploymentStage, HookDecision, HookFunction, HookSpec};
use crate::region::{FUNCTION_ARN, HOOK_ROLE_ARN, OTHER_FUNCTION_ARN};
use serde_json::{Value, json};

/// `pause post-scale-up [for 2h [then continue]]`, `gate pre-scale-up,post-scale-up until no-live-jobs …`, without
/// `hook`.
pub(super) fn hook(words: &mut Words<'_>) -> Parsed<HookSpec> {
    let function = match words.next("`pause`, `lambda` or `gate`")? {
        "pause" => None,
        "lambda" => Some(HookFunction::new(OTHER_FUNCTION_ARN, HOOK_ROLE_ARN)),
        "gate" => Some(HookFunction::new(FUNCTION_ARN, HOOK_ROLE_ARN)),
        other => return Err(format!("unknown hook `{other}`: use `pause`, `lambda` or `gate`")),
    };
    let stages: Vec<DeploymentStage> = words.next("a stage")?.split(',').map(stage).collect::<Parsed<_>>()?;
    let shifts = |stage| matches!(stage, DeploymentStage::TestTrafficShift | DeploymentStage::ProductionTrafficShift);
    if function.is_none() && stages.iter().copied().any(shifts) {
        return Err("there is no PAUSE hook at a stage in which traffic shifts".to_owned());
    }
    let function = match function {
        Some(function) if function.arn == FUNCTION_ARN => Some(HookFunction { details: details(words)?, ..function }),
        other => other,
    };
    let (mut timeout_minutes, mut timeout_action) = (1440, HookDecision::Rollback);
    if words.has("for") {
        timeout_minutes = minutes(words)?;
    }
    if words.has("then") {
        timeout_action = decision(words)?;
    }
    Ok(HookSpec { function, stages, timeout_minutes, timeout_action })
}

/// `hookDetails`: `details {"any":"JSON"}`, or a gate, `until no-live-jobs [at most 45m] [then rollback]`.
fn details(words: &mut Words<'_>) -> Parsed<Option<Value>> {
    if words.has("details") {
        let text = words.next("JSON without spaces")?;
        return serde_json::from_str(text).map(Some).map_err(|_| format!("`{text}` is no JSON"));
    }
    if !words.has("until") {
        return Ok(None);
    }
    let until = words.next("a condition")?;
    if !["deadline-met", "no-live-jobs"].contains(&until) {
        return Err(format!("expected `deadline-met` or `no-live-jobs`, not `{until}`"));
    }
    let mut block = json!({"until": until});
    if words.has("at") {
        words.literal("most")?;
        block["atMostMinutes"] = json!(minutes(words)?);
    }
    if words.has("then") {
        let then = match decision(words)? {
            HookDecision::Continue => "continue",
            HookDecision::Rollback => "rollback",
        };
        block["then"] = json!(then);
    }
    Ok(Some(json!({"taskhold": block})))
}

pub(super) fn stage(word: &str) -> Parsed<DeploymentStage> {
    Ok(match word {
        "reconcile-service" => DeploymentStage::ReconcileService,
        "pre-scale-up" => DeploymentStage::PreScaleUp,
        "post-scale-up" => DeploymentStage::PostScaleUp,
        "test-traffic-shift" => DeploymentStage::TestTrafficShift,
        "post-test-traffic-shift" => DeploymentStage::PostTestTrafficShift,
        "pre-production-traffic-shift" => DeploymentStage::PreProductionTrafficShift,
        "production-traffic-shift" => DeploymentStage::ProductionTrafficShift,
        "post-production-traffic-shift" => DeploymentStage::PostProductionTrafficShift,
        other => return Err(format!("`{other}` is not a stage with hooks, such as post-scale-up")),
    })
}

pub(super) fn decision(words: &mut Words<'_>) -> Parsed<HookDecision> {
    match words.next("`continue` or `rollback`")? {
        "continue" => Ok(HookDecision::Continue),
        "rollback" => Ok(HookDecision::Rollback),
        other => Err(format!("expected `continue` or `rollback`, not `{other}`")),
    }
}
