//! The Terraform module declares what `template.yaml` does: the same resources with the same properties, permissions and
//! conditions, by the same parameters, whatever is switched on.
//!
//! Both are evaluated here without AWS and without Terraform. Whether Terraform itself takes the module `make test-terraform`
//! tells.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

#[path = "terraform/difference.rs"]
mod difference;
#[path = "terraform/module.rs"]
mod module;
#[path = "template/stack.rs"]
#[allow(dead_code, reason = "what the template's own test asks of a stack is not asked here")]
mod stack;
#[path = "terraform/template.rs"]
mod template;
#[path = "terraform/vocabulary.rs"]
mod vocabulary;

use difference::differences;
use module::{Module, attribute, blocks, plain, source};
use serde_json::{Value, json};
use stack::{SWITCHES, Template};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn read(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// `RaiseCoolDownMinutes` is `raise_cool_down_minutes`.
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

/// What the module takes for a text that the template takes for a parameter.
fn as_variable(parameter: &str, text: &str) -> (String, Value) {
    let (module, variable) = (Module::load(), snake(parameter));
    let (_, body) = module.labelled("variable").find(|(name, _)| *name == variable).unwrap();
    let value = match attribute(body, "type").unwrap().to_string().as_str() {
        "${string}" | "string" => json!(text),
        _ => serde_json::from_str(text).unwrap(),
    };
    (variable, value)
}

fn differences_with(parameters: &[(&str, &str)], source: &str) -> Vec<String> {
    let given: Vec<(String, Value)> = parameters.iter().map(|(name, text)| as_variable(name, text)).collect();
    let template = template::declared(&Template::with(parameters));
    differences(&template, &vocabulary::declared(&Module::of(source, &given)))
}

/// Another value than the default of each parameter.
fn others() -> Vec<(String, String)> {
    let template = Template::load();
    let parameters = template.0["Parameters"].as_object().unwrap();
    let other = |(name, parameter): (&String, &Value)| {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let default = text(&parameter["Default"]);
        let other = match (name.as_str(), parameter["AllowedValues"].as_array()) {
            ("ClusterName", _) => "batch".to_owned(),
            ("AlertMail", _) => "on-call@example.com".to_owned(),
            ("AlarmTopicArn", _) => "arn:aws:sns:eu-west-1:111122223333:alarms".to_owned(),
            (_, Some(values)) => values.iter().map(text).find(|value| *value != default).unwrap(),
            (_, None) => text(&parameter["MaxValue"]),
        };
        (name.clone(), other)
    };
    parameters.iter().map(other).collect()
}

#[test]
fn the_module_declares_what_the_template_declares_whatever_is_switched_on() {
    for on in 0..1 << SWITCHES.len() {
        let switched: Vec<(&str, &str)> = SWITCHES
            .into_iter()
            .enumerate()
            .filter(|(at, _)| on >> at & 1 == 1)
            .map(|(_, name)| (name, "true"))
            .collect();
        assert_eq!(differences_with(&switched, &source()), Vec::<String>::new(), "{switched:?}");
    }
}

#[test]
fn each_parameter_changes_the_same_in_both() {
    for (name, other) in others() {
        let changed = [(name.as_str(), other.as_str())];
        assert_eq!(differences_with(&changed, &source()), Vec::<String>::new(), "{changed:?}");
        let module = vocabulary::declared(&Module::of(&source(), &[as_variable(&name, &other)]));
        assert_ne!(module, vocabulary::declared(&Module::load()), "{changed:?} changes nothing");
    }
}

#[test]
fn one_thing_that_is_declared_otherwise_is_told() {
    for (from, to, told) in [
        ("visibility_timeout_seconds = 180", "visibility_timeout_seconds = 60", "RecheckQueue.VisibilityTimeout: "),
        ("maxReceiveCount = 100", "maxReceiveCount = 3", "JobQueue.RedrivePolicy.maxReceiveCount: "),
        (
            "message_retention_seconds = 86400",
            "message_retention_seconds = 3600",
            "RecheckQueue.MessageRetentionPeriod: ",
        ),
        (
            "\"aws:SourceArn\" =",
            "\"aws:SourceAccount\" =",
            "DeadLetterQueuePolicy.PolicyDocument.Statement.UndeliveredEvents.",
        ),
        ("ArnNotEquals", "ArnNotLike", "RecheckQueuePolicy.PolicyDocument.Statement.OnlyFromTheFunction."),
        (
            "\"ecs:ListTasks\"",
            "\"ecs:ListClusters\"",
            "FunctionRole.Permissions.Statement.ListWithinTheCluster.Action: ",
        ),
        (
            "Condition = { ArnEquals = { \"ecs:cluster\"",
            "Condition = { ArnLike = { \"ecs:cluster\"",
            "FunctionRole.Permissions.",
        ),
        ("Resource = aws_sqs_queue.alert.arn\n    },\n", "Resource = \"*\"\n    },\n", "FunctionRole.Permissions."),
        ("\"lambda.amazonaws.com\"", "\"ec2.amazonaws.com\"", "FunctionRole.AssumeRolePolicyDocument."),
        ("\"ECS Task State Change\"", "\"ECS Task\"", "FunctionTaskStopped.EventPattern.detail-type: "),
        ("[\"STOPPED\"]", "[\"RUNNING\"]", "FunctionTaskStopped.EventPattern.detail.desiredStatus: "),
        (
            "rate(${var.sweep_minutes} minutes)",
            "rate(${var.sweep_minutes} hours)",
            "FunctionSweep.ScheduleExpression: ",
        ),
        ("{ sweep = {} }", "{ sweeps = {} }", "FunctionSweep.Targets: "),
        ("maximum_retry_attempts       = 185", "maximum_retry_attempts       = 5", "FunctionTaskStopped.Targets: "),
        ("batch_size = 1000", "batch_size = 10", "FunctionJobs.BatchSize: "),
        ("[\"ReportBatchItemFailures\"]", "[]", "FunctionRechecks.FunctionResponseTypes: "),
        ("= tostring(var.dry_run)", "= \"false \"", "Function.Environment.Variables.TASKHOLD_DRY_RUN: "),
        ("TASKHOLD_POLICY ", "TASKHOLD_POLICIES ", "Function.Environment.Variables.TASKHOLD_POLICIES: "),
        ("timeout          = 30", "timeout          = 15", "Function.Timeout: "),
        (
            "\"dynamodb:Query\"",
            "[\"dynamodb:Query\", \"dynamodb:Scan\"]",
            "FunctionRole.Permissions.Statement.ListOpenRecords.Action: ",
        ),
        ("\"KEYS_ONLY\"", "\"ALL\"", "StateTable.GlobalSecondaryIndexes: "),
        ("threshold          = 300", "threshold          = 30", "LateJobsAlarm.Threshold: "),
        (
            "resource \"aws_sns_topic_policy\" \"alert\"",
            "resource \"aws_sns_topic_policy\" \"alerts\"",
            "AlertTopicPolicy: ",
        ),
    ] {
        let source = squeezed(&source());
        let (from, to) = (squeezed(from), squeezed(to));
        assert!(source.contains(&from), "{from} stands in the module");
        let found = differences_with(&[], &source.replace(&from, &to));
        assert!(found.iter().any(|line| line.starts_with(told)), "{from} → {to}: {found:?}");
        assert!(found.len() <= 2, "{from} → {to} is not all that is told: {found:?}");
    }
}

#[test]
fn a_resource_that_only_the_module_has_is_told() {
    let source = source() + "resource \"aws_sqs_queue\" \"spare\" {\n  sqs_managed_sse_enabled = true\n}\n";
    let told = r#"SpareQueue: null in the template, {"SqsManagedSseEnabled":"true"} in the module"#;
    assert_eq!(differences_with(&[], &source), [told]);
}

/// Without the spaces that only make things stand under each other.
fn squeezed(text: &str) -> String {
    let squeezed = |line: &str| line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    text.split('\n').map(squeezed).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_variables_are_the_parameters_with_their_defaults() {
    let (template, module) = (Template::load(), Module::load());
    let parameters = template.0["Parameters"].as_object().unwrap();
    let of_the_module: BTreeSet<String> = module.labelled("variable").map(|(name, _)| name).collect();
    let of_the_template: BTreeSet<String> = parameters.keys().map(|name| snake(name)).collect();
    let only_here: Vec<&String> = of_the_module.difference(&of_the_template).collect();
    assert_eq!(only_here, ["name", "package"]);
    assert!(of_the_module.is_superset(&of_the_template), "{of_the_template:?}");
    for (name, parameter) in parameters {
        let (_, variable) = module.labelled("variable").find(|(variable, _)| *variable == snake(name)).unwrap();
        let default = attribute(variable, "default").map(plain);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(default.as_ref().map(text), parameter.get("Default").map(text), "{name}");
    }
}

#[test]
fn a_variable_takes_the_values_that_the_parameter_takes_and_no_others() {
    let (template, module) = (Template::load(), Module::load());
    for (name, parameter) in template.0["Parameters"].as_object().unwrap() {
        let variable = snake(name);
        let (_, body) = module.labelled("variable").find(|(known, _)| *known == variable).unwrap();
        let rule = blocks(body, "validation").next().map(|block| attribute(block.body(), "condition").unwrap());
        let takes = |value: Value| module.value_with(rule.unwrap(), &variable, &value) == true;
        if let (Some(least), Some(most)) = (parameter["MinValue"].as_i64(), parameter["MaxValue"].as_i64()) {
            assert!(takes(json!(least)) && takes(json!(most)), "{name}");
            assert!(!takes(json!(least - 1)) && !takes(json!(most + 1)), "{name}");
            assert!(!takes(json!(least as f64 + 0.5)), "{name}: no halves");
        } else if let Some(pattern) = parameter["AllowedPattern"].as_str() {
            let rule = rule.unwrap().to_string();
            assert!(rule.contains(&format!("regex({}, var.{variable})", json!(pattern))), "{name}: {rule}");
        } else if attribute(body, "type").unwrap().to_string().contains("bool") {
            assert_eq!(parameter["AllowedValues"], json!(["true", "false"]), "{name}");
        } else {
            let allowed = parameter["AllowedValues"].as_array().unwrap();
            assert!(allowed.iter().all(|value| takes(value.clone())), "{name}");
            let other = if allowed[0].is_string() { json!("WARN") } else { json!(2) };
            assert!(!allowed.contains(&other) && !takes(other), "{name}");
        }
    }
}

#[test]
fn a_policy_that_the_template_refuses_the_module_refuses() {
    for policy in ["notify", "release-idle", "raise-desired-count"] {
        for (release, raise) in [("false", "false"), ("true", "false"), ("false", "true"), ("true", "true")] {
            let parameters = [("Policy", policy), ("AllowReleaseIdle", release), ("AllowRaiseDesiredCount", raise)];
            let given: Vec<(String, Value)> = parameters.iter().map(|(name, text)| as_variable(name, text)).collect();
            let module = Module::of(&source(), &given);
            assert_eq!(module.preconditions_hold(), Template::with(&parameters).rules_hold(), "{parameters:?}");
        }
    }
}

#[test]
fn the_outputs_are_those_of_the_template() {
    for interrupted_jobs in ["false", "true"] {
        let parameters = [("InterruptedJobQueue", interrupted_jobs)];
        let module = Module::of(&source(), &parameters.map(|(name, text)| as_variable(name, text)));
        let outputs: Vec<(String, Value)> = module
            .labelled("output")
            .map(|(name, output)| (name, module.value_of(attribute(output, "value").unwrap())))
            .filter(|(_, value)| !value.is_null())
            .collect();
        let template = Template::with(&parameters);
        let of_the_template = template.0["Outputs"].as_object().unwrap();
        let expected: BTreeSet<(String, String)> =
            of_the_template.iter().map(|(name, output)| (snake(name), output["Value"].to_string())).collect();
        let found: BTreeSet<(String, String)> =
            outputs.into_iter().map(|(name, value)| (name, value.to_string())).collect();
        assert_eq!(found, expected);
    }
}
