//! Who gets what by a route, read here apart from the code.

use r8::route::Destination;
use serde_json::Value;

use super::{Moment, World};

impl World {
    /// The share of each member in a route: of the requests that no match names, or of those that one names.
    pub(super) fn shares(&self, moment: &Moment, route: Option<&Value>) -> Vec<f64> {
        let mut shares = vec![0.0; self.plan.members.len()];
        let Some(route) = route else { return shares };
        let istio = route["spec"]["http"].is_array();
        let rules = if istio { &route["spec"]["http"] } else { &route["spec"]["rules"] };
        for rule in rules.as_array().unwrap() {
            let list = rule[if istio { "route" } else { "backendRefs" }].as_array().unwrap();
            let weight = |item: &Value| match (list.len(), item["weight"].as_f64()) {
                (1, _) => 1.0,
                (_, Some(weight)) => weight,
                (_, None) => f64::from(u8::from(!istio)),
            };
            let sum: f64 = list.iter().map(weight).sum();
            assert!(sum > 0.0, "a split of nothing: {rule}");
            for item in list {
                let place = destination(item, istio);
                let found = self.meant(moment, &place).unwrap_or_else(|| panic!("{place:?} is no version"));
                shares[found] = f64::max(shares[found], weight(item) / sum);
            }
            if let Some(host) = rule["mirror"]["host"].as_str() {
                let place = destination(&serde_json::json!({"destination": {"host": host}}), true);
                let found = self.meant(moment, &place).unwrap();
                shares[found] = f64::max(shares[found], rule["mirrorPercentage"]["value"].as_f64().unwrap() / 100.0);
            }
        }
        shares
    }

    /// Which version a destination of a route means at this moment: of two of one name that no namespace tells apart, the
    /// old one as long as the new one has not taken its requests.
    pub(super) fn meant(&self, moment: &Moment, place: &Destination) -> Option<usize> {
        let old = |index: &usize| {
            let member = &self.plan.members[*index];
            member.superseded && place.label.as_ref() == Some(&member.name) && moment.free[*index].is_none()
        };
        let all = || 0..self.plan.members.len();
        let found: Vec<usize> = all().filter(|index| self.plan.members[*index].is(place)).collect();
        assert!(found.len() < 2, "{place:?} is several versions");
        all().find(old).or(found.first().copied())
    }
}

/// Where one item of a list sends requests.
pub(super) fn destination(item: &Value, istio: bool) -> Destination {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if !istio {
        return Destination { service: text(&item["name"]), namespace: text(&item["namespace"]), label: None };
    }
    let host = text(&item["destination"]["host"]);
    let mut labels = host.split('.').map(str::to_owned);
    let label = item["headers"]["request"]["set"]["mm-vmodel-id"].as_str().map(str::to_owned);
    let (service, namespace) = (labels.next().unwrap(), labels.next().filter(|_| label.is_none()).unwrap_or_default());
    Destination { service, namespace, label }
}
