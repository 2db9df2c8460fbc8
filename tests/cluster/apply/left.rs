//! What others and earlier runs left of a release: routes of the controller, versions elsewhere.

use super::*;
use crate::harness::{Ask, control_plane};
use crate::shop::hand_to_the_controller;

const TWO: [(&str, u32); 2] = [("one", 30), ("two", 70)];

#[tokio::test]
async fn the_controllers_route_is_live_where_nothing_is_to_be_routed_any_more() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("theirs", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment-istio", "blue-green", &TWO)).with(0);
    hand_to_the_controller(&namespace).await;
    let none = values("deployment-istio", "none", &TWO[..1]);
    let ended = apply(cluster, &namespace, &[], &none).with(5);
    let text = format!(
        "error: the strategy is none, but VirtualService {}/shop routes this release's requests\n",
        namespace.name
    );
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    assert!(namespace.get("Service", "shop-1").await.is_some());
    apply(cluster, &namespace, &["--remove-route"], &none).with(0);
    assert_eq!(namespace.get("VirtualService", "shop").await, None);
    assert_eq!(namespace.get("Service", "shop-1").await, None);
}

#[tokio::test]
async fn the_controllers_route_goes_before_its_versions_when_another_kind_replaces_it() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("kinds", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment-istio", "blue-green", &TWO)).with(0);
    hand_to_the_controller(&namespace).await;
    let renamed = values("deployment-gtw", "blue-green", &TWO).replace("image: 'shop:", "image: 'new:");
    let renamed = renamed.replace("{image: 'new:one'", "{metadata: {name: a}, image: 'new:one'");
    let renamed = renamed.replace("{image: 'new:two'", "{metadata: {name: b}, image: 'new:two'");
    let ended = apply(cluster, &namespace, &["--routing", "route"], &renamed).with(0);
    let place = |text: &str| {
        let line = format!("{text} {}/", namespace.name);
        ended.stderr.find(&line).unwrap_or_else(|| panic!("{line}: {}", ended.stderr))
    };
    assert!(place("deleted VirtualService") < place("deleted Service"), "{}", ended.stderr);
    assert_eq!(namespace.get("VirtualService", "shop").await, None);
    assert_eq!(namespace.get("Service", "shop-1").await, None);
}

#[tokio::test]
async fn a_version_is_pruned_in_the_namespace_that_only_the_route_names() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("here", &[Ask::Ready]).await;
    let elsewhere = cluster.namespace("elsewhere", &[Ask::Ready]).await;
    let both = values("deployment-istio", "blue-green", &TWO)
        .replace("'shop:two'", &format!("'shop:two', metadata: {{namespace: {}}}", elsewhere.name));
    apply(cluster, &namespace, &["--routing", "route"], &both).with(0);
    assert!(elsewhere.get("Service", "shop-1").await.is_some());
    let one = values("deployment-istio", "blue-green", &TWO[..1]);
    apply(cluster, &namespace, &["--routing", "route"], &one).with(0);
    assert_eq!(elsewhere.get("Service", "shop-1").await, None);
}
