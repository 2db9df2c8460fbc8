//! The traffic rules, as far as they can be seen from outside: judged on a recording, event by event.
//!
//! * **share**: in every route that r8 writes, a share that is new or larger goes to a version that was settled at an
//!   event after the last write to it, and still serves. Two exceptions: what a version that stopped serving loses may
//!   go to one that serves, and when nothing serves the primary may get all.
//! * **interruption**: no version is deleted, or changed in a way that is known to interrupt it, while the live route
//!   gives it a share.
//! * **route**: once there is a route there is always one, with weights that a proxy can follow, to versions that exist.
//!
//! A version that stopped serving just before a write, sooner than r8 could learn of it, is no fault of r8's: see
//! [`REACTION`]. This makes the rules milder, never a test slower or its outcome a matter of luck.

mod route;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

pub use route::{Reading, Share, Version, read};
use version::Write;
pub use version::{State, interrupts};

use super::recorder::{Event, Happened, Recording};

/// How long news of a version may be on their way to r8.
const REACTION: Duration = Duration::from_secs(2);

/// What the rules have to know of a scenario.
#[derive(Clone, Debug)]
pub struct Rules {
    primaries: BTreeSet<String>,
    warned: BTreeSet<String>,
    route_may_end: bool,
}

impl Rules {
    /// The rules of a release whose primary has this name.
    pub fn of(primary: &str) -> Rules {
        Rules { primaries: BTreeSet::from([primary.to_owned()]), warned: BTreeSet::new(), route_may_end: false }
    }

    /// Another version is the primary at some time.
    pub fn or_primary(mut self, name: &str) -> Rules {
        self.primaries.insert(name.to_owned());
        self
    }

    /// r8 warns that requests to this version fail: it may be interrupted while it has a share.
    pub fn warned_of(mut self, name: &str) -> Rules {
        self.warned.insert(name.to_owned());
        self
    }

    /// The scenario takes the route away.
    pub fn route_may_end(mut self) -> Rules {
        self.route_may_end = true;
        self
    }
}

/// Fails with every violation and with what happened when.
///
/// # Panics
///
/// When a rule is violated.
pub fn assert_traffic_rules(recording: &Recording, rules: &Rules) {
    let judge = judge(recording, rules);
    assert!(judge.faults.is_empty(), "{}\n\nwhat happened:\n{}", judge.faults.join("\n"), judge.story);
}

/// Every violation as one line, in the order in which they happened.
pub fn violations(recording: &Recording, rules: &Rules) -> Vec<String> {
    judge(recording, rules).faults
}

fn judge<'a>(recording: &Recording, rules: &'a Rules) -> Judge<'a> {
    let mut judge = Judge::new(rules);
    for event in &recording.events {
        judge.see(event);
    }
    judge
}

struct Judge<'a> {
    rules: &'a Rules,
    routes: BTreeMap<(String, String), Reading>,
    specs: BTreeMap<(String, String), Value>,
    versions: BTreeMap<Version, History>,
    routed: bool,
    faults: Vec<String>,
    story: String,
}

/// What a version went through.
struct History {
    state: State,
    /// Whether it was settled at an event after the last write.
    settled: bool,
    /// When it began to serve, while it does.
    serving_since: Option<Duration>,
    /// When it last served, while it does not.
    served_until: Option<Duration>,
}

impl History {
    /// Whether it serves, or did until just now.
    fn serves(&self, now: Duration) -> bool {
        self.serving_since.is_some() || self.served_until.is_some_and(|until| now <= until + REACTION)
    }

    /// Whether it does not serve, or did not until just now.
    fn fails(&self, now: Duration) -> bool {
        self.serving_since.is_none_or(|since| now <= since + REACTION)
    }
}

impl<'a> Judge<'a> {
    fn new(rules: &'a Rules) -> Judge<'a> {
        Judge {
            rules,
            routes: BTreeMap::new(),
            specs: BTreeMap::new(),
            versions: BTreeMap::new(),
            routed: false,
            faults: Vec::new(),
            story: String::new(),
        }
    }

    fn see(&mut self, event: &Event) {
        let (kind, name) = super::named(&event.object);
        match kind {
            "VirtualService" | "HTTPRoute" => self.see_route(event, (kind.to_owned(), name.to_owned())),
            "InferenceService" => self.see_version(event, "InferenceService", name),
            "Deployment" => self.see_version(event, "Deployment", name),
            _ => self.tell(event, &format!("{kind} {name} {:?}", event.happened)),
        }
        if self.routed && self.routes.is_empty() && !self.rules.route_may_end {
            self.routed = false;
            self.fault(event, "route", "there is no route");
        }
    }

    fn see_route(&mut self, event: &Event, key: (String, String)) {
        if event.happened == Happened::Deleted {
            self.routes.remove(&key);
            self.specs.remove(&key);
            self.tell(event, &format!("{} {} is gone", key.0, key.1));
            return;
        }
        self.routed = true;
        let reading = read(&event.object);
        let shares = reading.shares.iter().map(|(version, share)| format!("{version} {share}"));
        let shares = shares.collect::<Vec<_>>().join(", ");
        let spec = &event.object["spec"];
        let changed = self.specs.get(&key) != Some(spec);
        let writers = if changed { writers(&event.object) } else { BTreeSet::new() };
        self.tell(event, &format!("{} {}: {shares} {writers:?}", key.0, key.1));
        self.specs.insert(key.clone(), spec.clone());
        let before = self.routes.insert(key.clone(), reading.clone()).unwrap_or_default();
        if event.happened == Happened::Found || !writers.iter().any(|writer| writer == HELM || writer == ITER8) {
            return;
        }
        for fault in &reading.faults {
            self.fault(event, "route", &format!("{} {}: {fault}", key.0, key.1));
        }
        let mut unknown = Vec::new();
        for version in reading.shares.keys().filter(|version| !self.versions.contains_key(version)) {
            unknown.push(format!("{} {} leads to {version}, which does not exist", key.0, key.1));
        }
        unknown.iter().for_each(|text| self.fault(event, "route", text));
        if writers.contains(HELM) {
            self.judge_shares(event, &before, &reading);
        }
    }

    fn judge_shares(&mut self, event: &Event, before: &Reading, after: &Reading) {
        let now = event.seen;
        let nothing = Share::default();
        let was = |version: &Version| *before.shares.get(version).unwrap_or(&nothing);
        let freed = before.shares.iter().any(|(version, share)| {
            let lost = share.exceeds(after.shares.get(version).unwrap_or(&nothing));
            lost && self.versions.get(version).is_none_or(|history| history.fails(now))
        });
        let nothing_serves = self.versions.values().all(|history| history.fails(now));
        let mut faults = Vec::new();
        for (version, share) in &after.shares {
            let Some(history) = self.versions.get(version) else { continue };
            if !share.exceeds(&was(version)) {
                continue;
            }
            let serves = history.serves(now);
            let fallback = nothing_serves && self.rules.primaries.contains(&version.name);
            let allowed = fallback || serves && (freed || history.settled || history.state.settled());
            if !allowed {
                let why = if serves { "was not settled since its last write" } else { "does not serve" };
                faults.push(format!("{version} gets {share} after {}: it {why}", was(version)));
            }
        }
        faults.iter().for_each(|text| self.fault(event, "share", text));
    }

    fn see_version(&mut self, event: &Event, kind: &'static str, name: &str) {
        let version = Version { kind, name: name.to_owned() };
        let goes = event.happened == Happened::Deleted || event.object["metadata"]["deletionTimestamp"].is_string();
        let old = self.versions.remove(&version);
        let leaves = goes && old.as_ref().is_some_and(|old| old.state.live["metadata"]["deletionTimestamp"].is_null());
        if leaves {
            self.judge_interruption(event, &version, "is deleted");
        }
        if event.happened != Happened::Deleted {
            let changes = old.as_ref().is_some_and(|old| old.state.live["spec"] != event.object["spec"]);
            if changes && old.as_ref().is_some_and(|old| interrupts(&old.state.live, &event.object)) {
                self.judge_interruption(event, &version, "is changed, which interrupts it");
            }
            self.versions.insert(version.clone(), follow(old, event, changes));
        }
        self.judge_versions(event);
        let told = match self.versions.get(&version) {
            Some(history) => {
                let serving = if history.serving_since.is_some() { "serving" } else { "not serving" };
                format!("{version}: {serving}{}", if history.settled { ", settled" } else { "" })
            }
            None => format!("{version} is gone"),
        };
        self.tell(event, &told);
    }

    /// What one event says of every version: that of a Deployment is also one of its InferenceService.
    fn judge_versions(&mut self, event: &Event) {
        let deployments: BTreeMap<String, Value> = self
            .versions
            .iter()
            .filter(|(version, _)| version.kind == "Deployment")
            .map(|(version, history)| (version.name.clone(), history.state.live.clone()))
            .collect();
        for (version, history) in &mut self.versions {
            if version.kind == "InferenceService" {
                history.state.predictor = deployments.get(&format!("{}-predictor", version.name)).cloned();
            }
            if history.state.serving() {
                history.serving_since.get_or_insert(event.seen);
                history.served_until = None;
            } else if history.serving_since.take().is_some() {
                history.served_until = Some(event.seen);
            }
            history.settled |= history.state.settled();
        }
    }

    fn judge_interruption(&mut self, event: &Event, version: &Version, what: &str) {
        let share = self.routes.values().filter_map(|route| route.shares.get(version)).find(|share| share.is_some());
        if let Some(share) = share.copied().filter(|_| !self.rules.warned.contains(&version.name)) {
            self.fault(event, "interruption", &format!("{version} {what} while it gets {share}"));
        }
    }

    fn fault(&mut self, event: &Event, rule: &str, text: &str) {
        self.faults.push(format!("{rule}: at {}: {text}", event.revision));
    }

    fn tell(&mut self, event: &Event, text: &str) {
        let _ = writeln!(self.story, "{:>8} {:>9.3?} {text}", event.revision, event.seen);
    }
}

/// The history after an event that leaves the object there.
fn follow(old: Option<History>, event: &Event, changes: bool) -> History {
    let live = event.object.clone();
    let Some(mut history) = old else {
        let write = Write { before: None, reported: false };
        let write = (event.happened != Happened::Found).then_some(write);
        let state = State { live, predictor: None, write };
        return History { state, settled: false, serving_since: None, served_until: None };
    };
    if changes {
        // What an earlier change has not proven is not proven by one that changes less.
        let unproven = history.state.write.take().filter(|_| !history.settled);
        let before = unproven.map_or_else(|| Some(history.state.live.clone()), |write| write.before);
        history.state.write = Some(Write { before, reported: false });
        history.settled = false;
    } else if let Some(write) = &mut history.state.write {
        write.reported |= history.state.live["status"] != live["status"];
    }
    history.state.live = live;
    history
}

/// The field managers of r8 and of the Iter8 controller.
const HELM: &str = "helm";
const ITER8: &str = "iter8-controller";

/// Who wrote the requests' way as it stands: whoever changed it last owns it alone.
fn writers(route: &Value) -> BTreeSet<String> {
    let entries = route["metadata"]["managedFields"].as_array().into_iter().flatten();
    let owners = entries.filter(|entry| {
        let spec = &entry["fieldsV1"]["f:spec"];
        entry["subresource"].is_null() && (spec["f:http"].is_object() || spec["f:rules"].is_object())
    });
    owners.filter_map(|entry| entry["manager"].as_str().map(str::to_owned)).collect()
}
