//! The detectors of the table: a small closed set of things to look for in a release.

use serde_json::Value;

use super::check::Subject;
use super::table::{By, Detect};
use crate::manifest::{Manifest, ObjectKey, Role};
use crate::spec::Version;
use crate::values::{Node, Origin};

/// The annotation that says how KServe runs a model.
const MODE: &str = "serving.kserve.io/deploymentMode";
/// The longest name of a Service.
const MAX_SERVICE: usize = 63;

/// One thing that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The object that it is about.
    pub object: ObjectKey,
    /// What it is, for the message.
    pub text: String,
    /// Where the values say it.
    pub place: Option<Place>,
}

/// A place in the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub origin: Origin,
    pub path: String,
}

/// One step of a path.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
}

impl Subject<'_> {
    /// Everything that a row looks for.
    pub(super) fn find(&self, detect: &Detect) -> Vec<Found> {
        match detect {
            Detect::ApiVersion { version, kinds } => self.api_version(version, kinds),
            Detect::Field { kind, path, by_default } => self.fields(kind, path, *by_default),
            Detect::Longer { kind, path, most } => self.longer(kind, path, *most),
            Detect::Mode { any, by } => self.modes(any, *by),
            Detect::WeightsBeside { sum } => self.weights(*sum),
            Detect::Suffix { is } => self.suffix(is),
            Detect::LongService { tail } => self.long_services(tail),
        }
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Manifest> {
        self.manifests.iter().filter(move |manifest| manifest.key.kind == kind)
    }

    fn api_version(&self, version: &str, kinds: &[String]) -> Vec<Found> {
        let wanted = |manifest: &&Manifest| {
            manifest.object["apiVersion"] == version && (kinds.is_empty() || kinds.contains(&manifest.key.kind))
        };
        let found = self.manifests.iter().filter(wanted);
        found.map(|manifest| Found { object: manifest.key.clone(), text: version.to_owned(), place: None }).collect()
    }

    fn fields(&self, kind: &str, path: &str, by_default: bool) -> Vec<Found> {
        let mut found = Vec::new();
        for manifest in self.of_kind(kind).filter(|manifest| !by_default || mode(manifest).is_empty()) {
            for (steps, value) in at(&manifest.object, path) {
                let place = self.of_version(manifest, steps).or_else(|| self.environment());
                found.push(Found { object: manifest.key.clone(), text: value.to_string(), place });
            }
        }
        found
    }

    fn longer(&self, kind: &str, path: &str, most: usize) -> Vec<Found> {
        let mut found = Vec::new();
        for manifest in self.of_kind(kind) {
            for (_, value) in at(&manifest.object, path) {
                let count = value.as_array().map_or(0, Vec::len);
                if count > most {
                    let place = self.matches(count).or_else(|| self.place(&[key("application"), key("versions")]));
                    found.push(Found { object: manifest.key.clone(), text: count.to_string(), place });
                }
            }
        }
        found
    }

    /// Where the values have a list of so many matches.
    fn matches(&self, count: usize) -> Option<Place> {
        let versions = &self.spec.application.versions;
        let has = |version: &&Version| {
            version.matches.as_ref().and_then(Value::as_array).is_some_and(|matches| matches.len() == count)
        };
        let index = versions.iter().find(has)?.index;
        let name = self.spec.application.rule.matches.clone()?;
        self.place(&[key("application"), key("versions"), Step::Index(index), Step::Key(name)])
    }

    fn modes(&self, any: &[String], by: Option<By>) -> Vec<Found> {
        let mut found = Vec::new();
        let rules = self.spec.environment.objects();
        let is_fixed = rules.iter().any(|rule| rule.annotations.contains_key(MODE));
        let said_by = if is_fixed { By::Environment } else { By::Values };
        for manifest in self.of_kind("InferenceService").filter(|_| by.is_none_or(|by| by == said_by)) {
            let mode = mode(manifest);
            if any.iter().any(|known| known == mode) {
                let place = self.annotation(manifest, MODE).or_else(|| self.environment());
                found.push(Found { object: manifest.key.clone(), text: mode.to_owned(), place });
            }
        }
        found
    }

    fn weights(&self, wanted: u64) -> Vec<Found> {
        let Some(route) = self.route.filter(|route| route.key().kind == "VirtualService") else { return Vec::new() };
        for ready in self.ready {
            let Ok(manifest) = route.at(&route.in_force(|index| ready.contains(&index))) else { continue };
            for (_, destinations) in at(&manifest.object, "spec.http[].route") {
                let list = destinations.as_array().map(Vec::as_slice).unwrap_or_default();
                let sum: u64 = list.iter().filter_map(|destination| destination["weight"].as_u64()).sum();
                if list.len() > 1 && sum != wanted {
                    let place = self.place(&[key("application"), key("versions")]);
                    return vec![Found { object: manifest.key.clone(), text: sum.to_string(), place }];
                }
            }
        }
        Vec::new()
    }

    fn suffix(&self, wanted: &str) -> Vec<Found> {
        let destination = self.spec.environment.table.destination.as_ref();
        let has = destination.is_some_and(|destination| destination.suffix == wanted);
        let Some(route) = self.route.filter(|_| has) else { return Vec::new() };
        vec![Found { object: route.key().clone(), text: wanted.to_owned(), place: self.environment() }]
    }

    fn long_services(&self, tail: &str) -> Vec<Found> {
        let mut found = Vec::new();
        for manifest in self.of_kind("InferenceService").filter(|manifest| mode(manifest) != "ModelMesh") {
            let parts = ["transformer", "explainer"].into_iter();
            let parts = parts.filter(|part| manifest.object["spec"].get(part).is_some_and(|part| !part.is_null()));
            let names = std::iter::once("predictor").chain(parts);
            let long = names.map(|part| format!("{}-{part}{tail}", manifest.key.name));
            if let Some(name) = long.filter(|name| name.len() > MAX_SERVICE).max_by_key(String::len) {
                let steps = vec![key("metadata"), key("name")];
                let place = self.of_version(manifest, steps.clone());
                let place = place.or_else(|| self.version(manifest, &steps)).or_else(|| self.version(manifest, &[]));
                found.push(Found { object: manifest.key.clone(), text: name, place });
            }
        }
        found
    }

    /// Where the values have what an object of a version has at a path: below the key that replaces the object.
    fn of_version(&self, manifest: &Manifest, steps: Vec<Step>) -> Option<Place> {
        let rules = self.spec.environment.objects();
        let rule = rules.iter().find(|rule| rule.kind == manifest.key.kind)?;
        self.version(manifest, &[vec![Step::Key(rule.specification.clone())], steps].concat())
    }

    /// Where the values of an object's version have something.
    fn version(&self, manifest: &Manifest, steps: &[Step]) -> Option<Place> {
        let Role::Version(index) = manifest.role else { return None };
        self.place(&[&[key("application"), key("versions"), Step::Index(index)], steps].concat())
    }

    /// Where the values have an annotation of an object of a version.
    fn annotation(&self, manifest: &Manifest, name: &str) -> Option<Place> {
        let steps = vec![key("metadata"), key("annotations"), key(name)];
        let of_application = || self.place(&[vec![key("application")], steps.clone()].concat());
        let place = self.of_version(manifest, steps.clone()).or_else(|| self.version(manifest, &steps));
        place.or_else(of_application)
    }

    fn environment(&self) -> Option<Place> {
        self.place(&[key("environment")])
    }

    fn place(&self, steps: &[Step]) -> Option<Place> {
        let mut node: &Node = self.values;
        let mut path = String::new();
        for step in steps {
            node = match step {
                Step::Key(name) => node.get(name)?,
                Step::Index(index) => node.as_list()?.get(*index)?,
            };
            match step {
                Step::Key(name) if name.contains(['.', '/']) => path.push_str(&format!("[\"{name}\"]")),
                Step::Key(name) if path.is_empty() => path.push_str(name),
                Step::Key(name) => path.push_str(&format!(".{name}")),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        (node.origin.line > 0).then_some(Place { origin: node.origin, path })
    }
}

fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

/// The mode of an InferenceService by its annotation; empty where the cluster decides.
fn mode(manifest: &Manifest) -> &str {
    manifest.object["metadata"]["annotations"][MODE].as_str().unwrap_or_default()
}

/// The values at a path such as `spec.http[].route`, each with the steps that lead there.
fn at<'v>(object: &'v Value, path: &str) -> Vec<(Vec<Step>, &'v Value)> {
    let mut found = vec![(Vec::new(), object)];
    for part in path.split('.') {
        let (name, is_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        let below = found.into_iter().filter_map(|(steps, value)| {
            let value = value.get(name).filter(|value| !value.is_null())?;
            Some(([steps, vec![key(name)]].concat(), value))
        });
        found = if is_list {
            let items = below.filter_map(|(steps, value)| Some((steps, value.as_array()?)));
            let item = |(steps, items): (Vec<Step>, &'v Vec<Value>)| {
                let items = items.iter().enumerate();
                let item = |(index, value)| ([steps.clone(), vec![Step::Index(index)]].concat(), value);
                items.map(item).collect::<Vec<_>>()
            };
            items.flat_map(item).collect()
        } else {
            below.collect()
        };
    }
    found
}
