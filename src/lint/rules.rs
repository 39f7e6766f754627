//! The rules, one file each. A rule's file ends with its tests: a text that passes and one that fails.

mod brand;
mod characters;
mod codes;
mod contact;
mod facts;
mod guards;
mod helpers;
mod html;
mod links;
mod masked;
mod others;
mod partials;
mod renders;
mod routes;
mod schemas;
mod segments;
mod shift_jis;
mod subject;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod trial;
mod unescaped;
mod unused_exception;
mod variables;

pub use self::renders::NAME as RENDERS;
use super::Rule;

/// Every rule, in the order of the documentation.
pub const RULES: &[Rule] = &[
    partials::RULE,
    partials::UNUSED,
    helpers::RULE,
    variables::RULE,
    guards::RULE,
    codes::RULE,
    codes::UNNAMED,
    schemas::EXTREMES,
    schemas::BOUNDS,
    renders::RULE,
    segments::RULE,
    routes::RULE,
    shift_jis::RULE,
    characters::RULE,
    links::RULE,
    masked::RULE,
    brand::RULE,
    contact::RULE,
    subject::RULE,
    html::RULE,
    unescaped::RULE,
    facts::RULE,
    others::RULE,
    unused_exception::RULE,
];
