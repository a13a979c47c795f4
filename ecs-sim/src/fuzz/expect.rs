//! Conditions that several targets share.

use std::sync::OnceLock;
use taskhold::api::command::{Command, Scope, ServiceCommand};
use taskhold::config::clusters::Clusters;
use taskhold::ecs::arn::{ClusterArn, Task, TaskId};
use taskhold::ecs::service::ServiceArn;
use taskhold::lambda::ecs_event::EcsEvent;
use taskhold::lambda::job_message;
use taskhold::lambda::job_message::JobMessage;

/// The clusters of `events/`: only one, so that a command need not name it.
pub fn clusters() -> &'static Clusters {
    static CLUSTERS: OnceLock<Clusters> = OnceLock::new();
    CLUSTERS.get_or_init(|| {
        let video = "arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().expect("a cluster's ARN");
        Clusters::new(vec![video]).expect("one cluster is of one place")
    })
}

/// Maximum length of the reason of a dead-lettered message; a longer one would be truncated.
const REASON_CHARS_MAX: usize = 1000;

/// A reason for rejecting or ignoring a text: one short line, whatever the text contains.
pub fn reason(text: &str) {
    let chars = text.chars().count();
    assert!((1..=REASON_CHARS_MAX).contains(&chars), "{chars} characters: {text:?}");
    let ends_a_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(!text.contains(ends_a_line), "more than one line: {text:?}");
}

/// A configured cluster.
pub fn cluster(cluster: &ClusterArn) {
    assert!(clusters().iter().any(|ours| ours.as_ref() == cluster), "{cluster} is not configured");
}

/// A task of a configured cluster, with a valid id.
pub fn task(task: &Task) {
    cluster(&task.cluster);
    assert_eq!(task.id.as_str().parse::<TaskId>().as_ref(), Ok(&task.id));
    assert_eq!(task.to_string().parse::<Task>().as_ref(), Ok(task));
}

/// A service of a configured cluster, with a valid name.
pub fn service(service: &ServiceArn) {
    cluster(&service.cluster);
    assert_eq!(service.to_string().parse::<ServiceArn>().as_ref(), Ok(service));
}

/// An accepted event belongs to a configured cluster.
pub fn event(event: &EcsEvent) {
    match event {
        EcsEvent::TaskStopEvent(stop) => task(&stop.task),
        EcsEvent::Service(event) => {
            service(&event.service);
            reason(&format!("event {}", event.name.as_str()));
        }
        EcsEvent::Ignored(why) => reason(why),
    }
}

/// A command concerns configured clusters, and releases at least one task, each once.
pub fn command(command: &Command) {
    match command {
        Command::Sweep => {}
        Command::Redrive(redrive) => assert!((1..=1000).contains(&redrive.messages_max), "{redrive:?}"),
        Command::Services(ServiceCommand::Status(Scope::Cluster(of))) => cluster(of),
        Command::Services(ServiceCommand::Status(Scope::Service(of)) | ServiceCommand::Preflight(of)) => service(of),
        Command::Services(ServiceCommand::Release(release)) => {
            cluster(&release.cluster);
            assert!((1..=100).contains(&release.tasks.len()), "{} tasks", release.tasks.len());
            assert!(release.tasks.is_sorted_by(|one, other| one < other), "{:?}", release.tasks);
            release.forced_by.as_deref().inspect(|by| reason(by));
        }
    }
}

/// A job message follows the rules of `schemas/job-message.schema.json`.
pub fn job_message(message: &JobMessage) {
    task(&message.task);
    let JobMessage { job, max_duration_minutes, expected_duration_minutes, heartbeat_minutes, kind, labels, .. } =
        message;
    assert!((1..=job_message::JOB_ID_CHARS_MAX).contains(&job.job_id.chars().count()), "{job}");
    assert!(job.attempt >= 1);
    for minutes in [max_duration_minutes, expected_duration_minutes, heartbeat_minutes].into_iter().flatten() {
        assert!((1..=2880).contains(minutes), "{minutes}");
    }
    for misnamed in &message.misnamed {
        reason(&misnamed.found);
    }
    if let Some(kind) = kind {
        assert!((1..=job_message::KIND_CHARS_MAX).contains(&kind.chars().count()), "{kind}");
    }
    assert!(labels.len() <= job_message::LABELS_MAX);
    for (name, value) in labels {
        assert!(name.chars().count() <= job_message::LABEL_NAME_CHARS_MAX, "{name}");
        assert!(value.chars().count() <= job_message::LABEL_VALUE_CHARS_MAX, "{value}");
    }
}
