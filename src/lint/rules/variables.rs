//! Every variable exists: in the event type's schema, or among what every template knows.

use super::super::finding::Found;
use super::super::near::meant;
use super::super::walk::{Seen, Sighting, gathered};
use super::super::{Check, Rule, Severity};
use crate::event::EventType;

pub const RULE: Rule = Rule {
    name: "variables",
    severity: Severity::Error,
    about: "every variable is in the schema of its event type or known to all templates, in every branch",
    check: Check::Names(check),
};

fn check(seen: &[(&EventType, Sighting)]) -> Vec<Found> {
    gathered(seen, |sighting| {
        let name = &sighting.name;
        match &sighting.seen {
            Seen::Unknown(known) => {
                let mend = meant(name, "names here", known.iter().map(String::as_str));
                Some((format!("there is no `{name}`"), mend))
            }
            Seen::NotGiven(partial) => {
                let what = format!("partial `{partial}` shows `{name}`, which this call does not give");
                Some((
                    what,
                    format!("write {{{{> {partial} {name}=…}}}}, or put it inside {{{{#if {name}}}}} there"),
                ))
            }
            Seen::Compound(of) => {
                let what = format!("`{name}` has {of}, which a text cannot show");
                let mend = if *of == "items" {
                    format!("write {{{{#each {name}}}}}")
                } else {
                    "name one of them".into()
                };
                Some((what, mend))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::trial::{SMS, trial};
    use super::*;

    #[test]
    fn names_of_the_schema_and_those_that_all_templates_know_pass_in_every_block() {
        let all = "{{amount}}{{event.id}}{{brand.phone}}{{notification.contact}}{{#if note}}{{note}}{{/if}}\
                   {{#each list}}{{this}}{{@index}}{{#if @first}}{{../amount}}{{@root.amount}}{{/if}}{{/each}}\
                   {{#each rows as |row nth|}}{{row.bank}}{{nth}}{{amount}}{{/each}}\
                   {{#with account}}{{bank}}{{/with}}{{> p account label=amount}}{{#> box}}{{amount}}{{/box}}";
        let p = ("ja/_partials/p.hbs", "{{bank}}{{label}}{{#if pad}}{{pad}}{{/if}}{{> q}}");
        let q = ("ja/_partials/q.hbs", "{{label}}{{> box pad=\"x\"}}");
        let pads = ("ja/_partials/pads.hbs", "{{> p account label=\"x\" pad=\" \"}}");
        let box_ = ("ja/_partials/box.hbs", "{{#> @partial-block}}{{amount}}{{/@partial-block}}");
        // Within `each … as |row|`, a name without anything before it is the row's.
        let all = all.replace("{{nth}}{{amount}}", "{{nth}}{{bank}}");
        let q_box = (box_.0, "{{> @partial-block}}");
        let q = (q.0, q.1.replace("{{> box pad=\"x\"}}", ""));
        assert_eq!(trial(&RULE, &[(SMS, &all), p, (q.0, &q.1), pads, q_box]), [""; 0]);
    }

    #[test]
    fn a_name_that_there_is_not_is_found_wherever_it_stands() {
        for (text, place, mend) in [
            ("{{amuont}}", "1:3", "did you mean `amount`?"),
            ("日{{#if a}}{{/if}}\n{{#if notte}}x{{/if}}", "2:7", "did you mean `note`?"),
            ("{{#unless notte}}x{{/unless}}", "1:11", "did you mean `note`?"),
            ("{{#if kind}}x{{else if (eq kimd \"a\")}}y{{/if}}", "1:28", "did you mean `kind`?"),
            ("{{#with account}}{{bamk}}{{/with}}", "1:20", "did you mean `bank`?"),
            ("{{#each rows}}{{amount}}{{/each}}", "1:17", "names here: bank"),
            ("{{account.bamk}}", "1:3", "did you mean `account.bank`?"),
            ("{{event.tpye}}", "1:3", "did you mean `event.type`?"),
            ("{{yen (lookup acount \"x\")}}", "1:15", "did you mean `account`?"),
            ("{{> p label=amuont}}", "1:13", "did you mean `amount`?"),
            ("{{@index}}", "1:3", "there are no names here"),
        ] {
            let found = trial(&RULE, &[(SMS, text), ("ja/_partials/p.hbs", "{{label}}")]);
            let line = found.iter().find(|line| line.starts_with(&format!("{SMS}:{place}: there is no")));
            assert!(line.is_some_and(|line| line.ends_with(mend)), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_partial_is_read_with_what_each_call_brings_and_names_its_types() {
        let p = ("ja/_partials/p.hbs", "{{bank}}");
        let found = trial(&RULE, &[(SMS, "{{> p account}}{{> p}}"), p]);
        assert_eq!(
            found,
            ["ja/_partials/p.hbs:1:3: there is no `bank`; names here: account, amount, brand, event, \
                            how, kind, list, note, notification, previous, recipient, rows"]
        );
        let found = trial(&RULE, &[(SMS, "{{> p label=\"x\"}}\n{{> p}}"), (p.0, "{{label}}")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with(&format!("{SMS}:2:1: partial `p` shows `label`")), "{found:?}");
    }

    #[test]
    fn what_has_fields_or_items_is_not_shown_as_it_is() {
        let found = trial(&RULE, &[(SMS, "{{account}}{{list}}")]);
        assert!(
            found[0].contains("`account` has fields") && found[1].contains("`list` has items"),
            "{found:?}"
        );
    }
}
