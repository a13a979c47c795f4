//! Reads a suggested command as the shell and the AWS CLI do.

use serde_json::{Map, Value, json};

/// What a command does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CommandEffect {
    /// It calls ECS.
    Ecs { operation: String, request: Value },
    /// It invokes the function.
    Invoke { payload: String },
}

/// The words of a line as a POSIX shell separates them. The line has no quotation marks but single ones.
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '\'' => is_quoted = !is_quoted,
            _ if is_quoted => word.push(c),
            '\\' => word.extend(characters.next()),
            ' ' => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    assert!(!is_quoted, "{line}");
    words.push(word);
    words
}

/// The command without its values.
pub(super) fn shape(line: &str) -> String {
    let value = |word: &str| if word.starts_with('{') { "{}" } else { "_" }.to_owned();
    let words = words(line).into_iter().enumerate();
    let kept = |(at, word): (usize, String)| if at < 3 || word.starts_with("--") { word } else { value(&word) };
    words.map(kept).collect::<Vec<_>>().join(" ")
}

/// Reads a command line.
pub(super) fn read(line: &str) -> CommandEffect {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["aws", "ecs", operation, options @ ..] => {
            let request = options_of(options).into_iter().filter(|(name, _)| *name != "region").map(member).collect();
            CommandEffect::Ecs { operation: capitalized(&camel_case(operation)), request: Value::Object(request) }
        }
        ["aws", "lambda", "invoke", options @ .., "/dev/stdout"] => {
            let options = options_of(options);
            let value = |name: &str| options.iter().find(|(known, _)| *known == name).map(|(_, values)| values[0]);
            assert_eq!(options.len(), 4, "{line}");
            assert_eq!((value("region"), value("function-name")), (Some("eu-west-1"), Some("taskhold")), "{line}");
            assert_eq!(value("cli-binary-format"), Some("raw-in-base64-out"), "{line}");
            CommandEffect::Invoke { payload: value("payload").unwrap().to_owned() }
        }
        _ => panic!("not a command of the AWS CLI: {line}"),
    }
}

/// The options with their values.
fn options_of<'a>(words: &[&'a str]) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut options: Vec<(&str, Vec<&str>)> = Vec::new();
    for word in words {
        match word.strip_prefix("--") {
            Some(name) => options.push((name, Vec::new())),
            None => options.last_mut().expect("every value has an option").1.push(word),
        }
    }
    options
}

/// The member of the request that an option sets.
fn member((name, values): (&str, Vec<&str>)) -> (String, Value) {
    let value = match name {
        "desired-count" => json!(values[0].parse::<u32>().unwrap()),
        "tags" => json!([shorthand(values[0])]),
        "deployment-configuration" if values[0].starts_with('{') => serde_json::from_str(values[0]).unwrap(),
        "deployment-configuration" => shorthand(values[0]),
        _ => json!(values[0]),
    };
    (camel_case(name), value)
}

/// The CLI's shorthand for a structure of plain members.
fn shorthand(text: &str) -> Value {
    let member = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        let number = value.parse::<u32>().ok().filter(|_| name != "value");
        (name.to_owned(), number.map_or_else(|| json!(value), |number| json!(number)))
    };
    Value::Object(text.split(',').map(member).collect::<Map<_, _>>())
}

fn camel_case(words: &str) -> String {
    let mut parts = words.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + &capitalized(part))
}

fn capitalized(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

#[test]
fn a_command_is_read_as_the_shell_and_the_cli_read_it() {
    assert_eq!(words(r#"a 'b c' 'it'\''s' d=e"#), ["a", "b c", "it's", "d=e"]);
    let update = "aws ecs update-service --region eu-west-1 --service web --deployment-configuration maximumPercent=300,minimumHealthyPercent=100";
    let request =
        json!({"service": "web", "deploymentConfiguration": {"maximumPercent": 300, "minimumHealthyPercent": 100}});
    assert_eq!(read(update), CommandEffect::Ecs { operation: "UpdateService".to_owned(), request });
    let tag = "aws ecs tag-resource --resource-arn x --tags key=taskhold:deadline-minutes,value=90";
    let request = json!({"resourceArn": "x", "tags": [{"key": "taskhold:deadline-minutes", "value": "90"}]});
    assert_eq!(read(tag), CommandEffect::Ecs { operation: "TagResource".to_owned(), request });
}
