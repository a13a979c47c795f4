//! The calls to ECS of a sweep over many services, and their rate.

use super::{described, services};
use crate::stage::StagedRegion;
use ecs_sim::control_plane::{Millis, ServiceSpec};
use ecs_sim::region::{CLUSTER, RECHECK_QUEUE};
use std::collections::BTreeSet;

/// As in template.yaml: `SweepMinutes`.
const PERIOD_MS: Millis = 5 * 60_000;
/// As ECS documents them: the operations that share a bucket.
const SERVICE_READS: [&str; 2] = ["DescribeServices", "ListServices"];
const RESOURCE_READS: [&str; 2] = ["DescribeTasks", "ListTasks"];
/// Each has a bucket of its own: that of protection calls gives four times as much, and that of service deployments as
/// much after half of the burst (aws-facts "ECS: the protection API").
const OTHER_READS: [&str; 2] = ["GetTaskProtection", "DescribeServiceDeployments"];

/// Sweeps, and lets rechecks continue until nothing is left. Returns how long that takes.
fn whole_sweep(stage: &mut StagedRegion) -> Millis {
    let began_at = stage.region.lock().now();
    stage.sweep();
    while stage.deliver_from(RECHECK_QUEUE).is_some() {}
    stage.region.lock().now() - began_at
}

/// When these operations were called.
fn called_at(stage: &StagedRegion, operations: &[&str]) -> Vec<Millis> {
    let region = stage.region.lock();
    let calls = region.calls.iter().filter(|call| operations.contains(&call.operation.as_str()));
    calls.map(|call| call.at).collect()
}

/// The calls above 5 a second in the worst stretch of time.
fn burst(called_at: &[Millis]) -> Millis {
    let stretches = called_at.iter().enumerate().flat_map(|(first, from)| {
        let ends = called_at[first..].iter().enumerate();
        ends.map(move |(more, to)| Millis::try_from(more).unwrap() + 1 - (to - from) * 5 / 1000)
    });
    stretches.max().unwrap_or(0)
}

#[test]
fn a_sweep_over_a_thousand_steady_services_makes_at_most_115_calls() {
    let mut stage = services(1000);
    let took = whole_sweep(&mut stage);
    let calls = stage.region.lock().calls.len();
    println!("\nsweep over 1,000 steady services: {calls} calls, {} s", took / 1000);
    assert!(calls <= 115, "{calls} calls");
    assert_eq!(described(&stage).iter().collect::<BTreeSet<_>>().len(), 1000);
}

#[test]
fn twenty_deployments_of_fifty_tasks_add_at_most_five_calls_each() {
    let mut stage = services(980);
    stage.add(20, 50);
    for number in 980..1000 {
        stage.region.lock().ecs.deploy(CLUSTER, &format!("web-{number:03}")).unwrap();
    }
    let took = whole_sweep(&mut stage);
    let calls = stage.region.lock().calls.len();
    println!("\nsweep over 1,000 services, 20 of which deploy with 50 tasks: {calls} calls, {} s", took / 1000);
    assert!(calls <= 115 + 20 * 5, "{calls} calls");
    assert_eq!(stage.calls("GetTaskProtection"), 20);
}

#[test]
fn a_sweep_over_three_thousand_services_ends_within_its_period_and_takes_a_quarter_of_the_buckets() {
    let mut stage = services(1500);
    stage.create(25, |name| {
        let tags = [("taskhold:managed".to_owned(), "true".to_owned())].into();
        ServiceSpec { tags, ..ServiceSpec::new(CLUSTER, name, 50) }
    });
    for number in 1500..1520 {
        let (name, ecs) = (format!("web-{number:03}"), &mut stage.region.lock().ecs);
        let busy = ecs.tasks_of(CLUSTER, &name).next().unwrap().id.clone();
        ecs.set_own_protection(&busy, Some(60)).unwrap();
        ecs.deploy(CLUSTER, &name).unwrap();
    }
    stage.add(1475, 2);
    stage.region.lock().latency_ms = 20;
    let took = whole_sweep(&mut stage);
    let others = OTHER_READS.map(|operation| called_at(&stage, &[operation]));
    let [services, resources] = [SERVICE_READS, RESOURCE_READS].map(|operations| called_at(&stage, &operations));
    let [protections, deployments] = others;
    let bursts = [&services, &resources, &protections, &deployments].map(|called_at| burst(called_at));
    println!(
        "\nsweep over 3,000 services, 25 of which are read whole, 20 of these deploy: {} s; {} service reads, {} resource \
         reads, {} reads of protection, {} of service deployments; at most {bursts:?} above 5 a second",
        took / 1000,
        services.len(),
        resources.len(),
        protections.len(),
        deployments.len()
    );
    assert!(took < PERIOD_MS, "{took} ms");
    assert!(bursts.iter().zip([25, 25, 25, 12]).all(|(burst, most)| *burst <= most), "{bursts:?}");
    assert_eq!(described(&stage).iter().collect::<BTreeSet<_>>().len(), 3000);
    assert_eq!((protections.len(), deployments.len()), (25, 20));
}
