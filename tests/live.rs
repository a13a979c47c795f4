//! The local stack of `make serve`: the real function behind the simulated queue, in real time.

use ecs_sim::control_plane::{ServiceSpec, Setup};
use ecs_sim::http::{Server, ServerOptions, wall_clock};
use ecs_sim::play::Process;
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{CLUSTER, INTERRUPTED_QUEUE, JOB_QUEUE, Region, SharedRegion};
use ecs_sim::scenario::{Style, Timeline, live};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What `aws lambda invoke` sends and receives.
fn invoked(address: SocketAddr, payload: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = payload.len();
    let path = "/2015-03-31/functions/taskhold/invocations";
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{payload}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && !head.to_lowercase().contains("x-amz-function-error"), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// Waits for at most 30 seconds.
fn await_that(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..300 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("not within 30 seconds: {what}");
}

/// A client of the stack, beside it: waits for the protection of the task, asks the function for its status, stops the
/// task, and waits until the alert is shown.
fn status_of_a_job_that_is_then_interrupted(
    region: &SharedRegion,
    task: &str,
    address: SocketAddr,
    shown: &Shown,
) -> Value {
    await_that("the function protects the task", || region.lock().ecs.task(task).unwrap().is_protected());
    let status = invoked(address, r#"{"status": {}}"#);
    region.lock().ecs.stop_task(task).unwrap();
    let is_forwarded = || region.lock().queues.messages(INTERRUPTED_QUEUE).is_ok_and(|messages| !messages.is_empty());
    await_that("the function forwards the interrupted job", is_forwarded);
    await_that("the alert is shown", || shown.text().contains(ALERT));
    status
}

/// The line of the alert.
const ALERT: &str = "email: INTERRUPTED";

/// What the stack has written so far.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Shown {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "waits for a client beside it")]
async fn until_finished<T>(client: &std::thread::JoinHandle<T>) {
    while !client.is_finished() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn the_function_behind_the_queue_protects_a_task_and_answers_an_operator() {
    let mut region = Region::new(Setup { now: wall_clock(), ..Setup::default() });
    let task = region.ecs.create_service(ServiceSpec::new(CLUSTER, "web", 1)).unwrap().remove(0);
    let message = json!({
        "version": 1, "type": "job.started", "jobId": "episode-0417", "cluster": CLUSTER, "taskId": task,
        "maxDurationMinutes": 60,
    });
    region.queues.send(JOB_QUEUE, SendMessage::new(message.to_string())).unwrap();
    let region = SharedRegion::new(region);
    let (status, shown) = crate::block_on(async {
        let server = Server::start(region.backend(), ServerOptions::default()).await.unwrap();
        let address = server.address();
        let bootstrap = crate::files::bootstrap();
        let mut function = Process::behind(server, &region, bootstrap, std::iter::empty()).await.unwrap();
        let shown = Shown::default();
        let (shared, id, written) = (region.clone(), task.clone(), shown.clone());
        let client =
            std::thread::spawn(move || status_of_a_job_that_is_then_interrupted(&shared, &id, address, &written));
        let mut writer = shown.clone();
        let mut timeline = Timeline::new(&mut writer, Style::default());
        tokio::select! {
            Err(problem) = live(region.clone(), &mut function, &mut timeline) => panic!("{problem}"),
            () = until_finished(&client) => {}
        }
        function.stop().await;
        (client.join().unwrap(), shown.text())
    });
    assert!(status.to_string().contains(&task), "{status}");
    assert!(shown.contains(&format!("protect {task} for 60 minutes")), "{shown}");
    assert!(shown.contains(ALERT), "{shown}");
}
