//! Why a version is not ready: what its pods wait for, and the last events, where they may be read.

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;

use super::Cluster;
use super::observe::CHILD;
use crate::manifest::ObjectKey;

/// How many pods and how many events are told.
const MOST: usize = 3;

/// One reason, from the pods or the events of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The object that it is about, as in `Pod wisdom-1-predictor-7d9f`.
    pub about: String,
    /// What is the matter.
    pub text: String,
}

impl Cluster<'_> {
    /// The reasons that pods and events give for an object's state; none where nothing may be read. The pods of a Deployment
    /// are those that the object itself selects.
    pub async fn causes(&self, key: &ObjectKey, object: Option<&Value>) -> Vec<Cause> {
        let selector = match key.kind.as_str() {
            "InferenceService" => format!("{CHILD}={}", key.name),
            "Deployment" => selector(object),
            _ => String::new(),
        };
        if selector.is_empty() {
            return Vec::new();
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &key.namespace);
        let params = ListParams::default().labels(&selector);
        // What helps to explain a failure must not be one itself.
        let tries = self.tries();
        let mut causes: Vec<Cause> = Vec::new();
        let listed = self.once(&tries, pods.list(&params)).await.map(|list| list.items);
        let listed = listed.unwrap_or_else(|error| {
            causes.extend(unlisted(&error, "pods"));
            Vec::new()
        });
        causes.extend(listed.iter().filter_map(waiting).take(MOST));
        let events: Api<Event> = Api::namespaced(self.client.clone(), &key.namespace);
        let named = listed.iter().filter(|pod| waiting(pod).is_some()).filter_map(|pod| pod.metadata.name.clone());
        for name in std::iter::once(key.name.clone()).chain(named.take(1)) {
            let params = ListParams::default().fields(&format!("involvedObject.name={name},type=Warning"));
            let mut found = match self.once(&tries, events.list(&params)).await {
                Ok(list) => list.items,
                Err(error) => {
                    causes.extend(unlisted(&error, "events"));
                    break;
                }
            };
            found.sort_by_key(|event| {
                event.metadata.resource_version.as_ref().and_then(|text| text.parse::<u64>().ok())
            });
            causes.extend(found.into_iter().rev().take(MOST).filter_map(|event| {
                let text = [event.reason, event.message].into_iter().flatten().collect::<Vec<_>>().join(": ");
                let kind = event.involved_object.kind.unwrap_or_default();
                (!text.is_empty()).then(|| Cause { about: format!("{kind} {name}"), text })
            }));
        }
        causes
    }
}

/// The labels that a Deployment selects its pods by; nothing where it is not there.
fn selector(object: Option<&Value>) -> String {
    let labels = object.and_then(|object| object["spec"]["selector"]["matchLabels"].as_object());
    let pairs = labels.into_iter().flatten();
    let pairs = pairs.map(|(label, value)| format!("{label}={}", value.as_str().unwrap_or_default()));
    pairs.collect::<Vec<_>>().join(",")
}

/// That more could be told with another right.
fn unlisted(error: &kube::Error, what: &str) -> Option<Cause> {
    let forbidden = matches!(error, kube::Error::Api(status) if status.code == 403);
    forbidden.then(|| Cause { about: what.to_owned(), text: "you may not list them".into() })
}

/// What a pod waits for; none when all its containers are ready.
fn waiting(pod: &Pod) -> Option<Cause> {
    let status = pod.status.as_ref()?;
    let about = format!("Pod {}", pod.metadata.name.as_deref().unwrap_or_default());
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    for container in containers {
        let state = container.state.as_ref();
        let texts = |reason: &Option<String>, message: &Option<String>| {
            [reason, message].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ")
        };
        let text = match state.and_then(|state| state.waiting.as_ref()) {
            Some(waiting) => texts(&waiting.reason, &waiting.message),
            None => match state.and_then(|state| state.terminated.as_ref()).filter(|ended| ended.exit_code != 0) {
                Some(ended) => format!("exit code {}: {}", ended.exit_code, texts(&ended.reason, &ended.message)),
                None => continue,
            },
        };
        let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        let last = last.map(|ended| format!("; before that exit code {}", ended.exit_code)).unwrap_or_default();
        return Some(Cause { about, text: format!("{}: {text}{last}", container.name) });
    }
    let unscheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    let text = unscheduled.and_then(|condition| condition.message.clone());
    let ready =
        status.conditions.iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    match text {
        Some(text) => Some(Cause { about, text }),
        None if !ready => {
            Some(Cause { about, text: format!("is {} and not ready", status.phase.as_deref().unwrap_or("Pending")) })
        }
        None => None,
    }
}
