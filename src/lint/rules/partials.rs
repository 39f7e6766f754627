//! Every partial that is called exists, calls no partial in a circle, gets the block that it shows, and is called at all.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::template::DecoratorTemplate;

use super::super::finding::Found;
use super::super::near::meant;
use super::super::tags::{Tag, every_tag, spot, tags};
use super::super::{Check, Premises, Rule, Severity};
use crate::template::{Place, TemplateSet};

pub const RULE: Rule = Rule {
    name: "partials",
    severity: Severity::Error,
    about: "every partial that is called exists, ends, and gets the block that it shows",
    check: Check::Set(check),
};

pub const UNUSED: Rule = Rule {
    name: "unused-partial",
    severity: Severity::Warning,
    about: "every partial is called from somewhere: what nobody reads grows old unseen",
    check: Check::Set(unused),
};

const BLOCK: &str = "@partial-block";

fn check(_: &Premises<'_>, set: &TemplateSet) -> Vec<Found> {
    let mut found = Vec::new();
    every_tag(set, &mut |locale, html, tag, at| match tag {
        Tag::Partial(call) => found.extend(called(set, locale, html, call, at)),
        Tag::Inline => {
            let mend = "write it as a file in _partials/";
            found.push(Found::new(at.clone(), "a partial inside a template is looked at by no check", mend));
        }
        Tag::Helper(_) => {}
    });
    for locale in set.locales() {
        found.extend([false, true].into_iter().flat_map(|html| circles(set, locale, html)));
    }
    found
}

fn called(
    set: &TemplateSet,
    locale: &str,
    html: bool,
    call: &DecoratorTemplate,
    at: &Place,
) -> Option<Found> {
    let Some(name) = call.name.as_name() else {
        return Some(Found::new(
            at.clone(),
            "a partial's name is computed, which no check can follow",
            "write its name",
        ));
    };
    if name == BLOCK {
        return None;
    }
    let Some((template, _)) = set.template(locale, name, html) else {
        let known = partials(set, locale, html).map(|(name, _)| name);
        let kind = if html { "HTML" } else { "text" };
        let what = format!("there is no partial `{name}` for {kind}");
        return Some(Found::new(spot(set.files(), at, name), what, meant(name, "partials", known)));
    };
    let mut shows_block = false;
    tags(template, at, &mut |tag, _| {
        let shows = |call: &DecoratorTemplate| call.name.as_name() == Some(BLOCK) && call.template.is_none();
        shows_block |= matches!(tag, Tag::Partial(call) if shows(call));
    });
    let what = || format!("partial `{name}` shows a block, and this call gives none");
    let mend = || format!("write {{{{#> {name}}}}} … {{{{/{name}}}}}");
    (shows_block && call.template.is_none()).then(|| Found::new(at.clone(), what(), mend()))
}

/// The partials of a registry; the parts of event types have a `/` in their names.
fn partials<'a>(
    set: &'a TemplateSet,
    locale: &str,
    html: bool,
) -> impl Iterator<Item = (&'a str, &'a Place)> {
    let templates = set.templates(locale, html);
    templates.map(|(name, _, place)| (name, place)).filter(|(name, _)| !name.contains('/'))
}

/// Calls that lead back to where they stand.
fn circles(set: &TemplateSet, locale: &str, html: bool) -> Vec<Found> {
    let mut calls: BTreeMap<&str, Vec<(&str, Place)>> = BTreeMap::new();
    for (name, template, file) in set.templates(locale, html) {
        tags(template, file, &mut |tag, at| {
            if let Tag::Partial(call) = tag
                && let Some(callee) = call.name.as_name()
            {
                calls.entry(name).or_default().push((callee, at.clone()));
            }
        });
    }
    let leads_back = |name: &str, callee: &str| reachable(&calls, callee).contains(name);
    let all = calls.iter().flat_map(|(name, calls)| calls.iter().map(move |call| (*name, call)));
    let circles = all.filter(|(name, (callee, _))| leads_back(name, callee));
    let mend = "take the text that both need into a third partial";
    circles
        .map(|(name, (callee, at))| {
            let what = format!("partial `{callee}` calls `{name}` again, without end");
            Found::new(spot(set.files(), at, callee), what, mend)
        })
        .collect()
}

/// A partial and all that it calls, and so on.
fn reachable<'a>(calls: &BTreeMap<&str, Vec<(&'a str, Place)>>, from: &'a str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        let callees = calls.get(name).into_iter().flatten().map(|(callee, _)| *callee);
        next.extend(callees.filter(|callee| seen.insert(callee)));
    }
    seen
}

/// A file counts as used when text or HTML calls it.
fn unused(_: &Premises<'_>, set: &TemplateSet) -> Vec<Found> {
    let mut used: BTreeSet<&Place> = BTreeSet::new();
    every_tag(set, &mut |locale, html, tag, _| {
        if let Tag::Partial(call) = tag
            && let Some((_, place)) = call.name.as_name().and_then(|name| set.template(locale, name, html))
        {
            used.insert(place);
        }
    });
    let all: BTreeMap<&Place, &str> = set
        .locales()
        .flat_map(|locale| [false, true].into_iter().flat_map(move |html| partials(set, locale, html)))
        .map(|(name, place)| (place, name))
        .collect();
    let unused = all.into_iter().filter(|(place, _)| !used.contains(place));
    unused
        .map(|(place, name)| {
            Found::new(place.clone(), format!("nothing calls partial `{name}`"), "remove the file")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::trial::{HTML, SMS, trial};
    use super::*;

    #[test]
    fn partials_that_exist_and_end_pass() {
        let files = [
            (SMS, "{{> own}}{{#> box}}x{{/box}}"),
            (HTML, "{{> own}}"),
            ("ja/_partials/own.txt.hbs", "{{> deep}}"),
            ("ja/_partials/own.html.hbs", "{{> deep}}"),
            ("ja/_partials/deep.hbs", "x"),
            ("ja/_partials/box.hbs", "[{{> @partial-block}}]"),
        ];
        assert_eq!(trial(&RULE, &files), [""; 0]);
        assert_eq!(trial(&UNUSED, &files), [""; 0]);
    }

    #[test]
    fn a_partial_that_is_missing_where_it_is_called_is_found() {
        let own = ("ja/_partials/head.html.hbs", "x");
        let found = trial(
            &RULE,
            &[(SMS, "短\n{{#if kind}}x{{else}}{{> heet}}{{/if}}"), own, ("ja/_partials/heat.hbs", "x")],
        );
        assert_eq!(found, [format!("{SMS}:2:26: there is no partial `heet` for text; did you mean `heat`?")]);
        let found = trial(&RULE, &[(SMS, "{{> head}}"), own]);
        assert_eq!(found, [format!("{SMS}:1:5: there is no partial `head` for text; there are no partials")]);
    }

    #[test]
    fn a_circle_a_missing_block_and_what_no_check_can_follow_are_found() {
        let a = ("ja/_partials/a.hbs", "{{> b}}");
        let found =
            trial(&RULE, &[(SMS, "{{> a}}"), a, ("ja/_partials/b.hbs", "{{#if kind}}{{> a}}{{/if}}")]);
        // Shared partials are in text and in HTML.
        assert!(
            found.iter().any(|line| line.starts_with("ja/_partials/b.hbs:1:17: partial `a` calls `b` again")),
            "{found:?}"
        );
        let found = trial(&RULE, &[(SMS, "{{> box}}"), ("ja/_partials/box.hbs", "{{> @partial-block}}")]);
        assert_eq!(
            found,
            [format!(
                "{SMS}:1:1: partial `box` shows a block, and this call gives none; write {{{{#> box}}}} … {{{{/box}}}}"
            )]
        );
        let found = trial(&RULE, &[(SMS, "{{#*inline \"x\"}}y{{/inline}}{{> (lookup kind \"a\")}}z")]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_partial_that_nothing_calls_is_found_once() {
        let found =
            trial(&UNUSED, &[("ja/_partials/old.hbs", "x"), ("ja/_partials/p.hbs", "x"), (HTML, "{{> p}}")]);
        assert_eq!(found, ["ja/_partials/old.hbs: nothing calls partial `old`; remove the file"]);
    }
}
