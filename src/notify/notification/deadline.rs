//! The deadline of a rollout in sentences: where it comes from, and what happens when it passes.

use crate::notify::wording::span;
use crate::service::diagnosis::Diagnosis;
use crate::service::forecast::{DEADLINE_TAG, Deadline, DeadlineSource};
use jiff::Timestamp;

/// How sure it is that a deadline is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likelihood {
    /// The workers say so.
    Declared,
    /// Half of the earlier jobs lasted as long.
    Probable,
    /// Few of the earlier jobs lasted as long, or only the maximum is known.
    Possible,
}

/// Where the deadline comes from.
pub(crate) fn deadline_source(diagnosis: &Diagnosis) -> Option<String> {
    let deadline = diagnosis.deadline?;
    Some(match deadline.source {
        DeadlineSource::CloudFormation => {
            let hours = diagnosis.rollout.started_at().map_or(0, |start| deadline.at.duration_since(start).as_hours());
            let limit = if hours == 3 { "three hours".to_owned() } else { format!("{hours} hours") };
            format!("The deadline is CloudFormation's: after {limit}, it fails the update and rolls back.")
        }
        DeadlineSource::LifecycleStage => {
            "The deadline is that of the lifecycle stage: ECS ends a stage after 24 hours.".to_owned()
        }
        DeadlineSource::CleanUp => {
            "The deployment has succeeded. ECS stops trying to remove its old tasks two weeks after that.".to_owned()
        }
        DeadlineSource::Tag => format!("The deadline is set by the service's tag {DEADLINE_TAG}."),
        DeadlineSource::Setting => "The deadline is set by TASKHOLD_DEADLINE_MINUTES.".to_owned(),
    })
}

/// The time until a deadline, for a subject: `CloudFormation rolls back in 36 min`.
pub(crate) fn left(deadline: Deadline, now: Timestamp) -> String {
    let what = match deadline.source {
        DeadlineSource::CloudFormation => "CloudFormation rolls back",
        DeadlineSource::LifecycleStage => "ECS ends its stage",
        DeadlineSource::CleanUp => "clean-up ends",
        DeadlineSource::Tag | DeadlineSource::Setting => "deadline",
    };
    format!("{what} in {}", span(deadline.at.duration_since(now)))
}

/// What happens at a deadline that is missed.
pub(crate) fn at_the_deadline(deadline: Deadline, likelihood: Likelihood) -> &'static str {
    use Likelihood::{Declared, Possible, Probable};
    match (deadline.source, likelihood) {
        (DeadlineSource::CloudFormation, Declared) => "CloudFormation fails the update and rolls it back",
        (DeadlineSource::CloudFormation, Probable) => "CloudFormation probably fails the update and rolls it back",
        (DeadlineSource::CloudFormation, Possible) => "CloudFormation may fail the update and roll it back",
        (DeadlineSource::LifecycleStage, Declared) => "ECS ends the lifecycle stage, after its 24 hours",
        (DeadlineSource::LifecycleStage, Probable) => "ECS probably ends the lifecycle stage, after its 24 hours",
        (DeadlineSource::LifecycleStage, Possible) => "ECS may end the lifecycle stage, after its 24 hours",
        (DeadlineSource::CleanUp, _) => {
            "the clean-up ends, and AWS does not document what ECS then does with the old tasks"
        }
        (DeadlineSource::Tag | DeadlineSource::Setting, _) => "the deployment tool may give up",
    }
}

/// What happens at the deadline.
pub(crate) fn after(deadline: Deadline) -> &'static str {
    match deadline.source {
        DeadlineSource::CloudFormation => "CloudFormation then fails the update and rolls it back.",
        DeadlineSource::LifecycleStage => "ECS then ends the lifecycle stage, after its 24 hours.",
        DeadlineSource::CleanUp => "AWS does not document what ECS then does with the old tasks.",
        DeadlineSource::Tag | DeadlineSource::Setting => "The deployment tool may then give up.",
    }
}

/// What has happened since the deadline.
pub(crate) fn passed(deadline: Deadline) -> &'static str {
    match deadline.source {
        DeadlineSource::CloudFormation => "CloudFormation has probably failed the update and is rolling it back.",
        DeadlineSource::LifecycleStage => "ECS has probably ended the lifecycle stage.",
        DeadlineSource::CleanUp => "AWS does not document what ECS now does with the old tasks.",
        DeadlineSource::Tag | DeadlineSource::Setting => "The deployment tool may have given up.",
    }
}

/// The choice to miss a deadline.
pub(crate) fn missing(deadline: Deadline) -> &'static str {
    match deadline.source {
        DeadlineSource::CloudFormation => "let CloudFormation roll back (the jobs keep running)",
        DeadlineSource::LifecycleStage => "let ECS end the lifecycle stage (the jobs keep running)",
        DeadlineSource::CleanUp => "let the clean-up end (the jobs keep running)",
        DeadlineSource::Tag | DeadlineSource::Setting => {
            "let the deadline pass (the deployment tool may give up, and the jobs keep running)"
        }
    }
}

/// What to do after a deadline.
pub(crate) fn missed(source: Option<DeadlineSource>) -> &'static str {
    match source {
        Some(DeadlineSource::CloudFormation) => {
            "check whether CloudFormation is rolling back. If it is, let the jobs finish: releasing their tasks no \
             longer saves the update."
        }
        Some(DeadlineSource::LifecycleStage) => {
            "check whether ECS has ended the lifecycle stage. If it has, let the jobs finish: releasing their \
             tasks no longer saves the deployment."
        }
        Some(DeadlineSource::CleanUp | DeadlineSource::Tag | DeadlineSource::Setting) | None => {
            "check whether your deployment tool has given up. If it has, let the jobs finish."
        }
    }
}
