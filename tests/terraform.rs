//! The Terraform module declares what `template.yaml` does: the same resources with the same properties, permissions,
//! conditions and outputs, by the same parameters, with every feature on or off.
//!
//! Both are evaluated here without AWS and without Terraform; `make test-terraform` asks Terraform itself.

mod module;
mod template;

use crate::template::stack::{SWITCHES, Template};
use module::{TerraformModule, source};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `RaiseCoolDownMinutes` becomes `raise_cool_down_minutes`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

fn module_with(parameters: &[(&str, &str)], source: &str) -> TerraformModule {
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    let given: Vec<_> = parameters.iter().map(|(name, text)| (snake(name), value(text))).collect();
    TerraformModule::of(source, &given)
}

/// The values that only one of the two declares, one line each, by path.
fn differences_with(parameters: &[(&str, &str)], source: &str) -> Vec<String> {
    let template = lines(&json!(template::declared(&Template::with(parameters))));
    let module = lines(&json!(module_with(parameters, source).declared()));
    let only = |of: &str, those: Vec<&String>| those.iter().map(|line| format!("{line} ({of})")).collect::<Vec<_>>();
    [only("template", template.difference(&module).collect()), only("module", module.difference(&template).collect())]
        .concat()
}

/// Each value that is not empty, with its path. IAM accepts a single action or resource in place of a list, in any order,
/// and CloudFormation accepts strings for numbers and booleans.
fn lines(declared: &Value) -> BTreeSet<String> {
    fn add(path: &str, value: &Value, lines: &mut BTreeSet<String>) {
        let inner = |name: &str| format!("{path}{}{name}", if path.is_empty() { "" } else { "." });
        match value {
            Value::Null => {}
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    match item["Sid"].as_str() {
                        Some(sid) => add(&inner(sid), item, lines),
                        None if path.ends_with(".Action") || path.ends_with(".Resource") => add(path, item, lines),
                        None => add(&inner(&at.to_string()), item, lines),
                    }
                }
            }
            Value::Object(members) if !members.is_empty() => {
                members.iter().for_each(|(name, value)| add(&inner(name), value, lines));
            }
            other => {
                let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
                assert!(lines.insert(format!("{path}: {text}")), "{path}: {text} twice");
            }
        }
    }
    let mut lines = BTreeSet::new();
    add("", declared, &mut lines);
    lines
}

/// A value other than the default for each parameter.
fn others() -> Vec<(String, String)> {
    let template = Template::load();
    let other = |(name, parameter): (&String, &Value)| {
        let other = match (name.as_str(), parameter["AllowedValues"].as_array()) {
            ("ClusterName", _) => "batch".to_owned(),
            ("AlertMail", _) => "on-call@example.com".to_owned(),
            ("AlarmTopicArn", _) => "arn:aws:sns:eu-west-1:111122223333:alarms".to_owned(),
            (_, Some(values)) => text(values.iter().find(|value| text(value) != text(&parameter["Default"])).unwrap()),
            (_, None) => text(&parameter["MaxValue"]),
        };
        (name.clone(), other)
    };
    template.0["Parameters"].as_object().unwrap().iter().map(other).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn the_module_declares_and_refuses_what_the_template_does_whatever_is_switched_on() {
    for policy in ["notify", "release-idle", "raise-desired-count"] {
        for on in 0..1 << SWITCHES.len() {
            let switches = SWITCHES.into_iter().enumerate().filter(|(at, _)| on >> at & 1 == 1);
            let switches = switches.map(|(_, name)| (name, "true"));
            let given: Vec<(&str, &str)> = switches.chain([("Policy", policy)]).collect();
            assert_eq!(differences_with(&given, &source()), Vec::<String>::new(), "{given:?}");
        }
    }
}

/// Each variable gets another value than its default, because that changes the declared resources.
#[test]
fn each_parameter_changes_the_same_in_both() {
    let unchanged = TerraformModule::of(&source(), &[]).declared();
    for (name, other) in others() {
        let changed = [(name.as_str(), other.as_str())];
        assert_eq!(differences_with(&changed, &source()), Vec::<String>::new(), "{changed:?}");
        assert_ne!(module_with(&changed, &source()).declared(), unchanged, "{changed:?} changes nothing");
    }
}

#[test]
fn a_difference_is_reported_wherever_it_is() {
    let resource = "resource \"aws_sqs_queue\" \"spare\" {\n  sqs_managed_sse_enabled = true\n}\n";
    for (from, to, reported) in [
        ("message_retention_seconds = 345600", "message_retention_seconds = 60", "JobQueue.MessageRetentionPeriod: "),
        ("maxReceiveCount = 100", "maxReceiveCount = 3", "JobQueue.RedrivePolicy.maxReceiveCount: "),
        (
            "aws_sqs_queue.recheck.arn\nCondition = { ArnNotEquals",
            "aws_sqs_queue.recheck.arn\nCondition = { ArnNotLike",
            "RecheckQueuePolicy.PolicyDocument.Statement.OnlyFromTheFunction.Condition.",
        ),
        (
            "\"aws:PrincipalIsAWSService\" = \"false\"",
            "\"aws:PrincipalIsAWSService\" = \"true\"",
            "DeadLetterQueuePolicy.PolicyDocument.Statement.OnlyFromTheFunction.Condition.",
        ),
        ("\"ecs:ListTasks\"", "\"ecs:*\"", "FunctionRole.Permissions.Statement.ListWithinTheCluster.Action: "),
        ("\"lambda.amazonaws.com\"", "\"ec2.amazonaws.com\"", "FunctionRole.AssumeRolePolicyDocument."),
        ("[\"STOPPED\"]", "[\"RUNNING\"]", "FunctionTaskStopped.EventPattern.detail.desiredStatus."),
        ("maximum_retry_attempts = 185", "maximum_retry_attempts = 5", "FunctionTaskStopped.Targets.0.RetryPolicy."),
        ("= tostring(var.dry_run)", "= \"false \"", "Function.Environment.Variables.TASKHOLD_DRY_RUN: "),
        ("\"KEYS_ONLY\"", "\"ALL\"", "StateTable.GlobalSecondaryIndexes.0.Projection."),
        ("threshold = 300", "threshold = 30", "LateJobsAlarm.Threshold: "),
        ("value = aws_sqs_queue.job.arn", "value = aws_sqs_queue.job.url", "Outputs.job_queue_arn: "),
        ("terraform {", &format!("{resource}terraform {{"), "SpareQueue.SqsManagedSseEnabled: true (module)"),
    ] {
        let source = squeezed(&source());
        assert!(source.contains(from), "{from} stands in the module");
        let found = differences_with(&[], &source.replace(from, to));
        assert!(found.len() <= 2 && found.iter().all(|line| line.starts_with(reported)), "{from} → {to}: {found:?}");
    }
}

/// Without the spaces that only align.
fn squeezed(text: &str) -> String {
    let squeezed = |line: &str| line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    text.split('\n').map(squeezed).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_variable_takes_the_values_that_the_parameter_takes_and_no_others() {
    let (template, module) = (Template::load(), TerraformModule::of(&source(), &[]));
    let parameters = template.0["Parameters"].as_object().unwrap();
    let variables: BTreeSet<String> = module.labelled("variable").map(|(name, _)| name).collect();
    let own = ["name", "package"].map(str::to_owned);
    assert_eq!(variables, parameters.keys().map(|name| snake(name)).chain(own).collect());
    for (name, parameter) in parameters {
        let variable = snake(name);
        let rule = module.validation(&variable);
        let takes = |value: Value| rule.is_none_or(|rule| module.holds(rule, &variable, value));
        if let (Some(least), Some(most)) = (parameter["MinValue"].as_i64(), parameter["MaxValue"].as_i64()) {
            assert!(takes(json!(least)) && takes(json!(most)), "{name}");
            assert!(!takes(json!(least - 1)) && !takes(json!(most + 1)), "{name}");
            assert!(!takes(json!(least as f64 + 0.5)), "{name}: no halves");
        } else if let Some(pattern) = parameter["AllowedPattern"].as_str() {
            let rule = rule.unwrap().to_string();
            assert!(rule.contains(&format!("regex({}, var.{variable})", json!(pattern))), "{name}: {rule}");
        } else if rule.is_none() {
            assert_eq!(parameter["AllowedValues"], json!(["true", "false"]), "{name}");
        } else {
            let allowed = parameter["AllowedValues"].as_array().unwrap();
            assert!(allowed.iter().all(|value| takes(value.clone())), "{name}");
            let other = if allowed[0].is_string() { json!("WARN") } else { json!(2) };
            assert!(!allowed.contains(&other) && !takes(other), "{name}");
        }
    }
}
