//! The payload of a deployment lifecycle hook, and the answer to it (aws-facts "ECS deployment lifecycle hooks").
//!
//! ECS takes any answer without a valid `hookStatus`, and any error, for a failure that rolls the deployment back. The
//! payload is therefore read leniently: a missing or unknown member costs the gate, never the deployment.

use crate::config::clusters::Clusters;
use crate::ecs::arn::shown;
use crate::ecs::service::ServiceArn;
use crate::ecs::service_deployment::ServiceDeploymentArn;
use serde::Serialize;
use serde_json::{Map, Value};

/// The members of `hookDetails`, which ECS passes through.
pub type HookDetails = Map<String, Value>;

/// The stages that ECS runs again during a rollback (ECS Developer Guide, "Lambda hooks for Amazon ECS service
/// deployments").
const STAGES_RUN_AGAIN: [&str; 2] = ["TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"];

/// What ECS tells a lifecycle hook.
#[derive(Clone, Debug, PartialEq)]
pub struct HookInput {
    /// `lifecycleStage`, bounded; any text, because ECS adds stages.
    pub stage: String,
    /// `resourceArn`, the service deployment, bounded; empty if it is no text.
    pub deployment: String,
    /// The service that is deployed, or why it cannot be one of taskhold's.
    pub service: Result<ServiceArn, String>,
    /// The direction of the deployment.
    pub direction: Direction,
    /// `hookDetails` from the service's definition or from the answer before; empty if they are no object.
    pub details: HookDetails,
}

/// The direction in which a deployment moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the target revision, or ECS does not say.
    Forward,
    /// Back: traffic shifts away from the target revision.
    Rollback,
}

impl Direction {
    /// Its name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Rollback => "rollback",
        }
    }
}

impl HookInput {
    /// Reads the payload of a hook. `None` if it is no object with a `lifecycleStage` and another member of a hook's.
    pub fn parse(payload: &str, clusters: &Clusters) -> Option<Self> {
        let mut input: HookDetails = serde_json::from_str(payload).ok()?;
        let stage = input.get("lifecycleStage")?.as_str().filter(|stage| !stage.is_empty());
        let stage = stage.map_or_else(|| "a stage without a name".to_owned(), shown);
        ["executionId", "resourceArn", "executionDetails"].into_iter().find(|name| input.contains_key(*name))?;
        let execution = input.get("executionDetails").unwrap_or(&Value::Null);
        let direction = direction(&stage, execution);
        let resource = input.get("resourceArn");
        let deployment = resource.and_then(Value::as_str).map(shown).unwrap_or_default();
        let service = service(execution, resource, clusters);
        let details = match input.remove("hookDetails") {
            Some(Value::Object(details)) => details,
            // A tool may pass the object as text.
            Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or_default(),
            _ => HookDetails::new(),
        };
        Some(Self { stage, deployment, service, direction, details })
    }

    /// The names of the members of `hookDetails`, bounded.
    pub fn detail_names(&self) -> String {
        let names: Vec<&str> = self.details.keys().map(String::as_str).collect();
        shown(&names.join(", "))
    }
}

/// The service in `executionDetails`, or in the ARN of the service deployment,
/// `…:service-deployment/CLUSTER/SERVICE/ID`.
fn service(execution: &Value, deployment: Option<&Value>, clusters: &Clusters) -> Result<ServiceArn, String> {
    let named = execution.get("serviceArn").and_then(Value::as_str).map(str::to_owned);
    let of_deployment = || Some(deployment?.as_str()?.parse::<ServiceDeploymentArn>().ok()?.service_arn());
    let arn = named.or_else(of_deployment).ok_or("it names no service")?;
    clusters.service(&arn, None).map_err(|error| error.to_string())
}

fn direction(stage: &str, execution: &Value) -> Direction {
    let target = execution.get("targetServiceRevisionArn").and_then(Value::as_str);
    let weight = |weights: &str| execution.get(weights)?.get(target?)?.as_f64();
    let of_target: Vec<f64> =
        ["testTrafficWeights", "productionTrafficWeights"].into_iter().filter_map(weight).collect();
    let shifts_away = !of_target.is_empty() && of_target.iter().all(|weight| *weight <= 0.0);
    if shifts_away && STAGES_RUN_AGAIN.contains(&stage) { Direction::Rollback } else { Direction::Forward }
}

/// The answer to a lifecycle hook. It has no other member, because ECS documents none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "hookStatus", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum HookAnswer {
    /// The deployment continues.
    Succeeded {},
    /// The deployment rolls back.
    Failed {},
    /// ECS asks again later.
    InProgress {
        /// In how many seconds.
        call_back_delay: u32,
        /// What ECS passes the next time instead of the details of the service's definition.
        hook_details: HookDetails,
    },
}

impl HookAnswer {
    /// Its `hookStatus`.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Succeeded {} => "SUCCEEDED",
            Self::Failed {} => "FAILED",
            Self::InProgress { .. } => "IN_PROGRESS",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const REVISION: &str = "arn:aws:ecs:eu-west-1:111122223333:service-revision/video/web/2";
    const OLD_REVISION: &str = "arn:aws:ecs:eu-west-1:111122223333:service-revision/video/web/1";

    fn read(payload: &Value) -> HookInput {
        let video = "arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap();
        HookInput::parse(&payload.to_string(), &Clusters::new(vec![video]).unwrap()).unwrap()
    }

    fn payload(stage: &str, weights: &str, of_target: u32) -> Value {
        json!({
            "executionId": "a635edb5-a66b-4f44-bf3f-fcee4b3641a5",
            "lifecycleStage": stage,
            "resourceArn": "arn:aws:ecs:eu-west-1:111122223333:service-deployment/video/web/TFX5sH9q9XDboDTOv0rIt",
            "executionDetails": {
                "serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/video/web",
                "targetServiceRevisionArn": REVISION,
                weights: {REVISION: of_target, OLD_REVISION: 100 - of_target},
            },
        })
    }

    #[test]
    fn a_stage_without_a_name_is_called_so() {
        for stage in [json!(""), json!(7)] {
            let mut payload = payload("POST_SCALE_UP", "testTrafficWeights", 100);
            payload["lifecycleStage"] = stage;
            assert_eq!(read(&payload).stage, "a stage without a name");
        }
    }

    #[test]
    fn traffic_that_shifts_away_from_the_target_is_a_rollback() {
        for (stage, weights) in
            [("TEST_TRAFFIC_SHIFT", "testTrafficWeights"), ("PRODUCTION_TRAFFIC_SHIFT", "productionTrafficWeights")]
        {
            assert_eq!(read(&payload(stage, weights, 0)).direction, Direction::Rollback);
            assert_eq!(read(&payload(stage, weights, 10)).direction, Direction::Forward, "canary");
            assert_eq!(read(&payload(stage, "fromTheFuture", 0)).direction, Direction::Forward);
        }
        // Before the shift the target has no traffic yet.
        let before = payload("PRE_PRODUCTION_TRAFFIC_SHIFT", "productionTrafficWeights", 0);
        assert_eq!(read(&before).direction, Direction::Forward);
    }
}
