//! The real Iter8 controller, from `tests/iter8`.

use std::process::{Child, Stdio};

use super::Cluster;
use crate::parts::build;

/// A controller that runs until it is dropped; what it made stays.
///
/// It heeds routemaps of `iter8Version: v1.1` and puts its finalizer on everything that it watches: what is deleted
/// after its end stays Terminating.
pub struct Iter8(Child);

impl Iter8 {
    /// Builds it, which takes minutes on first use, and starts it for one namespace.
    ///
    /// # Panics
    ///
    /// When it does not build or start.
    pub fn start(cluster: &Cluster, namespace: &str) -> Iter8 {
        let program = build("iter8", ".", "iter8");
        let mut command = cluster.command(&program);
        command.args(["--namespace", namespace, "--kubeconfig"]).arg(cluster.kubeconfig());
        Iter8(command.stdin(Stdio::piped()).spawn().expect("the program was just built"))
    }
}

impl Drop for Iter8 {
    fn drop(&mut self) {
        // The end of its input is its end.
        self.0.stdin.take();
        let _ = self.0.wait();
    }
}
