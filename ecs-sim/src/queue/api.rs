//! The operations of SQS in their JSON shapes (AWS JSON 1.0), independent of HTTP.
//!
//! Left out on purpose: WaitTimeSeconds (a receive answers at once, as SQS's short polling does), message system
//! attributes such as AWSTraceHeader, and every operation that no test of this project calls.

mod attributes;
mod inputs;
mod messages;

use serde_json::{Map, Value, json};

use super::{
    BATCH_ENTRIES_MAX, QueueError, Queues, Receive, SendMessageEntry, check_entry_ids, md5_of_attributes, md5_of_text,
};
use inputs::{
    BatchInput, CreateQueueInput, DeleteEntryInput, GetQueueAttributesInput, ListQueuesInput, QueueInput, ReceiptInput,
    ReceiveMessageInput, SendEntryInput, SendMessageInput, parse, required,
};
use messages::received_message;

/// Maximum number of queues per ListQueues page.
const LISTED_MAX: usize = 1000;

/// Performs one operation and returns its output. `sender_id` is the caller, as SQS reports senders: `ROLE-ID:SESSION`.
///
/// # Errors
/// The error of SQS, and `UnknownOperation` for an operation that is not simulated.
pub fn call(queues: &mut Queues, sender_id: Option<&str>, operation: &str, input: &Value) -> Result<Value, QueueError> {
    match operation {
        "CreateQueue" => create_queue(queues, &parse(input)?),
        "GetQueueUrl" => get_queue_url(queues, &parse(input)?),
        "ListQueues" => list_queues(queues, &parse(input)?),
        "GetQueueAttributes" => get_queue_attributes(queues, &parse(input)?),
        "PurgeQueue" => queues.purge(&parse::<QueueInput>(input)?.queue()?).map(|()| json!({})),
        "SendMessage" => send_message(queues, sender_id, parse(input)?),
        "SendMessageBatch" => send_message_batch(queues, sender_id, parse(input)?),
        "ReceiveMessage" => receive_message(queues, &parse(input)?),
        "DeleteMessage" => delete_message(queues, &parse(input)?),
        "DeleteMessageBatch" => delete_message_batch(queues, &parse(input)?),
        "ChangeMessageVisibility" => change_message_visibility(queues, &parse(input)?),
        _ => Err(QueueError::UnknownOperation { operation: operation.to_owned() }),
    }
}

fn create_queue(queues: &mut Queues, input: &CreateQueueInput) -> Result<Value, QueueError> {
    let name = required(input.queue_name.as_deref(), "QueueName")?;
    let settings = attributes::parse(name, &input.attributes)?;
    Ok(json!({ "QueueUrl": queues.create(name, settings)? }))
}

fn get_queue_url(queues: &Queues, input: &CreateQueueInput) -> Result<Value, QueueError> {
    let name = required(input.queue_name.as_deref(), "QueueName")?;
    queues.settings(name)?;
    Ok(json!({ "QueueUrl": queues.url(name) }))
}

/// SQS API Reference, "ListQueues": a page has 1,000 queues at most, and a token only follows if MaxResults is set.
fn list_queues(queues: &Queues, input: &ListQueuesInput) -> Result<Value, QueueError> {
    let max = input.max_results.unwrap_or(LISTED_MAX);
    if !(1..=LISTED_MAX).contains(&max) {
        let reason = format!("{max} is not between 1 and {LISTED_MAX}");
        return Err(QueueError::InvalidParameterValue { name: "MaxResults", reason });
    }
    let named = queues.names().filter(|name| name.starts_with(&input.queue_name_prefix));
    let mut rest = named.filter(|name| **name >= *input.next_token);
    let urls: Vec<String> = rest.by_ref().take(max).map(|name| queues.url(name)).collect();
    let mut output = if urls.is_empty() { json!({}) } else { json!({ "QueueUrls": urls }) };
    if let Some(next) = rest.next().filter(|_| input.max_results.is_some()) {
        output["NextToken"] = json!(next);
    }
    Ok(output)
}

fn get_queue_attributes(queues: &Queues, input: &GetQueueAttributesInput) -> Result<Value, QueueError> {
    let mut attributes = attributes::of(queues, &input.queue.queue()?)?;
    let wanted = &input.attribute_names;
    if let Some(name) = wanted.iter().find(|name| *name != "All" && !attributes::is_known(name)) {
        return Err(QueueError::InvalidAttributeName { name: name.clone() });
    }
    attributes.retain(|name, _| wanted.iter().any(|wanted| wanted == "All" || wanted == name));
    Ok(if attributes.is_empty() { json!({}) } else { json!({ "Attributes": attributes }) })
}

fn send_message(queues: &mut Queues, sender: Option<&str>, input: SendMessageInput) -> Result<Value, QueueError> {
    let queue = input.queue.queue()?;
    let message = input.message.into_message(sender)?;
    let mut output = digests(&message.body, &message.attributes);
    output.insert("MessageId".to_owned(), queues.send(&queue, message)?.into());
    Ok(Value::Object(output))
}

fn send_message_batch(
    queues: &mut Queues,
    sender: Option<&str>,
    input: BatchInput<SendEntryInput>,
) -> Result<Value, QueueError> {
    let queue = QueueInput { queue_url: input.queue_url }.queue()?;
    check_entry_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    let (mut outputs, mut entries, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for SendEntryInput { id, message } in input.entries {
        match message.into_message(sender) {
            Ok(message) => {
                let mut output = digests(&message.body, &message.attributes);
                output.insert("Id".to_owned(), id.clone().into());
                outputs.push(output);
                entries.push(SendMessageEntry { id, message });
            }
            Err(error) => failed.push(failed_entry(&id, &error)),
        }
    }
    let mut successful = Vec::new();
    let results = if entries.is_empty() { Vec::new() } else { queues.send_batch(&queue, entries)? };
    for (mut output, result) in outputs.into_iter().zip(results) {
        match result {
            Ok(message_id) => {
                output.insert("MessageId".to_owned(), message_id.into());
                successful.push(Value::Object(output));
            }
            Err(error) => failed.push(failed_entry(output["Id"].as_str().unwrap_or_default(), &error)),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

fn receive_message(queues: &mut Queues, input: &ReceiveMessageInput) -> Result<Value, QueueError> {
    let queue = input.queue.queue()?;
    let max = input.max_number_of_messages.unwrap_or(1);
    if !(1..=BATCH_ENTRIES_MAX).contains(&max) {
        let reason = format!("{max} is not between 1 and {BATCH_ENTRIES_MAX}");
        return Err(QueueError::InvalidParameterValue { name: "MaxNumberOfMessages", reason });
    }
    let receive = Receive { visibility_timeout_seconds: input.visibility_timeout, ..Receive::up_to(max) };
    let system_names = [input.attribute_names.as_slice(), &input.message_system_attribute_names].concat();
    let received = queues.receive_with(&queue, receive)?;
    let messages: Vec<Value> = received
        .iter()
        .map(|message| received_message(message, &system_names, &input.message_attribute_names))
        .collect();
    Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
}

fn delete_message(queues: &mut Queues, input: &ReceiptInput) -> Result<Value, QueueError> {
    let handle = required(input.receipt_handle.as_deref(), "ReceiptHandle")?;
    queues.delete(&input.queue.queue()?, handle).map(|()| json!({}))
}

fn delete_message_batch(queues: &mut Queues, input: &BatchInput<DeleteEntryInput>) -> Result<Value, QueueError> {
    let queue = QueueInput { queue_url: input.queue_url.clone() }.queue()?;
    queues.settings(&queue)?;
    check_entry_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in &input.entries {
        match queues.delete(&queue, &entry.receipt_handle) {
            Ok(()) => successful.push(json!({ "Id": entry.id })),
            Err(error) => failed.push(failed_entry(&entry.id, &error)),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

fn change_message_visibility(queues: &mut Queues, input: &ReceiptInput) -> Result<Value, QueueError> {
    let handle = required(input.receipt_handle.as_deref(), "ReceiptHandle")?;
    let seconds = required(input.visibility_timeout, "VisibilityTimeout")?;
    queues.change_visibility(&input.queue.queue()?, handle, seconds).map(|()| json!({}))
}

fn digests(body: &str, attributes: &messages::Attributes) -> Map<String, Value> {
    let mut output = Map::from_iter([("MD5OfMessageBody".to_owned(), md5_of_text(body).into())]);
    if let Some(md5) = md5_of_attributes(attributes) {
        output.insert("MD5OfMessageAttributes".to_owned(), md5.into());
    }
    output
}

fn failed_entry(id: &str, error: &QueueError) -> Value {
    json!({ "Id": id, "Code": error.code(), "Message": error.to_string(), "SenderFault": true })
}

#[cfg(test)]
mod tests;
