//! The function has exactly the permissions for the calls that it makes; some of them only when a parameter enables
//! them.

use super::stack::{SWITCHES, Template};
use super::texts;
use crate::files::{path, rust_files};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Permissions that exist only while a parameter enables them.
const SWITCHED: [(&str, &str); 2] = [
    ("ecs:UpdateService", "AllowRaiseDesiredCount"),
    ("application-autoscaling:DescribeScalableTargets", "AllowRaiseDesiredCount"),
];

/// Every statement that the template gives the function's role, without those that SAM adds for the event source.
fn function_statements(template: &Template) -> Vec<Value> {
    let policies = template.properties("Function")["Policies"].as_array().unwrap();
    policies
        .iter()
        .flat_map(|policy| policy["Statement"].as_array().unwrap_or_else(|| panic!("{policy}")))
        .cloned()
        .collect()
}

fn sids(template: &Template) -> BTreeSet<String> {
    function_statements(template).iter().map(|statement| statement["Sid"].as_str().unwrap().to_owned()).collect()
}

/// The IAM actions of the calls in a file: `self.0.describe_tasks()…send()` with `aws_sdk_ecs::Client` is
/// `ecs:DescribeTasks`, whether the client exists from the start or is created on demand (`self.0.client()`). Every
/// `.send()` must belong to a recognized call.
fn actions_called(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
    let code = code.replace(".client().", ".");
    let Some(sdk) = code.split("useaws_sdk_").find_map(|rest| rest.split_once("::Client;").map(|(name, _)| name))
    else {
        assert!(!code.contains(".send()"), "{} makes calls, of which service?", file.display());
        return BTreeSet::new();
    };
    // The one service whose IAM name differs from its SDK name.
    let service = if sdk == "applicationautoscaling" { "application-autoscaling" } else { sdk };
    let calls = ["self.0.", "self.client."].iter().flat_map(|client| code.split(client).skip(1));
    let calls: Vec<&str> = calls.map(|rest| rest.split('(').next().unwrap()).collect();
    assert_eq!(calls.len(), code.matches(".send()").count(), "{}: {calls:?}", file.display());
    calls.into_iter().map(|call| format!("{service}:{}", action(call))).collect()
}

/// Sending a batch of messages needs the permission for one (SQS Developer Guide, "Amazon SQS API permissions").
fn action(call: &str) -> String {
    let words = call.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
    let name: String = words.collect();
    match name.as_str() {
        "SendMessageBatch" | "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" => name.replace("Batch", ""),
        _ => name,
    }
}

/// All calls that the function can make.
fn called() -> BTreeSet<String> {
    let mut files = rust_files(&path("src/aws"));
    files.push(path("src/aws.rs"));
    files.iter().flat_map(|file| actions_called(file)).collect()
}

#[test]
fn the_function_may_make_the_calls_that_it_makes_and_no_others_whatever_is_switched_on() {
    let called = called();
    for (action, _) in SWITCHED {
        assert!(called.contains(action), "{action} is called");
    }
    for on in 0..1 << SWITCHES.len() {
        let is_on =
            |switch: &str| SWITCHES.iter().position(|known| *known == switch).is_some_and(|at| on >> at & 1 == 1);
        let parameters: Vec<(&str, &str)> =
            SWITCHES.into_iter().filter(|switch| is_on(switch)).map(|switch| (switch, "true")).collect();
        let statements = function_statements(&Template::with(&parameters));
        assert!(statements.iter().all(|statement| statement["Effect"] == "Allow"));
        let granted: BTreeSet<String> =
            statements.iter().flat_map(|statement| texts(&statement["Action"])).map(str::to_owned).collect();
        let is_off = |action: &str| SWITCHED.iter().any(|(switched, by)| *switched == action && !is_on(by));
        let expected: BTreeSet<String> = called.iter().filter(|action| !is_off(action)).cloned().collect();
        assert_eq!(granted, expected, "{parameters:?}");
    }
}

#[test]
fn each_switch_adds_the_statements_that_it_needs_and_no_others() {
    let unasked = sids(&Template::load());
    for (switch, expected) in [
        ("AllowReleaseIdle", vec![]),
        ("AllowRaiseDesiredCount", vec!["DescribeScalableTargets", "RaiseDesiredCounts"]),
        ("InterruptedJobs", vec!["ForwardInterruptedJobs"]),
    ] {
        let switched = sids(&Template::with(&[(switch, "true")]));
        assert!(switched.is_superset(&unasked));
        assert_eq!(switched.difference(&unasked).collect::<Vec<_>>(), expected, "{switch}");
    }
}

#[test]
fn every_permission_names_its_resource() {
    let template = Template::with_everything();
    let within = json!({"ArnEquals": {"ecs:cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/video"}});
    for statement in function_statements(&template) {
        let (resource, condition) = match statement["Sid"].as_str().unwrap() {
            "ProtectTasksOfTheCluster" => ("arn:aws:ecs:eu-west-1:111122223333:task/video/*", &Value::Null),
            "SeeServicesOfTheCluster" | "RaiseDesiredCounts" => {
                ("arn:aws:ecs:eu-west-1:111122223333:service/video/*", &Value::Null)
            }
            "SeeServiceDeploymentsOfTheCluster" => {
                ("arn:aws:ecs:eu-west-1:111122223333:service-deployment/video/*", &Value::Null)
            }
            // List actions and this read have no resource to name; the list actions can be limited to the cluster.
            "ListWithinTheCluster" => ("*", &within),
            "DescribeScalableTargets" => ("*", &Value::Null),
            "ReadAndWriteRecords" => ("StateTable.Arn", &Value::Null),
            "ListOpenRecords" => ("StateTable.Arn/index/open", &Value::Null),
            "SendDeadLetters" | "RedriveDeadLetters" => ("DeadLetterQueue.Arn", &Value::Null),
            "PublishAlerts" => ("arn:aws:sns:eu-west-1:111122223333:AlertTopic", &Value::Null),
            "SendAlerts" => ("AlertQueue.Arn", &Value::Null),
            "Recheck" => ("RecheckQueue.Arn", &Value::Null),
            "ForwardInterruptedJobs" => ("InterruptedJobQueue.Arn", &Value::Null),
            other => panic!("{other} is a new statement: which resource may it name?"),
        };
        assert_eq!(texts(&statement["Resource"]), [resource]);
        assert_eq!(&statement["Condition"], condition, "{statement}");
    }
    let worker = &template.properties("WorkerPolicy")["PolicyDocument"]["Statement"];
    let statement =
        json!([{"Sid": "SendJobMessages", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "JobQueue.Arn"}]);
    assert_eq!(worker, &statement);
    let protecting = &template.properties("ProtectingWorkerPolicy")["PolicyDocument"]["Statement"];
    let tasks = "arn:aws:ecs:eu-west-1:111122223333:task/video/*";
    let actions = ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"];
    let protect = json!({"Sid": "ProtectTasks", "Effect": "Allow", "Action": actions, "Resource": tasks});
    assert_eq!(protecting, &json!([statement[0], protect]));
    assert_eq!(template.of_type("AWS::IAM::ManagedPolicy"), ["ProtectingWorkerPolicy", "WorkerPolicy"]);
    assert_eq!(template.of_type("AWS::IAM::Role"), ["HookRole"], "the function's role is SAM's");
}

#[test]
fn ecs_alone_may_assume_the_role_of_the_hook_and_call_the_function_with_it() {
    let template = Template::load();
    let role = template.properties("HookRole");
    let trust = json!([{"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
    assert_eq!(role["AssumeRolePolicyDocument"]["Statement"], trust);
    let policies = role["Policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1);
    let call = json!([{"Sid": "CallTheHook", "Effect": "Allow", "Action": "lambda:InvokeFunction",
        "Resource": "Function.Arn"}]);
    assert_eq!(policies[0]["PolicyDocument"]["Statement"], call);
    assert_eq!(template.0["Outputs"]["HookRoleArn"]["Value"], "HookRole.Arn");
}
