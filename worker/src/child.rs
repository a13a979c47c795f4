//! COMMAND as a child process: started without a shell, in a process group of its own, with the terminal if there is one.

use crate::log::Log;
use crate::options::SignalTarget;
use crate::signals;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// COMMAND and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct CommandLine {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    /// Set beside those of this process.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// COMMAND at work.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    target: SignalTarget,
}

/// COMMAND could not be started.
#[derive(Debug)]
pub(crate) struct SpawnError {
    /// As a shell exits then: 127 if there is no such program, 126 if it is none.
    pub(crate) exit_code: u8,
    pub(crate) problem: io::Error,
}

impl SpawnError {
    /// Logs that this COMMAND could not be started.
    pub(crate) fn log(&self, line: &CommandLine, log: Log) {
        let (program, problem) = (line.program.to_string_lossy(), self.problem.to_string());
        log.error("cannot start the command", &[("command", &program), ("problem", &problem)]);
    }
}

/// How COMMAND ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandEnd {
    Exited(u8),
    Killed(i32),
}

impl CommandEnd {
    /// The exit code that stands for it, as in a shell.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }

    fn of(status: WaitStatus) -> Option<Self> {
        let exited = status.exit_status().map(|code| Self::Exited(u8::try_from(code & 0xff).unwrap_or(u8::MAX)));
        exited.or_else(|| status.terminating_signal().map(Self::Killed))
    }
}

impl Child {
    /// Starts it.
    ///
    /// # Errors
    /// There is no such program, or it cannot be executed.
    pub(crate) fn spawn(line: &CommandLine, target: SignalTarget) -> Result<Self, SpawnError> {
        // Orphans come to this process even if it is not the first of the container. A kernel that cannot do that is no
        // reason to run nothing.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        let variables = &line.variables;
        let spawned = match start(&line.program, &line.arguments, variables) {
            // As execvp does for scripts without `#!`, and with it every other init.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
                let script = found(&line.program).unwrap_or_else(|| PathBuf::from(&line.program));
                let mut arguments = vec![script.into_os_string()];
                arguments.extend(line.arguments.iter().cloned());
                start(OsStr::new("/bin/sh"), &arguments, variables)
            }
            spawned => spawned,
        };
        let pid = spawned.map_err(|problem| {
            let exit_code = if problem.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            SpawnError { exit_code, problem }
        })?;
        hand_over_terminal(pid);
        Ok(Self { pid, target })
    }

    /// Passes a signal on.
    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended meanwhile, which is known in a moment.
        let _ = match self.target {
            SignalTarget::Command => rustix::process::kill_process(self.pid, signal),
            SignalTarget::Group => rustix::process::kill_process_group(self.pid, signal),
        };
    }

    /// Reaps every child that has ended, orphans too. Returns how COMMAND ended if it did.
    pub(crate) fn reap(&self) -> Option<CommandEnd> {
        let mut end = None;
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == self.pid {
                end = end.or(CommandEnd::of(status));
            }
        }
        end
    }
}

fn start(program: &OsStr, arguments: &[OsString], variables: &[(&'static str, String)]) -> io::Result<Pid> {
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().cloned()).process_group(0);
    // COMMAND inherits the mask, and must not be deaf to the terminal.
    let of_the_terminal = signals::of_the_terminal();
    of_the_terminal.thread_unblock()?;
    let child = command.spawn();
    of_the_terminal.thread_block()?;
    let pid = i32::try_from(child?.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("the child has no process id"))
}

/// Makes COMMAND's group the foreground of the terminal, if this process was. A COMMAND that read from the terminal before
/// was stopped for it, so it is continued.
fn hand_over_terminal(pid: Pid) {
    let stdin = io::stdin();
    let foreground = rustix::termios::tcgetpgrp(&stdin);
    if foreground.is_ok_and(|group| group == rustix::process::getpgrp())
        && rustix::termios::tcsetpgrp(&stdin, pid).is_ok()
    {
        let _ = rustix::process::kill_process_group(pid, Signal::CONT);
    }
}

/// The executable file of this name, sought as execvp does.
fn found(program: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    let is_executable = |file: &PathBuf| {
        std::fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path).map(|folder| Path::new(&folder).join(program)).find(is_executable)
}
