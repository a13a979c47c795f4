//! What is wrong with a service, whatever is wrong with it and whatever the texts: it fits, and is what it is said to be.

use super::drawn::{cluster, job_key, labels, service, some_text, task_id, text, when};
use super::entries::remedy_notes;
use super::told::{as_the_schema_says, chat, json, lines_are_short, subject, well};
use super::{config, fewer};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use taskhold::alert::{Alert, AlertEvent, AlertKind, Message};
use taskhold::decide::Standing;
use taskhold::decide::diagnose::{
    Arithmetic, Blocker, Deadline, DeadlineSource, Diagnosis, Finish, HeldFor, Movement, TagFault, TagProblem, Unmet,
    WayOut, shell_quoted,
};
use taskhold::ecs::{ClusterArn, ServiceArn};
use taskhold::observe::ObservedJob;

fn job() -> impl Strategy<Value = ObservedJob> {
    (job_key(), when(), option::of(when()), labels()).prop_map(|(key, until, expected_until, labels)| ObservedJob {
        key,
        until,
        expected_until,
        labels,
    })
}

fn jobs() -> impl Strategy<Value = Vec<ObservedJob>> {
    vec(job(), 1..8)
}

/// `ecs-svc/` and digits, or what ECS has never said.
fn deployment() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[0-9]{19}".prop_map(|digits| format!("ecs-svc/{digits}")), 1 => some_text()]
}

fn blocker() -> impl Strategy<Value = Blocker> {
    let held_for = prop_oneof![
        3 => jobs().prop_map(HeldFor::Jobs),
        1 => select(vec![HeldFor::Nobody, HeldFor::Foreign, HeldFor::Unread]),
    ];
    (task_id(), option::of(deployment()), when(), held_for).prop_map(|(task, deployment, protected_until, held_for)| {
        Blocker { task, deployment, protected_until, held_for }
    })
}

fn unmet() -> impl Strategy<Value = Unmet> {
    (task_id(), option::of(deployment()), when(), option::of(when()), jobs()).prop_map(
        |(task, deployment, since, protected_until, jobs)| Unmet { task, deployment, since, protected_until, jobs },
    )
}

fn movement() -> impl Strategy<Value = Movement> {
    (deployment(), when(), 0..4_u8).prop_map(|(id, begun_at, which)| match which {
        0 => Movement::None,
        1 => Movement::Deployment { id, begun_at },
        2 => Movement::TaskSet { id, begun_at },
        _ => Movement::ScaleIn { id, begun_at },
    })
}

fn way_out() -> impl Strategy<Value = WayOut> {
    // Of a command only that it is made of quoted words matters.
    let command = vec("[ -~]{0,40}", 1..6).prop_map(|words| {
        let words: Vec<String> = words.iter().map(|word| shell_quoted(word)).collect();
        format!("aws ecs {}", words.join(" "))
    });
    let release = (vec(task_id(), 1..30), vec(command.clone(), 1..4))
        .prop_map(|(tasks, commands)| WayOut::ReleaseIdle { tasks, commands });
    prop_oneof![
        (when(), when()).prop_map(|(until, expected)| WayOut::Wait { until, expected }),
        release,
        (any::<u32>(), command.clone()).prop_map(|(to, command)| WayOut::RaiseDesiredCount { to, command }),
        (any::<u32>(), command).prop_map(|(to, command)| WayOut::RaiseMaximumPercent { to, command }),
    ]
}

fn arithmetic() -> impl Strategy<Value = Arithmetic> {
    prop_oneof![any::<[u32; 7]>(), [0..20_u32, 0..20, 0..40, 0..40, 0..40, 0..40, 0..6]].prop_map(
        |[desired, lower_bound, upper_bound, live, protected, room, deployments]| Arithmetic {
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
    let standings = vec![Standing::Steady, Standing::Moving, Standing::WillBlock, Standing::Blocked, Standing::Unclear];
    let sources = vec![DeadlineSource::CloudFormation, DeadlineSource::Tag, DeadlineSource::Setting];
    let finish = (when(), when()).prop_map(|(by_expiry, by_jobs)| Finish { by_expiry, by_jobs });
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
        (select(standings), movement(), option::of(when()), option::of(finish), option::of(deadline), arithmetic());
    // Few tasks mostly, so that many cases fit into the time; sometimes more than any text tells.
    let many = prop_oneof![14 => 0..4_usize, 1 => 20..40_usize];
    let tasks =
        (many.clone(), many).prop_flat_map(|(blockers, refused)| (vec(blocker(), blockers), vec(unmet(), refused)));
    (seen, tasks, vec(way_out(), 0..5), vec(tag, 0..14), vec(some_text(), 0..24)).prop_map(
        |(
            (standing, movement, blocked_since, finish, deadline, arithmetic),
            (blockers, unmet),
            ways_out,
            tag_problems,
            gaps,
        )| {
            Diagnosis {
                standing,
                movement,
                blockers,
                blocked_since,
                finish,
                deadline,
                arithmetic,
                ways_out,
                unmet,
                tag_problems,
                gaps,
            }
        },
    )
}

/// Of a service whose names ECS takes.
fn alert() -> impl Strategy<Value = Alert> {
    let kinds: Vec<AlertKind> = AlertKind::ALL.into_iter().filter(|kind| *kind != AlertKind::JobInterrupted).collect();
    let events = vec![AlertEvent::Opened, AlertEvent::Escalated, AlertEvent::Repeated, AlertEvent::Resolved];
    (select(kinds), select(events), service(), (when(), when()), deployment(), diagnosis(), remedy_notes()).prop_map(
        |(kind, event, service, (since, at), movement, diagnosis, remedies)| {
            // As `alert/incident.rs` makes it.
            let incident = format!("{}/{}/{movement}/{}", service.cluster.name, service.name, kind.as_str());
            Alert { incident, kind, event, service, since, at, diagnosis, remedies }
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_alert_is_told_well_whatever_the_texts_in_it(alert in alert()) {
        let message = Message::of(&alert);
        well(&message)?;
        lines_are_short(&message.mail)?;
    }

    #[test]
    fn a_machine_is_told_what_the_schema_says_and_how_much_was_left_out(alert in alert()) {
        let message = Message::of(&alert);
        as_the_schema_says(&message.machine)?;
        let told = json(&message.machine)?;
        for (list, left_out, all) in [
            ("blockers", "blockersLeftOut", alert.diagnosis.blockers.len()),
            ("unmet", "unmetLeftOut", alert.diagnosis.unmet.len()),
            ("gaps", "gapsLeftOut", alert.diagnosis.gaps.len()),
            ("tagProblems", "tagProblemsLeftOut", alert.diagnosis.tag_problems.len()),
        ] {
            let count = told[list].as_array().map_or(0, Vec::len);
            prop_assert_eq!(told[left_out].as_u64(), Some((all - count) as u64), "{}", list);
        }
    }
}

proptest! {
    #![proptest_config(fewer(2))]

    #[test]
    fn a_subject_and_a_chat_hold_for_names_that_ecs_would_never_take(alert in alert(), of in cluster(), names in [text(), text()]) {
        let [cluster, service] = names;
        let cluster = Arc::new(ClusterArn { name: cluster, ..of.as_ref().clone() });
        let message = Message::of(&Alert { service: ServiceArn { cluster, name: service }, ..alert });
        subject(&message.subject)?;
        chat(&message.chat)?;
        json(&message.machine)?;
        prop_assert!(message.mail.lines().count() > 2);
    }
}
