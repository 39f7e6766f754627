//! The rules, one file each. A rule's file ends with its tests: a text that passes and one that fails.

mod renders;
mod routes;
mod segments;

use super::Rule;

/// Every rule, in the order of the documentation.
pub const RULES: &[Rule] = &[renders::RULE, segments::RULE, routes::RULE];
