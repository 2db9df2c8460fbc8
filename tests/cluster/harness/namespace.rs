//! A namespace for one test, and what a test does in it.

use k8s_openapi::api::core::v1::Namespace as Object;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use r8::manifest::read_documents;
use serde_json::{Value, json};

use super::Cluster;

/// What a test asks of the control plane for its namespace.
#[derive(Clone, Copy)]
pub enum Ask {
    /// Every pod is ready at once, every model loaded, every HTTPRoute accepted.
    Ready,
    /// InferenceServices pass a mutating webhook that does what KServe's does.
    Webhook,
}

/// A namespace that no other test uses.
pub struct Namespace {
    /// Its name: the test's, and some letters that make it new.
    pub name: String,
    /// May do everything.
    pub client: Client,
}

impl Cluster {
    /// Makes a namespace whose name begins with `stem`.
    pub async fn namespace(&self, stem: &str, asks: &[Ask]) -> Namespace {
        let client = self.client().await;
        let mut labels = json!({"app.kubernetes.io/part-of": "r8-tests"});
        for ask in asks {
            match ask {
                Ask::Ready => labels["control-plane.r8.test/play"] = "ready".into(),
                Ask::Webhook => labels["control-plane.r8.test/webhook"] = "kserve".into(),
            }
        }
        let object = json!({"metadata": {"generateName": format!("{stem}-"), "labels": labels}});
        let object: Object = serde_json::from_value(object).expect("it is a namespace");
        let made = Api::all(client.clone()).create(&PostParams::default(), &object).await.expect("it is made");
        Namespace { name: made.name_any(), client }
    }
}

impl Namespace {
    /// The objects of a kind, as r8 writes it (`v1beta1` of Istio and Gateway API).
    pub fn objects(&self, kind: &str) -> Api<DynamicObject> {
        let (group, version) = match kind {
            "Deployment" | "ReplicaSet" => ("apps", "v1"),
            "InferenceService" => ("serving.kserve.io", "v1beta1"),
            "VirtualService" | "ServiceEntry" => ("networking.istio.io", "v1beta1"),
            "PodDisruptionBudget" => ("policy", "v1"),
            "HTTPRoute" => ("gateway.networking.k8s.io", "v1beta1"),
            _ => ("", "v1"),
        };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), &self.name, &resource)
    }

    /// Applies every document of `yaml` in this namespace, as field manager `test`.
    pub async fn apply(&self, yaml: &str) {
        for document in read_documents(yaml).expect("a test writes YAML") {
            self.apply_as("test", &document).await;
        }
    }

    /// Applies one object, forcing conflicts.
    pub async fn apply_as(&self, manager: &str, object: &Value) {
        let (kind, name) = named(object);
        let params = PatchParams::apply(manager).force();
        let applied = self.objects(kind).patch(name, &params, &Patch::Apply(object)).await;
        applied.unwrap_or_else(|error| panic!("{kind} {}/{name}: {error}", self.name));
    }

    /// Creates one object as `kubectl apply` does without `--server-side`: its manager writes by Update.
    pub async fn apply_client_side(&self, object: &Value) {
        let (kind, name) = named(object);
        let mut object = object.clone();
        let last = object.to_string();
        object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = last.into();
        let params = PostParams { field_manager: Some("kubectl-client-side-apply".into()), ..PostParams::default() };
        let object: DynamicObject = serde_json::from_value(object.clone()).expect("it is an object");
        let created = self.objects(kind).create(&params, &object).await;
        created.unwrap_or_else(|error| panic!("{kind} {}/{name}: {error}", self.name));
    }

    /// Ends what [`Ask::Ready`] began: statuses stay as they are until a test writes them.
    pub async fn stop_playing(&self) {
        let patch = json!({"metadata": {"labels": {"control-plane.r8.test/play": null}}});
        let namespaces = Api::<Object>::all(self.client.clone());
        namespaces.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("it is patched");
    }

    /// The live object as JSON; none when it is not there.
    pub async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let found = self.objects(kind).get_opt(name).await;
        let found = found.unwrap_or_else(|error| panic!("{kind} {}/{name}: {error}", self.name));
        found.map(|object| serde_json::to_value(object).expect("objects are JSON"))
    }

    /// The live objects of a kind as JSON, by name.
    pub async fn list(&self, kind: &str) -> Vec<Value> {
        let found = self.objects(kind).list(&Default::default()).await;
        let found = found.unwrap_or_else(|error| panic!("{kind} of {}: {error}", self.name));
        found.items.iter().map(|object| serde_json::to_value(object).expect("objects are JSON")).collect()
    }

    /// Deletes an object, its dependents later and by the garbage collector.
    pub async fn delete(&self, kind: &str, name: &str) {
        let deleted = self.objects(kind).delete(name, &Default::default()).await;
        deleted.unwrap_or_else(|error| panic!("{kind} {}/{name}: {error}", self.name));
    }

    /// Replaces the status of an object, as its controller does: again from a fresh reading where another writer came first.
    pub async fn put_status(&self, kind: &str, name: &str, status: &Value) {
        loop {
            let mut live =
                self.get(kind, name).await.unwrap_or_else(|| panic!("{kind} {}/{name} is not there", self.name));
            live["status"] = status.clone();
            let object: DynamicObject = serde_json::from_value(live).expect("it was an object");
            match self.objects(kind).replace_status(name, &PostParams::default(), &object).await {
                Ok(_) => return,
                Err(kube::Error::Api(refused)) if refused.is_conflict() => {}
                Err(error) => panic!("status of {kind} {}/{name}: {error}", self.name),
            }
        }
    }
}

/// Kind and name of an object.
pub fn named(object: &Value) -> (&str, &str) {
    let kind = object["kind"].as_str().expect("an object has a kind");
    (kind, object["metadata"]["name"].as_str().expect("an object has a name"))
}
