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

/// `TASKHOLD_CLUSTERS`.
pub const CLUSTERS: Setting = Setting {
    name: "TASKHOLD_CLUSTERS",
    values: Values::Clusters,
    default: "",
    meaning: "Clusters whose tasks the function may protect, in the function's own Region",
};
/// `TASKHOLD_TABLE`.
pub const TABLE: Setting = Setting {
    name: "TASKHOLD_TABLE",
    values: Values::TableName,
    default: "",
    meaning: "Table of the state store. Without it, memory",
};
/// `TASKHOLD_DEAD_LETTER_QUEUE_URL`.
pub const DEAD_LETTER_QUEUE_URL: Setting = Setting {
    name: "TASKHOLD_DEAD_LETTER_QUEUE_URL",
    values: Values::QueueUrl,
    default: "",
    meaning: "Destination of dead-lettered messages. Without it, such a message is retried until SQS moves or deletes it",
};
/// `TASKHOLD_RECHECK_QUEUE_URL`.
pub const RECHECK_QUEUE_URL: Setting = Setting {
    name: "TASKHOLD_RECHECK_QUEUE_URL",
    values: Values::StandardQueueUrl,
    default: "",
    meaning: "Queue in which the function schedules its own rechecks, up to 15 minutes ahead. Without it, only events and sweeps lead to a reconcile",
};
/// `TASKHOLD_ALERT_TOPIC_ARN`.
pub const ALERT_TOPIC_ARN: Setting = Setting {
    name: "TASKHOLD_ALERT_TOPIC_ARN",
    values: Values::TopicArn,
    default: "",
    meaning: "Topic for alerts: text for email, Amazon Q Developer's format for chat, JSON for all other subscribers",
};
/// `TASKHOLD_ALERT_QUEUE_URL`.
pub const ALERT_QUEUE_URL: Setting = Setting {
    name: "TASKHOLD_ALERT_QUEUE_URL",
    values: Values::StandardQueueUrl,
    default: "",
    meaning: "Queue for alerts as JSON. Topic and queue are independent; every alert is a log line, too",
};
/// `TASKHOLD_INTERRUPTED_QUEUE_URL`.
pub const INTERRUPTED_QUEUE_URL: Setting = Setting {
    name: "TASKHOLD_INTERRUPTED_QUEUE_URL",
    values: Values::StandardQueueUrl,
    default: "",
    meaning: "Queue for interrupted jobs. Without it, only the alert names them",
};
/// `TASKHOLD_DRY_RUN`.
pub const DRY_RUN: Setting = Setting {
    name: "TASKHOLD_DRY_RUN",
    values: Values::Flag,
    default: "false",
    meaning: "With `true`, the function logs each change that it would make in ECS, makes none, and counts the messages as done",
};
/// `TASKHOLD_REQUIRE_SENDER_TASK`.
pub const REQUIRE_SENDER_TASK: Setting = Setting {
    name: "TASKHOLD_REQUIRE_SENDER_TASK",
    values: Values::Flag,
    default: "false",
    meaning: "With `true`, only the task itself can report its jobs; see below",
};
/// `TASKHOLD_FINISHED_JOB_RETENTION_HOURS`.
pub const FINISHED_JOB_RETENTION_HOURS: Setting = Setting {
    name: "TASKHOLD_FINISHED_JOB_RETENTION_HOURS",
    values: Values::Number { min: 1, max: 336 },
    default: "336",
    meaning: "Finished-job retention: how long a late message cannot revive a finished job. At least as long as the job queue keeps messages",
};
/// `TASKHOLD_LINGER_SECONDS`.
pub const LINGER_SECONDS: Setting = Setting {
    name: "TASKHOLD_LINGER_SECONDS",
    values: Values::Number { min: 0, max: 900 },
    default: "0",
    meaning: "Time for which a task keeps its protection after its last job, so that its next job may start first. The linger never extends the protection that ECS granted",
};
/// `TASKHOLD_UNKNOWN_TASK_GRACE_SECONDS`.
pub const UNKNOWN_TASK_GRACE_SECONDS: Setting = Setting {
    name: "TASKHOLD_UNKNOWN_TASK_GRACE_SECONDS",
    values: Values::Number { min: 0, max: 3600 },
    default: "300",
    meaning: "Age at which a message for a task that ECS does not know is dead-lettered",
};
/// `TASKHOLD_RECEIVES_MAX`.
pub const RECEIVES_MAX: Setting = Setting {
    name: "TASKHOLD_RECEIVES_MAX",
    values: Values::Number { min: 1, max: 900 },
    default: "50",
    meaning: "Number of receives after which a message is dead-lettered instead of retried. Less than the job queue's `maxReceiveCount`",
};
/// `TASKHOLD_DEADLINE_MINUTES`.
pub const DEADLINE_MINUTES: Setting = Setting {
    name: "TASKHOLD_DEADLINE_MINUTES",
    values: Values::Number { min: 1, max: 10080 },
    default: "180",
    meaning: "Deadline of a deployment, unless the service's tag `taskhold:deadline-minutes` or CloudFormation (3 or 36 hours) sets one",
};
/// `TASKHOLD_BLOCKED_AFTER_MINUTES`.
pub const BLOCKED_AFTER_MINUTES: Setting = Setting {
    name: "TASKHOLD_BLOCKED_AFTER_MINUTES",
    values: Values::Number { min: 0, max: 1440 },
    default: "5",
    meaning: "Time for which protected tasks block a deployment before the alert. The alert waits longer while their jobs are expected to end in time",
};
/// `TASKHOLD_SCALE_IN_BLOCKED_AFTER_MINUTES`.
pub const SCALE_IN_BLOCKED_AFTER_MINUTES: Setting = Setting {
    name: "TASKHOLD_SCALE_IN_BLOCKED_AFTER_MINUTES",
    values: Values::Number { min: 0, max: 1440 },
    default: "60",
    meaning: "Time for which a scale-in waits, beyond the expected end of the jobs that ran when it began to wait, before the alert",
};
/// `TASKHOLD_REPEAT_AFTER_MINUTES`.
pub const REPEAT_AFTER_MINUTES: Setting = Setting {
    name: "TASKHOLD_REPEAT_AFTER_MINUTES",
    values: Values::Number { min: 5, max: 1440 },
    default: "60",
    meaning: "Interval at which an open incident is repeated",
};
/// `TASKHOLD_POLICY`.
pub const POLICY: Setting = Setting {
    name: "TASKHOLD_POLICY",
    values: Values::Policy,
    default: "notify",
    meaning: "Remediation for a blocked service without the tag `taskhold:policy`",
};
/// `TASKHOLD_REMEDIATIONS`.
pub const REMEDIATIONS: Setting = Setting {
    name: "TASKHOLD_REMEDIATIONS",
    values: Values::Remediations,
    default: "",
    meaning: "Remediations that are allowed. A tag that asks for another one changes nothing, and the alerts say so",
};
/// `TASKHOLD_RELEASE_GRACE_MINUTES`.
pub const RELEASE_GRACE_MINUTES: Setting = Setting {
    name: "TASKHOLD_RELEASE_GRACE_MINUTES",
    values: Values::Number { min: 1, max: 1440 },
    default: "5",
    meaning: "`release-idle`: time for which a task must have been idle",
};
/// `TASKHOLD_RAISE_COOL_DOWN_MINUTES`.
pub const RAISE_COOL_DOWN_MINUTES: Setting = Setting {
    name: "TASKHOLD_RAISE_COOL_DOWN_MINUTES",
    values: Values::Number { min: 1, max: 1440 },
    default: "15",
    meaning: "`raise-desired-count`: minimum time between two raises of one service",
};

/// All settings, in the order of the configuration page.
pub const SETTINGS: [Setting; 21] = [
    CLUSTERS,
    TABLE,
    DEAD_LETTER_QUEUE_URL,
    RECHECK_QUEUE_URL,
    ALERT_TOPIC_ARN,
    ALERT_QUEUE_URL,
    INTERRUPTED_QUEUE_URL,
    DRY_RUN,
    REQUIRE_SENDER_TASK,
    FINISHED_JOB_RETENTION_HOURS,
    LINGER_SECONDS,
    UNKNOWN_TASK_GRACE_SECONDS,
    RECEIVES_MAX,
    DEADLINE_MINUTES,
    BLOCKED_AFTER_MINUTES,
    SCALE_IN_BLOCKED_AFTER_MINUTES,
    REPEAT_AFTER_MINUTES,
    POLICY,
    REMEDIATIONS,
    RELEASE_GRACE_MINUTES,
    RAISE_COOL_DOWN_MINUTES,
];
