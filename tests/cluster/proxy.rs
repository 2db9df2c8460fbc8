//! The fault proxy: each fault is what it is called, and without one nothing shows that there is a proxy.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace as NamespaceObject};
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::client::Body;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::harness::{Cluster, Fault, Namespace, Proxy, What, cluster, control_plane, depth, eventually};

/// So long that it does not end within a test.
const FOREVER: Duration = Duration::from_secs(3600);

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"key": "value"}})).unwrap()
}

/// A proxy with faults, and the ConfigMaps of a new namespace seen through it.
async fn behind(cluster: &Cluster, faults: Vec<Fault>) -> (Proxy<'_>, Namespace, Api<ConfigMap>) {
    let proxy = Proxy::start(cluster, faults);
    let namespace = cluster.namespace("proxy", &[]).await;
    let maps = Api::namespaced(proxy.client().await, &namespace.name);
    (proxy, namespace, maps)
}

/// The status that a request is answered with; 0 when the connection ends.
fn code<T>(answer: &kube::Result<T>) -> u16 {
    match answer {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(_) => 0,
    }
}

#[tokio::test]
async fn what_passes_is_what_the_server_says() {
    let Some(cluster) = control_plane() else { return };
    let (proxy, namespace, maps) = behind(cluster, vec![]).await;
    let from = maps.list(&Default::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut events = Box::pin(maps.watch(&WatchParams::default(), &from).await.unwrap());
    let params = PatchParams::apply("test").dry_run();
    let patch = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"key": "other"}});
    maps.patch("one", &params, &Patch::Apply(&patch)).await.unwrap();
    assert_eq!(maps.get_opt("one").await.unwrap(), None);
    let made = maps.create(&PostParams::default(), &map("one")).await.unwrap();
    assert_eq!(maps.get("one").await.unwrap(), made);
    assert_eq!(namespace.get("ConfigMap", "one").await.unwrap()["data"], json!({"key": "value"}));
    let Some(Ok(WatchEvent::Added(seen))) = events.next().await else { panic!("no event") };
    assert_eq!(seen, made);
    let asked: Vec<_> =
        proxy.requests().iter().map(|one| (one.method.clone(), one.writes(), one.watch, one.status)).collect();
    let asked: Vec<_> =
        asked.iter().map(|(method, writes, watch, status)| (method.as_str(), *writes, *watch, *status)).collect();
    let expected = [
        ("GET", false, false, Some(200)),
        ("GET", false, true, Some(200)),
        ("PATCH", false, false, Some(201)),
        ("GET", false, false, Some(404)),
        ("POST", true, false, Some(201)),
        ("GET", false, false, Some(200)),
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn whoever_asks_through_it_has_its_own_rights() {
    let Some(cluster) = control_plane() else { return };
    let proxy = Proxy::start(cluster, vec![]);
    for (user, expected) in [("admin", 200), ("exec", 200), ("reader", 200), ("nobody", 403), ("expired", 401)] {
        let output =
            proxy.r8().args(["diff", "shop", "--kube-context", user, "-n", "default", "--set"]).arg(VALUES).output();
        let output = output.unwrap();
        let statuses: Vec<_> = proxy.requests().iter().filter_map(|request| request.status).collect();
        assert!(statuses.contains(&expected), "{user}: {statuses:?} {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.success(), expected == 200, "{user}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A release of one version.
const VALUES: &str = "environment=deployment,application.strategy=none,application.versions[0].image=shop:1";

#[tokio::test]
async fn a_cut_comes_before_or_after_the_server_has_done_it() {
    let Some(cluster) = cluster() else { return };
    for (what, done) in [(What::CutBefore, false), (What::CutAfter, true), (What::CutBody, true)] {
        let (proxy, namespace, maps) = behind(cluster, vec![Fault::on("POST", "/configmaps", what)]).await;
        assert_eq!(code(&maps.create(&PostParams::default(), &map("one")).await), 0, "{what:?}");
        assert_eq!(namespace.get("ConfigMap", "one").await.is_some(), done, "{what:?}");
        assert_eq!(proxy.requests()[0].arrived, done, "{what:?}");
        assert_eq!(code(&maps.create(&PostParams::default(), &map("two")).await), 200, "{what:?}");
    }
}

#[tokio::test]
async fn a_status_comes_before_or_after_the_server_has_done_it() {
    let Some(cluster) = cluster() else { return };
    for (what, expected, done) in [
        (What::Status(401), 401, false),
        (What::Status(500), 500, false),
        (What::Status(503), 503, false),
        (What::TooMany(7), 429, false),
        (What::Modified, 409, false),
        (What::StatusAfter(504), 504, true),
    ] {
        let (proxy, namespace, maps) = behind(cluster, vec![Fault::on("POST", "/configmaps", what)]).await;
        assert_eq!(code(&maps.create(&PostParams::default(), &map("one")).await), expected, "{what:?}");
        assert_eq!(namespace.get("ConfigMap", "one").await.is_some(), done, "{what:?}");
        assert_eq!(proxy.requests()[0].fault, Some(what));
    }
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_again() {
    let Some(cluster) = cluster() else { return };
    let proxy = Proxy::start(cluster, vec![Fault::on("*", "/api", What::TooMany(7))]);
    let request = hyper::Request::get("/api").body(Body::empty()).unwrap();
    let answer = proxy.client().await.send(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"7".parse().unwrap()));
}

#[tokio::test]
async fn a_delay_comes_before_or_after_the_server_has_done_it() {
    let Some(cluster) = cluster() else { return };
    for (what, done) in [(What::Delay(FOREVER), false), (What::DelayAnswer(FOREVER), true)] {
        let (proxy, namespace, maps) = behind(cluster, vec![Fault::on("POST", "/configmaps", what)]).await;
        let (params, one, two) = (PostParams::default(), map("one"), map("two"));
        let second = async {
            eventually("the first request came", async || proxy.requests().pop()).await;
            maps.create(&params, &two).await.unwrap();
            if done {
                eventually("the first is done", async || namespace.get("ConfigMap", "one").await).await;
            }
        };
        tokio::select! {
            answer = maps.create(&params, &one) => panic!("{what:?} is over: {answer:?}"),
            () = second => {}
        }
        assert_eq!(namespace.get("ConfigMap", "one").await.is_some(), done, "{what:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_comes_whole_and_in_pieces() {
    let Some(cluster) = cluster() else { return };
    let proxy = Proxy::start(cluster, vec![Fault::on("*", "/api", What::Dribble(20, Duration::from_millis(20)))]);
    let client = proxy.client().await;
    let mut pieces = Vec::new();
    for _ in 0..2 {
        let request = hyper::Request::get("/api").body(Body::empty()).unwrap();
        let mut body = client.send(request).await.unwrap().into_body();
        let mut read: Vec<Vec<u8>> = Vec::new();
        while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
            read.push(frame.unwrap().into_data().unwrap().to_vec());
        }
        pieces.push(read);
    }
    assert!(pieces[0].len() > pieces[1].len(), "{pieces:?}");
    assert_eq!(pieces[0].concat(), pieces[1].concat());
}

#[tokio::test]
async fn a_watch_ends_after_some_events_or_says_that_it_has_lost_some() {
    let Some(cluster) = cluster() else { return };
    for (what, expected) in [(What::Close(2), None), (What::Gone(2), Some(410))] {
        let (_proxy, _namespace, maps) = behind(cluster, vec![Fault::on("GET", "watch=", what)]).await;
        let from = maps.list(&Default::default()).await.unwrap().metadata.resource_version.unwrap();
        for name in ["one", "two", "three"] {
            maps.create(&PostParams::default(), &map(name)).await.unwrap();
        }
        let events = maps.watch(&WatchParams::default(), &from).await.unwrap().collect::<Vec<_>>().await;
        let mut seen = Vec::new();
        let mut lost = None;
        for event in events {
            match event.unwrap() {
                WatchEvent::Added(map) => seen.push(map.name_any()),
                WatchEvent::Error(status) => lost = Some(status.code),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((seen, lost), (vec!["one".to_owned(), "two".to_owned()], expected), "{what:?}");
    }
}

#[tokio::test]
async fn a_fault_befalls_the_requests_that_it_names() {
    let Some(cluster) = cluster() else { return };
    let refused = What::Status(503);
    let faults =
        vec![Fault::on("POST", "/configmaps", refused).nth(2), Fault::on("DELETE", "maps/one", refused).from(2)];
    let (proxy, namespace, maps) = behind(cluster, faults).await;
    let mut codes = Vec::new();
    for name in ["one", "two", "three"] {
        codes.push(code(&maps.create(&PostParams::default(), &map(name)).await));
    }
    assert_eq!(codes, [200, 503, 200]);
    let mut codes = Vec::new();
    for name in ["one", "one", "three", "one"] {
        codes.push(code(&maps.delete(name, &Default::default()).await));
    }
    assert_eq!(codes, [200, 503, 200, 503]);

    proxy.inject(Fault::on("POST", &namespace.name, refused).real());
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    assert_eq!(code(&maps.create(&dry, &map("four")).await), 200);
    assert_eq!(code(&maps.create(&PostParams::default(), &map("four")).await), 503);
    assert_eq!(code(&maps.create(&PostParams::default(), &map("four")).await), 200);
}

#[tokio::test]
async fn a_test_can_wait_for_a_request() {
    let Some(cluster) = cluster() else { return };
    let proxy = Proxy::start(cluster, vec![Fault::on("GET", "/apis/apps/v1", What::Delay(FOREVER))]);
    let mut child = proxy.r8().args(["diff", "shop", "-n", "default", "--set", VALUES]).spawn().unwrap();
    let request = proxy.wait_for(|request| request.fault.is_some());
    assert_eq!((request.path.as_str(), request.status), ("/apis/apps/v1", None));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn requests_side_by_side_are_one_round_trip_deep() {
    let Some(cluster) = cluster() else { return };
    let proxy = Proxy::in_rounds(cluster);
    let namespaces = Api::<NamespaceObject>::all(proxy.client().await);
    let ask = || namespaces.get("default");
    join_all([ask(), ask(), ask()]).await;
    assert_eq!(depth(&proxy.requests()), 1);
    ask().await.unwrap();
    join_all([ask(), ask()]).await;
    assert_eq!((proxy.requests().len(), depth(&proxy.requests())), (6, 3));
}
