//! What a release changes in a cluster, and in which order: decided from what was observed, without asking again.

mod compared;
mod decide;
mod delete;
mod environment;
mod found;
mod goal;
mod member;
mod next;
mod pending;
mod refusal;
mod status;
mod story;
mod surprise;
mod warning;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diff::Pair;
use crate::manifest::{ObjectKey, Role};
use crate::readiness::Health;
use crate::route::{Route, Share};

pub use compared::Before;
pub use decide::{CONTROLLER, Wanted, is_controllers, is_owned_by, is_route, plan, shifts};
pub use delete::{Deletion, Recorded, delete, finalizers, holder};
pub use found::{Found, is_routemap, resources};
pub use goal::{Goal, Routing};
pub use member::{Member, has_state};
pub use next::{Next, Outcome, RouteWrite, Routed, Seen, next};
pub use pending::pending;
pub use refusal::Refusal;
pub use status::{RouteStatus, Status, VersionStatus, Writer, status};
pub use story::{Note, story};
pub use surprise::{Beside, Surprise, surprises};
pub use warning::Warning;

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
    /// Not at all: both states come from texts, and no cluster was asked.
    Texts,
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
    /// Live objects that are this release's and that it lacks now: they name it as their owner, or its routemap makes them.
    pub left: BTreeMap<ObjectKey, Value>,
    /// Kinds that may not be listed, so that nothing is known of objects left behind.
    pub unlisted: Vec<String>,
    /// Namespaces of the release that do not exist.
    pub missing_namespaces: Vec<String>,
    /// Namespaces of the release that are being deleted, as far as they may be read.
    pub ending_namespaces: Vec<String>,
    /// The live routemap, wanted or not.
    pub routemap: Option<Value>,
    /// The objects of each version that the live routemap names.
    pub resources: Vec<Vec<ObjectKey>>,
    /// Deployments that KServe makes of InferenceServices in Standard mode, by the InferenceService.
    pub children: BTreeMap<ObjectKey, Value>,
    /// Whether Knative's API is served.
    pub knative: bool,
    /// Models that a revision has written which never came to be deployed, see [`pending()`].
    pub pending: BTreeSet<ObjectKey>,
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
    /// What an apply refuses to do.
    pub refusals: Vec<Refusal>,
    /// What may surprise.
    pub warnings: Vec<Warning>,
    /// The versions that the plan deals with.
    pub members: Vec<Member>,
    /// The state of each of them before anything is written.
    pub health: Vec<Health>,
    /// The live route before anything is written.
    pub before: Option<Value>,
    /// The wanted route, where r8 writes it.
    pub route: Option<Route>,
    /// The wanted route, where the Iter8 controller writes it.
    pub left_to_controller: Option<Route>,
    /// Objects that all versions need and whose spec changes while a route is live, as the entry Service's does with the
    /// environment: requests to the old versions still need what it says, so they are written together with the route.
    pub with_route: BTreeSet<ObjectKey>,
    /// Which release this is.
    pub release: Release,
    /// What the user wants.
    pub goal: Goal,
    /// Where each object's change stands in the list.
    places: BTreeMap<ObjectKey, usize>,
}

impl Plan {
    /// Whether every object is as it is wanted, and none goes.
    pub fn changes_nothing(&self) -> bool {
        self.changes.iter().all(|change| change.action == Action::Unchanged)
    }

    /// Whether a change may take fields of other managers: all of them, or those that say whose an object is.
    pub fn forces(&self, change: &Change) -> bool {
        let marks = |conflict: &Conflict| is_mark(&conflict.field);
        let only_marks = !change.conflicts.is_empty() && change.conflicts.iter().all(marks);
        self.goal.force_conflicts || (self.goal.take_ownership && only_marks)
    }

    /// The change of an object.
    pub fn change(&self, key: &ObjectKey) -> Option<&Change> {
        self.places.get(key).and_then(|place| self.changes.get(*place))
    }
}

/// Whether a field says whose an object is.
fn is_mark(field: &str) -> bool {
    field == ".metadata.labels.app.kubernetes.io/managed-by"
        || field.starts_with(".metadata.annotations.meta.helm.sh/release-name")
}

impl Change {
    /// Whether somebody has deleted the live object, and its finalizers hold it.
    pub fn is_being_deleted(&self) -> bool {
        self.pair.before().is_some_and(|live| !live["metadata"]["deletionTimestamp"].is_null())
    }

    /// The live and the wanted value of a field as the API server names it (`.spec.replicas`), as JSON.
    fn values(&self, field: &str) -> Option<(String, String)> {
        let find = |object: Option<&Value>| -> Option<String> {
            let mut value = object?;
            for key in field.strip_prefix('.')?.split('.') {
                value = value.get(key)?;
            }
            Some(value.to_string())
        };
        Some((find(self.pair.before())?, find(self.pair.after())?))
    }
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
    pub fn mark(&self, object: &mut Value, role: Role) {
        let metadata = &mut object["metadata"];
        metadata["labels"]["app.kubernetes.io/managed-by"] = "Helm".into();
        metadata["annotations"]["meta.helm.sh/release-name"] = self.name.as_str().into();
        metadata["annotations"]["meta.helm.sh/release-namespace"] = self.namespace.as_str().into();
        // Helm leaves the route where it is when its chart takes the release back.
        if role == Role::Route {
            metadata["annotations"]["helm.sh/resource-policy"] = "keep".into();
        }
    }
}
