//! A difference for people.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use crate::cli::failure::Failure;
use crate::cli::{secret, wanted};
use crate::diff::{Pair, Side};
use crate::findings::{in_line, visible};
use crate::manifest::ObjectKey;
use crate::parallel;
use crate::plan::{Action, Change, Owner, Plan, Refusal, Shift, Step, story};
use crate::route::{Rule, Share, others, rules};

/// The difference for people: how traffic moves, every object, the steps, counts.
pub(super) fn text(plan: &Plan, context: usize, color: bool) -> Result<String, Failure> {
    let mut head = traffic(&plan.traffic);
    head.insert_str(0, &unrouted(plan));
    head.push_str(&matches(plan));
    for refusal in plan.refusals.iter().filter(|refusal| !is_of_object(refusal)) {
        let _ = writeln!(head, "! {}; {}", wanted::words(refusal), refusal.hint());
    }
    let mut out = visible(&head).into_owned();
    let changes: Vec<&Change> = plan.changes.iter().filter(|change| is_shown(change)).collect();
    for object in parallel::map(&changes, |change| object(plan, change, context, color)) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&object?);
    }
    let steps = told(plan);
    if !steps.is_empty() {
        let _ = write!(out, "\n{}", visible(&steps));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&counts(plan));
    Ok(out)
}

/// The line that says that a release loses its route; nothing where it does not.
pub(in crate::cli) fn unrouted(plan: &Plan) -> String {
    let loses = plan.before.is_some() && plan.route.is_none() && plan.left_to_controller.is_none();
    if loses { format!("{}  routed → no route\n", in_line(&plan.release.name)) } else { String::new() }
}

pub(super) fn is_shown(change: &Change) -> bool {
    change.action != Action::Unchanged
        || change.is_being_deleted()
        || !change.conflicts.is_empty()
        || change.owner != Owner::Release
}

/// Whether a refusal is shown beside its object.
fn is_of_object(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Owner { .. } | Refusal::Conflict { .. })
}

pub(super) fn object(plan: &Plan, change: &Change, context: usize, color: bool) -> Result<String, Failure> {
    let mut out = format!("{} {}\n", word(change.action), in_line(&change.key.to_string()));
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
    let mut out = visible(&out).into_owned();
    let lines = secret::hidden(&change.pair).lines(context).map_err(|error| Failure::Bug(error.to_string()))?;
    for line in lines {
        let (sign, paint) = match line.side {
            Side::Both => (" ", ""),
            Side::Before => ("-", "\u{1b}[31m"),
            Side::After => ("+", "\u{1b}[32m"),
            Side::Gap => ("...", "\u{1b}[2m"),
        };
        let (on, off) = if color && !paint.is_empty() { (paint, "\u{1b}[0m") } else { ("", "") };
        let _ = writeln!(out, "{on}{sign}{}{off}", visible(&line.text));
    }
    Ok(out)
}

pub(in crate::cli) fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Unchanged => "unchanged",
        Action::Delete => "delete",
    }
}

/// How many are told one by one: names of a step, versions whose share stays.
const FEW: usize = 20;

/// The share of every version, before and after; of many those that change.
pub(in crate::cli) fn traffic(shifts: &[Shift]) -> String {
    let (shown, same) = told_shifts(shifts);
    let rows: Vec<(Cow<'_, str>, &Shift)> = shown.iter().map(|shift| (in_line(&shift.version), *shift)).collect();
    let width = rows.iter().map(|(version, _)| version.chars().count()).max().unwrap_or(0);
    let share = |share: &Option<Share>| share.as_ref().map_or("–".to_owned(), ToString::to_string);
    let line = |(version, shift): &(Cow<'_, str>, &Shift)| match (share(&shift.before), share(&shift.after)) {
        (before, after) if before == after => format!("{version:width$}  {before}\n"),
        (before, after) => format!("{version:width$}  {before} → {after}\n"),
    };
    let mut text: String = rows.iter().map(line).collect();
    if same > 0 {
        let more = if shown.is_empty() { "versions" } else { "more" };
        let _ = writeln!(text, "{same} {more} keep their shares");
    }
    text
}

/// The shifts that are told, and how many are not, since nothing is seen of them.
pub(super) fn told_shifts(shifts: &[Shift]) -> (Vec<&Shift>, usize) {
    let shown: Vec<&Shift> = shifts.iter().filter(|shift| shifts.len() <= FEW || shift.is_seen()).collect();
    let same = shifts.len() - shown.len();
    (shown, same)
}

/// What the matches of the route send where, before and after.
fn matches(plan: &Plan) -> String {
    let (told, same) = told_matches(plan);
    let line = |rule: Matched| format!("{}  {}\n", in_line(&rule.requests), in_line(&rule.words()));
    let mut text: String = told.into_iter().map(line).collect();
    if same > 0 {
        let _ = writeln!(text, "{same} more matches stay as they are");
    }
    text
}

/// The requests that a match names, or their copies, and who answers them before and after.
pub(super) struct Matched {
    /// Which requests, in words without secrets.
    pub requests: String,
    /// The versions that the match sends them to before; none where there is no such match.
    pub before: Option<Vec<String>>,
    /// And after.
    pub after: Option<Vec<String>>,
    /// Who answers them where there is no such match: before, and after.
    others: [String; 2],
}

impl Matched {
    /// Who answers: before and after where they differ.
    pub fn words(&self) -> String {
        let of = |versions: &Option<Vec<String>>, others: &String| {
            versions.as_ref().map_or_else(|| others.clone(), |versions| versions.join(", "))
        };
        let [before, after] = &self.others;
        let (before, after) = (of(&self.before, before), of(&self.after, after));
        if before == after { before } else { format!("{before} → {after}") }
    }
}

/// The matches that are told, and how many of many are not, since they stay as they are.
pub(super) fn told_matches(plan: &Plan) -> (Vec<Matched>, usize) {
    let mut told = matched(plan);
    let all = told.len();
    if all > FEW {
        told.retain(|rule| rule.before != rule.after);
    }
    let same = all - told.len();
    (told, same)
}

/// What matches name before or after, and copies.
pub(super) fn matched(plan: &Plan) -> Vec<Matched> {
    let of = |route: Option<&serde_json::Value>| route.map(rules).unwrap_or_default();
    let target = plan.route.as_ref().or(plan.left_to_controller.as_ref());
    let target = target.and_then(|route| route.at(&route.in_force(|_| true)).ok());
    let target = target.as_ref().map(|manifest| &manifest.object);
    // Most routes have no matches, and those of many versions are long.
    if of(plan.before.as_ref()).is_empty() && of(target).is_empty() {
        return Vec::new();
    }
    // Told by what may be shown, told apart by what is: two secrets may look alike.
    let pair = Pair::new(plan.before.as_ref(), target);
    let (before, after) = (of(pair.before()), of(pair.after()));
    let hidden = secret::hidden(&pair);
    let (old, new) = (of(hidden.before()), of(hidden.after()));
    let nobody = || "–".to_owned();
    let others = |route: Option<&serde_json::Value>| match route.map(others).unwrap_or_default().as_slice() {
        [] => nobody(),
        [one] => one.clone(),
        _ => "by share".to_owned(),
    };
    let without = [others(pair.before()), others(pair.after())];
    let (known_before, known_after) = (by_requests(&before), by_requests(&after));
    let versions =
        |known: &HashMap<&str, &Rule>, rule: &Rule| known.get(rule.requests.as_str()).map(|rule| rule.versions.clone());
    let is_new = |(rule, _): &(&Rule, &Rule)| !known_before.contains_key(rule.requests.as_str());
    let told = before.iter().zip(&old).chain(after.iter().zip(&new).filter(is_new)).map(|(rule, shown)| Matched {
        requests: shown.requests.clone(),
        before: versions(&known_before, rule),
        after: versions(&known_after, rule),
        others: if rule.copies { [nobody(), nobody()] } else { without.clone() },
    });
    told.collect()
}

/// Rules by their requests; of several alike the first counts.
fn by_requests(rules: &[Rule]) -> HashMap<&str, &Rule> {
    rules.iter().rev().map(|rule| (rule.requests.as_str(), rule)).collect()
}

/// The steps, a line each.
pub(in crate::cli) fn steps(plan: &Plan) -> String {
    (0..plan.steps.len()).map(|index| step(plan, index)).collect()
}

/// The steps with what each means for requests.
fn told(plan: &Plan) -> String {
    let notes = story(plan);
    let mut out = String::new();
    for index in 0..plan.steps.len() {
        out.push_str(&step(plan, index));
        for note in notes.iter().filter(|note| note.step == index) {
            let _ = writeln!(out, "        {}", in_line(&note.text));
        }
    }
    out
}

pub(super) fn step(plan: &Plan, index: usize) -> String {
    let named = |index: usize| {
        let member = plan.members.iter().find(|member| member.index == Some(index));
        member.map_or_else(|| index.to_string(), |member| member.name.clone())
    };
    let keys = |keys: &[ObjectKey]| listed(keys.iter().map(ToString::to_string).collect());
    let text = match plan.steps.get(index) {
        None => return String::new(),
        Some(Step::Write(objects)) => format!("write {}", keys(objects)),
        Some(Step::Settle(versions)) => {
            let names: Vec<String> = versions.iter().map(|index| named(*index)).collect();
            let are = if names.len() == 1 { "is" } else { "are" };
            format!("wait until {} {are} settled", listed(names))
        }
        Some(Step::Route(objects)) => format!("route: write {}", keys(objects)),
        Some(Step::Drain) => "drain: wait until requests have left the versions that go".to_owned(),
        Some(Step::Prune(objects)) => format!("delete {}", keys(objects)),
    };
    format!("step {}: {}\n", index + 1, in_line(&text))
}

/// Names one after the other; of many the first ones, and how many more there are.
fn listed(names: Vec<String>) -> String {
    match names.as_slice() {
        [a, b, c, rest @ ..] if names.len() > FEW => format!("{a}, {b}, {c} and {} more", rest.len()),
        names => names.join(", "),
    }
}

pub(super) fn counts(plan: &Plan) -> String {
    let count = |action: Action| plan.changes.iter().filter(|change| change.action == action).count();
    let (create, update, delete) = (count(Action::Create), count(Action::Update), count(Action::Delete));
    let unchanged = count(Action::Unchanged);
    if create + update + delete == 0 {
        return format!("no changes: {unchanged} objects are as wanted\n");
    }
    format!("{create} to create, {update} to update, {delete} to delete, {unchanged} unchanged\n")
}
