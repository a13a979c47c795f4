//! Names of clusters, services and tasks. Each is validated when it is made, so that an invalid name cannot
//! fail a call that it would share with valid ones.

use crate::text::{escaped, is_printable};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not a valid ARN or id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Fewer than the six parts of an ARN, or an invalid part.
    #[error("`{0}` is not an ARN; it must look like `arn:aws:ecs:REGION:ACCOUNT:{1}`")]
    NotAnArn(String, &'static str),
    /// An ARN of another AWS service.
    #[error("`{0}` is an ARN of `{1}`; it must be an ARN of `ecs`")]
    OtherService(String, String),
    /// An ECS ARN of another kind of resource.
    #[error("`{0}` does not name a {1}")]
    OtherResource(String, &'static str),
    /// The id part is not a task id.
    #[error("`{0}` is not a task id; it must be 32 hexadecimal digits, or a UUID for tasks of the old format")]
    NotATaskId(String),
    /// Not a service name.
    #[error("`{0}` is not a service name; it must be 1 to 255 letters, digits, hyphens and underscores")]
    NotAServiceName(String),
    /// The name part is not a cluster name.
    #[error("`{0}` is not a cluster name; it must be 1 to 255 letters, digits, hyphens and underscores")]
    NotAClusterName(String),
}

/// Longest text in an error: long enough for any valid ARN, short enough for a message attribute and a log
/// line.
const SHOWN_CHARS_MAX: usize = 200;

/// Untrusted text as it appears in an error: on one line, and short.
pub(crate) fn shown(text: &str) -> String {
    escaped(text, SHOWN_CHARS_MAX, is_printable)
}

/// A task's id: 32 hexadecimal digits, or a UUID in the old format.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId(Arc<str>);

impl TaskId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id at the end of a task ARN, long or short: ECS answers with both forms (aws-facts "ECS: the
    /// protection API"), and the id identifies a task within a call.
    ///
    /// # Errors
    /// [`ArnError::NotATaskId`] if the text after the last `/` is not a task id.
    pub fn at_end_of(arn: &str) -> Result<Self, ArnError> {
        arn.rsplit('/').next().unwrap_or(arn).parse()
    }
}

impl FromStr for TaskId {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let bytes = text.as_bytes();
        let valid = match bytes.len() {
            32 => bytes.iter().all(u8::is_ascii_hexdigit),
            36 => bytes.iter().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            }),
            _ => false,
        };
        if valid { Ok(Self(text.into())) } else { Err(ArnError::NotATaskId(shown(text))) }
    }
}

impl TryFrom<String> for TaskId {
    type Error = ArnError;

    fn try_from(text: String) -> Result<Self, ArnError> {
        text.parse()
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A cluster, by its full ARN: `arn:PARTITION:ecs:REGION:ACCOUNT:cluster/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterArn {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// As in `eu-west-1`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// Name within account and Region.
    pub name: String,
}

impl FromStr for ClusterArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let parts = EcsArn::parse(text, "cluster/NAME")?;
        let Some(("cluster", name)) = parts.resource.split_once('/') else {
            return Err(ArnError::OtherResource(shown(text), "cluster"));
        };
        let well_formed = (1..=255).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !well_formed {
            return Err(ArnError::NotAClusterName(shown(name)));
        }
        Ok(Self {
            partition: parts.partition.to_owned(),
            region: parts.region.to_owned(),
            account: parts.account.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ClusterArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, region, account, name } = self;
        write!(f, "arn:{partition}:ecs:{region}:{account}:cluster/{name}")
    }
}

/// A task of a configured cluster: the key of a task record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    /// The cluster, shared with the configuration.
    pub cluster: Arc<ClusterArn>,
    /// Unique within account and Region.
    pub id: TaskId,
}

/// Hashes only the id: it is random, and the texts of the cluster would double the work.
impl Hash for Task {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Display for Task {
    /// The long form of its ARN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClusterArn { partition, region, account, name } = self.cluster.as_ref();
        write!(f, "arn:{partition}:ecs:{region}:{account}:task/{name}/{}", self.id)
    }
}

impl FromStr for Task {
    type Err = ArnError;

    /// Reads the long form of its ARN.
    fn from_str(text: &str) -> Result<Self, ArnError> {
        let TaskArn { partition, region, account, cluster, id } = TaskArn::parse(text)?;
        let cluster = cluster.ok_or_else(|| ArnError::OtherResource(shown(text), "task together with its cluster"))?;
        let cluster: ClusterArn = format!("arn:{partition}:ecs:{region}:{account}:cluster/{cluster}").parse()?;
        Ok(Self { cluster: Arc::new(cluster), id })
    }
}

/// A task ARN as received. The old short form does not name the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskArn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// As in `eu-west-1`.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// `None` in the short form.
    pub cluster: Option<&'a str>,
    /// The id.
    pub id: TaskId,
}

impl<'a> TaskArn<'a> {
    /// Parses the long form `…:task/CLUSTER/ID` and the short form `…:task/ID`.
    ///
    /// # Errors
    /// Names the part that is invalid.
    pub fn parse(text: &'a str) -> Result<Self, ArnError> {
        let EcsArn { partition, region, account, resource } = EcsArn::parse(text, "task/CLUSTER/ID")?;
        let mut path = resource.split('/');
        let (cluster, id) = match (path.next(), path.next(), path.next(), path.next()) {
            (Some("task"), Some(id), None, None) => (None, id),
            (Some("task"), Some(cluster), Some(id), None) => (Some(cluster), id),
            _ => return Err(ArnError::OtherResource(shown(text), "task")),
        };
        Ok(Self { partition, region, account, cluster, id: id.parse()? })
    }
}

/// A service ARN as received: `…:service/CLUSTER/NAME`, or `…:service/NAME` in the old short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceArnText<'a> {
    pub(crate) partition: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    /// `None` in the short form.
    pub(crate) cluster: Option<&'a str>,
    pub(crate) name: &'a str,
}

impl<'a> ServiceArnText<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, ArnError> {
        let EcsArn { partition, region, account, resource } = EcsArn::parse(text, "service/CLUSTER/NAME")?;
        let mut path = resource.split('/');
        let (cluster, name) = match (path.next(), path.next(), path.next(), path.next()) {
            (Some("service"), Some(name), None, None) => (None, name),
            (Some("service"), Some(cluster), Some(name), None) => (Some(cluster), name),
            _ => return Err(ArnError::OtherResource(shown(text), "service")),
        };
        Ok(Self { partition, region, account, cluster, name })
    }
}

/// Whether a text has the characters of a partition or Region.
fn is_of_a_place(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

pub(crate) struct EcsArn<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
    /// What follows the account.
    pub(crate) resource: &'a str,
}

impl<'a> EcsArn<'a> {
    pub(crate) fn parse(text: &'a str, wanted: &'static str) -> Result<Self, ArnError> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (Some("arn"), Some(partition), Some(service), Some(region), Some(account), Some(resource)) =
            (next(), next(), next(), next(), next(), next())
        else {
            return Err(match text.split(':').collect::<Vec<_>>()[..] {
                // Some AWS services leave out Region or account in their ARNs. Naming the service is the
                // better reason.
                ["arn", _, service, ..] if !service.is_empty() && service != "ecs" => {
                    ArnError::OtherService(shown(text), shown(service))
                }
                _ => ArnError::NotAnArn(shown(text), wanted),
            });
        };
        if service != "ecs" {
            return Err(ArnError::OtherService(shown(text), shown(service)));
        }
        // An invalid account or Region would be compared with the configured ones and never match.
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if !(is_account && is_of_a_place(partition) && is_of_a_place(region)) {
            return Err(ArnError::NotAnArn(shown(text), wanted));
        }
        Ok(Self { partition, region, account, resource })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6b777c1809a94925ab48098fa09824de";

    #[test]
    fn a_task_id_of_the_old_format_is_a_uuid() {
        assert!("6b777c18-09a9-4925-ab48-098fa09824de".parse::<TaskId>().is_ok());
        assert!("6b777c18-09a9-4925-ab48x098fa09824de".parse::<TaskId>().is_err());
    }

    #[test]
    fn each_wrong_arn_is_reported_with_its_own_reason() {
        let reason = |text: &str| TaskArn::parse(text).unwrap_err().to_string();
        assert!(reason("nonsense").starts_with("`nonsense` is not an ARN"));
        assert!(reason("arn:aws:ecs:eu-west-1::task/x/y").contains("is not an ARN"));
        for place in ["eu-west-1:11112222333", "eu-west-1:11112222333x", "EU:111122223333", "eu west:111122223333"] {
            assert!(reason(&format!("arn:aws:ecs:{place}:task/video/{ID}")).contains("is not an ARN"), "{place}");
        }
        assert!(reason("arn:aws:s3:::bucket/key").contains("is an ARN of `s3`"));
        assert!(reason("arn:aws:ecs:eu-west-1:111122223333:service/video/web").contains("does not name a task"));
        assert!(reason("arn:aws:ecs:eu-west-1:111122223333:task/video/abc").contains("`abc` is not a task id"));
        let short = format!("arn:aws:ecs:eu-west-1:111122223333:task/{ID}").parse::<Task>().unwrap_err().to_string();
        assert!(short.contains("does not name a task together with its cluster"), "{short}");
    }

    #[test]
    fn a_long_text_is_cut_in_an_error() {
        let error = "x".repeat(1_000_000).parse::<TaskId>().unwrap_err().to_string();
        assert!(error.len() < 400, "{}", error.len());
    }

    #[test]
    fn a_text_in_an_error_ends_no_line() {
        let error = "a\nb\r\u{2028}\u{202e}\u{1b}[31mc".parse::<TaskId>().unwrap_err().to_string();
        assert!(error.starts_with(r"`a\nb\r\u{2028}\u{202e}\u{1b}[31mc` is not a task id"), "{error}");
    }
}
