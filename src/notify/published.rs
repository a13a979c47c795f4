//! What is published to SNS: one message with a text for each protocol (`MessageStructure` `json`).
//!
//! | Key | Who gets it | Text |
//! |---|---|---|
//! | `default` | `sqs`, `lambda`, `http`, `firehose`, `email-json`: all that is not named below | [`Notification::machine`] |
//! | `email` | people | [`Notification::mail`] |
//! | `https` | Amazon Q Developer | [`Notification::chat`] |
//! | `sms` | people who are out | the mail's subject |
//!
//! Amazon Q Developer subscribes its endpoint `https://global.sns-api.chatbot.amazonaws.com` to the topic by `https`, and
//! shows what the `Notification` of that notification holds, if it is its own schema. So that protocol is the chat's. A machine
//! that must subscribe by `https` reads the chat's `metadata`, or better an SQS queue. Machines stand under `default`, not
//! once for each of their protocols: SNS counts the whole message against its limit, and so the lists can be longer.

use crate::notify::json;
use crate::notify::notification::Notification;
use serde_json::json;

/// SNS's limit for a message, in bytes (aws-facts "SNS and chat").
pub const MESSAGE_BYTES_MAX: usize = 262_144;

/// The value of `Notification`, at most [`MESSAGE_BYTES_MAX`] and a good deal less, so that attributes fit beside it.
pub fn message(message: &Notification) -> String {
    let Notification { subject, mail, chat, machine, .. } = message;
    let texts = json!({"default": machine, "email": mail, "https": chat, "sms": subject});
    json::sendable(&texts.to_string())
}
