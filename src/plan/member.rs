//! The versions that an apply deals with: those that are wanted, and those that the live route sends requests to.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::{Action, Change, Observed};
use crate::manifest::{ObjectKey, Role};
use crate::readiness::{Health, Track};
use crate::route::{Destination, destinations, is_split, without};

/// One version.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Name of the object that answers requests.
    pub name: String,
    /// Index in the values; none for a version that is not wanted any more.
    pub index: Option<usize>,
    /// Its objects.
    pub objects: Vec<ObjectKey>,
    /// Its weight; 0 means that nobody waits for it.
    pub weight: u32,
    /// Whether the live route sends requests to it, before anything is written.
    pub routed: bool,
    /// Whether one of its objects is written.
    pub changed: bool,
    /// Whether its model changes, or it is new.
    pub model: bool,
    /// Whether the change is known to interrupt it.
    pub interrupts: bool,
    /// Whether its share moves to others before its change interrupts it; if it has a share and this is not so, requests
    /// fail while it is replaced.
    pub yields: bool,
    /// Whether a wanted version of the same name in another namespace takes its place: a destination that names the model
    /// alone means that one then.
    pub superseded: bool,
}

/// Fields of a predictor that say how often a model is there, not which one.
const SCALING: [&str; 9] = [
    "minReplicas",
    "maxReplicas",
    "scaleTarget",
    "scaleMetric",
    "scaleMetricType",
    "autoScaling",
    "containerConcurrency",
    "canaryTrafficPercent",
    "timeout",
];

/// The versions in the order of their indexes, then those that are routed and not wanted.
pub(super) fn members(changes: &[Change], observed: &Observed, routes: &[&Value], weights: &[u32]) -> Vec<Member> {
    let mut seen = HashSet::new();
    let places = routes.iter().flat_map(|route| destinations(route));
    let places: Vec<Destination> = places.filter(|place| seen.insert(place.clone())).collect();
    let mut named: HashMap<&str, Vec<&Destination>> = HashMap::new();
    for place in &places {
        place.names().for_each(|name| named.entry(name).or_default().push(place));
    }
    let mut wanted: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        if let Some(Role::Version(index)) = change.role {
            wanted.entry(index).or_default().push(change);
        }
    }
    let mut members: Vec<Member> = wanted
        .into_iter()
        .map(|(index, changes)| {
            let written = |change: &&&Change| matches!(change.action, Action::Create | Action::Update);
            let objects: Vec<ObjectKey> = changes.iter().map(|change| change.key.clone()).collect();
            let routed = |change: &&Change| {
                let places = named.get(change.key.name.as_str());
                places.into_iter().flatten().any(|place| is_routed(place, change, observed))
            };
            Member {
                name: name(&objects),
                index: Some(index),
                weight: weights.get(index).copied().unwrap_or(1),
                routed: changes.iter().any(routed),
                changed: changes.iter().any(|change| written(&change)),
                model: changes.iter().any(|change| is_new_model(change)),
                interrupts: changes.iter().any(|change| interrupts(change)),
                yields: false,
                superseded: false,
                objects,
            }
        })
        .collect();
    for objects in left(observed, &places, &members) {
        let same = |key: &ObjectKey| {
            let moved = |other: &&ObjectKey| {
                (&other.kind, &other.name) == (&key.kind, &key.name) && other.namespace != key.namespace
            };
            key.kind == "InferenceService"
                && members.iter().flat_map(|member| &member.objects).any(|other| moved(&other))
        };
        members.push(Member {
            name: name(&objects),
            index: None,
            weight: 0,
            routed: true,
            changed: false,
            model: false,
            interrupts: false,
            yields: false,
            superseded: objects.iter().any(same),
            objects,
        });
    }
    members
}

/// Marks the members whose share can move before their change interrupts them.
pub(super) fn yielding(members: &mut [Member], before: Option<&Value>, writes_route: bool) {
    let Some(before) = before.filter(|_| writes_route) else { return };
    let yields = |member: &Member| {
        let others = members.iter().any(|other| other.routed && other.name != member.name);
        member.interrupts && member.routed && others && can_lose(before, member)
    };
    let found: Vec<bool> = members.iter().map(yields).collect();
    members.iter_mut().zip(found).for_each(|(member, yields)| member.yields = yields);
}

/// Whether the share of a member can move to others.
pub(super) fn can_lose(before: &Value, member: &Member) -> bool {
    is_split(before) && without(before, &|place| member.is(place)).is_some()
}

impl Member {
    /// The state of its live objects.
    pub(super) fn health(&self, observed: &Observed) -> Health {
        let states = self.objects.iter().filter(|key| has_state(key)).map(|key| {
            let wanted = observed.objects.get(key).and_then(|observation| observation.live.clone());
            let mut track = Track::new(wanted.or_else(|| observed.left.get(key).cloned()));
            track.see_child(observed.children.get(key).cloned());
            if observed.pending.contains(key) {
                track.doubt();
            }
            track.health(observed.knative)
        });
        states.reduce(Health::and).unwrap_or_else(Health::trivial)
    }

    /// Whether a destination of a route is this version.
    pub fn is(&self, destination: &Destination) -> bool {
        !(self.superseded && destination.is_by_name_alone())
            && self.objects.iter().any(|key| destination.is(&key.kind, &key.namespace, &key.name))
    }

    /// Whether this is the wanted version that takes the place of a superseded one.
    pub(super) fn is_heir_of(&self, other: &Member) -> bool {
        other.superseded && self.index.is_some() && self.name == other.name
    }
}

/// Whether an object of this kind says whether it is ready.
pub fn has_state(key: &ObjectKey) -> bool {
    const WITHOUT: [&str; 7] = [
        "",
        "networking.istio.io",
        "networking.k8s.io",
        "gateway.networking.k8s.io",
        "autoscaling",
        "policy",
        "rbac.authorization.k8s.io",
    ];
    !WITHOUT.contains(&key.group.as_str())
}

/// Whether a live route's destination is an object of the release: of two models of one name, where the namespace is not
/// said, the one that exists.
fn is_routed(place: &Destination, change: &Change, observed: &Observed) -> bool {
    let answers = |key: &ObjectKey| place.is(&key.kind, &key.namespace, &key.name);
    let other = || place.is_by_name_alone() && observed.left.keys().any(answers);
    answers(&change.key) && !(change.action == Action::Create && other())
}

pub(super) fn name(objects: &[ObjectKey]) -> String {
    let ranked = ["InferenceService", "Service", "Deployment"];
    let of = |kind: &&str| objects.iter().find(|key| key.kind == **kind);
    ranked.iter().find_map(of).or(objects.first()).map(|key| key.name.clone()).unwrap_or_default()
}

/// The objects of versions that are routed and not wanted: those of one name, or what the routemap names together.
fn left(observed: &Observed, places: &[Destination], wanted: &[Member]) -> Vec<Vec<ObjectKey>> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut members: HashMap<&str, Vec<&Member>> = HashMap::new();
    for (member, key) in wanted.iter().flat_map(|member| member.objects.iter().map(move |key| (member, key))) {
        members.entry(&key.name).or_default().push(member);
    }
    let mut left: HashMap<&str, Vec<&ObjectKey>> = HashMap::new();
    observed.left.keys().for_each(|key| left.entry(&key.name).or_default().push(key));
    let mut groups: HashMap<&ObjectKey, &Vec<ObjectKey>> = HashMap::new();
    for (group, key) in observed.resources.iter().flat_map(|group| group.iter().map(move |key| (group, key))) {
        groups.entry(key).or_insert(group);
    }
    let of = |name: &str| left.get(name).into_iter().flatten().copied();
    let taken = |place: &&Destination| {
        let named = place.names().filter_map(|name| members.get(name)).flatten();
        !place.is_by_name_alone() && named.into_iter().any(|member| member.is(place))
    };
    for place in places.iter().filter(|place| !taken(place)) {
        let answers = |key: &&ObjectKey| place.is(&key.kind, &key.namespace, &key.name);
        let Some(key) = place.names().flat_map(of).filter(answers).min() else { continue };
        let mut objects: Vec<ObjectKey> = match groups.get(key) {
            Some(group) => group.iter().filter(|other| observed.left.contains_key(other)).cloned().collect(),
            None => {
                let kinds = ["Service", "Deployment", "InferenceService"];
                let same =
                    |other: &&ObjectKey| kinds.contains(&other.kind.as_str()) && other.namespace == key.namespace;
                of(&key.name).filter(same).cloned().collect()
            }
        };
        objects.sort();
        objects.dedup();
        let selects = |(other, object): &(&ObjectKey, &Value)| {
            let pods = &object["spec"]["template"]["metadata"]["labels"];
            other.kind == "Deployment" && other.namespace == key.namespace && selects(&observed.left[key], pods)
        };
        let selected = observed.left.iter().filter(selects).map(|(other, _)| other.clone());
        objects.extend(selected.filter(|other| !objects.contains(other)).collect::<Vec<_>>());
        if seen.insert(objects.clone()) {
            found.push(objects);
        }
    }
    found
}

/// Whether a Service sends requests to pods with these labels.
fn selects(service: &Value, labels: &Value) -> bool {
    let selector = service["spec"]["selector"].as_object().filter(|selector| !selector.is_empty());
    selector.is_some_and(|selector| selector.iter().all(|(key, value)| labels[key] == *value))
}

fn is_new_model(change: &Change) -> bool {
    match (change.action, change.key.kind.as_str()) {
        (Action::Create, _) => true,
        (Action::Update, "InferenceService") => predictor(change.pair.before()) != predictor(change.pair.after()),
        (Action::Update, "Deployment") => template(change.pair.before()) != template(change.pair.after()),
        _ => false,
    }
}

/// What of an InferenceService says which model it is.
pub(super) fn predictor(object: Option<&Value>) -> Value {
    let mut predictor = object.map(|object| object["spec"]["predictor"].clone()).unwrap_or_default();
    if let Some(fields) = predictor.as_object_mut() {
        SCALING.iter().for_each(|key| drop(fields.shift_remove(*key)));
    }
    predictor
}

fn template(object: Option<&Value>) -> Value {
    object.map(|object| object["spec"]["template"].clone()).unwrap_or_default()
}

/// Whether the pods of a version are stopped before new ones are there.
fn interrupts(change: &Change) -> bool {
    if change.action != Action::Update {
        return false;
    }
    let (Some(before), Some(after)) = (change.pair.before(), change.pair.after()) else { return false };
    match change.key.kind.as_str() {
        "Deployment" => template(Some(before)) != template(Some(after)) && has_no_surge(&after["spec"]["strategy"]),
        // Labels and annotations reach the pods: KServe replaces them for these too.
        "InferenceService" => {
            let pods = |object: &Value| (object["spec"].clone(), object["metadata"].clone());
            pods(before) != pods(after) && has_no_surge(&after["spec"]["predictor"]["deploymentStrategy"])
        }
        _ => false,
    }
}

fn has_no_surge(strategy: &Value) -> bool {
    let surge = &strategy["rollingUpdate"]["maxSurge"];
    strategy["type"] == "Recreate" || surge == 0 || surge == "0" || surge == "0%"
}
