//! Nothing that is to be masked is shown whole.

use std::iter::repeat_n;

use serde_json::Value;

use super::super::finding::Found;
use super::super::html::{Html, Token};
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::event::{EventSchema, PhoneNumber};
use crate::template::{Part, Traced, narrow};

pub const RULE: Rule = Rule {
    name: "masked",
    severity: Severity::Error,
    about: "numbers of accounts and cards, lines, phones and addresses show four digits at most, a user_id nothing: a notice may reach the wrong hands",
    check: Check::Message(check),
};

/// Masked unless a schema says `"x-masked": false`; other properties are if it says `"x-masked": true`.
const NAMES: [&str; 7] = ["account_number", "card_number", "phone", "email", "auth_email", "line", "user_id"];

/// Attributes that hold no words.
const MARKUP: [&str; 3] = ["style", "class", "role"];

/// What is shorter is found anywhere, and says nothing of whose it is.
const SHORTEST: usize = 4;

/// A value that no text may hold.
struct Secret {
    /// Its property.
    name: String,
    /// Without blanks, and with narrow small letters.
    plain: String,
    /// The digits of a number in groups; the whole number, or its last five.
    digits: Vec<String>,
}

fn check(_: &Premises<'_>, specimen: &Specimen) -> Vec<Found> {
    let Ok(texts) = &specimen.texts else { return Vec::new() };
    let secrets = secrets(&specimen.event.kind.schema, &specimen.event.data);
    let found = texts.parts().into_iter().flat_map(|(part, text)| match part {
        Part::Html => specimen.html().map(|html| in_html(text, html, &secrets)).unwrap_or_default(),
        _ => shown(text, text.text(), &|at| at, &secrets),
    });
    found.map(|found| found.shown_by(specimen)).collect()
}

/// Secrets in what is seen, and in attributes: whoever looks at the source sees those.
fn in_html(whole: &Traced, html: &Html, secrets: &[Secret]) -> Vec<Found> {
    let seen = &html.visible;
    let mut all = shown(whole, &seen.text, &|at| seen.source(at), secrets);
    for token in &html.tokens {
        if let Token::Open(tag) = token {
            let attributes = tag.attributes.iter().filter(|it| !MARKUP.contains(&it.name.as_str()));
            all.extend(
                attributes
                    .flat_map(|it| shown(whole, &whole.text()[it.at..it.end], &|at| it.at + at, secrets)),
            );
        }
    }
    all
}

/// Secrets in what is read. `source` says where in the whole text its bytes are.
fn shown(whole: &Traced, text: &str, source: &dyn Fn(usize) -> usize, secrets: &[Secret]) -> Vec<Found> {
    let plain = Plain::of(text);
    let digits = plain.without(is_separator);
    let is_data = |at: &usize| whole.is_data(*at);
    let place = |secret: &Secret| {
        let numbers = secret.digits.iter().flat_map(|number| digits.find(number));
        plain.find(&secret.plain).chain(numbers).map(source).find(is_data)
    };
    secrets.iter().filter_map(|secret| Some(found(whole, place(secret)?, &secret.name))).collect()
}

fn found(text: &Traced, at: usize, name: &str) -> Found {
    let (what, mend) = match name {
        "user_id" => ("shows user_id".to_owned(), "leave it out".to_owned()),
        name if name.contains("mail") => {
            (format!("shows {name} unmasked"), format!("write {{{{mask_email {name}}}}}"))
        }
        name => {
            let helper = if matches!(name, "phone" | "line") { "mask_phone" } else { "mask_account" };
            (
                format!("shows more of {name} than its last four digits"),
                format!("write {{{{{helper} {name}}}}}"),
            )
        }
    };
    Found::new(text.place(at), what, mend)
}

/// The values to be masked, except those that other data of the event hold too: they may be shown, as those.
fn secrets(schema: &EventSchema, data: &Value) -> Vec<Secret> {
    let (mut secret, mut open) = (Vec::new(), Vec::new());
    sort(schema, data, &mut secret, &mut open);
    let secrets = secret.into_iter().map(|(name, value)| Secret::new(name, &value));
    let open: Vec<Plain> = open.iter().map(|value| Plain::of(value)).collect();
    let shown = |secret: &Secret| {
        let numbers = |value: &Plain| {
            let digits = value.without(is_separator);
            secret.digits.iter().any(|number| digits.find(number).next().is_some())
        };
        open.iter().any(|value| value.find(&secret.plain).next().is_some() || numbers(value))
    };
    secrets.filter(|secret| secret.plain.chars().count() >= SHORTEST && !shown(secret)).collect()
}

fn sort(schema: &EventSchema, data: &Value, secret: &mut Vec<(String, String)>, open: &mut Vec<String>) {
    match data {
        Value::Object(fields) => {
            for (name, value) in fields {
                let masked = schema.masks(name).unwrap_or(NAMES.contains(&name.as_str()));
                match value {
                    Value::String(text) if masked => secret.push((name.clone(), text.clone())),
                    Value::Number(number) if masked => secret.push((name.clone(), number.to_string())),
                    value => sort(schema, value, secret, open),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| sort(schema, item, secret, open)),
        Value::String(text) => open.push(text.clone()),
        Value::Number(number) => open.push(number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

impl Secret {
    fn new(name: String, value: &str) -> Self {
        let plain = Plain::of(value).text;
        let number = plain.chars().all(|c| c.is_ascii_digit() || is_separator(c) || c == '+');
        let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
        let national = PhoneNumber::parse(value).ok().map(|phone| phone.national());
        let mut all: Vec<String> = Vec::new();
        if number && digits.len() >= SHORTEST {
            all.extend((digits.len() > SHORTEST).then(|| digits[digits.len() - SHORTEST - 1..].to_owned()));
            all.push(digits);
        }
        all.extend(national);
        Self { name, plain, digits: all }
    }
}

/// Between the digits of a number.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '(' | ')' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}' | 'ー')
}

/// A text without blanks, in narrow small letters; each character knows its byte in the text.
struct Plain {
    text: String,
    bytes: Vec<usize>,
}

impl Plain {
    fn of(text: &str) -> Self {
        let small = narrow(text).flat_map(|(at, c)| c.to_lowercase().map(move |c| (at, c)));
        small.filter(|(_, c)| !c.is_whitespace()).collect()
    }

    fn without(&self, is_left_out: impl Fn(char) -> bool) -> Self {
        let kept = self.text.char_indices().filter(|(_, c)| !is_left_out(*c));
        kept.map(|(at, c)| (self.bytes[at], c)).collect()
    }

    /// The bytes in the text where a value stands.
    fn find(&self, value: &str) -> impl Iterator<Item = usize> {
        self.text.match_indices(value).map(|(at, _)| self.bytes[at])
    }
}

impl FromIterator<(usize, char)> for Plain {
    fn from_iter<I: IntoIterator<Item = (usize, char)>>(characters: I) -> Self {
        let mut plain = Self { text: String::new(), bytes: Vec::new() };
        for (at, c) in characters {
            plain.text.push(c);
            plain.bytes.extend(repeat_n(at, c.len_utf8()));
        }
        plain
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{HTML, House, SMS, TEXT};
    use super::*;

    fn house() -> House {
        House::new(json!({
            "recipient": {"user_id": "U1000001", "phone": "+81 90-1234-5678", "email": "taro@example.jp"},
            "account_number": "2468013", "line": "０９０－８７６５－４３２１", "code": "0042", "bank": "見本銀行"
        }))
    }

    #[test]
    fn masks_pass_and_a_value_shown_whole_fails_where_it_stands() {
        let good = "{{mask_account account_number}} {{mask_phone line}} {{mask_email recipient.email}} {{code}} {{bank}}";
        assert_eq!(house().findings(&RULE, &[(SMS, good), (TEXT, good), (HTML, good)]), [""; 0]);
        for tag in ["account_number", "line", "recipient.phone", "recipient.email", "recipient.user_id"] {
            for file in [SMS, TEXT, HTML] {
                let found = house().findings(&RULE, &[(file, &format!("口座 {{{{{tag}}}}}"))]);
                assert!(
                    found.len() == 1 && found[0].starts_with(&format!("{file}:1:4:")),
                    "{tag}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn a_value_that_a_partial_or_an_attribute_shows_fails_too() {
        let partial = ("ja/_partials/show.hbs", "値：{{value}}");
        let attribute = "<img alt=\"口座&amp;{{account_number}}\">";
        assert_eq!(house().findings(&RULE, &[(HTML, attribute)]).len(), 1);
        let found = house().findings(&RULE, &[partial, (SMS, "{{> show value=account_number}}")]);
        assert!(found.len() == 1 && found[0].starts_with(&format!("{SMS}:1:1:")), "{found:?}");
    }

    #[test]
    fn a_schema_masks_further_properties_and_may_say_that_one_is_none() {
        let schema = |line: bool| {
            let data = json!({"line": "見本山手線", "holder": "見本口座番号"});
            json!({
                "type": "object", "required": ["line", "holder"], "examples": [data, data],
                "properties": {
                    "line": {"enum": [data["line"]], "x-masked": line},
                    "holder": {"enum": [data["holder"]], "x-masked": true}
                }
            })
        };
        let text = [(SMS, "{{line}}"), (TEXT, "{{holder}}")];
        assert_eq!(House::with_schema(schema(true)).findings(&RULE, &text).len(), 2);
        assert_eq!(House::with_schema(schema(false)).findings(&RULE, &text).len(), 1);
    }

    #[test]
    fn what_the_house_writes_itself_and_what_other_data_hold_too_is_no_secret() {
        let house = House::new(
            json!({"account_number": "0000", "phone": "国国国国", "bank": "国国国国国", "line": "123"}),
        );
        let text = "0120-000-000 {{brand.phone}} {{bank}} {{line}} {{jst event.time}}";
        assert_eq!(house.findings(&RULE, &[(SMS, text), (HTML, text)]), [""; 0]);
    }
}
