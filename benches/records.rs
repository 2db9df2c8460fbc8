//! Whole processes on release records: `r8 list` and `r8 history` beside Helm's, of 50 releases with 10 revisions each.
//!
//! `R8_BENCH_KUBECONFIG` names the cluster, `R8_BENCH_HELM` names Helm. A namespace `bench-records-…` is made and stays.
//!
//! `R8_BENCH_KUBECONFIG=$KUBECONFIG R8_BENCH_HELM=$(command -v helm) cargo bench --bench records`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use divan::Bencher;
use r8::manifest::yaml;
use r8::record::{Chart, Info, Revision, Status, Time};
use serde_json::json;

mod releases;

fn main() {
    divan::main();
}

/// How many releases there are, and how many revisions each has.
const RELEASES: u64 = 50;
const REVISIONS: u64 = 10;

fn kubeconfig() -> Option<PathBuf> {
    std::env::var_os("R8_BENCH_KUBECONFIG").map(PathBuf::from)
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The namespace with the records, made once.
fn namespace(kubeconfig: &Path) -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = format!("bench-records-{}", std::process::id());
        let kubectl = |args: &[&str]| drop(run(Command::new("kubectl").arg("--kubeconfig").arg(kubeconfig).args(args)));
        kubectl(&["create", "namespace", &name]);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-records.yaml");
        std::fs::write(&file, records(&name)).unwrap();
        kubectl(&["create", "-f", file.to_str().unwrap()]);
        name
    })
}

/// Records of the tutorial's release, as many as there are to be.
fn records(namespace: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let values = folder.join("bench-records-values.yaml");
    std::fs::write(&values, releases::SEED).unwrap();
    let mut render = Command::new(env!("CARGO_BIN_EXE_r8"));
    let manifest = run(render.args(["render", "wisdom", "-n", namespace, "-f"]).arg(&values));
    let manifest = String::from_utf8(manifest).unwrap();
    let time = Time::parse("2026-01-31T10:00:00Z");
    let mut text = String::new();
    for release in 0..RELEASES {
        for number in 1..=REVISIONS {
            let status = if number == REVISIONS { Status::Deployed } else { Status::Superseded };
            let info = Info { first_deployed: time, last_deployed: time, ..Info::new(status, "Upgrade complete") };
            let chart = Chart::own("0.1.0", serde_json::Map::new());
            let name = format!("release-{release}");
            let mut revision = Revision::new(&name, namespace, number, info, Some(chart), serde_json::Map::new());
            revision.manifest.clone_from(&manifest);
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
                "metadata": {"name": revision.object_name(), "namespace": namespace, "labels": revision.object_labels()},
                "stringData": {"release": revision.encode().unwrap()},
            });
            let _ = write!(text, "---\n{}", yaml(&secret).unwrap());
        }
    }
    text
}

fn bench(bencher: Bencher<'_, '_>, program: Option<PathBuf>, args: &[&str]) {
    let (Some(kubeconfig), Some(program)) = (kubeconfig(), program) else { return };
    let namespace = namespace(&kubeconfig);
    bencher.bench_local(|| {
        run(Command::new(&program).args(args).args(["-n", namespace, "--kubeconfig"]).arg(&kubeconfig))
    });
}

fn own() -> Option<PathBuf> {
    Some(env!("CARGO_BIN_EXE_r8").into())
}

fn helm() -> Option<PathBuf> {
    std::env::var_os("R8_BENCH_HELM").map(PathBuf::from)
}

#[divan::bench(sample_count = 20)]
fn r8_list(bencher: Bencher<'_, '_>) {
    bench(bencher, own(), &["list"]);
}

#[divan::bench(sample_count = 20)]
fn helm_list(bencher: Bencher<'_, '_>) {
    bench(bencher, helm(), &["list"]);
}

#[divan::bench(sample_count = 20)]
fn r8_history(bencher: Bencher<'_, '_>) {
    bench(bencher, own(), &["history", "release-7"]);
}

#[divan::bench(sample_count = 20)]
fn helm_history(bencher: Bencher<'_, '_>) {
    bench(bencher, helm(), &["history", "release-7"]);
}
