//! What the module's resources are in CloudFormation's words, so that they can be compared with the template's.

use super::module::{Module, Resource};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The arguments of a resource or of a block in it. All must be taken: what is not known here is not compared.
struct Arguments {
    of: String,
    open: Map<String, Value>,
}

impl Arguments {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.open.remove(name)
    }

    /// One that has to be there.
    fn wanted(&mut self, name: &str) -> Value {
        self.take(name).unwrap_or_else(|| panic!("{} has no {name}", self.of))
    }

    /// JSON that Terraform gets as text.
    fn json(&mut self, name: &str) -> Option<Value> {
        self.take(name).map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap())
    }

    fn blocks(&mut self, name: &str) -> Vec<Self> {
        let of = format!("{}.{name}", self.of);
        let blocks = self.take(name).unwrap_or_else(|| json!([]));
        let blocks = blocks.as_array().unwrap().iter();
        blocks.map(|block| Self { of: of.clone(), open: block.as_object().unwrap().clone() }).collect()
    }

    /// The block of this name, by these words.
    fn block(&mut self, name: &str, words: &[(&str, &str)]) -> Option<Value> {
        let mut blocks = self.blocks(name);
        assert!(blocks.len() <= 1, "{} has several {name}", self.of);
        blocks.pop().map(|block| block.by(words))
    }

    /// These arguments, if they are there, by CloudFormation's names.
    fn some(&mut self, words: &[(&str, &str)]) -> Map<String, Value> {
        words.iter().filter_map(|(ours, theirs)| Some(((*theirs).to_owned(), self.take(ours)?))).collect()
    }

    /// All of them by CloudFormation's names.
    fn by(mut self, words: &[(&str, &str)]) -> Value {
        let some = self.some(words);
        self.done();
        Value::Object(some)
    }

    fn done(self) {
        assert!(self.open.is_empty(), "{}: compared with nothing: {:?}", self.of, self.open);
    }
}

/// Each resource's properties by its name in the template. What Terraform keeps beside a resource is put into it, as
/// CloudFormation has it: targets into their rules, the role's permissions into the role.
pub(crate) fn declared(module: &Module) -> BTreeMap<String, Value> {
    let mut declared: BTreeMap<String, Value> = BTreeMap::new();
    let mut beside = Vec::new();
    for Resource { kind, name, arguments } in module.resources() {
        let mut arguments = Arguments { of: name.clone(), open: arguments };
        // CloudFormation makes the names up.
        for made_up in ["name", "name_prefix", "function_name", "alarm_name"] {
            let is_reference = made_up == "function_name" && kind != "aws_lambda_function";
            if !is_reference {
                arguments.take(made_up);
            }
        }
        match kind.as_str() {
            "aws_cloudwatch_event_target" => beside.push((arguments.wanted("rule"), "Targets", target(arguments))),
            "aws_iam_role_policy" => beside.push((arguments.wanted("role"), "Permissions", policy(arguments))),
            _ => assert!(declared.insert(name.clone(), properties(&kind, arguments)).is_none(), "{name} twice"),
        }
    }
    for (owner, member, value) in beside {
        let owner = declared.get_mut(owner.as_str().unwrap()).unwrap_or_else(|| panic!("{owner} is not there"));
        assert!(owner.get(member).is_none(), "{member} twice");
        owner[member] = value;
    }
    declared
}

fn properties(kind: &str, arguments: Arguments) -> Value {
    match kind {
        "aws_sqs_queue" => queue(arguments),
        "aws_sqs_queue_policy" => policy_of(arguments, "queue_url", "Queues"),
        "aws_sns_topic" => arguments.by(&[("kms_master_key_id", "KmsMasterKeyId")]),
        "aws_sns_topic_policy" => policy_of(arguments, "arn", "Topics"),
        "aws_sns_topic_subscription" => {
            arguments.by(&[("topic_arn", "TopicArn"), ("protocol", "Protocol"), ("endpoint", "Endpoint")])
        }
        "aws_dynamodb_table" => table(arguments),
        "aws_lambda_function" => function(arguments),
        "aws_iam_role" => role(arguments),
        "aws_iam_policy" => {
            let (mut arguments, mut own) = (arguments, Map::new());
            own.insert("Description".to_owned(), arguments.wanted("description"));
            own.insert("PolicyDocument".to_owned(), policy(arguments));
            Value::Object(own)
        }
        "aws_cloudwatch_event_rule" => rule(arguments),
        "aws_lambda_event_source_mapping" => event_source(arguments),
        "aws_lambda_permission" => arguments.by(&[
            ("action", "Action"),
            ("function_name", "FunctionName"),
            ("principal", "Principal"),
            ("source_arn", "SourceArn"),
        ]),
        "aws_lambda_function_event_invoke_config" => arguments.by(&[
            ("function_name", "FunctionName"),
            ("maximum_event_age_in_seconds", "MaximumEventAgeInSeconds"),
            ("maximum_retry_attempts", "MaximumRetryAttempts"),
        ]),
        "aws_cloudwatch_log_group" => arguments.by(&[("retention_in_days", "RetentionInDays")]),
        "aws_cloudwatch_metric_alarm" => alarm(arguments),
        other => panic!("{other} is a new kind of resource"),
    }
}

fn queue(mut arguments: Arguments) -> Value {
    let redrive = arguments.json("redrive_policy");
    let mut queue = arguments.by(&[
        ("sqs_managed_sse_enabled", "SqsManagedSseEnabled"),
        ("visibility_timeout_seconds", "VisibilityTimeout"),
        ("message_retention_seconds", "MessageRetentionPeriod"),
    ]);
    queue["RedrivePolicy"] = json!(redrive);
    queue
}

/// The only argument that is left is a policy.
fn policy(mut arguments: Arguments) -> Value {
    let policy = arguments.json("policy").unwrap();
    arguments.done();
    policy
}

/// A policy of what one argument names.
fn policy_of(mut arguments: Arguments, argument: &str, property: &str) -> Value {
    let of = arguments.wanted(argument);
    json!({property: [of], "PolicyDocument": policy(arguments)})
}

fn table(mut arguments: Arguments) -> Value {
    let attribute = [("name", "AttributeName"), ("type", "AttributeType")];
    let attributes: Vec<Value> = arguments.blocks("attribute").into_iter().map(|block| block.by(&attribute)).collect();
    let indexes: Vec<Value> = arguments.blocks("global_secondary_index").into_iter().map(index).collect();
    json!({
        "AttributeDefinitions": attributes,
        "GlobalSecondaryIndexes": indexes,
        "KeySchema": key_schema(&arguments.wanted("hash_key")),
        "TimeToLiveSpecification": arguments.block("ttl", &[("attribute_name", "AttributeName"), ("enabled", "Enabled")]),
        "PointInTimeRecoverySpecification":
            arguments.block("point_in_time_recovery", &[("enabled", "PointInTimeRecoveryEnabled")]),
        "BillingMode": arguments.by(&[("billing_mode", "BillingMode")])["BillingMode"],
    })
}

fn index(mut index: Arguments) -> Value {
    let name = index.wanted("name");
    let keys = key_schema(&index.wanted("hash_key"));
    json!({"IndexName": name, "KeySchema": keys, "Projection": index.by(&[("projection_type", "ProjectionType")])})
}

fn key_schema(hash_key: &Value) -> Value {
    json!([{"AttributeName": hash_key, "KeyType": "HASH"}])
}

fn function(mut arguments: Arguments) -> Value {
    // Where the code lies is told to each in its own way.
    arguments.wanted("filename");
    arguments.wanted("source_code_hash");
    let logging =
        [("log_format", "LogFormat"), ("application_log_level", "ApplicationLogLevel"), ("log_group", "LogGroup")];
    let blocks = [
        ("Environment", arguments.block("environment", &[("variables", "Variables")])),
        ("LoggingConfig", arguments.block("logging_config", &logging)),
        ("DeadLetterConfig", arguments.block("dead_letter_config", &[("target_arn", "TargetArn")])),
    ];
    let mut function = arguments.by(&[
        ("description", "Description"),
        ("role", "Role"),
        ("handler", "Handler"),
        ("runtime", "Runtime"),
        ("architectures", "Architectures"),
        ("memory_size", "MemorySize"),
        ("timeout", "Timeout"),
    ]);
    for (name, block) in blocks {
        function[name] = json!(block);
    }
    function
}

fn role(mut arguments: Arguments) -> Value {
    arguments.wanted("description"); // SAM gives the role that it makes none
    let trust = arguments.json("assume_role_policy");
    arguments.done();
    json!({"AssumeRolePolicyDocument": trust})
}

fn rule(mut arguments: Arguments) -> Value {
    let pattern = arguments.json("event_pattern");
    let mut rule = arguments.by(&[("description", "Description"), ("schedule_expression", "ScheduleExpression")]);
    rule["EventPattern"] = json!(pattern);
    rule
}

fn target(mut arguments: Arguments) -> Value {
    let retries = [
        ("maximum_event_age_in_seconds", "MaximumEventAgeInSeconds"),
        ("maximum_retry_attempts", "MaximumRetryAttempts"),
    ];
    let own = json!({
        "RetryPolicy": arguments.block("retry_policy", &retries),
        "DeadLetterConfig": arguments.block("dead_letter_config", &[("arn", "Arn")]),
        "Input": arguments.json("input"),
        "Arn": arguments.by(&[("arn", "Arn")])["Arn"],
    });
    json!([own])
}

fn event_source(mut arguments: Arguments) -> Value {
    // By its ARN or by its name: Lambda takes both.
    assert_eq!(arguments.wanted("function_name"), "Function.Arn");
    let scaling = arguments.block("scaling_config", &[("maximum_concurrency", "MaximumConcurrency")]);
    let mut mapping = arguments.by(&[
        ("event_source_arn", "EventSourceArn"),
        ("function_response_types", "FunctionResponseTypes"),
        ("batch_size", "BatchSize"),
        ("maximum_batching_window_in_seconds", "MaximumBatchingWindowInSeconds"),
    ]);
    mapping["ScalingConfig"] = json!(scaling);
    mapping["FunctionName"] = json!("Function");
    mapping
}

fn alarm(mut arguments: Arguments) -> Value {
    let dimensions = arguments.wanted("dimensions");
    let dimensions: Vec<Value> =
        dimensions.as_object().unwrap().iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    let mut alarm = arguments.by(&[
        ("alarm_description", "AlarmDescription"),
        ("namespace", "Namespace"),
        ("metric_name", "MetricName"),
        ("statistic", "Statistic"),
        ("period", "Period"),
        ("evaluation_periods", "EvaluationPeriods"),
        ("comparison_operator", "ComparisonOperator"),
        ("threshold", "Threshold"),
        ("treat_missing_data", "TreatMissingData"),
        ("alarm_actions", "AlarmActions"),
    ]);
    alarm["Dimensions"] = json!(dimensions);
    alarm
}
