//! Speaks to the server of this task (`taskhold-run serve`).

use crate::clock;
use crate::http::{self, HttpAnswer, HttpCall};
use crate::job::TaskName;
use crate::log::Log;
use crate::options::{IfRefused, ServerAccess};
use crate::protector::{Application, Unprotected};
use crate::report::FINISH_TIME;
use crate::wire::{self, JobOutcome, TASK_HEADER};
use hyper::Method;
use serde_json::Value;
use std::time::Duration;

/// A server answers an application within its `--start-timeout`.
const PUT_TIME: Duration = Duration::from_secs(60);
/// Anything else it answers at once.
const CALL_TIME: Duration = Duration::from_secs(2);
/// The first pause before the end of a job is sent again. Each further pause doubles.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);
/// Whether there is a server at all: on loopback, a connection is refused at once.
const HEALTH_TIME: Duration = Duration::from_millis(500);

/// The server of a task.
#[derive(Debug, Clone)]
pub(crate) struct ServerClient {
    access: ServerAccess,
    headers: Vec<(&'static str, String)>,
}

/// The answer to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServerVerdict {
    /// The job may start: it is protected, or there is no ECS that could stop the task.
    Admitted,
    /// ECS refuses.
    Refused(String),
    /// The server has the job, but the agent gave no usable answer yet.
    Unknown(String),
    /// Anything else.
    Failed(String),
}

/// How a client goes on after an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Insistence {
    pub(crate) if_refused: IfRefused,
    pub(crate) wait_timeout: Option<Duration>,
    /// The time between two applications.
    pub(crate) interval: Duration,
}

impl ServerClient {
    /// A client of the server there. A server of another task refuses what it asks.
    pub(crate) fn new(access: ServerAccess, task: Option<&TaskName>) -> Self {
        let token = access.token.as_ref().map(|token| ("authorization", format!("Bearer {token}")));
        let task = task.map(|task| (TASK_HEADER, task.arn.clone()));
        Self { access, headers: token.into_iter().chain(task).collect() }
    }

    /// Whether a server of this task answers there.
    pub(crate) async fn is_there(&self, log: Log) -> bool {
        let status = self.call(Method::GET, "/healthz", String::new(), HEALTH_TIME).await.map(|answer| answer.status);
        if status == Ok(401) {
            log.warn("a server refuses this process; set TASKHOLD_TOKEN", &[("server", &self.access.url)]);
        }
        status == Ok(200)
    }

    /// Applies for a job until it may start, or may not.
    pub(crate) async fn admit(&self, mut application: Application, how: Insistence, log: Log) -> ServerVerdict {
        let give_up_at = how.wait_timeout.map_or(Duration::MAX, |timeout| clock::uptime() + timeout);
        if how.if_refused == IfRefused::Run {
            application.unprotected = Unprotected::Recorded;
        }
        loop {
            let verdict = self.apply(&application).await;
            let reason = match (&verdict, how.if_refused) {
                (ServerVerdict::Admitted, _) | (_, IfRefused::Exit) => return verdict,
                (
                    ServerVerdict::Refused(reason) | ServerVerdict::Unknown(reason) | ServerVerdict::Failed(reason),
                    _,
                ) => reason,
            };
            log.warn("server does not protect the job", &[("reason", reason)]);
            let next = clock::uptime() + how.interval;
            if how.if_refused == IfRefused::Run || next >= give_up_at {
                return verdict;
            }
            clock::sleep_until(next).await;
        }
    }

    /// Applies for a job once, or says that it is still at work.
    pub(crate) async fn apply(&self, application: &Application) -> ServerVerdict {
        let body = wire::put_body(application).to_string();
        let path = wire::job_path(&application.job.id);
        match self.call(Method::PUT, &path, body, PUT_TIME).await {
            Ok(answer) if answer.status == 200 => ServerVerdict::Admitted,
            Ok(answer) if answer.status == 409 => ServerVerdict::Refused(words(&answer)),
            Ok(answer) if answer.status == 503 => ServerVerdict::Unknown(words(&answer)),
            Ok(answer) => ServerVerdict::Failed(words(&answer)),
            Err(problem) => ServerVerdict::Failed(problem),
        }
    }

    /// Reports the end of a job, and retries until the server answers, for up to [`FINISH_TIME`].
    ///
    /// # Errors
    /// The server refuses, or has not answered in that time.
    pub(crate) async fn end(&self, id: &str, outcome: JobOutcome) -> Result<(), String> {
        let path = format!("{}?outcome={}", wire::job_path(id), outcome.name());
        let (give_up_at, mut pause) = (clock::uptime() + FINISH_TIME, RETRY_PAUSE);
        loop {
            let problem = match self.call(Method::DELETE, &path, String::new(), CALL_TIME).await {
                Ok(answer) if answer.status == 204 => return Ok(()),
                Ok(answer) if answer.status < 500 => return Err(words(&answer)),
                Ok(answer) => words(&answer),
                Err(problem) => problem,
            };
            if clock::uptime() + pause >= give_up_at {
                return Err(problem);
            }
            clock::sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    async fn call(&self, method: Method, path: &str, body: String, within: Duration) -> Result<HttpAnswer, String> {
        let url = format!("{}{path}", self.access.url.trim_end_matches('/'));
        let call = HttpCall { method, url: &url, body, headers: &self.headers };
        let answer = http::call(call, within).await;
        answer.map_err(|problem| format!("cannot reach the server at {}: {problem}", self.access.url))
    }
}

/// The server's reason, or the status if something else answers there.
fn words(answer: &HttpAnswer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match body["reason"].as_str() {
        Some(reason) => reason.to_owned(),
        None => format!("HTTP {}", answer.status),
    }
}
