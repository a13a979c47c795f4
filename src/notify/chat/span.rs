//! Code spans: the one markup that Slack and Teams both know, and that nothing in it gets out of.

use crate::text::{escaped, is_printable};

/// The text as a code span that shows in Slack and in Teams as it is, or escaped.
pub(crate) fn code(text: &str, chars_max: usize) -> String {
    // Slack takes a span that begins or ends with a space for no span.
    let text = escaped(text, chars_max, is_safe_in_code);
    let text = text.strip_prefix(' ').map_or(text.clone(), |rest| format!("\\u{{20}}{rest}"));
    let text = text.strip_suffix(' ').map_or(text.clone(), |rest| format!("{rest}\\u{{20}}"));
    format!("`{}`", if text.is_empty() { "-" } else { &text })
}

/// Whether neither client can take a character for the end of a span, for a link, a mention or an entity. Teams' cards know
/// no code spans: there brackets and stars mean what they mean elsewhere.
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
