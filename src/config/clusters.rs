//! The configured clusters. taskhold changes only tasks and services of these.

use crate::ecs::arn::{ArnError, ClusterArn, ServiceArnText, Task, TaskArn, TaskId};
use crate::ecs::service::ServiceArn;
use std::sync::Arc;

/// At least one cluster, all of one partition, Region and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// In the order in which they were configured.
    all: Vec<Arc<ClusterArn>>,
    names: String,
}

/// The longest value of a dimension of a metric (CloudWatch API Reference, "Dimension").
const NAMES_CHARS_MAX: usize = 1024;

/// Why a text does not name a task or service of a configured cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The ARN or id is invalid.
    #[error(transparent)]
    Arn(#[from] ArnError),
    /// A short ARN without `cluster` next to it.
    #[error("`{0}` is the short form, which does not name the cluster; send the long form, or `cluster` beside it")]
    ShortArn(String),
    /// A different account, Region or partition.
    #[error("its {part} is `{found}`; this function works in {part} `{ours}`")]
    Elsewhere {
        /// `account`, `Region` or `partition`.
        part: &'static str,
        /// The value in the ARN.
        found: String,
        /// The value in the configuration.
        ours: String,
    },
    /// A cluster that TASKHOLD_CLUSTERS does not list.
    #[error("cluster `{0}` is not in TASKHOLD_CLUSTERS ({1})")]
    NotConfigured(String, String),
    /// The ARN and `cluster` name different clusters.
    #[error("it names cluster `{0}`, but `cluster` names `{1}`")]
    Contradiction(String, String),
}

impl Clusters {
    /// Makes the list of configured clusters. `None` if it is empty, or if the clusters differ in partition,
    /// Region or account.
    pub fn new(clusters: Vec<ClusterArn>) -> Option<Self> {
        let first = clusters.first()?;
        let place = |arn: &ClusterArn| (arn.partition.clone(), arn.region.clone(), arn.account.clone());
        let one_place = clusters.iter().all(|arn| place(arn) == place(first));
        one_place.then(|| Self { names: names(&clusters), all: clusters.into_iter().map(Arc::new).collect() })
    }

    /// The names of the clusters, sorted and joined by commas, so that the order of the configuration does not matter.
    /// Names beyond 1,024 characters are omitted, the last ones first.
    pub fn names(&self) -> &str {
        &self.names
    }

    /// The Region of all clusters.
    pub fn region(&self) -> &str {
        &self.all[0].region
    }

    /// The clusters, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ClusterArn>> {
        self.all.iter()
    }

    /// The task that an ARN names. The short form needs `cluster` (name or ARN) beside it.
    ///
    /// # Errors
    /// The ARN is invalid, or names another account or Region, or a cluster that is not configured.
    pub fn task(&self, task_arn: &str, cluster: Option<&str>) -> Result<Task, NameError> {
        let arn = TaskArn::parse(task_arn)?;
        self.check_place([arn.partition, arn.region, arn.account])?;
        Ok(Task { cluster: self.named(task_arn, arn.cluster, cluster)?, id: arn.id })
    }

    /// The service that an ARN names. The short form needs `cluster` (name or ARN) beside it.
    ///
    /// # Errors
    /// The ARN is invalid, or names another account or Region, or a cluster that is not configured.
    pub fn service(&self, service_arn: &str, cluster: Option<&str>) -> Result<ServiceArn, NameError> {
        let arn = ServiceArnText::parse(service_arn)?;
        self.check_place([arn.partition, arn.region, arn.account])?;
        Ok(ServiceArn::new(self.named(service_arn, arn.cluster, cluster)?, arn.name)?)
    }

    fn check_place(&self, found: [&str; 3]) -> Result<(), NameError> {
        let ClusterArn { partition, region, account, .. } = self.all[0].as_ref();
        let ours = [("partition", partition), ("Region", region), ("account", account)];
        match ours.into_iter().zip(found).find(|((_, ours), found)| ours != found) {
            None => Ok(()),
            Some(((part, ours), found)) => {
                Err(NameError::Elsewhere { part, found: crate::ecs::arn::shown(found), ours: ours.clone() })
            }
        }
    }

    /// The cluster in an ARN, or the one named beside its short form.
    fn named(&self, arn: &str, in_arn: Option<&str>, beside: Option<&str>) -> Result<Arc<ClusterArn>, NameError> {
        match (in_arn, beside) {
            (Some(named), None) => self.by_name(named),
            (None, Some(beside)) => self.find(beside),
            (None, None) => Err(NameError::ShortArn(crate::ecs::arn::shown(arn))),
            (Some(named), Some(beside)) => {
                let cluster = self.find(beside)?;
                if cluster.name != named {
                    return Err(NameError::Contradiction(crate::ecs::arn::shown(named), cluster.name.clone()));
                }
                Ok(cluster)
            }
        }
    }

    /// The task with this id in this cluster (name or ARN).
    ///
    /// # Errors
    /// The id is invalid, or the cluster is not configured.
    pub fn task_in(&self, cluster: &str, task_id: &str) -> Result<Task, NameError> {
        Ok(Task { cluster: self.find(cluster)?, id: task_id.parse::<TaskId>()? })
    }

    /// The only configured cluster; `None` if there are several.
    pub fn only(&self) -> Option<Arc<ClusterArn>> {
        (self.all.len() == 1).then(|| self.all[0].clone())
    }

    /// A configured cluster, by name or ARN.
    ///
    /// # Errors
    /// The ARN is invalid, or the cluster is not configured.
    pub fn find(&self, name_or_arn: &str) -> Result<Arc<ClusterArn>, NameError> {
        if !name_or_arn.starts_with("arn:") {
            return self.by_name(name_or_arn);
        }
        let arn: ClusterArn = name_or_arn.parse()?;
        let found = self.all.iter().find(|ours| ours.as_ref() == &arn);
        found.cloned().ok_or_else(|| self.not_configured(name_or_arn))
    }

    fn by_name(&self, name: &str) -> Result<Arc<ClusterArn>, NameError> {
        let found = self.all.iter().find(|ours| ours.name == name);
        found.cloned().ok_or_else(|| self.not_configured(name))
    }

    fn not_configured(&self, cluster: &str) -> NameError {
        let ours: Vec<&str> = self.all.iter().map(|arn| arn.name.as_str()).collect();
        NameError::NotConfigured(crate::ecs::arn::shown(cluster), ours.join(", "))
    }
}

fn names(clusters: &[ClusterArn]) -> String {
    let mut sorted: Vec<&str> = clusters.iter().map(|arn| arn.name.as_str()).collect();
    sorted.sort_unstable();
    let mut joined = String::new();
    for name in sorted {
        let comma = if joined.is_empty() { "" } else { "," };
        if joined.len() + comma.len() + name.len() > NAMES_CHARS_MAX {
            break;
        }
        joined.push_str(comma);
        joined.push_str(name);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_the_same_in_every_order_and_fit_into_a_dimension() {
        let clusters = |names: &[&str]| {
            let arn = |name: &&str| format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{name}").parse().unwrap();
            Clusters::new(names.iter().map(arn).collect()).unwrap()
        };
        assert_eq!(clusters(&["video"]).names(), "video");
        assert_eq!(clusters(&["video", "audio"]).names(), "audio,video");
        assert_eq!(clusters(&["audio", "video"]).names(), "audio,video");
        let long = ["a", "b", "c", "d", "e"].map(|letter| letter.repeat(255));
        let names = clusters(&long.each_ref().map(String::as_str)).names().to_owned();
        assert_eq!(names, long[..4].join(","), "whole names, 1,024 characters at most");
    }

    #[test]
    fn text_of_other_writers_is_shown_on_one_line() {
        let clusters =
            Clusters::new(vec!["arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap()]).unwrap();
        let arn = "arn:aws:ecs:eu-west-1:111122223333:service";
        for names in
            [format!("{arn}/a\nb"), format!("{arn}/vid\neo/web"), arn.replace("ecs", "e\ncs"), arn.replace("eu-", "\n")]
        {
            let error = clusters.service(&names, None).unwrap_err().to_string();
            assert!(!error.contains('\n') && error.contains("\\n"), "{error}");
        }
        let cluster = clusters.service(&format!("{arn}/web"), Some("vid\neo")).unwrap_err().to_string();
        assert!(!cluster.contains('\n'), "{cluster}");
    }
}
