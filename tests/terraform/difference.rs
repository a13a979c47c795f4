//! What the template and the module say differently.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A line for each thing, by its path.
pub(crate) fn differences(template: &BTreeMap<String, Value>, module: &BTreeMap<String, Value>) -> Vec<String> {
    let mut told = Vec::new();
    compare("", &normal(&json!(template)), &normal(&json!(module)), &mut told);
    told
}

fn compare(path: &str, template: &Value, module: &Value, told: &mut Vec<String>) {
    match (template, module) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let mut names: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, &template[name], &module[name], told);
            }
        }
        _ if template == module => {}
        _ => told.push(format!("{path}: {template} in the template, {module} in the module")),
    }
}

/// The same for what means the same: texts for numbers and booleans, of which CloudFormation takes both; statements by their
/// ids, with lists where one may stand for a list of one; nothing for what is empty.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(_) | Value::Bool(_) => json!(value.to_string()),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let value = if name == "Statement" { statements(value) } else { normal(value) };
                (name.clone(), value)
            };
            let there = |(_, value): &(String, Value)| !is_nothing(value);
            Value::Object(members.iter().map(member).filter(there).collect())
        }
        other => other.clone(),
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn statements(statements: &Value) -> Value {
    let statements = statements.as_array().unwrap();
    let mut by_id = Map::new();
    for statement in statements {
        let id = statement["Sid"].as_str().unwrap_or("the only statement");
        let mut statement = normal(statement);
        for (member, value) in statement.as_object_mut().unwrap() {
            match member.as_str() {
                "Action" | "Resource" => *value = sorted_list(value),
                "Principal" if value.is_object() => {
                    value.as_object_mut().unwrap().values_mut().for_each(|who| *who = sorted_list(who));
                }
                _ => {}
            }
        }
        assert!(by_id.insert(id.to_owned(), statement).is_none(), "{id} twice");
    }
    Value::Object(by_id)
}

fn sorted_list(value: &Value) -> Value {
    let mut items = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    items.sort_by_key(ToString::to_string);
    Value::Array(items)
}
