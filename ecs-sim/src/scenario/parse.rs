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
    use super::super::statement::{EventsOfEcs, Expectation};
    use super::*;
    use crate::control_plane::{
        CircuitBreaker, DeploymentControllerType, DeploymentStage, EarlySuccessCriteria, HookDecision, HookFunction,
        HookSpec, StrategySpec,
    };
    use crate::region::{FUNCTION_ARN, Fault, HOOK_ROLE_ARN, OTHER_FUNCTION_ARN};
    use serde_json::json;

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
    fn an_agent_is_dead_or_slow_until_it_recovers() {
        for (line, condition) in [
            ("agent is dead", AgentCondition::Dead),
            ("agent is slow", AgentCondition::Slow),
            ("agent recovers", AgentCondition::Answers),
        ] {
            assert_eq!(statement(line), Ok(Statement::Agent(condition)));
        }
        assert!(statement("agent is ill").unwrap_err().contains("not `ill`"));
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
    fn a_service_line_takes_every_strategy_and_controller_and_no_other() {
        for (words, strategy) in [
            ("rolling", StrategySpec::Rolling),
            ("blue-green", StrategySpec::BlueGreen),
            ("linear", StrategySpec::LINEAR),
            ("canary", StrategySpec::CANARY),
        ] {
            let read = statement(&format!("service web desired 1 strategy {words}"));
            let Ok(Statement::Service(service)) = read else { panic!("{words}: {read:?}") };
            assert_eq!(service.strategy, strategy);
        }
        for (words, controller) in [
            ("ecs", DeploymentControllerType::Ecs),
            ("code-deploy", DeploymentControllerType::CodeDeploy),
            ("external", DeploymentControllerType::External),
        ] {
            let read = statement(&format!("service web desired 1 controller {words}"));
            let Ok(Statement::Service(service)) = read else { panic!("{words}: {read:?}") };
            assert_eq!(service.controller, controller);
        }
        assert!(statement("service web desired 1 strategy blue").unwrap_err().contains("unknown strategy `blue`"));
        assert!(statement("service web desired 1 controller me").unwrap_err().contains("unknown controller `me`"));
        assert!(statement("service web desired 1 tag team").unwrap_err().contains("`team` is not a tag"));
    }

    #[test]
    fn a_deployment_fails_with_or_without_being_rolled_back() {
        let fails = |breaker| Ok(Statement::FailDeployment("web".to_owned(), breaker));
        assert_eq!(statement("deployment of web fails"), fails(CircuitBreaker::On));
        assert_eq!(statement("deployment of web fails and rolls back"), fails(CircuitBreaker::RollsBack));
        assert!(statement("deployment of web succeeds").is_err());
    }

    #[test]
    fn hooks_and_early_success_are_read_and_a_deployment_continues_or_is_stopped() {
        let line = "service web desired 1 hook pause post-scale-up for 2h then continue hook lambda pre-scale-up early 80 deferred";
        let Ok(Statement::Service(service)) = statement(line) else { panic!("not a service line") };
        let hook = |function, stage, timeout_minutes, timeout_action| HookSpec {
            function,
            stages: vec![stage],
            timeout_minutes,
            timeout_action,
        };
        let pause = hook(None, DeploymentStage::PostScaleUp, 120, HookDecision::Continue);
        let another = Some(HookFunction::new(OTHER_FUNCTION_ARN, HOOK_ROLE_ARN));
        let lambda = hook(another, DeploymentStage::PreScaleUp, 1440, HookDecision::Rollback);
        assert_eq!(service.hooks, [pause, lambda]);
        assert_eq!(service.early_success, Some(EarlySuccessCriteria { healthy_percent: 80, is_deferred: true }));
        let web = || "web".to_owned();
        assert_eq!(statement("continue web"), Ok(Statement::ContinueDeployment(web(), HookDecision::Continue)));
        assert_eq!(statement("rollback web"), Ok(Statement::ContinueDeployment(web(), HookDecision::Rollback)));
        assert_eq!(statement("deployment of web is stopped"), Ok(Statement::StopDeployment(web())));
        assert_eq!(statement("hook of web answers rollback"), Ok(Statement::AnswerHook(web(), HookDecision::Rollback)));
        let body = r#"{"a": [1, 2]}"#.to_owned();
        let answers = Statement::EcsAnswers("DescribeServices".to_owned(), body);
        assert_eq!(statement(r#"ecs answers DescribeServices {"a": [1, 2]}"#), Ok(answers));
        assert!(
            statement("service web desired 1 hook pause bake-time").unwrap_err().contains("not a stage with hooks")
        );
    }

    #[test]
    fn a_gate_is_read_with_its_details_and_its_time_out() {
        let line = "service web desired 1 hook gate pre-scale-up,test-traffic-shift until no-live-jobs at most 45m \
                    then rollback for 2h then continue hook gate post-scale-up details {\"a\":1}";
        let Ok(Statement::Service(service)) = statement(line) else { panic!("not a service line") };
        let gate = |details| Some(HookFunction { details, ..HookFunction::new(FUNCTION_ARN, HOOK_ROLE_ARN) });
        let block = json!({"until": "no-live-jobs", "atMostMinutes": 45, "then": "rollback"});
        let first = HookSpec {
            function: gate(Some(json!({"taskhold": block}))),
            stages: vec![DeploymentStage::PreScaleUp, DeploymentStage::TestTrafficShift],
            timeout_minutes: 120,
            timeout_action: HookDecision::Continue,
        };
        let second = HookSpec {
            function: gate(Some(json!({"a": 1}))),
            stages: vec![DeploymentStage::PostScaleUp],
            timeout_minutes: 1440,
            timeout_action: HookDecision::Rollback,
        };
        assert_eq!(service.hooks, [first, second]);
        for (line, problem) in [
            ("hook pause test-traffic-shift", "no PAUSE hook"),
            ("hook gate pre-scale-up until dawn", "`dawn`"),
            ("hook gate pre-scale-up details {", "is no JSON"),
        ] {
            let found = statement(&format!("service web desired 1 {line}")).unwrap_err();
            assert!(found.contains(problem), "{line}: {found}");
        }
    }

    #[test]
    fn what_a_hook_answers_and_where_it_holds_a_deployment_is_expected() {
        let expect = |expected| Ok(Statement::Expect(expected));
        let web = || "web".to_owned();
        let held = Expectation::Held(web(), DeploymentStage::PreScaleUp);
        assert_eq!(statement("expect web held at pre-scale-up"), expect(held));
        assert_eq!(statement("expect web not held"), expect(Expectation::NotHeld(web())));
        assert_eq!(statement("expect web rolled back"), expect(Expectation::RolledBack(web())));
        assert_eq!(statement("expect 3 hook answers"), expect(Expectation::HookAnswers(3)));
        let answer = Expectation::HookAnswer("FAILED".to_owned(), Some("time is over".to_owned()));
        assert_eq!(statement("expect hook answer FAILED because time is over"), expect(answer));
        assert_eq!(statement("lambda throttles 2"), Ok(Statement::ThrottleHooks(2)));
    }

    #[test]
    fn a_task_protects_itself_and_clears_its_protection() {
        assert_eq!(statement("protect a for 90m"), Ok(Statement::Protect("a".to_owned(), Some(90))));
        assert_eq!(statement("protect a"), Ok(Statement::Protect("a".to_owned(), None)));
        assert_eq!(statement("release a"), Ok(Statement::Release("a".to_owned())));
        assert!(statement("protect a for 90s").is_err());
    }

    #[test]
    fn the_host_of_a_task_fails() {
        assert_eq!(statement("host of a fails"), Ok(Statement::End("a".to_owned(), EndOfTask::HostLost)));
    }

    #[test]
    fn a_service_is_rebalanced_and_deleted() {
        assert_eq!(statement("rebalance web"), Ok(Statement::Rebalance("web".to_owned())));
        assert_eq!(statement("delete web"), Ok(Statement::Delete("web".to_owned())));
    }

    #[test]
    fn a_job_starts_on_one_task_or_on_all_from_one_to_another() {
        let Ok(Statement::Job(job)) = statement("job j starts on a to zz for 5m") else { panic!("not a job line") };
        assert_eq!((job.task.as_deref(), job.through.as_deref(), job.minutes), (Some("a"), Some("zz"), Some(5)));
    }

    #[test]
    fn a_fault_strikes_any_call_or_those_of_an_operation_that_there_is() {
        let fault = |of: Option<&str>| Ok(Statement::Fault(Fault::AccessDenied, 2, of.map(str::to_owned)));
        assert_eq!(statement("ecs denies 2"), fault(None));
        assert_eq!(statement("ecs denies 2 of UpdateService"), fault(Some("UpdateService")));
        let dies = Statement::Fault(Fault::DiesBefore, 1, Some("UpdateService".to_owned()));
        assert_eq!(statement("function dies before call of UpdateService"), Ok(dies));
        assert!(
            statement("ecs denies 2 of UpdateServices")
                .unwrap_err()
                .contains("the function never calls `UpdateServices`")
        );
    }

    #[test]
    fn a_desired_count_can_be_set_right_before_a_call_and_by_auto_scaling() {
        let web = || "web".to_owned();
        let before = Statement::ScaleBefore(web(), 4, "GetTaskProtection".to_owned());
        assert_eq!(statement("scale web to 4 before GetTaskProtection"), Ok(before));
        assert_eq!(statement("autoscaling web 1 to 2"), Ok(Statement::Autoscaling(web(), 1..=2)));
        assert_eq!(statement("autoscaling denies 2"), Ok(Statement::AutoscalingDenies(2)));
        assert!(statement("scale web to 4 before dinner").is_err());
    }

    #[test]
    fn a_tag_is_set_and_events_are_lost_and_come_again() {
        let tag = Statement::Tag("web".to_owned(), "taskhold:policy".to_owned(), "notify".to_owned());
        assert_eq!(statement("tag web taskhold:policy=notify"), Ok(tag));
        assert_eq!(statement("events are lost"), Ok(Statement::Events(EventsOfEcs::Lost)));
        assert_eq!(statement("events are delivered"), Ok(Statement::Events(EventsOfEcs::Delivered)));
        assert!(statement("events are fun").unwrap_err().contains("unknown fate `fun`"));
    }

    #[test]
    fn calls_are_counted_by_operation_and_those_that_protect_unless_one_is_named() {
        let calls = |of: &str| Ok(Statement::Expect(Expectation::Calls(1, of.to_owned())));
        assert_eq!(statement("expect 1 call"), calls("UpdateTaskProtection"));
        assert_eq!(statement("expect 1 call of UpdateService"), calls("UpdateService"));
        assert_eq!(statement("expect web desired 3"), Ok(Statement::Expect(Expectation::Desired("web".to_owned(), 3))));
    }

    #[test]
    fn the_deployments_of_a_service_are_counted() {
        let expected = |number| Ok(Statement::Expect(Expectation::Deployments(number, "web".to_owned())));
        assert_eq!(statement("expect 2 deployments of web"), expected(2));
        assert_eq!(statement("expect 1 deployment of web"), expected(1));
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
