//! The calls to ECS that tests count, and the reasons for them.

use ecs_sim::control_plane::Millis;
use ecs_sim::region::Region;
use std::collections::BTreeMap;

/// The reason for an invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InvocationCause {
    #[default]
    Event,
    Recheck,
    Sweep,
    Job,
}

/// The calls of the function to ECS.
#[derive(Debug, Default)]
pub(crate) struct WatchedCalls {
    /// The reason for the current invocation.
    pub(crate) cause: InvocationCause,
    /// Reconciles of services: time, service, reason.
    pub(crate) reconciles: Vec<(Millis, String, InvocationCause)>,
    /// All calls, by operation.
    pub(crate) calls: BTreeMap<String, u64>,
}

impl WatchedCalls {
    /// The number of reads of all operations.
    pub(crate) fn reads(&self) -> u64 {
        let reads = self.calls.iter().filter(|(operation, _)| *operation != "UpdateTaskProtection");
        reads.map(|(_, count)| count).sum()
    }

    /// Counts the calls since the last time.
    pub(crate) fn take(&mut self, region: &mut Region) {
        let latency = region.latency_ms;
        for call in region.calls.drain(..) {
            if call.operation == "DescribeServices" {
                let service = call.request["services"][0].as_str().unwrap().to_owned();
                self.reconciles.push((call.at - latency, service, self.cause));
            }
            *self.calls.entry(call.operation).or_default() += 1;
        }
    }
}
