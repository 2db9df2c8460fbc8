//! The records of a run: what the release's history says before it, and the revision that it makes or ends.

use std::rc::Rc;
use std::time::SystemTime;

use futures_util::future::join;
use tokio::time::Instant;

use super::aim::{self, Aim, Unknown};
use super::args;
use super::prepare::{self, Said};
use super::progress::Progress;
use super::request::World;
use crate::cluster::records::{Held, Holder, Kept, Known, Records, RecordsError, Take};
use crate::cluster::{Cluster, ClusterError, End, Sight, found_route, manifest};
use crate::manifest::{Manifest, Manifests, Role};
use crate::plan::{Action, Goal, Outcome, Plan, Release, Routed, Seen, pending, resources};
use crate::record::{Entry, Info, RecordError, Revision, Status, Time, current, deployed, next_number};

/// The time now.
pub(super) const CLOCK: &dyn Fn() -> SystemTime = &SystemTime::now;

/// The history of a release.
#[derive(Default)]
pub(super) struct History {
    known: Vec<Known>,
    /// The deployed revision and every later one, or all.
    kept: Vec<Kept>,
    /// What is wrong with those of them that cannot be read: they are no base for anything.
    pub broken: Vec<RecordsError>,
    /// Why nothing is known of it, though it may be there.
    pub unread: Option<RecordsError>,
}

/// A look at the cluster: what is to be, what is there, and what follows.
pub(super) struct Look {
    /// What is to be.
    pub said: Rc<Said>,
    /// What the records say.
    pub history: History,
    /// What the cluster has.
    pub sight: Sight,
    /// What would be done.
    pub plan: Plan,
}

/// Who looks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Looker {
    /// Who is to change the release: nobody else is at work on it, or is not known to be dead before that time.
    Writer(Take, Instant),
    /// Who only wants to know; who is at work does not matter, and that records may not be read is no failure.
    Reader,
}

/// Looks at the cluster and plans: what the records say of others is known before any object is read.
///
/// # Errors
///
/// [`RecordsError::Locked`], and what every request can fail with; what cannot be.
pub(super) async fn look(
    cluster: &Cluster<'_>,
    records: &Records<'_>,
    looker: Looker,
    (release, aim, goal): (&Release, &Aim, &Goal),
    progress: &Progress<'_, '_>,
) -> Result<Look, Unknown> {
    let known = async {
        match looker {
            Looker::Writer(take, until) => {
                records.unlocked(release, take, until, CLOCK).await.map(|known| (known, None))
            }
            Looker::Reader => match records.history(release).await {
                Err(error) if !aim.needs_records() => Ok((Vec::new(), Some(error))),
                known => known.map(|known| (known, None)),
            },
        }
    };
    let (said, ground, (known, unread)) = match aim {
        Aim::Given(said) => {
            let (ground, known) = join(cluster.ground(&said.manifests), known).await;
            (Rc::clone(said), ground.map_err(RecordsError::from)?, known?)
        }
        aim => {
            let known = known.await?;
            let said = aim.said(release, &known.0, records, progress).await?;
            let ground = cluster.ground(&said.manifests).await.map_err(RecordsError::from)?;
            (said, ground, known)
        }
    };
    let observed = cluster.observe_on(ground, said.manifests.clone(), &said.release);
    let (history, sight) = join(read(records, known, unread), observed).await;
    let history = match (history, looker) {
        (Err(error), Looker::Reader) if !aim.needs_records() => History { unread: Some(error), ..History::default() },
        (history, _) => history?,
    };
    let mut sight = sight.map_err(RecordsError::from)?;
    if let Some(chart) = history.kept.last().and_then(|kept| aim::foreign(&kept.revision)) {
        return Err(aim::refused(release, &chart).into());
    }
    history.add_to(&mut sight, cluster, release).await.map_err(RecordsError::from)?;
    let plan = prepare::planned(&sight, &said, goal);
    Ok(Look { said, history, sight, plan })
}

/// Reads the deployed revision and every later one; all of them where none is deployed, none after an uninstallation.
async fn read(records: &Records<'_>, known: Vec<Known>, unread: Option<RecordsError>) -> Result<History, RecordsError> {
    let entries: Vec<Entry> = known.iter().map(|known| known.entry).collect();
    let first = match (deployed(&entries), current(&entries)) {
        (Some(deployed), _) => deployed.number,
        (None, Some(_)) => 0,
        (None, None) => u64::MAX,
    };
    let needed: Vec<Known> = known.iter().filter(|known| known.entry.number >= first).cloned().collect();
    let (kept, broken) = records.read_all(&needed).await?;
    Ok(History { known, kept, broken, unread })
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
    /// Adds to a sight what the manifests of the revisions say: where else objects may lie that the release has left, and
    /// which models a run wrote that did not end well.
    async fn add_to(&self, sight: &mut Sight, cluster: &Cluster<'_>, release: &Release) -> Result<(), ClusterError> {
        let is_deployed = |kept: &Kept| kept.revision.info.status == Status::Deployed;
        let (mut live, mut later) = (None, Vec::new());
        for kept in &self.kept {
            // What cannot be read is no release's, or is told where it is needed.
            match kept.revision.manifests(resources) {
                Ok(manifests) if is_deployed(kept) => live = Some(manifests),
                Ok(manifests) => later.push(manifests),
                Err(_) => {}
            }
        }
        let all: Vec<Manifest> = live.iter().chain(&later).flat_map(Manifests::iter).cloned().collect();
        cluster.widen(sight, all.iter().map(|manifest| manifest.key.namespace.clone()).collect(), release).await?;
        cluster.add_named(sight, &all, release).await?;
        sight.observed.pending = pending(live.as_ref(), &later, &sight.observed);
        Ok(())
    }

    fn entries(&self) -> Vec<Entry> {
        self.known.iter().map(|known| known.entry).collect()
    }

    /// The revision that is to be made of what is said; labels without a value are taken away.
    ///
    /// # Errors
    ///
    /// What cannot be written down.
    pub fn make(
        &self,
        said: &Said,
        labels: &[(String, Option<String>)],
        sight: &Sight,
        plan: &Plan,
    ) -> Result<Made, RecordError> {
        let entries = self.entries();
        let base = current(&entries).and_then(|base| self.kept.iter().find(|kept| kept.revision.number == base.number));
        let first = base.and_then(|kept| kept.revision.info.first_deployed);
        let now = Time::from(CLOCK());
        let objects = sight.manifests.filter(|manifest| manifest.role != Role::Route);
        let text = |route: Option<Manifest>| {
            manifest(&objects, route).map_err(|problem| RecordError::Object { line: 1, problem })
        };
        let wanted = plan.route.as_ref().and_then(|route| sight.route_at(route, &route.in_force(|_| true)).ok());
        let mut whole = said.draft.clone();
        whole.number = next_number(&entries);
        whole.info = match said.back_to {
            Some(number) => Info::rolling_back(number, &said.draft.info.notes, first, now),
            None => Info::beginning(&entries, first, now),
        };
        if let Some(last) = self.kept.last().filter(|_| said.back_to.is_none()) {
            whole.labels = last.revision.own_labels();
        }
        for (key, value) in labels {
            match value {
                Some(value) => drop(whole.labels.insert(key.clone(), value.clone())),
                None => drop(whole.labels.remove(key)),
            }
        }
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
                && old.own_labels() == new.own_labels()
        };
        self.kept.last().filter(same).is_some()
    }

    /// The revision to go back to when the next one fails: the newest that was live.
    pub fn last_live(&self) -> Option<u64> {
        let live = |entry: &Entry| matches!(entry.status, Status::Deployed | Status::Superseded);
        self.entries().into_iter().filter(live).map(|entry| entry.number).max()
    }

    /// Whether nothing is installed: the next revision is a first one.
    pub fn is_first(&self) -> bool {
        self.known.last().is_none_or(|last| last.entry.status == Status::Uninstalled)
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
