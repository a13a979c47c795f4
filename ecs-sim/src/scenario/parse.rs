//! Parses one line of a scenario.

mod deployments;
mod expectation;
mod faults;
mod hook;
mod service;
mod words;

use super::job_line::{AgentReport, JobLine, JobReporter, Verb};
use super::statement::{AgentCondition, EndOfTask, Order, Statement};
use crate::control_plane::Variants;
use faults::{autoscaling, ecs, events, function, operation};
use service::{service, tag};
use words::{Parsed, Words, duration, minutes};

/// The line without its comment, trimmed. A `#` within a word starts no comment.
pub(super) fn without_comment(line: &str) -> &str {
    let comment =
        line.match_indices('#').find(|(at, _)| line[..*at].chars().next_back().is_none_or(char::is_whitespace));
    comment.map_or(line, |(at, _)| &line[..at]).trim()
}

/// Parses a line that is not empty.
pub(super) fn statement(line: &str) -> Parsed<Statement> {
    if let Some(statement) = with_rest(line) {
        return Ok(statement);
    }
    let mut words = Words(line.split_whitespace().collect());
    let statement = match words.next("a statement")? {
        "needs" => needs(&mut words)?,
        "set" => Statement::Set { name: words.next("a setting")?.to_owned(), value: words.text() },
        "service" => Statement::Service(service(&mut words)?),
        "standalone" => Statement::Standalone,
        "job" => Statement::Job(job(&mut words)?),
        "again" => Statement::Again(if words.0.is_empty() { 1 } else { words.number("a number")? }),
        "hold" => words.literal("queue").map(|()| Statement::HoldQueue)?,
        "open" => {
            words.literal("queue")?;
            Statement::OpenQueue(if words.has("reversed") { Order::Reversed } else { Order::Sent })
        }
        "deploy" => Statement::Deploy(words.next("a service")?.to_owned()),
        "scale" => {
            let service = words.next("a service")?.to_owned();
            words.literal("to")?;
            let count = words.number("a number of tasks")?;
            match words.has("before") {
                true => Statement::ScaleBefore(service, count, operation(&mut words)?),
                false => Statement::Scale(service, count),
            }
        }
        "autoscaling" => autoscaling(&mut words)?,
        "tag" => {
            let service = words.next("a service")?.to_owned();
            let (key, value) = tag(&mut words)?;
            Statement::Tag(service, key, value)
        }
        "events" => events(&mut words)?,
        "rebalance" => Statement::Rebalance(words.next("a service")?.to_owned()),
        word @ ("deployment" | "continue" | "rollback" | "hook") => deployments::read(word, &mut words)?,
        "delete" => Statement::Delete(words.next("a service")?.to_owned()),
        "protect" => {
            let task = words.next("a task")?.to_owned();
            Statement::Protect(task, if words.has("for") { Some(minutes(&mut words)?) } else { None })
        }
        "release" => Statement::Release(words.next("a task")?.to_owned()),
        "stop" => Statement::End(words.next("a task")?.to_owned(), EndOfTask::Stopped),
        "crash" => Statement::End(words.next("a task")?.to_owned(), EndOfTask::Crashed),
        "interrupt" => Statement::End(words.next("a task")?.to_owned(), EndOfTask::Interrupted),
        "ecs" => ecs(&mut words)?,
        word @ ("agent" | "host" | "lambda" | "sweep" | "mute" | "lose") => surroundings(word, &mut words)?,
        "function" => function(&mut words)?,
        "status" => command("status", &mut words)?,
        "preflight" => command("preflight", &mut words)?,
        "advance" => Statement::Advance(duration(words.next("a duration")?)?),
        "say" => Statement::Say(words.text()),
        "expect" => Statement::Expect(expectation::read(&mut words)?),
        other => return Err(format!("unknown statement `{other}`")),
    };
    words.end()?;
    Ok(statement)
}

/// A statement about what surrounds the services: agents, hosts, Lambda, the schedule, queues and topics.
fn surroundings(word: &str, words: &mut Words<'_>) -> Parsed<Statement> {
    Ok(match word {
        "agent" if words.has("recovers") => Statement::Agent(AgentCondition::Answers),
        "agent" => {
            words.literal("is")?;
            match words.next("`dead` or `slow`")? {
                "dead" => Statement::Agent(AgentCondition::Dead),
                "slow" => Statement::Agent(AgentCondition::Slow),
                other => return Err(format!("expected `dead` or `slow`, not `{other}`")),
            }
        }
        "host" => {
            words.literal("of")?;
            let task = words.next("a task")?.to_owned();
            words.literal("fails").map(|()| Statement::End(task, EndOfTask::HostLost))?
        }
        "lambda" => {
            words.literal("throttles")?;
            Statement::ThrottleHooks(words.number("a number of invocations")?)
        }
        "sweep" => {
            words.literal("every")?;
            Statement::SweepEvery(duration(words.next("a duration")?)?)
        }
        "mute" if words.has("stops") => Statement::MuteStops,
        "mute" => words.literal("alerts").map(|()| Statement::MuteAlerts)?,
        "lose" if words.has("rechecks") => Statement::LoseRechecks,
        _ => {
            let number = words.number("a number of alerts")?;
            words.literal("alerts")?;
            Statement::LoseAlerts(number)
        }
    })
}

/// A statement whose rest is a body, taken as it is.
fn with_rest(line: &str) -> Option<Statement> {
    let rest = |words: &str| line.strip_prefix(words).map(str::trim);
    let answers = || rest("ecs answers ")?.split_once(' ');
    let answers = || answers().map(|(of, body)| Statement::EcsAnswers(of.to_owned(), body.trim().to_owned()));
    let send = || rest("send ").map(|body| Statement::Send(body.to_owned()));
    send().or_else(|| rest("ask ").map(|payload| Statement::Ask(payload.to_owned()))).or_else(answers)
}

/// `status of web`: an operator's command about a service.
fn command(name: &str, words: &mut Words<'_>) -> Parsed<Statement> {
    words.literal("of")?;
    let service = words.next("a service")?;
    Ok(Statement::Ask(serde_json::json!({name: {"service": service}}).to_string()))
}

fn needs(words: &mut Words<'_>) -> Parsed<Statement> {
    let text = words.text();
    text.parse::<Variants>().map_err(|error| error.to_string())?;
    Ok(Statement::Needs(text.split_whitespace().map(str::to_owned).collect()))
}

fn job(words: &mut Words<'_>) -> Parsed<JobLine> {
    let job = words.next("a job")?.to_owned();
    let verb = match words.next("`starts`, `beats` or `finishes`")? {
        "starts" => Verb::Starts,
        "beats" => Verb::Beats,
        "finishes" => Verb::Finishes,
        other => return Err(format!("unknown verb `{other}`: use `starts`, `beats` or `finishes`")),
    };
    let mut line = JobLine::new(job, verb);
    loop {
        if words.has("on") {
            line.task = Some(words.next("a task")?.to_owned());
            line.through = if words.has("to") { Some(words.next("a task")?.to_owned()) } else { None };
        } else if words.has("for") {
            line.minutes = Some(minutes(words)?);
        } else if words.has("expected") {
            line.expected_minutes = Some(minutes(words)?);
        } else if words.has("heartbeats") {
            words.literal("every")?;
            line.heartbeat_minutes = Some(minutes(words)?);
        } else if words.has("kind") {
            line.kind = Some(words.next("a kind")?.to_owned());
        } else if words.has("attempt") {
            line.attempt = words.number("a number")?;
        } else if words.has("protected") {
            line.agent = Some(AgentReport::Protected(minutes(words)?));
        } else if words.has("refused") {
            line.agent = Some(AgentReport::Refused);
        } else if words.has("under") {
            words.literal("taskhold-run")?;
            line.reporter = JobReporter::TaskholdRun;
        } else if words.has("late") {
            line.late = duration(words.next("a duration")?)?;
        } else if line.verb == Verb::Starts && line.task.is_none() {
            return Err("`starts` needs a task, as in `starts on a`".to_owned());
        } else {
            return Ok(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::StrategySpec;

    #[test]
    fn a_job_line_is_read_with_all_its_words() {
        let line = "job j-1 starts on a for 1h30m expected 20m kind encode attempt 2 late 5m";
        let Ok(Statement::Job(job)) = statement(line) else { panic!("not a job line") };
        assert_eq!((job.task.as_deref(), job.minutes, job.expected_minutes), (Some("a"), Some(90), Some(20)));
        assert_eq!((job.kind.as_deref(), job.attempt, job.late), (Some("encode"), 2, 300_000));
        let agent = |line: &str| match statement(line) {
            Ok(Statement::Job(job)) => job.agent,
            other => panic!("not a job line: {other:?}"),
        };
        assert_eq!(agent("job j-1 starts on a for 1h protected 90m"), Some(AgentReport::Protected(90)));
        assert_eq!(agent("job j-1 beats refused"), Some(AgentReport::Refused));
    }

    #[test]
    fn a_service_line_is_read_with_all_its_words() {
        let line = "service web desired 3 min 50 max 150 strategy linear bake 10m controller ecs tag a=b tag c=d=e";
        let Ok(Statement::Service(service)) = statement(line) else { panic!("not a service line") };
        assert_eq!((service.name.as_str(), service.desired, service.min, service.max), ("web", 3, 50, 150));
        assert_eq!((service.strategy, service.bake_minutes), (StrategySpec::LINEAR, Some(10)));
        assert_eq!(service.tags, [("a".to_owned(), "b".to_owned()), ("c".to_owned(), "d=e".to_owned())]);
    }

    #[test]
    fn words_that_no_scenario_uses_are_read() {
        for (words, as_without) in [
            ("service web desired 1 strategy rolling", "service web desired 1"),
            ("service web desired 1 controller ecs", "service web desired 1"),
            ("expect 1 deployment of web", "expect 1 deployments of web"),
        ] {
            assert_eq!(statement(words), statement(as_without), "{words}");
        }
        assert_eq!(statement("protect a"), Ok(Statement::Protect("a".to_owned(), None)));
    }

    #[test]
    fn a_line_that_means_nothing_says_which_word_is_wrong() {
        for (line, problem) in [
            ("dance", "unknown statement `dance`"),
            ("job j-1 sleeps", "unknown verb `sleeps`"),
            ("job j-1 starts", "`starts` needs a task, as in `starts on a`"),
            ("job j-1 starts on a for 90s", "`90s` is not a whole number of minutes"),
            ("advance soon", "`soon` is not a duration"),
            ("advance 5", "`5` is not a duration"),
            ("deploy web now", "unexpected `now`"),
            ("expect a happy", "unknown state `happy`"),
            ("scale web 3", "expected `to`, not `3`"),
            ("needs refusal=never", "`refusal=never` is not a variant"),
            ("expect 2 tasks", "unknown count `tasks`"),
            ("expect", "expected an expectation, but the line ends"),
            ("agent is ill", "not `ill`"),
            ("service web desired 1 strategy blue", "unknown strategy `blue`"),
            ("service web desired 1 controller me", "unknown controller `me`"),
            ("service web desired 1 tag team", "`team` is not a tag"),
            ("service web desired 1 hook pause bake-time", "not a stage with hooks"),
            ("service web desired 1 hook pause test-traffic-shift", "no PAUSE hook"),
            ("service web desired 1 hook gate pre-scale-up until dawn", "`dawn`"),
            ("service web desired 1 hook gate pre-scale-up details {", "is no JSON"),
            ("deployment of web succeeds", "`succeeds`"),
            ("protect a for 90s", "`90s` is not a whole number of minutes"),
            ("ecs denies 2 of UpdateServices", "the function never calls `UpdateServices`"),
            ("scale web to 4 before dinner", "`dinner`"),
            ("events are fun", "unknown fate `fun`"),
        ] {
            let found = statement(line).unwrap_err();
            assert!(found.contains(problem), "{line}: {found}");
        }
    }

    #[test]
    fn a_comment_ends_a_line_and_a_hash_within_a_word_does_not() {
        assert_eq!(without_comment("advance 1m   # a minute"), "advance 1m");
        assert_eq!(without_comment("# only that"), "");
        assert_eq!(without_comment("job j#1 finishes"), "job j#1 finishes");
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(duration("1d2h3m4s"), Ok(93_784_000));
        assert!(duration("").is_err() && duration("m").is_err() && duration("99999999999999999d").is_err());
    }
}
