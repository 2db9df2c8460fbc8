//! The key table of an environment: the form of `environment.yaml`.
//!
//! `build.rs` includes this file too: it checks the embedded tables and packs them as JSON.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// What one `environment.yaml` says.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// One line for people.
    pub doc: String,
    /// Another environment whose templates, keys and settings hold where this one is silent.
    #[serde(default)]
    pub base: Option<String>,
    /// The objects of one version, in the order of a routemap's resources.
    #[serde(default)]
    pub objects: Option<Vec<ObjectRule>>,
    /// Which object of a version answers its requests.
    #[serde(default)]
    pub destination: Option<DestinationRule>,
    /// Whether the application has a Service of its own name.
    #[serde(default)]
    pub application_object: Option<bool>,
    /// The route's kind; absent where nothing is routed.
    #[serde(default)]
    pub route: Option<RouteRule>,
    /// Texts that templates read as `constants.NAME`.
    #[serde(default)]
    pub constants: Option<BTreeMap<String, String>>,
    /// The strategies, in the order they are listed to people.
    #[serde(default)]
    pub strategies: Option<IndexMap<String, StrategyRule>>,
    /// The keys by path; `[]` stands for every item of a list.
    #[serde(default)]
    pub keys: IndexMap<String, KeyRule>,
}

/// One object that each version has.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectRule {
    /// Name in templates: `version.NAME.metadata`.
    pub name: String,
    /// Kubernetes kind.
    pub kind: String,
    /// Short name in routemaps (`gvrShort`).
    pub resource: String,
    /// The version's key that replaces the generated object.
    pub specification: String,
    /// Annotations with a fixed value.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Which object of a version answers requests.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationRule {
    /// Name of an [`ObjectRule`].
    pub object: String,
    /// What is appended to the object's name to make the host.
    #[serde(default)]
    pub suffix: String,
    /// Whether the route tells versions apart by the object's name alone, so that no two may share it in any namespace.
    #[serde(default)]
    pub by_name: bool,
}

/// The kind of an environment's route.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRule {
    /// `VirtualService` or `HTTPRoute`.
    pub kind: String,
    /// Short name in routemaps (`gvrShort`).
    pub resource: String,
    /// The most destinations of one rule, and the most rules, that the kind allows.
    #[serde(default)]
    pub max_destinations: Option<usize>,
}

/// What a strategy means in one environment.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyRule {
    /// Limits of the weights; absent where weights are not read.
    #[serde(default)]
    pub weights: Option<WeightRule>,
    /// Which versions have a weight configuration.
    #[serde(default)]
    pub configs: Configs,
    /// The version's key that holds a candidate's matches; absent where requests are not matched.
    #[serde(default, rename = "match")]
    pub matches: Option<String>,
    /// The most candidates.
    #[serde(default)]
    pub candidates: Option<usize>,
}

/// Limits of weights.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WeightRule {
    /// The largest weight of one version.
    pub max: u32,
    /// The largest sum; absent where only one weight is read.
    #[serde(default)]
    pub sum: Option<u64>,
}

/// Which versions have a weight configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Configs {
    /// None.
    #[default]
    None,
    /// Every version.
    All,
    /// Every version but the primary.
    Candidates,
}

/// What may stand under one key.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRule {
    /// Form of the value.
    #[serde(rename = "type")]
    pub form: Form,
    /// One line for people.
    pub doc: String,
    /// The value when the key is absent.
    #[serde(default)]
    pub default: Option<serde_json::Value>,
    /// An example for people.
    #[serde(default)]
    pub example: Option<serde_json::Value>,
    /// A regular expression that the whole text must match.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Whether the key must be there.
    #[serde(default)]
    pub required: bool,
    /// The key must be there unless this sibling is.
    #[serde(default)]
    pub required_unless: Option<String>,
    /// Whether a version takes the application's value when it has none.
    #[serde(default)]
    pub inherit: bool,
    /// Why the key has no effect.
    #[serde(default)]
    pub dead: Option<String>,
    /// Keys of a specification beside `metadata` and `spec`.
    #[serde(default)]
    pub extra: Vec<String>,
}

/// The forms that a value can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// 1 to 65535.
    Port,
    /// A whole number, 0 or more.
    Weight,
    /// A map whose keys the table lists.
    Map,
    /// A list whose items the table describes.
    List,
    /// A list of maps, passed through.
    Objects,
    /// A list of the ports of a container.
    ContainerPorts,
    /// Anything, passed through.
    Any,
    /// Kubernetes labels.
    Labels,
    /// Kubernetes annotations.
    Annotations,
    /// A Service name (RFC 1035 label).
    ServiceName,
    /// An object name (RFC 1123 subdomain).
    ObjectName,
    /// A namespace (RFC 1123 label).
    Namespace,
    /// A host name.
    Host,
    /// `{metadata, spec}`, passed through.
    Specification,
    /// A name or `{name, version}`.
    ModelFormat,
    /// `NAME` or `NAMESPACE/NAME` of an Istio Gateway, or `mesh`.
    IstioGateway,
    /// `NAME` or `NAMESPACE/NAME` of a Gateway API Gateway.
    GatewayReference,
    /// A list of Istio `HTTPMatchRequest`.
    IstioMatch,
    /// A list of Gateway API `HTTPRouteMatch`.
    GatewayMatch,
}
