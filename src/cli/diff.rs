//! `diff`: what `apply` would change, and how traffic would move; nothing is written.

mod against;
mod document;
#[cfg(feature = "cluster")]
mod live;
mod machine;
mod manifests;
#[cfg(feature = "cluster")]
mod revision;
mod text;

#[cfg(feature = "cluster")]
use super::aim::Aim;
use super::args::{self, Global};
use super::document::Found;
use super::failure::{Failure, REFUSED};
use super::report::Report;
use super::request::World;
use super::{Done, document as documents, secret, wanted};
use crate::findings::Form;
#[cfg(feature = "cluster")]
use crate::plan::Goal;
use crate::plan::{Plan, Release, surprises};
use crate::route::problems;

#[cfg(feature = "cluster")]
pub(super) use document::refusals;
pub(super) use machine::of_warning;
#[cfg(feature = "cluster")]
pub(super) use text::{steps, traffic, unrouted, word};

/// How many faults of a route are told.
const MOST: usize = 3;

/// The exit code for changes, with `--exit-code`.
const CHANGES: u8 = 3;

/// Runs the command; gives what is to be printed on stdout, and the exit code.
pub(super) fn run(
    args: &args::Diff,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let show = Show { unified: args.unified, form: args.output.form(), exit_code: args.exit_code, strict: args.strict };
    documented(show.form, world, report, |world, report| compare(args, &show, global, world, report))
}

/// What a run of another command would change.
#[cfg(feature = "cluster")]
pub(super) fn show(
    release: &Release,
    aim: &Aim,
    goal: &Goal,
    global: &Global,
    show: &Show,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let compare =
        |world: &mut World<'_>, report: &mut Report<'_>| live::show(release, aim, goal, global, show, world, report);
    documented(show.form, world, report, compare)
}

/// Compares; who reads a form for machines is given a document of it also when that fails.
fn documented(
    form: Option<Form>,
    world: &mut World<'_>,
    report: &mut Report<'_>,
    compare: impl FnOnce(&mut World<'_>, &mut Report<'_>) -> Result<Done, Failure>,
) -> Result<Done, Failure> {
    let Some(form) = form else { return compare(world, report) };
    documents::begin(form, world, report);
    compare(world, report).or_else(|failure| {
        let verdict = "nothing was compared".to_owned();
        let nothing = Found { command: "diff", checks: Vec::new(), verdict, page: None, code: 0 };
        documents::print(form, nothing, Some(failure), world, report)
    })
}

fn compare(
    args: &args::Diff,
    show: &Show,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    if args.live {
        let hint = "leave it out: without `--against` it is the cluster that `diff` compares with";
        return Err(Failure::usage("`diff` has no flag `--live`", hint));
    }
    if args.target.is_some() {
        let hint = "`r8 validate --target` and `r8 render --target` judge what a target lacks";
        return Err(Failure::usage("`diff` has no flag `--target`", hint));
    }
    if !args.against.is_empty() {
        return against::run(args, show, global, world, report);
    }
    #[cfg(feature = "cluster")]
    return live::run(args, show, global, world, report);
    #[cfg(not(feature = "cluster"))]
    Err(Failure::usage("this r8 is built without the cluster", "say what to compare with: `--against FILE`"))
}

/// Whether a cluster is asked: not for a difference to texts.
pub(super) fn asks(args: &args::Diff) -> bool {
    args.against.is_empty() || args.against.iter().any(|named| against::is_release(named))
}

/// How the difference is shown.
pub(super) struct Show {
    /// Lines around each change.
    pub unified: usize,
    /// For machines; none for people.
    pub form: Option<Form>,
    /// Whether changes have an exit code.
    pub exit_code: bool,
    /// Whether refusals and warnings are errors.
    pub strict: bool,
}

/// What is printed of a plan, and the exit code.
fn printed(
    plan: &Plan,
    release: &Release,
    show: &Show,
    world: &World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    for surprise in surprises(plan) {
        let place = machine::of_surprise(plan, &surprise, report);
        report.remark("warning", surprise.rule(), &surprise.to_string(), Some(surprise.hint()), place);
    }
    warn_of_route(plan, report);
    tell_refusals(plan, show, report);
    let wrong = if show.strict { strictly(plan, report) } else { None };
    let code = wrong.unwrap_or(if show.exit_code && !plan.changes_nothing() { CHANGES } else { 0 });
    let text = match show.form {
        None => secret::without_passwords(&text::text(plan, show.unified, world.color)?).into_owned(),
        Some(Form::Json) => {
            // What is said from now on is part of no document.
            let told = report.recorder.take().map(|mut recorder| recorder.since(0)).unwrap_or_default();
            format!("{:#}\n", secret::masked(document::document(plan, release, &told)))
        }
        Some(form) => return machine::print(form, plan, show, code, world, report),
    };
    Ok(Done { text, code })
}

/// Tells what `apply` would refuse: people read it with `--strict`, beside the marks at the objects; a machine in any case,
/// but for the difference itself, which has a place of its own for it.
fn tell_refusals(plan: &Plan, show: &Show, report: &mut Report<'_>) {
    match (show.form, show.strict) {
        (None, true) if !plan.refusals.is_empty() => report.failure(&wanted::refused(&plan.refusals)),
        (None, _) | (Some(Form::Json), false) => {}
        (Some(_), strict) => machine::tell_refusals(plan, strict, report),
    }
}

/// The exit code of what `--strict` takes for an error: that of `apply` for what it refuses, else that of invalid input
/// where anything was warned of.
fn strictly(plan: &Plan, report: &mut Report<'_>) -> Option<u8> {
    if !plan.refusals.is_empty() {
        return Some(REFUSED);
    }
    let failure = (report.warned > 0).then(Failure::strict)?;
    report.failure(&failure);
    Some(failure.code())
}

/// Warns of a route before that is not what a route is: its shares are read as if its faults were not there.
fn warn_of_route(plan: &Plan, report: &mut Report<'_>) {
    let Some(route) = &plan.before else { return };
    let wrong = problems(route);
    let more = wrong.len().saturating_sub(MOST);
    let told = wrong.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("; ");
    if wrong.is_empty() {
        return;
    }
    let text = |key: &str| route["metadata"][key].as_str().unwrap_or_default();
    let kind = route["kind"].as_str().unwrap_or_default();
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let (namespace, name) = (text("namespace"), text("name"));
    let text = format!("{kind} {namespace}/{name}, the route before, cannot be read: {told}{more}");
    let hint = "repair it; what it sends where is told only so far as it can be read";
    report.remark("warning", "unreadable-route", &text, Some(hint), None);
}
