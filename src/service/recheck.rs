//! Delayed messages of the function to itself, through a queue that workers cannot write to.
//!
//! A recheck carries no state: the function decides from the state store and ECS when it arrives. A duplicate recheck
//! of a service or a task changes nothing more. A duplicate continuation of a sweep repeats the rest of the sweep, which
//! changes nothing more but costs calls until the time of the sweep is up.

use crate::config::clusters::Clusters;
use crate::ecs::arn::{ClusterArn, Task, shown};
use crate::ecs::service::ServiceArn;
use crate::sqs::SqsError;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// SQS's maximum delay of one message, in seconds (aws-facts "Lambda and SQS").
pub const DELAY_SECONDS_MAX: i32 = 900;

/// Work for later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recheck {
    /// Reconcile a watched service.
    Check {
        /// The service.
        service: ServiceArn,
        /// The moment that the service record waits for. If the record names another moment, this recheck is out of
        /// date.
        due: Timestamp,
    },
    /// Reconcile an idle task whose protection lingers.
    Task {
        /// The task.
        task: Task,
        /// The end of the linger. If the task record names another one, another recheck is on its way.
        due: Timestamp,
    },
    /// Continue a sweep that ran out of time.
    Sweep {
        /// When the sweep began.
        started_at: Timestamp,
        /// Where to continue.
        place: SweepPlace,
    },
}

/// The position of a sweep: first in the task records, then in the services of each cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SweepPlace {
    /// At a page of task records.
    Tasks {
        /// The state store's page token; `None` is the first page.
        page: Option<String>,
    },
    /// Among the services of a cluster.
    Services {
        /// The cluster.
        cluster: Arc<ClusterArn>,
        /// The services that are left; `None` if all are.
        rest: Option<ServicesLeft>,
    },
}

/// The services of a cluster that a sweep has not reached yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicesLeft {
    /// The names of the first of them, in order, as many as a message has room for. They save the continuation from
    /// listing the cluster again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The name of the one after those, in alphabetical order.
    pub next: String,
    /// How many follow from `next` on. After the last name the sweep continues with the first.
    pub count: usize,
}

/// Names take at most this many bytes of a message: four thousand names of thirty characters. SQS takes larger messages
/// (aws-facts "Lambda and SQS"), unless the queue sets less.
const NAMES_BYTES_MAX: usize = 128 * 1024;

impl ServicesLeft {
    /// These services, and then others that are not named.
    pub(crate) fn of(services: &[ServiceArn], then: &Self) -> Self {
        let mut bytes = 0;
        let fits = |service: &&ServiceArn| {
            // With quotation marks and a comma.
            bytes += service.name.len() + 3;
            bytes <= NAMES_BYTES_MAX
        };
        let names: Vec<String> = services.iter().take_while(fits).map(|service| service.name.clone()).collect();
        match services.get(names.len()) {
            Some(next) => {
                let count = services.len() - names.len() + then.count;
                Self { names, next: next.name.clone(), count }
            }
            None => Self { names, ..then.clone() },
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.names.len() + self.count
    }
}

/// Sends rechecks.
#[async_trait]
pub trait RecheckQueue: Send + Sync {
    /// Sends a recheck that arrives after `delay`: whole seconds, at most [`DELAY_SECONDS_MAX`].
    ///
    /// # Errors
    /// The queue did not accept it; the text says why.
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), SqsError>;
}

/// The delay of a recheck that is due then. Rounded up: a recheck that arrives before its moment would find nothing due
/// yet.
pub(crate) fn delay_until(due: Timestamp, now: Timestamp) -> Duration {
    let millis = due.duration_since(now).as_millis().max(0).unsigned_abs();
    let seconds = u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX);
    Duration::from_secs(seconds.min(DELAY_SECONDS_MAX.unsigned_abs().into()))
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "recheck", rename_all = "lowercase")]
enum Body {
    Check {
        service: String,
        due: Timestamp,
    },
    Task {
        task: String,
        due: Timestamp,
    },
    #[serde(rename_all = "camelCase")]
    Sweep {
        started_at: Timestamp,
        place: PlaceBody,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "among", rename_all = "lowercase")]
enum PlaceBody {
    Tasks { page: Option<String> },
    Services { cluster: String, rest: Option<ServicesLeft> },
}

impl Recheck {
    /// The body of the SQS message.
    pub fn body(&self) -> String {
        let body = match self {
            Self::Check { service, due } => Body::Check { service: service.to_string(), due: *due },
            Self::Task { task, due } => Body::Task { task: task.to_string(), due: *due },
            Self::Sweep { started_at, place } => Body::Sweep {
                started_at: *started_at,
                place: match place {
                    SweepPlace::Tasks { page } => PlaceBody::Tasks { page: page.clone() },
                    SweepPlace::Services { cluster, rest } => {
                        PlaceBody::Services { cluster: cluster.to_string(), rest: rest.clone() }
                    }
                },
            },
        };
        serde_json::to_string(&body).expect("plain data has a JSON form")
    }

    /// Parses a message's body. Only the function should send rechecks, but a body that names a cluster that is not
    /// configured is rejected nevertheless.
    ///
    /// # Errors
    /// The body is not a valid recheck; the text is the reason for dead-lettering the message.
    pub fn parse(body: &str, clusters: &Clusters) -> Result<Self, String> {
        let wrong = |why: String| format!("not a recheck: {why}");
        let body = serde_json::from_str(body).map_err(|error| wrong(shown(&error.to_string())))?;
        Ok(match body {
            Body::Check { service, due } => {
                let service = clusters.service(&service, None).map_err(|error| wrong(error.to_string()))?;
                Self::Check { service, due }
            }
            Body::Task { task, due } => {
                let task = clusters.task(&task, None).map_err(|error| wrong(error.to_string()))?;
                Self::Task { task, due }
            }
            Body::Sweep { started_at, place } => Self::Sweep {
                started_at,
                place: match place {
                    PlaceBody::Tasks { page } => SweepPlace::Tasks { page },
                    PlaceBody::Services { cluster, rest } => {
                        let cluster = clusters.find(&cluster).map_err(|error| wrong(error.to_string()))?;
                        SweepPlace::Services { cluster, rest }
                    }
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters() -> Clusters {
        Clusters::new(vec!["arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap()]).unwrap()
    }

    const TASK: &str = "arn:aws:ecs:eu-west-1:111122223333:task/video/6b777c1809a94925ab48098fa09824de";

    fn not_named() -> ServicesLeft {
        ServicesLeft { names: Vec::new(), next: "web".to_owned(), count: 7 }
    }

    #[test]
    fn services_left_are_named_as_far_as_a_message_has_room_and_counted_from_there_on() {
        let cluster = clusters().only().unwrap();
        let service = |number: usize| ServiceArn::new(cluster.clone(), &format!("{number:0>200}")).unwrap();
        let few: Vec<ServiceArn> = (0..3).map(service).collect();
        let left = ServicesLeft::of(&few, &not_named());
        assert_eq!((left.names.len(), left.next.as_str(), left.count, left.len()), (3, "web", 7, 10));
        let many: Vec<ServiceArn> = (0..5000).map(service).collect();
        let left = ServicesLeft::of(&many, &not_named());
        assert_eq!((left.next.as_str(), left.len()), (many[left.names.len()].name.as_str(), 5007));
        let recheck = Recheck::Sweep {
            started_at: Timestamp::UNIX_EPOCH,
            place: SweepPlace::Services { cluster, rest: Some(left) },
        };
        assert!((100_000..140_000).contains(&recheck.body().len()), "{}", recheck.body().len());
        assert_eq!(ServicesLeft::of(&[], &ServicesLeft::default()).len(), 0);
    }

    #[test]
    fn what_was_sent_is_read_back() {
        let cluster = clusters().only().unwrap();
        let service = ServiceArn::new(cluster.clone(), "web").unwrap();
        let due = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let sweep = |place| Recheck::Sweep { started_at: due, place };
        for sent in [
            Recheck::Check { service, due },
            Recheck::Task { task: clusters().task(TASK, None).unwrap(), due },
            sweep(SweepPlace::Tasks { page: None }),
            sweep(SweepPlace::Tasks { page: Some("x".to_owned()) }),
            sweep(SweepPlace::Services { cluster: cluster.clone(), rest: None }),
            sweep(SweepPlace::Services { cluster: cluster.clone(), rest: Some(not_named()) }),
            sweep(SweepPlace::Services {
                cluster,
                rest: Some(ServicesLeft { names: vec!["api".to_owned()], ..not_named() }),
            }),
        ] {
            assert_eq!(Recheck::parse(&sent.body(), &clusters()), Ok(sent));
        }
    }

    #[test]
    fn what_is_none_is_refused_with_a_reason() {
        let check =
            |service: &str| format!(r#"{{"recheck":"check","service":"{service}","due":"2026-01-05T09:05:00Z"}}"#);
        let task = |task: &str| format!(r#"{{"recheck":"task","task":"{task}","due":"2026-01-05T09:05:00Z"}}"#);
        for (body, expected) in [
            ("dance".to_owned(), "not a recheck: expected value"),
            ("{}".to_owned(), "missing field `recheck`"),
            (r#"{"recheck":"dance"}"#.to_owned(), "unknown variant `dance`"),
            (check("web"), "`web` is not an ARN"),
            (check("arn:aws:ecs:eu-west-1:111122223333:service/other/web"), "cluster `other` is not in"),
            (check("arn:aws:ecs:eu-west-1:999922223333:service/video/web"), "its account is `999922223333`"),
            (check("arn:aws:ecs:eu-west-1:111122223333:service/video/a;b"), "is not a service name"),
            (task(&TASK.replace("/video/", "/other/")), "cluster `other` is not in"),
            (task("web"), "`web` is not"),
        ] {
            let reason = Recheck::parse(&body, &clusters()).unwrap_err();
            assert!(reason.contains(expected), "expected {expected}, found {reason}");
        }
    }
}
