//! The tags of a template, one after the other, with their places.

use handlebars::Template;
use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};

use crate::assets::Files;
use crate::template::{Place, TemplateSet};

/// Something between braces.
#[derive(Clone, Copy)]
pub enum Tag<'a> {
    /// `{{name}}`, `{{helper …}}`, `{{#helper …}}`, and `(helper …)` in any of them.
    Helper(&'a HelperTemplate),
    /// `{{> name …}}`, `{{#> name …}}`.
    Partial(&'a DecoratorTemplate),
    /// `{{#*inline …}}`
    Inline,
}

/// Visits every tag below a template; `visit` gets its place, and for a subexpression that of the tag around it.
pub fn tags<'a>(template: &'a Template, file: &Place, visit: &mut impl FnMut(Tag<'a>, &Place)) {
    Visitor { file, visit }.template(template, file);
}

/// Visits every tag of every template of a set, a shared partial once for text and once for HTML. `visit` also gets the
/// locale and whether it is HTML.
pub fn every_tag<'a>(set: &'a TemplateSet, visit: &mut impl FnMut(&'a str, bool, Tag<'a>, &Place)) {
    for locale in set.locales() {
        for html in [false, true] {
            for (_, template, place) in set.templates(locale, html) {
                tags(template, place, &mut |tag, at| visit(locale, html, tag, at));
            }
        }
    }
}

/// Where a word stands, at or behind a place; the place itself where the word is not found. The tags of an `{{else if}}`
/// have no place of their own, and a word's is better than its tag's.
pub fn spot(files: &Files, at: &Place, word: &str) -> Place {
    let source = files.get(&at.path).unwrap_or_default();
    let begin = if at.line == 0 { 0 } else { at.offset(source) };
    let is_word = |c: char| c.is_alphanumeric() || "_@./-".contains(c);
    let stands_alone = |found: &usize| {
        let (before, after) = (&source[..*found], &source[found + word.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    };
    let found = source[begin..].match_indices(word).map(|(found, _)| begin + found).find(stands_alone);
    found
        .filter(|_| !word.is_empty())
        .map_or_else(|| at.clone(), |found| at.at(1, 1).behind(&source[..found]))
}

/// The places of a template's elements. The template of an `{{else if}}` has none: its element stands where its block does.
pub fn placed<'t, 'p>(
    template: &'t Template,
    file: &'p Place,
    around: &'p Place,
) -> impl Iterator<Item = (&'t TemplateElement, Place)> + use<'t, 'p> {
    let place = |index: usize| template.mapping.get(index).map(|at| file.at(at.0, at.1));
    let elements = template.elements.iter().enumerate();
    elements.map(move |(index, element)| (element, place(index).unwrap_or_else(|| around.clone())))
}

struct Visitor<'f, F> {
    file: &'f Place,
    visit: F,
}

impl<'a, F: FnMut(Tag<'a>, &Place)> Visitor<'_, F> {
    fn template(&mut self, template: &'a Template, around: &Place) {
        for (element, at) in placed(template, self.file, around) {
            self.element(element, &at);
        }
    }

    fn element(&mut self, element: &'a TemplateElement, at: &Place) {
        match element {
            TemplateElement::Expression(tag) | TemplateElement::HtmlExpression(tag) => self.helper(tag, at),
            TemplateElement::HelperBlock(tag) => self.helper(tag, at),
            TemplateElement::PartialExpression(call) | TemplateElement::PartialBlock(call) => {
                (self.visit)(Tag::Partial(call), at);
                self.call(call, at);
            }
            TemplateElement::DecoratorExpression(call) | TemplateElement::DecoratorBlock(call) => {
                (self.visit)(Tag::Inline, at);
                self.call(call, at);
            }
            _ => {}
        }
    }

    fn helper(&mut self, tag: &'a HelperTemplate, at: &Place) {
        (self.visit)(Tag::Helper(tag), at);
        for parameter in [&tag.name].into_iter().chain(&tag.params).chain(tag.hash.values()) {
            self.parameter(parameter, at);
        }
        for inner in [&tag.template, &tag.inverse].into_iter().flatten() {
            self.template(inner, at);
        }
    }

    fn call(&mut self, call: &'a DecoratorTemplate, at: &Place) {
        for parameter in call.params.iter().chain(call.hash.values()) {
            self.parameter(parameter, at);
        }
        call.template.iter().for_each(|inner| self.template(inner, at));
    }

    fn parameter(&mut self, parameter: &'a Parameter, at: &Place) {
        if let Parameter::Subexpression(inner) = parameter {
            self.element(inner.as_element(), at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_is_visited_also_in_an_else_if_and_in_brackets() {
        let template = Template::compile(
            "{{#if (eq a 1)}}{{b}}{{else if c}}{{> p x=(len d)}}{{else}}{{#each e}}{{f}}{{/each}}{{/if}}",
        );
        let mut seen = Vec::new();
        let template = template.expect("parses");
        tags(&template, &Place::file("x", "x"), &mut |tag, _| match tag {
            Tag::Helper(tag) => seen.extend(tag.name.as_name()),
            Tag::Partial(call) => seen.extend(call.name.as_name()),
            Tag::Inline => seen.push("inline"),
        });
        assert_eq!(seen, ["if", "eq", "b", "if", "p", "len", "each", "f"]);
    }

    #[test]
    fn a_word_is_found_behind_its_tag_and_only_whole() {
        let files: Files =
            [("x".to_owned(), "{{a}}\n日本{{#if ab}}{{else if a}}".to_owned())].into_iter().collect();
        let file = Place::file("x", "x");
        assert_eq!(spot(&files, &file.at(2, 3), "a"), file.at(2, 23));
        assert_eq!(spot(&files, &file, "a"), file.at(1, 3));
        assert_eq!(spot(&files, &file.at(2, 3), "none"), file.at(2, 3));
    }
}
