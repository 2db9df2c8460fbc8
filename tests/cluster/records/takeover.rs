//! A release of the Iter8 chart goes from the real Helm to r8 and back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::helm::{Both, Helm};
use super::*;
use crate::harness::{
    Ask, Fault, Iter8, Proxy, Recorder, Rules, What, assert_traffic_rules, cluster_with_controllers, control_plane,
    eventually,
};
use crate::parts::wanted;
use crate::shop::told;

/// The values of a release `shop` with these images and weights.
fn values(versions: &[(&str, u32)]) -> String {
    let entry = |(image, weight): &(&str, u32)| format!("  - {{image: 'shop:{image}', weight: {weight}}}\n");
    let versions: String = versions.iter().map(entry).collect();
    format!(
        "environment: deployment-istio\napplication:\n  metadata: {{name: shop}}\n  strategy: blue-green\n  versions:\n{versions}"
    )
}

/// A folder of the target directory for this test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("takeover").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("templates")).unwrap();
    folder
}

/// The Iter8 chart as far as a release of it goes: its name, and its objects for these values, which are r8's without what
/// r8 does better than the chart: the namespace of the weight configurations (`spec/chart.md` of the Iter8 chart, Q10).
fn chart(both: &Both<'_>, folder: &Path, version: &str, values: &Path) {
    let text = values.to_str().unwrap();
    let rendered = both.r8_says(&["render", "shop", "--routing", "routemap", "-f", text]);
    let homeless = |document: &str| -> String {
        document.lines().filter(|line| !line.starts_with("  namespace: ")).map(|line| format!("{line}\n")).collect()
    };
    let documents = rendered.split("---\n").map(|document| match document.contains("-weight-config\n") {
        true => homeless(document),
        false => document.to_owned(),
    });
    let text: String = documents.collect::<Vec<_>>().join("---\n");
    let text: String =
        text.lines().filter(|line| !line.starts_with("# Source:")).map(|line| format!("{line}\n")).collect();
    fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: release\nversion: {version}\n")).unwrap();
    fs::write(folder.join("objects.yaml"), text).unwrap();
    fs::write(folder.join("templates/objects.yaml"), "{{ .Files.Get \"objects.yaml\" }}").unwrap();
}

const HISTORY: [&str; 4] = ["history", "shop", "-o", "json"];

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const FAST: [&str; 6] = ["--drain", "1s", "--settle", "1s", "--timeout", "90s"];

#[tokio::test]
async fn a_release_goes_from_helm_to_r8_and_back() {
    let Some(cluster) = control_plane().filter(|_| wanted()) else { return };
    for helm in [Helm::Four, Helm::Three] {
        let namespace = cluster.namespace("takeover", &[Ask::Ready]).await;
        let both = Both { helm, cluster, namespace: &namespace, driver: "secret" };
        let folder = folder(&format!("{helm:?}"));
        let (one, two) = (folder.join("one.yaml"), folder.join("two.yaml"));
        fs::write(&one, values(&[("one", 50), ("two", 50)])).unwrap();
        fs::write(&two, values(&[("one", 30), ("two", 70)])).unwrap();
        let [first, second] = [&one, &two].map(|path| path.to_str().unwrap());
        let release = folder.to_str().unwrap();
        chart(&both, &folder, "0.18.5", &one);
        both.helm(&["install", "shop", release, "-f", first]);
        let created = |object: &Value| object["metadata"]["uid"].to_string();
        let deployment = namespace.get("Deployment", "shop-0").await.unwrap();

        // What Helm made is the release's: no conflict, no foreign owner, only what the chart leaves out.
        let shown = both.r8_says(&["diff", "shop", "-f", first]);
        // The API server's defaults, which Helm's writes own, come back by themselves: they are no change.
        assert!(!shown.lines().any(|line| line.starts_with(['!', '-', '~'])), "{shown}");
        let took = both.r8_says(&[&["apply", "shop", "-f", second][..], &FAST].concat());
        assert!(took.starts_with("shop-0  – → 30%\nshop-1  – → 70%\n"), "{took}");
        let after = namespace.get("Deployment", "shop-0").await.unwrap();
        assert_eq!((created(&after), &after["metadata"]["generation"]), (created(&deployment), &1.into()));
        // Helm 3's records and r8's are one history.
        both.same_json(&["history", "shop"]);
        assert!(both.r8_says(&["diff", "shop", "-f", second]).starts_with("shop-0  30%\nshop-1  70%\n\nno changes: "));

        // Back to the chart: the live route stays.
        let recorder = Recorder::start(cluster, &namespace.name);
        let uid = created(&namespace.get("VirtualService", "shop").await.unwrap());
        both.helm(&["rollback", "shop", "1"]);
        chart(&both, &folder, "0.18.6", &two);
        both.helm(&["upgrade", "shop", release, "-f", second]);
        assert_eq!(created(&namespace.get("VirtualService", "shop").await.unwrap()), uid);

        // And r8 goes back to a revision of Helm's, by its own rules.
        let back = both.r8_says(&[&["rollback", "shop", "1"][..], &FAST].concat());
        assert!(back.starts_with("shop-0  30% → 50%\nshop-1  70% → 50%\n"), "{back}");
        let [mut history, helms] = [both.r8_says(&HISTORY), both.helm(&HISTORY)].map(|text| json_of(&text));
        if helm == Helm::Three {
            // It does not know which revision was gone back to.
            history
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|one| drop(one.as_object_mut().unwrap().remove("rollback_revision")));
        }
        assert_eq!(history, helms);
        let all: Vec<(&str, &str)> = history
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["status"].as_str().unwrap(), one["description"].as_str().unwrap()))
            .collect();
        assert_eq!(all.last(), Some(&("deployed", "Rollback to 1")));
        assert_eq!(all.iter().filter(|one| one.0 == "deployed").count(), 1);
        assert_eq!(all.len(), 5);
        assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
        // Helm goes back to a revision of r8's: its objects and its route.
        both.helm(&["rollback", "shop", "2"]);
        let route = namespace.get("VirtualService", "shop").await.unwrap();
        assert_eq!(route["spec"]["http"][0]["route"][0]["weight"], 30);
        both.helm(&["uninstall", "shop"]);
        assert_eq!(namespace.get("VirtualService", "shop").await, None);
        assert_eq!(namespace.list("Secret").await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_model_that_need_not_change_is_not_loaded_again_by_a_take_over() {
    let Some(cluster) = control_plane().filter(|_| wanted()) else { return };
    let versions = "  - {modelFormat: sklearn, storageUri: 's3://models/one', weight: 50}\n  - {modelFormat: sklearn, storageUri: \
                    's3://models/two', weight: 50}\n";
    for (environment, helm) in
        [("kserve-modelmesh-istio", Helm::Four), ("kserve", Helm::Three), ("kserve-0.10", Helm::Four)]
    {
        let namespace = cluster.namespace("models", &[Ask::Ready]).await;
        let both = Both { helm, cluster, namespace: &namespace, driver: "secret" };
        let folder = folder(&format!("models-{environment}"));
        let (one, two) = (folder.join("one.yaml"), folder.join("two.yaml"));
        let text = format!(
            "environment: {environment}\napplication:\n  metadata: {{name: shop}}\n  strategy: blue-green\n  versions:\n{versions}"
        );
        fs::write(&one, &text).unwrap();
        fs::write(&two, text.replace("one', weight: 50", "one', weight: 30")).unwrap();
        chart(&both, &folder, "0.18.5", &one);
        both.helm(&["install", "shop", folder.to_str().unwrap(), "-f", one.to_str().unwrap()]);
        // What makes KServe load a model, or replace its pods: the spec, and labels and annotations.
        let models = async || {
            let models = namespace.list("InferenceService").await;
            let said = |model: &Value| {
                ["uid", "generation", "labels", "annotations"].map(|key| model["metadata"][key].clone())
            };
            models.iter().map(said).collect::<Vec<_>>()
        };
        let before = models().await;
        assert_eq!(before.len(), 2);
        let took = both.r8_says(&[&["apply", "shop", "-f", two.to_str().unwrap()][..], &FAST].concat());
        assert!(took.starts_with("shop-0  – → 37.5%\nshop-1  – → 62.5%\n"), "{environment}: {took}");
        assert_eq!(models().await, before, "{environment}");
    }
}

#[tokio::test]
async fn a_release_of_another_chart_is_left_alone() {
    let Some(cluster) = control_plane().filter(|_| wanted()) else { return };
    let namespace = cluster.namespace("foreign", &[Ask::Ready]).await;
    let both = Both { helm: Helm::Four, cluster, namespace: &namespace, driver: "secret" };
    let folder = folder("other");
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: other\nversion: 1.0.0\n").unwrap();
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n";
    fs::write(folder.join("templates/object.yaml"), object).unwrap();
    both.helm(&["install", "shop", folder.to_str().unwrap()]);
    let values_file = folder.join("values-of-shop.yaml");
    fs::write(&values_file, values(&[("one", 1)])).unwrap();
    let file = values_file.to_str().unwrap();
    let refused = format!(
        "error: release {}/shop was made of the chart other-1.0.0, which r8 does not know\n\
         hint: give this one another name; `helm upgrade` and `helm uninstall` deal with that one\n",
        namespace.name
    );
    for words in [&["apply", "shop", "-f", file][..], &["diff", "shop", "-f", file], &["delete", "shop"]] {
        let output = cluster.r8().args(words).args(["-n", &namespace.name]).output().unwrap();
        assert!(output.status.code() == Some(5) && told(&output).ends_with(&refused), "{words:?}: {}", told(&output));
    }
    assert!(namespace.get("ConfigMap", "other").await.is_some());
    both.helm(&["uninstall", "shop"]);
    assert_eq!(namespace.get("ConfigMap", "other").await, None);
}

#[tokio::test]
async fn ten_revisions_of_each_are_one_history() {
    let Some(cluster) = control_plane().filter(|_| wanted()) else { return };
    let namespace = cluster.namespace("interleaved", &[Ask::Ready]).await;
    let both = Both { helm: Helm::Four, cluster, namespace: &namespace, driver: "secret" };
    let folder = folder("interleaved");
    let file = folder.join("values.yaml");
    let (path, release) = (file.to_str().unwrap(), folder.to_str().unwrap());
    for number in 1..=10_u32 {
        fs::write(&file, values(&[("one", 50), ("two", number)])).unwrap();
        both.r8_says(&[&["apply", "shop", "--history-max", "0", "-f", path][..], &FAST].concat());
        fs::write(&file, values(&[("one", 50), ("two", 100 + number)])).unwrap();
        chart(&both, &folder, &format!("0.18.{number}"), &file);
        both.helm(&["upgrade", "shop", release, "--history-max", "0", "--force-conflicts", "-f", path]);
    }
    let history = both.same_json(&["history", "shop"]);
    let charts: Vec<&str> = history.as_array().unwrap().iter().map(|one| one["chart"].as_str().unwrap()).collect();
    assert_eq!(charts.len(), 20);
    let own = format!("r8-{}", env!("CARGO_PKG_VERSION"));
    for (at, chart) in charts.iter().enumerate() {
        let expected = if at % 2 == 0 { own.clone() } else { format!("release-0.18.{}", at / 2 + 1) };
        assert_eq!(*chart, expected);
    }
    assert!(history.as_array().unwrap().iter().rev().skip(1).all(|one| one["status"] == "superseded"));
    both.same_json(&["list"]);
}

#[tokio::test]
async fn weight_configurations_are_moved_to_where_the_controller_looks_for_them() {
    let Some(cluster) = control_plane().filter(|_| wanted()) else { return };
    let (home, models) = (cluster.namespace("home", &[]).await, cluster.namespace("models", &[Ask::Ready]).await);
    let both = Both { helm: Helm::Four, cluster, namespace: &home, driver: "configmap" };
    let folder = folder("weights");
    let file = folder.join("values.yaml");
    let metadata = format!("metadata: {{name: shop, namespace: {}}}", models.name);
    fs::write(&file, values(&[("one", 50), ("two", 50)]).replace("metadata: {name: shop}", &metadata)).unwrap();
    let path = file.to_str().unwrap();
    chart(&both, &folder, "0.18.5", &file);
    both.helm(&["install", "shop", folder.to_str().unwrap(), "-f", path]);
    let names = async |namespace: &Namespace| -> Vec<String> {
        let all = namespace.list("ConfigMap").await;
        let names = all.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned());
        names.filter(|name| name.ends_with("-weight-config")).collect()
    };
    let both_names = ["shop-0-weight-config", "shop-1-weight-config"];
    assert_eq!((names(&home).await, names(&models).await), (both_names.map(str::to_owned).to_vec(), Vec::new()));
    both.r8_says(&[&["apply", "shop", "-f", path][..], &FAST].concat());
    assert_eq!((names(&home).await, names(&models).await), (Vec::new(), both_names.map(str::to_owned).to_vec()));
    // Nor does going back to the chart's revision bring the fault back.
    let again = both.r8_says(&[&["rollback", "shop", "1"][..], &FAST].concat());
    assert!(again.contains("nothing to change"), "{again}");
    assert_eq!((names(&home).await, names(&models).await), (Vec::new(), both_names.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn the_controllers_route_of_a_helm_release_is_left_to_it_or_taken_without_a_gap() {
    let Some(cluster) = cluster_with_controllers().filter(|_| wanted()) else { return };
    let namespace = cluster.namespace("controlled", &[Ask::Ready]).await;
    let both = Both { helm: Helm::Four, cluster, namespace: &namespace, driver: "secret" };
    let _iter8 = Iter8::start(cluster, &namespace.name);
    let folder = folder("controlled");
    let file = folder.join("values.yaml");
    let write =
        |versions: &[(&str, u32)]| fs::write(&file, format!("iter8Version: v1.1\n{}", values(versions))).unwrap();
    write(&[("one", 30), ("two", 70)]);
    let path = file.to_str().unwrap();
    chart(&both, &folder, "1.1.2", &file);
    both.helm(&["install", "shop", folder.to_str().unwrap(), "-f", path]);
    let route = eventually("the controller splits requests", async || {
        let route = namespace.get("VirtualService", "shop").await?;
        (route["spec"]["http"][0]["route"].as_array()?.len() == 2).then_some(route)
    })
    .await;
    let uid = |route: &Value| route["metadata"]["uid"].to_string();
    let recorder = Recorder::start(cluster, &namespace.name);
    write(&[("one", 60), ("two", 40)]);
    let left = both.run(cluster.r8(), &[&["apply", "shop", "-f", path][..], &FAST].concat());
    assert_eq!(left.status.code(), Some(0), "{}", told(&left));
    assert!(
        told(&left).contains("note: the live route is the Iter8 controller's and is left to it\n"),
        "{}",
        told(&left)
    );
    let taken = both.run(cluster.r8(), &[&["apply", "shop", "--routing", "route", "-f", path][..], &FAST].concat());
    assert_eq!(taken.status.code(), Some(0), "{}", told(&taken));
    let live = namespace.get("VirtualService", "shop").await.unwrap();
    assert_eq!((uid(&live), &live["spec"]["http"][0]["route"][0]["weight"]), (uid(&route), &60.into()));
    assert_eq!(namespace.get("ConfigMap", "shop-routemap").await, None);
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
}

/// A run of r8 that a signal has ended at the first of these requests: its record stays pending.
async fn killed(both: &Both<'_>, (method, path): (&str, &str), values: &Path) {
    let proxy = Proxy::start(both.cluster, vec![Fault::on(method, path, What::Hold).real()]);
    let mut r8 = proxy.r8();
    r8.args(["apply", "shop", "-n", &both.namespace.name, "--history-max", "0", "-f"]).arg(values).args(FAST);
    let mut child = r8.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    proxy.wait_for(|request| request.fault.is_some());
    child.kill().unwrap();
    child.wait().unwrap();
    proxy.release();
}

#[tokio::test]
async fn what_one_tool_leaves_when_it_is_killed_the_other_repairs() {
    let Some(cluster) = control_plane().filter(|_| wanted()) else { return };
    for helm in [Helm::Four, Helm::Three] {
        let namespace = cluster.namespace("repair", &[Ask::Ready]).await;
        let both = Both { helm, cluster, namespace: &namespace, driver: "secret" };
        let folder = folder(&format!("repair-{helm:?}"));
        let (one, two) = (folder.join("one.yaml"), folder.join("two.yaml"));
        fs::write(&one, values(&[("one", 50), ("two", 50)])).unwrap();
        fs::write(&two, values(&[("three", 30), ("two", 70)])).unwrap();
        let [first, second] = [&one, &two].map(|path| path.to_str().unwrap());
        both.r8_says(&[&["apply", "shop", "-f", first][..], &FAST].concat());

        // r8 was killed at a version, at the route, or before it deleted.
        let less = folder.join("less.yaml");
        fs::write(&less, values(&[("three", 1)])).unwrap();
        for at in [("PATCH", "/deployments/"), ("PATCH", "/virtualservices/"), ("DELETE", "/deployments/")] {
            killed(&both, at, &less).await;
            both.helm(&["rollback", "shop", "1", "--history-max", "0"]);
            // Helm may drop the mark that its chart heeds; all else is as it was.
            let shown = both.r8_says(&["diff", "shop", "-f", first]);
            let changes: Vec<&str> = shown.lines().filter(|line| line.starts_with(['+', '-'])).collect();
            assert!(changes.iter().all(|change| *change == "+    helm.sh/resource-policy: keep"), "{at:?}: {shown}");
        }
        // Helm's way out is its rollback.
        killed(&both, ("PATCH", "/deployments/"), &two).await;
        chart(&both, &folder, "0.18.5", &two);
        let upgrade = both.try_helm(&["upgrade", "shop", folder.to_str().unwrap(), "-f", second]);
        assert!(
            told(&upgrade).contains("another operation (install/upgrade/rollback) is in progress"),
            "{}",
            told(&upgrade)
        );
        both.helm(&["rollback", "shop", "1"]);
        let deployment = namespace.get("Deployment", "shop-0").await.unwrap();
        assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "shop:one");

        // Helm was killed while it waited: nobody can tell whether it lives, so r8 asks for its lock.
        let late = folder.join("late.yaml");
        fs::write(&late, values(&[("never-ready", 30), ("two", 70)])).unwrap();
        chart(&both, &folder, "0.18.6", &late);
        let mut upgrade = cluster.command(helm.program());
        let upgrade =
            upgrade.args(["upgrade", "shop", folder.to_str().unwrap(), "--wait", "-f", late.to_str().unwrap()]);
        let upgrade = upgrade.args(["-n", &namespace.name]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = upgrade.spawn().unwrap();
        eventually("Helm has written the version", async || {
            let deployment = namespace.get("Deployment", "shop-0").await?;
            let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
            (image == "shop:never-ready").then_some(())
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        let refused = both.run(cluster.r8(), &["apply", "shop", "-f", second]);
        assert_eq!(refused.status.code(), Some(5));
        assert!(told(&refused).contains("take its lock with `--take-lock`"), "{}", told(&refused));
        both.r8_says(&[&["apply", "shop", "--take-lock", "-f", second][..], &FAST].concat());
        let deployment = namespace.get("Deployment", "shop-0").await.unwrap();
        assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "shop:three");
        let history = json_of(&both.r8_says(&HISTORY));
        let last = history.as_array().unwrap().last().unwrap();
        assert_eq!((&last["status"], &last["description"]), (&"deployed".into(), &"Upgrade complete".into()));
    }
}
