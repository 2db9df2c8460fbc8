//! `apply`: makes the cluster match, moves traffic only onto what is ready, and says what it did.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::args::{self, DiffOutput, Global};
use super::failure::{Failure, Fault};
use super::progress::Progress;
use super::report::Report;
use super::request::World;
use super::{Done, connect, diff, live, prepare, recorded, records, secret};
use crate::cluster::records::{RecordsError, Take};
use crate::cluster::{Cause, Cluster, ClusterError, End, Ledger, Run, Sight};
use crate::manifest::{Manifest, ObjectKey};
use crate::plan::{Action, Goal, Mode, Outcome, Plan, Release, Seen, finalizers};
use crate::readiness::Settled;
use crate::route::{Share, shares};

/// Exit codes beside those of [`Failure`].
const NOT_READY: u8 = 4;
const STOPPED: u8 = 6;
const INTERRUPTED: u8 = 130;

/// Runs the command; gives what is to be printed on stdout, and the exit code.
pub(super) fn run(
    args: &args::Apply,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    if args.dry_run {
        let show = diff::Show { unified: 3, json: args.output == DiffOutput::Json, exit_code: false };
        return diff::show(&args.change, global, &show, world, report);
    }
    let said = prepare::said(&args.change, global, world, report)?;
    let goal = Goal { wait: !args.no_wait, drain: args.drain, settle: args.settle, ..prepare::goal(&args.change) };
    let access = connect::access(global, world.variable);
    let (driver, holder) = (records::driver(world)?, recorded::holder(world));
    let most = args.record.history_max(world)?;
    let runtime = connect::runtime()?;
    let start = Instant::now();
    let progress = Progress::new(report, world.live);
    let say = |news: crate::cluster::News<'_>| progress.tell(&news);
    let ended = runtime.block_on(async {
        let mut stop = connect::stop();
        let connecting = Cluster::connect(&access, &say, start + goal.timeout, &stop);
        let connected = connect::unless(&stop, connecting).await.ok_or(Ended::Interrupted)?;
        let cluster = connected.map_err(Ended::Before)?;
        let records = cluster.records(driver);
        let take = if args.record.take_lock { Take::AtOnce } else { Take::WhenStale };
        let look = async || {
            let looked = recorded::look(&cluster, &records, take, &said, &goal);
            connect::unless(&stop, looked).await.ok_or(Ended::Interrupted)?.map_err(Ended::Before)
        };
        let (mut history, mut sight, mut plan) = look().await?;
        if args.create_namespace && sight.observed.missing_namespaces.contains(&said.release.namespace) {
            cluster.create_namespace(&said.release.namespace).await.map_err(Ended::Before)?;
            (history, sight, plan) = look().await?;
        }
        let untried = plan.changes.iter().any(|change| change.mode == Mode::Compared);
        if !sight.observed.missing_namespaces.is_empty() || untried || !plan.refusals.is_empty() {
            return Err(Ended::Refused(Box::new((sight, plan))));
        }
        // All its objects may be elsewhere: then nothing has told whether it is there.
        let here = |manifest: &Manifest| manifest.key.namespace == said.release.namespace;
        if args.create_namespace && !sight.manifests.iter().any(here) {
            cluster.create_namespace(&said.release.namespace).await.map_err(Ended::Before)?;
        }
        let unwritable = |problem| {
            let release = said.release.name.clone();
            Ended::Before(RecordsError::Unwritable { release, problem }.into())
        };
        let mut made = history.make(&said, &sight, &plan).map_err(unwritable)?;
        let mut begun = None;
        if !plan.changes_nothing() || !history.has(&made) {
            let mut again = false;
            let held = loop {
                let pending = made.pending().map_err(unwritable)?;
                match records.begin(&pending, holder.clone(), (recorded::CLOCK)()).await {
                    Ok(held) => break held,
                    // Somebody was quicker: what there is now is looked at once more.
                    Err(RecordsError::Taken { .. }) if !again => again = true,
                    Err(error) => return Err(Ended::Before(error.into())),
                }
                (history, sight, plan) = look().await?;
                if !plan.refusals.is_empty() {
                    return Err(Ended::Refused(Box::new((sight, plan))));
                }
                made = history.make(&said, &sight, &plan).map_err(unwritable)?;
            };
            begun = Some(Ledger::new(held, made.objects.clone(), recorded::CLOCK));
        }
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
        let mut unrecorded = Vec::new();
        if let Some(ledger) = begun.filter(|_| !lost) {
            let description = args.record.description.as_deref();
            let live = recorded::last_route(&plan, &seen, &sight);
            match ledger.finish(|revision| recorded::end(revision, &end, &plan, description), live, most).await {
                Ok(troubles) => unrecorded.extend(troubles),
                Err(error) => unrecorded.push(error),
            }
        }
        Ok(Finished { end, seen, route, doubtful, late, unrecorded, plan: Box::new(plan), took: start.elapsed() })
    });
    progress.end();
    // Nobody waits for a plugin or a name that is being looked up.
    runtime.shutdown_background();
    let (failure, looked) = match ended {
        Ok(finished) => return finished.report(args, &said.release, report),
        Err(Ended::Before(error)) => (connect::failure(&error), None),
        Err(Ended::Interrupted) => {
            let hint = format!("`{} …` begins anew", again(&said.release));
            report.message("error", "interrupted before anything was written", Some(&hint));
            (Failure::Reported(INTERRUPTED), None)
        }
        Err(Ended::Refused(found)) => (refusal(&found.0, &found.1, &said.release, report), Some(found.1)),
    };
    if args.output == DiffOutput::Text {
        return Err(failure);
    }
    report.failure(&failure);
    let document = unwritten(&said.release, &failure, looked.as_ref());
    Ok(Done { text: format!("{:#}\n", secret::masked(document)), code: failure.code() })
}

/// The report for programs of an apply that has written nothing.
fn unwritten(release: &Release, failure: &Failure, plan: Option<&Plan>) -> Value {
    let (result, error) = match failure {
        Failure::Cluster(fault) => ("failed", Some(fault.message.clone())),
        Failure::Refused(_) => ("refused", None),
        _ => ("interrupted", None),
    };
    let refusals = plan.map(|plan| diff::refusals(&plan.refusals)).unwrap_or_default();
    json!({
        "apiVersion": "r8/v1", "kind": "Apply",
        "release": {"name": release.name, "namespace": release.namespace},
        "result": result, "exitCode": failure.code(), "error": error, "refusals": refusals,
        "traffic": [], "versions": [], "objects": [], "steps": [],
    })
}

/// Why an apply ended before it wrote anything.
enum Ended {
    Before(ClusterError),
    Interrupted,
    Refused(Box<(Sight, Plan)>),
}

/// The command that goes on, without what the values came from.
fn again(release: &Release) -> String {
    format!("r8 apply {} -n {}", release.name, release.namespace)
}

/// What came of an apply.
struct Finished {
    end: Result<End, ClusterError>,
    seen: Seen,
    route: Option<Value>,
    doubtful: BTreeSet<ObjectKey>,
    late: Vec<(usize, Vec<Cause>)>,
    /// What of the records could not be written.
    unrecorded: Vec<RecordsError>,
    plan: Box<Plan>,
    took: Duration,
}

fn refusal(sight: &Sight, plan: &Plan, release: &Release, report: &mut Report<'_>) -> Failure {
    let missing = &sight.observed.missing_namespaces;
    if missing.is_empty() {
        let untried = plan.changes.iter().find(|change| change.mode == Mode::Compared);
        if let Some(change) = untried {
            let text = format!("cannot write {}: you may not patch or create it", change.key);
            let hint = "ask for the right, or use a context whose user has it; `r8 diff` works without";
            return Failure::Cluster(Fault::new(text, Some(hint)));
        }
        prepare::remarks(sight, plan, report);
        return prepare::refused(&plan.refusals);
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
            let labels = run.object(key).map(|object| &object["spec"]["selector"]["matchLabels"]);
            let labels = labels.and_then(Value::as_object).into_iter().flatten();
            let pairs: Vec<String> =
                labels.map(|(label, value)| format!("{label}={}", value.as_str().unwrap_or_default())).collect();
            let selector = (key.kind == "Deployment" && !pairs.is_empty()).then(|| pairs.join(","));
            found.extend(cluster.causes(key, selector.as_deref()).await);
        }
        all.push((*index, found));
    }
    all
}

impl Finished {
    fn report(self, args: &args::Apply, release: &Release, report: &mut Report<'_>) -> Result<Done, Failure> {
        records::warn(&self.unrecorded, report);
        let again = again(release);
        let wrote = self.seen.has_written() || !self.doubtful.is_empty();
        let code = match &self.end {
            Ok(End::Outcome(Outcome::Done)) => {
                self.weightless(report);
                0
            }
            Ok(End::Outcome(Outcome::Remains(unsettled, stay))) => {
                self.remains(unsettled, stay, &again, report);
                0
            }
            Ok(End::Outcome(Outcome::NotReady(late))) => {
                self.not_ready(late, &again, report);
                NOT_READY
            }
            Ok(End::Outcome(Outcome::NotInForce)) => {
                let why = self.seen.not_in_force.as_deref().unwrap_or("nobody has accepted it");
                let text = format!("the route is not in force after {}: {why}", seconds(self.seen.now));
                report.message("error", &text, Some("see that the gateway's controller runs; nothing was deleted"));
                NOT_READY
            }
            Ok(End::Outcome(Outcome::NotFollowed)) => {
                let hint = "it does not run, or watches another `iter8.tools/version`; `--routing route` writes the route by r8";
                report.message(
                    "error",
                    "the Iter8 controller does not follow the routemap; nothing was deleted",
                    Some(hint),
                );
                NOT_READY
            }
            Ok(End::NotGone(standing)) => {
                let hint = format!("`{again} …` goes on from here");
                for (key, object) in standing {
                    live::held(key, object, self.took, &hint, report);
                }
                NOT_READY
            }
            Ok(End::Interrupted) => {
                let hint = format!("`{again} …` goes on from here");
                report.message("error", "interrupted", Some(&hint));
                self.state(report);
                INTERRUPTED
            }
            Err(error) if wrote => {
                report.message("error", &error.to_string(), error.hint().as_deref());
                self.state(report);
                let refused = matches!(error, ClusterError::Conflict { .. }) || error.is_refusal();
                if refused { 5 } else { STOPPED }
            }
            Err(error) => {
                let failure = match error {
                    ClusterError::Conflict { .. } => {
                        Failure::Refused(vec![Fault { message: error.to_string(), place: None, hint: error.hint() }])
                    }
                    error => connect::failure(error),
                };
                report.failure(&failure);
                failure.code()
            }
        };
        match (args.output, code) {
            (DiffOutput::Json, _) => {
                Ok(Done { text: format!("{:#}\n", secret::masked(self.document(release, code))), code })
            }
            (DiffOutput::Text, 0) => Ok(Done { text: self.text(), code }),
            (DiffOutput::Text, code) => Err(Failure::Reported(code)),
        }
    }

    /// Versions that are to get no requests hold nobody up: that they are not ready is a warning.
    fn weightless(&self, report: &mut Report<'_>) {
        let settled = self.plan.settled(&self.seen);
        for (index, member) in self.plan.members.iter().enumerate() {
            let health = &self.seen.health[index];
            if member.index.is_none() || member.weight > 0 || settled[index] || health.settled != Settled::No {
                continue;
            }
            let text = match &health.failed {
                Some(why) => format!("version {} of weight 0 failed: {why}", member.name),
                None => format!("version {} of weight 0 is not ready: {}", member.name, health.why),
            };
            report.message("warning", &text, None);
        }
    }

    /// What was written and what was not, after an end that nobody wanted.
    fn state(&self, report: &mut Report<'_>) {
        let changes = self.plan.changes.iter().filter(|change| change.action != Action::Unchanged);
        let (done, rest): (Vec<_>, Vec<_>) = changes.partition(|change| self.seen.done.contains_key(&change.key));
        let (doubtful, open): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|change| self.doubtful.contains(&change.key));
        let list = |changes: &[&crate::plan::Change]| {
            changes.iter().map(|change| change.key.to_string()).collect::<Vec<_>>().join(", ")
        };
        let or_nothing = |text: String| if text.is_empty() { "nothing".to_owned() } else { text };
        report.event(&format!("written: {}", or_nothing(list(&done))));
        if !doubtful.is_empty() {
            report.event(&format!("perhaps written: {}", list(&doubtful)));
        }
        report.event(&format!("not written: {}", or_nothing(list(&open))));
    }

    fn not_ready(&self, late: &[usize], again: &str, report: &mut Report<'_>) {
        for index in late {
            let member = &self.plan.members[*index];
            let health = &self.seen.health[*index];
            let text = match &health.failed {
                Some(why) => format!("version {} failed: {why}", member.name),
                None => {
                    format!("version {} is not ready after {}: {}", member.name, seconds(self.seen.now), health.why)
                }
            };
            report.message("error", &text, None);
            let causes = self.late.iter().filter(|(late, _)| late == index).flat_map(|(_, causes)| causes);
            for cause in causes {
                report.event(&format!("  {}: {}", cause.about, cause.text));
            }
        }
        let text = match &self.route {
            Some(route) => {
                format!("requests go to {}; a version that is not ready got none of them anew", words(route))
            }
            None => "no route was written".to_owned(),
        };
        let hint = format!("when the cause is repaired, `{again} …` goes on from here; `--timeout` gives more time");
        report.message("note", &text, Some(&hint));
    }

    fn remains(&self, unsettled: &[usize], stay: &[ObjectKey], again: &str, report: &mut Report<'_>) {
        let names: Vec<&str> = unsettled.iter().map(|index| self.plan.members[*index].name.as_str()).collect();
        let mut text = format!("not settled yet: {}", names.join(", "));
        if !stay.is_empty() {
            let keys: Vec<String> = stay.iter().map(ToString::to_string).collect();
            let _ = write!(text, "; still to be deleted: {}", keys.join(", "));
        }
        report.message("note", &text, Some(&format!("`{again} …` without `--no-wait` does the rest")));
    }

    /// How traffic moved, and the counts.
    fn text(&self) -> String {
        let mut out = diff::traffic(&self.shifts());
        if self.route.is_none() {
            out.insert_str(0, &diff::unrouted(&self.plan));
        }
        if !out.is_empty() {
            out.push('\n');
        }
        let count = |action: Action| {
            let changes = self.plan.changes.iter().filter(|change| change.action == action);
            changes.filter(|change| action == Action::Unchanged || self.seen.done.contains_key(&change.key)).count()
        };
        if self.plan.changes_nothing() {
            let _ = writeln!(out, "nothing to change: {} objects are as wanted", count(Action::Unchanged));
            return out;
        }
        let [created, updated, deleted, unchanged] =
            [Action::Create, Action::Update, Action::Delete, Action::Unchanged].map(count);
        let _ = writeln!(out, "{created} created, {updated} updated, {deleted} deleted, {unchanged} unchanged");
        out
    }

    /// From the live route before to the one that is live now.
    fn shifts(&self) -> Vec<crate::plan::Shift> {
        crate::plan::shifts(self.plan.before.as_ref(), self.route.as_ref())
    }

    /// The report for programs; `apiVersion` changes when its meaning does.
    fn document(&self, release: &Release, code: u8) -> Value {
        let objects: Vec<Value> = self
            .plan
            .changes
            .iter()
            .map(|change| {
                let done = self.seen.done.get(&change.key);
                let standing = if let Ok(End::NotGone(standing)) = &self.end { standing.as_slice() } else { &[] };
                let standing = standing.iter().find(|(key, _)| *key == change.key).map(|(_, object)| object);
                json!({
                    "group": change.key.group, "kind": change.key.kind, "namespace": change.key.namespace,
                    "name": change.key.name, "role": change.role.map(|role| role.to_string()),
                    "action": diff::word(change.action),
                    "done": change.action == Action::Unchanged || done.is_some(),
                    "seconds": done.map(Duration::as_secs_f64),
                    "finalizers": standing.map(finalizers).unwrap_or_default(),
                })
            })
            .collect();
        let settled = self.plan.settled(&self.seen);
        let versions: Vec<Value> = self
            .plan
            .members
            .iter()
            .enumerate()
            .map(|(index, member)| {
                let health = &self.seen.health[index];
                let causes = self.late.iter().filter(|(late, _)| *late == index).flat_map(|(_, causes)| causes);
                let causes: Vec<String> = causes.map(|cause| format!("{}: {}", cause.about, cause.text)).collect();
                json!({
                    "name": member.name, "index": member.index, "weight": member.index.map(|_| member.weight),
                    "serving": health.serving, "settled": settled[index] || (self.plan.changes_nothing() && health.settled == Settled::Unproven),
                    "failed": health.failed, "why": health.why, "causes": causes,
                })
            })
            .collect();
        let share = |share: &Option<Share>| share.as_ref().map(ToString::to_string);
        let traffic: Vec<Value> = self
            .shifts()
            .iter()
            .map(
                |shift| json!({"version": shift.version, "before": share(&shift.before), "after": share(&shift.after)}),
            )
            .collect();
        let result = match &self.end {
            Ok(End::Outcome(Outcome::Done)) => "done",
            Ok(End::Outcome(Outcome::NotReady(_))) => "not-ready",
            Ok(End::Outcome(Outcome::NotInForce)) => "route-not-in-force",
            Ok(End::Outcome(Outcome::NotFollowed)) => "routemap-not-followed",
            Ok(End::Outcome(Outcome::Remains(..))) => "remains",
            Ok(End::NotGone(_)) => "not-gone",
            Ok(End::Interrupted) => "interrupted",
            Err(_) => "failed",
        };
        json!({
            "apiVersion": "r8/v1", "kind": "Apply",
            "release": {"name": release.name, "namespace": release.namespace},
            "result": result, "exitCode": code, "error": self.end.as_ref().err().map(ToString::to_string), "refusals": [],
            "traffic": traffic, "versions": versions, "objects": objects,
            "steps": diff::steps(&self.plan).lines().collect::<Vec<_>>(),
        })
    }
}

fn words(route: &Value) -> String {
    let parts: Vec<String> = shares(route).iter().map(|(name, share)| format!("{name} {share}")).collect();
    parts.join(", ")
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}
