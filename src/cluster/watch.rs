//! What was found of a release, kept up to date as the cluster changes.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{Either, FutureExt, select};
use futures_util::stream::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::follow::{Follow, POLL, Sighting, version};
use super::inventory::is_routemap_of;
use super::observe::CHILD;
use super::run::key_of;
use super::{Cluster, ClusterError, Finding, News};
use crate::manifest::ObjectKey;
use crate::plan::{Found, Owner, Release};
use crate::readiness::child;

/// How often everything is read in any case: a new route or another namespace is not among what is followed.
const REFRESH: Duration = Duration::from_secs(30);

/// A kind in a namespace that is followed, or one object of it.
type Place = (String, String, String, Option<String>);

/// A release that is watched.
pub struct Watch<'a> {
    cluster: &'a Cluster<'a>,
    release: &'a Release,
    finding: Finding,
    follow: Follow,
    followed: BTreeSet<Place>,
    /// Kinds and namespaces that have been told whole once.
    listed: BTreeSet<(String, String)>,
    /// When everything was read last.
    read: Instant,
    stale: bool,
    polls: bool,
}

impl<'a> Watch<'a> {
    /// Finds the release; nothing is followed yet.
    ///
    /// # Errors
    ///
    /// As [`Cluster::find`].
    pub async fn new(cluster: &'a Cluster<'a>, release: &'a Release) -> Result<Watch<'a>, ClusterError> {
        Ok(Watch {
            cluster,
            release,
            finding: cluster.find(release).await?,
            follow: Follow::new(),
            followed: BTreeSet::new(),
            listed: BTreeSet::new(),
            read: Instant::now(),
            stale: false,
            polls: false,
        })
    }

    /// The release as it was seen last.
    pub fn found(&self) -> &Found {
        &self.finding.found
    }

    /// Waits until something has happened, `until` comes or `stop` turns true.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn changed(&mut self, until: Instant, stop: &mut watch::Receiver<bool>) -> Result<(), ClusterError> {
        self.follow_all();
        let refresh = self.read + if self.polls { POLL } else { REFRESH };
        let (stopped, slept) = (Box::pin(stop.changed()), Box::pin(sleep_until(until.min(refresh))));
        match select(self.follow.next(), select(stopped, slept)).await {
            Either::Left((Some(sighting), _)) => {
                self.see(sighting);
                while let Some(Some(more)) = self.follow.next().now_or_never() {
                    self.see(more);
                }
            }
            // Nothing can be followed: only time passes.
            Either::Left((None, time)) => drop(time.await),
            Either::Right(_) => {}
        }
        if self.stale || Instant::now() >= refresh {
            self.finding = self.cluster.find(self.release).await?;
            (self.read, self.stale) = (Instant::now(), false);
        }
        Ok(())
    }

    /// Follows what was found and is not followed yet.
    fn follow_all(&mut self) {
        let found = &self.finding.found;
        let mut places: BTreeSet<Place> = BTreeSet::new();
        for key in found.tracks.keys() {
            places.insert((key.group.clone(), key.kind.clone(), key.namespace.clone(), None));
            if key.kind == "InferenceService" {
                places.insert(("apps".into(), "Deployment".into(), key.namespace.clone(), None));
            }
        }
        let routemap = found.routemap.as_ref().and_then(key_of);
        for key in found.routes.keys().chain(&found.routed).chain(&routemap) {
            places.insert((key.group.clone(), key.kind.clone(), key.namespace.clone(), Some(key.name.clone())));
        }
        for place in places {
            let (group, kind, namespace, name) = &place;
            if !self.followed.contains(&place)
                && let Some(served) = self.finding.kinds.get(group, kind)
            {
                self.follow.push(self.cluster.follow(served, namespace, name.as_deref()));
                self.followed.insert(place);
            }
        }
    }

    fn see(&mut self, sighting: Sighting) {
        match sighting {
            Sighting::Is(key, object) => self.see_object(&key, *object),
            Sighting::Gone(key, _) => self.stale |= self.is_known(&key),
            Sighting::Begins(..) => {}
            // What happened in a gap was not told.
            Sighting::Listed(kind, namespace) => self.stale |= !self.listed.insert((kind, namespace)),
            // Finding everything anew says what is the matter.
            Sighting::Failed(..) | Sighting::Unauthorized(_) => self.stale = true,
            Sighting::Forbidden(kind) => {
                if !self.polls {
                    (self.cluster.say)(News::Polling(&kind));
                }
                self.polls = true;
            }
        }
    }

    fn see_object(&mut self, key: &ObjectKey, object: Value) {
        let found = &mut self.finding.found;
        if let Some(track) = found.tracks.get_mut(key) {
            // One that comes for the first time has more than its state.
            self.stale |= track.object().is_none();
            track.see(Some(object));
        } else if let Some(parent) = parent(key, &object) {
            if let Some(track) = found.tracks.get_mut(&parent) {
                track.see_child(Some(object));
            }
        } else if let Some(route) = found.routes.get_mut(key) {
            if version(&object) > version(route) {
                *route = object;
            }
        } else if found.routed.as_ref() == Some(key) {
            self.stale = true;
        } else if is_routemap_of(key, &object["metadata"]) {
            let known = found.routemap.as_ref().map(version);
            self.stale |= known.is_none_or(|known| version(&object) > known);
        } else {
            self.stale |= self.release.owner(&object) == Owner::Release;
        }
    }

    fn is_known(&self, key: &ObjectKey) -> bool {
        let found = &self.finding.found;
        let child = key.kind == "Deployment" && key.name.ends_with(&child(""));
        child || found.tracks.contains_key(key) || found.objects.contains_key(key) || found.routes.contains_key(key)
    }
}

/// The InferenceService that KServe made a Deployment of.
fn parent(key: &ObjectKey, object: &Value) -> Option<ObjectKey> {
    let name = object["metadata"]["labels"][CHILD].as_str()?;
    (key.kind == "Deployment" && child(name) == key.name).then(|| ObjectKey {
        group: "serving.kserve.io".into(),
        kind: "InferenceService".into(),
        namespace: key.namespace.clone(),
        name: name.to_owned(),
    })
}
