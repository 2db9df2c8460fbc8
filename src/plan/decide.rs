//! From what was observed to a plan: what changes, in which order, what is refused, and of what is warned.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::member::{members, yielding};
use super::{
    Action, Change, Conflict, Goal, Mode, Observation, Observed, Owner, Plan, Refusal, Release, Routing, Shift, Step,
    refusal, warning,
};
use crate::diff::Pair;
use crate::manifest::{Manifest, Manifests, ObjectKey, Role};
use crate::parallel;
use crate::route::{Route, shares};

/// What a release wants: its objects, the route with all versions ready among them, and the route with its weights open.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Objects in the order of apply.
    pub manifests: Manifests,
    /// The route, whoever writes it; none where nothing is routed.
    pub route: Option<Route>,
}

/// The name under which the Iter8 controller writes.
pub const CONTROLLER: &str = "iter8-controller";

/// Decides what changes, and in which order.
pub fn plan(wanted: &Wanted, observed: &Observed, release: &Release, goal: &Goal) -> Plan {
    let live_routes = live_routes(&wanted.manifests, observed);
    let live_route = live_routes.first().copied();
    let controlled = live_route.is_some_and(is_controllers) || contends(&wanted.manifests, observed);
    let leaves_route = match goal.routing {
        Routing::Auto => controlled,
        Routing::Routemap => true,
        Routing::Both | Routing::Route => false,
    };
    let written = wanted.manifests.iter().filter(|manifest| !(manifest.role == Role::Route && leaves_route));
    let written: Vec<&Manifest> = written.collect();
    let mut changes: Vec<Change> = parallel::map(&written, |manifest| change(manifest, observed, release));
    changes.extend(observed.left.iter().filter(|(key, live)| goes(key, live)).map(|(key, live)| Change {
        key: key.clone(),
        role: None,
        action: Action::Delete,
        pair: Pair::new(Some(live), None),
        owner: Owner::Release,
        conflicts: Vec::new(),
        mode: Mode::DryRun,
    }));
    let weights = wanted.route.as_ref().map(Route::wanted).unwrap_or_default();
    let mut members = members(&changes, observed, &live_routes, weights);
    yielding(&mut members, live_route, wanted.route.is_some() && !leaves_route);
    let target = wanted.route.as_ref().and_then(|route| route.at(&route.in_force(|_| true)).ok());
    let mut traffic = shifts(live_route, target.as_ref().map(|manifest| &manifest.object));
    // As the values name them; then those that go.
    let places: BTreeMap<&str, usize> =
        members.iter().filter_map(|member| Some((member.name.as_str(), member.index?))).collect();
    traffic.sort_by_key(|shift| places.get(shift.version.as_str()).copied().unwrap_or(usize::MAX));
    let mut refusals: Vec<Refusal> = changes
        .iter()
        .filter(|change| change.action != Action::Delete)
        .flat_map(|change| {
            // The controller's fields are taken on purpose.
            let own = change.role == Some(Role::Route) && matches!(goal.routing, Routing::Route | Routing::Both);
            let counts = |conflict: &Conflict| !(own && conflict.manager == CONTROLLER);
            refusal::of_change(change, &counts, goal)
        })
        .collect();
    if controlled && goal.routing == Routing::Both {
        let key = wanted.manifests.iter().find(|manifest| manifest.role == Role::Route);
        refusals.extend(key.map(|manifest| Refusal::Controller(manifest.key.clone())));
    }
    let removed = changes.iter().find(|change| change.action == Action::Delete && is_route(&change.key));
    if let Some(change) = removed.filter(|_| wanted.route.is_none() && !goal.remove_route) {
        refusals.push(Refusal::RouteRemoved(change.key.clone()));
    }
    refusals.extend(super::environment::refusals(&changes, observed));
    let warnings = warning::of_plan(&wanted.manifests, &changes, &members, live_route);
    let with_route = live_route.map(|_| with_route(&changes)).filter(|_| wanted.route.is_some()).unwrap_or_default();
    let leaves = members.iter().any(|member| member.index.is_none() && member.routed);
    let steps = steps(&changes, leaves, &with_route);
    let places = changes.iter().enumerate().map(|(place, change)| (change.key.clone(), place)).collect();
    Plan {
        places,
        with_route,
        release: release.clone(),
        goal: goal.clone(),
        steps,
        changes,
        traffic,
        refusals,
        warnings,
        health: members.iter().map(|member| member.health(observed)).collect(),
        members,
        before: live_route.cloned(),
        route: wanted.route.as_ref().filter(|_| !leaves_route).cloned(),
        left_to_controller: wanted.route.as_ref().filter(|_| leaves_route).cloned(),
    }
}

/// Whether the Iter8 controller owns a field of the route with another value than the wanted one, be it together with r8.
fn contends(manifests: &Manifests, observed: &Observed) -> bool {
    let route = manifests.iter().find(|manifest| manifest.role == Role::Route);
    let conflicts = route.and_then(|manifest| observed.objects.get(&manifest.key)).map(|route| &route.conflicts);
    conflicts.into_iter().flatten().any(|conflict| conflict.manager == CONTROLLER)
}

/// Whether the Iter8 controller owns a field below `.spec` that r8's own entry does not.
pub fn is_controllers(route: &Value) -> bool {
    let entries = route["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let spec = |manager: &str| {
        let own = entries.iter().find(|entry| entry["manager"] == manager && entry["operation"] == "Apply");
        own.map(|entry| entry["fieldsV1"]["f:spec"].clone()).unwrap_or_default()
    };
    let (theirs, ours) = (spec(CONTROLLER), spec("helm"));
    !theirs.is_null() && !covers(&ours, &theirs)
}

/// Whether every field of `part` is in `all`.
fn covers(all: &Value, part: &Value) -> bool {
    match (all, part) {
        (Value::Object(all), Value::Object(part)) => {
            part.iter().all(|(key, below)| all.get(key).is_some_and(|value| covers(value, below)))
        }
        (all, part) => all == part || part.is_null(),
    }
}

/// Whether an object that the release has no more is deleted. A route is, marked or not: the mark is for Helm's chart, see
/// [`Release::mark`], and what has come in its place has another kind or name.
fn goes(key: &ObjectKey, live: &Value) -> bool {
    is_route(key) || live["metadata"]["annotations"]["helm.sh/resource-policy"].as_str().map(str::trim) != Some("keep")
}

/// Whether an object is a route.
pub fn is_route(key: &ObjectKey) -> bool {
    matches!(
        (key.group.as_str(), key.kind.as_str()),
        ("networking.istio.io", "VirtualService") | ("gateway.networking.k8s.io", "HTTPRoute")
    )
}

/// The routes that are live now: the one under the wanted name, then those that the release has left.
fn live_routes<'a>(manifests: &Manifests, observed: &'a Observed) -> Vec<&'a Value> {
    let wanted = manifests.iter().find(|manifest| manifest.role == Role::Route);
    let live = wanted.and_then(|manifest| observed.objects.get(&manifest.key)?.live.as_ref());
    let left = observed.left.iter().filter(|(key, _)| is_route(key)).map(|(_, object)| object);
    live.into_iter().chain(left).collect()
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
    let owner = observation.live.as_ref().map_or(Owner::Release, |live| {
        let routemaps = manifest.role == Role::Route && is_owned_by(live, observed.routemap.as_ref());
        if routemaps || observation.mode == Mode::Texts { Owner::Release } else { release.owner(live) }
    });
    Change {
        key: manifest.key.clone(),
        role: Some(manifest.role),
        action,
        pair,
        owner,
        conflicts: observation.conflicts.clone(),
        mode: observation.mode,
    }
}

/// Whether an owner of the object is this one.
pub fn is_owned_by(object: &Value, owner: Option<&Value>) -> bool {
    let Some(uid) = owner.and_then(|owner| owner["metadata"]["uid"].as_str()) else { return false };
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.into_iter().any(|owner| owner["uid"] == uid)
}

/// Objects that all versions need and whose spec changes.
fn with_route(changes: &[Change]) -> BTreeSet<ObjectKey> {
    let spec = |object: Option<&Value>| object.map(|object| object["spec"].clone());
    let supports =
        changes.iter().filter(|change| (change.role, change.action) == (Some(Role::Support), Action::Update));
    let changed = supports.filter(|change| spec(change.pair.before()) != spec(change.pair.after()));
    changed.map(|change| change.key.clone()).collect()
}

/// The order of `apply`: versions and support, wait, routing, drain where a version `leaves` that had requests, prune.
fn steps(changes: &[Change], leaves: bool, with_route: &BTreeSet<ObjectKey>) -> Vec<Step> {
    let written = changes.iter().filter(|change| matches!(change.action, Action::Create | Action::Update));
    let routing = |change: &&Change| {
        matches!(change.role, Some(Role::Routemap | Role::Route)) || with_route.contains(&change.key)
    };
    let (last, first): (Vec<&Change>, Vec<&Change>) = written.partition(routing);
    let keys = |changes: Vec<&Change>| changes.into_iter().map(|change| change.key.clone()).collect::<Vec<_>>();
    let (first, last) = (keys(first), keys(last));
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
    if leaves && !pruned.is_empty() {
        steps.push(Step::Drain);
    }
    if !pruned.is_empty() {
        steps.push(Step::Prune(pruned));
    }
    steps
}

/// How traffic moves from one route to another; none is no route.
pub fn shifts(before: Option<&Value>, after: Option<&Value>) -> Vec<Shift> {
    let before = before.map(shares).unwrap_or_default();
    let after = after.map(shares).unwrap_or_default();
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let shift = |version: &String| Shift {
        version: version.clone(),
        before: before.get(version).copied(),
        after: after.get(version).copied(),
    };
    names.into_iter().map(shift).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::Warning;

    fn release() -> Release {
        Release { name: "shop".into(), namespace: "models".into() }
    }

    /// An object with its key.
    fn object(api_version: &str, kind: &str, name: &str, more: Value) -> (ObjectKey, Value) {
        let group = api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
        let mut object = more;
        object["apiVersion"] = api_version.into();
        object["kind"] = kind.into();
        object["metadata"]["name"] = name.into();
        object["metadata"]["namespace"] = "models".into();
        release().mark(&mut object, Role::Support);
        (ObjectKey { group, kind: kind.into(), namespace: "models".into(), name: name.into() }, object)
    }

    #[test]
    fn versions_of_every_live_route_are_dealt_with() {
        let rules = |name: &str| json!({"spec": {"rules": [{"backendRefs": [{"name": name}]}]}});
        let (key, live) = object("gateway.networking.k8s.io/v1", "HTTPRoute", "shop", rules("new"));
        let manifest = Manifest { key: key.clone(), object: live.clone(), template: String::new(), role: Role::Route };
        let observation = Observation { live: Some(live.clone()), desired: Some(live), ..Observation::default() };
        let to_old = json!({"spec": {"http": [{"route": [{"destination": {"host": "old.models"}}]}]}});
        let left = [
            object("networking.istio.io/v1", "VirtualService", "shop", to_old),
            object("v1", "Service", "old", json!({"spec": {}})),
            object("apps/v1", "Deployment", "old", json!({"spec": {}})),
        ];
        let observed = Observed { objects: [(key, observation)].into(), left: left.into(), ..Observed::default() };
        let manifests = Manifests::new(vec![manifest]).unwrap();
        let plan = plan(&Wanted { manifests, route: None }, &observed, &release(), &Goal::default());
        let members: Vec<(&str, bool)> =
            plan.members.iter().map(|member| (member.name.as_str(), member.routed)).collect();
        assert_eq!(members, [("old", true)]);
    }

    #[test]
    fn a_model_that_moves_to_another_namespace_under_its_name_is_another_member() {
        let isvc = json!({"spec": {"predictor": {"model": {"storageUri": "s3://one"}}}});
        let (key, mut wanted) = object("serving.kserve.io/v1beta1", "InferenceService", "one", isvc.clone());
        let (_, live) = object("serving.kserve.io/v1beta1", "InferenceService", "one", isvc);
        wanted["metadata"]["namespace"] = "new".into();
        let new = ObjectKey { namespace: "new".into(), ..key.clone() };
        let role = Role::Version(0);
        let manifest = Manifest { key: new.clone(), object: wanted.clone(), template: String::new(), role };
        let headers = json!({"request": {"set": {"mm-vmodel-id": "one"}}});
        let to = json!({"destination": {"host": "modelmesh-serving.modelmesh-serving"}, "headers": headers});
        let route = json!({"spec": {"http": [{"route": [to]}]}});
        let observation = Observation { desired: Some(wanted), ..Observation::default() };
        let left = [object("networking.istio.io/v1", "VirtualService", "shop", route), (key.clone(), live)];
        let observed =
            Observed { objects: [(new.clone(), observation)].into(), left: left.into(), ..Observed::default() };
        let manifests = Manifests::new(vec![manifest]).unwrap();
        let plan = plan(&Wanted { manifests, route: None }, &observed, &release(), &Goal::default());
        let members: Vec<(&[ObjectKey], bool)> =
            plan.members.iter().map(|member| (member.objects.as_slice(), member.routed)).collect();
        assert_eq!(members, [(&[new][..], false), (&[key][..], true)]);
        let [Warning::Moved { from, to, .. }] = plan.warnings.as_slice() else { panic!("{:?}", plan.warnings) };
        assert_eq!((from.as_str(), to.as_str(), plan.warnings[0].hint()), ("models/one", "new/one", None));
    }

    #[test]
    fn what_an_old_route_needs_changes_together_with_it() {
        let service = |port: u16| object("v1", "Service", "shop", json!({"spec": {"ports": [{"port": port}]}}));
        let labelled = |label: &str| {
            let (key, mut service) = object("v1", "Service", "other", json!({"spec": {}}));
            service["metadata"]["labels"]["team"] = label.into();
            (key, service)
        };
        let text = "versions: [{}]\nroutingTemplates: {shop: {template: \"apiVersion: networking.istio.io/v1\\nkind: \
                    VirtualService\\nmetadata: {name: shop, namespace: models}\\n\"}}\n";
        let route = Route::parse(text).unwrap();
        let support = [(service(80), service(81)), (labelled("a"), labelled("b"))];
        let observation = |live: &Value, desired: &Value| Observation {
            live: Some(live.clone()),
            desired: Some(desired.clone()),
            ..Observation::default()
        };
        let manifest = |(_, (key, object)): &((ObjectKey, Value), (ObjectKey, Value))| Manifest {
            key: key.clone(),
            object: object.clone(),
            template: String::new(),
            role: Role::Support,
        };
        let manifests = Manifests::new(support.iter().map(manifest).collect()).unwrap();
        let objects = support.iter().map(|((key, live), (_, wanted))| (key.clone(), observation(live, wanted)));
        let mut observed = Observed { objects: objects.collect(), ..Observed::default() };
        let wanted = Wanted { manifests, route };
        let first = plan(&wanted, &observed, &release(), &Goal::default());
        assert_eq!(first.with_route, BTreeSet::new());
        let old = object("gateway.networking.k8s.io/v1", "HTTPRoute", "shop", json!({"spec": {"rules": []}}));
        observed.left.insert(old.0, old.1);
        let plan = plan(&wanted, &observed, &release(), &Goal::default());
        let (entry, other) = (service(81).0, labelled("a").0);
        assert_eq!(plan.with_route, BTreeSet::from([entry.clone()]));
        assert_eq!(plan.steps[0], Step::Write(vec![other]));
        assert_eq!(plan.steps[2], Step::Route(vec![entry]));
    }
}
