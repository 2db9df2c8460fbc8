//! What a release changes in a cluster, and in which order: decided from what was observed, without asking again.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::Pair;
use crate::manifest::{Manifest, Manifests, ObjectKey, Role};
use crate::route::{Share, shares};

/// What the cluster says of one object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// The object as it is; none when it does not exist.
    pub live: Option<Value>,
    /// The object as the API server would store it, with everything that it fills in.
    pub desired: Option<Value>,
    /// Fields that another manager owns with another value.
    pub conflicts: Vec<Conflict>,
    /// How [`desired`](Observation::desired) was found.
    pub mode: Mode,
}

/// How the desired state of an object was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// By a dry run of server-side apply.
    #[default]
    DryRun,
    /// By laying the wanted fields over the live ones, since the user may not `patch`.
    Compared,
    /// Not at all: the object's namespace does not exist yet.
    NoNamespace,
}

/// A field that another manager owns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The other field manager.
    pub manager: String,
    /// The field's path, as in `.spec.predictor.minReplicas`.
    pub field: String,
}

/// What was found in the cluster for one release.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// By object of the release.
    pub objects: BTreeMap<ObjectKey, Observation>,
    /// Live objects that name this release as their owner and that it lacks now.
    pub left: BTreeMap<ObjectKey, Value>,
    /// Kinds that may not be listed, so that nothing is known of objects left behind.
    pub unlisted: Vec<String>,
    /// Namespaces of the release that do not exist.
    pub missing_namespaces: Vec<String>,
}

/// What happens to one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It does not exist yet.
    Create,
    /// It exists and differs.
    Update,
    /// It exists as it is wanted.
    Unchanged,
    /// It belongs to the release and is not wanted any more.
    Delete,
}

/// Whose a live object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This release's, or it does not exist yet.
    Release,
    /// No release's.
    Nobody,
    /// Another release's, as NAMESPACE/NAME.
    Other(String),
}

/// One object with what happens to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which object.
    pub key: ObjectKey,
    /// Its role in the release; none for an object that is deleted.
    pub role: Option<Role>,
    /// What happens.
    pub action: Action,
    /// Before and after.
    pub pair: Pair,
    /// Whose the live object is.
    pub owner: Owner,
    /// Fields that other managers own.
    pub conflicts: Vec<Conflict>,
    /// How the state after was found.
    pub mode: Mode,
}

/// One step of an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write these objects at the same time.
    Write(Vec<ObjectKey>),
    /// Wait until these versions are settled.
    Settle(Vec<usize>),
    /// Write the routemap and the route.
    Route(Vec<ObjectKey>),
    /// Wait until requests have left the versions that go.
    Drain,
    /// Delete these objects.
    Prune(Vec<ObjectKey>),
}

/// How the share of one version changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// The name that requests are answered under.
    pub version: String,
    /// What it gets now; none when it gets nothing.
    pub before: Option<Share>,
    /// What it will get; none when it will get nothing.
    pub after: Option<Share>,
}

/// Everything that an apply would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Every object of the release in the order of apply, then those that go.
    pub changes: Vec<Change>,
    /// The steps in order; none when nothing changes.
    pub steps: Vec<Step>,
    /// How traffic moves, by version; empty where nothing is routed.
    pub traffic: Vec<Shift>,
}

/// Which release this is, to tell its objects from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Release name.
    pub name: String,
    /// Namespace of the release.
    pub namespace: String,
}

impl Release {
    /// Whose `object` is, by the labels and annotations that Helm sets (`pkg/action/validate.go`, `checkOwnership`).
    pub fn owner(&self, object: &Value) -> Owner {
        let metadata = &object["metadata"];
        let annotation = |key: &str| metadata["annotations"][key].as_str();
        match (annotation("meta.helm.sh/release-name"), annotation("meta.helm.sh/release-namespace")) {
            (Some(name), Some(namespace)) if name == self.name && namespace == self.namespace => Owner::Release,
            (Some(name), namespace) => Owner::Other(format!("{}/{name}", namespace.unwrap_or_default())),
            (None, _) => Owner::Nobody,
        }
    }

    /// Marks an object as this release's.
    pub fn mark(&self, object: &mut Value) {
        let metadata = &mut object["metadata"];
        metadata["labels"]["app.kubernetes.io/managed-by"] = "Helm".into();
        metadata["annotations"]["meta.helm.sh/release-name"] = self.name.as_str().into();
        metadata["annotations"]["meta.helm.sh/release-namespace"] = self.namespace.as_str().into();
    }
}

/// Decides what changes, and in which order.
pub fn plan(manifests: &Manifests, observed: &Observed, release: &Release) -> Plan {
    let mut changes: Vec<Change> = manifests.iter().map(|manifest| change(manifest, observed, release)).collect();
    changes.extend(observed.left.iter().map(|(key, live)| Change {
        key: key.clone(),
        role: None,
        action: Action::Delete,
        pair: Pair::new(Some(live), None),
        owner: Owner::Release,
        conflicts: Vec::new(),
        mode: Mode::DryRun,
    }));
    let traffic = traffic(manifests, observed);
    Plan { steps: steps(&changes, &traffic), changes, traffic }
}

fn change(manifest: &Manifest, observed: &Observed, release: &Release) -> Change {
    let nothing = Observation::default();
    let observation = observed.objects.get(&manifest.key).unwrap_or(&nothing);
    let (action, pair) = match (&observation.live, &observation.desired) {
        // What will be created is shown as it was written: the defaults of the API server are no news.
        (None, _) => (Action::Create, Pair::new(None, Some(&manifest.object))),
        (Some(live), desired) => {
            let pair = Pair::new(Some(live), desired.as_ref().or(Some(live)));
            (if pair.is_same() { Action::Unchanged } else { Action::Update }, pair)
        }
    };
    Change {
        key: manifest.key.clone(),
        role: Some(manifest.role),
        action,
        pair,
        owner: observation.live.as_ref().map_or(Owner::Release, |live| release.owner(live)),
        conflicts: observation.conflicts.clone(),
        mode: observation.mode,
    }
}

/// The order of `apply`: versions and support, wait, routing, drain, prune.
fn steps(changes: &[Change], traffic: &[Shift]) -> Vec<Step> {
    let written = |wanted: &dyn Fn(Role) -> bool| -> Vec<ObjectKey> {
        let changed = changes.iter().filter(|change| matches!(change.action, Action::Create | Action::Update));
        changed.filter(|change| change.role.is_some_and(wanted)).map(|change| change.key.clone()).collect()
    };
    let routing = |role: Role| matches!(role, Role::Routemap | Role::Route);
    let (first, last) = (written(&|role| !routing(role)), written(&routing));
    let pruned: Vec<ObjectKey> =
        changes.iter().filter(|change| change.action == Action::Delete).map(|change| change.key.clone()).collect();
    let mut steps = Vec::new();
    if first.is_empty() && last.is_empty() && pruned.is_empty() {
        return steps;
    }
    if !first.is_empty() {
        steps.push(Step::Write(first));
    }
    let mut versions: Vec<usize> = changes
        .iter()
        .filter_map(|change| if let Some(Role::Version(index)) = change.role { Some(index) } else { None })
        .collect();
    versions.dedup();
    steps.push(Step::Settle(versions));
    if !last.is_empty() {
        steps.push(Step::Route(last));
    }
    let leaves = traffic.iter().any(|shift| shift.before.is_some() && shift.after.is_none());
    if leaves && !pruned.is_empty() {
        steps.push(Step::Drain);
    }
    if !pruned.is_empty() {
        steps.push(Step::Prune(pruned));
    }
    steps
}

/// How traffic moves from the live route to the wanted one.
fn traffic(manifests: &Manifests, observed: &Observed) -> Vec<Shift> {
    let wanted = manifests.iter().find(|manifest| manifest.role == Role::Route);
    let live = |key: &ObjectKey| observed.objects.get(key).and_then(|observation| observation.live.as_ref());
    let is_route = |key: &&ObjectKey| key.kind == "VirtualService" || key.kind == "HTTPRoute";
    let left = || observed.left.keys().find(is_route).and_then(|key| observed.left.get(key));
    let before = wanted.and_then(|manifest| live(&manifest.key)).or_else(left).map(shares).unwrap_or_default();
    let after = wanted.map(|manifest| shares(&manifest.object)).unwrap_or_default();
    let mut shifts: Vec<Shift> = Vec::new();
    for (version, share) in &before {
        shifts.push(Shift { version: version.clone(), before: Some(*share), after: None });
    }
    for (version, share) in after {
        match shifts.iter_mut().find(|shift| shift.version == version) {
            Some(shift) => shift.after = Some(share),
            None => shifts.push(Shift { version, before: None, after: Some(share) }),
        }
    }
    shifts.sort_by(|a, b| a.version.cmp(&b.version));
    shifts
}
