//! What a run deletes, and that it is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{join_all, select, try_join_all};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Run;
use crate::cluster::{ClusterError, News};
use crate::manifest::ObjectKey;
use crate::plan::{Member, RouteWrite, Routed, is_route};
use crate::route::{Destination, destinations};

/// The first and the longest pause between two looks at what is still there.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// How long what is deleted late is waited for nevertheless.
const GRACE: Duration = Duration::from_secs(10);

impl Run<'_> {
    /// Fails when a live route, which others may have written, sends requests to what is about to go.
    pub(super) async fn check_unrouted(&self, keys: &[ObjectKey]) -> Result<(), ClusterError> {
        let going = |member: &&Member| member.objects.iter().any(|key| keys.contains(key));
        let going: Vec<&Member> = self.plan.members.iter().filter(going).collect();
        if going.is_empty() {
            return Ok(());
        }
        let left = self.sight.observed.left.keys().filter(|key| is_route(key) && !self.seen.done.contains_key(*key));
        let routes: BTreeSet<ObjectKey> = self.route_key().into_iter().chain(left.cloned()).collect();
        for key in routes.into_iter().filter(|key| !keys.contains(key)) {
            let served = self.cluster.served(&self.sight.kinds, &key)?;
            let Some(live) = self.cluster.read(served, &key).await? else { continue };
            // A route through ModelMesh names no namespace: what stays under a name is meant, not what goes.
            let stays = |place: &Destination| {
                let mut wanted = self.plan.members.iter().filter(|member| member.index.is_some());
                wanted.any(|member| member.is(place))
            };
            let mut places = destinations(&live);
            places.retain(|place| !stays(place));
            if let Some(member) = going.iter().find(|member| places.iter().any(|place| member.is(place))) {
                return Err(ClusterError::Rerouted { route: Box::new(key), version: member.name.clone() });
            }
        }
        Ok(())
    }

    /// Deletes these objects, a routemap before the route that its controller makes of it, and waits until they are gone.
    pub(super) async fn delete(
        &mut self,
        keys: &[ObjectKey],
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), ClusterError> {
        self.check_lock().await?;
        self.check_unrouted(keys).await?;
        let routes = keys.iter().any(is_route);
        let (first, then): (Vec<ObjectKey>, Vec<ObjectKey>) =
            keys.iter().cloned().partition(|key| routes && !is_route(key));
        for keys in [first, then] {
            self.delete_all(&keys).await?;
            self.until_gone(&keys, stop).await?;
            if *stop.borrow() || !self.standing.is_empty() {
                return Ok(());
            }
        }
        let orphaned = self.seen.untied && keys.iter().any(|key| key.kind == "ConfigMap");
        if orphaned && let (Some(key), Routed::Wanted(weights)) = (self.route_key(), self.seen.routed.clone()) {
            // The route has to be the one that was there before.
            let served = self.cluster.served(&self.sight.kinds, &key)?;
            if self.cluster.read(served, &key).await?.is_none() {
                return self.write_route(RouteWrite::Wanted(weights)).await;
            }
        }
        Ok(())
    }

    async fn delete_all(&mut self, keys: &[ObjectKey]) -> Result<(), ClusterError> {
        let run = &*self;
        let deletes = keys.iter().map(|key| async move {
            // A routemap owns the route that its controller made.
            let orphan = key.kind == "ConfigMap" && run.seen.untied;
            let result = run.cluster.delete_object(&run.sight.kinds, key, run.uid(key), orphan).await;
            if result.is_ok() {
                (run.cluster.say)(News::Deleted(key));
            }
            result
        });
        let results = join_all(deletes).await;
        let mut failed = None;
        for (key, result) in keys.iter().zip(results) {
            match result {
                Ok(()) => {
                    self.seen.done.insert(key.clone(), self.start.elapsed());
                    if self.route_key().as_ref() == Some(key) {
                        self.see_route(None);
                    }
                }
                Err(error) => failed = failed.or(Some(self.doubt(key, error))),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The identity of an object that goes, as it was found.
    fn uid(&self, key: &ObjectKey) -> Option<&str> {
        self.sight.observed.left.get(key)?["metadata"]["uid"].as_str()
    }

    /// Waits until none of these objects is there any more; notes those that are when the time is over.
    async fn until_gone(&mut self, keys: &[ObjectKey], stop: &mut watch::Receiver<bool>) -> Result<(), ClusterError> {
        if !self.plan.goal.wait {
            return Ok(());
        }
        let end = (self.start + self.plan.goal.timeout).max(Instant::now() + GRACE);
        let (mut pause, mut told) = (PAUSES.0, Instant::now() + self.beat);
        loop {
            let standing = self.standing(keys).await?;
            if standing.is_empty() {
                let now = self.start.elapsed();
                self.seen.done.extend(keys.iter().map(|key| (key.clone(), now)));
                return Ok(());
            }
            if *stop.borrow() {
                return Ok(());
            }
            if Instant::now() >= end {
                self.standing = standing;
                return Ok(());
            }
            if Instant::now() >= told {
                standing.iter().for_each(|(key, _)| (self.cluster.say)(News::Standing(key)));
                told = Instant::now() + self.beat;
            }
            let (stopped, slept) = (Box::pin(stop.changed()), Box::pin(sleep_until((Instant::now() + pause).min(end))));
            select(stopped, slept).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Those of these objects that are there and are those that were found, as they are.
    async fn standing(&self, keys: &[ObjectKey]) -> Result<Vec<(ObjectKey, Value)>, ClusterError> {
        let reads = keys.iter().map(|key| async move {
            let served = self.cluster.served(&self.sight.kinds, key)?;
            let live = self.cluster.read(served, key).await?;
            let same = |live: &Value| self.uid(key).is_none_or(|uid| live["metadata"]["uid"] == uid);
            Ok::<_, ClusterError>(live.filter(same).map(|live| (key.clone(), live)))
        });
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }
}
