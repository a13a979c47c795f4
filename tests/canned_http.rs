//! A DynamoDB or ECS on loopback that gives canned answers, some of which are not valid HTTP. It implements the minimum of
//! the protocol (AWS JSON over HTTP/1.1): a request is a target and a JSON body.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The answer to a call, as the client receives it.
#[derive(Clone, Debug)]
pub(crate) enum HttpReply {
    /// The operation's output.
    Output(Value),
    /// An error of DynamoDB's type with this code and status.
    Error(&'static str, u16),
    /// This text with this status, as from a proxy in front of AWS.
    Text(&'static str, u16),
    /// Sends these bytes, then closes the connection. Empty if the answer is lost.
    Bytes(String),
    /// Never answers.
    Silence,
}

/// A connection that closes without an answer.
pub(crate) const CONNECTION_LOST: HttpReply = HttpReply::Bytes(String::new());

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SentCall {
    /// As AWS names it.
    pub(crate) operation: String,
    /// Its input.
    pub(crate) body: Value,
}

type Respond = dyn FnMut(&SentCall) -> HttpReply + Send;

/// All calls, in order.
pub(crate) type Calls = Arc<Mutex<Vec<SentCall>>>;

/// Serves until the test ends. Returns the endpoint and the calls.
pub(crate) fn serve(respond: impl FnMut(&SentCall) -> HttpReply + Send + 'static) -> (String, Calls) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let calls = Calls::default();
    let (respond, captured): (Arc<Mutex<Respond>>, Calls) = (Arc::new(Mutex::new(respond)), Arc::clone(&calls));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (respond, captured) = (Arc::clone(&respond), Arc::clone(&captured));
            thread::spawn(move || converse(&stream.unwrap(), &respond, &captured));
        }
    });
    (endpoint, calls)
}

/// Answers the requests of one connection until either side closes it.
fn converse(stream: &TcpStream, respond: &Mutex<Respond>, captured: &Mutex<Vec<SentCall>>) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while let Some(call) = read(&mut reader) {
        captured.lock().unwrap().push(call.clone());
        let answer = (respond.lock().unwrap())(&call);
        let (status, body) = match answer {
            HttpReply::Bytes(bytes) => return writer.write_all(bytes.as_bytes()).unwrap(),
            HttpReply::Silence => loop {
                thread::park();
            },
            HttpReply::Output(output) => (200, output.to_string()),
            HttpReply::Text(text, status) => (status, text.to_owned()),
            HttpReply::Error(code, status) => {
                let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
                (status, json!({"__type": kind, "message": "because of x"}).to_string())
            }
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\n");
        if write!(writer, "{head}content-length: {}\r\n\r\n{body}", body.len()).is_err() {
            return;
        }
    }
}

/// The next request; `None` when the client has closed the connection.
fn read(reader: &mut impl BufRead) -> Option<SentCall> {
    let (mut operation, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("x-amz-target") => {
                let (api, name) = value.split_once('.').unwrap();
                assert!(["DynamoDB_20120810", "AmazonEC2ContainerServiceV20141113"].contains(&api), "{api}");
                operation = name.to_owned();
            }
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(SentCall { operation, body: serde_json::from_slice(&body).unwrap() })
}
