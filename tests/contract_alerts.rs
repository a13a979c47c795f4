//! The alert sink against the simulated SNS and SQS and against canned answers: what it sends to which target, and
//! what it returns when one of them fails.

use crate::simulated::{NOW_MS, Simulated, sdk_config};
use ecs_sim::doubles::alerts::sender;
use ecs_sim::http::{AwsService, Publication, Server, ServerOptions, ServiceAnswer, ServiceCall, ServiceError};
use ecs_sim::queue::MessageAttribute;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use taskhold::aws::alerts::AwsAlertSink;
use taskhold::ecs::arn::{ClusterArn, Task};
use taskhold::ecs::service::ServiceArn;
use taskhold::notify::message::AlertMessage;
use taskhold::notify::published;
use taskhold::notify::sink::Sink;
use taskhold::outbox::DeliveryError;
use taskhold::service::alert::{Alert, AlertKind, OwnAction, Transition};
use taskhold::service::blocking_task::{BlockingTask, ProtectedFor};
use taskhold::service::diagnosis::Diagnosis;
use taskhold::service::durations::Learned;
use taskhold::service::forecast::{Deadline, DeadlineSource, Forecast, ForecastBasis};
use taskhold::service::rollout::Rollout;
use taskhold::service::rollout_status::RolloutStatus;
use taskhold::service::snapshot::JobSnapshot;
use taskhold::service::snapshot::read::TASKS_READ_MAX;
use taskhold::service::suggested_action::SuggestedAction;
use taskhold::service::task_counts::TaskCounts;
use taskhold::task::interruption::InterruptedTask;
use taskhold::task::interruption::{Interruption, StopStage};
use taskhold::task::job::{JobKey, Labels};

const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:alerts";
const QUEUE: &str = "alerts";
const SERVICE: &str = "arn:aws:ecs:eu-west-1:111122223333:service/video/web";

fn now() -> Timestamp {
    Timestamp::from_millisecond(NOW_MS).unwrap()
}

/// An alert about a deployment that `tasks` tasks block. Each task has one job with this id and with the most
/// labels of its characters that a job can have.
fn blocked(service: ServiceArn, tasks: usize, job_id: &str) -> Alert {
    let (started_at, until) = (now() - SignedDuration::from_mins(12), now() + SignedDuration::from_mins(90));
    let chars = |most: usize| job_id.chars().take(most).collect::<String>();
    let labels: Labels = (0..8).map(|number| (format!("{number}{}", chars(63)), chars(128))).collect();
    let job = JobSnapshot {
        key: JobKey { job_id: job_id.to_owned(), attempt: 1 },
        until,
        expected_until: None,
        learned: Learned::Nothing,
        silent_since: None,
        labels,
    };
    let blocking_task = |number: usize| BlockingTask {
        task: format!("{number:032x}").parse().unwrap(),
        deployment: Some("ecs-svc/1111111111111111111".to_owned()),
        protected_until: until,
        lingers_until: None,
        jobs_started: 0,
        protected_for: ProtectedFor::Jobs(vec![job.clone()]),
    };
    let count = u32::try_from(tasks).unwrap();
    let diagnosis = Diagnosis {
        rollout_status: RolloutStatus::Blocked,
        rollout: Rollout::Deployment { id: "ecs-svc/2222222222222222222".to_owned(), started_at },
        blocking_tasks: (0..tasks).map(blocking_task).collect(),
        blocked_since: Some(started_at),
        pause: None,
        paused_until: None,
        service_deployment: None,
        forecast: Some(Forecast {
            by_expiry: until,
            by_jobs: until,
            basis: ForecastBasis::Declared,
            by_risk: Some(until),
            jobs_started: 0,
        }),
        deadline: Some(Deadline { at: started_at + SignedDuration::from_hours(3), source: DeadlineSource::Setting }),
        task_counts: TaskCounts {
            desired: count,
            lower_bound: count,
            upper_bound: count * 2,
            live: count * 2,
            protected: count,
            room: 0,
            deployments: 2,
        },
        suggested_actions: vec![SuggestedAction::Wait { until, expected: until }],
        refused_tasks: Vec::new(),
        tag_problems: Vec::new(),
        gaps: Vec::new(),
    };
    Alert {
        incident: format!("{}/{}/deployment-blocked", service.cluster.name, service.name),
        kind: AlertKind::DeploymentBlocked,
        event: Transition::Opened,
        service,
        since: started_at,
        superseded: Vec::new(),
        came_back_at: None,
        first_expected_end: None,
        at: now(),
        diagnosis,
        remediations: Vec::new(),
        own_action: OwnAction::None,
        resolution: None,
    }
}

fn service(cluster: &str, name: &str) -> ServiceArn {
    let cluster: ClusterArn = format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{cluster}").parse().unwrap();
    ServiceArn::new(Arc::new(cluster), name).unwrap()
}

fn alert() -> Alert {
    blocked(service("video", "web"), 2, "secret-job")
}

/// The targets of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Topic,
    Queue,
    Both,
    Neither,
}

async fn sink(endpoint: &str, to: To) -> AwsAlertSink {
    let topic_arn = matches!(to, To::Topic | To::Both).then(|| TOPIC.to_owned());
    let queue_url = matches!(to, To::Queue | To::Both).then(|| format!("{endpoint}/111122223333/{QUEUE}"));
    AwsAlertSink::new(&sdk_config(endpoint).await, topic_arn, queue_url)
}

impl Simulated {
    async fn send(&self, to: To, alert: &Alert) -> Result<(), DeliveryError> {
        sink(&self.server.endpoint(), to).await.send(&AlertMessage::of(alert, &sender())).await
    }

    fn publications(&self) -> Vec<Publication> {
        self.services.lock().unwrap().topics.publications().to_vec()
    }
}

/// SNS and SQS that give every call the configured answer, and the calls.
struct Canned {
    calls: Arc<Mutex<Vec<ServiceCall>>>,
    server: Server,
}

impl Canned {
    async fn answering(sns: ServiceAnswer, sqs: ServiceAnswer) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let captured = Arc::clone(&calls);
        let backend = move |call: ServiceCall| {
            let answer = if call.service == AwsService::Sns { sns.clone() } else { sqs.clone() };
            captured.lock().unwrap().push(call);
            answer
        };
        let server = Server::start(Arc::new(Mutex::new(backend)), ServerOptions::default()).await.unwrap();
        Self { calls, server }
    }

    async fn send(&self, to: To) -> Result<(), DeliveryError> {
        sink(&self.server.endpoint(), to).await.send(&AlertMessage::of(&alert(), &sender())).await
    }

    /// The called operations, ordered by service name.
    fn operations(&self) -> Vec<String> {
        let mut operations: Vec<String> =
            self.calls.lock().unwrap().iter().map(|call| call.operation.clone()).collect();
        operations.sort();
        operations
    }
}

fn taken() -> ServiceAnswer {
    ServiceAnswer::Output(
        json!({"MessageId": "827137ab-8e43-4a17-af32-39b36c047d92", "MD5OfMessageBody": "0".repeat(32)}),
    )
}

fn error(code: &str, status: u16) -> ServiceAnswer {
    ServiceAnswer::Error(ServiceError { code: code.to_owned(), message: "because of x".to_owned(), status })
}

fn attributes() -> Value {
    let string = |value: &str| json!({"DataType": "String", "StringValue": value});
    json!({"kind": string("deployment-blocked"), "event": string("opened"), "service": string(SERVICE)})
}

#[tokio::test]
async fn a_publication_names_topic_subject_texts_and_attributes_and_nothing_else() {
    let canned = Canned::answering(taken(), taken()).await;
    assert_eq!(canned.send(To::Topic).await, Ok(()));
    let calls = canned.calls.lock().unwrap();
    let [call] = calls.as_slice() else { panic!("an alert is published exactly once: {calls:?}") };
    let expected = json!({
        "TopicArn": TOPIC,
        "Subject": AlertMessage::of(&alert(), &sender()).subject,
        "MessageStructure": "json",
        "Message": published::message(&AlertMessage::of(&alert(), &sender())),
        "MessageAttributes": attributes(),
    });
    assert_eq!((call.service, call.operation.as_str(), &call.body), (AwsService::Sns, "Publish", &expected));
    assert_eq!(call.access_key_id.as_deref(), Some("AROAEXAMPLE:taskhold"), "the call is signed");
}

#[tokio::test]
async fn a_message_names_queue_body_and_attributes_and_nothing_else() {
    let canned = Canned::answering(taken(), taken()).await;
    assert_eq!(canned.send(To::Queue).await, Ok(()));
    let calls = canned.calls.lock().unwrap();
    let [call] = calls.as_slice() else { panic!("an alert is sent exactly once: {calls:?}") };
    let expected = json!({
        "QueueUrl": format!("{}/111122223333/{QUEUE}", canned.server.endpoint()),
        "MessageBody": AlertMessage::of(&alert(), &sender()).json,
        "MessageAttributes": attributes(),
    });
    assert_eq!((call.service, call.operation.as_str(), &call.body), (AwsService::Sqs, "SendMessage", &expected));
}

#[tokio::test]
async fn an_alert_goes_to_the_topic_to_the_queue_to_both_or_to_neither() {
    for (to, published, queued) in [(To::Topic, 1, 0), (To::Queue, 0, 1), (To::Both, 1, 1), (To::Neither, 0, 0)] {
        let simulated = Simulated::with_queue(QUEUE).await;
        assert_eq!(simulated.send(to, &alert()).await, Ok(()), "{to:?}");
        assert_eq!((simulated.publications().len(), simulated.queued().len()), (published, queued), "{to:?}");
    }
}

#[tokio::test]
async fn a_publication_has_a_text_for_every_protocol_and_a_queue_gets_json() {
    let simulated = Simulated::with_queue(QUEUE).await;
    simulated.send(To::Both, &alert()).await.unwrap();
    let publication = simulated.publications().remove(0);
    assert_eq!(
        (publication.topic_arn.as_str(), publication.subject),
        (TOPIC, Some(AlertMessage::of(&alert(), &sender()).subject))
    );
    let texts: Value = serde_json::from_str(&publication.message).unwrap();
    assert!(texts["default"].is_string(), "{texts}");
    let attribute = |name: &str, value: &str| (name.to_owned(), MessageAttribute::string(value));
    let attributes =
        [attribute("event", "opened"), attribute("kind", "deployment-blocked"), attribute("service", SERVICE)];
    assert_eq!(simulated.queued(), [(AlertMessage::of(&alert(), &sender()).json, attributes.to_vec())]);
}

#[tokio::test]
async fn kinds_and_events_are_distinguished_by_attributes() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let events = [Transition::Opened, Transition::Escalated, Transition::Repeated, Transition::Resolved];
    let all = AlertKind::ALL.into_iter().flat_map(|kind| events.map(|event| (kind, event)));
    let all: Vec<(AlertKind, Transition)> = all.collect();
    for (kind, event) in &all {
        simulated.send(To::Both, &Alert { kind: *kind, event: *event, ..alert() }).await.unwrap();
    }
    let expected: Vec<(&str, &str)> = all.iter().map(|(kind, event)| (kind.as_str(), event.as_str())).collect();
    let publications = simulated.publications();
    let published = publications.iter().map(|publication| {
        let text = |name: &str| publication.input["MessageAttributes"][name]["StringValue"].as_str().unwrap();
        (text("kind"), text("event"))
    });
    assert_eq!(published.collect::<Vec<_>>(), expected);
    let queued = simulated.queued();
    let queued = queued.iter().map(|(_, attributes)| attributes.clone());
    let expected = all.iter().map(|(kind, event)| {
        let attribute = |name: &str, value: &str| (name.to_owned(), MessageAttribute::string(value));
        vec![attribute("event", event.as_str()), attribute("kind", kind.as_str()), attribute("service", SERVICE)]
    });
    assert_eq!(queued.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn of_a_task_whose_service_is_not_known_there_is_no_attribute_for_it() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let task = Task { cluster: service("video", "web").cluster, id: format!("{:032x}", 7).parse().unwrap() };
    let interruption = Interruption {
        stage: StopStage::Stopped,
        at: now(),
        service: None,
        jobs: Vec::new(),
        stop_code: None,
        stopped_reason: None,
        exit_codes: Vec::new(),
        protected_until: None,
        protection_reported_at: None,
        is_reported_by_worker: false,
        protection_lost_at: None,
    };
    let message =
        AlertMessage::of(&InterruptedTask { task: task.clone(), interruption: interruption.clone() }, &sender());
    assert_eq!(sink(&simulated.server.endpoint(), To::Both).await.send(&message).await, Ok(()));
    let attribute = |name: &str, value: &str| (name.to_owned(), MessageAttribute::string(value));
    let attributes = vec![attribute("event", "opened"), attribute("kind", "job-interrupted")];
    assert_eq!(simulated.queued(), [(message.json.clone(), attributes)]);
    let publication = simulated.publications().remove(0);
    let names = publication.input["MessageAttributes"].as_object().unwrap().keys().cloned();
    assert_eq!(names.collect::<Vec<_>>(), ["event", "kind"]);
    assert_eq!(publication.subject, Some(message.subject));
}

/// The longest names that ECS allows, the most tasks that a reconcile reads, and the longest job ids, in the
/// characters that are largest in JSON.
#[tokio::test]
async fn an_alert_about_the_largest_service_is_taken_whole() {
    let long = "n".repeat(255);
    for job_id in ["\u{1f980}".repeat(256), "\u{1}".repeat(256), "\"\\".repeat(128)] {
        let simulated = Simulated::with_queue(QUEUE).await;
        let alert = blocked(service(&long, &long), TASKS_READ_MAX, &job_id);
        assert_eq!(simulated.send(To::Both, &alert).await, Ok(()));
        assert_eq!((simulated.publications().len(), simulated.queued().len()), (1, 1));
    }
}

#[tokio::test]
async fn a_failed_send_does_not_prevent_the_other() {
    let because_of = |which: &str, text: &str| {
        assert!(text.starts_with(&format!("the {which} did not take it: HTTP 403: ")), "{text}");
        assert_eq!(text.matches("did not take it").count(), 1, "{text}");
    };
    let canned = Canned::answering(error("AuthorizationError", 403), taken()).await;
    because_of("alert topic", &canned.send(To::Both).await.unwrap_err().to_string());
    assert_eq!(canned.operations(), ["Publish", "SendMessage"]);

    let canned = Canned::answering(taken(), error("AccessDeniedException", 403)).await;
    because_of("alert queue", &canned.send(To::Both).await.unwrap_err().to_string());
    assert_eq!(canned.operations(), ["Publish", "SendMessage"]);
}

#[tokio::test]
async fn if_both_fail_the_text_says_so_of_each() {
    let canned = Canned::answering(error("InternalError", 500), error("RequestThrottled", 403)).await;
    let text = canned.send(To::Both).await.unwrap_err().to_string();
    let (topic, queue) = text.split_once("; the alert queue did not take it: ").unwrap_or_else(|| panic!("{text}"));
    assert!(topic.starts_with("the alert topic did not take it: HTTP 500: "), "{text}");
    assert!(queue.starts_with("HTTP 403: "), "{text}");
}

#[tokio::test]
async fn a_failure_is_logged_in_a_line_without_the_alert_and_is_not_retried() {
    for (answer, expected) in [
        (error("Throttled", 429), "because of x"),
        (error("AuthorizationError", 403), "because of x"),
        (error("NotFound", 404), "because of x"),
        (error("KMSThrottling", 400), "because of x"),
        (error("ABrandNewError", 400), "ABrandNewError"),
        (error("InternalError", 500), "HTTP 500"),
        (ServiceAnswer::ConnectionLost, "connection closed"),
    ] {
        let canned = Canned::answering(answer, taken()).await;
        let text = canned.send(To::Topic).await.unwrap_err().to_string();
        assert!(text.contains(expected), "expected {expected}, found {text}");
        assert!(!text.contains("secret") && text.len() < 300, "{text}");
        assert_eq!(canned.operations(), ["Publish"]);
    }
    for (answer, expected) in [
        (error("RequestThrottled", 403), "because of x"),
        (error("AccessDeniedException", 403), "AccessDeniedException"),
        (error("QueueDoesNotExist", 400), "because of x"),
        (error("InternalFailure", 500), "HTTP 500"),
        (ServiceAnswer::ConnectionLost, "connection closed"),
    ] {
        let canned = Canned::answering(taken(), answer).await;
        let text = canned.send(To::Queue).await.unwrap_err().to_string();
        assert!(text.contains(expected), "expected {expected}, found {text}");
        assert!(!text.contains("secret") && text.len() < 300, "{text}");
        assert_eq!(canned.operations(), ["SendMessage"]);
    }
}

#[tokio::test]
async fn a_queue_that_does_not_exist_takes_nothing_and_the_topic_still_does() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let endpoint = simulated.server.endpoint();
    let elsewhere = Some(format!("{endpoint}/111122223333/another"));
    let sink = AwsAlertSink::new(&sdk_config(&endpoint).await, Some(TOPIC.to_owned()), elsewhere);
    let text = sink.send(&AlertMessage::of(&alert(), &sender())).await.unwrap_err().to_string();
    assert!(text.starts_with("the alert queue did not take it: HTTP 400: "), "{text}");
    assert_eq!(simulated.publications().len(), 1);
}

#[tokio::test]
async fn without_a_listener_nothing_is_delivered() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let text = sink(&format!("http://127.0.0.1:{port}"), To::Both)
        .await
        .send(&AlertMessage::of(&alert(), &sender()))
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(text.matches("Connection refused").count(), 2, "{text}");
}

/// A server that accepts two connections, answers neither, and closes both. If the sink made the second call only
/// after the first had failed, the first would have to time out.
#[tokio::test]
async fn topic_and_queue_are_notified_at_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the second connection, or with the test's process.
    std::thread::spawn(move || {
        let both = [listener.accept().unwrap(), listener.accept().unwrap()];
        drop(both);
    });
    let text =
        sink(&endpoint, To::Both).await.send(&AlertMessage::of(&alert(), &sender())).await.unwrap_err().to_string();
    assert!(!text.contains("timeout") && !text.contains("timed out"), "{text}");
    assert_eq!(text.matches("did not take it").count(), 2, "{text}");
}
