//! The server's sockets: takes HTTP requests, checks who asks, and hands them to the keeper.

use crate::admission::{DeploymentCheck, REPLACED};
use crate::clock;
use crate::keeper::KeeperOrder;
use crate::wire::{self, ApiReply, ApiRequest, BODY_BYTES_MAX, RawRequest, TASK_HEADER};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONNECTION, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// A client that sends its request slower than this has a problem.
const READ_TIME: Duration = Duration::from_secs(10);
/// Each costs memory. Others wait.
const CONNECTIONS_MAX: usize = 512;
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The pause after a connection could not be accepted, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection needs.
#[derive(Debug)]
pub(crate) struct ServedApi {
    pub(crate) orders: mpsc::Sender<KeeperOrder>,
    /// The token that each request must have, if one is set.
    pub(crate) token: Option<String>,
    pub(crate) task_arn: Option<String>,
    /// The longest duration of a job that declares none.
    pub(crate) default_max: Duration,
    pub(crate) deployments: DeploymentCheck,
}

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, api: ServedApi) {
    let (api, connections) = (Arc::new(api), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            clock::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let api = api.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let api = api.clone();
                async move { Ok::<_, Infallible>(response(api.respond(request).await)) }
            });
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(READ_TIME).max_buf_size(HEAD_BYTES_MAX);
            // A client that breaks off is its own problem.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

impl ServedApi {
    async fn respond(&self, request: Request<Incoming>) -> ApiReply {
        let (head, body) = request.into_parts();
        if let Err(refusal) = self.admits(&head.headers) {
            return refusal;
        }
        let body = match read(body).await {
            Ok(body) => body,
            Err(problem) => return problem,
        };
        match parsed(&head, &body, self.default_max) {
            Ok(request) => self.carry_out(request).await,
            Err(problem) => problem,
        }
    }

    fn admits(&self, headers: &HeaderMap) -> Result<(), ApiReply> {
        let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        if let Some(token) = &self.token {
            let given = headers.get(AUTHORIZATION).map(text).unwrap_or_default();
            if !is_same(given.strip_prefix("Bearer ").unwrap_or_default(), token) {
                return Err(ApiReply::because(401, "send the header Authorization: Bearer with TASKHOLD_TOKEN"));
            }
        }
        match headers.get(TASK_HEADER).map(text) {
            Some(wanted) if self.task_arn.as_ref() != Some(&wanted) => {
                Err(ApiReply::because(421, "this is the server of another task"))
            }
            _ => Ok(()),
        }
    }

    async fn carry_out(&self, request: ApiRequest) -> ApiReply {
        let (reply, answer) = oneshot::channel();
        let is_admission = request == ApiRequest::Admission;
        let order = match request {
            ApiRequest::Health => return ApiReply::json(200, json!({ "taskArn": self.task_arn })),
            ApiRequest::Put(application) => KeeperOrder::Apply { application, reply },
            ApiRequest::Delete { id, outcome } => KeeperOrder::End { id, outcome, reply },
            ApiRequest::Jobs => KeeperOrder::Jobs { reply },
            ApiRequest::Admission => KeeperOrder::Admission { reply },
        };
        let ending = || ApiReply::because(503, "the server is ending");
        if self.orders.send(order).await.is_err() {
            return ending();
        }
        let answer = answer.await.unwrap_or_else(|_| ending());
        if is_admission && answer.status == 204 && self.deployments.is_replaced().await {
            return ApiReply::because(409, REPLACED);
        }
        answer
    }
}

fn parsed(head: &Parts, body: &[u8], default_max: Duration) -> Result<ApiRequest, ApiReply> {
    let raw = RawRequest { method: &head.method, path: head.uri.path(), query: head.uri.query(), body };
    wire::parse(raw, default_max)
}

async fn read(body: Incoming) -> Result<Bytes, ApiReply> {
    let too_long = || ApiReply::because(413, format!("the body has more than {BODY_BYTES_MAX} bytes"));
    let announced = body.size_hint().lower();
    if announced > BODY_BYTES_MAX as u64 {
        return Err(too_long());
    }
    tokio::select! {
        read = Limited::new(body, BODY_BYTES_MAX).collect() => match read {
            Ok(read) => Ok(read.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
            Err(error) => Err(ApiReply::because(400, format!("the body broke off: {error}"))),
        },
        () = clock::sleep(READ_TIME) => Err(ApiReply::because(408, "the body did not arrive in time")),
    }
}

/// Compares in a time that does not depend on where the texts differ.
fn is_same(given: &str, token: &str) -> bool {
    let pairs = given.bytes().zip(token.bytes());
    given.len() == token.len() && pairs.fold(0, |differing, (one, other)| differing | (one ^ other)) == 0
}

fn response(reply: ApiReply) -> Response<Full<Bytes>> {
    let ApiReply { status, body, allow } = reply;
    let text = body.map(|body| body.to_string()).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(text.clone())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !text.is_empty() {
        headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    }
    if let Some(methods) = allow {
        headers.insert(ALLOW, hyper::header::HeaderValue::from_static(methods));
    }
    // The rest of a request that was not read must not be taken for the next one.
    if [401, 408, 413, 421].contains(&status) {
        headers.insert(CONNECTION, hyper::header::HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_token_is_the_same() {
        assert!(is_same("secret", "secret"));
        for given in ["", "secre", "secrets", "Secret", "secreu"] {
            assert!(!is_same(given, "secret"), "{given}");
        }
    }
}
