//! Codes are compared with codes that there are, and each of them has words.

use super::super::finding::Found;
use super::super::near::meant;
use super::super::walk::{Seen, Sighting, gathered};
use super::super::{Check, Rule, Severity};
use crate::event::EventType;

pub const RULE: Rule = Rule {
    name: "codes",
    severity: Severity::Error,
    about: "a field with an enum is compared with one of its values: a branch for any other is never taken",
    check: Check::Names(check),
};

pub const UNNAMED: Rule = Rule {
    name: "unnamed-code",
    severity: Severity::Warning,
    about: "a chain of {{else if}} over a field with an enum names each of its values, or ends with {{else}}",
    check: Check::Names(unnamed),
};

fn check(seen: &[(&EventType, Sighting)]) -> Vec<Found> {
    gathered(seen, |sighting| {
        let Seen::NoCode(literal, codes) = &sighting.seen else { return None };
        let mend = meant(literal, "values", codes.iter().map(String::as_str));
        Some((format!("`{}` is never \"{literal}\"", sighting.name), mend))
    })
}

fn unnamed(seen: &[(&EventType, Sighting)]) -> Vec<Found> {
    gathered(seen, |sighting| {
        let Seen::Unnamed(codes) = &sighting.seen else { return None };
        let what =
            format!("`{}` may also be {}, for which nothing is written", sighting.name, codes.join(", "));
        Some((what, "add {{else if}} for it, or {{else}}".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::trial::{SMS, trial};
    use super::*;

    #[test]
    fn codes_of_the_schema_pass_and_others_are_found_also_in_lists_and_in_an_else_if() {
        let good = "{{#if (eq kind \"a\")}}あ{{else if (ne kind \"b\")}}い{{/if}}\
                    {{#each list}}{{#if (eq this \"x\")}}え{{/if}}{{/each}}{{#if (eq notification.contact \"previous\")}}お{{/if}}";
        assert_eq!(trial(&RULE, &[(SMS, good)]), [""; 0]);
        for (text, place, mend) in [
            ("{{#if (eq kind \"z\")}}あ{{/if}}", "1:17", "did you mean `a`?"),
            ("{{#if (eq kind \"a\")}}あ{{else if (eq kind \"other\")}}い{{/if}}", "1:43", "values: a, b, c"),
            ("{{#each list}}{{#if (eq \"phome\" this)}}え{{/if}}{{/each}}", "1:26", "did you mean `phone`?"),
            ("{{#if (eq notification.channel \"mail\")}}お{{/if}}", "1:33", "did you mean `email`?"),
        ] {
            let found = trial(&RULE, &[(SMS, text)]);
            assert!(
                found.len() == 1 && found[0].starts_with(&format!("{SMS}:{place}: `")),
                "{text}: {found:?}"
            );
            assert!(found[0].ends_with(mend), "{found:?}");
        }
    }

    #[test]
    fn a_code_without_words_is_found_unless_something_is_written_for_the_others() {
        let chain = |end: &str| {
            format!("{{{{#if (eq kind \"a\")}}}}あ{{{{else if (eq kind \"b\")}}}}い{end}{{{{/if}}}}")
        };
        for good in [
            chain("{{else if (eq kind \"c\")}}う"),
            chain("{{else}}う"),
            "{{#if (eq kind \"a\")}}あ{{/if}}".into(),
        ] {
            assert_eq!(trial(&UNNAMED, &[(SMS, &good)]), [""; 0], "{good}");
        }
        let found = trial(&UNNAMED, &[(SMS, &chain(""))]);
        assert_eq!(
            found,
            [format!(
                "{SMS}:1:11: `kind` may also be c, for which nothing is written; add {{{{else if}}}} for it, or {{{{else}}}}"
            )]
        );
    }
}
