use super::*;
use crate::queue::{QueueOrigin, QueueSettings, SendMessage};

const NOW_MS: i64 = 1_800_000_000_000;

fn queues_with(bodies: &[&str]) -> Queues {
    let mut queues = Queues::new(QueueOrigin::new("eu-west-1", "111122223333"), NOW_MS);
    queues.create("jobs", QueueSettings::default()).unwrap();
    for body in bodies {
        queues.send("jobs", SendMessage::new(*body)).unwrap();
    }
    queues
}

fn settle(answer: &FunctionAnswer) -> Settled {
    let mut queues = queues_with(&["a", "b"]);
    let source = EventSource::new("jobs", 10);
    let batch = source.poll(&mut queues).unwrap().unwrap();
    let settled = source.settle(&mut queues, &batch, answer).unwrap();
    assert_eq!(queues.counts("jobs").unwrap().in_flight, settled.kept.len());
    settled
}

/// How many of two messages a function's answer leaves in the queue.
fn kept_after(answer: Value) -> usize {
    settle(&FunctionAnswer::Answered(answer)).kept.len()
}

#[test]
fn record_has_the_shape_that_lambda_gives_it() {
    let mut queues = queues_with(&[]);
    let message = SendMessage::new("a").with_attribute("kind", "x").from_sender("AROAEXAMPLEID:task").in_group("g");
    let id = queues.send("jobs", message).unwrap();
    let batch = EventSource::new("jobs", 1).poll(&mut queues).unwrap().unwrap();
    let handle = &batch.messages()[0].receipt_handle;
    assert_eq!(
        batch.event,
        json!({ "Records": [{
            "messageId": id,
            "receiptHandle": handle,
            "body": "a",
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1800000000000",
                "SenderId": "AROAEXAMPLEID:task",
                "ApproximateFirstReceiveTimestamp": "1800000000000",
                "MessageGroupId": "g",
            },
            "messageAttributes": { "kind": {
                "dataType": "String", "stringValue": "x", "stringListValues": [], "binaryListValues": [],
            } },
            "md5OfBody": "0cc175b9c0f1b6a831c399e269772661",
            "md5OfMessageAttributes": md5_of_attributes(&batch.messages()[0].message.attributes),
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:jobs",
            "awsRegion": "eu-west-1",
        }] })
    );
}

#[test]
fn empty_queue_gives_no_batch() {
    assert!(EventSource::new("jobs", 10).poll(&mut queues_with(&[])).unwrap().is_none());
}

#[test]
fn batch_has_at_most_its_size() {
    let mut queues = queues_with(&["a", "b", "c"]);
    let batch = EventSource::new("jobs", 2).poll(&mut queues).unwrap().unwrap();
    assert_eq!(batch.messages().len(), 2);
}

#[test]
fn batch_ends_before_six_megabytes() {
    let mebibyte = "a".repeat(1024 * 1024);
    let mut queues = queues_with(&[mebibyte.as_str(); 8]);
    let batch = EventSource::new("jobs", 10).poll(&mut queues).unwrap().unwrap();
    assert!(batch.event.to_string().len() <= 6 * 1024 * 1024);
    assert_eq!(batch.messages().len(), 5);
}

#[test]
fn answer_without_failures_settles_the_whole_batch() {
    for answer in [json!(null), json!({}), json!({ "batchItemFailures": null }), json!({ "batchItemFailures": [] })] {
        assert_eq!(kept_after(answer.clone()), 0, "{answer}");
    }
    assert_eq!(settle(&FunctionAnswer::from_payload(b"")).kept.len(), 0);
}

#[test]
fn reported_message_stays_and_the_others_are_deleted() {
    let mut queues = queues_with(&["a", "b"]);
    let source = EventSource::new("jobs", 10);
    let batch = source.poll(&mut queues).unwrap().unwrap();
    let [a, b] = [0, 1].map(|n| batch.messages()[n].message.id.clone());
    let answer = FunctionAnswer::Answered(json!({ "batchItemFailures": [{ "itemIdentifier": b }] }));
    let settled = source.settle(&mut queues, &batch, &answer).unwrap();
    assert_eq!(settled, Settled { deleted: vec![a], kept: vec![b] });

    queues.advance_to(NOW_MS + 30_000);
    let again = source.poll(&mut queues).unwrap().unwrap();
    assert_eq!(again.event["Records"][0]["attributes"]["ApproximateReceiveCount"], "2");
}

#[test]
fn answer_that_lambda_cannot_use_fails_the_whole_batch() {
    let bad = [
        json!({ "batchItemFailures": [{ "itemIdentifier": "unknown" }] }),
        json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }),
        json!({ "batchItemFailures": [{ "itemIdentifier": null }] }),
        json!({ "batchItemFailures": [{ "itemId": "x" }] }),
        json!({ "batchItemFailures": ["x"] }),
        json!({ "batchItemFailures": "x" }),
        json!("done"),
    ];
    for answer in bad {
        assert_eq!(kept_after(answer.clone()), 2, "{answer}");
    }
}

#[test]
fn function_that_fails_keeps_the_whole_batch() {
    assert_eq!(settle(&FunctionAnswer::Failed).kept.len(), 2);
    assert_eq!(settle(&FunctionAnswer::from_payload(b"{not json")).kept.len(), 2);
}
