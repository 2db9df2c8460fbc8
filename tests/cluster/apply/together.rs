//! Two applies of one release at the same time: no lock keeps them apart, the traffic rules do.

use super::*;
use crate::harness::{Ask, Proxy, control_plane};

fn release(versions: &[(&str, u32)]) -> String {
    values("deployment-istio", "blue-green", versions)
}

#[tokio::test]
async fn two_applies_at_once_keep_the_traffic_rules_and_both_end() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("both", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release(&[("one", 30), ("two", 70)])).with(0);
    let recorder = Recorder::start(cluster, &namespace.name);
    // One moves requests to a version that the other does not write.
    let all = [release(&[("one", 50), ("two", 70)]), release(&[("one", 30), ("four", 70)])];
    let flags = ["apply", "--drain", "1s", "--timeout", "90s"];
    let running = all.each_ref().map(|values| start(cluster.r8(), &namespace.name, &flags, values));
    for running in running {
        running.end().with(0);
    }
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    let image = |object: &Value| object["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let images = namespace.list("Deployment").await.iter().map(image).collect::<Vec<_>>();
    let last = [["shop:one", "shop:two"], ["shop:one", "shop:four"]];
    assert!(last.iter().any(|last| images == last.map(Value::from)), "{images:?}");
}

#[tokio::test]
async fn a_version_that_another_apply_routes_again_is_not_deleted() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("again", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release(&[("one", 30), ("two", 70)])).with(0);
    let recorder = Recorder::start(cluster, &namespace.name);
    let proxy = Proxy::start(cluster, vec![]);
    let flags = ["apply", "--drain", "20s", "--timeout", "90s"];
    let running = start(proxy.r8(), &namespace.name, &flags, &release(&[("one", 1)]));
    proxy.wait_for(|one| one.writes() && one.path.contains("/virtualservices/") && one.status.is_some());
    apply(cluster, &namespace, &[], &release(&[("one", 50), ("two", 70)])).with(0);
    let ended = running.end().with(6);
    let text = format!(
        "error: VirtualService {}/shop was changed meanwhile and sends requests to shop-1, which was about to be deleted\n\
         hint: see that nobody else applies this release at the same time, then apply it again\n",
        namespace.name
    );
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    assert!(proxy.requests().iter().all(|request| request.method != "DELETE"));
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    apply(cluster, &namespace, &[], &release(&[("one", 1)])).with(0);
    assert_eq!(namespace.get("Service", "shop-1").await, None);
}
