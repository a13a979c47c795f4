//! What a server refuses, and what it bears.

use crate::served::{Served, call};
use crate::stack::{Stack, eventually, log, serve_outside_ecs};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn bad_input_is_400_with_the_reason_and_changes_nothing() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    for (id, body, reason) in [
        ("a", r#"{"maxDuration": "0m"}"#, "maxDuration is zero"),
        ("a", "{", "the body cannot be read"),
        ("a/b", "", "write it as %2F"),
        ("", "", "1 to 256 characters"),
        ("a%00", "", "control characters"),
    ] {
        let answer = served.put(id, body);
        assert!(answer.status == 400 && answer.reason().contains(reason), "{id} {body}: {answer:?}");
    }
    assert!(served.jobs().is_empty() && stack.puts().is_empty());
}

#[test]
fn odd_but_valid_input_is_served() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    assert_eq!(served.put("a%2Fb", r#"{"maxDuration": "72h"}"#).status, 200, "longer than ECS grants");
    assert_eq!(served.put(&"%C3%BC".repeat(256), "").status, 200);
    for _ in 0..3 {
        assert_eq!(served.put("same", r#"{"maxDuration": "1h"}"#).status, 200);
    }
    assert_eq!(served.jobs(), ["a/b", "same", &"ü".repeat(256)]);
    let body = stack.agent().lock().requests[0].body.clone();
    assert!(body.contains("2880"), "{body}");
}

#[test]
fn a_body_of_ten_megabytes_is_refused_before_it_is_read() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let mut stream = TcpStream::connect(&served.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // Only the head is sent, and the answer comes nevertheless.
    stream.write_all(b"PUT /v1/jobs/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("more than 16384 bytes"), "{answer}");
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let mut stream = TcpStream::connect(&served.address).unwrap();
    stream.write_all(b"PUT /v1/jobs/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    stream.write_all(chunk.repeat(2).as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(served.put("a", "").status, 200);
}

#[test]
fn a_thousand_jobs_are_served_in_little_memory_and_one_more_is_refused() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    std::thread::scope(|scope| {
        for part in 0..8 {
            let served = &served;
            scope.spawn(move || {
                for number in (part..1000).step_by(8) {
                    assert_eq!(served.put(&format!("job-{number}"), r#"{"labels": {"title": "x"}}"#).status, 200);
                }
            });
        }
    });
    assert_eq!(served.jobs().len(), 1000);
    let answer = served.put("one-more", "");
    assert_eq!((answer.status, answer.reason()), (429, "there are 1000 jobs already"));
    assert_eq!(served.put("job-7", "").status, 200, "a heartbeat");
    let resident = resident_mib(served.id());
    assert!(resident <= 30, "{resident} MiB of a debug build");
    for number in 0..1000 {
        served.end_job(&format!("job-{number}"));
    }
    eventually("the protection is cleared", || !stack.is_protected());
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
fn a_port_in_use_is_an_error_before_the_worker_starts() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = serve_outside_ecs(&["--port", &port], &["echo", "ran"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(125), &b""[..]));
    assert!(log(&output).contains("cannot listen; set TASKHOLD_PORT to a free port"), "{}", log(&output));
    assert!(log(&output).contains(&port));
}

#[test]
fn with_a_token_only_those_who_send_it_are_served() {
    let mut run = serve_outside_ecs(&["--address", "0.0.0.0"], &[]);
    let token = "a-secret-of-at-least-16";
    let served = Served::run({
        run.env("TASKHOLD_TOKEN", token);
        run
    });
    let local = served.address.replace("0.0.0.0", "127.0.0.1");
    let status = |head: &str| call(&local, "GET", "/v1/jobs", head, "").status;
    assert_eq!(status(""), 401);
    assert_eq!(status("Authorization: Bearer a-secret-of-at-least-17\r\n"), 401);
    assert_eq!(status(&format!("Authorization: Basic {token}\r\n")), 401);
    assert_eq!(status(&format!("Authorization: Bearer {token}\r\n")), 200);
    assert!(!served.log().contains(token));
}

#[test]
fn a_client_that_sends_nothing_does_not_keep_others_from_being_served() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(&served.address).unwrap()).collect();
    assert_eq!(served.put("a", "").status, 200);
    drop(silent);
}

#[test]
fn a_body_that_does_not_arrive_is_408() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let mut stream = TcpStream::connect(&served.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"PUT /v1/jobs/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(served.jobs().is_empty());
}
