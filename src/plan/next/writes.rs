//! The writes of versions and support; one that its change interrupts waits until requests have left it.

use std::collections::BTreeSet;

use super::{Next, RouteWrite, Routed, State};
use crate::manifest::{ObjectKey, Role};

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
            .filter(|change| !self.plan.with_route.contains(&change.key))
            .map(|change| change.key.clone())
            .collect();
        if !keys.is_empty() {
            return Some(Next::Write(keys));
        }
        for index in interrupted {
            if self.is_written(index) {
                // One after the other: the next one needs this one's help.
                if !self.settled(index) && (self.member(index).weight > 0 || self.has_not_failed(index)) {
                    return Some(self.until_sound(&[index]));
                }
                continue;
            }
            if !self.plan.goal.wait {
                // Requests leave it only in time: it remains as it is.
                continue;
            }
            return Some(self.free(index).unwrap_or_else(|| {
                let objects = self.member(index).objects.iter();
                Next::Write(objects.filter(|key| !self.is_done(key)).cloned().collect())
            }));
        }
        None
    }

    /// Whether a member's share has to move before it is written.
    fn is_interrupted(&self, index: usize) -> bool {
        self.member(index).yields && self.writes_route()
    }

    /// What has to happen until no request comes to a member any more; none when that is so.
    fn free(&self, index: usize) -> Option<Next> {
        let live = self.live();
        // Those that have its share have to be what they are meant to be, and stay so.
        let rest: Vec<usize> = live.iter().copied().filter(|other| *other != index).collect();
        let ready = !rest.is_empty() && rest.iter().all(|other| self.is_sound(*other));
        if !live.contains(&index) {
            let Some(since) = self.seen.in_force else { return Some(self.until_in_force()) };
            let drained = since + self.plan.goal.drain;
            if self.seen.now < drained {
                return Some(Next::Watch(drained));
            }
            return (!ready).then(|| self.until_sound(&rest));
        }
        let mut out: BTreeSet<usize> = match &self.seen.routed {
            Routed::Without(gone) => gone.clone(),
            _ => BTreeSet::new(),
        };
        out.insert(index);
        if ready && self.can_do_without(&out) {
            return Some(Next::Route(RouteWrite::Without(out)));
        }
        Some(self.until_sound(&rest))
    }
}
