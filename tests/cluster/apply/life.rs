//! The life of a release: installed, given a candidate, moved, promoted; in each environment.

use super::*;
use crate::harness::{Ask, Proxy, cluster, cluster_with_controllers, control_plane};

#[tokio::test]
async fn a_release_lives_in_every_environment_by_the_traffic_rules() {
    let Some(cluster) = control_plane() else { return };
    for environment in ROUTED {
        let namespace = cluster.namespace(&environment.replace('.', "-"), &[Ask::Ready]).await;
        let recorder = Recorder::start(cluster, &namespace.name);
        let steps: [(&[(&str, u32)], &str); 5] = [
            (&[("one", 1)], "shop-0  – → 100%\n"),
            (&[("one", 90), ("two", 10)], "shop-0  100% → 90%\nshop-1  – → 10%\n"),
            (&[("one", 20), ("two", 80)], "shop-0  90% → 20%\nshop-1  10% → 80%\n"),
            (&[("two", 1)], "shop-0  20% → 100%\nshop-1  80% → –\n"),
            (&[("three", 40), ("four", 30), ("five", 30)], "shop-0  100% → 40%\nshop-1  – → 30%\nshop-2  – → 30%\n"),
        ];
        for (versions, traffic) in steps {
            let values = values(environment, "blue-green", versions);
            let ended = apply(cluster, &namespace, &[], &values).with(0);
            assert!(ended.stdout.starts_with(traffic), "{environment}: {}", ended.stdout);
            let diff = start(cluster.r8(), &namespace.name, &["diff", "--exit-code"], &values).end().with(0);
            assert!(diff.stdout.contains("\nno changes: "), "{environment}: {}", diff.stdout);
        }
        let recording = recorder.stop();
        assert_traffic_rules(&recording, &Rules::of("shop-0"));
        assert_istio_takes(&recording);
    }
}

#[tokio::test]
async fn a_canary_and_a_mirror_live_by_the_traffic_rules() {
    let Some(cluster) = control_plane() else { return };
    for (environment, strategy) in [
        ("deployment-istio", "canary"),
        ("deployment-istio", "mirror"),
        ("deployment-gtw", "canary"),
        ("kserve", "canary"),
        ("kserve-modelmesh-istio", "canary"),
        ("kserve-standard", "mirror"),
    ] {
        let namespace = cluster.namespace(&format!("{environment}-{strategy}"), &[Ask::Ready]).await;
        let recorder = Recorder::start(cluster, &namespace.name);
        for versions in [&[("one", 1)][..], &[("one", 1), ("two", 1)], &[("one", 1), ("three", 1)], &[("three", 1)]] {
            let values = values(environment, strategy, versions);
            apply(cluster, &namespace, &[], &values).with(0);
        }
        let recording = recorder.stop();
        assert_traffic_rules(&recording, &Rules::of("shop-0"));
        assert_istio_takes(&recording);
        assert_eq!(versions(&namespace).await.iter().filter(|(_, name, _)| name == "\"shop-1\"").count(), 0);
    }
}

#[tokio::test]
async fn a_release_without_a_route_waits_for_all_its_versions() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("none", &[Ask::Ready]).await;
    let both = values("deployment", "none", &[("one", 1), ("two", 1)]);
    let ended = apply(cluster, &namespace, &[], &both).with(0);
    assert!(ended.stderr.contains("shop-0: settled") && ended.stderr.contains("shop-1: settled"), "{ended:?}");
    let ended = apply(cluster, &namespace, &[], &values("deployment", "none", &[("one", 1)])).with(0);
    assert!(ended.stderr.contains(&format!("deleted Deployment {}/shop-1\n", namespace.name)), "{ended:?}");
}

#[tokio::test]
async fn an_apply_that_changes_nothing_writes_nothing() {
    let Some(cluster) = control_plane() else { return };
    for environment in ROUTED {
        let namespace = cluster.namespace("nothing", &[Ask::Ready, Ask::Webhook]).await;
        let values = values(environment, "blue-green", &[("one", 30), ("two", 70)]);
        apply(cluster, &namespace, &[], &values).with(0);
        let before = versions(&namespace).await;
        let proxy = Proxy::start(cluster, Vec::new());
        let ended = start(proxy.r8(), &namespace.name, &["apply"], &values).end().with(0);
        assert!(
            ended.stdout.contains(
                "
nothing to change: "
            ),
            "{environment}: {}",
            ended.stdout
        );
        assert_eq!(versions(&namespace).await, before, "{environment}");
        assert_eq!(proxy.requests().iter().filter(|request| request.writes()).count(), 0, "{environment}");
    }
}

#[tokio::test]
async fn what_render_and_kubectl_made_is_taken_over_whole() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("takeover", &[Ask::Ready]).await;
    let with = values("deployment-istio", "blue-green", &[("one", 30), ("two", 70)])
        .replace("{name: shop}", "{name: shop, labels: {team: models}}");
    let rendered = start(cluster.r8(), &namespace.name, &["render", "-o", "json"], &with).end().with(0);
    let list: Value = serde_json::from_str(&rendered.stdout).unwrap();
    for object in list["items"].as_array().unwrap() {
        namespace.apply_client_side(object).await;
    }
    let without = with.replace(", labels: {team: models}", "");
    let diff = start(cluster.r8(), &namespace.name, &["diff", "--take-ownership", "-U", "0"], &without).end().with(0);
    assert!(diff.stdout.contains("\n-    team: models\n"), "{}", diff.stdout);
    let ended = apply(cluster, &namespace, &[], &without).with(5);
    assert!(ended.stderr.contains("exists and belongs to no release\nhint: `--take-ownership` takes it"), "{ended:?}");
    apply(cluster, &namespace, &["--take-ownership"], &without).with(0);
    let service = namespace.get("Service", "shop-0").await.unwrap();
    assert_eq!(service["metadata"]["labels"]["team"], Value::Null, "{service}");
    assert_eq!(service["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
}

#[tokio::test]
async fn a_promotion_by_reordering_named_versions_writes_no_version() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("reorder", &[Ask::Ready]).await;
    let named = |model: &str, weight: u32| {
        format!("  - {{metadata: {{name: {model}}}, image: 'shop:{model}', weight: {weight}}}\n")
    };
    let release = |versions: &[String]| {
        format!(
            "environment: deployment-istio\napplication:\n  metadata: {{name: shop}}\n  strategy: blue-green\n  versions:\n{}",
            versions.concat()
        )
    };
    apply(cluster, &namespace, &[], &release(&[named("old", 50), named("new", 50)])).with(0);
    let before = namespace.get("Deployment", "new").await.unwrap();
    let ended = apply(cluster, &namespace, &[], &release(&[named("new", 1)])).with(0);
    assert!(!ended.stderr.contains(" moves from "), "{ended:?}");
    let after = namespace.get("Deployment", "new").await.unwrap();
    assert_eq!(before["metadata"]["generation"], after["metadata"]["generation"]);
    assert!(namespace.get("Deployment", "old").await.is_none_or(|old| !old["metadata"]["deletionTimestamp"].is_null()));
}

#[tokio::test]
async fn entries_that_shift_are_warned_of() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("shift", &[Ask::Ready]).await;
    let three = [("one", 40), ("two", 30), ("three", 30)];
    apply(cluster, &namespace, &[], &values("deployment-istio", "blue-green", &three)).with(0);
    let two = values("deployment-istio", "blue-green", &[("one", 40), ("three", 60)]);
    let ended = apply(cluster, &namespace, &[], &two).with(0);
    let warning =
        "warning: entry 1 moves from shop-2 to shop-1 and is loaded again\nhint: give versions `metadata.name`";
    assert!(ended.stderr.contains(warning), "{}", ended.stderr);
}
