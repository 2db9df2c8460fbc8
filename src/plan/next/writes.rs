//! The writes of versions and support; one that its change interrupts waits until requests have left it.

use std::collections::BTreeSet;

use super::{Next, RouteWrite, Routed, State};
use crate::manifest::{ObjectKey, Role};
use crate::route::is_split;

impl State<'_> {
    /// Versions and support; a version that its change interrupts waits until requests have left it.
    pub(super) fn writes(&self) -> Option<Next> {
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
    pub(super) fn is_interrupted(&self, index: usize) -> bool {
        let member = self.member(index);
        let others = |other: usize| other != index && self.member(other).routed;
        member.interrupts
            && member.routed
            && self.writes_route()
            && self.plan.before.as_ref().is_some_and(is_split)
            && (0..self.plan.members.len()).any(others)
    }

    /// What has to happen until no request comes to a member any more; none when that is so, or cannot be.
    pub(super) fn free(&self, index: usize) -> Option<Next> {
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
}
