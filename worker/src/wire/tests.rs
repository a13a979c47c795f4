use super::*;

const TWO_HOURS: Duration = Duration::from_secs(7200);

fn read(method: Method, target: &str, body: &str) -> Result<ApiRequest, ApiReply> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    parse(RawRequest { method: &method, path, query, body: body.as_bytes() }, TWO_HOURS)
}

fn put(target: &str, body: &str) -> Application {
    match read(Method::PUT, target, body) {
        Ok(ApiRequest::Put(application)) => application,
        other => panic!("{other:?}"),
    }
}

/// Status and reason of a request that is wrong.
fn wrong(method: Method, target: &str, body: &str) -> (u16, String) {
    let reply = read(method, target, body).unwrap_err();
    (reply.status, reply.body.unwrap()["reason"].as_str().unwrap().to_owned())
}

#[test]
fn a_job_without_a_body_has_the_defaults() {
    let application = put("/v1/jobs/a", "");
    assert_eq!((application.job.id.as_str(), application.job.max), ("a", TWO_HOURS));
    assert_eq!((application.attempt, application.unprotected), (None, Unprotected::Forgotten));
    assert_eq!(put("/v1/jobs/a", " {\"kind\": null} \n"), application);
}

#[test]
fn a_job_is_as_its_body_says() {
    let body = r#"{"maxDuration": "3d", "expectedDuration": "40m", "kind": "encode", "labels": {"title": "E"},
        "attempt": 2, "ifRefused": "run"}"#;
    let application = put("/v1/jobs/a%2Fb%20%C3%BC", body);
    assert_eq!(application.job.id, "a/b ü");
    assert_eq!((application.job.max.as_secs(), application.job.expected.unwrap().as_secs()), (3 * 86_400, 2400));
    assert_eq!((application.attempt, application.unprotected), (Some(2), Unprotected::Recorded));
    let sent = put_body(&application).to_string();
    assert_eq!(put(&job_path("a/b ü"), &sent), application, "as a client sends it");
}

#[test]
fn bad_ids_are_refused_with_the_reason() {
    let reason = |id: &str| wrong(Method::PUT, &format!("/v1/jobs/{id}"), "");
    assert_eq!(reason("a/b"), (400, "the job id has a slash; write it as %2F".to_owned()));
    for id in ["", &"x".repeat(257)] {
        assert_eq!(reason(id), (400, "the job id does not have 1 to 256 characters".to_owned()));
    }
    assert_eq!(reason("a%0Ab"), (400, "the job id has control characters; use printable ones".to_owned()));
    for id in ["%", "%4", "%zz", "%+1", "%FF"] {
        assert_eq!(reason(id), (400, "the job id is not UTF-8 in percent encoding".to_owned()), "{id}");
    }
    assert_eq!(put(&format!("/v1/jobs/{}", "%C3%BC".repeat(256)), "").job.id.chars().count(), 256);
}

#[test]
fn bad_bodies_are_refused_with_the_reason() {
    let reason = |body: &str| {
        let (status, reason) = wrong(Method::PUT, "/v1/jobs/a", body);
        assert_eq!(status, 400, "{body}");
        reason
    };
    for body in ["[", "[]", "1", "\u{0}", r#"{"maxDuration": 120}"#, r#"{"labels": {"a": 1}}"#, r#"{"attempt": -1}"#] {
        assert!(reason(body).starts_with("the body cannot be read: "), "{body}");
    }
    assert!(reason(r#"{"maxDurationMinutes": 1}"#).contains("unknown field `maxDurationMinutes`, expected one of"));
    assert!(reason(r#"{"maxDuration": "2 hours"}"#).starts_with("maxDuration is not a duration; write"));
    assert!(reason(r#"{"maxDuration": "-5m"}"#).starts_with("maxDuration is not a duration"));
    assert!(reason(r#"{"expectedDuration": "0m"}"#).starts_with("expectedDuration is zero"));
    assert!(reason(r#"{"maxDuration": "366d"}"#).contains("is too long"));
    assert!(reason(r#"{"ifRefused": "wait"}"#).starts_with("ifRefused is not run or exit"));
    assert!(reason(r#"{"attempt": 0}"#).starts_with("attempt is not"));
    assert!(reason(&format!(r#"{{"kind": "{}"}}"#, "x".repeat(65))).starts_with("kind does not have 1 to 64"));
    assert!(reason(&format!(r#"{{"labels": {{"a": "{}"}}}}"#, "x".repeat(129))).starts_with("label \"a\" has a value"));
    let labels: BTreeMap<String, &str> = (0..9).map(|number| (number.to_string(), "x")).collect();
    assert!(reason(&json!({ "labels": labels }).to_string()).ends_with("a job has at most 8"));
}

#[test]
fn the_end_of_a_job_has_an_outcome() {
    let ended = |target: &str| match read(Method::DELETE, target, "") {
        Ok(ApiRequest::Delete { outcome, .. }) => Some(outcome),
        _ => None,
    };
    assert_eq!(ended("/v1/jobs/a"), Some(JobOutcome::Success));
    assert_eq!(ended("/v1/jobs/a?x=y&outcome=failure"), Some(JobOutcome::Failure));
    assert_eq!(ended("/v1/jobs/a?outcome=interrupted"), Some(JobOutcome::Interrupted));
    assert_eq!(ended("/v1/jobs/a?outcome=good"), None);
}

#[test]
fn only_the_paths_of_the_api_are_known() {
    for path in ["/", "/v1", "/v1/job/a", "/v2/jobs/a", "/v1/jobsa", "/healthz/"] {
        assert_eq!(wrong(Method::GET, path, "").0, 404, "{path}");
    }
    assert_eq!(read(Method::GET, "/healthz?x", "").unwrap(), ApiRequest::Health);
}
