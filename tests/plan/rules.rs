//! What every step is held to: the traffic rules, as the specification has them.

use r8::manifest::{ObjectKey, Role};
use r8::plan::{self, Action, Outcome, Routed, Warning};
use serde_json::Value;

use super::shares::destination;
use super::{Moment, World};

impl World {
    pub(super) fn fail(&self, moment: &Moment, rule: &str) -> ! {
        panic!("{rule}\n{}\nhealth: {:?}", moment.story.join("\n"), moment.seen.health)
    }

    /// Traffic rule 1, for a route that is written now.
    pub(super) fn check_route(&self, moment: &Moment, new: &Value) {
        let (old, new) = (self.shares(moment, moment.route.as_ref()), self.shares(moment, Some(new)));
        let serving = |index: usize| moment.seen.health[index].serving;
        // A share is free when its version does not serve; it comes back later to others than those that had it.
        let freed = (0..old.len()).any(|index| old[index] > 0.0 && !serving(index))
            || moment.stopped.iter().any(|index| old[*index] == 0.0);
        for (index, member) in self.plan.members.iter().enumerate() {
            let keeps =
                member.index.is_some() && member.weight > 0 && serving(index) && !self.is_settled(moment, index);
            let yields = member.yields && !self.is_written(moment, index);
            if keeps && old[index] > 0.0 && new[index] == 0.0 && !yields {
                self.fail(moment, &format!("rule 2: {} serves and loses its share", member.name));
            }
        }
        for index in 0..new.len() {
            if new[index] <= old[index] + 1e-9 || self.is_settled(moment, index) {
                continue;
            }
            let nothing = (0..new.len()).all(|other| !serving(other));
            let primary = self.plan.members[index].index == Some(0) && nothing;
            if !(primary || serving(index) && freed) {
                self.fail(
                    moment,
                    &format!("rule 1: {} gets {} instead of {}", self.plan.members[index].name, new[index], old[index]),
                );
            }
        }
    }

    /// What all versions need changes with the route that needs it so, not under one that needs it as it was.
    pub(super) fn check_support(&self, moment: &Moment, keys: &[ObjectKey], members: usize) {
        let settled = |index| self.is_written(moment, index) && self.is_settled(moment, index);
        let new_route = (0..members).any(|index| self.plan.members[index].index.is_some() && settled(index));
        let reshaped = keys.iter().find(|key| self.is_reshaped(key));
        if let Some(key) = reshaped.filter(|_| moment.route.is_some() && !new_route) {
            self.fail(moment, &format!("{key} changes under the route that needs it as it was"));
        }
    }

    /// Traffic rule 2, for a version that is written now: it is not interrupted while it has requests, or with a warning.
    pub(super) fn check_interruption(&self, moment: &Moment, index: usize, shares: &[f64]) {
        let member = &self.plan.members[index];
        let warned = Warning::Interrupted(member.name.clone());
        if member.interrupts && shares[index] > 0.0 && !self.plan.warnings.contains(&warned) {
            self.fail(moment, &format!("rule 2: {} is interrupted with requests", member.name));
        }
        let broken = |other: &usize| {
            let other = (*other, &self.plan.members[*other]);
            let counts = other.0 != index && other.1.yields && other.1.weight > 0;
            counts && self.is_written(moment, other.0) && moment.seen.health[other.0].failed.is_some()
        };
        if member.yields && (0..shares.len()).any(|other| broken(&other)) {
            self.fail(moment, &format!("{} is interrupted after another one has failed", member.name));
        }
        if member.interrupts && shares[index] == 0.0 {
            self.check_free(moment, index);
        }
    }

    /// Traffic rule 4, for objects that are deleted now; and no route goes that its controller would write again.
    pub(super) fn check_deletion(&self, moment: &Moment, keys: &[ObjectKey]) {
        let goes = |change: &&plan::Change| change.action == Action::Delete && change.key.name.ends_with("-routemap");
        let routemap = self.plan.changes.iter().find(goes).map(|change| &change.key);
        let is_there = routemap.filter(|key| !moment.seen.done.contains_key(*key));
        if let (Some(routemap), Some(route)) = (is_there, keys.iter().find(|key| plan::is_route(key))) {
            self.fail(moment, &format!("{route} goes before {routemap}, whose controller writes it again"));
        }
        for (index, member) in self.plan.members.iter().enumerate() {
            if member.objects.iter().any(|key| keys.contains(key)) {
                if self.shares(moment, moment.route.as_ref())[index] > 0.0 {
                    self.fail(moment, &format!("rule 4: {} is deleted with requests", member.name));
                }
                self.check_free(moment, index);
            }
        }
    }

    /// Requests have had the time of `--drain` to leave a version.
    fn check_free(&self, moment: &Moment, index: usize) {
        let free = moment.free[index];
        if !free.is_some_and(|since| since.is_zero() || moment.seen.now >= since + self.plan.goal.drain) {
            self.fail(moment, &format!("{} still has requests on their way", self.plan.members[index].name));
        }
    }

    /// Traffic rule 2: who waits has no version in the split that does not serve while another one does; when none of
    /// the split does, neither does one that it came from, and nothing that is wanted is settled.
    pub(super) fn check_relief(&self, moment: &Moment) {
        if self.plan.changes_nothing() {
            return;
        }
        let Some(route) = &moment.route else { return };
        let shares = self.shares(moment, Some(route));
        let serves = |index: usize| moment.seen.health[index].serving;
        let before = !matches!(moment.seen.routed, Routed::Wanted(_));
        if before && !(0..shares.len()).any(|index| shares[index] > 0.0 && serves(index)) {
            for (index, member) in self.plan.members.iter().enumerate() {
                let settled = self.is_written(moment, index) && self.is_settled(moment, index);
                let saves = member.index.is_some() && member.weight > 0 && settled;
                if saves || (member.routed && serves(index)) {
                    self.fail(moment, &format!("rule 2: {} serves, and all requests fail", member.name));
                }
            }
        }
        let rules = route["spec"]["http"].as_array().or(route["spec"]["rules"].as_array()).unwrap();
        let key = if route["spec"]["http"].is_array() { "route" } else { "backendRefs" };
        for rule in rules {
            let list = rule[key].as_array().unwrap();
            let serves = |item: &Value| {
                let place = destination(item, key == "route");
                moment.seen.health[self.meant(moment, &place).unwrap()].serving
            };
            let weighs = |item: &&Value| item["weight"] != 0;
            let states: Vec<bool> = list.iter().filter(weighs).map(serves).collect();
            if states.contains(&true) && states.contains(&false) {
                self.fail(moment, "rule 2: requests go to a version that does not serve");
            }
        }
    }

    /// What an end promises is so.
    pub(super) fn check_end(&self, moment: &Moment, outcome: &Outcome) {
        let changes = || self.plan.changes.iter().filter(|change| change.action != Action::Unchanged);
        match outcome {
            Outcome::Done => {
                for change in changes() {
                    let route = change.role == Some(Role::Route);
                    if !route && !moment.seen.done.contains_key(&change.key) {
                        self.fail(moment, &format!("the end, and {} is not done", change.key));
                    }
                }
                for (index, member) in self.plan.members.iter().enumerate() {
                    let awaited = member.index.is_some() && member.weight > 0 && !self.plan.changes_nothing();
                    if awaited && !self.is_settled(moment, index) && self.plan.goal.wait {
                        // It was settled once; what happens after the route is written is no more awaited.
                        assert!(matches!(moment.seen.routed, Routed::Wanted(_) | Routed::AsBefore));
                    }
                }
            }
            Outcome::NotReady(late) => {
                if late.is_empty() {
                    self.fail(moment, "not ready, and nobody is late");
                }
                // A route that another one has replaced may be gone, or one that the user does without.
                let wanted = matches!(moment.seen.routed, Routed::Wanted(_)) || self.plan.goal.remove_route;
                let replaced = |key: &ObjectKey| wanted && (plan::is_route(key) || key.name.ends_with("-routemap"));
                for change in changes().filter(|change| change.action == Action::Delete && !replaced(&change.key)) {
                    if moment.seen.done.contains_key(&change.key) {
                        self.fail(moment, &format!("not ready, and {} is deleted", change.key));
                    }
                }
            }
            Outcome::NotInForce | Outcome::NotFollowed | Outcome::Remains(..) => {}
        }
    }
}
