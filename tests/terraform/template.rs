//! The template's resources after SAM has expanded them to CloudFormation. This file reproduces only what SAM adds
//! for the one function; `make test-sam` verifies it with SAM itself.

use super::snake;
use crate::template::stack::Template;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Each resource's properties by its name, the outputs by the module's names, and whether the parameters fit together.
pub(crate) fn declared(template: &Template) -> BTreeMap<String, Value> {
    let resources = template.0["Resources"].as_object().unwrap();
    let outputs = template.0["Outputs"].as_object().unwrap().iter();
    let outputs: Map<String, Value> = outputs.map(|(name, output)| (snake(name), output["Value"].clone())).collect();
    let mut declared = BTreeMap::from([("Outputs".to_owned(), Value::Object(outputs))]);
    declared.insert("RulesHold".to_owned(), json!(template.rules_hold()));
    for (name, resource) in resources {
        let properties = resource["Properties"].clone();
        if resource["Type"] == "AWS::Serverless::Function" {
            declared.extend(expanded(properties));
        } else if resource["Type"] == "AWS::IAM::Role" {
            declared.insert(name.clone(), with_permissions(properties));
        } else {
            declared.insert(name.clone(), properties);
        }
    }
    declared
}

/// A role with its only inline policy in the form of [`role`].
fn with_permissions(mut role: Value) -> Value {
    let policies = taken(&mut role, "Policies");
    let [policy] = &policies.as_array().unwrap()[..] else { panic!("{policies} are not one policy") };
    role["Permissions"] = policy["PolicyDocument"].clone();
    role
}

fn taken(properties: &mut Value, name: &str) -> Value {
    properties.as_object_mut().unwrap().remove(name).unwrap_or_else(|| panic!("the function has {name}"))
}

/// The function's own properties, its role, and the resources of its events.
fn expanded(mut function: Value) -> Vec<(String, Value)> {
    let mut resources: Vec<(String, Value)> = Vec::new();
    for (name, event) in taken(&mut function, "Events").as_object().unwrap() {
        let name = format!("Function{name}");
        let properties = event["Properties"].as_object().unwrap().clone();
        match event["Type"].as_str().unwrap() {
            "SQS" => resources.push((name, event_source(properties))),
            "EventBridgeRule" | "Schedule" => {
                let permission = json!({"Action": "lambda:InvokeFunction", "FunctionName": "Function",
                    "Principal": "events.amazonaws.com", "SourceArn": format!("{name}.Arn")});
                resources.push((format!("{name}Permission"), permission));
                resources.push((name, rule(properties)));
            }
            other => panic!("{other} is a new kind of event"),
        }
    }
    let mut invoked = taken(&mut function, "EventInvokeConfig");
    invoked["FunctionName"] = json!("Function");
    resources.push(("FunctionEventInvokeConfig".to_owned(), invoked));
    let dead_letters = taken(&mut function, "DeadLetterQueue");
    assert_eq!(dead_letters["Type"], "SQS");
    resources.push(("FunctionRole".to_owned(), role(&taken(&mut function, "Policies"))));
    taken(&mut function, "CodeUri"); // the template and the module locate the code in different ways
    function["DeadLetterConfig"] = json!({"TargetArn": dead_letters["TargetArn"]});
    function["Role"] = json!("FunctionRole.Arn");
    resources.push(("Function".to_owned(), function));
    resources
}

fn event_source(mut properties: Map<String, Value>) -> Value {
    let queue = properties.remove("Queue").unwrap();
    properties.insert("EventSourceArn".to_owned(), queue);
    properties.insert("FunctionName".to_owned(), json!("Function"));
    Value::Object(properties)
}

fn rule(mut properties: Map<String, Value>) -> Value {
    let input = properties.remove("Input").map(|text| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap());
    let target = json!({"Arn": "Function.Arn", "Input": input, "RetryPolicy": properties.remove("RetryPolicy"),
        "DeadLetterConfig": properties.remove("DeadLetterConfig")});
    let rule = json!({"EventPattern": properties.remove("Pattern"), "Description": properties.remove("Description"),
        "ScheduleExpression": properties.remove("Schedule"), "Targets": [target]});
    assert!(properties.is_empty(), "compared with nothing: {properties:?}");
    rule
}

/// The role that SAM creates. It grants the statements of the template, the permission for the dead-letter queue,
/// which the template also grants, and two AWS managed policies: AWSLambdaSQSQueueExecutionRole and
/// AWSLambdaBasicExecutionRole (AWS Managed Policy Reference). These name no resource. The module grants the same
/// within the function's own queues and log group, and omits logs:CreateLogGroup, because the group exists.
fn role(policies: &Value) -> Value {
    let policies = policies.as_array().unwrap().iter();
    let mut statements: Vec<Value> =
        policies.flat_map(|policy| policy["Statement"].as_array().unwrap()).cloned().collect();
    statements.push(json!({"Sid": "ReadItsQueues", "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": ["JobQueue.Arn", "RecheckQueue.Arn"]}));
    statements
        .push(json!({"Sid": "WriteLogs", "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": "FunctionLogGroup.Arn:*"}));
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"}}]});
    json!({"AssumeRolePolicyDocument": trust, "Permissions": {"Version": "2012-10-17", "Statement": statements}})
}
