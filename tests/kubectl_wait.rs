//! The README's commands for waiting with `kubectl`, run as they stand there against a real API server.
//!
//! No KServe runs: the test plays it by writing the status of the InferenceServices.

#[path = "parts/build.rs"]
mod build;
#[path = "parts/control_plane.rs"]
mod control_plane;
#[path = "parts/shared.rs"]
mod shared;
#[path = "parts/skipped.rs"]
mod skipped;
#[path = "parts/wanted.rs"]
mod wanted;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

/// A running API server, and the commands of the README.
struct Cluster {
    server: Child,
    kubeconfig: String,
    /// Where `kubectl` and `r8` are found.
    path: String,
}

impl Cluster {
    fn start(crds: &Path) -> Cluster {
        let kubectl = build::build("control-plane", "k8s.io/kubernetes/cmd/kubectl", "kubectl");
        let program = build::build("control-plane", ".", "control-plane");
        let (server, kubeconfig) = control_plane::start(&program, &["--crds".as_ref(), crds.as_os_str()]).unwrap();
        let folders = [kubectl.parent().unwrap(), Path::new(env!("CARGO_BIN_EXE_r8")).parent().unwrap()];
        let system = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(folders.into_iter().map(PathBuf::from).chain(std::env::split_paths(&system)));
        Cluster { server, kubeconfig, path: path.unwrap().into_string().unwrap() }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.env("KUBECONFIG", &self.kubeconfig).env("PATH", &self.path);
        command
    }

    fn kubectl(&self, arguments: &[&str]) -> Output {
        self.command("kubectl").args(arguments).output().unwrap()
    }

    fn bash(&self, commands: &str) -> Command {
        let mut command = self.command("bash");
        command.args(["-euo", "pipefail", "-c", commands]);
        command
    }

    /// Plays KServe: the model of an InferenceService serves, seen at this generation.
    fn ready(&self, name: &str, generation: u64) {
        let conditions = json!([{"type": "Ready", "status": "True"}]);
        let status = json!({"status": {"observedGeneration": generation, "conditions": conditions}}).to_string();
        let patched = self.kubectl(&["patch", name, "--subresource=status", "--type=merge", "-p", &status]);
        assert!(patched.status.success(), "{}", String::from_utf8_lossy(&patched.stderr));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.server.stdin.take();
        let _ = self.server.wait();
    }
}

/// The blocks of shell commands in a section of the README.
fn commands(heading: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, behind) = readme.split_once(heading).unwrap();
    let section = behind.split("\n## ").next().unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// The InferenceServices and Deployments that a wait has seen.
fn met(output: Output) -> Vec<String> {
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed.lines().filter_map(|line| line.strip_suffix(" condition met")).map(str::to_owned).collect()
}

#[test]
fn the_commands_of_the_readme_wait_for_every_version() {
    if !wanted::wanted() {
        return;
    }
    let Some(crds) = shared::shared("crds") else { return };
    let cluster = Cluster::start(&crds);
    let [steps, deployments] = commands("### Two ways to wait\n").try_into().unwrap();
    let script = cluster.bash(&steps).spawn().unwrap();
    for name in ["isvc/wisdom-0", "isvc/wisdom-1"] {
        assert!(cluster.kubectl(&["wait", "--for=create", name, "--timeout=2m"]).status.success(), "{name}");
    }
    cluster.ready("isvc/wisdom-0", 1);
    let route = ["get", "virtualservice", "wisdom", "-o", "json"];
    let absent = cluster.kubectl(&route);
    assert!(String::from_utf8_lossy(&absent.stderr).contains("NotFound"), "one version is not ready");
    cluster.ready("isvc/wisdom-1", 1);
    let waited = met(script.wait_with_output().unwrap());
    assert_eq!(waited, ["wisdom-0", "wisdom-1"].map(|name| format!("inferenceservice.serving.kserve.io/{name}")));
    let live: Value = serde_json::from_slice(&cluster.kubectl(&route).stdout).unwrap();
    let destinations = live["spec"]["http"][0]["route"].as_array().unwrap();
    let weights: Vec<&Value> = destinations.iter().map(|destination| &destination["weight"]).collect();
    assert_eq!(weights, [50, 50]);

    // What the README warns of. KServe has seen the change, and the old model still serves: the wait is over at once.
    let promote = "r8 render -n default -f testdata/tutorial/promote.yaml --only versions | sed s/mnist-svm/other/ | \
                   kubectl apply -f -";
    let promoted = cluster.bash(promote).output().unwrap();
    assert_eq!(promoted.stdout, b"inferenceservice.serving.kserve.io/wisdom-0 configured\n");
    let wait = ["wait", "--for=condition=Ready", "isvc/wisdom-0", "--timeout=0"];
    // A generation that stays behind: the wait does not end, however ready the model is.
    let behind = cluster.kubectl(&wait);
    assert!(String::from_utf8_lossy(&behind.stderr).contains("condition not met"), "{behind:?}");
    cluster.ready("isvc/wisdom-0", 2);
    assert_eq!(met(cluster.kubectl(&wait)), ["inferenceservice.serving.kserve.io/wisdom-0"]);

    // The status of a Deployment is its controller's own; this label makes every pod ready.
    let shop = "kubectl label namespace default control-plane.r8.test/play=ready && \
                r8 render -n default -f testdata/cli/print.in/values.yaml --only versions | kubectl apply -f -";
    assert!(cluster.bash(shop).output().unwrap().status.success());
    let waited = met(cluster.bash(&deployments).output().unwrap());
    assert_eq!(waited, ["deployment.apps/shop-0", "deployment.apps/shop-1"]);
}
