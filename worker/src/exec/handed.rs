//! A job that the server of the task protects and reports.

use super::admission::{NotStarted, unless_asked_to_end};
use super::running::{RunningJob, is_stopping};
use crate::child::{Child, CommandLine};
use crate::client::{Insistence, ServerClient, ServerVerdict};
use crate::log::Log;
use crate::metadata::MetadataEndpoint;
use crate::options::{ExecOptions, IfRefused};
use crate::protector::{Application, Unprotected};
use crate::signals::Signals;
use crate::wire::JobOutcome;

/// Runs the job. Returns the exit code.
pub(super) async fn run(
    options: ExecOptions,
    client: ServerClient,
    metadata: Option<MetadataEndpoint>,
    mut signals: Signals,
) -> u8 {
    let log = Log { format: options.log_format };
    let id = options.job.id.clone();
    log.info("handing the job over to the server of the task", &[("job", &id)]);
    if let Err(stop) = unless_asked_to_end(admit(&client, &options), &mut signals).await {
        log.warn("not starting the command", &[("reason", stop.reason)]);
        // It may have been admitted at the last moment.
        end(&client, &id, JobOutcome::Failure, log).await;
        return stop.exit_code;
    }
    let line =
        CommandLine { program: options.program.clone(), arguments: options.arguments.clone(), variables: Vec::new() };
    let child = match Child::spawn(&line, options.signal_target) {
        Ok(child) => child,
        Err(error) => {
            error.log(&line, log);
            end(&client, &id, JobOutcome::Failure, log).await;
            return error.exit_code;
        }
    };
    let mut job = RunningJob { child, guard: None, reporter: None, stop_signal: None };
    let exit_code = job.ended(&mut signals).await.exit_code();
    let outcome = match exit_code {
        0 => JobOutcome::Success,
        _ if is_stopping(metadata.as_ref(), job.stop_signal).await => JobOutcome::Interrupted,
        _ => JobOutcome::Failure,
    };
    end(&client, &id, outcome, log).await;
    exit_code
}

async fn admit(client: &ServerClient, options: &ExecOptions) -> Result<(), NotStarted> {
    let log = Log { format: options.log_format };
    // The server counts the attempts of a job that says none.
    let attempt = Some(options.job.attempt).filter(|attempt| *attempt > 1);
    let job = options.job.clone();
    let application = Application { max: Some(job.max), job, attempt, unprotected: Unprotected::Forgotten };
    let how = Insistence {
        if_refused: options.if_refused,
        wait_timeout: options.wait_timeout,
        interval: options.check_interval,
    };
    match client.admit(application, how, log).await {
        ServerVerdict::Admitted => Ok(()),
        _ if options.if_refused == IfRefused::Run => {
            log.warn("starting the command without protection that covers it", &[]);
            Ok(())
        }
        _ => Err(NotStarted::refused("the task is not protected")),
    }
}

async fn end(client: &ServerClient, id: &str, outcome: JobOutcome, log: Log) {
    if let Err(problem) = client.end(id, outcome).await {
        log.warn("cannot tell the server that the job has ended; it ends with its maximum", &[("problem", &problem)]);
    }
}
