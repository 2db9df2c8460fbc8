//! What a route changes about headers, in the order in which Envoy does it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::route::request::add;

/// Changes of headers; names are in small letters. What is removed goes first, then what is set, then what is added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Replace all values.
    pub set: BTreeMap<String, String>,
    /// Stand beside the values that are there.
    pub add: BTreeMap<String, String>,
    /// Go.
    pub remove: Vec<String>,
}

impl Changes {
    /// Istio's `headers.request` or `headers.response`, and the host that it sets, which is no header to Envoy.
    pub(super) fn istio(operations: &Value) -> (Changes, Option<String>) {
        let pairs = |key: &str| -> Vec<(String, String)> {
            let map = operations[key].as_object().into_iter().flatten();
            map.filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned()))).collect()
        };
        let removed = operations["remove"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Changes::split(pairs("set"), pairs("add"), removed.map(str::to_ascii_lowercase).collect())
    }

    /// The filters of one type of a Gateway API rule or backend; of equal names the first one counts.
    pub(super) fn gateway(filters: &Value, key: &str) -> (Changes, Option<String>) {
        let filters = || filters.as_array().into_iter().flatten().map(|filter| &filter[key]);
        let pairs = |verb: &str| -> Vec<(String, String)> {
            let all = filters().filter_map(|modifier| modifier[verb].as_array()).flatten();
            let mut seen: Vec<(String, String)> = Vec::new();
            for header in all {
                let name = header["name"].as_str().unwrap_or_default().to_ascii_lowercase();
                if seen.iter().all(|(known, _)| *known != name) {
                    seen.push((name, header["value"].as_str().unwrap_or_default().to_owned()));
                }
            }
            seen
        };
        let removed =
            filters().filter_map(|modifier| modifier["remove"].as_array()).flatten().filter_map(Value::as_str);
        Changes::split(pairs("set"), pairs("add"), removed.map(str::to_ascii_lowercase).collect())
    }

    fn split(
        set: Vec<(String, String)>,
        added: Vec<(String, String)>,
        remove: Vec<String>,
    ) -> (Changes, Option<String>) {
        let is_host = |name: &str| name == "host" || name == ":authority";
        let is_own = |name: &str| is_host(name) || name.starts_with(':');
        let host = set.iter().chain(&added).find(|(name, _)| is_host(name)).map(|(_, value)| value.clone());
        let mut changes = Changes { set: BTreeMap::new(), add: BTreeMap::new(), remove };
        changes.set.extend(set.into_iter().filter(|(name, _)| !is_own(name)));
        for (name, value) in added.into_iter().filter(|(name, _)| !is_own(name)) {
            add(&mut changes.add, &name, &value);
        }
        changes.remove.retain(|name| !is_own(name));
        (changes, host.filter(|host| !host.is_empty()))
    }

    /// Both at one level of Envoy's routes: where both set a header, the other one wins.
    pub(super) fn beside(mut self, other: Changes) -> Changes {
        self.set.extend(other.set);
        for (name, value) in other.add {
            add(&mut self.add, &name, &value);
        }
        self.remove.extend(other.remove);
        self
    }

    /// These, then those of a level around it.
    pub(super) fn then(mut self, outer: Changes) -> Changes {
        for name in &outer.remove {
            self.set.remove(name);
            self.add.remove(name);
        }
        for name in outer.set.keys() {
            self.add.remove(name);
        }
        self.beside(outer)
    }

    /// The headers after the changes.
    pub(super) fn applied(&self, headers: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut changed = headers.clone();
        for name in &self.remove {
            changed.remove(name);
        }
        changed.extend(self.set.clone());
        for (name, value) in &self.add {
            add(&mut changed, name, value);
        }
        changed
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changes(operations: Value) -> Changes {
        Changes::istio(&operations).0
    }

    fn after(changes: &Changes, headers: Value) -> Value {
        let headers: BTreeMap<String, String> = serde_json::from_value(headers).unwrap();
        json!(changes.applied(&headers))
    }

    #[test]
    fn headers_are_removed_then_set_then_added() {
        let all = changes(json!({"set": {"A": "1"}, "add": {"a": "2", "b": "3"}, "remove": ["a", "C"]}));
        assert_eq!(after(&all, json!({"a": "0", "b": "0", "c": "0"})), json!({"a": "1,2", "b": "0,3"}));
    }

    #[test]
    fn an_outer_level_changes_what_the_inner_one_made() {
        let inner = || changes(json!({"set": {"a": "1", "b": "1"}, "add": {"c": "1", "d": "1"}}));
        let outer = || changes(json!({"set": {"a": "2", "c": "2"}, "add": {"d": "2"}, "remove": ["b"]}));
        let expected = json!({"a": "2", "c": "2", "d": "1,2"});
        assert_eq!(after(&inner().then(outer()), json!({"b": "0"})), expected);
        let two = outer().applied(&inner().applied(&BTreeMap::from([("b".to_owned(), "0".to_owned())])));
        assert_eq!(json!(two), expected);
    }

    #[test]
    fn the_host_is_no_header() {
        let (all, host) =
            Changes::istio(&json!({"set": {"Host": "a", "b": "1"}, "add": {":authority": "c"}, "remove": ["host"]}));
        assert_eq!((host.as_deref(), all), (Some("a"), changes(json!({"set": {"b": "1"}}))));
    }

    #[test]
    fn of_equal_names_in_a_filter_the_first_counts() {
        let filters =
            json!([{"requestHeaderModifier": {"set": [{"name": "A", "value": "1"}, {"name": "a", "value": "2"}]}}]);
        assert_eq!(Changes::gateway(&filters, "requestHeaderModifier").0, changes(json!({"set": {"a": "1"}})));
    }
}
