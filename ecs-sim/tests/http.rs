//! The loopback server through plain HTTP/1.1 over TCP, so that each test shows the exact bytes on the wire.

use std::sync::{Arc, Mutex};

use ecs_sim::http::{InvocationError, Server, ServerOptions, ServiceAnswer, Services};
use ecs_sim::queue::{QueueOrigin, Queues};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

const NOW_MS: i64 = 1_800_000_000_000;

type EcsStub = fn(i64, &str, &Value) -> ServiceAnswer;

/// No test here calls ECS.
fn ecs(_: i64, operation: &str, _: &Value) -> ServiceAnswer {
    panic!("a call of {operation}")
}

async fn server() -> (Server, Arc<Mutex<Services<EcsStub>>>) {
    let queues = Queues::new(QueueOrigin::new("eu-west-1", "111122223333"), NOW_MS);
    let services = Arc::new(Mutex::new(Services::new(ecs as EcsStub, queues, || NOW_MS)));
    let server = Server::start(Arc::clone(&services), ServerOptions::default()).await.expect("a free port");
    (server, services)
}

struct ReceivedResponse {
    status: u16,
    head: String,
    body: String,
}

impl ReceivedResponse {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let is_named = |line: &&str| line.split(':').next().is_some_and(|it| it.eq_ignore_ascii_case(name));
        Some(self.head.lines().find(is_named)?.split_once(':')?.1.trim())
    }
}

/// One kept-alive connection.
struct KeptConnection(BufStream<TcpStream>);

impl KeptConnection {
    async fn to(server: &Server) -> Self {
        Self(BufStream::new(TcpStream::connect(server.address()).await.expect("the server listens")))
    }

    async fn send(&mut self, first_line: &str, headers: &str, body: &str) {
        let length = body.len();
        let request =
            format!("{first_line} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        self.0.write_all(request.as_bytes()).await.expect("an open connection");
        self.0.flush().await.expect("an open connection");
    }

    /// The next response; `None` when the connection ended.
    async fn receive(&mut self) -> Option<ReceivedResponse> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut response = ReceivedResponse { status, head, body: String::new() };
        let mut body = vec![0; response.header("content-length")?.parse().ok()?];
        self.0.read_exact(&mut body).await.ok()?;
        response.body = String::from_utf8(body).ok()?;
        Some(response)
    }

    async fn ask(&mut self, first_line: &str, headers: &str, body: &str) -> ReceivedResponse {
        self.send(first_line, headers, body).await;
        self.receive().await.expect("an answer")
    }

    async fn aws_json(&mut self, target: &str, input: &Value) -> ReceivedResponse {
        let headers = format!("X-Amz-Target: {target}\r\n");
        self.ask("POST /", &headers, &input.to_string()).await
    }

    async fn next(&mut self) -> ReceivedResponse {
        self.ask("GET /2018-06-01/runtime/invocation/next", "", "").await
    }

    async fn finish(&mut self, invocation: &ReceivedResponse, how: &str, body: &str) -> ReceivedResponse {
        let request_id = invocation.header("lambda-runtime-aws-request-id").expect("an invocation");
        self.ask(&format!("POST /2018-06-01/runtime/invocation/{request_id}/{how}"), "", body).await
    }
}

#[tokio::test]
async fn signer_of_a_message_is_its_sender() {
    let (server, services) = server().await;
    let mut client = KeptConnection::to(&server).await;
    let created = client.aws_json("AmazonSQS.CreateQueue", &json!({ "QueueName": "jobs" })).await;
    assert_eq!(created.header("content-type"), Some("application/x-amz-json-1.0"));
    let headers = "X-Amz-Target: AmazonSQS.SendMessage\r\n\
        Authorization: AWS4-HMAC-SHA256 Credential=AROAEXAMPLEID:task/20270115/eu-west-1/sqs/aws4_request, Signature=0\r\n";
    let input = json!({ "QueueUrl": created.json()["QueueUrl"], "MessageBody": "a" });
    assert_eq!(client.ask("POST /", headers, &input.to_string()).await.status, 200);
    let received = services.lock().unwrap().queues.receive("jobs", 1).unwrap();
    assert_eq!(received[0].message.sender_id, "AROAEXAMPLEID:task");
}

#[tokio::test]
async fn unknown_operations_are_refused_in_the_form_of_the_protocol() {
    let (server, _services) = server().await;
    let mut client = KeptConnection::to(&server).await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let refused = [
        ("GET /", "", "", 404, "UnknownOperationException"),
        ("POST /", "", "{}", 404, "UnknownOperationException"),
        ("POST /", "X-Amz-Target: DynamoDB_20120810.GetItem\r\n", "{}", 404, "UnknownOperationException"),
        ("POST /", "X-Amz-Target: AmazonSQS.SendMessage\r\n", "[1", 400, "SerializationException"),
        ("POST /", form, "Action=SendMessage", 400, "<Code>InvalidAction</Code>"),
        ("POST /", form, "a=b", 400, "<Code>MissingAction</Code>"),
        ("GET /2018-06-01/runtime/nothing", "", "", 404, "Runtime.NotFound"),
        ("POST /2018-06-01/runtime/invocation/unknown/response", "", "{}", 400, "InvalidRequestID"),
    ];
    for (first_line, headers, body, status, code) in refused {
        let response = client.ask(first_line, headers, body).await;
        assert_eq!(response.status, status, "{first_line} {headers}");
        assert!(response.body.contains(code), "{first_line} {headers}: {}", response.body);
    }
}

#[tokio::test]
async fn body_above_the_limit_is_refused() {
    let (server, _services) = server().await;
    let body = "a".repeat(ecs_sim::http::REQUEST_BYTES_MAX + 1);
    let headers = "X-Amz-Target: AmazonSQS.SendMessage\r\n";
    let response = KeptConnection::to(&server).await.ask("POST /", headers, &body).await;
    assert_eq!(response.status, 413);
    assert_eq!(response.json()["__type"], "com.amazonaws.sqs#RequestEntityTooLargeException");
}

#[tokio::test]
async fn function_answers_invocations_one_after_the_other() {
    let (server, _services) = server().await;
    let mut function = KeptConnection::to(&server).await;
    for payload in ["1", "2"] {
        let answer = server.runtime_api().invoke(payload.into(), NOW_MS + 1000);
        let invocation = function.next().await;
        assert_eq!(invocation.body, payload);
        assert_eq!(invocation.header("lambda-runtime-deadline-ms"), Some("1800000001000"));
        assert!(invocation.header("lambda-runtime-invoked-function-arn").unwrap().ends_with(":function:taskhold"));
        assert!(invocation.header("lambda-runtime-trace-id").unwrap().starts_with("Root=1-"));
        assert_eq!(function.finish(&invocation, "response", "done").await.status, 202);
        assert_eq!(answer.await, Ok(b"done".to_vec()));
    }
}

#[tokio::test]
async fn waiting_function_gets_an_invocation_that_comes_later() {
    let (server, _services) = server().await;
    let (ready, mut function) = (server.runtime_api().ready(), KeptConnection::to(&server).await);
    assert!(!server.runtime_api().is_ready());
    function.send("GET /2018-06-01/runtime/invocation/next", "", "").await;
    assert_eq!(ready.await, Ok(()));
    let answer = server.runtime_api().invoke(b"late".to_vec(), NOW_MS);
    let invocation = function.receive().await.unwrap();
    function.finish(&invocation, "response", &invocation.body).await;
    assert_eq!(answer.await, Ok(b"late".to_vec()));
}

#[tokio::test]
async fn two_functions_get_an_invocation_each() {
    let (server, _services) = server().await;
    let answers = [b"1", b"2"].map(|payload| server.runtime_api().invoke(payload.to_vec(), NOW_MS));
    let mut functions = [KeptConnection::to(&server).await, KeptConnection::to(&server).await];
    let mut invocations = Vec::new();
    for function in &mut functions {
        invocations.push(function.next().await);
    }
    for (function, invocation) in functions.iter_mut().zip(&invocations).rev() {
        function.finish(invocation, "response", &invocation.body).await;
    }
    let [first, second] = answers;
    assert_eq!((first.await, second.await), (Ok(b"1".to_vec()), Ok(b"2".to_vec())));
}

#[tokio::test]
async fn error_of_the_function_is_the_answer() {
    let (server, _services) = server().await;
    let answer = server.runtime_api().invoke(Vec::new(), NOW_MS);
    let mut function = KeptConnection::to(&server).await;
    let invocation = function.next().await;
    let report = json!({ "errorType": "Bad", "errorMessage": "no" }).to_string();
    assert_eq!(function.finish(&invocation, "error", &report).await.status, 202);
    let expected = InvocationError::Reported { error_type: "Bad".to_owned(), message: "no".to_owned() };
    assert_eq!(answer.await, Err(expected));
}

#[tokio::test]
async fn function_that_cannot_start_fails_waiting_invocations() {
    let (server, _services) = server().await;
    let (ready, answer) = (server.runtime_api().ready(), server.runtime_api().invoke(Vec::new(), NOW_MS));
    let headers = "Lambda-Runtime-Function-Error-Type: Runtime.InitError\r\n";
    KeptConnection::to(&server).await.ask("POST /2018-06-01/runtime/init/error", headers, "no table").await;
    let expected = InvocationError::Init { error_type: "Runtime.InitError".to_owned(), message: "no table".to_owned() };
    assert_eq!(ready.await, Err(expected.clone()));
    assert_eq!(answer.await, Err(expected));
}

#[tokio::test]
async fn end_of_the_process_fails_pending_invocations() {
    let (server, _services) = server().await;
    let api = server.runtime_api();
    let (taken, waiting) = (api.invoke(b"1".to_vec(), NOW_MS), api.invoke(b"2".to_vec(), NOW_MS));
    let mut function = KeptConnection::to(&server).await;
    let invocation = function.next().await;
    api.process_exited("killed");
    let expected = Err(InvocationError::Exited { reason: "killed".to_owned() });
    assert_eq!((taken.await, waiting.await), (expected.clone(), expected));
    assert!(!api.is_ready());
    assert_eq!(function.finish(&invocation, "response", "late").await.status, 400);
}

#[tokio::test]
async fn withdrawn_invocation_is_not_handed_out() {
    let (server, _services) = server().await;
    drop(server.runtime_api().invoke(b"withdrawn".to_vec(), NOW_MS));
    let _answer = server.runtime_api().invoke(b"wanted".to_vec(), NOW_MS);
    assert_eq!(KeptConnection::to(&server).await.next().await.body, "wanted");
}

#[tokio::test]
async fn stop_ends_waiting_polls_and_pending_invocations() {
    let (server, _services) = server().await;
    let (api, address) = (server.runtime_api().clone(), server.address());
    let mut function = KeptConnection::to(&server).await;
    let ready = api.ready();
    function.send("GET /2018-06-01/runtime/invocation/next", "", "").await;
    ready.await.unwrap();
    let mut busy = KeptConnection::to(&server).await;
    let taken = api.invoke(b"1".to_vec(), NOW_MS);
    function.receive().await.unwrap();
    busy.send("GET /2018-06-01/runtime/invocation/next", "", "").await;
    server.stop().await;
    assert_eq!(taken.await, Err(InvocationError::Stopped));
    assert_eq!(api.invoke(Vec::new(), NOW_MS).await, Err(InvocationError::Stopped));
    assert!(busy.receive().await.is_none());
    assert!(TcpStream::connect(address).await.is_err());
}
