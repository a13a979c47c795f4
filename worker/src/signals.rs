//! The signals that this process passes on, as an init does (aws-facts "Containers on ECS").
//!
//! Each has a handler, and none is blocked: COMMAND inherits the mask that this process was started with, its handlers are the
//! default ones again, and it ignores the signals that this process was started to ignore.

use nix::sys::signal::{SigSet, Signal as NamedSignal};
use rustix::process::Signal;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// One more than the highest number of a signal with a name. Behind it are the real-time signals, which no safe interface sends.
const NUMBERS_END: i32 = 32;

/// Signals of which this process wants to know.
#[derive(Debug)]
pub(crate) struct Signals {
    arrived: mpsc::UnboundedReceiver<Signal>,
    children: tokio::signal::unix::Signal,
}

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A signal to pass on.
    Signal(Signal),
    /// A child changed its state.
    Child,
}

impl Signals {
    /// Starts to listen. The terminal's signals for processes in the background are blocked, so that this process can write
    /// log lines while COMMAND has the terminal.
    ///
    /// # Errors
    /// A handler cannot be installed.
    pub(crate) fn listen() -> io::Result<Self> {
        of_the_terminal().thread_block()?;
        let (sender, arrived) = mpsc::unbounded_channel();
        let ignored = ignored();
        for number in (1..NUMBERS_END).filter(|number| is_passed_on(*number) && ignored >> (number - 1) & 1 == 0) {
            let (Some(passed_on), Ok(mut listener)) =
                (Signal::from_named_raw(number), signal(SignalKind::from_raw(number)))
            else {
                continue;
            };
            let sender = sender.clone();
            tokio::spawn(async move { while listener.recv().await.is_some() && sender.send(passed_on).is_ok() {} });
        }
        // A handler for it also undoes that it was ignored, in which case the kernel would keep no exit codes.
        let children = signal(SignalKind::child())?;
        Ok(Self { arrived, children })
    }

    /// The next arrival.
    pub(crate) async fn next(&mut self) -> Arrival {
        tokio::select! {
            Some(signal) = self.arrived.recv() => Arrival::Signal(signal),
            _ = self.children.recv() => Arrival::Child,
        }
    }
}

/// The signals that this process was started to ignore, as under `nohup`, with the bit of signal n at n - 1. COMMAND is to
/// ignore them too, which a handler in this process would undo.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

/// Neither those that cannot be caught, nor those by which the kernel reports an error of this process itself, nor those by
/// which the terminal stops it. tini and dumb-init leave out the same. Nor SIGPIPE, which this process gets when its own log
/// has no reader: COMMAND must not die of that.
fn is_passed_on(number: i32) -> bool {
    let own = [
        Signal::KILL,
        Signal::STOP,
        Signal::FPE,
        Signal::ILL,
        Signal::SEGV,
        Signal::BUS,
        Signal::ABORT,
        Signal::TRAP,
        Signal::SYS,
        Signal::TTIN,
        Signal::TTOU,
        Signal::CHILD,
        Signal::PIPE,
    ];
    !own.iter().any(|signal| signal.as_raw() == number)
}

/// The signals that stop a process in the background that uses the terminal.
pub(crate) fn of_the_terminal() -> SigSet {
    SigSet::from_iter([NamedSignal::SIGTTIN, NamedSignal::SIGTTOU])
}

/// Whether the signal asks a process to end, so that a job that has not started need not start.
pub(crate) fn asks_to_end(signal: Signal) -> bool {
    [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT].contains(&signal)
}
