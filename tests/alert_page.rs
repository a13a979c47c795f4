//! Compares docs/alerts.md with the scenarios: its table lists each scenario once, with the alerts that it expects;
//! its example email is one that a scenario sends; and it covers every kind of alert.

use crate::files::read;
use crate::in_process::{named, play, scenarios};
use ecs_sim::control_plane::{Millis, Variants};
use ecs_sim::scenario::{Expectation, Observer, Scenario, Statement, TimelineEntry};
use taskhold::service::alert::AlertKind;

/// Name prefixes of the scenarios that test alerts.
const ABOUT_ALERTS: [&str; 4] = ["alert_", "deployment_", "interrupted_", "refused_"];
/// Minimum number of rows about deployments.
const DEPLOYMENT_ROWS_MIN: usize = 20;

/// The rows of the table whose first column has this heading, each as its three cells.
fn table(heading: &str) -> Vec<[String; 3]> {
    let rows = crate::files::table("docs/alerts.md", heading).into_iter();
    rows.map(|row| row.try_into().unwrap_or_else(|row| panic!("{row:?} has not three cells"))).collect()
}

/// The scenarios that the table covers.
fn about_alerts() -> impl Iterator<Item = Scenario> {
    let is_covered = |scenario: &Scenario| ABOUT_ALERTS.iter().any(|begin| scenario.name.starts_with(begin));
    scenarios().into_iter().filter(is_covered)
}

/// The alerts that a scenario expects, as the table writes them: for each kind its events, in order.
fn notified(scenario: &Scenario) -> String {
    let mut kinds: Vec<(String, Vec<String>)> = Vec::new();
    for line in &scenario.lines {
        let Statement::Expect(Expectation::Alert(alert)) = &line.statement else { continue };
        let [kind, event, _] = alert.split(' ').collect::<Vec<_>>()[..] else { panic!("{alert}") };
        match kinds.iter_mut().find(|(known, _)| known == kind) {
            Some((_, events)) => events.push(event.to_owned()),
            None => kinds.push((kind.to_owned(), vec![event.to_owned()])),
        }
    }
    if kinds.is_empty() {
        return "no alert".to_owned();
    }
    let kinds: Vec<String> =
        kinds.into_iter().map(|(kind, events)| format!("`{kind}` {}", events.join(", "))).collect();
    kinds.join("; ")
}

#[test]
fn every_scenario_about_alerts_is_in_one_row_with_its_alerts() {
    let rows = table("Situation").into_iter();
    let mut rows: Vec<(String, String)> =
        rows.map(|[_, notified, scenario]| (scenario.trim_matches('`').to_owned(), notified)).collect();
    rows.sort();
    let scenarios: Vec<(String, String)> =
        about_alerts().map(|scenario| (scenario.name.clone(), notified(&scenario))).collect();
    assert_eq!(rows, scenarios);
    let deployments = rows.iter().filter(|(scenario, _)| scenario.starts_with("deployment_")).count();
    assert!(deployments >= DEPLOYMENT_ROWS_MIN, "{deployments} rows are about deployments");
}

#[test]
fn every_scenario_about_alerts_begins_with_its_point_and_hears_every_alert() {
    for scenario in about_alerts() {
        let name = &scenario.name;
        let text = read(&format!("tests/scenarios/{name}"));
        assert!(text.starts_with("# "), "{name} says nothing of its point");
        let is = |wanted: fn(&Statement) -> bool| scenario.lines.iter().any(|line| wanted(&line.statement));
        assert!(!is(|statement| *statement == Statement::MuteAlerts), "{name} does not receive alerts");
        let hears = |statement: &Statement| {
            matches!(statement, Statement::Expect(Expectation::Alert(_) | Expectation::NoAlert))
        };
        assert!(is(hears), "{name} expects neither alert nor silence");
    }
}

#[test]
fn every_kind_of_alert_is_on_the_page_the_gravest_first() {
    let kinds: Vec<String> = table("Kind").into_iter().map(|[kind, ..]| kind).collect();
    let known: Vec<String> = AlertKind::ALL.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
    assert_eq!(kinds, known);
}

/// Collects the emails.
#[derive(Default)]
struct Mailbox(Vec<String>);

impl Observer for Mailbox {
    fn observe(&mut self, _: Millis, entry: &TimelineEntry) {
        if let TimelineEntry::Mail { subject, body } = entry {
            self.0.push(format!("Subject: {subject}\n\n{body}"));
        }
    }
}

#[test]
fn the_mail_on_the_page_is_one_that_is_sent() {
    let mut mailbox = Mailbox::default();
    play(&named("deployment_expected_just_in_time.txt"), Variants::default(), &mut mailbox).unwrap();
    let page = read("docs/alerts.md");
    let (_, rest) = page.split_once("## Reading an alert email").unwrap();
    let (_, rest) = rest.split_once("```\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    assert_eq!(shown.trim_end(), mailbox.0[0].trim_end());
}
