//! What of a plan may surprise a reviewer, beside its warnings.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::story::{changes_model, is_new};
use super::warning::model;
use super::{Member, Plan, Shift};
use crate::manifest::Role;
use crate::route::Share;

/// Something that a reviewer may not expect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surprise {
    /// The model of the only version that gets requests, or the only one that gets those without a match, is changed in place.
    OnlyOne {
        /// Name of the version.
        version: String,
        /// Whether others get the requests of a match.
        matched: bool,
        /// Whether the new model is that of another version, as in a promotion.
        promoted: bool,
    },
    /// A version that gets no requests now starts with more than half of them, though others serve.
    Large {
        /// Name of the version.
        version: String,
        /// Its share, as it is printed.
        share: String,
        /// Whether the version does not exist yet.
        new: bool,
        /// Which of those that serve now stay.
        beside: Beside,
    },
    /// A version, or its model, that gets requests now is removed, and no other has its model.
    Removed {
        /// Name of the version.
        version: String,
        /// Its share now.
        share: Share,
        /// Whether the version stays, and gets the model of another one.
        replaced: bool,
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
            Surprise::OnlyOne { .. } => "only-version-changed",
            Surprise::Large { .. } => "large-start",
            Surprise::Removed { .. } => "removed-with-requests",
        }
    }

    /// Name of the version that it is about.
    pub fn version(&self) -> &str {
        match self {
            Surprise::OnlyOne { version, .. } | Surprise::Large { version, .. } | Surprise::Removed { version, .. } => {
                version
            }
        }
    }

    /// What of it the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Surprise::OnlyOne { promoted: true, .. } => {
                "move the requests to the candidate first, by its weight with strategy `blue-green`, and promote it then"
            }
            Surprise::OnlyOne { .. } => {
                "release the new model as a candidate first: another entry of `application.versions`"
            }
            Surprise::Large { beside: Beside::Others, .. } => "let it start with a small weight",
            Surprise::Large { beside: Beside::Nobody, new: false, .. } => {
                "let it start with a small weight, and leave the others theirs"
            }
            Surprise::Large { beside: Beside::Nobody, .. } => {
                "keep what serves now as the first entry of `application.versions`, and let the new version start beside it"
            }
            Surprise::Removed { share: Share::Matched, .. } => {
                "remove it when nobody sends such requests any more: they go where those without a match do"
            }
            Surprise::Removed { beside: Beside::Others, .. } => {
                "take its weight to 0 first, and remove it with the next release"
            }
            Surprise::Removed { replaced: true, .. } => {
                "move its share to the candidate first, by their weights, and promote it then"
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
            Surprise::OnlyOne { version, matched, .. } => {
                let without = if *matched { " without a match" } else { "" };
                write!(
                    f,
                    "{version} is the only version that gets requests{without}, and its model is changed in place"
                )
            }
            Surprise::Large { version, share, new, .. } => {
                let now = if *new { "is new" } else { "gets no requests now" };
                write!(f, "{version} {now} and starts at {share} of the requests")
            }
            Surprise::Removed { version, share, replaced, .. } => {
                let what = if *replaced { "the model of " } else { "" };
                match share {
                    Share::Matched => write!(f, "{what}{version} is removed, and a match sends requests to it"),
                    share => write!(f, "{what}{version} is removed while it gets {share} of the requests"),
                }
            }
        }
    }
}

/// What may surprise a reviewer, beside the warnings of the plan.
pub fn surprises(plan: &Plan) -> Vec<Surprise> {
    let mut found = Vec::new();
    let models = Models::of(plan);
    let mut members: HashMap<&str, Vec<&Member>> = HashMap::new();
    plan.members.iter().for_each(|member| members.entry(&member.name).or_default().push(member));
    let serving: Vec<&Shift> = plan.traffic.iter().filter(|shift| gets_requests(shift.before)).collect();
    let unmatched: Vec<&&Shift> = serving.iter().filter(|shift| has_part(shift.before)).collect();
    if let [only] = unmatched.as_slice() {
        let changed = |member: &&Member| member.index.is_some() && member.routed && changes_model(plan, member);
        let member = plan.members.iter().filter(changed).find(|member| member.name == only.version);
        found.extend(member.map(|member| Surprise::OnlyOne {
            version: member.name.clone(),
            matched: serving.len() > 1,
            promoted: models.takes_over(plan, member),
        }));
    }
    for shift in &plan.traffic {
        let version = || shift.version.clone();
        let named = members.get(shift.version.as_str()).map(Vec::as_slice).unwrap_or_default();
        if let (None, Some(after @ Share::Part { weight, total })) = (shift.before, shift.after)
            && u128::from(weight) * 2 > u128::from(total)
            && !serving.is_empty()
        {
            let new = named.iter().any(|member| is_new(plan, member));
            let beside = beside(plan, &shift.version);
            found.push(Surprise::Large { version: version(), share: after.to_string(), new, beside });
        }
        let Some(before) = shift.before.filter(|_| gets_requests(shift.before)) else { continue };
        let goes = named.iter().find(|member| member.index.is_none()).filter(|_| shift.after.is_none());
        let replaced = named.iter().find(|member| member.index.is_some() && models.takes_over(plan, member));
        if let Some(member) = goes.or(replaced)
            && models.loses(plan, member)
            && !found.iter().any(|other| other.version() == shift.version)
        {
            let (replaced, beside) = (goes.is_none(), beside(plan, &shift.version));
            found.push(Surprise::Removed { version: version(), share: before, replaced, beside });
        }
    }
    found
}

/// The models of a plan: those that are live, and those that are wanted.
struct Models {
    live: HashSet<String>,
    wanted: HashSet<String>,
}

impl Models {
    fn of(plan: &Plan) -> Models {
        let wanted = plan.changes.iter().filter(|change| matches!(change.role, Some(Role::Version(_))));
        Models {
            live: plan.changes.iter().filter_map(|change| model(change.pair.before())).collect(),
            wanted: wanted.filter_map(|change| model(change.pair.after())).collect(),
        }
    }

    /// Whether the model that a version gets is live already, as that of another one.
    fn takes_over(&self, plan: &Plan, member: &Member) -> bool {
        let changes = member.objects.iter().filter_map(|key| plan.change(key));
        let pairs = changes.map(|change| (model(change.pair.before()), model(change.pair.after())));
        pairs.into_iter().any(|(before, after)| {
            before.is_some() && before != after && after.is_some_and(|after| self.live.contains(&after))
        })
    }

    /// Whether the model that a version has is none of the wanted ones: where it is, that is a promotion, or a rename.
    fn loses(&self, plan: &Plan, member: &Member) -> bool {
        let of = |key| plan.change(key).and_then(|change| model(change.pair.before()));
        !member.objects.iter().filter_map(of).any(|model| self.wanted.contains(&model))
    }
}

/// Whether others than this version have a share now and keep one.
fn beside(plan: &Plan, version: &str) -> Beside {
    let stays = |shift: &Shift| shift.version != version && has_part(shift.before) && has_part(shift.after);
    if plan.traffic.iter().any(stays) { Beside::Others } else { Beside::Nobody }
}

/// Whether a version has a share of the requests that no match takes out.
fn has_part(share: Option<Share>) -> bool {
    matches!(share, Some(Share::Part { weight: 1.., .. }))
}

fn gets_requests(share: Option<Share>) -> bool {
    has_part(share) || share == Some(Share::Matched)
}
