//! What KServe refuses, ignores, or fails at later.

use std::fmt;

use thiserror::Error;

/// How KServe runs an InferenceService.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A Deployment.
    Standard,
    /// A Knative Service.
    Knative,
    /// A model in ModelMesh's own pods.
    ModelMesh,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Standard => "Standard",
            Mode::Knative => "Knative",
            Mode::ModelMesh => "ModelMesh",
        })
    }
}

/// One rule of KServe that an InferenceService breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KserveProblem {
    /// A deployment mode that does not exist.
    #[error("KServe knows no deployment mode `{0}` and would fall back to the cluster's default")]
    UnknownMode(String),
    /// A deployment mode under its former name.
    #[error("deployment mode `{old}` is rewritten to `{new}` by the webhook of KServe 0.16 and later")]
    OldMode {
        /// The former name.
        old: String,
        /// The name now.
        new: Mode,
    },
    /// No implementation, or several.
    #[error("`{component}` must have exactly one implementation, found {found}")]
    Implementations {
        /// predictor, transformer or explainer.
        component: &'static str,
        /// The names of those found.
        found: String,
    },
    /// A name for a container that KServe names itself.
    #[error("`{0}` takes no `name`: KServe names its container itself")]
    NamedContainer(String),
    /// More replicas at least than at most.
    #[error("`minReplicas` is {least}, more than `maxReplicas`, {most}")]
    Replicas {
        /// `minReplicas`.
        least: i64,
        /// `maxReplicas`.
        most: i64,
    },
    /// An autoscaler class that does not exist.
    #[error("KServe knows no autoscaler class `{0}`")]
    Autoscaler(String),
    /// A metric that the autoscaler does not read.
    #[error("the autoscaler {scaler} does not scale by `{metric}`")]
    Metric {
        /// HPA, KPA or KEDA.
        scaler: &'static str,
        /// The metric.
        metric: String,
    },
    /// A metric that only the autoscaler of another mode reads.
    #[error("`scaleMetric: {0}` needs mode Standard, or the annotation that chooses Knative's HPA")]
    MetricOfStandard(String),
    /// A key that KEDA does not read.
    #[error("KEDA does not read `scaleMetric`")]
    KedaScaleMetric,
    /// `deploymentStrategy` without a Deployment.
    #[error("`deploymentStrategy` needs mode Standard, the mode is {0}")]
    Strategy(Mode),
    /// `deploymentStrategy` while the cluster decides the mode.
    #[error("`deploymentStrategy` is refused unless the cluster's default mode is Standard")]
    StrategyByDefault,
    /// `canaryTrafficPercent` without revisions of Knative.
    #[error("`canaryTrafficPercent` has no effect in mode {0}")]
    CanaryTraffic(Mode),
    /// Two ways to name the model.
    #[error("`storageUri` and `storageUris` exclude each other")]
    TwoStorages,
    /// A path that no volume can be mounted at.
    #[error("`mountPath` must be an absolute path below `/` without `..`, found `{0}`")]
    MountPath(String),
    /// Models side by side below the root.
    #[error("the mount paths {0} have no folder in common below `/`")]
    MountPaths(String),
    /// A kind of storage that KServe has no credentials for.
    #[error("KServe knows no storage type `{0}`")]
    StorageType(String),
    /// A scheme that KServe's storage initializer does not know.
    #[error("KServe knows no storage scheme `{0}`")]
    Scheme(String),
    /// Canaries of KServe's own beside another mode than Standard.
    #[error("`spec.canary` needs mode Standard, the mode is {0}")]
    CanaryMode(Mode),
    /// Canaries of KServe's own get no requests.
    #[error("KServe 0.20 deploys `spec.canary` and sends it no requests, older ones do not know it")]
    CanaryIdle,
    /// Two predictors of one name.
    #[error("two predictors have the name `{0}`")]
    CanaryTwice(String),
    /// Canaries that want more than all requests.
    #[error("`trafficPercent` of all canaries adds up to {0}, the most is 100")]
    CanarySum(i64),
    /// A key that a canary must not have.
    #[error("a canary takes no `{0}`: its replicas are fixed")]
    CanaryField(&'static str),
    /// A canary with more replicas than the predictor.
    #[error("a canary's `minReplicas` is {canary}, more than the predictor's, {stable}")]
    CanaryReplicas {
        /// Those of the canary.
        canary: i64,
        /// Those of the predictor.
        stable: i64,
    },
    /// A Service whose name does not fit.
    #[error("KServe would make a Service `{name}`, whose name has {} characters, at most 63 are allowed", .name.len())]
    LongService {
        /// Its name.
        name: String,
    },
    /// A host name that does not fit with KServe's default template of domains.
    #[error("KServe's default host name begins with `{label}`, which has {} characters, at most 63 are allowed", .label.len())]
    LongHost {
        /// The first label.
        label: String,
    },
    /// A duration that Knative does not take.
    #[error("`{key}` must be a whole number of seconds, as in `380s`, found `{found}`")]
    Rollout {
        /// The annotation.
        key: &'static str,
        /// Its value.
        found: String,
    },
}

impl KserveProblem {
    /// The stable name of the rule that is broken, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            KserveProblem::UnknownMode(_) => "kserve-unknown-mode",
            KserveProblem::OldMode { .. } => "kserve-old-mode",
            KserveProblem::Implementations { .. } => "kserve-implementations",
            KserveProblem::NamedContainer(_) => "kserve-named-container",
            KserveProblem::Replicas { .. } => "kserve-replicas",
            KserveProblem::Autoscaler(_) => "kserve-autoscaler",
            KserveProblem::Metric { .. } => "kserve-metric",
            KserveProblem::MetricOfStandard(_) => "kserve-metric-of-standard",
            KserveProblem::KedaScaleMetric => "kserve-keda-scale-metric",
            KserveProblem::Strategy(_) => "kserve-deployment-strategy",
            KserveProblem::StrategyByDefault => "kserve-deployment-strategy-by-default",
            KserveProblem::CanaryTraffic(_) => "kserve-canary-traffic-percent",
            KserveProblem::TwoStorages => "kserve-two-storages",
            KserveProblem::MountPath(_) => "kserve-mount-path",
            KserveProblem::MountPaths(_) => "kserve-mount-paths",
            KserveProblem::StorageType(_) => "kserve-storage-type",
            KserveProblem::Scheme(_) => "kserve-storage-scheme",
            KserveProblem::CanaryMode(_) => "kserve-canary-mode",
            KserveProblem::CanaryIdle => "kserve-canary-idle",
            KserveProblem::CanaryTwice(_) => "kserve-canary-named-twice",
            KserveProblem::CanarySum(_) => "kserve-canary-sum",
            KserveProblem::CanaryField(_) => "kserve-canary-field",
            KserveProblem::CanaryReplicas { .. } => "kserve-canary-replicas",
            KserveProblem::LongService { .. } => "kserve-long-service",
            KserveProblem::LongHost { .. } => "kserve-long-host",
            KserveProblem::Rollout { .. } => "kserve-rollout-duration",
        }
    }
}
