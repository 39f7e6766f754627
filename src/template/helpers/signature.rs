//! How each helper is called: ours, and those of handlebars that come without `{{#…}}`.

use super::HELPERS;

/// How a helper is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// How many values it needs.
    pub needs: usize,
    /// How many it takes at most.
    pub takes: usize,
    /// What the value behind those that it needs may be, where it takes a form.
    pub forms: &'static [&'static str],
}

/// `log` is none of them: it writes what it is given into the logs.
const OF_HANDLEBARS: [Signature; 11] = [
    Signature::of("lookup", 2),
    Signature::of("eq", 2),
    Signature::of("ne", 2),
    Signature::of("gt", 2),
    Signature::of("gte", 2),
    Signature::of("lt", 2),
    Signature::of("lte", 2),
    Signature { takes: usize::MAX, ..Signature::of("and", 2) },
    Signature { takes: usize::MAX, ..Signature::of("or", 2) },
    Signature::of("not", 1),
    Signature::of("len", 1),
];

impl Signature {
    const fn of(name: &'static str, needs: usize) -> Self {
        Self { name, needs, takes: needs, forms: &[] }
    }
}

/// Every helper that templates may call.
pub fn signatures() -> impl Iterator<Item = Signature> {
    let ours = HELPERS.iter().map(|helper| {
        let takes = if helper.forms.is_empty() { 1 } else { 2 };
        Signature { takes, forms: helper.forms, ..Signature::of(helper.name, 1) }
    });
    ours.chain(OF_HANDLEBARS)
}

/// Whether `{{name}}` alone would call a helper instead of showing a value.
pub fn is_helper(name: &str) -> bool {
    signatures().any(|helper| helper.name == name)
        || matches!(name, "if" | "unless" | "each" | "with" | "raw" | "log")
}
