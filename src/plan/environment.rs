//! A change of environment while versions keep their names: what KServe, Services and a gateway make impossible.

use serde_json::Value;

use super::{Action, Change, Observed, Refusal, is_route};
use crate::manifest::Role;
use crate::route::{Destination, destinations};

/// Versions that would change what they are under their names: KServe refuses another mode, Services collide, and behind
/// another kind of route the version could not be added beside the one that is there.
pub(super) fn refusals(changes: &[Change], observed: &Observed) -> Vec<Refusal> {
    let versions = changes.iter().filter(|change| matches!(change.role, Some(Role::Version(_))));
    let places = replaced(changes, observed);
    let mut refusals: Vec<Refusal> = Vec::new();
    for change in versions {
        let found = mode(change, observed).or_else(|| kind(change, changes)).or_else(|| behind(change, &places));
        if let Some((before, after)) = found {
            let version = change.key.name.clone();
            let told =
                |refusal: &Refusal| matches!(refusal, Refusal::Environment { version: other, .. } if *other == version);
            if !refusals.iter().any(told) {
                refusals.push(Refusal::Environment { version, before, after });
            }
        }
    }
    refusals
}

/// The mode of an InferenceService before and after, where it changes.
fn mode(change: &Change, observed: &Observed) -> Option<(String, String)> {
    const ANNOTATION: &str = "serving.kserve.io/deploymentMode";
    if change.key.kind != "InferenceService" || change.action != Action::Update {
        return None;
    }
    let live = observed.objects.get(&change.key)?.live.as_ref()?;
    let named = |object: &Value| object["metadata"]["annotations"][ANNOTATION].as_str().map(str::to_owned);
    // Without an annotation KServe falls back to what is served; its status knows better.
    let fallback = || if observed.knative { "Knative" } else { "Standard" }.to_owned();
    let before = live["status"]["deploymentMode"].as_str().map(str::to_owned).or(named(live)).unwrap_or_else(fallback);
    let after = change.pair.after().and_then(named).or_else(|| named(live).map(|_| fallback()))?;
    let today = |mode: &str| match mode {
        "RawDeployment" => "Standard".to_owned(),
        "Serverless" => "Knative".to_owned(),
        other => other.to_owned(),
    };
    let (before, after) = (today(&before), today(&after));
    let text = |mode: &str| format!("an InferenceService of mode {mode}");
    (before != after).then(|| (text(&before), text(&after)))
}

/// The kind of what answers before and after, where it changes under one name.
fn kind(change: &Change, changes: &[Change]) -> Option<(String, String)> {
    let other = changes.iter().find(|left| {
        left.action == Action::Delete
            && (&left.key.name, &left.key.namespace) == (&change.key.name, &change.key.namespace)
            && matches!(
                (left.key.kind.as_str(), change.key.kind.as_str()),
                ("Deployment", "InferenceService") | ("InferenceService", "Deployment")
            )
    })?;
    Some((with_article(&other.key.kind), with_article(&change.key.kind)))
}

/// What the live routes that a route of another kind replaces lead to: their kind, that of the new one, and the places.
fn replaced(changes: &[Change], observed: &Observed) -> Vec<(String, String, Vec<Destination>)> {
    let Some(wanted) = changes.iter().find(|change| change.role == Some(Role::Route)) else { return Vec::new() };
    let left = observed.left.iter().filter(|(key, _)| is_route(key) && key.kind != wanted.key.kind);
    left.map(|(key, route)| (key.kind.clone(), wanted.key.kind.clone(), destinations(route))).collect()
}

/// The kinds of route before and after, where the one before leads to this object.
fn behind(change: &Change, replaced: &[(String, String, Vec<Destination>)]) -> Option<(String, String)> {
    let key = &change.key;
    let leads = |places: &[Destination]| places.iter().any(|place| place.is(&key.kind, &key.namespace, &key.name));
    let (before, after, _) = replaced.iter().find(|(_, _, places)| leads(places))?;
    let text = |kind: &str| format!("{} behind {}", with_article(&key.kind), with_article(kind));
    Some((text(before), text(after)))
}

fn with_article(kind: &str) -> String {
    // `HTTP` is spelt.
    format!("{} {kind}", if kind.starts_with(['I', 'H']) { "an" } else { "a" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diff::Pair;
    use crate::manifest::ObjectKey;
    use crate::plan::{Mode, Observation, Owner};

    /// What is refused when an InferenceService with this status and annotation is to have another annotation, or none.
    fn refused(status: Option<&str>, before: Option<&str>, after: Option<&str>) -> Option<String> {
        refused_on(true, status, before, after)
    }

    /// The same in a cluster that serves Knative, or not.
    fn refused_on(knative: bool, status: Option<&str>, before: Option<&str>, after: Option<&str>) -> Option<String> {
        let object = |mode: Option<&str>| {
            let mut object = json!({"kind": "InferenceService", "metadata": {"annotations": {}}, "status": {}});
            if let Some(mode) = mode {
                object["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = mode.into();
            }
            object
        };
        let (mut live, wanted) = (object(before), object(after));
        live["status"]["deploymentMode"] = status.into();
        let [group, kind, namespace, name] =
            ["serving.kserve.io", "InferenceService", "models", "one"].map(str::to_owned);
        let key = ObjectKey { group, kind, namespace, name };
        let change = Change {
            key: key.clone(),
            role: Some(Role::Version(0)),
            action: Action::Update,
            pair: Pair::new(Some(&live), Some(&wanted)),
            owner: Owner::Release,
            conflicts: Vec::new(),
            mode: Mode::DryRun,
        };
        let observation = Observation { live: Some(live), ..Observation::default() };
        let observed = Observed { objects: [(key, observation)].into(), knative, ..Observed::default() };
        refusals(&[change], &observed).first().map(ToString::to_string)
    }

    #[test]
    fn another_mode_under_the_same_name_is_refused() {
        let text = |before: &str, after: &str| {
            Some(format!(
                "version one is an InferenceService of mode {before} and would become an InferenceService of mode {after} \
                 under the same name"
            ))
        };
        assert_eq!(refused(None, Some("Standard"), None), text("Standard", "Knative"));
        assert_eq!(refused(Some("Serverless"), None, Some("ModelMesh")), text("Knative", "ModelMesh"));
        assert_eq!(refused(Some("RawDeployment"), Some("RawDeployment"), Some("Standard")), None);
        assert_eq!(refused(Some("RawDeployment"), None, None), None);
        // Neither a status nor an annotation: what is served decides.
        assert_eq!(refused(None, None, Some("ModelMesh")), text("Knative", "ModelMesh"));
        assert_eq!(refused(None, None, Some("Serverless")), None);
        assert_eq!(refused_on(false, None, None, Some("ModelMesh")), text("Standard", "ModelMesh"));
        assert_eq!(refused_on(false, None, None, Some("RawDeployment")), None);
    }
}
