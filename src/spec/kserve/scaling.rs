//! Autoscaling: which metrics and targets the chosen autoscaler takes (`inference_service_validation.go`).

use super::{AUTOSCALER, KNATIVE_CLASS, KserveProblem, Mode, Subject, wrong};
use crate::spec::error::Problem;
use crate::spec::walk::{Walk, join};
use crate::templates::nearest;
use crate::values::Node;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scaler {
    /// The Horizontal Pod Autoscaler.
    Hpa,
    /// Knative's Pod Autoscaler.
    Kpa,
    Keda,
}

/// The autoscaler whose rules KServe applies; none where it applies none, or where the cluster decides the mode.
fn scaler(subject: &Subject<'_>) -> Option<Scaler> {
    match subject.mode()? {
        Mode::Standard => match subject.annotation(AUTOSCALER) {
            Some("hpa") => Some(Scaler::Hpa),
            Some("keda") => Some(Scaler::Keda),
            _ => None,
        },
        _ if has_knative_hpa(subject) => Some(Scaler::Hpa),
        _ => Some(Scaler::Kpa),
    }
}

fn has_knative_hpa(subject: &Subject<'_>) -> bool {
    subject.annotation(KNATIVE_CLASS.0) == Some(KNATIVE_CLASS.1)
}

/// Checks the scaling keys of a component.
pub(super) fn check(walk: &mut Walk<'_>, subject: &Subject<'_>, node: &Node, path: &str) {
    let metric = node.get("scaleMetric");
    let known = ["cpu", "memory", "concurrency", "rps"];
    let place = join(path, "scaleMetric");
    if let Some(given) = metric.filter(|given| !given.as_str().is_some_and(|text| known.contains(&text))) {
        return walk.wrong("scaleMetric", "one of cpu, memory, concurrency, rps", given, &place, None);
    }
    let Some(scaler) = scaler(subject) else {
        if let Some(given) = metric.filter(|given| matches!(given.as_str(), Some("cpu" | "memory")))
            && subject.mode().is_none()
            && !has_knative_hpa(subject)
        {
            let problem = KserveProblem::MetricOfStandard(given.as_str().unwrap_or_default().to_owned());
            let hint = format!("`{}: {}` is that annotation", KNATIVE_CLASS.0, KNATIVE_CLASS.1);
            walk.warn(Problem::Kserve(problem), Some(given.origin), &place, Some(hint));
        }
        return;
    };
    if let Some(given) = metric {
        metric_fits(walk, scaler, given, &place);
    }
    target(walk, scaler, metric.and_then(Node::as_str), node, path);
    if let Some(list) = node.get("autoScaling").and_then(|node| node.get("metrics")).and_then(Node::as_list)
        && scaler != Scaler::Kpa
    {
        for (index, item) in list.iter().enumerate() {
            source(walk, scaler, item, &format!("{path}.autoScaling.metrics[{index}]"));
        }
    }
}

fn metric_fits(walk: &mut Walk<'_>, scaler: Scaler, node: &Node, path: &str) {
    let (scaler, known) = match scaler {
        Scaler::Hpa => ("HPA", ["cpu", "memory"]),
        Scaler::Kpa => ("KPA", ["concurrency", "rps"]),
        Scaler::Keda => {
            let hint = Some("write the metric below `autoScaling.metrics`".into());
            return wrong(walk, KserveProblem::KedaScaleMetric, Some(node.origin), path, hint);
        }
    };
    let metric = node.as_str().unwrap_or_default();
    if !known.contains(&metric) {
        let problem = KserveProblem::Metric { scaler, metric: metric.to_owned() };
        wrong(walk, problem, Some(node.origin), path, Some(format!("it scales by {}", known.join(" or "))));
    }
}

fn target(walk: &mut Walk<'_>, scaler: Scaler, metric: Option<&str>, node: &Node, path: &str) {
    let Some(given) = node.get("scaleTarget") else { return };
    let place = join(path, "scaleTarget");
    match (scaler, metric) {
        // By the order of its operators KServe refuses more than 100 for memory too (`validateScalingHPACompExtension`).
        (Scaler::Hpa, _) => walk.integer("scaleTarget", given, &place, "a whole number from 1 to 100", 1, 100),
        (Scaler::Kpa, Some("rps")) => {
            walk.integer("scaleTarget", given, &place, "a whole number, 1 or more", 1, i32::MAX.into());
        }
        _ => {}
    }
}

/// One item of `autoScaling.metrics`.
fn source(walk: &mut Walk<'_>, scaler: Scaler, node: &Node, path: &str) {
    let (scaler, known): (_, &[(&str, &str)]) = match scaler {
        Scaler::Keda => ("KEDA", &[("Resource", "resource"), ("External", "external"), ("PodMetric", "podmetric")]),
        _ => ("HPA", &[("Resource", "resource")]),
    };
    let kinds: Vec<&str> = known.iter().map(|(kind, _)| *kind).collect();
    let Some(given) = node.get("type") else {
        let hint = format!("write `type: {}`", kinds.join("` or `type: "));
        return walk.error(Problem::Missing(join(path, "type")), Some(node.origin), path, Some(hint));
    };
    let kind = given.as_str().unwrap_or_default();
    let Some((_, key)) = known.iter().find(|(name, _)| *name == kind) else {
        let problem = KserveProblem::Metric { scaler, metric: kind.to_owned() };
        return wrong(walk, problem, Some(given.origin), &join(path, "type"), Some(nearest(kind, &kinds)));
    };
    let place = join(path, key);
    let Some(metric) = node.get(key) else {
        return walk.error(Problem::Missing(place), Some(node.origin), path, None);
    };
    if scaler == "KEDA" {
        keda(walk, kind, metric, &place);
    }
}

/// What KServe demands of a source of KEDA.
fn keda(walk: &mut Walk<'_>, kind: &str, node: &Node, path: &str) {
    let target = node.get("target");
    if kind != "Resource" {
        let query = node.get("metric").and_then(|metric| metric.get("query")).and_then(Node::as_str);
        if query.is_none_or(str::is_empty) {
            walk.error(Problem::Missing(format!("{path}.metric.query")), Some(node.origin), path, None);
        }
        if target.and_then(|target| target.get("value")).is_none() {
            walk.error(Problem::Missing(format!("{path}.target.value")), Some(node.origin), path, None);
        }
        return;
    }
    let name = node.get("name").and_then(Node::as_str).unwrap_or_default();
    let kinds: &[&str] = if name == "cpu" { &["Utilization"] } else { &["AverageValue", "Utilization"] };
    if let Some(given) = node.get("name").filter(|_| name != "cpu" && name != "memory") {
        return walk.wrong("name", "cpu or memory", given, &join(path, "name"), None);
    }
    let Some(given) = target.and_then(|target| target.get("type")) else { return };
    if !given.as_str().is_some_and(|text| kinds.contains(&text)) {
        let expected = format!("{} for {name}", kinds.join(" or "));
        return walk.wrong("type", &expected, given, &format!("{path}.target.type"), None);
    }
    if given.as_str() == Some("Utilization") {
        let place = format!("{path}.target.averageUtilization");
        match target.and_then(|target| target.get("averageUtilization")) {
            Some(node) => walk.integer("averageUtilization", node, &place, "a percentage from 1 to 100", 1, 100),
            None => walk.error(Problem::Missing(place), Some(given.origin), path, None),
        }
    }
}
