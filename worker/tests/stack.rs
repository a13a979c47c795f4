//! A task on the simulated ECS, and `taskhold-run` as a process in it.

#[cfg(feature = "sqs")]
use crate::link::Link;
use ecs_sim::control_plane::{ControlPlane, ServiceSpec, Setup};
#[cfg(feature = "sqs")]
use ecs_sim::http::AgentFault;
use ecs_sim::http::{ContainerAgent, Server, ServerOptions, Services, wall_clock};
use ecs_sim::queue::{QueueOrigin, QueueSettings, Queues};
#[cfg(feature = "sqs")]
use serde_json::Value;
use serde_json::json;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const CLUSTER: &str = "video";
const QUEUE: &str = "jobs";
const NO_SERVER: &str = "http://127.0.0.1:1";

/// One task of a service, whose agent, ECS and queue are simulated in real time.
pub(crate) struct Stack {
    server: Server,
    /// The thread of the server ends when this is dropped.
    _stop: tokio::sync::oneshot::Sender<()>,
    services: Arc<Mutex<Services<ControlPlane>>>,
    task: String,
    dir: TempDir,
}

impl Stack {
    pub(crate) fn new() -> Self {
        Self::of_task(0)
    }

    /// A stack of its own, whose task has another ARN than that of [`Self::new`].
    pub(crate) fn of_another_task() -> Self {
        Self::of_task(1)
    }

    fn of_task(number: usize) -> Self {
        let mut ecs = ControlPlane::new(Setup { now: wall_clock(), ..Setup::default() });
        ecs.create_cluster(CLUSTER);
        let task = ecs.create_service(ServiceSpec::new(CLUSTER, "encode", 2)).unwrap().remove(number);
        let mut queues = Queues::new(QueueOrigin::new("eu-west-1", "111122223333"), wall_clock());
        queues.create(QUEUE, QueueSettings::default()).unwrap();
        let services = Arc::new(Mutex::new(Services::new(ecs, queues, wall_clock)));
        let options = ServerOptions { cluster: CLUSTER.to_owned(), ..ServerOptions::default() };
        let (server, stop) = serve(services.clone(), options);
        services.lock().unwrap().queues.set_endpoint(server.endpoint());
        Self { server, _stop: stop, services, task, dir: TempDir::new().unwrap() }
    }

    /// The agent, to make it fail.
    pub(crate) fn agent(&self) -> ContainerAgent {
        self.server.agent().clone()
    }

    /// A file that only this stack uses.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `taskhold-run exec` with these options and this command, in a container of the task.
    pub(crate) fn exec(&self, options: &[&str], command: &[&str]) -> Command {
        self.in_container(outside_ecs(options, command))
    }

    /// `taskhold-run serve` with these options and this command, in a container of the task, at a free port.
    pub(crate) fn serve(&self, options: &[&str], command: &[&str]) -> Command {
        self.in_container(serve_outside_ecs(options, command))
    }

    /// Gives a command the variables of a container of the task.
    pub(crate) fn in_container(&self, mut run: Command) -> Command {
        let endpoint = self.server.endpoint();
        run.env("ECS_AGENT_URI", format!("{endpoint}/api/{}", self.task))
            .env("ECS_CONTAINER_METADATA_URI_V4", format!("{endpoint}/v4/{}", self.task))
            .env("TASKHOLD_STATE_DIR", self.file("state"))
            // Nothing listens there, unless a test says so.
            .env("TASKHOLD_SERVER", NO_SERVER)
            .envs([("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")])
            .env("AWS_ENDPOINT_URL_ECS", &endpoint)
            .env("AWS_ENDPOINT_URL_SQS", &endpoint);
        run
    }

    /// The metadata endpoint answers this for the task.
    #[cfg(feature = "sqs")]
    pub(crate) fn set_metadata(&self, metadata: &Value) {
        let answer = AgentFault::Answers { status: 200, body: metadata.to_string() };
        self.agent().lock().metadata_fault = Some(answer);
    }

    /// The ARN of the task.
    pub(crate) fn task_arn(&self) -> String {
        format!("arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/{}", self.task)
    }

    /// The URL of the job queue.
    #[cfg(feature = "sqs")]
    pub(crate) fn queue_url(&self) -> String {
        self.services.lock().unwrap().queues.url(QUEUE)
    }

    /// A link to the queue that loses the first two requests, which the SDK repeats.
    #[cfg(feature = "sqs")]
    pub(crate) fn slow_queue(&self) -> Link {
        let link = self.link_to_queue();
        link.lose("POST");
        link.lose("POST");
        link
    }

    /// A link to the queue, on which requests can be held back.
    #[cfg(feature = "sqs")]
    pub(crate) fn link_to_queue(&self) -> Link {
        let endpoint = self.server.endpoint();
        Link::to(endpoint.strip_prefix("http://").unwrap())
    }

    /// The job messages that were sent.
    #[cfg(feature = "sqs")]
    pub(crate) fn messages(&self) -> Vec<Value> {
        let services = self.services.lock().unwrap();
        let messages = services.queues.messages(QUEUE).unwrap();
        messages.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect()
    }

    /// What ECS says about the protection of the task.
    pub(crate) fn is_protected(&self) -> bool {
        let mut services = self.services.lock().unwrap();
        services.ecs.advance_to(wall_clock());
        let input = json!({ "cluster": CLUSTER, "tasks": [self.task] });
        services.ecs.call("GetTaskProtection", &input).unwrap()["protectedTasks"][0]["protectionEnabled"] == true
    }

    /// Deploys the service of the task.
    #[cfg(feature = "sqs")]
    pub(crate) fn deploy(&self) {
        let input = json!({ "cluster": CLUSTER, "service": "encode", "forceNewDeployment": true });
        self.services.lock().unwrap().ecs.call("UpdateService", &input).unwrap();
    }

    /// ECS stops the task.
    pub(crate) fn stop_task(&self) {
        self.services.lock().unwrap().ecs.stop_task(&self.task).unwrap();
    }

    /// Another writer clears the protection of the task.
    pub(crate) fn clear_protection(&self) {
        self.services.lock().unwrap().ecs.set_own_protection(&self.task, None).unwrap();
    }

    /// The requests that changed protection: whether each asked for it, and its status.
    pub(crate) fn puts(&self) -> Vec<(bool, Option<u16>)> {
        let agent = self.agent();
        let requests = agent.lock().requests.clone();
        let puts = requests.iter().filter(|request| request.method == "PUT");
        puts.map(|put| (put.body.contains("true"), put.status)).collect()
    }
}

/// Serves from a thread, until the returned sender is dropped.
fn serve(
    services: Arc<Mutex<Services<ControlPlane>>>,
    options: ServerOptions,
) -> (Server, tokio::sync::oneshot::Sender<()>) {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (started, server) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            started.send(Server::start(services, options).await.unwrap()).unwrap();
            let _ = stopped.await;
        });
    });
    (server.recv().unwrap(), stop)
}

/// `taskhold-run exec` with these options and this command, and without the variables of a container of ECS. No signal is
/// ignored, as in a container, even if these tests run in the background or under nohup.
pub(crate) fn outside_ecs(options: &[&str], command: &[&str]) -> Command {
    let mut run = Command::new("env");
    run.args(["--default-signal", env!("CARGO_BIN_EXE_taskhold-run"), "exec"]).args(options).arg("--").args(command);
    run.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::null());
    run
}

/// `taskhold-run serve` with these options and this command, and without the variables of a container of ECS.
pub(crate) fn serve_outside_ecs(options: &[&str], command: &[&str]) -> Command {
    let mut run = Command::new(env!("CARGO_BIN_EXE_taskhold-run"));
    run.args(["serve", "--port", "0"]).args(options);
    if !command.is_empty() {
        run.arg("--").args(command);
    }
    run.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    run
}

/// `taskhold-run` with these arguments, and without the variables of a container of ECS.
pub(crate) fn taskhold_run(arguments: &[&str]) -> Command {
    let mut run = Command::new(env!("CARGO_BIN_EXE_taskhold-run"));
    run.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::null());
    run
}

/// The log of a process that has ended.
pub(crate) fn log(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until it is so, and fails after ten seconds.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("not within 10 seconds: {what}");
}

#[cfg(feature = "sqs")]
pub(crate) fn assert_matches_schema(messages: &[Value]) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/job-message.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    for message in messages {
        assert!(schema.is_valid(message), "{message}");
    }
}

/// A process that works until a signal ends it.
pub(crate) struct Worker {
    process: Child,
}

impl Worker {
    /// Starts a command that has `exec`'s standard input, such as `cat`.
    pub(crate) fn start(mut run: Command) -> Self {
        Self { process: run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap() }
    }

    pub(crate) fn signal(&self, name: &str) {
        kill(self.process.id(), name);
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the standard input.
    #[cfg(feature = "sqs")]
    pub(crate) fn end_input(&mut self) {
        drop(self.process.stdin.take());
    }

    /// Ends the standard input, and waits for the end of the process.
    pub(crate) fn end(mut self) -> Output {
        drop(self.process.stdin.take());
        self.process.wait_with_output().unwrap()
    }
}

/// Sends a signal by its name.
pub(crate) fn kill(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    assert!(sent.success(), "kill -{name} {pid}");
}
