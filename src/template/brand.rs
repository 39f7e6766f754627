//! Who speaks, in each locale.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[brand]`: who speaks.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Brand {
    /// The company's name as customers know it.
    pub company: String,
    /// The phone number to call.
    pub phone: String,
    /// When it is answered.
    pub hours: String,
    /// The same for customers who read another language.
    #[serde(default)]
    pub locales: BTreeMap<String, LocaleBrand>,
}

/// `[brand.locales.<locale>]`: what is left out is as in `[brand]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocaleBrand {
    /// The company's name in this language.
    pub company: Option<String>,
    /// A phone number that is answered in this language.
    pub phone: Option<String>,
    /// When it is answered, in this language.
    pub hours: Option<String>,
}

/// Who speaks in one locale. Templates know it as `brand`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Voice<'a> {
    /// The company's name.
    pub company: &'a str,
    /// The phone number to call.
    pub phone: &'a str,
    /// When it is answered.
    pub hours: &'a str,
}

impl Brand {
    /// Who speaks in a locale.
    pub fn voice(&self, locale: &str) -> Voice<'_> {
        let own = self.locales.get(locale);
        Voice {
            company: own.and_then(|own| own.company.as_deref()).unwrap_or(&self.company),
            phone: own.and_then(|own| own.phone.as_deref()).unwrap_or(&self.phone),
            hours: own.and_then(|own| own.hours.as_deref()).unwrap_or(&self.hours),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_locale_does_not_say_is_said_as_usual() {
        let english = LocaleBrand { company: Some("Sample Bank".to_owned()), ..LocaleBrand::default() };
        let brand = Brand {
            company: "サンプル銀行".to_owned(),
            phone: "0120-000-000".to_owned(),
            hours: "24時間".to_owned(),
            locales: BTreeMap::from([("en".to_owned(), english)]),
        };
        let usual = Voice { company: "サンプル銀行", phone: "0120-000-000", hours: "24時間" };
        assert_eq!(brand.voice("ja"), usual);
        assert_eq!(brand.voice("en"), Voice { company: "Sample Bank", ..usual });
    }
}
