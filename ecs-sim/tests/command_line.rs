//! The program `ecs-sim` as people and scripts start it: help, usage errors, and a reader that closes the output early.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const COMMANDS: [&str; 4] = ["scenario", "sim", "play", "serve"];

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios").join(name)
}

fn ecs_sim(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-sim"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Exit code, standard output, standard error.
fn done(words: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = ecs_sim(words).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn help_is_printed_on_standard_output_however_it_is_asked_for() {
    let asked: [&[&str]; 4] = [&["--help"], &["-h"], &["help"], &[]];
    for words in asked {
        let (code, help, complaint) = done(words);
        assert_eq!((code, complaint.as_str()), (Some(0), ""), "{words:?}");
        for command in COMMANDS {
            assert!(help.contains(&format!("  ecs-sim {command} ")), "{words:?} has no `{command}`: {help}");
        }
    }
}

#[test]
fn each_command_prints_its_own_usage() {
    let all = done(&["--help"]).1;
    for command in COMMANDS {
        let asked: [&[&str]; 4] =
            [&[command, "--help"], &[command, "-h"], &["help", command], &[command, "--help", "--mood"]];
        for words in asked {
            let (code, help, complaint) = done(words);
            assert_eq!((code, complaint.as_str()), (Some(0), ""), "{words:?}");
            assert!(help.starts_with(&format!("  ecs-sim {command} ")) && all.contains(&help), "{words:?}: {help}");
            let mut others = COMMANDS.iter().filter(|other| **other != command);
            assert!(others.all(|other| !help.contains(&format!("ecs-sim {other} "))), "{help}");
        }
    }
}

#[test]
fn an_invalid_argument_is_a_usage_error() {
    let wrong: [(&[&str], &str); 11] = [
        (&["--mood"], "--mood"),
        (&["-x"], "-x"),
        (&["mood"], "unknown command `mood`"),
        (&["help", "mood"], "unknown command `mood`"),
        (&["scenario", "a.txt", "--mood"], "--mood"),
        (&["scenario", "a.txt", "--port", "1"], "--port"),
        (&["scenario"], "name at least one scenario file"),
        (&["serve", "a.txt"], "a.txt"),
        (&["serve", "--port", "many"], "many"),
        (&["serve", "--service", "web"], "`web` is not NAME=TASKS"),
        (&["sim", "--seed"], "--seed"),
    ];
    for (words, problem) in wrong {
        let (code, output, complaint) = done(words);
        assert_eq!((code, output.as_str()), (Some(2), ""), "{words:?}");
        assert!(complaint.starts_with("ecs-sim: ") && complaint.contains(problem), "{words:?}: {complaint}");
        assert!(complaint.contains("\n  ecs-sim "), "{words:?} shows no usage: {complaint}");
    }
}

#[test]
fn a_failing_command_is_not_a_usage_error() {
    let (code, output, complaint) = done(&["scenario", "no-such-file.txt"]);
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(complaint.contains("no-such-file.txt"), "{complaint}");
}

/// Exit code and standard error, with standard output a pipe whose reader is closed.
fn unread(words: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let Output { status, stderr, .. } = ecs_sim(words).stdout(writer).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// The exit code that a shell reports for a process that SIGPIPE ended.
const QUIETLY: (Option<i32>, String) = (Some(141), String::new());

#[test]
fn an_output_that_is_closed_ends_every_command_quietly() {
    let tour = scenario("tour.txt");
    let replayed = scenario("../sim/count_of_a_raise_set_again.txt");
    let (tour, replayed) = (tour.to_str().unwrap(), replayed.to_str().unwrap());
    let commands: [&[&str]; 8] = [
        &["--help"],
        &["scenario", "--help"],
        &["scenario", tour],
        &["sim", "--runs", "2"],
        &["sim", "--runs", "20", "--threads", "2", "--keep-going", "--sabotage", "rechecks-swallowed"],
        &["sim", "--replay", replayed],
        &["play", tour, "--bootstrap", "/bin/false"],
        &["serve", "--port", "0"],
    ];
    for words in commands {
        assert_eq!(unread(words), QUIETLY, "{words:?}");
    }
}

#[test]
fn a_reader_that_has_had_enough_ends_a_scenario_quietly() {
    let tour = scenario("tour.txt");
    // More than a pipe holds, so that it cannot be over before the reader is gone.
    let mut words = vec!["scenario"];
    words.extend([tour.to_str().unwrap(); 40]);
    let mut child = ecs_sim(&words).spawn().unwrap();
    let mut output = BufReader::with_capacity(1, child.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    assert!(first.contains("tour"), "{first}");
    drop(output);
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!((status.code(), String::from_utf8(stderr).unwrap()), QUIETLY);
}
