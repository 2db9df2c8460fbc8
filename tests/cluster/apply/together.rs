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

/// Kills an apply that is at work on a second release of `shop`.
async fn kill_one(cluster: &Cluster, namespace: &Namespace) {
    let proxy = Proxy::start(cluster, vec![Fault::on("PATCH", "/deployments/shop-0?", What::Hold).real()]);
    let flags = ["apply", "--drain", "1s", "--timeout", "90s"];
    let running = start(proxy.r8(), &namespace.name, &flags, &release(&[("three", 50), ("two", 70)]));
    proxy.wait_for(|request| request.fault.is_some());
    super::interrupts::signal(&running, "KILL");
    running.end();
    proxy.release();
}

#[tokio::test]
async fn the_lock_of_a_run_that_is_dead_is_taken_over_when_it_is_stale() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("stale", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release(&[("one", 30), ("two", 70)])).with(0);
    kill_one(cluster, &namespace).await;
    // The time of the command is over before anybody can know.
    let held = "revision 2 is held by ";
    for words in [
        &["apply", "--timeout", "4s"][..],
        &["rollback", "shop", "--timeout", "4s"],
        &["delete", "shop", "--timeout", "4s"],
    ] {
        let ended = match words[0] {
            "apply" => start(cluster.r8(), &namespace.name, words, &release(&[("one", 30), ("two", 70)])).end(),
            _ => Running(fed(cluster.r8().args(words).args(["-n", &namespace.name]), "")).end(),
        };
        let ended = ended.with(5);
        assert!(
            ended.stderr.starts_with(held) && ended.stderr.contains("is locked: revision 2 is pending-upgrade since "),
            "{}",
            ended.stderr
        );
    }
    let ended = apply(cluster, &namespace, &["--timeout", "300s"], &release(&[("four", 30), ("two", 70)])).with(0);
    assert!(ended.stderr.starts_with(held), "{}", ended.stderr);
    let descriptions: Vec<String> =
        super::recorded::history(cluster, &namespace).into_iter().map(|(_, _, description)| description).collect();
    assert!(descriptions[1].starts_with("Given up: ") && descriptions.len() == 3, "{descriptions:?}");
}

#[tokio::test]
async fn a_deletion_and_an_apply_together_are_one_after_the_other() {
    let Some(cluster) = control_plane() else { return };
    for round in 0..3 {
        let namespace = cluster.namespace("delete-too", &[Ask::Ready]).await;
        apply(cluster, &namespace, &[], &release(&[("one", 30), ("two", 70)])).with(0);
        let flags = ["apply", "--drain", "1s", "--settle", "1s", "--timeout", "90s"];
        let first = start(cluster.r8(), &namespace.name, &flags, &release(&[("one", 1)]));
        let mut r8 = cluster.r8();
        let second = Running(fed(r8.args(["delete", "shop", "--drain", "1s", "-n", &namespace.name]), ""));
        let (first, second) = (first.end(), second.end());
        let left = versions(&namespace).await.len();
        let records = namespace.list("Secret").await.len();
        match (first.code, second.code) {
            // The apply came after the deletion, or the deletion after the apply.
            (Some(0), Some(0)) => {
                assert!(left == 0 && records == 0 || left > 0 && records == 1, "round {round}: {left} {records}")
            }
            (Some(0), Some(5)) => {
                assert!(left > 0 && records == 2, "round {round}: {left} {records}\n{}", second.stderr)
            }
            (Some(5), Some(0)) => {
                assert!(left == 0 && records == 0, "round {round}: {left} {records}\n{}", first.stderr)
            }
            other => panic!("round {round}: {other:?}\n{}\n{}", first.stderr, second.stderr),
        }
    }
}
