//! The task protection endpoint of the container's agent (aws-facts "ECS: the protection API").

use crate::answer::{AgentAnswer, AgentProblem};
use crate::duration::shown;
use crate::http::{self, HttpCall, HttpProblem};
use hyper::Method;
use serde_json::json;
use std::time::Duration;

/// The agent gives its own call to ECS 4 to 5 seconds, and then answers with an error that says so.
pub(crate) const CALL_TIME: Duration = Duration::from_secs(6);

/// The endpoint of this task.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    url: String,
}

impl Agent {
    /// The endpoint below `ECS_AGENT_URI`.
    pub(crate) fn new(agent_uri: &str) -> Self {
        Self { url: format!("{}/task-protection/v1/state", agent_uri.trim_end_matches('/')) }
    }

    /// Asks whether the task is protected.
    pub(crate) async fn state(&self) -> AgentAnswer {
        self.call(HttpCall { method: Method::GET, url: &self.url, body: String::new(), headers: &[] }, CALL_TIME).await
    }

    /// Protects the task for this number of minutes.
    pub(crate) async fn protect(&self, minutes: u64, within: Duration) -> AgentAnswer {
        let body = json!({ "ProtectionEnabled": true, "ExpiresInMinutes": minutes }).to_string();
        self.call(HttpCall { method: Method::PUT, url: &self.url, body, headers: &[] }, within.min(CALL_TIME)).await
    }

    /// Clears the protection.
    pub(crate) async fn clear(&self) -> AgentAnswer {
        let body = json!({ "ProtectionEnabled": false }).to_string();
        self.call(HttpCall { method: Method::PUT, url: &self.url, body, headers: &[] }, CALL_TIME).await
    }

    async fn call(&self, call: HttpCall<'_>, within: Duration) -> AgentAnswer {
        match http::call(call, within).await {
            Ok(answer) => AgentAnswer::of(answer.status, &answer.body),
            Err(HttpProblem::TimedOut(time)) => AgentAnswer::Unknown(AgentProblem::TimedOut(shown(time))),
            Err(HttpProblem::Unreachable(why)) => AgentAnswer::Unknown(AgentProblem::Unreachable(why)),
        }
    }
}
