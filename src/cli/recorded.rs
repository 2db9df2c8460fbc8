//! The records of an apply: what the release's history says before it, and the revision that it makes.

use std::time::SystemTime;

use futures_util::future::join;

use super::args;
use super::prepare::{self, Said};
use super::request::World;
use crate::cluster::records::{Held, Holder, Kept, Known, Records, RecordsError, Take};
use crate::cluster::{Cluster, ClusterError, End, Sight, found_route, manifest};
use crate::manifest::{Manifest, Manifests, Role};
use crate::plan::{Action, Goal, Outcome, Plan, Release, Routed, Seen};
use crate::record::{Chart, Entry, Info, RecordError, Revision, Status, StoredRoute, Time, current, next_number};

/// The time now.
pub(super) const CLOCK: &dyn Fn() -> SystemTime = &SystemTime::now;

/// The history of a release that nobody else is at work on.
pub(super) struct History {
    known: Vec<Known>,
    /// The revision that the next one starts from, and every later one.
    kept: Vec<Kept>,
    /// What is wrong with those of them that cannot be read: they are no base for anything.
    pub broken: Vec<RecordsError>,
}

/// Looks at the cluster and plans, on the history of a release that nobody else is at work on: what others have done is
/// known before any object is read.
///
/// # Errors
///
/// [`RecordsError::Locked`], and what every request can fail with.
pub(super) async fn look(
    cluster: &Cluster<'_>,
    records: &Records<'_>,
    take: Take,
    said: &Said,
    goal: &Goal,
) -> Result<(History, Sight, Plan), ClusterError> {
    let (ground, known) = join(cluster.ground(&said.manifests), records.unlocked(&said.release, take, CLOCK)).await;
    let (ground, known) = (ground?, known?);
    let (history, looked) = join(read(records, known), prepare::look_on(ground, cluster, said, goal)).await;
    let (sight, plan) = looked?;
    Ok((history?, sight, plan))
}

/// Reads the revision that the next one starts from, and every later one.
async fn read(records: &Records<'_>, known: Vec<Known>) -> Result<History, RecordsError> {
    let entries: Vec<Entry> = known.iter().map(|known| known.entry).collect();
    let first = current(&entries).map_or(u64::MAX, |entry| entry.number);
    let needed: Vec<Known> = known.iter().filter(|known| known.entry.number >= first).cloned().collect();
    let (kept, broken) = records.read_all(&needed).await?;
    Ok(History { known, kept, broken })
}

/// The revision that an apply is to make.
pub(super) struct Made {
    /// As it will be when all is done, but for its status.
    pub whole: Revision,
    /// Its objects without the route.
    pub objects: Manifests,
    /// What the record holds of the route before it is written.
    found: String,
}

impl History {
    fn entries(&self) -> Vec<Entry> {
        self.known.iter().map(|known| known.entry).collect()
    }

    /// The revision that is to be made of what is said.
    ///
    /// # Errors
    ///
    /// What cannot be written down.
    pub fn make(&self, said: &Said, sight: &Sight, plan: &Plan) -> Result<Made, RecordError> {
        let entries = self.entries();
        let first = self.kept.first().and_then(|kept| kept.revision.info.first_deployed);
        let info = Info::beginning(&entries, first, Time::from(CLOCK()));
        let mut chart = Chart::own(env!("CARGO_PKG_VERSION"), said.defaults.clone());
        if let Some(route) = &said.route {
            let (open, weights) = (route.open().to_owned(), route.wanted().to_vec());
            StoredRoute { open, weights, template: route.template().to_owned() }.write(&mut chart)?;
        }
        let objects = sight.manifests.filter(|manifest| manifest.role != Role::Route);
        let text = |route: Option<Manifest>| {
            manifest(&objects, route).map_err(|problem| RecordError::Object { line: 1, problem })
        };
        let wanted = plan.route.as_ref().and_then(|route| sight.route_at(route, &route.in_force(|_| true)).ok());
        let Release { name, namespace } = &said.release;
        let number = next_number(&entries);
        let mut whole = Revision::new(name, namespace, number, info, Some(chart), said.config.clone());
        whole.manifest = text(wanted)?;
        let found = text(found_route(plan))?;
        Ok(Made { whole, objects, found })
    }

    /// Whether the last revision is deployed and says the same.
    pub fn has(&self, made: &Made) -> bool {
        let last = self.known.last().map(|known| known.entry);
        let same = |kept: &&Kept| {
            let (old, new) = (&kept.revision, &made.whole);
            Some(old.number) == last.map(|entry| entry.number)
                && old.info.status == Status::Deployed
                && (&old.config, &old.manifest, &old.chart) == (&new.config, &new.manifest, &new.chart)
        };
        self.kept.last().filter(same).is_some()
    }
}

impl Made {
    /// The record that locks the release: pending, with the route that was found.
    ///
    /// # Errors
    ///
    /// [`RecordError::Full`] when the revision will be too large once the route is written.
    pub fn pending(&self) -> Result<Revision, RecordError> {
        self.whole.encode()?;
        let mut pending = self.whole.clone();
        pending.manifest.clone_from(&self.found);
        Ok(pending)
    }
}

/// Ends a revision as its run has ended; `description` is the user's.
pub(super) fn end(revision: &mut Revision, end: &Result<End, ClusterError>, plan: &Plan, description: Option<&str>) {
    let names = |late: &[usize]| late.iter().map(|at| plan.members[*at].name.as_str()).collect::<Vec<_>>().join(", ");
    let why = match end {
        Ok(End::Outcome(Outcome::Done | Outcome::Remains(..))) => return revision.info.complete(description),
        Ok(End::Outcome(Outcome::NotReady(late))) => format!("not ready: {}", names(late)),
        Ok(End::Outcome(Outcome::NotInForce)) => "the route is not in force".to_owned(),
        Ok(End::Outcome(Outcome::NotFollowed)) => "the Iter8 controller does not follow the routemap".to_owned(),
        Ok(End::NotGone(stuck)) => {
            let keys: Vec<String> = stuck.iter().map(|(key, _)| key.to_string()).collect();
            format!("still there: {}", keys.join(", "))
        }
        Ok(End::Interrupted) => format!("interrupted at {}", Time::from(CLOCK())),
        Err(error) => error.to_string(),
    };
    let name = revision.name.clone();
    revision.info.fail(&name, &why);
}

/// Marks a revision whose objects are being deleted, with Helm's words.
pub(super) fn deleting(revision: &mut Revision) {
    revision.info.status = Status::Uninstalling;
    revision.info.deleted = Some(Time::from(CLOCK()));
    revision.info.description = "Deletion in progress (or silently failed)".to_owned();
}

/// Ends a deletion: its records go, or the last one stays as uninstalled; one that did not end well stays as failed.
pub(super) async fn deleted(held: Held<'_>, done: bool, args: &args::Delete) -> Result<(), RecordsError> {
    if done && !args.keep_history {
        return held.forget().await;
    }
    let description = args.description.as_deref().unwrap_or("Uninstallation complete");
    let end = |revision: &mut Revision| {
        let (status, text) = match done {
            true => (Status::Uninstalled, description),
            false => (Status::Failed, "Deletion did not end: not everything is gone"),
        };
        (revision.info.status, revision.info.description) = (status, text.to_owned());
    };
    held.finish(end, 0, CLOCK()).await.map(drop)
}

/// The route that is live at the end, where it is one that r8 wrote or found as it is wanted.
pub(super) fn last_route(plan: &Plan, seen: &Seen, sight: &Sight) -> Option<Manifest> {
    let route = plan.route.as_ref()?;
    let weights = match &seen.routed {
        Routed::Wanted(weights) => weights.clone(),
        Routed::AsBefore if plan.change(route.key())?.action == Action::Unchanged => route.in_force(|_| true),
        _ => return None,
    };
    sight.route_at(route, &weights).ok()
}

/// Who holds the lock, for people.
pub(super) fn holder(world: &World<'_>) -> Holder {
    let variable = |name: &str| (world.variable)(name).filter(|value| !value.is_empty());
    let who = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "somebody".into());
    let file = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = variable("HOSTNAME").or_else(file).unwrap_or_else(|| "an unnamed host".into());
    Holder::new(&format!("{who}@{}", host.trim()), std::process::id(), CLOCK())
}
