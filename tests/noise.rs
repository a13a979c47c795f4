//! What one incident costs its readers: the notifications and the warnings in the log.

use crate::in_process::{parsed, play};
use ecs_sim::control_plane::{Millis, Variants};
use ecs_sim::scenario::{Observer, TimelineEntry};

/// Counts what people read.
#[derive(Default)]
struct Readers {
    mails: Vec<String>,
    warnings: Vec<String>,
}

impl Observer for Readers {
    fn observe(&mut self, _: Millis, entry: &TimelineEntry) {
        match entry {
            TimelineEntry::Mail { subject, .. } => self.mails.push(subject.clone()),
            TimelineEntry::Warning(text) => self.warnings.push(text.clone()),
            _ => {}
        }
    }
}

fn read(text: &str) -> Readers {
    let mut readers = Readers::default();
    play(&parsed("noise", text), Variants::default(), &mut readers).unwrap();
    readers
}

/// ECS sends an event for each status that a task passes through on its way to STOPPED.
#[test]
fn five_events_of_one_spot_stop_give_one_notification_and_one_warning() {
    let event = |status: &str| {
        format!(
            r#"ask {{"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {{"taskArn": "$a",
            "lastStatus": "{status}", "desiredStatus": "STOPPED", "stopCode": "SpotInterruption"}}}}"#
        )
        .replace('\n', " ")
    };
    let [running, deactivating, stopping, deprovisioning, stopped] =
        ["RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"].map(event);
    let readers = read(&format!(
        "job j-1 starts on a for 60m
         advance 1m
         events are lost
         interrupt a
         {running}
         {deactivating}
         {stopping}
         expect alert job-interrupted opened web
         advance 3m
         {deprovisioning}
         {stopped}
         expect a stopped
         expect no alert"
    ));
    assert_eq!(readers.mails.len(), 1, "{:?}", readers.mails);
    assert_eq!(readers.warnings.len(), 1, "{:?}", readers.warnings);
    assert!(readers.warnings[0].contains("jobs interrupted"), "{:?}", readers.warnings);
}

#[test]
fn a_topic_that_refuses_an_alert_four_times_is_one_error() {
    let readers = read(
        "sweep every 5m
         job j-1 starts on a for 5h
         deploy web
         lose 4 alerts
         advance 10m
         expect error could not send the alert
         advance 2h
         mute alerts",
    );
    assert_eq!(readers.warnings.len(), 1, "{:?}", readers.warnings);
    assert!(!readers.mails.is_empty(), "it arrives in the end");
}
