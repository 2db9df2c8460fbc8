//! Deployments, whose `observedGeneration` can be trusted (kubectl's `rollout status` asks the same).

use serde_json::Value;

use super::{Health, Settled, condition, is_true, said};

/// The state of a Deployment.
pub(super) fn health(object: &Value) -> Health {
    let serving = is_true(object, "Available");
    let why = unfinished(object);
    let failed = condition(object, "Progressing")
        .filter(|condition| condition["reason"] == "ProgressDeadlineExceeded" && !behind(object))
        .map(said);
    let settled = if serving && why.is_none() { Settled::Yes } else { Settled::No };
    let why = why.or_else(|| condition(object, "Available").filter(|_| !serving).map(said)).unwrap_or_default();
    Health { serving, settled, failed, why }
}

fn behind(object: &Value) -> bool {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
    object["status"]["observedGeneration"].as_i64().unwrap_or(-1) < generation
}

/// What the rollout lacks; none when it is complete (`DeploymentComplete` of Kubernetes' deployment controller).
pub(super) fn unfinished(object: &Value) -> Option<String> {
    if behind(object) {
        return Some("its controller has not seen the change".into());
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
