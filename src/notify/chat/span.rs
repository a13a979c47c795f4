//! Code spans: the only markup that Slack and Teams share, and that text inside cannot leave.

use crate::text::{escaped, is_printable};

/// The text as a code span that Slack and Teams both show literally; other characters are escaped.
pub(crate) fn code(text: &str, chars_max: usize) -> String {
    // Slack does not recognize a span that begins or ends with a space.
    let text = escaped(text, chars_max, is_safe_in_code);
    let text = text.strip_prefix(' ').map_or(text.clone(), |rest| format!("\\u{{20}}{rest}"));
    let text = text.strip_suffix(' ').map_or(text.clone(), |rest| format!("{rest}\\u{{20}}"));
    format!("`{}`", if text.is_empty() { "-" } else { &text })
}

/// Whether neither client can take the character for the end of a span, a link, a mention or an entity. Cards in Teams
/// have no code spans, so brackets and asterisks keep their meaning there.
pub(crate) fn is_safe_in_code(c: char) -> bool {
    is_printable(c) && !"`<>&@*[]|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_holds_nothing_that_could_end_it_or_mean_something_in_it() {
        assert_eq!(code("episode-0417 (b), 50% \"x\" 'y' a_b", 60), "`episode-0417 (b), 50% \"x\" 'y' a_b`");
        assert_eq!(code("a`b", 60), "`a\\u{60}b`");
        assert_eq!(code("<!here> & [x](y) *b*\n", 90).matches(['<', '>', '&', '[', ']', '*', '\n']).count(), 0);
    }

    #[test]
    fn a_code_span_is_never_empty_and_neither_begins_nor_ends_with_a_space() {
        let spans = ["", " ", "  a "].map(|text| code(text, 60));
        assert_eq!(spans, ["`-`", "`\\u{20}`", "`\\u{20} a\\u{20}`"]);
    }
}
