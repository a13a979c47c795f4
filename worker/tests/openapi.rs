//! schemas/worker-api.openapi.json and the server have the same paths, methods, statuses and fields.

use crate::served::{Served, ServedAnswer, call};
use crate::serving::refuses;
use crate::stack::{Stack, eventually};
use ecs_sim::http::AgentFault;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/worker-api.openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Each path of the document, with its methods in upper case.
fn methods(document: &Value) -> Vec<(String, BTreeSet<String>)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let known = ["get", "put", "post", "delete", "patch", "head"];
    let of_path = |item: &Value| {
        let names = item.as_object().unwrap().keys().filter(|name| known.contains(&name.as_str()));
        names.map(|name| name.to_uppercase()).collect()
    };
    paths.map(|(path, item)| (path.clone(), of_path(item))).collect()
}

#[test]
fn every_path_has_exactly_the_methods_of_the_document() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    for (path, methods) in methods(&document()) {
        let answer = served.call("PATCH", &path.replace("{id}", "a"), "");
        let allow = answer.head.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap_or_default();
        let allowed: BTreeSet<String> = allow.split(", ").map(str::to_uppercase).collect();
        assert_eq!((answer.status, allowed), (405, methods), "{path}");
    }
    assert_eq!(served.call("GET", "/v1/other", "").status, 404);
}

#[test]
fn a_job_has_exactly_the_fields_of_the_document() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let answer = served.put("a", r#"{"other": 1}"#);
    let listed = answer.reason().split("expected one of ").nth(1).unwrap();
    let fields: BTreeSet<&str> = listed.split('`').skip(1).step_by(2).collect();
    let document = document();
    let documented = document["components"]["schemas"]["Job"]["properties"].as_object().unwrap();
    assert_eq!(fields, documented.keys().map(String::as_str).collect());
}

/// Checks answers against the document, and notes which parts of it occurred.
struct Checked {
    document: Value,
    /// Method, path and status.
    seen: BTreeSet<(String, String, u16)>,
}

impl Checked {
    fn take(&mut self, method: &str, path: &str, answer: &ServedAnswer) {
        let responses = &self.document["paths"][path][method.to_lowercase()]["responses"];
        let response = &responses[answer.status.to_string()];
        assert!(response.is_object(), "{method} {path} has no status {}: {answer:?}", answer.status);
        match response.pointer("/content/application~1json/schema") {
            None => assert_eq!(answer.body, Value::Null, "{method} {path}"),
            Some(schema) => {
                let mut schema = schema.clone();
                schema["components"] = self.document["components"].clone();
                let schema = jsonschema::draft202012::new(&schema).unwrap();
                assert!(schema.is_valid(&answer.body), "{method} {path}: {answer:?}");
            }
        }
        self.seen.insert((method.to_owned(), path.to_owned(), answer.status));
    }

    fn of_job(&mut self, method: &str, answer: &ServedAnswer) {
        self.take(method, "/v1/jobs/{id}", answer);
    }

    /// What the document has and no answer showed.
    fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        for (path, methods) in methods(&self.document) {
            for method in methods {
                let responses = &self.document["paths"][&path][method.to_lowercase()]["responses"];
                for status in responses.as_object().unwrap().keys() {
                    if !self.seen.contains(&(method.clone(), path.clone(), status.parse().unwrap())) {
                        unseen.push(format!("{method} {path} {status}"));
                    }
                }
            }
        }
        unseen
    }
}

#[test]
fn every_answer_is_as_documented_and_every_documented_answer_occurs() {
    let stack = Stack::new();
    let mut run = stack.serve(&["--start-timeout", "1s"], &[]);
    run.env("TASKHOLD_TOKEN", "a-secret-of-at-least-16");
    let served = Served::run(run);
    let token = "Authorization: Bearer a-secret-of-at-least-16\r\n";
    let ask = |method: &str, path: &str, body: &str| served.call_with(method, path, token, body);
    let mut checked = Checked { document: document(), seen: BTreeSet::new() };
    for (path, methods) in methods(&checked.document) {
        for method in methods {
            let real = path.replace("{id}", "a");
            checked.take(&method, &path, &served.call(&method, &real, ""));
            let other = format!("{token}Taskhold-Task-Arn: other\r\n");
            checked.take(&method, &path, &served.call_with(&method, &real, &other, ""));
        }
    }
    let all = r#"{"maxDuration": "2h", "expectedDuration": "1h", "kind": "k", "labels": {"a": "b"}, "attempt": 1,
        "ifRefused": "exit"}"#;
    checked.of_job("PUT", &ask("PUT", "/v1/jobs/a", all));
    checked.of_job("PUT", &ask("PUT", "/v1/jobs/a", "["));
    checked.of_job("PUT", &ask("PUT", "/v1/jobs/a", &"x".repeat(20_000)));
    for path in ["/v1/jobs", "/v1/admission", "/healthz"] {
        checked.take("GET", path, &ask("GET", path, ""));
    }
    checked.of_job("DELETE", &ask("DELETE", "/v1/jobs/a?outcome=success", ""));
    checked.of_job("DELETE", &ask("DELETE", "/v1/jobs/a?outcome=other", ""));
    eventually("the protection is cleared", || !stack.is_protected());
    stack.agent().lock().lasting_fault = Some(refuses());
    checked.of_job("PUT", &ask("PUT", "/v1/jobs/b", ""));
    checked.take("GET", "/v1/admission", &ask("GET", "/v1/admission", ""));
    stack.agent().lock().lasting_fault = Some(AgentFault::ConnectionLost);
    checked.of_job("PUT", &ask("PUT", "/v1/jobs/b", ""));
    // Seen elsewhere, because it takes ten seconds, a thousand jobs, or the end of the server.
    let elsewhere = [
        "DELETE /v1/jobs/{id} 503",
        "GET /v1/admission 503",
        "GET /v1/jobs 503",
        "PUT /v1/jobs/{id} 408",
        "PUT /v1/jobs/{id} 429",
    ];
    let mut unseen = checked.unseen();
    unseen.sort();
    assert_eq!(unseen, elsewhere);
}

#[test]
fn outside_ecs_the_answer_is_as_documented_too() {
    let served = Served::run(crate::stack::serve_outside_ecs(&[], &[]));
    let mut checked = Checked { document: document(), seen: BTreeSet::new() };
    checked.of_job("PUT", &served.put("a", ""));
    checked.take("GET", "/healthz", &call(&served.address, "GET", "/healthz", "", ""));
    assert_eq!(served.call("GET", "/healthz", "").body, json!({ "taskArn": null }));
}
