//! A world without a server: versions whose states change in every order; each step is held to the rules of `rules`.

mod rules;
mod shares;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use r8::manifest::{Manifests, ObjectKey, Role};
use r8::plan::{
    self, Action, Goal, Next, Observation, Observed, Outcome, Plan, RouteWrite, Routed, Seen, Wanted, Warning, next,
    plan,
};
use r8::readiness::{Health, Settled};
use r8::render::{ApiVersion, Options, Routing, render};
use r8::route::Route;
use r8::spec::{Identity, ReleaseSpec, Unknown};
use r8::templates::Catalog;
use r8::values::{Source, SourceName, load};
use serde_json::Value;

/// A release as it is rendered.
#[derive(Clone)]
pub struct Release {
    manifests: Manifests,
    route: Option<Route>,
}

impl Release {
    /// Renders values.
    pub fn parse(values: &str) -> Release {
        let sources = [Source { name: SourceName::File("values.yaml".into()), text: values.to_owned() }];
        let identity = Identity { release: Some("app".into()), namespace: "default".into() };
        let catalog = Catalog::embedded();
        let values = load(&sources).unwrap();
        let (spec, _) = ReleaseSpec::decode(&values, &catalog, &identity, Unknown::Refuse).unwrap();
        let rendered = render(&spec, &catalog).unwrap();
        let route = rendered.route.clone();
        let options = Options { routing: Routing::Both, api_version: ApiVersion::V1beta1, ready: None };
        Release { manifests: rendered.select(&options).unwrap(), route }
    }

    /// The same without what the Iter8 controller reads.
    pub fn without_routemap(mut self) -> Release {
        self.manifests = self.manifests.filter(|manifest| manifest.role != Role::Routemap);
        self
    }
}

/// How the world begins.
#[derive(Clone, Copy, PartialEq)]
pub enum Start {
    /// What was there before serves; a route is in force as soon as it is written.
    Calm,
    /// A route that is written is never in force.
    NeverInForce,
    /// The last version does not serve.
    OneDown,
}

/// A world before anything happens in it.
pub struct World {
    plan: Plan,
    /// How it begins.
    pub start: Start,
}

/// The world at one moment.
#[derive(Clone)]
struct Moment {
    seen: Seen,
    /// The live route.
    route: Option<Value>,
    /// What happened until now, for messages.
    story: Vec<String>,
    /// How many more times each version may change by itself.
    changes: Vec<u8>,
    /// Since when each version has had no requests.
    free: Vec<Option<Duration>>,
    /// Members that stopped serving while they had requests, and are not settled again.
    stopped: BTreeSet<usize>,
}

impl World {
    /// A cluster in which `before` was released, and a plan for `wanted`.
    pub fn new(before: Option<&Release>, wanted: &Release, goal: Goal) -> World {
        let release = plan::Release { name: "app".into(), namespace: "default".into() };
        let marked = |manifests: &Manifests| -> BTreeMap<ObjectKey, Value> {
            let mark = |manifest: &r8::manifest::Manifest| {
                let mut object = manifest.object.clone();
                release.mark(&mut object, manifest.role);
                (manifest.key.clone(), object)
            };
            manifests.iter().map(mark).collect()
        };
        let live = before.map(|before| marked(&before.manifests)).unwrap_or_default();
        let desired = marked(&wanted.manifests);
        let objects = desired.iter().map(|(key, desired)| {
            let observation =
                Observation { live: live.get(key).cloned(), desired: Some(desired.clone()), ..Observation::default() };
            (key.clone(), observation)
        });
        let left = live.iter().filter(|(key, _)| !desired.contains_key(*key));
        let observed = Observed {
            objects: objects.collect(),
            left: left.map(|(key, object)| (key.clone(), object.clone())).collect(),
            ..Observed::default()
        };
        let wanted = Wanted { manifests: wanted.manifests.clone(), route: wanted.route.clone() };
        let plan = plan(&wanted, &observed, &release, &goal);
        assert_eq!(plan.refusals, []);
        World { plan, start: Start::Calm }
    }

    /// Whether the plan changes the spec of an object that all versions need.
    pub fn reshapes(&self) -> bool {
        self.plan.changes.iter().any(|change| self.is_reshaped(&change.key))
    }

    /// Whether the plan waits until requests have left what goes.
    pub fn drains(&self) -> bool {
        self.plan.steps.contains(&plan::Step::Drain)
    }

    /// What the plan warns of.
    pub fn warnings(&self) -> &[Warning] {
        &self.plan.warnings
    }

    fn moment(&self) -> Moment {
        let members = &self.plan.members;
        let exists = |member: &plan::Member| {
            let created = |key: &ObjectKey| self.plan.change(key).is_some_and(|change| change.action == Action::Create);
            !member.objects.iter().any(created)
        };
        let state = |member| if exists(member) { settled() } else { Health::absent() };
        let mut health: Vec<Health> = members.iter().map(state).collect();
        if let (Start::OneDown, Some(last)) = (self.start, health.last_mut()) {
            *last = down();
        }
        Moment {
            seen: Seen {
                health,
                since: vec![Duration::ZERO; members.len()],
                in_force: Some(Duration::ZERO),
                ..Seen::default()
            },
            route: self.plan.before.clone(),
            story: Vec::new(),
            changes: members.iter().map(|member| self.restless(member)).collect(),
            free: members.iter().map(|member| (!member.routed).then_some(Duration::ZERO)).collect(),
            stopped: BTreeSet::new(),
        }
    }

    /// How often a version changes by itself. Of two of one name that no namespace tells apart in a route, the old one
    /// stays as it is and the new one becomes something once: no write of the route can help what comes after that.
    fn restless(&self, member: &plan::Member) -> u8 {
        let moves = |old: &plan::Member| old.superseded && old.name == member.name;
        match (member.superseded, self.plan.members.iter().any(moves)) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        }
    }

    /// Requests leave a model that moves to another namespace when the one of its name there is ready.
    fn take_over(&self, moment: &mut Moment) {
        for (index, old) in self.plan.members.iter().enumerate().filter(|(_, old)| old.superseded) {
            let heir = self.plan.members.iter().position(|new| new.index.is_some() && new.name == old.name).unwrap();
            let ready = moment.seen.health[heir].serving && moment.seen.health[heir].settled != Settled::No;
            if ready && self.is_written(moment, heir) {
                moment.free[index].get_or_insert(moment.seen.now);
            }
        }
    }

    /// Whether what serves is the spec that is stored: of a version that has still to be written, the old one.
    fn is_settled(&self, moment: &Moment, index: usize) -> bool {
        let unproven = moment.seen.now >= moment.seen.since[index] + self.plan.goal.settle;
        match moment.seen.health[index].settled {
            Settled::Yes => true,
            Settled::No => false,
            Settled::Unproven => unproven && self.plan.goal.wait,
        }
    }

    fn is_written(&self, moment: &Moment, index: usize) -> bool {
        let written = |key: &ObjectKey| {
            let change = self.plan.change(key);
            change.is_none_or(|change| change.action == Action::Unchanged) || moment.seen.done.contains_key(key)
        };
        self.plan.members[index].objects.iter().all(written)
    }

    /// Whether an object that all versions need exists and changes what it says.
    fn is_reshaped(&self, key: &ObjectKey) -> bool {
        let change = self.plan.change(key).unwrap();
        let spec = |object: Option<&Value>| object.map(|object| object["spec"].clone());
        let (before, after) = (spec(change.pair.before()), spec(change.pair.after()));
        change.role == Some(Role::Support) && before.is_some() && before != after
    }

    /// Every order of events from this moment; gives the ways in which it ended.
    fn go(&self, moment: Moment, known: &mut HashSet<String>, ends: &mut Vec<Outcome>) {
        let mut moment = moment;
        loop {
            assert!(moment.story.len() < 200, "no end: {}", moment.story.join("\n"));
            let step = next(&self.plan, &moment.seen);
            moment.story.push(format!("{:?} {step:?}", moment.seen.now));
            match step {
                Next::End(outcome) => {
                    self.check_end(&moment, &outcome);
                    if !ends.contains(&outcome) {
                        ends.push(outcome);
                    }
                    return;
                }
                Next::Write(keys) => self.write(&mut moment, &keys),
                Next::Route(write) => self.write_route(&mut moment, &write),
                Next::Delete(keys) => self.delete(&mut moment, &keys),
                Next::Silence(_) | Next::Untie => panic!("there is no controller here"),
                Next::Watch(until) => {
                    self.check_relief(&moment);
                    assert!(until > moment.seen.now, "it waits for nothing: {}", moment.story.join("\n"));
                    if !known.insert(self.summary(&moment)) {
                        return;
                    }
                    for index in 0..self.plan.members.len() {
                        for (name, health) in self.changes(&moment, index) {
                            let mut other = moment.clone();
                            other.seen.now += Duration::from_millis(10);
                            other.story.push(format!("  {} is {name}", self.plan.members[index].name));
                            self.becomes(&mut other, index, health);
                            other.changes[index] -= 1;
                            self.go(other, known, ends);
                        }
                    }
                    moment.seen.now = until;
                    moment.story.push("  time passes".into());
                }
            }
        }
    }

    /// What decides what comes next, apart from the exact times.
    fn summary(&self, moment: &Moment) -> String {
        let seen = &moment.seen;
        let drained = |since: Option<Duration>| since.map(|since| seen.now >= since + self.plan.goal.drain);
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {}",
            seen.done.keys().collect::<Vec<_>>(),
            seen.health,
            seen.routed,
            drained(seen.in_force),
            moment.changes,
            moment.stopped,
            seen.now >= self.plan.goal.timeout
        )
    }

    /// What a version can become by itself.
    fn changes(&self, moment: &Moment, index: usize) -> Vec<(&'static str, Health)> {
        let now = &moment.seen.health[index];
        if moment.changes[index] == 0 || *now == Health::absent() {
            return Vec::new();
        }
        let mut all = vec![("settled", settled()), ("down", down()), ("failed", failed(now.serving))];
        if self.plan.members[index].name.ends_with('0') {
            all.push(("not proven", unproven()));
        }
        all.retain(|(_, health)| health != now);
        all
    }

    fn becomes(&self, moment: &mut Moment, index: usize, health: Health) {
        let share = self.shares(moment, moment.route.as_ref())[index];
        if !health.serving && share > 0.0 {
            moment.stopped.insert(index);
        }
        moment.seen.health[index] = health;
        moment.seen.since[index] = moment.seen.now;
        if self.is_settled(moment, index) {
            moment.stopped.remove(&index);
        }
        self.take_over(moment);
    }

    fn write(&self, moment: &mut Moment, keys: &[ObjectKey]) {
        let shares = self.shares(moment, moment.route.as_ref());
        self.check_support(moment, keys, shares.len());
        for key in keys {
            moment.seen.done.insert(key.clone(), moment.seen.now);
        }
        for (index, member) in self.plan.members.iter().enumerate() {
            if !member.objects.iter().any(|key| keys.contains(key)) {
                continue;
            }
            self.check_interruption(moment, index, &shares);
            if member.model {
                let health = if member.routed && !member.interrupts { serving() } else { down() };
                // What was down stays so until its new spec is loaded.
                let health = if moment.seen.health[index].serving { health } else { down() };
                moment.seen.health[index] = health;
                moment.seen.since[index] = moment.seen.now;
            }
        }
    }

    fn write_route(&self, moment: &mut Moment, write: &RouteWrite) {
        if self.plan.changes_nothing() {
            self.fail(moment, "nothing changes, and the route is written");
        }
        let new = match write {
            RouteWrite::Without(out) => self.plan.previous_without(out).unwrap(),
            RouteWrite::Wanted(weights) => self.plan.route.as_ref().unwrap().at(weights).unwrap().object,
        };
        self.check_route(moment, &new);
        let before = self.shares(moment, moment.route.as_ref());
        let after = self.shares(moment, Some(&new));
        for index in 0..after.len() {
            moment.free[index] = match (before[index] > 0.0, after[index] > 0.0) {
                (_, true) => None,
                (true, false) => Some(moment.seen.now),
                (false, false) => moment.free[index],
            };
        }
        moment.route = Some(new);
        moment.seen.routed = match write {
            RouteWrite::Without(out) => Routed::Without(out.clone()),
            RouteWrite::Wanted(weights) => Routed::Wanted(weights.clone()),
        };
        if let (Some(route), RouteWrite::Wanted(_)) = (&self.plan.route, write) {
            moment.seen.done.insert(route.key().clone(), moment.seen.now);
        }
        moment.seen.in_force = (self.start != Start::NeverInForce).then_some(moment.seen.now);
    }

    fn delete(&self, moment: &mut Moment, keys: &[ObjectKey]) {
        self.check_deletion(moment, keys);
        for key in keys {
            moment.seen.done.insert(key.clone(), moment.seen.now);
        }
        let is = |key: &ObjectKey, route: &Value| route["kind"] == key.kind && route["metadata"]["name"] == key.name;
        if let Some(route) = moment.route.take_if(|route| keys.iter().any(|key| is(key, route))) {
            for (index, share) in self.shares(moment, Some(&route)).into_iter().enumerate() {
                moment.free[index] = moment.free[index].or((share > 0.0).then_some(moment.seen.now));
            }
        }
    }
}

/// Goes through every order of events; gives the ways in which it ended.
pub fn all_orders(world: &World) -> Vec<Outcome> {
    let (mut known, mut ends) = (HashSet::new(), Vec::new());
    world.go(world.moment(), &mut known, &mut ends);
    ends
}

fn settled() -> Health {
    Health { serving: true, settled: Settled::Yes, failed: None, why: String::new() }
}

fn unproven() -> Health {
    Health { settled: Settled::Unproven, why: "old?".into(), ..settled() }
}

fn serving() -> Health {
    Health { serving: true, settled: Settled::No, failed: None, why: "old".into() }
}

fn down() -> Health {
    Health { serving: false, settled: Settled::No, failed: None, why: "down".into() }
}

fn failed(serving: bool) -> Health {
    Health { serving, settled: Settled::No, failed: Some("broken".into()), why: "broken".into() }
}
