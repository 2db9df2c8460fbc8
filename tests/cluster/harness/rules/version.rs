//! Whether a version is serving and settled, judged here apart from r8's own judgement: by the table of what the two
//! words mean for each kind, and by the statuses of `testdata/sequences`.

use serde_json::Value;

/// How a version is run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Deployment,
    Standard,
    Knative,
    ModelMesh,
}

/// What is known of a version at one event.
#[derive(Clone, Debug)]
pub struct State {
    /// The object.
    pub live: Value,
    /// The Deployment that runs it: of a Standard InferenceService.
    pub predictor: Option<Value>,
    /// The last change of its spec; none when there was none since the recording began.
    pub write: Option<Write>,
}

/// A change of a version's spec.
#[derive(Clone, Debug)]
pub struct Write {
    /// The object just before; none when it was created.
    pub before: Option<Value>,
    /// Whether its status has been written since.
    pub reported: bool,
}

impl State {
    /// Whether it takes requests now, whichever spec is loaded.
    pub fn serving(&self) -> bool {
        let (status, model) = (&self.live["status"], &self.live["status"]["modelStatus"]);
        match mode(&self.live) {
            Mode::Deployment => condition(&self.live, "Available"),
            Mode::Standard => self.predictor.as_ref().is_some_and(|predictor| condition(predictor, "Available")),
            Mode::Knative => {
                condition(&self.live, "RoutesReady")
                    && status["components"]["predictor"]["latestReadyRevision"].is_string()
            }
            Mode::ModelMesh => {
                let state = model["states"]["activeModelState"].as_str();
                condition(&self.live, "PredictorReady") && matches!(state, Some("Loaded" | "Standby"))
            }
        }
    }

    /// Whether what serves is known to be the spec now stored.
    pub fn settled(&self) -> bool {
        self.serving() && (self.proven() || (self.unprovable() && !self.failed()))
    }

    fn proven(&self) -> bool {
        match mode(&self.live) {
            Mode::Deployment => rolled_out(&self.live),
            Mode::Standard => {
                condition(&self.live, "Ready")
                    && self.predictor.as_ref().is_some_and(|predictor| {
                        let uri = self.live["spec"]["predictor"]["model"]["storageUri"].as_str().unwrap_or_default();
                        rolled_out(predictor) && predictor["spec"]["template"].to_string().contains(uri)
                    })
            }
            Mode::Knative => {
                let revisions = |object: &Value| {
                    let predictor = &object["status"]["components"]["predictor"];
                    ["latestCreatedRevision", "latestReadyRevision", "latestRolledoutRevision"]
                        .map(|name| predictor[name].as_str().map(str::to_owned))
                };
                let [created, ready, rolled_out] = revisions(&self.live);
                let new = self.changed_model().is_none_or(|before| revisions(before)[1] != ready);
                created == ready && ready == rolled_out && new
            }
            Mode::ModelMesh => {
                let model = &self.live["status"]["modelStatus"];
                model["transitionStatus"] == "UpToDate"
                    && model["states"]["targetModelState"].as_str().unwrap_or_default().is_empty()
                    && self.write.as_ref().is_none_or(|write| write.reported)
            }
        }
    }

    /// Whether no proof can come: the model is the same, and perhaps nobody ever writes a status again.
    fn unprovable(&self) -> bool {
        let same = |write: &Write| write.before.as_ref().is_some_and(|before| model(before) == model(&self.live));
        mode(&self.live) != Mode::Deployment && self.write.as_ref().is_some_and(same)
    }

    /// The object before its last write, when that changed the model.
    fn changed_model(&self) -> Option<&Value> {
        let before = self.write.as_ref()?.before.as_ref()?;
        (model(before) != model(&self.live)).then_some(before)
    }

    fn failed(&self) -> bool {
        let model = &self.live["status"]["modelStatus"];
        let failed = |state: &Value| state == "FailedToLoad";
        failed(&model["states"]["activeModelState"])
            || failed(&model["states"]["targetModelState"])
            || matches!(model["transitionStatus"].as_str(), Some("BlockedByFailedLoad" | "InvalidSpec"))
    }
}

/// Whether a change of the spec is known to interrupt the version: no pod of the new template beside the old ones, and
/// none of the old ones kept.
pub fn interrupts(before: &Value, after: &Value) -> bool {
    let (strategy, replicas) = match mode(after) {
        Mode::Deployment if before["spec"]["template"] == after["spec"]["template"] => return false,
        Mode::Standard if model(before) == model(after) => return false,
        Mode::Deployment => (&after["spec"]["strategy"], &after["spec"]["replicas"]),
        Mode::Standard => {
            (&after["spec"]["predictor"]["deploymentStrategy"], &after["spec"]["predictor"]["minReplicas"])
        }
        Mode::Knative | Mode::ModelMesh => return false,
    };
    if strategy["type"] == "Recreate" {
        return true;
    }
    let replicas = replicas.as_u64().unwrap_or(1);
    let rolling = &strategy["rollingUpdate"];
    let surge = count(&rolling["maxSurge"], replicas, f64::ceil);
    let unavailable = count(&rolling["maxUnavailable"], replicas, f64::floor);
    // Where both come to 0 Kubernetes takes one pod away.
    surge == 0 && unavailable.max(1) >= replicas
}

/// A number or a percentage of the replicas; 25% when absent.
fn count(value: &Value, replicas: u64, round: fn(f64) -> f64) -> u64 {
    if let Some(number) = value.as_u64() {
        return number;
    }
    let percent = value.as_str().unwrap_or("25%").trim_end_matches('%').parse::<f64>().unwrap_or(25.0);
    round(replicas as f64 * percent / 100.0) as u64
}

fn mode(object: &Value) -> Mode {
    if object["kind"] == "Deployment" {
        return Mode::Deployment;
    }
    let annotation = &object["metadata"]["annotations"]["serving.kserve.io/deploymentMode"];
    match object["status"]["deploymentMode"].as_str().or(annotation.as_str()) {
        Some("ModelMesh") => Mode::ModelMesh,
        Some("Knative" | "Serverless") => Mode::Knative,
        // Knative is not served by the clusters of the tests.
        _ => Mode::Standard,
    }
}

fn condition(object: &Value, name: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == name && condition["status"] == "True")
}

/// The same rule as that of `kubectl rollout status`.
fn rolled_out(deployment: &Value) -> bool {
    let (spec, status) = (&deployment["spec"], &deployment["status"]);
    let number = |name: &str| status[name].as_u64().unwrap_or_default();
    let wanted = spec["replicas"].as_u64().unwrap_or(1);
    status["observedGeneration"].as_u64() >= deployment["metadata"]["generation"].as_u64()
        && number("updatedReplicas") == wanted
        && number("replicas") == wanted
        && number("availableReplicas") == wanted
}

/// Everything of a predictor but how much of it there is.
fn model(object: &Value) -> Value {
    let mut predictor = object["spec"]["predictor"].clone();
    if let Some(map) = predictor.as_object_mut() {
        for key in [
            "minReplicas",
            "maxReplicas",
            "scaleTarget",
            "scaleMetric",
            "scaleMetricType",
            "autoScaling",
            "containerConcurrency",
            "canaryTrafficPercent",
            "deploymentStrategy",
        ] {
            map.remove(key);
        }
    }
    predictor
}
