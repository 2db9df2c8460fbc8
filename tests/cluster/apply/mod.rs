//! `r8 apply` against a real API server: what it writes, when, and that the traffic rules hold while it does.

mod controller;
mod faults;
mod interrupts;
mod left;
mod life;
mod lost;
mod recorded;
mod refusals;
mod rollback;
mod served;
mod together;
mod waiting;

use std::process::{Child, Command, Output};

use serde_json::Value;

use crate::harness::{
    Cluster, Namespace, Player, Recorder, Rules, Wait, assert_istio_takes, assert_traffic_rules, fed,
};
use crate::shop::ROUTED;

/// The entry of a version in an environment, with its model or image.
fn version(environment: &str, model: &str, more: &str) -> String {
    let model = match environment {
        "deployment" | "deployment-istio" | "deployment-gtw" => format!("image: 'shop:{model}'"),
        _ => format!("modelFormat: sklearn, storageUri: 's3://models/{model}'"),
    };
    format!("  - {{{model}{}{more}}}\n", if more.is_empty() { "" } else { ", " })
}

/// The values of a release `shop`; each version has a model and a weight.
fn values(environment: &str, strategy: &str, versions: &[(&str, u32)]) -> String {
    let entry = |(model, weight): &(&str, u32)| match strategy {
        "blue-green" => version(environment, model, &format!("weight: {weight}")),
        _ => version(environment, model, ""),
    };
    let versions: String = versions.iter().map(entry).collect();
    format!(
        "environment: {environment}\napplication:\n  metadata: {{name: shop}}\n  strategy: {strategy}\n  versions:\n{versions}"
    )
}

/// An r8 that runs.
struct Running(Child);

/// Starts `r8 ARGS… -n NAMESPACE -f -`.
fn start(mut r8: Command, namespace: &str, args: &[&str], values: &str) -> Running {
    Running(fed(r8.args(args).args(["-n", namespace, "-f", "-"]), values))
}

impl Running {
    fn end(self) -> Ended {
        let Output { status, stdout, stderr } = self.0.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// An r8 that has run.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    /// Fails unless it ended with this code.
    #[track_caller]
    fn with(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs `r8 apply` to its end.
#[track_caller]
fn apply(cluster: &Cluster, namespace: &Namespace, args: &[&str], values: &str) -> Ended {
    start(
        cluster.r8(),
        &namespace.name,
        &[&["apply", "--drain", "1s", "--settle", "1s", "--timeout", "90s"], args].concat(),
        values,
    )
    .end()
}

/// The version of every object of the release, by kind and name: what it changes with, but for those whose controllers
/// write a status in their own time.
async fn versions(namespace: &Namespace) -> Vec<(String, String, String)> {
    const KINDS: [&str; 7] =
        ["ConfigMap", "Service", "Deployment", "InferenceService", "VirtualService", "HTTPRoute", "ServiceEntry"];
    let mut all = Vec::new();
    for kind in KINDS {
        for object in namespace.list(kind).await {
            let metadata = &object["metadata"];
            if metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm" {
                let played = ["Deployment", "InferenceService", "HTTPRoute"].contains(&kind);
                let version = if played { "generation" } else { "resourceVersion" };
                all.push((kind.to_owned(), metadata["name"].to_string(), metadata[version].to_string()));
            }
        }
    }
    all.sort();
    all
}

/// What was wanted of every object of the release, by kind and name; the same in each namespace.
async fn specs(namespace: &Namespace) -> Vec<(String, String, String)> {
    const KINDS: [&str; 6] = ["ConfigMap", "Service", "Deployment", "InferenceService", "VirtualService", "HTTPRoute"];
    let mut all = Vec::new();
    for kind in KINDS {
        for object in namespace.list(kind).await {
            let metadata = &object["metadata"];
            let goes = !metadata["deletionTimestamp"].is_null();
            if metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm" && !goes {
                let name = metadata["name"].as_str().unwrap().to_owned();
                let mut spec = object["spec"].clone();
                for own in ["clusterIP", "clusterIPs"] {
                    spec.as_object_mut().and_then(|spec| spec.remove(own));
                }
                let text = format!("{spec} {}", object["data"]).replace(&namespace.name, "NAMESPACE");
                all.push((kind.to_owned(), name, text));
            }
        }
    }
    all.sort();
    all
}

/// Plays a sequence until its object is to be changed, or to its end.
async fn play(player: &mut Player<'_>) {
    while player.upcoming().is_some() {
        player.step().await;
        if player.upcoming().is_some_and(|step| step.wait == Some(Wait::Changed)) {
            return;
        }
    }
}
