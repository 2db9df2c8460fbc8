//! The CustomResourceDefinitions that the tests need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, PostParams};
use kube::core::Request;
use kube::{Api, Client, ResourceExt};
use r8::manifest::read_documents;

use super::eventually;

/// The published CRDs where they are, else our own.
pub(super) fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("R8_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from).join("crds");
    if shared.is_dir() { shared } else { root.join("testdata/crds") }
}

/// Waits for the server, creates the CRDs that are not there, and waits until all their kinds are served; one that is there
/// stays as it is, and may serve fewer versions: that is for the tests to find.
pub(super) async fn install(client: Client) -> Result<(), String> {
    eventually("the server is ready", async || {
        let request = Request::new("/readyz").list(&ListParams::default()).expect("it is a request");
        client.request_text(request).await.ok()
    })
    .await;
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let definitions = read(&folder())?;
    let mut made: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for definition in &definitions {
        match api.create(&PostParams::default(), definition).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => continue,
            Err(error) => return Err(format!("CustomResourceDefinition {}: {error}", definition.name_any())),
            Ok(_) => {}
        }
        let spec = &definition.spec;
        for version in spec.versions.iter().filter(|version| version.served) {
            made.entry(format!("{}/{}", spec.group, version.name)).or_default().insert(&spec.names.kind);
        }
    }
    // A group is listed before all its kinds are.
    eventually("the kinds of the CRDs are served", async || {
        for (api_version, kinds) in &made {
            let served = client.list_api_group_resources(api_version).await.ok()?.resources;
            kinds.iter().all(|kind| served.iter().any(|resource| resource.kind == **kind)).then_some(())?;
        }
        Some(())
    })
    .await;
    Ok(())
}

fn read(folder: &Path) -> Result<Vec<CustomResourceDefinition>, String> {
    let mut definitions = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for document in read_documents(&text).map_err(|error| format!("{}: {error}", path.display()))? {
            if document["kind"] == "CustomResourceDefinition" {
                let definition = serde_json::from_value(document);
                definitions.push(definition.map_err(|error| format!("{}: {error}", path.display()))?);
            }
        }
    }
    Ok(definitions)
}
