//! `status`: what is live of a release, read from the cluster alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::args::{self, DiffOutput, Global};
use super::failure::Failure;
use super::live::{self, Missed};
use super::progress::Progress;
use super::report::Report;
use super::request::World;
use super::{Done, connect, secret};
use crate::cluster::{Cause, Cluster, News, Watch};
use crate::manifest::ObjectKey;
use crate::plan::{Found, Release, RouteStatus, Status, VersionStatus, Writer, status};
use crate::readiness::Settled;

/// Exit codes beside those of [`Failure`].
const NOT_READY: u8 = 4;
const INTERRUPTED: u8 = 130;

/// How long looking once may take, and waiting.
const LOOK: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_secs(600);
/// Long enough for whoever watches until it is interrupted.
const EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The columns of the table.
const HEAD: [&str; 7] = ["VERSION", "WEIGHT", "SHARE", "SERVING", "SETTLED", "AGE", "MODEL"];

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
    let progress = Progress::new(report, false);
    let say = |news: News<'_>| progress.tell(&news);
    let limit = match (args.wait, args.watch) {
        (true, _) => args.timeout.unwrap_or(WAIT),
        (false, true) => EVER,
        (false, false) => args.timeout.unwrap_or(LOOK),
    };
    let runtime = connect::runtime()?;
    let ended = runtime.block_on(async {
        let (start, end) = (Instant::now(), Instant::now() + limit);
        let mut stop = connect::stop();
        let cluster = Cluster::connect(&access, &say, end + LOOK, &stop).await?;
        let mut watch = Watch::new(&cluster, &release).await?;
        if watch.found().is_empty() {
            return Err(Missed::Nothing(Box::new(watch.found().clone())));
        }
        if !args.wait && !args.watch {
            return Ok((End::Done, watch.found().clone(), start.elapsed()));
        }
        let mut settling = Settling { since: BTreeMap::new(), settle: args.settle };
        let mut printer = args.watch.then(|| Printer::new(args.output, release.clone()));
        loop {
            let status = status(watch.found());
            if let Some(printer) = &mut printer
                && let Err(error) = printer.print(&status, watch.found(), world.out)
            {
                return Ok((End::Unwritten(error), watch.found().clone(), start.elapsed()));
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
                return Ok((ended, watch.found().clone(), start.elapsed()));
            }
            watch.changed(next.unwrap_or(end).min(end), &mut stop).await?;
            if watch.found().is_empty() {
                return Err(Missed::Nothing(Box::new(watch.found().clone())));
            }
        }
    });
    progress.end();
    drop(runtime);
    let (ended, found, took) = ended.map_err(|missed| missed.failure(&release))?;
    live::remark(&found, report);
    let code = match &ended {
        End::Done => 0,
        End::NotReady(late) => {
            not_ready(&status(&found), late, took, report);
            NOT_READY
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
        DiffOutput::Json => {
            Ok(Done { text: format!("{:#}\n", secret::masked(document(&status, &found, &release))), code })
        }
        DiffOutput::Text => {
            let text = format!("{}\n{}", heading(&status), table(&status.versions, now(), &mut Vec::new()));
            if !status.route.as_ref().is_some_and(|route| route.writer == Writer::Controller) {
                report.message("note", "r8 is no controller: after `apply` ends it moves no traffic", None);
            }
            Ok(Done { text, code })
        }
    }
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
            let labels = object.and_then(|object| object["spec"]["selector"]["matchLabels"].as_object());
            let pairs: Vec<String> = labels
                .into_iter()
                .flatten()
                .map(|(label, value)| format!("{label}={}", value.as_str().unwrap_or_default()))
                .collect();
            let selector = (key.kind == "Deployment" && !pairs.is_empty()).then(|| pairs.join(","));
            causes.extend(cluster.causes(key, selector.as_deref()).await);
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

fn reason(health: &crate::readiness::Health) -> &str {
    if health.why.is_empty() { "its status does not prove it" } else { &health.why }
}

/// Who writes the route.
fn heading(status: &Status) -> String {
    let mut out = match &status.route {
        None => "route: none, nobody writes one\n".to_owned(),
        Some(RouteStatus { key, writer, not_in_force }) => {
            let writer = match writer {
                Writer::R8 => "r8".to_owned(),
                Writer::Controller => "the Iter8 controller".to_owned(),
                Writer::Other(manager) => format!("`{manager}`, neither r8 nor the Iter8 controller"),
            };
            let mut line = format!("route: {key}, written by {writer}\n");
            if let Some(why) = not_in_force {
                let _ = writeln!(line, "not in force: {why}");
            }
            line
        }
    };
    if let Some(key) = &status.routemap {
        let _ = writeln!(out, "routemap: {key}");
    }
    out
}

fn cells(version: &VersionStatus, now: i64) -> [String; 7] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let health = &version.health;
    let settled = match (&health.failed, health.settled) {
        (Some(why), _) => format!("failed: {why}"),
        (None, Settled::Yes) => "yes".to_owned(),
        (None, Settled::Unproven) => "unproven".to_owned(),
        (None, Settled::No) => format!("no: {}", reason(health)),
    };
    let age = version.created.as_deref().and_then(seconds).map(|created| age(now - created));
    [
        version.name.clone(),
        or_none(version.weight.map(|weight| weight.to_string())),
        or_none(version.share.map(|share| share.to_string())),
        if health.serving { "yes" } else { "no" }.to_owned(),
        // One line each, whatever a controller writes.
        settled.split_whitespace().collect::<Vec<_>>().join(" "),
        or_none(age),
        or_none(version.model.clone()),
    ]
}

/// The rows of a table below each other, with its head when `widths` is empty; a later part keeps the widths.
fn table(versions: &[VersionStatus], now: i64, widths: &mut Vec<usize>) -> String {
    let head = widths.is_empty().then(|| HEAD.map(str::to_owned));
    let rows: Vec<[String; 7]> = head.into_iter().chain(versions.iter().map(|version| cells(version, now))).collect();
    widths.resize(HEAD.len(), 0);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths.iter()) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// Prints what has changed, for `--watch`.
struct Printer {
    output: DiffOutput,
    release: Release,
    widths: Vec<usize>,
    heading: String,
    told: BTreeMap<String, String>,
    document: String,
}

impl Printer {
    fn new(output: DiffOutput, release: Release) -> Printer {
        let (widths, heading, told, document) = (Vec::new(), String::new(), BTreeMap::new(), String::new());
        Printer { output, release, widths, heading, told, document }
    }

    /// A line for each version that has changed, or the whole document where programs read it.
    fn print(&mut self, status: &Status, found: &Found, out: &mut dyn Write) -> std::io::Result<()> {
        let text = match self.output {
            DiffOutput::Json => self.document(status, found),
            DiffOutput::Text => self.lines(status),
        };
        if text.is_empty() {
            return Ok(());
        }
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    }

    fn document(&mut self, status: &Status, found: &Found) -> String {
        let document = format!("{}\n", secret::masked(document(status, found, &self.release)));
        if document == self.document {
            return String::new();
        }
        self.document.clone_from(&document);
        document
    }

    fn lines(&mut self, status: &Status) -> String {
        let mut out = String::new();
        let heading = heading(status);
        if heading != self.heading {
            out.push_str(&heading);
            self.heading = heading;
        }
        let mut changed: Vec<VersionStatus> = Vec::new();
        for version in &status.versions {
            // All but the age.
            let looks = cells(version, 0).join("\t");
            if self.told.get(&version.name) != Some(&looks) {
                self.told.insert(version.name.clone(), looks);
                changed.push(version.clone());
            }
        }
        let gone: Vec<String> = self
            .told
            .keys()
            .filter(|name| status.versions.iter().all(|version| version.name != **name))
            .cloned()
            .collect();
        for name in gone {
            self.told.remove(&name);
            let _ = writeln!(out, "{name}  is gone");
        }
        if !changed.is_empty() {
            out.push_str(&table(&changed, now(), &mut self.widths));
        }
        out
    }
}

/// The status for programs; `apiVersion` changes when its meaning does.
fn document(status: &Status, found: &Found, release: &Release) -> Value {
    let object =
        |key: &ObjectKey| json!({"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name});
    let route = status.route.as_ref().map(|route| {
        let mut document = object(&route.key);
        document["writer"] = match &route.writer {
            Writer::R8 => "r8".into(),
            Writer::Controller => "iter8-controller".into(),
            Writer::Other(manager) => manager.as_str().into(),
        };
        document["inForce"] = route.not_in_force.is_none().into();
        document["why"] = route.not_in_force.as_deref().into();
        document
    });
    let versions: Vec<Value> = status
        .versions
        .iter()
        .map(|version| {
            let health = &version.health;
            json!({
                "name": version.name, "index": version.index, "weight": version.weight, "wanted": version.wanted,
                "share": version.share.map(|share| share.to_string()), "serving": health.serving,
                "settled": health.settled == Settled::Yes, "unproven": health.settled == Settled::Unproven,
                "failed": health.failed, "why": health.why, "createdAt": version.created, "model": version.model,
                "objects": version.objects.iter().map(object).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "apiVersion": "r8/v1", "kind": "Status",
        "release": {"name": release.name, "namespace": release.namespace},
        "route": route, "routemap": status.routemap.as_ref().map(object), "versions": versions,
        "unlisted": found.unlisted,
    })
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Seconds since 1970 of a time as the API server writes it: `2024-01-02T03:04:05Z`.
fn seconds(time: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    // Days from March on, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// An age as kubectl writes it: the larger the coarser.
fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let with = |whole: i64, unit: &str, rest: i64, small: &str| match rest {
        0 => format!("{whole}{unit}"),
        rest => format!("{whole}{unit}{rest}{small}"),
    };
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=599 => with(minutes, "m", seconds % 60, "s"),
        600..=10_799 => format!("{minutes}m"),
        10_800..=28_799 => with(hours, "h", minutes % 60, "m"),
        28_800..=172_799 => format!("{hours}h"),
        172_800..=691_199 => with(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_api_server_are_seconds_since_1970() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T12:00:01Z"), Some(951_825_601));
        assert_eq!(seconds("2024-01-02T03:04:05Z"), Some(1_704_164_645));
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn ages_are_written_as_kubectl_writes_them() {
        let text = [0, 119, 120, 150, 599, 600, 10_799, 10_800, 11_100, 172_799, 172_800, 176_400, 691_200].map(age);
        let expected = ["0s", "119s", "2m", "2m30s", "9m59s", "10m", "179m", "3h", "3h5m", "47h", "2d", "2d1h", "8d"];
        assert_eq!(text, expected);
        assert_eq!(age(-5), "0s");
    }
}
