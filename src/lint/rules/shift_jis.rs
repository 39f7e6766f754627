//! Every character of an SMS can travel a route that has Shift_JIS alone.

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::template::{in_shift_jis, substituted};

pub const RULE: Rule = Rule {
    name: "shift-jis",
    severity: Severity::Error,
    about: "every character of an SMS exists in Shift_JIS, after what the worker substitutes by itself: domestic routes break others or refuse the text",
    check: Check::Message(check),
};

fn check(_: &Premises<'_>, specimen: &Specimen) -> Vec<Found> {
    let Some(sms) = specimen.sms() else { return Vec::new() };
    let mut outside: Vec<char> = substituted(sms.text()).chars().filter(|c| !in_shift_jis(*c)).collect();
    outside.sort_unstable();
    outside.dedup();
    let mut all = Vec::new();
    for c in outside {
        let at = sms.text().find(c).unwrap_or(0);
        let own = sms.is_own(at);
        // An extreme is made up: what characters it has says nothing.
        if own || !specimen.extreme {
            let code = u32::from(c);
            let whose = if own { "has" } else { "shows a value with" };
            let what = format!("{whose} {c} (U+{code:04X}), which Shift_JIS does not have");
            let mend = if own { "write another character" } else { "leave the value out of the SMS" };
            all.push(Found::new(sms.place(at), what, mend).shown_by(specimen));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{House, SMS};
    use super::*;

    #[test]
    fn a_text_of_shift_jis_passes_with_what_is_substituted_and_an_emoji_fails() {
        let house = House::new(json!({"name": "髙橋", "shop": "𠮷野家"}));
        assert_eq!(house.findings(&RULE, &[(SMS, "10〜11時 ｶﾞ—‖① {{name}} ¥1,000")]), [""; 0]);
        for (text, place) in
            [("見本\n🔒銀行", ":2:1: "), ("見本{{shop}}", ":1:3: "), ("한국", ":1:1: "), ("résumé", ":1:2: ")]
        {
            let found = house.findings(&RULE, &[(SMS, text)]);
            assert!(!found.is_empty() && found.iter().any(|it| it.contains(place)), "{text}: {found:?}");
        }
    }
}
