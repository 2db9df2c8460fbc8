//! An explanation for people: the answer first, then the rules that were tried.

use std::fmt::Write as _;

use super::{Explained, Whence};
use crate::cli::secret::{self, HIDDEN, is_parameter, sounds_secret};
use crate::findings::in_line;
use crate::route::{Action, Addressed, Answer, Changes, Condition, End, HttpRequest, Outcome, Target, Tried, Verdict};

/// The text that is printed.
pub(super) fn text(explained: &Explained, request: &HttpRequest, answer: Option<&Answer>) -> String {
    let mut out = String::new();
    let list = match explained.route.as_ref().map(|(_, route)| &route["spec"]["rules"]) {
        Some(rules) if rules.is_array() => ("spec.rules", "matches"),
        _ => ("spec.http", "match"),
    };
    match answer {
        None => out.push_str("no route decides: the application names the version that it sends a request to\n"),
        Some(answer) => answered(&mut out, answer, list),
    }
    out.push('\n');
    about(&mut out, explained, request, answer);
    let Some(answer) = answer else { return out };
    if !answer.tried.is_empty() {
        out.push_str("\ntried, in order:\n");
    }
    answer.tried.iter().for_each(|tried| one_tried(&mut out, tried, list, ""));
    out
}

/// Who answers, by each outcome.
fn answered(out: &mut String, answer: &Answer, list: (&str, &str)) {
    match &answer.addressed {
        Addressed::OtherHost(hosts) => {
            let hosts: Vec<String> = hosts.iter().map(|host| plain(host)).collect();
            let _ = writeln!(out, "this route does not decide: it is for the hosts {}", hosts.join(", "));
            return;
        }
        Addressed::OtherPort(ports) => {
            let ports: Vec<String> = ports.iter().map(u64::to_string).collect();
            let _ = writeln!(out, "this route does not decide: it is for port {}", ports.join(", "));
            return;
        }
        Addressed::Unsure(namespace) => {
            let _ = writeln!(
                out,
                "this route decides only for pods of namespace {namespace}, and not if its Service is an ExternalName: ask with \
                 its full host"
            );
            return;
        }
        Addressed::Yes | Addressed::From(_) => {}
    }
    for (index, outcome) in answer.outcomes.iter().enumerate() {
        let (blank, word) = if index == 0 { ("", "if") } else { ("\n", "else if") };
        let tried = answer.tried.get(outcome.tried);
        if let Some(tried) = tried.filter(|tried| tried.verdict == Verdict::Open) {
            let _ = writeln!(out, "{blank}{word} {} matches, which the request leaves open:", place(tried, list));
            for condition in tried.conditions.iter().filter(|condition| condition.is_open()) {
                let _ = writeln!(out, "  {}", plain(&without_secret(condition).to_string()));
            }
        } else if index > 0 {
            let _ = writeln!(out, "{blank}else:");
        }
        one_outcome(out, answer, outcome, list);
    }
    if answer.outcome().is_none() {
        let words = if answer.outcomes.is_empty() { "nobody answers" } else { "\nelse nobody answers" };
        let _ = writeln!(out, "{words}: no rule matches, so the proxy answers 404");
    }
}

fn one_outcome(out: &mut String, answer: &Answer, outcome: &Outcome, list: (&str, &str)) {
    match &outcome.action {
        Action::Redirect { status, location } => {
            let _ = writeln!(out, "the rule answers {status}: look at {}", without_secrets(location));
        }
        Action::Respond { status } => {
            let _ = writeln!(out, "the rule answers {status} itself, no version does");
        }
        Action::Delegate(name) => {
            let _ = writeln!(out, "VirtualService {} decides", plain(name));
        }
        Action::Send(targets) if targets.is_empty() => {
            out.push_str("the rule has no destination with a share, so nobody answers\n");
        }
        Action::Send(_) => {
            let ends = answer.ends(outcome);
            out.push_str(&table(&ends));
            for end in &ends {
                let _ = writeln!(out, "\n{}", plain(end.version));
                end.way.iter().for_each(|(tried, target)| step(out, tried, target, list));
            }
        }
    }
    for copy in &outcome.copies {
        let to = host_and_port(&copy.host, copy.port);
        let _ = writeln!(out, "\na copy of {} goes to {to}, whose answers are dropped", percent(copy.percent));
    }
    if outcome.faults {
        out.push_str("\nthe rule injects faults: it delays requests, or answers some itself\n");
    }
}

fn table(ends: &[End<'_>]) -> String {
    let to =
        |end: &End<'_>| end.way.last().map_or_else(String::new, |(_, target)| host_and_port(&target.host, target.port));
    let head = [["VERSION".to_owned(), "SHARE".to_owned(), "SENT TO".to_owned()]];
    let rows = ends.iter().map(|end| [plain(end.version), percent(end.share * 100.0), to(end)]);
    let rows: Vec<[String; 3]> = head.into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    rows.iter().map(|[version, share, to]| format!("{version:first$}  {share:second$}  {to}\n")).collect()
}

/// What happens on the way to one destination.
fn step(out: &mut String, tried: &Tried, target: &Target, list: (&str, &str)) {
    let _ = writeln!(out, "  by {}", place(tried, list));
    if target.path_unknown {
        out.push_str("    path: rewritten by an expression that r8 cannot evaluate\n");
    } else if let Some(path) = &target.rewritten {
        let _ = writeln!(out, "    path: {}", without_secrets(path));
        if let Some(why) = unserved(target) {
            let _ = writeln!(out, "    {why}");
        }
    }
    if let Some(host) = &target.host_rewritten {
        let _ = writeln!(out, "    Host: {}", plain(host));
    }
    changes(out, "request", &target.request);
    changes(out, "answer", &target.response);
    match &target.next {
        None if target.endless => {
            let to = host_and_port(&target.host, target.port);
            let _ = writeln!(out, "    to {to}, which asks the route again, and so on: it is a circle");
        }
        None => {}
        Some(next) => {
            let _ = writeln!(out, "    to {}, which asks the route again", host_and_port(&target.host, target.port));
            if next.outcome().is_none() {
                out.push_str("    there nobody answers: no rule matches, so the gateway answers 404\n");
                next.tried.iter().for_each(|tried| one_tried(out, tried, list, "    "));
            }
        }
    }
}

/// What is to be known of a rewritten path that the model server does not serve.
pub(super) fn unserved(target: &Target) -> Option<String> {
    let served = without_secrets(target.overshot()?);
    Some(format!(
        "the model server serves `{served}` and nothing behind it: the route replaces only the prefix that its rule matches, `/` \
         where it names none"
    ))
}

fn changes(out: &mut String, of: &str, changes: &Changes) {
    for name in &changes.remove {
        let _ = writeln!(out, "    {of} header `{}`: removed", plain(name));
    }
    for (map, verb) in [(&changes.set, "set to"), (&changes.add, "added")] {
        for (name, value) in map {
            let _ = writeln!(out, "    {of} header `{}`: {verb} `{}`", plain(name), masked(name, value));
        }
    }
}

/// Request, route and readiness.
fn about(out: &mut String, explained: &Explained, request: &HttpRequest, answer: Option<&Answer>) {
    let host = request.host.as_deref().unwrap_or_default();
    let to = if host.is_empty() { String::new() } else { format!(" to {}://{}", request.scheme, plain(host)) };
    let _ = writeln!(out, "request: {} {}{to}", request.method, without_secrets(&request.target()));
    for (name, value) in &request.headers {
        let _ = writeln!(out, "  {name}: {}", masked(name, value));
    }
    if request.has_dots() {
        out.push_str(
            "  proxies resolve `.` and `..` in a path before they compare it: ask with the path that comes of it\n",
        );
    }
    if let Some(Addressed::From(namespace)) = answer.map(|answer| &answer.addressed) {
        let _ = writeln!(out, "  `{}` means this Service to pods of namespace {namespace} alone", plain(host));
    }
    let Some((key, _)) = &explained.route else { return };
    let whence = match &explained.whence {
        Whence::Values { ready, versions } if ready.len() == *versions => ", every version ready".to_owned(),
        Whence::Values { ready, .. } if ready.is_empty() => ", no version ready".to_owned(),
        Whence::Values { ready, .. } => {
            let list: Vec<String> = ready.iter().map(usize::to_string).collect();
            let word = if list.len() == 1 { "version" } else { "versions" };
            format!(", {word} {} ready", list.join(", "))
        }
        #[cfg(feature = "cluster")]
        Whence::Cluster { .. } => ", as it is in the cluster".to_owned(),
    };
    let _ = writeln!(out, "route: {key}{whence}");
    #[cfg(feature = "cluster")]
    if let Whence::Cluster { not_in_force: Some(why) } = &explained.whence {
        let _ = writeln!(out, "not in force: {}", plain(why));
    }
}

/// One match that was tried, with the conditions that decided.
fn one_tried(out: &mut String, tried: &Tried, list: (&str, &str), indent: &str) {
    let verdict = match tried.verdict {
        Verdict::Matches if tried.conditions.is_empty() => "yes, it takes every request",
        Verdict::Matches => "yes",
        Verdict::Open => "perhaps",
        Verdict::Fails => "no",
        Verdict::NotReached => "not reached",
    };
    let _ = writeln!(out, "{indent}  {}: {verdict}", place(tried, list));
    for condition in tried.conditions.iter().filter(|condition| decides(tried.verdict, condition)) {
        let _ = writeln!(out, "{indent}    {}", plain(&without_secret(condition).to_string()));
    }
}

fn decides(verdict: Verdict, condition: &Condition) -> bool {
    match verdict {
        Verdict::Fails => condition.fails(),
        Verdict::Matches | Verdict::Open => true,
        Verdict::NotReached => false,
    }
}

/// Where a match stands in the route.
pub(super) fn path(tried: &Tried, (rules, matches): (&str, &str)) -> String {
    let item = tried.item.map_or_else(String::new, |item| format!(".{matches}[{item}]"));
    format!("{rules}[{}]{item}", tried.rule)
}

fn place(tried: &Tried, list: (&str, &str)) -> String {
    let name = tried.name.as_ref().map_or_else(String::new, |name| format!(" `{}`", plain(name)));
    format!("{}{name}", path(tried, list))
}

fn host_and_port(host: &str, port: Option<u64>) -> String {
    port.map_or_else(|| plain(host), |port| format!("{}:{port}", plain(host)))
}

/// A part of 100, with at most one digit behind the point.
pub(super) fn percent(part: f64) -> String {
    let text = format!("{part:.1}");
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

/// A condition without what must not be shown: what is compared where its name sounds secret, and its secrets elsewhere.
pub(super) fn without_secret(condition: &Condition) -> Condition {
    let mut condition = condition.clone();
    let of_query = condition.field.strip_prefix("queryParams.");
    if is_secret(&condition.field) || of_query.is_some_and(is_parameter) {
        condition.value = HIDDEN.into();
        condition.found = condition.found.map(|_| HIDDEN.into());
    } else {
        condition.value = secret::without_secrets(&condition.value);
        condition.found = condition.found.map(|found| secret::without_secrets(&found));
    }
    condition
}

/// A text of one line without what must not be shown.
pub(super) fn without_secrets(text: &str) -> String {
    plain(&secret::without_secrets(text))
}

/// The value of a header, unless its name sounds as if it were secret.
pub(super) fn masked(name: &str, value: &str) -> String {
    if is_secret(name) { HIDDEN.to_owned() } else { without_secrets(value) }
}

/// Whether the value of a header is not shown.
fn is_secret(name: &str) -> bool {
    sounds_secret(name) || name.to_ascii_lowercase().contains("cookie")
}

/// A text of a route's on one line, whatever somebody wrote into it.
fn plain(text: &str) -> String {
    in_line(text).into_owned()
}

#[cfg(test)]
mod tests;
