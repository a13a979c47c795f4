//! The AWS CLI commands of suggested actions.

use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::deployment::DeploymentStrategy;
use crate::ecs::deployment_options::{
    AlarmOptions, CircuitBreakerOptions, DeploymentOptions, EarlySuccess, OtherOptions, RevisionCleanup,
};
use crate::ecs::service::Service;
use crate::ecs::service_deployment::{HookAction, ServiceDeploymentArn};
use crate::service::forecast::DEADLINE_TAG;
use serde_json::{Value, json};

/// taskhold's own release, which checks that no job has started on the tasks in the meantime. `function` is the name of
/// the Lambda function.
pub(super) fn release(cluster: &ClusterArn, function: &str, tasks: &[TaskId]) -> String {
    let tasks: Vec<&str> = tasks.iter().map(TaskId::as_str).collect();
    invoke(cluster, function, &json!({"release": {"cluster": cluster.name, "tasks": tasks}}))
}

/// The same for busy tasks and foreign protection.
pub(super) fn release_by_force(cluster: &ClusterArn, function: &str, tasks: &[TaskId]) -> String {
    let tasks: Vec<&str> = tasks.iter().map(TaskId::as_str).collect();
    let release = json!({"cluster": cluster.name, "tasks": tasks, "force": true, "by": "on-call"});
    invoke(cluster, function, &json!({ "release": release }))
}

/// Sends a command to the function.
pub(crate) fn invoke(cluster: &ClusterArn, function: &str, payload: &Value) -> String {
    format!(
        "aws lambda invoke --region {} --function-name {} --cli-binary-format raw-in-base64-out --payload {} /dev/stdout",
        shell_quoted(&cluster.region),
        shell_quoted(function),
        shell_quoted(&payload.to_string())
    )
}

/// Sets the service's own deadline.
pub(super) fn set_deadline(service: &Service, minutes: i64) -> String {
    format!(
        "aws ecs tag-resource --region {} --resource-arn {} --tags key={DEADLINE_TAG},value={minutes}",
        shell_quoted(&service.arn.cluster.region),
        shell_quoted(&service.arn.to_string())
    )
}

pub(super) fn set_desired_count(service: &Service, to: u32) -> String {
    format!("{} --desired-count {to}", update_service(service))
}

/// `None` if the command could change more than that.
pub(super) fn set_maximum_percent(service: &Service, to: u32) -> Option<String> {
    set_configuration(service, to, service.options.early_success.as_ref())
}

/// Lets the next rolling deployments succeed as soon as all new tasks are healthy. `None` if the command could change
/// more than that.
pub(super) fn defer_clean_up(service: &Service) -> Option<String> {
    let deferred = EarlySuccess { enable: true, healthy_percent: Some(100), cleanup: Some(RevisionCleanup::Deferred) };
    set_configuration(service, service.maximum_percent, Some(&deferred))
}

pub(super) fn proceed(region: &str, deployment: &ServiceDeploymentArn, hook: &str, action: &HookAction) -> String {
    format!(
        "aws ecs continue-service-deployment --region {} --service-deployment-arn {} --hook-id {} --action {}",
        shell_quoted(region),
        shell_quoted(deployment.as_str()),
        shell_quoted(hook),
        shell_quoted(action.as_str())
    )
}

pub(super) fn stop(region: &str, deployment: &ServiceDeploymentArn) -> String {
    format!(
        "aws ecs stop-service-deployment --region {} --service-deployment-arn {} --stop-type ROLLBACK",
        shell_quoted(region),
        shell_quoted(deployment.as_str())
    )
}

fn update_service(service: &Service) -> String {
    let cluster = &service.arn.cluster;
    format!(
        "aws ecs update-service --region {} --cluster {} --service {}",
        shell_quoted(&cluster.region),
        shell_quoted(&cluster.name),
        shell_quoted(&service.arn.name)
    )
}

/// Sets the maximum percent and the early success, and repeats the rest of the configuration, because AWS does not say
/// whether members that are left out keep their values (aws-facts "Open questions"). `None` if the service has
/// members that cannot be repeated.
fn set_configuration(service: &Service, maximum_percent: u32, early: Option<&EarlySuccess>) -> Option<String> {
    let DeploymentOptions { circuit_breaker, alarms, early_success: _, others } = &service.options;
    if *others == OtherOptions::Some {
        return None;
    }
    let mut members = vec![
        ("maximumPercent", json!(maximum_percent)),
        ("minimumHealthyPercent", json!(service.minimum_healthy_percent)),
    ];
    if service.strategy != DeploymentStrategy::Rolling {
        members.push(("strategy", json!(service.strategy.as_str())));
    }
    members.extend(circuit_breaker.as_ref().and_then(circuit_breaker_member));
    members.extend(alarms.as_ref().and_then(alarms_member));
    members.extend(early.and_then(early_success_member));
    let is_plain = members.iter().all(|(_, value)| value.is_u64());
    let configuration = match is_plain {
        true => members.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","),
        false => Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()).to_string(),
    };
    Some(format!("{} --deployment-configuration {}", update_service(service), shell_quoted(&configuration)))
}

/// A circuit breaker that is off is the default.
fn circuit_breaker_member(breaker: &CircuitBreakerOptions) -> Option<(&'static str, Value)> {
    let mut member = json!({"enable": breaker.enable, "rollback": breaker.rollback});
    if let Some(resets) = breaker.reset_on_healthy_task {
        member["resetOnHealthyTask"] = json!(resets);
    }
    if let Some(threshold) = &breaker.threshold {
        member["thresholdConfiguration"] = json!({"type": threshold.kind, "value": threshold.value});
    }
    (*breaker != CircuitBreakerOptions::default()).then_some(("deploymentCircuitBreaker", member))
}

/// Without names there are no alarms.
fn alarms_member(alarms: &AlarmOptions) -> Option<(&'static str, Value)> {
    let member = json!({"alarmNames": alarms.names, "enable": alarms.enable, "rollback": alarms.rollback});
    (alarms.enable || !alarms.names.is_empty()).then_some(("alarms", member))
}

fn early_success_member(early: &EarlySuccess) -> Option<(&'static str, Value)> {
    let mut member = json!({"enable": early.enable});
    if let Some(percent) = early.healthy_percent {
        member["healthyPercent"] = json!(percent);
    }
    if let Some(cleanup) = &early.cleanup {
        member["sourceServiceRevisionCleanup"] = json!(cleanup.as_str());
    }
    early.enable.then_some(("earlySuccessCriteria", member))
}

/// One POSIX shell argument: unquoted if it contains no special character, else in single quotes.
pub fn shell_quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::deployment_options::FailureThreshold;
    use crate::service::snapshot::fixture;
    use jiff::Timestamp;

    fn service() -> Service {
        fixture::service(Timestamp::UNIX_EPOCH).service
    }

    #[test]
    fn a_configuration_is_repeated_whole() {
        let mut service = service();
        let plain = set_maximum_percent(&service, 300).unwrap();
        assert!(plain.ends_with("--deployment-configuration maximumPercent=300,minimumHealthyPercent=100"), "{plain}");
        let breaker = CircuitBreakerOptions { enable: true, rollback: true, ..CircuitBreakerOptions::default() };
        let alarms = AlarmOptions { names: vec!["it's on fire".to_owned()], enable: true, rollback: false };
        service.options =
            DeploymentOptions { circuit_breaker: Some(breaker), alarms: Some(alarms), ..DeploymentOptions::default() };
        let command = defer_clean_up(&service).unwrap();
        let (_, configuration) = command.split_once("--deployment-configuration ").unwrap();
        let configuration = configuration.trim_matches('\'').replace(r"'\''", "'");
        let expected = json!({
            "maximumPercent": 200, "minimumHealthyPercent": 100,
            "deploymentCircuitBreaker": {"enable": true, "rollback": true},
            "alarms": {"alarmNames": ["it's on fire"], "enable": true, "rollback": false},
            "earlySuccessCriteria": {
                "enable": true, "healthyPercent": 100, "sourceServiceRevisionCleanup": "DEFERRED"}
        });
        assert_eq!(serde_json::from_str::<Value>(&configuration).unwrap(), expected);
    }

    #[test]
    fn a_higher_maximum_percent_changes_nothing_else() {
        let mut service = service();
        let threshold = Some(FailureThreshold { kind: "COUNT".to_owned(), value: 7 });
        service.strategy = DeploymentStrategy::Canary;
        service.options = DeploymentOptions {
            circuit_breaker: Some(CircuitBreakerOptions {
                enable: true,
                rollback: false,
                reset_on_healthy_task: Some(false),
                threshold,
            }),
            early_success: Some(EarlySuccess {
                enable: true,
                healthy_percent: Some(75),
                cleanup: Some(RevisionCleanup::Blocking),
            }),
            ..DeploymentOptions::default()
        };
        let command = set_maximum_percent(&service, 300).unwrap();
        let (_, configuration) = command.split_once("--deployment-configuration ").unwrap();
        let expected = json!({
            "maximumPercent": 300, "minimumHealthyPercent": 100, "strategy": "CANARY",
            "deploymentCircuitBreaker": {
                "enable": true, "rollback": false, "resetOnHealthyTask": false,
                "thresholdConfiguration": {"type": "COUNT", "value": 7}},
            "earlySuccessCriteria": {
                "enable": true, "healthyPercent": 75, "sourceServiceRevisionCleanup": "BLOCKING"}
        });
        assert_eq!(serde_json::from_str::<Value>(configuration.trim_matches('\'')).unwrap(), expected);
    }

    #[test]
    fn no_command_sets_a_configuration_that_it_cannot_repeat() {
        let mut service = service();
        service.options.others = OtherOptions::Some;
        assert_eq!((set_maximum_percent(&service, 300), defer_clean_up(&service)), (None, None));
    }
}
