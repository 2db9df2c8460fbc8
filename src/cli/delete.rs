//! `delete`: takes a release away, what routes first, so that no request goes where nothing answers any more.

mod past;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::args::{self, DiffOutput, Global};
use super::failure::{Failure, INTERRUPTED, LATE, STOPPED};
use super::live::{self, Missed};
use super::progress::Progress;
use super::recorded::{self, CLOCK};
use super::report::Report;
use super::request::World;
use super::{Done, connect, records, secret};
use crate::cluster::records::Take;
use crate::cluster::{Cluster, ClusterError, Finding, News};
use crate::manifest::ObjectKey;
use crate::plan::{Deletion, Owner, Release, delete, finalizers};
use past::Past;

/// What is left to requests after the time for waiting is over.
const GRACE: Duration = Duration::from_secs(60);
/// The first and the longest pause between two looks at what is still there.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// How often a route is deleted that its controller makes again.
const TRIES: usize = 3;

/// Runs the command; gives what is to be printed on stdout, and the exit code.
pub(super) fn run(
    args: &args::Delete,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let release = live::release(&args.name, global, world)?;
    let access = connect::access(global, world.variable);
    let (driver, holder) = (records::driver(world)?, recorded::holder(world));
    let runtime = connect::runtime()?;
    let start = Instant::now();
    let progress = Progress::new(report, false);
    let say = |news: News<'_>| progress.tell(&news);
    let ended = runtime.block_on(async {
        let stop = connect::stop();
        let deadline = start + args.timeout + args.drain + GRACE;
        let connecting = Cluster::connect(&access, &say, deadline, &stop);
        let cluster = connect::unless(&stop, connecting).await.ok_or(Missed::Interrupted)??;
        let records = cluster.records(driver);
        let take = if args.take_lock { Take::AtOnce } else { Take::WhenStale };
        // Who only looks does not ask who is at work.
        let known = match args.dry_run {
            true => Ok(records.history(&release).await.unwrap_or_default()),
            false => records.unlocked(&release, take, start + args.timeout, CLOCK).await,
        };
        let mut past = Past::read(&records, known.as_deref().unwrap_or_default()).await?;
        if let Some(chart) = past.foreign() {
            return Err(Missed::Foreign(chart));
        }
        let mut finding = cluster.find_in(&release, past.namespaces()).await?;
        cluster.find_named(&mut finding, &past.manifests(), &release).await?;
        let nothing = args.dry_run || known.as_ref().map_or(true, Vec::is_empty);
        if finding.found.is_empty() && nothing {
            return Err(Missed::Nothing(Box::new(finding.found)));
        }
        let recorded = past.route();
        let last = match known.map_err(ClusterError::from)?.last().filter(|_| !args.dry_run) {
            Some(last) => past.last(&records, last).await?,
            None => None,
        };
        let held = match last {
            Some(kept) => {
                let begun = records.hold(kept, recorded::deleting, holder, CLOCK()).await;
                Some(begun.map_err(ClusterError::from)?)
            }
            None => None,
        };
        let deletion = delete(&finding.found, &release, recorded);
        progress.with_report(|report| {
            live::remark(&finding.found, &release, report);
            remarks(&deletion, report);
        });
        let mut run = Run {
            cluster: &cluster,
            finding: &finding,
            release: &release,
            deletion: &deletion,
            end: start + args.timeout,
            stop,
            say: &|text: &str| progress.with_report(|report| report.event(text)),
            done: BTreeSet::new(),
            standing: Vec::new(),
            errors: Vec::new(),
            again: 0,
        };
        let end = match &held {
            _ if args.dry_run => End::DryRun,
            Some(held) => {
                let ended = match select(Box::pin(run.run(args)), Box::pin(held.keep_alive(CLOCK))).await {
                    Either::Left((end, _)) => Ok(end),
                    Either::Right((lost, _)) => Err(lost),
                };
                ended.unwrap_or_else(|lost| {
                    run.errors.push(lost.into());
                    End::Failed
                })
            }
            None => run.run(args).await,
        };
        let Run { done, standing, mut errors, .. } = run;
        let lost = errors.iter().any(ClusterError::is_refusal);
        if let Some(held) = held.filter(|_| !lost) {
            errors.extend(recorded::deleted(held, end == End::Done, args).await.err().map(ClusterError::from));
        }
        let end = if end == End::Done && !errors.is_empty() { End::Failed } else { end };
        Ok(Finished { end, done, standing, errors, deletion, release: release.clone(), took: start.elapsed() })
    });
    progress.end();
    drop(runtime);
    let finished = match ended {
        Ok(finished) => finished,
        Err(Missed::Nothing(found)) if args.ignore_not_found && found.unlisted.is_empty() => {
            let text = format!("there is no release {} in namespace {}", release.name, release.namespace);
            report.message("note", &text, None);
            return Ok(Done::from(String::new()));
        }
        Err(missed) => return Err(missed.failure(&release)),
    };
    finished.report(args, report)
}

/// What is known before anything is deleted.
fn remarks(deletion: &Deletion, report: &mut Report<'_>) {
    for key in &deletion.kept {
        report.message("note", &format!("{key} is kept: its annotation `helm.sh/resource-policy` says so"), None);
    }
    for (key, owner) in &deletion.foreign {
        let whose = match owner {
            Owner::Other(release) => format!("it belongs to release {release}"),
            Owner::Nobody | Owner::Release => "it names no release".to_owned(),
        };
        report.message("note", &format!("{key} is left: {whose}"), None);
    }
}

/// How a deletion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    DryRun,
    /// Something is still there.
    NotGone,
    Interrupted,
    Failed,
}

/// A deletion as it runs.
struct Run<'a> {
    cluster: &'a Cluster<'a>,
    finding: &'a Finding,
    release: &'a Release,
    deletion: &'a Deletion,
    /// When waiting is over.
    end: Instant,
    stop: watch::Receiver<bool>,
    say: &'a dyn Fn(&str),
    /// Objects whose deletion the API server has taken.
    done: BTreeSet<ObjectKey>,
    /// What is still there, as it was seen last.
    standing: Vec<(ObjectKey, Value)>,
    errors: Vec<ClusterError>,
    /// How often a route was deleted that came back.
    again: usize,
}

impl Run<'_> {
    async fn run(&mut self, args: &args::Delete) -> End {
        let deletion = self.deletion;
        let routing = [deletion.routemaps.clone(), deletion.routes.clone()].concat();
        // A route that is not gone yet still sends requests: the versions wait for it even with `--no-wait`.
        let steps = async {
            self.remove(&deletion.routemaps).await?;
            self.remove(&deletion.routes).await?;
            self.gone(&routing).await?;
            if deletion.drains && !deletion.rest.is_empty() && !args.drain.is_zero() {
                (self.say)(&format!("waiting {} s for requests to leave", args.drain.as_secs_f64()));
                self.end += args.drain;
                self.sleep_until(Instant::now() + args.drain).await?;
            }
            self.remove(&deletion.rest).await?;
            if !args.no_wait {
                let all: Vec<ObjectKey> = deletion.all().cloned().collect();
                self.gone(&all).await?;
            }
            Ok(())
        };
        match steps.await {
            Ok(()) => End::Done,
            Err(end) => end,
        }
    }

    /// Deletes at the same time; a failure of one lets the others end.
    async fn remove(&mut self, keys: &[ObjectKey]) -> Result<(), End> {
        if *self.stop.borrow() {
            return Err(End::Interrupted);
        }
        for (key, result) in self.cluster.remove(self.finding, keys).await {
            match result {
                Ok(()) => drop(self.done.insert(key.clone())),
                Err(error) => self.errors.push(error),
            }
        }
        if self.errors.is_empty() { Ok(()) } else { Err(End::Failed) }
    }

    /// Waits until nothing of this is there.
    async fn gone(&mut self, keys: &[ObjectKey]) -> Result<(), End> {
        let mut pause = PAUSES.0;
        loop {
            let standing = match self.cluster.standing(self.finding, keys).await {
                Ok(standing) => standing,
                Err(error) => {
                    self.errors.push(error);
                    return Err(End::Failed);
                }
            };
            self.standing = self.still_ours(standing).await?;
            if self.standing.is_empty() {
                return Ok(());
            }
            if *self.stop.borrow() {
                return Err(End::Interrupted);
            }
            if Instant::now() >= self.end {
                return Err(End::NotGone);
            }
            self.sleep_until((Instant::now() + pause).min(self.end)).await?;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Those that are still what was found. A route that the Iter8 controller has made once more before it forgot the
    /// routemap is deleted once more; whatever else has come under one of the names is not this release's to delete.
    async fn still_ours(&mut self, standing: Vec<(ObjectKey, Value)>) -> Result<Vec<(ObjectKey, Value)>, End> {
        let found = &self.finding.found;
        let mut left = Vec::new();
        for (key, live) in standing {
            let old = found.objects.get(&key).or_else(|| found.others.get(&key));
            if old.is_none_or(|old| old["metadata"]["uid"] == live["metadata"]["uid"]) {
                left.push((key, live));
            } else if self.deletion.routes.contains(&key) && found.is_ours(self.release, &key, &live) {
                if self.again < TRIES {
                    self.again += 1;
                    (self.say)(&format!("{key} was made again"));
                    if let Err(error) = self.cluster.remove_again(self.finding, &key, &live).await {
                        self.errors.push(error);
                        return Err(End::Failed);
                    }
                }
                left.push((key, live));
            }
        }
        Ok(left)
    }

    async fn sleep_until(&mut self, wake: Instant) -> Result<(), End> {
        let (stopped, slept) = (Box::pin(self.stop.changed()), Box::pin(sleep_until(wake)));
        select(stopped, slept).await;
        if *self.stop.borrow() { Err(End::Interrupted) } else { Ok(()) }
    }
}

/// What came of a deletion.
struct Finished {
    end: End,
    done: BTreeSet<ObjectKey>,
    standing: Vec<(ObjectKey, Value)>,
    errors: Vec<ClusterError>,
    deletion: Deletion,
    release: Release,
    took: Duration,
}

impl Finished {
    fn report(self, args: &args::Delete, report: &mut Report<'_>) -> Result<Done, Failure> {
        let again = format!("`r8 delete {} -n {}` goes on from here", self.release.name, self.release.namespace);
        let code = match self.end {
            End::Done | End::DryRun => 0,
            End::NotGone => {
                for (key, object) in &self.standing {
                    live::held(key, object, self.took, &again, report);
                }
                self.state(report);
                LATE
            }
            End::Interrupted => {
                report.message("error", "interrupted", Some(&again));
                self.state(report);
                INTERRUPTED
            }
            End::Failed => {
                let first = self.errors.first().filter(|_| self.done.is_empty());
                if let Some(error) = first {
                    return Err(connect::failure(error));
                }
                for error in &self.errors {
                    report.message("error", &error.to_string(), error.hint().as_deref());
                }
                self.state(report);
                STOPPED
            }
        };
        match (args.output, code) {
            (DiffOutput::Json, code) => Ok(Done { text: format!("{:#}\n", secret::masked(self.document(code))), code }),
            (DiffOutput::Text, 0) => Ok(Done { text: self.text(args), code }),
            (DiffOutput::Text, code) => Err(Failure::Reported(code)),
        }
    }

    /// What was deleted and what was not, after an end that nobody wanted.
    fn state(&self, report: &mut Report<'_>) {
        let (done, open): (Vec<_>, Vec<_>) = self.deletion.all().partition(|key| self.done.contains(key));
        let list = |keys: &[&ObjectKey]| match keys {
            [] => "nothing".to_owned(),
            keys => keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        report.event(&format!("deleted: {}", list(&done)));
        report.event(&format!("not deleted: {}", list(&open)));
    }

    fn text(&self, args: &args::Delete) -> String {
        let mut out = String::new();
        let Release { name, namespace } = &self.release;
        let count = self.deletion.all().count();
        let objects = if count == 1 { "object" } else { "objects" };
        if self.end == End::DryRun {
            for key in self.deletion.all() {
                let _ = writeln!(out, "delete {key}");
            }
            let _ = writeln!(out, "\n{count} {objects} of release {name} in namespace {namespace} to delete");
            return out;
        }
        let kept = match self.deletion.kept.len() {
            0 => String::new(),
            kept => format!(", {kept} kept"),
        };
        let rest = if args.no_wait { "; not waited until they are gone" } else { "" };
        let _ = writeln!(out, "release {name} in namespace {namespace}: {count} {objects} deleted{kept}{rest}");
        out
    }

    /// The report for programs; `apiVersion` changes when its meaning does.
    fn document(&self, code: u8) -> Value {
        let object = |key: &ObjectKey| json!({"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name});
        let objects = self.deletion.all().map(|key| {
            let live = self.standing.iter().find(|(standing, _)| standing == key).map(|(_, live)| live);
            let mut document = object(key);
            document["routes"] = self.deletion.routes(key).into();
            document["deleted"] = self.done.contains(key).into();
            document["finalizers"] = live.map(finalizers).unwrap_or_default().into();
            document
        });
        let foreign = self.deletion.foreign.iter().map(|(key, owner)| {
            let mut document = object(key);
            document["owner"] = if let Owner::Other(release) = owner { release.as_str().into() } else { Value::Null };
            document
        });
        let result = match self.end {
            End::Done => "done",
            End::DryRun => "dry-run",
            End::NotGone => "not-gone",
            End::Interrupted => "interrupted",
            End::Failed => "failed",
        };
        let errors: Vec<String> = self.errors.iter().map(ToString::to_string).collect();
        json!({
            "apiVersion": "r8/v1", "kind": "Delete",
            "release": {"name": self.release.name, "namespace": self.release.namespace},
            "result": result, "exitCode": code, "errors": errors,
            "objects": objects.collect::<Vec<_>>(),
            "kept": self.deletion.kept.iter().map(object).collect::<Vec<_>>(),
            "left": foreign.collect::<Vec<_>>(),
        })
    }
}
