//! The helpers that templates have: a table, so that registration, rules and documentation cannot differ. Each is a pure
//! function of one value and the name of a form; whatever it cannot make sense of is an error, never a hole in a text.

mod masks;
mod signature;
mod text;
mod time;
mod yen;

use handlebars::{
    Context, Handlebars, Helper as Call, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson,
};
use serde_json::Value;

pub use self::signature::{Signature, is_helper, signatures};

/// A helper: `{{name VALUE}}`, or `{{name VALUE "form"}}`.
pub struct Helper {
    /// As templates call it.
    pub name: &'static str,
    /// How it is written, with what it is usually given.
    pub usage: &'static str,
    /// What it makes of its value, in a sentence.
    pub about: &'static str,
    /// What the second parameter may be; without one the helper writes its usual form.
    pub forms: &'static [&'static str],
    /// The value and the form, which is one of `forms`; what is wrong, without the value.
    call: fn(&Value, Option<&str>) -> Result<String, &'static str>,
}

/// Every helper, in the order of the documentation.
pub const HELPERS: &[Helper] = &[
    Helper {
        name: "jst",
        usage: "{{jst event.time}}",
        about: "date and time in Japan, to the minute",
        forms: time::JST_FORMS,
        call: time::jst,
    },
    Helper {
        name: "weekday",
        usage: "{{weekday event.time}}",
        about: "day of the week in Japan",
        forms: time::WEEKDAY_FORMS,
        call: time::weekday,
    },
    Helper {
        name: "wareki",
        usage: "{{wareki event.time}}",
        about: "date in Japan by era: 令和, 平成; by the western year before 平成",
        forms: time::WAREKI_FORMS,
        call: time::wareki,
    },
    Helper {
        name: "yen",
        usage: "{{yen amount}}",
        about: "an amount of yen with commas",
        forms: yen::FORMS,
        call: yen::yen,
    },
    Helper {
        name: "mask_account",
        usage: "{{mask_account account_number}}",
        about: "the last three or four characters of an account number",
        forms: &[],
        call: masks::account,
    },
    Helper {
        name: "mask_phone",
        usage: "{{mask_phone line}}",
        about: "the beginning and the last four digits of a phone number",
        forms: &[],
        call: masks::phone,
    },
    Helper {
        name: "mask_email",
        usage: "{{mask_email previous.email}}",
        about: "the first character and the domain of an address",
        forms: &[],
        call: masks::email,
    },
    Helper {
        name: "plain",
        usage: "{{plain device.name}}",
        about: "one line of plain text: usual widths, no emoji, nothing invisible",
        forms: &[],
        call: text::plain,
    },
    Helper {
        name: "safe",
        usage: "{{safe device.name}}",
        about: "what every Japanese SMS route can carry; 〓 for what it cannot",
        forms: &[],
        call: text::safe,
    },
];

/// Registers every helper.
pub(super) fn register(registry: &mut Handlebars<'_>) {
    for helper in HELPERS {
        registry.register_helper(helper.name, Box::new(helper));
    }
}

impl Helper {
    /// The one value and the form of a call.
    fn arguments<'a>(&self, call: &'a Call<'_>) -> Result<(&'a Value, Option<&'static str>), String> {
        if call.is_block() {
            return Err(self.misused("it is no block"));
        }
        if !call.hash().is_empty() {
            return Err(self.misused("it has no named parameters"));
        }
        let values = call.params();
        let form = match values.len() {
            1 => None,
            2 => Some(self.form(values[1].value())?),
            0 => return Err(self.misused("it needs a value")),
            _ => return Err(self.misused("it takes one value and a form at most")),
        };
        Ok((values[0].value(), form))
    }

    fn form(&self, given: &Value) -> Result<&'static str, String> {
        let known = given.as_str().and_then(|given| self.forms.iter().find(|form| **form == given));
        known.copied().ok_or_else(|| match self.forms {
            [] => self.misused("it has no forms: leave the second parameter out"),
            forms => format!("{}: no such form; it has {}", self.name, quoted(forms)),
        })
    }

    fn misused(&self, what: &str) -> String {
        format!("{}: {what}; write {}", self.name, self.usage)
    }
}

fn quoted(forms: &[&str]) -> String {
    forms.iter().map(|form| format!("\"{form}\"")).collect::<Vec<_>>().join(", ")
}

impl HelperDef for &'static Helper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        registry: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        // The same words as for a variable that stands alone.
        let missing = call.params().iter().find(|value| value.is_value_missing());
        if let Some(missing) = missing.filter(|_| registry.strict_mode()) {
            return Err(RenderErrorReason::MissingVariable(missing.relative_path().cloned()).into());
        }
        let (value, form) = self.arguments(call).map_err(RenderErrorReason::Other)?;
        let text = (self.call)(value, form)
            .map_err(|what| RenderErrorReason::Other(format!("{}: {what}", self.name)))?;
        Ok(ScopedJson::Derived(text.into()))
    }
}

/// A value that has to be a text.
fn text(value: &Value) -> Result<&str, &'static str> {
    value.as_str().ok_or("the value is no text")
}

#[cfg(test)]
mod tests;
