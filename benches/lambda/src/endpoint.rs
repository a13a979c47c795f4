//! A minimal ECS and DynamoDB on loopback, which answer after a configurable latency.
//!
//! UpdateTaskProtection is granted for every task, without throttling. The answer has the form of ECS: HTTP 200,
//! `protectedTasks` with one record for each task, `failures` (aws-facts "ECS: the protection API"). DynamoDB
//! stores nothing: each record of the bench concerns a separate task, so a read finds no item, and no put
//! conflicts.

use crate::http::{Connection, HttpRequest};
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const GET_ITEM: &str = "DynamoDB_20120810.GetItem";
const PUT_ITEM: &str = "DynamoDB_20120810.PutItem";
/// DynamoDB charges one write unit for each started block of this many bytes ("DynamoDB on-demand capacity mode").
const BYTES_A_WRITE_UNIT: usize = 1024;
const UPDATE_TASK_PROTECTION: &str = "AmazonEC2ContainerServiceV20141113.UpdateTaskProtection";
const HEADERS: &str =
    "Content-Type: application/x-amz-json-1.1\r\nx-amzn-RequestId: 6b777c18-09a9-4925-ab48-098fa09824de\r\n";
const TASK_ARNS: &str = "arn:aws:ecs:eu-west-1:111122223333:task";
/// Maximum number of tasks in a call (aws-facts "ECS: the protection API").
const TASKS_MAX: usize = 10;

/// The endpoint. It serves until the process ends.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    counted: Arc<EndpointCounters>,
}

#[derive(Debug, Default)]
struct EndpointCounters {
    latency_ms: AtomicU64,
    calls: AtomicU64,
    tasks: AtomicU64,
    reads: AtomicU64,
    write_units: AtomicU64,
}

/// The requests to ECS and DynamoDB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestCounts {
    pub(crate) calls: u64,
    /// In all calls together.
    pub(crate) tasks: u64,
    /// Items read.
    pub(crate) reads: u64,
    /// For stored items, by the size of the requests, which is slightly larger than that of the items.
    pub(crate) write_units: u64,
}

impl Endpoint {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let counted = Arc::<EndpointCounters>::default();
        let of_all = counted.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = of_all.clone();
                // The client reports a broken connection.
                thread::spawn(move || drop(serve(stream, &counted)));
            }
        });
        Ok(Self { address, counted })
    }

    /// The latency of each call from now on.
    pub(crate) fn set_latency(&self, latency_ms: u64) {
        self.counted.latency_ms.store(latency_ms, SeqCst);
    }

    /// The requests since the last call of this function.
    pub(crate) fn take_asked(&self) -> RequestCounts {
        let EndpointCounters { calls, tasks, reads, write_units, .. } = &*self.counted;
        let [calls, tasks, reads, write_units] = [calls, tasks, reads, write_units].map(|count| count.swap(0, SeqCst));
        RequestCounts { calls, tasks, reads, write_units }
    }
}

fn serve(stream: TcpStream, counted: &EndpointCounters) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.read()? {
        let latency_ms = counted.latency_ms.load(SeqCst);
        if latency_ms > 0 {
            thread::sleep(Duration::from_millis(latency_ms));
        }
        match answer(&request, counted) {
            Ok(answer) => connection.answer(200, HEADERS, answer.as_bytes())?,
            Err(why) => {
                let error = json!({"__type": "InvalidParameterException", "message": why}).to_string();
                connection.answer(400, HEADERS, error.as_bytes())?;
            }
        }
    }
    Ok(())
}

fn answer(request: &HttpRequest, counted: &EndpointCounters) -> Result<String, String> {
    match request.target.as_str() {
        GET_ITEM => {
            counted.reads.fetch_add(1, SeqCst);
            Ok("{}".to_owned())
        }
        PUT_ITEM => {
            counted.write_units.fetch_add(request.body.len().div_ceil(BYTES_A_WRITE_UNIT) as u64, SeqCst);
            Ok("{}".to_owned())
        }
        UPDATE_TASK_PROTECTION => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let (tasks, answer) = granted(request, now)?;
            counted.calls.fetch_add(1, SeqCst);
            counted.tasks.fetch_add(tasks, SeqCst);
            Ok(answer)
        }
        other => Err(format!("`{other}` is not served here")),
    }
}

/// The number of tasks in a call, and the answer of an ECS that grants all of it.
fn granted(request: &HttpRequest, now: u64) -> Result<(u64, String), String> {
    let call: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    let cluster = call["cluster"].as_str().unwrap_or_default();
    let cluster = cluster.rsplit('/').next().unwrap_or_default();
    let enabled = call["protectionEnabled"].as_bool().ok_or("protectionEnabled is missing")?;
    let tasks = call["tasks"].as_array().filter(|tasks| (1..=TASKS_MAX).contains(&tasks.len()));
    let tasks = tasks.ok_or("tasks must be 1 to 10")?;
    let until = enabled.then(|| now + 60 * call["expiresInMinutes"].as_u64().unwrap_or(120));
    let granted = |task: &Value| {
        let id = task.as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let mut granted = json!({"taskArn": format!("{TASK_ARNS}/{cluster}/{id}"), "protectionEnabled": enabled});
        if let Some(until) = until {
            granted["expirationDate"] = json!(until as f64);
        }
        granted
    };
    let answer = json!({"protectedTasks": tasks.iter().map(granted).collect::<Vec<_>>(), "failures": []});
    Ok((tasks.len() as u64, answer.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(body: &Value) -> Result<(u64, String), String> {
        let request = HttpRequest {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            target: UPDATE_TASK_PROTECTION.to_owned(),
            body: body.to_string().into_bytes(),
        };
        granted(&request, 1_790_000_000)
    }

    #[test]
    fn each_task_of_a_call_is_granted_until_its_minutes_are_over() {
        let body = json!({"cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/video", "tasks": ["a", "b"],
            "protectionEnabled": true, "expiresInMinutes": 2});
        let (tasks, answer) = call(&body).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(tasks, 2);
        assert_eq!(answer["protectedTasks"][1]["taskArn"], format!("{TASK_ARNS}/video/b"));
        assert_eq!(answer["protectedTasks"][1]["expirationDate"], json!(1_790_000_120.0));
        assert_eq!(answer["failures"], json!([]));
    }

    #[test]
    fn more_tasks_than_ecs_takes_are_refused() {
        let tasks = vec!["a"; TASKS_MAX + 1];
        assert!(call(&json!({"cluster": "video", "tasks": tasks, "protectionEnabled": true})).is_err());
    }
}
