//! What the agent's task protection endpoint answers, and what that means (aws-facts "ECS: the protection API").
//!
//! Only `protection` with `ProtectionEnabled` protects a task. A refusal has HTTP status 200 too, with `failure`. The bodies
//! of errors differ by version: an object with `error`, a JSON text, or plain text.

use jiff::Timestamp;
use serde::Deserialize;

/// A meaning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AgentAnswer {
    /// The task is protected until then.
    Protected { until: Timestamp },
    /// The task is not protected.
    Unprotected,
    /// ECS refused.
    Refused(AgentRefusal),
    /// It is unknown whether the task is protected.
    Unknown(AgentProblem),
}

/// ECS's refusal, in its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentRefusal {
    pub(crate) reason: String,
    pub(crate) detail: Option<String>,
}

impl AgentRefusal {
    /// Whether ECS will give the same answer for as long as the task lives: the task belongs to no service, so nothing scales
    /// it in either (aws-facts "ECS: the protection API").
    pub(crate) fn is_final(&self) -> bool {
        self.reason == "TASK_NOT_VALID"
    }
}

/// Why there is no answer that says anything about protection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AgentProblem {
    #[error("the agent cannot be reached: {0}")]
    Unreachable(String),
    #[error("the agent did not answer within {0}")]
    TimedOut(String),
    #[error("HTTP {status}: {message}")]
    Status { status: u16, message: String },
    #[error("the agent's answer cannot be read: {0}")]
    Unreadable(String),
    #[error("another taskhold-run of this container holds the lock of the state directory")]
    Busy,
}

impl AgentProblem {
    /// Whether the next second may bring a better answer. A 4xx other than 429 stays: a missing permission, or an agent
    /// without the endpoint.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) | Self::Busy => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::Unreadable(_) => false,
        }
    }
}

/// The longest message of the agent that is kept: what it says goes into log lines.
const MESSAGE_CHARS_MAX: usize = 500;

#[derive(Deserialize)]
struct AgentBody {
    protection: Option<ProtectionBody>,
    failure: Option<FailureBody>,
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ProtectionBody {
    protection_enabled: Option<bool>,
    expiration_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FailureBody {
    reason: Option<String>,
    detail: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
}

impl AgentAnswer {
    /// Reads an answer.
    pub(crate) fn of(status: u16, body: &[u8]) -> Self {
        let parsed: Result<AgentBody, _> = serde_json::from_slice(body);
        if status != 200 {
            let error = parsed.ok().and_then(|body| body.error);
            return Self::Unknown(AgentProblem::Status { status, message: error_message(error, body) });
        }
        let body = match parsed {
            Ok(body) => body,
            Err(error) => return Self::unreadable(error.to_string()),
        };
        match body {
            AgentBody { error: Some(error), .. } => {
                Self::Unknown(AgentProblem::Status { status, message: error_message(Some(error), b"") })
            }
            AgentBody { failure: Some(failure), .. } => Self::Refused(AgentRefusal {
                reason: shortened(failure.reason.as_deref().unwrap_or("UNKNOWN")),
                detail: failure.detail.as_deref().map(shortened),
            }),
            AgentBody { protection: Some(protection), .. } => Self::of_protection(protection),
            _ => Self::unreadable("it has neither `protection` nor `failure` nor `error`".to_owned()),
        }
    }

    fn of_protection(protection: ProtectionBody) -> Self {
        match (protection.protection_enabled, protection.expiration_date) {
            (Some(true), Some(date)) => match date.parse() {
                Ok(until) => Self::Protected { until },
                Err(_) => Self::unreadable(format!("ExpirationDate `{}` is not a date", shortened(&date))),
            },
            (Some(true), None) => Self::unreadable("the protection has no ExpirationDate".to_owned()),
            (Some(false), _) => Self::Unprotected,
            (None, _) => Self::unreadable("the protection has no ProtectionEnabled".to_owned()),
        }
    }

    fn unreadable(why: String) -> Self {
        Self::Unknown(AgentProblem::Unreadable(why))
    }
}

/// The agent's own words: `Code: Message`, or the body as it is.
fn error_message(error: Option<ErrorBody>, body: &[u8]) -> String {
    let words = match error {
        Some(ErrorBody { code: Some(code), message: Some(message) }) => format!("{code}: {message}"),
        Some(ErrorBody { code, message }) => code.or(message).unwrap_or_default(),
        // An old agent answers with a JSON text.
        None => serde_json::from_slice::<String>(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned()),
    };
    let words = shortened(words.trim());
    if words.is_empty() { "no message".to_owned() } else { words }
}

fn shortened(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> AgentAnswer {
        AgentAnswer::of(status, body.as_bytes())
    }

    fn message(status: u16, body: &str) -> String {
        match answer(status, body) {
            AgentAnswer::Unknown(problem) => problem.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_an_enabled_protection_with_an_expiry_protects() {
        let until = "2026-11-29T12:00:00Z".parse().unwrap();
        let enabled =
            r#"{"protection":{"ExpirationDate":"2026-11-29T12:00:00Z","ProtectionEnabled":true,"TaskArn":"a"}}"#;
        assert_eq!(answer(200, enabled), AgentAnswer::Protected { until });
        let cleared = r#"{"protection":{"ExpirationDate":null,"ProtectionEnabled":false,"TaskArn":"a"}}"#;
        assert_eq!(answer(200, cleared), AgentAnswer::Unprotected);
        for body in [
            r#"{"protection":{"ProtectionEnabled":true,"TaskArn":"a"}}"#,
            r#"{"protection":{"ProtectionEnabled":true,"ExpirationDate":"soon"}}"#,
            r#"{"protection":{"ExpirationDate":"2026-11-29T12:00:00Z"}}"#,
            "{}",
            "",
            "[]",
        ] {
            assert!(matches!(answer(200, body), AgentAnswer::Unknown(AgentProblem::Unreadable(_))), "{body}");
        }
    }

    #[test]
    fn a_failure_with_status_200_is_a_refusal() {
        let body = r#"{"failure":{"Arn":"a","Detail":null,"Reason":"DEPLOYMENT_BLOCKED"}}"#;
        let refusal = AgentRefusal { reason: "DEPLOYMENT_BLOCKED".to_owned(), detail: None };
        assert!(!refusal.is_final());
        assert_eq!(answer(200, body), AgentAnswer::Refused(refusal));
        let AgentAnswer::Refused(refusal) = answer(200, r#"{"failure":{"Reason":"TASK_NOT_VALID"}}"#) else { panic!() };
        assert!(refusal.is_final());
    }

    #[test]
    fn the_agents_own_message_is_kept_in_each_shape_of_its_errors() {
        let new = r#"{"requestID":"r","error":{"Arn":"a","Code":"AccessDeniedException","Message":"User is not authorized"}}"#;
        assert_eq!(message(400, new), "HTTP 400: AccessDeniedException: User is not authorized");
        let without_arn = r#"{"error":{"Code":"ResourceNotFoundException","Message":"Failed to find a task"}}"#;
        assert_eq!(message(404, without_arn), "HTTP 404: ResourceNotFoundException: Failed to find a task");
        assert_eq!(message(404, "404 page not found\n"), "HTTP 404: 404 page not found");
        assert_eq!(
            message(400, r#""Invalid request: no task was found""#),
            "HTTP 400: Invalid request: no task was found"
        );
        assert_eq!(message(500, ""), "HTTP 500: no message");
        assert_eq!(
            message(429, "You have reached maximum request limit."),
            "HTTP 429: You have reached maximum request limit."
        );
        assert!(message(500, &"x".repeat(10_000)).len() < 600);
    }

    #[test]
    fn a_missing_permission_stays_and_an_overload_passes() {
        let is_transient = |status| match answer(status, "") {
            AgentAnswer::Unknown(problem) => problem.is_transient(),
            other => panic!("{other:?}"),
        };
        assert_eq!([400, 403, 404, 429, 500, 504].map(is_transient), [false, false, false, true, true, true]);
    }
}
