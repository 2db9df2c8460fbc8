use serde_json::{Map, json};

use super::super::{Info, Status};
use super::*;

fn revision(manifest: &str) -> Revision {
    let info = Info::new(Status::Deployed, "");
    Revision { manifest: manifest.to_owned(), ..Revision::new("wisdom", "default", 1, info, None, Map::new()) }
}

/// Names the objects of two versions as the chart's routemap does.
fn named(_: &Value) -> Vec<Vec<ObjectKey>> {
    let key = |group: &str, kind: &str, name: String| ObjectKey {
        group: group.into(),
        kind: kind.into(),
        namespace: "models".into(),
        name,
    };
    let version = |index: usize| {
        vec![
            key("serving.kserve.io", "InferenceService", format!("wisdom-{index}")),
            key("", "ConfigMap", format!("wisdom-{index}-weight-config")),
        ]
    };
    (0..2).map(version).collect()
}

fn object(api: &str, kind: &str, name: &str, more: &str) -> String {
    format!(
        "---\n# Source: release/templates/release.yaml\napiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n{more}\n"
    )
}

fn roles(manifest: &str) -> Vec<String> {
    let manifests = revision(manifest).manifests(named).unwrap();
    manifests.iter().map(|manifest| format!("{} {}", manifest.key, manifest.role)).collect()
}

#[test]
fn what_r8_wrote_is_read_back() {
    let object = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": {"a": "---\n# Source: x\nb"}});
    let roles = [Role::Support, Role::Version(0), Role::Version(1), Role::Weights(1), Role::Routemap, Role::Route];
    let list = roles.iter().enumerate().map(|(index, role)| {
        Manifest::from_object(object(&format!("c{index}")), "kserve/canary/x.yaml.j2", *role).unwrap()
    });
    let manifests = Manifests::new(list.collect()).unwrap();
    let nothing = |_: &Value| -> Vec<Vec<ObjectKey>> { panic!("the roles are written down") };
    assert_eq!(revision(&manifests.to_yaml().unwrap()).manifests(nothing).unwrap(), manifests);
}

#[test]
fn roles_of_a_chart_come_from_its_routemap() {
    let chart = [
        object("v1", "ConfigMap", "wisdom-1-weight-config", ""),
        object("v1", "ConfigMap", "wisdom-0-weight-config", ""),
        object("v1", "ConfigMap", "wisdom-routemap", "  labels: {iter8.tools/kind: routemap}"),
        object("v1", "Service", "wisdom", ""),
        object("serving.kserve.io/v1beta1", "InferenceService", "wisdom-1", "  namespace: models"),
        object("serving.kserve.io/v1beta1", "InferenceService", "wisdom-0", "  namespace: models"),
        object("networking.istio.io/v1beta1", "VirtualService", "wisdom", ""),
    ];
    assert_eq!(
        roles(&chart.concat()),
        [
            "Service default/wisdom support",
            "InferenceService models/wisdom-0 version=0",
            "InferenceService models/wisdom-1 version=1",
            "ConfigMap default/wisdom-0-weight-config weights=0",
            "ConfigMap default/wisdom-1-weight-config weights=1",
            "ConfigMap default/wisdom-routemap routemap",
            "VirtualService default/wisdom route",
        ]
    );
}

#[test]
fn without_a_routemap_each_workload_is_a_version_with_its_service() {
    let chart = [
        object("v1", "Service", "shop-1", ""),
        object("v1", "Service", "shop", ""),
        object("apps/v1", "Deployment", "shop-0", ""),
        object("apps/v1", "Deployment", "shop-1", ""),
    ];
    assert_eq!(
        roles(&chart.concat()),
        [
            "Service default/shop support",
            "Deployment default/shop-0 version=0",
            "Service default/shop-1 version=1",
            "Deployment default/shop-1 version=1",
        ]
    );
}

#[test]
fn documents_that_hold_nothing_are_passed_over() {
    let text = format!(
        "# nothing\n---\n# Source: release/templates/empty.yaml\n\n---\r\n{}",
        object("v1", "Service", "a", "")
    );
    assert_eq!(roles(&text), ["Service default/a support"]);
}

#[test]
fn a_fault_is_named_with_its_line_in_the_manifest() {
    let good = object("v1", "Service", "a", "");
    for (text, said) in [
        (
            format!(
                "{good}---\n# Source: r8/templates/a.yaml.j2 rout\napiVersion: v1\nkind: A\nmetadata: {{name: a}}\n"
            ),
            "the manifest is wrong at line 9: unknown role `rout`",
        ),
        (format!("{good}---\nkind: A\n"), "the manifest is wrong at line 9: a A has no `apiVersion`"),
        (format!("{good}---\nkind: A\nb: [\n"), "the manifest is no YAML at 10:4: unclosed bracket"),
        (format!("{good}{good}"), "the manifest is wrong at line 9: Service default/a is written twice: "),
    ] {
        let error = revision(&text).manifests(named).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        assert!(error.hint().contains("r8 get manifest"));
    }
}
