//! The part of the AWS Query protocol that publishing to SNS needs: forms in, XML out.

use hyper::Response;
use hyper::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::backend::ServiceAnswer;
use super::response::{HttpResponse, finish};
use super::server_state::Unanswered;
use crate::service_error::ServiceError;

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// Maximum nesting of a parameter's name; SNS's own go to 7 parts. Bounded because the tree is written recursively.
const NESTING_MAX: usize = 16;

/// Parses a form into the operation's name and its input as JSON: `Entries.member.1.Id` becomes a member of an array,
/// `MessageAttributes.entry.1.Name` and `.Value` an entry of an object.
pub(super) fn parse(form: &[u8]) -> Result<(String, Value), ServiceError> {
    let (mut action, mut tree) = (None, Value::Object(Map::new()));
    for (name, value) in form_urlencoded::parse(form) {
        match name.as_ref() {
            "Action" => action = Some(value.into_owned()),
            "Version" => {}
            name => {
                let path: Vec<&str> = name.split('.').collect();
                if path.len() > NESTING_MAX {
                    return Err(ServiceError::client("InvalidParameter", "parameter name has too many parts"));
                }
                insert(&mut tree, &path, value.into_owned());
            }
        }
    }
    let action = action.ok_or_else(|| ServiceError::client("MissingAction", "form has no `Action`"))?;
    Ok((action, fold(tree)))
}

fn insert(tree: &mut Value, path: &[&str], value: String) {
    let Some((first, rest)) = path.split_first() else {
        *tree = Value::String(value);
        return;
    };
    if !tree.is_object() {
        *tree = Value::Object(Map::new());
    }
    // Padded, so that the tenth member sorts after the ninth.
    let key = if first.parse::<u32>().is_ok() { format!("{first:0>10}") } else { (*first).to_owned() };
    insert(&mut tree[key], rest, value);
}

/// Turns `member` into arrays and `entry` into objects, from the leaves up.
fn fold(tree: Value) -> Value {
    let Value::Object(tree) = tree else {
        return tree;
    };
    let mut tree: Map<String, Value> = tree.into_iter().map(|(name, value)| (name, fold(value))).collect();
    if let (1, Some(Value::Object(_))) = (tree.len(), tree.get("member")) {
        let members = tree.remove("member");
        return Value::Array(values(members).collect());
    }
    if let (1, Some(Value::Object(_))) = (tree.len(), tree.get("entry")) {
        let entries = tree.remove("entry");
        let pair = |mut entry: Value| Some((entry["Name"].as_str()?.to_owned(), entry["Value"].take()));
        return Value::Object(values(entries).filter(Value::is_object).filter_map(pair).collect());
    }
    Value::Object(tree)
}

/// The numbered children, in the order of their numbers, even if the map does not preserve the order of insertion.
fn values(numbered: Option<Value>) -> impl Iterator<Item = Value> {
    let Some(Value::Object(numbered)) = numbered else {
        return Vec::new().into_iter();
    };
    let mut numbered: Vec<(String, Value)> = numbered.into_iter().collect();
    numbered.sort_by(|(one, _), (other, _)| one.cmp(other));
    numbered.into_iter().map(|(_, value)| value).collect::<Vec<_>>().into_iter()
}

/// Writes the answer as XML.
pub(super) fn response(operation: &str, answer: ServiceAnswer, request_id: &str) -> Result<HttpResponse, Unanswered> {
    let builder = Response::builder().header(CONTENT_TYPE, "text/xml").header("x-amzn-requestid", request_id);
    let (builder, xml) = match answer {
        ServiceAnswer::ConnectionLost => return Err(Unanswered),
        ServiceAnswer::Output(output) => {
            let mut result = String::new();
            write(&mut result, &output);
            let metadata = format!("<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>");
            let xml = format!(
                "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
                 {metadata}</{operation}Response>"
            );
            (builder, xml)
        }
        ServiceAnswer::Error(ServiceError { code, message, status }) => {
            let fault = if status < 500 { "Sender" } else { "Receiver" };
            let (kind, text) = (escape(&code), escape(&message));
            let error = format!("<Error><Type>{fault}</Type><Code>{kind}</Code><Message>{text}</Message></Error>");
            let xml = format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\">{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
            );
            (builder.status(status).header("x-amzn-errortype", code), xml)
        }
    };
    Ok(finish(builder, xml))
}

fn write(xml: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) => xml.push_str(&escape(text)),
        Value::Bool(_) | Value::Number(_) => xml.push_str(&value.to_string()),
        Value::Array(members) => members.iter().for_each(|member| element(xml, "member", member)),
        Value::Object(members) => members.iter().for_each(|(name, member)| element(xml, name, member)),
    }
}

fn element(xml: &mut String, name: &str, value: &Value) {
    xml.push_str(&format!("<{name}>"));
    write(xml, value);
    xml.push_str(&format!("</{name}>"));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn form_becomes_json_with_arrays_and_maps() {
        let form = "Action=PublishBatch&Version=2010-03-31&TopicArn=arn%3At\
            &PublishBatchRequestEntries.member.2.Id=b&PublishBatchRequestEntries.member.1.Id=a\
            &PublishBatchRequestEntries.member.10.Id=j\
            &MessageAttributes.entry.1.Name=kind&MessageAttributes.entry.1.Value.DataType=String\
            &MessageAttributes.entry.1.Value.StringValue=one+two";
        let (action, input) = parse(form.as_bytes()).unwrap();
        assert_eq!(action, "PublishBatch");
        assert_eq!(
            input,
            json!({
                "TopicArn": "arn:t",
                "PublishBatchRequestEntries": [{ "Id": "a" }, { "Id": "b" }, { "Id": "j" }],
                "MessageAttributes": { "kind": { "DataType": "String", "StringValue": "one two" } },
            })
        );
    }

    #[test]
    fn form_without_an_action_is_refused() {
        assert_eq!(parse(b"TopicArn=x").unwrap_err().code, "MissingAction");
    }

    #[test]
    fn hostile_parameter_names_are_no_trouble() {
        for form in ["Action=P&a.member.1=x&a.member=y", "Action=P&a=x&a.b.entry=y", "Action=P&.=x&a..b=y&entry.1=z"] {
            parse(form.as_bytes()).unwrap();
        }
        let deep = format!("Action=P&{}=x", "a.".repeat(10_000));
        assert_eq!(parse(deep.as_bytes()).unwrap_err().code, "InvalidParameter");
    }

    #[test]
    fn text_is_escaped_in_xml() {
        let mut xml = String::new();
        write(&mut xml, &json!({ "Failed": [{ "Message": "<a> & b" }] }));
        assert_eq!(xml, "<Failed><member><Message>&lt;a&gt; &amp; b</Message></member></Failed>");
    }
}
