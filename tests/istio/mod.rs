//! Istio's own route conversion beside the reference: where simulated requests end, through every gateway on their way.

mod explain;
mod random;

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{claim, each, effective, index_of, parts, reference, rendered, sends_to_itself};

/// The Service and the pods of Knative's gateway for requests inside the cluster.
const LOCAL_GATEWAY: &str = "knative-local-gateway.istio-system.svc.cluster.local";

/// Where a part of the requests ends.
struct End<'a> {
    share: f64,
    /// Host of the cluster.
    cluster: &'a str,
    /// The request as it arrives there: host, path, headers.
    sent: &'a Value,
    /// What the proxies on the way have added to the response as `app-version`.
    versions: Vec<&'a str>,
}

/// Follows an answer to its ends.
fn ends(answer: &Value) -> Vec<End<'_>> {
    fn collect<'a>(answer: &'a Value, share: f64, versions: &[&'a str], found: &mut Vec<End<'a>>) {
        let clusters = answer["clusters"].as_array().filter(|clusters| !clusters.is_empty());
        for cluster in clusters.unwrap_or_else(|| panic!("the request goes nowhere: {answer:#}")) {
            assert_ne!(cluster["unknown"], true, "no such cluster: {answer:#}");
            let share = share * cluster["share"].as_f64().unwrap();
            let added = cluster["responseAdd"]["app-version"].as_str();
            let versions: Vec<&str> = versions.iter().copied().chain(added).collect();
            match &cluster["next"] {
                Value::Null => {
                    let host = cluster["host"].as_str().unwrap();
                    found.push(End { share, cluster: host, sent: &cluster["sent"], versions });
                }
                next => collect(next, share, &versions, found),
            }
        }
    }
    let mut found = Vec::new();
    collect(answer, 1.0, &[], &mut found);
    found
}

/// The shares of the versions, once it is sure that every request arrives as the version's server wants it.
fn shares(environment: &str, answer: &Value) -> BTreeMap<usize, f64> {
    let mut shares = BTreeMap::new();
    for end in ends(answer) {
        let index = if environment == "kserve-modelmesh-istio" {
            assert_eq!(end.cluster, "modelmesh-serving.modelmesh-serving.svc.cluster.local");
            index_of(end.sent["headers"]["mm-vmodel-id"].as_str().unwrap())
        } else {
            index_of(end.cluster)
        };
        let name = format!("app-{index}");
        let (host, path) = match knative_suffix(environment) {
            Some(suffix) => (format!("{name}{suffix}.default.svc.cluster.local"), format!("/v2/models/{name}/infer")),
            None => ("app.default".to_owned(), "/".to_owned()),
        };
        assert_eq!((&end.sent["host"], &end.sent["path"]), (&json!(host), &json!(path)), "{answer:#}");
        assert_eq!(end.sent["headers"]["branch"], Value::Null, "the header of the split leaks: {answer:#}");
        assert_eq!(end.versions, [name.as_str()], "{answer:#}");
        *shares.entry(index).or_insert(0.0) += end.share;
    }
    shares
}

/// What KServe appends to an InferenceService's name where Knative serves it.
fn knative_suffix(environment: &str) -> Option<&'static str> {
    match environment {
        "kserve" | "kserve-0.11" => Some("-predictor"),
        "kserve-0.10" => Some("-predictor-default"),
        _ => None,
    }
}

/// A Service with one port that Istio knows the protocol of.
fn service(namespace: &str, name: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"ports": [{"name": "http2", "port": port}], "selector": {"app": name}},
    })
}

/// What stands in the cluster beside the release.
fn surroundings(environment: &str, versions: usize) -> Vec<Value> {
    let mut objects = vec![service("istio-system", "istio-ingressgateway", 80)];
    match environment {
        "kserve-modelmesh-istio" => objects.push(service("modelmesh-serving", "modelmesh-serving", 8033)),
        "kserve-standard" => {
            objects.extend((0..versions).map(|index| service("default", &format!("app-{index}-predictor"), 80)));
        }
        _ => {}
    }
    if let Some(suffix) = knative_suffix(environment) {
        objects = knative(suffix, versions);
    }
    objects
}

/// Knative's two gateways, which share their pods, and what it makes of every version's InferenceService.
fn knative(suffix: &str, versions: usize) -> Vec<Value> {
    let gateway = |name: &str, port: u16| {
        json!({
            "apiVersion": "networking.istio.io/v1beta1", "kind": "Gateway",
            "metadata": {"name": name, "namespace": "knative-serving"},
            "spec": {
                "selector": {"istio": "ingressgateway"},
                "servers": [{"hosts": ["*"], "port": {"name": "http", "number": port, "protocol": "HTTP"}}],
            },
        })
    };
    let entrance = |name: &str, target: u16| {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": name, "namespace": "istio-system",
                "labels": {"experimental.istio.io/disable-gateway-port-translation": "true"},
            },
            "spec": {
                // Two ports, as net-istio's Service has them: a destination must name the one it means.
                "ports": [{"name": "http2", "port": 80, "targetPort": target}, {"name": "https", "port": 443, "targetPort": 8444}],
                "selector": {"istio": "ingressgateway"},
            },
        })
    };
    let mut objects = vec![
        gateway("knative-ingress-gateway", 8080),
        gateway("knative-local-gateway", 8081),
        entrance("istio-ingressgateway", 8080),
        entrance("knative-local-gateway", 8081),
    ];
    for index in 0..versions {
        let name = format!("app-{index}{suffix}");
        let revision = format!("{name}-00001");
        let hosts = ["", ".svc", ".svc.cluster.local"].map(|domain| format!("{name}.default{domain}"));
        objects.push(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
            "spec": {"type": "ExternalName", "externalName": LOCAL_GATEWAY, "ports": [{"name": "http2", "port": 80}]},
        }));
        objects.push(service("default", &revision, 80));
        objects.push(json!({
            "apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
            "metadata": {"name": format!("{name}-ingress"), "namespace": "default"},
            "spec": {
                "gateways": ["knative-serving/knative-local-gateway"],
                "hosts": hosts,
                "http": [{"route": [{"destination": {
                    "host": format!("{revision}.default.svc.cluster.local"), "port": {"number": 80},
                }}]}],
            },
        }));
    }
    objects
}

fn alike(found: &BTreeMap<usize, f64>, expected: &BTreeMap<usize, f64>) -> bool {
    found.len() == expected.len()
        && expected.iter().all(|(index, share)| found.get(index).is_some_and(|found| (found - share).abs() < 1e-6))
}

#[test]
fn istio_sends_requests_where_r8_means_them_to_go() {
    if !parts::wanted() {
        return;
    }
    let mut part = parts::Part::start("istio");
    // Readiness and weights that give one route are asked once.
    let mut asked: HashMap<String, Value> = HashMap::new();
    let mut checked = 0;
    each(|environment, strategy, wanted, route, ready| {
        if wanted.len() > 3 {
            return;
        }
        let rendered = rendered(environment, strategy, wanted);
        let mut objects: Vec<Value> = rendered.manifests.iter().map(|manifest| manifest.object.clone()).collect();
        objects.retain(|object| ["Service", "ServiceEntry"].iter().any(|kind| object["kind"] == *kind));
        objects.push(route.at(&route.in_force(|index| ready[index])).unwrap().object);
        objects.extend(surroundings(environment, wanted.len()));
        let expected = reference(environment, strategy, &effective(environment, strategy, wanted), ready);
        let mut requests = vec![(json!({"headers": {}}), expected.others.clone())];
        // What a candidate claims goes to it alone while it is ready, and like all other requests while it is not.
        for index in 1..wanted.len() {
            let claimed = expected.matched.contains(&index).then(|| BTreeMap::from([(index, 1.0)]));
            let request = json!({"headers": {"traffic": claim(index)}});
            requests.push((request, claimed.unwrap_or_else(|| expected.others.clone())));
        }
        if knative_suffix(environment).is_some() {
            for name in ["knative-ingress-gateway", "knative-local-gateway"] {
                let gateway = json!({"namespace": "knative-serving", "name": name});
                requests.push((json!({"gateway": gateway}), expected.others.clone()));
            }
        }
        if sends_to_itself(environment, strategy) {
            for index in 0..wanted.len() {
                let named = expected.named.contains(&index).then(|| BTreeMap::from([(index, 1.0)]));
                let request = json!({"headers": {"branch": format!("app-{index}")}});
                requests.push((request, named.unwrap_or_else(|| expected.others.clone())));
            }
        }
        for (request, _) in &mut requests {
            request["host"] = "app.default".into();
            request["port"] = if environment == "kserve-modelmesh-istio" { 8033.into() } else { 80.into() };
            request["follow"] = true.into();
            if request["gateway"].is_null() {
                request["namespace"] = "default".into();
            }
        }
        let list: Vec<&Value> = requests.iter().map(|(request, _)| request).collect();
        let question = json!({"op": "route", "objects": objects, "requests": list});
        let place = format!("{environment}/{strategy} {wanted:?} ready {ready:?}");
        let answer = asked
            .entry(question.to_string())
            .or_insert_with(|| part.ask(&question).unwrap_or_else(|error| panic!("{place}: {error}")));
        for (index, (request, expected)) in requests.iter().enumerate() {
            let found = shares(environment, &answer["answers"][index]);
            assert!(alike(&found, expected), "{place}: {request} {found:?}, meant {expected:?}: {answer:#}");
        }
        let mirrors = answer["answers"][0]["mirrors"].as_array().unwrap().iter();
        checked += 1;
        let mirrors = mirrors
            .map(|mirror| (index_of(mirror["host"].as_str().unwrap()), mirror["percent"].as_f64().unwrap() as u64));
        assert_eq!(mirrors.collect::<BTreeMap<_, _>>(), expected.mirrored, "{place}: {answer:#}");
    });
    assert!(checked > 500 && asked.len() > 100, "{} of {checked} routes are routes of their own", asked.len());
}
