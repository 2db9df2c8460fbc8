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

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::{Action, Member, Plan};
use crate::manifest::{ObjectKey, Role};
use crate::readiness::{Health, Settled};
use crate::route::{Route, destinations, is_split, shares, without};

/// The longest that a running Iter8 controller takes to follow a routemap.
const CONTROLLER_FOLLOWS: Duration = Duration::from_secs(30);

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
    /// Whether the controller's route says what the routemap says.
    pub follows: bool,
    /// Whether the controller has been made to forget the routemap that goes.
    pub silenced: bool,
    /// Whether what ties the route to that routemap has been removed.
    pub untied: bool,
}

/// Which route is live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Routed {
    /// The one that was live before, without these members.
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
        return Next::End(Outcome::Done);
    }
    if let Some(write) = state.relief() {
        return Next::Route(write);
    }
    state.writes().or_else(|| state.wait()).or_else(|| state.route()).unwrap_or_else(|| state.prune())
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
        let unchanged = self.plan.change(key).is_none_or(|change| change.action == Action::Unchanged);
        unchanged || self.seen.done.contains_key(key)
    }

    fn settled(&self, index: usize) -> bool {
        let Some(health) = self.seen.health.get(index) else { return false };
        self.is_written(index)
            && match health.settled {
                Settled::Yes => true,
                Settled::No => false,
                Settled::Unproven => self.plan.goal.wait && self.seen.now >= self.proof_ends(index),
            }
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

    /// Members that the live route sends requests to.
    fn live(&self) -> BTreeSet<usize> {
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
        let is_live = |index: &usize| places.iter().any(|place| self.member(*index).is(place));
        (0..self.plan.members.len()).filter(is_live).collect()
    }

    /// Traffic rule 2: the write that takes requests from a version that stopped serving, or gives them back.
    fn relief(&self) -> Option<RouteWrite> {
        if !self.writes_route() {
            return None;
        }
        match &self.seen.routed {
            Routed::Wanted(weights) => {
                let live = self.of_weights(weights);
                let index = |member: &usize| self.member(*member).index;
                let down: BTreeSet<usize> =
                    live.iter().filter(|member| !self.serving(**member)).filter_map(index).collect();
                let up = live.iter().any(|member| {
                    self.serving(*member) && index(member).is_some_and(|at| weights.get(at).is_some_and(|w| *w > 0))
                });
                let weigh = |(at, weight): (usize, &u32)| if down.contains(&at) { 0 } else { *weight };
                let lower: Vec<u32> = weights.iter().enumerate().map(weigh).collect();
                (up && lower != *weights).then_some(RouteWrite::Wanted(lower))
            }
            Routed::AsBefore => self.relieved(&BTreeSet::new()),
            Routed::Without(gone) => self.relieved(gone),
        }
    }

    fn relieved(&self, gone: &BTreeSet<usize>) -> Option<RouteWrite> {
        let routed: BTreeSet<usize> = (0..self.plan.members.len()).filter(|at| self.member(*at).routed).collect();
        let stays_out = |index: &usize| {
            if gone.contains(index) {
                // It comes back settled; one that will be interrupted has still to be written.
                !self.settled(*index)
            } else {
                !self.serving(*index)
            }
        };
        let out: BTreeSet<usize> = routed.iter().copied().filter(stays_out).collect();
        let left = routed.difference(&out).any(|index| self.serving(*index));
        (out != *gone && left && self.can_do_without(&out)).then_some(RouteWrite::Without(out))
    }

    fn can_do_without(&self, out: &BTreeSet<usize>) -> bool {
        out.is_empty() || self.plan.previous_without(out).is_some()
    }

    /// Versions and support; a version that its change interrupts waits until requests have left it.
    fn writes(&self) -> Option<Next> {
        let routing = |role: Role| matches!(role, Role::Routemap | Role::Route);
        let interrupted: Vec<usize> =
            (0..self.plan.members.len()).filter(|index| self.is_interrupted(*index)).collect();
        let waits = |key: &ObjectKey| interrupted.iter().any(|index| self.member(*index).objects.contains(key));
        let keys: Vec<ObjectKey> = self
            .plan
            .changes
            .iter()
            .filter(|change| change.role.is_some_and(|role| !routing(role)))
            .filter(|change| !self.is_done(&change.key) && !waits(&change.key))
            .map(|change| change.key.clone())
            .collect();
        if !keys.is_empty() {
            return Some(Next::Write(keys));
        }
        for index in interrupted {
            if self.is_written(index) {
                // One after the other: the next one needs this one's help.
                if !self.settled(index) && self.seen.health.get(index).is_some_and(|health| health.failed.is_none()) {
                    return self.until_deadline();
                }
                continue;
            }
            if let Some(first) = self.free(index) {
                return Some(first);
            }
            return Some(Next::Write(
                self.member(index).objects.iter().filter(|key| !self.is_done(key)).cloned().collect(),
            ));
        }
        None
    }

    /// Whether a member's share has to move before it is written.
    fn is_interrupted(&self, index: usize) -> bool {
        let member = self.member(index);
        let others = |other: usize| other != index && self.member(other).routed;
        member.interrupts
            && member.routed
            && self.writes_route()
            && self.plan.before.as_ref().is_some_and(is_split)
            && (0..self.plan.members.len()).any(others)
    }

    /// What has to happen until no request comes to a member any more; none when that is so, or cannot be.
    fn free(&self, index: usize) -> Option<Next> {
        if self.live().contains(&index) {
            let mut out: BTreeSet<usize> = match &self.seen.routed {
                Routed::Without(gone) => gone.clone(),
                _ => BTreeSet::new(),
            };
            out.insert(index);
            let left = self.live().iter().any(|other| *other != index && self.serving(*other));
            if !left || !self.can_do_without(&out) {
                return None;
            }
            return Some(Next::Route(RouteWrite::Without(out)));
        }
        let Some(since) = self.seen.in_force else { return self.until_deadline() };
        let drained = since + self.plan.goal.drain;
        (self.seen.now < drained).then_some(Next::Watch(drained))
    }

    /// Waits until the deadline; past it, ends.
    fn until_deadline(&self) -> Option<Next> {
        let deadline = self.plan.goal.timeout;
        if self.seen.now >= deadline {
            let unsettled = self.wanted().filter(|index| !self.settled(*index)).collect();
            return Some(Next::End(Outcome::NotReady(unsettled)));
        }
        // What nothing can prove may count earlier.
        let unproven = self
            .wanted()
            .filter(|index| self.seen.health.get(*index).is_some_and(|health| health.settled == Settled::Unproven));
        let soonest = unproven.map(|index| self.proof_ends(index)).filter(|at| *at > self.seen.now).min();
        Some(Next::Watch(soonest.map_or(deadline, |at| at.min(deadline))))
    }

    /// Members that are waited for and not settled.
    fn unsettled(&self) -> Vec<usize> {
        // Of a version without a share a failure is no more than a warning.
        let late = self.seen.now >= self.plan.goal.timeout;
        let awaited = |index: &usize| self.member(*index).weight > 0 || (self.has_not_failed(*index) && !late);
        self.wanted().filter(|index| !self.settled(*index)).filter(awaited).collect()
    }

    fn has_not_failed(&self, index: usize) -> bool {
        self.seen.health.get(index).is_none_or(|health| health.failed.is_none())
    }

    /// Whether there was no route before.
    fn is_first(&self) -> bool {
        self.plan.before.is_none()
    }

    /// The weights of the settled versions, and of those that have a share of this route and still serve.
    fn weights(&self, route: &Route) -> Vec<u32> {
        let keeps = |at: usize| match &self.seen.routed {
            Routed::Wanted(live) => live.get(at).is_some_and(|weight| *weight > 0),
            _ => false,
        };
        let ready = |index: &usize| {
            self.settled(*index) || (self.serving(*index) && self.member(*index).index.is_some_and(keeps))
        };
        let ready: BTreeSet<usize> = self.wanted().filter(ready).filter_map(|index| self.member(index).index).collect();
        route.in_force(|index| ready.contains(&index))
    }

    /// Waits until the versions are settled; none when that is so.
    fn wait(&self) -> Option<Next> {
        let unsettled = self.unsettled();
        if unsettled.is_empty() {
            return None;
        }
        let any = self.wanted().any(|index| self.settled(index));
        if !self.plan.goal.wait {
            return self.without_waiting(unsettled, any);
        }
        let failed: Vec<usize> = unsettled.iter().copied().filter(|index| !self.has_not_failed(*index)).collect();
        let ends = !failed.is_empty() || self.seen.now >= self.plan.goal.timeout;
        // On a first install the primary does not wait for the others; when one of them fails, nobody waits any more.
        let primary = self.wanted().find(|index| self.member(*index).index == Some(0));
        let starts = primary.is_some_and(|index| self.settled(index)) && self.seen.routed == Routed::AsBefore;
        if self.is_first()
            && (starts || (ends && any))
            && let Some(next) = self.write_wanted()
        {
            return Some(next);
        }
        if ends {
            let late = if failed.is_empty() { unsettled } else { failed };
            return Some(Next::End(Outcome::NotReady(late)));
        }
        self.until_deadline()
    }

    /// Routes by what is settled now, and deletes what gets no requests.
    fn without_waiting(&self, unsettled: Vec<usize>, any: bool) -> Option<Next> {
        let live = self.live();
        let keeps = unsettled.iter().any(|index| live.contains(index));
        if any
            && !keeps
            && let Some(next) = self.write_wanted()
        {
            return Some(next);
        }
        let was = |key: &ObjectKey| {
            self.plan
                .members
                .iter()
                .any(|member| member.routed && member.index.is_none() && member.objects.contains(key))
        };
        let (stay, go): (Vec<ObjectKey>, Vec<ObjectKey>) =
            self.going().into_iter().partition(|key| was(key) || is_routing(key));
        if !go.is_empty() {
            return Some(Next::Delete(go));
        }
        Some(Next::End(Outcome::Remains(unsettled, stay)))
    }

    /// Objects that have still to be deleted.
    fn going(&self) -> Vec<ObjectKey> {
        let goes = self.plan.changes.iter().filter(|change| change.action == Action::Delete);
        goes.map(|change| change.key.clone()).filter(|key| !self.seen.done.contains_key(key)).collect()
    }

    /// The routemap and the wanted route, with the weights of what is settled; none when they are as they should be.
    fn write_wanted(&self) -> Option<Next> {
        let unwritten = |role: Role| {
            let changes = self.plan.changes.iter().filter(move |change| change.role == Some(role));
            changes.map(|change| change.key.clone()).find(|key| !self.is_done(key))
        };
        if let Some(routemap) = unwritten(Role::Routemap) {
            return Some(Next::Write(vec![routemap]));
        }
        let route = self.plan.route.as_ref().filter(|_| self.writes_route())?;
        let weights = self.weights(route);
        let all = route.in_force(|_| true);
        let is_live = match &self.seen.routed {
            Routed::Wanted(live) => *live == weights,
            // What was live before is what is wanted.
            Routed::AsBefore => weights == all && self.is_done(route.key()),
            Routed::Without(_) => false,
        };
        if is_live {
            return None;
        }
        if let Some(key) = self.plan.routemap_to_go().filter(|_| !self.seen.silenced) {
            return Some(Next::Silence(key.clone()));
        }
        Some(Next::Route(RouteWrite::Wanted(weights)))
    }

    /// The route, until it is in force and requests have left the versions that go.
    fn route(&self) -> Option<Next> {
        if let Some(next) = self.write_wanted() {
            return Some(next);
        }
        if self.plan.left_to_controller.is_some() || self.seen.controller {
            return self.followed();
        }
        self.plan.route.as_ref()?;
        if self.going().is_empty() && self.seen.routed == Routed::AsBefore {
            return None;
        }
        let Some(since) = self.seen.in_force else {
            if self.seen.now >= self.plan.goal.timeout {
                return Some(Next::End(Outcome::NotInForce));
            }
            return Some(Next::Watch(self.plan.goal.timeout));
        };
        self.drain(since)
    }

    fn drain(&self, since: Duration) -> Option<Next> {
        let live = match &self.seen.routed {
            Routed::AsBefore => return None,
            _ => self.live(),
        };
        let going = self.going();
        let leaves = |index: usize| {
            let member = self.member(index);
            member.routed && !live.contains(&index) && member.objects.iter().any(|key| going.contains(key))
        };
        let drained = since + self.plan.goal.drain;
        let waits = (0..self.plan.members.len()).any(leaves) && self.seen.now < drained;
        waits.then_some(Next::Watch(drained))
    }

    /// Waits until the controller's route says what the routemap says.
    fn followed(&self) -> Option<Next> {
        if self.seen.follows {
            let since = self.seen.in_force.unwrap_or_default();
            let drained = since + self.plan.goal.drain;
            let going = self.going();
            let leaves = self.plan.members.iter().any(|member| {
                member.index.is_none() && member.routed && member.objects.iter().any(|key| going.contains(key))
            });
            return (leaves && self.seen.now < drained).then_some(Next::Watch(drained));
        }
        let last = self.seen.done.values().chain(&self.seen.since).max().copied().unwrap_or_default();
        let limit = last + CONTROLLER_FOLLOWS;
        if self.seen.now >= limit {
            return Some(Next::End(Outcome::NotFollowed));
        }
        Some(Next::Watch(limit))
    }

    /// Deletes what goes: what ties the route to a routemap first, then routes and routemaps, then versions and support.
    fn prune(&self) -> Next {
        let going = self.going();
        if going.is_empty() {
            return Next::End(Outcome::Done);
        }
        if let Some(key) = self.plan.routemap_to_go().filter(|key| going.contains(key)) {
            if !self.seen.silenced {
                return Next::Silence(key.clone());
            }
            if !self.seen.untied {
                return Next::Untie;
            }
        }
        let (routing, others): (Vec<ObjectKey>, Vec<ObjectKey>) = going.into_iter().partition(is_routing);
        if !routing.is_empty() {
            return Next::Delete(routing);
        }
        // A route that went took its requests along; proxies learn of it as late as of any other change.
        let gone = self.plan.changes.iter().filter(|change| change.action == Action::Delete && is_route(&change.key));
        let gone = gone.filter_map(|change| self.seen.done.get(&change.key)).max();
        if let Some(gone) = gone {
            let drained = *gone + self.plan.goal.drain;
            let routed = self
                .plan
                .members
                .iter()
                .any(|member| member.routed && member.objects.iter().any(|key| others.contains(key)));
            if routed && self.seen.now < drained {
                return Next::Watch(drained);
            }
        }
        Next::Delete(others)
    }
}

fn is_route(key: &ObjectKey) -> bool {
    key.kind == "VirtualService" || key.kind == "HTTPRoute"
}

/// Routes, and the routemaps that a controller makes routes of.
fn is_routing(key: &ObjectKey) -> bool {
    is_route(key) || (key.kind == "ConfigMap" && key.name.ends_with("-routemap"))
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
        let gone = |place: &crate::route::Destination| out.iter().any(|index| self.members[*index].is(place));
        without(before, &gone)
    }

    /// The routemap that goes because r8 alone writes the route from now on.
    fn routemap_to_go(&self) -> Option<&ObjectKey> {
        self.route.as_ref()?;
        let goes = |change: &&super::Change| change.action == Action::Delete && change.key.kind == "ConfigMap";
        self.changes.iter().filter(goes).map(|change| &change.key).find(|key| is_routing(key))
    }
}
