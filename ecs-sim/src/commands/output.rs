//! Standard output. A reader that closes it early, as `head` does, ends the command without a message. The exit code is not 0,
//! because the command has not completed.

use super::error::CliError;
use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Writes a line.
pub(super) fn line(text: fmt::Arguments<'_>) -> Result<(), CliError> {
    written(writeln!(io::stdout().lock(), "{text}"))
}

/// Writes a text that has its own line ends.
pub(super) fn text(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Converts the result of a write to standard output.
pub(super) fn written(result: io::Result<()>) -> Result<(), CliError> {
    result.map_err(|problem| match problem.kind() {
        ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::Write(problem),
    })
}

/// [`line()`] with the arguments of `format!`.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::commands::output::line(format_args!($($text)*))
    };
}
pub(super) use say;
