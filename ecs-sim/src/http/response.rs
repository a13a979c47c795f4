//! HTTP's own parts, for every protocol: building a response and reading a header.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};

pub(super) type HttpResponse = Response<Full<Bytes>>;

/// Builds a response from parts that this server made itself. A code or message of a backend that is invalid in HTTP
/// becomes an answer with status 500 instead of a panic.
pub(super) fn finish(builder: hyper::http::response::Builder, body: impl Into<Bytes>) -> HttpResponse {
    builder.body(Full::new(body.into())).unwrap_or_else(|error| {
        let mut response = Response::new(Full::new(Bytes::from(format!("answer cannot be sent: {error}"))));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
