//! Makes untrusted text safe to show: escaped, on one line, and short.
//!
//! Text from a worker, a tag or an error is data. It cannot end a line or a quotation, and it takes at most
//! the space that the caller allows.

use crate::clock::WholeSeconds;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Formats a time for people and machines: RFC 3339, to the second.
pub(crate) fn shown_time(at: Timestamp) -> String {
    WholeSeconds::from(at).to_string()
}

/// Formats a list as the value of a log field: JSON in a string.
pub(crate) fn listed<T: Serialize>(texts: impl IntoIterator<Item = T>) -> String {
    let mut json = Vec::with_capacity(128);
    serde_json::Serializer::new(&mut json).collect_seq(texts).expect("texts can be written as JSON");
    String::from_utf8(json).expect("JSON is UTF-8")
}

/// Replaces the middle of a text that is too long. ASCII, because the subject of an email must be.
const OMITTED: &str = "...";

/// Returns the text on one line, in at most `chars_max` characters. A character that is not `as_is` becomes
/// an escape such as `\u{…}`, `\n` or `\"`. A text that is too long loses its middle, because names usually
/// differ at either end. No escape is cut.
pub(crate) fn escaped(text: &str, chars_max: usize, as_is: fn(char) -> bool) -> String {
    let piece = |c: char| match c {
        c if as_is(c) && c != '\\' => c.to_string(),
        '\n' | '\r' | '\t' | '\\' | '"' => c.escape_default().to_string(),
        c => c.escape_unicode().to_string(),
    };
    let pieces: Vec<String> = text.chars().map(piece).collect();
    // Escapes are ASCII, and a character that needs no escape counts as one.
    let width = |piece: &String| piece.chars().count();
    if pieces.iter().map(width).sum::<usize>() <= chars_max {
        return pieces.concat();
    }
    let room = chars_max.saturating_sub(OMITTED.len());
    let fits = |room: usize, pieces: &mut dyn Iterator<Item = &String>| {
        let mut used = 0;
        pieces
            .take_while(|piece| {
                used += width(piece);
                used <= room
            })
            .count()
    };
    let head = fits(room - room / 3, &mut pieces.iter());
    let tail = fits(room / 3, &mut pieces.iter().rev());
    format!("{}{OMITTED}{}", pieces[..head].concat(), pieces[pieces.len() - tail..].concat())
}

/// Whether a character is visible as itself on one line: no control, invisible, direction or combining
/// character.
pub(crate) fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'') || c.escape_debug().len() == 1
}

/// Whether a character is also safe within double quotes: printable, and no double quote.
pub(crate) fn is_printable_in_quotes(c: char) -> bool {
    is_printable(c) && c != '"'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_loses_its_middle_and_no_escape_is_cut() {
        assert_eq!(escaped("abcdefghijkl", 12, is_printable), "abcdefghijkl");
        assert_eq!(escaped("abcdefghijklm", 12, is_printable), "abcdef...klm");
        let hostile = "\u{1}\u{202e}\u{e0001}\n".repeat(100);
        for chars_max in 3..60 {
            let text = escaped(&hostile, chars_max, is_printable);
            assert!(text.chars().count() <= chars_max, "{text}");
            assert!(text.chars().all(|c| c.is_ascii_graphic()), "{text}");
            assert_eq!(text.matches("u{").count(), text.matches('}').count(), "{text}");
        }
    }

    #[test]
    fn what_can_end_a_line_or_turn_it_around_is_escaped() {
        let text = "a\nb\r\u{2028}\u{85}\u{202e}\u{200b}\u{feff}\u{7f}\\\"é😀";
        assert_eq!(
            escaped(text, 200, is_printable_in_quotes),
            r#"a\nb\r\u{2028}\u{85}\u{202e}\u{200b}\u{feff}\u{7f}\\\"é😀"#
        );
    }
}
