//! `diff`: what `apply` would change, and how traffic would move; nothing is written.

use std::fmt::Write;

use serde_json::{Value, json};

use super::aim::{self, Aim, Unknown};
use super::args::{self, DiffOutput, Global};
use super::failure::Failure;
use super::progress::Progress;
use super::report::Report;
use super::request::{Verb, World};
use super::{Done, connect, prepare, records, secret};
use crate::cluster::{Cluster, News};
use crate::diff::{Field, Side};
use crate::plan::{Action, Change, Goal, Mode, Owner, Plan, Refusal, Release, Shift, Step};
use crate::readiness::Settled;

/// The exit code for changes, with `--exit-code`.
const CHANGES: u8 = 3;

/// Runs the command; gives what is to be printed on stdout, and the exit code.
pub(super) fn run(
    args: &args::Diff,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let show = Show { unified: args.unified, json: args.output == DiffOutput::Json, exit_code: args.exit_code };
    let (release, aim) = aim::of(&args.change, Verb::Own, global, world, report)?;
    self::show(&release, &aim, &prepare::goal(&args.change), global, &show, world, report)
}

/// How the difference is shown.
pub(super) struct Show {
    /// Lines around each change.
    pub unified: usize,
    /// For programs.
    pub json: bool,
    /// Whether changes have an exit code.
    pub exit_code: bool,
}

/// What a run would change.
pub(super) fn show(
    release: &Release,
    aim: &Aim,
    goal: &Goal,
    global: &Global,
    show: &Show,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let access = connect::access(global, world.variable);
    let driver = records::driver(world)?;
    let progress = Progress::new(report, false);
    let say = |news: News<'_>| progress.tell(&news);
    let looked = connect::within(goal.timeout, async |deadline, stop| {
        let cluster = Cluster::connect(&access, &say, deadline, stop).await?;
        let records = cluster.records(driver);
        // Who only looks does not ask who is at work, and needs the records only for what they say.
        let known = if aim.needs_records() { records.history(release).await } else { Ok(Vec::new()) };
        match aim.said(release, &known?, &records, &progress).await {
            Ok(said) => Ok(Ok(prepare::look(&cluster, &said, goal).await?)),
            Err(Unknown::Records(error)) => Err(error.into()),
            Err(Unknown::Failure(failure)) => Ok(Err(failure)),
        }
    });
    let (sight, plan) = looked?.map_err(|failure| *failure)?;
    for namespace in &sight.observed.missing_namespaces {
        let hint = "`--create-namespace` of `apply` creates it";
        report.message("note", &format!("namespace `{namespace}` does not exist: all its objects are new"), Some(hint));
    }
    prepare::remarks(&sight, &plan, report);
    not_settled(&plan, report);
    let text = if show.json {
        format!("{:#}\n", secret::masked(document(&plan, release)))
    } else {
        text(&plan, show.unified, world.color)?
    };
    let code = if show.exit_code && !plan.changes_nothing() { CHANGES } else { 0 };
    Ok(Done { text, code })
}

/// The difference shows every version settled: which ones are not is said beside it.
fn not_settled(plan: &Plan, report: &mut Report<'_>) {
    for (member, health) in plan.members.iter().zip(&plan.health).filter(|(member, _)| member.index.is_some()) {
        let exists =
            member.objects.iter().any(|key| plan.change(key).is_some_and(|change| change.pair.before().is_some()));
        if exists && health.settled == Settled::No {
            let why = health.failed.as_ref().unwrap_or(&health.why);
            let serving = if health.serving { "serving but not settled" } else { "not serving" };
            report.message("note", &format!("{} is {serving} now: {why}", member.name), None);
        }
    }
}

fn text(plan: &Plan, context: usize, color: bool) -> Result<String, Failure> {
    let mut out = traffic(&plan.traffic);
    out.insert_str(0, &unrouted(plan));
    for refusal in plan.refusals.iter().filter(|refusal| !is_of_object(refusal)) {
        let _ = writeln!(out, "! {}; {}", prepare::words(refusal), refusal.hint());
    }
    for change in plan.changes.iter().filter(|change| is_shown(change)) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&object(plan, change, context, color)?);
    }
    let steps = steps(plan);
    if !steps.is_empty() {
        let _ = write!(out, "\n{steps}");
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&counts(plan));
    Ok(out)
}

/// The line that says that a release loses its route; nothing where it does not.
pub(super) fn unrouted(plan: &Plan) -> String {
    let loses = plan.before.is_some() && plan.route.is_none() && plan.left_to_controller.is_none();
    if loses { format!("{}  routed → no route\n", plan.release.name) } else { String::new() }
}

fn is_shown(change: &Change) -> bool {
    change.action != Action::Unchanged
        || change.is_being_deleted()
        || !change.conflicts.is_empty()
        || change.owner != Owner::Release
}

/// Whether a refusal is shown beside its object.
fn is_of_object(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Owner { .. } | Refusal::Conflict { .. })
}

fn object(plan: &Plan, change: &Change, context: usize, color: bool) -> Result<String, Failure> {
    let mut out = format!("{} {}\n", word(change.action), change.key);
    if change.is_being_deleted() {
        out.push_str("~ is being deleted\n");
    }
    let foreign = match &change.owner {
        Owner::Release => None,
        Owner::Nobody => Some("belongs to no release".to_owned()),
        Owner::Other(release) => Some(format!("belongs to release {release}")),
    };
    let refused = |is: &dyn Fn(&Refusal) -> bool| plan.refusals.iter().any(is);
    if let Some(foreign) = foreign {
        let this = |refusal: &Refusal| matches!(refusal, Refusal::Owner { key, .. } if *key == change.key);
        let _ = if refused(&this) {
            writeln!(out, "! {foreign}; `--take-ownership` takes it")
        } else {
            writeln!(out, "~ {foreign} and is taken")
        };
    }
    for conflict in &change.conflicts {
        let this = |refusal: &Refusal| matches!(refusal, Refusal::Conflict { key, conflict: other, .. } if *key == change.key && other == conflict);
        let text = format!("`{}` is owned by `{}`", conflict.field, conflict.manager);
        let _ = if refused(&this) {
            writeln!(out, "! {text}; `--force-conflicts` takes it")
        } else {
            writeln!(out, "~ {text} and is taken")
        };
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

pub(super) fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Unchanged => "unchanged",
        Action::Delete => "delete",
    }
}

pub(super) fn traffic(shifts: &[Shift]) -> String {
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

pub(super) fn steps(plan: &Plan) -> String {
    let named = |index: usize| {
        let member = plan.members.iter().find(|member| member.index == Some(index));
        member.map_or_else(|| index.to_string(), |member| member.name.clone())
    };
    let keys =
        |keys: &[crate::manifest::ObjectKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let line = |(index, step): (usize, &Step)| {
        let text = match step {
            Step::Write(objects) => format!("write {}", keys(objects)),
            Step::Settle(versions) => {
                let names: Vec<String> = versions.iter().map(|index| named(*index)).collect();
                let are = if names.len() == 1 { "is" } else { "are" };
                format!("wait until {} {are} settled", names.join(", "))
            }
            Step::Route(objects) => format!("route: write {}", keys(objects)),
            Step::Drain => "drain: wait until requests have left the versions that go".to_owned(),
            Step::Prune(objects) => format!("delete {}", keys(objects)),
        };
        format!("step {}: {text}\n", index + 1)
    };
    plan.steps.iter().enumerate().map(line).collect()
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
                let shown = |field: &Field, value: &Option<Value>| match value {
                    Some(_) if secret::sounds_secret(&field.path) => Some(Value::from(secret::HIDDEN)),
                    value => value.clone(),
                };
                let one = |field: Field| {
                    let (old, new) = (shown(&field, &field.before), shown(&field, &field.after));
                    json!({"path": field.path, "old": old, "new": new})
                };
                fields.map(one).collect()
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
    let share = |share: &Option<crate::route::Share>| share.as_ref().map(ToString::to_string);
    let traffic: Vec<Value> = plan
        .traffic
        .iter()
        .map(|shift| json!({"version": shift.version, "before": share(&shift.before), "after": share(&shift.after)}))
        .collect();
    json!({
        "apiVersion": "r8/v1", "kind": "Diff",
        "release": {"name": release.name, "namespace": release.namespace},
        "traffic": traffic, "refusals": refusals(&plan.refusals), "objects": objects,
        "steps": steps(plan).lines().collect::<Vec<_>>(),
    })
}

/// What an apply does not do unasked, for programs.
pub(super) fn refusals(refusals: &[Refusal]) -> Vec<Value> {
    refusals.iter().map(|refusal| json!({"message": prepare::words(refusal), "hint": refusal.hint()})).collect()
}
