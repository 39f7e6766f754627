//! How long ago, in two units at most.

use jiff::SignedDuration;

/// `3d 4h`, `2h 5m`, `7m 12s`, `9s`. A clock that is behind sees no negative ages.
pub(super) fn in_words(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut words = Vec::new();
    for (index, (size, unit)) in units.iter().enumerate().skip(first).take(2) {
        let count = rest / size;
        rest %= size;
        if count > 0 || index == first {
            words.push(format!("{count}{unit}"));
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_two_largest_units() {
        for (seconds, words) in [
            (-5, "0s"),
            (0, "0s"),
            (9, "9s"),
            (60, "1m"),
            (432, "7m 12s"),
            (7_500, "2h 5m"),
            (86_400, "1d"),
            (86_459, "1d"),
            (273_600, "3d 4h"),
        ] {
            assert_eq!(in_words(SignedDuration::from_secs(seconds)), words, "{seconds}");
        }
    }
}
