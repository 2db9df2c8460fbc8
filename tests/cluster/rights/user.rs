//! Users with these rights and no others.

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use r8::manifest::read_documents;
use serde_json::{Value, json};

use crate::harness::{Cluster, eventually};

/// One right: group, resource and verb.
pub type Right = (String, String, String);

/// The rights of the role in `testdata/rbac/NAME.yaml`, one by one.
pub fn rights(name: &str) -> Vec<Right> {
    let path = format!("{}/testdata/rbac/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let role = read_documents(&std::fs::read_to_string(path).unwrap()).unwrap().remove(0);
    let list = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                let verbs = list(&rule["verbs"]).into_iter();
                rights.extend(verbs.map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    rights
}

/// The rights of `apply` on the objects of a release: all but those on its records.
pub fn on_objects() -> Vec<Right> {
    rights("apply").into_iter().filter(|(_, resource, _)| resource != "secrets").collect()
}

/// The rights of `apply` but one.
pub fn without(right: &Right) -> Vec<Right> {
    rights("apply").into_iter().filter(|other| other != right).collect()
}

/// A new user with these rights in these namespaces; in all when there are none. The name begins with `stem`.
pub async fn user(cluster: &Cluster, stem: &str, namespaces: &[&str], rights: &[Right]) -> String {
    let client = cluster.client().await;
    let whole = namespaces.is_empty();
    let (role, binding) = if whole { ("ClusterRole", "ClusterRoleBinding") } else { ("Role", "RoleBinding") };
    let rules: Vec<Value> = rights
        .iter()
        .map(|(group, resource, verb)| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]}))
        .collect();
    let mut user = String::new();
    for namespace in if whole { &[""] } else { namespaces } {
        let create = async |kind: &str, mut object: Value| {
            let gvk = GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", kind);
            let resource = ApiResource::from_gvk(&gvk);
            object["apiVersion"] = resource.api_version.as_str().into();
            object["kind"] = kind.into();
            let api: Api<DynamicObject> = match whole {
                true => Api::all_with(client.clone(), &resource),
                false => Api::namespaced_with(client.clone(), namespace, &resource),
            };
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            api.create(&PostParams::default(), &object).await.unwrap().metadata.name.unwrap()
        };
        let made = create(role, json!({"metadata": {"generateName": format!("{stem}-")}, "rules": rules})).await;
        // The user is named after the first role, which nobody else has.
        if user.is_empty() {
            user.clone_from(&made);
        }
        let subject = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user});
        let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": made});
        create(binding, json!({"metadata": {"name": made}, "subjects": [subject], "roleRef": reference})).await;
        let (group, resource, verb) = &rights[0];
        let attributes = json!({"namespace": namespace, "group": group, "resource": resource, "verb": verb});
        let asked = json!({"metadata": {}, "spec": {"user": user, "resourceAttributes": attributes}});
        let asked: SubjectAccessReview = serde_json::from_value(asked).unwrap();
        let reviews = Api::all(client.clone());
        eventually("the rights are in force", async || {
            let review = reviews.create(&PostParams::default(), &asked).await.unwrap();
            review.status.is_some_and(|status| status.allowed).then_some(())
        })
        .await;
    }
    user
}
