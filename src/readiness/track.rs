//! One object over time: its newest state, and the status that stood when it was written last.

use serde_json::Value;

use super::inference::{self, Beside, Mode, mode};
use super::{Health, deployment, other};

/// One object of a version, as it was seen and written so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Track {
    object: Option<Value>,
    child: Option<Value>,
    write: Option<Write>,
    /// Whether a run that did not end well wrote the model, so that an older status says nothing of it.
    pending: bool,
}

/// The last write of this run.
#[derive(Debug, Clone, PartialEq)]
struct Write {
    /// The object just after it: the status beside the new spec is that of an older one.
    reply: Value,
    /// Generation of the Deployment of Standard mode at that time.
    child: Option<i64>,
    /// Whether that Deployment had the model already that is wanted now.
    held: bool,
    /// Whether the model changed.
    model: bool,
    /// Whether a status is known to have been written since.
    moved: bool,
}

impl Track {
    /// Starts with an object as it is; none when it does not exist.
    pub fn new(object: Option<Value>) -> Track {
        Track { object, ..Track::default() }
    }

    /// Notes that its model was written by a run that did not end well: a status of an earlier second proves nothing, and
    /// does not come to count by staying as it is.
    pub fn doubt(&mut self) {
        self.pending = true;
    }

    /// The newest state; none when it does not exist.
    pub fn object(&self) -> Option<&Value> {
        self.object.as_ref()
    }

    /// Takes a state that was seen; an older one than the newest is dropped.
    pub fn see(&mut self, object: Option<Value>) {
        if is_older(object.as_ref(), self.object.as_ref()) {
            return;
        }
        if let (Some(write), Some(object)) = (&mut self.write, &object) {
            write.moved |= status_was_written(&write.reply, object);
        }
        self.object = object;
    }

    /// Takes a state of the Deployment that KServe makes in Standard mode.
    pub fn see_child(&mut self, child: Option<Value>) {
        if !is_older(child.as_ref(), self.child.as_ref()) {
            self.child = child;
        }
    }

    /// Notes a write of this run: `reply` is the object as the API server stored it, `model` whether its model changed.
    pub fn wrote(&mut self, reply: Value, model: bool) {
        let child = self.child.as_ref().and_then(|child| child["metadata"]["generation"].as_i64());
        let held = self.child.as_ref().is_some_and(|child| inference::holds(&reply, child) == Some(true));
        let model = model || self.pending;
        self.write = Some(Write { reply: reply.clone(), child, held, model, moved: false });
        if !is_older(Some(&reply), self.object.as_ref()) {
            self.object = Some(reply);
        }
    }

    /// Notes a write whose answer was lost: `read` is the object as it was read later, perhaps with a newer status.
    pub fn wrote_unseen(&mut self, read: Value, model: bool) {
        let before = self.object.as_ref().map(|object| object["status"].clone()).unwrap_or_default();
        let moved = read["status"] != before && status_follows(&read);
        self.wrote(read, model);
        if let Some(write) = &mut self.write {
            write.moved = moved;
        }
    }

    /// The state now; `knative` says whether Knative's API is served.
    pub fn health(&self, knative: bool) -> Health {
        let Some(object) = &self.object else { return Health::absent() };
        if !object["metadata"]["deletionTimestamp"].is_null() {
            return Health { why: "it is being deleted".into(), ..Health::absent() };
        }
        match (object["kind"].as_str(), object["apiVersion"].as_str().unwrap_or_default().split('/').next()) {
            (Some("Deployment"), Some("apps")) => deployment::health(object),
            (Some("InferenceService"), Some("serving.kserve.io")) => {
                inference::health(object, &self.beside(object, knative))
            }
            (None, _) => Health { why: "its kind is unknown".into(), ..Health::absent() },
            _ => other(object),
        }
    }

    /// Whether the Deployment of Standard mode belongs to what is to be looked at.
    pub fn has_child(&self, knative: bool) -> bool {
        self.object
            .as_ref()
            .is_some_and(|object| object["kind"] == "InferenceService" && mode(object, knative) == Mode::Standard)
    }

    fn beside(&self, object: &Value, knative: bool) -> Beside<'_> {
        let generation = |child: &Value| child["metadata"]["generation"].as_i64();
        let child = self.child.as_ref();
        match &self.write {
            Some(write) => {
                let child_follows = child.and_then(generation) != write.child;
                Beside { child, follows: write.moved, child_follows, held: write.held, model: write.model, knative }
            }
            None => {
                let follows = status_is_newer(object, object);
                let child_follows = child.is_some_and(|child| follows || status_is_newer(object, child));
                // In the same second it may be either.
                let model = self.pending && !status_follows(object);
                Beside { child, follows, child_follows, held: true, model, knative }
            }
        }
    }
}

/// Whether `new` is older than `newest`. Of one object's versions the greater number is the newer one (Kubernetes'
/// API concepts, "Resource versions"); where one is no number nothing is dropped.
fn is_older(new: Option<&Value>, newest: Option<&Value>) -> bool {
    let number = |object: Option<&Value>| object?["metadata"]["resourceVersion"].as_str()?.parse::<u64>().ok();
    let same = |new: &Value, newest: &Value| new["metadata"]["uid"] == newest["metadata"]["uid"];
    match (new, newest) {
        (Some(a), Some(b)) if same(a, b) => number(new).zip(number(newest)).is_some_and(|(new, newest)| new < newest),
        _ => false,
    }
}

/// Whether a status was written between two versions of an object: another one, or the same again with others between
/// that were not seen, as nobody sees who reads now and then. Then the version is newer, and nothing but the status is.
fn status_was_written(before: &Value, after: &Value) -> bool {
    let rest = |object: &Value| {
        let mut rest = object.clone();
        rest["status"] = Value::Null;
        rest["metadata"]["resourceVersion"] = Value::Null;
        if let Some(entries) = rest["metadata"]["managedFields"].as_array_mut() {
            entries.retain(|entry| entry["subresource"] != "status");
        }
        rest
    };
    before["status"] != after["status"]
        || (before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]
            && rest(before) == rest(after))
}

/// Whether the status of an object may have been written after its spec: not in an earlier second.
fn status_follows(object: &Value) -> bool {
    let (spec, status) = (written_at(object, false), written_at(object, true));
    status.is_some() && status >= spec
}

/// Whether the status of `child` was written in a later second than the spec of `object`, by the times that the API
/// server notes for each manager of fields.
fn status_is_newer(object: &Value, child: &Value) -> bool {
    match (written_at(object, false), written_at(child, true)) {
        (Some(spec), Some(status)) => status > spec,
        _ => false,
    }
}

/// When the status, or the spec, of an object was written last, by the times that the API server notes.
fn written_at(object: &Value, status: bool) -> Option<&str> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let of = |entry: &&Value| {
        if status { entry["subresource"] == "status" } else { !entry["fieldsV1"]["f:spec"].is_null() }
    };
    // RFC 3339 in UTC sorts as text.
    entries.filter(of).filter_map(|entry| entry["time"].as_str()).max()
}
