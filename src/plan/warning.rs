//! Of what the user of a plan is warned.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::{Action, Change, Member};
use crate::manifest::{Manifest, Manifests, ObjectKey, Role};
use crate::route::ports;

/// Something that an apply does, and that may surprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A version is down while it is replaced, and its share cannot move.
    Interrupted(String),
    /// A version that gets requests is to have no pods.
    Off(String),
    /// The Service of a version loses the port that the live route names, before the route names another.
    PortGone {
        /// Name of the version.
        version: String,
        /// The port.
        port: u64,
    },
    /// A model is loaded under another name than that of its live version.
    Moved {
        /// Index of the entry.
        index: usize,
        /// The live version that has the model.
        from: String,
        /// The version that will have it.
        to: String,
    },
}

impl Warning {
    /// The stable name of the rule that it belongs to, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            Warning::Interrupted(_) => "version-interrupted",
            Warning::Off(_) => "version-without-pods",
            Warning::PortGone { .. } => "port-gone",
            Warning::Moved { .. } => "version-moved",
        }
    }

    /// What of it the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Warning::Interrupted(_) => None,
            Warning::Off(_) => Some("give it a weight of 0 until something gives it pods"),
            Warning::PortGone { .. } => {
                Some("let the Service have both ports first, or give the version another name: `metadata.name`")
            }
            // A version that bears a name of its own has been given it.
            Warning::Moved { index, to, .. } if !to.ends_with(&format!("-{index}")) || to.contains('/') => None,
            Warning::Moved { .. } => Some("give versions `metadata.name`, so that a model keeps its object"),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Interrupted(version) => write!(f, "requests to {version} fail while it is replaced"),
            Warning::Off(version) => write!(f, "requests to {version} fail: its Deployment is to have 0 replicas"),
            Warning::PortGone { version, port } => {
                write!(
                    f,
                    "requests to {version} fail until the route is written: its Service has no port {port} any more"
                )
            }
            Warning::Moved { index, from, to } => {
                write!(f, "entry {index} moves from {from} to {to} and is loaded again")
            }
        }
    }
}

/// Everything that a plan warns of.
pub(super) fn of_plan(
    wanted: &Manifests,
    changes: &[Change],
    members: &[Member],
    route: Option<&Value>,
) -> Vec<Warning> {
    let interrupted = members.iter().filter(|member| member.interrupts && member.routed && !member.yields);
    let mut warnings: Vec<Warning> = interrupted.map(|member| Warning::Interrupted(member.name.clone())).collect();
    let without_pods =
        |manifest: &&Manifest| manifest.key.kind == "Deployment" && manifest.object["spec"]["replicas"] == 0;
    let without_pods: BTreeSet<&ObjectKey> = wanted.iter().filter(without_pods).map(|manifest| &manifest.key).collect();
    let off = members.iter().filter(|member| member.index.is_some() && member.weight > 0);
    let off = off.filter(|member| member.objects.iter().any(|key| without_pods.contains(key)));
    warnings.extend(off.map(|member| Warning::Off(member.name.clone())));
    warnings.extend(ports_gone(changes, members, route));
    warnings.extend(moved(changes));
    warnings
}

/// The model of a version, or the image of its first container.
pub(super) fn model(object: Option<&Value>) -> Option<String> {
    let spec = &object?["spec"];
    let uri = spec["predictor"]["model"]["storageUri"].as_str();
    let image = spec["template"]["spec"]["containers"][0]["image"].as_str();
    uri.or(image).map(str::to_owned)
}

/// Ports that the live route names and that a changed Service of a version has no more.
fn ports_gone(changes: &[Change], members: &[Member], route: Option<&Value>) -> Vec<Warning> {
    let numbers = |object: Option<&Value>| -> BTreeSet<u64> {
        let ports = object.and_then(|object| object["spec"]["ports"].as_array()).into_iter().flatten();
        ports.filter_map(|port| port["port"].as_u64()).collect()
    };
    let is_changed = |change: &&Change| change.key.kind == "Service" && change.action == Action::Update;
    let mut lost: BTreeMap<&ObjectKey, BTreeSet<u64>> = BTreeMap::new();
    for change in changes.iter().filter(is_changed).filter(|change| matches!(change.role, Some(Role::Version(_)))) {
        let gone = &numbers(change.pair.before()) - &numbers(change.pair.after());
        if !gone.is_empty() {
            lost.insert(&change.key, gone);
        }
    }
    if lost.is_empty() {
        return Vec::new();
    }
    let named = route.map(ports).unwrap_or_default();
    let routed = members.iter().filter(|member| member.routed && member.index.is_some());
    let warning = |member: &Member| {
        let of_service = |key: &ObjectKey| lost.get(key)?.intersection(named.get(&key.name)?).next().copied();
        let port = member.objects.iter().find_map(of_service)?;
        Some(Warning::PortGone { version: member.name.clone(), port })
    };
    routed.filter_map(warning).collect()
}

/// Models that are live under another name than the one that they will be loaded under.
fn moved(changes: &[Change]) -> Vec<Warning> {
    // The live versions that lose their model, by it: the first of each.
    let mut losing: BTreeMap<String, Vec<&Change>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.action != Action::Unchanged) {
        if let Some(old) = model(change.pair.before())
            && model(change.pair.after()).as_ref() != Some(&old)
        {
            losing.entry(old).or_default().push(change);
        }
    }
    let mut warnings = Vec::new();
    for change in changes {
        let Some(Role::Version(index)) = change.role else { continue };
        let (old, new) = (model(change.pair.before()), model(change.pair.after()));
        let Some(new) = new.filter(|new| old.as_ref() != Some(new) && change.action != Action::Unchanged) else {
            continue;
        };
        let same = |other: &&&Change| other.key != change.key && other.key.kind == change.key.kind;
        let from = losing.get(&new).and_then(|others| others.iter().find(same));
        if let Some(from) = from {
            let name = |key: &ObjectKey| match from.key.name == change.key.name {
                true => format!("{}/{}", key.namespace, key.name),
                false => key.name.clone(),
            };
            warnings.push(Warning::Moved { index, from: name(&from.key), to: name(&change.key) });
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_leaves_names_to_r8_is_told_to_give_them() {
        let moved = |to: &str| Warning::Moved { index: 1, from: "shop-2".into(), to: to.into() };
        assert!(moved("shop-1").hint().is_some());
        assert_eq!(moved("final").hint(), None);
    }
}
