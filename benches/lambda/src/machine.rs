//! The machine and the programs of the measurement.

use crate::candidates::BenchOptions;
use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Lines of Markdown.
pub(crate) fn described(options: &BenchOptions, load_before: &str) -> String {
    let root = &options.root;
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = after(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let processors = processors();
    let memory_kib =
        after(&read("/proc/meminfo"), "MemTotal").and_then(|kib| kib.strip_suffix(" kB")?.parse::<u64>().ok());
    let memory_gib = memory_kib.unwrap_or(0) / 1024 / 1024;
    let kernel = read("/proc/sys/kernel/osrelease");
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let version = |name: &str| locked(&lock, name).unwrap_or("?");
    let python = options.python.join("bin/python");
    let boto3 = output_of(
        &python,
        &["-c", "import boto3, awslambdaric as r; print('boto3', boto3.__version__, 'awslambdaric', r.__version__)"],
    );
    [
        format!(
            "- {}; runs: {}; the function: {}",
            output_of("date", &["-u", "+%-d %B %Y"]),
            options.runs,
            options.build
        ),
        format!("- {processor}, {processors} processors, {memory_gib} GiB, Linux {}", kernel.trim()),
        format!("- load before and after: {load_before}; {}", load()),
        format!(
            "- {}, aws-sdk-ecs {}, lambda_runtime {}",
            output_of("rustc", &["--version"]),
            version("aws-sdk-ecs"),
            version("lambda_runtime")
        ),
        format!("- {}, {boto3}", output_of(&python, &["--version"])),
    ]
    .join("\n")
}

/// The load average over the last 1, 5 and 15 minutes: a busy machine distorts the figures.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Keeps every processor busy for a moment. After idling, a processor is slow at first, a virtual one for milliseconds, and
/// a process started then would seem slower than it is.
pub(crate) fn wake() {
    let busy = || {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
    };
    thread::scope(|scope| (0..processors()).for_each(|_| drop(scope.spawn(busy))));
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The text after a name and a colon.
fn after(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The version of a package in a Cargo.lock.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("\nname = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

/// The first line that a command prints.
fn output_of(command: impl AsRef<OsStr>, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).output();
    let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    output.lines().next().unwrap_or("?").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_by_the_whole_name() {
        let lock = "[[package]]\nname = \"aws-sdk-ecs-x\"\nversion = \"9\"\n\n[[package]]\nname = \"aws-sdk-ecs\"\nversion = \"1.2.3\"\n";
        assert_eq!(locked(lock, "aws-sdk-ecs"), Some("1.2.3"));
        assert_eq!(locked(lock, "aws-sdk"), None);
    }
}
