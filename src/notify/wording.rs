//! Times, durations and counts in words.

use jiff::{SignedDuration, Timestamp};

/// A moment, such as `2026-01-05 10:30 UTC`.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A moment for a reader on the day of `now`: the date is left out if it is the same.
pub(crate) fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    if day(at) == day(now) { at.strftime("%H:%M UTC").to_string() } else { time(at) }
}

/// A moment and its distance from `now`, such as `2026-01-05 10:30 UTC (in 42 min)`.
pub(crate) fn time_from(at: Timestamp, now: Timestamp) -> String {
    let away = at.duration_since(now);
    let when = match away.as_secs() {
        60.. => format!("in {}", span(away)),
        ..=-60 => format!("{} ago", span(away)),
        _ => "now".to_owned(),
    };
    format!("{} ({when})", time(at))
}

/// A duration without its sign, in readable units such as `2 h 18 min`.
pub(crate) fn span(duration: SignedDuration) -> String {
    let minutes = duration.as_secs().unsigned_abs() / 60;
    let (hours, days) = (minutes / 60, minutes / (24 * 60));
    match minutes {
        0 => "under 1 min".to_owned(),
        1..60 => format!("{minutes} min"),
        60..2880 if minutes.is_multiple_of(60) => format!("{hours} h"),
        60..2880 => format!("{hours} h {} min", minutes % 60),
        _ if hours.is_multiple_of(24) => format!("{days} days"),
        _ => format!("{days} days {} h", hours % 24),
    }
}

/// The duration between two moments as [`time`] shows them, without their seconds.
pub(crate) fn span_between(from: Timestamp, to: Timestamp) -> String {
    let minute = |at: Timestamp| at.as_second().div_euclid(60);
    span(SignedDuration::from_mins(minute(to) - minute(from)))
}

/// A number of things, such as `1 task` or `2 tasks`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_between_two_moments_is_that_of_their_clocks() {
        let second = |second: i64| Timestamp::from_second(1_767_607_200 + second).unwrap();
        assert_eq!(span_between(second(62), second(15 * 60 + 1)), "14 min");
        assert_eq!(span_between(second(59), second(60)), "1 min");
    }

    #[test]
    fn durations_are_written_in_readable_units() {
        let written = |minutes: i64| span(SignedDuration::from_mins(minutes));
        assert_eq!([0, 1, -42, 60, 119].map(written), ["under 1 min", "1 min", "42 min", "1 h", "1 h 59 min"]);
        assert_eq!(
            [120, 138, 2879, 2880, 5000].map(written),
            ["2 h", "2 h 18 min", "47 h 59 min", "2 days", "3 days 11 h"]
        );
    }
}
