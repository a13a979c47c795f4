//! The local stack of `make serve`: the real function behind the simulated queue, in real time.

use ecs_sim::control_plane::{ServiceSpec, Setup};
use ecs_sim::http::{Server, ServerOptions, wall_clock};
use ecs_sim::play::Process;
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{CLUSTER, INTERRUPTED_QUEUE, JOB_QUEUE, Region, SharedRegion};
use ecs_sim::scenario::{Style, Timeline, live};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What `aws lambda invoke` sends and receives.
fn invoked(address: SocketAddr, payload: &str) -> Value {
    answered(address, "POST /2015-03-31/functions/taskhold/invocations HTTP/1.1", payload)
}

/// Sends a request of these first lines.
fn answered(address: SocketAddr, first_lines: &str, payload: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = payload.len();
    let head = format!("{first_lines}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
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
            ended = live(region.clone(), &mut function, &mut timeline) => panic!("ended early: {ended:?}"),
            () = until_finished(&client) => {}
        }
        function.stop().await;
        (client.join().unwrap(), shown.text())
    });
    assert!(status.to_string().contains(&task), "{status}");
    assert!(shown.contains(&format!("protect {task} for 60 minutes")), "{shown}");
    assert!(shown.contains(ALERT), "{shown}");
}

/// `ecs-sim serve` with the real function, as `make serve` starts it.
fn serve() -> Command {
    let mut serve = Command::new(crate::files::ecs_sim());
    serve.args(["serve", "--port", "0", "--service", "web=1", "--bootstrap"]).arg(crate::files::bootstrap());
    serve.stdin(Stdio::null()).stdout(Stdio::piped());
    serve
}

/// The last line of its greeting, before an empty one.
const GREETED: &str = "What it does follows here:";

/// A local stack whose output is read.
struct LocalStack {
    process: Child,
    shown: Arc<Mutex<String>>,
}

impl LocalStack {
    fn start() -> Self {
        let mut process = serve().spawn().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(process.stdout.take().unwrap()), shown.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                written.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let stack = Self { process, shown };
        await_that("the stack serves", || stack.shown().contains(GREETED));
        stack
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// The endpoint of everything.
    fn address(&self) -> SocketAddr {
        endpoint(&self.shown())
    }

    /// A shell that has read the lines that the stack prints for one, in a container of its first task.
    fn shell(&self, script: &str) -> Command {
        let shown = self.shown();
        let exports: String =
            shown.lines().filter(|line| line.starts_with("  export ")).map(|line| format!("{line}\n")).collect();
        let mut shell = Command::new("sh");
        shell.args(["-euc", &format!("{exports}{script}")]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell
    }

    /// What the agent says of the protection of the first task.
    fn is_protected(&self) -> bool {
        let script = "curl -sS \"$ECS_AGENT_URI/task-protection/v1/state\"";
        let output = self.shell(script).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["protection"]["ProtectionEnabled"] == true
    }

    /// Sets how the agent behaves.
    fn set_agent(&self, behavior: &str) {
        let script = format!("curl -sSf -X PUT \"$AWS_ENDPOINT_URL/ecs-sim/agent\" -d '{behavior}'");
        assert!(self.shell(&script).status().unwrap().success());
    }

    /// A job under `taskhold-run`, which lasts until its standard input ends.
    fn job(&self, id: &str) -> Child {
        let program = crate::files::taskhold_run().display();
        // No other run of this test shares its directory.
        let state = std::env::temp_dir().join(format!("taskhold-live-{}", self.process.id()));
        let script = format!("exec {program} exec --job-id {id} --check-interval 1s -- cat");
        let mut shell = self.shell(&script);
        // A server of this machine is not one of the task.
        shell.env("TASKHOLD_STATE_DIR", state).env("TASKHOLD_SERVER", "http://127.0.0.1:1").spawn().unwrap()
    }

    /// Whether the function lists the job as one that runs.
    fn knows(&self, job: &str) -> bool {
        invoked(self.address(), r#"{"status": {}}"#).to_string().contains(job)
    }
}

impl Drop for LocalStack {
    fn drop(&mut self) {
        // As Ctrl-C does, so that the function ends too.
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(std::env::temp_dir().join(format!("taskhold-live-{}", self.process.id())));
    }
}

/// The endpoint that a greeting names.
fn endpoint(greeting: &str) -> SocketAddr {
    let address = greeting.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    address.parse().unwrap()
}

/// Lets a job end, and returns its log.
fn ended(mut job: Child) -> String {
    drop(job.stdin.take());
    let output = job.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    log
}

#[test]
fn a_worker_under_taskhold_run_protects_its_task_first_and_reports_its_job_to_the_function() {
    let stack = LocalStack::start();
    let job = stack.job("episode-0417");
    await_that("the agent protects the task", || stack.is_protected());
    await_that("the function knows the job", || stack.knows("episode-0417"));
    let log = ended(job);
    assert!(!stack.is_protected(), "{log}");
    await_that("the function knows that the job has ended", || !stack.knows("episode-0417"));
    let shown = stack.shown();
    assert_eq!(shown.matches("ECS: protect ").count(), 1, "the worker is the only writer: {shown}");
}

#[test]
fn a_worker_whose_agent_refuses_raises_an_alert_and_is_protected_when_that_is_over() {
    let stack = LocalStack::start();
    stack.set_agent(r#"{"always": {"refuses": "DEPLOYMENT_BLOCKED"}}"#);
    let job = stack.job("episode-0418");
    await_that("the function alerts", || stack.shown().contains("email: REFUSED"));
    assert!(!stack.is_protected());
    stack.set_agent("{}");
    await_that("the agent protects the task", || stack.is_protected());
    ended(job);
    await_that("the function knows that the job has ended", || !stack.knows("episode-0418"));
}

#[test]
fn a_reader_that_closes_the_output_ends_the_local_stack_quietly() {
    let mut process = serve().stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut greeting = String::new();
    while !greeting.ends_with(&format!("{GREETED}\n\n")) {
        assert_ne!(output.read_line(&mut greeting).unwrap(), 0, "{greeting}");
    }
    drop(output);
    let after = |label: &str| greeting.lines().find_map(|line| line.strip_prefix(label)).unwrap();
    let job = json!({
        "version": 1, "type": "job.started", "jobId": "episode-0419", "cluster": CLUSTER, "taskId": after("Tasks: "),
        "maxDurationMinutes": 60,
    });
    let message = json!({ "QueueUrl": after("Job queue: "), "MessageBody": job.to_string() });
    let first_lines = "POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.SendMessage";
    answered(endpoint(&greeting), first_lines, &message.to_string());
    let ended = (0..300).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        process.try_wait().unwrap()
    });
    let _ = process.kill();
    let Output { stderr, .. } = process.wait_with_output().unwrap();
    // The exit code that a shell reports for a process that SIGPIPE ended.
    let ended = (ended.expect("an end within 30 seconds").code(), String::from_utf8(stderr).unwrap());
    assert_eq!(ended, (Some(141), String::new()));
}
