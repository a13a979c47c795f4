//! The server side of HTTP/1.1 on a persistent connection, as far as the clients of these functions use it.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;

/// Larger than any answer or request of a function: a larger one is a mistake and is rejected.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A complete request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HttpRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    /// `X-Amz-Target`, which names the operation in AWS's JSON protocols.
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

/// A connection of a client.
#[derive(Debug)]
pub(crate) struct Connection<R, W> {
    reader: BufReader<R>,
    writer: W,
}

impl Connection<TcpStream, TcpStream> {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        // An answer is one write; otherwise it would wait for a delayed acknowledgement.
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::with_capacity(64 * 1024, stream.try_clone()?), writer: stream })
    }
}

impl<R: Read, W: Write> Connection<R, W> {
    /// The next request; `None` when the client has closed the connection.
    pub(crate) fn read(&mut self) -> io::Result<Option<HttpRequest>> {
        let first = self.line()?;
        if first.is_empty() {
            return Ok(None);
        }
        let mut words = first.split(' ');
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return Err(odd("a request line")) };
        let mut request =
            HttpRequest { method: method.to_owned(), path: path.to_owned(), target: String::new(), body: Vec::new() };
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(|_| odd("a content-length"))?,
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "x-amz-target" => value.clone_into(&mut request.target),
                "expect" => self.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
                _ => {}
            }
        }
        if chunked {
            while self.chunk(&mut request.body)? {}
        } else {
            self.take(length, &mut request.body)?;
        }
        Ok(Some(request))
    }

    /// Answers in one write.
    pub(crate) fn answer(&mut self, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
        let mut answer =
            format!("HTTP/1.1 {status} OK\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        self.writer.write_all(&answer)
    }

    /// A line without its line break; empty at the end of the connection too.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    fn take(&mut self, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
        if body.len() + length > BODY_BYTES_MAX {
            return Err(odd("a body so large"));
        }
        let begin = body.len();
        body.resize(begin + length, 0);
        self.reader.read_exact(&mut body[begin..])
    }

    /// Reads a chunk; returns false after the last one.
    fn chunk(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let line = self.line()?;
        let length = line.split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(length, 16).map_err(|_| odd("a chunk"))?;
        self.take(length, body)?;
        self.line()?; // the end of a chunk, or of the body, because these clients send no trailers
        Ok(length > 0)
    }
}

fn odd(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{what} that the bench does not understand"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(text: &str) -> Vec<HttpRequest> {
        let mut connection = Connection { reader: BufReader::new(text.as_bytes()), writer: Vec::new() };
        std::iter::from_fn(|| connection.read().unwrap()).collect()
    }

    #[test]
    fn requests_come_one_after_the_other_on_a_connection_that_is_kept() {
        let text =
            "GET /next HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nx-amz-target: A.B\r\ncontent-length: 2\r\n\r\n{}";
        let read = requests(text);
        assert_eq!((read[0].method.as_str(), read[0].path.as_str()), ("GET", "/next"));
        assert_eq!((read[1].target.as_str(), read[1].body.as_slice()), ("A.B", b"{}".as_slice()));
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn a_body_in_chunks_is_put_together() {
        let text = "POST /r HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n";
        let read = requests(&format!("{text}GET /next HTTP/1.1\r\n\r\n"));
        assert_eq!(read[0].body, b"abc0123456789");
        assert_eq!(read[1].path, "/next");
    }

    #[test]
    fn a_body_that_no_function_sends_is_not_waited_for() {
        let text = format!("POST /r HTTP/1.1\r\nContent-Length: {}\r\n\r\n", BODY_BYTES_MAX + 1);
        let mut connection = Connection { reader: BufReader::new(text.as_bytes()), writer: Vec::new() };
        assert_eq!(connection.read().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
