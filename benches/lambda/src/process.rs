//! A function as a separate process: started with the environment that Lambda provides, observed through `/proc`,
//! and ended.

use crate::candidates::Candidate;
use crate::runtime_api::{MeasuringRuntimeApi, RuntimeEvent};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The function's answer in Lambda when every message is done, without white space.
const ALL_DONE: &[u8] = br#"{"batchItemFailures":[]}"#;

/// A function that has requested its first payload.
#[derive(Debug)]
pub(crate) struct Instance {
    child: Child,
    runtime_api: MeasuringRuntimeApi,
    /// From the start of the process to its first poll.
    pub(crate) init: Duration,
}

/// The times of one invocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    /// From the first byte of the payload to the last byte of the answer: the time that Lambda charges.
    pub(crate) answered: Duration,
    /// From the first byte of the payload to the next poll: the time that one instance is busy.
    pub(crate) occupied: Duration,
}

impl Instance {
    /// Starts the process and waits for its first poll.
    pub(crate) fn start(candidate: &Candidate, endpoint: SocketAddr) -> io::Result<Self> {
        let runtime_api = MeasuringRuntimeApi::start()?;
        let mut command = Command::new(&candidate.command[0]);
        command.args(&candidate.command[1..]).current_dir(&candidate.folder).env_clear();
        command.envs(environment(runtime_api.address, endpoint)).envs(candidate.variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let begun = Instant::now();
        let child = command.spawn()?;
        let mut instance = Self { child, runtime_api, init: Duration::ZERO };
        instance.init = instance.polled()? - begun;
        Ok(instance)
    }

    /// Delivers a payload and waits until the function has answered it and polls for the next one.
    pub(crate) fn invoke(&mut self, payload: &Arc<Vec<u8>>) -> io::Result<Took> {
        self.runtime_api.offer(payload.clone())?;
        let RuntimeEvent::Begun(begun) = self.event()? else {
            return Err(unexpected("another event than the payload's"));
        };
        let (answered, answer) = match self.event()? {
            RuntimeEvent::Answered(at, answer) => (at, answer),
            RuntimeEvent::Failed(error) => return Err(unexpected(&format!("the error {error}"))),
            _ => return Err(unexpected("a poll and no answer")),
        };
        let answer: Vec<u8> = answer.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        if answer != ALL_DONE {
            let begin = &answer[..answer.len().min(200)];
            return Err(unexpected(&format!("the answer {}", String::from_utf8_lossy(begin))));
        }
        let polled = self.polled()?;
        Ok(Took { answered: answered - begun, occupied: polled - begun })
    }

    fn polled(&mut self) -> io::Result<Instant> {
        match self.event()? {
            RuntimeEvent::Polled(at) => Ok(at),
            RuntimeEvent::Failed(error) => Err(unexpected(&format!("the error {error}"))),
            RuntimeEvent::Begun(_) | RuntimeEvent::Answered(..) => Err(unexpected("an answer and no poll")),
        }
    }

    fn event(&mut self) -> io::Result<RuntimeEvent> {
        let child = &mut self.child;
        self.runtime_api.next_event(|| matches!(child.try_wait(), Ok(None)))
    }

    /// The peak memory of the process (`VmHWM`), in KiB.
    pub(crate) fn peak_kib(&self) -> io::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        kib_of(&status, "VmHWM:").ok_or_else(|| unexpected("a status without VmHWM"))
    }

    /// The CPU time of the process's threads. In nanoseconds, because `stat` has only hundredths of a second.
    /// Excludes threads that have ended; these functions end none during the measurement.
    pub(crate) fn on_processor(&self) -> io::Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread that ends between the two reads has no line any more.
            let line = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            sum += line.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(sum))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The variables that Lambda sets ("Defined runtime environment variables") as far as these functions read them,
/// and an endpoint that replaces AWS.
fn environment(runtime_api: SocketAddr, endpoint: SocketAddr) -> Vec<(&'static str, String)> {
    let fixed = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_SESSION_TOKEN", "none"),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ];
    let mut all: Vec<_> = fixed.map(|(name, value)| (name, value.to_owned())).into();
    all.push(("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()));
    all.push(("AWS_ENDPOINT_URL", format!("http://{endpoint}")));
    all
}

fn kib_of(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

fn unexpected(what: &str) -> io::Error {
    io::Error::other(format!("the function came up with {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_kernel_s_words() {
        assert_eq!(kib_of("VmPeak:\t    9 kB\nVmHWM:\t    1836 kB\nVmRSS:\t 3 kB\n", "VmHWM:"), Some(1836.0));
        assert_eq!(kib_of("Name:\tx\n", "VmHWM:"), None);
    }
}
