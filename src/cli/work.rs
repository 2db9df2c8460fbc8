//! A run that changes a release: looked at, locked, carried out, recorded; what `apply` and `rollback` share.

use futures_util::future::{Either, select};
use tokio::time::Instant;

use super::aim::{Aim, Unknown};
use super::args::{self, Global};
use super::failure::{Failure, Fault, INTERRUPTED};
use super::outcome::Finished;
use super::progress::Progress;
use super::recorded::{self, Look, Looker};
use super::report::Report;
use super::request::World;
use super::{connect, records};
use super::{prepare, wanted};
use crate::cluster::records::{RecordsError, Take};
use crate::cluster::{Cause, Cluster, ClusterError, End, Ledger, News, Run, Sight};
use crate::manifest::Manifest;
use crate::plan::{Goal, Mode, Observed, Outcome, Plan, Release};

/// How often what there is now is looked at once more, when somebody was quicker.
const AGAIN: usize = 2;

/// What is to be done.
pub(super) struct Order<'a> {
    /// What the report calls it.
    pub kind: &'static str,
    /// To which release.
    pub release: Release,
    /// What the release is to be.
    pub aim: Aim,
    /// How.
    pub goal: Goal,
    /// What is kept of it.
    pub record: &'a args::Record,
    /// Labels of the record; those without a value are taken away.
    pub labels: Vec<(String, Option<String>)>,
    /// Whether the namespace of the release may be created.
    pub create_namespace: bool,
    /// The command that goes on from wherever this one ends.
    pub again: String,
}

/// How it ended.
pub(super) enum Ended {
    /// Something was done, or there was nothing to do.
    Finished(Box<Finished>),
    /// Nothing was written, and why; beside it the plan, where there was one.
    Before(Failure, Option<Box<Plan>>),
}

/// Why a run ended before it wrote anything.
enum Early {
    Error(ClusterError),
    Failure(Box<Failure>),
    Interrupted,
    Refused(Box<(Sight, Plan)>),
}

impl From<Unknown> for Early {
    fn from(unknown: Unknown) -> Early {
        match unknown {
            Unknown::Records(error) => Early::Error(error.into()),
            Unknown::Failure(failure) => Early::Failure(failure),
        }
    }
}

/// Does it, and tells on the way.
pub(super) fn carry_out(
    order: &Order<'_>,
    global: &Global,
    world: &World<'_>,
    report: &mut Report<'_>,
) -> Result<Ended, Failure> {
    let (release, goal) = (&order.release, &order.goal);
    let access = connect::access(global, world.variable);
    let (driver, holder) = (records::driver(world)?, recorded::holder(world));
    let most = order.record.history_max(world)?;
    let runtime = connect::runtime()?;
    let start = Instant::now();
    let progress = Progress::new(report, world.live).on_lines_of(world.line);
    let say = |news: News<'_>| progress.tell(&news);
    let ended = runtime.block_on(async {
        let mut stop = connect::stop();
        let connecting = Cluster::connect(&access, &say, start + goal.timeout, &stop);
        let connected = connect::unless(&stop, connecting).await.ok_or(Early::Interrupted)?;
        let cluster = connected.map_err(Early::Error)?;
        let records = cluster.records(driver);
        let take = if order.record.take_lock { Take::AtOnce } else { Take::WhenStale };
        let looker = Looker::Writer(take, start + goal.timeout);
        let look = async || {
            let looked = recorded::look(&cluster, &records, looker, (release, &order.aim, goal), &progress);
            connect::unless(&stop, looked).await.ok_or(Early::Interrupted)?.map_err(Early::from)
        };
        let unwritable = |problem| {
            let release = release.name.clone();
            Early::Error(RecordsError::Unwritable { release, problem }.into())
        };
        let make = |now: &Look| now.history.make(&now.said, &order.labels, &now.sight, &now.plan).map_err(unwritable);
        let mut now = look().await?;
        if order.create_namespace
            && now.sight.observed.missing_namespaces.contains(&release.namespace)
            && now.sight.observed.ending_namespaces.is_empty()
        {
            make(&now)?.pending().map_err(unwritable)?;
            cluster.create_namespace(&release.namespace).await.map_err(Early::Error)?;
            now = look().await?;
        }
        let untried = now.plan.changes.iter().any(|change| change.mode == Mode::Compared);
        let Observed { missing_namespaces, ending_namespaces, .. } = &now.sight.observed;
        let nowhere = !missing_namespaces.is_empty() || !ending_namespaces.is_empty();
        if nowhere || untried || !now.plan.refusals.is_empty() {
            return Err(Early::Refused(Box::new((now.sight, now.plan))));
        }
        // All its objects may be elsewhere: then nothing has told whether it is there.
        let here = |manifest: &Manifest| manifest.key.namespace == release.namespace;
        if order.create_namespace && !now.sight.manifests.iter().any(here) {
            make(&now)?.pending().map_err(unwritable)?;
            cluster.create_namespace(&release.namespace).await.map_err(Early::Error)?;
        }
        let mut made = make(&now)?;
        let mut begun = None;
        if !now.plan.changes_nothing() || !now.history.has(&made) {
            let mut again = 0;
            let held = loop {
                let pending = made.pending().map_err(unwritable)?;
                match records.begin(&pending, holder.clone(), (recorded::CLOCK)()).await {
                    Ok(held) => break held,
                    // Somebody was quicker: what there is now is looked at once more.
                    Err(RecordsError::Taken { .. }) if again < AGAIN => again += 1,
                    Err(RecordsError::Taken { number, .. }) => {
                        return Err(Early::Error(
                            records.taken(release, number).await.unwrap_or_else(|error| error).into(),
                        ));
                    }
                    Err(error) => return Err(Early::Error(error.into())),
                }
                now = look().await?;
                if !now.plan.refusals.is_empty() {
                    return Err(Early::Refused(Box::new((now.sight, now.plan))));
                }
                made = make(&now)?;
            };
            begun = Some(Ledger::new(held, made.objects.clone(), recorded::CLOCK));
        }
        let Look { history, sight, plan, .. } = now;
        progress.with_report(|report| {
            records::warn(&history.broken, report);
            prepare::remarks(&sight, &plan, report);
        });
        let mut run = Run::new(&cluster, &plan, &sight, start, progress.beat());
        let end = match &begun {
            Some(ledger) => {
                run = run.with_ledger(ledger);
                let (work, life) = (Box::pin(run.run(&mut stop)), Box::pin(ledger.keep_alive()));
                match select(work, life).await {
                    Either::Left((end, _)) => end,
                    Either::Right((lost, _)) => Err(lost),
                }
            }
            None => run.run(&mut stop).await,
        };
        let late = match &end {
            Ok(End::Outcome(Outcome::NotReady(late))) => {
                connect::unless(&stop, causes(&cluster, &plan, &run, late)).await.unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let (seen, route, doubtful) = (run.seen().clone(), run.route().cloned(), run.doubtful().clone());
        drop(run);
        let lost = matches!(&end, Err(error) if error.is_refusal());
        let revision = begun.as_ref().map(|_| made.whole.number);
        let mut unrecorded = Vec::new();
        if let Some(ledger) = begun.filter(|_| !lost) {
            let description = order.record.description.as_deref();
            let live = recorded::last_route(&plan, &seen, &sight);
            match ledger.finish(|revision| recorded::end(revision, &end, &plan, description), live, most).await {
                Ok(troubles) => unrecorded.extend(troubles),
                Err(error) => unrecorded.push(error),
            }
        }
        Ok(Finished {
            kind: order.kind,
            release: release.clone(),
            revision,
            before: history.last_live(),
            first: history.is_first(),
            end,
            seen,
            route,
            doubtful,
            late,
            unrecorded,
            plan: Box::new(plan),
            took: start.elapsed(),
        })
    });
    progress.end();
    // Nobody waits for a plugin or a name that is being looked up.
    runtime.shutdown_background();
    Ok(match ended {
        Ok(finished) => Ended::Finished(Box::new(finished)),
        Err(Early::Error(error)) => Ended::Before(connect::failure(&error), None),
        Err(Early::Failure(failure)) => Ended::Before(*failure, None),
        Err(Early::Interrupted) => {
            let hint = format!("`{}` begins anew", order.again);
            report.message("error", "interrupted before anything was written", Some(&hint));
            Ended::Before(Failure::Reported(INTERRUPTED), None)
        }
        Err(Early::Refused(found)) => {
            let (sight, plan) = *found;
            Ended::Before(refusal(&sight, &plan, release, report), Some(Box::new(plan)))
        }
    })
}

fn refusal(sight: &Sight, plan: &Plan, release: &Release, report: &mut Report<'_>) -> Failure {
    let missing = &sight.observed.missing_namespaces;
    if let Some(ending) = sight.observed.ending_namespaces.first() {
        let text = format!("namespace `{ending}` is being deleted: nothing can be written there");
        let hint = format!("when it is gone, `kubectl create namespace {ending}` makes it anew; or name another");
        return Failure::Cluster(Fault::new(text, Some(&hint)));
    }
    if missing.is_empty() {
        let untried = plan.changes.iter().find(|change| change.mode == Mode::Compared);
        if let Some(change) = untried {
            let text = format!("cannot write {}: you may not patch or create it", change.key);
            let hint = "ask for the right, or use a context whose user has it; `r8 diff` works without";
            return Failure::Cluster(Fault::new(text, Some(hint)));
        }
        prepare::remarks(sight, plan, report);
        return wanted::refused(&plan.refusals);
    }
    let names = missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let hint = if *missing == [release.namespace.clone()] {
        "`--create-namespace` creates it".to_owned()
    } else {
        format!("create it: `kubectl create namespace {}`", missing[0])
    };
    Failure::Cluster(Fault::new(format!("namespace {names} does not exist"), Some(&hint)))
}

/// Why the versions that are late are not ready.
async fn causes(cluster: &Cluster<'_>, plan: &Plan, run: &Run<'_>, late: &[usize]) -> Vec<(usize, Vec<Cause>)> {
    let mut all = Vec::new();
    for index in late {
        let mut found = Vec::new();
        for key in &plan.members[*index].objects {
            found.extend(cluster.causes(key, run.object(key)).await);
        }
        all.push((*index, found));
    }
    all
}
