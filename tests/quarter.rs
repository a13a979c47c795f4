//! A simulated quarter of fifty busy services: how many notifications a week their on-call engineer gets, how many of them
//! are over when read, how many say that there is nothing to do, and which long blocks raise no notification.
//!
//! `quarter/traffic.rs` defines the services. The judgment is that of the simulated ECS and of the workers, minute by minute
//! (`quarter/truth.rs`), and never that of the function: a notification is over when read if the state that it
//! reports is gone [`READ_AFTER`] minutes later, when a person has read it. If the state is gone because the unprotected job
//! was interrupted, the notification has come true instead.

mod traffic;
mod truth;

use crate::watch::parts::SentNotification;
use crate::watch::world::{MINUTE, WatchedWorld};
use ecs_sim::control_plane::Throttling;
use std::collections::BTreeMap;
use traffic::QuarterTraffic;
use truth::{Fact, Truth};

const SEED: u64 = 20_261_130;
const WEEK_MINUTES: usize = 7 * 24 * 60;
/// How long it takes a person to read a notification, in minutes.
const READ_AFTER: usize = 5;
/// A block that lasts this many minutes longer than expected without a word is missed.
const MISSED_AFTER: usize = 20;
/// The same for a job that runs unprotected.
const UNPROTECTED_AFTER: usize = 5;

/// Notifications by kind and event.
#[derive(Debug, Default)]
struct Row {
    sent: usize,
    over_when_read: usize,
    /// Of these, those about services whose jobs take minutes.
    over_of_short_jobs: usize,
    nothing_to_do: usize,
    /// Over when read, or nothing to do.
    is_false: usize,
    /// What a notification warned of has happened before it was read.
    came_true: usize,
}

#[derive(Debug)]
struct QuarterFigures {
    weeks: f64,
    rows: BTreeMap<String, Row>,
    missed: Vec<String>,
    done: BTreeMap<&'static str, usize>,
}

impl QuarterFigures {
    fn simulate(minutes: usize) -> Self {
        let mut world = WatchedWorld::for_traffic(Throttling::Off, 5 * MINUTE);
        let begun = world.now();
        let mut traffic = QuarterTraffic::begin(&mut world, SEED);
        let mut truth = Truth::default();
        for minute in 0..minutes + READ_AFTER + 1 {
            traffic.act(&mut world, minute);
            world.advance(MINUTE);
            truth.see(&world, &mut traffic);
        }
        let notices = world.notices();
        let minute = |notice: &SentNotification| usize::try_from((notice.at - begun) / MINUTE).unwrap();
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        for notice in notices.iter().filter(|notice| minute(notice) < minutes) {
            let row = rows.entry(notice.what.clone()).or_default();
            row.sent += 1;
            let fact = Fact::of(&notice.what);
            let is_over = fact.is_some_and(|fact| !truth.is(fact, &notice.service, minute(notice) + READ_AFTER));
            let warns = fact == Some(Fact::Unprotected);
            let (from, read) = (minute(notice), minute(notice) + READ_AFTER);
            let came_true = is_over && warns && truth.has_interrupted(&notice.service, from, read);
            let is_over = is_over && !came_true;
            let asks_for_nothing = fact.is_some() && notice.asks_for_nothing;
            row.nothing_to_do += usize::from(asks_for_nothing);
            row.is_false += usize::from(is_over || asks_for_nothing);
            row.came_true += usize::from(came_true);
            row.over_when_read += usize::from(is_over);
            row.over_of_short_jobs += usize::from(is_over && traffic::has_short_jobs(&notice.service));
        }
        let known: Vec<(usize, &str, &str)> =
            notices.iter().map(|notice| (minute(notice), notice.service.as_str(), notice.what.as_str())).collect();
        let mut missed = truth.missed(Fact::Blocked, MISSED_AFTER, &known);
        missed.extend(truth.missed(Fact::Unprotected, UNPROTECTED_AFTER, &known));
        Self { weeks: minutes as f64 / WEEK_MINUTES as f64, rows, missed, done: traffic.done }
    }

    fn sent(&self) -> usize {
        self.rows.values().map(|row| row.sent).sum()
    }

    /// The share of notifications that were over when read or asked for nothing, of those that report a problem.
    fn share_false(&self) -> f64 {
        let problems = self.rows.iter().filter(|(what, _)| Fact::of(what).is_some());
        let (sent, wrong) = problems.fold((0, 0), |(sent, wrong), (_, row)| (sent + row.sent, wrong + row.is_false));
        wrong as f64 / (sent as f64).max(1.0)
    }

    fn print(&self) {
        println!("\n{:.1} weeks of {} services, seed {SEED}", self.weeks, traffic::SERVICES);
        self.done.iter().for_each(|(what, count)| println!("{count:>9} {what}"));
        println!(
            "\n| Notification | A week | Came true | Over when read | Of these, short jobs | Nothing to do |\n\
             |---|---:|---:|---:|---:|---:|"
        );
        for (what, row) in &self.rows {
            let Row { sent, over_when_read, over_of_short_jobs, nothing_to_do, is_false: _, came_true } = row;
            let over = if Fact::of(what).is_some() { over_when_read.to_string() } else { "–".to_owned() };
            let a_week = *sent as f64 / self.weeks;
            println!(
                "| {what} | {a_week:.1} | {came_true} | {over} of {sent} | {over_of_short_jobs} | {nothing_to_do} |"
            );
        }
        let (all, share) = (self.sent() as f64 / self.weeks, 100.0 * self.share_false());
        println!(
            "\n{all:.1} notifications a week; {share:.1} % of those about a problem over when read, or with nothing to do; {} missed",
            self.missed.len()
        );
        self.missed.iter().take(10).for_each(|missed| println!("missed: {missed}"));
    }
}

/// An alert that is false twice is muted, and then the third one is missed.
const FALSE_MAX: f64 = 0.05;

fn holds(figures: &QuarterFigures) {
    figures.print();
    assert!(figures.sent() > 100, "{} notifications prove nothing", figures.sent());
    let share = figures.share_false();
    assert!(share <= FALSE_MAX, "{:.1} % were over when read, or asked for nothing", 100.0 * share);
    assert_eq!(figures.missed.len(), 0, "{:?}", figures.missed);
}

#[test]
fn half_a_busy_day_has_no_long_block_without_a_notification_and_few_false_ones() {
    holds(&QuarterFigures::simulate(12 * 60));
}

#[test]
#[ignore = "minutes; `make quarter` runs it"]
fn a_quarter_has_no_long_block_without_a_notification_and_few_false_ones() {
    holds(&QuarterFigures::simulate(13 * WEEK_MINUTES));
}
