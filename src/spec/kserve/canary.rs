//! `spec.canary`: KServe's own canaries (KServe 0.20, mode Standard; `validateCanarySpecs`).

use super::{KserveProblem, Mode, Subject, check_component, number, wrong};
use crate::spec::error::Problem;
use crate::spec::walk::{Walk, join};
use crate::values::Node;

/// Checks the canaries of an InferenceService.
pub(super) fn check(walk: &mut Walk<'_>, subject: &Subject<'_>, spec: &Node, path: &str) {
    let Some(list) = spec.get("canary") else { return };
    let place = join(path, "canary");
    let Some(items) = list.as_list() else { return walk.wrong("canary", "a list", list, &place, None) };
    if items.is_empty() {
        return;
    }
    match subject.mode() {
        Some(mode @ (Mode::Knative | Mode::ModelMesh)) => {
            wrong(walk, KserveProblem::CanaryMode(mode), Some(list.origin), &place, None);
        }
        _ => {
            let hint = "write a second entry of `application.versions`: r8 shares the requests";
            walk.warn(Problem::Kserve(KserveProblem::CanaryIdle), Some(list.origin), &place, Some(hint.into()));
        }
    }
    let stable = spec.get("predictor");
    let mut names: Vec<&str> = stable.and_then(|node| node.get("name")).and_then(Node::as_str).into_iter().collect();
    let least = stable.and_then(|node| number(node, "minReplicas")).unwrap_or(1);
    let mut sum: i64 = 0;
    for (index, item) in items.iter().enumerate() {
        let place = format!("{place}[{index}]");
        sum = sum.saturating_add(traffic(walk, item, &place));
        let Some(predictor) = item.get("predictor") else {
            walk.error(Problem::Missing(join(&place, "predictor")), Some(item.origin), &place, None);
            continue;
        };
        let place = join(&place, "predictor");
        match predictor.get("name").map(|node| (node, node.as_str())) {
            None => walk.error(Problem::Missing(join(&place, "name")), Some(predictor.origin), &place, None),
            Some((node, Some(name))) if names.contains(&name) => {
                let problem = KserveProblem::CanaryTwice(name.to_owned());
                wrong(walk, problem, Some(node.origin), &join(&place, "name"), None);
            }
            Some((_, name)) => names.extend(name),
        }
        check_component(walk, subject, "predictor", predictor, &place);
        fixed(walk, predictor, least, &place);
    }
    if sum > 100 {
        wrong(walk, KserveProblem::CanarySum(sum), Some(list.origin), &place, None);
    }
}

fn traffic(walk: &mut Walk<'_>, item: &Node, path: &str) -> i64 {
    let place = join(path, "trafficPercent");
    match item.get("trafficPercent") {
        None => walk.error(Problem::Missing(place), Some(item.origin), path, None),
        Some(given) => walk.integer("trafficPercent", given, &place, "a percentage from 0 to 100", 0, 100),
    }
    number(item, "trafficPercent").unwrap_or_default()
}

/// What a canary must not have, since its replicas are fixed.
fn fixed(walk: &mut Walk<'_>, node: &Node, stable: i64, path: &str) {
    for key in ["workerSpec", "maxReplicas", "scaleTarget", "scaleMetric", "autoScaling"] {
        let given = node.get(key).filter(|_| key != "maxReplicas" || number(node, key) != Some(0));
        if let Some(given) = given {
            wrong(walk, KserveProblem::CanaryField(key), Some(given.origin), &join(path, key), None);
        }
    }
    if let Some(canary) = number(node, "minReplicas").filter(|canary| *canary > stable) {
        let origin = node.get("minReplicas").map(|node| node.origin);
        let place = join(path, "minReplicas");
        wrong(walk, KserveProblem::CanaryReplicas { canary, stable }, origin, &place, None);
    }
}
