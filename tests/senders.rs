//! Who may report the jobs of a task with `TASKHOLD_REQUIRE_SENDER_TASK`: what a redrive makes of the sender, and which
//! other sender counts as the task.

use crate::files::prose;
use crate::stage::{RedrivenBy, StagedRegion};
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{DEAD_LETTER_QUEUE, Fault, JOB_QUEUE, RECEIVES_MAX};
use serde_json::json;

/// The function with the check. It dead-letters a message at its first failure.
fn checked() -> StagedRegion {
    StagedRegion::with(&[("TASKHOLD_REQUIRE_SENDER_TASK", "true"), ("TASKHOLD_RECEIVES_MAX", "1")])
}

/// What SQS reports about a message that a task sends with its task role.
fn own_sender(stage: &StagedRegion, task: usize) -> String {
    format!("AROAEXAMPLE:{}", stage.tasks[task])
}

/// A start that its own task has sent, and that was dead-lettered because ECS denied the call.
fn dead_lettered_start(stage: &mut StagedRegion) {
    stage.region.lock().faults.extend([Fault::AccessDenied; 6]);
    stage.send_from(&own_sender(stage, 0), &stage.message(0, json!({"maxDurationMinutes": 600})));
    stage.deliver(30_000);
    stage.region.lock().faults.clear();
    let reasons = stage.dead_lettered();
    assert!(reasons.len() == 1 && reasons[0].contains("AccessDenied"), "{reasons:?}");
    stage.advance(180);
}

#[test]
fn the_command_redrive_carries_out_a_dead_letter_of_the_task_itself() {
    let mut stage = checked();
    dead_lettered_start(&mut stage);
    let report = stage.redrive_by_command();
    assert_eq!((&report["received"], &report["carriedOut"]), (&json!(1), &json!(1)), "{report}");
    assert!(stage.protected(0) && stage.dead_lettered().is_empty());
}

#[test]
fn a_message_that_a_person_redrives_by_sqs_does_not_count_as_the_task_s_and_the_page_says_so() {
    let mut stage = checked();
    dead_lettered_start(&mut stage);
    stage.redrive(RedrivenBy::Sqs);
    let reasons = stage.dead_lettered();
    assert_eq!((reasons.len(), stage.protected(0)), (1, false));
    assert!(reasons[0].contains("its sender is `AROAEXAMPLE:operator`"), "{reasons:?}");
    // The function has noted the person as the sender, so its own command keeps the message, too.
    stage.advance(180);
    let report = stage.redrive_by_command();
    assert_eq!((&report["received"], &report["carriedOut"]), (&json!(1), &json!(0)), "{report}");
    assert!(!stage.protected(0));
    let page = prose("docs/operating.md");
    assert!(page.contains("*With `RequireSenderTask`* it does not work."));
    assert!(page.contains("notes the new sender, so that even `redrive` keeps them from then on."));
}

#[test]
fn a_message_that_sqs_moved_to_the_dead_letter_queue_is_redriven_by_the_sender_that_sqs_reports() {
    let mut stage = checked();
    let own = own_sender(&stage, 0);
    let body = stage.message(0, json!({"maxDurationMinutes": 600}));
    // The forged one claims the task as its sender in the attribute that the function sets on dead letters.
    let forged = SendMessage::new(&body).from_sender("AROAEXAMPLE:operator");
    let forged = forged.with_attribute("taskhold.senderId", &own).with_attribute("taskhold.messageId", "m");
    for (message, is_carried_out) in [(forged, false), (SendMessage::new(&body).from_sender(&own), true)] {
        stage.region.lock().queues.send(JOB_QUEUE, message).unwrap();
        // The function dies of it, again and again, until SQS moves it.
        for _ in 0..=RECEIVES_MAX {
            stage.region.lock().queues.receive(JOB_QUEUE, 1).unwrap();
            stage.advance(180);
        }
        let report = stage.redrive_by_command();
        assert_eq!(
            (&report["received"], &report["carriedOut"]),
            (&json!(1), &json!(u8::from(is_carried_out))),
            "{report}"
        );
        assert_eq!(stage.protected(0), is_carried_out);
        stage.region.lock().queues.purge(DEAD_LETTER_QUEUE).unwrap();
    }
}

/// The check rests on who may assume a role, not on which role it is: decision 0011.
#[test]
fn a_session_of_another_role_that_is_named_after_the_task_is_accepted_by_design_and_the_pages_say_so() {
    let mut stage = checked();
    let other_role = format!("AROAANOTHERROLE:{}", stage.tasks[0]);
    stage.send_from(&other_role, &stage.message(0, json!({})));
    assert_eq!((stage.deliver(30_000), stage.protected(0)), (0, true));
    stage.send_from(&other_role, &stage.message(0, json!({"type": "job.finished"})));
    assert_eq!((stage.deliver(30_000), stage.protected(0)), (0, false));
    assert!(stage.dead_lettered().is_empty());
    let page = prose("docs/configuration.md");
    assert!(page.contains("A principal that may assume a role chooses the name of the session."));
    assert!(page.contains("it accepts the session of *any* role"));
    assert!(prose("SEMANTICS.md").contains("taskhold does not check which role it is"));
    let decision = include_str!("../docs/decisions/0011-sender-checks-are-recommended-and-off-by-default.md");
    assert!(decision.contains("**Why is the role not checked?**"));
}
