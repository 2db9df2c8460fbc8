//! `status`: what is live of a release, read from the cluster alone.

mod shown;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join;
use tokio::time::Instant;

use super::args::{self, DiffOutput, Global};
use super::connect::{self, EVER, LOOK};
use super::failure::{Failure, INTERRUPTED, LATE};
use super::live::{self, Missed};
use super::progress::Progress;
use super::report::Report;
use super::request::World;
use super::{Done, records, secret};
use crate::cluster::records::{Records, RecordsError};
use crate::cluster::{Cause, Cluster, News, Watch};
use crate::plan::{Found, Goal, Release, Status, VersionStatus, Writer, status};
use crate::readiness::Settled;
use crate::record::Revision;
use shown::{Printer, document, heading, now, reason, revision, table};

/// How looking ended.
enum End {
    /// Everything that was asked for is so.
    Done,
    /// These versions are not settled.
    NotReady(Vec<(usize, Vec<Cause>)>),
    Interrupted,
    /// The one who read the output is gone, or the disk is full.
    Unwritten(std::io::Error),
}

/// Runs the command; gives what is to be printed on stdout, and the exit code.
pub(super) fn run(
    args: &args::Status,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let release = live::release(&args.name, global, world)?;
    let access = connect::access(global, world.variable);
    let driver = records::driver(world)?;
    let progress = Progress::new(report, false);
    let say = |news: News<'_>| progress.tell(&news);
    let limit = match (args.wait, args.watch) {
        (true, _) => args.timeout.unwrap_or(Goal::default().timeout),
        (false, true) => EVER,
        (false, false) => args.timeout.unwrap_or(LOOK),
    };
    let runtime = connect::runtime()?;
    let ended = runtime.block_on(async {
        let (start, end) = (Instant::now(), Instant::now() + limit);
        let mut stop = connect::stop();
        let connecting = Cluster::connect(&access, &say, start + limit.min(LOOK), &stop);
        let connected = connect::unless(&stop, connecting).await.ok_or(Missed::Interrupted)?;
        let mut cluster = connected?;
        cluster.until(end + LOOK);
        let records = cluster.records(driver);
        let (watch, mut last) = join(Watch::new(&cluster, &release), last(&records, &release)).await;
        let mut watch = watch?;
        let is_recorded = matches!(&last, Ok(Some(_))) && !args.wait && !args.watch;
        if watch.found().is_empty() && !is_recorded {
            let unowned = cluster.unowned(&release).await;
            return Err(Missed::Nothing(Box::new(Found { unowned, ..watch.found().clone() })));
        }
        if !args.wait && !args.watch {
            return Ok((End::Done, watch.found().clone(), last, start.elapsed()));
        }
        let mut settling = Settling { since: BTreeMap::new(), settle: args.settle };
        let mut printer = args.watch.then(|| Printer::new(args.output, release.clone(), world.columns));
        loop {
            let status = status(watch.found());
            if let Some(printer) = &mut printer
                && let Err(error) = printer.print(&status, watch.found(), world.out)
            {
                return Ok((End::Unwritten(error), watch.found().clone(), last, start.elapsed()));
            }
            let now = Instant::now();
            let (late, next) = settling.late(&status, now);
            let failed = late.iter().any(|index| status.versions[*index].health.failed.is_some());
            let ended = if *stop.borrow() {
                Some(End::Interrupted)
            } else if args.wait && late.is_empty() {
                Some(End::Done)
            } else if args.wait && (failed || now >= end) {
                Some(End::NotReady(causes(&cluster, watch.found(), &status, &late).await))
            } else {
                None
            };
            if let Some(ended) = ended {
                // Another run may have ended meanwhile.
                last = self::last(&records, &release).await;
                return Ok((ended, watch.found().clone(), last, start.elapsed()));
            }
            watch.changed(next.unwrap_or(end).min(end), &mut stop).await?;
            if watch.found().is_empty() {
                return Err(Missed::Nothing(Box::new(watch.found().clone())));
            }
        }
    });
    progress.end();
    drop(runtime);
    let (ended, found, last, took) = ended.map_err(|missed| missed.failure(&release))?;
    live::remark(&found, &release, report);
    let last = last.unwrap_or_else(|error| {
        records::warn(&[error], report);
        None
    });
    let code = match &ended {
        End::Done => 0,
        End::NotReady(late) => {
            not_ready(&status(&found), late, took, report);
            LATE
        }
        End::Interrupted => {
            report.message("error", "interrupted", None);
            return Ok(Done { text: String::new(), code: INTERRUPTED });
        }
        End::Unwritten(error) => return Err(Failure::system("cannot write to stdout", error.kind().into())),
    };
    if args.watch {
        return Ok(Done { text: String::new(), code });
    }
    let status = status(&found);
    match args.output {
        DiffOutput::Json => Ok(Done {
            text: format!("{:#}\n", secret::masked(document(&status, &found, &release, last.as_ref()))),
            code,
        }),
        DiffOutput::Text => {
            let last = last.as_ref().map(revision).unwrap_or_default();
            if found.is_empty() {
                return Ok(Done { text: format!("{last}nothing of it is in the cluster\n"), code });
            }
            let versions = table(&status.versions, now(), &mut Vec::new(), world.columns);
            let text = format!("{last}{}\n{versions}", heading(&status));
            if !status.route.as_ref().is_some_and(|route| route.writer == Writer::Controller) {
                report.message("note", "r8 is no controller: after `apply` ends it moves no traffic", None);
            }
            Ok(Done { text, code })
        }
    }
}

/// The newest revision of the release; none where it has no record.
async fn last(records: &Records<'_>, release: &Release) -> Result<Option<Revision>, RecordsError> {
    let known = records.history(release).await?;
    let Some(newest) = known.last() else { return Ok(None) };
    Ok(records.read(release, newest.entry.number).await?.map(|kept| kept.revision))
}

/// Since when versions have looked as they do, for what nothing can prove.
struct Settling {
    since: BTreeMap<String, (String, Instant)>,
    settle: Duration,
}

impl Settling {
    /// The wanted versions that are not settled, and when time alone may change that.
    fn late(&mut self, status: &Status, now: Instant) -> (Vec<usize>, Option<Instant>) {
        let (mut late, mut next) = (Vec::new(), None::<Instant>);
        for (index, version) in status.versions.iter().enumerate().filter(|(_, version)| version.wanted) {
            let looks = format!("{:?}", version.health);
            let since = self.since.entry(version.name.clone()).or_insert_with(|| (looks.clone(), now));
            if since.0 != looks {
                *since = (looks, now);
            }
            let proven = since.1 + self.settle;
            match version.health.settled {
                _ if version.health.failed.is_some() => late.push(index),
                Settled::Yes => {}
                Settled::Unproven if now >= proven => {}
                Settled::Unproven => {
                    late.push(index);
                    next = Some(next.map_or(proven, |next| next.min(proven)));
                }
                Settled::No => late.push(index),
            }
        }
        (late, next)
    }
}

/// Why versions are not settled, by their pods and events.
async fn causes(cluster: &Cluster<'_>, found: &Found, status: &Status, late: &[usize]) -> Vec<(usize, Vec<Cause>)> {
    let mut all = Vec::new();
    for index in late {
        let mut causes = Vec::new();
        for key in &status.versions[*index].objects {
            let object = found.tracks.get(key).and_then(|track| track.object());
            causes.extend(cluster.causes(key, object).await);
        }
        all.push((*index, causes));
    }
    all
}

fn not_ready(status: &Status, late: &[(usize, Vec<Cause>)], took: Duration, report: &mut Report<'_>) {
    for (index, causes) in late {
        let VersionStatus { name, health, .. } = &status.versions[*index];
        let text = match &health.failed {
            Some(why) => format!("version {name} failed: {why}"),
            None => format!("version {name} is not ready after {} s: {}", took.as_secs(), reason(health)),
        };
        report.message("error", &text, None);
        for cause in causes {
            report.event(&format!("  {}: {}", cause.about, cause.text));
        }
    }
}
