//! The rules of Istio's `HTTPMatchRequest` and the Gateway API's `HTTPRouteMatch` that need no cluster.

mod gateway;
mod istio;
pub(super) mod reach;

pub(crate) use gateway::{MAX_CONDITIONS, MAX_HEADER, MAX_NAME, MAX_PATH, MAX_QUERY, METHODS};
pub(super) use istio::gateway_name as istio_gateway;
pub(crate) use istio::{MAP_MATCHES, MAX_REGEX, PSEUDO_HEADERS, STRING_MATCHES};
use thiserror::Error;

use super::error::Problem;
use super::walk::{Walk, join};
use crate::templates::Form;
use crate::values::{Kind, Node};

/// The Gateway API's limit for the matches of one rule.
pub(crate) const MAX_MATCHES: usize = 64;

/// What can be wrong with a match.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MatchProblem {
    /// No condition at all.
    #[error("an empty match takes every request")]
    Empty,
    /// Conditions that every request meets.
    #[error("this match takes every request, so that the primary gets none")]
    CatchAll,
    /// Every request has gone to an earlier match.
    #[error("no request reaches `{covered}`: `{by}` takes them all")]
    Covered {
        /// Path of the match.
        covered: String,
        /// Path of the earlier match.
        by: String,
    },
    /// A name that no header can have.
    #[error("`{0}` is not a header name")]
    HeaderName(String),
    /// A claim of a token, which Istio compares at gateways only.
    #[error("`{0}` is compared at gateways only, and the route serves the mesh too")]
    Claim(String),
    /// More than one kind of comparison.
    #[error("`{key}` takes one of `exact`, `prefix` and `regex`, found {found}")]
    Kinds {
        /// What is compared.
        key: String,
        /// How many there are.
        found: usize,
    },
    /// An empty text where nothing could match it.
    #[error("`{0}` must not be empty")]
    NoText(&'static str),
    /// A text of too many bytes.
    #[error("`{key}` has {found} bytes, at most {most} are allowed")]
    Long {
        /// The key.
        key: String,
        /// Its bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// A regular expression that RE2 does not take.
    #[error("RE2 refuses the regular expression `{pattern}`: {why}")]
    Regex {
        /// The expression.
        pattern: String,
        /// Why.
        why: String,
    },
    /// A path that does not begin at the root.
    #[error("a path must start with `/`")]
    PathStart,
    /// A path with a part that proxies would rewrite.
    #[error("a path must not contain `{0}`")]
    PathPart(&'static str),
    /// A path that ends above or at itself.
    #[error("a path must not end with `{0}`")]
    PathEnd(&'static str),
    /// A path with a character that must be escaped.
    #[error("a path must not contain the character `{0}`; escape it as `%XX`")]
    PathCharacter(char),
    /// A header or query parameter that stands twice in one match.
    #[error("`{0}` is named twice in one match")]
    Twice(String),
    /// A header value that the Gateway API refuses in its experimental channel alone.
    #[error(
        "the Gateway API's experimental channel refuses the header value `{0}`: visible ASCII, single blanks between"
    )]
    HeaderValue(String),
    /// A path expression, whose place in the order the Gateway API leaves to each implementation.
    #[error(
        "each implementation has its own place for a path expression in the order of matches: Istio tries it behind every \
         other path, the `/` of the primary too, so that it gets no request there"
    )]
    PathExpression,
    /// A gateway named as a host.
    #[error("`{0}` names a gateway in a form that Istio has given up")]
    LegacyGateway(String),
}

impl MatchProblem {
    /// The stable name of the rule that is broken, in kebab-case; [`crate::findings::RULES`] says what each means.
    pub fn rule(&self) -> &'static str {
        match self {
            MatchProblem::Empty => "match-empty",
            MatchProblem::CatchAll => "match-of-every-request",
            MatchProblem::Covered { .. } => "match-never-reached",
            MatchProblem::HeaderName(_) => "match-header-name",
            MatchProblem::Claim(_) => "match-claim",
            MatchProblem::Kinds { .. } => "match-kinds",
            MatchProblem::NoText(_) => "match-without-text",
            MatchProblem::Long { .. } => "match-too-long",
            MatchProblem::Regex { .. } => "match-regex",
            MatchProblem::PathStart => "match-path-start",
            MatchProblem::PathPart(_) => "match-path-part",
            MatchProblem::PathEnd(_) => "match-path-end",
            MatchProblem::PathCharacter(_) => "match-path-character",
            MatchProblem::Twice(_) => "match-named-twice",
            MatchProblem::HeaderValue(_) => "match-header-value",
            MatchProblem::PathExpression => "match-path-expression",
            MatchProblem::LegacyGateway(_) => "match-legacy-gateway",
        }
    }
}

/// Checks a list of matches.
pub(super) fn check(walk: &mut Walk<'_>, form: Form, key: &str, node: &Node, path: &str) {
    let Kind::List(items) = &node.kind else {
        return walk.wrong(key, "a list of matches", node, path, None);
    };
    if items.is_empty() {
        let hint = "name a header, such as `traffic: test`, or drop the key for that default";
        wrong(walk, MatchProblem::Empty, node, path, Some(hint.into()));
    }
    if form == Form::GatewayMatch {
        at_most(walk, key, items.len(), MAX_MATCHES, node, path);
    }
    for (index, item) in items.iter().enumerate() {
        let place = format!("{path}[{index}]");
        match item.as_map() {
            None => walk.wrong(&format!("{key}[{index}]"), "a map", item, &place, None),
            Some(map) if map.is_empty() => {
                let hint = "say which requests are meant, or drop the item";
                wrong(walk, MatchProblem::Empty, item, &place, Some(hint.into()));
            }
            Some(_) if form == Form::IstioMatch => istio::check(walk, item, &place),
            Some(_) => gateway::check(walk, item, &place),
        }
    }
}

/// Adds a mistake in a match.
fn wrong(walk: &mut Walk<'_>, problem: MatchProblem, node: &Node, path: &str, hint: Option<String>) {
    walk.error(Problem::Match(problem), Some(node.origin), path, hint);
}

fn at_most(walk: &mut Walk<'_>, key: &str, found: usize, most: usize, node: &Node, path: &str) {
    if found > most {
        let problem = Problem::TooMany { what: format!("`{key}`"), most: most.to_string(), found };
        walk.error(problem, Some(node.origin), path, None);
    }
}

/// The text below a key; reports any other kind of value.
fn text<'n>(walk: &mut Walk<'_>, key: &str, node: &'n Node, path: &str) -> Option<&'n str> {
    let text = node.as_str();
    if text.is_none() {
        let hint = super::forms::quoted(key, node);
        walk.wrong(key, "a string", node, path, hint);
    }
    text
}

/// Reports a text of more bytes than are allowed.
fn fits(walk: &mut Walk<'_>, key: &str, text: &str, most: usize, node: &Node, path: &str) {
    if text.len() > most {
        let problem = MatchProblem::Long { key: key.into(), found: text.len(), most };
        wrong(walk, problem, node, path, None);
    }
}

fn one_of(walk: &mut Walk<'_>, key: &str, node: &Node, path: &str, known: &[&str]) {
    if !node.as_str().is_some_and(|text| known.contains(&text)) {
        let expected = format!("one of {}", known.join(", "));
        walk.wrong(key, &expected, node, path, None);
    }
}

/// Whether a text is an HTTP token.
fn is_token(name: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(token)
}

/// The entries of a map that are not `null`, with their paths.
fn entries<'n>(node: &'n Node, path: &str) -> Vec<(&'n str, &'n crate::values::Entry, String)> {
    let given = node.as_map().into_iter().flatten().filter(|(_, entry)| entry.value.kind != Kind::Null);
    given.map(|(key, entry)| (key.as_str(), entry, join(path, key))).collect()
}
