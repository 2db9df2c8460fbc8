//! Objects that others delete while an apply runs: they are written again.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::Run;
use crate::cluster::{ClusterError, News};
use crate::manifest::{ObjectKey, Role};
use crate::plan::{Action, RouteWrite, Routed};

/// How often one object is written again: somebody who deletes it more often means it.
const MOST: usize = 3;

/// What others have deleted.
#[derive(Debug, Default)]
pub(super) struct Lost {
    keys: BTreeSet<ObjectKey>,
    /// How often each was written again.
    again: BTreeMap<ObjectKey, usize>,
    /// Whether time has passed since everything was known to be there.
    stale: bool,
}

impl Lost {
    /// Notes that time passes.
    pub fn look_later(&mut self) {
        self.stale = true;
    }

    /// Whether objects that nobody follows may have been deleted.
    pub fn is_to_be_looked_for(&self) -> bool {
        self.stale
    }
}

impl Run<'_> {
    /// Notes that an object was deleted, unless it is to go or has still to be written.
    pub(super) fn lose(&mut self, key: &ObjectKey) {
        let wanted = match self.plan.change(key) {
            Some(change) => change.action != Action::Delete && self.is_there_to_stay(key),
            // The route before, under another name.
            None => false,
        };
        let route = self.route_key().as_ref() == Some(key) && self.plan.route.is_some() && !self.seen.controller;
        if wanted || route {
            self.lost.keys.insert(key.clone());
        }
    }

    /// Whether an object is wanted and has been written, or was as it is wanted from the start.
    fn is_there_to_stay(&self, key: &ObjectKey) -> bool {
        let unchanged = self.plan.change(key).is_some_and(|change| change.action == Action::Unchanged);
        unchanged || self.seen.done.contains_key(key)
    }

    /// Whether others have deleted something that is to be there.
    pub(super) fn has_lost(&self) -> bool {
        !self.lost.keys.is_empty()
    }

    /// Writes again what others have deleted, if it is still gone.
    pub(super) async fn put_back(&mut self) -> Result<(), ClusterError> {
        let mut keys = BTreeSet::new();
        for key in std::mem::take(&mut self.lost.keys) {
            // What was told may be older than the write.
            let served = self.cluster.served(&self.sight.kinds, &key)?;
            match self.cluster.read(served, &key).await? {
                Some(live) => self.see_object(&key, Some(live)),
                None => drop(keys.insert(key)),
            }
        }
        for key in &keys {
            (self.cluster.say)(News::Lost(key));
            let times = self.lost.again.entry(key.clone()).or_default();
            *times += 1;
            if *times > MOST {
                let message = "somebody deletes it again and again".to_owned();
                return Err(ClusterError::Server { verb: format!("keep {key}"), message });
            }
            self.seen.done.remove(key);
        }
        let route = self.route_key();
        let (routes, others): (Vec<ObjectKey>, Vec<ObjectKey>) =
            keys.into_iter().partition(|key| route.as_ref() == Some(key));
        if !others.is_empty() {
            self.write(&others).await?;
        }
        if !routes.is_empty() {
            let write = match self.seen.routed.clone() {
                Routed::AsBefore => RouteWrite::Without(BTreeSet::new()),
                Routed::Without(out) => RouteWrite::Without(out),
                Routed::Wanted(weights) => RouteWrite::Wanted(weights),
            };
            self.write_route(write).await?;
        }
        Ok(())
    }

    /// Looks for objects that nobody follows: those that are gone are lost.
    pub(super) async fn look_for_lost(&mut self) {
        self.lost.stale = false;
        let followed = |key: &ObjectKey| self.tracks.contains_key(key);
        let changes = self.plan.changes.iter().filter(|change| {
            let stays = change.role.is_some_and(|role| role != Role::Route) && self.is_there_to_stay(&change.key);
            stays && !followed(&change.key)
        });
        let (cluster, kinds) = (self.cluster, &self.sight.kinds);
        let reads = changes.map(|change| async move {
            let served = kinds.get(&change.key.group, &change.key.kind)?;
            // What cannot be read is not known to be gone.
            matches!(cluster.read(served, &change.key).await, Ok(None)).then_some(&change.key)
        });
        let gone: Vec<&ObjectKey> = join_all(reads).await.into_iter().flatten().collect();
        gone.into_iter().for_each(|key| self.lose(key));
    }
}
