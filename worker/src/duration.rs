//! Durations as options spell them: `90s`, `45m`, `2h`, `1h30m`.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    #[error("is not a duration; write whole numbers with d, h, m or s, such as 90s, 45m, 2h or 1h30m")]
    NotADuration,
    #[error("is too long; a duration has at most 365 days")]
    TooLong,
}

/// The longest duration: a job of this length is a mistake, and sums of durations stay far from overflow.
const DAYS_MAX: u64 = 365;

/// Reads a duration. Zero is one; whether it makes sense, the option says.
///
/// # Errors
/// The text is not a list of whole numbers, each with its unit.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let (mut seconds, mut rest) = (0_u64, text);
    if text.is_empty() {
        return Err(DurationError::NotADuration);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit_on) = rest.split_at(digits);
        let unit_seconds = match unit_on.as_bytes().first() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3600,
            Some(b'd') => 86_400,
            _ => return Err(DurationError::NotADuration),
        };
        if number.is_empty() {
            return Err(DurationError::NotADuration);
        }
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_seconds));
        let sum = part.and_then(|part| seconds.checked_add(part)).filter(|sum| *sum <= DAYS_MAX * 86_400);
        seconds = sum.ok_or(DurationError::TooLong)?;
        rest = &unit_on[1..];
    }
    Ok(Duration::from_secs(seconds))
}

/// Whole minutes that contain the duration: ECS and job messages count in minutes.
pub(crate) fn minutes_up(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(60_000).try_into().unwrap_or(u64::MAX)
}

/// The duration for people: whole minutes, and seconds where seconds matter.
pub(crate) fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) if duration < Duration::from_secs(1) => format!("{} ms", duration.as_millis()),
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let seconds = |text: &str| parse(text).map(|duration| duration.as_secs());
        assert_eq!(
            ["90s", "45m", "2h", "1h30m", "1d", "0m"].map(seconds),
            [Ok(90), Ok(2700), Ok(7200), Ok(5400), Ok(86_400), Ok(0)]
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "2", "2 hours", "-5m", "h", "1.5h", "2h ", "½h", "1h30", "2H"] {
            assert_eq!(parse(text), Err(DurationError::NotADuration), "{text}");
        }
        for text in ["366d", "99999999999999999999s", "9999999999999999999h"] {
            assert_eq!(parse(text), Err(DurationError::TooLong), "{text}");
        }
    }

    #[test]
    fn minutes_contain_the_duration() {
        assert_eq!([0, 1, 60_000, 60_001].map(|ms| minutes_up(Duration::from_millis(ms))), [0, 1, 1, 2]);
    }

    #[test]
    fn durations_are_shown_in_the_units_that_matter() {
        let shown = [5, 60, 90, 3600, 4740].map(|seconds| shown(Duration::from_secs(seconds)));
        assert_eq!(shown, ["5 s", "1 min", "1 min 30 s", "1 h", "1 h 19 min"]);
    }
}
