//! Every helper exists and is called as it wants to be.

use handlebars::template::{HelperTemplate, Parameter};
use serde_json::Value;

use super::super::finding::Found;
use super::super::near::meant;
use super::super::tags::{Tag, every_tag, spot};
use super::super::{Check, Premises, Rule, Severity};
use crate::template::{Place, Signature, TemplateSet, is_helper, signatures};

pub const RULE: Rule = Rule {
    name: "helpers",
    severity: Severity::Error,
    about: "every helper exists and gets what it takes; `log` is forbidden: it writes personal data into logs",
    check: Check::Set(check),
};

/// `{{#…}}` with one condition or value.
const BLOCKS: [&str; 4] = ["if", "unless", "each", "with"];

fn check(_: &Premises<'_>, set: &TemplateSet) -> Vec<Found> {
    let mut found = Vec::new();
    every_tag(set, &mut |_, _, tag, at| {
        if let Tag::Helper(tag) = tag
            && let Some((what, mend)) = wrong(tag)
        {
            let name = tag.name.as_name().unwrap_or_default();
            found.push(Found::new(place(set, at, name), what, mend));
        }
    });
    found
}

fn place(set: &TemplateSet, at: &Place, name: &str) -> Place {
    spot(set.files(), at, name)
}

/// What is wrong and the mend.
fn wrong(tag: &HelperTemplate) -> Option<(String, String)> {
    let name = tag.name.as_name()?;
    let lone = !tag.block && tag.params.is_empty() && tag.hash.is_empty();
    if lone && !is_helper(name) {
        return None;
    }
    match name {
        "log" => Some(("`log` writes what it is given into logs".to_owned(), "remove it".to_owned())),
        // What it shows is the template's own text.
        "raw" => None,
        _ if BLOCKS.contains(&name) => block(tag, name),
        _ => match signatures().find(|helper| helper.name == name) {
            Some(helper) => call(tag, &helper),
            None => Some(unknown(tag, name)),
        },
    }
}

fn unknown(tag: &HelperTemplate, name: &str) -> (String, String) {
    let what = format!("there is no helper `{name}`");
    if tag.block && tag.params.is_empty() {
        return (what, format!("write {{{{#if {name}}}}}, {{{{#each {name}}}}} or {{{{#with {name}}}}}"));
    }
    let ours = signatures().map(|helper| helper.name).chain(BLOCKS);
    (what, meant(name, "helpers", ours))
}

fn block(tag: &HelperTemplate, name: &str) -> Option<(String, String)> {
    let form = format!("{{{{#{name} …}}}} … {{{{/{name}}}}}");
    if !tag.block {
        return Some((format!("`{name}` stands without #"), format!("write {form}")));
    }
    let what = match tag.params.len() {
        1 => return None,
        0 => format!("`{name}` has no value"),
        _ => format!("`{name}` takes one value; several need brackets, as in (and a b)"),
    };
    Some((what, format!("write {form}")))
}

fn call(tag: &HelperTemplate, helper: &Signature) -> Option<(String, String)> {
    let Signature { name, needs, takes, forms } = helper;
    let count = tag.params.len();
    if count < *needs || count > *takes {
        return Some((format!("`{name}` gets {count} values"), wants(helper)));
    }
    if let Some(key) = tag.hash.keys().min() {
        return Some((format!("`{name}` takes no `{key}=`"), wants(helper)));
    }
    match tag.params.get(*needs).filter(|_| !forms.is_empty()) {
        Some(Parameter::Literal(Value::String(form))) if !forms.contains(&form.as_str()) => {
            Some((format!("`{name}` has no form \"{form}\""), meant(form, "forms", forms.iter().copied())))
        }
        Some(Parameter::Literal(Value::String(_))) | None => None,
        Some(_) => Some((format!("the form of `{name}` is no text"), wants(helper))),
    }
}

fn wants(helper: &Signature) -> String {
    let Signature { name, needs, takes, forms } = helper;
    let values = " …".repeat(*needs);
    let more = match forms.first() {
        Some(form) => format!(", or {{{{{name}{values} \"{form}\"}}}}"),
        None if takes > needs => ", or more values".to_owned(),
        None => String::new(),
    };
    format!("write {{{{{name}{values}}}}}{more}")
}

#[cfg(test)]
mod tests {
    use super::super::trial::{SMS, trial};
    use super::*;

    #[test]
    fn helpers_called_as_they_want_to_be_pass() {
        let text = "{{jst event.time}}{{jst event.time \"short\"}}{{yen amount}}{{#if (and kind list amount)}}x{{/if}}\
                    {{#if (eq kind \"a\")}}y{{else if (not (or kind list))}}z{{/if}}{{#each list}}{{this}}{{/each}}{{len list}}";
        assert_eq!(trial(&RULE, &[(SMS, text)]), [""; 0]);
    }

    #[test]
    fn what_a_helper_cannot_do_anything_with_is_found() {
        for (text, place, finding) in [
            ("短{{yem amount}}", "1:4", "there is no helper `yem`; did you mean `yen`?"),
            ("{{#if (qe kind 1)}}{{/if}}", "1:8", "there is no helper `qe`; did you mean `eq`?"),
            (
                "{{#account}}x{{/account}}",
                "1:4",
                "write {{#if account}}, {{#each account}} or {{#with account}}",
            ),
            ("{{yen}}", "1:3", "`yen` gets 0 values; write {{yen …}}"),
            ("{{yen amount 1}}", "1:3", "the form of `yen` is no text; write {{yen …}}"),
            ("{{yen amount comma=true}}", "1:3", "`yen` takes no `comma=`; write {{yen …}}"),
            ("{{jst event.time \"nonsense\"}}", "1:3", "`jst` has no form \"nonsense\"; forms: "),
            ("{{jst event.time amount}}", "1:3", "write {{jst …}}, or {{jst … \"short\"}}"),
            ("{{#if (eq kind)}}x{{/if}}", "1:8", "`eq` gets 1 values; write {{eq … …}}"),
            ("{{#if kind list}}x{{/if}}", "1:4", "`if` takes one value"),
            ("{{log amount}}x", "1:3", "`log` writes what it is given into logs; remove it"),
        ] {
            let found = trial(&RULE, &[(SMS, text)]);
            assert!(
                found.len() == 1 && found[0].starts_with(&format!("{SMS}:{place}: ")),
                "{text}: {found:?}"
            );
            assert!(found[0].contains(finding), "{found:?}");
        }
    }
}
