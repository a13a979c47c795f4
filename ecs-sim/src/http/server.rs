//! The server: accepts connections and stops.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::agent::ContainerAgent;
use super::backend::Backend;
use super::protocol;
use super::runtime_api::RuntimeApi;
use super::server_state::ServerState;

/// How long [`Server::stop`] waits for open requests. Calls answer at once, so a longer request belongs to a client
/// that does not finish it.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Options of a server; the default takes any free port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// The address to listen on. Set another than 127.0.0.1 for clients in containers.
    pub host: IpAddr,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The invoked function ARN that the function process receives.
    pub function_arn: String,
    /// The cluster of the tasks whose containers ask for their metadata and protection.
    pub cluster: String,
}

impl Default for ServerOptions {
    fn default() -> Self {
        let function_arn = "arn:aws:lambda:us-east-1:123456789012:function:taskhold".to_owned();
        // ECS's own default (ECS API Reference, "CreateCluster").
        Self { host: Ipv4Addr::LOCALHOST.into(), port: 0, function_arn, cluster: "default".to_owned() }
    }
}

/// A running server. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    runtime_api: RuntimeApi,
    agent: ContainerAgent,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Binds and starts serving on the current tokio runtime. The server locks the backend for the length of one call;
    /// the caller keeps its own handle to inspect it, to advance time or to take batches from a queue.
    ///
    /// # Errors
    /// The port is taken, or the address is not one of this machine's.
    pub async fn start<B: Backend>(backend: Arc<Mutex<B>>, options: ServerOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind((options.host, options.port)).await?;
        let address = listener.local_addr()?;
        let runtime_api = RuntimeApi::new(options.function_arn);
        let agent = ContainerAgent::new(options.cluster);
        let shared = ServerState {
            backend,
            runtime_api: runtime_api.clone(),
            agent: agent.clone(),
            request_ids: Arc::default(),
        };
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, shared, stopped));
        Ok(Self { address, runtime_api, agent, stop, accepting })
    }

    /// The listening address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint URL for SDKs and the CLI, without a trailing slash. For a function process, set
    /// `AWS_LAMBDA_RUNTIME_API` to [`Server::address`], without a scheme.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The handle that invokes the function process.
    #[must_use]
    pub fn runtime_api(&self) -> &RuntimeApi {
        &self.runtime_api
    }

    /// The handle that makes the agent of the containers fail.
    #[must_use]
    pub fn agent(&self) -> &ContainerAgent {
        &self.agent
    }

    /// Stops the server: refuses connections, lets open requests finish, dismisses waiting function processes, and
    /// fails pending invocations.
    pub async fn stop(mut self) {
        self.begin_to_stop();
        // A panic in the accept loop has been printed by its thread; there is nothing left to stop.
        let _ = (&mut self.accepting).await;
    }

    fn begin_to_stop(&self) {
        self.runtime_api.stop();
        self.stop.send_replace(true);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.begin_to_stop();
    }
}

async fn accept(listener: TcpListener, shared: ServerState, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, shared.clone(), stopped.clone()));
                }
                // The client left, or descriptors ran out: other tasks must run in either case.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
    drop(listener);
    // Dropping the set cuts off connections that outlast the grace time.
    let _ = tokio::time::timeout(STOP_GRACE, connections.join_all()).await;
}

async fn serve(stream: TcpStream, shared: ServerState, mut stopped: watch::Receiver<bool>) {
    // Without this, a small answer waits for the client's delayed acknowledgement. A failure costs only that.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| protocol::respond(&shared, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let finished = tokio::select! {
        result = connection.as_mut() => Some(result),
        _ = stopped.changed() => None,
    };
    if finished.is_none() {
        connection.as_mut().graceful_shutdown();
        // How a client ends its connection does not matter here.
        let _ = connection.await;
    }
}
