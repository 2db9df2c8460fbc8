//! `history`, `list` and `get`: what is asked of the API server, and what is told of records that are none.

use r8::cluster::records::Driver;
use r8::record::Status;
use serde_json::Value;

use super::{broken, create, revision, with_records};
use crate::harness::{Proxy, cluster};
use crate::shop::{printed, r8, told};

#[tokio::test]
async fn list_reads_no_record_but_the_newest() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("newest", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Superseded, Status::Superseded, Status::Failed]).await;
    })
    .await;
    let proxy = Proxy::start(cluster, Vec::new());
    let output = r8(&mut proxy.r8(), &namespace, &["ls", "-o", "json"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&list[0]["revision"], &list[0]["status"], &list[1]), (&"3".into(), &"failed".into(), &Value::Null));
    let paths: Vec<String> = proxy.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths[0].contains("labelSelector=owner%3Dhelm") && paths[0].contains("limit=500"), "{paths:?}");
    assert!(paths[1].contains("/secrets/sh.helm.release.v1.shop.v3"), "{paths:?}");
}

#[tokio::test]
async fn a_broken_record_is_a_warning_beside_the_others() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("warned", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Deployed]).await;
    })
    .await;
    namespace.apply_as("somebody", &broken(2, "no base64")).await;
    let warning = format!(
        "warning: Secret {}/sh.helm.release.v1.shop.v2 is no release record that can be read: the data is no base64\nhint: restore \
         it from a backup, or delete it with kubectl: the other revisions stay\n",
        namespace.name
    );
    let output = r8(&mut cluster.r8(), &namespace, &["history", "shop"]);
    assert_eq!((output.status.code(), told(&output)), (Some(0), warning.clone()));
    assert_eq!(printed(&output).lines().count(), 2);
    let output = r8(&mut cluster.r8(), &namespace, &["list"]);
    assert_eq!((output.status.code(), told(&output)), (Some(0), warning.clone()));
    let output = r8(&mut cluster.r8(), &namespace, &["get", "values", "shop"]);
    assert_eq!((output.status.code(), told(&output)), (Some(1), warning.replacen("warning", "error", 1)));
}

#[tokio::test]
async fn a_release_without_a_record_is_said_to_have_none() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("none", &[]).await;
    for args in [&["history", "shop"][..], &["get", "all", "shop"]] {
        let output = r8(&mut cluster.r8(), &namespace, args);
        let expected = format!(
            "error: release shop has no record in namespace {}\nhint: `r8 list -A` shows the releases that there are; name another \
             namespace with `-n`\n",
            namespace.name
        );
        assert_eq!((output.status.code(), told(&output)), (Some(1), expected));
    }
    let output = r8(&mut cluster.r8(), &namespace, &["list"]);
    assert_eq!(printed(&output), "NAME\tNAMESPACE\tREVISION\tUPDATED\tSTATUS\tCHART\tAPP VERSION\n");
    let output = r8(&mut cluster.r8(), &namespace, &["list", "-o", "json"]);
    assert_eq!(printed(&output), "[]\n");
}

#[tokio::test]
async fn many_releases_are_listed_whatever_their_newest_revision_is() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("many", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        for at in 0..20 {
            // Of one the newest is superseded: no list of those that are not has it.
            let newest = if at == 7 { Status::Superseded } else { Status::Deployed };
            for (number, status) in [(1, Status::Superseded), (2, newest)] {
                let mut revision = revision(&namespace, number, status);
                revision.name = format!("many-{at:02}");
                records.create(&revision, None, super::at(number)).await.unwrap();
            }
        }
    })
    .await;
    let output = cluster.r8().args(["list", "-n", &namespace.name, "-o", "json"]).output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Vec<(String, String)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one["revision"].as_str().unwrap().to_owned()))
        .collect();
    let expected: Vec<(String, String)> = (0..20).map(|at| (format!("many-{at:02}"), "2".to_owned())).collect();
    assert_eq!(found, expected);
}
