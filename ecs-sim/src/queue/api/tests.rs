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
    assert_eq!(bare["Messages"][0]["MD5OfMessageAttributes"], Value::Null);
    let input = json!({
        "QueueUrl": URL, "MessageSystemAttributeNames": ["SenderId"], "MessageAttributeNames": ["job.*"],
    });
    let message = client.ok("ReceiveMessage", input)["Messages"][0].take();
    assert_eq!(message["Attributes"], json!({ "SenderId": SENDER }));
    assert_eq!(message["MessageAttributes"], json!({ "job.id": value, "job.kind": value }));
}

#[test]
fn a_binary_value_that_is_no_base64_is_refused() {
    let mut client = Client::new();
    let attributes = json!({ "k": { "DataType": "Binary", "BinaryValue": "?" } });
    let input = json!({ "QueueUrl": URL, "MessageBody": "a", "MessageAttributes": attributes });
    assert_eq!(client.call("SendMessage", input).unwrap_err().code(), "InvalidParameterValue");
}
