//! Why an apply is refused.

use std::fmt;

use super::{Change, Conflict, Goal, Owner};
use crate::manifest::ObjectKey;

/// Something that an apply does not do unasked.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// An object that is not this release's.
    Owner {
        /// The object.
        key: ObjectKey,
        /// Whose it is.
        owner: Owner,
    },
    /// A field that another manager owns.
    Conflict {
        /// The object.
        key: ObjectKey,
        /// Manager and field.
        conflict: Conflict,
        /// The live value and the wanted one, as JSON; none where the field cannot be looked up.
        values: Option<(String, String)>,
    },
    /// The Iter8 controller writes the route.
    Controller(ObjectKey),
    /// A live release would lose its route.
    RouteRemoved(ObjectKey),
    /// A version would become another kind of thing under its name.
    Environment {
        /// Name of the version's objects.
        version: String,
        /// What it is now.
        before: String,
        /// What it would be.
        after: String,
    },
}

impl Refusal {
    /// The stable name of the rule that it belongs to, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            Refusal::Owner { .. } => "foreign-object",
            Refusal::Conflict { .. } => "field-conflict",
            Refusal::Controller(_) => "route-of-controller",
            Refusal::RouteRemoved(_) => "route-removed",
            Refusal::Environment { .. } => "environment-changed",
        }
    }

    /// What of it the user can do.
    pub fn hint(&self) -> String {
        match self {
            Refusal::Owner { .. } => "`--take-ownership` takes it into this release".into(),
            Refusal::Conflict { .. } => {
                "`--force-conflicts` takes the field; or leave it out of the values, so that the other manager keeps it"
                    .into()
            }
            Refusal::Controller(_) => {
                "leave it to the controller with `--routing auto`, or take it over with `--routing route`".into()
            }
            Refusal::RouteRemoved(_) => {
                "`--remove-route` removes it; requests are routed by Services alone then".into()
            }
            Refusal::Environment { version, .. } => {
                format!(
                    "give the version another name than `{version}` (`metadata.name`): it is then added, traffic moves, the old one goes"
                )
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Owner { key, owner: Owner::Other(release) } => write!(f, "{key} belongs to release {release}"),
            Refusal::Owner { key, .. } => write!(f, "{key} exists and belongs to no release"),
            Refusal::Conflict { key, conflict, values } => {
                write!(f, "`{}` of {key} is owned by `{}`", conflict.field, conflict.manager)?;
                match values {
                    Some((live, wanted)) => {
                        let (live, wanted) = cut(live, wanted);
                        write!(f, ": it is {live} and would become {wanted}")
                    }
                    None => Ok(()),
                }
            }
            Refusal::Controller(key) => write!(f, "the Iter8 controller writes {key}"),
            Refusal::RouteRemoved(key) => write!(f, "the strategy is none, but {key} routes this release's requests"),
            Refusal::Environment { version, before, after } => {
                write!(f, "version {version} is {before} and would become {after} under the same name")
            }
        }
    }
}

/// The most characters that are shown of a value.
const SHOWN: usize = 100;
/// How many of them stand before the first one that differs.
const BEFORE: usize = 20;

/// Two values that differ, of long ones the part where they begin to.
fn cut(live: &str, wanted: &str) -> (String, String) {
    let same = live.chars().zip(wanted.chars()).take_while(|(live, wanted)| live == wanted).count();
    let start = if same < SHOWN / 2 { 0 } else { same - BEFORE };
    let part = |text: &str| {
        let count = text.chars().count();
        if count <= SHOWN {
            return text.to_owned();
        }
        let (before, after) = (if start > 0 { "…" } else { "" }, if count > start + SHOWN { "…" } else { "" });
        format!("{before}{}{after}", text.chars().skip(start).take(SHOWN).collect::<String>())
    };
    (part(live), part(wanted))
}

/// Owners, and conflicts as far as they count, that stand in the way of one change.
pub(super) fn of_change(change: &Change, counts: &dyn Fn(&Conflict) -> bool, goal: &Goal) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if change.owner != Owner::Release && !goal.take_ownership {
        refusals.push(Refusal::Owner { key: change.key.clone(), owner: change.owner.clone() });
    }
    if !goal.force_conflicts {
        // Whose an object is has been said above.
        let conflicts = change.conflicts.iter().filter(|conflict| counts(conflict) && !super::is_mark(&conflict.field));
        refusals.extend(conflicts.map(|conflict| Refusal::Conflict {
            key: change.key.clone(),
            conflict: conflict.clone(),
            values: change.values(&conflict.field),
        }));
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_values_the_part_is_shown_that_differs() {
        assert_eq!(cut("1", "2"), ("1".into(), "2".into()));
        let long = |change: &str| format!("{}{change}{}", "a".repeat(500), "b".repeat(500));
        let shown = |change: &str| format!("…{}{change}{}…", "a".repeat(20), "b".repeat(79));
        assert_eq!(cut(&long("1"), &long("2")), (shown("1"), shown("2")));
        let ends = ("a".repeat(500) + "1", "a".repeat(500) + "22");
        assert_eq!(cut(&ends.0, &ends.1), (format!("…{}1", "a".repeat(20)), format!("…{}22", "a".repeat(20))));
        assert_eq!(cut(&"é".repeat(200), "ü"), ("é".repeat(100) + "…", "ü".into()));
    }
}
