//! The alert sink against the simulated SNS and SQS and against canned answers: what it sends to which target, and
//! what it returns when one of them fails.

use crate::alerts::{huge, usual};
use crate::simulated::{Simulated, sdk_config};
use ecs_sim::doubles::alerts::sender;
use ecs_sim::http::{AwsService, Publication, Server, ServerOptions, ServiceAnswer, ServiceCall, ServiceError};
use ecs_sim::queue::MessageAttribute;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use taskhold::aws::alerts::AwsAlertSink;
use taskhold::ecs::arn::Task;
use taskhold::notify::message::AlertMessage;
use taskhold::notify::published;
use taskhold::notify::sink::Sink;
use taskhold::outbox::DeliveryError;
use taskhold::service::alert::{Alert, AlertKind, Transition};
use taskhold::task::interruption::InterruptedTask;
use taskhold::task::interruption::{Interruption, StopStage};

const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:alerts";
const QUEUE: &str = "alerts";
const SERVICE: &str = "arn:aws:ecs:eu-west-1:111122223333:service/video/transcode";

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
        sink(&self.server.endpoint(), to).await.send(&AlertMessage::of(&usual(), &sender())).await
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
        "Subject": AlertMessage::of(&usual(), &sender()).subject,
        "MessageStructure": "json",
        "Message": published::message(&AlertMessage::of(&usual(), &sender())),
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
        "MessageBody": AlertMessage::of(&usual(), &sender()).json,
        "MessageAttributes": attributes(),
    });
    assert_eq!((call.service, call.operation.as_str(), &call.body), (AwsService::Sqs, "SendMessage", &expected));
}

#[tokio::test]
async fn an_alert_goes_to_the_topic_to_the_queue_to_both_or_to_neither() {
    for (to, published, queued) in [(To::Topic, 1, 0), (To::Queue, 0, 1), (To::Both, 1, 1), (To::Neither, 0, 0)] {
        let simulated = Simulated::with_queue(QUEUE).await;
        assert_eq!(simulated.send(to, &usual()).await, Ok(()), "{to:?}");
        assert_eq!((simulated.publications().len(), simulated.queued().len()), (published, queued), "{to:?}");
    }
}

#[tokio::test]
async fn kinds_and_events_are_distinguished_by_attributes() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let events = [Transition::Opened, Transition::Escalated, Transition::Repeated, Transition::Resolved];
    let all = AlertKind::ALL.into_iter().flat_map(|kind| events.map(|event| (kind, event)));
    let all: Vec<(AlertKind, Transition)> = all.collect();
    for (kind, event) in &all {
        simulated.send(To::Both, &Alert { kind: *kind, event: *event, ..usual() }).await.unwrap();
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
    let task = Task { cluster: usual().service.cluster, id: format!("{:032x}", 7).parse().unwrap() };
    let interruption = Interruption {
        stage: StopStage::Stopped,
        at: usual().at,
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

#[tokio::test]
async fn an_alert_about_the_largest_service_is_taken_whole() {
    let simulated = Simulated::with_queue(QUEUE).await;
    assert_eq!(simulated.send(To::Both, &huge()).await, Ok(()));
    assert_eq!((simulated.publications().len(), simulated.queued().len()), (1, 1));
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
        assert!(!text.contains("episode-0417") && text.len() < 300, "{text}");
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
        assert!(!text.contains("episode-0417") && text.len() < 300, "{text}");
        assert_eq!(canned.operations(), ["SendMessage"]);
    }
}

#[tokio::test]
async fn a_queue_that_does_not_exist_takes_nothing_and_the_topic_still_does() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let endpoint = simulated.server.endpoint();
    let elsewhere = Some(format!("{endpoint}/111122223333/another"));
    let sink = AwsAlertSink::new(&sdk_config(&endpoint).await, Some(TOPIC.to_owned()), elsewhere);
    let text = sink.send(&AlertMessage::of(&usual(), &sender())).await.unwrap_err().to_string();
    assert!(text.starts_with("the alert queue did not take it: HTTP 400: "), "{text}");
    assert_eq!(simulated.publications().len(), 1);
}

#[tokio::test]
async fn without_a_listener_nothing_is_delivered() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let text = sink(&format!("http://127.0.0.1:{port}"), To::Both)
        .await
        .send(&AlertMessage::of(&usual(), &sender()))
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
        sink(&endpoint, To::Both).await.send(&AlertMessage::of(&usual(), &sender())).await.unwrap_err().to_string();
    assert!(!text.contains("timeout") && !text.contains("timed out"), "{text}");
    assert_eq!(text.matches("did not take it").count(), 2, "{text}");
}
