//! The texts of alerts for people, for chat and for programs: each kind as it reads, the published schema, and the
//! limits that apply to any input.

mod interrupted;
mod refused;
mod suggested;

use crate::files::read;
use ecs_sim::doubles::alerts::sender;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::service::ServiceArn;
use taskhold::notify::chat;
use taskhold::notify::email;
use taskhold::notify::json as machine;
use taskhold::notify::message::AlertMessage;
use taskhold::notify::published;
use taskhold::service::alert::{Alert, AlertKind, OwnAction, Transition};
use taskhold::service::blocking_task::{BlockingTask, ProtectedFor};
use taskhold::service::diagnosis::Diagnosis;
use taskhold::service::durations::Learned;
use taskhold::service::forecast::{DEADLINE_TAG, Deadline, DeadlineSource, Forecast, ForecastBasis};
use taskhold::service::refused_task::{RefusalCause, RefusedTask};
use taskhold::service::remediation::RemediationNote;
use taskhold::service::resolution::{Resolution, RolloutEnd};
use taskhold::service::rollout::Rollout;
use taskhold::service::rollout_status::RolloutStatus;
use taskhold::service::snapshot::JobSnapshot;
use taskhold::service::suggested_action::SuggestedAction;
use taskhold::service::tags::{TagFault, TagProblem};
use taskhold::service::task_counts::TaskCounts;
use taskhold::task::job::{JobKey, Labels};

const OLD: &str = "ecs-svc/1111111111111111111";
const NEW: &str = "ecs-svc/2222222222222222222";
const EVENTS: [Transition; 4] = [Transition::Opened, Transition::Escalated, Transition::Repeated, Transition::Resolved];

/// This number of minutes after 2026-01-05 10:00 UTC, and a fraction of a second, which no text shows.
fn at(minute: i64) -> Timestamp {
    Timestamp::new(1_767_607_200 + minute * 60, 987_654_321).unwrap()
}

fn id(number: usize) -> TaskId {
    format!("{number:032x}").parse().unwrap()
}

fn service(name: &str, cluster: &str) -> ServiceArn {
    let cluster: ClusterArn = format!("arn:aws:ecs:eu-west-1:111122223333:cluster/{cluster}").parse().unwrap();
    ServiceArn::new(Arc::new(cluster), name).unwrap()
}

fn job(id: &str, attempt: u32, until: i64, expected: Option<i64>) -> JobSnapshot {
    let key = JobKey { job_id: id.to_owned(), attempt };
    JobSnapshot {
        key,
        until: at(until),
        expected_until: expected.map(at),
        learned: Learned::Nothing,
        silent_since: None,
        labels: Labels::new(),
    }
}

fn labelled(job: JobSnapshot, labels: impl IntoIterator<Item = (String, String)>) -> JobSnapshot {
    JobSnapshot { labels: labels.into_iter().collect(), ..job }
}

/// The maximum number of labels in a job message, each of maximum length.
fn hostile_labels(seed: usize) -> impl Iterator<Item = (String, String)> {
    (0..8).map(move |number| (format!("{number}{}", hostile(seed + number, 63)), hostile(seed + 7 * number, 128)))
}

/// More tags than a service can have, in order.
fn hostile_tags() -> Vec<TagProblem> {
    let problem = |number: usize| TagProblem {
        tag: format!("taskhold:{number:02}{}", hostile(number, 117)),
        value: hostile(number * 5, 256),
        fault: if number == 0 { TagFault::NotMinutes } else { TagFault::NotRead },
    };
    (0..60).map(problem).collect()
}

fn blocking_task(number: usize, until: i64, protected_for: ProtectedFor) -> BlockingTask {
    let (deployment, protected_until) = (Some(OLD.to_owned()), at(until));
    BlockingTask { task: id(number), deployment, protected_until, lingers_until: None, jobs_started: 0, protected_for }
}

/// A deployment that started at 10:00 and has been blocked since 10:10. It is 10:30, and CloudFormation waits until
/// 13:00.
fn diagnosis() -> Diagnosis {
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let episode = job("episode-0417", 2, 150, Some(90));
    let episode = labelled(episode, [label("title", "Episode \"417\""), label("lang", "de")]);
    let jobs = vec![episode, job("trailer \"b\"", 1, 60, None)];
    Diagnosis {
        rollout_status: RolloutStatus::Blocked,
        rollout: Rollout::Deployment { id: NEW.to_owned(), started_at: at(0) },
        blocking_tasks: vec![
            blocking_task(1, 150, ProtectedFor::Jobs(jobs)),
            blocking_task(2, 90, ProtectedFor::Foreign),
            blocking_task(3, 60, ProtectedFor::NoJob),
        ],
        blocked_since: Some(at(10)),
        pause: None,
        paused_until: None,
        service_deployment: None,
        forecast: Some(Forecast {
            by_expiry: at(150),
            by_jobs: at(90),
            basis: ForecastBasis::Declared,
            by_risk: Some(at(90)),
            jobs_started: 0,
        }),
        deadline: Some(Deadline { at: at(180), source: DeadlineSource::CloudFormation }),
        task_counts: TaskCounts {
            desired: 3,
            lower_bound: 3,
            upper_bound: 6,
            live: 6,
            protected: 3,
            room: 3,
            deployments: 2,
        },
        suggested_actions: vec![
            SuggestedAction::Wait { until: at(150), expected: at(90) },
            SuggestedAction::ReleaseIdle { tasks: vec![id(3)], commands: vec![release("video", &[id(3)])] },
            SuggestedAction::RaiseDesiredCount { to: 4, command: raise("transcode", "video") },
        ],
        refused_tasks: Vec::new(),
        tag_problems: Vec::new(),
        gaps: Vec::new(),
    }
}

fn release(cluster: &str, tasks: &[TaskId]) -> String {
    let tasks: Vec<&str> = tasks.iter().map(TaskId::as_str).collect();
    let call = "aws ecs update-task-protection --region eu-west-1";
    format!("{call} --cluster {cluster} --no-protection-enabled --tasks {}", tasks.join(" "))
}

fn raise(service: &str, cluster: &str) -> String {
    format!("aws ecs update-service --region eu-west-1 --cluster {cluster} --service {service} --desired-count 4")
}

fn alert(kind: AlertKind, event: Transition) -> Alert {
    Alert {
        incident: format!("video/transcode/{}", kind.as_str()),
        kind,
        event,
        service: service("transcode", "video"),
        since: at(10),
        superseded: Vec::new(),
        came_back_at: None,
        first_expected_end: None,
        at: at(30),
        diagnosis: diagnosis(),
        remediations: Vec::new(),
        own_action: OwnAction::None,
        resolution: None,
    }
}

/// The kinds of service incidents.
fn kinds() -> impl Iterator<Item = AlertKind> {
    AlertKind::ALL.into_iter().filter(|kind| *kind != AlertKind::JobInterrupted)
}

/// Every kind of alert in every transition. Changes the alert in place, because cloning a huge alert is slow.
fn each(mut alert: Alert, mut check: impl FnMut(&Alert)) {
    for (kind, event) in kinds().flat_map(|kind| EVENTS.map(|event| (kind, event))) {
        (alert.kind, alert.event) = (kind, event);
        check(&alert);
    }
}

/// Two kinds, as opened.
fn each_of(kinds: [AlertKind; 2], alert: &mut Alert, check: fn(&Alert)) {
    for kind in kinds {
        alert.kind = kind;
        check(alert);
    }
}

pub(crate) fn usual() -> Alert {
    alert(AlertKind::DeploymentBlocked, Transition::Opened)
}

/// Characters with a meaning in markup, JSON, mail or a terminal.
const HOSTILE: &str = "\nPWN\r\n1. PWN\u{2028}PWN\u{85}`PWN` *PWN* _PWN_ [PWN](https://PWN) <!here> <PWN|PWN> @PWN & ~PWN~ \
    \"PWN\" 'PWN' \\ \u{0}\u{7}\u{1b}[31m\u{202e}\u{200b}\u{feff}\u{e0041} 😀👩‍👩‍👧 é ``` ";

fn hostile(seed: usize, chars: usize) -> String {
    HOSTILE.chars().cycle().skip(seed % HOSTILE.len()).take(chars).collect()
}

/// An alert in which every list exceeds its limit.
pub(crate) fn huge() -> Alert {
    let (name, cluster) = ("s".repeat(255), "c".repeat(255));
    let labels: Vec<Labels> = (0..10).map(|seed| hostile_labels(seed).collect()).collect();
    let blocking_tasks = (0..5000).map(|number| {
        let job_of = |of: usize| job(&hostile(number * 7 + of, 256), u32::MAX, 2000, Some(1900));
        // More labels than any text contains, but few enough to keep the test fast.
        let labels = if number < 600 { labels[number % labels.len()].clone() } else { Labels::new() };
        let jobs = (0..10).map(|of| labelled(job_of(of), labels.clone()));
        let protected_for = if number % 3 == 2 { ProtectedFor::NoJob } else { ProtectedFor::Jobs(jobs.collect()) };
        BlockingTask { deployment: Some(hostile(number, 128)), ..blocking_task(number, 2000, protected_for) }
    });
    let refused = |number: usize| {
        let one = job(&hostile(number, 256), u32::MAX, 2000, None);
        // The tasks that a text may list have more jobs.
        let jobs = if number % 5000 < 200 { vec![labelled(one, labels[number % 10].clone()); 10] } else { vec![one] };
        // Tasks without protection come first: there are about 5000 of each kind.
        let protected_until = (number >= 5000).then(|| at(1000));
        RefusedTask {
            task: id(5000 + number),
            deployment: Some(hostile(number, 128)),
            cause: RefusalCause::Ecs,
            since: at(0),
            protected_until,
            jobs,
        }
    };
    let tasks: Vec<TaskId> = (0..5000).map(id).collect();
    let commands = tasks.chunks(10).map(|tasks| release(&cluster, tasks)).collect();
    let mut alert = usual();
    alert.service = service(&name, &cluster);
    alert.incident = format!("{cluster}/{name}/deployment-blocked");
    alert.diagnosis.refused_tasks = (0..10_000).map(refused).collect();
    alert.diagnosis.blocking_tasks = blocking_tasks.collect();
    alert.diagnosis.tag_problems = hostile_tags();
    alert.diagnosis.gaps = (0..5000).map(|number| hostile(number, 2000)).collect();
    alert.diagnosis.suggested_actions[1] = SuggestedAction::ReleaseIdle { tasks, commands };
    alert.diagnosis.suggested_actions[2] =
        SuggestedAction::RaiseDesiredCount { to: u32::MAX, command: raise(&name, &cluster) };
    alert
}

fn subject_of(alert: &Alert) -> String {
    email::subject(&alert.into())
}

fn email_of(alert: &Alert) -> String {
    email::body(&alert.into(), &sender())
}

fn chat_of(alert: &Alert) -> String {
    chat::message(&alert.into(), &sender())
}

fn json_of_alert(alert: &Alert) -> String {
    machine::message(&alert.into())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn schema(name: &str) -> Value {
    json(&read(&format!("schemas/{name}")))
}

fn says(text: &str, lines: &[&str]) {
    let there: Vec<&str> = text.lines().collect();
    for line in lines {
        assert!(there.contains(line), "`{line}` is not in\n{text}");
    }
}

#[test]
fn the_remediations_are_reported_to_people_and_machines_and_text_of_aws_is_data() {
    let note = |text: &str| RemediationNote { at: at(25), text: text.to_owned() };
    let alert = Alert {
        remediations: vec![note("raised the desired count from 2 to 3"), note("could not: \n\nRESOLVED \u{202e}x")],
        ..usual()
    };
    let body = email_of(&alert);
    assert!(body.contains("Remediations by taskhold, newest first:\n  - "), "{body}");
    assert!(body.contains("raised the desired count from 2 to 3\n"), "{body}");
    assert!(!body.contains("\nRESOLVED") && !body.contains('\u{202e}'), "{body}");
    let chat = chat_of(&alert);
    assert!(chat.contains("`raised the desired count from 2 to 3`") && !chat.contains('\u{202e}'), "{chat}");
    let document: Value = serde_json::from_str(&json_of_alert(&alert)).unwrap();
    assert_eq!(document["remediations"][0]["text"], "raised the desired count from 2 to 3");
    assert_eq!(document["remediations"].as_array().unwrap().len(), 2);
}

#[test]
fn a_blocked_deployment_reads_so() {
    let alert = usual();
    assert_eq!(subject_of(&alert), "BLOCKED transcode (video): 3 tasks block its deployment, probably for 1 h");
    let body = email_of(&alert);
    assert_eq!(
        body.lines().take(8).collect::<Vec<_>>(),
        [
            "BLOCKED transcode in cluster video: 3 tasks block its deployment, probably for 1 h.",
            "Lasts until: 2026-01-05 11:30 UTC (in 1 h) if the jobs end as expected, 2026-01-05 12:30 UTC (in 2",
            "   h) at the latest.",
            "If you wait: the deadline, 2026-01-05 13:00 UTC (in 2 h 30 min), is met, with at least 30 min to",
            "   spare.",
            "Do first: release the task whose jobs have all ended (command below). No job needs the protection.",
            "",
            "Since 2026-01-05 10:10 UTC (20 min ago).",
        ]
    );
    says(
        &body,
        &[
            " 1. task 00000000000000000000000000000001 of ecs-svc/1111111111111111111",
            "    protected until 2026-01-05 12:30 UTC (in 2 h), for 2 jobs:",
            "    - \"episode-0417\" attempt 2, labels \"lang: de, title: Episode \\\"417\\\"\",",
            "       expected to end 2026-01-05 11:30 UTC (in 1 h), at the latest 2026-01-05 12:30 UTC (in 2 h)",
            "    - \"trailer \\\"b\\\"\", until 2026-01-05 11:00 UTC (in 30 min)",
            "    protected until 2026-01-05 11:30 UTC (in 1 h), foreign: not protected by taskhold",
            "    protected until 2026-01-05 11:00 UTC (in 30 min), idle: its jobs have ended",
            "The deadline is CloudFormation's: after three hours, it fails the update and rolls back.",
            "Tasks: 3 desired, min 3, max 6; 6 live, 3 of them protected.",
            "Up to 3 tasks can run beside the blocking tasks. Deployments: 2 of 5.",
            "1. Wait. The expected end is 2026-01-05 11:30 UTC, the latest 2026-01-05 12:30 UTC.",
            "2. Release the task whose jobs have all ended:",
            &format!("   {}", release("video", &[id(3)])),
            &format!("   {}", raise("transcode", "video")),
        ],
    );
    let status = "aws lambda invoke --region eu-west-1 --function-name taskhold --cli-binary-format raw-in-base64-out \
                  --payload '{\"status\":{\"cluster\":\"video\",\"service\":\"transcode\"}}' /dev/stdout";
    let last: Vec<&str> = body.lines().rev().take(5).collect();
    assert_eq!(
        last,
        [
            "Sent by:  taskhold, Lambda function taskhold in eu-west-1 (111122223333)",
            "Incident: video/transcode/deployment-blocked",
            "Service:  arn:aws:ecs:eu-west-1:111122223333:service/video/transcode",
            "Runbook:  docs/on-call.md#deployment-blocked",
            &format!("Status:   {status}"),
        ]
    );
}

fn forecast(by_expiry: i64, by_jobs: i64, basis: ForecastBasis, by_risk: Option<i64>) -> Forecast {
    Forecast { by_expiry: at(by_expiry), by_jobs: at(by_jobs), basis, by_risk: by_risk.map(at), jobs_started: 0 }
}

#[test]
fn an_idle_task_that_lingers_says_until_when() {
    let mut alert = usual();
    alert.diagnosis.blocking_tasks[2].lingers_until = Some(at(31));
    let email = email_of(&alert).split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "idle: its jobs have ended, and it lingers until 2026-01-05 10:31 UTC (in 1 min)";
    assert!(email.contains(expected), "{email}");
    let tasks = &json(&json_of_alert(&alert))["blockingTasks"];
    assert_eq!(
        (&tasks[1]["lingersUntil"], tasks[2]["lingersUntil"].as_str()),
        (&Value::Null, Some("2026-01-05T10:31:00Z"))
    );
}

#[test]
fn the_first_lines_say_what_the_forecast_is_based_on() {
    use ForecastBasis::{Declared, Learned, Maximum};
    let said = |forecast: Forecast| {
        let mut alert = alert(AlertKind::DeploymentBlocked, Transition::Opened);
        alert.diagnosis.suggested_actions.clear();
        alert.diagnosis.forecast = Some(forecast);
        let body = email_of(&alert).replace("\n   ", " ");
        let first: Vec<&str> = body.lines().skip(1).take(3).collect();
        format!("{}\n{}", subject_of(&alert), first.join("\n"))
    };
    let says = |forecast: Forecast, parts: [&str; 4]| {
        let said = said(forecast);
        for part in parts {
            assert!(said.contains(part), "`{part}` is not in\n{said}");
        }
    };
    says(
        forecast(300, 203, Learned, Some(230)),
        [
            "tasks probably need 2 h 53 min",
            "Lasts until: probably 2026-01-05 13:23 UTC (in 2 h 53 min), the median of earlier jobs; 9 in 10 end by 13:50 \
             UTC; 2026-01-05 15:00 UTC (in 4 h 30 min) at the latest.",
            "CloudFormation probably fails the update and rolls it back. The jobs probably end 23 min later.",
            "decide some minutes before 13:00 UTC: let CloudFormation roll back (the jobs keep running), or interrupt the jobs.",
        ],
    );
    says(
        forecast(300, 90, Learned, Some(230)),
        [
            "tasks may need 3 h 20 min",
            "the median of earlier jobs",
            "CloudFormation may fail the update and roll it back. The jobs may end 50 min later.",
            "Do first: check again at",
        ],
    );
    says(
        forecast(300, 203, Maximum, None),
        [
            "tasks may need 4 h 30 min",
            "The workers reported no expected end",
            "The jobs may end 2 h later.",
            "find out when the jobs end",
        ],
    );
    says(
        forecast(120, 90, Maximum, None),
        [
            "block its deployment for at most 1 h 30 min",
            "The workers reported no expected end",
            "is met, with at least",
            "The block ends by itself",
        ],
    );
    says(
        Forecast { jobs_started: 4, ..forecast(120, 90, Learned, Some(100)) },
        [
            "no end is known",
            "take new jobs (4 since the deployment began)",
            "the deadline is",
            "ask the owner of the worker",
        ],
    );
    says(
        Forecast { jobs_started: 1, ..forecast(300, 203, Declared, Some(203)) },
        ["tasks need 2 h 53 min", "take new jobs (1 since", "The jobs end 23 min later.", "decide some minutes before"],
    );
}

#[test]
fn a_deployment_at_risk_says_by_how_much() {
    let mut alert = alert(AlertKind::DeploymentAtRisk, Transition::Opened);
    alert.since = at(0);
    alert.diagnosis.forecast = Some(forecast(300, 203, ForecastBasis::Declared, Some(203)));
    assert_eq!(
        subject_of(&alert),
        "AT RISK transcode (video): CloudFormation rolls back in 2 h 30 min, tasks need 2 h 53 min"
    );
    says(
        &email_of(&alert),
        &[
            "AT RISK transcode in cluster video: CloudFormation rolls back in 2 h 30 min, tasks need 2 h 53 min.",
            "If you wait: at 2026-01-05 13:00 UTC (in 2 h 30 min), CloudFormation fails the update and rolls it",
            "   back. The jobs end 23 min later.",
            "Started 2026-01-05 10:00 UTC (30 min ago).",
        ],
    );
    alert.at = at(190);
    assert_eq!(subject_of(&alert), "AT RISK transcode (video): deadline passed 10 min ago, deployment still blocked");
    says(
        &email_of(&alert),
        &[
            "If you wait: the deadline, 2026-01-05 13:00 UTC (10 min ago), has passed. CloudFormation has",
            "   probably failed the update and is rolling it back.",
        ],
    );
    alert.diagnosis.suggested_actions.clear();
    says(
        &email_of(&alert),
        &[
            "Do first: check whether CloudFormation is rolling back. If it is, let the jobs finish: releasing",
            "   their tasks no longer saves the update.",
        ],
    );
}

#[test]
fn a_deadline_that_only_the_end_of_the_jobs_can_keep_is_reported_both_ways() {
    let mut alert = alert(AlertKind::DeploymentBlocked, Transition::Repeated);
    alert.diagnosis.forecast = Some(forecast(200, 90, ForecastBasis::Declared, Some(90)));
    says(
        &email_of(&alert),
        &[
            "If you wait: the deadline, 2026-01-05 13:00 UTC (in 2 h 30 min), is met if the jobs end as expected,",
            "   with 1 h 30 min to spare. If they run to their latest end, it is missed by 20 min. CloudFormation",
            "   then fails the update and rolls it back.",
        ],
    );
}

#[test]
fn a_pileup_says_what_not_to_do() {
    let mut alert = alert(AlertKind::TooManyDeployments, Transition::Repeated);
    alert.diagnosis.task_counts.deployments = 4;
    assert_eq!(subject_of(&alert), "LIMIT transcode (video): still 4 of 5 deployments in progress");
    says(
        &email_of(&alert),
        &[
            "LIMIT transcode in cluster video: still 4 of 5 deployments in progress.",
            "Lasts until: the first of the deployments ends, by 2026-01-05 12:30 UTC (in 2 h).",
            "If you wait: 1 more deployment fits. ECS refuses any beyond that.",
            "Do first: pause the pipeline that deploys this service.",
        ],
    );
    alert.diagnosis.task_counts.deployments = 5;
    says(&email_of(&alert), &["If you wait: ECS refuses another deployment of the service."]);
    alert.diagnosis.blocking_tasks[1].deployment = Some(NEW.to_owned());
    says(
        &email_of(&alert),
        &[
            "Lasts until: the first of the deployments ends, by 2026-01-05 11:30 UTC (in 1 h).",
            "1. Wait. The first of the deployments ends by 2026-01-05 11:30 UTC (in 1 h), the last by 2026-01-05",
        ],
    );
}

#[test]
fn orphans_are_reported_even_without_a_rollout() {
    let mut alert = alert(AlertKind::OrphanedProtection, Transition::Opened);
    let still = diagnosis().task_counts;
    alert.diagnosis = Diagnosis {
        rollout_status: RolloutStatus::Steady,
        rollout: Rollout::None,
        blocking_tasks: Vec::new(),
        blocked_since: None,
        pause: None,
        paused_until: None,
        service_deployment: None,
        forecast: None,
        deadline: None,
        task_counts: still,
        suggested_actions: Vec::new(),
        refused_tasks: Vec::new(),
        tag_problems: Vec::new(),
        gaps: Vec::new(),
    };
    says(
        &email_of(&alert),
        &[
            "ORPHANED transcode in cluster video: tasks are protected though their jobs have ended.",
            "Since 2026-01-05 10:10 UTC (20 min ago).",
            "They block nothing now. The status command lists them (protectedTasks).",
            "Deployments: 2 of 5.",
        ],
    );
    alert.event = Transition::Resolved;
    assert_eq!(subject_of(&alert), "RESOLVED transcode (video): no protection is orphaned any more");
}

#[test]
fn a_resolution_is_short_and_has_the_duration() {
    let body = email_of(&alert(AlertKind::DeploymentBlocked, Transition::Resolved));
    assert_eq!(
        body,
        "RESOLVED transcode in cluster video: protected tasks no longer block its deployment.\n\
         The deployment was blocked for 20 min: from 2026-01-05 10:10 UTC to 2026-01-05 10:30 UTC.\n\
         \n\
         Status:   aws lambda invoke --region eu-west-1 --function-name taskhold --cli-binary-format raw-in-base64-out \
         --payload '{\"status\":{\"cluster\":\"video\",\"service\":\"transcode\"}}' /dev/stdout\n\
         Runbook:  docs/on-call.md#deployment-blocked\n\
         Service:  arn:aws:ecs:eu-west-1:111122223333:service/video/transcode\n\
         Incident: video/transcode/deployment-blocked\n\
         Sent by:  taskhold, Lambda function taskhold in eu-west-1 (111122223333)\n"
    );
}

#[test]
fn an_escalation_says_how_much_of_the_time_has_passed() {
    let mut alert = alert(AlertKind::DeploymentBlocked, Transition::Escalated);
    alert.at = at(91);
    says(&email_of(&alert), &["50 % of the time to its deadline has passed."]);
    assert_eq!(
        subject_of(&alert),
        "BLOCKED transcode (video): 3 tasks still block its deployment, 50 % of the time used"
    );
    alert.diagnosis.forecast = Some(forecast(300, 203, ForecastBasis::Declared, Some(203)));
    let subject = "BLOCKED transcode (video): CloudFormation rolls back in 1 h 29 min, 50 % of the time used";
    assert_eq!(subject_of(&alert), subject);
    alert.at = at(180);
    assert_eq!(subject_of(&alert), "BLOCKED transcode (video): deadline has just passed, deployment still blocked");
}

#[test]
fn the_resolutions_of_a_block_and_of_a_risk_differ() {
    let by_cloud_formation = |minute| Deadline { at: at(minute), source: DeadlineSource::CloudFormation };
    let ended = |kind, rollout, since, deadline| {
        let alert = Alert {
            since: at(since),
            resolution: Some(Resolution { at: at(200), rollout, deadline: Some(deadline), tasks: Vec::new() }),
            ..alert(kind, Transition::Resolved)
        };
        let subject = subject_of(&alert).split_once(": ").unwrap().1.to_owned();
        (subject, email_of(&alert))
    };
    for rollout in
        [RolloutEnd::ServiceDeleted, RolloutEnd::Failed, RolloutEnd::Finished, RolloutEnd::Replaced, RolloutEnd::GoesOn]
    {
        let [blocked, at_risk] = [AlertKind::DeploymentBlocked, AlertKind::DeploymentAtRisk]
            .map(|kind| ended(kind, rollout, 10, by_cloud_formation(180)).0);
        assert_ne!(blocked, at_risk, "{rollout:?}");
    }
    let (subject, body) = ended(AlertKind::DeploymentBlocked, RolloutEnd::GoesOn, 10, by_cloud_formation(180));
    assert_eq!(subject, "its deployment was unblocked 20 min late");
    says(&body, &["CloudFormation may have rolled back meanwhile. Check which revision is being deployed."]);
    let (_, body) = ended(AlertKind::DeploymentBlocked, RolloutEnd::GoesOn, 10, by_cloud_formation(230));
    says(&body, &["The deployment is still in progress. Check that it finishes."]);
    let clean_up = Deadline { at: at(14 * 24 * 60), source: DeadlineSource::CleanUp };
    let (subject, body) = ended(AlertKind::DeploymentAtRisk, RolloutEnd::Finished, 0, clean_up);
    assert_eq!(subject, "its old tasks are gone, in time");
    says(&body, &["The clean-up went on for 3 h 20 min: from 2026-01-05 10:00 UTC to 2026-01-05 13:20 UTC."]);
}

#[test]
fn a_scale_in_says_what_it_waits_for() {
    let mut alert = alert(AlertKind::ScaleInBlocked, Transition::Opened);
    alert.diagnosis.deadline = None;
    alert.diagnosis.rollout = Rollout::ScaleIn { id: OLD.to_owned(), started_at: at(0) };
    alert.diagnosis.suggested_actions.clear();
    alert.diagnosis.forecast = Some(forecast(60, 60, ForecastBasis::Maximum, None));
    alert.first_expected_end = Some(at(25));
    let mut said = |protected_for: ProtectedFor| {
        alert.diagnosis.blocking_tasks = vec![blocking_task(1, 90, protected_for)];
        email_of(&alert)
    };
    let ends = "Lasts until: 2026-01-05 11:00 UTC (in 30 min) at the latest, when another protected task can stop";
    says(&said(ProtectedFor::NoJob), &[ends, "   instead."]);
    assert!(said(ProtectedFor::NoJob).contains("a task without a job is still protected. ECS does"));
    says(
        &said(ProtectedFor::Foreign),
        &[
            "Do first: ask the owner of the worker whether it still needs the protection: taskhold did not set",
            "More tasks run than desired, because of protection that taskhold did not set. ECS does not stop",
        ],
    );
    let body = said(ProtectedFor::Jobs(vec![job("j-1", 1, 90, Some(80))]));
    says(
        &body,
        &[
            "Do first: check whether the job makes progress: it was first expected to end at 10:25 UTC.",
            "More tasks run than desired, for longer than their jobs were expected to run. ECS does not stop",
        ],
    );
}

#[test]
fn gaps_are_reported_with_the_number_omitted() {
    let mut alert = usual();
    alert.diagnosis.gaps = vec!["its tasks could not be listed: ECS throttled the call".to_owned(); 12];
    says(
        &email_of(&alert),
        &[
            "What taskhold could not read, so there may be more:",
            "  - its tasks could not be listed: ECS throttled the call",
            "  and 2 more failed reads.",
        ],
    );
}

fn passed_over(tag: &str, value: &str, fault: TagFault) -> Alert {
    let mut alert = usual();
    alert.diagnosis.tag_problems = vec![TagProblem { tag: tag.to_owned(), value: value.to_owned(), fault }];
    alert
}

#[test]
fn an_invalid_tag_is_reported_everywhere_with_its_problem() {
    for (tag, value, fault, shown, problem) in [
        (DEADLINE_TAG, "0", TagFault::NotMinutes, "0", "must be a whole number from 1 to 10080"),
        (DEADLINE_TAG, "", TagFault::NotMinutes, "", "must be a whole number from 1 to 10080"),
        (
            DEADLINE_TAG,
            "4\n\u{202e}5",
            TagFault::NotMinutes,
            "4\\n\\u{202e}5",
            "must be a whole number from 1 to 10080",
        ),
        (
            "taskhold:deadline-minute",
            "45",
            TagFault::NotRead,
            "45",
            "is not read by this version, which reads taskhold:deadline-minutes, taskhold:policy, taskhold:max-desired-count, taskhold:idle-reserve, taskhold:managed",
        ),
    ] {
        let alert = passed_over(tag, value, fault);
        let body = email_of(&alert);
        let body = body.replace("\n     ", " ");
        let line = format!("  - \"{tag}\" is \"{shown}\"; it {problem}");
        says(&body, &["Tags of the service that taskhold ignores:", &line]);
        let document = json(&json_of_alert(&alert));
        assert_eq!(document["tagProblems"], serde_json::json!([{"tag": tag, "value": shown, "problem": problem}]));
        assert_eq!(document["tagProblemsOmitted"], 0);
        let chat = json(&chat_of(&alert));
        let shown = match shown {
            "" => "-",
            shown => shown,
        };
        let line = format!("• `{tag}` is `{shown}`; it {problem}");
        says(chat["content"]["description"].as_str().unwrap(), &[&line]);
    }
}

#[test]
fn tag_problems_take_few_lines_and_none_in_a_resolution() {
    let mut alert = usual();
    assert!(!email_of(&alert).contains("taskhold ignores:"), "there is nothing to ignore");
    alert.diagnosis.tag_problems = hostile_tags();
    says(&email_of(&alert), &["  and 55 more tags."]);
    assert!(json(&chat_of(&alert))["content"]["description"].as_str().unwrap().contains("\n• and 57 more tags"));
    let document = json(&json_of_alert(&alert));
    assert_eq!(document["tagProblems"].as_array().unwrap().len(), machine::TAG_PROBLEMS_MAX);
    assert_eq!(document["tagProblemsOmitted"], 60 - machine::TAG_PROBLEMS_MAX);
    alert.event = Transition::Resolved;
    assert!(!email_of(&alert).contains("taskhold ignores:"));
}

#[test]
fn the_labels_of_a_job_are_one_short_quotation_in_a_mail_and_whole_for_a_machine() {
    let mut alert = usual();
    let labels: Labels = hostile_labels(3).collect();
    alert.diagnosis.blocking_tasks =
        vec![blocking_task(1, 150, ProtectedFor::Jobs(vec![labelled(job("j", 1, 60, None), labels.clone())]))];
    let body = email_of(&alert);
    let line = body.lines().find(|line| line.contains(", labels \"")).unwrap();
    let quoted = line.split_once("labels \"").unwrap().1.strip_suffix("\",").unwrap();
    assert!(quoted.chars().count() <= 72 && quoted.contains("..."), "{line}");
    assert!(!quoted.replace("\\\"", "").contains('"'), "{line}");
    let job_of = &json(&json_of_alert(&alert))["blockingTasks"][0]["jobs"][0];
    assert_eq!(job_of["labels"], json_of(labels));
    assert!(job_of.get("labelsOmitted").is_none());
}

#[test]
fn a_mail_shows_the_first_of_long_lists_and_counts_the_rest() {
    let body = email_of(&huge());
    assert!(body.lines().count() < 450, "{}", body.lines().count());
    says(
        &body,
        &[
            "and 4980 more tasks.",
            "    and 5 more jobs.",
            "   and 495 more commands of this form, for the other tasks.",
        ],
    );
}

/// No line of the email begins with untrusted text. Only lines that begin with one of `whole` may be too long.
fn check_mail(body: &str, whole: &[&str]) {
    assert!(!body.chars().any(|c| c.is_control() && c != '\n'));
    for line in body.split(['\n', '\u{2028}', '\u{85}']) {
        assert!(!line.trim_start().starts_with("PWN") && !line.trim_start().starts_with("1. PWN"), "{line}");
        let whole = ["   aws ecs ", "Status:   aws ", "Incident: "].iter().chain(whole);
        let is_whole = whole.copied().any(|begin| line.starts_with(begin));
        assert!(is_whole || line.chars().count() <= email::LINE_CHARS_MAX, "{line}");
    }
}

#[test]
fn no_line_of_a_mail_begins_with_a_text_of_a_workers_or_is_too_long_but_commands_and_identifiers() {
    let check = |alert: &Alert| check_mail(&email_of(alert), &["Service:  arn:"]);
    each(usual(), check);
    each(huge(), check);
}

#[test]
fn a_subject_is_short_printable_ascii_even_for_the_longest_names() {
    let mut huge = huge();
    for margin in [-1, -1_000_000] {
        huge.diagnosis.forecast = Some(Forecast {
            by_expiry: at(180 - margin),
            by_jobs: at(180 - margin),
            basis: ForecastBasis::Declared,
            by_risk: Some(at(180 - margin)),
            jobs_started: 0,
        });
        huge.diagnosis.rollout = Rollout::TaskSet { id: NEW.to_owned(), started_at: at(0) };
        for (kind, event) in kinds().flat_map(|kind| EVENTS.map(|event| (kind, event))) {
            (huge.kind, huge.event) = (kind, event);
            let subject = subject_of(&huge);
            assert!(subject.len() <= email::SUBJECT_CHARS_MAX, "{subject}");
            assert!(subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{subject}");
            assert!(subject.starts_with(|c: char| c.is_ascii_alphabetic()), "{subject}");
            assert!(subject.contains("sss") && subject.contains("cc"), "{subject}");
        }
    }
    let alert =
        Alert { service: service(&"s".repeat(255), "video"), ..alert(AlertKind::TooManyDeployments, EVENTS[0]) };
    assert_eq!(
        subject_of(&alert),
        format!("LIMIT {}...{} (video): 2 of 5 deployments in progress", "s".repeat(34), "s".repeat(16))
    );
}

/// The text outside of code spans, and the content of the code spans.
fn spans(text: &str) -> (String, Vec<&str>) {
    let parts: Vec<&str> = text.split('`').collect();
    assert_eq!(parts.len() % 2, 1, "a code span is open: {text}");
    (parts.iter().step_by(2).copied().collect(), parts.iter().skip(1).step_by(2).copied().collect())
}

/// Untrusted text cannot escape its code span in the chat message.
fn check_spans(chat: &str) {
    let content = &json(chat)["content"];
    let steps = content["nextSteps"].as_array().unwrap().iter();
    let lines = content["description"].as_str().unwrap().lines();
    for text in lines.chain(steps.chain([&content["title"]]).map(|text| text.as_str().unwrap())) {
        let (outside, inside) = spans(text);
        assert!(!outside.contains("PWN"), "{text}");
        assert!(!outside.contains(['<', '>', '&', '*', '[', ']', '@', '~', '|']), "{text}");
        for span in inside {
            assert!(!span.is_empty() && span.trim() == span, "`{span}` shows as no span");
            assert!(!span.contains(['<', '>', '&', '*', '[', ']', '@', '~', '|', '\n', '\u{202e}']), "{span}");
        }
    }
}

#[test]
fn no_text_of_a_workers_leaves_its_code_span_in_a_chat() {
    each(huge(), |alert| check_spans(&chat_of(alert)));
}

/// The chat holds to the limits of Amazon Q Developer.
fn check_chat(chat: &str, incident: &str) {
    let chat = json(chat);
    let chars = |text: &Value| text.as_str().unwrap().chars().count();
    let content = &chat["content"];
    assert_eq!((&chat["version"], &chat["source"]), (&json("\"1.0\""), &json("\"custom\"")));
    assert_eq!(content["textType"], "client-markdown");
    assert!((1..=chat::TITLE_CHARS_MAX).contains(&chars(&content["title"])));
    assert!((1..=chat::DESCRIPTION_CHARS_MAX).contains(&chars(&content["description"])), "{content}");
    for keyword in content["keywords"].as_array().unwrap() {
        assert!(chars(keyword) <= chat::KEYWORD_CHARS_MAX);
    }
    for step in content["nextSteps"].as_array().unwrap() {
        assert!(chars(step) <= chat::NEXT_STEP_CHARS_MAX);
    }
    assert_eq!(chat["metadata"]["threadId"], incident);
    let context = chat["metadata"]["additionalContext"].as_object().unwrap();
    assert!(context.values().all(Value::is_string), "{context:?}");
}

#[test]
fn a_chat_holds_to_the_limits_of_amazon_q_developer() {
    let check = |alert: &Alert| check_chat(&chat_of(alert), &alert.incident);
    each(usual(), check);
    each(huge(), check);
}

#[test]
fn a_chat_says_what_is_wrong_and_what_to_do() {
    let chat = json(&chat_of(&usual()));
    let content = &chat["content"];
    assert_eq!(content["title"], "🔴 `transcode` (`video`): 3 tasks block its deployment, probably for 1 h");
    let description = content["description"].as_str().unwrap();
    says(
        description,
        &[
            "If you wait: the deadline, 2026-01-05 13:00 UTC (in 2 h 30 min), is met, with at least 30 min to spare.",
            "Since 2026-01-05 10:10 UTC (20 min ago).",
            "• task `00000000000000000000000000000001` of `ecs-svc/1111111111111111111`, protected until 2026-01-05 12:30 \
             UTC (in 2 h), for 2 jobs: `episode-0417` attempt 2, labels `lang: de, title: Episode \"417\"`, \
             expected to end 2026-01-05 11:30 UTC (in 1 h), at the latest 2026-01-05 12:30 UTC (in 2 h); `trailer \"b\"`, until \
             2026-01-05 11:00 UTC (in 30 min)",
        ],
    );
    let steps = content["nextSteps"].as_array().unwrap();
    assert_eq!(steps[1], format!("Release the task whose jobs have all ended: `{}`", release("video", &[id(3)])));
    assert!(steps[3].as_str().unwrap().starts_with("See the status: `aws lambda invoke "), "{steps:?}");
}

#[test]
fn a_command_that_is_too_long_or_unsafe_for_a_chat_is_sent_elsewhere_and_never_altered() {
    let mut alert = usual();
    for command in [raise(&"s".repeat(255), "video"), "aws ecs `id`".to_owned(), "aws ecs <!here>".to_owned()] {
        alert.diagnosis.suggested_actions = vec![SuggestedAction::RaiseDesiredCount { to: 4, command }];
        let chat = json(&chat_of(&alert));
        assert_eq!(
            chat["content"]["nextSteps"][0],
            "Raise the desired count to 4, as AWS advises. You pay for the extra task. It does not help if ECS refuses \
             because a protected task blocks, or if Application Auto Scaling lowers it. Set 3 again only when no \
             job is refused: before that, ECS may stop a task with such a job (the email and the status command have the \
             command)"
        );
    }
}

#[test]
fn the_form_for_machines_is_as_its_schema_says() {
    let schema = schema("alert.schema.json");
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let check = |alert: &Alert| {
        let document = json(&json_of_alert(alert));
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(document["incident"], alert.incident);
        assert_eq!((&document["kind"], &document["event"]), (&json_of(alert.kind), &json_of(alert.event)));
    };
    each(usual(), check);
    each(huge(), check);
    let mut steady = alert(AlertKind::TooManyDeployments, Transition::Resolved);
    steady.diagnosis.rollout = Rollout::None;
    (steady.diagnosis.forecast, steady.diagnosis.deadline, steady.diagnosis.blocked_since) = (None, None, None);
    steady.diagnosis.blocking_tasks =
        vec![BlockingTask { deployment: None, ..blocking_task(1, 2, ProtectedFor::Unknown) }];
    steady.diagnosis.suggested_actions =
        vec![SuggestedAction::RaiseMaximumPercent { to: 200, command: "aws ecs update-service".into() }];
    check(&steady);
}

fn json_of(word: impl serde::Serialize) -> Value {
    serde_json::to_value(word).unwrap()
}

#[test]
fn alerts_and_answers_mean_the_same_by_the_same_words() {
    let (alert, answers) = (schema("alert.schema.json"), schema("answers.schema.json"));
    let of_service = &alert["$defs"]["ofService"]["properties"];
    for shared in [
        "rollout",
        "refusedTask",
        "job",
        "forecast",
        "deadline",
        "taskCounts",
        "suggestedAction",
        "commands",
        "tagProblem",
        "omitted",
        "count",
        "time",
        "serviceArn",
        "taskArn",
    ] {
        assert_eq!(alert["$defs"][shared], answers["$defs"][shared], "{shared}");
    }
    assert_eq!(of_service["blockingTasks"]["maxItems"], machine::BLOCKING_TASKS_MAX);
    assert_eq!(of_service["gaps"]["maxItems"], machine::GAPS_MAX);
    assert_eq!(of_service["tagProblems"]["maxItems"], machine::TAG_PROBLEMS_MAX);
    assert_eq!(of_service["refusedTasks"]["maxItems"], machine::REFUSED_MAX);
    assert_eq!(of_service["kind"]["enum"], answers["$defs"]["incident"]["properties"]["kind"]["enum"]);
    assert!(alert["description"].as_str().unwrap().contains(&format!("{} bytes", machine::ESCAPED_BYTES_MAX)));
}

#[test]
fn the_json_has_the_margin_and_the_omitted_counts() {
    let document = json(&json_of_alert(&usual()));
    assert_eq!(document["deadline"]["marginMinutes"], 90);
    assert_eq!((&document["blockingTasksOmitted"], &document["gapsOmitted"]), (&json("0"), &json("0")));
    assert_eq!(document["blockingTasks"][0]["jobs"][0]["jobId"], "episode-0417");
    let huge = json(&json_of_alert(&huge()));
    let shown = huge["blockingTasks"].as_array().unwrap();
    assert!(shown.len() > 50, "{}", shown.len());
    assert_eq!(huge["blockingTasksOmitted"], 5000 - shown.len());
    assert_eq!((&shown[0]["jobs"][0]["jobId"], &shown[0]["jobsOmitted"]), (&json_of(hostile(0, 256)), &json("9")));
    assert_eq!((&shown[0]["jobs"][0]["labels"], &shown[0]["jobs"][0]["labelsOmitted"]), (&Value::Null, &json("8")));
    let way = &huge["suggestedActions"][1];
    assert_eq!((way["commands"].as_array().unwrap().len(), &way["commandsOmitted"]), (10, &json("490")));
    assert_eq!((way["taskArns"].as_array().unwrap().len(), &way["taskArnsOmitted"]), (100, &json("4900")));
}

/// The characters that SQS accepts in a body (SQS API reference, "SendMessage").
fn is_taken_by_sqs(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Checks the message as SNS parses it: an object of strings, within the size limit with space for attributes.
fn published_well(alert: &Alert) {
    let message = published::message(&AlertMessage::of(alert, &sender()));
    assert!(message.len() <= published::MESSAGE_BYTES_MAX - 4096, "{}", message.len());
    assert!(message.chars().all(is_taken_by_sqs) && json_of_alert(alert).chars().all(is_taken_by_sqs));
    let texts = json(&message);
    let text = |key: &str| texts[key].as_str().unwrap().to_owned();
    assert_eq!(texts.as_object().unwrap().keys().collect::<Vec<_>>(), ["default", "email", "https", "sms"]);
    assert_eq!(text("default"), json_of_alert(alert));
    assert_eq!(json(&text("default"))["version"], 1);
    assert_eq!(text("email"), email_of(alert));
    assert_eq!(json(&text("https"))["source"], "custom");
    assert_eq!(text("sms"), subject_of(alert));
}

#[test]
fn a_publication_fits_and_has_a_text_for_each_protocol() {
    each(usual(), published_well);
    each(huge(), published_well);
}

#[test]
fn a_publication_fits_with_any_characters_in_ids() {
    let mut alert = huge();
    alert.diagnosis.blocking_tasks.truncate(600);
    // Keep some of each kind.
    alert.diagnosis.refused_tasks.drain(200..9800);
    for unit in ["\u{0}", "\u{1b}", "\"", "\\", "\u{e0041}", "😀", "`", "\n", "é", "\u{10ffff}", "\u{ffff}"] {
        for blocking_task in &mut alert.diagnosis.blocking_tasks {
            blocking_task.deployment = Some(unit.repeat(256));
            if let ProtectedFor::Jobs(jobs) = &mut blocking_task.protected_for {
                for job in jobs {
                    job.key.job_id = unit.repeat(256);
                    job.labels =
                        (0..8).map(|number| (format!("{number}{}", unit.repeat(63)), unit.repeat(128))).collect();
                }
            }
        }
        for refused_tasks in &mut alert.diagnosis.refused_tasks {
            refused_tasks.deployment = Some(unit.repeat(256));
            for job in &mut refused_tasks.jobs {
                job.key.job_id = unit.repeat(256);
                job.labels = (0..8).map(|number| (format!("{number}{}", unit.repeat(63)), unit.repeat(128))).collect();
            }
        }
        alert.diagnosis.gaps.iter_mut().for_each(|gap| *gap = unit.repeat(5000));
        alert.diagnosis.tag_problems.iter_mut().for_each(|problem| problem.value = unit.repeat(256));
        each_of([AlertKind::DeploymentBlocked, AlertKind::ProtectionRefused], &mut alert, published_well);
    }
}
