//! The helpers that templates have: dates in JST, yen, masks. Pure functions and their registration.

use handlebars::{Handlebars, RenderErrorReason, handlebars_helper};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use crate::event::{EmailAddress, PhoneNumber};

/// How a helper is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// How many values it needs.
    pub needs: usize,
    /// How many it takes at most.
    pub takes: usize,
    /// What the value behind those that it needs may be, where it takes a form.
    pub forms: &'static [&'static str],
}

/// Every helper that templates may call: ours, and those of handlebars that come without `{{#…}}`. `log` is none of them: it
/// writes what it is given into the logs.
pub const HELPERS: &[Signature] = &[
    Signature { name: "jst", needs: 1, takes: 2, forms: &["short"] },
    Signature::of("yen", 1),
    Signature::of("mask_account", 1),
    Signature::of("mask_phone", 1),
    Signature::of("mask_email", 1),
    Signature::of("lookup", 2),
    Signature::of("eq", 2),
    Signature::of("ne", 2),
    Signature::of("gt", 2),
    Signature::of("gte", 2),
    Signature::of("lt", 2),
    Signature::of("lte", 2),
    Signature { takes: usize::MAX, ..Signature::of("and", 2) },
    Signature { takes: usize::MAX, ..Signature::of("or", 2) },
    Signature::of("not", 1),
    Signature::of("len", 1),
];

impl Signature {
    const fn of(name: &'static str, needs: usize) -> Self {
        Self { name, needs, takes: needs, forms: &[] }
    }
}

/// Whether `{{name}}` alone would call a helper instead of showing a value.
pub fn is_helper(name: &str) -> bool {
    HELPERS.iter().any(|helper| helper.name == name)
        || matches!(name, "if" | "unless" | "each" | "with" | "raw" | "log")
}

/// Registers every helper.
pub(super) fn register(registry: &mut Handlebars<'_>) {
    handlebars_helper!(jst_helper: |time: str, *args| jst(time, args.get(1).and_then(|form| form.as_str()))?);
    handlebars_helper!(yen_helper: |amount: Json| yen(amount)?);
    handlebars_helper!(account_helper: |number: str| mask_account(number));
    handlebars_helper!(phone_helper: |number: str| mask_phone(number));
    handlebars_helper!(email_helper: |address: str| mask_email(address));
    registry.register_helper("jst", Box::new(jst_helper));
    registry.register_helper("yen", Box::new(yen_helper));
    registry.register_helper("mask_account", Box::new(account_helper));
    registry.register_helper("mask_phone", Box::new(phone_helper));
    registry.register_helper("mask_email", Box::new(email_helper));
}

/// `2026年11月22日 15:04`, or `11/22 15:04` in the form `short`; Japan has no daylight saving time.
fn jst(time: &str, form: Option<&str>) -> Result<String, RenderErrorReason> {
    let format = match form {
        None => "%Y年%-m月%-d日 %H:%M",
        Some("short") => "%m/%d %H:%M",
        Some(_) => return Err(RenderErrorReason::Other("jst: the only other form is \"short\"".to_owned())),
    };
    let time: Timestamp = time
        .parse()
        .map_err(|_| RenderErrorReason::Other("jst: the value is no RFC 3339 time".to_owned()))?;
    Ok(time.to_zoned(TimeZone::fixed(Offset::constant(9))).strftime(format).to_string())
}

/// `1,234,567円`
fn yen(amount: &Value) -> Result<String, RenderErrorReason> {
    let amount = amount
        .as_i64()
        .ok_or_else(|| RenderErrorReason::Other("yen: the value is no whole number".to_owned()))?;
    let digits = amount.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if amount < 0 { "-" } else { "" };
    Ok(format!("{sign}{grouped}円"))
}

/// `****5678`: four asterisks whatever the length, then the last four, or the last three of a number shorter than
/// seven; a number too short to hide anything is hidden whole.
fn mask_account(number: &str) -> String {
    let characters: Vec<&str> = number.graphemes(true).collect();
    let shown = match characters.len() {
        7.. => 4,
        4..=6 => 3,
        _ => 0,
    };
    format!("****{}", characters[characters.len() - shown..].concat())
}

/// `090-****-5678`; what is no phone number is hidden whole.
fn mask_phone(number: &str) -> String {
    PhoneNumber::parse(number).map_or_else(|_| "****".to_owned(), |phone| phone.masked())
}

/// `t***@example.jp`; what is no address is hidden whole.
fn mask_email(address: &str) -> String {
    EmailAddress::parse(address).map_or_else(|_| "****".to_owned(), |email| email.masked())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_in_jst_to_the_minute() {
        assert_eq!(jst("2026-11-22T06:04:05Z", None).expect("a time"), "2026年11月22日 15:04");
        assert_eq!(jst("2026-12-31T15:00:00Z", Some("short")).expect("a time"), "01/01 00:00");
        assert!(jst("nonsense", None).is_err() && jst("2026-12-31T15:00:00Z", Some("long")).is_err());
    }

    #[test]
    fn yen_has_commas() {
        for (amount, text) in
            [(0, "0円"), (999, "999円"), (1000, "1,000円"), (1_234_567, "1,234,567円"), (-5000, "-5,000円")]
        {
            assert_eq!(yen(&json!(amount)).expect("a whole number"), text);
        }
        assert!(yen(&json!("1000")).is_err() && yen(&json!(0.5)).is_err());
    }

    #[test]
    fn masks_hide_all_but_the_end_and_never_the_length() {
        for (number, masked) in [
            ("1234567", "****4567"),
            ("12345678", "****5678"),
            ("123456", "****456"),
            ("1234", "****234"),
            ("123", "****"),
        ] {
            assert_eq!(mask_account(number), masked);
        }
        assert_eq!(mask_phone("０９０-1234-5678"), "090-****-5678");
        assert_eq!(mask_phone("not a phone 1234"), "****");
        assert_eq!(mask_email("taro@example.jp"), "t***@example.jp");
        assert_eq!(mask_email("secret"), "****");
    }

    #[test]
    fn every_helper_that_is_listed_can_be_called() {
        let mut registry = Handlebars::new();
        register(&mut registry);
        for helper in HELPERS {
            let values = " 1".repeat(helper.needs);
            let called = registry.render_template(&format!("{{{{{}{values}}}}}", helper.name), &json!({}));
            let unknown = called.err().is_some_and(|error| error.to_string().contains("not found"));
            assert!(!unknown, "{}", helper.name);
        }
    }

    #[test]
    fn templates_can_call_every_helper() {
        let mut registry = Handlebars::new();
        register(&mut registry);
        let text =
            r#"{{jst t}}|{{jst t "short"}}|{{yen a}}|{{mask_account n}}|{{mask_phone p}}|{{mask_email e}}"#;
        let data = json!({"t": "2026-11-22T06:04:05Z", "a": 5000, "n": "1234567", "p": "09012345678", "e": "taro@example.jp"});
        assert_eq!(
            registry.render_template(text, &data).expect("renders"),
            "2026年11月22日 15:04|11/22 15:04|5,000円|****4567|090-****-5678|t***@example.jp"
        );
    }
}
