//! Finds tags of a service that are meant for taskhold but that it cannot use.

use crate::ecs::service::Service;
use crate::service::forecast::{DEADLINE_MINUTES_MAX, DEADLINE_TAG, deadline_minutes};
use crate::service::remediation::{
    COUNT_TAG_MAX, IDLE_RESERVE_TAG, MAX_DESIRED_COUNT_TAG, POLICY_TAG, count_tag, policy_tag,
};
use crate::service::snapshot::managed::{MANAGED_TAG, managed_tag};
use std::fmt;

/// The prefix of taskhold's tags, in any case: AWS distinguishes `Taskhold:` from it, but people mistype it.
const PREFIX: &str = "taskhold:";

/// The tags that taskhold reads.
const READ: [&str; 5] = [DEADLINE_TAG, POLICY_TAG, MAX_DESIRED_COUNT_TAG, IDLE_RESERVE_TAG, MANAGED_TAG];

/// A tag with taskhold's prefix that taskhold ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagProblem {
    /// Its key as it was set.
    pub tag: String,
    /// Its value as it was set.
    pub value: String,
    /// The rule that it breaks.
    pub fault: TagFault,
}

/// The rule that a tag breaks. The text continues a sentence that begins with the tag's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagFault {
    /// [`DEADLINE_TAG`] with a value that is not a valid number of minutes.
    NotMinutes,
    /// [`POLICY_TAG`] with a value that is not a policy.
    NotAPolicy,
    /// [`MAX_DESIRED_COUNT_TAG`] or [`IDLE_RESERVE_TAG`] with a value that is not a valid number of tasks for a
    /// service.
    NotACount,
    /// [`MANAGED_TAG`] with a value that is neither `true` nor `false`.
    NotYesOrNo,
    /// A tag that taskhold does not read: misspelt, or meant for another version.
    NotRead,
}

impl fmt::Display for TagFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMinutes => write!(f, "must be a whole number from 1 to {DEADLINE_MINUTES_MAX}"),
            Self::NotAPolicy => write!(f, "{}", crate::config::policy::NotAPolicy),
            Self::NotACount => write!(f, "must be a whole number from 0 to {COUNT_TAG_MAX}"),
            Self::NotYesOrNo => write!(f, "must be true or false"),
            Self::NotRead => write!(f, "is not read by this version, which reads {}", READ.join(", ")),
        }
    }
}

pub(crate) fn tag_problems(service: &Service) -> Vec<TagProblem> {
    let problem = |(tag, value): (&String, &String)| {
        let fault = fault(tag, value)?;
        Some(TagProblem { tag: tag.clone(), value: value.clone(), fault })
    };
    service.tags.iter().filter_map(problem).collect()
}

fn fault(tag: &str, value: &str) -> Option<TagFault> {
    match tag {
        DEADLINE_TAG => return deadline_minutes(value).is_none().then_some(TagFault::NotMinutes),
        POLICY_TAG => return policy_tag(value).is_none().then_some(TagFault::NotAPolicy),
        MAX_DESIRED_COUNT_TAG | IDLE_RESERVE_TAG => return count_tag(value).is_none().then_some(TagFault::NotACount),
        MANAGED_TAG => return managed_tag(value).is_none().then_some(TagFault::NotYesOrNo),
        _ => {}
    }
    let is_meant = tag.get(..PREFIX.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(PREFIX));
    is_meant.then_some(TagFault::NotRead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_is_no_whole_number_of_minutes_up_to_a_week_is_a_problem() {
        let huge = "9".repeat(256);
        for value in ["0", "-45", "10081", "", " ", "45m", "4 5", "45.0", "1e2", "٤٥", "0x2d", "\u{202e}45\n", &huge]
        {
            assert_eq!(fault(DEADLINE_TAG, value), Some(TagFault::NotMinutes), "{value:?}");
        }
        for value in ["1", "45", "10080", " 45 ", "045"] {
            assert_eq!(fault(DEADLINE_TAG, value), None, "{value:?}");
        }
    }

    #[test]
    fn a_policy_a_count_and_a_yes_that_are_none_are_problems() {
        for value in ["", "release", "Notify", "notify,release-idle"] {
            assert_eq!(fault(POLICY_TAG, value), Some(TagFault::NotAPolicy), "{value:?}");
        }
        for tag in [MAX_DESIRED_COUNT_TAG, IDLE_RESERVE_TAG] {
            for value in ["", "-1", "5001", "ten", "1.5"] {
                assert_eq!(fault(tag, value), Some(TagFault::NotACount), "{value:?}");
            }
            assert_eq!((fault(tag, "0"), fault(tag, " 5000 ")), (None, None));
        }
        assert_eq!(fault(POLICY_TAG, " raise-desired-count "), None);
        for value in ["", "yes", "True", "1"] {
            assert_eq!(fault(MANAGED_TAG, value), Some(TagFault::NotYesOrNo), "{value:?}");
        }
        assert_eq!((fault(MANAGED_TAG, "false"), fault(MANAGED_TAG, " true ")), (None, None));
    }

    #[test]
    fn a_tag_that_resembles_one_of_taskholds_is_a_problem_and_others_are_not() {
        let misspelt =
            ["taskhold:deadline-minute", "Taskhold:Deadline-Minutes", "taskhold:deadline-minutes ", "taskhold:"];
        for tag in misspelt.into_iter().chain(["taskhold:policies", "taskhold:Managed"]) {
            assert_eq!(fault(tag, "45"), Some(TagFault::NotRead), "{tag:?}");
        }
        for tag in ["aws:cloudformation:stack-name", "taskhold", "taskholder:x", "my-taskhold:x", "", "taskhöld:x"] {
            assert_eq!(fault(tag, "45"), None, "{tag:?}");
        }
    }

    #[test]
    fn a_fault_names_the_rule_or_what_is_read_instead() {
        assert_eq!(TagFault::NotMinutes.to_string(), "must be a whole number from 1 to 10080");
        assert_eq!(
            TagFault::NotRead.to_string(),
            "is not read by this version, which reads taskhold:deadline-minutes, taskhold:policy, \
             taskhold:max-desired-count, taskhold:idle-reserve, taskhold:managed"
        );
    }
}
