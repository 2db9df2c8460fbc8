//! Plays a sequence: what the controllers of a version would write, when the test says so.

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::sequence::{Pods, Sequence, Step, Template, Wait};
use super::{Namespace, eventually};

/// Plays one sequence for one object.
pub struct Player<'a> {
    namespace: &'a Namespace,
    name: String,
    sequence: Sequence,
    next: usize,
    /// The generation that was waited for last.
    generation: i64,
    /// The model that the object asks for now.
    model: String,
}

impl<'a> Player<'a> {
    /// Plays `testdata/sequences/SEQUENCE.yaml` for the object `name`.
    pub fn new(namespace: &'a Namespace, sequence: &str, name: &str) -> Player<'a> {
        let sequence = Sequence::read(sequence);
        Player { namespace, name: name.to_owned(), sequence, next: 0, generation: 0, model: String::new() }
    }

    /// The object of the sequence, as its file has it.
    pub fn object(&self) -> Value {
        let mut object = self.filled(&self.sequence.object);
        object["metadata"]["name"] = self.name.as_str().into();
        object
    }

    /// The step that [`Player::step`] plays next; none when all are played.
    pub fn upcoming(&self) -> Option<&Step> {
        self.sequence.steps.get(self.next)
    }

    /// Waits for what the next step waits for, plays it, and gives it as it was played; none when all are played.
    pub async fn step(&mut self) -> Option<Step> {
        let mut step = self.upcoming()?.clone();
        self.next += 1;
        self.wait(step.wait).await;
        if let Some(until) = &step.until {
            self.until(&self.filled(until)).await;
        }
        if let Some(status) = &step.status {
            let status = self.put_status(status).await;
            step.status = Some(status);
        }
        if let Some(object) = &step.apply {
            self.apply(self.filled(object)).await;
        }
        if let Some(pods) = &step.pods {
            self.patch_pods(pods).await;
        }
        Some(step)
    }

    fn kind(&self) -> &str {
        self.sequence.object["kind"].as_str().expect("a sequence names a kind")
    }

    async fn wait(&mut self, wait: Option<Wait>) {
        let (kind, name) = (self.kind(), &self.name);
        let above = if wait == Some(Wait::Changed) { self.generation } else { 0 };
        let what = format!("{kind} {name} is {}", if above == 0 { "there" } else { "changed" });
        let live = eventually(&what, async || {
            let live = self.namespace.get(kind, name).await?;
            (live["metadata"]["generation"].as_i64() > Some(above)).then_some(live)
        })
        .await;
        self.model = live["spec"]["predictor"]["model"]["storageUri"].as_str().unwrap_or_default().to_owned();
        if wait.is_some() {
            self.generation = live["metadata"]["generation"].as_i64().expect("a live object has one");
        }
    }

    /// Waits until an object contains all of `wanted`.
    async fn until(&self, wanted: &Value) {
        let (kind, name) = super::named(wanted);
        eventually(&format!("{kind} {name} contains {wanted}"), async || {
            let live = self.namespace.get(kind, name).await?;
            contains(&live, wanted).then_some(())
        })
        .await;
    }

    async fn put_status(&self, status: &Value) -> Value {
        let live = self.namespace.get(self.kind(), &self.name).await.expect("the object of a sequence is there");
        let mut status = self.filled(status);
        date(&mut status, &live["status"]);
        self.namespace.put_status(self.kind(), &self.name, &status).await;
        status
    }

    async fn apply(&self, mut object: Value) {
        let owner = self.namespace.get(self.kind(), &self.name).await.expect("the object of a sequence is there");
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": true,
            "blockOwnerDeletion": true,
        }]);
        self.namespace.apply_as("kserve-controller", &object).await;
    }

    async fn patch_pods(&self, pods: &Pods) {
        let deployment = self.filled(&pods.deployment.as_str().into());
        let deployment = deployment.as_str().expect("it was a text");
        let what = format!("pods of the {:?} template of Deployment {deployment}", pods.template);
        let found = eventually(&what, async || {
            let found = self.pods(deployment, pods.template).await?;
            (!found.is_empty()).then_some(found)
        })
        .await;
        for pod in found {
            let mut status = self.filled(&pods.status);
            date(&mut status, &pod["status"]);
            let name = pod["metadata"]["name"].as_str().expect("a pod has a name");
            let patch = Patch::Merge(json!({"status": status}));
            let patched = self.namespace.objects("Pod").patch_status(name, &PatchParams::default(), &patch).await;
            patched.unwrap_or_else(|error| panic!("status of Pod {name}: {error}"));
        }
    }

    /// The pods of one template; none while the Deployment's controller has not seen its newest specification.
    async fn pods(&self, deployment: &str, template: Template) -> Option<Vec<Value>> {
        let live = self.namespace.get("Deployment", deployment).await?;
        if live["status"]["observedGeneration"] != live["metadata"]["generation"] {
            return None;
        }
        let mut sets = self.namespace.list("ReplicaSet").await;
        sets.retain(|set| owned(set, &live));
        sets.sort_by_key(|set| std::cmp::Reverse(revision(set)));
        let set = sets.get(usize::from(template == Template::Previous))?;
        let mut pods = self.namespace.list("Pod").await;
        pods.retain(|pod| owned(pod, set) && pod["metadata"]["deletionTimestamp"].is_null());
        Some(pods)
    }

    /// A copy in which names and times stand for their marks.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => text
                .replace("${name}", &self.name)
                .replace("${namespace}", &self.namespace.name)
                .replace("${storageUri}", &self.model)
                .replace("${now}", &now())
                .into(),
            Value::Array(list) => list.iter().map(|item| self.filled(item)).collect(),
            Value::Object(map) => map.iter().map(|(key, item)| (key.clone(), self.filled(item))).collect(),
            _ => value.clone(),
        }
    }
}

fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Gives every condition its transition time: the live one's while its status stays.
fn date(status: &mut Value, live: &Value) {
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        let same = live["conditions"].as_array().into_iter().flatten();
        let mut same = same.filter(|old| old["type"] == condition["type"] && old["status"] == condition["status"]);
        condition["lastTransitionTime"] =
            same.next().map_or_else(|| now().into(), |old| old["lastTransitionTime"].clone());
    }
}

fn owned(object: &Value, owner: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().any(|reference| reference["uid"] == owner["metadata"]["uid"])
}

fn revision(set: &Value) -> u64 {
    let text = set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str();
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Whether `live` has everything of `wanted`; of a list, an element that contains each wanted one.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, item)| live.get(key).is_some_and(|found| contains(found, item)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            wanted.iter().all(|item| live.iter().any(|found| contains(found, item)))
        }
        _ => live == wanted,
    }
}
