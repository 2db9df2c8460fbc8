//! InferenceServices, in each of KServe's three modes.
//!
//! What each status looks like over time stands in `testdata/sequences`, with the place in KServe's, Knative's or
//! ModelMesh's code that writes it.

use serde_json::Value;

use super::{Health, Settled, condition, deployment, is_true, said};

/// The mode of an InferenceService.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Deployments of Kubernetes.
    Standard,
    /// Services of Knative.
    Knative,
    /// Models in shared runtimes.
    ModelMesh,
}

/// The mode: what the status says, else the annotation, else Knative where that is served, else Standard.
pub(super) fn mode(object: &Value, knative: bool) -> Mode {
    let named = object["status"]["deploymentMode"].as_str();
    let named = named.or(object["metadata"]["annotations"]["serving.kserve.io/deploymentMode"].as_str());
    match named {
        Some("Standard" | "RawDeployment") => Mode::Standard,
        Some("Knative" | "Serverless") => Mode::Knative,
        Some("ModelMesh") => Mode::ModelMesh,
        _ if knative => Mode::Knative,
        _ => Mode::Standard,
    }
}

/// The Deployment that KServe makes of an InferenceService in Standard mode.
pub fn child(name: &str) -> String {
    format!("{name}-predictor")
}

/// What is known beside the object itself.
pub(super) struct Beside<'a> {
    /// The Deployment of Standard mode, if it is there.
    pub child: Option<&'a Value>,
    /// Whether the status was written later than the spec.
    pub follows: bool,
    /// Whether the Deployment changed since the spec was written.
    pub child_follows: bool,
    /// Whether the Deployment had the model's address already when the spec was written: then it proves nothing.
    pub held: bool,
    /// Whether the last write changed the model.
    pub model: bool,
    /// Whether Knative's API is served.
    pub knative: bool,
}

/// The state of an InferenceService.
pub(super) fn health(object: &Value, beside: &Beside<'_>) -> Health {
    let mut health = match mode(object, beside.knative) {
        Mode::Standard => standard(object, beside),
        Mode::Knative => knative(object, beside),
        Mode::ModelMesh => model_mesh(object, beside),
    };
    // A failure that the status names is that of an older spec as long as the status does not follow the write.
    health.failed = failure(object).filter(|_| beside.follows);
    if health.failed.is_some() {
        health.settled = Settled::No;
    }
    if health.settled == Settled::Yes {
        health.why = String::new();
    }
    health
}

fn standard(object: &Value, beside: &Beside<'_>) -> Health {
    let Some(child) = beside.child else {
        // Without a sight of the Deployment only KServe's own word is left; Ready stays True while a new pod is coming.
        let serving = is_true(object, "PredictorReady");
        let settled = settled(serving && is_true(object, "Ready"), false, !beside.model);
        return Health { serving, settled, failed: None, why: why(object) };
    };
    let meant = object["spec"]["predictor"]["minReplicas"] == 0;
    let serving = deployment::serving(child, meant);
    let unfinished = deployment::unfinished(child, meant);
    let holds = holds(object, child);
    let done = serving && unfinished.is_none() && is_true(object, "Ready") && holds != Some(false);
    let proven = beside.child_follows || (holds == Some(true) && beside.model && !beside.held);
    let settled = settled(done, proven, !beside.model);
    let name = child["metadata"]["name"].as_str().unwrap_or_default();
    let why = match unfinished {
        Some(text) => format!("Deployment {name}: {text}"),
        None if holds == Some(false) => format!("Deployment {name} does not hold the new model yet"),
        None => why(object),
    };
    Health { serving, settled, failed: None, why }
}

fn knative(object: &Value, beside: &Beside<'_>) -> Health {
    let predictor = &object["status"]["components"]["predictor"];
    let revision = |key: &str| predictor[key].as_str().filter(|name| !name.is_empty());
    let (created, ready) = (revision("latestCreatedRevision"), revision("latestReadyRevision"));
    // RoutesReady is Unknown during an update, while the old revision serves: the traffic says who does.
    let routes = condition(object, "RoutesReady").or_else(|| condition(object, "PredictorRouteReady"));
    // Knative gives the address with its first ingress; the traffic is there before it.
    let addressed = predictor["address"]["url"].as_str().is_some_and(|url| !url.is_empty());
    let traffic = addressed && predictor["traffic"].as_array().is_some_and(|traffic| !traffic.is_empty());
    let routed = match routes.and_then(|condition| condition["status"].as_str()) {
        Some("True") => true,
        Some("Unknown") => traffic,
        Some(_) => false,
        None => traffic,
    };
    let serving = ready.is_some() && routed;
    let rolled = created.is_some() && created == ready && ready == revision("latestRolledoutRevision");
    let settled = settled(serving && rolled && is_true(object, "Ready"), beside.follows, !beside.model);
    let why = match (created, ready) {
        (Some(created), _) if Some(created) != ready => format!("revision {created} is not ready; {}", why(object)),
        (Some(created), _) if !rolled => format!("traffic is moving to revision {created}"),
        _ => why(object),
    };
    Health { serving, settled, failed: None, why }
}

fn model_mesh(object: &Value, beside: &Beside<'_>) -> Health {
    let model = &object["status"]["modelStatus"];
    let (active, target) = (model["states"]["activeModelState"].as_str(), model["states"]["targetModelState"].as_str());
    let standby = active == Some("Standby");
    let serving = is_true(object, "PredictorReady") && (active == Some("Loaded") || standby);
    let done = serving && model["transitionStatus"] == "UpToDate" && target.is_none_or(str::is_empty);
    // A model in Standby is loaded by the next request: a new one takes its place at once, and no status is written.
    let settled = settled(done, beside.follows, !beside.model || standby);
    let why = match (active, target.filter(|target| !target.is_empty())) {
        (_, Some(target)) => format!("the new model is {target}"),
        (Some(active), None) if !serving => format!("the model is {active}"),
        _ => why(object),
    };
    Health { serving, settled, failed: None, why }
}

fn settled(done: bool, proven: bool, may_go_unproven: bool) -> Settled {
    match (done, proven) {
        (true, true) => Settled::Yes,
        (true, false) if may_go_unproven => Settled::Unproven,
        _ => Settled::No,
    }
}

/// What the status waits for.
fn why(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let bad = |condition: &&Value| condition["status"] != "True" && condition["severity"] != "Info";
    let explained = conditions.iter().filter(bad).find(|condition| condition["message"].as_str().is_some());
    match explained.or_else(|| conditions.iter().find(bad)) {
        Some(condition) => said(condition),
        None if conditions.is_empty() => "it has no status yet".into(),
        None => "its status does not follow the change yet".into(),
    }
}

/// The failure that the status names for good (`TransitionStatus` and `ModelState`, KServe's `pkg/apis/serving/v1beta1`).
fn failure(object: &Value) -> Option<String> {
    let model = &object["status"]["modelStatus"];
    let blocked = matches!(model["transitionStatus"].as_str(), Some("BlockedByFailedLoad" | "InvalidSpec"));
    let states = &model["states"];
    // A model that failed may be followed by one that is still loading.
    let (active, target) = (&states["activeModelState"], states["targetModelState"].as_str().unwrap_or_default());
    let failed = target == "FailedToLoad" || (*active == "FailedToLoad" && target.is_empty());
    if !blocked && !failed {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    let info = &model["lastFailureInfo"];
    let state = if failed { "FailedToLoad".to_owned() } else { text(&model["transitionStatus"]) };
    let parts = [state, text(&info["reason"]), text(&info["message"])];
    Some(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": "))
}

/// Whether the Deployment's pods load the model that the InferenceService names; none where that cannot be seen.
///
/// KServe notes the address of the model in the pods' annotations
/// (`internal.serving.kserve.io/storage-initializer-sourceuri`, `pkg/constants/constants.go`).
pub(super) fn holds(object: &Value, child: &Value) -> Option<bool> {
    const SOURCE: &str = "internal.serving.kserve.io/storage-initializer-sourceuri";
    let wanted = object["spec"]["predictor"]["model"]["storageUri"].as_str()?;
    let found = child["spec"]["template"]["metadata"]["annotations"][SOURCE].as_str()?;
    Some(found == wanted)
}
