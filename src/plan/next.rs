//! What an apply does next: the one place that decides, from the plan and from what has been seen so far.
//!
//! The function is pure. Whoever performs what it says reports it in [`Seen`] and asks again; to go on after a crash is
//! the same function from a fresh look at the cluster. The traffic rules that it keeps:
//!
//! 1. A share that is new or larger goes to a version that is settled. Two exceptions: what a version that stopped serving
//!    had may go to one that serves; when nothing serves, the primary has all.
//! 2. A version that is changed in place keeps its share while it serves. When it stops, the others have it at once, and
//!    it comes back when the version is settled. When the change is known to interrupt it, its share moves first.
//! 3. A promotion keeps the live split until the new primary is settled.
//! 4. No version goes while the live route sends requests to it.

mod prune;
mod routing;
mod wait;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::{Action, Member, Plan};
use crate::manifest::ObjectKey;
use crate::readiness::{Health, Settled};
use crate::route::{Destination, destinations, shares, without};

/// What the performer reports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Time since the start of the command.
    pub now: Duration,
    /// Objects that have been written, or deleted, or found as they are wanted; with the time.
    pub done: BTreeMap<ObjectKey, Duration>,
    /// Newest state of each member of the plan.
    pub health: Vec<Health>,
    /// Since when the state of each member is what it is.
    pub since: Vec<Duration>,
    /// Which route is live.
    pub routed: Routed,
    /// Since when the live route is in force; none while it is not.
    pub in_force: Option<Duration>,
    /// What keeps the route from being in force.
    pub not_in_force: Option<String>,
    /// Whether the Iter8 controller took the route after the plan was made.
    pub controller: bool,
    /// Since when the controller's route says what the routemap says; none while it does not.
    pub follows: Option<Duration>,
    /// Whether the controller has been made to forget the routemap that goes.
    pub silenced: bool,
    /// Whether what ties the route to that routemap has been removed.
    pub untied: bool,
}

/// Which route is live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Routed {
    /// The one that was live before.
    #[default]
    AsBefore,
    /// The one that was live before, without these members.
    Without(BTreeSet<usize>),
    /// The wanted one, with these weights in force.
    Wanted(Vec<u32>),
}

/// A route to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteWrite {
    /// The one that was live before, without these members.
    Without(BTreeSet<usize>),
    /// The wanted one, with these weights in force.
    Wanted(Vec<u32>),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Write these objects at the same time.
    Write(Vec<ObjectKey>),
    /// Write the route.
    Route(RouteWrite),
    /// Take the label off the routemap that makes the Iter8 controller follow it.
    Silence(ObjectKey),
    /// Remove the controller's entry and the routemap's ownership from the route.
    Untie,
    /// Wait for news, not longer than until this time.
    Watch(Duration),
    /// Delete these objects at the same time.
    Delete(Vec<ObjectKey>),
    /// End.
    End(Outcome),
}

/// How an apply ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is as it is wanted.
    Done,
    /// These members are not settled: failed for good, or not in time.
    NotReady(Vec<usize>),
    /// The route is not in force in time.
    NotInForce,
    /// The Iter8 controller does not follow the routemap.
    NotFollowed,
    /// Nobody waited; these members are not settled, and these objects have still to go.
    Remains(Vec<usize>, Vec<ObjectKey>),
}

/// Decides what is done next.
pub fn next(plan: &Plan, seen: &Seen) -> Next {
    let state = State { plan, seen };
    if plan.changes_nothing() {
        return state.unchanged();
    }
    let steps = state.relief().or_else(|| state.writes()).or_else(|| state.wait()).or_else(|| state.route());
    steps.unwrap_or_else(|| state.prune())
}

impl Seen {
    /// Whether anything has been written or deleted.
    pub fn has_written(&self) -> bool {
        !self.done.is_empty() || self.routed != Routed::AsBefore || self.silenced || self.untied
    }
}

struct State<'a> {
    plan: &'a Plan,
    seen: &'a Seen,
}

impl State<'_> {
    fn member(&self, index: usize) -> &Member {
        &self.plan.members[index]
    }

    fn serving(&self, index: usize) -> bool {
        self.seen.health.get(index).is_some_and(|health| health.serving)
    }

    /// Whether a member is written as far as it has to be.
    fn is_written(&self, index: usize) -> bool {
        self.member(index).objects.iter().all(|key| self.is_done(key))
    }

    fn is_done(&self, key: &ObjectKey) -> bool {
        self.is_unchanged(key) || self.seen.done.contains_key(key)
    }

    /// Whether an object was as it is wanted from the start.
    fn is_unchanged(&self, key: &ObjectKey) -> bool {
        self.plan.change(key).is_none_or(|change| change.action == Action::Unchanged)
    }

    fn settled(&self, index: usize) -> bool {
        self.is_written(index) && self.is_sound(index)
    }

    /// Whether what serves is the spec that is stored now, be it one that has still to be replaced.
    fn is_sound(&self, index: usize) -> bool {
        self.seen.health.get(index).is_some_and(|health| match health.settled {
            Settled::Yes => true,
            Settled::No => false,
            Settled::Unproven => self.plan.goal.wait && self.seen.now >= self.proof_ends(index),
        })
    }

    /// When a status that nothing proves counts.
    fn proof_ends(&self, index: usize) -> Duration {
        let since = self.seen.since.get(index).copied().unwrap_or_default();
        let written = self.member(index).objects.iter().filter_map(|key| self.seen.done.get(key)).max();
        since.max(written.copied().unwrap_or_default()) + self.plan.goal.settle
    }

    fn wanted(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.plan.members.len()).filter(|index| self.member(*index).index.is_some())
    }

    fn writes_route(&self) -> bool {
        !self.seen.controller && self.plan.left_to_controller.is_none()
    }

    /// Whether the route that was live before has been deleted, and none has taken its place.
    fn is_unrouted(&self) -> bool {
        let goes = |change: &super::Change| change.action == Action::Delete && super::is_route(&change.key);
        let gone = self.plan.changes.iter().any(|change| goes(change) && self.seen.done.contains_key(&change.key));
        gone && !matches!(self.seen.routed, Routed::Wanted(_))
    }

    /// The settled version that has taken the place of a superseded one.
    fn heir(&self, index: usize) -> Option<usize> {
        self.wanted().find(|heir| self.member(*heir).is_heir_of(self.member(index)) && self.settled(*heir))
    }

    /// Since when no request is sent to a member that goes any more; `since` is when the live route came into force.
    ///
    /// A route that names a model alone stays as it is when the model moves: requests leave the old one when what has its
    /// name now is ready.
    fn left_since(&self, index: usize, since: Duration) -> Duration {
        let Some(heir) = self.heir(index) else { return since };
        let written = self.member(heir).objects.iter().filter_map(|key| self.seen.done.get(key)).max().copied();
        let ready = self.seen.since.get(heir).copied();
        since.max(written.unwrap_or_default()).max(ready.unwrap_or_default())
    }

    /// Members that the live route sends requests to.
    fn live(&self) -> BTreeSet<usize> {
        if self.is_unrouted() {
            return BTreeSet::new();
        }
        let all = 0..self.plan.members.len();
        match &self.seen.routed {
            Routed::AsBefore => all.filter(|index| self.member(*index).routed).collect(),
            Routed::Without(gone) => all.filter(|index| self.member(*index).routed && !gone.contains(index)).collect(),
            Routed::Wanted(weights) => self.of_weights(weights),
        }
    }

    fn of_weights(&self, weights: &[u32]) -> BTreeSet<usize> {
        let Some(route) = &self.plan.route else { return BTreeSet::new() };
        let places = route.at(weights).map(|manifest| destinations(&manifest.object)).unwrap_or_default();
        // A route through ModelMesh names no namespace: what is wanted under a name is meant, not what is left of it.
        let meant = |place: &&Destination| self.wanted().any(|index| self.member(index).is(place));
        let (wanted, others): (Vec<&Destination>, Vec<&Destination>) = places.iter().partition(meant);
        let is_live = |index: &usize| {
            let places = if self.member(*index).index.is_some() { &wanted } else { &others };
            places.iter().any(|place| self.member(*index).is(place))
        };
        (0..self.plan.members.len()).filter(is_live).collect()
    }
}

impl Plan {
    /// Whether a live route, written by the Iter8 controller, says what the wanted one says with what is settled now.
    pub fn is_followed(&self, seen: &Seen, live: &Value) -> bool {
        let Some(route) = self.left_to_controller.as_ref().or(self.route.as_ref()) else { return true };
        let weights = State { plan: self, seen }.weights(route);
        route.at(&weights).is_ok_and(|manifest| shares(&manifest.object) == shares(live))
    }

    /// The members that are settled.
    pub fn settled(&self, seen: &Seen) -> Vec<bool> {
        let state = State { plan: self, seen };
        (0..self.members.len()).map(|index| state.settled(index)).collect()
    }

    /// The route that was live before, without the members of these numbers; none when it cannot be.
    pub fn previous_without(&self, out: &BTreeSet<usize>) -> Option<Value> {
        let before = self.before.as_ref()?;
        if out.is_empty() {
            return Some(before.clone());
        }
        let gone = |place: &Destination| out.iter().any(|index| self.members[*index].is(place));
        without(before, &gone)
    }

    /// The routemap that goes because r8 alone writes the route from now on.
    fn routemap_to_go(&self) -> Option<&ObjectKey> {
        self.route.as_ref()?;
        let goes = |change: &&super::Change| change.action == Action::Delete && change.key.kind == "ConfigMap";
        self.changes.iter().filter(goes).map(|change| &change.key).find(|key| prune::is_routing(key))
    }
}
