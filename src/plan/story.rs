//! A plan in words: which step moves what, what serves meanwhile, what a failure leaves, and what may surprise a reviewer.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::fmt;

use super::member::can_lose;
use super::warning::model;
use super::{Action, Member, Plan, Shift, Step, has_state};
use crate::manifest::Role;
use crate::route::Share;

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

/// Something that a reviewer may not expect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surprise {
    /// The model of the only version that gets requests is changed in place.
    OnlyOne(String),
    /// A version that did not exist starts with more than half of the requests, though others serve.
    Large {
        /// Name of the version.
        version: String,
        /// Its share, as it is printed.
        share: String,
        /// Which others are to get requests.
        beside: Beside,
    },
    /// A version that gets requests now is removed, and no other has its model.
    Removed {
        /// Name of the version.
        version: String,
        /// Its share now.
        share: Share,
        /// Which of those that serve now stay.
        beside: Beside,
    },
}

/// Which versions stand beside one, of those that can take its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Others with a share of their own.
    Others,
    /// None.
    Nobody,
}

impl Surprise {
    /// The stable name of the rule that it belongs to, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            Surprise::OnlyOne(_) => "only-version-changed",
            Surprise::Large { .. } => "large-start",
            Surprise::Removed { .. } => "removed-with-requests",
        }
    }

    /// Name of the version that it is about.
    pub fn version(&self) -> &str {
        match self {
            Surprise::OnlyOne(version) | Surprise::Large { version, .. } | Surprise::Removed { version, .. } => version,
        }
    }

    /// What of it the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Surprise::OnlyOne(_) => {
                "release the new model as a candidate first: another entry of `application.versions`"
            }
            Surprise::Large { beside: Beside::Others, .. } => "let it start with a small weight",
            Surprise::Large { beside: Beside::Nobody, .. } => {
                "keep what serves now as the first entry of `application.versions`, and let the new version start beside it"
            }
            Surprise::Removed { share: Share::Matched, .. } => {
                "remove it when nobody sends such requests any more: they go where those without a match do"
            }
            Surprise::Removed { beside: Beside::Others, .. } => {
                "take its weight to 0 first, and remove it with the next release"
            }
            Surprise::Removed { beside: Beside::Nobody, .. } => {
                "keep it as an entry of `application.versions`, and remove it when another version has its requests"
            }
        }
    }
}

impl fmt::Display for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Surprise::OnlyOne(version) => {
                write!(f, "{version} is the only version that gets requests, and its model is changed in place")
            }
            Surprise::Large { version, share, .. } => {
                write!(f, "{version} is new and starts at {share} of the requests")
            }
            Surprise::Removed { version, share: Share::Matched, .. } => {
                write!(f, "{version} is removed, and a match sends requests to it")
            }
            Surprise::Removed { version, share, .. } => {
                write!(f, "{version} is removed while it gets {share} of the requests")
            }
        }
    }
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

/// What may surprise a reviewer, beside the warnings of the plan.
pub fn surprises(plan: &Plan) -> Vec<Surprise> {
    let mut found = Vec::new();
    let serving: Vec<&Shift> = plan.traffic.iter().filter(|shift| gets_requests(shift.before)).collect();
    let changed = |member: &&Member| member.index.is_some() && member.routed && changes_model(plan, member);
    if let [only] = serving.as_slice() {
        let only = plan.members.iter().filter(changed).find(|member| member.name == only.version);
        found.extend(only.map(|member| Surprise::OnlyOne(member.name.clone())));
    }
    let mut members: HashMap<&str, Vec<&Member>> = HashMap::new();
    plan.members.iter().for_each(|member| members.entry(&member.name).or_default().push(member));
    let models = LazyCell::new(|| {
        let wanted = plan.changes.iter().filter(|change| matches!(change.role, Some(Role::Version(_))));
        wanted.filter_map(|change| model(change.pair.after())).collect::<HashSet<String>>()
    });
    for shift in &plan.traffic {
        let named = members.get(shift.version.as_str()).map(Vec::as_slice).unwrap_or_default();
        let is_new = named.iter().any(|member| is_new(plan, member));
        if let (None, Some(after @ Share::Part { weight, total })) = (shift.before, shift.after)
            && is_new
            && weight * 2 > total
            && !serving.is_empty()
        {
            let beside = beside(plan, |other| other.version != shift.version && has_part(other.after));
            found.push(Surprise::Large { version: shift.version.clone(), share: after.to_string(), beside });
        }
        let goes = named.iter().find(|member| member.index.is_none());
        if let (Some(before), None, Some(member)) = (shift.before, shift.after, goes)
            && gets_requests(Some(before))
            && !has_heir(plan, member, &models)
        {
            let beside = beside(plan, |other| has_part(other.before) && has_part(other.after));
            found.push(Surprise::Removed { version: shift.version.clone(), share: before, beside });
        }
    }
    found
}

/// Whether the model of a version that goes is one of the wanted ones: that is a promotion, or a rename.
fn has_heir(plan: &Plan, member: &Member, wanted: &HashSet<String>) -> bool {
    let of = |key| plan.change(key).and_then(|change| model(change.pair.before()));
    member.objects.iter().filter_map(of).any(|model| wanted.contains(&model))
}

/// Whether there are versions that can take a share.
fn beside(plan: &Plan, can: impl Fn(&Shift) -> bool) -> Beside {
    if plan.traffic.iter().any(can) { Beside::Others } else { Beside::Nobody }
}

/// Whether a version has a share of the requests that no match takes out.
fn has_part(share: Option<Share>) -> bool {
    matches!(share, Some(Share::Part { weight: 1.., .. }))
}

fn gets_requests(share: Option<Share>) -> bool {
    match share {
        Some(Share::Part { weight, .. }) => weight > 0,
        Some(Share::Matched) => true,
        Some(Share::Mirrored(_)) | None => false,
    }
}

/// The objects of a version that are models or their pods, by what happens to them.
fn happens(plan: &Plan, member: &Member, action: Action) -> bool {
    let is = |key| plan.change(key).is_some_and(|change| change.action == action && has_state(key));
    member.objects.iter().any(is)
}

fn is_new(plan: &Plan, member: &Member) -> bool {
    member.index.is_some() && happens(plan, member, Action::Create)
}

fn changes_model(plan: &Plan, member: &Member) -> bool {
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
        texts.push(match (member.interrupts, member.yields) {
            (true, true) => {
                format!("the share of {name} moves to the others before it is replaced, and comes back after")
            }
            (true, false) => format!("requests to {name} fail while it is replaced"),
            (false, _) => format!("{name} keeps its requests, which its old model answers until the new one is loaded"),
        });
    }
    texts.extend(more(changed.len()));
    texts
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
    let moved: Vec<&Shift> = plan.traffic.iter().filter(|shift| shift.before != shift.after).collect();
    match (writes_route, moved.as_slice()) {
        (false, _) => Vec::new(),
        (true, []) => vec!["no share changes".to_owned()],
        (true, moved) => {
            let words: Vec<String> = moved.iter().take(4).map(|shift| shift.to_string()).collect();
            let more = moved.len().saturating_sub(4);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            vec![format!("traffic moves at once: {}{more}", words.join(", "))]
        }
    }
}

/// What drains.
fn leaves(plan: &Plan) -> Option<String> {
    let gone = plan.traffic.iter().filter(|shift| shift.before.is_some() && shift.after.is_none());
    let gone: Vec<&str> = gone.map(|shift| shift.version.as_str()).collect();
    let drain = plan.goal.drain.as_secs();
    (!gone.is_empty()).then(|| format!("{} still answers requests on their way, for {drain}s", listed(&gone)))
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
