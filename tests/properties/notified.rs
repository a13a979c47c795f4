//! Properties of every rendered message: each text fits the limits of its channel and conforms to its format.

use proptest::prelude::*;
use serde_json::Value;
use std::sync::OnceLock;
use taskhold::notify::chat;
use taskhold::notify::email;
use taskhold::notify::json as machine;
use taskhold::notify::message::AlertMessage;
use taskhold::notify::published;

/// The attributes of a message count towards the SNS limit.
const ATTRIBUTES_BYTES: usize = 4096;

pub(crate) fn json(text: &str) -> Result<Value, TestCaseError> {
    serde_json::from_str(text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))
}

/// The characters that SQS accepts in a body (SQS API reference, "SendMessage").
pub(crate) fn is_taken_by_sqs(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Fewer than 100 printable ASCII characters, starting with a letter (SNS API reference, "Publish").
pub(crate) fn subject(subject: &str) -> Result<(), TestCaseError> {
    prop_assert!(subject.len() <= email::SUBJECT_CHARS_MAX, "{}", subject);
    prop_assert!(subject.starts_with(|c: char| c.is_ascii_alphabetic()), "{}", subject);
    prop_assert!(subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{:?}", subject);
    Ok(())
}

/// Plain text of bounded length: only our own line breaks end a line.
fn plain(mail: &str) -> Result<(), TestCaseError> {
    let foreign =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}' | '\u{feff}');
    prop_assert!(!mail.contains(foreign), "{:?}", mail);
    prop_assert!(mail.lines().count() < 400, "{} lines", mail.lines().count());
    prop_assert!(mail.ends_with('\n'));
    Ok(())
}

/// Lines fit a phone's screen, except those that people copy as a whole.
pub(crate) fn lines_are_short(mail: &str) -> Result<(), TestCaseError> {
    let is_whole = |line: &str| {
        ["   aws ecs ", "Status:   aws ", "Service:  ", "Task:     ", "Incident: ", "Sent by:  "]
            .iter()
            .any(|begin| line.starts_with(begin))
    };
    for line in mail.lines().filter(|line| !is_whole(line)) {
        prop_assert!(line.chars().count() <= email::LINE_CHARS_MAX, "{}", line);
    }
    Ok(())
}

/// The schema of Amazon Q Developer, with its limits ("Custom notifications using Amazon Q Developer in chat
/// applications").
pub(crate) fn chat(text: &str) -> Result<(), TestCaseError> {
    let chat = json(text)?;
    let chars = |text: &Value| text.as_str().map_or(usize::MAX, |text| text.chars().count());
    let content = &chat["content"];
    prop_assert_eq!((&chat["version"], &chat["source"]), (&Value::from("1.0"), &Value::from("custom")));
    prop_assert!((1..=chat::TITLE_CHARS_MAX).contains(&chars(&content["title"])), "{}", content);
    prop_assert!((1..=chat::DESCRIPTION_CHARS_MAX).contains(&chars(&content["description"])), "{}", content);
    let steps = content.get("nextSteps").and_then(Value::as_array).cloned().unwrap_or_default();
    prop_assert!(steps.iter().all(|step| chars(step) <= chat::NEXT_STEP_CHARS_MAX), "{:?}", steps);
    let keywords = content["keywords"].as_array().cloned().unwrap_or_default();
    prop_assert!(keywords.iter().all(|keyword| chars(keyword) <= chat::KEYWORD_CHARS_MAX), "{:?}", keywords);
    let context = chat["metadata"]["additionalContext"].as_object().cloned().unwrap_or_default();
    prop_assert!(!context.is_empty() && context.values().all(Value::is_string), "{:?}", context);
    let description = content["description"].as_str().unwrap_or_default().lines();
    let mut texts = description.chain(steps.iter().chain([&content["title"]]).filter_map(Value::as_str));
    texts.try_for_each(markup)
}

/// Only code spans, and no characters in them that could end one or act as markup.
fn markup(text: &str) -> Result<(), TestCaseError> {
    let parts: Vec<&str> = text.split('`').collect();
    prop_assert!(parts.len() % 2 == 1, "a code span is open: {}", text);
    prop_assert!(!text.contains(['<', '>', '&', '*', '[', ']', '@', '~', '|']), "{}", text);
    for span in parts.iter().skip(1).step_by(2) {
        prop_assert!(!span.is_empty() && span.trim_matches(' ') == *span, "`{}` shows as no span", span);
    }
    Ok(())
}

/// The message is valid for every channel.
pub(crate) fn well(message: &AlertMessage) -> Result<(), TestCaseError> {
    subject(&message.subject)?;
    plain(&message.email)?;
    chat(&message.chat)?;
    let document = json(&message.json)?;
    prop_assert_eq!(&document["incident"], &Value::from(message.incident.as_str()));
    let escaped = Value::from(message.json.as_str()).to_string();
    prop_assert!(escaped.len() <= machine::ESCAPED_BYTES_MAX, "{} bytes", escaped.len());
    let published = published::message(message);
    prop_assert!(published.len() <= published::MESSAGE_BYTES_MAX - ATTRIBUTES_BYTES, "{} bytes", published.len());
    prop_assert!(published.chars().chain(message.json.chars()).all(is_taken_by_sqs), "{:?}", published);
    let texts = json(&published)?;
    prop_assert_eq!(&texts["default"], &Value::from(message.json.as_str()));
    prop_assert_eq!(&texts["email"], &Value::from(message.email.as_str()));
    Ok(())
}

/// The message conforms to the published schema.
pub(crate) fn as_the_schema_says(machine: &str) -> Result<(), TestCaseError> {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| validator(include_str!("../../schemas/alert.schema.json")));
    valid(schema, machine)
}

/// The validator of a published schema.
pub(crate) fn validator(schema: &str) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(schema).unwrap();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

pub(crate) fn valid(schema: &jsonschema::Validator, text: &str) -> Result<(), TestCaseError> {
    let document = json(text)?;
    // Only the location and the rule: whole documents do not help.
    let at = |error: jsonschema::ValidationError<'_>| format!("{} by {}", error.instance_path(), error.schema_path());
    let errors: Vec<String> = schema.iter_errors(&document).map(at).collect();
    prop_assert!(errors.is_empty(), "{:?}", errors);
    Ok(())
}
