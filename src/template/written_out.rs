//! Templates with their partials written out: where one is called, its text stands, with the call's parameters in their places.
//!
//! Handlebars copies an event's data whenever it enters a partial and renders the block of one twice over; a mail enters some
//! twenty-five. So they are written out once, when a set is loaded.
//!
//! What cannot be written out with the same result stays as it is: this is a shortcut, never another meaning. Where a rendering
//! fails, the template as it was written says in which file (see `Registry::render`).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, Subexpression, TemplateElement};
use handlebars::{Handlebars, JsonRender, Path, PathSeg, Template};

use super::helpers::is_helper;

/// Deeper than any text goes; a partial that calls itself ends here.
const MAX_DEPTH: usize = 32;

/// Elements of a template; a house's partials that call each other twice over would grow beyond all bounds.
const MAX_ELEMENTS: usize = 4096;

/// A template that does what its callers cannot be given in one piece.
struct Unfit;

/// What a place in a template knows of the calls around it.
#[derive(Clone, Default)]
struct Scope<'a> {
    /// Parameters of the partials around, by name.
    given: BTreeMap<&'a str, Given>,
    /// What `{{> @partial-block}}` stands for.
    block: Option<Rc<Block<'a>>>,
    /// How many `each` and `with` are around.
    depth: usize,
    /// How many blocks are around that may be passed over.
    conditions: usize,
    /// How many calls are around.
    calls: usize,
    /// A call behind a space: handlebars takes that for an indent, and repeats it behind each line break.
    indented: bool,
    /// The only indented call around, whose text this is: behind its end nothing is indented.
    is_partial: bool,
}

/// A parameter, and the depth at which it is what it says.
#[derive(Clone)]
struct Given {
    parameter: Parameter,
    depth: usize,
}

/// The block that a call brings along, with the surroundings that it sees.
struct Block<'a> {
    template: &'a Template,
    scope: Scope<'a>,
    /// It stands where nothing passes it over.
    stands: Cell<bool>,
}

struct Writer<'a> {
    templates: &'a Handlebars<'static>,
    elements: usize,
}

/// The template of a name in one piece; `None` where that would not be the same.
pub(super) fn written_out(templates: &Handlebars<'static>, name: &str) -> Option<Template> {
    let mut writer = Writer { templates, elements: 0 };
    let mut whole = writer.template(templates.get_template(name)?, &Scope::default()).ok()?;
    whole.name = Some(name.to_owned());
    Some(whole)
}

impl<'a> Writer<'a> {
    fn template(&mut self, template: &'a Template, scope: &Scope<'a>) -> Result<Template, Unfit> {
        let mut whole = Template::new();
        self.append(template, scope, &mut whole.elements)?;
        Ok(whole)
    }

    fn append(
        &mut self,
        template: &'a Template,
        scope: &Scope<'a>,
        out: &mut Vec<TemplateElement>,
    ) -> Result<(), Unfit> {
        let is_last = |index| scope.is_partial && index + 1 == template.elements.len();
        for (index, element) in template.elements.iter().enumerate() {
            self.elements += 1;
            if self.elements > MAX_ELEMENTS {
                return Err(Unfit);
            }
            match element {
                TemplateElement::RawString(text) if scope.indented && breaks_line(text, is_last(index)) => {
                    return Err(Unfit);
                }
                TemplateElement::RawString(text) => write(out, text),
                TemplateElement::Expression(tag) => {
                    let escape = self.templates.get_escape_fn();
                    self.value(tag, scope, Some(escape), out)?;
                }
                TemplateElement::HtmlExpression(tag) => self.value(tag, scope, None, out)?,
                TemplateElement::HelperBlock(block) => {
                    out.push(TemplateElement::HelperBlock(Box::new(self.block(block, scope)?)));
                }
                TemplateElement::PartialExpression(call) | TemplateElement::PartialBlock(call) => {
                    let before = index.checked_sub(1).and_then(|index| template.elements.get(index));
                    self.call(call, before, scope, out)?;
                }
                TemplateElement::Comment(_) => {}
                _ => return Err(Unfit),
            }
        }
        Ok(())
    }

    /// `{{name}}` or `{{helper …}}`. `escape` is nothing for `{{{…}}}`.
    fn value(
        &mut self,
        tag: &HelperTemplate,
        scope: &Scope<'a>,
        escape: Option<&dyn Fn(&str) -> String>,
        out: &mut Vec<TemplateElement>,
    ) -> Result<(), Unfit> {
        let mut tag = tag.clone();
        let is_value = tag.params.is_empty() && tag.hash.is_empty();
        let named = tag.name.as_name().is_some_and(is_helper);
        if is_value && !named {
            match scope.resolved(&tag.name)? {
                Parameter::Literal(literal) => {
                    let text = literal.render();
                    write(out, &escape.map_or(text.clone(), |escape| escape(&text)));
                    return Ok(());
                }
                // Handlebars would look for a helper first.
                name if name.as_name().is_some_and(is_helper) => return Err(Unfit),
                name => tag.name = name,
            }
        } else {
            scope.parameters(&mut tag)?;
        }
        out.push(match escape {
            Some(_) => TemplateElement::Expression(Box::new(tag)),
            None => TemplateElement::HtmlExpression(Box::new(tag)),
        });
        Ok(())
    }

    /// `{{#if …}}…{{/if}}` and the like.
    fn block(&mut self, block: &'a HelperTemplate, scope: &Scope<'a>) -> Result<HelperTemplate, Unfit> {
        let mut whole = block.clone();
        scope.parameters(&mut whole)?;
        let inner = match block.name.as_name() {
            Some("if" | "unless") => scope.within(0),
            Some("each" | "with") if block.block_param.is_none() => scope.within(1),
            _ => return Err(Unfit),
        };
        let mut written = |template: &'a Option<Template>| {
            template.as_ref().map(|template| self.template(template, &inner)).transpose()
        };
        whole.template = written(&block.template)?;
        whole.inverse = written(&block.inverse)?;
        Ok(whole)
    }

    /// `{{> partial}}` or `{{#> partial}}…{{/partial}}`.
    fn call(
        &mut self,
        call: &'a DecoratorTemplate,
        before: Option<&TemplateElement>,
        scope: &Scope<'a>,
        out: &mut Vec<TemplateElement>,
    ) -> Result<(), Unfit> {
        let Parameter::Name(name) = &call.name else { return Err(Unfit) };
        // Whose context is another is a matter of the moment.
        if !call.params.is_empty() || scope.calls >= MAX_DEPTH {
            return Err(Unfit);
        }
        // Its indent is not used.
        if name == "@partial-block" {
            return self.partial_block(scope, out);
        }
        // One that has its line for itself has its space taken away before it.
        if call.indent.is_some() && !before.is_some_and(ends_in_space) {
            return Err(Unfit);
        }
        let partial = self.templates.get_template(name).ok_or(Unfit)?;
        let mut inner = scope.called_with(call)?;
        let block = |template| Rc::new(Block { template, scope: inner.clone(), stands: Cell::new(false) });
        inner.block = call.template.as_ref().map(block);
        inner.is_partial = !scope.indented;
        inner.indented |= call.indent.is_some();
        self.append(partial, &inner, out)?;
        // Handlebars renders a block that is shown nowhere too, and may fail at it.
        let lost = inner.block.is_some_and(|block| !block.stands.get());
        if lost { Err(Unfit) } else { Ok(()) }
    }

    /// Handlebars renders the block where the call stands, so its paths mean the same only at that depth.
    fn partial_block(&mut self, scope: &Scope<'a>, out: &mut Vec<TemplateElement>) -> Result<(), Unfit> {
        let block = scope.block.as_ref().filter(|block| block.scope.depth == scope.depth).ok_or(Unfit)?;
        if scope.conditions == block.scope.conditions {
            block.stands.set(true);
        }
        self.append(block.template, &block.scope, out)
    }
}

impl<'a> Scope<'a> {
    /// Within a block, whose paths begin elsewhere if it is `deeper`.
    fn within(&self, deeper: usize) -> Self {
        Self {
            depth: self.depth + deeper,
            conditions: self.conditions + 1,
            is_partial: false,
            ..self.clone()
        }
    }

    /// As a partial and the block that it is given see it.
    fn called_with(&self, call: &'a DecoratorTemplate) -> Result<Self, Unfit> {
        let mut inner = Self { calls: self.calls + 1, is_partial: false, ..self.clone() };
        for (name, parameter) in &call.hash {
            let parameter = match parameter {
                Parameter::Literal(_) | Parameter::Path(_) => self.resolved(parameter)?,
                _ => return Err(Unfit),
            };
            inner.given.insert(name, Given { parameter, depth: self.depth });
        }
        Ok(inner)
    }

    fn parameters(&self, tag: &mut HelperTemplate) -> Result<(), Unfit> {
        for parameter in tag.params.iter_mut().chain(tag.hash.values_mut()) {
            *parameter = self.resolved(parameter)?;
        }
        Ok(())
    }

    /// The parameter of a call that a name stands for, or the name itself.
    fn resolved(&self, parameter: &Parameter) -> Result<Parameter, Unfit> {
        match parameter {
            Parameter::Literal(_) | Parameter::Name(_) => Ok(parameter.clone()),
            Parameter::Subexpression(call) => self.subexpression(call),
            Parameter::Path(Path::Local((0, ..))) => Ok(parameter.clone()),
            Parameter::Path(Path::Local(_)) => Err(Unfit),
            Parameter::Path(Path::Relative((segments, _))) => match segments.as_slice() {
                // All that there is here: of a partial with parameters, those too.
                [] if self.given.values().any(|given| given.depth == self.depth) => Err(Unfit),
                [PathSeg::Named(name), rest @ ..] if self.given.contains_key(name.as_str()) => {
                    self.given(name, rest)
                }
                segments if segments.iter().all(|segment| matches!(segment, PathSeg::Named(_))) => {
                    Ok(parameter.clone())
                }
                _ => Err(Unfit),
            },
            _ => Err(Unfit),
        }
    }

    fn given(&self, name: &str, rest: &[PathSeg]) -> Result<Parameter, Unfit> {
        let given = self.given.get(name).filter(|_| rest.is_empty()).ok_or(Unfit)?;
        let same_here = matches!(given.parameter, Parameter::Literal(_)) || given.depth == self.depth;
        if same_here { Ok(given.parameter.clone()) } else { Err(Unfit) }
    }

    fn subexpression(&self, call: &Subexpression) -> Result<Parameter, Unfit> {
        let TemplateElement::Expression(tag) = call.as_element() else { return Err(Unfit) };
        let mut tag = (**tag).clone();
        self.parameters(&mut tag)?;
        Ok(Parameter::Subexpression(Subexpression::new(tag.name, tag.params, tag.hash)))
    }
}

/// A line break behind which something may stand.
fn breaks_line(text: &str, is_last: bool) -> bool {
    let text = if is_last { text.strip_suffix('\n').unwrap_or(text) } else { text };
    text.contains(['\n', '\r'])
}

fn ends_in_space(element: &TemplateElement) -> bool {
    matches!(element, TemplateElement::RawString(text) if text.ends_with([' ', '\t']))
}

/// Text that follows text is one text.
fn write(out: &mut Vec<TemplateElement>, text: &str) {
    match out.last_mut() {
        Some(TemplateElement::RawString(before)) => before.push_str(text),
        _ if text.is_empty() => {}
        _ => out.push(TemplateElement::RawString(text.to_owned())),
    }
}

#[cfg(test)]
mod tests;
