//! The whole pipeline for one input, and what must hold of a release that it accepts.

use std::collections::{BTreeMap, BTreeSet};

use r8::manifest::{Manifest, Manifests, Role, read_documents};
use r8::render::{ApiVersion, Options, RenderError, Rendered, Routing, render};
use r8::route::Route;
use r8::spec::{Identity, ReleaseSpec, Unknown, Version};
use r8::templates::Catalog;
use r8::values::{Source, load};
use serde_json::Value;

use super::{places, traffic};

/// The most versions of which every subset is tried as the ready ones.
const MAX_SUBSETS: usize = 4;

/// Runs the pipeline and says whether it accepts the release.
pub(crate) fn check(sources: &[Source], release: Option<&str>, unknown: Unknown) -> bool {
    let values = match load(sources) {
        Ok(values) => values,
        Err(errors) => {
            places::check_errors(&errors, sources);
            return false;
        }
    };
    let identity = Identity { release: release.map(str::to_owned), namespace: "default".into() };
    let catalog = Catalog::embedded();
    let spec = match ReleaseSpec::decode(&values, &catalog, &identity, unknown) {
        Ok((spec, warnings)) => {
            places::check_release(&warnings, sources);
            spec
        }
        Err(errors) => {
            assert!(!errors.errors.is_empty());
            places::check_release(&errors.errors, sources);
            return false;
        }
    };
    // Whatever a template could stumble over must have been found before, at its place in the values.
    let rendered = render(&spec, &catalog).unwrap_or_else(|errors| panic!("{errors}"));
    let all = Options { routing: Routing::Both, api_version: ApiVersion::V1beta1, ready: None };
    if let Err(errors) = rendered.clone().select(&all) {
        assert!(matches!(errors.0, RenderError::TooLarge { .. }), "{errors}");
        return false;
    }
    let again = render(&spec, &catalog).expect("it was rendered before");
    assert_eq!(select(&again, &all).to_yaml(), select(&rendered, &all).to_yaml(), "two renderings differ");
    let routings = [(Routing::Routemap, ApiVersion::V1beta1), (Routing::Route, ApiVersion::V1)];
    for (routing, api_version) in routings.into_iter().chain([(all.routing, all.api_version)]) {
        check_printed(&select(&rendered, &Options { routing, api_version, ready: None }), routing);
    }
    check_versions(&spec, &rendered, &values.root().to_json());
    check_routes(&spec, &rendered);
    true
}

fn select(rendered: &Rendered, options: &Options) -> Manifests {
    rendered.clone().select(options).unwrap_or_else(|error| panic!("{options:?}: {error}"))
}

/// Every key once, every name and namespace as Kubernetes has them, read back unchanged.
fn check_printed(manifests: &Manifests, routing: Routing) {
    let mut keys = BTreeSet::new();
    for manifest in manifests.iter() {
        let key = &manifest.key;
        assert!(keys.insert(key), "{key} is printed twice");
        let metadata = &manifest.object["metadata"];
        assert_eq!(
            (&metadata["name"], &metadata["namespace"]),
            (&Value::from(&*key.name), &Value::from(&*key.namespace))
        );
        let longest = if key.kind == "Service" { 63 } else { 253 };
        assert!(is_name(&key.name, longest) && (key.kind != "Service" || !key.name.contains('.')), "{key}");
        assert!(is_name(&key.namespace, 63) && !key.namespace.contains('.'), "{key}");
        let wanted = match manifest.role {
            Role::Route => routing != Routing::Routemap,
            Role::Routemap | Role::Weights(_) => routing != Routing::Route,
            Role::Support | Role::Version(_) => true,
        };
        assert!(wanted, "{key} with {routing:?}");
    }
    let roles: Vec<Role> = manifests.iter().map(|manifest| manifest.role).collect();
    assert!(roles.is_sorted(), "{roles:?}");
    let text = manifests.to_yaml().expect("objects can be written");
    let objects: Vec<Value> = manifests.iter().map(|manifest| manifest.object.clone()).collect();
    assert_eq!(read_documents(&text).as_ref(), Ok(&objects), "{text}");
}

/// Whether a text is a name as RFC 1123 has them: labels with dots between.
fn is_name(text: &str, longest: usize) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label =
        |label: &str| !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-');
    text.len() <= longest && text.split('.').all(label)
}

/// What the user wrote for a version stands in its objects unchanged.
fn check_versions(spec: &ReleaseSpec, rendered: &Rendered, tree: &Value) {
    let application = &tree["application"];
    // The one label whose value the user does not choose.
    let watch = BTreeMap::from([("iter8.tools/watch".into(), "true".into())]);
    for version in &spec.application.versions {
        let given = &application["versions"][version.index];
        for (rule, object) in spec.environment.objects().iter().zip(&version.objects) {
            let role = Role::Version(version.index);
            let is_it = |manifest: &&Manifest| manifest.role == role && manifest.key.kind == object.kind;
            let written = &rendered.manifests.iter().find(is_it).expect("every version has its objects").object;
            let own = &given[&rule.specification];
            let layers = [&application["metadata"], &given["metadata"], &own["metadata"]];
            for (key, fixed) in [("labels", &watch), ("annotations", &rule.annotations)] {
                assert_eq!(texts(&written["metadata"][key]), merged(&layers, key, fixed), "{key} of {written:#}");
            }
            if own["spec"].is_object() {
                assert_eq!(written["spec"], own["spec"]);
                continue;
            }
            let field = match object.kind.as_str() {
                "Deployment" => (&written["spec"]["template"]["spec"]["containers"][0]["image"], &given["image"]),
                "InferenceService" => (&written["spec"]["predictor"]["model"]["storageUri"], &given["storageUri"]),
                _ => continue,
            };
            assert_eq!(field.0, field.1);
        }
    }
}

/// Labels or annotations of several layers, the later ones over the earlier, those with a fixed value over all.
fn merged<'a>(layers: &[&'a Value], key: &str, fixed: &'a BTreeMap<String, String>) -> BTreeMap<&'a str, &'a str> {
    let mut all: BTreeMap<&str, &str> = layers.iter().flat_map(|layer| texts(&layer[key])).collect();
    all.extend(fixed.iter().map(|(key, text)| (key.as_str(), text.as_str())));
    all
}

fn texts(map: &Value) -> BTreeMap<&str, &str> {
    let entries = map.as_object().into_iter().flatten();
    entries.map(|(key, text)| (key.as_str(), text.as_str().expect("labels and annotations are texts"))).collect()
}

/// For every subset of ready versions, the route sends requests where it should, and the routemap holds the same route.
fn check_routes(spec: &ReleaseSpec, rendered: &Rendered) {
    let read = rendered.routemap.as_ref().map(|routemap| {
        let text = routemap.object["data"]["strSpec"].as_str().expect("a routemap has a text");
        check_resources(text, &spec.application.versions, &rendered.manifests);
        Route::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    });
    let Some(route) = &rendered.route else {
        assert_eq!(spec.application.strategy, "none");
        return;
    };
    let read = read.flatten();
    for ready in subsets(spec.application.versions.len()) {
        let weights = route.in_force(|index| ready.contains(&index));
        let manifest = route.at(&weights).unwrap_or_else(|error| panic!("{ready:?}: {error}\n{}", route.open()));
        traffic::check(&manifest.object, &spec.application, &ready);
        if let Some(read) = &read {
            assert_eq!(read.wanted(), route.wanted());
            assert_eq!(read.at(&weights).map(|manifest| manifest.object).as_ref(), Ok(&manifest.object));
        }
        let list = Manifests::new(vec![manifest]).expect("one object");
        let text = list.to_yaml().expect("a route can be written");
        let objects: Vec<Value> = list.iter().map(|manifest| manifest.object.clone()).collect();
        assert_eq!(read_documents(&text).as_ref(), Ok(&objects), "{text}");
    }
}

/// Every resource that the routemap waits for is an object of the release.
fn check_resources(text: &str, versions: &[Version], manifests: &Manifests) {
    let documents = read_documents(text).expect("the routemap's text is YAML");
    let [document] = documents.as_slice() else { panic!("{text}") };
    let listed = document["versions"].as_array().expect("a routemap has versions");
    assert_eq!(listed.len(), versions.len());
    for resource in listed.iter().flat_map(|version| version["resources"].as_array().expect("a version has resources"))
    {
        let kind = match resource["gvrShort"].as_str() {
            Some("svc") => "Service",
            Some("deploy") => "Deployment",
            Some("isvc") => "InferenceService",
            Some("cm") => "ConfigMap",
            other => panic!("{other:?}"),
        };
        let is_it = |manifest: &&Manifest| {
            let key = &manifest.key;
            key.kind == kind && resource["name"] == *key.name && resource["namespace"] == *key.namespace
        };
        assert!(manifests.iter().any(|manifest| is_it(&manifest)), "{resource} is not among the objects");
    }
}

/// Every subset of few versions; of many, those that differ most.
fn subsets(versions: usize) -> Vec<Vec<usize>> {
    let all = 0..versions;
    if versions <= MAX_SUBSETS {
        let members = |subset: usize| all.clone().filter(move |index| subset & 1 << index != 0).collect();
        return (0..1 << versions).map(members).collect();
    }
    vec![
        all.clone().collect(),
        vec![],
        vec![0],
        all.clone().skip(1).collect(),
        vec![versions - 1],
        all.step_by(2).collect(),
    ]
}
