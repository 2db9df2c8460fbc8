//! Faults of the API server and of the way to it, at every step of an apply: tried again, said, and within the time.

use std::time::Duration;

use super::*;
use crate::harness::{Ask, Fault, Proxy, Request, What, control_plane};

/// The requests that befall a fault in an install with two versions and in the promotion of the second.
const STEPS: [(&str, &str); 7] = [
    ("GET", "/apis/apps/v1"),
    ("GET", "labelSelector="),
    ("PATCH", "dryRun="),
    ("PATCH", "/deployments/shop-0?"),
    ("PATCH", "/configmaps/shop-routemap?"),
    ("PATCH", "/virtualservices/shop?"),
    ("DELETE", "/deployments/shop-1"),
];

/// Two versions, then the second one alone.
fn release() -> [String; 2] {
    [&[("one", 30), ("two", 70)][..], &[("two", 1)]].map(|list| values("deployment-istio", "blue-green", list))
}

/// What an apply leaves that meets no fault.
async fn expected(cluster: &Cluster) -> [Vec<(String, String, String)>; 2] {
    let namespace = cluster.namespace("expected", &[Ask::Ready]).await;
    let mut all = Vec::new();
    for values in release() {
        apply(cluster, &namespace, &[], &values).with(0);
        all.push(specs(&namespace).await);
    }
    all.try_into().unwrap()
}

/// One fault at each step, in an install and in a promotion: both end well, and as if there had been none.
async fn at_each_step(what: What, steps: &[(&str, &str)], args: &[&str]) -> Vec<String> {
    let cluster = control_plane().unwrap();
    let expected = expected(cluster).await;
    let namespace = cluster.namespace("fault", &[Ask::Ready]).await;
    let recorder = Recorder::start(cluster, &namespace.name);
    let mut told = Vec::new();
    for (values, expected) in release().iter().zip(expected) {
        let faults = steps.iter().map(|(method, path)| {
            let fault = Fault::on(method, path, what);
            if path.contains("dryRun=") { fault } else { fault.real() }
        });
        let proxy = Proxy::start(cluster, faults.collect());
        let flags = [&["apply", "--drain", "1s", "--timeout", "90s"], args].concat();
        let ended = start(proxy.r8(), &namespace.name, &flags, values).end().with(0);
        let requests = proxy.requests();
        let befallen = requests.iter().filter(|request| request.fault == Some(what)).count();
        let deletes = requests.iter().any(|request| request.method == "DELETE");
        let steps = steps.iter().filter(|(method, _)| deletes || *method != "DELETE").count();
        assert_eq!(befallen, steps, "{what:?}: {requests:#?}");
        assert_eq!(specs(&namespace).await, expected, "{what:?}");
        for request in requests.iter().filter(|request| request.writes() && request.method == "PATCH") {
            let same = |other: &&Request| other.path == request.path && other.method == request.method && other.arrived;
            // Of the route there are two writes: for the primary, and when the other is settled too.
            let most = if request.path.contains("/virtualservices/") { 2 } else { 1 };
            assert!(requests.iter().filter(same).count() <= most, "{what:?}: {} is repeated", request.path);
        }
        told.push(ended.stderr.replace(&namespace.name, "NAMESPACE"));
    }
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    told
}

/// As [`at_each_step`]; each fault is said, with the reason and that it is tried again.
async fn said_at_each_step(what: What, steps: &[(&str, &str)], why: &str) {
    let told = at_each_step(what, steps, &[]).await.concat();
    let doings = [
        ("/apis/apps/v1", "ask for the kinds of apps/v1"),
        ("labelSelector=", "list "),
        ("dryRun=", "try "),
        ("/deployments/shop-0?", "write Deployment NAMESPACE/shop-0"),
        ("/configmaps/shop-routemap?", "write ConfigMap NAMESPACE/shop-routemap"),
        ("/virtualservices/shop?", "write VirtualService NAMESPACE/shop"),
        ("/deployments/shop-1", "delete Deployment NAMESPACE/shop-1"),
    ];
    for (path, doing) in doings.iter().filter(|(path, _)| steps.iter().any(|step| step.1 == *path)) {
        let said = told.lines().any(|line| {
            line.starts_with(&format!("cannot {doing}"))
                && line.contains(&format!(" now: {why}"))
                && line.contains("; trying again in ")
        });
        assert!(said, "{what:?} {path}:\n{told}");
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_before_is_tried_again() {
    let Some(_) = control_plane() else { return };
    said_at_each_step(What::CutBefore, &STEPS, "the connection is cut").await;
}

#[tokio::test]
async fn a_server_that_wants_to_be_left_alone_is_left_alone_as_long_as_it_says() {
    let Some(_) = control_plane() else { return };
    let told = at_each_step(What::TooMany(1), &STEPS, &[]).await.concat();
    let lines = told
        .lines()
        .filter(|line| line.contains(" now: it is busy (429: ") && line.ends_with("; trying again in 1.0 s"));
    assert_eq!(lines.count(), 13, "{told}");
}

#[tokio::test]
async fn a_server_that_fails_is_tried_again() {
    let Some(_) = control_plane() else { return };
    said_at_each_step(What::Status(500), &STEPS, "it fails (500: ").await;
}

#[tokio::test]
async fn a_server_that_is_not_available_is_tried_again() {
    let Some(_) = control_plane() else { return };
    said_at_each_step(What::Status(503), &STEPS, "it is not available (503: ").await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_tried_again() {
    let Some(_) = control_plane() else { return };
    said_at_each_step(What::Status(504), &STEPS, "it does not answer in time (504: ").await;
}

#[tokio::test]
async fn a_write_that_another_write_has_outrun_is_tried_again() {
    let Some(_) = control_plane() else { return };
    said_at_each_step(What::Modified, &STEPS[3..], "somebody else has just written it").await;
}

#[tokio::test]
async fn a_slow_way_only_takes_longer() {
    let Some(_) = control_plane() else { return };
    for what in [What::Delay(Duration::from_millis(300)), What::Dribble(200, Duration::from_millis(20))] {
        let told = at_each_step(what, &STEPS, &[]).await.concat();
        assert!(!told.contains("trying again"), "{what:?}: {told}");
    }
}

#[tokio::test]
async fn credentials_that_are_refused_are_fetched_anew() {
    let Some(_) = control_plane() else { return };
    let told = at_each_step(What::Status(401), &STEPS, &["--kube-context", "exec"]).await.concat();
    assert!(!told.contains("error"), "{told}");
}

#[tokio::test]
async fn a_watch_that_ends_is_taken_up_again() {
    let Some(cluster) = control_plane() else { return };
    for what in [What::Close(1), What::Gone(1), What::Status(500), What::CutBefore] {
        let namespace = cluster.namespace("watch", &[Ask::Ready]).await;
        let recorder = Recorder::start(cluster, &namespace.name);
        for values in release() {
            // Each watch ends early, if it fails at all then only once.
            let fault = Fault::on("GET", "watch=", what);
            let lasting = matches!(what, What::Close(_) | What::Gone(_));
            let proxy = Proxy::start(cluster, vec![if lasting { fault.from(1) } else { fault }]);
            let flags = ["apply", "--drain", "1s", "--timeout", "90s"];
            let ended = start(proxy.r8(), &namespace.name, &flags, &values).end().with(0);
            assert!(proxy.requests().iter().any(|request| request.fault == Some(what)));
            assert_eq!(ended.stderr.contains("cannot watch "), !lasting, "{what:?}: {}", ended.stderr);
        }
        assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    }
}

#[tokio::test]
async fn a_server_that_never_recovers_ends_the_apply_in_time_with_one_error() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("never", &[Ask::Ready]).await;
    let [values, _] = release();
    let ended = |fault: Fault, timeout: &str| {
        let proxy = Proxy::start(cluster, vec![fault.from(1).real()]);
        let ended = start(proxy.r8(), &namespace.name, &["apply", "--timeout", timeout], &values).end();
        assert_eq!(ended.stderr.matches("error: ").count(), 1, "{}", ended.stderr);
        ended
    };
    let unavailable = "the server is currently unable to handle the request";
    let before = ended(Fault::on("*", "/", What::Status(503)), "3s").with(1);
    assert!(
        before.stderr.contains("error: cannot ask for the kinds of ") && before.stderr.contains(unavailable),
        "{before:?}"
    );
    let before = ended(Fault::on("*", "/", What::CutBefore), "3s").with(1);
    assert!(before.stderr.contains("error: cannot reach the API server http://127.0.0.1:"), "{before:?}");
    let before = ended(Fault::on("GET", "/", What::Delay(Duration::from_secs(3600))), "3s").with(1);
    assert!(before.stderr.contains("error: no answer from the API server http://127.0.0.1:"), "{before:?}");
    let before = ended(Fault::on("PATCH", "/", What::Status(503)), "3s").with(1);
    assert!(before.stderr.contains(unavailable), "{before:?}");
    assert_eq!(specs(&namespace).await, []);
    let name = &namespace.name;
    let after = ended(Fault::on("PATCH", "/virtualservices/", What::Status(503)), "20s").with(6);
    let error = format!("error: cannot apply VirtualService {name}/shop: {unavailable}\n");
    assert!(after.stderr.contains(&error), "{}", after.stderr);
    assert!(after.stderr.contains(&format!("\nnot written: VirtualService {name}/shop\n")), "{}", after.stderr);
    assert!(after.stderr.contains(&format!("\nwritten: Service {name}/shop, ")), "{}", after.stderr);
}

#[tokio::test]
async fn a_server_that_is_gone_while_versions_are_waited_for_is_said_and_not_called_late() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("gone", &[]).await;
    let [values, _] = release();
    let proxy = Proxy::start(cluster, vec![]);
    let running = start(proxy.r8(), &namespace.name, &["apply", "--timeout", "10s"], &values);
    proxy.wait_for(|request| request.watch && request.path.contains("/deployments"));
    drop(proxy);
    let ended = running.end().with(6);
    assert_eq!(ended.stderr.matches("error: ").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("error: cannot reach the API server http://127.0.0.1:"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_field_that_is_taken_between_look_and_write_is_a_conflict() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("taken", &[Ask::Ready]).await;
    let values = values("kserve-standard", "none", &[("one", 1), ("two", 1)]);
    apply(cluster, &namespace, &[], &values).with(0);
    let changed = values.replace("models/one", "models/three");
    let proxy = Proxy::start(cluster, vec![Fault::on("PATCH", "/inferenceservices/shop-0?", What::Hold).real()]);
    let running = start(proxy.r8(), &namespace.name, &["apply", "--timeout", "90s"], &changed);
    proxy.wait_for(|request| request.fault == Some(What::Hold));
    let edited = serde_json::json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "shop-0"}, "spec": {"predictor": {"model": {"storageUri": "s3://models/edited"}}}});
    namespace.apply_as("kubectl-edit", &edited).await;
    proxy.release();
    let ended = running.end().with(5);
    let text = format!(
        "error: InferenceService {}/shop-0: a field is owned by others: `.spec.predictor.model.storageUri` by `kubectl-edit`\n\
         hint: `--force-conflicts` takes the fields\n",
        namespace.name
    );
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    let live = namespace.get("InferenceService", "shop-0").await.unwrap();
    assert_eq!(live["spec"]["predictor"]["model"]["storageUri"], "s3://models/edited");
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_ends_the_apply_and_what_was_written_is_said() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("expires", &[Ask::Ready]).await;
    let [values, _] = release();
    for (method, path) in [("PATCH", "/virtualservices/"), ("GET", "watch=")] {
        let proxy = Proxy::start(cluster, vec![Fault::on(method, path, What::Status(401)).real()]);
        let flags = ["apply", "--kube-context", "admin", "--timeout", "90s"];
        let ended = start(proxy.r8(), &namespace.name, &flags, &values).end().with(6);
        let name = &namespace.name;
        let error = "does not accept the credentials: Unauthorized\nhint: log in again as for kubectl";
        assert!(ended.stderr.contains(error), "{}", ended.stderr);
        assert!(ended.stderr.contains("\nwritten: "), "{}", ended.stderr);
        let open = ended.stderr.lines().find(|line| line.starts_with("not written: ")).unwrap();
        assert!(open.contains(&format!("VirtualService {name}/shop")), "{}", ended.stderr);
        namespace.delete("Deployment", "shop-0").await;
    }
    apply(cluster, &namespace, &[], &values).with(0);
}
