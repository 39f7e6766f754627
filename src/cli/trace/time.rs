//! Times as people in Japan read them, to the millisecond.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::cli::age;

/// `2026-11-22 15:04:05.678`; Japan has no daylight saving time.
pub(super) fn jst(time: Timestamp) -> String {
    time.to_zoned(TimeZone::fixed(Offset::constant(9))).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// `0.4s`, `12.0s`, `7m 12s`
pub(super) fn span(span: SignedDuration) -> String {
    let millis = span.as_millis();
    if millis < 60_000 { format!("{}.{}s", millis / 1000, millis % 1000 / 100) } else { age::in_words(span) }
}

/// How long after an event something happened. The event's time is by upstream's clock, which may be ahead of ours.
pub(super) fn after(time: Timestamp, event: Timestamp) -> String {
    let passed = time.duration_since(event);
    if passed.is_negative() {
        format!("{} before the event: clocks differ", span(passed.abs()))
    } else {
        format!("{} after the event", span(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_time_is_told_in_japan_s_zone_and_to_the_millisecond() {
        assert_eq!(jst(at("2026-11-22T18:04:05.0089Z")), "2026-11-23 03:04:05.008");
        assert_eq!(jst(at("2026-11-22T06:04:05Z")), "2026-11-22 15:04:05.000");
    }

    #[test]
    fn a_span_has_tenths_of_a_second_while_they_matter_and_a_clock_ahead_is_called_so() {
        let event = at("2026-11-22T06:04:05Z");
        for (time, words) in [
            ("2026-11-22T06:04:05Z", "0.0s after the event"),
            ("2026-11-22T06:04:05.250Z", "0.2s after the event"),
            ("2026-11-22T06:04:17Z", "12.0s after the event"),
            ("2026-11-22T06:11:17Z", "7m 12s after the event"),
            ("2026-11-22T06:04:03.500Z", "1.5s before the event: clocks differ"),
        ] {
            assert_eq!(after(at(time), event), words);
        }
    }
}
