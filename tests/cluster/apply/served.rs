//! Clusters that serve Istio's and the Gateway API's kinds in one version alone.

use super::*;
use crate::harness::{Ask, Fault, Proxy, What, control_plane};

#[tokio::test]
async fn the_route_is_written_in_the_one_version_that_is_served() {
    let Some(cluster) = control_plane() else { return };
    for (environment, group, kind) in [
        ("deployment-istio", "networking.istio.io", "VirtualService"),
        ("deployment-gtw", "gateway.networking.k8s.io", "HTTPRoute"),
    ] {
        let namespace = cluster.namespace("served", &[Ask::Ready]).await;
        let flags = ["apply", "--drain", "1s", "--settle", "1s", "--timeout", "90s"];
        for (served, other, weights) in [("v1beta1", "v1", [30, 70]), ("v1", "v1beta1", [60, 40])] {
            let missing = Fault::on("GET", &format!("/apis/{group}/{other}"), What::Status(404)).whole();
            let proxy = Proxy::start(cluster, vec![missing]);
            let values = values(environment, "blue-green", &[("one", weights[0]), ("two", weights[1])]);
            start(proxy.r8(), &namespace.name, &flags, &values).end().with(0);
            let paths = proxy.requests().into_iter().map(|request| request.path);
            let paths: Vec<String> = paths.filter(|path| path.contains(&format!("/apis/{group}/"))).collect();
            let written = format!("/apis/{group}/{served}/namespaces/{}/", namespace.name);
            assert!(paths.iter().any(|path| path.starts_with(&written)), "{served}: {paths:#?}");
            let unserved = format!("/apis/{group}/{other}/");
            assert!(paths.iter().all(|path| !path.starts_with(&unserved)), "{served}: {paths:#?}");
            // In the other version it is the same object.
            let again = apply(cluster, &namespace, &[], &values).with(0);
            assert!(again.stdout.ends_with("objects are as wanted\n"), "{}", again.stdout);
        }
        assert_eq!(namespace.list(kind).await.len(), 1);
    }
}

#[tokio::test]
async fn kinds_that_are_served_in_no_version_are_named_before_anything_is_written() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("unserved", &[Ask::Ready]).await;
    let missing =
        |version: &str| Fault::on("GET", &format!("/apis/networking.istio.io/{version}"), What::Status(404)).whole();
    let proxy = Proxy::start(cluster, vec![missing("v1"), missing("v1beta1")]);
    let values = values("deployment-istio", "blue-green", &[("one", 1)]);
    let ended = start(proxy.r8(), &namespace.name, &["apply"], &values).end().with(1);
    let expected =
        "error: the cluster does not serve VirtualService (networking.istio.io/v1beta1)\nhint: install Istio, ";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(proxy.requests().iter().all(|request| !request.writes()));
}
