//! The alert sink against the simulated SNS and SQS and against canned answers: what it sends to which target, and
//! what it returns when one of them fails.

use crate::alerts::{huge, usual};
use crate::canned_aws::{CannedAws, failed};
use crate::simulated::{Simulated, sdk_config};
use ecs_sim::doubles::alerts::sender;
use ecs_sim::http::{AwsService, Publication, ServiceAnswer, ServiceCall};
use ecs_sim::queue::MessageAttribute;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
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

impl CannedAws {
    /// SNS and SQS that give each call these answers.
    async fn answering_each(sns: ServiceAnswer, sqs: ServiceAnswer) -> Self {
        let backend = move |call: ServiceCall| if call.service == AwsService::Sns { sns.clone() } else { sqs.clone() };
        Self::with(backend).await
    }

    async fn send(&self, to: To) -> Result<(), DeliveryError> {
        sink(&self.endpoint, to).await.send(&AlertMessage::of(&usual(), &sender())).await
    }

    /// The called operations, ordered by service name.
    fn operations(&self) -> Vec<String> {
        let mut operations: Vec<String> = self.take_calls().into_iter().map(|call| call.operation).collect();
        operations.sort();
        operations
    }
}

fn taken() -> ServiceAnswer {
    ServiceAnswer::Output(
        json!({"MessageId": "827137ab-8e43-4a17-af32-39b36c047d92", "MD5OfMessageBody": "0".repeat(32)}),
    )
}

fn attributes() -> Value {
    let string = |value: &str| json!({"DataType": "String", "StringValue": value});
    json!({"kind": string("deployment-blocked"), "event": string("opened"), "service": string(SERVICE)})
}

#[tokio::test]
async fn a_publication_names_topic_subject_texts_and_attributes_and_nothing_else() {
    let canned = CannedAws::answering_each(taken(), taken()).await;
    assert_eq!(canned.send(To::Topic).await, Ok(()));
    let call = canned.take_call();
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
    let canned = CannedAws::answering_each(taken(), taken()).await;
    assert_eq!(canned.send(To::Queue).await, Ok(()));
    let call = canned.take_call();
    let expected = json!({
        "QueueUrl": format!("{}/111122223333/{QUEUE}", canned.endpoint),
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
    let canned = CannedAws::answering_each(failed("AuthorizationError", 403), taken()).await;
    because_of("alert topic", &canned.send(To::Both).await.unwrap_err().to_string());
    assert_eq!(canned.operations(), ["Publish", "SendMessage"]);

    let canned = CannedAws::answering_each(taken(), failed("AccessDeniedException", 403)).await;
    because_of("alert queue", &canned.send(To::Both).await.unwrap_err().to_string());
    assert_eq!(canned.operations(), ["Publish", "SendMessage"]);
}

#[tokio::test]
async fn if_both_fail_the_text_says_so_of_each() {
    let canned = CannedAws::answering_each(failed("InternalError", 500), failed("RequestThrottled", 403)).await;
    let text = canned.send(To::Both).await.unwrap_err().to_string();
    let (topic, queue) = text.split_once("; the alert queue did not take it: ").unwrap_or_else(|| panic!("{text}"));
    assert!(topic.starts_with("the alert topic did not take it: HTTP 500: "), "{text}");
    assert!(queue.starts_with("HTTP 403: "), "{text}");
}

#[tokio::test]
async fn a_failure_is_logged_in_a_line_without_the_alert_and_is_not_retried() {
    for (answer, expected) in [
        (failed("Throttled", 429), "because of x"),
        (failed("AuthorizationError", 403), "because of x"),
        (failed("NotFound", 404), "because of x"),
        (failed("KMSThrottling", 400), "because of x"),
        (failed("ABrandNewError", 400), "ABrandNewError"),
        (failed("InternalError", 500), "HTTP 500"),
        (ServiceAnswer::ConnectionLost, "connection closed"),
    ] {
        let canned = CannedAws::answering_each(answer, taken()).await;
        let text = canned.send(To::Topic).await.unwrap_err().to_string();
        assert!(text.contains(expected), "expected {expected}, found {text}");
        assert!(!text.contains("episode-0417") && text.len() < 300, "{text}");
        assert_eq!(canned.operations(), ["Publish"]);
    }
    for (answer, expected) in [
        (failed("RequestThrottled", 403), "because of x"),
        (failed("AccessDeniedException", 403), "AccessDeniedException"),
        (failed("QueueDoesNotExist", 400), "because of x"),
        (failed("InternalFailure", 500), "HTTP 500"),
        (ServiceAnswer::ConnectionLost, "connection closed"),
    ] {
        let canned = CannedAws::answering_each(taken(), answer).await;
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
