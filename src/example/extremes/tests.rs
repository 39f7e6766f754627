use proptest::prelude::*;

use super::*;
use crate::assets::Files;
use crate::event::Catalog;

fn extremes(schema: Value) -> Extremes {
    of(&EventSchema::compile(&schema.to_string(), |_| None).expect("in order"))
}

fn data(extremes: &Extremes, name: &str) -> Value {
    let found = extremes.data.iter().find(|(one, _)| one == name);
    found.unwrap_or_else(|| panic!("no {name}: {:?}", extremes.problems)).1.clone()
}

#[test]
fn every_shipped_type_has_both_extremes_and_they_are_limited() {
    let catalog = Catalog::load(&Files::embedded("config")).expect("built in");
    for kind in catalog.iter() {
        let extremes = of(&kind.schema);
        for end in ["shortest-1", "longest-1"] {
            assert!(extremes.data.iter().any(|(name, _)| name == end), "{} has no {end}", kind.name);
        }
        assert!(extremes.problems.is_empty() && extremes.unlimited.is_empty(), "{}: {extremes:?}", kind.name);
    }
}

#[test]
fn every_code_appears_at_both_ends_and_addresses_stay_addresses() {
    let catalog = Catalog::load(&Files::embedded("config")).expect("built in");
    let extremes = of(&catalog.get("security.contact.changed").expect("shipped").schema);
    let vias: BTreeSet<_> = extremes.data.iter().filter_map(|(_, data)| data["via"].as_str()).collect();
    assert_eq!(vias.into_iter().collect::<Vec<_>>(), ["app", "branch", "phone", "web"]);
    let shortest: Vec<_> = extremes
        .data
        .iter()
        .filter(|(name, _)| name.starts_with("shortest"))
        .map(|(_, data)| &data["changed"])
        .collect();
    assert_eq!(shortest, [&json!(["email"]), &json!(["phone"]), &json!(["fax"]), &json!(["address"])]);
    let longest = data(&extremes, "longest-1");
    assert_eq!(longest["changed"].as_array().map(Vec::len), Some(4));
    assert!(EmailAddress::parse(longest["previous"]["email"].as_str().expect("text")).is_ok());
    assert_eq!(longest["recipient"]["name"], json!("国".repeat(64)));
    assert_eq!(longest["recipient"].get("locale"), None);
}

#[test]
fn what_a_schema_does_not_limit_is_named() {
    let extremes = extremes(json!({
        "type": "object",
        "properties": {"free": {"type": "string"}, "n": {"type": "integer"}, "set": {"type": "array", "uniqueItems": true,
            "items": {"enum": ["a", "b"]}}, "code": {"type": "string", "pattern": "^[0-9]{4}$"}},
        "examples": [{}, {"free": "x"}]
    }));
    assert_eq!(extremes.unlimited.iter().collect::<Vec<_>>(), ["/free", "/n"]);
    assert_eq!(data(&extremes, "longest-1")["free"], json!("国".repeat(UNLIMITED_LENGTH)));
    assert_eq!(data(&extremes, "longest-1")["set"], json!(["a", "b"]));
}

#[test]
fn what_cannot_be_made_is_an_examples_and_is_named() {
    let extremes = extremes(json!({
        "type": "object", "required": ["x"],
        "properties": {"x": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "y": {"type": "string", "pattern": "^(?=a)"}},
        "examples": [{"x": 1, "y": "a"}, {"x": "longer", "y": "abc"}]
    }));
    assert_eq!(data(&extremes, "longest-1"), json!({"x": "longer", "y": "abc"}));
    let problems: Vec<_> = extremes.problems.iter().map(String::as_str).collect();
    assert!(problems[0].starts_with("/x: ") && problems[1].starts_with("/y: "), "{problems:?}");
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0usize..6, 0usize..60).prop_map(|(least, more)| json!({"type": "string", "minLength": least, "maxLength": least + more})),
        (1u32..4, 0u32..5).prop_map(|(least, more)| json!({"type": "string", "pattern": format!("^[A-Z]-?[0-9]{{{least},{}}}$", least + more)})),
        (-50i64..50, 0i64..1_000_000).prop_map(|(least, more)| json!({"type": "integer", "minimum": least, "maximum": least + more})),
        prop::sample::subsequence(vec!["a", "b", "c", "d"], 1..4).prop_map(|codes| json!({"enum": codes})),
        Just(json!({"type": "boolean"})),
        Just(json!({"type": "string"})),
    ]
}

/// Schemas of objects of lists of objects and so on.
fn schema() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0usize..3, 0usize..4, any::<bool>()).prop_map(|(items, least, more, unique)| {
                // Different values need room to differ in.
                let unique = unique && items["maxLength"].as_u64().is_some_and(|most| most > 2);
                let items = if unique { json!({"type": "string", "minLength": 2, "maxLength": 9}) } else { items };
                json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more, "uniqueItems": unique})
            }),
            object(inner),
        ]
    })
}

fn object(field: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-f]", (field, any::<bool>()), 0..4).prop_map(|fields| {
        let required: Vec<_> =
            fields.iter().filter(|(_, (_, required))| *required).map(|(name, _)| name).collect();
        let properties: Map<_, _> =
            fields.iter().map(|(name, (field, _))| (name.clone(), field.clone())).collect();
        json!({"type": "object", "required": required, "properties": properties})
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn both_extremes_of_any_schema_fit_it(schema in object(schema())) {
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let shape = Shape::of(&schema);
        for end in [End::Shortest, End::Longest] {
            for nth in 0..variants(&shape) {
                let mut extremes = Extremes::default();
                let made = Maker { end, nth, examples: &[], extremes: &mut extremes }.value(&shape).expect("made");
                prop_assert!(validator.is_valid(&made), "{end:?} {nth}: {made} of {schema}");
                prop_assert!(extremes.problems.is_empty(), "{:?}", extremes.problems);
            }
        }
    }
}

#[test]
fn a_limit_beyond_any_event_is_not_tried() {
    let extremes = extremes(json!({
        "type": "object",
        "properties": {"long": {"type": "string", "maxLength": 2_000_000_000},
            "many": {"type": "array", "maxItems": 2_000_000_000, "items": {"type": "string", "maxLength": 3}}},
        "examples": [{}, {"long": "x", "many": ["x"]}]
    }));
    let longest = data(&extremes, "longest-1");
    assert_eq!(longest["long"].as_str().map(|text| text.chars().count()), Some(MOST_LENGTH));
    assert_eq!(longest["many"].as_array().map(Vec::len), Some(MOST_ITEMS));
}
