//! The wait for protection before COMMAND starts.

use crate::child::CommandEnd;
use crate::container::EXIT_REFUSED;
use crate::signals::{Arrival, Signals, asks_to_end};

/// COMMAND is not started.
pub(super) struct NotStarted {
    pub(super) exit_code: u8,
    pub(super) reason: &'static str,
}

impl NotStarted {
    pub(super) fn refused(reason: &'static str) -> Self {
        Self { exit_code: EXIT_REFUSED, reason }
    }
}

/// Waits for admission. A signal that asks to end ends the wait. A request that is on its way then is given up: the agent
/// sees that and gives up its call to ECS.
pub(super) async fn unless_asked_to_end(
    admission: impl Future<Output = Result<(), NotStarted>>,
    signals: &mut Signals,
) -> Result<(), NotStarted> {
    let asked_to_end = async {
        loop {
            if let Arrival::Signal(signal) = signals.next().await
                && asks_to_end(signal)
            {
                return signal;
            }
        }
    };
    tokio::select! {
        admitted = admission => admitted,
        signal = asked_to_end => Err(NotStarted {
            exit_code: CommandEnd::Killed(signal.as_raw()).exit_code(),
            reason: "a signal asked this process to end",
        }),
    }
}
