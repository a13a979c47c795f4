//! `taskhold-run exec`: protect, start, report, watch, report, clear.

use crate::agent::Agent;
use crate::answer::AgentRefusal;
use crate::child::{Child, CommandEnd, CommandLine};
use crate::clock;
use crate::guard::{Guard, Sharing};
use crate::holders::{self, Holder};
use crate::job::{ReportType, TaskName};
use crate::log::Log;
use crate::metadata::MetadataEndpoint;
use crate::options::{ExecOptions, IfRefused};
use crate::queue::JobQueue;
use crate::report::Reporter;
use crate::signals::{Arrival, Signals, asks_to_end};
use crate::watch::{Known, ProtectionWatch};
use rustix::process::Signal;
use std::io;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The task is not protected, and the options say not to start then (sysexits.h, `EX_TEMPFAIL`).
const EXIT_REFUSED: u8 = 75;
/// An error of this program, as of `env` and `docker run`.
pub(crate) const EXIT_OWN_ERROR: u8 = 125;

/// What the environment says about the container.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContainerEnvironment {
    /// `ECS_AGENT_URI`.
    pub(crate) agent_uri: Option<String>,
    /// `ECS_CONTAINER_METADATA_URI_V4`.
    pub(crate) metadata_uri: Option<String>,
    /// A name that no other process has.
    pub(crate) process_name: String,
}

/// Runs the job. Returns the exit code.
pub(crate) async fn run(options: ExecOptions, environment: ContainerEnvironment) -> u8 {
    let log = Log { format: options.log_format };
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            log.error("cannot listen to signals", &[("problem", &error.to_string())]);
            return EXIT_OWN_ERROR;
        }
    };
    let metadata = environment.metadata_uri.as_deref().map(MetadataEndpoint::new);
    let task = task_name(metadata.as_ref(), log).await;
    let mut guard = guard(&options, &environment, task.as_ref());
    if guard.is_none() {
        log.warn("running without protection: this is no ECS task, because ECS_AGENT_URI is not set", &[]);
    }
    if let Some(guard_of_job) = &mut guard
        && let Err(stop) = admit(guard_of_job, &options, &mut signals).await
    {
        log.warn("not starting the command", &[("reason", stop.reason)]);
        release(guard).await;
        return stop.exit_code;
    }
    let line = CommandLine { program: options.program.clone(), arguments: options.arguments.clone() };
    let child = match Child::spawn(&line, options.signal_target) {
        Ok(child) => child,
        Err(error) => {
            let fields = [("command", line.program.to_string_lossy()), ("problem", error.problem.to_string().into())];
            log.error("cannot start the command", &fields.each_ref().map(|(name, value)| (*name, &**value)));
            release(guard).await;
            return error.exit_code;
        }
    };
    let reporter = reporter(&options, task, log);
    let known = guard.as_ref().map_or(Known::Nothing, |guard| guard.watch.known().clone());
    if let Some(reporter) = &reporter {
        reporter.report(ReportType::Started, &known);
    }
    let job = RunningJob { child, guard: guard.map(WatchedGuard::start), reporter, stop_signal: None };
    finish(job, signals, metadata, log).await
}

/// A job at work.
struct RunningJob {
    child: Child,
    guard: Option<WatchedGuard>,
    reporter: Option<Reporter>,
    /// The last signal that asked COMMAND to end.
    stop_signal: Option<Signal>,
}

/// A guard that does its steps beside the job.
struct WatchedGuard {
    stop: oneshot::Sender<()>,
    changes: mpsc::UnboundedReceiver<Known>,
    keeping: JoinHandle<Guard>,
}

impl WatchedGuard {
    fn start(guard: Guard) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (changed, changes) = mpsc::unbounded_channel();
        Self { stop, changes, keeping: tokio::spawn(guard.keep(stopped, changed)) }
    }

    async fn stop(self) -> Option<Guard> {
        // It ends with this process only.
        let _ = self.stop.send(());
        self.keeping.await.ok()
    }
}

impl RunningJob {
    /// Passes signals on and reports changes of the protection, until COMMAND has ended.
    async fn ended(&mut self, signals: &mut Signals) -> CommandEnd {
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

/// Waits for the end of COMMAND, and reports it.
async fn finish(mut job: RunningJob, mut signals: Signals, metadata: Option<MetadataEndpoint>, log: Log) -> u8 {
    let end = job.ended(&mut signals).await;
    let exit_code = end.exit_code();
    let guard = match job.guard {
        Some(guard) => guard.stop().await,
        None => None,
    };
    let is_interrupted = exit_code != 0 && is_stopping(metadata.as_ref(), job.stop_signal).await;
    if is_interrupted {
        let code = exit_code.to_string();
        log.warn("command ended while ECS stops the task; the job counts as interrupted", &[("code", &code)]);
        if let Some(reporter) = job.reporter {
            reporter.abandon();
        }
        return exit_code; // the protection ends with the task
    }
    if let Some(reporter) = job.reporter {
        reporter.finish().await;
    }
    // Only now: a stop before this interrupts nothing that is not reported.
    release(guard).await;
    exit_code
}

/// Whether ECS is stopping the task. Without an answer, a stop signal says so.
async fn is_stopping(metadata: Option<&MetadataEndpoint>, stop_signal: Option<Signal>) -> bool {
    let Some(metadata) = metadata else {
        return false;
    };
    match metadata.read().await {
        Ok(task) => task.is_stopping(),
        Err(_) => stop_signal.is_some(),
    }
}

async fn task_name(metadata: Option<&MetadataEndpoint>, log: Log) -> Option<TaskName> {
    match metadata?.read().await {
        Ok(task) => {
            let name = task.task();
            if name.is_none() {
                log.warn("metadata does not name the task and its cluster; the job is not reported", &[]);
            }
            name
        }
        Err(problem) => {
            log.warn("cannot read the task's metadata; the job is not reported", &[("problem", &problem)]);
            None
        }
    }
}

fn guard(options: &ExecOptions, environment: &ContainerEnvironment, task: Option<&TaskName>) -> Option<Guard> {
    let log = Log { format: options.log_format };
    let agent = Agent::new(environment.agent_uri.as_deref()?);
    let job_end = clock::uptime() + options.job.max;
    let dir = options.state_dir.clone();
    let dir = dir.unwrap_or_else(|| holders::default_dir(task.map_or("unknown", TaskName::id)));
    let sharing = match Holder::enter(&dir, &environment.process_name, job_end) {
        Ok(holder) => Sharing::Shared(holder),
        Err(error) => {
            let fields = [("dir", dir.to_string_lossy()), ("problem", error.to_string().into())];
            let fields = fields.each_ref().map(|(name, value)| (*name, &**value));
            log.warn("cannot use the state directory; set TASKHOLD_STATE_DIR", &fields);
            if error.kind() == io::ErrorKind::PermissionDenied && dir.exists() {
                Sharing::Excluded
            } else {
                Sharing::Alone
            }
        }
    };
    Some(Guard::new(agent, sharing, ProtectionWatch::new(job_end, options.check_interval), log))
}

fn reporter(options: &ExecOptions, task: Option<TaskName>, log: Log) -> Option<Reporter> {
    let (url, task) = (options.queue_url.as_deref()?, task?);
    match JobQueue::of(url, &task) {
        Ok(queue) => Some(Reporter::new(options.job.clone(), task, queue, log)),
        Err(problem) => {
            log.warn("the job is not reported", &[("problem", &problem)]);
            None
        }
    }
}

async fn release(guard: Option<Guard>) {
    if let Some(guard) = guard {
        guard.release().await;
    }
}

/// COMMAND is not started.
struct NotStarted {
    exit_code: u8,
    reason: &'static str,
}

impl NotStarted {
    fn refused(reason: &'static str) -> Self {
        Self { exit_code: EXIT_REFUSED, reason }
    }
}

/// Requests protection, and waits for it as the options say. A signal that asks to end ends the wait. A request that is on
/// its way then is given up: the agent sees that and gives up its call to ECS.
async fn admit(guard: &mut Guard, options: &ExecOptions, signals: &mut Signals) -> Result<(), NotStarted> {
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
        admitted = protect_first(guard, options) => admitted,
        signal = asked_to_end => Err(NotStarted {
            exit_code: CommandEnd::Killed(signal.as_raw()).exit_code(),
            reason: "a signal asked this process to end",
        }),
    }
}

async fn protect_first(guard: &mut Guard, options: &ExecOptions) -> Result<(), NotStarted> {
    let log = Log { format: options.log_format };
    let give_up_at = options.wait_timeout.map_or(Duration::MAX, |timeout| clock::uptime() + timeout);
    guard.acquire(options.start_timeout).await;
    loop {
        if guard.watch.is_covered() {
            return Ok(());
        }
        match options.if_refused {
            IfRefused::Run => {
                log.warn("starting the command without protection that covers it", &[]);
                return Ok(());
            }
            IfRefused::Exit => return Err(NotStarted::refused("the task is not protected")),
            IfRefused::Wait => {}
        }
        if matches!(guard.watch.known(), Known::Refused(refusal) if AgentRefusal::is_final(refusal)) {
            return Err(NotStarted::refused("ECS cannot protect this task"));
        }
        let Some((at, step)) = guard.watch.next().filter(|(at, _)| *at < give_up_at) else {
            clock::sleep_until(give_up_at).await;
            return Err(NotStarted::refused("the task was not protected within --wait-timeout"));
        };
        clock::sleep_until(at).await;
        guard.postpone(clock::uptime() + options.job.max);
        guard.take(step).await;
    }
}
