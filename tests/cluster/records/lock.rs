//! The lock of a release: who gets it, who keeps it, who loses it.

use futures_util::future::{Either, select};
use r8::cluster::records::{Driver, RecordsError, Take, Watched};
use r8::record::Status;
use serde_json::json;

use tokio::time::Instant;

use super::{at, create, holder, outline, release, revision, with_records};
use crate::harness::{PATIENCE, cluster};

/// When nobody waits any more.
fn later() -> Instant {
    Instant::now() + PATIENCE
}

#[tokio::test]
async fn of_two_that_begin_together_one_begins() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("race", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        let pending = revision(&namespace, 1, Status::PendingInstall);
        let begin = |who: &str| records.begin(&pending, holder(who), at(1));
        let (one, other) = futures_util::future::join(begin("ann"), begin("bob")).await;
        let loser = match (one, other) {
            (Ok(_), Err(error)) | (Err(error), Ok(_)) => error,
            _ => panic!("one of them begins"),
        };
        assert!(matches!(loser, RecordsError::Taken { number: 1, .. }), "{loser}");
    })
    .await;
}

#[tokio::test]
async fn a_finished_revision_supersedes_the_deployed_ones_and_the_oldest_go() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("finish", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Superseded, Status::Deployed, Status::Failed, Status::Deployed]).await;
        let held = records.begin(&revision(&namespace, 5, Status::PendingUpgrade), holder("ann"), at(5)).await.unwrap();
        held.rewrite(|revision| revision.info.notes = "half".into(), at(6)).await.unwrap();
        let end = |revision: &mut r8::record::Revision| revision.info.status = Status::Deployed;
        assert!(held.finish(end, 4, at(7)).await.unwrap().is_empty());
        let (kept, _) = records.revisions(&release(&namespace)).await.unwrap();
        let expected = [(2, Status::Superseded), (3, Status::Failed), (4, Status::Superseded), (5, Status::Deployed)];
        assert_eq!(outline(&kept), expected);
        assert_eq!((kept[3].holder.as_deref(), kept[3].revision.info.notes.as_str()), (None, "half"));
        assert_eq!(kept[0].revision.info.description, "Revision 2");
    })
    .await;
}

#[tokio::test]
async fn a_failed_revision_leaves_the_deployed_one_deployed() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("fail", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Deployed, Status::Failed]).await;
        let held = records.begin(&revision(&namespace, 3, Status::PendingUpgrade), holder("ann"), at(3)).await.unwrap();
        let end = |revision: &mut r8::record::Revision| revision.info.status = Status::Failed;
        assert!(held.finish(end, 2, at(4)).await.unwrap().is_empty());
        let (kept, _) = records.revisions(&release(&namespace)).await.unwrap();
        assert_eq!(outline(&kept), [(1, Status::Deployed), (3, Status::Failed)]);
    })
    .await;
}

#[tokio::test]
async fn a_heartbeat_between_reading_and_writing_loses_nothing() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("beat", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        let held = records.begin(&revision(&namespace, 1, Status::PendingInstall), holder("ann"), at(1)).await.unwrap();
        let beat = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sh.helm.release.v1.shop.v1",
            "annotations": {"r8/heartbeat": "2027-01-15T08:00:11Z"}}});
        namespace.apply_as("helm", &beat).await;
        held.rewrite(|revision| revision.manifest.push_str("# more\n"), at(2)).await.unwrap();
        held.check().await.unwrap();
        let kept = records.read(&release(&namespace), 1).await.unwrap().unwrap();
        assert!(kept.revision.manifest.ends_with("# more\n"));
        assert_eq!(kept.holder, Some(holder("ann").to_string()));
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_is_taken_is_lost_and_of_two_takers_one_gets_it() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("take", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        let pending = revision(&namespace, 1, Status::PendingInstall);
        let held = records.begin(&pending, holder("ann"), at(1)).await.unwrap();
        let known = records.history(&release(&namespace)).await.unwrap().remove(0);
        let locked = records.locked(&known).await.unwrap();
        let expected = format!(
            "release {}/shop is locked: revision 1 is pending-install since 2027-01-15T08:00:01.123Z, by ann (process 7, begun \
             2027-01-15T08:00:00.123Z)",
            namespace.name
        );
        assert_eq!(locked.to_string(), expected);
        records.take(&known, at(2)).await.unwrap();
        let late = records.take(&known, at(3)).await.unwrap_err();
        assert!(matches!(late, RecordsError::Outrun { .. }), "{late}");
        assert!(matches!(held.check().await, Err(RecordsError::Lost { .. })));
        let lost = held.rewrite(|revision| revision.info.notes = "late".into(), at(4)).await.unwrap_err();
        let said = format!("release {}/shop is not locked by this run any more: its record was written by another tool", namespace.name);
        assert_eq!(lost.to_string(), said);
        let kept = records.read(&release(&namespace), 1).await.unwrap().unwrap();
        assert_eq!(kept.revision.info.status, Status::Failed);
        assert_eq!(
            kept.revision.info.description,
            "Given up: ann (process 7, begun 2027-01-15T08:00:00.123Z) gave no sign of life any more"
        );
    })
    .await;
}

#[tokio::test]
async fn a_record_that_helm_left_pending_is_never_stale() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("helms", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::PendingInstall]).await;
        let known = records.history(&release(&namespace)).await.unwrap().remove(0);
        assert_eq!(records.watch_holder(&known).await.unwrap(), Watched::Alive);
        assert!(records.locked(&known).await.unwrap().hint().unwrap().contains("wait until Helm has ended"));
        let release = release(&namespace);
        let error = records.unlocked(&release, Take::WhenStale, later(), &|| at(2)).await.unwrap_err();
        assert!(matches!(error, RecordsError::Locked { holder: None, .. }), "{error}");
        let known = records.unlocked(&release, Take::AtOnce, later(), &|| at(2)).await.unwrap();
        assert_eq!(known[0].entry.status, Status::Failed);
    })
    .await;
}

#[tokio::test]
async fn a_deletion_locks_the_release_and_leaves_no_record() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("forget", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Superseded, Status::Deployed]).await;
        let release = release(&namespace);
        let newest = records.read(&release, 2).await.unwrap().unwrap();
        let begin = |revision: &mut r8::record::Revision| revision.info.status = Status::Uninstalling;
        let held = records.hold(newest.clone(), begin, holder("ann"), at(3)).await.unwrap();
        let late = records.hold(newest, begin, holder("bob"), at(4)).await.err().unwrap();
        assert!(matches!(late, RecordsError::Outrun { .. }), "{late}");
        assert!(records.history(&release).await.unwrap()[1].is_locked());
        held.check().await.unwrap();
        held.forget().await.unwrap();
        assert_eq!(records.history(&release).await.unwrap(), []);
    })
    .await;
}

fn uninstalling(revision: &mut r8::record::Revision) {
    revision.info.status = Status::Uninstalling;
}

#[tokio::test]
async fn a_deletion_that_sees_a_new_revision_lets_go() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("lets-go", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Deployed]).await;
        let release = release(&namespace);
        let newest = records.read(&release, 1).await.unwrap().unwrap();
        let begun =
            records.begin(&revision(&namespace, 2, Status::PendingUpgrade), holder("bob"), at(2)).await.unwrap();
        let late = records.hold(newest, uninstalling, holder("ann"), at(3)).await.err().unwrap();
        assert!(
            matches!(&late, RecordsError::Locked { number: 2, holder: Some(bob), .. } if bob.starts_with("bob")),
            "{late}"
        );
        let known = records.history(&release).await.unwrap();
        assert_eq!((known[0].entry.status, known[0].is_locked(), known.len()), (Status::Deployed, false, 2));
        begun.check().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_revision_that_sees_a_deletion_lets_go() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("gives-in", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Deployed]).await;
        let release = release(&namespace);
        let newest = records.read(&release, 1).await.unwrap().unwrap();
        let held = records.hold(newest, uninstalling, holder("ann"), at(3)).await.unwrap();
        let pending = revision(&namespace, 2, Status::PendingUpgrade);
        let late = records.begin(&pending, holder("bob"), at(2)).await.err().unwrap();
        assert!(
            matches!(&late, RecordsError::Locked { number: 1, holder: Some(ann), .. } if ann.starts_with("ann")),
            "{late}"
        );
        assert_eq!(records.history(&release).await.unwrap().len(), 1);
        // One that ends meanwhile leaves something else to be looked at.
        let begin = Box::pin(records.begin(&pending, holder("bob"), at(4)));
        let end = Box::pin(async {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            held.forget().await
        });
        let (late, forgotten) = futures_util::future::join(begin, end).await;
        forgotten.unwrap();
        assert!(matches!(late.err().unwrap(), RecordsError::Taken { number: 2, .. }));
        assert_eq!(records.history(&release).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn of_a_revision_and_a_deletion_together_one_goes_on() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("together", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Deployed]).await;
        let release = release(&namespace);
        for round in 0..20 {
            let newest = records.read(&release, 1).await.unwrap().unwrap();
            let pending = revision(&namespace, 2, Status::PendingUpgrade);
            let begin = records.begin(&pending, holder("bob"), at(2));
            let hold = records.hold(newest, uninstalling, holder("ann"), at(3));
            let (begun, held) = futures_util::future::join(begin, hold).await;
            let (begun, held) = (begun.ok(), held.ok());
            // A revision that has waited for a deletion to let go looks anew before it goes on: here nobody does then.
            assert!(begun.is_none() || held.is_none(), "round {round}: both go on");
            let known = records.history(&release).await.unwrap();
            assert_eq!(known.iter().any(|known| known.is_locked()), begun.is_some() || held.is_some(), "round {round}");
            let back = |revision: &mut r8::record::Revision| revision.info.status = Status::Deployed;
            if let Some(held) = held {
                held.finish(back, 0, at(4)).await.unwrap();
            }
            if begun.is_some() {
                records.delete(&release, 2).await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_deletion_that_keeps_the_history_supersedes_what_was_deployed() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("keep", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        create(&records, &namespace, &[Status::Deployed, Status::Failed]).await;
        let newest = records.read(&release(&namespace), 2).await.unwrap().unwrap();
        let begin = |revision: &mut r8::record::Revision| revision.info.status = Status::Uninstalling;
        let held = records.hold(newest, begin, holder("ann"), at(3)).await.unwrap();
        let end = |revision: &mut r8::record::Revision| revision.info.status = Status::Uninstalled;
        assert!(held.finish(end, 10, at(4)).await.unwrap().is_empty());
        let (kept, _) = records.revisions(&release(&namespace)).await.unwrap();
        assert_eq!(outline(&kept), [(1, Status::Superseded), (2, Status::Uninstalled)]);
        assert!(!records.history(&release(&namespace)).await.unwrap()[1].is_locked());
    })
    .await;
}

#[tokio::test]
async fn a_holder_that_lives_is_seen_to_live() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("alive", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        let held = records.begin(&revision(&namespace, 1, Status::PendingInstall), holder("ann"), at(1)).await.unwrap();
        let (clock, release) = (|| at(11), release(&namespace));
        let life = Box::pin(held.keep_alive(&clock));
        match select(life, Box::pin(records.unlocked(&release, Take::WhenStale, later(), &clock))).await {
            Either::Right((unlocked, _)) => {
                let error = unlocked.unwrap_err();
                assert!(matches!(error, RecordsError::Locked { number: 1, holder: Some(_), .. }), "{error}");
            }
            Either::Left((error, _)) => panic!("{error}"),
        }
        let secret = namespace.get("Secret", "sh.helm.release.v1.shop.v1").await.unwrap();
        assert_eq!(secret["metadata"]["annotations"]["r8/heartbeat"], "2027-01-15T08:00:11.123Z");
        held.rewrite(|revision| revision.info.notes = "half".into(), at(12)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_holder_that_ends_meanwhile_is_seen_to_end() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("ended", &[]).await;
    with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
        let held = records.begin(&revision(&namespace, 1, Status::PendingInstall), holder("ann"), at(1)).await.unwrap();
        let known = records.history(&release(&namespace)).await.unwrap().remove(0);
        held.finish(|revision| revision.info.complete(None), 10, at(2)).await.unwrap();
        assert_eq!(records.watch_holder(&known).await.unwrap(), Watched::Ended);
    })
    .await;
}
