//! A difference for programs.

use serde_json::{Value, json};

use super::text::{counts, matched, steps, word};
use crate::cli::{secret, wanted};
use crate::findings::{self, Finding};
use crate::plan::{Action, Mode, Owner, Plan, Refusal, Release, story, surprises};
use crate::route::Share;

/// The report for programs, with what was said beside it; `apiVersion` changes when its meaning does.
pub(super) fn document(plan: &Plan, release: &Release, told: &[Finding]) -> Value {
    let objects: Vec<Value> = plan
        .changes
        .iter()
        .map(|change| {
            let fields: Vec<Value> = if change.action == Action::Update {
                let fields = secret::hidden(&change.pair).fields().into_iter();
                fields.map(|field| json!({"path": field.path, "old": field.before, "new": field.after})).collect()
            } else {
                Vec::new()
            };
            let owner = match &change.owner {
                Owner::Release => Value::Null,
                Owner::Nobody => "".into(),
                Owner::Other(release) => release.as_str().into(),
            };
            let conflicts = change.conflicts.iter();
            json!({
                "group": change.key.group, "kind": change.key.kind, "namespace": change.key.namespace, "name": change.key.name,
                "role": change.role.map(|role| role.to_string()), "action": word(change.action), "changes": fields,
                "beingDeleted": change.is_being_deleted(), "foreignOwner": owner, "exact": change.mode == Mode::DryRun,
                "conflicts": conflicts.map(|conflict| json!({"manager": conflict.manager, "path": conflict.field})).collect::<Vec<_>>(),
            })
        })
        .collect();
    let share = |share: &Option<Share>| share.as_ref().map(ToString::to_string);
    let traffic: Vec<Value> = plan
        .traffic
        .iter()
        .map(|shift| json!({"version": shift.version, "before": share(&shift.before), "after": share(&shift.after)}))
        .collect();
    let matches: Vec<Value> = matched(plan)
        .into_iter()
        .map(|rule| {
            json!({"requests": rule.requests, "versions": rule.words(), "before": rule.before, "after": rule.after})
        })
        .collect();
    let story: Vec<Value> =
        story(plan).into_iter().map(|note| json!({"step": note.step + 1, "text": note.text})).collect();
    json!({
        "apiVersion": "r8/v1", "kind": "Diff", "verdict": counts(plan).trim_end(),
        "release": {"name": release.name, "namespace": release.namespace},
        "traffic": traffic, "matches": matches, "refusals": refusals(&plan.refusals), "warnings": warnings(plan),
        "objects": objects, "steps": steps(plan).lines().collect::<Vec<_>>(), "story": story,
        "findings": findings::list(told),
    })
}

/// What an apply does not do unasked, for programs.
pub(in crate::cli) fn refusals(refusals: &[Refusal]) -> Vec<Value> {
    refusals.iter().map(|refusal| json!({"message": wanted::words(refusal), "hint": refusal.hint()})).collect()
}

/// What may surprise, for programs.
fn warnings(plan: &Plan) -> Vec<Value> {
    let warnings = plan.warnings.iter().map(|warning| json!({"message": warning.to_string(), "hint": warning.hint()}));
    let surprises = surprises(plan).into_iter();
    warnings.chain(surprises.map(|one| json!({"message": one.to_string(), "hint": one.hint()}))).collect()
}
