//! Timeline entries for an invocation: its calls to ECS with their reasons, and the function's own log lines.

use super::function::{Invoked, LogLine};
use super::sent_alert::SentAlert;
use super::timeline::{TimelineEntry, clock_time};
use super::world::ScenarioWorld;
use crate::control_plane::Millis;
use crate::event_source::FunctionAnswer;
use crate::region::{EcsCall, EcsCallOutcome};
use serde_json::Value;
use std::collections::BTreeMap;

impl ScenarioWorld {
    /// Builds the timeline entries of an invocation: its calls to ECS, and its log lines.
    pub(super) fn timeline_entries(&mut self, invoked: &Invoked) -> Vec<TimelineEntry> {
        let calls = std::mem::take(&mut self.region.lock().calls);
        let mut entries = Vec::new();
        for call in &calls {
            *self.calls_counted.entry(call.operation.clone()).or_default() += 1;
        }
        for call in calls.iter().filter(|call| call.operation == "UpdateTaskProtection") {
            self.summary.calls += 1;
            entries.push(self.call_entry(call, &invoked.logs));
        }
        for line in &invoked.logs {
            let field = |name: &str| self.named(line.fields.get(name).and_then(Value::as_str).unwrap_or_default());
            let fields = || {
                let fields = line.fields.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
                let fields = fields.filter(|(_, value)| !value.is_empty());
                self.named(&fields.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "))
            };
            match line.level.as_str() {
                "DEBUG" if line.message == "protection not requested" => {
                    entries.push(TimelineEntry::NoCall(format!(
                        "for {}: {}",
                        field("task"),
                        times_of_day(&field("why"))
                    )));
                }
                "INFO" if line.message == "dry run: protection not requested" => {
                    entries.push(TimelineEntry::NoCall(times_of_day(&format!("in a dry run: {}", fields()))));
                }
                // The email contains more.
                "WARN" if line.message == "sending an alert" => {}
                "WARN" | "ERROR" => entries.push(TimelineEntry::Warning(format!("{}: {}", line.message, fields()))),
                _ => {}
            }
        }
        entries.extend(self.take_mails());
        if invoked.answer == FunctionAnswer::Failed {
            entries.push(TimelineEntry::Warning("the invocation failed: its whole input is retried".to_owned()));
        }
        entries
    }

    /// The emails of new publications; each is an alert that a line must expect.
    fn take_mails(&mut self) -> Vec<TimelineEntry> {
        let publications = self.region.lock().topics.take_publications();
        let mut mails = Vec::new();
        for publication in publications {
            let texts: Value = serde_json::from_str(&publication.message).unwrap_or_default();
            let text = |protocol: &str| texts[protocol].as_str().unwrap_or_default().to_owned();
            let machine: Value = serde_json::from_str(&text("default")).unwrap_or_default();
            let word = |name: &str| machine[name].as_str().unwrap_or("?").to_owned();
            let service = word("service").rsplit('/').next().unwrap_or_default().to_owned();
            let (incident, kind, event) = (word("incident"), word("kind"), word("event"));
            self.documents.push(machine.clone());
            self.alerts.push(SentAlert { incident, kind, event, service });
            let subject = self.named(&publication.subject.unwrap_or_default());
            let body = self.named(&text("email"));
            self.mails.push(format!("{subject}\n{body}"));
            mails.push(TimelineEntry::Mail { subject, body });
        }
        mails
    }

    fn call_entry(&mut self, call: &EcsCall, logs: &[LogLine]) -> TimelineEntry {
        let ids: Vec<&str> = call.request["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut names: Vec<String> = ids.iter().map(|id| self.named(id)).collect();
        names.sort();
        let tasks = names.join(", ");
        let ask = match call.request["expiresInMinutes"].as_u64() {
            Some(minutes) => format!("protect {tasks} for {minutes} minutes"),
            None => format!("clear the protection of {tasks}"),
        };
        let answer = match &call.outcome {
            EcsCallOutcome::Answered(Ok(answer)) => self.answer_of(answer),
            EcsCallOutcome::Answered(Err(error)) => format!("failed: {}", error.code),
            EcsCallOutcome::NoAnswer => "no answer".to_owned(),
            EcsCallOutcome::CallerDies => "the function dies".to_owned(),
        };
        let list = |line: &LogLine, name: &str| -> Vec<String> {
            let text = line.fields.get(name).and_then(Value::as_str).unwrap_or("[]");
            serde_json::from_str(text).unwrap_or_default()
        };
        let asking = logs.iter().filter(|line| line.message == "requesting task protection");
        let reasons: BTreeMap<String, String> =
            asking.flat_map(|line| list(line, "tasks").into_iter().zip(list(line, "why"))).collect();
        let mut because: Vec<String> = ids.iter().filter_map(|id| reasons.get(*id)).cloned().collect();
        because.sort();
        because.dedup();
        TimelineEntry::Call { ask, answer, because: times_of_day(&because.join("; ")) }
    }

    fn answer_of(&mut self, answer: &Value) -> String {
        let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
        let mut parts = Vec::new();
        for task in list("protectedTasks") {
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this century fit both ways")]
            let until = task["expirationDate"].as_f64().map(|seconds| (seconds * 1000.0).round() as Millis);
            let name = self.named(task["taskArn"].as_str().unwrap_or_default());
            parts.push(match until {
                Some(until) => format!("{name} until {}", clock_time(until)),
                None => format!("{name} unprotected"),
            });
        }
        for failure in list("failures") {
            self.summary.refused += 1;
            let name = self.named(failure["arn"].as_str().unwrap_or_default());
            parts.push(format!("{name} refused: {}", failure["reason"].as_str().unwrap_or_default()));
        }
        parts.sort();
        parts.join(", ")
    }
}

/// Shortens RFC 3339 times to the time of day: a scenario lasts one day.
pub(super) fn times_of_day(text: &str) -> String {
    let word = |word: &str| match word.split_once('T') {
        Some((date, time)) if date.len() == 10 && date.starts_with("20") => {
            time.chars().take(8).chain(time.chars().skip(8).filter(|c| *c != 'Z')).collect()
        }
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
