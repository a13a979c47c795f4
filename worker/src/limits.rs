//! What a job may be called and how many labels it may have, as in job messages (schemas/job-message.schema.json).

use std::collections::BTreeMap;

const JOB_ID_CHARS_MAX: usize = 256;
const KIND_CHARS_MAX: usize = 64;
const LABELS_MAX: usize = 8;
const LABEL_NAME_CHARS_MAX: usize = 64;
const LABEL_VALUE_CHARS_MAX: usize = 128;

/// The problem of a job's id, if it has one.
pub(crate) fn problem_of_id(id: &str) -> Option<String> {
    if id.is_empty() || id.chars().count() > JOB_ID_CHARS_MAX {
        return Some(format!("does not have 1 to {JOB_ID_CHARS_MAX} characters"));
    }
    id.chars().any(char::is_control).then(|| "has control characters; use printable ones".to_owned())
}

/// The problem of a kind of job, if it has one.
pub(crate) fn problem_of_kind(kind: &str) -> Option<String> {
    let is_fine = (1..=KIND_CHARS_MAX).contains(&kind.chars().count()) && !kind.chars().any(char::is_control);
    (!is_fine).then(|| format!("does not have 1 to {KIND_CHARS_MAX} characters, or has control characters"))
}

/// The problem of a label, if it has one.
pub(crate) fn problem_of_label(name: &str, value: &str) -> Option<String> {
    if name.is_empty() || name.chars().count() > LABEL_NAME_CHARS_MAX {
        return Some(format!("does not have a name of 1 to {LABEL_NAME_CHARS_MAX} characters"));
    }
    let is_long = value.chars().count() > LABEL_VALUE_CHARS_MAX;
    is_long.then(|| format!("has a value of more than {LABEL_VALUE_CHARS_MAX} characters"))
}

/// The problem of the number of labels, if it has one.
pub(crate) fn problem_of_labels(labels: &BTreeMap<String, String>) -> Option<String> {
    (labels.len() > LABELS_MAX).then(|| format!("is one label too many; a job has at most {LABELS_MAX}"))
}
