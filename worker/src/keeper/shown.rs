//! What people see of a server's work: log lines, and the list of jobs.

use crate::answer::AgentAnswer;
use crate::clock;
use crate::log::Log;
use crate::protector::{OnItsWay, Protector};
use crate::watch::Known;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// The jobs at work, as clients see them.
pub(super) fn listed(protector: &Protector) -> Value {
    let (now, date) = (clock::uptime(), clock::date());
    let jobs = protector.jobs().iter().map(|job| {
        let left = SignedDuration::try_from(job.end.saturating_sub(now)).unwrap_or(SignedDuration::MAX);
        let is_protected = matches!(protector.known_for(job), Known::Granted(expiry) if expiry.moment >= job.end);
        json!({
            "id": job.declared.id,
            "attempt": job.declared.attempt,
            "kind": job.declared.kind,
            "labels": job.declared.labels,
            "protected": is_protected,
            "declaredEnd": date.checked_add(left).map_or(Value::Null, |date| date.to_string().into()),
        })
    });
    json!({ "jobs": jobs.collect::<Vec<_>>() })
}

/// Logs the answer to the call that was on its way.
pub(super) fn log(log: Log, answer: &AgentAnswer, on_its_way: OnItsWay) {
    match answer {
        AgentAnswer::Unprotected if on_its_way == OnItsWay::Clear => log.info("cleared protection", &[]),
        _ if on_its_way == OnItsWay::Clear => {
            log.warn("cannot clear protection; trying again", &[("agent", &words(answer))])
        }
        AgentAnswer::Protected { until } => {
            log.info("task is protected", &[("until", &until.to_string())]);
        }
        AgentAnswer::Refused(refusal) => {
            let detail = refusal.detail.as_deref().unwrap_or_default();
            log.warn("ECS refused protection", &[("reason", &refusal.reason), ("detail", detail)]);
        }
        AgentAnswer::Unprotected => log.warn("task lost its protection; requesting it again", &[]),
        AgentAnswer::Unknown(_) => log.warn("cannot protect the task", &[("agent", &words(answer))]),
    }
}

fn words(answer: &AgentAnswer) -> String {
    match answer {
        AgentAnswer::Protected { until } => format!("it says that the task is protected until {until}"),
        AgentAnswer::Unprotected => "it says that the task is not protected".to_owned(),
        AgentAnswer::Refused(refusal) => refusal.reason.clone(),
        AgentAnswer::Unknown(problem) => problem.to_string(),
    }
}
