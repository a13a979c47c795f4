//! The configured clusters: taskhold touches tasks of these and of no other.

use crate::ecs::arn::{ArnError, ClusterArn, ServiceArnText, Task, TaskArn, TaskId};
use crate::ecs::service::ServiceArn;
use std::sync::Arc;

/// At least one cluster, all of one partition, Region and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters(Vec<Arc<ClusterArn>>);

/// Why something does not name a task or a service of a configured cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The ARN or id itself is wrong.
    #[error(transparent)]
    Arn(#[from] ArnError),
    /// The short form alone.
    #[error("`{0}` is the short form, which does not name the cluster; send the long form, or `cluster` beside it")]
    ShortArn(String),
    /// Another account, Region or partition.
    #[error("its {part} is `{found}`; this function works in {part} `{ours}`")]
    Elsewhere {
        /// `account`, `Region` or `partition`.
        part: &'static str,
        /// As the ARN has it.
        found: String,
        /// As configured.
        ours: String,
    },
    /// A cluster that TASKHOLD_CLUSTERS does not list.
    #[error("cluster `{0}` is not among the configured ones ({1})")]
    NotConfigured(String, String),
    /// ARN and cluster contradict each other.
    #[error("it names cluster `{0}`, but `cluster` names `{1}`")]
    Contradiction(String, String),
}

impl Clusters {
    /// Takes the configured clusters. `None` if there is none, or if they are not all of one place.
    pub fn new(clusters: Vec<ClusterArn>) -> Option<Self> {
        let first = clusters.first()?;
        let place = |arn: &ClusterArn| (arn.partition.clone(), arn.region.clone(), arn.account.clone());
        let one_place = clusters.iter().all(|arn| place(arn) == place(first));
        one_place.then(|| Self(clusters.into_iter().map(Arc::new).collect()))
    }

    /// The Region of all of them.
    pub fn region(&self) -> &str {
        &self.0[0].region
    }

    /// The clusters, in the order in which they were configured.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ClusterArn>> {
        self.0.iter()
    }

    /// The task that an ARN names; its short form needs `cluster` (name or ARN) beside it.
    ///
    /// # Errors
    /// The ARN is wrong, names another place, or a cluster that is not configured.
    pub fn task(&self, task_arn: &str, cluster: Option<&str>) -> Result<Task, NameError> {
        let arn = TaskArn::parse(task_arn)?;
        self.check_place([arn.partition, arn.region, arn.account])?;
        Ok(Task { cluster: self.named(task_arn, arn.cluster, cluster)?, id: arn.id })
    }

    /// The service that an ARN names; its short form needs `cluster` (name or ARN) beside it.
    ///
    /// # Errors
    /// The ARN is wrong, names another place, or a cluster that is not configured.
    pub fn service(&self, service_arn: &str, cluster: Option<&str>) -> Result<ServiceArn, NameError> {
        let arn = ServiceArnText::parse(service_arn)?;
        self.check_place([arn.partition, arn.region, arn.account])?;
        Ok(ServiceArn::new(self.named(service_arn, arn.cluster, cluster)?, arn.name)?)
    }

    fn check_place(&self, found: [&str; 3]) -> Result<(), NameError> {
        let ClusterArn { partition, region, account, .. } = self.0[0].as_ref();
        let ours = [("partition", partition), ("Region", region), ("account", account)];
        match ours.into_iter().zip(found).find(|((_, ours), found)| ours != found) {
            None => Ok(()),
            Some(((part, ours), found)) => {
                Err(NameError::Elsewhere { part, found: crate::ecs::arn::shown(found), ours: ours.clone() })
            }
        }
    }

    /// The cluster that an ARN names, or that is named beside its short form.
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

    /// The task that a cluster (name or ARN) and a task id name.
    ///
    /// # Errors
    /// The id is wrong, or the cluster is not configured.
    pub fn task_in(&self, cluster: &str, task_id: &str) -> Result<Task, NameError> {
        Ok(Task { cluster: self.find(cluster)?, id: task_id.parse::<TaskId>()? })
    }

    /// The cluster, if there is only one.
    pub fn only(&self) -> Option<Arc<ClusterArn>> {
        (self.0.len() == 1).then(|| self.0[0].clone())
    }

    /// A configured cluster, by name or ARN.
    ///
    /// # Errors
    /// The ARN is wrong, or the cluster is not configured.
    pub fn find(&self, name_or_arn: &str) -> Result<Arc<ClusterArn>, NameError> {
        if !name_or_arn.starts_with("arn:") {
            return self.by_name(name_or_arn);
        }
        let arn: ClusterArn = name_or_arn.parse()?;
        let found = self.0.iter().find(|ours| ours.as_ref() == &arn);
        found.cloned().ok_or_else(|| self.not_configured(name_or_arn))
    }

    fn by_name(&self, name: &str) -> Result<Arc<ClusterArn>, NameError> {
        let found = self.0.iter().find(|ours| ours.name == name);
        found.cloned().ok_or_else(|| self.not_configured(name))
    }

    fn not_configured(&self, cluster: &str) -> NameError {
        let ours: Vec<&str> = self.0.iter().map(|arn| arn.name.as_str()).collect();
        NameError::NotConfigured(crate::ecs::arn::shown(cluster), ours.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_is_told_on_one_line() {
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
