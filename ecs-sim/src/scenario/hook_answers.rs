//! The function's answers to lifecycle hooks.

/// The function's answers to lifecycle hooks, as far as a line can expect them.
#[derive(Clone, Debug, Default)]
pub(super) struct HookAnswers {
    /// The last one.
    pub(super) last: Option<HookAnswered>,
    /// The number since a line last counted them.
    pub(super) uncounted: usize,
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct HookAnswered {
    /// Its `hookStatus`, `none` if the function failed, or what Lambda said instead.
    pub(super) status: String,
    /// The reason that the function logged.
    pub(super) because: String,
}
