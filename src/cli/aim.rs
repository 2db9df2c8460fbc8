//! What a run is to make of a release: what values say, alone or over those of the last revision, or what a revision says.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::args::{self, Global, Reuse, Writer};
use super::failure::{Failure, Fault};
use super::prepare::{self, Said};
use super::progress::Progress;
use super::report::Report;
use super::request::{Request, Verb, World};
use super::{live, records, sources, wanted};
use crate::cluster::records::{Kept, Known, Records, RecordsError};
use crate::manifest::{Manifest, Manifests, Role, yaml};
use crate::plan::{Release, resources};
use crate::record::{Chart, Entry, Revision, Status, StoredRoute, current, rollback_target};
use crate::route::Route;

/// What is to be.
pub(super) enum Aim {
    /// What values say that are all given.
    Given(Rc<Said>),
    /// What values say over those of the last revision.
    Over(Box<Over>),
    /// What a revision says; without a number the newest before the last that was live.
    Back(Option<u64>),
}

/// Values over those of the last revision.
pub(super) struct Over {
    request: Request,
    writer: Writer,
    /// Whether the defaults of the last revision hold, too.
    defaults: bool,
    /// Whether anything is given.
    given: bool,
    /// What came of it, by the version of the record that was below: the cluster may be looked at more than once.
    said: RefCell<Option<(Option<String>, Rc<Said>)>>,
}

/// Which release the flags are about, and what it is to be.
pub(super) fn of(
    args: &args::Change,
    verb: Verb,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<(Release, Aim), Failure> {
    let given = !args.sources.files.is_empty() || sources::sets_anything(&args.sources);
    let reuse = match args.reuse.which() {
        // As Helm's verb does.
        None if verb == Verb::Helm && !given && !args.reuse.reset_values => Some(Reuse::OverNewDefaults),
        other => other,
    };
    let Some(reuse) = reuse else {
        let request = wanted::request(args, verb, false, global, world, report)?;
        let said = prepare::said(&request, args.routing, report)?;
        return Ok((said.release.clone(), Aim::Given(Rc::new(said))));
    };
    let request = wanted::request(args, verb, true, global, world, report)?;
    let Some(name) = request.identity.release.clone() else {
        let hint = "name it: `r8 apply NAME --reuse-values`";
        return Err(Failure::usage("the values of the last revision are those of a release that is not named", hint));
    };
    let release = live::release(&name, global, world)?;
    let over = Over {
        request,
        writer: args.routing,
        defaults: reuse == Reuse::OverOldDefaults,
        given,
        said: RefCell::default(),
    };
    Ok((release, Aim::Over(Box::new(over))))
}

/// Why it is not known what is to be.
pub(super) enum Unknown {
    /// The records could not be read.
    Records(RecordsError),
    /// What they say, or what the values say over it, cannot be.
    Failure(Box<Failure>),
}

impl From<RecordsError> for Unknown {
    fn from(error: RecordsError) -> Unknown {
        Unknown::Records(error)
    }
}

impl From<Failure> for Unknown {
    fn from(failure: Failure) -> Unknown {
        Unknown::Failure(Box::new(failure))
    }
}

impl Aim {
    /// Whether the records of the release say something of it.
    pub fn needs_records(&self) -> bool {
        !matches!(self, Aim::Given(_))
    }

    /// What is to be, by the records of the release.
    pub async fn said(
        &self,
        release: &Release,
        known: &[Known],
        records: &Records<'_>,
        progress: &Progress<'_, '_>,
    ) -> Result<Rc<Said>, Unknown> {
        match self {
            Aim::Given(said) => Ok(Rc::clone(said)),
            Aim::Over(over) => over.said(release, known, records, progress).await,
            Aim::Back(number) => back(*number, release, known, records).await,
        }
    }
}

impl Over {
    async fn said(
        &self,
        release: &Release,
        known: &[Known],
        records: &Records<'_>,
        progress: &Progress<'_, '_>,
    ) -> Result<Rc<Said>, Unknown> {
        let entries: Vec<Entry> = known.iter().map(|known| known.entry).collect();
        let below = current(&entries).and_then(|entry| known.iter().find(|known| known.entry == entry));
        let version = below.map(|known| known.version.clone());
        if let Some((_, said)) = self.said.borrow().as_ref().filter(|(of, _)| *of == version) {
            return Ok(Rc::clone(said));
        }
        let kept = match below {
            Some(known) => records.read(release, known.entry.number).await?,
            None => None,
        };
        if kept.is_none() && !self.given {
            let text =
                format!("there are no values: release {}/{} has no revision yet", release.namespace, release.name);
            return Err(Failure::usage(text, "give them with `-f values.yaml`, or `-f -` to read stdin").into());
        }
        let said = Rc::new(progress.with_report(|report| self.over(kept.as_ref(), report))?);
        *self.said.borrow_mut() = Some((version, Rc::clone(&said)));
        Ok(said)
    }

    /// What the values say over those of a revision.
    fn over(&self, kept: Option<&Kept>, report: &mut Report<'_>) -> Result<Said, Failure> {
        let mut request = self.request.clone();
        let Some(revision) = kept.map(|kept| &kept.revision) else {
            return prepare::said(&request, self.writer, report);
        };
        let name = format!("the values of revision {}", revision.number);
        request.put_below(&name, text(&revision.config)?);
        let said = prepare::said(&request, self.writer, report)?;
        let own = revision.chart.as_ref().filter(|_| self.defaults && revision.is_own());
        let now = said.draft.chart.as_ref().and_then(Chart::values);
        let changed = differing(own.and_then(Chart::values), now);
        if changed.is_empty() {
            return Ok(said);
        }
        // Another r8 made that revision: what it took for given still is.
        request.put_below(&format!("the defaults of revision {}", revision.number), text(&changed)?);
        prepare::said(&request, self.writer, report)
    }
}

/// The defaults of old that have another value now.
fn differing(old: Option<&Map<String, Value>>, now: Option<&Map<String, Value>>) -> Map<String, Value> {
    let nothing = Map::new();
    let now = now.unwrap_or(&nothing);
    let mut changed = Map::new();
    for (key, value) in old.unwrap_or(&nothing) {
        match (value, now.get(key)) {
            (Value::Object(old), Some(Value::Object(now))) => {
                let below = differing(Some(old), Some(now));
                if !below.is_empty() {
                    changed.insert(key.clone(), below.into());
                }
            }
            (old, Some(now)) if old != now => drop(changed.insert(key.clone(), old.clone())),
            _ => {}
        }
    }
    changed
}

/// Values as `r8 get values` prints them, so that places in them can be found.
fn text(values: &Map<String, Value>) -> Result<String, Failure> {
    let mut sorted = Value::Object(values.clone());
    sorted.sort_all_objects();
    yaml(&sorted).map_err(|error| Failure::Bug(error.to_string()))
}

/// What a revision says.
async fn back(
    wanted: Option<u64>,
    release: &Release,
    known: &[Known],
    records: &Records<'_>,
) -> Result<Rc<Said>, Unknown> {
    if known.is_empty() {
        return Err(records::missing(release, None).into());
    }
    let entries: Vec<Entry> = known.iter().map(|known| known.entry).collect();
    let Some(target) = rollback_target(&entries, wanted) else {
        let failure = wanted.map_or_else(|| nothing_before(release), |number| records::missing(release, Some(number)));
        return Err(failure.into());
    };
    let kept = records.read(release, target.number).await?;
    let Some(kept) = kept else { return Err(records::missing(release, Some(target.number)).into()) };
    Ok(Rc::new(revision(&kept.revision, release)?))
}

fn nothing_before(release: &Release) -> Failure {
    let Release { name, namespace } = release;
    let text = format!("release {namespace}/{name} has no revision before its last that was live");
    let hint = format!("`r8 history {name} -n {namespace}` shows those that there are; name one");
    Failure::Refused(vec![Fault::new(text, Some(&hint))])
}

/// The charts whose releases r8 knows: its own records, and the Iter8 chart.
const CHARTS: [&str; 2] = ["r8", "release"];

/// The chart of a revision that is neither r8's nor the Iter8 chart's, be it under another name: its objects are no versions
/// and routes to r8.
pub(super) fn foreign(revision: &Revision) -> Option<String> {
    let known = revision.chart.as_ref().is_none_or(|chart| CHARTS.contains(&chart.name()));
    let routes = |manifests: Manifests| manifests.iter().any(|manifest| manifest.role == Role::Routemap);
    let gone = revision.info.status == Status::Uninstalled;
    (!known && !gone && !revision.manifests(resources).is_ok_and(routes)).then(|| revision.chart_label())
}

/// The refusal to change a release of another chart.
pub(super) fn refused(release: &Release, chart: &str) -> Failure {
    let Release { name, namespace } = release;
    let text = format!("release {namespace}/{name} was made of the chart {chart}, which r8 does not know");
    let hint = "give this one another name; `helm upgrade` and `helm uninstall` deal with that one";
    Failure::Refused(vec![Fault::new(text, Some(hint))])
}

/// What a revision says, r8's or one that Helm made of the Iter8 chart.
fn revision(revision: &Revision, release: &Release) -> Result<Said, Failure> {
    let number = revision.number;
    let refused = |why: String, hint: &str| Failure::Refused(vec![Fault::new(why, Some(hint))]);
    let broken = |why: String| {
        let hint =
            format!("`r8 get manifest {} --revision {number}` shows it; another revision may be sound", release.name);
        refused(format!("revision {number} cannot be rolled back to: {why}"), &hint)
    };
    let chart = revision.chart.as_ref().filter(|chart| CHARTS.contains(&chart.name()));
    let Some(chart) = chart else {
        let text =
            format!("revision {number} was made of the chart {}, which r8 does not know", revision.chart_label());
        return Err(refused(text, "`helm rollback` goes back to it"));
    };
    if !revision.hooks.is_empty() {
        let text = format!("revision {number} has hooks, and r8 runs none");
        return Err(refused(text, "`helm rollback` goes back to it"));
    }
    let stored = revision.manifests(resources).map_err(|error| broken(error.to_string()))?;
    let kept = StoredRoute::read(chart).map_err(|error| broken(error.to_string()))?;
    let routemap = stored.iter().find(|manifest| manifest.role == Role::Routemap);
    let route = match (kept, routemap) {
        (Some(kept), _) => Route::new(kept.open, kept.weights, &kept.template).map(Some),
        (None, Some(routemap)) => Route::parse(routemap.object["data"]["strSpec"].as_str().unwrap_or_default()),
        (None, None) => Ok(None),
    };
    let route = route.map_err(|error| broken(format!("its route: {error}")))?;
    if route.is_none() && stored.iter().any(|manifest| manifest.role == Role::Route) {
        return Err(broken("the weights of its route are not known".to_owned()));
    }
    if !stored.iter().any(|manifest| matches!(manifest.role, Role::Version(_))) {
        return Err(broken("it has no versions".to_owned()));
    }
    let open = route.as_ref().map(|route| route.at(&route.in_force(|_| true))).transpose();
    let open = open.map_err(|error| broken(format!("its route: {error}")))?;
    let named = routemap.map(|routemap| resources(&routemap.object)).unwrap_or_default();
    let others = stored.iter().filter(|manifest| manifest.role != Role::Route);
    let all = others.map(|manifest| at_home(manifest, &named)).chain(open).collect();
    let manifests = Manifests::new(all).map_err(|error| broken(error.to_string()))?;
    let mut draft = revision.clone();
    if let (Some(route), Some(chart)) = (&route, &mut draft.chart) {
        prepare::keep(route, chart).map_err(|error| broken(error.to_string()))?;
    }
    draft.apply_method = crate::record::ApplyMethod::Server;
    draft.labels = revision.own_labels();
    Ok(Said { release: release.clone(), manifests, route, draft, back_to: Some(number) })
}

/// A weight configuration in the namespace in which its routemap looks for it: the chart leaves the namespace out.
fn at_home(manifest: &Manifest, named: &[Vec<crate::manifest::ObjectKey>]) -> Manifest {
    let mut manifest = manifest.clone();
    let Role::Weights(index) = manifest.role else { return manifest };
    let key = &manifest.key;
    let same = |other: &&crate::manifest::ObjectKey| (&other.kind, &other.name) == (&key.kind, &key.name);
    let home = named.get(index).and_then(|keys| keys.iter().find(same));
    if let Some(home) = home.map(|home| home.namespace.clone()) {
        manifest.object["metadata"]["namespace"] = home.as_str().into();
        manifest.key.namespace = home;
    }
    manifest
}
