//! Parses an expectation.

use super::super::statement::Expectation;
use super::faults::operation;
use super::hook::stage;
use super::words::{Parsed, Words, duration};

/// The operation that a scenario counts by default.
const PROTECTION_CALL: &str = "UpdateTaskProtection";

pub(super) fn read(words: &mut Words<'_>) -> Parsed<Expectation> {
    let subject = words.next("an expectation")?;
    match subject {
        "warning" => return Ok(Expectation::Warning(words.text())),
        "error" => return Ok(Expectation::Error(words.text())),
        "mail" => return Ok(Expectation::Mail(words.text())),
        "alert" => return Ok(Expectation::Alert(words.text())),
        "no" if words.has("warning") => return Ok(Expectation::NoWarning(words.text())),
        "no" => return words.literal("alert").map(|()| Expectation::NoAlert),
        "hook" => {
            words.literal("answer")?;
            let status = words.next("a hookStatus")?.to_owned();
            return Ok(Expectation::HookAnswer(status, words.has("because").then(|| words.text())));
        }
        "answer" => return Ok(Expectation::Answer(words.next("a JSON pointer")?.to_owned(), words.text())),
        _ => {}
    }
    let state = words.next("an expected state")?;
    if let Ok(number) = subject.parse() {
        return match state {
            "calls" | "call" if words.has("of") => Ok(Expectation::Calls(number, operation(words)?)),
            "calls" | "call" => Ok(Expectation::Calls(number, PROTECTION_CALL.to_owned())),
            "hook" => words.literal("answers").map(|()| Expectation::HookAnswers(number)),
            "interrupted" => Ok(Expectation::Interrupted(number)),
            "waiting" => Ok(Expectation::Waiting(number)),
            "deployments" | "deployment" => {
                words.literal("of")?;
                Ok(Expectation::Deployments(number, words.next("a service")?.to_owned()))
            }
            "dead-lettered" => Ok(Expectation::DeadLettered(number, words.has("because").then(|| words.text()))),
            other => {
                let counts = "`calls`, `hook answers`, `waiting`, `dead-lettered`, `interrupted` or `deployments`";
                Err(format!("unknown count `{other}`: use {counts}"))
            }
        };
    }
    let subject = subject.to_owned();
    Ok(match state {
        "protected" if words.has("for") => Expectation::Protected(subject, Some(duration(words.next("a duration")?)?)),
        "protected" => Expectation::Protected(subject, None),
        "unprotected" => Expectation::Unprotected(subject),
        "running" => Expectation::Running(subject),
        "stopped" => Expectation::Stopped(subject),
        "steady" => Expectation::Steady(subject),
        "desired" => Expectation::Desired(subject, words.number("a number of tasks")?),
        "held" => {
            words.literal("at")?;
            Expectation::Held(subject, stage(words.next("a stage")?)?)
        }
        "not" if words.has("held") => Expectation::NotHeld(subject),
        "not" => {
            words.literal("rolled")?;
            words.literal("back").map(|()| Expectation::NotRolledBack(subject))?
        }
        "rolled" => words.literal("back").map(|()| Expectation::RolledBack(subject))?,
        "deploying" => Expectation::Deploying(subject),
        other => return Err(format!("unknown state `{other}` of a task or service")),
    })
}
