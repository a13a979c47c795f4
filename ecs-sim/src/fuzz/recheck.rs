//! The function's messages to itself: `Recheck::parse`.

use super::{expect, seeds};
use jiff::Timestamp;
use taskhold::ecs::arn::Task;
use taskhold::ecs::service::ServiceArn;
use taskhold::service::recheck::{Recheck, ServicesLeft, SweepPlace};

/// The recheck of `events/`, and one of each form.
pub fn seeds() -> Vec<String> {
    let cluster = expect::clusters().only().expect("one cluster is configured");
    let moment = Timestamp::from_second(1_767_607_200).expect("a moment of 2026");
    let sweep = |place| Recheck::Sweep { started_at: moment, place };
    let service = ServiceArn::new(cluster.clone(), "transcode").expect("a service's name");
    let left = ServicesLeft { names: vec!["api".to_owned()], next: "web".to_owned(), count: 7 };
    let id = "6b777c1809a94925ab48098fa09824de".parse().expect("a task's id");
    let forms = [
        Recheck::Check { service, due: moment },
        Recheck::Task { task: Task { cluster: cluster.clone(), id }, due: moment },
        sweep(SweepPlace::Tasks { page: None }),
        sweep(SweepPlace::Tasks { page: Some("2/eyJrIjoiYSJ9".to_owned()) }),
        sweep(SweepPlace::Services { cluster: cluster.clone(), rest: None }),
        sweep(SweepPlace::Services { cluster, rest: Some(left) }),
    ];
    seeds::bodies().into_iter().filter(|body| body.contains("recheck")).chain(forms.map(|form| form.body())).collect()
}

/// A parsed recheck belongs to a configured cluster and round-trips through its own body; an invalid one is
/// rejected with a reason.
pub fn check(text: &str) {
    match Recheck::parse(text, expect::clusters()) {
        Ok(recheck) => {
            match &recheck {
                Recheck::Check { service, .. } => expect::service(service),
                Recheck::Task { task, .. } => expect::task(task),
                Recheck::Sweep { place: SweepPlace::Services { cluster, .. }, .. } => expect::cluster(cluster),
                Recheck::Sweep { place: SweepPlace::Tasks { .. }, .. } => {}
            }
            assert_eq!(Recheck::parse(&recheck.body(), expect::clusters()), Ok(recheck));
        }
        Err(why) => expect::reason(&why),
    }
}
