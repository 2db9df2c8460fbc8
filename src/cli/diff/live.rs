//! The difference to what is live.

use super::{Show, printed};
use crate::cli::aim::{self, Aim, Unknown};
use crate::cli::args::{self, Global};
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::recorded::{self, Look, Looker};
use crate::cli::report::Report;
use crate::cli::request::{Verb, World};
use crate::cli::{Done, connect, prepare, records, wanted};
use crate::cluster::{Cluster, News};
use crate::plan::{Goal, Plan, Release};
use crate::readiness::Settled;

/// Runs the command.
pub(super) fn run(
    args: &args::Diff,
    show: &Show,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let (release, aim) = aim::of(&args.change, Verb::Own, global, world, report)?;
    self::show(&release, &aim, &wanted::goal(&args.change), global, show, world, report)
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
    let looked = connect::within(connect::Limit::Timeout(goal.timeout), async |deadline, stop| {
        let cluster = Cluster::connect(&access, &say, deadline, stop).await?;
        let records = cluster.records(driver);
        let looked = recorded::look(&cluster, &records, Looker::Reader, (release, aim, goal), &progress);
        match looked.await {
            Ok(look) => Ok(Ok(look)),
            Err(Unknown::Records(error)) => Err(error.into()),
            Err(Unknown::Failure(failure)) => Ok(Err(failure)),
        }
    });
    let Look { history, sight, plan, .. } = looked?.map_err(|failure| *failure)?;
    records::warn(&history.broken, report);
    if history.unread.is_some() {
        let hint = "what only they name, and `apply` deletes, is not shown; it needs the right to list and get them";
        report.message("note", "the release records may not be read", Some(hint));
    }
    for namespace in &sight.observed.missing_namespaces {
        if sight.observed.ending_namespaces.contains(namespace) {
            continue;
        }
        let hint = match *namespace == release.namespace {
            true => "`--create-namespace` of `apply` creates it".to_owned(),
            false => format!("create it: `kubectl create namespace {namespace}`"),
        };
        let text = format!("namespace `{namespace}` does not exist: all its objects are new");
        report.message("note", &text, Some(&hint));
    }
    for namespace in &sight.observed.ending_namespaces {
        let text = format!("namespace `{namespace}` is being deleted: nothing can be written there");
        let hint = format!("when it is gone, `kubectl create namespace {namespace}` makes it anew");
        report.message("warning", &text, Some(&hint));
    }
    prepare::remarks(&sight, &plan, report);
    not_settled(&plan, report);
    printed(&plan, release, show, world, report)
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
