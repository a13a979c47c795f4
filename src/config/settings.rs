//! The settings as the function uses them. `declarations.rs` says what can be set, `reader.rs` reads a value.

use crate::config::clusters::Clusters;
use crate::config::declarations::{
    ALERT_QUEUE_URL, ALERT_TOPIC_ARN, BLOCKED_AFTER_MINUTES, DEAD_LETTER_QUEUE_URL, DEADLINE_MINUTES, DRY_RUN,
    FINISHED_JOB_RETENTION_HOURS, INTERRUPTED_QUEUE_URL, LINGER_SECONDS, RAISE_COOL_DOWN_MINUTES, RECEIVES_MAX,
    RECHECK_QUEUE_URL, RELEASE_GRACE_MINUTES, REPEAT_AFTER_MINUTES, REQUIRE_SENDER_TASK,
    SCALE_IN_BLOCKED_AFTER_MINUTES, TABLE, UNKNOWN_TASK_GRACE_SECONDS,
};
use crate::config::policy::{Policy, Remediations};
use crate::config::problem::ConfigProblems;
use crate::config::reader::Reader;
use jiff::SignedDuration;

/// The values of all settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The clusters whose tasks taskhold may change.
    pub clusters: Clusters,
    /// The DynamoDB table of the state store. Without it, the state store is in the memory of this instance.
    pub store_table: Option<String>,
    /// The queue for dead-lettered messages. Without it, messages that cannot be carried out are left to the
    /// job queue's redrive policy.
    pub dead_letter_queue_url: Option<String>,
    /// The queue for rechecks. Without it, only events and the sweep trigger a reconcile.
    pub recheck_queue_url: Option<String>,
    /// The name of the function, which alerts and their commands contain.
    pub function_name: String,
    /// The SNS topic for alerts, if any.
    pub alert_topic_arn: Option<String>,
    /// The SQS queue for alerts, if any.
    pub alert_queue_url: Option<String>,
    /// The SQS queue for interrupted jobs, if any.
    pub interrupted_queue_url: Option<String>,
    /// Whether taskhold changes ECS.
    pub mode: Mode,
    /// Who may report a job.
    pub senders: Senders,
    /// Finished-job retention: how long finished jobs are remembered.
    pub finished_job_retention: SignedDuration,
    /// How long a task keeps its protection after its last job. At most SQS's maximum delay of a recheck.
    pub linger: SignedDuration,
    /// The age at which a message for a task that ECS does not know is dead-lettered.
    pub unknown_task_grace: SignedDuration,
    /// After how many receives a message is dead-lettered instead of retried.
    pub receives_max: u32,
    /// How long a deployment may take, unless its service or CloudFormation sets another deadline.
    pub deadline: SignedDuration,
    /// How long a deployment must be blocked before an alert is sent.
    pub blocked_after: SignedDuration,
    /// How long a scale-in must wait beyond the expected end of its jobs before an alert is sent.
    pub scale_in_blocked_after: SignedDuration,
    /// After how long the alert of an open incident is repeated.
    pub repeat_after: SignedDuration,
    /// What taskhold does about a blocked service, unless a tag of the service sets another policy.
    pub policy: Policy,
    /// The remediations that are allowed, regardless of tags.
    pub remediations: Remediations,
    /// How long a task must have been idle before a remediation clears its protection.
    pub release_grace: SignedDuration,
    /// Minimum time between two raises of one service's desired count.
    pub raise_cool_down: SignedDuration,
}

/// Whether taskhold carries out its decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It carries them out.
    Live,
    /// It only logs them and changes nothing in ECS.
    DryRun,
}

/// Which senders may report a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Senders {
    /// Every principal that may send to the job queue.
    Anybody,
    /// Only the task itself, identified by the session of its role's credentials.
    TaskItself,
}

impl Config {
    /// Whether an ARN is that of the recheck queue, whose account and name are the last two parts of its
    /// URL's path.
    pub fn is_recheck_queue(&self, arn: &str) -> bool {
        let queue = self.recheck_queue_url.as_deref().and_then(|url| {
            let (rest, name) = url.rsplit_once('/')?;
            Some((rest.rsplit_once('/')?.1, name))
        });
        let Some((account, name)) = queue else { return false };
        let mut parts = arn.splitn(6, ':');
        let [prefix, _partition, service, region, owner, queue] =
            std::array::from_fn(|_| parts.next().unwrap_or_default());
        prefix == "arn" && service == "sqs" && region == self.clusters.region() && owner == account && queue == name
    }

    /// Reads the settings from environment variables and ignores those that do not start with `TASKHOLD_`.
    /// `AWS_REGION`, if it is set, must be the Region of the clusters. `AWS_LAMBDA_FUNCTION_NAME` is the function's
    /// name.
    ///
    /// # Errors
    /// All problems together.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(variables);
        reader.reject_unknown();
        let clusters = reader.clusters();
        let (policy, remediations) = reader.policy();
        let config = Self {
            function_name: reader.function_name(),
            store_table: reader.table_name(&TABLE),
            dead_letter_queue_url: reader.queue_url(&DEAD_LETTER_QUEUE_URL),
            recheck_queue_url: reader.standard_queue_url(&RECHECK_QUEUE_URL),
            alert_topic_arn: reader.topic_arn(&ALERT_TOPIC_ARN, clusters.as_ref()),
            alert_queue_url: reader.standard_queue_url(&ALERT_QUEUE_URL),
            interrupted_queue_url: reader.standard_queue_url(&INTERRUPTED_QUEUE_URL),
            mode: reader.one_of(&DRY_RUN, [Mode::Live, Mode::DryRun]),
            senders: reader.one_of(&REQUIRE_SENDER_TASK, [Senders::Anybody, Senders::TaskItself]),
            finished_job_retention: SignedDuration::from_hours(reader.number(&FINISHED_JOB_RETENTION_HOURS)),
            linger: SignedDuration::from_secs(reader.number(&LINGER_SECONDS)),
            unknown_task_grace: SignedDuration::from_secs(reader.number(&UNKNOWN_TASK_GRACE_SECONDS)),
            receives_max: u32::try_from(reader.number(&RECEIVES_MAX)).unwrap_or(u32::MAX),
            deadline: SignedDuration::from_mins(reader.number(&DEADLINE_MINUTES)),
            blocked_after: SignedDuration::from_mins(reader.number(&BLOCKED_AFTER_MINUTES)),
            scale_in_blocked_after: SignedDuration::from_mins(reader.number(&SCALE_IN_BLOCKED_AFTER_MINUTES)),
            repeat_after: SignedDuration::from_mins(reader.number(&REPEAT_AFTER_MINUTES)),
            policy,
            remediations,
            release_grace: SignedDuration::from_mins(reader.number(&RELEASE_GRACE_MINUTES)),
            raise_cool_down: SignedDuration::from_mins(reader.number(&RAISE_COOL_DOWN_MINUTES)),
            // A placeholder that is never used: without clusters there is a problem, and problems make no Config.
            clusters: clusters.unwrap_or_else(Reader::nowhere),
        };
        let problems = reader.into_problems();
        if problems.is_empty() { Ok(config) } else { Err(ConfigProblems(problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::declarations::SETTINGS;
    use crate::config::problem::ConfigProblem;

    const CLUSTER: (&str, &str) = ("TASKHOLD_CLUSTERS", "arn:aws:ecs:eu-west-1:111122223333:cluster/video");

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigProblems> {
        Config::from_variables(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
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
            ("TASKHOLD_FINISHED_JOB_RETENTION_HOURS", "0"),
            ("TASKHOLD_RECEIVES_MAX", "many"),
            ("TASKHOLD_DEAD_LETTER_QUEUE_URL", "my-queue"),
            ("TASKHOLD_DRYRUN", "true"),
        ])
        .unwrap_err();
        let text = problems.to_string();
        assert_eq!(problems.0.len(), 6, "{text}");
        for expected in [
            "TASKHOLD_CLUSTERS is not set",
            "TASKHOLD_DRY_RUN is `yes`; it must be `true` or `false`",
            "TASKHOLD_FINISHED_JOB_RETENTION_HOURS is `0`; it must be a whole number from 1 to 336",
            "TASKHOLD_RECEIVES_MAX is `many`",
            "TASKHOLD_DEAD_LETTER_QUEUE_URL is `my-queue`; it must be the URL",
            "TASKHOLD_DRYRUN is not a setting; the closest is TASKHOLD_DRY_RUN",
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
    }

    #[test]
    fn a_name_that_leaves_words_out_or_reorders_them_is_answered_with_the_setting_that_it_stands_for() {
        for (unknown, closest) in [
            ("TASKHOLD_RETENTION_HOURS", "TASKHOLD_FINISHED_JOB_RETENTION_HOURS"),
            ("TASKHOLD_GRACE_MINUTES", "TASKHOLD_RELEASE_GRACE_MINUTES"),
            ("TASKHOLD_SCALE_IN_MINUTES", "TASKHOLD_SCALE_IN_BLOCKED_AFTER_MINUTES"),
            ("TASKHOLD_MAX_RECEIVE_COUNT", "TASKHOLD_RECEIVES_MAX"),
            ("TASKHOLD_DYNAMODB_TABLE", "TASKHOLD_TABLE"),
            ("TASKHOLD_SNS_TOPIC", "TASKHOLD_ALERT_TOPIC_ARN"),
            ("TASKHOLD_", "TASKHOLD_"),
        ] {
            let text = read(&[CLUSTER, (unknown, "1")]).unwrap_err().to_string();
            assert!(text.contains(&format!("{unknown} is not a setting; the closest is {closest}")), "{text}");
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
    fn an_alert_topic_is_a_topic_of_the_clusters_partition_and_region_in_any_account() {
        const NAME: &str = "TASKHOLD_ALERT_TOPIC_ARN";
        for arn in ["arn:aws:sns:eu-west-1:111122223333:alerts", "arn:aws:sns:eu-west-1:444455556666:Alerts_2-x"] {
            assert_eq!(read(&[CLUSTER, (NAME, arn)]).unwrap().alert_topic_arn.as_deref(), Some(arn));
        }
        for wrong in [
            "alerts",
            "arn:aws:sqs:eu-west-1:111122223333:alerts",
            "arn:aws-cn:sns:eu-west-1:111122223333:alerts",
            "arn:aws:sns:us-east-1:111122223333:alerts",
            "arn:aws:sns:eu-west-1:1111:alerts",
            "arn:aws:sns:eu-west-1:111122223333:",
            "arn:aws:sns:eu-west-1:111122223333:alerts.fifo",
            // The ARN of a subscription instead of that of its topic.
            "arn:aws:sns:eu-west-1:111122223333:alerts:1c9a7b2e-0000-4000-8000-000000000000",
        ] {
            let text = read(&[CLUSTER, (NAME, wrong)]).unwrap_err().to_string();
            assert!(text.contains(&format!("{NAME} is `{wrong}`; it must be the ARN of an SNS topic")), "{text}");
        }
        let elsewhere = "arn:aws:ecs:us-east-1:111122223333:cluster/a";
        let problems = read(&[("TASKHOLD_CLUSTERS", "a"), (NAME, "arn:aws:sns:eu-west-1:111122223333:alerts")]);
        assert_eq!(problems.unwrap_err().0.len(), 1, "where the clusters are is not known, so the topic is not blamed");
        let problems = read(&[("TASKHOLD_CLUSTERS", elsewhere), (NAME, "arn:aws:sns:eu-west-1:111122223333:alerts")]);
        assert_eq!(problems.unwrap_err().0.len(), 1);
    }

    #[test]
    fn alerts_interrupted_jobs_and_rechecks_go_to_queues_without_groups() {
        let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/queue";
        for name in ["TASKHOLD_ALERT_QUEUE_URL", "TASKHOLD_INTERRUPTED_QUEUE_URL", "TASKHOLD_RECHECK_QUEUE_URL"] {
            let config = read(&[CLUSTER, (name, url)]).unwrap();
            let urls = [config.alert_queue_url, config.interrupted_queue_url, config.recheck_queue_url];
            assert_eq!(urls.into_iter().flatten().collect::<Vec<_>>(), [url]);
            for wrong in ["alerts", "arn:aws:sqs:eu-west-1:111122223333:alerts", &format!("{url}.fifo")] {
                let text = read(&[CLUSTER, (name, wrong)]).unwrap_err().to_string();
                let rule = "it must be the URL of an SQS queue, not a FIFO one";
                assert!(text.contains(&format!("{name} is `{wrong}`; {rule}")), "{text}");
            }
        }
    }

    #[test]
    fn a_policy_that_may_not_be_followed_is_a_problem_with_both_suggested_actions() {
        let problems =
            read(&[CLUSTER, ("TASKHOLD_POLICY", "release-idle"), ("TASKHOLD_REMEDIATIONS", "raise-desired-count")]);
        let expected = "is `release-idle`, which TASKHOLD_REMEDIATIONS does not list; add `release-idle` there, or set `notify` here";
        let problem = ConfigProblem { name: "TASKHOLD_POLICY".to_owned(), problem: expected.to_owned() };
        assert_eq!(problems, Err(ConfigProblems(vec![problem])));
        assert!(read(&[CLUSTER, ("TASKHOLD_POLICY", "raise-desired-count")]).is_err(), "nothing is allowed by itself");
    }

    #[test]
    fn a_wrong_policy_and_a_wrong_list_of_remediations_are_reported_separately() {
        let read = |policy, remediations| {
            read(&[CLUSTER, ("TASKHOLD_POLICY", policy), ("TASKHOLD_REMEDIATIONS", remediations)])
        };
        let names = |config: Result<Config, ConfigProblems>| {
            let problems = config.unwrap_err().0;
            problems.into_iter().map(|problem| format!("{} {}", problem.name, problem.problem)).collect::<Vec<_>>()
        };
        let rule = "it must be `notify`, `release-idle` or `raise-desired-count`";
        assert!(names(read("release", "release-idle"))[0].contains(rule), "{:?}", read("release", "release-idle"));
        for wrong in ["notify", "release-idle raise-desired-count", "release-idle, all", "Release-Idle"] {
            let problems = names(read("release-idle", wrong));
            let [problem] = &problems[..] else {
                panic!("an unknown remediation is no problem of the policy: {problems:?}")
            };
            assert!(
                problem.starts_with(&format!("TASKHOLD_REMEDIATIONS is `{wrong}`; it must be `release-idle`")),
                "{problem}"
            );
        }
    }

    #[test]
    fn the_store_is_in_a_table_by_its_name_or_in_memory() {
        const NAME: &str = "TASKHOLD_TABLE";
        assert_eq!(read(&[CLUSTER]).unwrap().store_table, None);
        let table = "taskhold-StateTable-1X2Y3Z";
        assert_eq!(read(&[CLUSTER, (NAME, table)]).unwrap().store_table.as_deref(), Some(table));
        for wrong in ["ab", "a table", "arn:aws:dynamodb:eu-west-1:111122223333:table/store"] {
            let text = read(&[CLUSTER, (NAME, wrong)]).unwrap_err().to_string();
            assert!(text.contains(&format!("{NAME} is `{wrong}`; it must be the name of a DynamoDB table")), "{text}");
        }
    }

    #[test]
    fn variables_of_others_are_passed_over() {
        assert!(read(&[CLUSTER, ("PATH", "/bin"), ("AWS_REGION", "eu-west-1")]).is_ok());
    }
}
