//! The clusters that a user can give the tests instead of the control plane: one that runs, and the programs of one.

use std::path::Path;
use std::process::Command;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::ListParams;

use crate::harness::{cluster_of_somebody, control_plane};
use crate::parts::{build, wanted};

/// A test that needs an API server and CRDs, and one that needs Kubernetes' controllers.
const TESTS: [&str; 2] =
    ["diff::a_first_diff_shows_the_traffic_the_objects_the_steps_and_the_counts", "ground::a_deleted_namespace_ends"];

/// Runs both in a test program that is given a cluster by these variables: whether they pass, and all that is said.
fn tested(variables: &[(&str, &Path)]) -> (bool, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(TESTS)
        .args(["--exact", "--nocapture"])
        .env_remove("R8_TEST_KUBECONFIG")
        .env_remove("KUBEBUILDER_ASSETS")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success() && said.contains(" 2 passed;"), said)
}

#[tokio::test]
async fn a_cluster_that_runs_gets_the_crds_that_it_lacks_and_keeps_the_tests_namespaces() {
    if control_plane().is_none() {
        return;
    }
    let given = cluster_of_somebody();
    let nothing = Path::new("/nonexistent");
    let (passed, said) = tested(&[("R8_TEST_KUBECONFIG", given.kubeconfig()), ("KUBEBUILDER_ASSETS", nothing)]);
    assert!(passed && !said.contains("skipped: "), "{said}");
    let ours = ListParams::default().labels("app.kubernetes.io/part-of=r8-tests");
    let namespaces = Api::<Namespace>::all(given.client().await).list(&ours).await.unwrap();
    // That of the first test: the second deletes its own.
    assert_eq!(namespaces.items.len(), 1, "{said}");
}

#[test]
fn the_programs_of_a_cluster_serve_the_tests_that_need_no_controllers() {
    if control_plane().is_none() || !wanted() {
        return;
    }
    let server = build("control-plane", "k8s.io/kubernetes/cmd/kube-apiserver", "assets/kube-apiserver");
    build("control-plane", "go.etcd.io/etcd/server/v3", "assets/etcd");
    let (passed, said) = tested(&[("KUBEBUILDER_ASSETS", server.parent().unwrap())]);
    let skipped: Vec<&str> = said.lines().filter(|line| line.contains("skipped: ")).collect();
    let expected = "skipped: needs Kubernetes' controllers, KUBEBUILDER_ASSETS has none";
    assert!(passed && matches!(skipped[..], [line] if line.ends_with(expected)), "{said}");
}

#[test]
fn a_folder_that_lacks_a_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (passed, said) = tested(&[("KUBEBUILDER_ASSETS", folder.path())]);
    assert!(
        !passed && said.contains(&format!("KUBEBUILDER_ASSETS: {} has no etcd", folder.path().display())),
        "{said}"
    );
}
