//! The initial state of a run: one to three services, their deployment strategy, and their tags.

use super::model::{CountModel, ServiceModel};
use super::rules::Focus;
use super::world::World;
use crate::control_plane::{CircuitBreaker, DeploymentControllerType, ServiceSpec, StrategySpec};
use crate::region::CLUSTER;
use taskhold::service::remediation::{IDLE_RESERVE_TAG, MAX_DESIRED_COUNT_TAG, POLICY_TAG};
use taskhold::service::snapshot::managed::MANAGED_TAG;

const NAMES: [&str; 3] = ["web", "work", "game"];

/// Settings of the function beyond the common ones.
pub(super) const SETTINGS: [(&str, &str); 2] =
    [("TASKHOLD_REMEDIATIONS", "release-idle,raise-desired-count"), ("TASKHOLD_DEADLINE_MINUTES", "60")];

impl World {
    /// Creates the services.
    pub(super) fn set_the_stage(&mut self) {
        let specs: Vec<ServiceSpec> = match self.rules.focus {
            Focus::Services => {
                let services = 1 + self.choices.weighted(&[5, 3, 2]);
                NAMES.into_iter().take(services).map(|name| self.spec(name)).collect()
            }
            Focus::Protection => vec![ServiceSpec::new(CLUSTER, NAMES[0], self.choices.one_of(&[1, 1, 2, 3]))],
        };
        for spec in specs {
            let name = spec.name.clone();
            let count = CountModel {
                known: spec.desired_count,
                set_by_others: spec.desired_count,
                set_at: self.now(),
                ceiling: ceiling(spec.tags.get(MAX_DESIRED_COUNT_TAG)),
                is_overruled: false,
            };
            let was_managed = spec.tags.contains_key(MANAGED_TAG);
            self.narrate(|_| {
                let ServiceSpec { desired_count, strategy, controller, tags, .. } = &spec;
                format!("service {name}: {desired_count} tasks, {controller:?} {strategy:?}, {tags:?}")
            });
            self.region.lock().ecs.create_service(spec).expect("its name is unique and its bounds are valid");
            self.model.services.insert(name, ServiceModel { count, is_deleted: false, was_managed });
        }
        // Drawn last, so that recordings without them stay valid.
        self.rules.agent_percent = self.choices.one_of(&[0, 0, 30, 100]);
        self.rules.linger_seconds = self.choices.one_of(&[0, 15, 0, 300]);
        self.narrate(|world| format!("variants of AWS: {}", world.rules.variants));
        self.narrate(|world| format!("{:?}", world.rules));
        self.observe_ecs();
    }

    fn spec(&mut self, name: &str) -> ServiceSpec {
        let choices = &mut self.choices;
        let mut spec = ServiceSpec::new(CLUSTER, name, choices.one_of(&[1, 2, 3, 4, 6]));
        let (least, most) = choices.one_of(&[(100, 200), (100, 200), (0, 100), (50, 200)]);
        (spec.minimum_healthy_percent, spec.maximum_percent) = (least, most);
        spec.strategy = choices.one_of(&[
            StrategySpec::Rolling,
            StrategySpec::Rolling,
            StrategySpec::BlueGreen,
            StrategySpec::CANARY,
        ]);
        if choices.chance(15) {
            spec.controller =
                choices.one_of(&[DeploymentControllerType::CodeDeploy, DeploymentControllerType::External]);
            spec.strategy = StrategySpec::Rolling;
        }
        spec.bake_minutes = choices.one_of(&[0, 2, 10]);
        spec.circuit_breaker = choices.one_of(&[CircuitBreaker::Off, CircuitBreaker::RollsBack]);
        for tag in TAGS {
            if let Some(value) = choices.one_of(tag.values) {
                spec.tags.insert(tag.name.to_owned(), value.to_owned());
            }
        }
        spec
    }
}

/// A tag and its possible values; `None` for no tag.
pub(super) struct DrawnTag {
    pub(super) name: &'static str,
    pub(super) values: &'static [Option<&'static str>],
}

/// The tags that taskhold reads.
pub(super) const TAGS: [DrawnTag; 4] = [
    DrawnTag {
        name: POLICY_TAG,
        values: &[None, Some("release-idle"), Some("raise-desired-count"), Some("raise-desired-count")],
    },
    DrawnTag { name: MAX_DESIRED_COUNT_TAG, values: &[None, Some("8"), Some("4"), Some("many")] },
    DrawnTag { name: MANAGED_TAG, values: &[None, None, Some("true")] },
    DrawnTag { name: IDLE_RESERVE_TAG, values: &[None, None, None, Some("1")] },
];

/// The highest desired count that a tag allows.
pub(super) fn ceiling(tag: Option<&String>) -> u32 {
    tag.and_then(|value| value.parse().ok()).unwrap_or(0)
}
