//! Scenarios: small scripts that say what workers, people and ECS do, and what must come of it.
//!
//! A scenario runs against the function in process ([`InProcess`]), or against its real `bootstrap` ([`crate::play`]). Time is
//! simulated: it passes only in `advance`. After each line everything that is due is delivered and carried out.
//!
//! One line is one statement; `#` begins a comment. Tasks are called `a`, `b`, `c` … in the order in which they are
//! created. Durations are written `90s`, `31m`, `2h`, `1h30m`.
//!
//! | line | what happens |
//! |---|---|
//! | `needs refusal=blocked …` | the scenario holds only for these variants of AWS ([`crate::control_plane::Variants`]) |
//! | `set TASKHOLD_DRY_RUN true` | a setting of the function |
//! | `service web desired 2 [min 50] [max 200]` | a service whose tasks run already; without any, `service web desired 2` |
//! | `… [strategy rolling\|blue-green\|linear\|canary]` | how it is deployed; linear and canary move traffic in AWS's default steps |
//! | `… [controller ecs\|code-deploy\|external]` | who deploys it: with the last two it has task sets |
//! | `… [bake 5m] [tag KEY=VALUE] …` | how long old tasks stay after the traffic has moved, 5 minutes unless said; service tags |
//! | `standalone` | a task of no service runs |
//! | `job j-1 starts on a [for 90m] [expected 30m] [attempt 2] [late 5m]` | its worker sends `job.started`; `late` holds it up on its way |
//! | `job j-1 beats [for 90m] …`, `job j-1 finishes …` | `job.heartbeat`, `job.finished`; `on a` is needed only for a job that has not started |
//! | `job j starts on a to z [for 90m] …` | the same of each task from a to z at once, and of jobs `j-a` to `j-z` |
//! | `again [3]` | the last message is delivered once more, or three times |
//! | `send {"version": 1, …}` | this very body is sent; `$a` in it, and in what is asked, stands for the ARN of task a |
//! | `sweep every 5m`, `lose 2 alerts` | the schedule's sweep, from now on; the next two alerts are not taken |
//! | `status of web`, `preflight of web`, `ask {…}` | an operator invokes the function, by command or with this payload |
//! | `hold queue`, `open queue [reversed]` | messages wait, and then come in one batch |
//! | `deploy web`, `scale web to 3` | `UpdateService`; with task sets `deploy` creates one, makes it primary, and deletes the old one |
//! | `deployment of web fails [and rolls back]` | the new tasks do not start, and the circuit breaker ends the deployment |
//! | `scale web to 3 before UpdateService` | somebody does so right before the function's next call of that operation |
//! | `autoscaling web 1 to 2` | Application Auto Scaling keeps the desired count within these bounds from now on |
//! | `autoscaling denies 2` | its next two answers are AccessDeniedException |
//! | `tag web KEY=VALUE` | the service has this tag from now on |
//! | `rebalance web` | ECS moves one task to another Availability Zone |
//! | `delete web` | `DeleteService`, by force |
//! | `protect a [for 90m]`, `release a` | the task sets or clears its own protection, without the function |
//! | `stop a`, `crash a`, `interrupt a` | somebody stops the task; its container ends; its Spot capacity is taken back |
//! | `ecs throttles 2`, `ecs fails 2`, `ecs denies 2` | the next two calls to ECS are answered so |
//! | `ecs loses 2 calls`, `ecs loses 2 answers` | they get no answer, and take effect or do not |
//! | `ecs denies 2 of UpdateService` | the next two calls of that operation, and so for all faults but `takes` |
//! | `ecs recovers` | from now on its calls are answered again |
//! | `ecs takes 2s` | each call takes so long from now on; in process only, since a real function has a clock of its own |
//! | `function dies before call`, `function dies after call` | at the next call to ECS, or the next `of UpdateService` |
//! | `events are lost`, `events come again` | from now on no event of ECS comes to the function, or each |
//! | `advance 31m` | time passes |
//! | `say TEXT` | a line for who reads along |
//! | `expect a protected [for 90m]`, `expect a unprotected` | what ECS thinks; `for` allows the documented rounding up |
//! | `expect a running`, `expect a stopped` | |
//! | `expect web steady`, `expect web deploying` | |
//! | `expect web desired 3` | so many tasks are wanted |
//! | `expect 2 deployments of web` | or task sets, those that are draining included |
//! | `expect 2 calls [of UpdateService]` | so many were sent since the last such line, of `UpdateTaskProtection` unless said |
//! | `expect 0 waiting`, `expect 1 dead-lettered [because TEXT]` | messages in the job queue, and messages dead-lettered so far |
//! | `expect 2 interrupted` | jobs that were handed on as interrupted so far |
//! | `expect alert KIND EVENT SERVICE`, `expect no alert` | the next alert that was sent; one that no line expects fails the scenario |
//! | `expect mail TEXT` | the mail of the alert that was expected last says so, wherever its lines break |
//! | `expect answer /a/b TEXT` | the last answer to an operator has this value there; times by the time of day |
//! | `mute alerts` | alerts are not what the scenario is about, and need not be expected |
//! | `expect warning TEXT`, `expect error TEXT` | the function has logged so since the last such line |
//!
//! A line at level ERROR that no `expect error` names fails the scenario.
//!
//! The events of ECS come once, in order and at once. [`alerts_of`] runs a scenario with its events in [`Disorder`], and asks
//! only who was told of what.

mod alerts;
mod captured;
mod described;
mod disorder;
mod expectation;
pub(crate) mod in_process;
mod notice;
mod parse;
mod random;
mod run;
mod statement;
mod telling;
mod timeline;
mod workers;
mod world;

pub use alerts::{AlertTold, alerts_of};
pub use disorder::Disorder;
pub use in_process::InProcess;
pub use random::random_scenario;
pub use run::{FUNCTION_TIMEOUT_MS, Failure, Function, Invoked, LogLine, Summary, run};
pub use statement::{Expectation, Statement};
pub use timeline::{Audience, Colour, Silent, Style, Telling, Timeline};

use crate::control_plane::Variants;

/// A scenario that has been read.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The scenario's origin, for messages.
    pub name: String,
    /// Its statements.
    pub lines: Vec<Line>,
}

/// One statement.
#[derive(Clone, Debug)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// As written, without its comment.
    pub text: String,
    /// The parsed statement.
    pub statement: Statement,
}

/// A line that is no statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{scenario}:{line}: {problem}")]
pub struct ScenarioError {
    /// The scenario's origin.
    pub scenario: String,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl Scenario {
    /// Parses a scenario.
    ///
    /// # Errors
    /// A line that is no statement, with file and line.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let mut lines = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            let text = parse::without_comment(line);
            if text.is_empty() {
                continue;
            }
            let statement = parse::statement(text).map_err(|problem| ScenarioError {
                scenario: name.to_owned(),
                line: number,
                problem,
            })?;
            lines.push(Line { number, text: text.to_owned(), statement });
        }
        Ok(Self { name: name.to_owned(), lines })
    }

    /// The variants of AWS under which the scenario applies: all, or those that it needs.
    #[must_use]
    pub fn variants(&self) -> Vec<Variants> {
        let needs = |line: &Line| match &line.statement {
            Statement::Needs(needs) => needs.clone(),
            _ => Vec::new(),
        };
        let needs: Vec<String> = self.lines.iter().flat_map(needs).collect();
        let holds = |variants: &Variants| {
            let written = variants.to_string();
            needs.iter().all(|need| written.split(' ').any(|pair| pair == need))
        };
        Variants::all().into_iter().filter(holds).collect()
    }

    /// The settings of the function that the scenario changes.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(|line| match &line.statement {
            Statement::Set { name, value } => Some((name.as_str(), value.as_str())),
            _ => None,
        })
    }
}
