//! The typed release: valid, with every default filled in.

use serde_json::{Map, Value};

use super::name::{Namespace, ReleaseName};
use crate::templates::{Environment, StrategyRule};

/// One release, checked: what [`render`](crate::render::render) makes objects of.
#[derive(Debug, Clone)]
pub struct ReleaseSpec {
    /// Release name.
    pub name: ReleaseName,
    /// Release namespace.
    pub namespace: Namespace,
    /// The environment with its table.
    pub environment: Environment,
    /// Top-level values of the environment, nested as in the file, defaults filled in.
    pub settings: Map<String, Value>,
    /// What is released.
    pub application: Application,
}

/// What is released.
#[derive(Debug, Clone)]
pub struct Application {
    /// `application.metadata.name`, else the release name.
    pub name: String,
    /// `application.metadata.namespace`, else the release namespace.
    pub namespace: String,
    /// Name of the strategy.
    pub strategy: String,
    /// What the strategy means in this environment.
    pub rule: StrategyRule,
    /// The environment's own keys below `application`, defaults filled in.
    pub fields: Map<String, Value>,
    /// At least one; the first is the primary.
    pub versions: Vec<Version>,
}

/// One version of the application.
#[derive(Debug, Clone)]
pub struct Version {
    /// 0 is the primary, the rest are candidates.
    pub index: usize,
    /// `metadata.name`, else `APPLICATION-INDEX`.
    pub name: String,
    /// `metadata.namespace`, else the application's.
    pub namespace: String,
    /// Relative share of requests; 1 where the strategy reads no weights.
    pub weight: u32,
    /// Weight that the routemap states; none where the controller's default of 1 holds.
    pub routemap_weight: Option<u32>,
    /// Whether a weight configuration belongs to the version.
    pub has_config: bool,
    /// Requests that go to this candidate; none for the primary and where nothing is matched.
    pub matches: Option<Value>,
    /// The environment's own keys, the application's values and defaults filled in.
    pub fields: Map<String, Value>,
    /// The objects of the version, in the order of the routemap.
    pub objects: Vec<Object>,
    /// What answers the version's requests.
    pub destination: Option<Destination>,
}

/// One Kubernetes object of a version.
#[derive(Debug, Clone)]
pub struct Object {
    /// Name in templates.
    pub slot: String,
    /// Short name in routemaps.
    pub resource: String,
    /// Kubernetes kind.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Complete metadata.
    pub metadata: Value,
    /// The user's own `spec`, which replaces the generated one.
    pub spec: Option<Value>,
}

/// What answers requests.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Name of the Service or InferenceService.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Host name inside the cluster.
    pub host: String,
    /// Port, 1 to 65535.
    pub port: u16,
}
