//! Evaluates the Terraform module with given variables, and names its resources and properties as CloudFormation does.

use crate::files::{names, read};
use hcl::eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType};
use hcl::structure::{Block, Body, Structure};
use hcl::{Expression, Value as Hcl};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Arguments without a counterpart in the template: Terraform's own, generated names, and the package.
const OMITTED: [&str; 8] =
    ["count", "depends_on", "lifecycle", "name", "name_prefix", "alarm_name", "filename", "source_code_hash"];

/// Properties whose CloudFormation name is not the argument's in camel case, by the block or resource that they belong to.
const RENAMED: [(&str, &str, &str); 12] = [
    ("attribute", "name", "AttributeName"),
    ("attribute", "type", "AttributeType"),
    ("aws_dynamodb_table", "attribute", "AttributeDefinitions"),
    ("aws_dynamodb_table", "global_secondary_index", "GlobalSecondaryIndexes"),
    ("aws_dynamodb_table", "point_in_time_recovery", "PointInTimeRecoverySpecification"),
    ("aws_dynamodb_table", "ttl", "TimeToLiveSpecification"),
    ("aws_sqs_queue", "message_retention_seconds", "MessageRetentionPeriod"),
    ("aws_sqs_queue", "visibility_timeout_seconds", "VisibilityTimeout"),
    ("aws_sqs_queue_policy", "queue_url", "Queues"),
    ("aws_sns_topic_policy", "arn", "Topics"),
    ("global_secondary_index", "name", "IndexName"),
    ("point_in_time_recovery", "enabled", "PointInTimeRecoveryEnabled"),
];

/// The module for cluster `video` of account 111122223333 in eu-west-1.
pub(crate) struct TerraformModule {
    body: Body,
    context: Context<'static>,
}

impl TerraformModule {
    /// The module in this text, with these values of variables and the others at their defaults.
    pub(crate) fn of(text: &str, given: &[(String, Value)]) -> Self {
        let mut module = Self { body: hcl::parse(text).unwrap(), context: Context::new() };
        for (name, function) in FUNCTIONS {
            let any = FuncDef::builder().variadic_param(ParamType::Any);
            module.context.declare_func(name, any.build(function));
        }
        let default = |(name, body)| Some((name, module.value_of(attribute(body, "default")?)));
        let mut variables: Map<String, Value> = module.labelled("variable").filter_map(default).collect();
        variables.extend([("cluster_name", "video"), ("package", "bootstrap.zip")].map(|(n, v)| (n.into(), json!(v))));
        variables.extend(given.iter().cloned());
        module.declare("var", json!(variables));
        module.declare(
            "data",
            json!({"aws_partition": {"current": {"partition": "aws"}}, "aws_region": {"current": {"id": "eu-west-1"}},
                "aws_caller_identity": {"current": {"account_id": "111122223333"}}}),
        );
        for (kind, resources) in module.references() {
            module.declare(&kind, resources);
        }
        module.declare_locals();
        module
    }

    /// The blocks of a kind with one label, by that label.
    pub(crate) fn labelled<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (String, &'a Body)> {
        blocks(&self.body, kind).map(|block| (block.labels()[0].as_str().to_owned(), block.body()))
    }

    fn value_of(&self, expression: &Expression) -> Value {
        let value = expression.evaluate(&self.context).unwrap_or_else(|error| panic!("{expression}: {error}"));
        serde_json::to_value(value).unwrap()
    }

    /// Every resource's properties by its name in the template, the outputs, and whether the variables fit together. Parts
    /// that Terraform declares as separate resources are merged as in CloudFormation: targets into their rules, and
    /// permissions into the role.
    pub(crate) fn declared(&self) -> BTreeMap<String, Value> {
        let (mut declared, mut beside) = (BTreeMap::new(), Vec::new());
        for block in blocks(&self.body, "resource").filter(|block| self.count(block) != Some(0)) {
            let (kind, name) = kind_and_name(block);
            let mut properties = self.properties(kind, block.body());
            match kind {
                "aws_cloudwatch_event_target" => beside.push((properties.remove("Rule"), "Targets", properties)),
                "aws_iam_role_policy" => beside.push((properties.remove("Role"), "Permissions", properties)),
                _ => assert!(declared.insert(name.clone(), Value::Object(properties)).is_none(), "{name} twice"),
            }
        }
        for (owner, member, mut properties) in beside {
            let owner = declared.get_mut(owner.unwrap().as_str().unwrap()).unwrap();
            let value = properties.remove("PolicyDocument").unwrap_or_else(|| json!([properties]));
            assert!(owner.as_object_mut().unwrap().insert(member.to_owned(), value).is_none(), "{member} twice");
        }
        let output = |(name, body)| (name, self.value_of(attribute(body, "value").unwrap()));
        declared.insert("Outputs".to_owned(), self.labelled("output").map(output).collect::<Map<_, _>>().into());
        let lifecycles = blocks(&self.body, "resource").flat_map(|block| blocks(block.body(), "lifecycle"));
        let mut conditions = lifecycles.flat_map(|lifecycle| blocks(lifecycle.body(), "precondition"));
        let hold = conditions.all(|block| self.value_of(attribute(block.body(), "condition").unwrap()) == true);
        declared.insert("RulesHold".to_owned(), json!(hold));
        declared
    }

    /// The condition on a variable's value.
    pub(crate) fn validation(&self, variable: &str) -> Option<&Expression> {
        let (_, body) = self.labelled("variable").find(|(name, _)| name == variable).unwrap();
        blocks(body, "validation").next().map(|block| attribute(block.body(), "condition").unwrap())
    }

    /// Whether a condition on one variable holds for this value.
    pub(crate) fn holds(&self, condition: &Expression, variable: &str, value: Value) -> bool {
        let mut with_value = Self { body: Body::default(), context: self.context.clone() };
        with_value.declare("var", json!({variable: value}));
        with_value.value_of(condition) == true
    }

    fn properties(&self, kind: &str, body: &Body) -> Map<String, Value> {
        let mut properties = Map::new();
        for structure in body.iter() {
            let name = match structure {
                Structure::Attribute(attribute) => attribute.key(),
                Structure::Block(block) => block.identifier(),
            };
            let renamed = RENAMED.iter().find(|(of, ours, _)| (*of, *ours) == (kind, name));
            if renamed.is_none() && OMITTED.contains(&name) {
                continue;
            }
            let value = match structure {
                Structure::Attribute(attribute) => self.value_of(attribute.expr()),
                Structure::Block(block) => Value::Object(self.properties(name, block.body())),
            };
            let (name, value) = match (kind, name) {
                ("aws_lambda_function", "function_name") | ("aws_iam_role", "description") => continue,
                // By its ARN or by its name: Lambda accepts both.
                ("aws_lambda_event_source_mapping", "function_name") => ("FunctionName".to_owned(), json!("Function")),
                (_, "policy" | "assume_role_policy") => (camel(name) + "Document", from_text(&value)),
                (_, "redrive_policy" | "event_pattern" | "input") => (camel(name), from_text(&value)),
                (_, "hash_key") => ("KeySchema".to_owned(), json!([{"AttributeName": value, "KeyType": "HASH"}])),
                (_, "projection_type") => ("Projection".to_owned(), json!({"ProjectionType": value})),
                (_, "dimensions") => {
                    let dimension = |(name, value)| json!({"Name": name, "Value": value});
                    (camel(name), value.as_object().unwrap().iter().map(dimension).collect())
                }
                _ => (renamed.map_or_else(|| camel(name), |(.., theirs)| (*theirs).to_owned()), value),
            };
            // A list even where there is one.
            if ["AttributeDefinitions", "GlobalSecondaryIndexes", "Queues", "Topics"].contains(&name.as_str()) {
                let list = properties.entry(name).or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(value);
            } else {
                assert!(properties.insert(name.clone(), value).is_none(), "{kind}: {name} twice");
            }
        }
        properties
    }

    /// The count of a resource that has one. It depends on variables only: resources are not known yet.
    fn count(&self, block: &Block) -> Option<usize> {
        let count = self.value_of(attribute(block.body(), "count")?);
        Some(usize::try_from(count.as_u64().unwrap()).unwrap())
    }

    /// Every resource by its kind and its name, as an object with an ARN and other attributes. With `count` it is a list.
    fn references(&self) -> Map<String, Value> {
        let mut references = Map::new();
        for block in blocks(&self.body, "resource") {
            let (kind, name) = kind_and_name(block);
            let reference = reference(kind, &name);
            let value = self.count(block).map_or(reference.clone(), |count| json!(vec![reference; count]));
            references.entry(kind).or_insert_with(|| json!({}))[block.labels()[1].as_str()] = value;
        }
        references
    }

    /// Evaluates the local values, which may refer to each other, in rounds until all are known.
    fn declare_locals(&mut self) {
        let all = blocks(&self.body, "locals").flat_map(|block| block.body().attributes());
        let (mut open, mut locals): (Vec<_>, _) = (all.cloned().collect(), Map::new());
        while !open.is_empty() {
            let before = open.len();
            open.retain(|local| match local.expr().evaluate(&self.context) {
                Ok(value) => locals.insert(local.key().to_owned(), serde_json::to_value(value).unwrap()).is_some(),
                Err(_) => true,
            });
            assert!(open.len() < before, "cannot be evaluated: {open:?}");
            self.declare("local", json!(locals));
        }
    }

    fn declare(&mut self, name: &str, value: Value) {
        self.context.declare_var(name, serde_json::from_value::<Hcl>(value).unwrap());
    }
}

/// The text of all files of the module.
pub(crate) fn source() -> String {
    let files = names("terraform").into_iter().filter(|file| file.ends_with(".tf"));
    files.map(|file| read(&format!("terraform/{file}"))).collect::<Vec<_>>().join("\n")
}

fn attribute<'a>(body: &'a Body, name: &str) -> Option<&'a Expression> {
    body.attributes().find(|attribute| attribute.key() == name).map(hcl::Attribute::expr)
}

fn blocks<'a>(body: &'a Body, kind: &'a str) -> impl Iterator<Item = &'a Block> {
    body.blocks().filter(move |block| block.identifier() == kind)
}

/// A resource's kind, and its name in the template: `aws_sqs_queue` and `JobQueue`.
fn kind_and_name(block: &Block) -> (&str, String) {
    let (kind, name) = (block.labels()[0].as_str(), camel(block.labels()[1].as_str()));
    let name = match kind {
        "aws_cloudwatch_event_rule" | "aws_lambda_event_source_mapping" => format!("Function{name}"),
        "aws_cloudwatch_metric_alarm" => name + "Alarm",
        "aws_lambda_function" => name,
        "aws_lambda_function_event_invoke_config" => name + "EventInvokeConfig",
        "aws_lambda_permission" => format!("Function{name}Permission"),
        "aws_sns_topic_subscription" => name + "Subscription",
        // `queue_policy` of aws_sqs_queue_policy.
        _ => name + &camel(kind.splitn(3, '_').nth(2).unwrap()),
    };
    (kind, name)
}

fn camel(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

fn from_text(value: &Value) -> Value {
    serde_json::from_str(value.as_str().unwrap()).unwrap()
}

/// The references to a resource, in the forms that `tests/template/stack.rs` gives the template's.
fn reference(kind: &str, name: &str) -> Value {
    let arn = format!("{name}.Arn");
    match kind {
        "aws_sqs_queue" => {
            let url = format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{name}");
            json!({"arn": arn, "id": url, "url": url, "name": format!("{name}.QueueName")})
        }
        "aws_sns_topic" => json!({"arn": format!("arn:aws:sns:eu-west-1:111122223333:{name}")}),
        "aws_iam_policy" => json!({"arn": name}),
        _ => json!({"arn": arn, "id": name, "name": name, "function_name": name}),
    }
}

type HclFunction = fn(FuncArgs) -> Result<Hcl, String>;

/// The functions of Terraform that the module calls.
const FUNCTIONS: [(&str, HclFunction); 9] = [
    ("jsonencode", |args| Ok(Hcl::from(serde_json::to_string(&args[0]).unwrap()))),
    ("tostring", |args| Ok(Hcl::from(text(&args[0])))),
    ("floor", |args| Ok(Hcl::from(args[0].as_f64().ok_or("no number")?.floor()))),
    ("filebase64sha256", |_| Ok(Hcl::Null)),
    ("one", |args| Ok(list(&args[0])?.first().cloned().unwrap_or(Hcl::Null))),
    ("compact", |args| Ok(list(&args[0])?.iter().filter(|item| !text(item).is_empty()).cloned().collect())),
    ("contains", |args| Ok(Hcl::from(list(&args[0])?.contains(&args[1])))),
    ("join", |args| Ok(Hcl::from(list(&args[1])?.iter().map(text).collect::<Vec<_>>().join(&text(&args[0]))))),
    ("concat", |args| {
        let lists: Result<Vec<_>, String> = args.iter().map(list).collect();
        Ok(lists?.into_iter().flatten().cloned().collect())
    }),
];

fn list(value: &Hcl) -> Result<&Vec<Hcl>, String> {
    value.as_array().ok_or_else(|| format!("{value} is no list"))
}

fn text(value: &Hcl) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
