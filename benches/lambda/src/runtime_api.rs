//! Lambda's runtime API for one function process, with the times of its polls and answers.
//!
//! The thread that owns the connection takes the times, right before the first byte of a payload is written and
//! right after the last byte of its answer is read, so that they do not include waking up another thread.

use crate::http::Connection;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The remaining time that Lambda reports to a function: long enough not to limit its work.
const TIME_LEFT_MS: u128 = 900_000;
/// Longer than any invocation that is started (`runs.rs` skips those that would take longer than two minutes).
const PATIENCE: Duration = Duration::from_secs(600);

/// An action of the function.
#[derive(Debug)]
pub(crate) enum RuntimeEvent {
    /// It polled for the next payload.
    Polled(Instant),
    /// Writing the payload started.
    Begun(Instant),
    /// It answered.
    Answered(Instant, Vec<u8>),
    /// It reported an error.
    Failed(String),
}

/// The harness's end.
#[derive(Debug)]
pub(crate) struct MeasuringRuntimeApi {
    pub(crate) address: SocketAddr,
    events: Receiver<RuntimeEvent>,
    payloads: Sender<Arc<Vec<u8>>>,
}

struct Shared {
    events: Sender<RuntimeEvent>,
    payloads: Mutex<Receiver<Arc<Vec<u8>>>>,
}

impl MeasuringRuntimeApi {
    /// Serves one function process. Its threads end with their connections; the accepting thread ends with the
    /// harness.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (event_sender, events) = mpsc::channel();
        let (payloads, payload_receiver) = mpsc::channel();
        let shared = Arc::new(Shared { events: event_sender, payloads: Mutex::new(payload_receiver) });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // A broken connection shows as a missing event.
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Ok(Self { address, events, payloads })
    }

    /// Delivers a payload to the function, now or when it polls.
    pub(crate) fn offer(&self, payload: Arc<Vec<u8>>) -> io::Result<()> {
        self.payloads.send(payload).map_err(|_| io::Error::other("the runtime API has ended"))
    }

    /// Waits for the function's next action. Calls `is_alive` from time to time to check that it can still act.
    pub(crate) fn next_event(&self, mut is_alive: impl FnMut() -> bool) -> io::Result<RuntimeEvent> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.events.recv_timeout(Duration::from_millis(500)) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) if is_alive() => {}
                Err(_) => return Err(io::Error::other("the function's process ended")),
            }
        }
        Err(io::Error::other(format!("the function did nothing for {PATIENCE:?}")))
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.read()? {
        let now = Instant::now();
        let tell = |event| shared.events.send(event).map_err(|_| io::Error::other("the harness has ended"));
        let operation = request.path.rsplit('/').next().unwrap_or_default();
        if operation == "next" {
            tell(RuntimeEvent::Polled(now))?;
            let payload = shared.payloads.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let payload = payload.map_err(|_| io::Error::other("nothing more to do"))?;
            let headers = headers();
            tell(RuntimeEvent::Begun(Instant::now()))?;
            connection.answer(200, &headers, &payload)?;
        } else {
            tell(match operation {
                "response" => RuntimeEvent::Answered(now, request.body),
                _ => RuntimeEvent::Failed(String::from_utf8_lossy(&request.body).into_owned()),
            })?;
            connection.answer(202, "Content-Type: application/json\r\n", br#"{"status":"OK"}"#)?;
        }
    }
    Ok(())
}

/// The headers that Lambda sends with a payload (Lambda Developer Guide, "Using the Lambda runtime API").
fn headers() -> String {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let mut headers = String::from("Content-Type: application/json\r\n");
    let invocation = [
        ("Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("Deadline-Ms", (now_ms + TIME_LEFT_MS).to_string()),
        ("Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:111122223333:function:bench".to_owned()),
        ("Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
    ];
    for (name, value) in invocation {
        let _ = write!(headers, "Lambda-Runtime-{name}: {value}\r\n"); // writing to a String cannot fail
    }
    headers
}
