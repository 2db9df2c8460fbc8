//! r8 beside the real programs: Helm's values, Go's template engine as the Iter8 controller uses it, the YAML readers of
//! kubectl and of YAML 1.2, Go's regular expressions, a real kube-apiserver with the published CRDs.

#[path = "parts/control_plane.rs"]
mod control_plane;
#[path = "interop/expressions.rs"]
mod expressions;
#[path = "parts/files.rs"]
mod files;
mod parts;
#[path = "parts/server.rs"]
mod server;
#[path = "parts/shared.rs"]
mod shared;
#[path = "parts/skipped.rs"]
mod skipped;
#[path = "parts/vectors.rs"]
mod vectors;

use std::path::{Path, PathBuf};
use std::process::Command;

use files::files;
use parts::Part;
use r8::manifest::{read_documents, yaml};
use r8::route::Route;
use r8::values::{Source, SourceName, load};
use serde_json::{Value, json};
use server::Server;
use shared::shared;
use vectors::vectors;

/// A small generator of pseudo-random numbers: the same texts in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn text(&mut self, pieces: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}

/// Texts that YAML readers are known to take for something else.
const AWKWARD: [&str; 71] = [
    "",
    " ",
    "yes",
    "No",
    "on",
    "off",
    "y",
    "n",
    "Y",
    "N",
    "true",
    "True",
    "null",
    "~",
    "Null",
    "0",
    "010",
    "0o10",
    "0x1F",
    "0b1",
    "0B11",
    "-0B11",
    "0O7",
    "0b-1",
    "0o_7",
    "._5",
    "+._5",
    "1_000",
    "1e3",
    "1.",
    ".5",
    "1.0",
    "+1",
    "-0",
    ".inf",
    ".nan",
    "1:30",
    "2024-01-01",
    "<<",
    "=",
    "!",
    "&a",
    "*a",
    "- a",
    "a: b",
    "a #b",
    "#",
    "'",
    "\"",
    "\\",
    "{a",
    "[a",
    "]",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "?",
    "? a",
    ": a",
    "---",
    "...",
    " a",
    "a ",
    "\u{85}",
    "\u{2028}",
    "\u{feff}a",
    "{{ 1 }}",
    "<!-- a",
    "\u{1f600}",
];

const PIECES: [&str; 24] = [
    "a", "b", " ", "  ", "\n", "\n\n", "\t", "\r", ":", ": ", "#", " #", "-", "- ", "\"", "'", "\\", "{", "<",
    "\u{e9}", "\0", "\u{7f}", "\u{9f}", "\u{2029}",
];

#[test]
fn every_text_is_read_back_unchanged_by_kubectl_and_by_yaml_1_2() {
    if !parts::wanted() {
        return;
    }
    let mut part = Part::start("helm");
    let mut random = Random(7);
    let mut texts: Vec<String> = AWKWARD.iter().map(|text| (*text).to_owned()).collect();
    texts.extend((0..3000).map(|_| random.text(&PIECES, 8)));
    for chunk in texts.chunks(100) {
        let keyed =
            chunk.iter().enumerate().map(|(index, text)| (format!("k{index}-{text}"), Value::from(text.as_str())));
        let value = json!({"list": chunk, "map": keyed.collect::<serde_json::Map<_, _>>()});
        let written = yaml(&value).unwrap();
        for reader in ["yaml11", "yaml12"] {
            let read =
                part.ask(&json!({"op": reader, "text": written})).unwrap_or_else(|error| panic!("{error}\n{written}"));
            for (index, text) in chunk.iter().enumerate() {
                assert_eq!(read["documents"][0]["list"][index], text.as_str(), "{reader}: {text:?}");
            }
            assert_eq!(read["documents"][0], value, "{reader}");
        }
    }
}

#[test]
fn set_arguments_mean_what_they_mean_to_helm() {
    if !parts::wanted() {
        return;
    }
    let mut part = Part::start("helm");
    let mut random = Random(11);
    let pieces = [
        "a", "b", "c", ".", "[", "]", "0", "1", "2", "=", "=", ",", "{", "}", "\\", "true", "null", "-", "01", " ", "x",
    ];
    let mut both = 0;
    for _ in 0..20_000 {
        let text = format!("a{}", random.text(&pieces, 12));
        let sources = [Source { name: SourceName::Set(1), text: text.clone() }];
        let Ok(ours) = load(&sources) else { continue };
        let theirs = part.ask(&json!({"op": "values", "set": [text]}));
        let theirs =
            theirs.unwrap_or_else(|error| panic!("Helm refuses {text:?}: {error}, r8 gives {}", ours.root().to_json()));
        assert_eq!(ours.root().to_json(), without_nulls(&theirs["values"]), "{text:?}");
        both += 1;
    }
    assert!(both > 2000, "{both} arguments were compared");
}

#[test]
fn files_mean_what_they_mean_to_helm() {
    if !parts::wanted() {
        return;
    }
    let mut part = Part::start("helm");
    let mut compared = 0;
    // YAML 1.1 takes U+0085 and U+2028 outside quotes for line breaks, YAML 1.2 does not.
    for scalar in AWKWARD.into_iter().filter(|text| !text.contains(['\u{85}', '\u{2028}'])) {
        let text = format!("a: {scalar}\nb: [{scalar}]\n");
        let sources = [Source { name: SourceName::File("v".into()), text: text.clone() }];
        let (Ok(ours), Ok(theirs)) = (load(&sources), part.ask(&json!({"op": "values", "files": [text]}))) else {
            continue;
        };
        assert_eq!(ours.root().to_json(), without_nulls(&theirs["values"]), "{scalar:?}");
        compared += 1;
    }
    assert!(compared > 30, "{compared} files were compared");
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        // Helm reads every number as a float: 1.0 and 1 are one.
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => json!(float as i64),
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

#[test]
fn the_controllers_engine_gives_the_same_route() {
    if !parts::wanted() {
        return;
    }
    let mut part = Part::start("helm");
    let mut compared = 0;
    for case in cases() {
        let Ok(text) = std::fs::read_to_string(case.join("want.yaml")) else { continue };
        if std::fs::read_to_string(case.join("args")).is_ok_and(|args| args.contains("json")) {
            continue;
        }
        for object in read_documents(&text).unwrap() {
            let Some(str_spec) = object["data"]["strSpec"].as_str() else { continue };
            let Some(route) = Route::parse(str_spec).unwrap() else { continue };
            let vectors = vectors(route.wanted().len());
            let request = json!({"op": "template", "text": route.open(), "weights": vectors, "parse": true});
            let answer = part.ask(&request).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
            for (index, weights) in vectors.iter().enumerate() {
                let ours = read_documents(&route.text_at(weights)).unwrap();
                assert_eq!(ours, [answer["objects"][index].clone()], "{} {weights:?}", case.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared} routes were compared");
}

/// Every case folder below `testdata/render`.
fn cases() -> Vec<PathBuf> {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/render"));
    let values = files.iter().filter(|path| path.ends_with("values.yaml"));
    values.filter_map(|path| path.parent()).map(Path::to_owned).collect()
}

#[test]
fn the_published_schemas_take_every_object_of_every_case() {
    if !parts::wanted() {
        return;
    }
    let Some(crds) = shared("crds") else { return };
    let server = Server::start(&crds);
    let objects = objects();
    let mut seen = std::collections::HashSet::new();
    let list: Vec<&Value> =
        objects.iter().map(|(_, object)| object).filter(|object| seen.insert(object.to_string())).collect();
    assert!(list.len() > 150, "{} objects were tried", list.len());
    server.takes(&list);
}

#[test]
fn the_api_server_takes_the_four_steps_of_the_tutorial() {
    if !parts::wanted() {
        return;
    }
    let (Some(crds), Some(oracle)) = (shared("crds"), shared("oracle")) else { return };
    let server = Server::start(&crds);
    let steps = ["1-initial", "2-candidate", "3-weights", "4-promote"];
    let mut refused = Vec::new();
    let mut tried = 0;
    for environment in ["kserve-modelmesh-istio", "kserve", "deployment-istio", "deployment-gtw"] {
        for step in steps {
            let values = oracle.join(format!("{environment}-blue-green-{step}/values.yaml"));
            for version in ["v1beta1", "v1"] {
                let rendered = Command::new(env!("CARGO_BIN_EXE_r8"))
                    .args(["render", "wisdom", "-n", "default", "--api-version", version, "-f"])
                    .arg(&values)
                    .output()
                    .unwrap();
                assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
                let applied = server.kubectl(&["apply", "--dry-run=server", "-f", "-"], &rendered.stdout);
                tried += 1;
                if !applied.status.success() {
                    refused
                        .push(format!("{environment} {step} {version}: {}", String::from_utf8_lossy(&applied.stderr)));
                }
            }
        }
    }
    assert_eq!(tried, 32);
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// Every object of every case folder, the routes evaluated for every subset of ready versions.
fn objects() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for case in cases() {
        let args = std::fs::read_to_string(case.join("args")).unwrap_or_default();
        let Ok(text) = std::fs::read_to_string(case.join("want.yaml")) else { continue };
        if args.contains("json") {
            continue;
        }
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        for object in read_documents(&text).unwrap() {
            if let Some(str_spec) = object["data"]["strSpec"].as_str()
                && let Some(route) = Route::parse(str_spec).unwrap()
            {
                for weights in vectors(route.wanted().len()) {
                    found.push((format!("{name} at {weights:?}"), route.at(&weights).unwrap().object));
                }
            }
            found.push((name.clone(), object));
        }
    }
    found
}

/// Asks a part to validate all objects; gives how many it judged, and what it refuses.
fn validate(module: &str) -> (usize, Vec<String>) {
    let objects = objects();
    let mut part = Part::start(module);
    let list: Vec<&Value> = objects.iter().map(|(_, object)| object).collect();
    let answer = part.ask(&json!({"op": "validate", "objects": list})).unwrap();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), objects.len());
    let mut refused = Vec::new();
    let mut judged = 0;
    for ((name, object), result) in objects.iter().zip(results) {
        judged += usize::from(result["skipped"] != true);
        for error in result["errors"].as_array().into_iter().flatten() {
            refused.push(format!("{name}: {} {}: {error}", object["kind"], object["metadata"]["name"]));
        }
    }
    (judged, refused)
}

#[test]
fn istio_takes_every_route_for_every_weight() {
    if !parts::wanted() {
        return;
    }
    let (judged, refused) = validate("istio");
    assert!(judged > 200, "{judged} objects were judged");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn kserve_takes_every_inference_service() {
    if !parts::wanted() {
        return;
    }
    let (judged, refused) = validate("kserve");
    assert!(judged > 40, "{judged} objects were judged");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
