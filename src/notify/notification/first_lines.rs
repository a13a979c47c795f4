//! The start of every notification of an open problem: how long the problem lasts, the cost of waiting, and the first
//! action.

/// The first lines of a notification. Each value continues the label of its line.
#[derive(Debug)]
pub(crate) struct FirstLines {
    /// Until when the problem lasts.
    pub(crate) until: String,
    /// What happens without any action.
    pub(crate) waiting: String,
    /// The first action.
    pub(crate) first: String,
}

impl FirstLines {
    /// The lines, each with its label.
    pub(crate) fn lines(&self) -> [String; 3] {
        let Self { until, waiting, first } = self;
        [format!("Lasts until: {until}"), format!("If you wait: {waiting}"), format!("Do first: {first}")]
    }
}
