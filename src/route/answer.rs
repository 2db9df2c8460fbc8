//! What a route does with one request: which rule matches, who answers, and why the other rules do not match.
//!
//! The route is read as it is, rendered or live. VirtualServices are read as Istio reads them and Envoy acts
//! (`pilot/pkg/networking/core/route/route.go`), HTTPRoutes as the Gateway API says.

mod changes;
mod condition;
mod gateway;
mod hosts;
mod istio;

use std::cell::OnceCell;

use serde_json::Value;

pub use changes::Changes;
pub use condition::{Comparison, Condition, Truth};
pub use hosts::Addressed;

use super::HttpRequest;

/// How often a route may send a request to itself: more is a circle.
const MOST_HOPS: usize = 4;
/// How many requests are followed at all, where every destination leads to the route again.
const MOST_FOLLOWED: usize = 4000;

/// What a route does with a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Whether it is asked at all; only then it has tried its rules.
    pub addressed: Addressed,
    /// The matches of its rules in the order in which they are tried.
    pub tried: Vec<Tried>,
    /// What happens: by the rules whose conditions a request leaves open, if these are met, and last by the one that
    /// matches for sure. Without such a rule the proxy answers 404.
    pub outcomes: Vec<Outcome>,
}

/// One match of a rule, which was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// Place of the rule in the route, from 0.
    pub rule: usize,
    /// Place of the match in the rule, from 0; none when the rule has no matches and so takes every request.
    pub item: Option<usize>,
    /// Name of the rule.
    pub name: Option<String>,
    /// The conditions, all of which have to be met.
    pub conditions: Vec<Condition>,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of trying a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All conditions are met.
    Matches,
    /// All conditions are met but those that the request does not tell.
    Open,
    /// A condition is not met.
    Fails,
    /// An earlier match took the request.
    NotReached,
}

/// What happens to a request by one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Place of the match in [`Answer::tried`].
    pub tried: usize,
    /// What the rule does.
    pub action: Action,
    /// Copies of the request, whose answers are dropped.
    pub copies: Vec<Copied>,
    /// Whether the rule delays requests or answers some of them with errors, on purpose.
    pub faults: bool,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Sends the request to one of these; none when it has no destination with a share.
    Send(Vec<Target>),
    /// Answers that it lies elsewhere.
    Redirect {
        /// The status.
        status: u64,
        /// Where.
        location: String,
    },
    /// Answers by itself.
    Respond {
        /// The status.
        status: u64,
    },
    /// Leaves it to another VirtualService, named NAMESPACE/NAME.
    Delegate(String),
}

/// A destination.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The name that its answers carry.
    pub version: String,
    /// It gets `weight / total` of the requests.
    pub weight: u64,
    /// The sum of all weights.
    pub total: u64,
    /// Its host, as the route names it.
    pub host: String,
    /// Its port.
    pub port: Option<u64>,
    /// Changes of the request's headers.
    pub request: Changes,
    /// Changes of the answer's headers.
    pub response: Changes,
    /// The path with its query, where the route rewrites it.
    pub rewritten: Option<String>,
    /// The host, where the route sets one.
    pub host_rewritten: Option<String>,
    /// The request as it is sent there.
    pub sent: HttpRequest,
    /// Whether the path of [`Target::sent`] is unknown: an expression that r8 cannot evaluate makes it.
    pub path_unknown: bool,
    /// What happens there, where the destination is a gateway that asks the same route again; the matches that it tries in
    /// vain are left out where one matches.
    pub next: Option<Box<Answer>>,
    /// Whether the destination asks the same route once more, after all hops that are followed.
    pub endless: bool,
}

impl Target {
    /// The path at which a model is asked, where the route has rewritten the request to one that begins with it and goes on:
    /// `/v2/models/NAME/infer`. No model server serves what is longer (KServe's Open Inference Protocol has no path below).
    ///
    /// Istio replaces the prefix that the rule matches alone, `/` where it names none, so that of the chart's routes only a
    /// request to `/` becomes that path.
    pub fn overshot(&self) -> Option<&str> {
        self.rewritten.as_ref().filter(|_| !self.path_unknown)?;
        let path = self.sent.path.as_str();
        let name = path.strip_prefix("/v2/models/")?;
        let (name, behind) = name.split_once('/')?;
        let rest = behind.strip_prefix("infer")?;
        let served = path.strip_suffix(rest)?;
        (!name.is_empty() && !rest.is_empty()).then_some(served)
    }
}

/// A destination of copies.
#[derive(Debug, Clone, PartialEq)]
pub struct Copied {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: Option<u64>,
    /// How many of 100 requests are copied.
    pub percent: f64,
}

/// Where a part of the requests ends, with all it has passed.
#[derive(Debug, Clone, PartialEq)]
pub struct End<'a> {
    /// The name that the answers carry.
    pub version: &'a str,
    /// The part of the requests, up to 1.
    pub share: f64,
    /// The destinations on the way, each with the match that names it; the last one answers.
    pub way: Vec<(&'a Tried, &'a Target)>,
}

/// Finds out what a route does with a request.
///
/// A request without a host is sent to the [`default_host`] of the route.
pub fn answer(route: &Value, request: &HttpRequest) -> Answer {
    let mut request = request.clone();
    if request.host.is_none() {
        request.host = Some(default_host(route));
    }
    let mut left = Left { hops: MOST_HOPS, followed: MOST_FOLLOWED };
    answer_at(&Route::new(route), &request, None, &mut left)
}

/// A route, with what is found out about it once for all requests that are followed.
struct Route<'a> {
    object: &'a Value,
    namespace: &'a str,
    is_istio: bool,
    /// The gateways of a VirtualService; an HTTPRoute is asked once.
    entrances: Vec<String>,
    index: OnceCell<istio::Index<'a>>,
}

impl<'a> Route<'a> {
    fn new(object: &'a Value) -> Route<'a> {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let is_istio = object["kind"] != "HTTPRoute" && !object["spec"]["rules"].is_array();
        let entrances = if is_istio { hosts::entrances(object, namespace) } else { Vec::new() };
        Route { object, namespace, is_istio, entrances, index: OnceCell::new() }
    }

    /// The matches that a request is tried with, all of them.
    fn tried(&self, request: &HttpRequest, gateway: Option<&str>) -> Vec<Tried> {
        if self.is_istio {
            istio::tried(self.object, self.namespace, request, gateway)
        } else {
            gateway::tried(self.object, request)
        }
    }

    /// Those of a VirtualService that a request can meet: of a thousand versions each would try the rules of all others.
    fn candidates(&self, request: &HttpRequest, gateway: &str) -> Vec<Tried> {
        let index = self.index.get_or_init(|| istio::Index::of(self.object));
        istio::tried_at(index.candidates(request), self.object, self.namespace, request, Some(gateway))
    }
}

/// How far requests are still followed.
struct Left {
    hops: usize,
    followed: usize,
}

/// The first host of a route that every sender means the same by, without wildcards.
pub fn default_host(route: &Value) -> String {
    let own = |key: &str| route["metadata"][key].as_str().unwrap_or("default").to_owned();
    let hosts = hosts::hosts(route);
    match hosts.iter().find(|host| host.contains('.')).or(hosts.first()).cloned() {
        Some(host) if host == "*" => format!("{}.{}", own("name"), own("namespace")),
        Some(host) if host.starts_with('*') => host.replacen('*', &own("name"), 1),
        Some(host) => host,
        None => format!("{}.{}", own("name"), own("namespace")),
    }
}

/// The answer to a request that comes through a gateway, or by any way when none is named.
fn answer_at(route: &Route<'_>, request: &HttpRequest, gateway: Option<&str>, left: &mut Left) -> Answer {
    let addressed = if route.is_istio {
        hosts::istio(route.object, route.namespace, request, gateway)
    } else {
        hosts::gateway(route.object, request)
    };
    if !matches!(addressed, Addressed::Yes | Addressed::From(_)) {
        return Answer { addressed, tried: Vec::new(), outcomes: Vec::new() };
    }
    answered(route, addressed, route.tried(request, gateway), request, left)
}

/// What comes of trying these matches.
fn answered(
    route: &Route<'_>,
    addressed: Addressed,
    tried: Vec<Tried>,
    request: &HttpRequest,
    left: &mut Left,
) -> Answer {
    let mut answer = Answer { addressed, tried, outcomes: Vec::new() };
    let mut taken = false;
    for index in 0..answer.tried.len() {
        let Some(tried) = answer.tried.get_mut(index) else { break };
        tried.verdict = if taken { Verdict::NotReached } else { verdict(&tried.conditions) };
        if !matches!(tried.verdict, Verdict::Matches | Verdict::Open) {
            continue;
        }
        taken = tried.verdict == Verdict::Matches;
        let mut outcome = if route.is_istio {
            istio::outcome(route.object, tried, index, request)
        } else {
            gateway::outcome(route.object, tried, index, request)
        };
        if let Action::Send(targets) = &mut outcome.action {
            targets.iter_mut().for_each(|target| follow(route, target, left));
        }
        answer.outcomes.push(outcome);
    }
    answer
}

fn verdict(conditions: &[Condition]) -> Verdict {
    if conditions.iter().any(|condition| condition.truth == Truth::No) {
        Verdict::Fails
    } else if conditions.iter().all(|condition| condition.truth == Truth::Yes) {
        Verdict::Matches
    } else {
        Verdict::Open
    }
}

/// Asks the route again where a destination is the Service of a gateway that the route is attached to, under its name.
fn follow(route: &Route<'_>, target: &mut Target, left: &mut Left) {
    let service = target.host.split('.').next().unwrap_or_default();
    let same = |name: &&String| name.split_once('/').is_some_and(|(_, name)| name == service);
    let Some(gateway) = route.entrances.iter().find(same) else { return };
    let mut sent = target.sent.clone();
    // The port at which a gateway listens is its own matter.
    sent.port = None;
    if hosts::istio(route.object, route.namespace, &sent, Some(gateway)) != Addressed::Yes {
        return;
    }
    if left.hops == 0 || left.followed == 0 {
        target.endless = true;
        return;
    }
    left.hops -= 1;
    left.followed -= 1;
    let next = followed(route, &sent, gateway, left);
    left.hops += 1;
    target.next = Some(Box::new(next));
}

/// The answer to a request that comes back through a gateway: without the matches that it tries in vain, or with all of them
/// where none matches.
fn followed(route: &Route<'_>, request: &HttpRequest, gateway: &str, left: &mut Left) -> Answer {
    let tried = route.candidates(request, gateway);
    if !tried.iter().any(|tried| verdict(&tried.conditions) == Verdict::Matches) {
        return answer_at(route, request, Some(gateway), left);
    }
    let mut answer = answered(route, Addressed::Yes, tried, request, left);
    answer.keep_what_matches();
    answer
}

impl Answer {
    /// What happens for sure when no open condition is met; none when the proxy answers 404.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| self.verdict(outcome) == Some(Verdict::Matches))
    }

    /// Forgets the matches that have no outcome: a thousand versions make a thousand of them for each version.
    fn keep_what_matches(&mut self) {
        let mut tried: Vec<Option<Tried>> = std::mem::take(&mut self.tried).into_iter().map(Some).collect();
        for outcome in &mut self.outcomes {
            if let Some(kept) = tried.get_mut(outcome.tried).and_then(Option::take) {
                outcome.tried = self.tried.len();
                self.tried.push(kept);
            }
        }
    }

    /// What came of trying the match of an outcome.
    pub fn verdict(&self, outcome: &Outcome) -> Option<Verdict> {
        self.tried.get(outcome.tried).map(|tried| tried.verdict)
    }

    /// Where requests end by one of its outcomes, through all gateways that ask it again, as far as that is sure.
    pub fn ends<'a>(&'a self, outcome: &'a Outcome) -> Vec<End<'a>> {
        let mut ends = Vec::new();
        self.collect(outcome, 1.0, &[], &mut ends);
        ends
    }

    fn collect<'a>(
        &'a self,
        outcome: &'a Outcome,
        share: f64,
        way: &[(&'a Tried, &'a Target)],
        ends: &mut Vec<End<'a>>,
    ) {
        let (Action::Send(targets), Some(tried)) = (&outcome.action, self.tried.get(outcome.tried)) else { return };
        for target in targets {
            let share = share * target.weight as f64 / target.total.max(1) as f64;
            let way: Vec<_> = way.iter().copied().chain([(tried, target)]).collect();
            match target.next.as_deref().and_then(|next| Some((next, next.outcome()?))) {
                Some((next, outcome)) if matches!(outcome.action, Action::Send(_)) => {
                    next.collect(outcome, share, &way, ends);
                }
                _ => ends.push(End { version: &target.version, share, way }),
            }
        }
    }
}

#[cfg(test)]
mod tests;
