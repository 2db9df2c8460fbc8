//! What came of a run that changes a release, for people and for programs.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::failure::{Failure, Fault, INTERRUPTED, LATE, STOPPED};
use super::report::Report;
use super::{connect, diff, live, records};
use crate::cluster::records::RecordsError;
use crate::cluster::{Cause, ClusterError, End};
use crate::manifest::ObjectKey;
use crate::plan::{Action, Outcome, Plan, Release, Seen, finalizers};
use crate::readiness::Settled;
use crate::route::{Share, shares};

/// What came of a run.
pub(super) struct Finished {
    /// What the report calls it.
    pub kind: &'static str,
    /// Which release.
    pub release: Release,
    /// The revision that it has made; none where there was nothing to do.
    pub revision: Option<u64>,
    /// The newest revision before it that was live.
    pub before: Option<u64>,
    /// Whether nothing was installed before it.
    pub first: bool,
    /// How it ended.
    pub end: Result<End, ClusterError>,
    /// What was seen.
    pub seen: Seen,
    /// The route that is live now.
    pub route: Option<Value>,
    /// Objects whose write or deletion may have arrived all the same.
    pub doubtful: BTreeSet<ObjectKey>,
    /// Why versions are late.
    pub late: Vec<(usize, Vec<Cause>)>,
    /// What of the records could not be written.
    pub unrecorded: Vec<RecordsError>,
    /// What was to be done.
    pub plan: Box<Plan>,
    /// How long it took.
    pub took: Duration,
}

impl Finished {
    /// Tells what is to be known beside the result, and gives the exit code; `again` is the command that goes on.
    pub fn tell(&self, again: &str, report: &mut Report<'_>) -> u8 {
        records::warn(&self.unrecorded, report);
        let wrote = self.seen.has_written() || !self.doubtful.is_empty();
        match &self.end {
            Ok(End::Outcome(Outcome::Done)) => {
                self.weightless(report);
                0
            }
            Ok(End::Outcome(Outcome::Remains(unsettled, stay))) => {
                self.remains(unsettled, stay, again, report);
                0
            }
            Ok(End::Outcome(Outcome::NotReady(late))) => {
                self.not_ready(late, again, report);
                LATE
            }
            Ok(End::Outcome(Outcome::NotInForce)) => {
                let why = self.seen.not_in_force.as_deref().unwrap_or("nobody has accepted it");
                let text = format!("the route is not in force after {}: {why}", seconds(self.seen.now));
                report.message("error", &text, Some("see that the gateway's controller runs; nothing was deleted"));
                LATE
            }
            Ok(End::Outcome(Outcome::NotFollowed)) => {
                let hint = "it does not run, or watches another `iter8.tools/version`; `--routing route` writes the route by r8";
                report.message(
                    "error",
                    "the Iter8 controller does not follow the routemap; nothing was deleted",
                    Some(hint),
                );
                LATE
            }
            Ok(End::NotGone(standing)) => {
                let hint = format!("`{again}` goes on from here");
                for (key, object) in standing {
                    live::held(key, object, self.took, &hint, report);
                }
                LATE
            }
            Ok(End::Interrupted) => {
                let hint = format!("`{again}` goes on from here");
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
        let hint = format!("when the cause is repaired, `{again}` goes on from here; `--timeout` gives more time");
        report.message("note", &text, Some(&hint));
    }

    fn remains(&self, unsettled: &[usize], stay: &[ObjectKey], again: &str, report: &mut Report<'_>) {
        let names: Vec<&str> = unsettled.iter().map(|index| self.plan.members[*index].name.as_str()).collect();
        let mut text = format!("not settled yet: {}", names.join(", "));
        if !stay.is_empty() {
            let keys: Vec<String> = stay.iter().map(ToString::to_string).collect();
            let _ = write!(text, "; still to be deleted: {}", keys.join(", "));
        }
        report.message("note", &text, Some(&format!("`{again}` without `--no-wait` does the rest")));
    }

    /// How traffic moved, and the counts.
    pub fn text(&self) -> String {
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
    pub fn document(&self, code: u8) -> Value {
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
            "apiVersion": "r8/v1", "kind": self.kind,
            "release": {"name": self.release.name, "namespace": self.release.namespace}, "revision": self.revision,
            "result": result, "exitCode": code, "error": self.end.as_ref().err().map(ToString::to_string), "refusals": [],
            "traffic": traffic, "versions": versions, "objects": objects,
            "steps": diff::steps(&self.plan).lines().collect::<Vec<_>>(),
        })
    }
}

/// Who gets what.
pub(super) fn words(route: &Value) -> String {
    let parts: Vec<String> = shares(route).iter().map(|(name, share)| format!("{name} {share}")).collect();
    parts.join(", ")
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}
