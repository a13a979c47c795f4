//! The server's HTTP interface: reads requests and words answers. schemas/worker-api.openapi.json describes the same.

use crate::duration;
use crate::job::DeclaredJob;
use crate::limits::{problem_of_id, problem_of_kind, problem_of_label, problem_of_labels};
use crate::protector::{Application, Unprotected, Verdict};
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest body. The longest that makes sense has about 7 KB.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024;

/// The header by which a client names the task whose server it wants, because tasks with host networking share ports.
pub(crate) const TASK_HEADER: &str = "taskhold-task-arn";

const JOB_PATH: &str = "/v1/jobs/";

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApiRequest {
    Put(Application),
    Delete { id: String, outcome: JobOutcome },
    Jobs,
    Admission,
    Health,
}

/// How a job ended, as its worker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobOutcome {
    Success,
    Failure,
    /// It has to be done again, because the task stops.
    Interrupted,
}

impl JobOutcome {
    /// As in the URL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Interrupted => "interrupted",
        }
    }

    /// The outcome of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Success, Self::Failure, Self::Interrupted].into_iter().find(|outcome| outcome.name() == name)
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiReply {
    pub(crate) status: u16,
    /// `None`: no body.
    pub(crate) body: Option<Value>,
    /// The methods of the path, if the request had another one.
    pub(crate) allow: Option<&'static str>,
}

impl ApiReply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), allow: None }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, body: None, allow: None }
    }

    /// An answer that says why not.
    pub(crate) fn because(status: u16, reason: impl Into<String>) -> Self {
        Self::json(status, json!({ "reason": reason.into() }))
    }

    /// The answer to an application.
    pub(crate) fn of_verdict(verdict: &Verdict, is_recorded: Recorded) -> Self {
        let without = |status, reason: &str| {
            let recorded = is_recorded == Recorded::Yes;
            Self::json(status, json!({ "protected": false, "reason": reason, "recorded": recorded }))
        };
        match verdict {
            Verdict::Protected(expiry) => {
                let until = expiry.date.to_string();
                Self::json(200, json!({ "protected": true, "until": until, "recorded": true }))
            }
            Verdict::OutsideEcs => without(200, "this is no ECS task: ECS_AGENT_URI is not set"),
            Verdict::Refused(reason) => without(409, reason),
            Verdict::Draining => without(409, "draining"),
            Verdict::Ended => without(409, "the job has ended in the meantime"),
            Verdict::Unknown(reason) => without(503, reason),
            Verdict::TooMany => without(429, "there are 1000 jobs already"),
        }
    }
}

/// Whether the server counts a job as being at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    Yes,
    No,
}

/// The parts of an HTTP request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PutBody {
    max_duration: Option<String>,
    expected_duration: Option<String>,
    kind: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    attempt: Option<u32>,
    if_refused: Option<String>,
}

/// Reads a request. A job that declares no duration gets this one.
///
/// # Errors
/// The answer that names the problem.
pub(crate) fn parse(request: RawRequest<'_>, default_max: Duration) -> Result<ApiRequest, ApiReply> {
    let RawRequest { method, path, query, body } = request;
    let other_method = |allow| Err(ApiReply { allow: Some(allow), ..ApiReply::because(405, format!("use {allow}")) });
    let only_get = |request| if method == Method::GET { Ok(request) } else { other_method("GET") };
    match path {
        "/v1/jobs" => return only_get(ApiRequest::Jobs),
        "/v1/admission" => return only_get(ApiRequest::Admission),
        "/healthz" => return only_get(ApiRequest::Health),
        _ => {}
    }
    let Some(id) = path.strip_prefix(JOB_PATH) else {
        return Err(ApiReply::because(404, "there is no such path"));
    };
    if method != Method::PUT && method != Method::DELETE {
        return other_method("PUT, DELETE");
    }
    let id = job_id(id).map_err(|problem| ApiReply::because(400, problem))?;
    if method == Method::PUT {
        let application = application(id, body, default_max);
        return application.map(ApiRequest::Put).map_err(|problem| ApiReply::because(400, problem));
    }
    match outcome(query.unwrap_or_default()) {
        Some(outcome) => Ok(ApiRequest::Delete { id, outcome }),
        None => Err(ApiReply::because(400, "outcome is not success, failure or interrupted")),
    }
}

fn job_id(encoded: &str) -> Result<String, String> {
    if encoded.contains('/') {
        return Err("the job id has a slash; write it as %2F".to_owned());
    }
    let id = percent_decoded(encoded).ok_or("the job id is not UTF-8 in percent encoding")?;
    match problem_of_id(&id) {
        Some(problem) => Err(format!("the job id {problem}")),
        None => Ok(id),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok())?;
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Encodes an id for the URL.
pub(crate) fn job_path(id: &str) -> String {
    let mut path = JOB_PATH.to_owned();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

fn outcome(query: &str) -> Option<JobOutcome> {
    let given = query.split('&').filter_map(|part| part.split_once('=')).find(|(name, _)| *name == "outcome");
    given.map_or(Some(JobOutcome::Success), |(_, name)| JobOutcome::named(name))
}

fn application(id: String, body: &[u8], default_max: Duration) -> Result<Application, String> {
    let body: PutBody = match body.trim_ascii() {
        [] => PutBody::default(),
        body => serde_json::from_slice(body).map_err(|error| format!("the body cannot be read: {error}"))?,
    };
    let labels = body.labels.unwrap_or_default();
    if let Some(problem) = problem_of_labels(&labels) {
        return Err(format!("labels {problem}"));
    }
    let problem = labels.iter().find_map(|(name, value)| Some((name, problem_of_label(name, value)?)));
    if let Some((name, problem)) = problem {
        return Err(format!("label {} {problem}", Value::from(name.as_str())));
    }
    if let Some(problem) = body.kind.as_deref().and_then(problem_of_kind) {
        return Err(format!("kind {problem}"));
    }
    if body.attempt == Some(0) {
        return Err("attempt is not a whole number from 1".to_owned());
    }
    let unprotected = match body.if_refused.as_deref() {
        None | Some("exit") => Unprotected::Forgotten,
        Some("run") => Unprotected::Recorded,
        Some(_) => return Err("ifRefused is not run or exit".to_owned()),
    };
    let max = positive("maxDuration", body.max_duration.as_deref())?;
    let job = DeclaredJob {
        id,
        attempt: 1,
        max: max.unwrap_or(default_max),
        expected: positive("expectedDuration", body.expected_duration.as_deref())?,
        kind: body.kind,
        labels,
    };
    Ok(Application { job, max, attempt: body.attempt, unprotected })
}

fn positive(name: &str, text: Option<&str>) -> Result<Option<Duration>, String> {
    let Some(text) = text else {
        return Ok(None);
    };
    let problem = match duration::parse(text) {
        Ok(duration) if duration.is_zero() => "is zero; write at least 1s".to_owned(),
        Ok(duration) => return Ok(Some(duration)),
        Err(error) => error.to_string(),
    };
    Err(format!("{name} {problem}"))
}

/// The body by which a client asks for protection.
pub(crate) fn put_body(application: &Application) -> Value {
    let job = &application.job;
    let if_refused = match application.unprotected {
        Unprotected::Forgotten => "exit",
        Unprotected::Recorded => "run",
    };
    let in_seconds = |duration: Duration| format!("{}s", duration.as_secs().max(1));
    json!({
        "maxDuration": application.max.map(in_seconds),
        "expectedDuration": job.expected.map(in_seconds),
        "kind": job.kind,
        "labels": job.labels,
        "attempt": application.attempt,
        "ifRefused": if_refused,
    })
}

#[cfg(test)]
mod tests;
