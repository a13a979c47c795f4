//! Delayed messages of the function to itself, through a queue that workers cannot write to.
//!
//! A recheck carries no state: the function decides from the state store and ECS when it arrives. A duplicate or late
//! recheck of a service does nothing. A duplicate continuation of a sweep sweeps twice: it changes nothing more, costs
//! calls, and ends when the time of the sweep is up.

use crate::config::clusters::Clusters;
use crate::ecs::arn::{ClusterArn, shown};
use crate::ecs::service::ServiceArn;
use crate::outbox::DeliveryError;
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

/// The services of a cluster that a sweep has not reconciled yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicesLeft {
    /// The name of the next one, in alphabetical order.
    pub next: String,
    /// How many there are. After the last name the sweep continues with the first.
    pub count: usize,
}

/// Sends rechecks.
#[async_trait]
pub trait RecheckQueue: Send + Sync {
    /// Sends a recheck that arrives after `delay`: whole seconds, at most [`DELAY_SECONDS_MAX`].
    ///
    /// # Errors
    /// The queue did not accept it; the text says why.
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), DeliveryError>;
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "recheck", rename_all = "lowercase")]
enum Body {
    Check {
        service: String,
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

    #[test]
    fn what_was_sent_is_read_back() {
        let cluster = clusters().only().unwrap();
        let service = ServiceArn::new(cluster.clone(), "web").unwrap();
        let due = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let sweep = |place| Recheck::Sweep { started_at: due, place };
        for sent in [
            Recheck::Check { service, due },
            sweep(SweepPlace::Tasks { page: None }),
            sweep(SweepPlace::Tasks { page: Some("x".to_owned()) }),
            sweep(SweepPlace::Services { cluster: cluster.clone(), rest: None }),
            sweep(SweepPlace::Services { cluster, rest: Some(ServicesLeft { next: "web".to_owned(), count: 7 }) }),
        ] {
            assert_eq!(Recheck::parse(&sent.body(), &clusters()), Ok(sent));
        }
    }

    #[test]
    fn what_is_none_is_refused_with_a_reason() {
        let check =
            |service: &str| format!(r#"{{"recheck":"check","service":"{service}","due":"2026-01-05T09:05:00Z"}}"#);
        for (body, expected) in [
            ("dance".to_owned(), "not a recheck: expected value"),
            ("{}".to_owned(), "missing field `recheck`"),
            (r#"{"recheck":"dance"}"#.to_owned(), "unknown variant `dance`"),
            (check("web"), "`web` is not an ARN"),
            (check("arn:aws:ecs:eu-west-1:111122223333:service/other/web"), "cluster `other` is not in"),
            (check("arn:aws:ecs:eu-west-1:999922223333:service/video/web"), "its account is `999922223333`"),
            (check("arn:aws:ecs:eu-west-1:111122223333:service/video/a;b"), "is not a service name"),
        ] {
            let reason = Recheck::parse(&body, &clusters()).unwrap_err();
            assert!(reason.contains(expected), "expected {expected}, found {reason}");
        }
    }
}
