//! `rollback`: makes a release what one of its revisions was, by the way of `apply`.

use super::aim::Aim;
use super::args::{self, DiffOutput, DryRun, Global};
use super::failure::Failure;
use super::report::Report;
use super::request::World;
use super::work::{Order, carry_out};
use super::{Done, apply, diff, live};
use crate::findings::Form;
use crate::plan::Goal;

/// The longest description of a rollback that Helm takes, in characters (`pkg/action/rollback.go`, `MaxDescriptionLength`).
const LONGEST: usize = 256;

/// Runs the command; gives what is to be printed on stdout, and the exit code.
pub(super) fn run(
    args: &args::Rollback,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let release = live::release(&args.name, global, world)?;
    // Helm takes 0 for the one before.
    let wanted = args.revision.filter(|number| *number > 0);
    let default = Goal::default();
    let goal = args.waiting.goal(Goal {
        timeout: args.timeout.unwrap_or(default.timeout),
        remove_route: args.remove_route,
        force_conflicts: args.force_conflicts,
        ..default
    });
    if let Some(text) = args.record.description.as_ref().filter(|text| text.chars().count() > LONGEST) {
        let text = format!("`--description` has {} characters, and Helm takes at most {LONGEST}", text.chars().count());
        return Err(Failure::usage(text, "shorten it"));
    }
    let (aim, json) = (Aim::Back(wanted), args.output == DiffOutput::Json);
    if args.dry_run != DryRun::None {
        let show = diff::Show { unified: 3, form: json.then_some(Form::Json), exit_code: false, strict: false };
        return diff::show(&release, &aim, &goal, global, &show, world, report);
    }
    let number = wanted.map(|number| format!("{number} ")).unwrap_or_default();
    let again = format!("r8 rollback {} {number}-n {}", release.name, release.namespace);
    let order = Order {
        kind: "Rollback",
        release,
        aim,
        goal,
        record: &args.record,
        labels: Vec::new(),
        create_namespace: false,
        again,
    };
    let ended = carry_out(&order, global, world, report)?;
    apply::finish(&order, ended, false, json, global, world, report)
}
