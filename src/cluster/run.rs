//! An apply as it runs: asks [`next`] what to do, does it, and reports what was seen.

mod deleting;
mod ledger;
mod losing;
mod watching;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::follow::Follow;
use super::observe::Sight;
use super::{Cluster, ClusterError, News};
use crate::manifest::ObjectKey;
use crate::plan::{Action, Next, Outcome, Plan, Seen, has_state, next};
use crate::readiness::{Health, Settled, Track};
use losing::Lost;

pub use ledger::{Ledger, found_route, manifest};

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// As the plan says.
    Outcome(Outcome),
    /// These objects, as they are, have been deleted and are still there.
    NotGone(Vec<(ObjectKey, Value)>),
    /// The user stopped it.
    Interrupted,
}

/// An apply as it runs.
pub struct Run<'a> {
    cluster: &'a Cluster<'a>,
    plan: &'a Plan,
    sight: &'a Sight,
    /// The record of the run; none where nothing is to be written.
    ledger: Option<&'a Ledger<'a>>,
    start: Instant,
    seen: Seen,
    tracks: BTreeMap<ObjectKey, Track>,
    /// The newest live route.
    route: Option<Value>,
    follow: Follow,
    /// Whether anything is followed: who has nothing to do and nothing to wait for needs no news.
    follows: bool,
    /// Objects told since a list began, by kind and namespace.
    fresh: BTreeMap<(String, String), BTreeSet<ObjectKey>>,
    polls: bool,
    /// Whether a watch failed: what it would have told may be missing.
    blind: bool,
    /// What is still there though it was deleted, when the time is over.
    standing: Vec<(ObjectKey, Value)>,
    /// What others have deleted.
    lost: Lost,
    /// Deployments that KServe has made of InferenceServices and that were there.
    children: BTreeSet<ObjectKey>,
    /// Objects whose write or deletion may have arrived all the same.
    doubtful: BTreeSet<ObjectKey>,
    /// How often somebody who waits is told so.
    beat: Duration,
    /// When that is due next.
    next_beat: Instant,
    /// When what may not be watched is read next.
    next_poll: Instant,
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
            if observed.pending.contains(key) {
                track.doubt();
            }
            (key.clone(), track)
        });
        let members = plan.members.len();
        let route = plan.before.clone();
        let mut run = Run {
            cluster,
            plan,
            sight,
            ledger: None,
            start,
            seen: Seen {
                health: vec![Health::absent(); members],
                since: vec![Duration::ZERO; members],
                ..Seen::default()
            },
            tracks: tracks.collect(),
            route: None,
            follow: Follow::new(),
            follows: false,
            fresh: BTreeMap::new(),
            polls: false,
            blind: false,
            standing: Vec::new(),
            lost: Lost::default(),
            children: observed.children.keys().map(watching::child_of).collect(),
            doubtful: BTreeSet::new(),
            beat,
            next_beat: Instant::now() + beat,
            next_poll: Instant::now(),
            told: vec![String::new(); members],
        };
        if route.as_ref().and_then(key_of) == run.route_key() {
            run.see_route(route);
        }
        run
    }

    /// The same with a record that is kept beside it.
    pub fn with_ledger(mut self, ledger: &'a Ledger<'a>) -> Run<'a> {
        self.ledger = Some(ledger);
        self
    }

    /// Fails when the release is not locked by this run any more.
    async fn check_lock(&self) -> Result<(), ClusterError> {
        match self.ledger {
            Some(ledger) => ledger.check().await,
            None => Ok(()),
        }
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
        self.route.as_ref().or_else(|| {
            // One of another kind or name stands until the one that is waited for is there.
            let stands = |key: ObjectKey| Some(&key) != self.route_key().as_ref() && !self.seen.done.contains_key(&key);
            self.plan.before.as_ref().filter(|route| key_of(route).is_some_and(stands))
        })
    }

    /// Does what the plan says, until it ends or `stop` turns true; a request in flight then ends first.
    ///
    /// # Errors
    ///
    /// What a request can fail with; what has been written stands in [`Run::seen`].
    pub async fn run(&mut self, stop: &mut watch::Receiver<bool>) -> Result<End, ClusterError> {
        loop {
            // A signal that has come is heard before anything else begins: by the driver, then by who waits for it.
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
            self.look();
            if *stop.borrow() {
                return Ok(End::Interrupted);
            }
            if !self.standing.is_empty() {
                return Ok(End::NotGone(std::mem::take(&mut self.standing)));
            }
            if self.has_lost() {
                self.put_back().await?;
                continue;
            }
            let next = next(self.plan, &self.seen);
            if !self.follows && !matches!(next, Next::End(_)) {
                self.start_following()?;
                self.follows = true;
            }
            let done = match next {
                // Before somebody is called late, whoever could not be watched is read.
                Next::End(Outcome::NotReady(_)) if self.blind => {
                    self.blind = false;
                    self.poll().await
                }
                // What is not followed may have been deleted while versions were waited for.
                Next::End(Outcome::Done | Outcome::Remains(..)) if self.lost.is_to_be_looked_for() => {
                    self.look_for_lost().await;
                    Ok(())
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

    /// Does one thing that the plan says is next.
    async fn perform(&mut self, next: Next, stop: &mut watch::Receiver<bool>) -> Result<(), ClusterError> {
        match next {
            Next::End(_) => {}
            Next::Watch(until) => {
                self.lost.look_later();
                self.watch(until, stop).await?;
            }
            Next::Write(keys) => self.write(&keys).await?,
            Next::Route(write) => self.write_route(write).await?,
            Next::Silence(key) => {
                self.cluster.silence(&self.sight.kinds, &key).await?;
                self.seen.silenced = true;
            }
            Next::Untie => {
                if let Some(key) = self.route_key() {
                    let left = self.sight.observed.left.iter().filter(|(key, _)| key.kind == "ConfigMap");
                    let uids: Vec<&str> = left.filter_map(|(_, map)| map["metadata"]["uid"].as_str()).collect();
                    self.cluster.untie(&self.sight.kinds, &key, &uids).await?;
                }
                self.seen.untied = true;
            }
            Next::Delete(keys) => self.delete(&keys, stop).await?,
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
        if !self.follows {
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
            let follows = self.plan.is_followed(&self.seen, route);
            let since = self.seen.follows.unwrap_or(self.seen.now);
            self.seen.follows = follows.then_some(since);
        }
    }
}

/// The key of an object; none when it lacks a part of one.
pub(super) fn key_of(object: &Value) -> Option<ObjectKey> {
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
