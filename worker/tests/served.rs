//! A `taskhold-run serve` in a task, and the calls of its clients.

use crate::stack::{Stack, eventually, kill};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server at work.
pub(crate) struct Served {
    process: Child,
    log: Arc<Mutex<String>>,
    pub(crate) address: String,
}

/// An answer over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct ServedAnswer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl ServedAnswer {
    pub(crate) fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_else(|| panic!("{self:?}"))
    }
}

impl Served {
    /// Starts it in a container of the stack's task, at a free port.
    pub(crate) fn start(stack: &Stack, options: &[&str], command: &[&str]) -> Self {
        Self::run(stack.serve(options, command))
    }

    /// Starts this command line, and waits until it serves.
    pub(crate) fn run(mut run: Command) -> Self {
        let mut process = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(process.stderr.take().unwrap()), log.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                written.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let mut served = Self { process, log, address: String::new() };
        let marker = "INFO serving address=\"";
        eventually("it serves", || served.log().contains(marker));
        let log = served.log();
        let address = log.split(marker).nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        served.address = address.to_owned();
        served
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        kill(self.process.id(), name);
    }

    /// A call with these lines in its head.
    pub(crate) fn call_with(&self, method: &str, path: &str, head: &str, body: &str) -> ServedAnswer {
        call(&self.address, method, path, head, body)
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> ServedAnswer {
        self.call_with(method, path, "", body)
    }

    pub(crate) fn put(&self, id: &str, body: &str) -> ServedAnswer {
        self.call("PUT", &format!("/v1/jobs/{id}"), body)
    }

    pub(crate) fn end_job(&self, id: &str) -> ServedAnswer {
        self.call("DELETE", &format!("/v1/jobs/{id}"), "")
    }

    /// The ids of the jobs at work.
    pub(crate) fn jobs(&self) -> Vec<String> {
        let jobs = self.call("GET", "/v1/jobs", "").body["jobs"].as_array().unwrap().clone();
        jobs.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Ends the standard input, and waits for the end of the process.
    pub(crate) fn end(mut self) -> ExitStatus {
        drop(self.process.stdin.take());
        self.process.wait().unwrap()
    }

    /// Asks a server without a command to end.
    pub(crate) fn stop(self) -> ExitStatus {
        self.signal("TERM");
        self.end()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that failed leaves none behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A call over a connection of its own.
pub(crate) fn call(address: &str, method: &str, path: &str, head: &str, body: &str) -> ServedAnswer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{head}\r\n{body}"
    );
    // The server may answer before it has read all.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
    ServedAnswer { status, head: head.to_lowercase(), body }
}
