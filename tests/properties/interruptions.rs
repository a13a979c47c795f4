//! A task that stopped with running jobs: the mail, the chat text, the JSON form, and the forwarded message of each
//! job.

use super::drawn::{cluster, name, task_id};
use super::notified::{as_the_schema_says, is_taken_by_sqs, json, lines_are_short, valid, validator, well};
use super::records::interruption;
use super::{config, fewer};
use ecs_sim::doubles::alerts::sender;
use proptest::option;
use proptest::prelude::*;
use std::sync::{Arc, OnceLock};
use taskhold::ecs::arn::{ClusterArn, Task};
use taskhold::notify::json::job_message::job_messages;
use taskhold::notify::message::AlertMessage;
use taskhold::task::interruption::InterruptedTask;
use taskhold::task::interruption::Interruption;

fn interruption_of_a_service() -> impl Strategy<Value = Interruption> {
    (interruption(), option::of(name())).prop_map(|(interruption, service)| Interruption { service, ..interruption })
}

fn task() -> impl Strategy<Value = Task> {
    (cluster(), task_id()).prop_map(|(cluster, id)| Task { cluster, id })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_interruption_is_well_formed_for_any_texts_in_it(task in task(), what in interruption()) {
        let message = AlertMessage::of(&InterruptedTask { task: task.clone(), interruption: what.clone() }, &sender());
        well(&message)?;
        lines_are_short(&message.email)?;
        as_the_schema_says(&message.json)?;
        let document = json(&message.json)?;
        let jobs = document["jobs"].as_array().map_or(0, Vec::len);
        prop_assert_eq!(document["jobsOmitted"].as_u64(), Some((what.jobs.len() - jobs) as u64));
    }

    #[test]
    fn each_job_is_forwarded_whole_in_a_message_that_sqs_takes(task in task(), what in interruption_of_a_service()) {
        static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
        let schema = SCHEMA.get_or_init(|| validator(include_str!("../../schemas/interrupted-job.schema.json")));
        let bodies = job_messages(&InterruptedTask { task, interruption: what.clone() });
        prop_assert_eq!(bodies.len(), what.jobs.len());
        let mut left: Vec<_> = what.jobs.iter().collect();
        for body in &bodies {
            valid(schema, body)?;
            prop_assert!(body.len() < 65_536 && body.chars().all(is_taken_by_sqs), "{}", body);
            let document = json(body)?;
            let at = left.iter().position(|job| document["jobId"] == job.key.job_id && document["attempt"] == job.key.attempt && document["labels"] == serde_json::json!(job.labels));
            prop_assert!(at.is_some(), "{} is of no job", body);
            left.swap_remove(at.unwrap());
        }
    }
}

proptest! {
    #![proptest_config(fewer(2))]

    #[test]
    fn a_subject_and_a_chat_hold_for_a_cluster_s_name_that_ecs_would_never_take(task in task(), name in super::drawn::text(), what in interruption()) {
        let cluster = Arc::new(ClusterArn { name, ..task.cluster.as_ref().clone() });
        let message = AlertMessage::of(&InterruptedTask { task: Task { cluster, ..task }, interruption: what }, &sender());
        super::notified::subject(&message.subject)?;
        super::notified::chat(&message.chat)?;
        json(&message.json)?;
    }
}
