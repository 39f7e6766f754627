//! The rules, one file each. A rule's file ends with its tests: a text that passes and one that fails.

mod codes;
mod guards;
mod helpers;
mod partials;
mod renders;
mod routes;
mod schemas;
mod segments;
#[cfg(test)]
mod trial;
mod variables;

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
];
