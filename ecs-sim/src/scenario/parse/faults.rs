//! Parses faults between the function and AWS.

use super::super::statement::{EventsOfEcs, Statement};
use super::words::{Parsed, Words, duration};
use crate::region::Fault;

/// The operations that the function calls.
const OPERATIONS: [&str; 8] = [
    "DescribeServiceDeployments",
    "DescribeServices",
    "DescribeTasks",
    "GetTaskProtection",
    "ListServices",
    "ListTasks",
    "UpdateService",
    "UpdateTaskProtection",
];

pub(super) fn ecs(words: &mut Words<'_>) -> Parsed<Statement> {
    let verb = words.next("a fault of ECS")?;
    if verb == "takes" {
        return Ok(Statement::Latency(duration(words.next("a duration")?)?));
    }
    if verb == "recovers" {
        return Ok(Statement::Recover);
    }
    let number = words.number("a number of calls")?;
    let fault = match verb {
        "throttles" => Fault::Throttled,
        "fails" => Fault::ServerError,
        "denies" => Fault::AccessDenied,
        "loses" => match words.next("`calls` or `answers`")? {
            "calls" => Fault::CallLost,
            "answers" => Fault::AnswerLost,
            other => return Err(format!("expected `calls` or `answers`, not `{other}`")),
        },
        other => {
            let verbs = "`throttles`, `fails`, `denies`, `loses`, `takes` or `recovers`";
            return Err(format!("unknown verb `{other}` after `ecs`: use {verbs}"));
        }
    };
    Ok(Statement::Fault(fault, number, of_operation(words)?))
}

pub(super) fn function(words: &mut Words<'_>) -> Parsed<Statement> {
    words.literal("dies")?;
    let fault = match words.next("`before` or `after`")? {
        "before" => Fault::DiesBefore,
        "after" => Fault::DiesAfter,
        other => return Err(format!("expected `before` or `after`, not `{other}`")),
    };
    words.literal("call")?;
    Ok(Statement::Fault(fault, 1, of_operation(words)?))
}

/// `autoscaling web 1 to 2`, `autoscaling denies 2`.
pub(super) fn autoscaling(words: &mut Words<'_>) -> Parsed<Statement> {
    let service = words.next("a service")?.to_owned();
    if service == "denies" {
        return Ok(Statement::AutoscalingDenies(words.number("a number of calls")?));
    }
    let min = words.number("a number of tasks")?;
    words.literal("to")?;
    Ok(Statement::Autoscaling(service, min..=words.number("a number of tasks")?))
}

/// `events are lost`, `events are delivered`.
pub(super) fn events(words: &mut Words<'_>) -> Parsed<Statement> {
    words.literal("are")?;
    match words.next("`lost` or `delivered`")? {
        "lost" => Ok(Statement::Events(EventsOfEcs::Lost)),
        "delivered" => Ok(Statement::Events(EventsOfEcs::Delivered)),
        other => Err(format!("unknown fate `{other}` of events: use `lost` or `delivered`")),
    }
}

fn of_operation(words: &mut Words<'_>) -> Parsed<Option<String>> {
    if words.has("of") { operation(words).map(Some) } else { Ok(None) }
}

/// An operation that the function calls. A misspelt one would never match.
pub(super) fn operation(words: &mut Words<'_>) -> Parsed<String> {
    let word = words.next("an operation of ECS")?;
    match OPERATIONS.contains(&word) {
        true => Ok(word.to_owned()),
        false => Err(format!("the function never calls `{word}`; it calls {}", OPERATIONS.join(", "))),
    }
}
