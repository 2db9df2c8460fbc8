//! The laws of merging: Helm's `MergeMaps`.

use proptest::prelude::*;
use r8::values::{Kind, Node, Source, SourceName, load};
use serde_json::{Map, Value, json};

/// Any tree of values, `null` included.
pub(crate) fn trees() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z ]{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// Any map of values; few keys, so that two of them often meet.
fn maps() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-c]", trees(), 0..4).prop_map(|map| map.into_iter().collect::<Map<_, _>>().into())
}

/// The same with keys of which some always hold a map and the others never do.
fn maps_of_one_shape() -> impl Strategy<Value = Value> {
    maps().prop_map(|map| {
        fn shape(value: Value) -> Value {
            let Value::Object(map) = value else { return value };
            let entry = |(key, value): (String, Value)| match shape(value) {
                value @ Value::Object(_) => (format!("map-{key}"), value),
                value => (key, value),
            };
            map.into_iter().map(entry).collect::<Map<_, _>>().into()
        }
        shape(map)
    })
}

fn merged(layers: &[&Value]) -> Value {
    let source = |layer: &&Value| Source { name: SourceName::File("v.yaml".into()), text: layer.to_string() };
    let sources: Vec<Source> = layers.iter().map(source).collect();
    with_nulls(load(&sources).unwrap().root())
}

/// The tree with the `null` entries of its maps, which a later layer may still meet.
fn with_nulls(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::List(items) => items.iter().map(with_nulls).collect(),
        Kind::Map(map) => {
            map.iter().map(|(key, entry)| (key.clone(), with_nulls(&entry.value))).collect::<Map<_, _>>().into()
        }
        _ => node.to_json(),
    }
}

/// The rule: maps merge key by key, anything else is replaced whole.
fn reference(lower: &Value, upper: &Value) -> Value {
    let (Value::Object(below), Value::Object(above)) = (lower, upper) else { return upper.clone() };
    let mut all = below.clone();
    for (key, value) in above {
        let value = below.get(key).map_or_else(|| value.clone(), |old| reference(old, value));
        all.insert(key.clone(), value);
    }
    all.into()
}

proptest! {
    #[test]
    fn a_later_layer_is_merged_by_the_rule(a in maps(), b in maps(), c in maps()) {
        prop_assert_eq!(merged(&[&a, &b]), reference(&a, &b));
        prop_assert_eq!(merged(&[&a, &b, &c]), reference(&reference(&a, &b), &c));
    }

    #[test]
    fn an_empty_layer_changes_nothing(a in maps()) {
        let empty = json!({});
        prop_assert_eq!(&merged(&[&a, &empty]), &a);
        prop_assert_eq!(&merged(&[&empty, &a]), &a);
        prop_assert_eq!(&merged(&[&empty, &a, &empty]), &a);
    }

    #[test]
    fn the_same_layer_again_changes_nothing(a in maps(), b in maps()) {
        prop_assert_eq!(&merged(&[&a, &a]), &a);
        prop_assert_eq!(merged(&[&a, &b, &b]), merged(&[&a, &b]));
    }

    #[test]
    fn layers_that_agree_on_what_is_a_map_may_be_merged_in_groups(a in maps_of_one_shape(), b in maps_of_one_shape(), c in maps_of_one_shape()) {
        let all = merged(&[&a, &b, &c]);
        prop_assert_eq!(&merged(&[&merged(&[&a, &b]), &c]), &all);
        prop_assert_eq!(&merged(&[&a, &merged(&[&b, &c])]), &all);
    }
}

#[test]
fn a_scalar_between_two_maps_forgets_the_first() {
    let (a, b, c) = (json!({"k": {"a": 1}}), json!({"k": null}), json!({"k": {"c": 3}}));
    assert_eq!(merged(&[&a, &b, &c]), c);
    assert_eq!(merged(&[&a, &merged(&[&b, &c])]), json!({"k": {"a": 1, "c": 3}}));
}
