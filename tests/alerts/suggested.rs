//! What suggested actions promise and cost, in words.

use super::{NEW, OLD, alert, at, blocking_task, chat_of, email_of, forecast, id, job, json};
use taskhold::ecs::arn::TaskId;
use taskhold::notify::chat::NEXT_STEP_CHARS_MAX;
use taskhold::service::alert::{Alert, AlertKind, Transition};
use taskhold::service::blocking_task::ProtectedFor;
use taskhold::service::forecast::ForecastBasis;
use taskhold::service::refused_task::{RefusalCause, RefusedTask};
use taskhold::service::suggested_action::SuggestedAction;

/// An alert that suggests this action, with a refused old task and a refused new one.
fn suggesting(action: SuggestedAction) -> Alert {
    let mut alert = alert(AlertKind::DeploymentBlocked, Transition::Opened);
    alert.diagnosis.suggested_actions = vec![action];
    alert.diagnosis.refused_tasks = vec![refused(11, OLD, None), refused(12, NEW, None)];
    alert
}

fn refused(number: usize, deployment: &str, protected_until: Option<i64>) -> RefusedTask {
    RefusedTask {
        task: id(number),
        deployment: Some(deployment.to_owned()),
        cause: RefusalCause::Ecs,
        since: at(20),
        protected_until: protected_until.map(at),
        jobs: vec![job(&format!("film-{number}"), 1, 100, None)],
    }
}

/// The email's sentences about the action, on one line.
fn text_of(alert: &Alert) -> String {
    let body = email_of(alert);
    let (_, actions) = body.split_once("Suggested actions, safest first:\n1. ").unwrap();
    let (text, _) = actions.split_once(".\n   aws").unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn command() -> String {
    "aws ecs".to_owned()
}

#[test]
fn a_rollback_names_the_jobs_of_new_tasks_that_it_interrupts() {
    for (action, start) in [
        (SuggestedAction::RollBackDeployment { command: command() }, "Roll the paused deployment back."),
        (
            SuggestedAction::StopDeployment { command: command() },
            "Stop the deployment. ECS rolls it back, and the old tasks stay.",
        ),
    ] {
        let mut alert = suggesting(action);
        let says = |alert: &Alert, end: &str| assert_eq!(text_of(alert), format!("{start} {end}"));
        says(&alert, "ECS stops the new tasks, which interrupts job \"film-12\"");
        alert.diagnosis.refused_tasks[1]
            .jobs
            .extend((0..3).map(|number| job(&format!("director-s-cut-{number}"), 1, 100, None)));
        says(&alert, "ECS stops the new tasks, which interrupts 4 jobs");
        alert.diagnosis.refused_tasks[1] = refused(12, NEW, Some(60));
        alert.diagnosis.task_counts.protected += 1;
        says(&alert, "ECS stops the new tasks, and protected ones when their protection ends");
        alert.diagnosis.refused_tasks.clear();
        alert.diagnosis.task_counts.protected -= 1;
        says(&alert, "ECS stops the new tasks");
    }
}

#[test]
fn continuing_names_the_jobs_of_old_tasks_that_it_interrupts() {
    let mut alert = suggesting(SuggestedAction::ContinueDeployment { commands: vec![command()] });
    let start =
        "Continue the paused deployment. This clears no protection: the deployment waits for protected old tasks.";
    assert_eq!(
        text_of(&alert),
        format!("{start} ECS stops old tasks that are not protected, which interrupts job \"film-11\"")
    );
    alert.diagnosis.refused_tasks.remove(0);
    assert_eq!(text_of(&alert), format!("{start} ECS stops old tasks that are not protected"));
}

#[test]
fn a_higher_maximum_percent_says_what_it_costs() {
    let mut alert = suggesting(SuggestedAction::RaiseMaximumPercent { to: 300, command: command() });
    let start = "Raise maximumPercent to 300, so that new tasks fit beside the protected ones. This clears no protection: \
                 the deployment still waits. ECS stops old tasks that are not protected";
    let end = "You pay for up to 3 more tasks until you set it back";
    assert_eq!(text_of(&alert), format!("{start}, which interrupts job \"film-11\". {end}"));
    alert.diagnosis.refused_tasks.clear();
    assert_eq!(text_of(&alert), format!("{start}. {end}"));
}

#[test]
fn a_deferred_clean_up_says_what_it_costs() {
    let alert = suggesting(SuggestedAction::DeferCleanUp { command: command() });
    let end = "This clears no protection and interrupts no job. Old tasks may then run for up to two weeks beside the \
               new ones, and cause no rollback";
    assert!(text_of(&alert).ends_with(end), "{}", text_of(&alert));
}

#[test]
fn every_action_with_the_longest_numbers_and_names_fits_a_chat() {
    let tasks: Vec<TaskId> = (0..3).map(id).collect();
    for action in [
        SuggestedAction::RaiseDesiredCount { to: u32::MAX, command: command() },
        SuggestedAction::RaiseMaximumPercent { to: u32::MAX, command: command() },
        SuggestedAction::ContinueDeployment { commands: vec!["`".repeat(400)] },
        SuggestedAction::RollBackDeployment { command: command() },
        SuggestedAction::StopDeployment { command: command() },
        SuggestedAction::DeferCleanUp { command: command() },
        SuggestedAction::ExtendDeadline { minutes: 48 * 60 - 1, command: command() },
        SuggestedAction::ReleaseByForce { tasks, commands: vec!["`".repeat(400)] },
    ] {
        for chars in [9, 36, 64] {
            let mut alert = suggesting(action.clone());
            let busy = |number: usize| {
                ProtectedFor::Jobs(vec![job(&format!("{number}{}", "x".repeat(chars - 1)), 1, 100, None)])
            };
            alert.diagnosis.blocking_tasks = (0..3).map(|number| blocking_task(number, 100, busy(number))).collect();
            alert.diagnosis.blocking_tasks.push(blocking_task(4, 100, ProtectedFor::Foreign));
            alert.diagnosis.task_counts.desired = u32::MAX - 2;
            alert.diagnosis.task_counts.protected = u32::MAX;
            alert.diagnosis.refused_tasks.iter_mut().for_each(|task| task.jobs[0].key.job_id = "y".repeat(chars));
            let chat = json(&chat_of(&alert));
            let step = chat["content"]["nextSteps"][0].as_str().unwrap();
            assert!(step.chars().count() <= NEXT_STEP_CHARS_MAX, "{}: {step}", step.chars().count());
        }
    }
}

#[test]
fn waiting_says_whether_another_action_can_meet_the_deadline() {
    let wait = SuggestedAction::Wait { until: at(300), expected: at(203) };
    let mut alert = suggesting(wait.clone());
    let by_force = SuggestedAction::ReleaseByForce { tasks: vec![id(1)], commands: vec![command()] };
    let none = "No suggested action can meet the deadline.";
    let interrupts = "Only an action that interrupts jobs can meet the deadline.";
    let maximum_percent = SuggestedAction::RaiseMaximumPercent { to: 300, command: command() };
    let idle = |tasks: &[usize]| SuggestedAction::ReleaseIdle {
        tasks: tasks.iter().copied().map(id).collect(),
        commands: vec![command()],
    };
    let late = Some(forecast(300, 203, ForecastBasis::Declared, Some(203)));
    for (forecast, others, said) in [
        (late, vec![], Some(none)),
        (late, vec![maximum_percent], Some(none)),
        (late, vec![idle(&[3])], Some(none)),
        (late, vec![by_force.clone()], Some(interrupts)),
        (late, vec![idle(&[1, 2, 3])], None),
        (late, vec![by_force, SuggestedAction::RollBackDeployment { command: command() }], None),
        (late, vec![SuggestedAction::StopDeployment { command: command() }], None),
        (late, vec![SuggestedAction::ExtendDeadline { minutes: 300, command: command() }], None),
        (Some(forecast_in_time()), vec![], None),
    ] {
        alert.diagnosis.forecast = forecast;
        alert.diagnosis.suggested_actions = [vec![wait.clone()], others.clone()].concat();
        let body = email_of(&alert).split_whitespace().collect::<Vec<_>>().join(" ");
        let found = [none, interrupts].into_iter().find(|text| body.contains(text));
        assert_eq!(found, said, "{others:?}\n{body}");
    }
    (alert.at, alert.diagnosis.forecast) = (at(190), late);
    alert.diagnosis.suggested_actions = vec![wait];
    assert!(!email_of(&alert).contains(none), "the deadline has passed already");
}

fn forecast_in_time() -> taskhold::service::forecast::Forecast {
    forecast(150, 90, ForecastBasis::Declared, Some(90))
}
