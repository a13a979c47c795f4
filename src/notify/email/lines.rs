//! Plain text in lines that a phone displays well.

use crate::notify::email::LINE_CHARS_MAX;

/// Wrapped lines of text; continuation lines are indented deeper than the first.
#[derive(Default)]
pub(crate) struct Lines(String);

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

    /// Adds taskhold's own text, wrapped between words. Only embedded foreign text can contain a word that is too long;
    /// it is broken.
    pub(crate) fn prose(&mut self, indent: usize, text: &str) {
        let room = LINE_CHARS_MAX - indent - HANGING.len();
        let words: Vec<String> = text.split(' ').flat_map(|word| pieces(word, room)).collect();
        self.wrap(indent, &words.iter().map(String::as_str).collect::<Vec<_>>(), (" ", HANGING));
    }

    /// Adds parts, wrapped only between them: quoted text stays on one line.
    pub(crate) fn parts(&mut self, indent: usize, parts: &[&str]) {
        self.wrap(indent, parts, (", ", HANGING));
    }

    /// Adds foreign text. Each line is marked so that none can pass for taskhold's own; words that are too long are
    /// broken.
    pub(crate) fn quoted(&mut self, indent: usize, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        let words = chars.split(|c| *c == ' ').flat_map(|word| word.chunks(LINE_CHARS_MAX - indent - QUOTE.len()));
        let words: Vec<String> = words.map(|word| word.iter().collect()).collect();
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let first = format!("- {}", if words.is_empty() { "" } else { words.remove(0) });
        words.insert(0, &first);
        self.wrap(indent, &words, (" ", QUOTE));
    }

    /// Begins each continuation line with `hanging`.
    fn wrap(&mut self, indent: usize, parts: &[&str], (between, hanging): (&str, &str)) {
        let mut line = String::new();
        for (number, part) in parts.iter().enumerate() {
            // A line that continues ends with the visible part of `between`.
            let end = if number + 1 < parts.len() { between.trim_end().len() } else { 0 };
            let wider = line.chars().count() + between.len() + part.chars().count() + end;
            if line.is_empty() {
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

/// The indent of continuation lines.
const HANGING: &str = "   ";
/// The mark of continued foreign text.
const QUOTE: &str = "| ";

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
        let lines = wrapped(|lines| lines.prose(2, &"word ".repeat(30)));
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  word") && lines[1].starts_with("     word"), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= LINE_CHARS_MAX), "{lines:?}");
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_is_broken() {
        let lines = wrapped(|lines| lines.prose(2, &format!("denied on arn:{} for now", "x".repeat(200))));
        assert!(lines.iter().all(|line| line.len() <= LINE_CHARS_MAX), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), format!("deniedonarn:{}fornow", "x".repeat(200)));
    }

    #[test]
    fn what_stands_in_one_part_stays_on_one_line() {
        let part = "x y".repeat(20);
        assert_eq!(
            wrapped(|lines| lines.parts(4, &[&part, &part])),
            [format!("    {part},"), format!("       {part}")]
        );
    }

    #[test]
    fn a_comma_at_the_end_of_a_line_counts() {
        // With its comma, the second part would end one character after the last one.
        let (one, other) = ("x".repeat(40), "y".repeat(LINE_CHARS_MAX - 40 - ", ".len()));
        let lines = wrapped(|lines| lines.parts(0, &[&one, &other, "z"]));
        assert_eq!(lines, [format!("{one},"), format!("   {other}, z")]);
        assert_eq!(wrapped(|lines| lines.parts(0, &[&one, &other])), [format!("{one}, {other}")]);
    }

    #[test]
    fn every_line_of_somebody_elses_words_is_marked() {
        let lines = wrapped(|lines| lines.quoted(2, &format!("aws ecs {} {}", "x".repeat(300), "1. y ".repeat(60))));
        assert!(lines[0].starts_with("  - aws ecs"), "{lines:?}");
        assert!(lines[1..].iter().all(|line| line.starts_with("  | ")), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= LINE_CHARS_MAX), "{lines:?}");
        assert_eq!(wrapped(|lines| lines.quoted(2, "")), ["  - "]);
    }
}
