//! `lifecycleHooks` and `earlySuccessCriteria` of a deployment configuration, in requests and answers.
//!
//! ECS's published model, "DeploymentLifecycleHook", "DeploymentEarlySuccessCriteria".

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ApiError;
use super::hook::{DeploymentStage, HookDecision, HookFunction, HookKind, HookSpec};

/// Time-out of a hook that sets none, and the longest of a Lambda hook.
const TIMEOUT_MINUTES_DEFAULT: i64 = 1440;
const PAUSE_MINUTES_MAX: i64 = 20_160;

/// When a rolling deployment succeeds early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlySuccessCriteria {
    /// The share of the desired count that must run.
    pub healthy_percent: u32,
    /// Whether old tasks are removed afterwards (DEFERRED) instead of before (BLOCKING).
    pub is_deferred: bool,
}

/// One of `lifecycleHooks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleHookMember {
    /// PAUSE, or AWS_LAMBDA if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_type: Option<String>,
    /// Of a Lambda hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_target_arn: Option<String>,
    /// Of a Lambda hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// Of a Lambda hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_details: Option<Value>,
    /// At least one.
    #[serde(default)]
    pub lifecycle_stages: Vec<String>,
    /// 1440 minutes and ROLLBACK if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_configuration: Option<HookTimeoutMember>,
}

/// `timeoutConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookTimeoutMember {
    /// 1440 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_in_minutes: Option<i64>,
    /// ROLLBACK if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<HookDecision>,
}

/// `earlySuccessCriteria`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlySuccessMember {
    /// Whether it is on.
    #[serde(default)]
    pub enable: bool,
    /// Required if it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_percent: Option<i64>,
    /// BLOCKING or DEFERRED; required if it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_service_revision_cleanup: Option<String>,
}

impl LifecycleHookMember {
    pub(super) fn spec(&self) -> Result<HookSpec, ApiError> {
        let kind = match self.target_type.as_deref() {
            Some("PAUSE") => HookKind::Pause,
            None | Some("AWS_LAMBDA") => HookKind::AwsLambda,
            Some(_) => return Err(ApiError::invalid("targetType is not a hook target type.")),
        };
        let stages: Vec<DeploymentStage> =
            self.lifecycle_stages.iter().map(|stage| hook_stage(stage, kind)).collect::<Result<_, _>>()?;
        let needs = || ApiError::invalid("A lifecycle hook needs lifecycleStages, and a Lambda hook hookTargetArn.");
        let function = match kind {
            HookKind::Pause => None,
            HookKind::AwsLambda => Some(HookFunction {
                arn: self.hook_target_arn.clone().ok_or_else(needs)?,
                role_arn: self.role_arn.clone(),
                details: self.hook_details.clone(),
            }),
        };
        if stages.is_empty() {
            return Err(needs());
        }
        let timeout = self.timeout_configuration.clone().unwrap_or_default();
        let max = if kind == HookKind::Pause { PAUSE_MINUTES_MAX } else { TIMEOUT_MINUTES_DEFAULT };
        let minutes = timeout.timeout_in_minutes.unwrap_or(TIMEOUT_MINUTES_DEFAULT);
        let minutes = u32::try_from(minutes).ok().filter(|minutes| (1..=max).contains(&i64::from(*minutes)));
        Ok(HookSpec {
            function,
            stages,
            timeout_minutes: minutes.ok_or_else(|| ApiError::invalid("timeoutInMinutes is out of range."))?,
            timeout_action: timeout.action.unwrap_or(HookDecision::Rollback),
        })
    }

    pub(super) fn of(spec: &HookSpec) -> Self {
        let stage = |stage: &DeploymentStage| {
            let text = serde_json::to_value(stage).expect("a stage is a word");
            text.as_str().unwrap_or_default().to_owned()
        };
        let function = spec.function.as_ref();
        Self {
            target_type: Some(if function.is_some() { "AWS_LAMBDA" } else { "PAUSE" }.to_owned()),
            hook_target_arn: function.map(|function| function.arn.clone()),
            role_arn: function.and_then(|function| function.role_arn.clone()),
            hook_details: function.and_then(|function| function.details.clone()),
            lifecycle_stages: spec.stages.iter().map(stage).collect(),
            timeout_configuration: Some(HookTimeoutMember {
                timeout_in_minutes: Some(spec.timeout_minutes.into()),
                action: Some(spec.timeout_action),
            }),
        }
    }
}

/// A stage at which a hook of this kind can run.
pub(super) fn hook_stage(stage: &str, kind: HookKind) -> Result<DeploymentStage, ApiError> {
    let stage = match stage {
        "RECONCILE_SERVICE" => DeploymentStage::ReconcileService,
        "PRE_SCALE_UP" => DeploymentStage::PreScaleUp,
        "POST_SCALE_UP" => DeploymentStage::PostScaleUp,
        "TEST_TRAFFIC_SHIFT" => DeploymentStage::TestTrafficShift,
        "POST_TEST_TRAFFIC_SHIFT" => DeploymentStage::PostTestTrafficShift,
        "PRE_PRODUCTION_TRAFFIC_SHIFT" => DeploymentStage::PreProductionTrafficShift,
        "PRODUCTION_TRAFFIC_SHIFT" => DeploymentStage::ProductionTrafficShift,
        "POST_PRODUCTION_TRAFFIC_SHIFT" => DeploymentStage::PostProductionTrafficShift,
        _ => return Err(ApiError::invalid("lifecycleStages has a stage without hooks.")),
    };
    let is_shift = matches!(stage, DeploymentStage::TestTrafficShift | DeploymentStage::ProductionTrafficShift);
    if is_shift && kind == HookKind::Pause {
        return Err(ApiError::invalid("PAUSE hooks cannot be configured at this stage."));
    }
    Ok(stage)
}

impl EarlySuccessMember {
    /// What it means for a service with this minimum healthy percent.
    pub(super) fn criteria(&self, minimum: u32) -> Result<Option<EarlySuccessCriteria>, ApiError> {
        if !self.enable {
            return Ok(None);
        }
        let percent = self.healthy_percent.and_then(|percent| u32::try_from(percent).ok());
        let percent = percent.filter(|percent| (minimum..=100).contains(percent));
        let healthy_percent = percent.ok_or_else(|| ApiError::invalid("healthyPercent is out of range."))?;
        let is_deferred = match self.source_service_revision_cleanup.as_deref() {
            Some("DEFERRED") => true,
            Some("BLOCKING") => false,
            _ => return Err(ApiError::invalid("sourceServiceRevisionCleanup is required.")),
        };
        Ok(Some(EarlySuccessCriteria { healthy_percent, is_deferred }))
    }

    pub(super) fn of(criteria: &EarlySuccessCriteria) -> Self {
        Self {
            enable: true,
            healthy_percent: Some(criteria.healthy_percent.into()),
            source_service_revision_cleanup: Some(
                if criteria.is_deferred { "DEFERRED" } else { "BLOCKING" }.to_owned(),
            ),
        }
    }
}
