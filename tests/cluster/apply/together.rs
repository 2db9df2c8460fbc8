//! Two applies of one release at the same time: one has the lock.

use super::*;
use crate::harness::{Ask, Fault, Proxy, What, control_plane};

fn release(versions: &[(&str, u32)]) -> String {
    values("deployment-istio", "blue-green", versions)
}

#[tokio::test]
async fn who_comes_second_is_told_who_is_at_work_and_writes_nothing() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("both", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release(&[("one", 30), ("two", 70)])).with(0);
    let recorder = Recorder::start(cluster, &namespace.name);
    let proxy = Proxy::start(cluster, vec![Fault::on("PATCH", "/deployments/shop-0?", What::Hold).real()]);
    let flags = ["apply", "--drain", "1s", "--timeout", "90s"];
    let first = start(proxy.r8(), &namespace.name, &flags, &release(&[("three", 50), ("two", 70)]));
    proxy.wait_for(|request| request.fault.is_some());
    // What is written beside the Deployment.
    proxy.wait_for(|one| one.writes() && one.path.contains("/configmaps/shop-0-weight") && one.status.is_some());
    let before = versions(&namespace).await;
    let second = apply(cluster, &namespace, &[], &release(&[("one", 30), ("four", 70)])).with(5);
    let text = format!("error: release {}/shop is locked: revision 2 is pending-upgrade since ", namespace.name);
    assert!(second.stderr.contains(&text) && second.stderr.contains("`--take-lock`"), "{}", second.stderr);
    assert_eq!(versions(&namespace).await, before);
    proxy.release();
    first.end().with(0);
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
}

#[tokio::test]
async fn who_has_lost_the_lock_deletes_nothing() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("again", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release(&[("one", 30), ("two", 70)])).with(0);
    let recorder = Recorder::start(cluster, &namespace.name);
    let proxy = Proxy::start(cluster, vec![]);
    let flags = ["apply", "--drain", "20s", "--timeout", "90s"];
    let running = start(proxy.r8(), &namespace.name, &flags, &release(&[("one", 1)]));
    proxy.wait_for(|one| one.writes() && one.path.contains("/virtualservices/") && one.status.is_some());
    apply(cluster, &namespace, &["--take-lock"], &release(&[("one", 50), ("two", 70)])).with(0);
    let ended = running.end().with(5);
    let text = format!("error: release {}/shop is not locked by this run any more: ", namespace.name);
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    assert!(proxy.requests().iter().all(|request| request.method != "DELETE"));
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    apply(cluster, &namespace, &[], &release(&[("one", 1)])).with(0);
    assert_eq!(namespace.get("Service", "shop-1").await, None);
}
