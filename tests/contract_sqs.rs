//! The adapter of the queues for dead-lettered messages and interrupted jobs, against the simulated SQS and canned
//! answers: what it sends, and which answers it accepts as success.
//!
//! Neither this SDK nor the adapter compares the MD5 digests of an answer. The tests of the simulated SQS check
//! that its digests match the real ones.

use crate::canned_aws::{CannedAws, failed};
use crate::simulated::{Simulated, sdk_config};
use ecs_sim::http::{ServiceAnswer, ServiceCall};
use ecs_sim::queue::MessageAttribute;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use taskhold::aws::sqs::AwsQueue;
use taskhold::lambda::dead_letter::{
    BODY_BYTES_ATTRIBUTE, DeadLetter, DeadLetterQueue, MESSAGE_ID_ATTRIBUTE, REASON_ATTRIBUTE, ReceivedDeadLetter,
    SENDER_ATTRIBUTE, SOURCE_ATTRIBUTE,
};
use taskhold::lambda::received::{Channel, Received, SENT_AT_ATTRIBUTE};
use taskhold::notify::sink::InterruptedJobQueue;
use taskhold::sqs::{MESSAGE_BYTES_MAX, MESSAGES_PER_SEND_MAX, SqsError};

const QUEUE: &str = "jobs-dead-lettered";
const SOURCE: &str = "arn:aws:sqs:eu-west-1:111122223333:jobs";

const ID: &str = "827137ab-8e43-4a17-af32-39b36c047d92";
const SENDER: &str = "AROAEXAMPLE:6b777c1809a94925ab48098fa09824de";
const SENT_AT: &str = "2026-01-05T09:30:00.5Z";

fn dead_letter(body: &str, reason: &str) -> DeadLetter {
    let record = json!({"messageId": ID, "body": body, "eventSourceARN": SOURCE, "attributes": {},
        "messageAttributes": {}});
    let received =
        Received { sent_at: SENT_AT.parse().unwrap(), receives: 1, sender: SENDER.to_owned(), channel: Channel::Queue };
    DeadLetter::new(&serde_json::from_value(record).unwrap(), &received, reason)
}

fn dead_lettered(body: &str) -> DeadLetter {
    dead_letter(body, "`jobId` is missing")
}

async fn queue_at(endpoint: &str, queue: &str) -> AwsQueue {
    let config = sdk_config(endpoint).await;
    AwsQueue::new(&config, format!("{endpoint}/111122223333/{queue}"))
}

impl Simulated {
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), SqsError>> {
        queue_at(&self.server.endpoint(), QUEUE).await.send_dead_letters(messages).await
    }

    async fn forward(&self, bodies: &[String]) -> Vec<Result<(), SqsError>> {
        queue_at(&self.server.endpoint(), QUEUE).await.send(bodies).await
    }
}

impl CannedAws {
    async fn queue(&self) -> AwsQueue {
        queue_at(&self.endpoint, QUEUE).await
    }
}

fn successful(id: &str) -> Value {
    json!({"Id": id, "MessageId": "m", "MD5OfMessageBody": "0".repeat(32)})
}

#[tokio::test]
async fn a_send_names_queue_bodies_and_attributes_of_type_string_and_nothing_else() {
    let aws = CannedAws::returning(json!({"Successful": [successful("0")], "Failed": []})).await;
    assert_eq!(aws.queue().await.send_dead_letters(&[dead_lettered("{\"a\": 1}")]).await, [Ok(())]);
    let string = |value: &str| json!({"DataType": "String", "StringValue": value});
    let expected = json!({
        "QueueUrl": format!("{}/111122223333/{QUEUE}", aws.endpoint),
        "Entries": [{"Id": "0", "MessageBody": "{\"a\": 1}", "MessageAttributes": {
            REASON_ATTRIBUTE: string("`jobId` is missing"),
            MESSAGE_ID_ATTRIBUTE: string("827137ab-8e43-4a17-af32-39b36c047d92"),
            SOURCE_ATTRIBUTE: string(SOURCE),
            SENT_AT_ATTRIBUTE: string(SENT_AT),
            SENDER_ATTRIBUTE: string(SENDER),
        }}],
    });
    aws.assert_called("SendMessageBatch", &expected);
}

#[tokio::test]
async fn a_dead_lettered_message_is_in_the_queue_with_its_reason_its_id_and_its_source() {
    let simulated = Simulated::with_queue(QUEUE).await;
    assert_eq!(simulated.send_dead_letters(&[dead_lettered("not json \u{1f980}")]).await, [Ok(())]);
    let attribute = |name: &str, value: &str| (name.to_owned(), MessageAttribute::string(value));
    let attributes = vec![
        attribute(MESSAGE_ID_ATTRIBUTE, "827137ab-8e43-4a17-af32-39b36c047d92"),
        attribute(REASON_ATTRIBUTE, "`jobId` is missing"),
        attribute(SENDER_ATTRIBUTE, SENDER),
        attribute(SENT_AT_ATTRIBUTE, SENT_AT),
        attribute(SOURCE_ATTRIBUTE, SOURCE),
    ];
    assert_eq!(simulated.queued(), [("not json \u{1f980}".to_owned(), attributes)]);
}

#[tokio::test]
async fn as_many_messages_as_sqs_takes_in_one_send_arrive_in_their_order() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let messages: Vec<DeadLetter> = (0..MESSAGES_PER_SEND_MAX).map(|at| dead_lettered(&format!("body {at}"))).collect();
    assert_eq!(simulated.send_dead_letters(&messages).await, vec![Ok(()); MESSAGES_PER_SEND_MAX]);
    let bodies: Vec<String> = simulated.queued().into_iter().map(|(body, _)| body).collect();
    assert_eq!(bodies, (0..MESSAGES_PER_SEND_MAX).map(|at| format!("body {at}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_message_that_was_as_large_as_sqs_takes_is_taken_again_with_its_reason() {
    for body in ["x".repeat(MESSAGE_BYTES_MAX), "\u{1f980}".repeat(MESSAGE_BYTES_MAX / 4)] {
        let simulated = Simulated::with_queue(QUEUE).await;
        let reason = "\u{10ffff}".repeat(5000);
        let message = dead_letter(&body, &reason);
        assert_eq!(simulated.send_dead_letters(&[message]).await, [Ok(())]);
        let (kept, attributes) = simulated.queued().remove(0);
        assert!(body.starts_with(&kept) && kept.len() > MESSAGE_BYTES_MAX - 8 * 1024, "{}", kept.len());
        let expected = (BODY_BYTES_ATTRIBUTE.to_owned(), MessageAttribute::string(MESSAGE_BYTES_MAX.to_string()));
        assert!(attributes.contains(&expected));
    }
}

#[tokio::test]
async fn large_messages_go_in_as_many_sends_as_sqs_needs() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let mut messages = vec![dead_lettered(&"x".repeat(400_000)); 3];
    messages.push(dead_lettered(""));
    let sends = DeadLetter::sends(&messages);
    assert_eq!(sends.len(), 2);
    for send in sends {
        assert_eq!(simulated.send_dead_letters(send).await, vec![Ok(()); send.len()]);
    }
    let bodies: Vec<usize> = simulated.queued().iter().map(|(body, _)| body.len()).collect();
    assert_eq!(bodies, [400_000, 400_000, 400_000, "(empty)".len()]);
}

#[tokio::test]
async fn a_message_that_sqs_refuses_does_not_keep_its_neighbours_out() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let refused = DeadLetter { body: "\u{0}".to_owned(), attributes: Vec::new() };
    let kept = simulated.send_dead_letters(&[dead_lettered("first"), refused, dead_lettered("third")]).await;
    assert_eq!((&kept[0], &kept[2]), (&Ok(()), &Ok(())));
    assert!(kept[1].as_ref().unwrap_err().to_string().starts_with("InvalidMessageContents: "), "{:?}", kept[1]);
    assert_eq!(simulated.queued().len(), 2);
}

#[tokio::test]
async fn an_answer_is_read_by_the_ids_of_its_entries_and_silence_about_one_means_that_it_is_not_kept() {
    let aws = CannedAws::returning(json!({
        "Successful": [successful("3"), successful("77"), successful("from the future"), successful("0")],
        "Failed": [
            {"Id": "2", "Code": "InternalError", "SenderFault": false},
            {"Id": "4", "Code": "InvalidParameterValue", "Message": "because of x", "SenderFault": true},
            {"Id": "78", "Code": "InternalError", "SenderFault": false},
        ],
    }))
    .await;
    let failed = |why: &str| Err(SqsError::Failed(why.to_owned()));
    let expected = [
        Ok(()),
        Err(SqsError::Unanswered),
        failed("InternalError: no message"),
        Ok(()),
        failed("InvalidParameterValue: because of x"),
    ];
    assert_eq!(aws.queue().await.send_dead_letters(&vec![dead_lettered("x"); 5]).await, expected);
}

#[tokio::test]
async fn an_entry_reported_as_both_succeeded_and_failed_is_not_delivered() {
    let failed = json!({"Id": "0", "Code": "InternalError", "SenderFault": false});
    let aws = CannedAws::returning(json!({"Successful": [successful("0")], "Failed": [failed]})).await;
    assert_eq!(
        aws.queue().await.send_dead_letters(&[dead_lettered("x")]).await,
        [Err(SqsError::Failed("InternalError: no message".to_owned()))]
    );
}

#[tokio::test]
async fn a_send_that_fails_as_a_whole_keeps_none_of_its_messages_and_is_not_tried_again() {
    for (answer, expected) in [
        (failed("QueueDoesNotExist", 400), "because of x"),
        (failed("AccessDeniedException", 403), "AccessDeniedException"),
        (failed("RequestThrottled", 403), "because of x"),
        (failed("InternalFailure", 500), "HTTP 500"),
        (ServiceAnswer::ConnectionLost, "connection closed"),
    ] {
        let aws = CannedAws::answering(answer).await;
        let kept = aws.queue().await.send_dead_letters(&vec![dead_lettered("secret"); 3]).await;
        assert_eq!(kept.len(), 3);
        for kept in kept {
            let why = kept.unwrap_err().to_string();
            assert!(why.contains(expected), "expected {expected}, found {why}");
            assert!(!why.contains("secret") && why.len() < 300, "{why}");
        }
        aws.take_call();
    }
}

#[tokio::test]
async fn a_queue_that_does_not_exist_keeps_nothing() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let queue = queue_at(&simulated.server.endpoint(), "another").await;
    let why = queue.send_dead_letters(&[dead_lettered("x")]).await.remove(0).unwrap_err().to_string();
    assert!(why.contains("HTTP 400") && why.contains("queue"), "{why}");
}

#[tokio::test]
async fn without_a_listener_nothing_is_kept() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let queue = queue_at(&format!("http://127.0.0.1:{port}"), QUEUE).await;
    let why = queue.send_dead_letters(&[dead_lettered("x")]).await.remove(0).unwrap_err().to_string();
    assert!(why.contains("Connection refused"), "{why}");
}

#[tokio::test]
async fn a_receive_asks_for_all_attributes_and_hides_the_messages_for_longer_than_an_invocation() {
    let aws = CannedAws::returning(json!({})).await;
    assert_eq!(aws.queue().await.receive_dead_letters(7).await, Ok(Vec::new()));
    let expected = json!({"QueueUrl": format!("{}/111122223333/{QUEUE}", aws.endpoint),
        "MaxNumberOfMessages": 7, "VisibilityTimeout": 120, "WaitTimeSeconds": 1,
        "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]});
    aws.assert_called("ReceiveMessage", &expected);
}

#[tokio::test]
async fn a_dead_letter_is_received_with_all_that_was_sent_and_is_gone_once_deleted() {
    let simulated = Simulated::with_queue(QUEUE).await;
    simulated.send_dead_letters(&[dead_lettered("first"), dead_lettered("second")]).await;
    let queue = queue_at(&simulated.server.endpoint(), QUEUE).await;
    let received = queue.receive_dead_letters(10).await.unwrap();
    let bodies: Vec<&str> = received.iter().map(|message| message.body.as_str()).collect();
    assert_eq!(bodies, ["first", "second"]);
    let ReceivedDeadLetter { message_id, attributes, system_attributes, .. } = &received[0];
    assert!(!message_id.is_empty());
    for (name, value) in dead_lettered("first").attributes {
        assert_eq!(attributes.get(name), Some(&value));
    }
    for name in ["SenderId", "SentTimestamp"] {
        assert!(system_attributes.contains_key(name), "{system_attributes:?}");
    }
    let handles = [received[0].receipt_handle.clone(), "no handle".to_owned()];
    let deleted = queue.delete_dead_letters(&handles).await;
    assert!(deleted[0].is_ok() && deleted[1].is_err(), "{deleted:?}");
    assert_eq!(simulated.queued().iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["second"]);
}

#[tokio::test]
async fn a_receive_or_a_delete_that_fails_says_why() {
    let aws = CannedAws::answering(failed("AccessDeniedException", 403)).await;
    let queue = aws.queue().await;
    assert!(queue.receive_dead_letters(1).await.unwrap_err().to_string().contains("AccessDeniedException"));
    for deleted in queue.delete_dead_letters(&["a".to_owned(), "b".to_owned()]).await {
        assert!(deleted.unwrap_err().to_string().contains("AccessDeniedException"));
    }
}

#[tokio::test]
async fn an_interrupted_job_is_a_body_without_attributes() {
    let aws = CannedAws::returning(json!({"Successful": [successful("0")], "Failed": []})).await;
    assert_eq!(aws.queue().await.send(&["{\"a\": 1}".to_owned()]).await, [Ok(())]);
    let url = format!("{}/111122223333/{QUEUE}", aws.endpoint);
    let expected = json!({"QueueUrl": url, "Entries": [{"Id": "0", "MessageBody": "{\"a\": 1}"}]});
    aws.assert_called("SendMessageBatch", &expected);
}

#[tokio::test]
async fn of_no_interrupted_jobs_nothing_is_sent() {
    let aws = CannedAws::answering(ServiceAnswer::ConnectionLost).await;
    assert!(aws.queue().await.send(&[]).await.is_empty());
    assert!(aws.take_calls().is_empty());
}

#[tokio::test]
async fn any_number_of_interrupted_jobs_goes_in_batches_and_each_has_its_answer() {
    let simulated = Simulated::with_queue(QUEUE).await;
    let mut bodies: Vec<String> = (0..123).map(|at| format!("body {at}")).collect();
    bodies[17] = "\u{ffff}".to_owned();
    bodies[42] = "x".repeat(MESSAGE_BYTES_MAX);
    let kept = simulated.forward(&bodies).await;
    let refused: Vec<usize> = (0..kept.len()).filter(|at| kept[*at].is_err()).collect();
    assert_eq!((kept.len(), refused), (123, vec![17]), "{:?}", kept[17]);
    let mut found: Vec<String> = simulated.queued().into_iter().map(|(body, _)| body).collect();
    bodies.remove(17);
    found.sort();
    bodies.sort();
    assert_eq!(found, bodies);
}

#[tokio::test]
async fn a_batch_of_interrupted_jobs_that_is_lost_loses_no_other() {
    let lost = |call: &ServiceCall| call.body["Entries"].to_string().contains("body 13\"");
    let backend = move |call: ServiceCall| {
        let entries = call.body["Entries"].as_array().unwrap().clone();
        let kept: Vec<Value> = entries.iter().map(|entry| successful(entry["Id"].as_str().unwrap())).collect();
        if lost(&call) {
            ServiceAnswer::ConnectionLost
        } else {
            ServiceAnswer::Output(json!({"Successful": kept, "Failed": []}))
        }
    };
    let aws = CannedAws::with(backend).await;
    let bodies: Vec<String> = (0..30).map(|at| format!("body {at}")).collect();
    let kept = aws.queue().await.send(&bodies).await;
    let unkept: Vec<usize> = (0..30).filter(|at| kept[*at].is_err()).collect();
    assert_eq!(unkept, (10..20).collect::<Vec<_>>());
}
