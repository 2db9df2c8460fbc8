//! How values as given and defaults make the values in force: Helm's rules (`pkg/chart/common/util/coalesce.go`).

use serde_json::{Map, Value};

/// The values in force: those given over the defaults of the chart.
///
/// Maps merge key by key, all else is replaced. A null removes the default, and stays where there is none; a null among
/// the defaults counts as absent.
pub fn coalesce(mut given: Map<String, Value>, defaults: &Map<String, Value>) -> Map<String, Value> {
    for (key, default) in defaults {
        let default = without_nulls(default);
        match given.get_mut(key) {
            Some(Value::Null) => drop(given.shift_remove(key)),
            Some(value) => descend(value, default),
            None if default.is_null() => {}
            None => drop(given.insert(key.clone(), default)),
        }
    }
    given
}

/// Adds to values those of an earlier revision that they do not have, as `--reuse-values` does.
///
/// A null removes the earlier value, and stays where there is none.
pub fn coalesce_tables(given: &mut Map<String, Value>, earlier: Map<String, Value>) {
    for (key, value) in earlier {
        match given.get_mut(&key) {
            Some(Value::Null) if !value.is_null() => drop(given.shift_remove(&key)),
            Some(own) => descend(own, value),
            None => drop(given.insert(key, value)),
        }
    }
}

fn descend(own: &mut Value, below: Value) {
    if let (Value::Object(own), Value::Object(below)) = (own, below) {
        coalesce_tables(own, below);
    }
}

/// A value whose maps hold no nulls; lists stay as they are.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    /// As `helm get values --all` of Helm 4.3.1 prints them.
    #[test]
    fn given_values_stand_over_defaults_and_nulls_remove_them() {
        for (given, defaults, result) in [
            (json!({}), json!({"a": 1, "b": {"c": null, "d": [null]}, "e": null}), json!({"a": 1, "b": {"d": [null]}})),
            (json!({"a": null, "x": null}), json!({"a": 1}), json!({"x": null})),
            (json!({"b": {"c": null, "y": null}}), json!({"b": {"c": 1, "d": 2}}), json!({"b": {"y": null, "d": 2}})),
            (json!({"b": {}}), json!({"b": {"c": 1}}), json!({"b": {"c": 1}})),
            (json!({"b": 1}), json!({"b": {"c": 1}}), json!({"b": 1})),
            (json!({"b": {"c": 1}}), json!({"b": 1}), json!({"b": {"c": 1}})),
            (json!({"l": [1]}), json!({"l": [2, 3]}), json!({"l": [1]})),
            (json!({"a": null}), json!({"a": null}), json!({})),
        ] {
            assert_eq!(coalesce(map(given.clone()), &map(defaults)), map(result), "{given}");
        }
    }

    #[test]
    fn earlier_values_fill_what_is_not_given() {
        let mut given = map(json!({"a": null, "b": {"c": 1}, "d": null, "e": 1}));
        coalesce_tables(&mut given, map(json!({"a": 2, "b": {"c": 2, "f": null}, "d": null, "g": 3})));
        assert_eq!(given, map(json!({"b": {"c": 1, "f": null}, "d": null, "e": 1, "g": 3})));
    }
}
