//! Deleting what goes, when no request comes to it any more.

use super::{Next, Outcome, State};
use crate::manifest::ObjectKey;
use crate::plan::{Action, is_route};

impl State<'_> {
    /// Objects that have still to be deleted.
    pub(super) fn going(&self) -> Vec<ObjectKey> {
        let goes = self.plan.changes.iter().filter(|change| change.action == Action::Delete);
        goes.map(|change| change.key.clone()).filter(|key| !self.seen.done.contains_key(key)).collect()
    }

    /// Deletes what goes: what ties the route to a routemap first, then routes and routemaps, then versions and support.
    pub(super) fn prune(&self) -> Next {
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
        // Without its routemap a route is not written again.
        let (routes, routemaps): (Vec<ObjectKey>, Vec<ObjectKey>) = routing.into_iter().partition(is_route);
        if let Some(first) = [routemaps, routes].into_iter().find(|keys| !keys.is_empty()) {
            return Next::Delete(first);
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

/// Routes, and the routemaps that a controller makes routes of.
pub(super) fn is_routing(key: &ObjectKey) -> bool {
    is_route(key) || (key.kind == "ConfigMap" && key.name.ends_with("-routemap"))
}
