//! The alerts about tasks that ECS refuses to protect, or whose protection ECS refuses to renew.

use super::{
    NEW, OLD, alert, at, chat_of, diagnosis, each, email_of, huge, id, job, json, json_of_alert, labelled, says,
    service, subject_of,
};
use taskhold::service::alert::{Alert, AlertKind, Transition};
use taskhold::service::blocking_task::{BlockingTask, ProtectedFor};
use taskhold::service::diagnosis::Diagnosis;
use taskhold::service::refused_task::{RefusalCause, RefusedTask};
use taskhold::service::rollout::Rollout;
use taskhold::service::rollout_status::RolloutStatus;
use taskhold::service::suggested_action::SuggestedAction;

/// A task with a job, refused since 10:20.
fn refused_tasks(number: usize, protected_until: Option<i64>, until: i64) -> RefusedTask {
    RefusedTask {
        task: id(number),
        deployment: Some(NEW.to_owned()),
        cause: RefusalCause::Ecs,
        since: at(20),
        protected_until: protected_until.map(at),
        jobs: vec![job(&format!("film-{number}"), 1, until, None)],
    }
}

/// Two tasks run unprotected, and two others lose their protection before their jobs end.
fn refused(kind: AlertKind, event: Transition) -> Alert {
    let mut alert = alert(kind, event);
    alert.since = at(20);
    let labels = [("title".to_owned(), "Film \"12\"".to_owned())];
    let long = RefusedTask {
        jobs: vec![labelled(job("film-12", 3, 200, Some(120)), labels), job("cut", 1, 40, None)],
        ..refused_tasks(12, None, 0)
    };
    alert.diagnosis.refused_tasks =
        vec![long, refused_tasks(11, None, 100), refused_tasks(14, Some(90), 163), refused_tasks(13, Some(47), 120)];
    alert
}

fn nothing_moves(alert: Alert) -> Alert {
    let diagnosis = Diagnosis {
        rollout_status: RolloutStatus::Steady,
        rollout: Rollout::None,
        blocking_tasks: Vec::new(),
        blocked_since: None,
        forecast: None,
        deadline: None,
        suggested_actions: Vec::new(),
        ..alert.diagnosis
    };
    Alert { diagnosis, ..alert }
}

#[test]
fn a_refusal_reads_so() {
    let alert = refused(AlertKind::ProtectionRefused, Transition::Opened);
    assert_eq!(
        subject_of(&alert),
        "REFUSED transcode (video): 2 busy tasks unprotected, ECS may protect them in 30 min"
    );
    let expected = "\
REFUSED transcode in cluster video: 2 busy tasks unprotected, ECS may protect them in 30 min.
Lasts until: perhaps 2026-01-05 11:00 UTC (in 30 min), when another task's protection ends and ECS
   may protect these tasks.
If you wait: the next deployment, a rollback or a scale-in may stop 2 tasks and interrupt 3 jobs.
Do first: release the task whose jobs have all ended (command below). No job needs the protection.

Since 2026-01-05 10:20 UTC (10 min ago).
Deadline of its deployment: 2026-01-05 13:00 UTC (in 2 h 30 min).
ECS refuses protection while protected tasks block a deployment or scale-in.

Unprotected, longest remaining job first:
 1. task 0000000000000000000000000000000c of ecs-svc/2222222222222222222
    refused since 2026-01-05 10:20 UTC (10 min ago), for 2 jobs:
    - \"film-12\" attempt 3, labels \"title: Film \\\"12\\\"\",
       expected to end 2026-01-05 12:00 UTC (in 1 h 30 min),
       at the latest 2026-01-05 13:20 UTC (in 2 h 50 min)
    - \"cut\", until 2026-01-05 10:40 UTC (in 10 min)
 2. task 0000000000000000000000000000000b of ecs-svc/2222222222222222222
    refused since 2026-01-05 10:20 UTC (10 min ago), for 1 job:
    - \"film-11\", until 2026-01-05 11:40 UTC (in 1 h 10 min)

Tasks that block its deployment, longest first:
 1. task 00000000000000000000000000000001 of ecs-svc/1111111111111111111
";
    let body = email_of(&alert);
    assert!(body.starts_with(expected), "{body}");
    says(
        &body,
        &[
            "    protected until 2026-01-05 11:30 UTC (in 1 h), foreign: not protected by taskhold",
            "ECS may accept the request at 2026-01-05 11:00 UTC (in 30 min), when the first blocking protection",
            "   ends. taskhold retries then, whenever it checks this service, and when another of its tasks is",
            "Tasks: 3 desired, min 3, max 6; 6 live, 3 of them protected.",
            "Suggested actions, safest first:",
            "3. Raise the desired count to 4, as AWS advises. You pay for the extra task. It does not help if ECS",
        ],
    );
    assert!(!body.contains("if the jobs end as expected"), "the rollout's end is not the refusal's:\n{body}");
}

#[test]
fn a_protection_that_expires_says_the_minute_of_loss_by_clock_and_how_far_it_is() {
    let mut alert = refused(AlertKind::ProtectionExpiring, Transition::Opened);
    assert_eq!(subject_of(&alert), "EXPIRING transcode (video): 2 busy tasks lose protection from 10:47 UTC on");
    says(
        &email_of(&alert),
        &[
            "EXPIRING transcode in cluster video: 2 busy tasks lose protection from 10:47 UTC on.",
            "Lasts until: ECS renews the protection. If it does not, the first protection ends at 2026-01-05",
            "   10:47 UTC (in 17 min).",
            "If you wait: from 10:47 UTC on, the next deployment, a rollback or a scale-in may stop 2 tasks and",
            "About to lose protection, soonest first:",
            " 1. task 0000000000000000000000000000000d of ecs-svc/2222222222222222222",
            "    protected until 2026-01-05 10:47 UTC (in 17 min), 1 h 13 min before its last job ends,",
            "       refused since 2026-01-05 10:20 UTC (10 min ago), for 1 job:",
            "    - \"film-13\", until 2026-01-05 12:00 UTC (in 1 h 30 min)",
            " 2. task 0000000000000000000000000000000e of ecs-svc/2222222222222222222",
        ],
    );
    alert.diagnosis.refused_tasks = vec![refused_tasks(13, Some(47), 120)];
    assert_eq!(subject_of(&alert), "EXPIRING transcode (video): 1 busy task loses protection at 10:47 UTC");
    alert.diagnosis.refused_tasks = vec![refused_tasks(13, Some(14 * 60 + 5), 2000)];
    assert_eq!(subject_of(&alert), "EXPIRING transcode (video): 1 busy task loses protection at 2026-01-06 00:05 UTC");
    alert.diagnosis.refused_tasks = vec![refused_tasks(13, Some(29), 2000)];
    assert_eq!(subject_of(&alert), "EXPIRING transcode (video): 1 busy task loses protection now");
}

#[test]
fn an_alert_about_a_protection_that_ends_too_early_does_not_suggest_to_clear_it() {
    let mut alert = refused(AlertKind::ProtectionExpiring, Transition::Opened);
    alert.diagnosis.refused_tasks = vec![refused_tasks(13, Some(47), 120)];
    let by_force = |tasks| SuggestedAction::ReleaseByForce { tasks, commands: vec!["aws lambda invoke".to_owned()] };
    let says_so = |alert: &Alert| (email_of(alert).contains("by force"), chat_of(alert).contains("by force"));
    alert.diagnosis.suggested_actions = vec![by_force(vec![id(13)])];
    assert_eq!(says_so(&alert), (false, false));
    assert_eq!(json(&json_of_alert(&alert))["suggestedActions"][0]["action"], "release-by-force");
    alert.diagnosis.suggested_actions = vec![by_force(vec![id(1), id(13)])];
    assert_eq!(says_so(&alert), (true, true));
    alert.diagnosis.suggested_actions = vec![by_force(vec![id(13)])];
    alert.kind = AlertKind::DeploymentBlocked;
    assert_eq!(says_so(&alert), (true, true));
}

#[test]
fn a_deployment_in_progress_is_not_said_to_stop_its_own_new_tasks() {
    let mut alert = refused(AlertKind::ProtectionRefused, Transition::Opened);
    says(
        &email_of(&alert),
        &["If you wait: the next deployment, a rollback or a scale-in may stop 2 tasks and interrupt 3 jobs."],
    );
    alert.diagnosis.refused_tasks[0].deployment = Some(OLD.to_owned());
    says(&email_of(&alert), &["If you wait: a deployment or scale-in may stop 2 tasks and interrupt 3 jobs."]);
}

/// Two of the blocking tasks are also the tasks whose protection ECS does not renew.
#[test]
fn a_task_at_risk_that_also_blocks_is_listed_once_with_the_cost_of_waiting() {
    let mut alert = refused(AlertKind::ProtectionExpiring, Transition::Opened);
    let held = |number: usize, until: i64| BlockingTask {
        task: id(number),
        deployment: Some(OLD.to_owned()),
        protected_until: at(until),
        lingers_until: None,
        jobs_started: 0,
        protected_for: ProtectedFor::Jobs(vec![job(&format!("film-{number}"), 1, until, None)]),
    };
    alert.diagnosis.blocking_tasks = vec![held(1, 150), held(14, 90), held(13, 47)];
    let body = email_of(&alert);
    says(
        &body,
        &[
            "Other tasks that block its deployment, longest first:",
            " 1. task 00000000000000000000000000000001 of ecs-svc/1111111111111111111",
            "ECS may accept the request at 2026-01-05 12:30 UTC (in 2 h), when the first blocking protection",
            "1. Wait. ECS may stop 2 tasks and interrupt their jobs from 10:47 UTC on, if it does not renew the",
            "   protection.",
        ],
    );
    assert_eq!((body.matches("\"film-13\"").count(), body.matches("\"film-1\"").count()), (1, 1), "{body}");
    let chat = json(&chat_of(&alert));
    says(chat["content"]["description"].as_str().unwrap(), &["Other tasks that block its deployment, longest first:"]);
    assert!(
        chat["content"]["nextSteps"][0].as_str().unwrap().contains("ECS may stop 2 tasks and interrupt their jobs"),
        "{chat}"
    );
    alert.diagnosis.blocking_tasks.remove(0);
    let body = email_of(&alert);
    says(
        &body,
        &[
            "No other task blocks the deployment. ECS may stop these tasks as soon as their protection ends.",
            "   taskhold retries whenever it checks this service, and when another of its tasks is released.",
        ],
    );
    assert!(!body.contains("Other tasks that block"), "{body}");
    // The alert about the blocked deployment warns about it too.
    alert.kind = AlertKind::DeploymentBlocked;
    assert!(email_of(&alert).contains("ECS may stop 2 tasks and interrupt their jobs"), "{}", email_of(&alert));
}

#[test]
fn without_a_rollout_the_text_says_that_no_blocking_task_is_known_and_suggests_nothing() {
    for kind in [AlertKind::ProtectionRefused, AlertKind::ProtectionExpiring] {
        let mut alert = nothing_moves(refused(kind, Transition::Repeated));
        let body = email_of(&alert);
        says(
            &body,
            &[
                "Since 2026-01-05 10:20 UTC (10 min ago).",
                "No protected task blocks it now, so ECS may accept the next request. taskhold retries whenever it",
                "   checks this service, and when another of its tasks is released.",
            ],
        );
        assert!(!body.contains("block its") && !body.contains("Suggested actions"), "{body}");
        alert.diagnosis.gaps = vec!["its tasks could not be listed: ECS throttled the call".to_owned()];
        assert!(email_of(&alert).contains("taskhold could not read which tasks block it. taskhold retries whenever"));
    }
}

#[test]
fn a_refusal_that_nothing_is_left_of_but_that_is_not_over_still_reads_well() {
    for (kind, subject) in [
        (
            AlertKind::ProtectionRefused,
            "REFUSED transcode (video): busy tasks still unprotected, ECS may protect them in 30 min",
        ),
        (AlertKind::ProtectionExpiring, "EXPIRING transcode (video): busy tasks lose protection before their jobs end"),
    ] {
        let alert = alert(kind, Transition::Repeated);
        assert_eq!(subject_of(&alert), subject);
        assert!(!email_of(&alert).contains("first:\n\n"), "a heading without its list");
    }
}

#[test]
fn a_protection_that_has_ended_is_not_reported_as_good_news() {
    let mut over = refused(AlertKind::ProtectionExpiring, Transition::Resolved);
    let subject = "ENDED transcode (video): protection has ended, 2 busy tasks run unprotected";
    assert_eq!(subject_of(&over), subject);
    assert!(json(&chat_of(&over))["content"]["title"].as_str().unwrap().starts_with("🔴"));
    over.diagnosis.refused_tasks.clear();
    assert_eq!(subject_of(&over), "RESOLVED transcode (video): no job is about to lose its protection any more");
    over.kind = AlertKind::ProtectionRefused;
    assert_eq!(subject_of(&over), "RESOLVED transcode (video): no job runs unprotected any more");
}

#[test]
fn a_chat_names_the_tasks_their_jobs_and_when_ecs_may_grant_it() {
    let chat_about = |kind| json(&chat_of(&refused(kind, Transition::Opened)));
    let chat = chat_about(AlertKind::ProtectionRefused);
    assert_eq!(
        chat["content"]["title"],
        "🔴 `transcode` (`video`): 2 busy tasks unprotected, ECS may protect them in 30 min"
    );
    says(
        chat["content"]["description"].as_str().unwrap(),
        &[
            "Unprotected, longest remaining job first:",
            "• task `0000000000000000000000000000000c` of `ecs-svc/2222222222222222222`, refused since 2026-01-05 10:20 \
             UTC (10 min ago), for 2 jobs: `film-12` attempt 3, labels `title: Film \"12\"`, expected to \
             end 2026-01-05 12:00 UTC (in 1 h 30 min), at the latest 2026-01-05 13:20 UTC (in 2 h 50 min); `cut`, until 2026-01-05 10:40 UTC (in \
             10 min)",
            "Tasks that block its deployment, longest first:",
            "ECS may accept the request at 2026-01-05 11:00 UTC (in 30 min), when the first blocking protection ends. \
             taskhold retries then, whenever it checks this service, and when another of its tasks is released.",
        ],
    );
    assert_eq!(chat["content"]["nextSteps"].as_array().unwrap().len(), 4);
    let chat = chat_about(AlertKind::ProtectionExpiring);
    says(
        chat["content"]["description"].as_str().unwrap(),
        &[
            "• task `0000000000000000000000000000000d` of `ecs-svc/2222222222222222222`, protected until 2026-01-05 10:47 \
             UTC (in 17 min), 1 h 13 min before its last job ends, refused since 2026-01-05 10:20 UTC (10 min ago), for 1 job: \
             `film-13`, until 2026-01-05 12:00 UTC (in 1 h 30 min)",
        ],
    );
}

#[test]
fn the_json_has_all_refused_tasks_for_every_kind() {
    each(refused(AlertKind::ProtectionRefused, Transition::Opened), |alert| {
        let document = json(&json_of_alert(alert));
        let shown = document["refusedTasks"].as_array().unwrap();
        let of = |place: &str| shown.iter().map(|task| task.pointer(place).cloned()).collect::<Vec<_>>();
        let ids = match alert.kind {
            AlertKind::ProtectionExpiring => ["film-13", "film-14", "film-12", "film-11"],
            _ => ["film-12", "film-11", "film-14", "film-13"],
        };
        assert_eq!(of("/jobs/0/jobId"), ids.map(|id| Some(id.into())));
        let until = |id: &str| match id {
            "film-13" => Some("2026-01-05T10:47:00Z".into()),
            "film-14" => Some("2026-01-05T11:30:00Z".into()),
            _ => None,
        };
        assert_eq!(of("/protectedUntil"), ids.map(until));
        assert_eq!((&shown[0]["since"], &shown[0]["deployment"]), (&"2026-01-05T10:20:00Z".into(), &NEW.into()));
        assert_eq!(document["refusedTasksOmitted"], 0);
    });
}

#[test]
fn long_lists_share_the_room_and_say_how_many_are_omitted() {
    let mut huge = huge();
    huge.kind = AlertKind::ProtectionRefused;
    says(&email_of(&huge), &["and 4988 more tasks.", "and 4992 more tasks.", "    and 5 more jobs."]);
    let chat = json(&chat_of(&huge));
    says(chat["content"]["description"].as_str().unwrap(), &["• and 4998 more tasks", "• and 4999 more tasks"]);
    let document = json(&json_of_alert(&huge));
    for (list, all) in [("refusedTasks", 10_000), ("blockingTasks", 5000)] {
        let shown = document[list].as_array().unwrap().len();
        assert!(shown >= 25, "{list}: {shown}");
        assert_eq!(document[format!("{list}Omitted")], all - shown, "{list}");
    }
}

#[test]
fn the_jobs_of_blocking_tasks_stand_beside_them() {
    let mut alert = refused(AlertKind::ProtectionRefused, Transition::Opened);
    let held = BlockingTask {
        task: id(1),
        deployment: Some(OLD.to_owned()),
        protected_until: at(70),
        lingers_until: None,
        jobs_started: 0,
        protected_for: ProtectedFor::Jobs(vec![job("episode", 1, 70, None)]),
    };
    alert.diagnosis =
        Diagnosis { blocking_tasks: vec![held], refused_tasks: alert.diagnosis.refused_tasks, ..diagnosis() };
    alert.service = service("render", "video");
    says(
        &email_of(&alert),
        &[
            "    protected until 2026-01-05 11:10 UTC (in 40 min), for 1 job:",
            "    - \"episode\", until 2026-01-05 11:10 UTC (in 40 min)",
            "ECS may accept the request at 2026-01-05 11:10 UTC (in 40 min), when the first blocking protection",
        ],
    );
}
