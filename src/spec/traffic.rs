//! What concerns several versions: how many there are, and what their weights add up to.

use serde_json::Value;

use super::collision;
use super::error::Problem;
use super::matches::reach;
use super::release::Application;
use super::walk::Walk;
use crate::values::{Kind, Node};

/// The Gateway API's limit for the matches of all rules of one route.
const MAX_MATCHES: usize = 128;

/// Checks the versions of an application together.
pub(super) fn check(node: &Node, list: &[Node], application: &Application, walk: &mut Walk<'_>) {
    let rule = &application.rule;
    let origin = node.get("versions").map(|node| node.origin);
    let is_gateway = walk.environment.table.route.as_ref().is_some_and(|route| route.kind == "HTTPRoute");
    let candidates = application.versions.len().saturating_sub(1);
    if let Some(most) = rule.candidates
        && candidates > most
    {
        let what = format!("strategy `{}`", application.strategy);
        let problem = Problem::TooMany { what, most: format!("{most} candidate"), found: candidates };
        walk.error(problem, list.get(most + 1).map(|node| node.origin), "application.versions", None);
    }
    if let Some(route) = &walk.environment.table.route
        && let Some(most) = route.max_destinations
        && application.strategy != "none"
        && application.versions.len() > most
    {
        let problem = Problem::TooMany {
            what: if rule.matches.is_some() { route.kind.clone() } else { format!("one rule of {}", route.kind) },
            most: format!("{most} versions"),
            found: application.versions.len(),
        };
        walk.error(problem, origin, "application.versions", None);
    }
    if let ([only], true) = (list, rule.weights.as_ref().is_some_and(|weights| weights.sum.is_some()))
        && let Some(weight) = only.get("weight").filter(|weight| weight.kind != Kind::Int(0))
    {
        let hint = "drop it, or add a candidate";
        walk.warn(Problem::SingleWeight, Some(weight.origin), "application.versions[0].weight", Some(hint.into()));
    }
    if let Some(weights) = &rule.weights
        && let Some(most) = weights.sum
    {
        let sum: u64 = application.versions.iter().map(|version| u64::from(version.weight)).sum();
        if sum > most {
            walk.error(Problem::WeightSum { sum, most }, origin, "application.versions", None);
        } else if sum == 0 && !application.versions.is_empty() {
            let hint = "give at least one version a weight above 0";
            walk.error(Problem::NoWeight, origin, "application.versions", Some(hint.into()));
        }
    }
    // Where the sum is not read, the primary's weight is not either: what is left is a mirror's percentage.
    if rule.weights.as_ref().is_some_and(|weights| weights.sum.is_none())
        && let [_, candidates @ ..] = application.versions.as_slice()
        && !candidates.is_empty()
        && candidates.iter().all(|version| version.weight == 0)
    {
        let weight = list.get(1).and_then(|node| node.get("weight")).map(|node| node.origin);
        let hint = "give the candidate a weight from 1 to 100, or take it out";
        walk.error(Problem::NothingMirrored, weight, "application.versions[1].weight", Some(hint.into()));
    }
    let total: usize = application.versions.iter().map(|version| matches_of(version.matches.as_ref())).sum();
    // The rule of the primary has a match by default.
    if is_gateway && rule.matches.is_some() && total + 1 > MAX_MATCHES {
        let most = format!("{MAX_MATCHES} matches, one of them the primary's");
        let problem = Problem::TooMany { what: "an HTTPRoute".into(), most, found: total + 1 };
        walk.error(problem, origin, "application.versions", None);
    }
    reach::check(list, application, walk);
    collision::check(list, application, walk);
}

fn matches_of(matches: Option<&Value>) -> usize {
    matches.and_then(Value::as_array).map_or(0, Vec::len)
}
