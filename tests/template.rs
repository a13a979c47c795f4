//! `template.yaml` fits the function that it deploys: it grants exactly the calls that the function makes,
//! and dependent numbers are consistent.
//!
//! The linter checks what CloudFormation makes of the template (`sam validate --lint`), and
//! `tests/clients/test_event_patterns.py` which events its rules match; these tests do not repeat that.

mod permissions;
mod senders;
pub(crate) mod stack;

use crate::files::read;
use serde_json::{Value, json};
use stack::Template;
use std::collections::{BTreeMap, BTreeSet};
use taskhold::budget::CALL_TIME;
use taskhold::config::declarations::SETTINGS;
use taskhold::config::policy::{Policy, Remediations};
use taskhold::config::settings::Config;
use taskhold::ecs::PROTECTION_MINUTES_MAX;
use taskhold::service::recheck::DELAY_SECONDS_MAX;

const CLUSTER_ARN: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";

/// A string or a list of strings, as many CloudFormation properties allow.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap()).collect(),
        other => panic!("{other} is no text and no list"),
    }
}

#[test]
fn queues_are_encrypted_and_refuse_requests_without_tls() {
    let template = Template::with_everything();
    let queues = template.of_type("AWS::SQS::Queue");
    assert_eq!(queues.len(), 5);
    for queue in queues {
        assert_eq!(template.properties(queue)["SqsManagedSseEnabled"], true, "{queue}");
        let deny = json!({"Sid": "OnlyOverTls", "Effect": "Deny", "Principal": "*", "Action": "sqs:*",
            "Resource": format!("{queue}.Arn"), "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        let policies = template.of_type("AWS::SQS::QueuePolicy").into_iter().map(|policy| template.properties(policy));
        let statements = policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
        assert_eq!(statements.filter(|statement| **statement == deny).count(), 1, "{queue}");
    }
}

#[test]
fn only_the_function_sends_to_the_queues_that_it_fills() {
    let template = Template::with_everything();
    for queue in ["RecheckQueue", "AlertQueue", "InterruptedJobQueue"] {
        let policy = template.properties(&format!("{queue}Policy"));
        assert_eq!(policy["Queues"], json!([format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{queue}")]));
        let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
        assert!(statements.iter().all(|statement| statement["Effect"] == "Deny"), "IAM grants, this takes away");
        let to_others = json!({"Sid": "OnlyFromTheFunction", "Effect": "Deny", "Principal": "*",
            "Action": "sqs:SendMessage", "Resource": format!("{queue}.Arn"),
            "Condition": {"ArnNotEquals": {"aws:PrincipalArn": "FunctionRole.Arn"}}});
        assert!(statements.contains(&to_others), "{statements:?}");
    }
    // Only then does SAM create a role with that name.
    assert!(template.properties("Function").get("Role").is_none());
    let outputs = template.0["Outputs"].to_string();
    assert!(!outputs.contains("RecheckQueue"), "no output names the queue");
}

#[test]
fn the_alert_topic_is_encrypted_and_refuses_requests_without_tls() {
    let template = Template::load();
    assert_eq!(template.of_type("AWS::SNS::Topic"), ["AlertTopic"]);
    // Another key would require a KMS permission for the function, and a decision about alarms as publishers.
    assert_eq!(template.properties("AlertTopic")["KmsMasterKeyId"], "alias/aws/sns");
    let arn = "arn:aws:sns:eu-west-1:111122223333:AlertTopic";
    let policy = template.properties("AlertTopicPolicy");
    assert_eq!(policy["Topics"], json!([arn]));
    let deny = json!([{"Sid": "OnlyOverTls", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish",
        "Resource": arn, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]);
    assert_eq!(policy["PolicyDocument"]["Statement"], deny);
    for alarm in template.of_type("AWS::CloudWatch::Alarm") {
        assert!(
            !template.properties(alarm)["AlarmActions"].to_string().contains("AlertTopic"),
            "{alarm} may not use it"
        );
    }
}

#[test]
fn alerts_go_to_the_topic_the_queue_and_the_address_that_is_given() {
    assert!(Template::load().0["Resources"].get("AlertMailSubscription").is_none(), "no mail subscription by default");
    let template = Template::with(&[("AlertMail", "on-call@example.com")]);
    let config = template.config();
    assert_eq!(config.alert_topic_arn.as_deref(), Some("arn:aws:sns:eu-west-1:111122223333:AlertTopic"));
    assert_eq!(config.alert_queue_url.as_deref(), Some("https://sqs.eu-west-1.amazonaws.com/111122223333/AlertQueue"));
    let fourteen_days = 14 * 24 * 60 * 60;
    assert_eq!(template.number("AlertQueue", "MessageRetentionPeriod"), fourteen_days, "the longest that SQS knows");
    let topic = config.alert_topic_arn;
    let subscription = json!({"TopicArn": topic, "Protocol": "email", "Endpoint": "on-call@example.com"});
    assert_eq!(template.properties("AlertMailSubscription"), &subscription);
    assert_eq!(template.0["Outputs"]["AlertTopicArn"]["Value"], json!(topic));
    assert_eq!(template.0["Outputs"]["AlertQueueUrl"]["Value"], json!(config.alert_queue_url));
}

#[test]
fn interrupted_jobs_have_a_queue_only_where_somebody_asks_for_it() {
    let without = Template::load();
    assert_eq!(without.config().interrupted_queue_url, None);
    for section in ["Resources", "Outputs"] {
        assert!(!without.0[section].to_string().contains("InterruptedJobQueue"), "{section}: nothing of it is there");
    }
    let template = Template::with(&[("InterruptedJobs", "true")]);
    let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/InterruptedJobQueue";
    assert_eq!(template.config().interrupted_queue_url.as_deref(), Some(url));
    assert_eq!(template.0["Outputs"]["InterruptedJobQueueUrl"]["Value"], url);
    assert_eq!(template.0["Outputs"]["InterruptedJobQueueArn"]["Value"], "InterruptedJobQueue.Arn");
    let fourteen_days = 14 * 24 * 60 * 60;
    assert_eq!(template.number("InterruptedJobQueue", "MessageRetentionPeriod"), fourteen_days);
}

#[test]
fn each_remediation_is_allowed_by_its_own_parameter() {
    for (release_idle, raise_desired_count) in [(false, false), (true, false), (false, true), (true, true)] {
        let template = Template::with(&[
            ("AllowReleaseIdle", if release_idle { "true" } else { "false" }),
            ("AllowRaiseDesiredCount", if raise_desired_count { "true" } else { "false" }),
        ]);
        assert_eq!(template.config().remediations, Remediations { release_idle, raise_desired_count });
    }
}

#[test]
fn a_policy_that_the_function_would_refuse_is_refused_before_anything_is_deployed() {
    let offered = Template::load().0["Parameters"]["Policy"]["AllowedValues"].clone();
    let policies = [Policy::Notify, Policy::ReleaseIdle, Policy::RaiseDesiredCount].map(Policy::as_str);
    assert_eq!(texts(&offered), policies);
    for policy in policies {
        for (release, raise) in [("false", "false"), ("true", "false"), ("false", "true"), ("true", "true")] {
            let parameters = [("Policy", policy), ("AllowReleaseIdle", release), ("AllowRaiseDesiredCount", raise)];
            let template = Template::with(&parameters);
            assert_eq!(template.rules_hold(), template.try_config().is_ok(), "{parameters:?}");
        }
    }
}

#[test]
fn the_schedule_invokes_the_function_with_the_command_for_a_sweep_every_so_many_minutes() {
    let template = Template::load();
    let sweep = template.event("Sweep");
    assert_eq!(template.properties("Function")["Events"]["Sweep"]["Type"], "Schedule");
    let input: Value = serde_json::from_str(sweep["Input"].as_str().unwrap()).unwrap();
    assert_eq!(input, json!({"sweep": {}}));
    assert_eq!(input, serde_json::from_str::<Value>(&read("events/sweep.json")).unwrap(), "the payload that is tested");
    assert_eq!(sweep["Schedule"], "rate(5 minutes)");
    let least = template.0["Parameters"]["SweepMinutes"]["MinValue"].as_i64().unwrap();
    assert!(least >= 2, "EventBridge takes `rate(1 minute)`, not `rate(1 minutes)`");
    assert!(least * 60 > template.number("Function", "Timeout"), "a sweep is over before the next one");
    let tried_for = sweep["RetryPolicy"]["MaximumEventAgeInSeconds"].as_i64().unwrap();
    assert!(tried_for < least * 60, "a late sweep gives way to the next one");
}

#[test]
fn a_parameter_that_is_a_setting_has_the_settings_default_and_bounds() {
    let template = Template::load();
    for (parameter, setting) in [
        ("BlockedAfterMinutes", "TASKHOLD_BLOCKED_AFTER_MINUTES"),
        ("ScaleInBlockedAfterMinutes", "TASKHOLD_SCALE_IN_BLOCKED_AFTER_MINUTES"),
        ("RepeatAfterMinutes", "TASKHOLD_REPEAT_AFTER_MINUTES"),
        ("DeadlineMinutes", "TASKHOLD_DEADLINE_MINUTES"),
        ("ReleaseGraceMinutes", "TASKHOLD_RELEASE_GRACE_MINUTES"),
        ("RaiseCoolDownMinutes", "TASKHOLD_RAISE_COOL_DOWN_MINUTES"),
    ] {
        let environment: BTreeMap<String, String> = template.environment().into_iter().collect();
        let setting = SETTINGS.iter().find(|known| known.name == setting).unwrap();
        assert_eq!(environment[setting.name], setting.default, "{parameter}");
        let parameter = &template.0["Parameters"][parameter];
        let (least, most) = (&parameter["MinValue"], &parameter["MaxValue"]);
        assert_eq!(format!("a whole number from {least} to {most}"), setting.values.rule());
    }
    // The template has other defaults for these.
    for (parameter, setting) in [
        ("FinishedJobRetentionHours", "TASKHOLD_FINISHED_JOB_RETENTION_HOURS"),
        ("LingerSeconds", "TASKHOLD_LINGER_SECONDS"),
    ] {
        let parameter = &template.0["Parameters"][parameter];
        let (least, most) = (&parameter["MinValue"], &parameter["MaxValue"]);
        let setting = SETTINGS.iter().find(|known| known.name == setting).unwrap();
        assert_eq!(format!("a whole number from {least} to {most}"), setting.values.rule());
    }
}

#[test]
fn batches_come_whole_soon_and_with_an_outcome_for_each_message() {
    let template = Template::load();
    let jobs = template.event("Jobs");
    assert_eq!(jobs["Queue"], "JobQueue.Arn");
    assert_eq!(jobs["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert!((11..=10_000).contains(&jobs["BatchSize"].as_i64().unwrap()));
    assert_eq!(
        jobs["MaximumBatchingWindowInSeconds"], "1",
        "required above 10 messages; more leaves tasks unprotected"
    );
    let without = Template::with(&[("BatchingWindowSeconds", "0")]);
    let without = without.event("Jobs");
    assert_eq!(without["BatchSize"], 10, "the most that Lambda allows without a window");
    assert_eq!(without["MaximumBatchingWindowInSeconds"], "0");
    assert!((2..=1000).contains(&jobs["ScalingConfig"]["MaximumConcurrency"].as_i64().unwrap()));
}

#[test]
fn rechecks_come_a_few_at_a_time_without_waiting_and_with_an_outcome_for_each() {
    let template = Template::load();
    let rechecks = template.event("Rechecks");
    assert_eq!(rechecks["Queue"], "RecheckQueue.Arn");
    assert_eq!(rechecks["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert!((1..=10).contains(&rechecks["BatchSize"].as_i64().unwrap()), "more would want a batching window");
    assert!(rechecks.get("MaximumBatchingWindowInSeconds").is_none(), "{rechecks}");
    assert!((2..=1000).contains(&rechecks["ScalingConfig"]["MaximumConcurrency"].as_i64().unwrap()));
    let config = template.config();
    assert!(config.is_recheck_queue("arn:aws:sqs:eu-west-1:111122223333:RecheckQueue"), "{config:?}");
    assert!(!config.is_recheck_queue("arn:aws:sqs:eu-west-1:111122223333:JobQueue"), "workers write there");
}

#[test]
fn times_that_depend_on_each_other_do() {
    let template = Template::load();
    let timeout = template.number("Function", "Timeout");
    assert!(timeout > CALL_TIME.as_secs(), "there is time for a call");
    for queue in ["JobQueue", "RecheckQueue"] {
        assert!(template.number(queue, "VisibilityTimeout") >= 6 * timeout, "{queue}");
    }
    let retention = template.number("JobQueue", "MessageRetentionPeriod");
    let longest_protection = i64::from(PROTECTION_MINUTES_MAX) * 60;
    assert!(retention > longest_protection, "a message lasts as long as what it asks for");
    assert!(retention < template.config().finished_job_retention.as_secs(), "no late message revives a finished job");
    assert!(template.number("DeadLetterQueue", "MessageRetentionPeriod") > retention);
}

#[test]
fn the_function_dead_letters_a_message_before_the_queue_does() {
    let template = Template::load();
    let redrive = &template.properties("JobQueue")["RedrivePolicy"];
    assert_eq!(redrive["deadLetterTargetArn"], "DeadLetterQueue.Arn");
    assert!(redrive["maxReceiveCount"].as_i64().unwrap() > i64::from(template.config().receives_max));
    let dead_letter_queue = template.config().dead_letter_queue_url;
    assert_eq!(dead_letter_queue.as_deref(), Some("https://sqs.eu-west-1.amazonaws.com/111122223333/DeadLetterQueue"));
}

#[test]
fn a_recheck_that_fails_is_given_up_and_not_forgotten() {
    let template = Template::load();
    let redrive = &template.properties("RecheckQueue")["RedrivePolicy"];
    assert_eq!(redrive["deadLetterTargetArn"], "DeadLetterQueue.Arn");
    let receives = redrive["maxReceiveCount"].as_i64().unwrap();
    assert!(receives >= 5, "receives that throttling uses up count too");
    let given_up_after = i64::from(DELAY_SECONDS_MAX) + receives * template.number("RecheckQueue", "VisibilityTimeout");
    let retention = template.number("RecheckQueue", "MessageRetentionPeriod");
    assert!(given_up_after < retention, "SQS forgets without a word");
    assert!(
        retention < template.number("JobQueue", "MessageRetentionPeriod"),
        "a late reconcile is worth less than a job"
    );
}

#[test]
fn events_that_cannot_be_carried_out_are_kept() {
    let template = Template::load();
    let function = template.properties("Function");
    assert_eq!(function["DeadLetterQueue"], json!({"Type": "SQS", "TargetArn": "DeadLetterQueue.Arn"}));
    assert_eq!(template.event("TaskStopped")["DeadLetterConfig"]["Arn"], "DeadLetterQueue.Arn");
    let statements = &template.properties("DeadLetterQueuePolicy")["PolicyDocument"]["Statement"];
    let by_event_bridge = json!({"Sid": "UndeliveredEvents", "Effect": "Allow", "Action": "sqs:SendMessage",
        "Principal": {"Service": "events.amazonaws.com"}, "Resource": "DeadLetterQueue.Arn",
        "Condition": {"ArnEquals": {"aws:SourceArn": "FunctionTaskStopped.Arn"}}});
    assert!(statements.as_array().unwrap().contains(&by_event_bridge));
}

#[test]
fn the_environment_is_made_of_settings_that_the_function_takes() {
    let template = Template::with_everything();
    for (name, _) in template.environment() {
        assert!(SETTINGS.iter().any(|setting| setting.name == name), "{name} is no setting");
    }
    let clusters: Vec<String> = template.config().clusters.iter().map(ToString::to_string).collect();
    assert_eq!(clusters, [CLUSTER_ARN]);
}

#[test]
fn the_environment_for_local_runs_is_one_that_the_function_takes() {
    let file: Value = serde_json::from_str(&read("events/local/env.json")).unwrap();
    let variables = file["Parameters"].as_object().unwrap();
    let variables = variables.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let config = Config::from_variables(variables).unwrap();
    assert_eq!(config.clusters.iter().map(ToString::to_string).collect::<Vec<_>>(), [CLUSTER_ARN]);
    assert_eq!(config.store_table, None, "nothing is kept");
    let queues = [config.dead_letter_queue_url, config.recheck_queue_url, config.interrupted_queue_url];
    let elsewhere = queues.into_iter().chain([config.alert_topic_arn, config.alert_queue_url]).collect::<Vec<_>>();
    assert!(elsewhere.iter().all(Option::is_none), "nothing is sent anywhere: {elsewhere:?}");
    let of_the_stack: BTreeSet<String> =
        Template::with_everything().environment().into_iter().map(|(name, _)| name).collect();
    let places = of_the_stack
        .iter()
        .filter(|name| ["_URL", "_ARN", "_TABLE"].iter().any(|message_outcome| name.ends_with(message_outcome)));
    for name in places {
        assert_eq!(file["Parameters"][name], "", "{name}: SAM would make up a value that is no setting");
    }
    assert!(read("samconfig.toml").contains("env_vars = \"events/local/env.json\""));
}

#[test]
fn the_store_is_in_a_table_and_any_number_of_instances_shares_it() {
    let template = Template::load();
    assert_eq!(template.of_type("AWS::DynamoDB::Table"), ["StateTable"]);
    assert_eq!(template.config().store_table.as_deref(), Some("StateTable"));
    assert!(template.properties("Function").get("ReservedConcurrentExecutions").is_none());
}

#[test]
fn the_table_forgets_by_itself_and_is_never_put_back_to_an_earlier_moment() {
    let template = Template::load();
    let table = template.properties("StateTable");
    assert_eq!(table["TimeToLiveSpecification"], json!({"AttributeName": "expires", "Enabled": true}));
    // Yesterday's state store would make the function release tasks with running jobs.
    assert_eq!(table["PointInTimeRecoverySpecification"], json!({"PointInTimeRecoveryEnabled": false}));
    for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
        assert_eq!(template.0["Resources"]["StateTable"][policy], "Delete");
    }
    assert!(table.get("SSESpecification").is_none(), "with another key the function would need leave to use it");
}

#[test]
fn the_template_builds_and_starts_the_binary_of_the_package() {
    let template = Template::load();
    let metadata = &template.0["Resources"]["Function"]["Metadata"];
    assert_eq!(metadata["BuildMethod"], "rust-cargolambda");
    let binary = metadata["BuildProperties"]["Binary"].as_str().unwrap();
    assert!(read("Cargo.toml").contains(&format!("[[bin]]\nname = \"{binary}\"")), "{binary}");
    assert_eq!(template.properties("Function")["Runtime"], "provided.al2023");
    assert_eq!(template.properties("Function")["Handler"], "bootstrap");
}

#[test]
fn no_level_of_the_logs_loses_the_metrics() {
    let template = Template::load();
    let levels = texts(&template.0["Parameters"]["LogLevel"]["AllowedValues"]);
    assert!(levels.iter().all(|level| ["TRACE", "DEBUG", "INFO"].contains(level)), "{levels:?}");
    assert_eq!(template.properties("Function")["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(template.properties("Function")["LoggingConfig"]["ApplicationLogLevel"], "INFO");
}

#[test]
fn an_event_about_a_service_is_not_kept_for_longer_than_the_period_of_the_schedule() {
    let template = Template::load();
    let events = template.event("ServiceEvents");
    assert!(events.get("DeadLetterConfig").is_none(), "a late recheck is no reason for an alarm");
    let tried_for = events["RetryPolicy"]["MaximumEventAgeInSeconds"].as_i64().unwrap();
    let sweep_minutes = template.0["Parameters"]["SweepMinutes"]["Default"].as_i64().unwrap();
    assert!((60..=sweep_minutes * 60).contains(&tried_for), "EventBridge takes no less than a minute");
}
