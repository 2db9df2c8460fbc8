//! Writes whose answer is lost: looked for by reading, not repeated blindly, and not taken for done unseen.

use std::time::Duration;

use super::*;
use crate::harness::{Ask, Fault, Proxy, What, control_plane};

/// Writes of an install, by what their paths contain.
const WRITES: [&str; 3] = ["/deployments/shop-0?", "/configmaps/shop-routemap?", "/virtualservices/shop?"];

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_found_and_not_sent_again() {
    let Some(cluster) = control_plane() else { return };
    let values = values("deployment-istio", "blue-green", &[("one", 1)]);
    for what in [What::CutAfter, What::CutBody, What::StatusAfter(504), What::StatusAfter(500)] {
        let namespace = cluster.namespace("lost", &[Ask::Ready]).await;
        let recorder = Recorder::start(cluster, &namespace.name);
        let faults = WRITES.iter().map(|path| Fault::on("PATCH", path, what).real());
        let proxy = Proxy::start(cluster, faults.collect());
        let flags = ["apply", "--timeout", "90s"];
        let ended = start(proxy.r8(), &namespace.name, &flags, &values).end().with(0);
        for path in WRITES {
            let requests = proxy.requests();
            let arrived = requests.iter().filter(|one| one.writes() && one.arrived && one.path.contains(path)).count();
            assert_eq!(arrived, 1, "{what:?} {path}: {}", ended.stderr);
        }
        assert_eq!(ended.stderr.matches("; trying again in ").count(), WRITES.len(), "{}", ended.stderr);
        assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    }
}

#[tokio::test]
async fn a_field_that_goes_is_gone_though_the_first_request_did_not_arrive() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("dropped", &[Ask::Ready]).await;
    let with = values("deployment-istio", "none", &[("one", 1)])
        .replace("{name: shop}", "{name: shop, labels: {team: models}}");
    apply(cluster, &namespace, &[], &with).with(0);
    let proxy = Proxy::start(cluster, vec![Fault::on("PATCH", "/services/shop-0?", What::CutBefore).real()]);
    let without = with.replace(", labels: {team: models}", "");
    start(proxy.r8(), &namespace.name, &["apply", "--timeout", "90s"], &without).end().with(0);
    assert!(proxy.requests().iter().any(|request| request.fault == Some(What::CutBefore)));
    let service = namespace.get("Service", "shop-0").await.unwrap();
    assert_eq!(service["metadata"]["labels"]["team"], Value::Null, "{service}");
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_done_once() {
    let Some(cluster) = control_plane() else { return };
    for what in [What::CutAfter, What::CutBody, What::StatusAfter(504)] {
        let namespace = cluster.namespace("deleted", &[Ask::Ready]).await;
        let release = |versions| values("deployment-istio", "blue-green", versions);
        apply(cluster, &namespace, &[], &release(&[("one", 1), ("two", 1)])).with(0);
        let proxy = Proxy::start(cluster, vec![Fault::on("DELETE", "/services/shop-1", what)]);
        let flags = ["apply", "--drain", "1s", "--timeout", "90s"];
        let ended = start(proxy.r8(), &namespace.name, &flags, &release(&[("one", 1)])).end().with(0);
        assert!(ended.stderr.contains(&format!("deleted Service {}/shop-1\n", namespace.name)), "{}", ended.stderr);
        assert_eq!(namespace.get("Service", "shop-1").await, None);
    }
}

#[tokio::test]
async fn a_deletion_that_did_not_arrive_is_not_taken_for_done() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("undeleted", &[Ask::Ready]).await;
    let release = |versions| values("deployment-istio", "blue-green", versions);
    apply(cluster, &namespace, &[], &release(&[("one", 1), ("two", 1)])).with(0);
    let proxy = Proxy::start(cluster, vec![Fault::on("DELETE", "/services/shop-1", What::Modified)]);
    let flags = ["apply", "--drain", "1s", "--timeout", "90s"];
    start(proxy.r8(), &namespace.name, &flags, &release(&[("one", 1)])).end().with(0);
    assert_eq!(namespace.get("Service", "shop-1").await, None);
}

#[tokio::test]
async fn a_first_write_that_may_have_arrived_is_not_called_unwritten() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("doubt", &[Ask::Ready]).await;
    let values = values("deployment-istio", "none", &[("one", 1)]);
    let name = &namespace.name;
    let proxy = Proxy::start(
        cluster,
        vec![Fault::on("PATCH", "/", What::DelayAnswer(Duration::from_secs(3600))).real().from(1)],
    );
    let ended = start(proxy.r8(), name, &["apply", "--timeout", "4s"], &values).end().with(6);
    assert!(ended.stderr.contains("error: no answer from the API server http://127.0.0.1:"), "{}", ended.stderr);
    assert!(ended.stderr.contains("; nobody knows whether "), "{}", ended.stderr);
    assert!(ended.stderr.contains("\nwritten: nothing\nperhaps written: "), "{}", ended.stderr);
    let open = format!("\nnot written: ConfigMap {name}/shop-routemap\n");
    assert!(ended.stderr.ends_with(&open), "{}", ended.stderr);
    assert!(namespace.get("Deployment", "shop-0").await.is_some());
}
