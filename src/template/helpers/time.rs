//! Dates and times in Japan, which has no daylight saving time.

use jiff::civil::{Date, Weekday, date};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use serde_json::Value;

/// The forms of [`jst`].
pub(super) const JST_FORMS: &[&str] =
    &["short", "date", "time", "weekday", "wareki", "en", "en-short", "en-date"];

/// The forms of [`weekday`].
pub(super) const WEEKDAY_FORMS: &[&str] = &["long", "en"];

/// The forms of [`wareki`].
pub(super) const WAREKI_FORMS: &[&str] = &["year"];

/// `2026年11月22日 15:04`, or another form of the same.
pub(super) fn jst(time: &Value, form: Option<&str>) -> Result<String, &'static str> {
    let time = in_japan(time)?;
    let format = match form {
        Some("short") => "%m/%d %H:%M",
        Some("date") => "%Y年%-m月%-d日",
        Some("time") => "%H:%M",
        Some("weekday") => {
            let (date, clock) = (time.strftime("%Y年%-m月%-d日"), time.strftime("%H:%M"));
            return Ok(format!("{date}({}) {clock}", kanji(time.weekday())));
        }
        Some("wareki") => return Ok(era_date(time.date())),
        Some("en") => "%-d %b %Y, %H:%M JST",
        Some("en-short") => "%-d %b %H:%M",
        Some("en-date") => "%-d %b %Y",
        _ => "%Y年%-m月%-d日 %H:%M",
    };
    Ok(time.strftime(format).to_string())
}

/// `日`, `日曜日` or `Sunday`.
pub(super) fn weekday(time: &Value, form: Option<&str>) -> Result<String, &'static str> {
    let time = in_japan(time)?;
    Ok(match form {
        Some("long") => format!("{}曜日", kanji(time.weekday())),
        Some("en") => time.strftime("%A").to_string(),
        _ => kanji(time.weekday()).to_owned(),
    })
}

/// `令和8年11月22日` or `令和8年`.
pub(super) fn wareki(time: &Value, form: Option<&str>) -> Result<String, &'static str> {
    let date = in_japan(time)?.date();
    Ok(match form {
        Some("year") => era_year(date),
        _ => era_date(date),
    })
}

fn in_japan(time: &Value) -> Result<Zoned, &'static str> {
    let time: Option<Timestamp> = time.as_str().and_then(|time| time.parse().ok());
    let time = time.ok_or("the value is no RFC 3339 time")?;
    Ok(time.to_zoned(TimeZone::fixed(Offset::constant(9))))
}

fn kanji(day: Weekday) -> &'static str {
    match day {
        Weekday::Sunday => "日",
        Weekday::Monday => "月",
        Weekday::Tuesday => "火",
        Weekday::Wednesday => "水",
        Weekday::Thursday => "木",
        Weekday::Friday => "金",
        Weekday::Saturday => "土",
    }
}

/// First days of the eras that an event can fall into. Source: 元号を改める政令, 昭和64年政令第1号 and 平成31年政令第143号.
const ERAS: [(&str, Date); 2] = [("令和", date(2019, 5, 1)), ("平成", date(1989, 1, 8))];

/// The first year of an era is 元年.
fn era_year(date: Date) -> String {
    let Some((era, first)) = ERAS.into_iter().find(|(_, first)| date >= *first) else {
        return format!("{}年", date.year());
    };
    match date.year() - first.year() {
        0 => format!("{era}元年"),
        years => format!("{era}{}年", years + 1),
    }
}

fn era_date(date: Date) -> String {
    format!("{}{}月{}日", era_year(date), date.month(), date.day())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_in_jst_to_the_minute_in_every_form() {
        for (form, text) in [
            (None, "2026年11月22日 15:04"),
            (Some("short"), "11/22 15:04"),
            (Some("date"), "2026年11月22日"),
            (Some("time"), "15:04"),
            (Some("weekday"), "2026年11月22日(日) 15:04"),
            (Some("wareki"), "令和8年11月22日"),
            (Some("en"), "22 Nov 2026, 15:04 JST"),
            (Some("en-short"), "22 Nov 15:04"),
            (Some("en-date"), "22 Nov 2026"),
        ] {
            assert_eq!(jst(&json!("2026-11-22T06:04:05Z"), form).as_deref(), Ok(text));
            assert!(form.is_none_or(|form| JST_FORMS.contains(&form)));
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_japan_wherever_the_time_was_written() {
        for time in ["2026-12-31T15:00:00Z", "2027-01-01T00:00:00+09:00", "2026-12-31T10:00:00-05:00"] {
            assert_eq!(jst(&json!(time), Some("short")).as_deref(), Ok("01/01 00:00"));
            assert_eq!(weekday(&json!(time), Some("en")).as_deref(), Ok("Friday"));
        }
        assert_eq!(jst(&json!("2026-12-31T14:59:59Z"), Some("date")).as_deref(), Ok("2026年12月31日"));
    }

    #[test]
    fn every_day_of_the_week_has_its_kanji() {
        let days: Result<Vec<_>, _> =
            (22..29).map(|day| weekday(&json!(format!("2026-11-{day}T00:00:00Z")), None)).collect();
        assert_eq!(days.expect("times").concat(), "日月火水木金土");
        assert_eq!(weekday(&json!("2026-11-22T06:04:05Z"), Some("long")).as_deref(), Ok("日曜日"));
    }

    #[test]
    fn an_era_begins_on_its_first_day_in_japan() {
        for (time, text) in [
            ("2026-11-22T06:04:05Z", "令和8年11月22日"),
            ("2020-01-01T00:00:00+09:00", "令和2年1月1日"),
            ("2019-12-31T23:59:59+09:00", "令和元年12月31日"),
            ("2019-04-30T15:00:00Z", "令和元年5月1日"),
            ("2019-04-30T14:59:59Z", "平成31年4月30日"),
            ("1990-01-01T00:00:00+09:00", "平成2年1月1日"),
            ("1989-01-08T00:00:00+09:00", "平成元年1月8日"),
            ("1989-01-07T23:59:59+09:00", "1989年1月7日"),
            ("1926-12-25T00:00:00+09:00", "1926年12月25日"),
        ] {
            assert_eq!(wareki(&json!(time), None).as_deref(), Ok(text), "{time}");
        }
        assert_eq!(wareki(&json!("2019-05-01T00:00:00+09:00"), Some("year")).as_deref(), Ok("令和元年"));
        assert_eq!(wareki(&json!("1989-01-07T00:00:00+09:00"), Some("year")).as_deref(), Ok("1989年"));
    }
}
