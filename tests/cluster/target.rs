//! `r8 validate --target cluster`: what a cluster says of itself, and what it does not say.

use std::process::Output;

use serde_json::json;

use crate::harness::{Cluster, Namespace, control_plane};

const ISTIO: &str = "environment=deployment-istio,application.metadata.name=shop,application.strategy=blue-green";
const KSERVE: &str = "environment=kserve-standard,application.metadata.name=wisdom,application.modelFormat=sklearn";

/// Runs `r8 validate --target TARGET` on a release that `--set` and `--set-json` make.
fn validate(cluster: &Cluster, target: &[&str], set: &str, versions: &str) -> (Option<i32>, String) {
    let versions = format!("application.versions={versions}");
    let args = ["validate", "-n", "default", "--set", set, "--set-json", &versions, "--target"];
    let Output { status, stderr, .. } = cluster.r8().args(args).args(target).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A controller that runs nothing: its image says which version it would be.
async fn controller(namespace: &Namespace, name: &str, label: (&str, &str), image: &str) {
    let labels = json!({label.0: label.1});
    let pods = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": image}]}});
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods},
    });
    namespace.apply_as("test", &deployment).await;
}

#[tokio::test]
async fn a_cluster_says_which_versions_run_in_it_and_what_it_does_not_say_is_said() {
    let Some(cluster) = control_plane() else { return };
    let istio = r#"[{"image":"shop:1","weight":30},{"image":"shop:2","weight":60}]"#;
    let kserve = r#"[{"storageUri":"s3://one"}]"#;
    // The test is alone with these labels: before there are any, nobody knows the versions.
    let (code, told) = validate(cluster, &["cluster"], ISTIO, istio);
    assert_eq!(code, Some(0), "{told}");
    let unknown = "note: the version of istio is not known: there are no Deployments with the label app=istiod\n\
                   hint: `--target cluster,istio=VERSION` names it\n";
    assert!(told.contains(unknown), "{told}");
    // Of products that the release has no objects of nothing is to be known.
    assert_eq!(told.matches("the version of").count(), 1, "{told}");
    let (_, told) = validate(cluster, &["cluster"], KSERVE, kserve);
    assert_eq!(told.matches("note: the version of kserve is not known").count(), 1, "{told}");
    assert!(!told.contains("gateway-api"), "{told}");

    let namespace = cluster.namespace("target", &[]).await;
    controller(&namespace, "istiod", ("app", "istiod"), "docker.io/istio/pilot:1.14.3-distroless").await;
    let label = ("control-plane", "kserve-controller-manager");
    controller(&namespace, "kserve", label, "kserve/kserve-controller:v0.15.2").await;
    let (code, told) = validate(cluster, &["cluster"], ISTIO, istio);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("error: istio 1.14 refuses weights that do not add up to 100"), "{told}");
    let (code, told) = validate(cluster, &["cluster"], KSERVE, kserve);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("error: kserve 0.15 knows no deployment mode `Standard`"), "{told}");

    // What the flag names is not asked for.
    let (code, told) = validate(cluster, &["cluster,istio=1.27"], ISTIO, istio);
    assert_eq!(code, Some(0), "{told}");

    let (code, told) = validate(cluster, &["cluster", "--kube-context", "nobody"], ISTIO, istio);
    assert_eq!(code, Some(0), "{told}");
    let forbidden = "note: the version of istio is not known: you may not read Deployments with the label app=istiod\n";
    assert!(told.contains(forbidden), "{told}");
}
