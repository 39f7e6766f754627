//! Kind `http`: the request as configured.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::super::wire::{self, Body, Sms};
use super::config::{BodyFormat, Extra, HttpGatewayConfig, NumberFormat, ValidityFormat};

/// Every header that is configured, each marked so that it never prints.
///
/// # Errors
/// The key and what is wrong with it, in words.
pub(super) fn headers(config: &HttpGatewayConfig) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let mut headers: Vec<_> = authorization(config)?.into_iter().collect();
    for (name, value) in &config.headers {
        let refused = || format!("headers.{name}: is no header");
        let header: HeaderName = name.parse().map_err(|_| refused())?;
        let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| refused())?;
        value.set_sensitive(true);
        headers.push((header, value));
    }
    Ok(headers)
}

/// `Authorization`, in whichever of its ways it was given.
///
/// # Errors
/// More ways than one, half of one, or a character that no header may hold.
pub(super) fn authorization(config: &HttpGatewayConfig) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let value = match (&config.authorization, &config.bearer, &config.user, &config.password) {
        (None, None, None, None) => return Ok(None),
        (Some(whole), None, None, None) => whole.reveal().to_owned(),
        (None, Some(token), None, None) => format!("Bearer {}", token.reveal()),
        (None, None, Some(user), Some(password)) => {
            let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
            format!("Basic {pair}")
        }
        _ => {
            let mend = "is one of: authorization; bearer; user and password (secrets as …_file, too)";
            return Err(mend.to_owned());
        }
    };
    wire::authorization(&value).map(Some)
}

/// The body, its fields in this order: number, text, reference, sender, validity, the further ones by name.
pub(super) fn body(config: &HttpGatewayConfig, sms: &Sms<'_>) -> Body {
    let mut fields = told(config, sms);
    fields.retain(|(name, _)| !name.is_empty());
    fields.extend(config.extra.iter().map(|(name, value)| (name.clone(), value.clone())));
    match config.body {
        BodyFormat::Form => Body::Form(fields.into_iter().flat_map(pairs).collect()),
        BodyFormat::Json => {
            let fields: Map<String, Value> =
                fields.into_iter().map(|(name, value)| (name, in_json(value))).collect();
            Body::Json(Value::Object(fields))
        }
    }
}

/// What each message has of its own.
fn told(config: &HttpGatewayConfig, sms: &Sms<'_>) -> Vec<(String, Extra)> {
    let to = match config.number_format {
        NumberFormat::National => sms.phone.national(),
        NumberFormat::E164 => sms.phone.e164(),
        NumberFormat::E164Digits => sms.phone.e164_digits(),
    };
    let names = &config.fields;
    let one = |name: &String, value: String| (name.clone(), Extra::One(value));
    let mut fields = vec![
        one(&names.to, to),
        one(&names.text, sms.text.to_owned()),
        one(&names.reference, sms.reference.to_owned()),
    ];
    fields.extend(config.sender.iter().map(|sender| one(&names.sender, sender.clone())));
    fields.extend(config.valid_until.iter().map(|end| one(&end.field, valid_until(end.format, sms))));
    fields
}

fn valid_until(format: ValidityFormat, sms: &Sms<'_>) -> String {
    match format {
        // No less than one: 0 would mean something else, or nothing, to a gateway.
        ValidityFormat::Seconds => sms.valid_for.as_secs().max(1).to_string(),
        ValidityFormat::Rfc3339 => {
            let valid_for = SignedDuration::try_from(sms.valid_for).unwrap_or(SignedDuration::MAX);
            let end = sms.now.checked_add(valid_for).unwrap_or(Timestamp::MAX);
            let japan = TimeZone::fixed(Offset::constant(9));
            end.to_zoned(japan).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        }
    }
}

fn pairs((name, value): (String, Extra)) -> Vec<(String, String)> {
    match value {
        Extra::One(value) => vec![(name, value)],
        Extra::Many(values) => values.into_iter().map(|value| (name.clone(), value)).collect(),
    }
}

fn in_json(value: Extra) -> Value {
    match value {
        Extra::One(value) => Value::String(value),
        Extra::Many(values) => json!(values),
    }
}
