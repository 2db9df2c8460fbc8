//! Whole processes against a real API server: `r8 apply` and `r8 diff` beside `helm upgrade --install`.
//!
//! `R8_BENCH_KUBECONFIG` names the cluster, best the one of `tests/control-plane` with `--play`; `R8_BENCH_HELM` names Helm.
//! Namespaces that begin with `bench-` are made and stay.
//!
//! `R8_BENCH_KUBECONFIG=$KUBECONFIG R8_BENCH_HELM=$(command -v helm) cargo bench --bench cluster`

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use divan::Bencher;

mod releases;

fn main() {
    divan::main();
}

/// Versions of a release; 0 stands for the tutorial's.
const COUNTS: [usize; 2] = [0, 100];

fn kubeconfig() -> Option<PathBuf> {
    std::env::var_os("R8_BENCH_KUBECONFIG").map(PathBuf::from)
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-cluster");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn values(count: usize) -> PathBuf {
    let text = if count == 0 { releases::SEED.to_owned() } else { releases::versions(count) };
    let path = folder().join(format!("values-{count}.yaml"));
    std::fs::write(&path, text).unwrap();
    path
}

/// A namespace that nobody has used yet, where every model is loaded at once.
fn namespace(kubeconfig: &Path) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("bench-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let kubectl = |args: &[&str]| {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(kubeconfig).args(args);
        run(command);
    };
    kubectl(&["create", "namespace", &name]);
    kubectl(&["label", "namespace", &name, "control-plane.r8.test/play=ready"]);
    name
}

fn run(mut command: Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn r8(verb: &str, kubeconfig: &Path, namespace: &str, count: usize, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_r8"));
    command.args([verb, "wisdom", "-n", namespace, "-f"]).arg(values(count)).args(more);
    command.arg("--kubeconfig").arg(kubeconfig);
    command
}

/// Helm with a chart whose only template is what r8 prints: what it needs at least.
fn helm(helm: &Path, kubeconfig: &Path, namespace: &str, count: usize) -> Command {
    let mut render = Command::new(env!("CARGO_BIN_EXE_r8"));
    let printed = render.args(["render", "wisdom", "-n", namespace, "-f"]).arg(values(count)).output().unwrap().stdout;
    let chart = folder().join(format!("release-{namespace}"));
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: release\nversion: 0.18.5\n").unwrap();
    let text = String::from_utf8(printed).unwrap().replace("{{", "{{\"{{\"}}");
    std::fs::write(chart.join("templates/release.yaml"), text).unwrap();
    let mut command = Command::new(helm);
    command
        .args(["upgrade", "--install", "wisdom"])
        .arg(&chart)
        .args(["-n", namespace, "--kubeconfig"])
        .arg(kubeconfig);
    command
}

#[divan::bench(args = COUNTS, sample_count = 20)]
fn nothing_to_change_r8(bencher: Bencher, count: usize) {
    let Some(kubeconfig) = kubeconfig() else { return };
    let namespace = namespace(&kubeconfig);
    run(r8("apply", &kubeconfig, &namespace, count, &["--settle", "1s"]));
    bencher.bench_local(|| run(r8("apply", &kubeconfig, &namespace, count, &[])));
}

#[divan::bench(args = COUNTS, sample_count = 20)]
fn nothing_to_change_helm(bencher: Bencher, count: usize) {
    let (Some(kubeconfig), Some(program)) = (kubeconfig(), std::env::var_os("R8_BENCH_HELM")) else { return };
    let namespace = namespace(&kubeconfig);
    run(helm(Path::new(&program), &kubeconfig, &namespace, count));
    bencher.with_inputs(|| helm(Path::new(&program), &kubeconfig, &namespace, count)).bench_local_values(run);
}

#[divan::bench(args = COUNTS, sample_count = 10)]
fn first_install_r8(bencher: Bencher, count: usize) {
    let Some(kubeconfig) = kubeconfig() else { return };
    bencher
        .with_inputs(|| r8("apply", &kubeconfig, &namespace(&kubeconfig), count, &["--no-wait"]))
        .bench_local_values(run);
}

#[divan::bench(args = COUNTS, sample_count = 10)]
fn first_install_helm(bencher: Bencher, count: usize) {
    let (Some(kubeconfig), Some(program)) = (kubeconfig(), std::env::var_os("R8_BENCH_HELM")) else { return };
    bencher
        .with_inputs(|| helm(Path::new(&program), &kubeconfig, &namespace(&kubeconfig), count))
        .bench_local_values(run);
}

#[divan::bench(args = COUNTS, sample_count = 20)]
fn diff_r8(bencher: Bencher, count: usize) {
    let Some(kubeconfig) = kubeconfig() else { return };
    let namespace = namespace(&kubeconfig);
    run(r8("apply", &kubeconfig, &namespace, count, &["--settle", "1s"]));
    bencher.bench_local(|| run(r8("diff", &kubeconfig, &namespace, count, &[])));
}
