//! What the function tells itself: `FollowUp::parse`.

use super::{expect, seeds};
use jiff::Timestamp;
use taskhold::ecs::ServiceArn;
use taskhold::follow_up::{FollowUp, SweepPlace};

/// The follow-up of `events/`, and one of each form.
pub fn seeds() -> Vec<String> {
    let cluster = expect::clusters().only().expect("one cluster is configured");
    let moment = Timestamp::from_second(1_767_607_200).expect("a moment of 2026");
    let sweep = |place| FollowUp::Sweep { begun_at: moment, place };
    let service = ServiceArn::new(cluster.clone(), "transcode").expect("a service's name");
    let forms = [
        FollowUp::Check { service, due: moment },
        sweep(SweepPlace::Tasks { page: None }),
        sweep(SweepPlace::Tasks { page: Some("2/eyJrIjoiYSJ9".to_owned()) }),
        sweep(SweepPlace::Services { cluster: cluster.clone(), rest: None }),
        sweep(SweepPlace::Services { cluster, rest: Some(("web".to_owned(), 7)) }),
    ];
    seeds::bodies().into_iter().filter(|body| body.contains("followUp")).chain(forms.map(|form| form.body())).collect()
}

/// One that was read is of a configured cluster and is read again from its own body; what is none is refused with a reason.
pub fn check(text: &str) {
    match FollowUp::parse(text, expect::clusters()) {
        Ok(follow_up) => {
            match &follow_up {
                FollowUp::Check { service, .. } => expect::service(service),
                FollowUp::Sweep { place: SweepPlace::Services { cluster, .. }, .. } => expect::cluster(cluster),
                FollowUp::Sweep { place: SweepPlace::Tasks { .. }, .. } => {}
            }
            assert_eq!(FollowUp::parse(&follow_up.body(), expect::clusters()), Ok(follow_up));
        }
        Err(why) => expect::reason(&why),
    }
}
