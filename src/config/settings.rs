//! Reading and validating the settings. The list [`SETTINGS`] is what the documentation is checked against.

use super::Clusters;
use crate::ecs::ClusterArn;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::fmt;

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The clusters whose tasks taskhold may touch.
    pub clusters: Clusters,
    /// Where messages go that cannot be carried out. Without it they are left to the queue's own redrive policy.
    pub parking_queue_url: Option<String>,
    /// Whether ECS is really changed.
    pub mode: Mode,
    /// How long finished jobs are remembered.
    pub tombstone: SignedDuration,
    /// How long a message may name a task that ECS does not know before it is parked.
    pub unknown_task_grace: SignedDuration,
    /// How often a message is received before it is parked instead of retried.
    pub receives_max: u32,
    /// How long a deployment may take, where neither its service nor CloudFormation says.
    pub deadline: SignedDuration,
    /// For rehearsals only: the function's clock is the runtime API's deadline less this many seconds.
    pub rehearsal_timeout: Option<SignedDuration>,
}

/// Whether decisions are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are.
    Live,
    /// They are logged; nothing changes in ECS.
    DryRun,
}

/// A setting, for documentation and for "did you mean".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What it holds if it is not set; empty if it must be set or has none.
    pub default: &'static str,
    /// What values are right.
    pub rule: &'static str,
}

/// All settings, in the order in which the documentation lists them.
pub const SETTINGS: [Setting; 8] = [
    Setting {
        name: "TASKHOLD_CLUSTERS",
        default: "",
        rule: "cluster ARNs separated by commas, all of one partition, Region and account; required",
    },
    Setting { name: "TASKHOLD_PARKING_QUEUE_URL", default: "", rule: "the URL of an SQS queue" },
    Setting { name: "TASKHOLD_DRY_RUN", default: "false", rule: "`true` or `false`" },
    Setting { name: "TASKHOLD_TOMBSTONE_HOURS", default: "336", rule: "a whole number from 1 to 336" },
    Setting { name: "TASKHOLD_UNKNOWN_TASK_GRACE_SECONDS", default: "300", rule: "a whole number from 0 to 3600" },
    Setting { name: "TASKHOLD_RECEIVES_MAX", default: "50", rule: "a whole number from 1 to 900" },
    Setting { name: "TASKHOLD_DEADLINE_MINUTES", default: "180", rule: "a whole number from 1 to 10080" },
    Setting {
        name: "TASKHOLD_REHEARSAL_TIMEOUT_SECONDS",
        default: "",
        rule: "a whole number from 1 to 900; never in AWS",
    },
];

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The environment variable.
    pub name: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Everything that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the settings cannot be used:", self.0.len())?;
        self.0.iter().try_for_each(|ConfigProblem { name, problem }| write!(f, "\n  {name} {problem}"))
    }
}

impl Config {
    /// Reads the settings from environment variables; those that do not start with `TASKHOLD_` are passed over.
    /// `AWS_REGION`, where it is set, must be the clusters' own.
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigProblems> {
        let mut reader = Reader { variables: variables.into_iter().collect(), problems: Vec::new() };
        reader.reject_unknown();
        let clusters = reader.clusters();
        let config = Self {
            // A placeholder that is never used: without clusters there is a problem, and problems make no Config.
            clusters: clusters.unwrap_or_else(Reader::nowhere),
            parking_queue_url: reader.parking_queue_url(),
            mode: reader.mode(),
            tombstone: SignedDuration::from_hours(reader.number("TASKHOLD_TOMBSTONE_HOURS", 1..=336).unwrap_or(336)),
            unknown_task_grace: SignedDuration::from_secs(
                reader.number("TASKHOLD_UNKNOWN_TASK_GRACE_SECONDS", 0..=3600).unwrap_or(300),
            ),
            receives_max: reader
                .number("TASKHOLD_RECEIVES_MAX", 1..=900)
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(50),
            deadline: SignedDuration::from_mins(reader.number("TASKHOLD_DEADLINE_MINUTES", 1..=10_080).unwrap_or(180)),
            rehearsal_timeout: reader
                .number("TASKHOLD_REHEARSAL_TIMEOUT_SECONDS", 1..=900)
                .map(SignedDuration::from_secs),
        };
        if reader.problems.is_empty() { Ok(config) } else { Err(ConfigProblems(reader.problems)) }
    }
}

struct Reader {
    variables: BTreeMap<String, String>,
    problems: Vec<ConfigProblem>,
}

impl Reader {
    fn value(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn problem(&mut self, name: &str, problem: String) {
        self.problems.push(ConfigProblem { name: name.to_owned(), problem });
    }

    fn wrong(&mut self, name: &str, value: &str) {
        let rule = SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.rule);
        self.problem(name, format!("is `{}`; it must be {rule}", crate::ecs::shown(value)));
    }

    fn reject_unknown(&mut self) {
        let known = |name: &str| SETTINGS.iter().any(|setting| setting.name == name);
        let unknown: Vec<String> =
            self.variables.keys().filter(|name| name.starts_with("TASKHOLD_") && !known(name)).cloned().collect();
        for name in unknown {
            let nearest = SETTINGS.iter().max_by_key(|setting| common_letters(setting.name, &name));
            let hint = nearest.map_or("", |setting| setting.name);
            self.problem(&name, format!("is no setting; the nearest one is {hint}"));
        }
    }

    fn clusters(&mut self) -> Option<Clusters> {
        const NAME: &str = "TASKHOLD_CLUSTERS";
        let Some(value) = self.value(NAME) else {
            self.problem(NAME, "is not set; it must be cluster ARNs separated by commas".to_owned());
            return None;
        };
        let mut arns = Vec::new();
        for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match text.parse::<ClusterArn>() {
                Ok(arn) => arns.push(arn),
                Err(error) => self.problem(NAME, format!("has a wrong ARN: {error}")),
            }
        }
        let clusters = Clusters::new(arns);
        match (&clusters, self.value("AWS_REGION")) {
            (None, _) if self.problems.iter().all(|problem| problem.name != NAME) => self.wrong(NAME, &value),
            (Some(clusters), Some(region)) if clusters.region() != region => {
                let ours = clusters.region().to_owned();
                self.problem(NAME, format!("is of Region `{ours}`, but the function runs in `{region}`"));
            }
            _ => {}
        }
        clusters
    }

    fn parking_queue_url(&mut self) -> Option<String> {
        const NAME: &str = "TASKHOLD_PARKING_QUEUE_URL";
        let url = self.value(NAME)?;
        if url.starts_with("https://") || url.starts_with("http://") {
            return Some(url);
        }
        self.wrong(NAME, &url);
        None
    }

    fn mode(&mut self) -> Mode {
        const NAME: &str = "TASKHOLD_DRY_RUN";
        match self.value(NAME).as_deref() {
            None | Some("false") => Mode::Live,
            Some("true") => Mode::DryRun,
            Some(other) => {
                self.wrong(NAME, other);
                Mode::DryRun
            }
        }
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let value = self.value(name)?;
        let number = value.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong(name, &value);
        }
        number
    }

    fn nowhere() -> Clusters {
        let arn = ClusterArn {
            partition: "aws".to_owned(),
            region: String::new(),
            account: String::new(),
            name: String::new(),
        };
        Clusters::new(vec![arn]).expect("one cluster is of one place")
    }
}

/// How many letters of `b` stand in `a` in the same order: enough to guess what a misspelt name meant.
fn common_letters(a: &str, b: &str) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a.bytes() {
        let mut diagonal = 0;
        for (at, y) in b.bytes().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if x == y { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: (&str, &str) = ("TASKHOLD_CLUSTERS", "arn:aws:ecs:eu-west-1:111122223333:cluster/video");

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigProblems> {
        Config::from_variables(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_cluster_is_all_that_must_be_set() {
        let config = read(&[CLUSTER]).unwrap();
        assert_eq!((config.mode, config.receives_max), (Mode::Live, 50));
        assert_eq!(config.tombstone, SignedDuration::from_hours(14 * 24));
    }

    #[test]
    fn the_defaults_that_are_documented_are_those_that_are_used() {
        let documented = SETTINGS.iter().filter(|setting| !setting.default.is_empty());
        let mut variables: Vec<(&str, &str)> = documented.map(|setting| (setting.name, setting.default)).collect();
        variables.push(CLUSTER);
        assert_eq!(read(&variables).unwrap(), read(&[CLUSTER]).unwrap());
    }

    #[test]
    fn all_problems_are_reported_at_once_with_name_value_and_rule() {
        let problems = read(&[
            ("TASKHOLD_DRY_RUN", "yes"),
            ("TASKHOLD_TOMBSTONE_HOURS", "0"),
            ("TASKHOLD_RECEIVES_MAX", "many"),
            ("TASKHOLD_PARKING_QUEUE_URL", "my-queue"),
            ("TASKHOLD_DRYRUN", "true"),
        ])
        .unwrap_err();
        let text = problems.to_string();
        assert_eq!(problems.0.len(), 6, "{text}");
        for expected in [
            "TASKHOLD_CLUSTERS is not set",
            "TASKHOLD_DRY_RUN is `yes`; it must be `true` or `false`",
            "TASKHOLD_TOMBSTONE_HOURS is `0`; it must be a whole number from 1 to 336",
            "TASKHOLD_RECEIVES_MAX is `many`",
            "TASKHOLD_PARKING_QUEUE_URL is `my-queue`; it must be the URL",
            "TASKHOLD_DRYRUN is no setting; the nearest one is TASKHOLD_DRY_RUN",
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
    }

    #[test]
    fn clusters_of_two_places_or_of_another_region_than_the_function_are_a_problem() {
        let two = "arn:aws:ecs:eu-west-1:111122223333:cluster/a,arn:aws:ecs:us-east-1:111122223333:cluster/b";
        let text = read(&[("TASKHOLD_CLUSTERS", two)]).unwrap_err().to_string();
        assert!(text.contains("all of one partition, Region and account"), "{text}");
        let text = read(&[CLUSTER, ("AWS_REGION", "us-east-1")]).unwrap_err().to_string();
        assert!(text.contains("the function runs in `us-east-1`"), "{text}");
    }

    #[test]
    fn variables_of_others_are_passed_over() {
        assert!(read(&[CLUSTER, ("PATH", "/bin"), ("AWS_REGION", "eu-west-1")]).is_ok());
    }
}
