//! `taskhold-run` as an init: exit codes, signals, process groups, orphans, the terminal.

use crate::stack::{Worker, eventually, log, outside_ecs};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use tempfile::TempDir;

fn exit_code(command: &[&str]) -> Option<i32> {
    outside_ecs(&[], command).stderr(Stdio::null()).status().unwrap().code()
}

#[test]
fn the_exit_code_is_that_of_a_shell() {
    assert_eq!(exit_code(&["true"]), Some(0));
    assert_eq!(exit_code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(exit_code(&["sh", "-c", "exit 255"]), Some(255));
    for (signal, number) in [("TERM", 15), ("KILL", 9), ("INT", 2), ("SEGV", 11), ("USR1", 10)] {
        assert_eq!(exit_code(&["sh", "-c", &format!("kill -{signal} $$")]), Some(128 + number), "{signal}");
    }
}

#[test]
fn a_command_that_cannot_be_started_has_the_exit_code_of_a_shell() {
    let dir = TempDir::new().unwrap();
    let text = dir.path().join("not-executable");
    std::fs::write(&text, "x").unwrap();
    assert_eq!(exit_code(&["does-not-exist-anywhere"]), Some(127));
    assert_eq!(exit_code(&["/does/not/exist"]), Some(127));
    assert_eq!(exit_code(&[text.to_str().unwrap()]), Some(126));
    assert_eq!(exit_code(&[dir.path().to_str().unwrap()]), Some(126), "a folder");
}

#[test]
fn a_script_without_its_first_line_is_run_by_the_shell_as_execvp_does() {
    let dir = TempDir::new().unwrap();
    let script = dir.path().join("script");
    std::fs::write(&script, "exit $(( $1 + 2 ))\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).unwrap();
    assert_eq!(exit_code(&[script.to_str().unwrap(), "3"]), Some(5));
    let path = format!("{}:{}", dir.path().display(), std::env::var_os("PATH").unwrap().display());
    let status = outside_ecs(&[], &["script", "4"]).env("PATH", path).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(6), "found on the path");
}

#[test]
fn own_errors_exit_with_125() {
    for arguments in [
        &["exec"][..],
        &["exec", "--max-duration", "2 hours", "--", "true"],
        &["start"],
        &["serve", "--port", "x"],
        &["--x"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_taskhold-run")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{arguments:?}");
        assert!(log(&output).starts_with("taskhold-run: "), "{}", log(&output));
    }
    let output = Command::new(env!("CARGO_BIN_EXE_taskhold-run")).arg("--help").output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("--max-duration"));
}

#[test]
fn arguments_reach_the_command_as_they_are() {
    let output = outside_ecs(&[], &["printf", "%s|", "", "a b", "$HOME", "--", "*"]).output().unwrap();
    assert_eq!(output.stdout, b"|a b|$HOME|--|*|");
}

#[test]
fn every_signal_that_can_be_passed_on_is_passed_on() {
    let signals = [
        "HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "ALRM", "TSTP", "CONT", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR",
    ];
    let dir = TempDir::new().unwrap();
    let got = dir.path().join("got");
    let traps: String =
        signals.iter().map(|name| format!("trap 'echo {name} >> {}' {name}; ", got.display())).collect();
    let command = format!("{traps} echo ready >> {}; while :; do sleep 0.02; done", got.display());
    let worker = Worker::start(outside_ecs(&[], &["sh", "-c", &command]));
    let text = || std::fs::read_to_string(&got).unwrap_or_default();
    eventually("COMMAND is ready", || text().contains("ready"));
    for name in signals {
        worker.signal(name);
        eventually(name, || text().lines().any(|line| line == name));
    }
    let children = children_of(worker.id());
    crate::stack::kill(children[0], "KILL");
    assert_eq!(worker.end().status.code(), Some(137));
}

/// The letter of the state of a process, such as `T` for a stopped one.
fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn a_stop_from_the_terminal_stops_the_command_and_a_continue_lets_it_go_on() {
    let worker = Worker::start(outside_ecs(&[], &["cat"]));
    eventually("COMMAND starts", || children_of(worker.id()).len() == 1);
    let command = children_of(worker.id())[0];
    eventually("COMMAND waits for input", || state_of(command) == Some('S'));
    worker.signal("TSTP");
    eventually("COMMAND is stopped", || state_of(command) == Some('T'));
    assert_ne!(state_of(worker.id()), Some('T'), "taskhold-run goes on, to keep the protection");
    worker.signal("CONT");
    eventually("COMMAND goes on", || state_of(command) == Some('S'));
    assert_eq!(worker.end().status.code(), Some(0));
}

#[test]
fn a_signal_goes_to_the_command_alone_or_with_group_to_its_whole_group() {
    for (options, expected) in [(&[][..], "parent\n"), (&["--group"], "child\nparent\n")] {
        let dir = TempDir::new().unwrap();
        let (got, ready) = (dir.path().join("got"), dir.path().join("ready"));
        let trap = |name: &str| format!("trap 'echo {name} >> {}; exit 0' TERM", got.display());
        let wait = "while :; do sleep 0.02; done";
        let command = format!(
            "({}; touch {ready}; {wait}) & child=$!; {}; while [ ! -e {ready} ]; do sleep 0.02; done; touch {ready}2; {wait}",
            trap("child"),
            format_args!("trap 'sleep 0.3; echo parent >> {}; kill -KILL $child; exit 0' TERM", got.display()),
            ready = ready.display(),
        );
        let worker = Worker::start(outside_ecs(options, &["sh", "-c", &command]));
        eventually("both are ready", || dir.path().join("ready2").exists());
        worker.signal("TERM");
        assert_eq!(worker.end().status.code(), Some(0));
        assert_eq!(std::fs::read_to_string(&got).unwrap(), expected, "{options:?}");
    }
}

fn children_of(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

#[test]
fn orphans_are_adopted_and_reaped() {
    let dir = TempDir::new().unwrap();
    let orphan = dir.path().join("orphan");
    let command = format!("(sh -c 'echo $$ > {}; sleep 0.3' &); cat", orphan.display());
    let worker = Worker::start(outside_ecs(&[], &["sh", "-c", &command]));
    eventually("the orphan is adopted", || {
        let id = std::fs::read_to_string(&orphan).ok().and_then(|text| text.trim().parse().ok());
        id.is_some_and(|id| children_of(worker.id()).contains(&id))
    });
    eventually("the orphan is reaped", || children_of(worker.id()).len() == 1);
    assert_eq!(worker.end().status.code(), Some(0));
}

#[test]
fn an_exit_code_arrives_although_the_parent_ignored_the_signal_of_children() {
    let program = env!("CARGO_BIN_EXE_taskhold-run");
    // The shell's `trap '' CHLD` leaves the signal ignored in what it executes.
    let script = format!("trap '' CHLD; exec {program} exec -- sh -c 'exit 7'");
    let status = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(7));
}

#[test]
fn the_command_inherits_the_signal_mask_ignored_signals_and_default_handlers() {
    let own = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status";
    let program = env!("CARGO_BIN_EXE_taskhold-run");
    for parent in ["", "trap '' HUP USR1;"] {
        let text = |command: String| {
            let output = Command::new("sh").args(["-c", &command]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let under = text(format!("{parent} exec {program} exec -- sh -c \"{own}\""));
        let plain = text(format!("{parent} {own}"));
        assert_eq!(without_own_signals(&under), without_own_signals(&plain), "{parent}");
    }
}

/// The masks without the two signals that the C library keeps for itself.
fn without_own_signals(masks: &str) -> Vec<(String, u64)> {
    let mask = |line: &str| {
        let (name, bits) = line.split_once(':').unwrap();
        (name.to_owned(), u64::from_str_radix(bits.trim(), 16).unwrap() & 0x7fff_ffff)
    };
    masks.lines().map(mask).collect()
}

#[test]
fn the_command_has_a_process_group_of_its_own_and_no_descriptors_of_its_parent() {
    let fields = "read pid name state parent group rest < /proc/self/stat; echo $group; ls /proc/self/fd | wc -l";
    let lines = |mut command: Command| {
        let output = command.stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let shell = format!("echo $$; {fields}");
    let under = lines(outside_ecs(&[], &["sh", "-c", &shell]));
    assert_eq!(under[0], under[1], "the group is that of the command");
    let mut plain = Command::new("sh");
    plain.args(["-c", &shell]);
    assert_eq!(under[2], lines(plain)[2], "descriptors");
}

#[test]
fn the_command_has_the_terminal() {
    if !Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: there is no `script`, which makes a terminal");
        return;
    }
    let program = env!("CARGO_BIN_EXE_taskhold-run");
    // The fifth and eighth fields of stat: the process group, and the group that has the terminal.
    let command = format!("{program} exec -- sh -c 'read line; cut -d\" \" -f5,8 /proc/self/stat; echo got $line'");
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut script = script.spawn().unwrap();
    std::io::Write::write_all(script.stdin.as_mut().unwrap(), b"hello\n").unwrap();
    let output = script.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let groups = text
        .lines()
        .map(str::trim)
        .find(|line| line.split(' ').count() == 2 && line.starts_with(|c: char| c.is_ascii_digit()));
    let (own, foreground) = groups.unwrap_or_else(|| panic!("{text}")).split_once(' ').unwrap();
    assert_eq!(own, foreground, "{text}");
    assert!(text.contains("got hello"), "{text}");
}

#[test]
fn a_log_without_a_reader_harms_nothing() {
    let program = env!("CARGO_BIN_EXE_taskhold-run");
    let script = format!("{program} exec -- sh -c 'sleep 0.2; exit 7' 2>&-");
    assert_eq!(Command::new("sh").args(["-c", &script]).status().unwrap().code(), Some(7));
    for command in ["exec", "serve --port 0"] {
        let script = format!("{program} {command} -- sh -c 'exit 7' 2>/dev/full");
        assert_eq!(Command::new("sh").args(["-c", &script]).status().unwrap().code(), Some(7), "{command}");
    }
    let script = format!("({program} exec -- sh -c 'sleep 0.2; exit 7'; echo $? >&3) 2>&1 | true");
    let output = Command::new("sh").args(["-c", &format!("exec 3>&1; {script}")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "7");
}
