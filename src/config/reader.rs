//! Parses environment variables: one function for each kind of value. Problems are collected until all are
//! known.

use crate::config::clusters::Clusters;
use crate::config::declarations::{CLUSTERS, POLICY, REMEDIATIONS, SETTINGS, Setting, Values};
use crate::config::policy::{Policy, Remediations};
use crate::config::problem::ConfigProblem;
use crate::ecs::arn::ClusterArn;
use std::collections::BTreeMap;

/// The variables, and the problems found so far.
pub(crate) struct Reader {
    variables: BTreeMap<String, String>,
    problems: Vec<ConfigProblem>,
}

impl Reader {
    pub(crate) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect(), problems: Vec::new() }
    }

    /// All problems.
    pub(crate) fn into_problems(self) -> Vec<ConfigProblem> {
        self.problems
    }

    fn value(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn problem(&mut self, name: &str, problem: String) {
        self.problems.push(ConfigProblem { name: name.to_owned(), problem });
    }

    fn wrong(&mut self, setting: &Setting, value: &str) {
        let rule = setting.values.rule();
        self.problem(setting.name, format!("is `{}`; it must be {rule}", crate::ecs::arn::shown(value)));
    }

    /// Reports every variable that starts with `TASKHOLD_` and is not a setting: it is most likely
    /// misspelled.
    pub(crate) fn reject_unknown(&mut self) {
        let known = |name: &str| SETTINGS.iter().any(|setting| setting.name == name);
        let unknown: Vec<String> =
            self.variables.keys().filter(|name| name.starts_with("TASKHOLD_") && !known(name)).cloned().collect();
        for name in unknown {
            // By pairs of letters: people leave words out or reorder them. The common prefix says nothing.
            let closeness = |setting: &Setting| {
                strsim::sorensen_dice(&setting.name["TASKHOLD_".len()..], &name["TASKHOLD_".len()..])
            };
            let nearest = SETTINGS.iter().max_by(|one, other| closeness(one).total_cmp(&closeness(other)));
            let hint = nearest.map_or("", |setting| setting.name);
            self.problem(&name, format!("is not a setting; the closest is {hint}"));
        }
    }

    pub(crate) fn clusters(&mut self) -> Option<Clusters> {
        const NAME: &str = CLUSTERS.name;
        let Some(value) = self.value(NAME) else {
            self.problem(NAME, "is not set; it must be cluster ARNs separated by commas".to_owned());
            return None;
        };
        let mut arns = Vec::new();
        for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match text.parse::<ClusterArn>() {
                Ok(arn) => arns.push(arn),
                Err(error) => self.problem(NAME, format!("contains an invalid ARN: {error}")),
            }
        }
        let clusters = Clusters::new(arns);
        match (&clusters, self.value("AWS_REGION")) {
            (None, _) if self.problems.iter().all(|problem| problem.name != NAME) => self.wrong(&CLUSTERS, &value),
            (Some(clusters), Some(region)) if clusters.region() != region => {
                let ours = clusters.region().to_owned();
                self.problem(NAME, format!("is in Region `{ours}`, but the function runs in `{region}`"));
            }
            _ => {}
        }
        clusters
    }

    /// The name that Lambda gives to every function (Lambda Developer Guide, "Defined runtime environment variables").
    /// Outside Lambda it is `taskhold`.
    pub(crate) fn function_name(&self) -> String {
        self.value("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "taskhold".to_owned())
    }

    pub(crate) fn queue_url(&mut self, setting: &Setting) -> Option<String> {
        self.right(setting, is_url)
    }

    /// FIFO queues are rejected: they require a message group, and support no delay for a single message.
    pub(crate) fn standard_queue_url(&mut self, setting: &Setting) -> Option<String> {
        self.right(setting, |url| is_url(url) && !url.ends_with(".fifo"))
    }

    /// A table of the function's own account and Region: its name, not its ARN.
    pub(crate) fn table_name(&mut self, setting: &Setting) -> Option<String> {
        // What DynamoDB allows in names.
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        self.right(setting, |table| (3..=255).contains(&table.len()) && table.chars().all(named))
    }

    /// A topic may belong to another account, so that several accounts can share one. Its Region must be the
    /// function's, because the SNS client calls that Region. FIFO topics are rejected: they require a message group,
    /// and cannot deliver to email or chat.
    pub(crate) fn topic_arn(&mut self, setting: &Setting, clusters: Option<&Clusters>) -> Option<String> {
        let place = clusters.and_then(|clusters| clusters.iter().next()).cloned();
        self.right(setting, |arn| {
            let parts: Vec<&str> = arn.split(':').collect();
            let ["arn", partition, "sns", region, account, topic] = parts[..] else { return false };
            let there = place.is_none_or(|place| (partition, region) == (&*place.partition, &*place.region));
            // The rule of SNS for topic names; the name of a FIFO topic ends in `.fifo`.
            let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let counted = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            there && counted && (1..=256).contains(&topic.len()) && topic.chars().all(named)
        })
    }

    /// The default policy, and the remediations that are allowed. A policy that is not allowed is a problem,
    /// because its operator expects that it takes effect.
    pub(crate) fn policy(&mut self) -> (Policy, Remediations) {
        let remediations = self.value(REMEDIATIONS.name).map_or(Some(Remediations::default()), |listed| {
            let remediations = Remediations::listed(&listed);
            if remediations.is_none() {
                self.wrong(&REMEDIATIONS, &listed);
            }
            remediations
        });
        let policy = self.value(POLICY.name).map_or(Policy::Notify, |value| {
            value.parse().unwrap_or_else(|_| {
                self.wrong(&POLICY, &value);
                Policy::Notify
            })
        });
        if remediations.is_some_and(|remediations| !remediations.allow(policy)) {
            let policy = policy.as_str();
            let suggested_action = format!("add `{policy}` there, or set `notify` here");
            let remediations = REMEDIATIONS.name;
            self.problem(POLICY.name, format!("is `{policy}`, which {remediations} does not list; {suggested_action}"));
        }
        (policy, remediations.unwrap_or_default())
    }

    /// `off` if the setting is `false` or not set, `on` if it is `true`.
    pub(crate) fn one_of<T>(&mut self, setting: &Setting, [off, on]: [T; 2]) -> T {
        match self.value(setting.name).as_deref() {
            None | Some("false") => off,
            Some("true") => on,
            Some(other) => {
                self.wrong(setting, other);
                on
            }
        }
    }

    pub(crate) fn number(&mut self, setting: &Setting) -> i64 {
        let Values::Number { min, max } = setting.values else { unreachable!("{} takes no number", setting.name) };
        let Some(value) = self.value(setting.name) else { return setting.default_number() };
        let number = value.parse().ok().filter(|number| (min..=max).contains(number));
        number.unwrap_or_else(|| {
            self.wrong(setting, &value);
            setting.default_number()
        })
    }

    /// The value, if it is valid. Reports a problem for an invalid value, and none if the setting is not set.
    fn right(&mut self, setting: &Setting, is_right: impl FnOnce(&str) -> bool) -> Option<String> {
        let value = self.value(setting.name)?;
        if is_right(&value) {
            return Some(value);
        }
        self.wrong(setting, &value);
        None
    }

    /// A placeholder for clusters that could not be parsed.
    pub(crate) fn nowhere() -> Clusters {
        let arn = ClusterArn {
            partition: "aws".to_owned(),
            region: String::new(),
            account: String::new(),
            name: String::new(),
        };
        Clusters::new(vec![arn]).expect("one cluster is of one place")
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
