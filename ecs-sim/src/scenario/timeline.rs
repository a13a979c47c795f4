//! Tells a scenario to a person: time, what happened, which call went to ECS and why.

use crate::control_plane::Millis;
use std::io::Write;
use std::time::Duration;

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Telling {
    /// A worker sends a message.
    Message(String),
    /// Somebody else does something: a person, or the network.
    Deed(String),
    /// Time passes.
    Passes(String),
    /// A remark of the scenario's.
    Remark(String),
    /// A call to ECS: what was asked, what came of it, and why it was made.
    Call {
        /// What was asked.
        ask: String,
        /// What ECS answered.
        answer: String,
        /// The function's own words.
        because: String,
    },
    /// The function asked nothing of ECS, and why.
    Kept(String),
    /// ECS says or does something by itself.
    Ecs(String),
    /// The function warns.
    Warning(String),
    /// Somebody gets a mail.
    Mail {
        /// Its subject.
        subject: String,
        /// Its text.
        body: String,
    },
    /// An expectation of the scenario holds.
    Holds(String),
}

/// Hears a scenario.
pub trait Audience {
    /// Something happened at `at`.
    fn hear(&mut self, at: Millis, telling: &Telling);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Audience for Silent {
    fn hear(&mut self, _: Millis, _: &Telling) {}
}

/// How a timeline looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Whether the reader's terminal shows colours.
    pub colour: Colour,
    /// How long to wait before each line of the scenario, so that a person can read along.
    pub pause: Duration,
}

/// Whether to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Never,
    /// ANSI escapes.
    Ansi,
}

/// Writes a timeline. The first failure to write ends the writing, not the scenario.
#[derive(Debug)]
pub struct Timeline<W> {
    to: W,
    style: Style,
    last: Option<Millis>,
    failed: bool,
}

impl<W: Write> Timeline<W> {
    /// A timeline to this writer.
    pub fn new(to: W, style: Style) -> Self {
        Self { to, style, last: None, failed: false }
    }

    fn write(&mut self, at: Millis, mark: &str, text: &str) {
        // A time is written once, where it changes.
        let time = if self.last == Some(at) { " ".repeat(8) } else { clock_time(at) };
        self.last = Some(at);
        let written = writeln!(self.to, "{time}  {mark}{text}").and_then(|()| self.to.flush());
        self.failed |= written.is_err();
    }

    fn write_slowly(&mut self, at: Millis, mark: &str, text: &str) {
        std::thread::sleep(self.style.pause);
        self.write(at, mark, text);
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.style.colour {
            Colour::Never => text.to_owned(),
            Colour::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

impl<W: Write> Audience for Timeline<W> {
    fn hear(&mut self, at: Millis, telling: &Telling) {
        if self.failed {
            return;
        }
        match telling {
            Telling::Remark(text) => {
                std::thread::sleep(self.style.pause);
                self.failed |= writeln!(self.to, "\n{}", self.paint("1", text)).is_err();
                std::thread::sleep(self.style.pause);
            }
            Telling::Message(text) => self.write_slowly(at, "✉ ", &self.paint("36", text)),
            Telling::Deed(text) => self.write_slowly(at, "▸ ", &self.paint("36", text)),
            Telling::Passes(text) => self.write_slowly(at, "… ", &self.paint("2", text)),
            Telling::Call { ask, answer, because } => {
                self.write(at, "    → ECS: ", &format!("{} ⇒ {answer}", self.paint("32", ask)));
                if !because.is_empty() {
                    self.write(at, "      because ", &self.paint("2", because));
                }
            }
            Telling::Kept(text) => self.write(at, "    no call ", &self.paint("2", text)),
            Telling::Ecs(text) => self.write(at, "    ECS says: ", &self.paint("35", text)),
            Telling::Warning(text) => self.write(at, "    ! ", &self.paint("33", text)),
            Telling::Mail { subject, body } => {
                self.write_slowly(at, "    ✉ mail: ", &self.paint("1;31", subject));
                for line in body.lines() {
                    self.failed |= writeln!(self.to, "              │ {line}").is_err();
                }
                std::thread::sleep(self.style.pause);
            }
            Telling::Holds(text) => self.write(at, "    ✓ as expected: ", &self.paint("2", text)),
        }
    }
}

/// The time of day, in UTC.
pub(super) fn clock_time(at: Millis) -> String {
    let seconds = at.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
