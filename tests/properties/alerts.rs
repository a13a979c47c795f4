//! Alerts about any problem of a service, with any texts: they fit the limits and conform to their formats.

use super::drawn::{cluster, job_key, labels, service, some_text, task_id, text, when};
use super::notified::{as_the_schema_says, chat, json, lines_are_short, subject, well};
use super::records::remediation_notes;
use super::{config, fewer};
use ecs_sim::doubles::alerts::sender;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use taskhold::ecs::arn::ClusterArn;
use taskhold::ecs::service::ServiceArn;
use taskhold::notify::message::AlertMessage;
use taskhold::service::alert::{Alert, AlertKind, OwnAction, Transition};
use taskhold::service::blocking_task::{BlockingTask, ProtectedFor};
use taskhold::service::diagnosis::Diagnosis;
use taskhold::service::durations::{Learned, LearnedEnd};
use taskhold::service::forecast::{Deadline, DeadlineSource, Forecast, ForecastBasis};
use taskhold::service::refused_task::{RefusalCause, RefusedTask};
use taskhold::service::rollout::Rollout;
use taskhold::service::rollout_status::RolloutStatus;
use taskhold::service::snapshot::JobSnapshot;
use taskhold::service::suggested_action::SuggestedAction;
use taskhold::service::suggested_action::command::shell_quoted;
use taskhold::service::tags::{TagFault, TagProblem};
use taskhold::service::task_counts::TaskCounts;

fn job() -> impl Strategy<Value = JobSnapshot> {
    let learned = (when(), when()).prop_map(|(expected, unlikely_after)| LearnedEnd { expected, unlikely_after });
    let learned =
        prop_oneof![Just(Learned::Nothing), learned.prop_map(Learned::End), when().prop_map(Learned::Overran)];
    (job_key(), when(), option::of(when()), learned, option::of(when()), labels()).prop_map(
        |(key, until, expected_until, learned, silent_since, labels)| JobSnapshot {
            key,
            until,
            expected_until,
            learned,
            silent_since,
            labels,
        },
    )
}

fn jobs() -> impl Strategy<Value = Vec<JobSnapshot>> {
    vec(job(), 1..8)
}

/// `ecs-svc/` and digits, or an id that ECS has never used.
fn deployment() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[0-9]{19}".prop_map(|digits| format!("ecs-svc/{digits}")), 1 => some_text()]
}

fn blocking_task() -> impl Strategy<Value = BlockingTask> {
    let protected_for = prop_oneof![
        3 => jobs().prop_map(ProtectedFor::Jobs),
        1 => select(vec![ProtectedFor::NoJob, ProtectedFor::Foreign, ProtectedFor::Unknown]),
    ];
    (task_id(), option::of(deployment()), when(), protected_for).prop_map(
        |(task, deployment, protected_until, protected_for)| BlockingTask {
            task,
            deployment,
            protected_until,
            lingers_until: None,
            jobs_started: 0,
            protected_for,
        },
    )
}

fn refused_tasks() -> impl Strategy<Value = RefusedTask> {
    (task_id(), option::of(deployment()), when(), option::of(when()), jobs()).prop_map(
        |(task, deployment, since, protected_until, jobs)| RefusedTask {
            task,
            deployment,
            cause: RefusalCause::Ecs,
            since,
            protected_until,
            jobs,
        },
    )
}

fn rollout() -> impl Strategy<Value = Rollout> {
    (deployment(), when(), 0..4_u8).prop_map(|(id, started_at, which)| match which {
        0 => Rollout::None,
        1 => Rollout::Deployment { id, started_at },
        2 => Rollout::TaskSet { id, started_at },
        _ => Rollout::ScaleIn { id, started_at },
    })
}

fn suggested_action() -> impl Strategy<Value = SuggestedAction> {
    // The only property of a command that matters is that it consists of quoted words.
    let command = vec("[ -~]{0,40}", 1..6).prop_map(|words| {
        let words: Vec<String> = words.iter().map(|word| shell_quoted(word)).collect();
        format!("aws ecs {}", words.join(" "))
    });
    let release = (vec(task_id(), 1..30), vec(command.clone(), 1..4))
        .prop_map(|(tasks, commands)| SuggestedAction::ReleaseIdle { tasks, commands });
    let by_force = (vec(task_id(), 1..30), vec(command.clone(), 1..4))
        .prop_map(|(tasks, commands)| SuggestedAction::ReleaseByForce { tasks, commands });
    prop_oneof![
        by_force,
        (1..10_080_i64, command.clone())
            .prop_map(|(minutes, command)| SuggestedAction::ExtendDeadline { minutes, command }),
        (when(), when()).prop_map(|(until, expected)| SuggestedAction::Wait { until, expected }),
        release,
        (any::<u32>(), command.clone()).prop_map(|(to, command)| SuggestedAction::RaiseDesiredCount { to, command }),
        (any::<u32>(), command).prop_map(|(to, command)| SuggestedAction::RaiseMaximumPercent { to, command }),
    ]
}

fn task_counts() -> impl Strategy<Value = TaskCounts> {
    prop_oneof![any::<[u32; 7]>(), [0..20_u32, 0..20, 0..40, 0..40, 0..40, 0..40, 0..6]].prop_map(
        |[desired, lower_bound, upper_bound, live, protected, room, deployments]| TaskCounts {
            desired,
            lower_bound,
            upper_bound,
            live,
            protected,
            room,
            deployments,
        },
    )
}

fn diagnosis() -> impl Strategy<Value = Diagnosis> {
    let statuses = vec![
        RolloutStatus::Steady,
        RolloutStatus::InProgress,
        RolloutStatus::WillBlock,
        RolloutStatus::Blocked,
        RolloutStatus::Paused,
        RolloutStatus::Unknown,
    ];
    let sources = vec![
        DeadlineSource::CloudFormation,
        DeadlineSource::LifecycleStage,
        DeadlineSource::CleanUp,
        DeadlineSource::Tag,
        DeadlineSource::Setting,
    ];
    let bases = vec![ForecastBasis::Declared, ForecastBasis::Learned, ForecastBasis::Maximum];
    let forecast = (when(), when(), select(bases), option::of(when()), 0..3_usize).prop_map(
        |(by_expiry, by_jobs, basis, by_risk, jobs_started)| Forecast {
            by_expiry,
            by_jobs,
            basis,
            by_risk,
            jobs_started,
        },
    );
    let deadline = (when(), select(sources)).prop_map(|(at, source)| Deadline { at, source });
    let fault = select(vec![
        TagFault::NotMinutes,
        TagFault::NotAPolicy,
        TagFault::NotACount,
        TagFault::NotYesOrNo,
        TagFault::NotRead,
    ]);
    let tag = (text(), text(), fault).prop_map(|(tag, value, fault)| TagProblem {
        tag: format!("taskhold:{tag}"),
        value,
        fault,
    });
    let seen =
        (select(statuses), rollout(), option::of(when()), option::of(forecast), option::of(deadline), task_counts());
    // Mostly few tasks, so that many cases fit into the time; sometimes more than any text lists.
    let many = prop_oneof![14 => 0..4_usize, 1 => 20..40_usize];
    let tasks = (many.clone(), many).prop_flat_map(|(blocking_tasks, refused)| {
        (vec(blocking_task(), blocking_tasks), vec(refused_tasks(), refused))
    });
    (seen, tasks, vec(suggested_action(), 0..5), vec(tag, 0..14), vec(some_text(), 0..24)).prop_map(
        |(
            (rollout_status, rollout, blocked_since, forecast, deadline, task_counts),
            (blocking_tasks, refused_tasks),
            suggested_actions,
            tag_problems,
            gaps,
        )| {
            Diagnosis {
                rollout_status,
                rollout,
                blocking_tasks,
                blocked_since,
                pause: None,
                paused_until: None,
                service_deployment: None,
                forecast,
                deadline,
                task_counts,
                suggested_actions,
                refused_tasks,
                tag_problems,
                gaps,
            }
        },
    )
}

/// An alert about a service whose names are valid in ECS.
fn alert() -> impl Strategy<Value = Alert> {
    let kinds: Vec<AlertKind> = AlertKind::ALL.into_iter().filter(|kind| *kind != AlertKind::JobInterrupted).collect();
    let events = vec![Transition::Opened, Transition::Escalated, Transition::Repeated, Transition::Resolved];
    let superseded = vec(deployment(), 0..4);
    (
        select(kinds),
        select(events),
        service(),
        (when(), when(), option::of(when()), option::of(when())),
        superseded,
        diagnosis(),
        remediation_notes(),
    )
        .prop_map(
            |(
                kind,
                event,
                service,
                (since, at, came_back_at, first_expected_end),
                superseded,
                diagnosis,
                remediations,
            )| {
                // In the format of `service/alert.rs`.
                let incident = format!("{}/{}/{}", service.cluster.name, service.name, kind.as_str());
                let (own_action, resolution) = (OwnAction::None, None);
                Alert {
                    incident,
                    kind,
                    event,
                    service,
                    since,
                    superseded,
                    came_back_at,
                    first_expected_end,
                    at,
                    diagnosis,
                    remediations,
                    own_action,
                    resolution,
                }
            },
        )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_alert_is_well_formed_for_any_texts_in_it(alert in alert()) {
        let message = AlertMessage::of(&alert, &sender());
        well(&message)?;
        lines_are_short(&message.email)?;
    }

    #[test]
    fn the_json_follows_the_schema_and_has_the_omitted_counts(alert in alert()) {
        let message = AlertMessage::of(&alert, &sender());
        as_the_schema_says(&message.json)?;
        let document = json(&message.json)?;
        for (list, omitted, all) in [
            ("blockingTasks", "blockingTasksOmitted", alert.diagnosis.blocking_tasks.len()),
            ("refusedTasks", "refusedTasksOmitted", alert.diagnosis.refused_tasks.len()),
            ("gaps", "gapsOmitted", alert.diagnosis.gaps.len()),
            ("tagProblems", "tagProblemsOmitted", alert.diagnosis.tag_problems.len()),
        ] {
            let count = document[list].as_array().map_or(0, Vec::len);
            prop_assert_eq!(document[omitted].as_u64(), Some((all - count) as u64), "{}", list);
        }
    }
}

proptest! {
    #![proptest_config(fewer(2))]

    #[test]
    fn a_subject_and_a_chat_hold_for_names_that_ecs_would_never_take(alert in alert(), of in cluster(), names in [text(), text()]) {
        let [cluster, service] = names;
        let cluster = Arc::new(ClusterArn { name: cluster, ..of.as_ref().clone() });
        let message = AlertMessage::of(&Alert { service: ServiceArn { cluster, name: service }, ..alert }, &sender());
        subject(&message.subject)?;
        chat(&message.chat)?;
        json(&message.json)?;
        prop_assert!(message.email.lines().count() > 2);
    }
}
