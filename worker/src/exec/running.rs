//! COMMAND at work: passes signals on to it, and watches over its protection beside it.

use crate::child::{Child, CommandEnd};
use crate::guard::Guard;
use crate::job::ReportType;
use crate::metadata::MetadataEndpoint;
use crate::report::Reporter;
use crate::signals::{Arrival, Signals, asks_to_end};
use crate::watch::Known;
use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A job at work.
pub(super) struct RunningJob {
    pub(super) child: Child,
    pub(super) guard: Option<WatchedGuard>,
    pub(super) reporter: Option<Reporter>,
    /// The last signal that asked COMMAND to end.
    pub(super) stop_signal: Option<Signal>,
}

/// A guard that does its steps beside the job.
pub(super) struct WatchedGuard {
    stop: oneshot::Sender<()>,
    changes: mpsc::UnboundedReceiver<Known>,
    keeping: JoinHandle<Guard>,
}

impl WatchedGuard {
    pub(super) fn start(guard: Guard) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (changed, changes) = mpsc::unbounded_channel();
        Self { stop, changes, keeping: tokio::spawn(guard.keep(stopped, changed)) }
    }

    pub(super) async fn stop(self) -> Option<Guard> {
        // It ends with this process only.
        let _ = self.stop.send(());
        self.keeping.await.ok()
    }
}

impl RunningJob {
    /// Passes signals on and reports changes of the protection, until COMMAND has ended.
    pub(super) async fn ended(&mut self, signals: &mut Signals) -> CommandEnd {
        loop {
            let changed = async {
                match &mut self.guard {
                    Some(guard) => guard.changes.recv().await,
                    None => None,
                }
            };
            tokio::select! {
                arrival = signals.next() => match arrival {
                    Arrival::Signal(signal) => {
                        if asks_to_end(signal) {
                            self.stop_signal = Some(signal);
                        }
                        self.child.signal(signal);
                    }
                    Arrival::Child => if let Some(end) = self.child.reap() {
                        return end;
                    },
                },
                Some(known) = changed => if let Some(reporter) = &self.reporter {
                    reporter.report(ReportType::Heartbeat, &known);
                },
            }
        }
    }
}

/// Whether ECS is stopping the task. Without an answer, a stop signal says so.
pub(super) async fn is_stopping(metadata: Option<&MetadataEndpoint>, stop_signal: Option<Signal>) -> bool {
    let Some(metadata) = metadata else {
        return false;
    };
    match metadata.read().await {
        Ok(task) => task.is_stopping(),
        Err(_) => stop_signal.is_some(),
    }
}
