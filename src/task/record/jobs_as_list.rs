//! Serializes the jobs as a list, because the keys of a JSON object must be strings.

use crate::task::job::{Job, JobKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Serialize)]
struct Borrowed<'a> {
    #[serde(flatten)]
    key: &'a JobKey,
    #[serde(flatten)]
    job: &'a Job,
}

#[derive(Deserialize)]
struct Owned {
    #[serde(flatten)]
    key: JobKey,
    #[serde(flatten)]
    job: Box<Job>,
}

type JobsByKey = Arc<BTreeMap<JobKey, Box<Job>>>;

pub(crate) fn serialize<S: Serializer>(jobs: &JobsByKey, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(jobs.iter().map(|(key, job)| Borrowed { key, job }))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<JobsByKey, D::Error> {
    let list = Vec::<Owned>::deserialize(from)?;
    Ok(Arc::new(list.into_iter().map(|Owned { key, job }| (key, job)).collect()))
}
