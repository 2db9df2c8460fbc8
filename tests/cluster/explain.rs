//! `r8 explain --live` against a real API server: the route that is there answers, whoever wrote it.

use serde_json::{Value, json};

use crate::harness::{Ask, Namespace, control_plane};
use crate::shop::{ROUTED, apply, hand_to_the_controller, printed, r8, told, values};

/// What `explain --live` says of a request, and its notes.
fn explained(cluster: &crate::harness::Cluster, namespace: &Namespace, args: &[&str]) -> (Value, String) {
    let args: Vec<&str> = ["explain", "shop", "--live", "-o", "json"].iter().chain(args).copied().collect();
    let output = r8(&mut cluster.r8(), namespace, &args);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    (serde_json::from_slice(&output.stdout).unwrap(), told(&output))
}

#[tokio::test]
async fn the_live_route_of_every_environment_is_explained_without_values() {
    let Some(cluster) = control_plane() else { return };
    for environment in ROUTED {
        let namespace = cluster.namespace("explain", &[Ask::Ready]).await;
        apply(cluster, &namespace, &[], &values(environment));
        let (document, notes) = explained(cluster, &namespace, &["--request", "POST /", "--header", "x=y"]);
        let expected = json!([{"name": "shop-0", "share": "30%"}, {"name": "shop-1", "share": "70%"}]);
        let outcome = &document["answer"]["outcomes"][0];
        assert_eq!(outcome["versions"], expected, "{environment}: {document:#}");
        assert_eq!(document["request"]["host"], format!("shop.{}", namespace.name), "{environment}");
        assert_eq!(document["release"], json!({"name": "shop", "namespace": namespace.name}));
        assert_eq!((&document["ready"], &document["notInForce"]), (&Value::Null, &Value::Null), "{document:#}");
        assert_eq!(notes, "");
    }
}

#[tokio::test]
async fn what_the_values_do_not_know_of_the_live_route_is_explained() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("edited", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment-istio"));
    hand_to_the_controller(&namespace).await;
    let route = namespace.get("VirtualService", "shop").await.unwrap();
    let mut spec = route["spec"].clone();
    let own = json!({"name": "own", "match": [{"headers": {"user": {"prefix": "me"}}}],
        "route": [{"destination": {"host": "own"}, "headers": {"response": {"set": {"x-from": "own"}}}}]});
    spec["http"].as_array_mut().unwrap().insert(0, own);
    let edited = json!({"apiVersion": route["apiVersion"], "kind": "VirtualService", "metadata": {"name": "shop"}, "spec": spec});
    namespace.apply_as("iter8-controller", &edited).await;
    let (document, _) = explained(cluster, &namespace, &["--header", "User=me too"]);
    let outcome = &document["answer"]["outcomes"][0];
    assert_eq!((&outcome["by"], &outcome["versions"][0]["name"]), (&json!("spec.http[0].match[0]"), &json!("own")));
    assert_eq!(outcome["destinations"][0]["answerHeaders"]["set"], json!({"x-from": "own"}));
    let output = r8(&mut cluster.r8(), &namespace, &["explain", "shop", "--live"]);
    let expected = format!(
        "VERSION  SHARE  SENT TO\nshop-0   30%    shop-0.{0}.svc.cluster.local:80\nshop-1   70%    shop-1.{0}.svc.cluster.local:80\n\n\
         shop-0\n  by spec.http[1] `shop`\n    answer header `app-version`: added `shop-0`\n\n\
         shop-1\n  by spec.http[1] `shop`\n    answer header `app-version`: added `shop-1`\n\n\
         request: GET / to http://shop.{0}\nroute: VirtualService {0}/shop, as it is in the cluster\n\n\
         tried, in order:\n  spec.http[0].match[0] `own`: no\n    header `user` must begin with `me`, found none\n  \
         spec.http[1] `shop`: yes, it takes every request\n",
        namespace.name
    );
    assert_eq!(printed(&output), expected, "{}", told(&output));
}

#[tokio::test]
async fn a_release_without_a_route_has_none_to_explain() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("routeless", &[Ask::Ready]).await;
    let output = r8(&mut cluster.r8(), &namespace, &["explain", "shop", "--live"]);
    assert_eq!((output.status.code(), printed(&output)), (Some(1), String::new()), "{}", told(&output));
    apply(cluster, &namespace, &[], &values("deployment"));
    let (document, _) = explained(cluster, &namespace, &[]);
    assert_eq!((&document["route"], &document["answer"]), (&Value::Null, &Value::Null));
}
