//! Plain text in lines that a phone displays well.

use crate::notify::notification::{Piece, Text};
use crate::text::{escaped, is_printable, is_printable_in_quotes};

/// Longer lines wrap badly on a phone. Commands and identifiers are never wrapped, so that they can be copied.
pub const LINE_CHARS_MAX: usize = 100;
/// For an identifier of AWS.
const ID_CHARS_MAX: usize = 40;
/// For a job's id, for all labels of a job together, or for a tag: enough to recognize it. A line has room for no more.
const NAME_CHARS_MAX: usize = 72;
/// For a text of AWS.
const SENTENCE_CHARS_MAX: usize = 300;

/// Wrapped lines of text; continuation lines are indented deeper than the first.
#[derive(Default)]
pub(crate) struct Lines(String);

/// How a text continues on the next line.
#[derive(Clone, Copy)]
struct Wrap {
    /// Between two words or parts; its visible characters end a line.
    between: &'static str,
    /// Begins each continuation line.
    hanging: &'static str,
}

/// taskhold's own sentences are wrapped between words.
const WORDS: Wrap = Wrap { between: " ", hanging: "   " };
/// Facts are wrapped between each other, and never within.
const PARTS: Wrap = Wrap { between: ", ", hanging: "   " };
/// Each line of foreign text is marked, so that none can pass for taskhold's own.
const QUOTED: Wrap = Wrap { between: " ", hanging: "| " };

impl Lines {
    /// The whole text.
    pub(crate) fn text(self) -> String {
        self.0
    }

    pub(crate) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// Adds a line that is never wrapped.
    pub(crate) fn whole(&mut self, indent: usize, text: &str) {
        self.0.extend(std::iter::repeat_n(' ', indent));
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// Adds a text, wrapped between words.
    pub(crate) fn prose(&mut self, indent: usize, text: &Text) {
        self.marked(indent, "", text);
    }

    /// Adds a text after a marker, wrapped between words.
    pub(crate) fn marked(&mut self, indent: usize, marker: &str, text: &Text) {
        let is_quoted = text.0.iter().any(|piece| matches!(piece, Piece::Sentence(_)));
        let wrap = if is_quoted { QUOTED } else { WORDS };
        let room = LINE_CHARS_MAX - indent - marker.len().max(wrap.hanging.len());
        let mut words: Vec<String> = words(text).iter().flat_map(|word| pieces(word, room)).collect();
        words[0].insert_str(0, marker);
        self.wrap(indent, &words, wrap);
    }

    /// Adds parts, wrapped only between them.
    pub(crate) fn parts(&mut self, indent: usize, parts: &[String]) {
        self.wrap(indent, parts, PARTS);
    }

    fn wrap(&mut self, indent: usize, parts: &[String], Wrap { between, hanging }: Wrap) {
        let mut line = String::new();
        for (number, part) in parts.iter().enumerate() {
            // A line that continues ends with the visible part of `between`.
            let end = if number + 1 < parts.len() { between.trim_end().len() } else { 0 };
            let wider = line.chars().count() + between.len() + part.chars().count() + end;
            if number == 0 {
                line.push_str(part);
            } else if indent + wider > LINE_CHARS_MAX {
                line.push_str(between.trim_end());
                self.whole(indent, &line);
                line = format!("{hanging}{part}");
            } else {
                line = format!("{line}{between}{part}");
            }
        }
        self.whole(indent, &line);
    }
}

/// A text on one line.
pub(crate) fn on_one_line(text: &Text) -> String {
    text.0.iter().map(shown).collect()
}

/// A piece as it is shown: what people and workers chose stands in quotation marks, which it cannot end.
fn shown(piece: &Piece) -> String {
    match piece {
        Piece::Own(text) => text.clone(),
        Piece::Id(id) => escaped(id, ID_CHARS_MAX, is_printable),
        Piece::Name(name) => format!("\"{}\"", escaped(name, NAME_CHARS_MAX, is_printable_in_quotes)),
        Piece::Sentence(text) => escaped(text, SENTENCE_CHARS_MAX, is_printable),
    }
}

/// The words between which a text may be wrapped. Identifiers and names stay whole.
fn words(text: &Text) -> Vec<String> {
    let mut words = vec![String::new()];
    let last = |words: &mut Vec<String>, piece: &str| words.last_mut().expect("it is never empty").push_str(piece);
    for piece in &text.0 {
        match piece {
            Piece::Own(_) | Piece::Sentence(_) => {
                for (number, word) in shown(piece).split(' ').enumerate() {
                    words.extend((number > 0).then(String::new));
                    last(&mut words, word);
                }
            }
            Piece::Id(_) | Piece::Name(_) => last(&mut words, &shown(piece)),
        }
    }
    words
}

/// A word that is too long, broken. Only foreign text contains one.
fn pieces(word: &str, chars_max: usize) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    if chars.len() <= chars_max {
        return vec![word.to_owned()];
    }
    chars.chunks(chars_max).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(write: impl FnOnce(&mut Lines)) -> Vec<String> {
        let mut lines = Lines::default();
        write(&mut lines);
        lines.0.lines().map(str::to_owned).collect()
    }

    #[test]
    fn prose_is_wrapped_between_words_and_indented_where_it_goes_on() {
        let lines = wrapped(|lines| lines.prose(2, &"word ".repeat(30).into()));
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  word") && lines[1].starts_with("     word"), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= LINE_CHARS_MAX), "{lines:?}");
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_is_broken() {
        let lines = wrapped(|lines| lines.prose(2, &format!("denied on arn:{} for now", "x".repeat(200)).into()));
        assert!(lines.iter().all(|line| line.len() <= LINE_CHARS_MAX), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), format!("deniedonarn:{}fornow", "x".repeat(200)));
    }

    #[test]
    fn a_part_stays_on_one_line() {
        let part = "x y".repeat(20);
        assert_eq!(
            wrapped(|lines| lines.parts(4, &[part.clone(), part.clone()])),
            [format!("    {part},"), format!("       {part}")]
        );
    }

    #[test]
    fn a_comma_at_the_end_of_a_line_counts() {
        // With its comma, the second part would end one character after the last one.
        let (one, other) = ("x".repeat(40), "y".repeat(LINE_CHARS_MAX - 40 - ", ".len()));
        let lines = wrapped(|lines| lines.parts(0, &[one.clone(), other.clone(), "z".to_owned()]));
        assert_eq!(lines, [format!("{one},"), format!("   {other}, z")]);
        assert_eq!(wrapped(|lines| lines.parts(0, &[one.clone(), other.clone()])), [format!("{one}, {other}")]);
    }

    #[test]
    fn every_line_of_foreign_text_is_marked() {
        let quoted = |text: &str| {
            let text = Text(vec![Piece::Sentence(text.to_owned())]);
            wrapped(|lines| lines.marked(2, "- ", &text))
        };
        let lines = quoted(&format!("aws ecs {} {}", "x".repeat(200), "1. y ".repeat(10)));
        assert!(lines[0].starts_with("  - aws ecs"), "{lines:?}");
        assert!(lines.len() > 1 && lines[1..].iter().all(|line| line.starts_with("  | ")), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= LINE_CHARS_MAX), "{lines:?}");
        assert_eq!(quoted(""), ["  - "]);
    }

    #[test]
    fn a_name_stays_on_one_line_within_its_quotation_marks() {
        let text =
            Text(vec![Piece::Own("word ".repeat(18)), Piece::Name("a \"b\" c".to_owned()), Piece::Own(".".to_owned())]);
        assert_eq!(wrapped(|lines| lines.prose(0, &text))[1], r#"   "a \"b\" c"."#);
    }
}
