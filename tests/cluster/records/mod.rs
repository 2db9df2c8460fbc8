//! Release records in a real API server: how r8 keeps them, and what Helm and r8 say of each other's.

mod commands;
mod helm;
mod lock;
mod store;
mod takeover;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use r8::cluster::records::{Driver, Holder, Kept, Records};
use r8::cluster::{Access, Cluster, News};
use r8::plan::Release;
use r8::record::{Chart, Info, Revision, Status, StoredRoute, Time};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::harness::{Namespace, PATIENCE};

/// Does something with the records that are reached by a kubeconfig.
async fn with_records<T>(kubeconfig: PathBuf, driver: Driver, work: impl AsyncFnOnce(Records<'_>) -> T) -> T {
    let (_running, stop) = watch::channel(false);
    let quiet = |_: News<'_>| {};
    let access = Access { kubeconfig: vec![kubeconfig], ..Access::default() };
    let cluster = Cluster::connect(&access, &quiet, Instant::now() + PATIENCE, &stop).await.unwrap();
    work(cluster.records(driver)).await
}

fn release(namespace: &Namespace) -> Release {
    Release { name: "shop".into(), namespace: namespace.name.clone() }
}

/// A point in time, some seconds after the tests' beginning.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000 + seconds, 123_000_000)
}

fn holder(who: &str) -> Holder {
    Holder::new(who, 7, at(0))
}

/// The route of the tests' revisions.
fn route() -> StoredRoute {
    StoredRoute {
        open: "weight: {{ index .Weights 0 }}\n".into(),
        weights: vec![30, 70],
        template: "a/route.yaml.j2".into(),
    }
}

/// A revision as r8 makes one, of one ConfigMap.
fn revision(namespace: &Namespace, number: u64, status: Status) -> Revision {
    let values = |value: Value| value.as_object().cloned().unwrap();
    let mut chart = Chart::own("0.1.0", values(json!({"colour": "blue", "nested": {"a": 1, "b": 2}})));
    route().write(&mut chart).unwrap();
    let info = Info {
        first_deployed: Some(Time::from(at(0))),
        last_deployed: Some(Time::from(at(number))),
        ..Info::new(status, &format!("Revision {number}"))
    };
    let config = values(json!({"nested": {"a": null}, "markup": "<b>&", "number": number}));
    let mut revision = Revision::new("shop", &namespace.name, number, info, Some(chart), config);
    revision.manifest = manifest(&namespace.name, &number.to_string());
    revision.labels.insert("team".into(), "models".into());
    revision
}

fn manifest(namespace: &str, number: &str) -> String {
    format!(
        "---\n# Source: r8/templates/a/support.yaml.j2 support\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\n  \
         namespace: {namespace}\n  labels:\n    app.kubernetes.io/managed-by: Helm\n  annotations:\n    \
         meta.helm.sh/release-name: shop\n    meta.helm.sh/release-namespace: {namespace}\ndata:\n  revision: \"{number}\"\n"
    )
}

/// Number and status of each revision.
fn outline(kept: &[Kept]) -> Vec<(u64, Status)> {
    kept.iter().map(|kept| (kept.revision.number, kept.revision.info.status)).collect()
}

/// Creates revisions with these statuses, counted from 1.
async fn create(records: &Records<'_>, namespace: &Namespace, statuses: &[Status]) {
    for (number, status) in (1..).zip(statuses) {
        records.create(&revision(namespace, number, *status), None, at(number)).await.unwrap();
    }
}

/// A record's Secret that holds something else.
fn broken(number: u64, data: &str) -> Value {
    let labels = json!({"name": "shop", "owner": "helm", "status": "deployed", "version": number.to_string()});
    json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "stringData": Map::from_iter([("release".to_owned(), data.into())]),
        "metadata": {"name": format!("sh.helm.release.v1.shop.v{number}"), "labels": labels}})
}
