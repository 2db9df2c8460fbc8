//! What a write would make of a live object, where no dry run says it.

use serde_json::Value;

use super::FIELD_MANAGER;
use super::observe::TAKEN_OVER;

/// The live object with the wanted fields over it: what can be said without the right to `patch`.
///
/// Fields that `helm` owns alone by server-side apply and that are not wanted any more are removed.
pub(super) fn laid_over(live: &Value, wanted: &Value) -> Value {
    let mut desired = live.clone();
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    for entry in entries.filter(|entry| entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply") {
        drop_unwanted(&mut desired, &entry["fieldsV1"], Some(wanted), &others(live, &[entry]));
    }
    lay(&mut desired, wanted);
    desired
}

/// Removes from what a dry run foresees the fields that other tools' client-side writes own alone and that are not wanted:
/// the hand-over before the write makes them r8's, and the write removes them.
pub(super) fn drop_handed_over(desired: &mut Value, live: &Value, wanted: &Value) {
    let entries = live["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let taken: Vec<&Value> = entries.iter().filter(|entry| is_handed_over(entry)).collect();
    for entry in &taken {
        drop_unwanted(desired, &entry["fieldsV1"], Some(wanted), &others(live, &taken));
    }
}

/// Puts back those fields of `whole` that a `fresh` object has with the same value: they are its defaults.
pub(super) fn keep_defaults(object: &mut Value, whole: &Value, fresh: &Value) {
    let (Value::Object(object), Value::Object(whole)) = (object, whole) else { return };
    for (key, value) in whole {
        match (object.get_mut(key), fresh.get(key)) {
            (Some(below), Some(fresh)) => keep_defaults(below, value, fresh),
            (None, Some(fresh)) if fresh == value => drop(object.insert(key.clone(), value.clone())),
            _ => {}
        }
    }
    // In the order of the whole.
    let mut rest = std::mem::take(object);
    object.extend(whole.keys().filter_map(|key| rest.shift_remove_entry(key)).collect::<Vec<_>>());
    object.extend(rest);
}

/// Whether an entry of `managedFields` is one of other tools' client-side writes that become r8's.
pub(super) fn is_handed_over(entry: &Value) -> bool {
    entry["operation"] == "Update"
        && entry["subresource"].as_str().unwrap_or_default().is_empty()
        && entry["manager"].as_str().is_some_and(|manager| TAKEN_OVER.contains(&manager))
}

/// The fields of everybody but these entries and r8's own.
fn others<'a>(live: &'a Value, these: &[&Value]) -> Vec<&'a Value> {
    let entries = live["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = |entry: &&Value| entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply";
    let other = |entry: &&Value| !own(entry) && !these.contains(entry);
    entries.iter().filter(other).map(|entry| &entry["fieldsV1"]).collect()
}

/// Removes the fields that `owned` names, that `wanted` lacks, and that nobody else owns.
fn drop_unwanted(object: &mut Value, owned: &Value, wanted: Option<&Value>, others: &[&Value]) {
    let Some(fields) = owned.as_object() else { return };
    for (name, below) in fields {
        let Some(key) = name.strip_prefix("f:") else { continue };
        let Some(map) = object.as_object_mut() else { return };
        let inner = wanted.and_then(|wanted| wanted.get(key));
        let others: Vec<&Value> = others.iter().filter_map(|fields| fields.get(name)).collect();
        let leaf = below.as_object().is_none_or(|below| below.is_empty());
        if inner.is_none() && leaf {
            if others.is_empty() {
                map.shift_remove(key);
            }
        } else if let Some(value) = map.get_mut(key) {
            drop_unwanted(value, below, inner, &others);
        }
    }
}

fn lay(object: &mut Value, wanted: &Value) {
    match (object, wanted) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                match below.get_mut(key) {
                    Some(old) => lay(old, value),
                    None => drop(below.insert(key.clone(), value.clone())),
                }
            }
        }
        // Items that the API server fills in are kept: lists of the same length are laid item by item.
        (Value::Array(below), Value::Array(above)) if below.len() == above.len() => {
            below.iter_mut().zip(above).for_each(|(old, value)| lay(old, value));
        }
        (object, wanted) => *object = wanted.clone(),
    }
}
