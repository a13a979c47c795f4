//! The Terraform module as Terraform would see it: variables given, conditions decided, references replaced by what the
//! template's resources are referred to by.

use super::path;
use hcl::eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType};
use hcl::structure::{Block, Body, Structure};
use hcl::{Expression, Value as Hcl};
use serde_json::{Map, Value, json};
use std::fs;

/// What Terraform reads itself, and no provider sees.
const META_ARGUMENTS: [&str; 3] = ["count", "depends_on", "lifecycle"];

/// The kinds of resources that the module may declare, and how the template calls one of each: what is made of a resource's
/// name stands between a prefix and a suffix.
const KINDS: [(&str, &str, &str); 17] = [
    ("aws_cloudwatch_event_rule", "Function", ""),
    ("aws_cloudwatch_event_target", "Function", "Target"),
    ("aws_cloudwatch_log_group", "", "LogGroup"),
    ("aws_cloudwatch_metric_alarm", "", "Alarm"),
    ("aws_dynamodb_table", "", "Table"),
    ("aws_iam_policy", "", "Policy"),
    ("aws_iam_role", "", "Role"),
    ("aws_iam_role_policy", "", "RolePolicy"),
    ("aws_lambda_event_source_mapping", "Function", ""),
    ("aws_lambda_function", "", ""),
    ("aws_lambda_function_event_invoke_config", "", "EventInvokeConfig"),
    ("aws_lambda_permission", "Function", "Permission"),
    ("aws_sns_topic", "", "Topic"),
    ("aws_sns_topic_policy", "", "TopicPolicy"),
    ("aws_sns_topic_subscription", "", "Subscription"),
    ("aws_sqs_queue", "", "Queue"),
    ("aws_sqs_queue_policy", "", "QueuePolicy"),
];

/// A resource of the module.
pub(crate) struct Resource {
    /// As Terraform calls it: `aws_sqs_queue`.
    pub(crate) kind: String,
    /// As the template calls it: `JobQueue`.
    pub(crate) name: String,
    /// Its arguments, blocks as lists of objects.
    pub(crate) arguments: Map<String, Value>,
}

/// The module, used for cluster `video` of account 111122223333 in eu-west-1.
pub(crate) struct Module {
    body: Body,
    variables: Map<String, Value>,
    context: Context<'static>,
}

impl Module {
    /// Every variable but the cluster's name and the package left at its default.
    pub(crate) fn load() -> Self {
        Self::of(&source(), &[])
    }

    /// A module of this text, with these variables given.
    pub(crate) fn of(text: &str, given: &[(String, Value)]) -> Self {
        let mut module = Self { body: hcl::parse(text).unwrap(), variables: Map::new(), context: Context::new() };
        let default = |(name, variable)| Some((name, attribute(variable, "default").map(plain)?));
        let mut variables: Map<String, Value> = module.labelled("variable").filter_map(default).collect();
        for (name, value) in [("cluster_name", "video"), ("package", "bootstrap.zip")] {
            variables.insert(name.to_owned(), json!(value));
        }
        for (name, value) in given {
            assert!(module.labelled("variable").any(|(known, _)| known == *name), "{name} is a variable");
            variables.insert(name.clone(), value.clone());
        }
        module.variables = variables;
        module.decide_locals();
        module
    }

    /// The blocks of a kind with one label, by it.
    pub(crate) fn labelled<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (String, &'a Body)> {
        let blocks = self.body.blocks().filter(move |block| block.identifier() == kind);
        blocks.map(|block| (block.labels()[0].as_str().to_owned(), block.body()))
    }

    /// What an expression of the module comes to.
    pub(crate) fn value_of(&self, expression: &Expression) -> Value {
        self.evaluated(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// What an expression comes to that speaks of one variable only, if this is its value.
    pub(crate) fn value_with(&self, expression: &Expression, variable: &str, value: &Value) -> Value {
        let mut context = self.context.clone();
        declare(&mut context, "var", json!({variable: value}));
        serde_json::to_value(expression.evaluate(&context).unwrap()).unwrap()
    }

    /// The resources that are there with these variables.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        let there = self.resource_blocks().filter(|block| self.count(block) != Some(0));
        let resource = |block: &Block| {
            let kind = block.labels()[0].as_str().to_owned();
            let name = name_in_the_template(&kind, block.labels()[1].as_str());
            Resource { arguments: self.arguments(block.body()), kind, name }
        };
        there.map(resource).collect()
    }

    /// Whether Terraform would go on with these variables.
    pub(crate) fn preconditions_hold(&self) -> bool {
        let lifecycles = self.resource_blocks().flat_map(|block| blocks(block.body(), "lifecycle"));
        let conditions: Vec<&Block> =
            lifecycles.flat_map(|lifecycle| blocks(lifecycle.body(), "precondition")).collect();
        assert!(!conditions.is_empty(), "nothing is refused");
        conditions.iter().all(|block| self.value_of(attribute(block.body(), "condition").unwrap()) == true)
    }

    fn resource_blocks(&self) -> impl Iterator<Item = &Block> {
        self.body.blocks().filter(|block| block.identifier() == "resource")
    }

    /// How many there are of a resource, if it is counted. Only variables can tell: resources are not known yet.
    fn count(&self, block: &Block) -> Option<usize> {
        let count = attribute(block.body(), "count")?;
        let mut context = Context::new();
        declare(&mut context, "var", json!(self.variables));
        let count = serde_json::to_value(count.evaluate(&context).unwrap()).unwrap();
        Some(usize::try_from(count.as_u64().unwrap()).unwrap())
    }

    fn arguments(&self, body: &Body) -> Map<String, Value> {
        let mut arguments = Map::new();
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) if !META_ARGUMENTS.contains(&attribute.key()) => {
                    arguments.insert(attribute.key().to_owned(), self.value_of(attribute.expr()));
                }
                Structure::Block(block) if !META_ARGUMENTS.contains(&block.identifier()) => {
                    let list = arguments.entry(block.identifier().to_owned()).or_insert_with(|| json!([]));
                    list.as_array_mut().unwrap().push(Value::Object(self.arguments(block.body())));
                }
                _ => {}
            }
        }
        arguments
    }

    /// Local values may speak of each other: whatever can be told is, until all are.
    fn decide_locals(&mut self) {
        let blocks = self.body.blocks().filter(|block| block.identifier() == "locals");
        let mut open: Vec<_> = blocks.flat_map(|block| block.body().attributes()).cloned().collect();
        let mut locals = Map::new();
        self.context = self.context_with(&locals);
        while !open.is_empty() {
            let before = open.len();
            open.retain(|local| match self.evaluated(local.expr()) {
                Ok(value) => locals.insert(local.key().to_owned(), value).is_some(),
                Err(_) => true,
            });
            assert!(open.len() < before, "local values without an end: {open:?}");
            self.context = self.context_with(&locals);
        }
    }

    fn evaluated(&self, expression: &Expression) -> Result<Value, String> {
        let value = expression.evaluate(&self.context).map_err(|error| error.to_string())?;
        Ok(serde_json::to_value(value).unwrap())
    }

    fn context_with(&self, locals: &Map<String, Value>) -> Context<'static> {
        let mut context = Context::new();
        for (name, function) in functions() {
            context.declare_func(name, function);
        }
        for (kind, resources) in self.references() {
            declare(&mut context, &kind, resources);
        }
        let data = json!({"aws_partition": {"current": {"partition": "aws"}}, "aws_region": {"current": {"id": "eu-west-1"}},
            "aws_caller_identity": {"current": {"account_id": "111122223333"}}});
        declare(&mut context, "data", data);
        declare(&mut context, "var", json!(self.variables));
        declare(&mut context, "local", json!(locals));
        context
    }

    /// Every resource by its kind and its name, as something that has an ARN and so on. A counted one is a list.
    fn references(&self) -> Map<String, Value> {
        let mut references = Map::new();
        for block in self.resource_blocks() {
            let (kind, name) = (block.labels()[0].as_str(), block.labels()[1].as_str());
            let reference = reference(kind, &name_in_the_template(kind, name));
            let value = self.count(block).map_or(reference.clone(), |count| json!(vec![reference; count]));
            references.entry(kind).or_insert_with(|| json!({}))[name] = value;
        }
        references
    }
}

fn declare(context: &mut Context<'_>, name: &str, value: Value) {
    context.declare_var(name, serde_json::from_value::<Hcl>(value).unwrap());
}

/// The text of all files of the module.
pub(crate) fn source() -> String {
    let entries = fs::read_dir(path("terraform")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|file| file.extension().is_some_and(|extension| extension == "tf")).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>().join("\n")
}

pub(crate) fn attribute<'a>(body: &'a Body, name: &str) -> Option<&'a Expression> {
    body.attributes().find(|attribute| attribute.key() == name).map(hcl::Attribute::expr)
}

pub(crate) fn blocks<'a>(body: &'a Body, kind: &'a str) -> impl Iterator<Item = &'a Block> {
    body.blocks().filter(move |block| block.identifier() == kind)
}

/// The value of an expression that speaks of nothing else.
pub(crate) fn plain(expression: &Expression) -> Value {
    serde_json::to_value(expression.evaluate(&Context::new()).unwrap()).unwrap()
}

fn name_in_the_template(kind: &str, name: &str) -> String {
    let known = KINDS.iter().find(|(known, ..)| *known == kind);
    let (_, prefix, suffix) = known.unwrap_or_else(|| panic!("{kind} is a new kind of resource"));
    format!("{prefix}{}{suffix}", camel(name))
}

fn camel(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// What a resource is referred to by, in the forms that `tests/template/stack.rs` gives the template's.
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

/// Those of Terraform's functions that the module calls.
fn functions() -> [(&'static str, FuncDef); 9] {
    let one = |function: fn(FuncArgs) -> Result<Hcl, String>| FuncDef::builder().param(ParamType::Any).build(function);
    let two = |function: fn(FuncArgs) -> Result<Hcl, String>| {
        FuncDef::builder().param(ParamType::Any).param(ParamType::Any).build(function)
    };
    let any = FuncDef::builder().variadic_param(ParamType::Any);
    [
        ("jsonencode", one(|args| Ok(Hcl::from(serde_json::to_string(&args[0]).unwrap())))),
        ("tostring", one(|args| Ok(Hcl::from(text(&args[0]))))),
        ("floor", one(|args| Ok(Hcl::from(args[0].as_f64().ok_or("no number")?.floor())))),
        ("filebase64sha256", one(|_| Ok(Hcl::from("the package's digest")))),
        ("one", one(|args| Ok(list(&args[0])?.first().cloned().unwrap_or(Hcl::Null)))),
        ("compact", one(|args| Ok(list(&args[0])?.iter().filter(|item| !text(item).is_empty()).cloned().collect()))),
        ("contains", two(|args| Ok(Hcl::from(list(&args[0])?.contains(&args[1]))))),
        ("join", two(|args| Ok(Hcl::from(list(&args[1])?.iter().map(text).collect::<Vec<_>>().join(&text(&args[0])))))),
        (
            "concat",
            any.build(|args| {
                let lists: Result<Vec<_>, String> = args.iter().map(list).collect();
                Ok(lists?.into_iter().flatten().cloned().collect())
            }),
        ),
    ]
}

fn list(value: &Hcl) -> Result<&Vec<Hcl>, String> {
    value.as_array().ok_or_else(|| format!("{value} is no list"))
}

fn text(value: &Hcl) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
