use super::*;
use std::collections::HashMap;

fn read(arguments: &[&str], variables: &[(&str, &str)]) -> Result<ParsedLine, OptionError> {
    let arguments = arguments.iter().map(OsString::from).collect();
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    parse(arguments, |name| variables.get(name).map(|&text| text.to_owned()), || "random".to_owned())
}

fn exec(arguments: &[&str], variables: &[(&str, &str)]) -> ExecOptions {
    match read(arguments, variables) {
        Ok(ParsedLine::Exec(options)) => *options,
        other => panic!("{other:?}"),
    }
}

fn problem(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    read(arguments, variables).unwrap_err().to_string()
}

#[test]
fn without_options_a_job_of_two_hours_runs_in_any_case() {
    let options = exec(&["exec", "--", "encode", "--fast", "--", "x"], &[]);
    assert_eq!(options.program, "encode");
    assert_eq!(options.arguments, ["--fast", "--", "x"]);
    assert_eq!((options.job.id.as_str(), options.job.max.as_secs()), ("random", 7200));
    assert_eq!((options.if_refused, options.start_timeout.as_secs()), (IfRefused::Run, 10));
}

#[test]
fn options_after_the_command_are_its_own() {
    let options = exec(&["exec", "--group", "encode", "--job-id", "x"], &[]);
    assert_eq!((options.job.id.as_str(), options.arguments.len()), ("random", 2));
    assert_eq!(options.signal_target, SignalTarget::Group);
}

#[test]
fn an_option_takes_precedence_over_its_variable_and_an_empty_variable_counts_as_absent() {
    let variables = [
        ("TASKHOLD_JOB_ID", "of-the-environment"),
        ("TASKHOLD_MAX_DURATION", "45m"),
        ("TASKHOLD_LABELS", "a=1,b=2"),
        ("TASKHOLD_IF_REFUSED", ""),
        ("TASKHOLD_GROUP", "1"),
        ("TASKHOLD_STATE_DIR", "/run/shared"),
        ("TASKHOLD_LOG_FORMAT", "json"),
    ];
    let options = exec(&["exec", "--job-id=of-the-line", "--", "encode"], &variables);
    assert_eq!((options.job.id.as_str(), options.job.max.as_secs()), ("of-the-line", 2700));
    assert_eq!(options.job.labels.len(), 2);
    assert_eq!((options.if_refused, options.log_format), (IfRefused::Run, LogFormat::Json));
    assert_eq!(options.state_dir, Some(PathBuf::from("/run/shared")));
    let options = exec(&["exec", "--label", "c=3", "--label", "d=x=y", "--", "encode"], &variables);
    let labels: Vec<_> = options.job.labels.into_iter().collect();
    assert_eq!(labels, [("c".to_owned(), "3".to_owned()), ("d".to_owned(), "x=y".to_owned())]);
}

#[test]
fn an_error_names_the_option_the_value_and_the_fix() {
    let with = |option: &str, value: &str| problem(&["exec", option, value, "--", "encode"], &[]);
    assert_eq!(
        with("--max-duration", "2 hours"),
        "--max-duration is `2 hours`, which is not a duration; write whole numbers with d, h, m or s, such as 90s, 45m, \
         2h or 1h30m"
    );
    assert_eq!(with("--max-duration", "0m"), "--max-duration is `0m`, which is zero; write at least 1s");
    assert_eq!(with("--if-refused", "stop"), "--if-refused is `stop`, which is not run, wait or exit");
    assert!(with("--job-id", &"x".repeat(257)).ends_with("does not have 1 to 256 characters"));
    assert!(with("--job-id", "").ends_with("does not have 1 to 256 characters"));
    assert!(with("--job-id", "a\nb").ends_with("has control characters; use printable ones"));
    assert!(with("--attempt", "0").ends_with("is not a whole number from 1"));
    assert!(with("--label", "title").ends_with("is not NAME=VALUE"));
    let variables = [("TASKHOLD_MAX_DURATION", "-5m")];
    assert!(problem(&["exec", "--", "encode"], &variables).starts_with("TASKHOLD_MAX_DURATION is `-5m`, which"));
}

#[test]
fn a_missing_or_unknown_command_is_an_error() {
    for arguments in [&["exec"][..], &["exec", "--"], &["exec", "--", ""]] {
        assert!(problem(arguments, &[]).starts_with("there is no COMMAND"), "{arguments:?}");
    }
    assert!(problem(&["run"], &[]).starts_with("`run` is not a command of taskhold-run; write exec, serve, start"));
    assert!(read(&["exec", "--jobid", "x"], &[]).is_err());
}

#[test]
fn a_job_has_as_many_labels_as_the_message_allows() {
    let labels: Vec<String> = (0..9).map(|number| format!("l{number}=x")).collect();
    let variables = [("TASKHOLD_LABELS", labels.join(","))];
    let variables = variables.each_ref().map(|(name, text)| (*name, text.as_str()));
    assert!(problem(&["exec", "--", "encode"], &variables).ends_with("a job has at most 8"));
}

#[test]
fn the_help_names_every_option_and_variable() {
    for option in [OF_EXEC, OF_SERVE, OF_HOOKS].iter().flat_map(|names| names.with_value) {
        assert!(HELP.contains(&format!("--{option} ")), "{option}");
        assert!(HELP.contains(&format!("{} ", variable_of(option))), "{option}");
    }
    assert!(matches!(read(&[], &[]), Ok(ParsedLine::Help)));
    assert!(matches!(read(&["exec", "--help"], &[]), Ok(ParsedLine::Help)));
    assert!(matches!(read(&["--version"], &[]), Ok(ParsedLine::Version)));
}

fn serve(arguments: &[&str], variables: &[(&str, &str)]) -> ServeOptions {
    match read(arguments, variables) {
        Ok(ParsedLine::Serve(options)) => *options,
        other => panic!("{other:?}"),
    }
}

fn hook(arguments: &[&str], variables: &[(&str, &str)]) -> HookOptions {
    match read(arguments, variables) {
        Ok(ParsedLine::Hook(options)) => *options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn serve_listens_on_loopback_with_or_without_a_command() {
    let options = serve(&["serve"], &[]);
    assert_eq!((options.address.to_string().as_str(), options.command.len()), ("127.0.0.1:9911", 0));
    assert_eq!((options.linger, options.heartbeat_interval.as_secs()), (Duration::ZERO, 600));
    let options = serve(&["serve", "--linger", "30s", "--", "celery", "worker"], &[("TASKHOLD_PORT", "8000")]);
    assert_eq!((options.address.port(), options.linger.as_secs(), options.command.len()), (8000, 30, 2));
    assert_eq!(serve(&["serve", "--address", "::1"], &[]).address.to_string(), "[::1]:9911");
}

#[test]
fn an_address_that_others_can_reach_needs_a_token() {
    for address in ["0.0.0.0", "::", "10.0.0.7"] {
        assert!(problem(&["serve", "--address", address], &[]).contains("set TASKHOLD_TOKEN"), "{address}");
    }
    let variables = [("TASKHOLD_TOKEN", "0123456789abcdef")];
    assert_eq!(serve(&["serve", "--address", "0.0.0.0"], &variables).token.as_deref(), Some("0123456789abcdef"));
    let short = problem(&["serve"], &[("TASKHOLD_TOKEN", "secret")]);
    assert!(short.contains("at least 16") && !short.contains("secret"), "{short}");
    assert!(problem(&["serve", "--port", "70000"], &[]).ends_with("is not a port number"));
}

#[test]
fn a_hook_names_its_job_and_finds_the_server_of_its_task() {
    let options = hook(&["start", "--job-id", "a"], &[]);
    assert_eq!((options.verb, options.if_refused, options.attempt), (HookVerb::Start, IfRefused::Exit, None));
    assert_eq!(options.server.url, "http://127.0.0.1:9911");
    assert_eq!(hook(&["heartbeat", "--job-id", "a"], &[("TASKHOLD_PORT", "1")]).server.url, "http://127.0.0.1:1");
    let options = hook(&["finish", "--job-id", "a", "--outcome", "failure"], &[("TASKHOLD_SERVER", "http://x")]);
    assert_eq!((options.outcome, options.server.url.as_str()), (JobOutcome::Failure, "http://x"));
    assert_eq!(problem(&["start"], &[]), "--job-id is missing");
    assert!(
        problem(&["finish", "--job-id", "a", "--outcome", "good"], &[]).contains("success, failure or interrupted")
    );
    assert!(read(&["finish", "--job-id", "a", "more"], &[]).is_err());
}
