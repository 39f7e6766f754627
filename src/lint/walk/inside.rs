//! Into blocks and partials: what `{{#each}}`, `{{#with}}` and a call bring to what stands in them.

use std::sync::Arc;

use handlebars::template::{BlockParam, DecoratorTemplate, HelperTemplate, Parameter};

use super::Walker;
use crate::event::shape::{Kind, Shape};
use crate::lint::scope::{Block, Meaning};
use crate::template::Place;

impl<'a> Walker<'a> {
    /// `{{#each}}` and `{{#with}}`: they fail over what is missing, unless there is an `{{else}}`.
    pub(super) fn inside(&mut self, block: &'a HelperTemplate, over: &'a Parameter, at: &Place) {
        let meaning = match over.as_name() {
            Some(name) if block.inverse.is_some() => self.resolve(name, at),
            Some(name) => self.read(name, at),
            None => {
                self.argument(over, at);
                None
            }
        };
        let meaning = meaning.unwrap_or_else(Meaning::open);
        let is_loop = block.name.as_name() == Some("each");
        let this = if is_loop { item(&meaning.shape) } else { Arc::clone(&meaning.shape) };
        let params = block_params(block, &this);
        let in_loop = is_loop || self.scopes.in_loop();
        if let Some(template) = &block.template {
            self.scopes.enter(Block { this, params, partial: None, in_loop });
            self.knowing(vec![meaning.shape.path.clone()], |walker| walker.template(template, at));
            self.scopes.leave();
        }
        block.inverse.iter().for_each(|template| self.template(template, at));
    }

    pub(super) fn call(&mut self, call: &'a DecoratorTemplate, at: &Place) {
        let Some(name) = call.name.as_name() else { return };
        if name == "@partial-block" {
            // Its text was looked at where the partial is called; here is what stands in for it.
            return call.template.iter().for_each(|template| self.template(template, at));
        }
        let block = self.called(call, name, at);
        self.scopes.enter(block);
        call.template.iter().for_each(|template| self.template(template, at));
        let callee = self.set.template(self.locale, name, self.html);
        // A partial within itself is another rule's.
        if let Some((template, file)) = callee.filter(|_| self.calls.iter().all(|(one, _)| *one != name)) {
            let here = std::mem::replace(&mut self.file, file.clone());
            self.calls.push((name, at.clone()));
            self.template(template, file);
            self.calls.pop();
            self.file = here;
        }
        self.scopes.leave();
    }

    /// What a call brings.
    fn called(&mut self, call: &'a DecoratorTemplate, name: &'a str, at: &Place) -> Block<'a> {
        let this = match call.params.first() {
            None => self.scopes.this(),
            Some(context) => match context.as_name() {
                Some(name) => {
                    self.read(name, at).map_or_else(|| Meaning::open().shape, |meaning| meaning.shape)
                }
                None => Meaning::open().shape,
            },
        };
        let mut params = Vec::new();
        for (key, value) in &call.hash {
            let meaning = match value.as_name() {
                // What may be missing may be handed on: whether it is needed is up to the partial.
                Some(name) => self.resolve(name, at).unwrap_or_else(Meaning::open),
                None => {
                    self.argument(value, at);
                    Meaning::open()
                }
            };
            params.push((key.as_str(), meaning));
        }
        Block { this, params, partial: Some(name), in_loop: self.scopes.in_loop() }
    }
}

fn item(shape: &Shape) -> Arc<Shape> {
    match &shape.kind {
        Kind::List(list) => Arc::clone(&list.item),
        Kind::Record(record) => record.others.clone().unwrap_or_else(|| Arc::new(Shape::open(&shape.path))),
        _ => Arc::new(Shape::open(&shape.path)),
    }
}

/// `as |item index|`
fn block_params<'a>(block: &'a HelperTemplate, this: &Arc<Shape>) -> Vec<(&'a str, Meaning)> {
    let (first, second) = match &block.block_param {
        None => return Vec::new(),
        Some(BlockParam::Single(one)) => (one, None),
        Some(BlockParam::Pair((one, two))) => (one, Some(two)),
        Some(_) => return Vec::new(),
    };
    let first = first.as_name().map(|name| (name, Meaning::of(Arc::clone(this))));
    let second = second.and_then(Parameter::as_name).map(|name| (name, Meaning::open()));
    first.into_iter().chain(second).collect()
}
