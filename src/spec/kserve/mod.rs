//! The rules of KServe for InferenceServices that need no cluster (KServe 0.20, `pkg/apis/serving/v1beta1`, and what its
//! controllers fail at later). Only what a rule names is judged; every other key passes through.

mod canary;
mod problem;
mod scaling;
mod storage;

use std::collections::BTreeMap;

pub use problem::{KserveProblem, Mode};
pub(crate) use storage::TYPES;

use regex_lite::Regex;

use super::error::Problem;
use super::object::Text;
use super::walk::{Walk, join};
use super::{name, ports};
use crate::templates::nearest;
use crate::values::{Kind, Node, Origin};

/// The annotation that says how KServe runs a model.
pub(crate) const DEPLOYMENT_MODE: &str = "serving.kserve.io/deploymentMode";
/// The annotation that chooses the autoscaler in mode Standard.
pub(crate) const AUTOSCALER: &str = "serving.kserve.io/autoscalerClass";
/// The annotation that chooses Knative's autoscaler, and its value for the Horizontal Pod Autoscaler.
pub(crate) const KNATIVE_CLASS: (&str, &str) = ("autoscaling.knative.dev/class", "hpa.autoscaling.knative.dev");
/// The parts of an InferenceService.
pub(crate) const COMPONENTS: [&str; 3] = ["predictor", "transformer", "explainer"];
/// How long Knative takes to move requests to a new revision.
pub(crate) const ROLLOUT: &str = "serving.knative.dev/rollout-duration";
/// The form of that time, which Knative takes in whole seconds alone: a Go duration, 0 or more, empty where it counts as absent.
///
/// A schema adds nothing up: parts of a second that make a whole one together, as `0.5s500ms`, are refused though Knative takes
/// them. A fraction of a minute is whole in steps of 0.05, one of an hour in steps of 0.0025.
pub(crate) const ROLLOUT_FORM: &str = concat!(
    r"^(?:|\+?(?:0|(?:",
    r"(?:[0-9]+\.?|[0-9]*\.[0-9]{1,2}|[0-9]*\.[0-9]{2}(?:[05]|[27]5)0*)h",
    r"|(?:[0-9]+\.?|[0-9]*\.[0-9][05]?0*)m",
    r"|(?:[0-9]+\.?0*|\.0+)s",
    r"|(?:(?:0+|[0-9]*0{3})\.?0*|\.0+)ms",
    r"|(?:(?:0+|[0-9]*0{6})\.?0*|\.0+)(?:us|µs|μs)",
    r"|(?:(?:0+|[0-9]*0{9})\.?0*|\.0+)ns",
    r")+))$",
);
/// The name of the container that makes a predictor a custom one.
pub(crate) const CONTAINER: &str = "kserve-container";
/// The variable of a custom container that names the model.
pub(crate) const STORAGE_URI: &str = "STORAGE_URI";
/// The keys of a predictor that are implementations.
pub(crate) const PREDICTORS: [&str; 11] = [
    "model",
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
];
/// The keys of an explainer that are implementations; KServe had the last two until 0.11.
pub(crate) const EXPLAINERS: [&str; 3] = ["art", "alibi", "aix"];
/// How the modes are called: now, and formerly.
pub(crate) const MODES: [(Mode, &[&str]); 3] = [
    (Mode::Standard, &["Standard", "RawDeployment"]),
    (Mode::Knative, &["Knative", "Serverless"]),
    (Mode::ModelMesh, &["ModelMesh"]),
];
/// The classes of autoscalers.
pub(crate) const AUTOSCALERS: [&str; 4] = ["hpa", "external", "keda", "none"];
/// The longest name of a Service.
pub(crate) const MAX_SERVICE: usize = 63;

/// An InferenceService as r8 knows it before it is rendered.
pub(super) struct Subject<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    /// Its annotations with the places they come from.
    pub annotations: &'a BTreeMap<String, Text>,
    /// The user's own `spec` and its path.
    pub spec: Option<(&'a Node, String)>,
    /// Where the model of the generated `spec` lies.
    pub storage: Option<&'a Node>,
    /// The path of the version.
    pub path: &'a str,
    /// Where the name was written, else where the version begins.
    pub origin: Origin,
}

impl Subject<'_> {
    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(|text| text.value.as_str())
    }

    /// The mode that an annotation names; none where the cluster decides it.
    pub fn mode(&self) -> Option<Mode> {
        let given = self.annotation(DEPLOYMENT_MODE)?;
        MODES.into_iter().find(|(_, names)| names.contains(&given)).map(|(mode, _)| mode)
    }
}

/// Checks one InferenceService.
pub(super) fn check(walk: &mut Walk<'_>, subject: &Subject<'_>) {
    annotations(walk, subject);
    if let Some(uri) = subject.storage {
        storage::scheme(walk, subject, uri, &join(subject.path, "storageUri"));
    }
    let mut suffixes = vec!["predictor"];
    if let Some((spec, path)) = &subject.spec
        && spec.as_map().is_some()
    {
        for component in ["transformer", "explainer"] {
            if let Some(node) = spec.get(component) {
                suffixes.push(component);
                check_component(walk, subject, component, node, &join(path, component));
            }
        }
        match spec.get("predictor") {
            Some(node) => check_component(walk, subject, "predictor", node, &join(path, "predictor")),
            None => {
                let hint = "write `predictor:` with `model:` below it";
                let problem = Problem::Missing(join(path, "predictor"));
                walk.error(problem, Some(spec.origin), path, Some(hint.into()));
            }
        }
        canary::check(walk, subject, spec, path);
    }
    names(walk, subject, &suffixes);
}

fn annotations(walk: &mut Walk<'_>, subject: &Subject<'_>) {
    let given = |key: &str| {
        let text = subject.annotations.get(key)?;
        Some((text.value.clone(), Some(text.origin), text.path.as_str()))
    };
    if let Some((mode, origin, path)) = given(DEPLOYMENT_MODE) {
        match (mode.as_str(), subject.mode()) {
            (_, None) => {
                let hint = nearest(&mode, &["Standard", "Knative", "ModelMesh"]);
                wrong(walk, KserveProblem::UnknownMode(mode), origin, path, Some(hint));
            }
            ("RawDeployment" | "Serverless", Some(new)) => {
                let problem = Problem::Kserve(KserveProblem::OldMode { old: mode, new });
                walk.warn(problem, origin, path, Some(format!("write `{new}`, unless KServe is older")));
            }
            _ => {}
        }
    }
    if let Some((class, origin, path)) = given(AUTOSCALER)
        && !AUTOSCALERS.contains(&class.as_str())
    {
        let hint = nearest(&class, &AUTOSCALERS);
        wrong(walk, KserveProblem::Autoscaler(class), origin, path, Some(hint));
    }
    if let Some((found, origin, path)) = given(ROLLOUT)
        && !is_rollout(&found)
    {
        wrong(walk, KserveProblem::Rollout { key: ROLLOUT, found }, origin, path, None);
    }
}

/// Whether a text is a Go duration of whole seconds in each of its parts; an empty one counts as absent.
fn is_rollout(text: &str) -> bool {
    Regex::new(ROLLOUT_FORM).is_ok_and(|form| form.is_match(text))
}

/// The lengths of the names that KServe derives.
fn names(walk: &mut Walk<'_>, subject: &Subject<'_>, suffixes: &[&str]) {
    if subject.mode() == Some(Mode::ModelMesh) {
        return;
    }
    let tail = tail(walk);
    // `NAME-predictor` is a rule of the name itself; what no Service may be called has been reported.
    let suffixes_to_fit = suffixes.iter().filter(|suffix| !tail.is_empty() || **suffix != "predictor");
    for suffix in suffixes_to_fit.filter(|_| tail.is_empty() || name::service(subject.name).is_ok()) {
        service_name(walk, format!("{}-{suffix}{tail}", subject.name), Some(subject.origin), subject.path);
    }
    let labels = suffixes.iter().map(|suffix| format!("{}-{suffix}{tail}-{}", subject.name, subject.namespace));
    if let Some(label) = labels.max_by_key(String::len).filter(|label| label.len() > MAX_SERVICE) {
        let hint = "shorten the name or the namespace, unless the cluster has another `domainTemplate`";
        let problem = Problem::Kserve(KserveProblem::LongHost { label });
        walk.warn(problem, Some(subject.origin), subject.path, Some(hint.into()));
    }
}

/// What KServe appends behind `NAME-predictor`, `NAME-transformer` and `NAME-explainer`: nothing, or `-default` before 0.11.
pub(super) fn tail(walk: &Walk<'_>) -> String {
    let destination = walk.environment.table.destination.as_ref();
    let tail = destination.and_then(|destination| destination.suffix.strip_prefix("-predictor"));
    tail.unwrap_or_default().to_owned()
}

fn service_name(walk: &mut Walk<'_>, name: String, origin: Option<Origin>, path: &str) {
    if name.len() > MAX_SERVICE {
        let hint = Some("shorten the name".into());
        wrong(walk, KserveProblem::LongService { name }, origin, path, hint);
    }
}

fn check_component(walk: &mut Walk<'_>, subject: &Subject<'_>, component: &'static str, node: &Node, path: &str) {
    if node.as_map().is_none() {
        return walk.wrong(component, "a map", node, path, None);
    }
    let found = implementations(component, node);
    exactly_one(walk, component, node, &found, path);
    if component == "predictor" {
        if let Some(given) = node.get("name") {
            predictor_name(walk, subject, given, &join(path, "name"));
        }
        // KServe names the container of every standard predictor itself.
        for key in found.iter().filter(|key| PREDICTORS.contains(key)) {
            let name = node.get(key).and_then(|node| node.get("name"));
            if let Some(name) = name.filter(|name| name.as_str() != Some("")) {
                let place = join(&join(path, key), "name");
                wrong(walk, KserveProblem::NamedContainer((*key).to_owned()), Some(name.origin), &place, None);
            }
        }
    }
    replicas(walk, node, path);
    scaling::check(walk, subject, node, path);
    modes(walk, subject, node, path);
    storage::check(walk, subject, component, node, path);
    for key in found.iter().filter(|key| **key != CONTAINER) {
        if let Some(given) = node.get(key).and_then(|node| node.get("ports")) {
            ports::containers(walk, "ports", given, &join(&join(path, key), "ports"));
        }
    }
    ports::of_pods(walk, node, path);
}

/// The implementations of a component, as KServe counts them.
fn implementations(component: &str, node: &Node) -> Vec<&'static str> {
    let known: &[&'static str] = match component {
        "predictor" => &PREDICTORS,
        "explainer" => &EXPLAINERS,
        _ => &[],
    };
    let mut found: Vec<&'static str> = known.iter().copied().filter(|key| node.get(key).is_some()).collect();
    let containers = node.get("containers").and_then(Node::as_list).unwrap_or_default();
    if component == "predictor" {
        let named = containers.iter().filter(|item| item.get("name").and_then(Node::as_str) == Some(CONTAINER));
        found.extend(named.map(|_| CONTAINER));
        if found.is_empty() && !containers.is_empty() {
            found.push(CONTAINER);
        }
    } else if !containers.is_empty() {
        found.push(CONTAINER);
    }
    found
}

fn exactly_one(walk: &mut Walk<'_>, component: &'static str, node: &Node, found: &[&str], path: &str) {
    if found.len() == 1 {
        return;
    }
    let hint = match component {
        "predictor" => format!("write one of {}, or `containers`", PREDICTORS.join(", ")),
        "explainer" => "write `art` or `containers`".into(),
        _ => "write `containers`".into(),
    };
    let list = if found.is_empty() { "none".into() } else { found.join(" and ") };
    let problem = KserveProblem::Implementations { component, found: list };
    wrong(walk, problem, Some(node.origin), path, Some(hint));
}

fn predictor_name(walk: &mut Walk<'_>, subject: &Subject<'_>, node: &Node, path: &str) {
    let Some(given) = node.as_str() else { return walk.wrong("name", "a string", node, path, None) };
    if let Err(rule) = name::service(given) {
        let problem = Problem::Name { name: given.to_owned(), what: "predictor name", rule };
        return walk.error(problem, Some(node.origin), path, None);
    }
    service_name(walk, format!("{}-{given}-predictor", subject.name), Some(node.origin), path);
}

fn replicas(walk: &mut Walk<'_>, node: &Node, path: &str) {
    let most = i64::from(i32::MAX);
    for (key, most) in [("minReplicas", most), ("maxReplicas", most), ("containerConcurrency", i64::MAX)] {
        if let Some(given) = node.get(key) {
            walk.integer(key, given, &join(path, key), "a whole number, 0 or more", 0, most);
        }
    }
    if let (Some(least), Some(most)) = (number(node, "minReplicas"), number(node, "maxReplicas"))
        && least > most
        && most > 0
    {
        let origin = node.get("minReplicas").map(|node| node.origin);
        let place = join(path, "minReplicas");
        wrong(walk, KserveProblem::Replicas { least, most }, origin, &place, None);
    }
}

/// Keys that only one mode reads.
fn modes(walk: &mut Walk<'_>, subject: &Subject<'_>, node: &Node, path: &str) {
    if let Some(given) = node.get("deploymentStrategy") {
        let place = join(path, "deploymentStrategy");
        match subject.mode() {
            Some(Mode::Standard) => {}
            Some(mode) => wrong(walk, KserveProblem::Strategy(mode), Some(given.origin), &place, None),
            None => {
                let hint = format!("name the mode in the annotation `{DEPLOYMENT_MODE}`");
                let problem = Problem::Kserve(KserveProblem::StrategyByDefault);
                walk.warn(problem, Some(given.origin), &place, Some(hint));
            }
        }
    }
    if let Some(given) = node.get("canaryTrafficPercent") {
        let place = join(path, "canaryTrafficPercent");
        walk.integer("canaryTrafficPercent", given, &place, "a percentage from 0 to 100", 0, 100);
        if let Some(mode @ (Mode::Standard | Mode::ModelMesh)) = subject.mode() {
            let hint = Some("drop it; r8's own weights share the requests".into());
            wrong(walk, KserveProblem::CanaryTraffic(mode), Some(given.origin), &place, hint);
        }
    }
}

/// A whole number below a key.
fn number(node: &Node, key: &str) -> Option<i64> {
    match node.get(key)?.kind {
        Kind::Int(number) => Some(number),
        _ => None,
    }
}

/// Adds a mistake in an InferenceService.
fn wrong(walk: &mut Walk<'_>, problem: KserveProblem, origin: Option<Origin>, path: &str, hint: Option<String>) {
    walk.error(Problem::Kserve(problem), origin, path, hint);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::is_rollout;

    #[test]
    fn a_rollout_lasts_whole_seconds() {
        for text in ["", "0", "0s", "380s", "1.5m", "1h2m3s", "+5s", "2000ms", "0.0025h", "1.s", ".5m", "1000000000ns"]
        {
            assert!(is_rollout(text), "{text}");
        }
        for text in ["5", "-5s", "500ms", "s", ".s", "+", "1.5s", "5 s", "1d", "0.5s500ms", "1s\n"] {
            assert!(!is_rollout(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_whole_when_its_nanoseconds_are(whole in "[0-9]{0,3}0{0,9}", part in "[0-9]{0,2}[0257]{0,2}0{0,2}", unit in 0..8_usize) {
            prop_assume!(!whole.is_empty() || !part.is_empty());
            let units = [("ns", 1), ("us", 1000), ("µs", 1000), ("μs", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
                         ("m", 60_000_000_000_u128), ("h", 3_600_000_000_000)];
            let (name, size) = units[unit];
            let digits: u128 = format!("0{whole}{part}").parse().unwrap();
            let second = 1_000_000_000 * 10_u128.pow(part.len() as u32);
            prop_assert_eq!(is_rollout(&format!("{whole}.{part}{name}")), (digits * size).is_multiple_of(second));
        }
    }
}
