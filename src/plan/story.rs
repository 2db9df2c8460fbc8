//! A plan in words: which step moves what, what serves meanwhile, and what a failure leaves.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use super::member::can_lose;
use super::{Action, Member, Plan, Shift, Step, Warning, has_state};
use crate::manifest::Role;
use crate::route::{Rule, Share, rules};

/// Of how many versions the same is said one by one.
const MOST: usize = 4;

/// What one step means for requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Index of the step, from 0.
    pub step: usize,
    /// One sentence.
    pub text: String,
}

/// The sentences of every step, in order.
pub fn story(plan: &Plan) -> Vec<Note> {
    let mut notes = Vec::new();
    for (step, what) in plan.steps.iter().enumerate() {
        let texts = match what {
            Step::Write(_) => writes(plan),
            Step::Settle(_) => failures(plan),
            Step::Route(_) => moves(plan),
            Step::Drain => leaves(plan).into_iter().collect(),
            Step::Prune(_) => Vec::new(),
        };
        notes.extend(texts.into_iter().map(|text| Note { step, text }));
    }
    notes
}

/// The objects of a version that are models or their pods, by what happens to them.
fn happens(plan: &Plan, member: &Member, action: Action) -> bool {
    let is = |key| plan.change(key).is_some_and(|change| change.action == action && has_state(key));
    member.objects.iter().any(is)
}

pub(super) fn is_new(plan: &Plan, member: &Member) -> bool {
    member.index.is_some() && happens(plan, member, Action::Create)
}

pub(super) fn changes_model(plan: &Plan, member: &Member) -> bool {
    member.model && happens(plan, member, Action::Update)
}

/// What is written before anything moves.
fn writes(plan: &Plan) -> Vec<String> {
    let first = plan.before.is_none();
    let new: Vec<&str> =
        plan.members.iter().filter(|member| is_new(plan, member)).map(|member| member.name.as_str()).collect();
    let mut texts = Vec::new();
    match (new.as_slice(), first) {
        ([], _) => {}
        (_, true) if !is_routed(plan) => {}
        (new, true) => texts.push(format!("{} until ready; nothing is routed yet", get(new, "nothing"))),
        (new, false) => texts.push(format!("{} while loading; requests go as before", get(new, "nothing"))),
    }
    let changed: Vec<&Member> =
        plan.members.iter().filter(|member| member.routed && changes_model(plan, member)).collect();
    for member in changed.iter().take(MOST) {
        let name = &member.name;
        let shift = plan.traffic.iter().find(|shift| shift.version == *name);
        let moves = shift.filter(|shift| !shift.is_same() && shift.after.is_some());
        let port =
            plan.warnings.iter().any(|warning| matches!(warning, Warning::PortGone { version, .. } if version == name));
        texts.push(match (member.interrupts, member.yields, moves.and_then(|shift| shift.before)) {
            _ if port => format!("requests to {name} fail until the route is written"),
            _ if gets_copies(shift) => {
                format!("{name} gets copies as before, which its old model answers until the new one is loaded")
            }
            (true, true, _) => {
                format!("the share of {name} moves to the others before it is replaced, and comes back after")
            }
            (true, false, _) => format!("requests to {name} fail while it is replaced"),
            // The model moves before the share does.
            (false, _, Some(before @ Share::Part { .. })) => {
                format!("{name} keeps its {before} until the route is written: its old model answers, then the new one")
            }
            (false, ..) => {
                format!("{name} keeps its requests, which its old model answers until the new one is loaded")
            }
        });
    }
    texts.extend(more(changed.len()));
    texts
}

/// Whether a version gets copies of requests alone, whose answers nobody waits for.
fn gets_copies(shift: Option<&Shift>) -> bool {
    matches!(shift.and_then(|shift| shift.before), Some(Share::Mirrored(_)))
}

/// That what was said of the first ones holds for others, too.
fn more(count: usize) -> Option<String> {
    count.checked_sub(MOST).filter(|more| *more > 0).map(|more| format!("and so on for {more} more"))
}

fn get(names: &[&str], what: &str) -> String {
    let verb = if names.len() == 1 { "gets" } else { "get" };
    format!("{} {verb} {what}", listed(names))
}

/// The only name, or that it is one of several.
fn one_of(names: &[&str]) -> String {
    if let [one] = names { (*one).to_owned() } else { format!("one of {}", listed(names)) }
}

/// Names with an `and` before the last; of many the first ones.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [init @ .., last] if names.len() <= 4 => format!("{} and {last}", init.join(", ")),
        [a, b, c, rest @ ..] => format!("{a}, {b}, {c} and {} more", rest.len()),
        [..] => names.join(", "),
    }
}

/// Whether requests are to be routed, by whomever.
fn is_routed(plan: &Plan) -> bool {
    plan.route.is_some() || plan.left_to_controller.is_some()
}

/// What is left where a version does not settle.
fn failures(plan: &Plan) -> Vec<String> {
    let waited = |member: &&Member| member.index.is_some() && member.changed && member.weight > 0;
    if !is_routed(plan) {
        let changed: Vec<&str> = plan.members.iter().filter(waited).map(name).collect();
        return match (changed.as_slice(), &plan.before) {
            ([], _) => Vec::new(),
            ([one], None) if plan.members.len() == 1 => vec![format!("if {one} fails: exit code 4")],
            (names, None) => vec![format!("if {} fails, the others go on; exit code 4", one_of(names))],
            (names, Some(_)) => vec![format!("if {} fails, the route stays as it is; exit code 4", one_of(names))],
        };
    }
    let mut texts = Vec::new();
    let new: Vec<&str> = plan.members.iter().filter(waited).filter(|member| is_new(plan, member)).map(name).collect();
    if !new.is_empty() {
        let who = one_of(&new);
        texts.push(match &plan.before {
            Some(_) => format!("if {who} fails, it gets nothing{}; exit code 4", kept(plan)),
            None if primary(plan).is_some_and(|primary| is_new(plan, primary)) && new.len() > 1 => {
                format!("if {who} fails, those that are ready get the requests; with none ready nothing is routed; exit code 4")
            }
            None => format!("if {who} fails, nothing is routed; exit code 4"),
        });
    }
    let routed = |member: &&Member| member.routed;
    let changed = plan.members.iter().filter(waited).filter(routed).filter(|member| changes_model(plan, member));
    let changed: Vec<&Member> = changed.collect();
    for member in changed.iter().take(MOST) {
        let name = &member.name;
        if gets_copies(plan.traffic.iter().find(|shift| shift.version == *name)) {
            texts.push(format!(
                "if {name} stops serving, copies of requests are lost and no request fails; exit code 4"
            ));
            continue;
        }
        let others = plan.members.iter().any(|other| other.routed && other.name != *name);
        texts.push(match others && plan.before.as_ref().is_some_and(|before| can_lose(before, member)) {
            true => format!("if {name} stops serving, its share goes to the others; exit code 4"),
            false => format!("if {name} stops serving, its requests fail: no other version takes them; exit code 4"),
        });
    }
    texts.extend(more(changed.len()));
    texts
}

/// What the versions that get requests now keep.
fn kept(plan: &Plan) -> String {
    let kept = plan.traffic.iter().filter_map(|shift| Some((shift.version.as_str(), shift.before?)));
    match kept.collect::<Vec<_>>().as_slice() {
        [(version, share @ Share::Part { .. })] => format!(", and {version} keeps its {share}"),
        _ => ", and the others keep what they have".to_owned(),
    }
}

fn name(member: &Member) -> &str {
    &member.name
}

fn primary(plan: &Plan) -> Option<&Member> {
    plan.members.iter().find(|member| member.index == Some(0))
}

/// What the write of the route does.
fn moves(plan: &Plan) -> Vec<String> {
    let writes_route = plan
        .changes
        .iter()
        .any(|change| change.role == Some(Role::Route) && matches!(change.action, Action::Create | Action::Update));
    if plan.left_to_controller.is_some() {
        return vec!["the Iter8 controller moves traffic by itself, as versions become ready".to_owned()];
    }
    if !writes_route {
        return Vec::new();
    }
    let moved: Vec<&Shift> = plan.traffic.iter().filter(|shift| shift.is_seen()).collect();
    let mut texts = displaced(plan);
    if !moved.is_empty() {
        let words: Vec<String> = moved.iter().take(MOST).map(|shift| shift.to_string()).collect();
        let more = moved.len().saturating_sub(MOST);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        texts.push(format!("traffic moves at once: {}{more}", words.join(", ")));
    } else if plan.traffic.iter().any(|shift| !shift.is_same()) {
        texts.push("no share changes by as much as 0.1%".to_owned());
    }
    let by_match = |share: Option<Share>| share == Some(Share::Matched);
    let [before, after] = matches(plan);
    let told = moved.iter().any(|shift| by_match(shift.before) || by_match(shift.after));
    if plan.before.is_some() && !told && moves_matches(&before, &after) {
        texts.push("the requests that matches take out move at once".to_owned());
    }
    if reorders_matches(&before, &after) {
        texts.push("matches change their order: a request that several name goes by the first of them".to_owned());
    }
    if texts.is_empty() {
        texts.push("no share changes".to_owned());
    }
    texts
}

/// Whether other requests are taken out than before, or others answer them.
fn moves_matches(before: &[Rule], after: &[Rule]) -> bool {
    let sorted = |rules: &[Rule]| -> Vec<Rule> {
        let mut rules = rules.to_vec();
        rules.sort_by(|a, b| (&a.requests, &a.versions).cmp(&(&b.requests, &b.versions)));
        rules
    };
    sorted(before) != sorted(after)
}

/// Whether matches that stay stand in another order.
fn reorders_matches(before: &[Rule], after: &[Rule]) -> bool {
    let stays = |of: &[Rule], others: &[Rule]| -> Vec<String> {
        let names: HashSet<&str> = others.iter().map(|rule| rule.requests.as_str()).collect();
        of.iter().filter(|rule| names.contains(rule.requests.as_str())).map(|rule| rule.requests.clone()).collect()
    };
    stays(before, after) != stays(after, before)
}

/// The rules with matches before and after.
fn matches(plan: &Plan) -> [Vec<Rule>; 2] {
    let target = plan.route.as_ref().and_then(|route| route.at(&route.in_force(|_| true)).ok());
    let of = |route: Option<&Value>| route.map(rules).into_iter().flatten().filter(|rule| !rule.copies).collect();
    [of(plan.before.as_ref()), of(target.as_ref().map(|manifest| &manifest.object))]
}

/// Versions that keep their names and move to another namespace: their requests move, though no share changes.
fn displaced(plan: &Plan) -> Vec<String> {
    let goes: HashMap<&str, &Member> = plan
        .members
        .iter()
        .filter(|member| member.index.is_none() && member.routed)
        .map(|member| (member.name.as_str(), member))
        .collect();
    let namespace = |member: &Member| member.objects.first().map(|key| key.namespace.clone()).unwrap_or_default();
    let moves = plan.members.iter().filter(|member| member.index.is_some()).filter_map(|member| {
        let old = goes.get(member.name.as_str())?;
        let (from, to) = (namespace(old), namespace(member));
        (from != to).then(|| format!("requests to {} move at once from namespace {from} to {to}", member.name))
    });
    moves.collect()
}

/// What drains.
fn leaves(plan: &Plan) -> Option<String> {
    let gone = plan.members.iter().filter(|member| member.index.is_none() && member.routed);
    let gone: Vec<&str> = gone.map(name).collect();
    let drain = plan.goal.drain.as_secs();
    let answer = if gone.len() == 1 { "answers" } else { "answer" };
    (!gone.is_empty()).then(|| format!("{} still {answer} requests on their way, for {drain}s", listed(&gone)))
}

impl Shift {
    /// Whether the version gets the same part of the requests before and after.
    pub fn is_same(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => before.is_same(after),
            (before, after) => before == after,
        }
    }

    /// Whether the share changes as it is printed, in tenths of a percent.
    pub fn is_seen(&self) -> bool {
        !self.is_same() && self.before.map(|share| share.to_string()) != self.after.map(|share| share.to_string())
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |share: &Option<Share>| share.as_ref().map_or("–".to_owned(), ToString::to_string);
        let (before, after) = (share(&self.before), share(&self.after));
        match before == after {
            true => write!(f, "{} {before}", self.version),
            false => write!(f, "{} {before} → {after}", self.version),
        }
    }
}
