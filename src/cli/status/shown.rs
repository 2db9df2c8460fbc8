//! A status for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::cli::args::DiffOutput;
use crate::cli::columns::{self, Cut, Gap};
use crate::cli::secret;
use crate::findings::{in_line, visible};
use crate::manifest::ObjectKey;
use crate::plan::{Found, Release, RouteStatus, Status, VersionStatus, Writer};
use crate::readiness::{Health, Settled};
use crate::record::{Revision, Time};

/// The columns of the table.
const HEAD: [&str; 7] = ["VERSION", "WEIGHT", "SHARE", "SERVING", "SETTLED", "AGE", "MODEL"];

/// Those that may be shortened: why a version is not settled, and its model, of whose address the end tells most.
const CUT: [(usize, Cut); 2] = [(4, Cut::End), (6, Cut::Middle)];

/// Why a version is not settled.
pub(super) fn reason(health: &Health) -> &str {
    if health.why.is_empty() { "its status does not prove it" } else { &health.why }
}

/// The newest revision.
pub(super) fn revision(last: &Revision) -> String {
    // Without parts of a second.
    let time = last.info.last_deployed.map(|time| time.to_string());
    let since = time.map_or_else(String::new, |time| match time.split_once('.') {
        Some((whole, rest)) => format!(" {whole}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => format!(" {time}"),
    });
    let (number, info) = (last.number, &last.info);
    let description = secret::without_passwords(&info.description);
    let line = format!("revision: {number}, {}{since} with {}: {description}", info.status, last.chart_label());
    format!("{}\n", in_line(&line))
}

/// Who writes the route.
pub(super) fn heading(status: &Status) -> String {
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
                let _ = writeln!(line, "not in force: {}", secret::without_passwords(why));
            }
            line
        }
    };
    if let Some(key) = &status.routemap {
        let _ = writeln!(out, "routemap: {key}");
    }
    visible(&out).into_owned()
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
    let age = version.created.as_deref().and_then(Time::parse).map(|created| age(now - created.unix()));
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
    .map(|cell| in_line(&secret::without_passwords(&cell)).into_owned())
}

/// The rows of a table below each other, with its head when `widths` is empty; a later part keeps the widths. They are
/// shortened to fit a line of `columns`.
pub(super) fn table(versions: &[VersionStatus], now: i64, widths: &mut Vec<usize>, columns: Option<usize>) -> String {
    let head = widths.is_empty().then(|| HEAD.map(str::to_owned));
    let rows = head.into_iter().chain(versions.iter().map(|version| cells(version, now)));
    let rows: Vec<Vec<String>> = rows.map(|row| row.to_vec()).collect();
    *widths = columns::widths(&rows, widths, Gap::Spaces(2), &CUT, columns);
    columns::table(&rows, widths, Gap::Spaces(2), &CUT)
}

/// Prints what has changed, for `--watch`.
pub(super) struct Printer {
    output: DiffOutput,
    release: Release,
    columns: Option<usize>,
    widths: Vec<usize>,
    heading: String,
    told: BTreeMap<String, String>,
    document: String,
}

impl Printer {
    /// Nothing has been printed yet.
    pub fn new(output: DiffOutput, release: Release, columns: Option<usize>) -> Printer {
        let (widths, heading, told, document) = (Vec::new(), String::new(), BTreeMap::new(), String::new());
        Printer { output, release, columns, widths, heading, told, document }
    }

    /// A line for each version that has changed, or the whole document where programs read it.
    pub fn print(&mut self, status: &Status, found: &Found, out: &mut dyn Write) -> std::io::Result<()> {
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
        let document = format!("{}\n", secret::masked(document(status, found, &self.release, None)));
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
            out.push_str(&table(&changed, now(), &mut self.widths, self.columns));
        }
        out
    }
}

/// The status for programs; `apiVersion` changes when its meaning does.
pub(super) fn document(status: &Status, found: &Found, release: &Release, last: Option<&Revision>) -> Value {
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
    let last = last.map(|last| {
        let time = last.info.last_deployed.map(|time| time.to_string());
        json!({
            "number": last.number, "status": last.info.status.as_str(), "updated": time, "chart": last.chart_label(),
            "description": last.info.description,
        })
    });
    json!({
        "apiVersion": "r8/v1", "kind": "Status",
        "release": {"name": release.name, "namespace": release.namespace}, "revision": last,
        "route": route, "routemap": status.routemap.as_ref().map(object), "versions": versions,
        "unlisted": found.unlisted,
    })
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    Time::from(SystemTime::now()).unix()
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
    fn ages_are_written_as_kubectl_writes_them() {
        let text = [0, 119, 120, 150, 599, 600, 10_799, 10_800, 11_100, 172_799, 172_800, 176_400, 691_200].map(age);
        let expected = ["0s", "119s", "2m", "2m30s", "9m59s", "10m", "179m", "3h", "3h5m", "47h", "2d", "2d1h", "8d"];
        assert_eq!(text, expected);
        assert_eq!(age(-5), "0s");
    }
}
