//! An explanation for programs.

use serde_json::{Value, json};

use super::shown::{masked, path, percent, unserved, without_secret, without_secrets};
use super::{Explained, Whence};
use crate::route::{
    Action, Addressed, Answer, Changes, Condition, HttpRequest, Outcome, Target, Tried, Truth, Verdict,
};

/// The document of kind `Explanation`.
pub(super) fn document(explained: &Explained, request: &HttpRequest, answer: Option<&Answer>) -> Value {
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), Value::from(masked(name, value))));
    let route = explained
        .route
        .as_ref()
        .map(|(key, _)| json!({"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name}));
    let list = match explained.route.as_ref().map(|(_, route)| &route["spec"]["rules"]) {
        Some(rules) if rules.is_array() => ("spec.rules", "matches"),
        _ => ("spec.http", "match"),
    };
    let query = request.query.as_ref().map(|query| without_secrets(&format!("?{query}")));
    let query = query.as_deref().and_then(|query| query.strip_prefix('?'));
    let mut document = json!({
        "apiVersion": "r8/v1", "kind": "Explanation",
        "release": {"name": explained.release.0, "namespace": explained.release.1},
        "request": {
            "method": request.method, "scheme": request.scheme, "host": request.host, "port": request.port,
            "path": without_secrets(&request.path), "query": query, "headers": headers.collect::<serde_json::Map<_, _>>(),
        },
        "route": route,
    });
    match &explained.whence {
        Whence::Values { ready, .. } => document["ready"] = json!(ready),
        #[cfg(feature = "cluster")]
        Whence::Cluster { not_in_force } => document["notInForce"] = json!(not_in_force),
    }
    document["answer"] = answer.map_or(Value::Null, |answer| answered(answer, list));
    document
}

fn answered(answer: &Answer, list: (&str, &str)) -> Value {
    let (asked, only_from) = match &answer.addressed {
        Addressed::Yes => (Some(true), None),
        Addressed::From(namespace) => (Some(true), Some(namespace)),
        Addressed::Unsure(namespace) => (None, Some(namespace)),
        Addressed::OtherHost(_) | Addressed::OtherPort(_) => (Some(false), None),
    };
    let hosts = if let Addressed::OtherHost(hosts) = &answer.addressed { Some(hosts) } else { None };
    let ports = if let Addressed::OtherPort(ports) = &answer.addressed { Some(ports) } else { None };
    let mut document = json!({
        "asked": asked, "matched": answer.outcome().is_some(), "onlyFromNamespace": only_from,
        "outcomes": answer.outcomes.iter().map(|outcome| one_outcome(answer, outcome, list)).collect::<Vec<_>>(),
        "tried": answer.tried.iter().map(|tried| one_tried(tried, list)).collect::<Vec<_>>(),
    });
    if let Some(hosts) = hosts {
        document["hosts"] = json!(hosts);
    }
    if let Some(ports) = ports {
        document["ports"] = json!(ports);
    }
    document
}

fn one_outcome(answer: &Answer, outcome: &Outcome, list: (&str, &str)) -> Value {
    let certain = answer.verdict(outcome) == Some(Verdict::Matches);
    let copies: Vec<Value> = outcome
        .copies
        .iter()
        .map(|copy| json!({"host": copy.host, "port": copy.port, "percent": copy.percent}))
        .collect();
    let by = answer.tried.get(outcome.tried).map(|tried| path(tried, list));
    let mut document = json!({"by": by, "certain": certain, "copies": copies, "faults": outcome.faults});
    match &outcome.action {
        Action::Send(targets) => {
            // Where the versions are that answer in the end, and the way of each.
            let ends = answer
                .ends(outcome)
                .into_iter()
                .map(|end| json!({"name": end.version, "share": percent(end.share * 100.0)}));
            document["versions"] = ends.collect();
            document["destinations"] = targets.iter().map(|target| destination(target, list)).collect();
        }
        Action::Redirect { status, location } => {
            document["redirect"] = json!({"status": status, "location": without_secrets(location)})
        }
        Action::Respond { status } => document["response"] = json!({"status": status}),
        Action::Delegate(name) => document["delegate"] = name.as_str().into(),
    }
    document
}

fn destination(target: &Target, list: (&str, &str)) -> Value {
    let changes = |changes: &Changes| {
        let map = |headers: &std::collections::BTreeMap<String, String>| -> Value {
            let pairs = headers.iter().map(|(name, value)| (name.clone(), Value::from(masked(name, value))));
            pairs.collect::<serde_json::Map<_, _>>().into()
        };
        json!({"set": map(&changes.set), "add": map(&changes.add), "remove": changes.remove})
    };
    let path = if target.path_unknown { Value::Null } else { without_secrets(&target.sent.target()).into() };
    json!({
        "version": target.version, "weight": target.weight, "total": target.total,
        "host": target.host, "port": target.port,
        "sent": {"host": target.sent.host, "path": path, "unserved": unserved(target)},
        "requestHeaders": changes(&target.request), "answerHeaders": changes(&target.response),
        "circle": target.endless,
        "next": target.next.as_deref().map(|next| answered(next, list)),
    })
}

fn one_tried(tried: &Tried, list: (&str, &str)) -> Value {
    let verdict = match tried.verdict {
        Verdict::Matches => "matches",
        Verdict::Open => "open",
        Verdict::Fails => "fails",
        Verdict::NotReached => "notReached",
    };
    let reached = tried.verdict != Verdict::NotReached;
    let conditions = tried.conditions.iter().filter(|_| reached).map(one_condition);
    json!({
        "path": path(tried, list), "name": tried.name, "verdict": verdict, "conditions": conditions.collect::<Vec<_>>(),
    })
}

fn one_condition(condition: &Condition) -> Value {
    let condition = without_secret(condition);
    let (met, why) = match condition.truth {
        Truth::Yes => (Some(true), None),
        Truth::No => (Some(false), None),
        Truth::Open(why) => (None, Some(why)),
    };
    json!({
        "field": condition.field, "comparison": condition.comparison.as_str(), "value": condition.value,
        "anyCase": condition.any_case, "negated": condition.negated, "found": condition.found, "met": met, "why": why,
    })
}
