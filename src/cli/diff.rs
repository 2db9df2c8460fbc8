//! `diff`: what `apply` would change, and how traffic would move; nothing is written.

mod against;
mod document;
#[cfg(feature = "cluster")]
mod live;
#[cfg(feature = "cluster")]
mod revision;
mod text;

use super::args::{self, DiffOutput, Global};
use super::failure::Failure;
use super::report::Report;
use super::request::World;
use super::{Done, secret};
use crate::plan::{Plan, Release, surprises};

#[cfg(feature = "cluster")]
pub(super) use document::refusals;
#[cfg(feature = "cluster")]
pub(super) use live::show;
#[cfg(feature = "cluster")]
pub(super) use text::{steps, traffic, unrouted, word};

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
    if !args.against.is_empty() {
        return against::run(args, &show, global, world, report);
    }
    #[cfg(feature = "cluster")]
    return live::run(args, &show, global, world, report);
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
    /// For programs.
    pub json: bool,
    /// Whether changes have an exit code.
    pub exit_code: bool,
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
        report.message("warning", &surprise.to_string(), Some(surprise.hint()));
    }
    let text = if show.json {
        format!("{:#}\n", secret::masked(document::document(plan, release)))
    } else {
        secret::without_passwords(&text::text(plan, show.unified, world.color)?).into_owned()
    };
    let code = if show.exit_code && !plan.changes_nothing() { CHANGES } else { 0 };
    Ok(Done { text, code })
}
