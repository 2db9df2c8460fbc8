//! Single writes: server-side apply, the hand-over of other tools' fields, what ties a route to a routemap, deletion.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use serde_json::{Value, json};

use super::call::{is_lost, is_outrun};
use super::discovery::{Kinds, Served};
use super::observe::{conflicts, json as object_json};
use super::overlay::is_handed_over;
use super::{Cluster, ClusterError, FIELD_MANAGER};
use crate::manifest::ObjectKey;
use crate::plan::CONTROLLER;

/// How often a write that needs the newest version of an object is tried.
const TRIES: usize = 5;

/// An object after it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stored {
    /// As the answer to the write has it.
    Told(Value),
    /// The answer was lost; as it was read later.
    Read(Value),
}

impl Stored {
    /// The object.
    pub fn object(self) -> Value {
        match self {
            Stored::Told(object) | Stored::Read(object) => object,
        }
    }
}

impl Cluster<'_> {
    /// How the kind of an object is served.
    pub(super) fn served<'k>(&self, kinds: &'k Kinds, key: &ObjectKey) -> Result<&'k Served, ClusterError> {
        kinds.get(&key.group, &key.kind).ok_or_else(|| ClusterError::Kinds(vec![key.kind.clone()]))
    }

    /// Applies an object; gives it as the API server stored it.
    ///
    /// An answer that is lost is looked for by reading: the write is repeated only when it would change the object still.
    pub(super) async fn apply(
        &self,
        kinds: &Kinds,
        key: &ObjectKey,
        object: &Value,
        force: bool,
    ) -> Result<Stored, ClusterError> {
        let served = self.served(kinds, key)?;
        let api = self.api(served, &key.namespace);
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), force, ..PatchParams::default() };
        let (patch, doing) = (Patch::Apply(object), format!("write {key}"));
        let mut tries = self.tries();
        let mut lost = false;
        loop {
            let error = match self.once(&tries, api.patch(&key.name, &params, &patch)).await {
                Ok(stored) => return Ok(Stored::Told(object_json(&stored))),
                Err(error) => error,
            };
            lost |= is_lost(&error);
            if let kube::Error::Api(status) = &error {
                let found = conflicts(status);
                if status.code == 409 && !found.is_empty() {
                    return Err(ClusterError::Conflict { key: Box::new(key.clone()), conflicts: found });
                }
            }
            let again = if is_outrun(&error) {
                self.again_on_newest(&mut tries, &doing).await
            } else {
                self.again(&mut tries, &doing, &error).await
            };
            if !again {
                let error = self.refused(key, error);
                return Err(if lost { error.lost(key, "written") } else { error });
            }
            if lost {
                let found = self.found(served, key, object, force).await;
                if let Some(live) = found.map_err(|error| error.lost(key, "written"))? {
                    return Ok(Stored::Read(live));
                }
            }
        }
    }

    /// The object, when writing it would change nothing any more.
    async fn found(
        &self,
        served: &Served,
        key: &ObjectKey,
        object: &Value,
        force: bool,
    ) -> Result<Option<Value>, ClusterError> {
        let api = self.api(served, &key.namespace);
        for _ in 0..TRIES {
            let Some(live) = self.read(served, key).await? else { return Ok(None) };
            // What the server has against the write, it says again when it is repeated.
            let Ok(would) = self.dry_run(&api, key, object, force).await else { return Ok(None) };
            if bare(&would) == bare(&live) {
                return Ok(Some(live));
            }
            // Controllers write too: only of one version the two can be compared.
            if would["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"] {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Creates a namespace; one that is there already is as good.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn create_namespace(&self, name: &str) -> Result<(), ClusterError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        let (params, doing) = (PostParams::default(), format!("create namespace {name}"));
        // Who may not read it may create it all the same.
        if let Ok(Some(_)) = self.call(&format!("read namespace {name}"), || api.get_opt(name)).await {
            return Ok(());
        }
        match self.call(&doing, || api.create(&params, &namespace)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(ClusterError::from_client(error, &self.server, &doing)),
        }
    }

    /// Turns the entries of Helm 3 and of `kubectl apply --client-side` in `managedFields` into r8's, so that a field which
    /// is not wanted any more is removed by the next apply (client-go's `csaupgrade`, as Helm 4 does it).
    pub(super) async fn hand_over(
        &self,
        kinds: &Kinds,
        key: &ObjectKey,
        live: Option<&Value>,
    ) -> Result<(), ClusterError> {
        let served = self.served(kinds, key)?;
        let mut newest = live.cloned();
        for attempt in 0..TRIES {
            if attempt > 0 {
                newest = self.read(served, key).await?;
            }
            let Some(live) = &newest else { return Ok(()) };
            let Some(entries) = handed_over(live) else { return Ok(()) };
            let patch = json!([
                {"op": "replace", "path": "/metadata/managedFields", "value": entries},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
            ]);
            if self.json_patch(served, key, patch).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes the label off a routemap by which the Iter8 controller finds it; the route stays.
    pub(super) async fn silence(&self, kinds: &Kinds, key: &ObjectKey) -> Result<(), ClusterError> {
        let api = self.api(self.served(kinds, key)?, &key.namespace);
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({"metadata": {"labels": {"iter8.tools/kind": null}}}));
        match self.call(&format!("write {key}"), || api.patch(&key.name, &params, &patch)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(self.refused(key, error)),
        }
    }

    /// Removes from a route the Iter8 controller's entry of fields and the ownership of these routemaps, named by their
    /// `uid`s, so that it stays when they go.
    pub(super) async fn untie(&self, kinds: &Kinds, key: &ObjectKey, routemaps: &[&str]) -> Result<(), ClusterError> {
        let served = self.served(kinds, key)?;
        for _ in 0..TRIES {
            let Some(live) = self.read(served, key).await? else { return Ok(()) };
            let metadata = &live["metadata"];
            let entries = metadata["managedFields"].as_array().cloned().unwrap_or_default();
            let kept: Vec<&Value> = entries.iter().filter(|entry| entry["manager"] != CONTROLLER).collect();
            let owners = metadata["ownerReferences"].as_array().cloned().unwrap_or_default();
            let is_one = |owner: &Value| owner["uid"].as_str().is_some_and(|uid| routemaps.contains(&uid));
            let others: Vec<&Value> = owners.iter().filter(|owner| !is_one(owner)).collect();
            if kept.len() == entries.len() && others.len() == owners.len() {
                return Ok(());
            }
            let mut patch = vec![
                json!({"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]}),
                json!({"op": "replace", "path": "/metadata/managedFields", "value": kept}),
            ];
            if others.len() != owners.len() {
                patch.push(json!({"op": "replace", "path": "/metadata/ownerReferences", "value": others}));
            }
            if self.json_patch(served, key, Value::Array(patch)).await? {
                return Ok(());
            }
        }
        let message = format!("somebody else has written it before each of {TRIES} tries");
        Err(ClusterError::Server { verb: format!("take {key} over from the Iter8 controller"), message })
    }

    /// Sends a patch that holds for one version of the object; false when that is not the newest any more.
    async fn json_patch(&self, served: &Served, key: &ObjectKey, patch: Value) -> Result<bool, ClusterError> {
        let api = self.api(served, &key.namespace);
        let patch: kube::core::params::Patch<Value> = match serde_json::from_value(patch) {
            Ok(patch) => Patch::Json(patch),
            Err(error) => {
                return Err(ClusterError::Server { verb: format!("write {key}"), message: error.to_string() });
            }
        };
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        match self.call(&format!("write {key}"), || api.patch(&key.name, &params, &patch)).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(true),
            Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422) => Ok(false),
            Err(error) => Err(self.refused(key, error)),
        }
    }

    /// Deletes the object of this `uid`; one that is gone, or another one under the name, is no failure. `orphan` leaves
    /// what it owns.
    pub(super) async fn delete_object(
        &self,
        kinds: &Kinds,
        key: &ObjectKey,
        uid: Option<&str>,
        orphan: bool,
    ) -> Result<(), ClusterError> {
        let served = self.served(kinds, key)?;
        let api = self.api(served, &key.namespace);
        let policy = if orphan { PropagationPolicy::Orphan } else { PropagationPolicy::Background };
        let params = DeleteParams {
            preconditions: uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            propagation_policy: Some(policy),
            ..DeleteParams::default()
        };
        let doing = format!("delete {key}");
        let (mut tries, mut lost) = (self.tries(), false);
        loop {
            // With the uid a repeated request does nothing new.
            let error = match self.once(&tries, api.delete(&key.name, &params)).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                Err(error) => error,
            };
            lost |= is_lost(&error);
            let again = if is_outrun(&error) {
                let live = self.read(served, key).await?;
                if live.is_none_or(|live| uid.is_some_and(|uid| live["metadata"]["uid"] != uid)) {
                    return Ok(());
                }
                self.again_on_newest(&mut tries, &doing).await
            } else {
                self.again(&mut tries, &doing, &error).await
            };
            if !again {
                let error = ClusterError::from_client(error, &self.server, &doing);
                return Err(if lost { error.lost(key, "deleted") } else { error });
            }
        }
    }
}

/// The entries of `managedFields` with those of other tools' client-side writes in r8's own; none when there are none.
fn handed_over(live: &Value) -> Option<Vec<Value>> {
    let entries = live["metadata"]["managedFields"].as_array()?;
    let taken = |entry: &&Value| is_handed_over(entry);
    let is_ours = |entry: &&Value| entry["operation"] == "Apply" && entry["manager"] == FIELD_MANAGER;
    let first = entries.iter().find(taken)?;
    let mut ours = entries.iter().find(is_ours).cloned().unwrap_or_else(|| {
        let mut entry = first.clone();
        entry["manager"] = FIELD_MANAGER.into();
        entry["operation"] = "Apply".into();
        entry
    });
    let version = ours["apiVersion"].clone();
    for entry in entries.iter().filter(taken).filter(|entry| entry["apiVersion"] == version) {
        let fields = entry["fieldsV1"].clone();
        unite(&mut ours["fieldsV1"], &fields);
    }
    let mut kept: Vec<Value> = entries.iter().filter(|entry| !taken(entry) && !is_ours(entry)).cloned().collect();
    kept.push(ours);
    Some(kept)
}

/// Adds the fields of one set to another.
fn unite(fields: &mut Value, more: &Value) {
    if let (Some(fields), Some(more)) = (fields.as_object_mut(), more.as_object()) {
        for (key, below) in more {
            match fields.get_mut(key) {
                Some(own) => unite(own, below),
                None => drop(fields.insert(key.clone(), below.clone())),
            }
        }
    }
}

/// An object without what changes by itself.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| !["managedFields", "resourceVersion", "generation"].contains(&key.as_str()));
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn fields_of_client_side_writes_become_r8s() {
        let live = json!({"metadata": {"managedFields": [
            entry("helm", "Update", json!({"f:data": {"f:a": {}}})),
            entry("kubectl-client-side-apply", "Update", json!({"f:data": {"f:b": {}}})),
            entry("other", "Update", json!({"f:data": {"f:c": {}}})),
        ]}});
        assert_eq!(
            handed_over(&live).unwrap(),
            [
                entry("other", "Update", json!({"f:data": {"f:c": {}}})),
                entry("helm", "Apply", json!({"f:data": {"f:a": {}, "f:b": {}}})),
            ]
        );
    }

    #[test]
    fn what_is_r8s_already_needs_no_hand_over() {
        let live = json!({"metadata": {"managedFields": [entry("helm", "Apply", json!({"f:data": {"f:a": {}}}))]}});
        assert_eq!(handed_over(&live), None);
    }
}
