//! The message that is published to SNS, with a text for each protocol (`MessageStructure` `json`).
//!
//! | Key | Subscribers | Text |
//! |---|---|---|
//! | `default` | `sqs`, `lambda`, `http`, `firehose`, `email-json`: all protocols without a key of their own | [`AlertMessage::json`] |
//! | `email` | people | [`AlertMessage::email`] |
//! | `https` | Amazon Q Developer | [`AlertMessage::chat`] |
//! | `sms` | people, by text message | [`AlertMessage::subject`] |
//!
//! Amazon Q Developer subscribes its endpoint `https://global.sns-api.chatbot.amazonaws.com` to the topic with the
//! protocol `https`, and shows messages in its own schema, so that protocol carries the chat text. A machine that must
//! subscribe with `https` reads the `metadata` of the chat text, or better uses an SQS queue. The JSON appears once,
//! under `default`, and not once per protocol: SNS counts all texts against its limit.

use crate::notify::json::sendable;
use crate::notify::message::AlertMessage;
use serde_json::json;

/// SNS's limit for a message, in bytes (aws-facts "SNS and chat").
pub const MESSAGE_BYTES_MAX: usize = 262_144;

/// The `Message` parameter of `Publish`: well below [`MESSAGE_BYTES_MAX`], so that message attributes fit too.
pub fn message(alert: &AlertMessage) -> String {
    let AlertMessage { subject, email, chat, json, .. } = alert;
    sendable(&json!({"default": json, "email": email, "https": chat, "sms": subject}).to_string())
}
