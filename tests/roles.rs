//! Roles of objects that a chart made: the documented releases, as Helm renders them with the Iter8 chart, have the roles
//! that r8 writes down where it renders the same values.

#[path = "parts/shared.rs"]
mod shared;
#[path = "parts/skipped.rs"]
mod skipped;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use r8::plan::resources;
use r8::record::{Info, Revision, Status};
use serde_json::{Map, Value};
use shared::shared;

/// The role of each object of a manifest, by kind and name.
fn roles(name: &str, namespace: &str, manifest: String) -> BTreeMap<String, String> {
    let info = Info::new(Status::Deployed, "");
    let revision = Revision { manifest, ..Revision::new(name, namespace, 1, info, None, Map::new()) };
    // A routemap names objects only where the roles are not written down.
    let manifests = revision.manifests(resources).unwrap_or_else(|error| panic!("{name}: {error}"));
    let role = |manifest: &r8::manifest::Manifest| {
        (format!("{} {}", manifest.key.kind, manifest.key.name), manifest.role.to_string())
    };
    manifests.iter().map(role).collect()
}

#[test]
fn objects_of_the_chart_have_the_roles_that_r8_gives_them() {
    let Some(folder) = shared("oracle") else { return };
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let case = entry.unwrap().path();
        let release: Value = serde_json::from_str(&fs::read_to_string(case.join("release.json")).unwrap()).unwrap();
        let (name, namespace) = (release["release"].as_str().unwrap(), release["namespace"].as_str().unwrap());
        let rendered = Command::new(env!("CARGO_BIN_EXE_r8"))
            .args(["render", name, "-n", namespace, "--routing", "routemap", "-f"])
            .arg(case.join("values.yaml"))
            .output()
            .unwrap();
        let own = roles(name, namespace, String::from_utf8(rendered.stdout).unwrap());
        let charts = roles(name, namespace, fs::read_to_string(case.join("helm.yaml")).unwrap());
        for (key, role) in &charts {
            if let Some(expected) = own.get(key) {
                assert_eq!(role, expected, "{}: {key}", case.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 200, "{seen} objects");
}
