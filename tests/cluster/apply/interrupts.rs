//! An apply that is stopped at any step: what it says, what stands, and that the next one goes on from there.

use std::time::Duration;

use super::*;
use crate::harness::{Ask, Fault, Proxy, What, control_plane, eventually};

/// A step of an apply, by a request of it: in the first install, or in the promotion that follows.
struct Step {
    name: &'static str,
    request: (&'static str, &'static str),
    promotion: bool,
    /// Parts of the lists of what was written and what was not.
    written: &'static str,
    open: &'static str,
}

const STEPS: [Step; 6] = [
    Step {
        name: "in the middle of the version writes",
        request: ("PATCH", "/deployments/shop-1?"),
        promotion: false,
        written: "Deployment NAMESPACE/shop-1",
        open: "VirtualService NAMESPACE/shop",
    },
    Step {
        name: "before the routemap",
        request: ("PATCH", "/configmaps/shop-routemap?"),
        promotion: false,
        written: "ConfigMap NAMESPACE/shop-routemap",
        open: "VirtualService NAMESPACE/shop",
    },
    Step {
        name: "before the route",
        request: ("PATCH", "/virtualservices/shop?"),
        promotion: false,
        written: "VirtualService NAMESPACE/shop",
        open: "nothing",
    },
    Step {
        name: "in the version write of a promotion",
        request: ("PATCH", "/deployments/shop-0?"),
        promotion: true,
        written: "Deployment NAMESPACE/shop-0",
        open: "Deployment NAMESPACE/shop-1",
    },
    Step {
        name: "before the route of a promotion",
        request: ("PATCH", "/virtualservices/shop?"),
        promotion: true,
        written: "VirtualService NAMESPACE/shop",
        open: "Deployment NAMESPACE/shop-1",
    },
    Step {
        name: "in prune",
        request: ("DELETE", "/deployments/shop-1"),
        promotion: true,
        written: "Deployment NAMESPACE/shop-1",
        open: "nothing",
    },
];

const FLAGS: [&str; 5] = ["apply", "--drain", "1s", "--timeout", "90s"];

/// Two versions, then the second one alone.
fn release() -> [String; 2] {
    [&[("one", 30), ("two", 70)][..], &[("two", 1)]].map(|list| values("deployment-istio", "blue-green", list))
}

/// Sends a signal to an r8 that runs.
pub(super) fn signal(running: &Running, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), running.0.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// What the list of this title says.
fn list<'a>(ended: &'a Ended, title: &str) -> &'a str {
    ended.stderr.lines().find_map(|line| line.strip_prefix(title)).unwrap_or_else(|| panic!("{ended:?}"))
}

/// What the two releases leave when nobody stops them.
async fn uninterrupted(cluster: &Cluster) -> [Vec<(String, String, String)>; 2] {
    let namespace = cluster.namespace("whole", &[Ask::Ready]).await;
    let mut all = Vec::new();
    for values in release() {
        apply(cluster, &namespace, &[], &values).with(0);
        all.push(specs(&namespace).await);
    }
    all.try_into().unwrap()
}

/// Stops an apply at each step, then applies again: that ends as if nobody had stopped anything.
async fn at_each_step(what: What, stop: impl Fn(&Step, &Namespace, Running, &Proxy<'_>)) {
    let cluster = control_plane().unwrap();
    let whole = uninterrupted(cluster).await;
    for step in STEPS {
        let namespace = cluster.namespace("stop", &[Ask::Ready]).await;
        let recorder = Recorder::start(cluster, &namespace.name);
        let [install, promotion] = release();
        if step.promotion {
            apply(cluster, &namespace, &[], &install).with(0);
        }
        let (values, whole) = if step.promotion { (promotion, &whole[1]) } else { (install, &whole[0]) };
        let (method, path) = step.request;
        let proxy = Proxy::start(cluster, vec![Fault::on(method, path, what).real()]);
        let running = start(proxy.r8(), &namespace.name, &FLAGS, &values);
        proxy.wait_for(|request| request.fault == Some(what));
        stop(&step, &namespace, running, &proxy);
        // One that was killed still has the lock.
        apply(cluster, &namespace, &["--take-lock"], &values).with(0);
        assert_eq!(specs(&namespace).await, *whole, "{}", step.name);
        assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    }
}

/// The request in flight ends, nothing else begins, and the state is told with the command that goes on.
fn interrupt(name: &str, step: &Step, namespace: &Namespace, running: Running, proxy: &Proxy<'_>) {
    signal(&running, name);
    proxy.release();
    let ended = running.end().with(130);
    let hint = format!("error: interrupted\nhint: `r8 apply shop -n {} …` goes on from here\n", namespace.name);
    assert!(ended.stderr.contains(&hint), "{}: {}", step.name, ended.stderr);
    let part = |text: &str| text.replace("NAMESPACE", &namespace.name);
    assert!(list(&ended, "written: ").contains(&part(step.written)), "{}: {}", step.name, ended.stderr);
    assert!(list(&ended, "not written: ").contains(&part(step.open)), "{}: {}", step.name, ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn sigint_at_any_step_ends_the_request_in_flight_and_the_next_apply_goes_on() {
    let Some(_) = control_plane() else { return };
    at_each_step(What::Hold, |step, namespace, running, proxy| interrupt("INT", step, namespace, running, proxy)).await;
}

#[tokio::test]
async fn sigterm_at_any_step_ends_the_request_in_flight_and_the_next_apply_goes_on() {
    let Some(_) = control_plane() else { return };
    at_each_step(What::Hold, |step, namespace, running, proxy| interrupt("TERM", step, namespace, running, proxy))
        .await;
}

#[tokio::test]
async fn after_a_kill_before_any_write_the_next_apply_goes_on() {
    let Some(_) = control_plane() else { return };
    at_each_step(What::Hold, |_, _, running, _| {
        signal(&running, "KILL");
        assert_eq!(running.end().code, None);
    })
    .await;
}

#[tokio::test]
async fn after_a_kill_between_any_write_and_its_answer_the_next_apply_goes_on() {
    let Some(_) = control_plane() else { return };
    at_each_step(What::DelayAnswer(Duration::from_secs(3600)), |step, _, running, proxy| {
        // Both ends of the request are past the server.
        proxy.wait_for(|request| request.fault.is_some() && request.arrived);
        signal(&running, "KILL");
        assert_eq!(running.end().code, None, "{}", step.name);
    })
    .await;
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("twice", &[Ask::Ready]).await;
    let [values, _] = release();
    let proxy = Proxy::start(cluster, vec![Fault::on("PATCH", "/deployments/shop-0?", What::Hold).real()]);
    let mut running = start(proxy.r8(), &namespace.name, &FLAGS, &values);
    proxy.wait_for(|request| request.fault.is_some());
    // Signals that come before the first one was taken note of are one with it.
    eventually("it stops, though its request is held", async || {
        signal(&running, "INT");
        running.0.try_wait().unwrap()
    })
    .await;
    running.end().with(130);
    assert_eq!(namespace.get("Deployment", "shop-0").await, None);
    apply(cluster, &namespace, &[], &values).with(0);
}

#[tokio::test]
async fn an_interruption_before_the_first_write_writes_nothing() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("early", &[Ask::Ready]).await;
    let [values, _] = release();
    for path in ["/apis/apps/v1", "labelSelector=", "/deployments/shop-0?"] {
        let proxy = Proxy::start(cluster, vec![Fault::on("*", path, What::Hold)]);
        let running = start(proxy.r8(), &namespace.name, &FLAGS, &values);
        proxy.wait_for(|request| request.fault.is_some());
        signal(&running, "INT");
        let ended = running.end().with(130);
        let text = format!(
            "error: interrupted before anything was written\nhint: `r8 apply shop -n {} …` begins anew\n",
            namespace.name
        );
        assert!(ended.stderr.ends_with(&text), "{path}: {}", ended.stderr);
        assert!(proxy.requests().iter().all(|request| !request.writes()), "{path}");
    }
}

#[tokio::test]
async fn an_interruption_while_versions_are_waited_for_ends_the_wait() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("waits", &[]).await;
    let [values, _] = release();
    let proxy = Proxy::start(cluster, vec![]);
    let running = start(proxy.r8(), &namespace.name, &FLAGS, &values);
    proxy.wait_for(|request| request.watch && request.path.contains("/deployments"));
    signal(&running, "TERM");
    let ended = running.end().with(130);
    assert!(list(&ended, "written: ").contains("/shop-0"), "{}", ended.stderr);
    let open = list(&ended, "not written: ");
    assert_eq!(open, format!("ConfigMap {0}/shop-routemap, VirtualService {0}/shop", namespace.name));
}

#[tokio::test]
async fn an_interruption_in_drain_deletes_nothing_and_the_next_apply_does() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("drain", &[Ask::Ready]).await;
    let recorder = Recorder::start(cluster, &namespace.name);
    let [install, promotion] = release();
    apply(cluster, &namespace, &[], &install).with(0);
    let proxy = Proxy::start(cluster, vec![]);
    let running = start(proxy.r8(), &namespace.name, &["apply", "--drain", "1h", "--timeout", "90s"], &promotion);
    proxy
        .wait_for(|request| request.writes() && request.path.contains("/virtualservices/") && request.status.is_some());
    signal(&running, "INT");
    let ended = running.end().with(130);
    assert!(list(&ended, "not written: ").contains("/shop-1"), "{}", ended.stderr);
    assert!(namespace.get("Deployment", "shop-1").await.is_some());
    assert!(proxy.requests().iter().all(|request| request.method != "DELETE"));
    apply(cluster, &namespace, &[], &promotion).with(0);
    assert_eq!(namespace.get("Service", "shop-1").await, None);
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
}

#[tokio::test]
async fn an_interruption_ends_the_tries_of_a_write() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("tries", &[Ask::Ready]).await;
    let [values, _] = release();
    let proxy =
        Proxy::start(cluster, vec![Fault::on("PATCH", "/virtualservices/", What::TooMany(3600)).real().from(1)]);
    let running = start(proxy.r8(), &namespace.name, &["apply", "--timeout", "5h"], &values);
    proxy.wait_for(|request| request.fault.is_some() && request.status.is_some());
    signal(&running, "INT");
    let ended = running.end().with(130);
    assert_eq!(list(&ended, "not written: "), format!("VirtualService {}/shop", namespace.name));
}

#[tokio::test]
async fn an_interruption_ends_a_retry_and_a_read_that_get_no_answer() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("hangs", &[Ask::Ready]).await;
    let [install, promotion] = release();
    // A write that is tried again, and then gets no answer.
    let (method, path) = ("PATCH", "/deployments/shop-0?");
    let busy = Fault::on(method, path, What::TooMany(1)).real();
    let proxy = Proxy::start(cluster, vec![busy, Fault::on(method, path, What::Hold).real().nth(2)]);
    let running = start(proxy.r8(), &namespace.name, &FLAGS, &install);
    proxy.wait_for(|request| request.fault == Some(What::Hold));
    signal(&running, "INT");
    running.end().with(130);
    drop(proxy);
    apply(cluster, &namespace, &[], &install).with(0);
    // A read before what goes is deleted.
    let proxy = Proxy::start(cluster, vec![Fault::on("GET", "/virtualservices/shop", What::Hold).from(2)]);
    let running = start(proxy.r8(), &namespace.name, &FLAGS, &promotion);
    proxy.wait_for(|request| request.fault.is_some());
    signal(&running, "INT");
    running.end().with(130);
}

#[tokio::test]
async fn killed_at_a_write_of_its_record_the_next_apply_goes_on() {
    let Some(cluster) = control_plane() else { return };
    let whole = uninterrupted(cluster).await;
    let record = "/secrets/sh.helm.release.v1.shop.v1";
    // The lock, the route that was written, the end of the revision.
    for (method, path, nth) in [("POST", "/secrets", 1), ("PUT", record, 1), ("PUT", record, 2)] {
        let namespace = cluster.namespace("record", &[Ask::Ready]).await;
        let recorder = Recorder::start(cluster, &namespace.name);
        let [install, _] = release();
        let proxy = Proxy::start(cluster, vec![Fault::on(method, path, What::Hold).nth(nth).real()]);
        let running = start(proxy.r8(), &namespace.name, &FLAGS, &install);
        proxy.wait_for(|request| request.fault == Some(What::Hold));
        signal(&running, "KILL");
        running.end();
        apply(cluster, &namespace, &["--take-lock"], &install).with(0);
        assert_eq!(specs(&namespace).await, whole[0], "{method} {path} {nth}");
        assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    }
}
