//! Models that are stored and of which nobody has ever seen that they are loaded.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Observed;
use super::member::predictor;
use crate::manifest::{Manifest, Manifests, ObjectKey};

/// The InferenceServices whose live model is one that a later revision than the deployed one wrote: it failed, or was
/// interrupted, before it saw that model settled. Without a deployed revision all that the later ones wrote are.
///
/// A Deployment is none: its `observedGeneration` says itself what its status is about.
pub fn pending(deployed: Option<&Manifests>, later: &[Manifests], observed: &Observed) -> BTreeSet<ObjectKey> {
    let model = |manifest: &Manifest| predictor(Some(&manifest.object));
    let in_deployed = |key: &ObjectKey| deployed?.iter().find(|manifest| manifest.key == *key).map(model);
    let written = later.iter().flat_map(Manifests::iter).filter(|manifest| manifest.key.kind == "InferenceService");
    let is_live = |manifest: &&Manifest| {
        let live = observed.objects.get(&manifest.key).and_then(|observation| observation.live.as_ref());
        let wrote = model(manifest);
        live.is_some_and(|live| holds(&predictor(Some(live)), &wrote)) && in_deployed(&manifest.key) != Some(wrote)
    };
    written.filter(is_live).map(|manifest| manifest.key.clone()).collect()
}

/// Whether a live value has everything that was written; the API server and KServe fill in more.
fn holds(live: &Value, written: &Value) -> bool {
    match (live, written) {
        (Value::Object(live), Value::Object(written)) => {
            written.iter().all(|(key, value)| live.get(key).is_some_and(|live| holds(live, value)))
        }
        (Value::Array(live), Value::Array(written)) => {
            live.len() == written.len() && live.iter().zip(written).all(|(live, written)| holds(live, written))
        }
        (live, written) => live == written,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::Role;
    use crate::plan::{Goal, Observation, Release, Wanted, plan};
    use crate::readiness::Settled;

    /// A model at this address that ModelMesh calls loaded.
    fn model(address: &str) -> Manifest {
        let object = json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "one", "namespace": "models", "managedFields": [
                {"manager": "helm", "time": "2026-01-01T00:00:10Z", "fieldsV1": {"f:spec": {}}},
                {"manager": "manager", "subresource": "status", "time": "2026-01-01T00:00:05Z", "fieldsV1": {"f:status": {}}}]},
            "spec": {"predictor": {"minReplicas": 1, "model": {"storageUri": address}}},
            "status": {"deploymentMode": "ModelMesh", "conditions": [{"type": "PredictorReady", "status": "True"}],
                       "modelStatus": {"transitionStatus": "UpToDate", "states": {"activeModelState": "Loaded"}}},
        });
        Manifest::from_object(object, "", Role::Version(0)).unwrap()
    }

    fn manifests(address: &str) -> Manifests {
        Manifests::new(vec![model(address)]).unwrap()
    }

    /// A cluster that has the model at this address, with a field that KServe has filled in.
    fn observed(address: &str) -> Observed {
        let Manifest { key, mut object, .. } = model(address);
        object["spec"]["predictor"]["model"]["runtime"] = "mlserver".into();
        object["spec"]["predictor"]["minReplicas"] = json!(3);
        let observation = Observation { live: Some(object.clone()), desired: Some(object), ..Observation::default() };
        Observed { objects: [(key, observation)].into(), ..Observed::default() }
    }

    #[test]
    fn what_a_failed_revision_wrote_is_pending_while_it_is_live() {
        let found = |deployed: Option<&Manifests>, later: &[&str], live: &str| {
            let later: Vec<Manifests> = later.iter().map(|address| manifests(address)).collect();
            !pending(deployed, &later, &observed(live)).is_empty()
        };
        let deployed = manifests("s3://a");
        assert!(found(Some(&deployed), &["s3://b"], "s3://b"));
        assert!(found(Some(&deployed), &["s3://b", "s3://c"], "s3://b"));
        assert!(found(None, &["s3://b"], "s3://b"));
        // It never came to write it, or it was the same.
        assert!(!found(Some(&deployed), &["s3://b"], "s3://a"));
        assert!(!found(Some(&deployed), &["s3://a"], "s3://a"));
        assert!(!found(Some(&deployed), &[], "s3://b"));
    }

    #[test]
    fn a_pending_model_whose_status_is_older_is_not_settled() {
        let mut observed = observed("s3://b");
        let wanted = Wanted { manifests: manifests("s3://b"), route: None };
        let release = Release { name: "one".into(), namespace: "models".into() };
        let settled = |observed: &Observed| plan(&wanted, observed, &release, &Goal::default()).health[0].settled;
        assert_eq!(settled(&observed), Settled::Unproven);
        observed.pending = pending(Some(&manifests("s3://a")), &[manifests("s3://b")], &observed);
        assert_eq!(settled(&observed), Settled::No);
    }
}
