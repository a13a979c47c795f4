//! A job that the server of the task protects and reports.

use super::admission::{NotStarted, unless_asked_to_end};
use super::running::{RunningJob, is_stopping};
use crate::child::{Child, CommandLine};
use crate::client::{Insistence, ServerClient, ServerVerdict};
use crate::clock;
use crate::job::DeclaredJob;
use crate::log::Log;
use crate::metadata::MetadataEndpoint;
use crate::options::{ExecOptions, IfRefused};
use crate::protector::{Application, Unprotected};
use crate::signals::Signals;
use crate::wire::JobOutcome;
use std::convert::Infallible;
use std::time::Duration;

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
    let mut mentions = Mentions { client: &client, application: application(&options), last: None, log };
    if let Err(stop) = unless_asked_to_end(mentions.admit(&options), &mut signals).await {
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
    let command_end = tokio::select! {
        command_end = job.ended(&mut signals) => command_end,
        never = mentions.keep(options.check_interval) => match never {},
    };
    let exit_code = command_end.exit_code();
    let outcome = match exit_code {
        0 => JobOutcome::Success,
        _ if is_stopping(metadata.as_ref(), job.stop_signal).await => JobOutcome::Interrupted,
        _ => JobOutcome::Failure,
    };
    end(&client, &id, outcome, log).await;
    exit_code
}

fn application(options: &ExecOptions) -> Application {
    // The server counts the attempts of a job that says none.
    let attempt = Some(options.job.attempt).filter(|attempt| *attempt > 1);
    let job = options.job.clone();
    Application { max: Some(job.max), job, attempt, unprotected: Unprotected::Forgotten }
}

/// The reports of the job to the server before COMMAND starts, and while it works.
struct Mentions<'a> {
    client: &'a ServerClient,
    application: Application,
    last: Option<ServerVerdict>,
    log: Log,
}

impl Mentions<'_> {
    async fn admit(&mut self, options: &ExecOptions) -> Result<(), NotStarted> {
        let how = Insistence {
            if_refused: options.if_refused,
            wait_timeout: options.wait_timeout,
            interval: options.check_interval,
        };
        let verdict = self.client.admit(self.application.clone(), how, self.log).await;
        let is_admitted = verdict == ServerVerdict::Admitted;
        // For the others, the client has logged the reason.
        if options.if_refused == IfRefused::Exit {
            self.note(&verdict);
        }
        self.last = Some(verdict);
        if !is_admitted && options.if_refused != IfRefused::Run {
            return Err(NotStarted::refused("the task is not protected"));
        }
        if !is_admitted {
            self.log.warn("starting the command without protection that covers it", &[]);
        }
        Ok(())
    }

    /// Reports at each interval that the job is running, until its declared end: a restarted server has lost its jobs.
    async fn keep(&mut self, interval: Duration) -> Infallible {
        let started_at = clock::uptime();
        loop {
            clock::sleep(interval).await;
            let Some(mention) = at_work(&self.application, clock::uptime() - started_at) else {
                return std::future::pending().await;
            };
            let verdict = self.client.apply(&mention).await;
            if self.last.as_ref() != Some(&verdict) {
                self.note(&verdict);
                self.last = Some(verdict);
            }
        }
    }

    fn note(&self, verdict: &ServerVerdict) {
        match verdict {
            ServerVerdict::Admitted => self.log.info("server protects the job", &[]),
            ServerVerdict::Refused(reason) | ServerVerdict::Unknown(reason) | ServerVerdict::Failed(reason) => {
                self.log.warn("server does not protect the job", &[("reason", reason)]);
            }
        }
    }
}

/// The report to the server of a job that has run for this long; `None` after its declared end.
fn at_work(declared: &Application, passed: Duration) -> Option<Application> {
    let max = declared.job.max.checked_sub(passed).filter(|left| *left >= Duration::from_secs(1))?;
    let expected = declared.job.expected.and_then(|expected| expected.checked_sub(passed));
    let job = DeclaredJob { max, expected, ..declared.job.clone() };
    Some(Application { max: Some(max), job, unprotected: Unprotected::Recorded, ..declared.clone() })
}

async fn end(client: &ServerClient, id: &str, outcome: JobOutcome, log: Log) {
    if let Err(problem) = client.end(id, outcome).await {
        log.warn("cannot tell the server that the job has ended; it ends with its maximum", &[("problem", &problem)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_job_at_work_is_mentioned_with_the_time_that_is_left() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let job = DeclaredJob {
            id: "a".to_owned(),
            attempt: 1,
            max: minutes(120),
            expected: Some(minutes(30)),
            kind: None,
            labels: BTreeMap::new(),
        };
        let declared = Application { max: Some(job.max), job, attempt: None, unprotected: Unprotected::Forgotten };
        let mention = |passed| at_work(&declared, minutes(passed)).map(|it| (it.max, it.job.max, it.job.expected));
        assert_eq!(mention(10), Some((Some(minutes(110)), minutes(110), Some(minutes(20)))));
        assert_eq!(mention(40), Some((Some(minutes(80)), minutes(80), None)));
        assert_eq!(mention(120), None);
        assert_eq!(at_work(&declared, minutes(1)).unwrap().unprotected, Unprotected::Recorded, "it runs in any case");
    }
}
