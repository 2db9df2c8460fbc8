//! The matches of a VirtualService that a request can meet, found without a look at all of them.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::{Place, is_claim, places};
use crate::route::HttpRequest;

/// Matches by a header whose whole value they ask for: a split of a thousand versions has a thousand of these.
#[derive(Debug)]
pub(in crate::route::answer) struct Index<'a> {
    /// Name of the header in small letters → its value → places among all matches.
    by_header: BTreeMap<String, HashMap<&'a str, Vec<usize>>>,
    /// Places of the matches that ask for no whole header.
    others: Vec<usize>,
    all: Vec<Place>,
}

impl<'a> Index<'a> {
    /// Reads all matches of a route once.
    pub fn of(route: &'a Value) -> Index<'a> {
        let all: Vec<Place> = places(route).collect();
        let (mut by_header, mut others) = (BTreeMap::<String, HashMap<&str, Vec<usize>>>::new(), Vec::new());
        for (number, place) in all.iter().enumerate() {
            match header(place.value(route)) {
                Some((name, value)) => {
                    by_header.entry(name.to_ascii_lowercase()).or_default().entry(value).or_default().push(number);
                }
                None => others.push(number),
            }
        }
        Index { by_header, others, all }
    }

    /// The matches that a request can meet, in their order; it meets none of the others for sure.
    pub fn candidates(&self, request: &HttpRequest) -> Vec<Place> {
        let of_header = |(name, values): (&String, &HashMap<&str, Vec<usize>>)| {
            request.header(name).and_then(|value| values.get(value.as_str()).cloned())
        };
        let mut numbers = self.others.clone();
        numbers.extend(self.by_header.iter().filter_map(of_header).flatten());
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.all.get(number).copied()).collect()
    }
}

/// The first header that a match asks for with its whole value.
fn header(item: &Value) -> Option<(&str, &str)> {
    let headers = item["headers"].as_object()?.iter();
    headers
        .filter(|(name, _)| !is_claim(name))
        .find_map(|(name, wanted)| Some((name.as_str(), wanted["exact"].as_str()?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{tried, tried_at};
    use super::*;
    use crate::route::answer::{Verdict, verdict};

    /// A match that asks for some of two headers, for a part of the path, or for what a request leaves open.
    fn one_match() -> impl Strategy<Value = Value> {
        let wanted = prop_oneof![
            (0..3u8).prop_map(|value| json!({"exact": value.to_string()})),
            (0..3u8).prop_map(|value| json!({"prefix": value.to_string()})),
            Just(json!({})),
        ];
        let name = prop_oneof![Just("a"), Just("B"), Just(":method"), Just("@request.auth.claims.sub")];
        let headers = prop::collection::vec((name, wanted), 0..3);
        (headers, any::<bool>(), any::<bool>()).prop_map(|(headers, path, open)| {
            let headers: serde_json::Map<_, _> =
                headers.into_iter().map(|(name, wanted)| (name.to_owned(), wanted)).collect();
            let mut item = json!({"headers": headers});
            if path {
                item["uri"] = json!({"prefix": "/v1"});
            }
            if open {
                item["sourceNamespace"] = "web".into();
            }
            item
        })
    }

    proptest! {
        #[test]
        fn what_is_no_candidate_fails(
            rules in prop::collection::vec(prop::collection::vec(one_match(), 0..3), 0..8),
            headers in prop::collection::vec((prop_oneof![Just("a"), Just("b")], 0..3u8), 0..3),
            path in prop_oneof![Just("/v1/a"), Just("/v2")],
        ) {
            let rules: Vec<Value> = rules.into_iter().map(|items| json!({"match": items})).collect();
            let route = json!({"spec": {"http": rules}});
            let mut request = HttpRequest::parse(path).unwrap();
            for (name, value) in headers {
                request.add_header(&format!("{name}={value}")).unwrap();
            }
            let index = Index::of(&route);
            let candidates = tried_at(index.candidates(&request), &route, "models", &request, None);
            let mut all = tried(&route, "models", &request, None);
            all.retain(|tried| {
                verdict(&tried.conditions) != Verdict::Fails
                    || candidates.iter().any(|other| (other.rule, other.item) == (tried.rule, tried.item))
            });
            prop_assert_eq!(candidates, all);
        }
    }
}
