//! `r8 diff` against a real API server: what it shows, to whom, and that it shows nothing else.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Ask, Cluster, Namespace, cluster, fed};

/// A blue-green release of an environment, 30 to 70.
fn values(environment: &str) -> String {
    let version = match environment {
        "deployment" | "deployment-istio" | "deployment-gtw" => "image: shop:1",
        _ => "modelFormat: sklearn, storageUri: s3://models/one",
    };
    let strategy = if environment == "deployment" { "none" } else { "blue-green" };
    let weights = if environment == "deployment" { ["", ""] } else { [", weight: 30", ", weight: 70"] };
    format!(
        "environment: {environment}\napplication:\n  metadata: {{name: shop, labels: {{on: \"yes\"}}}}\n  strategy: {strategy}\n  \
         versions:\n  - {{{version}{}}}\n  - {{{version}{}}}\n",
        weights[0], weights[1]
    )
    .replace("{on: \"yes\"}", "{\"on\": \"yes\"}")
}

/// Runs `r8 ARGS… -n NAMESPACE -f -`.
fn r8(cluster: &Cluster, namespace: &str, args: &[&str], values: &str) -> Output {
    fed(cluster.r8().args(args).args(["-n", namespace, "-f", "-"]), values).wait_with_output().unwrap()
}

/// What `diff` prints; it must end well.
fn diff(cluster: &Cluster, namespace: &Namespace, args: &[&str], values: &str) -> String {
    let output = r8(cluster, &namespace.name, &[&["diff"], args].concat(), values);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Applies what r8 renders as Helm would: its field manager, its labels and annotations.
async fn apply(cluster: &Cluster, namespace: &Namespace, values: &str) {
    let rendered = r8(cluster, &namespace.name, &["render", "-o", "json"], values);
    let list: Value = serde_json::from_slice(&rendered.stdout).unwrap();
    for item in list["items"].as_array().unwrap() {
        let mut item = item.clone();
        let metadata = &mut item["metadata"];
        metadata["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
        metadata["annotations"]["meta.helm.sh/release-name"] = json!("shop");
        metadata["annotations"]["meta.helm.sh/release-namespace"] = json!(namespace.name);
        if matches!(item["kind"].as_str(), Some("VirtualService" | "HTTPRoute")) {
            item["metadata"]["annotations"]["helm.sh/resource-policy"] = json!("keep");
        }
        namespace.apply_as("helm", &item).await;
    }
}

#[tokio::test]
async fn a_first_diff_shows_the_traffic_the_objects_the_steps_and_the_counts() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("first", &[]).await;
    let printed = diff(cluster, &namespace, &[], &values("kserve-modelmesh-istio"));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[..2], ["shop-0  – → 30%", "shop-1  – → 70%"]);
    let name = &namespace.name;
    assert!(lines.contains(&format!("create InferenceService {name}/shop-1").as_str()), "{printed}");
    assert!(lines.contains(&"+      storageUri: s3://models/one"), "{printed}");
    assert!(lines.contains(&"step 2: wait until shop-0, shop-1 are settled"), "{printed}");
    assert_eq!(lines.last(), Some(&"7 to create, 0 to update, 0 to delete, 0 unchanged"));
}

#[tokio::test]
async fn a_diff_after_an_apply_is_empty_in_every_environment() {
    let Some(cluster) = cluster() else { return };
    for environment in [
        "deployment",
        "deployment-istio",
        "deployment-gtw",
        "kserve",
        "kserve-0.10",
        "kserve-modelmesh-istio",
        "kserve-standard",
    ] {
        let namespace = cluster.namespace("empty", &[Ask::Webhook]).await;
        let values = values(environment);
        apply(cluster, &namespace, &values).await;
        let printed = diff(cluster, &namespace, &["--exit-code"], &values);
        let last = printed.lines().last().unwrap_or_default();
        assert!(last.starts_with("no changes: "), "{environment}:\n{printed}");
    }
}

#[tokio::test]
async fn a_change_of_weights_is_a_move_of_traffic() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("weights", &[]).await;
    let before = values("deployment-istio");
    apply(cluster, &namespace, &before).await;
    let after = before.replace("weight: 30", "weight: 100").replace("weight: 70", "weight: 0");
    let printed = diff(cluster, &namespace, &["--routing", "route", "-U", "0"], &after);
    let name = &namespace.name;
    let expected = [
        "shop-0  30% → 100%".to_owned(),
        "shop-1  70% → –".to_owned(),
        String::new(),
        format!("update VirtualService {name}/shop"),
    ];
    assert_eq!(printed.lines().take(4).collect::<Vec<_>>(), expected, "{printed}");
    assert!(printed.contains("\n-      weight: 30\n"), "{printed}");
    let output = r8(cluster, name, &["diff", "--exit-code", "--routing", "route"], &after);
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn programs_get_every_changed_path_with_both_values() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("json", &[]).await;
    let before = values("kserve-standard");
    apply(cluster, &namespace, &before).await;
    let printed = diff(cluster, &namespace, &["-o", "json"], &before.replacen("models/one", "models/two", 1));
    let document: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&document["apiVersion"], &document["kind"]), (&json!("r8/v1"), &json!("Diff")));
    let changed: Vec<&Value> =
        document["objects"].as_array().unwrap().iter().filter(|object| object["action"] != "unchanged").collect();
    assert_eq!(changed.len(), 1, "{printed}");
    assert_eq!((&changed[0]["name"], &changed[0]["role"]), (&json!("shop-0"), &json!("version=0")));
    let path = ".spec.predictor.model.storageUri";
    assert_eq!(changed[0]["changes"], json!([{"path": path, "old": "s3://models/one", "new": "s3://models/two"}]));
}

#[tokio::test]
async fn a_field_of_another_manager_is_a_conflict_that_is_shown() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("conflict", &[]).await;
    let values = values("kserve-standard");
    apply(cluster, &namespace, &values).await;
    let edited = json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "shop-0"},
                        "spec": {"predictor": {"minReplicas": 5}}});
    namespace.apply_as("kubectl-edit", &edited).await;
    let printed = diff(cluster, &namespace, &[], &values);
    assert!(
        printed.contains("! `.spec.predictor.minReplicas` is owned by `kubectl-edit`; `--force-conflicts` takes it\n"),
        "{printed}"
    );
    // What `apply` would refuse has its exit code, and its words, where that is asked for.
    let name = namespace.name.as_str();
    let refused = r8(cluster, name, &["diff", "--strict", "--exit-code"], &values);
    let told = String::from_utf8(refused.stderr).unwrap();
    let apply = r8(cluster, name, &["apply"], &values);
    assert_eq!((refused.status.code(), apply.status.code()), (Some(5), Some(5)), "{told}");
    let error =
        format!("error: `.spec.predictor.minReplicas` of InferenceService {name}/shop-0 is owned by `kubectl-edit`: ");
    assert!(told.contains(&error), "{told}");
    assert!(String::from_utf8(apply.stderr).unwrap().contains(&error));
    assert_eq!(String::from_utf8(refused.stdout).unwrap(), printed);
    let taken = r8(cluster, name, &["diff", "--strict", "--force-conflicts"], &values);
    assert_eq!(taken.status.code(), Some(0), "{}", String::from_utf8_lossy(&taken.stderr));
    assert!(printed.contains("-    minReplicas: 5\n+    minReplicas: 1\n"), "{printed}");
}

#[tokio::test]
async fn objects_of_others_are_named_and_those_left_behind_are_deleted() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("owners", &[]).await;
    let name = &namespace.name;
    let both = values("deployment-istio");
    apply(cluster, &namespace, &both).await;
    let mut foreign = namespace.get("Service", "shop").await.unwrap();
    foreign = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": foreign["metadata"]["name"],
                     "annotations": {"meta.helm.sh/release-name": "other"}}});
    namespace.apply_as("helm-of-others", &foreign).await;
    let one = both.rsplit_once("  - ").unwrap().0.replace(", weight: 30", "");
    let printed = diff(cluster, &namespace, &[], &one);
    assert!(
        printed.contains(&format!("! belongs to release {name}/other; `--take-ownership` takes it\n")),
        "{printed}"
    );
    for object in ["Deployment", "Service"] {
        assert!(printed.contains(&format!("delete {object} {name}/shop-1\n")), "{printed}");
    }
    assert!(printed.contains("drain: wait until requests have left the versions that go\n"), "{printed}");
    assert!(printed.lines().last().unwrap().contains("3 to delete"), "{printed}");
}

#[tokio::test]
async fn who_may_only_read_gets_a_diff_that_says_how_it_was_made() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("reader", &[]).await;
    let before = values("deployment-istio");
    apply(cluster, &namespace, &before).await;
    let same = r8(cluster, &namespace.name, &["diff", "--kube-context", "reader"], &before);
    assert!(String::from_utf8_lossy(&same.stdout).starts_with("shop-0  30%\nshop-1  70%\n\nno changes: "), "{same:?}");
    assert!(
        String::from_utf8_lossy(&same.stderr).contains("note: compared field by field: you may not `patch`\n"),
        "{same:?}"
    );
    let after = before.replace("shop:1, weight: 70", "shop:2, weight: 70");
    let changed = r8(cluster, &namespace.name, &["diff", "--kube-context", "reader", "-U", "0"], &after);
    let printed = String::from_utf8_lossy(&changed.stdout).into_owned();
    assert!(printed.contains("-        image: shop:1\n+        image: shop:2\n"), "{printed}");
    assert!(printed.ends_with("0 to create, 1 to update, 0 to delete, 8 unchanged\n"), "{printed}");
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_said_and_everything_in_it_is_new() {
    let Some(cluster) = cluster() else { return };
    let output = r8(cluster, "r8-never-there", &["diff"], &values("deployment-istio"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("note: namespace `r8-never-there` does not exist: all its objects are new\n"), "{told}");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("9 to create, 0 to update, 0 to delete, 0 unchanged\n"));
}

#[tokio::test]
async fn a_kind_that_is_not_served_is_said_before_anything_else() {
    let Some(cluster) = cluster() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    let table = "doc: mine\nbase: deployment\n";
    std::fs::write(mine.join("environment.yaml"), table).unwrap();
    let widget = "apiVersion: example.org/v1\nkind: Widget\nmetadata:\n  name: widget\n  namespace: {{ application.namespace }}\n";
    std::fs::write(mine.join("support.yaml.j2"), widget).unwrap();
    let values = values("deployment").replace("environment: deployment", "environment: mine");
    let templates = folder.path().to_str().unwrap();
    let output = r8(cluster, "default", &["diff", "--templates", templates], &values);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.starts_with("error: the cluster does not serve Widget (example.org/v1)\nhint: "), "{told}");
}

/// What a difference says of traffic and objects, for programs; how the changed fields were found may differ.
fn gist(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    for object in document["objects"].as_array_mut().unwrap() {
        ["exact", "conflicts", "changes"].iter().for_each(|key| drop(object.as_object_mut().unwrap().remove(*key)));
    }
    document
}

#[tokio::test]
async fn values_and_records_are_compared_as_what_is_live_is() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("against", &[Ask::Ready]).await;
    let (before, after) = (values("kserve"), values("kserve").replace("weight: 30", "weight: 90"));
    let name = &namespace.name;
    let applied = r8(cluster, name, &["apply", "--settle", "1s"], &before);
    assert_eq!(applied.status.code(), Some(0), "{}", String::from_utf8_lossy(&applied.stderr));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &before).unwrap();
    let words = ["diff", "shop", "-o", "json", "--exit-code"];
    let live = gist(&r8(cluster, name, &words, &after));
    assert_eq!(live["traffic"][0], json!({"version": "shop-0", "before": "30%", "after": "56.3%"}), "{live:#}");
    for against in [file.path().to_str().unwrap(), "release", "release:1"] {
        let words = [&words[..], &["--against", against]].concat();
        assert_eq!(gist(&r8(cluster, name, &words, &after)), live, "{against}");
    }
    for (against, want) in [("release:7", "has no revision 7"), ("release", "has no record")] {
        let release = if against == "release" { "other" } else { "shop" };
        let output = r8(cluster, name, &["diff", release, "--against", against], &after);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.contains(want)), (Some(1), true), "{told}");
    }
}

#[tokio::test]
async fn no_form_of_a_diff_shows_a_secret_and_each_shows_that_it_changes() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("masked", &[]).await;
    let with = |secret: &str| {
        let spec = json!({"predictor": {"model": {
            "modelFormat": {"name": "sklearn"}, "storageUri": format!("https://me:{secret}@host/model?token={secret}"),
            "env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": secret}],
        }}});
        json!({"environment": "kserve-standard", "application": {"strategy": "none", "metadata": {"name": "shop"},
               "versions": [{"inferenceServiceSpecification": {"spec": spec}}]}})
        .to_string()
    };
    let (old, new) = ("hunter2", "correct-horse");
    apply(cluster, &namespace, &with(old)).await;
    for form in ["text", "json"] {
        let printed = diff(cluster, &namespace, &["-o", form], &with(new));
        assert!(!printed.contains(old) && !printed.contains(new), "{printed}");
        for side in ["before", "after"] {
            let size = if side == "before" { old.len() } else { new.len() };
            assert!(printed.contains(&format!("(hidden, {size} characters, {side})")), "{printed}");
            assert!(printed.contains(&format!("https://•••••@host/model?token=••••• (hidden, {side})")), "{printed}");
        }
    }
    // What is new is shown whole, and what `kubectl apply` notes has it once more.
    let other = cluster.namespace("masked", &[]).await;
    let created = diff(cluster, &other, &[], &with(new));
    assert!(created.contains("+        value: (hidden, 13 characters)\n") && !created.contains(new), "{created}");
    let rendered = r8(cluster, &other.name, &["render", "-o", "json"], &with(old));
    let list: Value = serde_json::from_slice(&rendered.stdout).unwrap();
    assert!(list.to_string().contains(old), "what is rendered is for kubectl");
    for item in list["items"].as_array().unwrap() {
        other.apply_client_side(item).await;
    }
    for form in ["text", "json"] {
        let taken = diff(cluster, &other, &["--take-ownership", "-U", "50", "-o", form], &with(new));
        assert!(!taken.contains(old) && !taken.contains(new), "{taken}");
    }
}

#[tokio::test]
async fn of_a_missing_namespace_it_is_said_who_creates_it() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("elsewhere", &[]).await;
    let values =
        values("deployment-istio").replacen("image: shop:1", "metadata: {namespace: r8-not-there}, image: shop:1", 1);
    let output = r8(cluster, &namespace.name, &["diff"], &values);
    let told = String::from_utf8(output.stderr).unwrap();
    let text = "note: namespace `r8-not-there` does not exist: all its objects are new\nhint: create it: `kubectl create \
                namespace r8-not-there`\n";
    assert!(told.contains(text), "{told}");
}
