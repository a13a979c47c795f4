//! Reads request bodies, up to a limit.

use http_body_util::BodyExt;
use hyper::body::Incoming;

/// The largest request body: above every limit of the services themselves (SQS 1 MiB, Lambda 6 MB), so that theirs
/// apply first.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How much of an oversized body is still read and discarded. A client that is cut off while it writes sees a broken
/// connection instead of the 413 that explains it. A client that sends even more than this is cut off.
const DISCARDED_BYTES_MAX: usize = 8 * REQUEST_BYTES_MAX;

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("request body has more than {REQUEST_BYTES_MAX} bytes")]
    TooLarge,
    #[error("request body ended early")]
    Broken(#[source] hyper::Error),
}

/// The whole body, unless it is larger than [`REQUEST_BYTES_MAX`].
pub(super) async fn read(mut incoming: Incoming) -> Result<Vec<u8>, BodyError> {
    let (mut body, mut bytes) = (Vec::new(), 0_usize);
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(BodyError::Broken)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        bytes = bytes.saturating_add(data.len());
        if bytes <= REQUEST_BYTES_MAX {
            body.extend_from_slice(data);
        } else if bytes > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if bytes > REQUEST_BYTES_MAX { Err(BodyError::TooLarge) } else { Ok(body) }
}
