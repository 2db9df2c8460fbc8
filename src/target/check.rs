//! Rows of the table against a release: what is found, in words, with its place in the values.

use std::collections::BTreeSet;

use super::find::{Found, Place};
use super::table::{Detect, Effect, Table};
use super::version::Target;
use crate::manifest::{Manifests, ObjectKey};
use crate::route::Route;
use crate::spec::ReleaseSpec;
use crate::values::{Node, Origin};

/// A release as it would be applied.
pub struct Subject<'a> {
    /// The release.
    pub spec: &'a ReleaseSpec,
    /// The root of its values.
    pub values: &'a Node,
    /// Its objects, in the version of the API that is asked about.
    pub manifests: &'a Manifests,
    /// Its route, with open weights.
    pub route: Option<&'a Route>,
    /// The sets of ready versions that the route is looked at with.
    pub ready: &'a [Vec<usize>],
}

/// Something that a release uses and its target lacks or ignores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The row of the table; `served` for what a live cluster does not serve.
    pub id: String,
    /// What becomes of it.
    pub effect: Effect,
    /// What is the matter.
    pub message: String,
    /// How to repair it, with the source.
    pub hint: String,
    /// Where in the values; none where they do not say it.
    pub origin: Option<Origin>,
    /// Its path in the values.
    pub path: Option<String>,
}

/// Everything that the target lacks or ignores, in the order of the table.
pub fn check(target: &Target, table: &Table, subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(served) = &target.served {
        findings.extend(unserved(served, subject));
    }
    for row in &table.rows {
        let Some(version) = target.version(&row.product).filter(|version| row.holds(*version)) else { continue };
        // What a cluster serves it has said itself.
        if target.served.is_some() && matches!(row.detect, Detect::ApiVersion { .. }) {
            continue;
        }
        for (place, found) in by_place(subject.find(&row.detect)) {
            let (origin, path) = place.map_or((None, None), |place| (Some(place.origin), Some(place.path)));
            let target = format!("{} {version}", row.product);
            let message = row.message.replace("{target}", &target).replace("{object}", &objects(&found));
            let text = found.first().map(|found| found.text.as_str()).unwrap_or_default();
            let message = message.replace("{found}", text);
            let hint = format!("{} ({})", row.hint, row.source);
            findings.push(Finding { id: row.id.clone(), effect: row.effect, message, hint, origin, path });
        }
    }
    findings
}

/// The objects of kinds and versions that the cluster does not serve.
fn unserved(served: &[(String, Vec<String>)], subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for manifest in subject.manifests.iter() {
        let version = manifest.object["apiVersion"].as_str().unwrap_or_default();
        let kind = manifest.key.kind.as_str();
        let has = |version: &str| {
            let of_version = served.iter().filter(|(known, _)| known == version);
            of_version.into_iter().any(|(_, kinds)| kinds.iter().any(|known| known == kind))
        };
        let group = version.split_once('/').map(|(group, _)| format!("{group}/"));
        if has(version) {
            continue;
        }
        let other = group.and_then(|group| served.iter().find(|(known, _)| known.starts_with(&group) && has(known)));
        let hint = match other {
            Some((other, _)) => format!("it serves {other}; `apply` uses that, `render` with `--api-version`"),
            None => "install the product that brings it".to_owned(),
        };
        let message = format!("the cluster does not serve {kind} as {version}");
        if !findings.iter().any(|finding| finding.message == message) {
            let id = "served".to_owned();
            findings.push(Finding { id, effect: Effect::Lacks, message, hint, origin: None, path: None });
        }
    }
    findings
}

/// What was found, by its place in the values: one place is spoken of once.
fn by_place(found: Vec<Found>) -> Vec<(Option<Place>, Vec<Found>)> {
    let mut places: Vec<(Option<Place>, Vec<Found>)> = Vec::new();
    for one in found {
        match places.iter_mut().find(|(place, _)| *place == one.place) {
            Some((_, list)) => list.push(one),
            None => places.push((one.place.clone(), vec![one])),
        }
    }
    places
}

/// The objects of one place: the first, and how many more there are.
fn objects(found: &[Found]) -> String {
    let objects: BTreeSet<&ObjectKey> = found.iter().map(|found| &found.object).collect();
    let first = found.first().map(|found| found.object.to_string()).unwrap_or_default();
    match objects.len().saturating_sub(1) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
