//! `PUT /ecs-sim/agent`: sets how the agent of the containers behaves, while workers run against this server.
//!
//! The body replaces what an earlier one set: `{}` ends all faults. docs/getting-started.md shows the members.

use super::agent::{AgentErrorShape, AgentFault, AgentState};
use super::response::{HttpResponse, finish};
use super::server_state::ServerState;
use hyper::Method;
use hyper::Response;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// The path, which no service and no agent has.
pub(super) const PATH: &str = "/ecs-sim/agent";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentBehavior {
    /// One fault for each of the next requests about protection.
    #[serde(default)]
    next: Vec<FaultToSet>,
    /// The fault of each request about protection after those.
    always: Option<FaultToSet>,
    /// The fault of each request about metadata.
    metadata: Option<FaultToSet>,
    /// The format of the bodies of errors.
    #[serde(default)]
    errors: AgentErrorShape,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum FaultToSet {
    Refuses(String),
    Answers(CannedAnswer),
    DelayMilliseconds(u64),
    Loses(LostPart),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CannedAnswer {
    status: u16,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum LostPart {
    Connection,
    Answer,
}

impl From<FaultToSet> for AgentFault {
    fn from(fault: FaultToSet) -> Self {
        match fault {
            FaultToSet::Refuses(reason) => Self::Refuses { reason },
            FaultToSet::Answers(CannedAnswer { status, body }) => Self::Answers { status, body },
            FaultToSet::DelayMilliseconds(milliseconds) => Self::Slow(Duration::from_millis(milliseconds)),
            FaultToSet::Loses(LostPart::Connection) => Self::ConnectionLost,
            FaultToSet::Loses(LostPart::Answer) => Self::AnswerLost,
        }
    }
}

impl AgentBehavior {
    fn read(body: &[u8]) -> Result<Self, String> {
        let behavior: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let faults = behavior.next.iter().chain(&behavior.always).chain(&behavior.metadata);
        for fault in faults {
            if let FaultToSet::Answers(CannedAnswer { status, .. }) = fault
                && !(200..600).contains(status)
            {
                return Err(format!("`status` is {status}; write one from 200 to 599"));
            }
        }
        Ok(behavior)
    }

    fn apply(self, agent: &mut AgentState) {
        agent.faults = self.next.into_iter().map(AgentFault::from).collect();
        agent.lasting_fault = self.always.map(AgentFault::from);
        agent.metadata_fault = self.metadata.map(AgentFault::from);
        agent.error_shape = self.errors;
    }
}

/// Answers one request: 204, or the reason why nothing changed.
pub(super) fn respond(shared: &ServerState, method: &Method, body: &[u8]) -> HttpResponse {
    let problem = |status: u16, problem: &str| {
        let response = Response::builder().status(status).header("content-type", "application/json");
        finish(response, json!({ "message": problem }).to_string())
    };
    if method != Method::PUT {
        return problem(405, "only PUT is supported");
    }
    match AgentBehavior::read(body) {
        Ok(behavior) => {
            behavior.apply(&mut shared.agent.lock());
            finish(Response::builder().status(204), String::new())
        }
        Err(words) => problem(400, &words),
    }
}
