//! Waiting until versions are settled, failed, or late.

use super::prune::is_routing;
use super::{Next, Outcome, Routed, State};
use crate::manifest::ObjectKey;
use crate::readiness::Settled;

impl State<'_> {
    /// Where nothing is to be written: whether everything is as it should be, and waiting for it.
    ///
    /// What nothing can prove counts at once: no request moves.
    pub(super) fn unchanged(&self) -> Next {
        let bad = |index: &usize| self.seen.health.get(*index).is_some_and(|health| health.settled == Settled::No);
        let unsettled: Vec<usize> = self.unsettled().into_iter().filter(bad).collect();
        if !self.plan.goal.wait {
            let end = if unsettled.is_empty() { Outcome::Done } else { Outcome::Remains(unsettled, Vec::new()) };
            return Next::End(end);
        }
        let failed: Vec<usize> = unsettled.iter().copied().filter(|index| !self.has_not_failed(*index)).collect();
        if !failed.is_empty() {
            return Next::End(Outcome::NotReady(failed));
        }
        if !unsettled.is_empty() {
            let late = self.seen.now >= self.plan.goal.timeout;
            return if late { Next::End(Outcome::NotReady(unsettled)) } else { Next::Watch(self.plan.goal.timeout) };
        }
        if self.plan.before.is_some() && self.seen.in_force.is_none() {
            return self.until_in_force();
        }
        Next::End(Outcome::Done)
    }

    /// Waits until these members are sound; when one has failed for good, or past the deadline, ends.
    pub(super) fn until_sound(&self, members: &[usize]) -> Next {
        let unsound: Vec<usize> = members.iter().copied().filter(|index| !self.is_sound(*index)).collect();
        let failed: Vec<usize> = unsound.iter().copied().filter(|index| !self.has_not_failed(*index)).collect();
        if !failed.is_empty() {
            return Next::End(Outcome::NotReady(failed));
        }
        match self.until_deadline() {
            Next::End(_) if !unsound.is_empty() => Next::End(Outcome::NotReady(unsound)),
            next => next,
        }
    }

    /// Waits until the deadline; past it, ends.
    fn until_deadline(&self) -> Next {
        let deadline = self.plan.goal.timeout;
        if self.seen.now >= deadline {
            let unsettled = self.wanted().filter(|index| !self.settled(*index)).collect();
            return Next::End(Outcome::NotReady(unsettled));
        }
        // What nothing can prove may count earlier.
        let unproven = (0..self.plan.members.len())
            .filter(|index| self.seen.health.get(*index).is_some_and(|health| health.settled == Settled::Unproven));
        let soonest = unproven.map(|index| self.proof_ends(index)).filter(|at| *at > self.seen.now).min();
        Next::Watch(soonest.map_or(deadline, |at| at.min(deadline)))
    }

    /// Members that are waited for and not settled.
    pub(super) fn unsettled(&self) -> Vec<usize> {
        // Of a version without a share a failure is no more than a warning.
        let late = self.seen.now >= self.plan.goal.timeout;
        let weighs = |index: &usize| self.member(*index).weight > 0 || !self.is_written(*index);
        let awaited = |index: &usize| weighs(index) || (self.has_not_failed(*index) && !late);
        self.wanted().filter(|index| !self.settled(*index)).filter(awaited).collect()
    }

    pub(super) fn has_not_failed(&self, index: usize) -> bool {
        self.seen.health.get(index).is_none_or(|health| health.failed.is_none())
    }

    /// Whether there was no route before.
    pub(super) fn is_first(&self) -> bool {
        self.plan.before.is_none()
    }

    /// Waits until the versions are settled; none when that is so.
    pub(super) fn wait(&self) -> Option<Next> {
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
        Some(self.until_deadline())
    }

    /// Routes by what is settled now, and deletes what gets no requests.
    pub(super) fn without_waiting(&self, unsettled: Vec<usize>, any: bool) -> Option<Next> {
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
}
