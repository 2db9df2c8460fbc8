//! A release `shop` of two versions, set up with `r8 apply`, and r8 asked about it.

use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{Cluster, Namespace, fed};

/// The environments that route.
pub const ROUTED: [&str; 6] =
    ["deployment-istio", "deployment-gtw", "kserve", "kserve-0.10", "kserve-modelmesh-istio", "kserve-standard"];

/// A blue-green release of an environment, 30 to 70; in one that routes nothing, two versions.
pub fn values(environment: &str) -> String {
    let version = |number: u8| match environment {
        "deployment" | "deployment-istio" | "deployment-gtw" => format!("image: \"shop:{number}\""),
        _ => format!("modelFormat: sklearn, storageUri: \"s3://models/{number}\""),
    };
    let (strategy, weights) = match environment {
        "deployment" => ("none", ["", ""]),
        _ => ("blue-green", [", weight: 30", ", weight: 70"]),
    };
    format!(
        "environment: {environment}\napplication:\n  metadata: {{name: shop}}\n  strategy: {strategy}\n  versions:\n  \
         - {{{}{}}}\n  - {{{}{}}}\n",
        version(1),
        weights[0],
        version(2),
        weights[1]
    )
}

/// Applies values with `r8 apply`, in a namespace whose versions become ready by themselves unless `--no-wait` is given.
pub fn apply(cluster: &Cluster, namespace: &Namespace, args: &[&str], values: &str) {
    let mut r8 = cluster.r8();
    r8.args(["apply", "-n", &namespace.name, "-f", "-", "--drain", "0s", "--settle", "1s"]).args(args);
    let output = fed(&mut r8, values).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

/// What `r8 render` prints of values, without a route, marked as the release's own.
pub fn render(cluster: &Cluster, namespace: &Namespace, values: &str) -> Vec<Value> {
    let mut r8 = cluster.r8();
    r8.args(["render", "-n", &namespace.name, "-f", "-", "--routing", "routemap", "-o", "json"]);
    let output = fed(&mut r8, values).wait_with_output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output)));
    let marked = list["items"].as_array().unwrap().iter().map(|item| {
        let mut item = item.clone();
        item["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
        item["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("shop");
        item["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = json!(namespace.name);
        item
    });
    marked.collect()
}

/// Begins r8 with pipes for its streams.
pub fn begin(command: &mut Command, namespace: &Namespace, args: &[&str]) -> Child {
    command
        .args(args)
        .args(["-n", &namespace.name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs r8 to its end.
pub fn r8(command: &mut Command, namespace: &Namespace, args: &[&str]) -> Output {
    begin(command, namespace, args).wait_with_output().unwrap()
}

/// What it printed.
pub fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it told.
pub fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Makes the live route the Iter8 controller's: written by it alone, owned by the routemap, without marks.
pub async fn hand_to_the_controller(namespace: &Namespace) {
    let routemap = namespace.get("ConfigMap", "shop-routemap").await.unwrap();
    let route = namespace.get("VirtualService", "shop").await.unwrap();
    namespace.delete("VirtualService", "shop").await;
    let route = json!({"apiVersion": route["apiVersion"], "kind": "VirtualService", "spec": route["spec"],
        "metadata": {"name": "shop", "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap",
            "name": "shop-routemap", "uid": routemap["metadata"]["uid"]}]}});
    namespace.apply_as("iter8-controller", &route).await;
}

/// Sends SIGINT, as Ctrl-C does.
pub fn interrupt(child: &Child) {
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}
