//! `taskhold-run serve`: protects the task for workers that run many jobs, beside them or around them.

use crate::admission::DeploymentCheck;
use crate::agent::Agent;
use crate::child::{Child, CommandLine};
use crate::clock;
use crate::container::{ContainerEnvironment, EXIT_OWN_ERROR, Patience, task_name};
use crate::job::TaskName;
use crate::keeper::{JobReports, Keeper, KeeperOrder};
use crate::log::Log;
use crate::metadata::MetadataEndpoint;
use crate::options::ServeOptions;
use crate::protector::{AgentPresence, ProtectorSettings};
use crate::queue::{JobQueue, TaskService};
use crate::report::SharedQueue;
use crate::server::{self, ServedApi};
use crate::signals::{Arrival, Signals, asks_to_end};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The end of the server comes this much before the end of the container.
const STOP_MARGIN: Duration = Duration::from_secs(5);
/// Orders of clients that wait for the keeper.
const ORDERS_MAX: usize = 64;

/// Serves until the container stops. Returns the exit code.
pub(crate) async fn run(options: ServeOptions, environment: ContainerEnvironment) -> u8 {
    let log = Log { format: options.log_format };
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            log.error("cannot listen to signals", &[("problem", &error.to_string())]);
            return EXIT_OWN_ERROR;
        }
    };
    let listening = match TcpListener::bind(options.address).await {
        Ok(listener) => listener.local_addr().map(|address| (listener, address)),
        Err(error) => Err(error),
    };
    let (listener, address) = match listening {
        Ok(listening) => listening,
        Err(error) => {
            let fields = [("address", options.address.to_string()), ("problem", error.to_string())];
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            log.error("cannot listen; set TASKHOLD_PORT to a free port", &fields);
            return EXIT_OWN_ERROR;
        }
    };
    let metadata = environment.metadata_uri.as_deref().map(MetadataEndpoint::new);
    let task = task_name(metadata.as_ref(), Patience::AFewTimes, log).await;
    let keeping = Keeping::start(&options, &environment, task.as_ref());
    let service = task.as_ref().filter(|_| environment.agent_uri.is_some()).and_then(TaskService::of);
    let api = ServedApi {
        deployments: DeploymentCheck::new(service, options.check_interval, log),
        orders: keeping.orders.clone(),
        token: options.token.clone(),
        task_arn: task.map(|task| task.arn),
        default_max: options.max_duration,
    };
    let serving = tokio::spawn(server::serve(listener, api));
    log.info("serving", &[("address", &address.to_string())]);
    let exit_code = match options.command.split_first() {
        None => {
            keeping.until_stopped(&mut signals, options.stop_timeout).await;
            0
        }
        Some((program, arguments)) => {
            let line = CommandLine {
                program: program.clone(),
                arguments: arguments.to_vec(),
                variables: vec![("TASKHOLD_SERVER", url(address))],
            };
            match Child::spawn(&line, options.signal_target) {
                Ok(child) => keeping.until_ended(&child, &mut signals).await,
                Err(error) => {
                    error.log(&line, log);
                    error.exit_code
                }
            }
        }
    };
    keeping.leave().await;
    serving.abort();
    exit_code
}

/// The keeper beside this.
struct Keeping {
    orders: mpsc::Sender<KeeperOrder>,
    keeper: JoinHandle<()>,
}

impl Keeping {
    fn start(options: &ServeOptions, environment: &ContainerEnvironment, task: Option<&TaskName>) -> Self {
        let log = Log { format: options.log_format };
        let agent = environment.agent_uri.as_deref().map(Agent::new);
        if agent.is_none() {
            log.warn("serving without protection: this is no ECS task, because ECS_AGENT_URI is not set", &[]);
        }
        let settings = ProtectorSettings {
            agent: if agent.is_some() { AgentPresence::Present } else { AgentPresence::Absent },
            linger: options.linger,
            start_timeout: options.start_timeout,
            check_interval: options.check_interval,
            heartbeat_interval: options.heartbeat_interval,
        };
        let keeper = Keeper::new(settings, agent, reports(options, task), log);
        let (orders, to_take) = mpsc::channel(ORDERS_MAX);
        Self { orders, keeper: tokio::spawn(keeper.run(to_take)) }
    }

    /// Serves until a signal says to stop, and then until the last job has ended, or the container's time is nearly over.
    async fn until_stopped(&self, signals: &mut Signals, stop_timeout: Duration) {
        while !matches!(signals.next().await, Arrival::Signal(signal) if asks_to_end(signal)) {}
        let at_rest = self.drain().await;
        let margin = STOP_MARGIN.min(stop_timeout / 2);
        tokio::select! {
            _ = at_rest => {}
            () = clock::sleep(stop_timeout.saturating_sub(margin)) => {}
        }
    }

    /// Serves until COMMAND has ended, and passes signals on to it. Returns its exit code.
    async fn until_ended(&self, child: &Child, signals: &mut Signals) -> u8 {
        loop {
            match signals.next().await {
                Arrival::Signal(signal) => {
                    child.signal(signal);
                    if asks_to_end(signal) {
                        // COMMAND decides when it ends.
                        drop(self.drain().await);
                    }
                }
                Arrival::Child => {
                    if let Some(end) = child.reap() {
                        return end.exit_code();
                    }
                }
            }
        }
    }

    async fn drain(&self) -> oneshot::Receiver<()> {
        let (at_rest, answer) = oneshot::channel();
        // The keeper ends only after this.
        let _ = self.orders.send(KeeperOrder::Drain { at_rest }).await;
        answer
    }

    async fn leave(self) {
        let _ = self.orders.send(KeeperOrder::Leave).await;
        let _ = self.keeper.await;
    }
}

fn reports(options: &ServeOptions, task: Option<&TaskName>) -> Option<JobReports> {
    let log = Log { format: options.log_format };
    let (url, task) = (options.queue_url.as_deref()?, task?);
    match JobQueue::of(url, task) {
        Ok(queue) => Some(JobReports {
            queue: SharedQueue::new(queue),
            task: task.clone(),
            heartbeat_interval: options.heartbeat_interval,
        }),
        Err(problem) => {
            log.warn("jobs are not reported", &[("problem", &problem.words), ("fix", problem.fix)]);
            None
        }
    }
}

/// Where COMMAND finds the server.
fn url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}
