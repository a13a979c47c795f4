//! A loopback server that speaks the AWS protocols, so that the real SDKs, the CLI and the real `bootstrap` can use the
//! simulator. One port serves all of it:
//!
//! | Request | Protocol | Goes to |
//! |---|---|---|
//! | `X-Amz-Target: AmazonEC2ContainerServiceV20141113.…` | AWS JSON 1.1 | [`Backend`], [`Service::Ecs`] |
//! | `X-Amz-Target: AmazonSQS.…` | AWS JSON 1.0 | [`Backend`], [`Service::Sqs`] |
//! | `X-Amz-Target: AnyScaleFrontendService.…` | AWS JSON 1.1 | [`Backend`], [`Service::ApplicationAutoScaling`] |
//! | a form with `Action=…` | AWS Query, XML answers | [`Backend`], [`Service::Sns`] |
//! | `/2018-06-01/runtime/…` | Lambda runtime API | [`RuntimeApi`] |
//!
//! The server implements HTTP and these protocols; the [`Backend`] implements the services. [`Services`] is a backend
//! made of the simulated queues, [`Topics`], scalable targets, and an ECS of your choice. Signatures are not checked.
//! The access key id is passed to the backend, because it identifies the caller. Left out on purpose: TLS, and SQS's
//! older query protocol. The server listens on 127.0.0.1 by default, since any client that can connect has full access.

mod backend;
mod body;
mod protocol;
mod query;
mod runtime_api;
mod runtime_http;
mod services;
mod topics;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use backend::{Answer, Backend, Call, Service, ServiceError};
pub use runtime_api::{FunctionError, RuntimeApi};
pub use services::{EcsBackend, Services, wall_clock};
pub use topics::{Publication, Topics};

/// The largest request body: above every limit of the services themselves (SQS 1 MiB, Lambda 6 MB), so that theirs
/// apply first.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

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
}

impl Default for ServerOptions {
    fn default() -> Self {
        let function_arn = "arn:aws:lambda:us-east-1:123456789012:function:taskhold".to_owned();
        Self { host: Ipv4Addr::LOCALHOST.into(), port: 0, function_arn }
    }
}

/// A running server. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    runtime_api: RuntimeApi,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// State that every connection needs.
#[derive(Clone)]
struct Shared {
    backend: Arc<Mutex<dyn Backend>>,
    runtime_api: RuntimeApi,
    request_ids: Arc<std::sync::atomic::AtomicU64>,
}

/// The client gets no response: its connection ends.
#[derive(Debug, thiserror::Error)]
#[error("call is left without a response")]
struct Unanswered;

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
        let shared = Shared { backend, runtime_api: runtime_api.clone(), request_ids: Arc::default() };
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, shared, stopped));
        Ok(Self { address, runtime_api, stop, accepting })
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

async fn accept(listener: TcpListener, shared: Shared, mut stopped: watch::Receiver<bool>) {
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

async fn serve(stream: TcpStream, shared: Shared, mut stopped: watch::Receiver<bool>) {
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

impl Shared {
    /// Shaped as a UUID, as clients log it, but counted.
    fn next_request_id(&self) -> String {
        let number = self.request_ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        format!("00000000-0000-4000-9000-{number:012x}")
    }

    fn call(&self, call: Call) -> Answer {
        // A call that panicked ends only its own connection; the backend can still be inspected.
        self.backend.lock().unwrap_or_else(std::sync::PoisonError::into_inner).call(call)
    }
}
