//! A simulated Application Auto Scaling, as far as the desired counts of ECS services go.
//!
//! It knows bounds and no scaling policies: which services are registered, and between which counts it keeps them. What is
//! documented ("RegisterScalableTarget", Application Auto Scaling API Reference) is that registering a service, for the
//! first time or again, moves a count that lies outside to the nearest bound. Assumed is that it looks once a minute, so
//! that it also moves back what somebody else sets later, as the next scaling activity of a policy would; and that it then
//! does not lower a count while scaling in is suspended, nor raise one while scaling out is.

use crate::control_plane::{ControlPlane, Millis, ServiceStatus};
use crate::http::ServiceError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// How far apart it looks: ECS sends the metrics that policies go by once a minute (Amazon ECS Developer Guide, "Step scaling
/// policies").
const LOOK_MS: Millis = 60_000;
const NAMESPACE: &str = "ecs";
const DIMENSION: &str = "ecs:service:DesiredCount";
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/AWSServiceRoleForApplicationAutoScaling_ECSService";

/// The services that are registered. None at first, so that nothing sets a count by itself.
#[derive(Debug, Clone, Default)]
pub struct ScalableTargets {
    /// By resource id: `service/CLUSTER/NAME`.
    targets: BTreeMap<String, Target>,
}

#[derive(Debug, Clone)]
struct Target {
    min: u32,
    max: u32,
    /// `SuspendedState`, with all its members.
    suspended: Value,
}

impl ScalableTargets {
    /// Registers a service of a cluster, or changes its bounds.
    pub fn register(&mut self, cluster: &str, service: &str, bounds: RangeInclusive<u32>) {
        let (min, max) = bounds.into_inner();
        self.targets.insert(format!("service/{cluster}/{service}"), Target { min, max, suspended: not_suspended() });
    }

    /// Does one operation and returns its output.
    ///
    /// # Errors
    /// `ValidationException` for what is missing or is about no ECS service, `ObjectNotFoundException` for taking away a
    /// service that is not registered, `UnknownOperationException` for an operation that is not simulated.
    pub fn call(&mut self, operation: &str, input: &Value) -> Result<Value, ServiceError> {
        if input["ServiceNamespace"] != NAMESPACE || ![DIMENSION, ""].contains(&text(input, "ScalableDimension")) {
            return Err(invalid("only the desired counts of ECS services are served here"));
        }
        match operation {
            "DescribeScalableTargets" => Ok(self.describe(input)),
            "RegisterScalableTarget" => self.register_by(input),
            "DeregisterScalableTarget" => self.deregister(text(input, "ResourceId")),
            _ => {
                let message = format!("`{operation}` is not simulated");
                Err(ServiceError::client("UnknownOperationException", message))
            }
        }
    }

    /// All on one page. A service that is not registered is left out, and is no error.
    fn describe(&self, input: &Value) -> Value {
        let wanted = input["ResourceIds"].as_array();
        let is_wanted = |id: &str| wanted.is_none_or(|wanted| wanted.iter().any(|wanted| wanted == id));
        let found = self.targets.iter().filter(|(id, _)| is_wanted(id));
        json!({"ScalableTargets": found.map(|(id, target)| target.described(id)).collect::<Vec<_>>()})
    }

    /// What is not given stays as it is.
    fn register_by(&mut self, input: &Value) -> Result<Value, ServiceError> {
        let id = text(input, "ResourceId");
        if service_of(id).is_none() {
            return Err(invalid("ResourceId must be `service/CLUSTER/NAME`"));
        }
        let known = self.targets.get(id);
        let capacity = |name: &str, known: Option<u32>| {
            let given = input[name].as_u64().and_then(|given| u32::try_from(given).ok());
            given.or(known).ok_or_else(|| invalid(&format!("{name} is missing")))
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
        self.targets.insert(id.to_owned(), Target { min, max, suspended });
        Ok(json!({}))
    }

    fn deregister(&mut self, id: &str) -> Result<Value, ServiceError> {
        let not_found = || ServiceError::client("ObjectNotFoundException", format!("`{id}` is not registered"));
        self.targets.remove(id).map(|_| json!({})).ok_or_else(not_found)
    }

    /// The next moment at which it sets a desired count, if any lies outside its bounds.
    #[must_use]
    pub fn next_due(&self, ecs: &ControlPlane) -> Option<Millis> {
        self.outside(ecs).next().map(|_| (ecs.now().div_euclid(LOOK_MS) + 1) * LOOK_MS)
    }

    /// Moves each desired count that lies outside its bounds to the nearest one.
    pub fn put_back(&self, ecs: &mut ControlPlane) {
        let outside: Vec<_> = self.outside(ecs).collect();
        for ((cluster, service), count) in outside {
            // A bound that ECS does not take as a count leaves the service as it is.
            let _ = ecs.set_desired_count(cluster, service, count);
        }
    }

    /// The services that have another count than they should, by cluster and name, with the count that they should have.
    fn outside(&self, ecs: &ControlPlane) -> impl Iterator<Item = ((&str, &str), u32)> {
        self.targets.iter().filter_map(|(id, target)| {
            let (cluster, name) = service_of(id)?;
            let service = ecs.service(cluster, name).filter(|service| service.status == ServiceStatus::Active)?;
            let inside = target.count_for(service.desired_count);
            (inside != service.desired_count).then_some(((cluster, name), inside))
        })
    }
}

impl Target {
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
            "CreationTime": 0,
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

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap_or_default()
}

fn invalid(message: &str) -> ServiceError {
    ServiceError::client("ValidationException", message)
}
