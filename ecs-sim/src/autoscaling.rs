//! Simulated Application Auto Scaling for the desired counts of ECS services.
//!
//! It stores which services are registered and their capacity bounds. It has no scaling policies. Registering a
//! service, for the first time or again, moves a count that lies outside the bounds to the nearest bound
//! ("RegisterScalableTarget", Application Auto Scaling API Reference). Assumed: Application Auto Scaling also checks
//! once a minute and moves back a count that another caller set later, as the next scaling activity of a policy would.
//! It then lowers no count while scaling in is suspended and raises none while scaling out is suspended.

use crate::control_plane::{ControlPlane, Millis, SimulatedServiceStatus};
use crate::service_error::ServiceError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Interval between checks: ECS sends the metrics that scaling policies use once a minute (Amazon ECS Developer Guide,
/// "Step scaling policies").
const POLL_MS: Millis = 60_000;
/// Maximum number of targets per page.
const RESULTS_MAX: usize = 50;
const NAMESPACE: &str = "ecs";
const DIMENSION: &str = "ecs:service:DesiredCount";
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/AWSServiceRoleForApplicationAutoScaling_ECSService";

/// The registered services. Empty at first, so that nothing changes a count unasked.
#[derive(Debug, Clone, Default)]
pub struct ScalableTargets {
    /// By resource id: `service/CLUSTER/NAME`.
    targets: BTreeMap<String, RegisteredTarget>,
    now: Millis,
}

#[derive(Debug, Clone)]
struct RegisteredTarget {
    min: u32,
    max: u32,
    /// `SuspendedState`, with all its members.
    suspended: Value,
    registered_at: Millis,
}

impl ScalableTargets {
    /// Moves the clock, which only timestamps in answers depend on.
    pub fn advance_to(&mut self, to: Millis) {
        self.now = self.now.max(to);
    }

    /// Registers a service of a cluster, or changes its bounds.
    pub fn register(&mut self, cluster: &str, service: &str, bounds: RangeInclusive<u32>) {
        let (min, max) = bounds.into_inner();
        let target = RegisteredTarget { min, max, suspended: not_suspended(), registered_at: self.now };
        self.targets.insert(format!("service/{cluster}/{service}"), target);
    }

    /// Performs one operation and returns its output.
    ///
    /// # Errors
    /// `ValidationException` for missing input or a resource that is no ECS service, `ObjectNotFoundException` for
    /// deregistering a service that is not registered, `UnknownOperationException` for an operation that is not
    /// simulated.
    pub fn call(&mut self, operation: &str, input: &Value) -> Result<Value, ServiceError> {
        match operation {
            "DescribeScalableTargets" => self.describe(input),
            "RegisterScalableTarget" => self.register_by(input),
            "DeregisterScalableTarget" => self.deregister(input),
            _ => {
                let message = format!("`{operation}` is not simulated");
                Err(ServiceError::client("UnknownOperationException", message))
            }
        }
    }

    /// Returns one page, sorted by resource id. A service that is not registered is left out without an error.
    fn describe(&self, input: &Value) -> Result<Value, ServiceError> {
        check_kind(input, &["", DIMENSION])?;
        // Application Auto Scaling API Reference, "DescribeScalableTargets": "This value can be between 1 and 50. The
        // default value is 50."
        let size = match &input["MaxResults"] {
            Value::Null => RESULTS_MAX,
            given => given.as_u64().and_then(|given| usize::try_from(given).ok()).unwrap_or_default(),
        };
        if !(1..=RESULTS_MAX).contains(&size) {
            return Err(invalid("MaxResults is not between 1 and 50"));
        }
        let first = text(input, "NextToken");
        if !first.is_empty() && service_of(first).is_none() {
            return Err(ServiceError::client("InvalidNextTokenException", "NextToken is not from a previous page"));
        }
        let wanted = match &input["ResourceIds"] {
            Value::Null => None,
            given => Some(given.as_array().ok_or_else(|| invalid("ResourceIds is not a list"))?),
        };
        let is_wanted = |id: &str| wanted.is_none_or(|wanted| wanted.iter().any(|wanted| wanted == id));
        let mut found = self.targets.range(first.to_owned()..).filter(|(id, _)| is_wanted(id));
        let page: Vec<Value> = found.by_ref().take(size).map(|(id, target)| target.described(id)).collect();
        let mut answer = json!({"ScalableTargets": page});
        if let Some((next, _)) = found.next() {
            answer["NextToken"] = json!(next);
        }
        Ok(answer)
    }

    /// Members that the request leaves out keep their values.
    fn register_by(&mut self, input: &Value) -> Result<Value, ServiceError> {
        check_kind(input, &[DIMENSION])?;
        let id = resource_id(input)?;
        let known = self.targets.get(id);
        let capacity = |name: &str, known: Option<u32>| match &input[name] {
            Value::Null => known.ok_or_else(|| invalid(&format!("{name} is missing"))),
            given => {
                let count = given.as_u64().and_then(|given| u32::try_from(given).ok());
                count.ok_or_else(|| invalid(&format!("{name} is not a count")))
            }
        };
        let min = capacity("MinCapacity", known.map(|known| known.min))?;
        let max = capacity("MaxCapacity", known.map(|known| known.max))?;
        if min > max {
            return Err(invalid("MinCapacity is more than MaxCapacity"));
        }
        let mut suspended = known.map_or_else(not_suspended, |known| known.suspended.clone());
        for (name, given) in input["SuspendedState"].as_object().into_iter().flatten() {
            suspended[name] = given.clone();
        }
        let registered_at = known.map_or(self.now, |known| known.registered_at);
        self.targets.insert(id.to_owned(), RegisteredTarget { min, max, suspended, registered_at });
        Ok(json!({}))
    }

    fn deregister(&mut self, input: &Value) -> Result<Value, ServiceError> {
        check_kind(input, &[DIMENSION])?;
        let id = resource_id(input)?;
        let not_found = || ServiceError::client("ObjectNotFoundException", format!("`{id}` is not registered"));
        self.targets.remove(id).map(|_| json!({})).ok_or_else(not_found)
    }

    /// When the next desired count is moved, if any lies outside its bounds.
    #[must_use]
    pub fn next_due(&self, ecs: &ControlPlane) -> Option<Millis> {
        self.outside(ecs).next().map(|_| (ecs.now().div_euclid(POLL_MS) + 1) * POLL_MS)
    }

    /// Moves each desired count that lies outside its bounds to the nearest one.
    pub fn put_back(&self, ecs: &mut ControlPlane) {
        let outside: Vec<_> = self.outside(ecs).collect();
        for ((cluster, service), count) in outside {
            // A bound that ECS does not accept as a count leaves the service unchanged.
            let _ = ecs.scale_automatically(cluster, service, count);
        }
    }

    /// The services whose count lies outside their bounds, by cluster and name, with the nearest allowed count.
    fn outside(&self, ecs: &ControlPlane) -> impl Iterator<Item = ((&str, &str), u32)> {
        self.targets.iter().filter_map(|(id, target)| {
            let (cluster, name) = service_of(id)?;
            let service =
                ecs.service(cluster, name).filter(|service| service.status == SimulatedServiceStatus::Active)?;
            let inside = target.count_for(service.desired_count);
            (inside != service.desired_count).then_some(((cluster, name), inside))
        })
    }
}

impl RegisteredTarget {
    fn count_for(&self, count: u32) -> u32 {
        let is_suspended = |name| self.suspended[name] == true;
        if count < self.min && !is_suspended("DynamicScalingOutSuspended") {
            self.min
        } else if count > self.max && !is_suspended("DynamicScalingInSuspended") {
            self.max
        } else {
            count
        }
    }

    fn described(&self, id: &str) -> Value {
        json!({
            "ServiceNamespace": NAMESPACE,
            "ResourceId": id,
            "ScalableDimension": DIMENSION,
            "MinCapacity": self.min,
            "MaxCapacity": self.max,
            "RoleARN": ROLE_ARN,
            "CreationTime": self.registered_at.div_euclid(1000),
            "SuspendedState": self.suspended,
        })
    }
}

fn not_suspended() -> Value {
    json!({
        "DynamicScalingInSuspended": false,
        "DynamicScalingOutSuspended": false,
        "ScheduledScalingSuspended": false,
    })
}

/// Cluster and name.
fn service_of(id: &str) -> Option<(&str, &str)> {
    id.strip_prefix("service/")?.split_once('/')
}

/// Accepts only ECS's namespace and the given scalable dimensions; an empty dimension stands for an absent one.
fn check_kind(input: &Value, dimensions: &[&str]) -> Result<(), ServiceError> {
    if input["ServiceNamespace"] == NAMESPACE && dimensions.contains(&text(input, "ScalableDimension")) {
        return Ok(());
    }
    Err(invalid("only the desired counts of ECS services are simulated"))
}

fn resource_id(input: &Value) -> Result<&str, ServiceError> {
    let id = text(input, "ResourceId");
    service_of(id).map(|_| id).ok_or_else(|| invalid("ResourceId must be `service/CLUSTER/NAME`"))
}

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap_or_default()
}

fn invalid(message: &str) -> ServiceError {
    ServiceError::client("ValidationException", message)
}
