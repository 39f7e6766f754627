//! The rules, one file each. A rule's file ends with its tests: a text that passes and one that fails.

mod brand;
mod characters;
mod contact;
mod facts;
mod html;
mod links;
mod masked;
mod renders;
mod routes;
mod segments;
mod shift_jis;
mod subject;
#[cfg(test)]
pub(super) mod testing;
mod unescaped;
mod unused_exception;

use super::Rule;

/// Every rule, in the order of the documentation.
pub const RULES: &[Rule] = &[
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
    unused_exception::RULE,
];
