//! What `r8 apply` does not do unasked: nothing is written then.

use kube::Api;
use kube::api::Patch;
use serde_json::json;

use super::*;
use crate::harness::{Ask, Fault, Proxy, What, cluster, control_plane};

#[tokio::test]
async fn objects_of_another_release_are_refused() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("foreign", &[Ask::Ready]).await;
    let values = values("deployment-istio", "blue-green", &[("one", 1)]);
    apply(cluster, &namespace, &["other"], &values).with(0);
    let before = versions(&namespace).await;
    let ended = apply(cluster, &namespace, &["mine"], &values).with(5);
    let name = &namespace.name;
    assert!(
        ended.stderr.contains(&format!(
            "error: Service {name}/shop belongs to release {name}/other\nhint: `--take-ownership` "
        )),
        "{}",
        ended.stderr
    );
    assert_eq!(versions(&namespace).await, before);
    apply(cluster, &namespace, &["mine", "--take-ownership"], &values).with(0);
    let service = namespace.get("Service", "shop").await.unwrap();
    assert_eq!(service["metadata"]["annotations"]["meta.helm.sh/release-name"], "mine");
}

#[tokio::test]
async fn a_conflict_names_manager_field_and_both_values() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("conflict", &[Ask::Ready]).await;
    let values = values("kserve-standard", "none", &[("one", 1)]);
    apply(cluster, &namespace, &[], &values).with(0);
    let edited = json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "shop-0"},
                        "spec": {"predictor": {"minReplicas": 5}}});
    namespace.apply_as("kubectl-edit", &edited).await;
    let before = versions(&namespace).await;
    let ended = apply(cluster, &namespace, &[], &values).with(5);
    let text = format!(
        "error: `.spec.predictor.minReplicas` of InferenceService {}/shop-0 is owned by `kubectl-edit`: it is 5 and would become 1\n",
        namespace.name
    );
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    assert_eq!(versions(&namespace).await, before);
    apply(cluster, &namespace, &["--force-conflicts"], &values).with(0);
    assert_eq!(namespace.get("InferenceService", "shop-0").await.unwrap()["spec"]["predictor"]["minReplicas"], 1);
}

#[tokio::test]
async fn of_a_routemap_that_another_owns_the_part_is_shown_that_differs() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("long", &[Ask::Ready]).await;
    let values = |weight| values("deployment-istio", "blue-green", &[("one", 50), ("two", weight)]);
    apply(cluster, &namespace, &[], &values(50)).with(0);
    let routemap = namespace.get("ConfigMap", "shop-routemap").await.unwrap();
    let edited = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop-routemap"},
                        "data": {"strSpec": routemap["data"]["strSpec"]}});
    namespace.apply_as("somebody", &edited).await;
    let ended = apply(cluster, &namespace, &[], &values(49)).with(5);
    let text =
        format!("error: `.data.strSpec` of ConfigMap {}/shop-routemap is owned by `somebody`: it is …", namespace.name);
    let line = ended.stderr.lines().find(|line| line.starts_with(&text));
    let line = line.unwrap_or_else(|| panic!("{}", ended.stderr));
    assert!(line.contains("weight: 50") && line.contains("weight: 49"), "{line}");
    assert!(line.chars().count() < text.chars().count() + 250, "{line}");
}

#[tokio::test]
async fn nothing_is_written_into_a_namespace_that_is_being_deleted() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("ending", &[Ask::Ready]).await;
    let (name, values) = (&namespace.name, values("deployment-istio", "blue-green", &[("one", 1)]));
    apply(cluster, &namespace, &[], &values).with(0);
    let hold = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    let held = namespace.objects("Deployment");
    let change = async |finalizers: Value| {
        held.patch("shop-0", &Default::default(), &Patch::Merge(hold(finalizers))).await.unwrap();
    };
    change(json!(["r8.test/held"])).await;
    let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(namespace.client.clone());
    namespaces.delete(name, &Default::default()).await.unwrap();
    let text = format!(
        "namespace `{name}` is being deleted: nothing can be written there\nhint: when it is gone, `kubectl create \
                        namespace {name}` makes it anew"
    );
    for args in [&[][..], &["other", "--create-namespace"]] {
        let ended = apply(cluster, &namespace, args, &values).with(1);
        assert!(ended.stderr.ends_with(&format!("error: {text}; or name another\n")), "{}", ended.stderr);
    }
    let diff = start(cluster.r8(), name, &["diff"], &values).end().with(0);
    assert!(diff.stderr.contains(&format!("warning: {text}\n")), "{}", diff.stderr);
    let status = cluster.r8().args(["status", "shop", "-n", name]).output().unwrap();
    let told = String::from_utf8(status.stderr).unwrap();
    assert!(told.contains(&format!("note: namespace `{name}` is being deleted, and all that is in it\n")), "{told}");
    change(Value::Null).await;
}

#[tokio::test]
async fn a_live_release_loses_its_route_only_when_that_is_asked_for() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("unroute", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment-istio", "blue-green", &[("one", 1)])).with(0);
    let none = values("deployment-istio", "none", &[("one", 1)]);
    let ended = apply(cluster, &namespace, &["-o", "json"], &none).with(5);
    assert!(ended.stderr.contains("hint: `--remove-route` removes it"), "{}", ended.stderr);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&document["result"], &document["exitCode"]), (&json!("refused"), &json!(5)));
    let text =
        format!("the strategy is none, but VirtualService {}/shop routes this release's requests", namespace.name);
    assert_eq!(document["refusals"][0]["message"], text);
    assert!(namespace.get("VirtualService", "shop").await.is_some());
    let diff = start(cluster.r8(), &namespace.name, &["diff"], &none).end().with(0);
    let text = format!(
        "shop  routed → no route\nshop-0  100% → –\n! the strategy is none, but VirtualService {}/shop routes this release's \
         requests; `--remove-route` removes it; requests are routed by Services alone then\n\n",
        namespace.name
    );
    assert!(diff.stdout.starts_with(&text), "{}", diff.stdout);
    let json = start(cluster.r8(), &namespace.name, &["diff", "-o", "json"], &none).end().with(0);
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        document["refusals"][0]["hint"],
        "`--remove-route` removes it; requests are routed by Services alone then"
    );
    let diff = start(cluster.r8(), &namespace.name, &["diff", "--remove-route"], &none).end().with(0);
    assert!(diff.stdout.starts_with("shop  routed → no route\n"), "{}", diff.stdout);
    let ended = apply(cluster, &namespace, &["--remove-route"], &none).with(0);
    assert!(ended.stdout.starts_with("shop  routed → no route\nshop-0  100% → –\n\n"), "{}", ended.stdout);
    assert_eq!(namespace.get("VirtualService", "shop").await, None);
}

#[tokio::test]
async fn a_change_of_environment_needs_new_names() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("environment", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment-istio", "blue-green", &[("one", 1)])).with(0);
    let other = values("kserve-standard", "blue-green", &[("one", 1)]);
    let ended = apply(cluster, &namespace, &[], &other).with(5);
    assert!(
        ended.stderr.contains(
            "error: version shop-0 is a Deployment and would become an InferenceService under the same name\n"
        ),
        "{}",
        ended.stderr
    );
    let diff = start(cluster.r8(), &namespace.name, &["diff"], &other).end().with(0);
    let text = "\n! version shop-0 is a Deployment and would become an InferenceService under the same name; ";
    assert!(diff.stdout.contains(text), "{}", diff.stdout);
    let behind = values("deployment-gtw", "blue-green", &[("one", 1)]);
    let ended = apply(cluster, &namespace, &[], &behind).with(5);
    let text = "error: version shop-0 is a Service behind a VirtualService and would become a Service behind an HTTPRoute \
                under the same name\nhint: give the version another name than `shop-0`";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
    let renamed = other.replace("modelFormat", "metadata: {name: model}, modelFormat");
    let recorder = Recorder::start(cluster, &namespace.name);
    apply(cluster, &namespace, &[], &renamed).with(0);
    assert_traffic_rules(&recorder.stop(), &Rules::of("model").or_primary("shop-0"));
    let deployment = namespace.get("Deployment", "shop-0").await;
    assert!(deployment.is_none_or(|old| !old["metadata"]["deletionTimestamp"].is_null()));
}

#[tokio::test]
async fn a_namespace_is_created_only_when_that_is_asked_for() {
    let Some(cluster) = cluster() else { return };
    let fresh = cluster.namespace("fresh", &[]).await;
    let name = format!("{}-new", fresh.name);
    let values = values("deployment-istio", "none", &[("one", 1)]);
    let refused = start(cluster.r8(), &name, &["apply"], &values).end().with(1);
    assert!(
        refused
            .stderr
            .contains(&format!("error: namespace `{name}` does not exist\nhint: `--create-namespace` creates it\n")),
        "{}",
        refused.stderr
    );
    start(cluster.r8(), &name, &["apply", "--create-namespace", "--no-wait"], &values).end().with(0);
    let made = Namespace { name, ..fresh };
    assert!(made.get("Deployment", "shop-0").await.is_some());

    // The release's own namespace, too, where all its objects are elsewhere.
    let (home, at) = (format!("{}-home", made.name), format!("{{name: shop, namespace: {}}}", made.name));
    let elsewhere = values.replace("{name: shop}", &at);
    let flags = ["apply", "--create-namespace", "--no-wait", "--take-ownership"];
    start(cluster.r8(), &home, &flags, &elsewhere).end().with(0);
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(made.client.clone());
    assert!(namespaces.get_opt(&home).await.unwrap().is_some());
}

#[tokio::test]
async fn a_report_for_programs_is_printed_also_when_nothing_could_be_written() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("reported", &[]).await;
    let values = values("deployment-istio", "blue-green", &[("one", 1)]);
    // A server that fails at one object for good, as behind a webhook that is broken, is not asked for ever.
    let proxy = Proxy::start(cluster, vec![Fault::on("PATCH", "/deployments/shop-0?", What::Status(500)).from(1)]);
    let ended = start(proxy.r8(), &namespace.name, &["apply", "-o", "json"], &values).end().with(1);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&document["result"], &document["exitCode"]), (&json!("failed"), &json!(1)));
    let error = document["error"].as_str().unwrap();
    assert!(error.starts_with(&format!("cannot apply Deployment {}/shop-0: ", namespace.name)), "{error}");
    assert!(ended.stderr.contains(error), "{}", ended.stderr);
    assert_eq!(proxy.requests().iter().filter(|request| request.fault.is_some()).count(), 4);
}

#[tokio::test]
async fn who_may_not_write_is_told_before_anything_is_written() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("reader", &[Ask::Ready]).await;
    let values = values("deployment-istio", "blue-green", &[("one", 1)]);
    let ended = apply(cluster, &namespace, &["--kube-context", "reader"], &values).with(1);
    assert!(ended.stderr.contains(": you may not patch or create it\nhint: ask for the right"), "{}", ended.stderr);
    assert_eq!(versions(&namespace).await, []);
}
