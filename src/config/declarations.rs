//! Every setting, declared once: its environment variable, the values that it takes, its default, and what it means.
//! The parser reads values by these declarations, and tests hold `docs/configuration.md`, `template.yaml` and
//! `terraform/` to them.

use std::borrow::Cow;

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// The values that it takes.
    pub values: Values,
    /// The value if the variable is not set; empty for none.
    pub default: &'static str,
    /// What it does, as on the configuration page.
    pub meaning: &'static str,
}

/// The values that a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// ARNs of clusters.
    Clusters,
    /// The name of a DynamoDB table.
    TableName,
    /// The URL of an SQS queue of either type.
    QueueUrl,
    /// The URL of a standard queue.
    StandardQueueUrl,
    /// The ARN of a standard SNS topic.
    TopicArn,
    /// `true` or `false`.
    Flag,
    /// What to do about a blocked service.
    Policy,
    /// Remediations that are allowed.
    Remediations,
    /// A whole number within these bounds.
    Number {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
}

impl Values {
    /// The values in words, for errors and the configuration page.
    pub fn rule(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Clusters => "cluster ARNs separated by commas, all of one partition, Region and account; required",
            Self::TableName => "the name of a DynamoDB table: 3 to 255 letters, digits, hyphens, underscores and dots",
            Self::QueueUrl => "the URL of an SQS queue",
            Self::StandardQueueUrl => "the URL of an SQS queue, not a FIFO one",
            Self::TopicArn => "the ARN of an SNS topic of the clusters' partition and Region, not a FIFO one",
            Self::Flag => "`true` or `false`",
            Self::Policy => {
                "`notify`, `release-idle` or `raise-desired-count`; the last two only if TASKHOLD_REMEDIATIONS lists them"
            }
            Self::Remediations => "`release-idle`, `raise-desired-count`, or both separated by a comma",
            Self::Number { min, max } => return Cow::Owned(format!("a whole number from {min} to {max}")),
        })
    }
}

impl Setting {
    /// The default of a setting that takes a number.
    pub(crate) fn default_number(&self) -> i64 {
        self.default.parse().expect("a setting that takes a number has one as its default")
    }
}

/// Declares a constant for each setting, and the list of all of them.
macro_rules! settings {
    ($($name:ident = $variable:literal, $values:expr, $default:literal, $meaning:literal;)*) => {
        $(
            #[doc = concat!("`", $variable, "`.")]
            pub const $name: Setting =
                Setting { name: $variable, values: $values, default: $default, meaning: $meaning };
        )*
        /// All settings, in the order of the configuration page.
        pub const SETTINGS: &[Setting] = &[$($name),*];
    };
}

settings! {
    CLUSTERS = "TASKHOLD_CLUSTERS", Values::Clusters, "",
        "Clusters whose tasks the function may protect, in the function's own Region";
    TABLE = "TASKHOLD_TABLE", Values::TableName, "",
        "Table of the state store. Without it, memory";
    DEAD_LETTER_QUEUE_URL = "TASKHOLD_DEAD_LETTER_QUEUE_URL", Values::QueueUrl, "",
        "Destination of dead-lettered messages. Without it, such a message is retried until SQS moves or deletes it";
    RECHECK_QUEUE_URL = "TASKHOLD_RECHECK_QUEUE_URL", Values::StandardQueueUrl, "",
        "Queue in which the function schedules its own rechecks, up to 15 minutes ahead. Without it, only events and sweeps lead to a reconcile";
    ALERT_TOPIC_ARN = "TASKHOLD_ALERT_TOPIC_ARN", Values::TopicArn, "",
        "Topic for alerts: text for email, Amazon Q Developer's format for chat, JSON for all other subscribers";
    ALERT_QUEUE_URL = "TASKHOLD_ALERT_QUEUE_URL", Values::StandardQueueUrl, "",
        "Queue for alerts as JSON. Topic and queue are independent; every alert is a log line, too";
    INTERRUPTED_QUEUE_URL = "TASKHOLD_INTERRUPTED_QUEUE_URL", Values::StandardQueueUrl, "",
        "Queue for interrupted jobs. Without it, only the alert names them";
    DRY_RUN = "TASKHOLD_DRY_RUN", Values::Flag, "false",
        "With `true`, the function logs each change that it would make in ECS, makes none, and counts the messages as done";
    REQUIRE_SENDER_TASK = "TASKHOLD_REQUIRE_SENDER_TASK", Values::Flag, "false",
        "With `true`, only the task itself can report its jobs; see below";
    FINISHED_JOB_RETENTION_HOURS = "TASKHOLD_FINISHED_JOB_RETENTION_HOURS", Values::Number { min: 1, max: 336 }, "336",
        "Finished-job retention: how long a late message cannot revive a finished job. At least as long as the job queue keeps messages";
    LINGER_SECONDS = "TASKHOLD_LINGER_SECONDS", Values::Number { min: 0, max: 900 }, "0",
        "Time for which a task keeps its protection after its last job, so that its next job may start first. The linger never extends the protection that ECS granted";
    UNKNOWN_TASK_GRACE_SECONDS = "TASKHOLD_UNKNOWN_TASK_GRACE_SECONDS", Values::Number { min: 0, max: 3600 }, "300",
        "Age at which a message for a task that ECS does not know is dead-lettered";
    RECEIVES_MAX = "TASKHOLD_RECEIVES_MAX", Values::Number { min: 1, max: 900 }, "50",
        "Number of receives after which a message is dead-lettered instead of retried. Less than the job queue's `maxReceiveCount`";
    DEADLINE_MINUTES = "TASKHOLD_DEADLINE_MINUTES", Values::Number { min: 1, max: 10080 }, "180",
        "Deadline of a deployment, unless the service's tag `taskhold:deadline-minutes` or CloudFormation (3 or 36 hours) sets one";
    BLOCKED_AFTER_MINUTES = "TASKHOLD_BLOCKED_AFTER_MINUTES", Values::Number { min: 0, max: 1440 }, "5",
        "Time for which protected tasks block a deployment before the alert. The alert waits longer while their jobs are expected to end in time";
    SCALE_IN_BLOCKED_AFTER_MINUTES = "TASKHOLD_SCALE_IN_BLOCKED_AFTER_MINUTES", Values::Number { min: 0, max: 1440 }, "60",
        "Time for which a scale-in waits, beyond the expected end of the jobs that ran when it began to wait, before the alert";
    REPEAT_AFTER_MINUTES = "TASKHOLD_REPEAT_AFTER_MINUTES", Values::Number { min: 5, max: 1440 }, "60",
        "Interval at which an open incident is repeated";
    POLICY = "TASKHOLD_POLICY", Values::Policy, "notify",
        "Remediation for a blocked service without the tag `taskhold:policy`";
    REMEDIATIONS = "TASKHOLD_REMEDIATIONS", Values::Remediations, "",
        "Remediations that are allowed. A tag that asks for another one changes nothing, and the alerts say so";
    RELEASE_GRACE_MINUTES = "TASKHOLD_RELEASE_GRACE_MINUTES", Values::Number { min: 1, max: 1440 }, "5",
        "`release-idle`: time for which a task must have been idle";
    RAISE_COOL_DOWN_MINUTES = "TASKHOLD_RAISE_COOL_DOWN_MINUTES", Values::Number { min: 1, max: 1440 }, "15",
        "`raise-desired-count`: minimum time between two raises of one service";
}
