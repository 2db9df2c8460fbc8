//! Who gets which requests by a route, read from the route itself: r8's, the Iter8 controller's, or a person's.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// What one version gets of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// `weight / total` of the requests that no match takes out.
    Part {
        /// The version's weight.
        weight: u64,
        /// The sum of all weights.
        total: u64,
    },
    /// The requests that a match names.
    Matched,
    /// A copy of the requests, of so many thousandths of a percent; its answers are dropped.
    Mirrored(u32),
}

impl Share {
    /// Whether two shares are the same part of the requests, whatever their weights.
    pub fn is_same(&self, other: &Share) -> bool {
        match (self, other) {
            (Share::Part { weight, total }, Share::Part { weight: others, total: of_others }) => {
                u128::from(*weight) * u128::from(*of_others) == u128::from(*others) * u128::from(*total)
            }
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Part { weight, total } => {
                let (weight, total) = (u128::from(*weight), u128::from(*total));
                let tenths = (weight * 1000 + total / 2) / total.max(1);
                match tenths {
                    // Who gets some requests does not get none, and who does not get all does not get all.
                    0 if weight > 0 => f.write_str("<0.1%"),
                    1000 if weight < total => f.write_str(">99.9%"),
                    tenths if tenths % 10 == 0 => write!(f, "{}%", tenths / 10),
                    tenths => write!(f, "{}.{}%", tenths / 10, tenths % 10),
                }
            }
            Share::Matched => f.write_str("by match"),
            Share::Mirrored(thousandths) => write!(f, "mirror {}%", f64::from(*thousandths) / 1000.0),
        }
    }
}

/// The share of every version that gets any, by the name that its answers carry.
///
/// The name is the header `app-version` that the route puts on answers, else the header that picks the model, else the
/// first label of the destination's host.
pub fn shares(route: &Value) -> BTreeMap<String, Share> {
    let mut shares = BTreeMap::new();
    let istio = route["spec"]["http"].as_array();
    for rule in istio.or(route["spec"]["rules"].as_array()).into_iter().flatten() {
        let (matches, destinations) =
            if istio.is_some() { (&rule["match"], &rule["route"]) } else { (&rule["matches"], &rule["backendRefs"]) };
        let destinations: Vec<(String, u64)> = destinations
            .as_array()
            .into_iter()
            .flatten()
            .map(|destination| (name(destination), weight(destination, istio.is_some())))
            .collect();
        if takes_all(matches) {
            split(&destinations, &mut shares);
            if let Some(name) = mirrored(rule) {
                shares.insert(name, Share::Mirrored((percent(rule) * 1000.0).round() as u32));
            }
            // Rules behind it never see a request.
            break;
        }
        for (name, _) in destinations {
            // The second hop of a split through Knative's gateway: it takes what the split has marked.
            if matches != &serde_json::json!([{"headers": {"branch": {"exact": name}}}]) {
                shares.insert(name, Share::Matched);
            }
        }
    }
    shares
}

/// A missing weight is 0 to Istio and 1 to the Gateway API.
pub(super) fn weight(destination: &Value, istio: bool) -> u64 {
    destination["weight"].as_u64().unwrap_or(u64::from(!istio))
}

fn split(destinations: &[(String, u64)], shares: &mut BTreeMap<String, Share>) {
    if let [(name, _)] = destinations {
        shares.insert(name.clone(), Share::Part { weight: 1, total: 1 });
        return;
    }
    let total = destinations.iter().fold(0_u64, |total, (_, weight)| total.saturating_add(*weight));
    for (name, weight) in destinations.iter().filter(|(_, weight)| *weight > 0) {
        shares.insert(name.clone(), Share::Part { weight: *weight, total });
    }
}

/// Whether a rule takes every request; the Gateway API's own default names the prefix of every path.
pub(super) fn takes_all(matches: &Value) -> bool {
    let every_path = serde_json::json!([{"path": {"type": "PathPrefix", "value": "/"}}]);
    matches.as_array().is_none_or(Vec::is_empty) || *matches == every_path
}

/// The name that the answers of a destination carry.
pub(super) fn name(destination: &Value) -> String {
    let headers = &destination["headers"];
    let answer = &headers["response"];
    let filters = destination["filters"].as_array().into_iter().flatten();
    let filtered = filters.flat_map(|filter| {
        let modifier = &filter["responseHeaderModifier"];
        ["add", "set"].into_iter().flat_map(|verb| modifier[verb].as_array().into_iter().flatten())
    });
    let filtered =
        filtered.filter(|header| header["name"] == "app-version").find_map(|header| header["value"].as_str());
    let found = answer["add"]["app-version"].as_str().or(answer["set"]["app-version"].as_str()).or(filtered);
    let found =
        found.or(headers["request"]["set"]["branch"].as_str()).or(headers["request"]["set"]["mm-vmodel-id"].as_str());
    let found = found.map(str::to_owned);
    let host = destination["destination"]["host"].as_str().or(destination["name"].as_str()).unwrap_or_default();
    found.unwrap_or_else(|| first_label(host))
}

/// How many percent of a rule's requests are copied: all, where nothing is said.
pub(super) fn percent(rule: &Value) -> f64 {
    rule["mirrorPercentage"]["value"].as_f64().unwrap_or(100.0).clamp(0.0, 100.0)
}

/// The name of the version that gets copies of a rule's requests. No header says it: where those that answer are called as
/// their hosts without the `-predictor` of KServe's Services, it is, too.
pub(super) fn mirrored(rule: &Value) -> Option<String> {
    let host = first_label(rule["mirror"]["host"].as_str()?);
    let of_kserve = |item: &Value| {
        let own = first_label(item["destination"]["host"].as_str().unwrap_or_default());
        own.strip_suffix("-predictor").is_some_and(|version| version == name(item))
    };
    let is_predictor = rule["route"].as_array().is_some_and(|items| items.iter().any(of_kserve));
    Some(host.strip_suffix("-predictor").filter(|_| is_predictor).map_or_else(|| host.clone(), str::to_owned))
}

pub(super) fn first_label(host: &str) -> String {
    host.split('.').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(route: &Value) -> Vec<String> {
        shares(route).iter().map(|(name, share)| format!("{name} {share}")).collect()
    }

    #[test]
    fn a_single_destination_takes_all_whatever_its_weight() {
        let route = json!({"spec": {"http": [{"route": [{"destination": {"host": "a.b"}, "weight": 0}]}]}});
        assert_eq!(text(&route), ["a 100%"]);
    }

    #[test]
    fn weights_are_shares_of_their_sum() {
        let to = |name: &str, weight: u32| json!({"destination": {"host": "x"}, "weight": weight, "headers": {"response": {"add": {"app-version": name}}}});
        let route = json!({"spec": {"http": [{"route": [to("a", 1), to("b", 2), to("c", 0)]}]}});
        assert_eq!(text(&route), ["a 33.3%", "b 66.7%"]);
    }

    #[test]
    fn no_part_of_the_requests_reads_as_none_or_as_all() {
        let share = |weight, total| Share::Part { weight, total }.to_string();
        assert_eq!((share(1, 1_000_000), share(999_999, 1_000_000)), ("<0.1%".into(), ">99.9%".into()));
        assert_eq!((share(0, 5), share(5, 5), share(1, 1000)), ("0%".into(), "100%".into(), "0.1%".into()));
        assert_eq!(share(u64::MAX / 2, u64::MAX), "50%");
        assert_eq!(Share::Mirrored(400).to_string(), "mirror 0.4%");
    }

    #[test]
    fn shares_are_the_same_whose_weights_are_in_proportion() {
        let part = |weight, total| Share::Part { weight, total };
        assert!(part(1, 2).is_same(&part(50, 100)) && part(u64::MAX, u64::MAX).is_same(&part(1, 1)));
        assert!(!part(1, 2).is_same(&part(51, 100)) && !part(1, 1).is_same(&Share::Matched));
    }

    #[test]
    fn weights_beyond_all_bounds_are_shares_too() {
        let to = |host: &str| json!({"destination": {"host": host}, "weight": u64::MAX});
        assert_eq!(text(&json!({"spec": {"http": [{"route": [to("a"), to("b")]}]}})), ["a 100%", "b 100%"]);
    }

    #[test]
    fn a_missing_weight_is_0_to_istio_and_1_to_the_gateway_api() {
        let istio = json!({"spec": {"http": [{"route": [{"destination": {"host": "a"}}, {"destination": {"host": "b"}, "weight": 5}]}]}});
        assert_eq!(text(&istio), ["b 100%"]);
        let gateway = json!({"spec": {"rules": [{"backendRefs": [{"name": "a"}, {"name": "b", "weight": 3}]}]}});
        assert_eq!(text(&gateway), ["a 25%", "b 75%"]);
    }

    #[test]
    fn a_match_takes_its_requests_out_and_a_mirror_copies() {
        let route = json!({"spec": {"http": [
            {"match": [{"headers": {"traffic": {"exact": "test"}}}], "route": [{"destination": {"host": "b"}}]},
            {"route": [{"destination": {"host": "a"}}], "mirror": {"host": "c.d"}, "mirrorPercentage": {"value": 30}},
            {"route": [{"destination": {"host": "never"}}]}]}});
        assert_eq!(text(&route), ["a 100%", "b by match", "c mirror 30%"]);
    }

    #[test]
    fn a_copy_goes_to_the_version_and_not_to_its_service() {
        let route = |primary: &str, name: &str| {
            let headers = json!({"response": {"add": {"app-version": name}}});
            json!({"spec": {"http": [{"route": [{"destination": {"host": primary}, "headers": headers}], "mirror": {"host": "b-predictor.c"}}]}})
        };
        assert_eq!(text(&route("a-predictor.c", "a")), ["a 100%", "b mirror 100%"]);
        // Services that are called so are no InferenceServices.
        assert_eq!(text(&route("a-predictor.c", "a-predictor")), ["a-predictor 100%", "b-predictor mirror 100%"]);
        assert_eq!(text(&route("a.c", "a")), ["a 100%", "b-predictor mirror 100%"]);
    }

    #[test]
    fn the_second_hop_through_knative_is_no_match_of_the_users() {
        let route = json!({"spec": {"http": [
            {"match": [{"headers": {"branch": {"exact": "a"}}}], "route": [{"destination": {"host": "k"}, "headers": {"response": {"add": {"app-version": "a"}}}}]},
            {"route": [{"destination": {"host": "k"}, "headers": {"request": {"set": {"branch": "a"}}}}]}]}});
        assert_eq!(text(&route), ["a 100%"]);
    }

    #[test]
    fn the_gateway_apis_default_match_takes_all() {
        let route = json!({"spec": {"rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [{"name": "a"}]}]}});
        assert_eq!(text(&route), ["a 100%"]);
    }
}
