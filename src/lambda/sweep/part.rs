//! What the steps of one invocation's part of a sweep share.

use crate::api::answer::SweepReport;
use crate::budget::Budget;
use crate::lambda::sweep::open_records::OpenTasks;
use crate::lambda::sweep::pace::Pace;
use std::cell::Cell;

/// One invocation's part of a sweep.
pub(crate) struct Part<'a> {
    /// The share of the invocation's time in which it begins something new.
    pub(crate) share: Budget<'a>,
    /// The whole time of the invocation, for what has begun.
    pub(crate) budget: Budget<'a>,
    /// Whether ECS throttled it.
    pub(crate) is_throttled: Cell<bool>,
    /// Limits its reads of services.
    pub(crate) pace: Pace,
    /// What the task records say of services, as far as they were read.
    pub(crate) open_tasks: OpenTasks,
    pub(crate) report: SweepReport,
}
