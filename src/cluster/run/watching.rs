//! What a run sees while it waits: news of versions and of the route.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{Either, FutureExt, join_all, select};
use futures_util::stream::StreamExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Run, key_of};
use crate::cluster::follow::{POLL, Sighting, version};
use crate::cluster::{ClusterError, News};
use crate::manifest::ObjectKey;
use crate::plan::Routed;
use crate::readiness::child;
use crate::route::in_force;

impl Run<'_> {
    /// Follows every version, what KServe makes of it, and the routes.
    pub(super) fn start_following(&mut self) -> Result<(), ClusterError> {
        let mut places: BTreeSet<(String, String, String)> =
            self.tracks.keys().map(|key| (key.group.clone(), key.kind.clone(), key.namespace.clone())).collect();
        let knative = self.sight.observed.knative;
        let standard = self.tracks.iter().filter(|(key, track)| {
            key.kind == "InferenceService" && (track.object().is_none() || track.has_child(knative))
        });
        let deployments: Vec<String> = standard.map(|(key, _)| key.namespace.clone()).collect();
        places.extend(deployments.into_iter().map(|namespace| ("apps".into(), "Deployment".into(), namespace)));
        let mut routes: BTreeSet<ObjectKey> = self.plan.route.iter().map(|route| route.key().clone()).collect();
        routes.extend(self.plan.left_to_controller.iter().map(|route| route.key().clone()));
        routes.extend(self.plan.before.as_ref().and_then(key_of));
        for key in routes {
            let served = self.cluster.served(&self.sight.kinds, &key)?;
            self.follow.push(self.cluster.follow(served, &key.namespace, Some(&key.name)));
        }
        for (group, kind, namespace) in places {
            if let Some(served) = self.sight.kinds.get(&group, &kind) {
                self.follow.push(self.cluster.follow(served, &namespace, None));
            }
        }
        Ok(())
    }

    /// Waits for news, not longer than until this time since the start.
    pub(super) async fn watch(
        &mut self,
        until: Duration,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), ClusterError> {
        let end = self.start + until;
        loop {
            let wake = if self.polls { end.min(self.next_poll) } else { end }.min(self.next_beat);
            let sighting = {
                let (stopped, slept) = (Box::pin(stop.changed()), Box::pin(sleep_until(wake)));
                match select(self.follow.next(), select(stopped, slept)).await {
                    Either::Left((Some(sighting), _)) => Some(sighting),
                    // Nothing is followed: only time passes.
                    Either::Left((None, time)) => {
                        time.await;
                        None
                    }
                    Either::Right(_) => None,
                }
            };
            let news = sighting.is_some();
            if let Some(sighting) = sighting {
                self.see(sighting)?;
                while let Some(Some(more)) = self.follow.next().now_or_never() {
                    self.see(more)?;
                }
            }
            // Due however much news there is.
            let now = Instant::now();
            if now >= self.next_beat {
                (self.cluster.say)(News::Waiting);
                self.next_beat = now + self.beat;
            }
            if self.polls && now >= self.next_poll && !*stop.borrow() {
                self.next_poll = now + POLL;
                return self.poll().await;
            }
            if news || *stop.borrow() || now >= end {
                return Ok(());
            }
        }
    }

    /// Reads everything that would have been followed.
    pub(super) async fn poll(&mut self) -> Result<(), ClusterError> {
        let (cluster, kinds) = (self.cluster, &self.sight.kinds);
        let mut keys: Vec<ObjectKey> = self.tracks.keys().cloned().collect();
        let children = keys.iter().filter(|key| key.kind == "InferenceService").map(child_of).collect::<Vec<_>>();
        keys.extend(children);
        keys.extend(self.route_key());
        let reads = keys.iter().map(|key| async move {
            match kinds.get(&key.group, &key.kind) {
                Some(served) => cluster.read(served, key).await,
                None => Ok(None),
            }
        });
        for (key, read) in keys.iter().zip(join_all(reads).await) {
            let object = match read {
                // What KServe makes of a version only adds to what the version itself says.
                Err(ClusterError::Forbidden { .. }) if !self.tracks.contains_key(key) && key.kind == "Deployment" => {
                    continue;
                }
                read => read?,
            };
            self.see_object(key, object);
        }
        Ok(())
    }

    /// Takes one thing that was seen.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Unauthorized`] where the server accepts the credentials no more.
    pub(super) fn see(&mut self, sighting: Sighting) -> Result<(), ClusterError> {
        match sighting {
            Sighting::Is(key, object) => {
                if let Some(told) = self.fresh.get_mut(&(key.kind.clone(), key.namespace.clone())) {
                    told.insert(key.clone());
                }
                self.see_object(&key, Some(*object));
            }
            Sighting::Gone(key, uid) => {
                let newest =
                    self.object(&key).or(self.route.as_ref().filter(|route| key_of(route).as_ref() == Some(&key)));
                // One that came after it under the same name is there.
                if newest.is_none_or(|newest| newest["metadata"]["uid"].as_str() == uid.as_deref()) {
                    self.see_object(&key, None);
                }
            }
            Sighting::Begins(kind, namespace) => drop(self.fresh.insert((kind, namespace), BTreeSet::new())),
            Sighting::Listed(kind, namespace) => {
                let Some(told) = self.fresh.remove(&(kind.clone(), namespace.clone())) else { return Ok(()) };
                let here = |key: &&ObjectKey| key.kind == kind && key.namespace == namespace && !told.contains(*key);
                let gone: Vec<ObjectKey> = self.tracks.keys().chain(&self.children).filter(here).cloned().collect();
                gone.iter().for_each(|key| self.see_object(key, None));
                // One that went before it was first listed has to be looked for.
                let route = self.route_key().filter(|key| here(&key) && self.route.is_some());
                if let Some(route) = route {
                    self.lose(&route);
                }
            }
            Sighting::Forbidden(kind) => {
                if !self.polls {
                    (self.cluster.say)(News::Polling(&kind));
                }
                self.polls = true;
            }
            Sighting::Failed(kind, why) => {
                (self.cluster.say)(News::Unwatched { kind: &kind, why: &why });
                self.blind = true;
            }
            Sighting::Unauthorized(message) => {
                return Err(ClusterError::Unauthorized { server: self.cluster.server.clone(), message });
            }
        }
        Ok(())
    }

    /// Takes an object of a version, or the route, as it is now; none when it is gone.
    pub(super) fn see_object(&mut self, key: &ObjectKey, object: Option<Value>) {
        if let Some(track) = self.tracks.get_mut(key) {
            if object.is_none() && track.object().is_some() {
                self.lose(key);
            }
            self.tracks.entry(key.clone()).and_modify(|track| track.see(object));
        } else if key.kind == "Deployment" {
            let parent = |name: &str| child(name) == key.name;
            let found = self.tracks.iter_mut().find(|(owner, _)| {
                owner.kind == "InferenceService" && owner.namespace == key.namespace && parent(&owner.name)
            });
            if let Some((_, track)) = found {
                let goes = object.as_ref().is_some_and(|object| !object["metadata"]["deletionTimestamp"].is_null());
                if object.is_some() {
                    self.children.insert(key.clone());
                }
                // One that was there and is gone does not serve; of one that was never seen KServe's word is left.
                let gone = goes || (object.is_none() && self.children.contains(key));
                track.see_child(if gone { Some(gone_child(key)) } else { object });
            }
        } else if self.route_key().as_ref() == Some(key) {
            let older = |new: &Value, old: &Value| version(new) < version(old);
            if !object.as_ref().zip(self.route.as_ref()).is_some_and(|(new, old)| older(new, old)) {
                if object.is_none() && self.route.is_some() {
                    self.lose(key);
                }
                self.see_route(object);
            }
        }
    }

    /// Takes the live route as it is now, and notes whether it is in force.
    pub(super) fn see_route(&mut self, route: Option<Value>) {
        match route.as_ref().map(in_force) {
            Some(Ok(())) => {
                let now = self.start.elapsed();
                self.seen.in_force.get_or_insert(now);
                self.seen.not_in_force = None;
            }
            Some(Err(why)) => {
                self.seen.in_force = None;
                self.seen.not_in_force = Some(why);
            }
            None => self.seen.in_force = None,
        }
        self.route = route;
    }

    /// The live route's key: of the one that the Iter8 controller will make, where that one is waited for.
    pub(super) fn route_key(&self) -> Option<ObjectKey> {
        let theirs = self.plan.left_to_controller.as_ref().map(|route| route.key().clone());
        let wanted = || self.plan.route.as_ref().map(|route| route.key().clone());
        match &self.seen.routed {
            Routed::Wanted(_) => wanted(),
            _ => theirs.or_else(|| self.plan.before.as_ref().and_then(key_of)).or_else(wanted),
        }
    }
}

/// What a Deployment says that is gone: nothing.
fn gone_child(key: &ObjectKey) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": key.namespace, "name": key.name}})
}

/// The Deployment that KServe makes of an InferenceService in Standard mode.
pub(super) fn child_of(key: &ObjectKey) -> ObjectKey {
    ObjectKey {
        group: "apps".into(),
        kind: "Deployment".into(),
        namespace: key.namespace.clone(),
        name: child(&key.name),
    }
}
