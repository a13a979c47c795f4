//! The template as a stack: parameters set, conditions evaluated, references resolved.

use crate::files::read;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use taskhold::config::problem::ConfigProblems;
use taskhold::config::settings::Config;

/// Every parameter that enables a feature.
pub(crate) const SWITCHES: [&str; 3] = ["AllowReleaseIdle", "AllowRaiseDesiredCount", "InterruptedJobs"];

/// A stack for cluster `video` of account 111122223333 in eu-west-1, without the resources that its conditions
/// exclude.
pub(crate) struct Template(pub(crate) Value);

/// The values of references by name, and the conditions that hold.
#[derive(Default)]
struct StackValues {
    references: BTreeMap<String, String>,
    conditions: BTreeMap<String, bool>,
}

impl Template {
    /// All parameters except the cluster's name have their defaults.
    pub(crate) fn load() -> Self {
        Self::with(&[])
    }

    /// All features enabled.
    pub(crate) fn with_everything() -> Self {
        Self::with(&SWITCHES.map(|switch| (switch, "true")))
    }

    /// These parameters set, the others at their defaults.
    pub(crate) fn with(parameters: &[(&str, &str)]) -> Self {
        let yaml: yaml_serde::Value = yaml_serde::from_str(&read("template.yaml")).unwrap();
        let mut known = StackValues { references: references(&yaml), conditions: BTreeMap::new() };
        for (name, value) in parameters {
            assert!(yaml["Parameters"].get(name).is_some(), "{name} is a parameter");
            known.references.insert((*name).to_owned(), (*value).to_owned());
        }
        for (name, condition) in yaml["Conditions"].as_mapping().unwrap() {
            let holds = plain(condition, &known).as_bool().unwrap();
            known.conditions.insert(name.as_str().unwrap().to_owned(), holds);
        }
        let mut stack = plain(&yaml, &known);
        for section in ["Resources", "Outputs"] {
            let exists = |part: &Value| part["Condition"].as_str().is_none_or(|condition| known.conditions[condition]);
            stack[section].as_object_mut().unwrap().retain(|_, part| exists(part));
        }
        Self(stack)
    }

    pub(crate) fn properties(&self, resource: &str) -> &Value {
        &self.0["Resources"][resource]["Properties"]
    }

    pub(crate) fn event(&self, event: &str) -> &Value {
        &self.properties("Function")["Events"][event]["Properties"]
    }

    pub(crate) fn of_type(&self, wanted: &str) -> Vec<&str> {
        let resources = self.0["Resources"].as_object().unwrap().iter();
        resources.filter(|(_, resource)| resource["Type"] == wanted).map(|(name, _)| name.as_str()).collect()
    }

    /// The function's environment, as Lambda would set it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let variables = self.properties("Function")["Environment"]["Variables"].as_object().unwrap();
        variables.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    }

    pub(crate) fn config(&self) -> Config {
        self.try_config().unwrap()
    }

    pub(crate) fn try_config(&self) -> Result<Config, ConfigProblems> {
        let region = ("AWS_REGION".to_owned(), "eu-west-1".to_owned());
        Config::from_variables(self.environment().into_iter().chain([region]))
    }

    /// Whether CloudFormation accepts the parameters.
    pub(crate) fn rules_hold(&self) -> bool {
        let rules = self.0["Rules"].as_object().unwrap().values();
        let mut assertions = rules.flat_map(|rule| rule["Assertions"].as_array().unwrap());
        assertions.all(|assertion| assertion["Assert"].as_bool().unwrap())
    }

    pub(crate) fn number(&self, resource: &str, property: &str) -> i64 {
        self.properties(resource)[property].as_i64().unwrap_or_else(|| panic!("{resource}.{property} is a number"))
    }
}

/// The values of references to parameters at their defaults, to resources and to pseudo parameters.
fn references(yaml: &yaml_serde::Value) -> BTreeMap<String, String> {
    let mut references: BTreeMap<String, String> = [
        ("AWS::Partition", "aws"),
        ("AWS::Region", "eu-west-1"),
        ("AWS::AccountId", "111122223333"),
        ("ClusterName", "video"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (name, parameter) in yaml["Parameters"].as_mapping().unwrap() {
        if let Some(default) = parameter.get("Default") {
            let default = plain(default, &StackValues::default());
            let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            references.insert(name.as_str().unwrap().to_owned(), default);
        }
    }
    for (name, resource) in yaml["Resources"].as_mapping().unwrap() {
        let name = name.as_str().unwrap();
        let reference = match resource["Type"].as_str().unwrap() {
            "AWS::SQS::Queue" => format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{name}"),
            "AWS::SNS::Topic" => format!("arn:aws:sns:eu-west-1:111122223333:{name}"),
            _ => name.to_owned(),
        };
        references.insert(name.to_owned(), reference);
        // The value of `!GetAtt NAME.Arn`, for use in `!Sub`.
        references.insert(format!("{name}.Arn"), format!("{name}.Arn"));
    }
    references
}

/// Plain JSON: `!Ref` and `!Sub` resolved with the known values, `!If` and condition functions evaluated, `!GetAtt
/// A.Arn` replaced by the text `A.Arn`, and `AWS::NoValue` omitted.
fn plain(yaml: &yaml_serde::Value, known: &StackValues) -> Value {
    match yaml {
        yaml_serde::Value::Tagged(tagged) if tagged.tag == "!If" => {
            let holds = known.conditions[tagged.value[0].as_str().unwrap()];
            plain(&tagged.value[if holds { 1 } else { 2 }], known)
        }
        yaml_serde::Value::Tagged(tagged) => called(&tagged.tag.to_string(), plain(&tagged.value, known), known),
        yaml_serde::Value::Sequence(items) => {
            items.iter().map(|item| plain(item, known)).filter(|item| !item.is_null()).collect()
        }
        yaml_serde::Value::Mapping(members) => {
            let member =
                |(name, value): (&yaml_serde::Value, _)| (name.as_str().unwrap().to_owned(), plain(value, known));
            Value::Object(members.iter().map(member).filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        scalar => serde_json::to_value(scalar).unwrap(),
    }
}

/// The result of a CloudFormation function.
fn called(function: &str, argument: Value, known: &StackValues) -> Value {
    let is_true = |value: &Value| value.as_bool().unwrap_or_else(|| panic!("{value} is no condition"));
    match (function, &argument) {
        ("!Ref", Value::String(name)) if name == "AWS::NoValue" => Value::Null,
        ("!Ref", Value::String(name)) => json!(known.references.get(name).unwrap_or_else(|| panic!("!Ref {name}"))),
        ("!Sub", Value::String(text)) => {
            let replaced =
                |text: String, (name, value): (&String, &String)| text.replace(&format!("${{{name}}}"), value);
            let text = known.references.iter().fold(text.clone(), replaced);
            assert!(!text.contains("${"), "{text}");
            json!(text)
        }
        ("!Equals", Value::Array(sides)) => json!(sides[0] == sides[1]),
        ("!Not", Value::Array(conditions)) => json!(!is_true(&conditions[0])),
        ("!Or", Value::Array(conditions)) => json!(conditions.iter().any(is_true)),
        ("!GetAtt", Value::String(_)) => argument,
        _ => panic!("{function} {argument} is not known here"),
    }
}
