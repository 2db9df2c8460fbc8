//! A live route, whoever wrote it: which objects it sends requests to, and the same route without some of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

/// Where a route sends requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// First label of the host: a Service's name.
    pub service: String,
    /// Second label of the host, or the namespace that is named; empty where the route's own is meant. Of a model behind a
    /// shared host the namespace that the request's `Host` names; empty where nothing names it.
    pub namespace: String,
    /// The model or branch that a header of the request names, where the host is shared by all versions.
    pub label: Option<String>,
}

impl Destination {
    /// Whether an object of this kind, namespace and name is what answers: a Service by its host, an InferenceService by
    /// its predictor's host or by the header that names it.
    pub fn is(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let here = self.namespace.is_empty() || self.namespace == namespace;
        match kind {
            "InferenceService" => match &self.label {
                Some(label) => here && label == name,
                None => here && self.service.strip_suffix("-predictor") == Some(name),
            },
            "Service" => here && self.label.is_none() && self.service == name,
            _ => false,
        }
    }

    /// The names of the objects that may answer: [`is`](Destination::is) holds for no other name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let predictor = self.service.strip_suffix("-predictor").filter(|_| self.label.is_none());
        [Some(self.label.as_deref().unwrap_or(&self.service)), predictor].into_iter().flatten()
    }

    /// Whether a model is named, and not the namespace in which it is.
    pub fn is_by_name_alone(&self) -> bool {
        self.label.is_some() && self.namespace.is_empty()
    }
}

/// Every destination that gets requests, copies of them included; each once, in the order of the route.
pub fn destinations(route: &Value) -> Vec<Destination> {
    let istio = route["spec"]["http"].is_array();
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut add = |destination: Destination| {
        if seen.insert(destination.clone()) {
            found.push(destination);
        }
    };
    let all = rules(route).map(Vec::as_slice).unwrap_or_default();
    let hosts = rewritten_all(all, istio);
    for rule in all {
        let listed = rule[list(istio)].as_array().map(Vec::as_slice).unwrap_or_default();
        let several = listed.len() > 1;
        for item in listed {
            // Of several, one without a weight gets nothing from Istio and one share from the Gateway API.
            let weight = item["weight"].as_u64().unwrap_or(u64::from(!istio));
            if !several || weight > 0 {
                add(destination(item, istio, &hosts));
            }
        }
        if rule["mirror"]["host"].is_string() {
            add(host(&rule["mirror"]));
        }
    }
    found
}

/// The ports that a route names, by the Service that has them.
pub fn ports(route: &Value) -> HashMap<String, BTreeSet<u64>> {
    let istio = route["spec"]["http"].is_array();
    let mut found: HashMap<String, BTreeSet<u64>> = HashMap::new();
    for item in rules(route).into_iter().flatten().filter_map(|rule| rule[list(istio)].as_array()).flatten() {
        let (service, port) = match istio {
            true => (host(&item["destination"]).service, &item["destination"]["port"]["number"]),
            false => (item["name"].as_str().unwrap_or_default().to_owned(), &item["port"]),
        };
        if let Some(port) = port.as_u64() {
            found.entry(service).or_default().insert(port);
        }
    }
    found
}

/// The route without the destinations that `gone` names; none when there is nothing to take out, or when a rule that
/// takes every request would lose its last one.
///
/// A rule that names some requests goes with its last destination: these requests fall to the next rule. A destination
/// that is left alone has no weight.
pub fn without(route: &Value, gone: &dyn Fn(&Destination) -> bool) -> Option<Value> {
    let istio = route["spec"]["http"].is_array();
    let (all, key) = (rules(route)?, list(istio));
    let hosts = rewritten_all(all, istio);
    let mut kept = Vec::with_capacity(all.len());
    for rule in all {
        let mut rule = rule.clone();
        if rule["mirror"]["host"].is_string() && gone(&host(&rule["mirror"])) {
            let map = rule.as_object_mut()?;
            map.shift_remove("mirror");
            map.shift_remove("mirrorPercentage");
        }
        if let Some(listed) = rule[key].as_array() {
            let stays = |item: &&Value| !gone(&destination(item, istio, &hosts));
            let mut left: Vec<Value> = listed.iter().filter(stays).cloned().collect();
            if left.is_empty() && !listed.is_empty() {
                let matches = &rule[if istio { "match" } else { "matches" }];
                if super::shares::takes_all(matches) {
                    return None;
                }
                continue;
            }
            if left.len() != listed.len() {
                if let [only] = left.as_mut_slice() {
                    only.as_object_mut()?.shift_remove("weight");
                } else if !left.iter().any(|item| item["weight"].as_u64().unwrap_or(u64::from(!istio)) > 0) {
                    return None;
                }
                rule[key] = json!(left);
            }
        }
        kept.push(rule);
    }
    if kept == *all {
        return None;
    }
    let mut route = route.clone();
    route["spec"][if istio { "http" } else { "rules" }] = json!(kept);
    Some(route)
}

/// Whether every request that no match takes out goes to one destination: what a split is not.
pub fn is_split(route: &Value) -> bool {
    let istio = route["spec"]["http"].is_array();
    let several = |rule: &Value| rule[list(istio)].as_array().is_some_and(|listed| listed.len() > 1);
    rules(route).into_iter().flatten().any(several)
}

fn rules(route: &Value) -> Option<&Vec<Value>> {
    route["spec"]["http"].as_array().or(route["spec"]["rules"].as_array())
}

fn list(istio: bool) -> &'static str {
    if istio { "route" } else { "backendRefs" }
}

fn destination(item: &Value, istio: bool, hosts: &HashMap<&str, &str>) -> Destination {
    let set = &item["headers"]["request"]["set"];
    let label = |namespace: &str, label: &str| {
        let host = host(&item["destination"]);
        Destination { namespace: namespace.to_owned(), label: Some(label.to_owned()), ..host }
    };
    if let Some(name) = set["mm-vmodel-id"].as_str().or(set["branch"].as_str()) {
        return label(hosts.get(name).copied().unwrap_or_default(), name);
    }
    if let Some((name, namespace)) = rewritten(item) {
        return label(namespace, name);
    }
    if istio {
        return host(&item["destination"]);
    }
    Destination {
        service: item["name"].as_str().unwrap_or_default().to_owned(),
        namespace: item["namespace"].as_str().unwrap_or_default().to_owned(),
        label: None,
    }
}

/// The InferenceServices behind Knative's gateway, with their namespaces: a branch of a split is one of them.
fn rewritten_all(rules: &[Value], istio: bool) -> HashMap<&str, &str> {
    let items = rules.iter().filter_map(|rule| rule[list(istio)].as_array()).flatten();
    let mut hosts = HashMap::new();
    // Of one name the first rule counts.
    for (name, namespace) in items.filter_map(rewritten) {
        hosts.entry(name).or_insert(namespace);
    }
    hosts
}

/// The InferenceService behind Knative's gateway, and its namespace: its host is set on the request.
fn rewritten(item: &Value) -> Option<(&str, &str)> {
    let mut labels = item["headers"]["request"]["set"]["Host"].as_str()?.split('.');
    let name = labels.next()?;
    let name = name.strip_suffix("-predictor-default").or_else(|| name.strip_suffix("-predictor"))?;
    Some((name, labels.next().unwrap_or_default()))
}

fn host(destination: &Value) -> Destination {
    let mut labels = destination["host"].as_str().unwrap_or_default().split('.');
    Destination {
        service: labels.next().unwrap_or_default().to_owned(),
        namespace: labels.next().unwrap_or_default().to_owned(),
        label: None,
    }
}

/// Whether a route is in force as far as the API server knows: an HTTPRoute when every parent accepts it in its newest
/// generation and finds its backends, a VirtualService always.
///
/// # Errors
///
/// What keeps it from being so.
pub fn in_force(route: &Value) -> Result<(), String> {
    if route["kind"] != "HTTPRoute" {
        return Ok(());
    }
    let wanted = route["spec"]["parentRefs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let answers = route["status"]["parents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let home = route["metadata"]["namespace"].as_str().unwrap_or_default();
    let of = |parent: &Value| -> Vec<&Value> {
        let same = |answer: &&Value| parent_ref(&answer["parentRef"], home) == parent_ref(parent, home);
        answers.iter().filter(same).collect()
    };
    let silent = wanted.iter().filter(|parent| of(parent).is_empty()).count();
    if silent > 0 {
        return Err(format!("{} of {} parents have answered", wanted.len() - silent, wanted.len()));
    }
    // What is said of a parent that the route has no more is old.
    wanted.iter().flat_map(of).try_for_each(|answer| accepted(route, answer))
}

/// All that names a parent, with the defaults of the Gateway API: group, kind, namespace, name, section and port.
fn parent_ref<'a>(parent: &'a Value, home: &'a str) -> ([&'a str; 5], Option<u64>) {
    let text = |key: &str, default: &'a str| parent[key].as_str().unwrap_or(default);
    let names = [
        text("group", "gateway.networking.k8s.io"),
        text("kind", "Gateway"),
        text("namespace", home),
        text("name", ""),
        text("sectionName", ""),
    ];
    (names, parent["port"].as_u64())
}

/// Whether a parent accepts the newest generation of a route and finds its backends.
fn accepted(route: &Value, answer: &Value) -> Result<(), String> {
    let name = answer["parentRef"]["name"].as_str().unwrap_or_default();
    for kind in ["Accepted", "ResolvedRefs"] {
        let found = answer["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == kind);
        let Some(condition) = found else { return Err(format!("parent {name} does not say {kind}")) };
        let seen = condition["observedGeneration"].as_i64().unwrap_or(0);
        if seen < route["metadata"]["generation"].as_i64().unwrap_or(0) {
            return Err(format!("parent {name} has not seen the change"));
        }
        if condition["status"] != "True" {
            let text = |key: &str| condition[key].as_str().unwrap_or_default();
            let (status, reason, message) = (text("status"), text("reason"), text("message"));
            return Err(format!("parent {name}: {kind} is {status}: {reason}: {message}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(route: &Value, namespace: &str, name: &str) -> bool {
        destinations(route).iter().any(|place| place.is("InferenceService", namespace, name))
    }

    #[test]
    fn a_model_behind_knatives_gateway_is_the_one_in_the_namespace_of_its_host() {
        let gateway = json!({"host": "knative-local-gateway.istio-system.svc.cluster.local"});
        let request = |key: &str, value: &str| json!({"request": {"set": {key: value}}});
        let host = request("Host", "shop-1-predictor.other.svc.cluster.local");
        let canary = json!({"spec": {"http": [{"route": [{"destination": gateway, "headers": host}]}]}});
        let split = json!({"spec": {"http": [
            {"match": [{"headers": {"branch": {"exact": "shop-1"}}}], "route": [{"destination": gateway, "headers": host}]},
            {"route": [{"destination": gateway, "headers": request("branch", "shop-1"), "weight": 1}]}]}});
        for route in [canary, split] {
            assert!(names(&route, "other", "shop-1"), "{route}");
            assert!(!names(&route, "models", "shop-1"), "{route}");
            let all = destinations(&route);
            assert!(all.iter().all(|place| place.namespace == "other"), "{all:?}");
        }
    }

    #[test]
    fn a_model_that_only_its_name_names_may_be_in_any_namespace() {
        let route = json!({"spec": {"http": [{"route": [{"destination": {"host": "modelmesh-serving.modelmesh-serving"},
            "headers": {"request": {"set": {"mm-vmodel-id": "shop-1"}}}}]}]}});
        assert!(names(&route, "models", "shop-1") && names(&route, "other", "shop-1"));
        assert!(destinations(&route)[0].is_by_name_alone());
    }

    #[test]
    fn each_parent_that_a_route_names_has_to_accept_it() {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "observedGeneration": 3});
        let answer = |parent: Value, status: &str| json!({"parentRef": parent, "conditions": [condition("Accepted", status), condition("ResolvedRefs", "True")]});
        let route = |parents: Value, answers: Value| {
            json!({"kind": "HTTPRoute", "metadata": {"namespace": "models", "generation": 3},
                   "spec": {"parentRefs": parents}, "status": {"parents": answers}})
        };
        let inner = json!({"name": "gateway", "sectionName": "inner"});
        let outer = json!({"name": "gateway", "sectionName": "outer"});
        let spelt = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "models",
                           "name": "gateway", "sectionName": "inner"});
        assert_eq!(in_force(&route(json!([inner]), json!([answer(spelt, "True")]))), Ok(()));
        // The answer of another listener, namespace or port is none, however many there are.
        let others = [
            outer.clone(),
            json!({"name": "gateway", "sectionName": "inner", "namespace": "other"}),
            json!({"name": "gateway", "sectionName": "inner", "port": 80}),
            json!({"name": "gateway", "sectionName": "inner", "group": "", "kind": "Service"}),
        ];
        for other in others {
            let answers = json!([answer(other.clone(), "True"), answer(other, "True")]);
            let silent = Err("0 of 1 parents have answered".to_owned());
            assert_eq!(in_force(&route(json!([inner]), answers)), silent);
        }
        // Nor does a parent count that the route has left.
        let answers = json!([answer(inner.clone(), "True"), answer(outer, "False")]);
        assert_eq!(in_force(&route(json!([inner]), answers)), Ok(()));
        let refused = route(json!([inner]), json!([answer(inner.clone(), "False")]));
        assert_eq!(in_force(&refused), Err("parent gateway: Accepted is False: : ".into()));
    }
}
