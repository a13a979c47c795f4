//! Parses what people, hooks and ECS do about a deployment in progress.

use super::super::statement::Statement;
use super::hook::decision;
use super::words::{Parsed, Words};
use crate::control_plane::{CircuitBreaker, HookDecision};

/// The statement that begins with this word.
pub(super) fn read(word: &str, words: &mut Words<'_>) -> Parsed<Statement> {
    match word {
        "continue" => Ok(Statement::ContinueDeployment(words.next("a service")?.to_owned(), HookDecision::Continue)),
        "rollback" => Ok(Statement::ContinueDeployment(words.next("a service")?.to_owned(), HookDecision::Rollback)),
        "hook" => {
            words.literal("of")?;
            let service = words.next("a service")?.to_owned();
            words.literal("answers")?;
            Ok(Statement::AnswerHook(service, decision(words)?))
        }
        _ => deployment(words),
    }
}

/// `deployment of web fails [and rolls back]`, `deployment of web is stopped`.
fn deployment(words: &mut Words<'_>) -> Parsed<Statement> {
    words.literal("of")?;
    let service = words.next("a service")?.to_owned();
    if words.has("is") {
        words.literal("stopped")?;
        return Ok(Statement::StopDeployment(service));
    }
    words.literal("fails")?;
    if !words.has("and") {
        return Ok(Statement::FailDeployment(service, CircuitBreaker::On));
    }
    words.literal("rolls")?;
    words.literal("back")?;
    Ok(Statement::FailDeployment(service, CircuitBreaker::RollsBack))
}
