//! A text stays what it is, wherever a user writes one.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use r8::manifest::{Manifests, read_documents};
use r8::render::{ApiVersion, Options, Routing, render};
use r8::route::Route;
use r8::spec::{Identity, ReleaseSpec, SpecErrors, Unknown};
use r8::templates::Catalog;
use r8::values::{Source, SourceName, load};
use serde_json::{Value, json};

use super::parts::{self, Part};

/// Texts that readers take for something else, or act on.
const AWKWARD: [&str; 40] = [
    "",
    " ",
    "yes",
    "No",
    "on",
    "y",
    "~",
    "null",
    "010",
    "0o10",
    "0x1F",
    "1e3",
    "1_000",
    ".inf",
    "1:30",
    "2024-01-01",
    "<<",
    "=",
    "- a",
    "a: b",
    "a #b",
    "#",
    "'",
    "\"",
    "\\",
    "\\u0041",
    "{{ index .Weights 0 }}",
    "{{- end }}",
    "{{/*",
    "<b",
    "<!-- a",
    "<script>",
    "</script>",
    "&lt;",
    "---",
    "...",
    "a\n---\nb",
    "\t",
    "\r\n",
    "\u{0}\u{7f}\u{85}\u{2028}\u{feff}\u{fffe}\u{1f600}",
];

fn texts() -> impl Strategy<Value = String> {
    let piece = "(a|b| |\n|\t|\r|:|: |#| #|-|- |\"|'|\\\\|\\{\\{|\\}\\}|<|<!--|`|\\$|%|&|\u{85}|\u{2028}|\u{feff}|\u{e9}|\u{1f600}|[\u{0}-\u{1f}])*";
    prop_oneof![prop::sample::select(AWKWARD.as_slice()).prop_map(str::to_owned), any::<String>(), piece]
}

/// One place where a user writes a text.
#[derive(Debug, Clone, Copy)]
enum Place {
    Label,
    Annotation,
    EnvironmentVariable,
    StorageUri,
    IstioMatch,
    GatewayMatch,
}

const PLACES: [Place; 6] = [
    Place::Label,
    Place::Annotation,
    Place::EnvironmentVariable,
    Place::StorageUri,
    Place::IstioMatch,
    Place::GatewayMatch,
];

/// Writes a text in double quotes with nothing but printable ASCII characters.
fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        _ => format!("\\U{:08x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

impl Place {
    /// A release with the text at this place, alone in its line.
    fn values(self, text: &str) -> String {
        let text = quoted(text);
        let release = |environment: &str, strategy: &str, candidate: &str| {
            let primary = if environment == "kserve" { "storageUri: s3://a, modelFormat: sklearn" } else { "image: i" };
            format!(
                "environment: {environment}\napplication:\n  strategy: {strategy}\n  versions:\n  - {{{primary}}}\n  - {candidate}"
            )
        };
        match self {
            Place::Label => release(
                "deployment",
                "none",
                &format!("image: i\n    metadata:\n      labels:\n        a:\n          {text}\n"),
            ),
            Place::Annotation => release(
                "deployment",
                "none",
                &format!("image: i\n    metadata:\n      annotations:\n        a:\n          {text}\n"),
            ),
            Place::EnvironmentVariable => {
                let spec = "deploymentSpecification:\n      spec:\n        template: {spec: {containers: [{name: a, env: [{name: A, value:";
                release("deployment", "none", &format!("{spec}\n          {text}\n        }}]}}]}}}}\n"))
            }
            Place::StorageUri => {
                release("kserve", "none", &format!("modelFormat: sklearn\n    storageUri:\n      {text}\n"))
            }
            Place::IstioMatch => release(
                "deployment-istio",
                "canary",
                &format!("image: i\n    match: [{{headers: {{traffic: {{exact:\n      {text}\n    }}}}}}]\n"),
            ),
            Place::GatewayMatch => release(
                "deployment-gtw",
                "canary",
                &format!("image: i\n    matches: [{{headers: [{{name: traffic, value:\n      {text}\n    }}]}}]\n"),
            ),
        }
    }

    /// The text in the objects of the release.
    fn find(self, objects: &[Value]) -> Value {
        let (kind, path) = match self {
            Place::Label => ("Service", "/metadata/labels/a"),
            Place::Annotation => ("Service", "/metadata/annotations/a"),
            Place::EnvironmentVariable => ("Deployment", "/spec/template/spec/containers/0/env/0/value"),
            Place::StorageUri => ("InferenceService", "/spec/predictor/model/storageUri"),
            Place::IstioMatch => ("VirtualService", "/spec/http/0/match/0/headers/traffic/exact"),
            Place::GatewayMatch => ("HTTPRoute", "/spec/rules/0/matches/0/headers/0/value"),
        };
        // The text belongs to the second version.
        let found = objects.iter().rfind(|object| object["kind"] == kind);
        found.and_then(|object| object.pointer(path)).cloned().unwrap_or_default()
    }

    /// Whether a documented rule forbids the text here.
    fn forbids(self, text: &str) -> bool {
        let alphanumeric = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
        match self {
            // Kubernetes: at most 63 of these, a letter or digit at both ends.
            Place::Label => {
                let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                text.len() > 63
                    || !text.chars().all(inner)
                    || !alphanumeric(text.chars().next())
                    || !alphanumeric(text.chars().next_back())
            }
            // A key with an empty text says nothing; the Gateway API's own rule for header values.
            Place::StorageUri | Place::GatewayMatch => text.is_empty() || text.len() > 4096,
            Place::Annotation | Place::EnvironmentVariable | Place::IstioMatch => false,
        }
    }
}

/// The objects of a release, and its routemap's route.
fn rendered(values: &str) -> Result<(Manifests, Option<Route>), SpecErrors> {
    let sources = [Source { name: SourceName::Stdin, text: values.into() }];
    let values = load(&sources).unwrap_or_else(|errors| panic!("{errors}\n{values}"));
    let identity = Identity { release: Some("app".into()), namespace: "default".into() };
    let catalog = Catalog::embedded();
    let (spec, _) = ReleaseSpec::decode(&values, &catalog, &identity, Unknown::Refuse)?;
    let rendered = render(&spec, &catalog).unwrap();
    let options = Options { routing: Routing::Both, api_version: ApiVersion::V1beta1, ready: None };
    let str_spec = rendered.routemap.as_ref().and_then(|routemap| routemap.object["data"]["strSpec"].as_str());
    let route = str_spec.and_then(|text| Route::parse(text).unwrap());
    Ok((rendered.select(&options).unwrap(), route))
}

/// Checks one text at one place with r8's own reader; gives what was written, for other readers.
fn check(place: Place, text: &str) -> Option<(String, Manifests, Option<Route>)> {
    let values = place.values(text);
    let line = values.lines().position(|line| line.trim() == quoted(text)).unwrap() as u32 + 1;
    match rendered(&values) {
        Err(errors) => {
            assert!(place.forbids(text), "{place:?} refuses {text:?}: {errors}");
            for error in &errors.errors {
                assert_eq!(error.origin().map(|origin| origin.line), Some(line), "{place:?}: {error}");
            }
            None
        }
        Ok((manifests, route)) => {
            assert!(!place.forbids(text), "{place:?} takes {text:?}");
            let written = manifests.to_yaml().unwrap();
            let objects = read_documents(&written).unwrap_or_else(|error| panic!("{text:?}: {error}\n{written}"));
            assert_eq!(place.find(&objects), text, "{place:?}: {written}");
            if let Some(route) = &route {
                let object = route.at(&[1, 1]).unwrap().object;
                assert_eq!(place.find(&[object]), text, "{place:?}: {}", route.open());
            }
            Some((written, manifests, route))
        }
    }
}

#[test]
fn awkward_texts_stay_what_they_are_wherever_they_are_written() {
    for place in PLACES {
        for text in AWKWARD {
            check(place, text);
        }
    }
}

proptest! {
    #[test]
    fn any_text_stays_what_it_is_wherever_it_is_written(text in texts(), place in prop::sample::select(PLACES.as_slice())) {
        check(place, &text);
    }

    #[test]
    fn any_text_short_enough_for_a_label_is_one_if_kubernetes_takes_it(text in "[a-zA-Z0-9._-]{0,66}") {
        check(Place::Label, &text);
    }
}

#[test]
fn every_reader_reads_every_text_back_unchanged() {
    if !parts::wanted() {
        return;
    }
    let mut part = Part::start("helm");
    let mut runner = TestRunner::deterministic();
    let random = (0..150).map(|_| texts().new_tree(&mut runner).unwrap().current());
    let all: Vec<String> = AWKWARD.iter().map(|text| (*text).to_owned()).chain(random).collect();
    let (mut documents, mut routes) = (0, 0);
    for place in PLACES {
        for text in &all {
            let Some((written, manifests, route)) = check(place, text) else { continue };
            let objects: Vec<&Value> = manifests.iter().map(|manifest| &manifest.object).collect();
            for op in ["yaml11", "yaml12"] {
                let read = part.ask(&json!({"op": op, "text": written}));
                let read = read.unwrap_or_else(|error| panic!("{op} {place:?} {text:?}: {error}\n{written}"));
                assert_eq!(read["documents"], json!(objects), "{op} {place:?} {text:?}");
                documents += 1;
            }
            let Some(route) = route else { continue };
            let question = json!({"op": "template", "text": route.open(), "weights": [[1, 1]], "parse": true});
            let read = part.ask(&question).unwrap_or_else(|error| panic!("{place:?} {text:?}: {error}"));
            assert_eq!(place.find(&[read["objects"][0].clone()]), text.as_str(), "{place:?}: {}", route.open());
            routes += 1;
        }
    }
    assert!(documents > 1000 && routes > 200, "{documents} texts and {routes} routes were read");
}
