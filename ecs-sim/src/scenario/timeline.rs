//! The timeline of a scenario: time, events, and calls to ECS with their reasons.

use crate::control_plane::Millis;
use std::io::Write;
use std::time::Duration;

/// An entry of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimelineEntry {
    /// A worker sends a message.
    Message(String),
    /// An operator, the network or ECS does something.
    Action(String),
    /// Time passes.
    TimePasses(String),
    /// A remark of the scenario.
    Remark(String),
    /// A call to ECS: its request, its answer, and its reason.
    Call {
        /// The request.
        ask: String,
        /// The answer.
        answer: String,
        /// The reason that the function logged.
        because: String,
    },
    /// The reason why the function made no call to ECS.
    NoCall(String),
    /// A service event message, or a stopped task.
    Ecs(String),
    /// The function warns.
    Warning(String),
    /// An alert arrives by email.
    Mail {
        /// Its subject.
        subject: String,
        /// Its text.
        body: String,
    },
    /// An expectation of the scenario is met.
    ExpectationMet(String),
}

/// Receives the timeline of a scenario.
pub trait Observer {
    /// An entry at the time `at`.
    fn observe(&mut self, at: Millis, entry: &TimelineEntry);

    /// Whether it can receive no more.
    fn has_failed(&self) -> bool {
        false
    }
}

/// Discards the timeline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&mut self, _: Millis, _: &TimelineEntry) {}
}

/// The style of a timeline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Whether the terminal shows colors.
    pub color: Color,
    /// The pause before each line of the scenario, so that a person can read along.
    pub pause: Duration,
}

/// Whether to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    #[default]
    Never,
    /// ANSI escapes.
    Ansi,
}

/// Writes a timeline. The first write error ends the writing, but not a scenario that has an end.
#[derive(Debug)]
pub struct Timeline<W> {
    to: W,
    style: Style,
    last: Option<Millis>,
    problem: Option<std::io::Error>,
}

impl<W: Write> Timeline<W> {
    /// Writes a timeline to this writer.
    pub fn new(to: W, style: Style) -> Self {
        Self { to, style, last: None, problem: None }
    }

    /// Ends the timeline.
    ///
    /// # Errors
    /// The first failure to write, if there was one.
    pub fn finish(self) -> std::io::Result<()> {
        self.problem.map_or(Ok(()), Err)
    }

    fn note(&mut self, written: std::io::Result<()>) {
        self.problem = self.problem.take().or(written.err());
    }

    fn write(&mut self, at: Millis, mark: &str, text: &str) {
        // A time is written once, where it changes.
        let time = if self.last == Some(at) { " ".repeat(8) } else { clock_time(at) };
        self.last = Some(at);
        let written = writeln!(self.to, "{time}  {mark}{text}").and_then(|()| self.to.flush());
        self.note(written);
    }

    fn write_slowly(&mut self, at: Millis, mark: &str, text: &str) {
        std::thread::sleep(self.style.pause);
        self.write(at, mark, text);
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.style.color {
            Color::Never => text.to_owned(),
            Color::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

impl<W: Write> Observer for Timeline<W> {
    fn observe(&mut self, at: Millis, entry: &TimelineEntry) {
        if self.problem.is_some() {
            return;
        }
        match entry {
            TimelineEntry::Remark(text) => {
                std::thread::sleep(self.style.pause);
                let written = writeln!(self.to, "\n{}", self.paint("1", text));
                self.note(written);
                std::thread::sleep(self.style.pause);
            }
            TimelineEntry::Message(text) => self.write_slowly(at, "✉ ", &self.paint("36", text)),
            TimelineEntry::Action(text) => self.write_slowly(at, "▸ ", &self.paint("36", text)),
            TimelineEntry::TimePasses(text) => self.write_slowly(at, "… ", &self.paint("2", text)),
            TimelineEntry::Call { ask, answer, because } => {
                self.write(at, "    → ECS: ", &format!("{} ⇒ {answer}", self.paint("32", ask)));
                if !because.is_empty() {
                    self.write(at, "      because ", &self.paint("2", because));
                }
            }
            TimelineEntry::NoCall(text) => self.write(at, "    no call ", &self.paint("2", text)),
            TimelineEntry::Ecs(text) => self.write(at, "    ← ECS: ", &self.paint("35", text)),
            TimelineEntry::Warning(text) => self.write(at, "    ! ", &self.paint("33", text)),
            TimelineEntry::Mail { subject, body } => {
                self.write_slowly(at, "    ✉ email: ", &self.paint("1;31", subject));
                for line in body.lines() {
                    let written = writeln!(self.to, "              │ {line}");
                    self.note(written);
                }
                std::thread::sleep(self.style.pause);
            }
            TimelineEntry::ExpectationMet(text) => self.write(at, "    ✓ expected: ", &self.paint("2", text)),
        }
    }

    fn has_failed(&self) -> bool {
        self.problem.is_some()
    }
}

/// The time of day, in UTC.
pub(super) fn clock_time(at: Millis) -> String {
    let seconds = at.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
