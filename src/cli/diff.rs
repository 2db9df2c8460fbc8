//! `diff`: what `apply` would change, and how traffic would move; nothing is written.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::args::{self, DiffOutput, Global};
use super::connect;
use super::failure::Failure;
use super::report::Report;
use super::request::{Verb, World, settle};
use super::{Done, helm, render};
use crate::cluster::Cluster;
use crate::diff::Side;
use crate::plan::{Action, Change, Mode, Owner, Plan, Release, Shift, Step, plan};
use crate::render::{ApiVersion, Options};

/// The exit code for changes, with `--exit-code`.
const CHANGES: u8 = 3;

/// Runs the command; gives what is to be printed on stdout, and the exit code.
pub(super) fn run(
    args: &args::Diff,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let name = helm::release_name(args.name.as_deref(), args.chart.as_deref(), Verb::Own, report)?;
    let request = settle(&args.sources, global, Verb::Own, name, world)?;
    let (spec, rendered) = render::decode(&request, report)?;
    let options = Options { routing: render::routing(args.routing), api_version: ApiVersion::V1beta1, ready: None };
    let manifests = rendered.select(&options).map_err(|error| Failure::render(&error, request.templates.as_deref()))?;
    let release = Release { name: spec.name.to_string(), namespace: spec.namespace.to_string() };
    let access = connect::access(global, world.variable);
    let (manifests, observed) = connect::within(args.timeout.unwrap_or(Duration::from_secs(600)), async {
        let cluster = Cluster::connect(&access).await?;
        cluster.observe(manifests, &release).await
    })?;
    for namespace in &observed.missing_namespaces {
        let hint = "`--create-namespace` of `apply` creates it";
        report.message("note", &format!("namespace `{namespace}` does not exist: all its objects are new"), Some(hint));
    }
    if !observed.unlisted.is_empty() {
        let kinds = observed.unlisted.join(", ");
        report.message("note", &format!("objects to prune are unknown for {kinds}: you may not list them"), None);
    }
    let plan = plan(&manifests, &observed, &release);
    if plan.changes.iter().any(|change| change.mode == Mode::Compared) {
        let hint = "changes by defaulting and webhooks are not foreseen; the right to `patch` makes it exact";
        report.message("note", "compared field by field: you may not `patch`", Some(hint));
    }
    let text = match args.output {
        DiffOutput::Text => text(&plan, args.unified, world.color)?,
        DiffOutput::Json => format!("{:#}\n", document(&plan, &release)),
    };
    let code = if args.exit_code && plan.changes.iter().any(|change| change.action != Action::Unchanged) {
        CHANGES
    } else {
        0
    };
    Ok(Done { text, code })
}

fn text(plan: &Plan, context: usize, color: bool) -> Result<String, Failure> {
    let mut out = traffic(&plan.traffic);
    for change in plan.changes.iter().filter(|change| is_shown(change)) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&object(change, context, color)?);
    }
    let steps = steps(&plan.steps);
    if !steps.is_empty() {
        let _ = write!(out, "\n{steps}");
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&counts(plan));
    Ok(out)
}

fn is_shown(change: &Change) -> bool {
    change.action != Action::Unchanged || !change.conflicts.is_empty() || change.owner != Owner::Release
}

fn object(change: &Change, context: usize, color: bool) -> Result<String, Failure> {
    let mut out = format!("{} {}\n", word(change.action), change.key);
    match &change.owner {
        Owner::Release => {}
        Owner::Nobody => out.push_str("! belongs to no release; `--take-ownership` takes it\n"),
        Owner::Other(release) => {
            let _ = writeln!(out, "! belongs to release {release}; `--take-ownership` takes it");
        }
    }
    for conflict in &change.conflicts {
        let _ =
            writeln!(out, "! `{}` is owned by `{}`; `--force-conflicts` takes it", conflict.field, conflict.manager);
    }
    let lines = change.pair.lines(context).map_err(|error| Failure::Bug(error.to_string()))?;
    for line in lines {
        let (sign, paint) = match line.side {
            Side::Both => (" ", ""),
            Side::Before => ("-", "\u{1b}[31m"),
            Side::After => ("+", "\u{1b}[32m"),
            Side::Gap => ("...", "\u{1b}[2m"),
        };
        let (on, off) = if color && !paint.is_empty() { (paint, "\u{1b}[0m") } else { ("", "") };
        let _ = writeln!(out, "{on}{sign}{}{off}", line.text);
    }
    Ok(out)
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Unchanged => "unchanged",
        Action::Delete => "delete",
    }
}

fn traffic(shifts: &[Shift]) -> String {
    let width = shifts.iter().map(|shift| shift.version.len()).max().unwrap_or(0);
    let share = |share: &Option<crate::route::Share>| share.as_ref().map_or("–".to_owned(), ToString::to_string);
    shifts
        .iter()
        .map(|shift| match (share(&shift.before), share(&shift.after)) {
            (before, after) if before == after => format!("{:width$}  {before}\n", shift.version),
            (before, after) => format!("{:width$}  {before} → {after}\n", shift.version),
        })
        .collect()
}

fn steps(steps: &[Step]) -> String {
    let keys =
        |keys: &[crate::manifest::ObjectKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let line = |(index, step): (usize, &Step)| {
        let text = match step {
            Step::Write(objects) => format!("write {}", keys(objects)),
            Step::Settle(versions) => {
                let list = versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                format!("wait until version {list} is settled")
            }
            Step::Route(objects) => format!("route: write {}", keys(objects)),
            Step::Drain => "drain: wait until requests have left the versions that go".to_owned(),
            Step::Prune(objects) => format!("delete {}", keys(objects)),
        };
        format!("step {}: {text}\n", index + 1)
    };
    steps.iter().enumerate().map(line).collect()
}

fn counts(plan: &Plan) -> String {
    let count = |action: Action| plan.changes.iter().filter(|change| change.action == action).count();
    let (create, update, delete) = (count(Action::Create), count(Action::Update), count(Action::Delete));
    let unchanged = count(Action::Unchanged);
    if create + update + delete == 0 {
        return format!("no changes: {unchanged} objects are as wanted\n");
    }
    format!("{create} to create, {update} to update, {delete} to delete, {unchanged} unchanged\n")
}

/// The report for programs; `apiVersion` changes when its meaning does.
fn document(plan: &Plan, release: &Release) -> Value {
    let objects: Vec<Value> = plan
        .changes
        .iter()
        .map(|change| {
            let fields = change.pair.fields().into_iter();
            let fields: Vec<Value> = if change.action == Action::Update {
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
                "foreignOwner": owner, "exact": change.mode == Mode::DryRun,
                "conflicts": conflicts.map(|conflict| json!({"manager": conflict.manager, "path": conflict.field})).collect::<Vec<_>>(),
            })
        })
        .collect();
    let share = |share: &Option<crate::route::Share>| share.as_ref().map(ToString::to_string);
    let traffic: Vec<Value> = plan
        .traffic
        .iter()
        .map(|shift| json!({"version": shift.version, "before": share(&shift.before), "after": share(&shift.after)}))
        .collect();
    json!({
        "apiVersion": "r8/v1", "kind": "Diff",
        "release": {"name": release.name, "namespace": release.namespace},
        "traffic": traffic, "objects": objects,
        "steps": steps(&plan.steps).lines().collect::<Vec<_>>(),
    })
}
