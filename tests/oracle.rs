//! The documented releases against what real Helm renders of them with the Iter8 chart: the same objects, and for every
//! vector of weights the same route, but for the faults listed in `testdata/oracle-exceptions.yaml`.

#[path = "parts/shared.rs"]
mod shared;
#[path = "parts/skipped.rs"]
mod skipped;
#[path = "parts/vectors.rs"]
mod vectors;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use r8::manifest::read_documents;
use r8::route::Route;
use serde_json::{Map, Value, json};
use shared::shared;
use vectors::vectors;

#[test]
fn documented_releases_mean_what_helm_renders() {
    let Some(folder) = shared("oracle") else { return };
    let mut found = BTreeMap::new();
    let mut cases = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let case = entry.unwrap().path();
        cases += 1;
        for (difference, text) in differences(&case) {
            let name = case.file_name().unwrap().to_str().unwrap().to_owned();
            found.entry(format!("{name}: {difference}")).or_insert(text);
        }
    }
    assert!(cases >= 44, "{cases} cases");
    let expected = exceptions();
    let keys: BTreeSet<String> = found.keys().cloned().collect();
    let surprising: Vec<String> = keys.difference(&expected).map(|key| format!("{key}\n{}", found[key])).collect();
    let needless: Vec<&String> = expected.difference(&keys).collect();
    assert!(
        surprising.is_empty() && needless.is_empty(),
        "differ from Helm:\n{}\nlisted, but equal:\n{needless:#?}",
        surprising.join("\n")
    );
}

/// Every listed difference: `CASE: PLACE` or `CASE: PLACE at [weights]`.
fn exceptions() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/oracle-exceptions.yaml");
    let documents = read_documents(&fs::read_to_string(path).unwrap()).unwrap();
    let mut list = BTreeSet::new();
    for entry in documents[0].as_array().unwrap() {
        assert!(entry["rule"].as_str().unwrap().starts_with('Q'), "{entry} has no rule");
        let vectors = entry["weights"].as_array().cloned().unwrap_or_else(|| vec![Value::Null]);
        for case in entry["cases"].as_array().unwrap() {
            for vector in &vectors {
                let at = if vector.is_null() { String::new() } else { format!(" at {vector}") };
                list.insert(format!("{}: {}{at}", case.as_str().unwrap(), entry["place"].as_str().unwrap()));
            }
        }
    }
    list
}

fn differences(case: &Path) -> Vec<(String, String)> {
    let release: Value = serde_json::from_str(&fs::read_to_string(case.join("release.json")).unwrap()).unwrap();
    let (name, namespace) = (release["release"].as_str().unwrap(), release["namespace"].as_str().unwrap());
    let helm = objects(read_documents(&fs::read_to_string(case.join("helm.yaml")).unwrap()).unwrap(), namespace);
    let output = Command::new(env!("CARGO_BIN_EXE_r8"))
        .args(["render", name, "-n", namespace, "--routing", "routemap", "-f"])
        .arg(case.join("values.yaml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", case.display(), String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let ours = objects(read_documents(&text).unwrap(), namespace);
    let mut found = Vec::new();
    let keys: BTreeSet<&String> = helm.keys().chain(ours.keys()).collect();
    for key in keys {
        match (helm.get(key), ours.get(key)) {
            (Some(theirs), Some(mine)) if is_routemap(theirs) => routemaps(theirs, mine, &mut found),
            (Some(theirs), Some(mine)) if theirs == mine => {}
            (theirs, mine) => found.push((key.clone(), format!("Helm: {theirs:#?}\nr8: {mine:#?}"))),
        }
    }
    found
}

fn is_routemap(object: &Value) -> bool {
    object["metadata"]["labels"]["iter8.tools/kind"] == "routemap"
}

/// Objects by kind and name, with the namespace that Helm would apply them to, and without empty maps.
fn objects(documents: Vec<Value>, namespace: &str) -> BTreeMap<String, Value> {
    let mut objects = BTreeMap::new();
    for mut object in documents {
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.entry("namespace").or_insert_with(|| namespace.into());
        metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
        let key = format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        assert!(objects.insert(key.clone(), object).is_none(), "{key} twice");
    }
    objects
}

fn routemaps(theirs: &Value, mine: &Value, found: &mut Vec<(String, String)>) {
    let mut compare = |place: &str, theirs: &Value, mine: &Value| {
        if theirs != mine {
            found.push((place.to_owned(), format!("Helm: {theirs:#}\nr8: {mine:#}")));
        }
    };
    compare("routemap metadata", &theirs["metadata"], &mine["metadata"]);
    let text = |object: &Value| object["data"]["strSpec"].as_str().unwrap().to_owned();
    let (their_text, my_text) = (text(theirs), text(mine));
    let read = |text: &str| read_documents(text).unwrap().remove(0);
    let (their_spec, my_spec) = (read(&their_text), read(&my_text));
    compare("routemap versions", &their_spec["versions"], &my_spec["versions"]);
    let names = |spec: &Value| -> Value {
        let templates = spec["routingTemplates"].as_object().cloned().unwrap_or_default();
        templates.iter().map(|(name, template)| json!([name, template["gvrShort"]])).collect()
    };
    compare("routemap templates", &names(&their_spec), &names(&my_spec));
    let (Some(their_route), Some(my_route)) = (Route::parse(&their_text).unwrap(), Route::parse(&my_text).unwrap())
    else {
        return;
    };
    let versions = my_spec["versions"].as_array().unwrap().len();
    for weights in vectors(versions) {
        let (mut their_object, my_object) = (at(&their_route, &weights), at(&my_route, &weights));
        with_gateway_port(&mut their_object);
        let both: BTreeSet<String> =
            [&their_object, &my_object].iter().flat_map(|object| object.keys().cloned()).collect();
        for field in both {
            let (theirs, mine) = (&their_object[field.as_str()], &my_object[field.as_str()]);
            if theirs != mine {
                let everywhere = field == "hostnames";
                let at = if everywhere { String::new() } else { format!(" at {}", json!(weights)) };
                found.push((format!("route {field}{at}"), format!("Helm: {theirs:#}\nr8: {mine:#}")));
            }
        }
    }
}

/// Adds the port that the chart leaves out (Q29): the gateway's Service has two ports since 2024 (net-istio, pull request
/// 1228), and without a port Istio takes that of its own listener for the second hop, which the Service lacks.
fn with_gateway_port(route: &mut Map<String, Value>) {
    let rules = route.get_mut("http").and_then(Value::as_array_mut).into_iter().flatten();
    for item in rules.flat_map(|rule| rule["route"].as_array_mut().into_iter().flatten()) {
        if item["destination"]["host"] == "knative-local-gateway.istio-system.svc.cluster.local" {
            item["destination"]["port"] = json!({"number": 80});
        }
    }
}

/// The route's `spec` in a form in which equal traffic is equal: a destination of weight 0 beside others is none, the
/// weight of an only destination means nothing.
fn at(route: &Route, weights: &[u32]) -> Map<String, Value> {
    let mut object = route.at(weights).unwrap().object;
    let mut spec = object["spec"].take();
    for (rules, destinations) in [("http", "route"), ("rules", "backendRefs")] {
        for rule in spec[rules].as_array_mut().into_iter().flatten() {
            let Some(list) = rule[destinations].as_array_mut() else { continue };
            let weighted = list.iter().any(|item| item["weight"].as_u64().is_some_and(|weight| weight > 0));
            if weighted {
                // Istio takes an absent weight beside others for 0, the Gateway API for 1.
                let absent = if rules == "http" { 0 } else { 1 };
                list.retain(|item| item["weight"].as_u64().unwrap_or(absent) > 0);
            }
            if let [only] = list.as_mut_slice() {
                only.as_object_mut().unwrap().remove("weight");
            }
        }
    }
    let kind = object["kind"].take();
    let Value::Object(mut spec) = spec else { panic!("a route has a spec") };
    spec.insert("kind".into(), kind);
    spec.insert("metadata".into(), object["metadata"].take());
    let mut all = spec;
    all.insert("apiVersion".into(), object["apiVersion"].take());
    all
}
