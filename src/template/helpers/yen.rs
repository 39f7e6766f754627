//! Amounts of yen.

use serde_json::Value;

/// The forms of [`yen`].
pub(super) const FORMS: &[&str] = &["en"];

/// Whole numbers are exact up to here when JSON writes them with a decimal point: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// `1,234,567円` or `JPY 1,234,567`.
pub(super) fn yen(amount: &Value, form: Option<&str>) -> Result<String, &'static str> {
    let amount = whole(amount).ok_or("the value is no whole number")?;
    let (sign, digits) = (if amount < 0 { "-" } else { "" }, grouped(amount));
    Ok(match form {
        Some("en") => format!("JPY {sign}{digits}"),
        _ => format!("{sign}{digits}円"),
    })
}

/// What JSON Schema calls an integer: `5000.0` is one too.
fn whole(amount: &Value) -> Option<i128> {
    let float = || amount.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT);
    let exact = amount.as_i64().map(i128::from).or_else(|| amount.as_u64().map(i128::from));
    // Checked: it is whole and within what an i128 holds.
    exact.or_else(|| float().map(|float| float as i128))
}

fn grouped(amount: i128) -> String {
    let digits = amount.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yen_has_commas() {
        for (amount, text) in [
            (json!(0), "0円"),
            (json!(999), "999円"),
            (json!(1000), "1,000円"),
            (json!(1_234_567), "1,234,567円"),
            (json!(-5000), "-5,000円"),
            (json!(5000.0), "5,000円"),
            (json!(u64::MAX), "18,446,744,073,709,551,615円"),
        ] {
            assert_eq!(yen(&amount, None).as_deref(), Ok(text));
        }
        assert_eq!(yen(&json!(1_234_567), Some("en")).as_deref(), Ok("JPY 1,234,567"));
    }

    #[test]
    fn what_is_no_whole_number_is_no_amount() {
        for amount in [json!("1000"), json!(0.5), json!(1e300), json!(null), json!([1])] {
            assert!(yen(&amount, None).is_err(), "{amount}");
        }
    }
}
