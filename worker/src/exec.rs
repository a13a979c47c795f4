//! `taskhold-run exec`: protect, start, report, watch, report, clear. If a server runs in the task, it does all of that but
//! the start.

mod admission;
mod handed;
mod running;

use crate::agent::Agent;
use crate::answer::AgentRefusal;
use crate::child::{Child, CommandLine};
use crate::client::ServerClient;
use crate::clock;
use crate::container::{ContainerEnvironment, EXIT_OWN_ERROR, Patience, task_name};
use crate::guard::{Guard, Sharing};
use crate::holders::{self, Holder};
use crate::job::{ReportType, TaskName};
use crate::log::Log;
use crate::metadata::MetadataEndpoint;
use crate::options::{ExecOptions, IfRefused};
use crate::queue::JobQueue;
use crate::report::Reporter;
use crate::signals::Signals;
use crate::watch::{Known, ProtectionWatch};
use admission::{NotStarted, unless_asked_to_end};
use running::{RunningJob, WatchedGuard, is_stopping};
use std::io;
use std::time::Duration;

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
    let task = task_name(metadata.as_ref(), Patience::Once, log).await;
    if let Some(client) = server_of_task(&options, &environment, task.as_ref()).await {
        return handed::run(options, client, metadata, signals).await;
    }
    let mut guard = guard(&options, &environment, task.as_ref());
    if guard.is_none() {
        log.warn("running without protection: this is no ECS task, because ECS_AGENT_URI is not set", &[]);
    }
    if let Some(guard_of_job) = &mut guard
        && let Err(stop) = unless_asked_to_end(protect_first(guard_of_job, &options), &mut signals).await
    {
        log.warn("not starting the command", &[("reason", stop.reason)]);
        release(guard).await;
        return stop.exit_code;
    }
    let line =
        CommandLine { program: options.program.clone(), arguments: options.arguments.clone(), variables: Vec::new() };
    let child = match Child::spawn(&line, options.signal_target) {
        Ok(child) => child,
        Err(error) => {
            error.log(&line, log);
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
            reporter.leave_unfinished().await;
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

/// A server that answers for this task, which then is the one writer of its protection.
async fn server_of_task(
    options: &ExecOptions,
    environment: &ContainerEnvironment,
    task: Option<&TaskName>,
) -> Option<ServerClient> {
    environment.agent_uri.as_ref()?;
    let client = ServerClient::new(options.server.clone(), Some(task?));
    client.is_there(Log { format: options.log_format }).await.then_some(client)
}

fn guard(options: &ExecOptions, environment: &ContainerEnvironment, task: Option<&TaskName>) -> Option<Guard> {
    let log = Log { format: options.log_format };
    let agent = Agent::new(environment.agent_uri.as_deref()?);
    options.job.note_length(log);
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
            log.warn("the job is not reported", &[("problem", &problem.words), ("fix", problem.fix)]);
            None
        }
    }
}

async fn release(guard: Option<Guard>) {
    if let Some(guard) = guard {
        guard.release().await;
    }
}

/// Requests protection, and waits for it as the options say.
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
