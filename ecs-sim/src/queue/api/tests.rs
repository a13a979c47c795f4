use serde_json::{Value, json};

use super::call;
use crate::queue::{QueueError, QueueOrigin, Queues};

const SENDER: &str = "AROAEXAMPLEID:task";
const URL: &str = "http://anywhere/111122223333/jobs";

struct Client(Queues);

impl Client {
    fn new() -> Self {
        let mut client = Self(Queues::new(QueueOrigin::new("eu-west-1", "111122223333"), 1_800_000_000_000));
        client.ok("CreateQueue", json!({ "QueueName": "jobs" }));
        client
    }

    fn call(&mut self, operation: &str, input: Value) -> Result<Value, QueueError> {
        call(&mut self.0, Some(SENDER), operation, &input)
    }

    fn ok(&mut self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap()
    }

    fn code(&mut self, operation: &str, input: Value) -> &'static str {
        self.call(operation, input).unwrap_err().code()
    }
}

#[test]
fn a_message_is_received_as_it_was_sent() {
    let mut client = Client::new();
    let attributes = json!({
        "binary": { "DataType": "Binary", "BinaryValue": "AP8x" },
        "kind": { "DataType": "String", "StringValue": "häß" },
        "number": { "DataType": "Number.int", "StringValue": "42" },
    });
    let sent =
        client.ok("SendMessage", json!({ "QueueUrl": URL, "MessageBody": "a", "MessageAttributes": attributes }));
    // Both digests were checked against an independent implementation of SQS's algorithm, in Python.
    assert_eq!(sent["MD5OfMessageBody"], "0cc175b9c0f1b6a831c399e269772661");
    assert_eq!(sent["MD5OfMessageAttributes"], "5b3c3522decf61dc8529062d5acac990");

    let all = ["All"];
    let input = json!({ "QueueUrl": URL, "AttributeNames": all, "MessageAttributeNames": all });
    let received = client.ok("ReceiveMessage", input);
    let message = &received["Messages"][0];
    assert_eq!(message["MessageId"], sent["MessageId"]);
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    assert_eq!(message["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"]);
    assert_eq!(message["MessageAttributes"], attributes);
    assert_eq!(
        message["Attributes"],
        json!({
            "ApproximateFirstReceiveTimestamp": "1800000000000",
            "ApproximateReceiveCount": "1",
            "SenderId": SENDER,
            "SentTimestamp": "1800000000000",
        })
    );
}

#[test]
fn only_attributes_that_were_asked_for_come_back() {
    let mut client = Client::new();
    let value = json!({ "DataType": "String", "StringValue": "x" });
    let attributes = json!({ "job.id": value, "job.kind": value, "other": value });
    client.ok("SendMessage", json!({ "QueueUrl": URL, "MessageBody": "a", "MessageAttributes": attributes }));
    let now = json!({ "QueueUrl": URL, "VisibilityTimeout": 0 });
    let bare = client.ok("ReceiveMessage", now);
    assert_eq!(bare["Messages"][0]["Attributes"], Value::Null);
    assert_eq!(bare["Messages"][0]["MessageAttributes"], Value::Null);
    let input = json!({
        "QueueUrl": URL, "MessageSystemAttributeNames": ["SenderId"], "MessageAttributeNames": ["job.*"],
    });
    let message = client.ok("ReceiveMessage", input)["Messages"][0].take();
    assert_eq!(message["Attributes"], json!({ "SenderId": SENDER }));
    assert_eq!(message["MessageAttributes"], json!({ "job.id": value, "job.kind": value }));
}

#[test]
fn empty_queue_answers_without_messages() {
    let mut client = Client::new();
    assert_eq!(client.ok("ReceiveMessage", json!({ "QueueUrl": URL, "WaitTimeSeconds": 20 })), json!({}));
}

#[test]
fn queue_attributes_are_text() {
    let mut client = Client::new();
    let policy = json!({ "deadLetterTargetArn": client.0.arn("jobs"), "maxReceiveCount": "3" }).to_string();
    let attributes = json!({ "RedrivePolicy": policy, "VisibilityTimeout": "5", "SqsManagedSseEnabled": "true" });
    let created = client.ok("CreateQueue", json!({ "QueueName": "work", "Attributes": attributes }));
    let names = ["RedrivePolicy", "VisibilityTimeout", "QueueArn"];
    let input = json!({ "QueueUrl": created["QueueUrl"], "AttributeNames": names });
    let attributes = client.ok("GetQueueAttributes", input)["Attributes"].take();
    assert_eq!(attributes["VisibilityTimeout"], "5");
    assert_eq!(attributes["QueueArn"], "arn:aws:sqs:eu-west-1:111122223333:work");
    let policy: Value = serde_json::from_str(attributes["RedrivePolicy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["maxReceiveCount"], 3);
}

#[test]
fn batch_answer_names_each_entry() {
    let mut client = Client::new();
    let sent = client.ok(
        "SendMessageBatch",
        json!({ "QueueUrl": URL, "Entries": [
            { "Id": "a", "MessageBody": "1" },
            { "Id": "b", "MessageBody": "2", "DelaySeconds": 901 },
            { "Id": "c", "MessageBody": "3", "MessageAttributes": { "k": { "DataType": "Binary", "BinaryValue": "?" } } },
        ] }),
    );
    assert_eq!(sent["Successful"][0]["Id"], "a");
    let mut failed: Vec<&Value> = sent["Failed"].as_array().unwrap().iter().map(|entry| &entry["Id"]).collect();
    failed.sort_by_key(|id| id.as_str());
    assert_eq!(failed, ["b", "c"]);

    let received = client.ok("ReceiveMessage", json!({ "QueueUrl": URL, "MaxNumberOfMessages": 10 }));
    let handle = &received["Messages"][0]["ReceiptHandle"];
    let entries = json!([{ "Id": "x", "ReceiptHandle": handle }, { "Id": "y", "ReceiptHandle": "nonsense" }]);
    let deleted = client.ok("DeleteMessageBatch", json!({ "QueueUrl": URL, "Entries": entries }));
    assert_eq!(deleted["Successful"], json!([{ "Id": "x" }]));
    assert_eq!(deleted["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
}

#[test]
fn errors_have_the_codes_of_sqs() {
    let mut client = Client::new();
    assert_eq!(client.code("GetQueueUrl", json!({ "QueueName": "none" })), "QueueDoesNotExist");
    assert_eq!(client.code("SendMessage", json!({ "QueueUrl": URL })), "MissingParameter");
    assert_eq!(client.code("SendMessage", json!({ "MessageBody": "a" })), "MissingParameter");
    assert_eq!(client.code("SendMessage", json!({ "QueueUrl": URL, "MessageBody": 1 })), "SerializationException");
    let eleven = json!({ "QueueUrl": URL, "MaxNumberOfMessages": 11 });
    assert_eq!(client.code("ReceiveMessage", eleven), "InvalidParameterValue");
    let unknown = json!({ "QueueUrl": URL, "AttributeNames": ["Color"] });
    assert_eq!(client.code("GetQueueAttributes", unknown), "InvalidAttributeName");
    assert_eq!(client.code("TagQueue", json!({})), "UnknownOperationException");
}
