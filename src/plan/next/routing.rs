//! The route: what it says while versions are replaced, what it says at the end, and when requests have followed it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Next, Outcome, RouteWrite, Routed, State};
use crate::manifest::{ObjectKey, Role};
use crate::route::Route;

/// The longest that a running Iter8 controller takes to follow a routemap.
const CONTROLLER_FOLLOWS: Duration = Duration::from_secs(30);

impl State<'_> {
    /// Traffic rule 2: the write that takes requests from a version that stopped serving, or gives them back.
    pub(super) fn relief(&self) -> Option<Next> {
        if !self.writes_route() || self.is_unrouted() {
            return None;
        }
        let write = match &self.seen.routed {
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
        };
        write.map(Next::Route).or_else(|| self.rescue())
    }

    /// When nothing serves any more of what was routed before, what is settled gets everything at once.
    fn rescue(&self) -> Option<Next> {
        let was = !matches!(self.seen.routed, Routed::Wanted(_)) && !self.is_first();
        let mut routed = (0..self.plan.members.len()).filter(|index| self.member(*index).routed).peekable();
        let lost = routed.peek().is_some() && !routed.any(|index| self.serving(index));
        let saves = |index: usize| self.member(index).weight > 0 && self.settled(index);
        (was && lost && self.wanted().any(saves)).then(|| self.write_wanted()).flatten()
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
        let serves = |index: &usize| self.serving(*index);
        let mut out: BTreeSet<usize> = routed.iter().copied().filter(stays_out).collect();
        if !routed.difference(&out).any(serves) {
            // Whatever else serves is better than nothing.
            out = routed.iter().copied().filter(|index| !self.serving(*index)).collect();
        }
        // What takes every request that nothing else takes stays, whatever its state.
        out.retain(|index| self.can_do_without(&BTreeSet::from([*index])));
        // When all are settled the wanted route comes next: nothing is given back before it.
        if out.is_subset(gone) && self.unsettled().is_empty() {
            return None;
        }
        let left = routed.difference(&out).any(serves);
        (out != *gone && left && self.can_do_without(&out)).then_some(RouteWrite::Without(out))
    }

    pub(super) fn can_do_without(&self, out: &BTreeSet<usize>) -> bool {
        out.is_empty() || self.plan.previous_without(out).is_some()
    }

    /// The weights of the settled versions, and of those that have a share of this route and still serve.
    pub(super) fn weights(&self, route: &Route) -> Vec<u32> {
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

    /// The routemap and the wanted route, with the weights of what is settled; none when they are as they should be.
    pub(super) fn write_wanted(&self) -> Option<Next> {
        let unwritten = |role: Role| {
            let changes = self.plan.changes.iter().filter(move |change| change.role == Some(role));
            changes.map(|change| change.key.clone()).find(|key| !self.is_done(key))
        };
        // What the route before needs as it is changes only now.
        let support = self.plan.with_route.iter().filter(|key| !self.is_done(key));
        let support: Vec<ObjectKey> = support.cloned().collect();
        if !support.is_empty() {
            return Some(Next::Write(support));
        }
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
            Routed::Without(gone) => gone.is_empty() && weights == all && self.is_unchanged(route.key()),
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
    pub(super) fn route(&self) -> Option<Next> {
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
        match self.seen.in_force {
            Some(since) => self.drain(since),
            None => Some(self.until_in_force()),
        }
    }

    /// Waits until the live route is in force; past the deadline, ends.
    pub(super) fn until_in_force(&self) -> Next {
        let deadline = self.plan.goal.timeout;
        if self.seen.now >= deadline { Next::End(Outcome::NotInForce) } else { Next::Watch(deadline) }
    }

    pub(super) fn drain(&self, since: Duration) -> Option<Next> {
        let (live, going) = (self.live(), self.going());
        let leaves = |index: &usize| {
            let member = self.member(*index);
            let left = !live.contains(index) || self.heir(*index).is_some();
            member.routed && left && member.objects.iter().any(|key| going.contains(key))
        };
        let left = (0..self.plan.members.len()).filter(leaves).map(|index| self.left_since(index, since));
        let drained = left.max()? + self.plan.goal.drain;
        (self.seen.now < drained).then_some(Next::Watch(drained))
    }

    /// Waits until the controller's route says what the routemap says.
    pub(super) fn followed(&self) -> Option<Next> {
        if let Some(follows) = self.seen.follows {
            let Some(since) = self.seen.in_force else { return Some(self.until_in_force()) };
            let going = self.going();
            let leaves = |index: &usize| {
                let member = self.member(*index);
                member.index.is_none() && member.routed && member.objects.iter().any(|key| going.contains(key))
            };
            let leaving = (0..self.plan.members.len()).filter(leaves);
            let drained = leaving.map(|index| self.left_since(index, since.max(follows))).max()? + self.plan.goal.drain;
            return (self.seen.now < drained).then_some(Next::Watch(drained));
        }
        let last = self.seen.done.values().chain(&self.seen.since).max().copied().unwrap_or_default();
        let limit = last + CONTROLLER_FOLLOWS;
        if self.seen.now >= limit {
            return Some(Next::End(Outcome::NotFollowed));
        }
        Some(Next::Watch(limit))
    }
}
