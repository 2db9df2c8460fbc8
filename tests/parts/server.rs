//! A real API server with the published CRDs.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use super::{control_plane, parts};

/// A real API server with the published CRDs, and kubectl.
pub struct Server {
    child: Child,
    kubectl: PathBuf,
    kubeconfig: String,
}

impl Server {
    /// Starts the server with the CRDs of a folder.
    pub fn start(crds: &Path) -> Server {
        let kubectl = parts::build("control-plane", "k8s.io/kubernetes/cmd/kubectl", "kubectl");
        let program = parts::build("control-plane", ".", "control-plane");
        let (child, kubeconfig) = control_plane::start(&program, &["--crds".as_ref(), crds.as_os_str()]).unwrap();
        Server { child, kubectl, kubeconfig }
    }

    /// Refuses nothing of what a list of objects says, or panics with the API server's words.
    pub fn takes(&self, objects: &[&Value]) {
        let namespaces: BTreeSet<&str> =
            objects.iter().filter_map(|object| object["metadata"]["namespace"].as_str()).collect();
        for namespace in namespaces {
            // `default` is there already.
            self.kubectl(&["create", "namespace", namespace], b"");
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        let applied = self.kubectl(&["apply", "--dry-run=server", "-f", "-"], list.as_bytes());
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    }

    /// Runs kubectl with an input.
    pub fn kubectl(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(&self.kubectl)
            .args(["--kubeconfig", &self.kubeconfig])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
