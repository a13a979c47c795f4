//! The words of a line, and the values that they stand for.

use crate::control_plane::Millis;

pub(super) type Parsed<T> = Result<T, String>;

/// The unread words of a line.
pub(super) struct Words<'a>(pub(super) Vec<&'a str>);

impl<'a> Words<'a> {
    pub(super) fn next(&mut self, wanted: &str) -> Parsed<&'a str> {
        if self.0.is_empty() {
            return Err(format!("expected {wanted}, but the line ends"));
        }
        Ok(self.0.remove(0))
    }

    pub(super) fn literal(&mut self, word: &str) -> Parsed<()> {
        let found = self.next(&format!("`{word}`"))?;
        if found == word { Ok(()) } else { Err(format!("expected `{word}`, not `{found}`")) }
    }

    /// Consumes the word if it is next.
    pub(super) fn has(&mut self, word: &str) -> bool {
        let found = self.0.first() == Some(&word);
        if found {
            self.0.remove(0);
        }
        found
    }

    pub(super) fn number(&mut self, wanted: &str) -> Parsed<u32> {
        let word = self.next(wanted)?;
        word.parse().map_err(|_| format!("expected {wanted}, not `{word}`"))
    }

    pub(super) fn text(&mut self) -> String {
        std::mem::take(&mut self.0).join(" ")
    }

    pub(super) fn end(&self) -> Parsed<()> {
        match self.0.first() {
            None => Ok(()),
            Some(word) => Err(format!("unexpected `{word}`")),
        }
    }
}

pub(super) fn minutes(words: &mut Words<'_>) -> Parsed<u32> {
    let word = words.next("a duration")?;
    let millis = duration(word)?;
    match u32::try_from(millis / 60_000) {
        Ok(minutes) if millis % 60_000 == 0 => Ok(minutes),
        _ => Err(format!("`{word}` is not a whole number of minutes")),
    }
}

pub(super) fn duration(text: &str) -> Parsed<Millis> {
    let wrong = || format!("`{text}` is not a duration such as 90s, 31m or 1h30m");
    let (mut total, mut digits) = (0_i64, String::new());
    for c in text.chars() {
        let unit_ms = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            's' => 1000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: i64 = std::mem::take(&mut digits).parse().map_err(|_| wrong())?;
        total = number.checked_mul(unit_ms).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
    }
    if digits.is_empty() && !text.is_empty() { Ok(total) } else { Err(wrong()) }
}
