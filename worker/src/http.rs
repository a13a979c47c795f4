//! Calls to the endpoints that ECS offers inside a container: plain HTTP, a connection a call.

use crate::clock;
use crate::duration::shown;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// The longest answer. Metadata of a task with many containers has some tens of kilobytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// An answer with any status.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpProblem {
    #[error("{0}")]
    Unreachable(String),
    #[error("no answer within {}", shown(*.0))]
    TimedOut(Duration),
}

/// A request without its time limit.
#[derive(Debug)]
pub(crate) struct HttpCall<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) body: String,
    pub(crate) headers: &'a [(&'static str, String)],
}

/// Makes a call within a time.
///
/// # Errors
/// The URL is not of HTTP, nothing answers there, or not in time.
pub(crate) async fn call(call: HttpCall<'_>, within: Duration) -> Result<HttpAnswer, HttpProblem> {
    tokio::select! {
        answer = exchange(call) => answer.map_err(HttpProblem::Unreachable),
        () = clock::sleep(within) => Err(HttpProblem::TimedOut(within)),
    }
}

async fn exchange(call: HttpCall<'_>) -> Result<HttpAnswer, String> {
    let uri: Uri = call.url.parse().map_err(|_| format!("`{}` is not a URL", call.url))?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
    let authority = authority.ok_or_else(|| format!("`{}` is not an http:// URL", call.url))?;
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await.map_err(in_words)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(in_words)?;
    let mut request = Request::builder().method(call.method);
    for (name, value) in call.headers {
        request = request.header(*name, value);
    }
    let request = request
        .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(call.body)))
        .map_err(in_words)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(in_words)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| format!("the answer broke off or is too long: {error}"))?;
        Ok(HttpAnswer { status, body: body.to_bytes() })
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection ends with the last byte of the answer, which the exchange then has.
        _ = &mut connection => exchange.await,
    }
}

/// An error with its causes.
pub(crate) fn in_words(error: impl std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
