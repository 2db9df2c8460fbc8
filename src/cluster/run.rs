//! An apply as it runs: asks [`next`] what to do, does it, and reports what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::{Either, FutureExt, join_all, select};
use futures_util::stream::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::follow::{Follow, Sighting};
use super::observe::Sight;
use super::write::Stored;
use super::{Cluster, ClusterError, News};
use crate::manifest::{Manifest, ObjectKey, Role};
use crate::plan::{
    Action, CONTROLLER, Member, Next, Outcome, Plan, RouteWrite, Routed, Routing, Seen, has_state, is_controllers, next,
};
use crate::readiness::{Health, Settled, Track, child};
use crate::route::{destinations, in_force};

/// How often objects are read that may not be watched.
const POLL: Duration = Duration::from_secs(2);

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As the plan says.
    Outcome(Outcome),
    /// The user stopped it.
    Interrupted,
}

/// An apply as it runs.
pub struct Run<'a> {
    cluster: &'a Cluster<'a>,
    plan: &'a Plan,
    sight: &'a Sight,
    start: Instant,
    seen: Seen,
    tracks: BTreeMap<ObjectKey, Track>,
    /// The newest live route.
    route: Option<Value>,
    follow: Follow,
    /// Objects told since a list began, by kind and namespace.
    fresh: BTreeMap<(String, String), BTreeSet<ObjectKey>>,
    polls: bool,
    /// Whether a watch failed: what it would have told may be missing.
    blind: bool,
    /// Objects whose write or deletion may have arrived all the same.
    doubtful: BTreeSet<ObjectKey>,
    /// How often somebody who waits is told so.
    beat: Duration,
    told: Vec<String>,
}

impl<'a> Run<'a> {
    /// Begins; nothing is sent yet. `start` is when the command began, `beat` how often it is told that it waits.
    pub fn new(cluster: &'a Cluster<'a>, plan: &'a Plan, sight: &'a Sight, start: Instant, beat: Duration) -> Run<'a> {
        let observed = &sight.observed;
        let live = |key: &ObjectKey| {
            let wanted = observed.objects.get(key).and_then(|observation| observation.live.clone());
            wanted.or_else(|| observed.left.get(key).cloned())
        };
        let keys = plan.members.iter().flat_map(|member| &member.objects).filter(|key| has_state(key));
        let tracks = keys.map(|key| {
            let mut track = Track::new(live(key));
            track.see_child(observed.children.get(key).cloned());
            (key.clone(), track)
        });
        let members = plan.members.len();
        let route = plan.before.clone();
        let mut run = Run {
            cluster,
            plan,
            sight,
            start,
            seen: Seen {
                health: vec![Health::absent(); members],
                since: vec![Duration::ZERO; members],
                ..Seen::default()
            },
            tracks: tracks.collect(),
            route: None,
            follow: Follow::new(),
            fresh: BTreeMap::new(),
            polls: false,
            blind: false,
            doubtful: BTreeSet::new(),
            beat,
            told: vec![String::new(); members],
        };
        run.see_route(route);
        run
    }

    /// What has been seen.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Objects of which nobody knows whether they were written, or deleted.
    pub fn doubtful(&self) -> &BTreeSet<ObjectKey> {
        &self.doubtful
    }

    /// The newest state of an object of a version.
    pub fn object(&self, key: &ObjectKey) -> Option<&Value> {
        self.tracks.get(key)?.object()
    }

    /// The newest live route.
    pub fn route(&self) -> Option<&Value> {
        self.route.as_ref()
    }

    /// Does what the plan says, until it ends or `stop` turns true; a request in flight then ends first.
    ///
    /// # Errors
    ///
    /// What a request can fail with; what has been written stands in [`Run::seen`].
    pub async fn run(&mut self, stop: &mut watch::Receiver<bool>) -> Result<End, ClusterError> {
        if !self.plan.changes_nothing() {
            self.start_following()?;
        }
        loop {
            self.look();
            if *stop.borrow() {
                return Ok(End::Interrupted);
            }
            let done = match next(self.plan, &self.seen) {
                // Before somebody is called late, whoever could not be watched is read.
                Next::End(Outcome::NotReady(_)) if self.blind => {
                    self.blind = false;
                    self.poll().await
                }
                Next::End(outcome) => return Ok(End::Outcome(outcome)),
                next => self.perform(next, stop).await,
            };
            match done {
                // What was not tried again because of the interruption.
                Err(_) if *stop.borrow() => return Ok(End::Interrupted),
                done => done?,
            }
        }
    }

    async fn perform(&mut self, next: Next, stop: &mut watch::Receiver<bool>) -> Result<(), ClusterError> {
        match next {
            Next::End(_) => {}
            Next::Watch(until) => self.watch(until, stop).await?,
            Next::Write(keys) => self.write(&keys).await?,
            Next::Route(write) => self.write_route(write).await?,
            Next::Silence(key) => {
                self.cluster.silence(&self.sight.kinds, &key).await?;
                self.seen.silenced = true;
            }
            Next::Untie => {
                if let Some(key) = self.route_key() {
                    self.cluster.untie(&self.sight.kinds, &key).await?;
                }
                self.seen.untied = true;
            }
            Next::Delete(keys) => self.delete(&keys).await?,
        }
        Ok(())
    }

    /// The time, and the state of every version by what has been seen until now.
    fn look(&mut self) {
        self.seen.now = self.start.elapsed();
        let knative = self.sight.observed.knative;
        for (index, member) in self.plan.members.iter().enumerate() {
            let states =
                member.objects.iter().filter_map(|key| self.tracks.get(key)).map(|track| track.health(knative));
            let health = states.reduce(Health::and).unwrap_or_else(Health::trivial);
            if self.seen.health[index] != health {
                self.seen.health[index] = health;
                self.seen.since[index] = self.seen.now;
            }
        }
        if self.plan.changes_nothing() {
            return;
        }
        let settled = self.plan.settled(&self.seen);
        for (index, member) in self.plan.members.iter().enumerate().filter(|(_, member)| member.index.is_some()) {
            // What stands before its write is no news.
            let open = |key: &ObjectKey| {
                let change = self.plan.change(key);
                change.is_some_and(|change| change.action != Action::Unchanged) && !self.seen.done.contains_key(key)
            };
            if member.objects.iter().any(open) {
                continue;
            }
            let health = &self.seen.health[index];
            let unproven = health.settled == Settled::Unproven && settled[index];
            let text = format!("{} {} {:?} {}", health.serving, settled[index], health.failed, health.why);
            if self.told[index] != text {
                self.told[index] = text;
                (self.cluster.say)(News::Version { name: &member.name, health, unproven });
            }
        }
        if let Some(route) = &self.route {
            self.seen.follows = self.plan.is_followed(&self.seen, route);
        }
    }

    fn start_following(&mut self) -> Result<(), ClusterError> {
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
    async fn watch(&mut self, until: Duration, stop: &mut watch::Receiver<bool>) -> Result<(), ClusterError> {
        let end = self.start + until;
        let mut told = Instant::now() + self.beat;
        loop {
            let wake = if self.polls { end.min(told).min(Instant::now() + POLL) } else { end.min(told) };
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
            if let Some(sighting) = sighting {
                self.see(sighting)?;
                while let Some(Some(more)) = self.follow.next().now_or_never() {
                    self.see(more)?;
                }
                return Ok(());
            }
            if Instant::now() >= told {
                (self.cluster.say)(News::Waiting);
                told = Instant::now() + self.beat;
            }
            if *stop.borrow() || Instant::now() >= end {
                return Ok(());
            }
            if self.polls {
                return self.poll().await;
            }
        }
    }

    /// Reads everything that would have been followed.
    async fn poll(&mut self) -> Result<(), ClusterError> {
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

    fn see(&mut self, sighting: Sighting) -> Result<(), ClusterError> {
        match sighting {
            Sighting::Is(key, object) => {
                if let Some(told) = self.fresh.get_mut(&(key.kind.clone(), key.namespace.clone())) {
                    told.insert(key.clone());
                }
                self.see_object(&key, Some(*object));
            }
            Sighting::Gone(key) => self.see_object(&key, None),
            Sighting::Begins(kind, namespace) => drop(self.fresh.insert((kind, namespace), BTreeSet::new())),
            Sighting::Listed(kind, namespace) => {
                let Some(told) = self.fresh.remove(&(kind.clone(), namespace.clone())) else { return Ok(()) };
                let here = |key: &&ObjectKey| key.kind == kind && key.namespace == namespace && !told.contains(*key);
                let gone: Vec<ObjectKey> = self.tracks.keys().filter(here).cloned().collect();
                gone.iter().for_each(|key| self.see_object(key, None));
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

    fn see_object(&mut self, key: &ObjectKey, object: Option<Value>) {
        if let Some(track) = self.tracks.get_mut(key) {
            track.see(object);
        } else if key.kind == "Deployment" {
            let parent = |name: &str| child(name) == key.name;
            let found = self.tracks.iter_mut().find(|(owner, _)| {
                owner.kind == "InferenceService" && owner.namespace == key.namespace && parent(&owner.name)
            });
            if let Some((_, track)) = found {
                track.see_child(object);
            }
        } else if self.route_key().as_ref() == Some(key) {
            let older = |new: &Value, old: &Value| version(new) < version(old);
            if !object.as_ref().zip(self.route.as_ref()).is_some_and(|(new, old)| older(new, old)) {
                self.see_route(object);
            }
        }
    }

    fn see_route(&mut self, route: Option<Value>) {
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

    /// The live route's key.
    fn route_key(&self) -> Option<ObjectKey> {
        let wanted =
            || self.plan.route.as_ref().or(self.plan.left_to_controller.as_ref()).map(|route| route.key().clone());
        match &self.seen.routed {
            Routed::Wanted(_) => wanted(),
            _ => self.plan.before.as_ref().and_then(key_of).or_else(wanted),
        }
    }

    async fn write(&mut self, keys: &[ObjectKey]) -> Result<(), ClusterError> {
        let run = &*self;
        let writes = keys.iter().map(|key| async move {
            let result = run.write_object(key).await;
            if result.is_ok() {
                let created = run.plan.change(key).is_some_and(|change| change.action == Action::Create);
                (run.cluster.say)(News::Written { key, created });
            }
            result
        });
        let results = join_all(writes).await;
        let mut failed = None;
        for (key, result) in keys.iter().zip(results) {
            match result {
                Ok(stored) => {
                    self.seen.done.insert(key.clone(), self.start.elapsed());
                    let model = self.plan.members.iter().any(|member| member.model && member.objects.contains(key));
                    match (self.tracks.get_mut(key), stored) {
                        (Some(track), Stored::Told(object)) => track.wrote(object, model),
                        (Some(track), Stored::Read(object)) => track.wrote_unseen(object, model),
                        (None, _) => {}
                    }
                }
                Err(error) => failed = failed.or(Some(self.doubt(key, error))),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Notes an object whose write may have arrived all the same.
    fn doubt(&mut self, key: &ObjectKey, error: ClusterError) -> ClusterError {
        if matches!(error, ClusterError::Lost { .. }) {
            self.doubtful.insert(key.clone());
        }
        error
    }

    async fn write_object(&self, key: &ObjectKey) -> Result<Stored, ClusterError> {
        let manifest = self.sight.manifests.iter().find(|manifest| manifest.key == *key);
        let manifest = manifest.ok_or_else(|| ClusterError::Kinds(vec![key.kind.clone()]))?;
        let mut object = manifest.object.clone();
        self.plan.release.mark(&mut object, manifest.role);
        let live = self.sight.observed.objects.get(key).and_then(|observation| observation.live.as_ref());
        if live.is_some() {
            self.cluster.hand_over(&self.sight.kinds, key, live).await?;
        }
        let force = self.plan.change(key).is_some_and(|change| self.plan.forces(change));
        self.cluster.apply(&self.sight.kinds, key, &object, force).await
    }

    async fn write_route(&mut self, write: RouteWrite) -> Result<(), ClusterError> {
        let (key, mut object) = match &write {
            RouteWrite::Without(out) => {
                let previous = self.plan.previous_without(out).unwrap_or_default();
                let Some(key) = key_of(&previous) else { return Ok(()) };
                (key, own(previous))
            }
            RouteWrite::Wanted(weights) => {
                let Some(route) = &self.plan.route else { return Ok(()) };
                let mut manifest: Manifest = route.at(weights).map_err(|error| ClusterError::Server {
                    verb: format!("write {}", route.key()),
                    message: error.to_string(),
                })?;
                self.sight.kinds.serve(&mut manifest);
                (manifest.key, manifest.object)
            }
        };
        self.plan.release.mark(&mut object, Role::Route);
        let served = self.cluster.served(&self.sight.kinds, &key)?;
        let live = self.cluster.read(served, &key).await?;
        // Decided anew before each write: the controller may have come in between.
        if self.plan.goal.routing == Routing::Auto && live.as_ref().is_some_and(is_controllers) {
            return self.leave(&key, live);
        }
        if live.is_some() {
            self.cluster.hand_over(&self.sight.kinds, &key, live.as_ref()).await?;
        }
        let takes = self.plan.goal.routing == Routing::Route && live.as_ref().is_some_and(has_controller);
        let force = takes || self.plan.change(&key).is_some_and(|change| self.plan.forces(change));
        let stored = match self.cluster.apply(&self.sight.kinds, &key, &object, force).await {
            Ok(stored) => stored.object(),
            // What both owned has come to differ: the controller has been here since.
            Err(ClusterError::Conflict { conflicts, .. })
                if self.plan.goal.routing == Routing::Auto
                    && conflicts.iter().all(|conflict| conflict.manager == CONTROLLER) =>
            {
                return self.leave(&key, live);
            }
            Err(error) => return Err(self.doubt(&key, error)),
        };
        (self.cluster.say)(News::Routed(&stored));
        self.seen.done.insert(key, self.start.elapsed());
        self.seen.routed = match write {
            RouteWrite::Without(out) => Routed::Without(out),
            RouteWrite::Wanted(weights) => Routed::Wanted(weights),
        };
        self.seen.in_force = None;
        self.see_route(Some(stored));
        Ok(())
    }

    /// Leaves the route to the controller from now on.
    fn leave(&mut self, key: &ObjectKey, live: Option<Value>) -> Result<(), ClusterError> {
        self.seen.controller = true;
        (self.cluster.say)(News::LeftToController(key));
        self.see_route(live);
        Ok(())
    }

    /// Fails when the live route, which others may have written, sends requests to what is about to go.
    async fn check_unrouted(&self, keys: &[ObjectKey]) -> Result<(), ClusterError> {
        let going = |member: &&Member| member.objects.iter().any(|key| keys.contains(key));
        let mut going = self.plan.members.iter().filter(going).peekable();
        let (Some(key), Some(_)) = (self.route_key(), going.peek()) else { return Ok(()) };
        let served = self.cluster.served(&self.sight.kinds, &key)?;
        let Some(live) = self.cluster.read(served, &key).await? else { return Ok(()) };
        let places = destinations(&live);
        match going.find(|member| places.iter().any(|place| member.is(place))) {
            Some(member) => Err(ClusterError::Rerouted { route: Box::new(key), version: member.name.clone() }),
            None => Ok(()),
        }
    }

    async fn delete(&mut self, keys: &[ObjectKey]) -> Result<(), ClusterError> {
        self.check_unrouted(keys).await?;
        let run = &*self;
        let deletes = keys.iter().map(|key| async move {
            let live = run.sight.observed.left.get(key);
            let uid = live.and_then(|object| object["metadata"]["uid"].as_str());
            // A routemap owns the route that its controller made.
            let orphan = key.kind == "ConfigMap" && run.seen.untied;
            let result = run.cluster.delete_object(&run.sight.kinds, key, uid, orphan).await;
            if result.is_ok() {
                (run.cluster.say)(News::Deleted(key));
            }
            result
        });
        let results = join_all(deletes).await;
        let mut failed = None;
        for (key, result) in keys.iter().zip(results) {
            match result {
                Ok(()) => drop(self.seen.done.insert(key.clone(), self.start.elapsed())),
                Err(error) => failed = failed.or(Some(self.doubt(key, error))),
            }
        }
        if let Some(error) = failed {
            return Err(error);
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
}

/// Whether the Iter8 controller has written a route.
fn has_controller(route: &Value) -> bool {
    let entries = route["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.into_iter().any(|entry| entry["manager"] == CONTROLLER)
}

fn child_of(key: &ObjectKey) -> ObjectKey {
    ObjectKey {
        group: "apps".into(),
        kind: "Deployment".into(),
        namespace: key.namespace.clone(),
        name: child(&key.name),
    }
}

fn key_of(object: &Value) -> Option<ObjectKey> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let group = object["apiVersion"].as_str()?.split_once('/').map_or("", |(group, _)| group).to_owned();
    let metadata = &object["metadata"];
    Some(ObjectKey {
        group,
        kind: text(&object["kind"])?,
        namespace: text(&metadata["namespace"])?,
        name: text(&metadata["name"])?,
    })
}

/// The number of an object's version; 0 where it is none.
fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A live object as somebody would write it: without what the API server and other tools keep in it.
fn own(mut object: Value) -> Value {
    const KEPT: [&str; 4] = ["name", "namespace", "labels", "annotations"];
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| KEPT.contains(&key.as_str()));
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
    }
    object
}
