//! What ECS's published model requires of the input of each operation, regardless of the caller: which members exist,
//! which are required, and which have a list of values. `make test-clients` compares this with the model.

use serde_json::Value;

use super::error::{ApiError, ErrorCode};

/// An operation, its required members, and its optional ones. The contents of a member are not checked here.
const INPUTS: [(&str, &str, &str); 23] = [
    ("ContinueServiceDeployment", "serviceDeploymentArn hookId", "action"),
    (
        "CreateCluster",
        "",
        "clusterName tags settings configuration capacityProviders defaultCapacityProviderStrategy serviceConnectDefaults",
    ),
    (
        "CreateService",
        "serviceName",
        "cluster taskDefinition availabilityZoneRebalancing loadBalancers serviceRegistries desiredCount clientToken \
         launchType capacityProviderStrategy platformVersion role deploymentConfiguration placementConstraints \
         placementStrategy networkConfiguration healthCheckGracePeriodSeconds schedulingStrategy deploymentController tags \
         enableECSManagedTags propagateTags enableExecuteCommand serviceConnectConfiguration volumeConfigurations \
         vpcLatticeConfigurations gatewayConnectors monitoring",
    ),
    (
        "CreateTaskSet",
        "cluster service taskDefinition",
        "externalId networkConfiguration loadBalancers serviceRegistries launchType capacityProviderStrategy \
         platformVersion scale clientToken tags",
    ),
    ("DeleteService", "service", "cluster force"),
    ("DeleteTaskSet", "cluster service taskSet", "force"),
    ("DescribeClusters", "", "clusters include"),
    ("DescribeServiceDeployments", "serviceDeploymentArns", ""),
    ("DescribeServices", "services", "cluster include"),
    ("DescribeTasks", "tasks", "cluster include"),
    ("DescribeTaskSets", "cluster service", "taskSets include"),
    ("GetTaskProtection", "cluster", "tasks"),
    ("ListServiceDeployments", "service", "cluster status createdAt nextToken maxResults"),
    ("ListServices", "", "cluster nextToken maxResults launchType schedulingStrategy resourceManagementType"),
    ("ListTagsForResource", "resourceArn", ""),
    (
        "ListTasks",
        "",
        "cluster containerInstance family nextToken maxResults startedBy serviceName desiredStatus launchType daemonName",
    ),
    (
        "RunTask",
        "taskDefinition",
        "capacityProviderStrategy cluster count enableECSManagedTags enableExecuteCommand group launchType \
         networkConfiguration overrides placementConstraints placementStrategy platformVersion propagateTags referenceId \
         startedBy tags clientToken volumeConfigurations",
    ),
    ("StopServiceDeployment", "serviceDeploymentArn", "stopType"),
    ("StopTask", "task", "cluster reason"),
    ("TagResource", "resourceArn tags", ""),
    (
        "UpdateService",
        "service",
        "cluster desiredCount taskDefinition capacityProviderStrategy deploymentConfiguration availabilityZoneRebalancing \
         networkConfiguration placementConstraints placementStrategy platformVersion forceNewDeployment \
         healthCheckGracePeriodSeconds deploymentController enableExecuteCommand enableECSManagedTags loadBalancers \
         propagateTags serviceRegistries serviceConnectConfiguration volumeConfigurations vpcLatticeConfigurations \
         gatewayConnectors monitoring",
    ),
    ("UpdateServicePrimaryTaskSet", "cluster service primaryTaskSet", ""),
    ("UpdateTaskProtection", "cluster tasks protectionEnabled", "expiresInMinutes"),
];

/// The values of a member, or of each item of it; empty if any value is allowed.
fn values(operation: &str, member: &str) -> &'static str {
    match (operation, member) {
        ("ContinueServiceDeployment", "action") => "ROLLBACK CONTINUE",
        ("ListServiceDeployments", "status") => {
            "PENDING SUCCESSFUL STOPPED STOP_REQUESTED IN_PROGRESS ROLLBACK_REQUESTED ROLLBACK_IN_PROGRESS \
             ROLLBACK_SUCCESSFUL ROLLBACK_FAILED"
        }
        ("StopServiceDeployment", "stopType") => "ABORT ROLLBACK",
        ("DescribeClusters", "include") => "ATTACHMENTS CONFIGURATIONS SETTINGS STATISTICS TAGS",
        (_, "include") => "TAGS",
        (_, "availabilityZoneRebalancing") => "ENABLED DISABLED",
        (_, "desiredStatus") => "RUNNING PENDING STOPPED",
        (_, "launchType") => "EC2 FARGATE EXTERNAL MANAGED_INSTANCES",
        (_, "propagateTags") => "TASK_DEFINITION SERVICE NONE",
        (_, "resourceManagementType") => "CUSTOMER ECS",
        (_, "schedulingStrategy") => "REPLICA DAEMON",
        _ => "",
    }
}

fn has(words: &str, wanted: &str) -> bool {
    words.split_whitespace().any(|word| word == wanted)
}

/// Checks the members of an input.
///
/// # Errors
/// InvalidParameterException for a member that is missing, that does not exist, or that has none of its values: "The
/// specified parameter isn't valid. Review the available parameters for the API request." (ECS API Reference, the
/// errors of every operation). Assumed: ECS refuses a member that does not exist instead of ignoring it.
/// SerializationException for a value that should be a string and is not. UnsupportedFeatureException for another
/// launch type than FARGATE and for daemon services: neither is simulated, and an answer would be misleading.
pub(super) fn check(operation: &str, input: &Value) -> Result<(), ApiError> {
    let Some((_, required, optional)) = INPUTS.iter().find(|(name, ..)| *name == operation) else {
        return Ok(()); // the operation itself refuses it
    };
    let members = input.as_object().ok_or_else(|| not("The input", "an object"))?;
    for (name, value) in members {
        if !has(required, name) && !has(optional, name) {
            return Err(ApiError::invalid(format!("{operation} has no parameter {name}.")));
        }
        let values = values(operation, name);
        match value {
            _ if values.is_empty() => {}
            Value::Array(items) if name == "include" || operation == "ListServiceDeployments" => {
                items.iter().try_for_each(|item| check_text(name, item, values))?
            }
            value => check_text(name, value, values)?,
        }
        if !is_simulated(operation, name, value) {
            return Err(ApiError::new(ErrorCode::UnsupportedFeature, format!("{name} {value} is not simulated.")));
        }
    }
    for name in required.split_whitespace() {
        if members.get(name).is_none_or(|value| value == "") {
            return Err(ApiError::invalid(format!("{name} is required.")));
        }
    }
    Ok(())
}

fn check_text(name: &str, value: &Value, values: &str) -> Result<(), ApiError> {
    let text = value.as_str().ok_or_else(|| not(name, "text"))?;
    if has(values, text) { Ok(()) } else { Err(ApiError::invalid(format!("{name} must be one of: {values}."))) }
}

/// A list may filter by any value; the simulator creates resources of one kind only.
fn is_simulated(operation: &str, name: &str, value: &Value) -> bool {
    match name {
        _ if operation.starts_with("List") => true,
        "launchType" => value == "FARGATE",
        "schedulingStrategy" => value == "REPLICA",
        _ => true,
    }
}

fn not(what: &str, wanted: &str) -> ApiError {
    ApiError::new(ErrorCode::Serialization, format!("{what} is not {wanted}."))
}
