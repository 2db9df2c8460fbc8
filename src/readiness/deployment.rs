//! Deployments, whose `observedGeneration` can be trusted (kubectl's `rollout status` asks the same).

use serde_json::Value;

use super::{Health, Settled, condition, is_true, said};

/// The state of a Deployment.
pub(super) fn health(object: &Value) -> Health {
    let meant = is_meant(object);
    let serving = serving(object, meant);
    let why = unfinished(object, meant);
    let failed = condition(object, "Progressing")
        .filter(|condition| condition["reason"] == "ProgressDeadlineExceeded" && !behind(object))
        .map(said);
    let settled = if serving && why.is_none() { Settled::Yes } else { Settled::No };
    let why = why.or_else(|| condition(object, "Available").filter(|_| !serving).map(said)).unwrap_or_default();
    Health { serving, settled, failed, why }
}

/// Whether it takes requests: one that is scaled to 0, or that may lose all its pods at once, is Available without any.
/// With `meant` the release itself wants no pods.
pub(super) fn serving(object: &Value, meant: bool) -> bool {
    let pods = || !is_off(object) && object["status"]["availableReplicas"].as_u64().unwrap_or(0) > 0;
    is_true(object, "Available") && (pods() || (meant && is_off(object)))
}

/// Whether no pods are wanted.
fn is_off(object: &Value) -> bool {
    object["spec"]["replicas"] == 0
}

/// Whether the number of pods is the release's: of what another one scaled, by hand or by itself, `helm` owns it no more.
fn is_meant(object: &Value) -> bool {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.into_iter().any(|entry| {
        entry["manager"] == "helm"
            && entry["subresource"].is_null()
            && !entry["fieldsV1"]["f:spec"]["f:replicas"].is_null()
    })
}

fn behind(object: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
    object["status"]["observedGeneration"].as_i64().unwrap_or(-1) < generation
}

/// What the rollout lacks; none when it is complete (`DeploymentComplete` of Kubernetes' deployment controller), and not
/// one to 0 pods that the release does not want.
pub(super) fn unfinished(object: &Value, meant: bool) -> Option<String> {
    if behind(object) {
        return Some("its controller has not seen the change".into());
    }
    if is_off(object) && !meant {
        return Some("it is scaled to 0".into());
    }
    let status = |key: &str| object["status"][key].as_u64().unwrap_or(0);
    let wanted = object["spec"]["replicas"].as_u64().unwrap_or(1);
    let (all, updated, available) = (status("replicas"), status("updatedReplicas"), status("availableReplicas"));
    let cause = || {
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let mut bad = conditions.filter(|condition| match condition["type"].as_str() {
            Some("ReplicaFailure") => condition["status"] == "True",
            Some("Available" | "Progressing") => condition["status"] == "False",
            _ => false,
        });
        bad.next_back().map(|condition| format!("; {}", said(condition))).unwrap_or_default()
    };
    if updated < wanted {
        Some(format!("{updated} of {wanted} pods are updated{}", cause()))
    } else if available < wanted {
        Some(format!("{available} of {wanted} pods are available{}", cause()))
    } else if all > updated {
        Some(format!("{} old pods are still there", all - updated))
    } else {
        None
    }
}
