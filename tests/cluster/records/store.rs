//! How records are kept: what is written, what is read, what befalls requests.

use r8::cluster::records::{Driver, RecordsError};
use r8::record::{MAX_PACKED, RecordError, Status};
use serde_json::json;

use super::{at, broken, create, holder, outline, release, revision, with_records};
use crate::harness::{Fault, Proxy, What, cluster};

#[tokio::test]
async fn a_record_is_an_object_as_helm_makes_it() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("record", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Deployed]).await;
    })
    .await;
    let secret = namespace.get("Secret", "sh.helm.release.v1.shop.v1").await.unwrap();
    assert_eq!(secret["type"], "helm.sh/release.v1");
    let labels = json!({"name": "shop", "owner": "helm", "status": "deployed", "version": "1", "team": "models", "createdAt": "1800000001"});
    assert_eq!((&secret["metadata"]["labels"], &secret["metadata"]["annotations"]), (&labels, &json!(null)));
}

#[tokio::test]
async fn records_are_read_back_from_secrets_and_from_configmaps() {
    let Some(cluster) = cluster() else { return };
    for driver in [Driver::Secret, Driver::ConfigMap] {
        let namespace = cluster.namespace("drivers", &[]).await;
        with_records(cluster.kubeconfig().into(), driver, async |records| {
            create(&records, &namespace, &[Status::Superseded, Status::Deployed]).await;
            let one = records.read(&release(&namespace), 2).await.unwrap().unwrap();
            let mut expected = revision(&namespace, 2, Status::Deployed);
            expected.labels = one.revision.labels.clone();
            assert_eq!(one.revision, expected);
            let (kept, broken) = records.revisions(&release(&namespace)).await.unwrap();
            assert_eq!(outline(&kept), [(1, Status::Superseded), (2, Status::Deployed)]);
            assert!(broken.is_empty());
            assert_eq!(records.read(&release(&namespace), 3).await.unwrap(), None);
            records.delete(&release(&namespace), 1).await.unwrap();
            records.delete(&release(&namespace), 1).await.unwrap();
            let known = records.history(&release(&namespace)).await.unwrap();
            assert_eq!(known.iter().map(|known| known.entry.number).collect::<Vec<_>>(), [2]);
        })
        .await;
    }
}

#[tokio::test]
async fn a_record_that_others_have_written_is_not_overwritten() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("outrun", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        let first = records.create(&revision(&namespace, 1, Status::Deployed), None, at(1)).await.unwrap();
        let again = records.create(&revision(&namespace, 1, Status::Failed), None, at(2)).await.unwrap_err();
        assert!(matches!(again, RecordsError::Taken { number: 1, .. }), "{again}");
        assert!(again.is_refusal());
        let mut newer = first.clone();
        newer.revision.info.status = Status::Superseded;
        records.update(&newer, None, at(3)).await.unwrap();
        let late = records.update(&first, None, at(4)).await.unwrap_err();
        assert!(matches!(late, RecordsError::Outrun { .. }), "{late}");
        let (kept, _) = records.revisions(&release(&namespace)).await.unwrap();
        assert_eq!(outline(&kept), [(1, Status::Superseded)]);
        let labels = kept[0].revision.labels.clone();
        assert_eq!((labels["status"].as_str(), labels["modifiedAt"].as_str()), ("superseded", "1800000003"));
    })
    .await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_looked_for() {
    let Some(cluster) = cluster() else { return };
    for what in [What::CutAfter, What::StatusAfter(500), What::StatusAfter(504), What::CutBefore, What::Status(503)] {
        let namespace = cluster.namespace("lost", &[]).await;
        let faults = vec![Fault::on("POST", "/secrets", what), Fault::on("PUT", "/secrets/", what)];
        let proxy = Proxy::start(cluster, faults);
        with_records(proxy.kubeconfig(), Driver::Secret, async |records| {
            records.history(&release(&namespace)).await.unwrap();
            let holder = holder("ann@laptop");
            let mut kept =
                records.create(&revision(&namespace, 1, Status::PendingInstall), Some(&holder), at(1)).await.unwrap();
            kept.revision.info.status = Status::Deployed;
            let kept = records.update(&kept, None, at(2)).await.unwrap();
            let read = records.read(&release(&namespace), 1).await.unwrap().unwrap();
            assert_eq!((read.version, read.holder), (kept.version, None), "{what:?}");
            assert_eq!(read.revision.info.status, Status::Deployed);
        })
        .await;
    }
}

#[tokio::test]
async fn a_record_that_is_too_large_is_not_sent() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("large", &[]).await;
    let proxy = Proxy::start(cluster, Vec::new());
    with_records(proxy.kubeconfig(), Driver::Secret, async |records| {
        let mut large = revision(&namespace, 1, Status::PendingInstall);
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'!' + (state >> 33) as u8 % 90)
        };
        large.manifest = (0..1_000_000).map(|_| next()).collect();
        let error = records.create(&large, None, at(1)).await.unwrap_err();
        let RecordsError::Unwritable { problem: RecordError::Full(bytes), .. } = &error else { panic!("{error}") };
        assert!(*bytes > MAX_PACKED);
        assert!(proxy.requests().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_record_that_is_none_is_told_and_hides_no_other() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("broken", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Superseded]).await;
        namespace.apply_as("somebody", &broken(2, "e30=")).await;
        let (kept, broken) = records.revisions(&release(&namespace)).await.unwrap();
        assert_eq!(outline(&kept), [(1, Status::Superseded)]);
        let name =
            format!("Secret {}/sh.helm.release.v1.shop.v2 is no release record that can be read", namespace.name);
        assert_eq!(broken.iter().map(ToString::to_string).collect::<Vec<_>>(), [name]);
        let error = records.read(&release(&namespace), 2).await.unwrap_err();
        assert!(matches!(error, RecordsError::Unreadable { problem: RecordError::Absent(_), .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn long_histories_come_in_pages() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("pages", &[]).await;
    let proxy = Proxy::start(cluster, Vec::new());
    with_records(proxy.kubeconfig(), Driver::ConfigMap, async |records| {
        create(&records, &namespace, &[Status::Superseded; 53]).await;
        let (kept, _) = records.revisions(&release(&namespace)).await.unwrap();
        assert_eq!(kept.iter().map(|kept| kept.revision.number).collect::<Vec<_>>(), (1..=53).collect::<Vec<_>>());
        let lists = proxy.requests().iter().filter(|request| request.path.contains("labelSelector")).count();
        assert_eq!(lists, 2);
    })
    .await;
}
