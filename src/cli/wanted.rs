//! What a release is to be: from flags to objects and a route; and what is to be said of the plan that follows.

#[cfg(feature = "cluster")]
use serde_json::{Map, Value};

use super::args::{self, Global, Writer};
use super::failure::{Failure, Fault};
use super::report::Report;
use super::request::{Request, Verb, World, settle, settle_files};
use super::{diff, helm, render, secret, sources};
use crate::manifest::Manifests;
use crate::plan::{Goal, Plan, Refusal, Release, Routing, Warning};
use crate::render::{ApiVersion, Options};
use crate::route::Route;

/// What values make of a release.
pub(super) struct Made {
    /// Which release.
    pub release: Release,
    /// Its objects, the route with all versions ready.
    pub manifests: Manifests,
    /// The route with its weights open.
    pub route: Option<Route>,
    /// What its environment takes for given, for the record.
    #[cfg(feature = "cluster")]
    pub defaults: Map<String, Value>,
}

/// Reads the values that the flags name; with `reuse` there may be none, since those of the last revision are below them.
pub(super) fn request(
    args: &args::Change,
    verb: Verb,
    reuse: bool,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Request, Failure> {
    let iter8_version = helm::iter8_version(args.named.chart_version.as_deref())?;
    let name = helm::release_name(&args.named, verb, report)?;
    let mut request = match reuse {
        true => settle_files(&sources::files(&args.sources)?, "--values", &args.sources, global, name, world)?,
        false => settle(&args.sources, global, verb, name, world)?,
    };
    if let Some(version) = iter8_version {
        request.put_below("--version", format!("iter8Version: {version}\n"));
    }
    Ok(request)
}

/// Renders what values say; the objects of the routing in this version of their APIs.
pub(super) fn made(
    request: &Request,
    writer: Writer,
    api_version: ApiVersion,
    report: &mut Report<'_>,
) -> Result<Made, Failure> {
    let (spec, rendered) = render::decode(request, report)?;
    let route = rendered.route.clone();
    // The route is looked at whoever writes it.
    let routing = match writer {
        Writer::Auto | Writer::Both | Writer::Routemap => crate::render::Routing::Both,
        Writer::Route => crate::render::Routing::Route,
    };
    let options = Options { routing, api_version, ready: None };
    let manifests = rendered.select(&options).map_err(|error| Failure::render(&error, request.templates.as_deref()))?;
    let release = Release { name: spec.name.to_string(), namespace: spec.namespace.to_string() };
    Ok(Made {
        release,
        manifests,
        route,
        #[cfg(feature = "cluster")]
        defaults: spec.environment.defaults(),
    })
}

/// What the flags say.
pub(super) fn goal(args: &args::Change) -> Goal {
    let routing = match args.routing {
        Writer::Auto => Routing::Auto,
        Writer::Both => Routing::Both,
        Writer::Routemap => Routing::Routemap,
        Writer::Route => Routing::Route,
    };
    let goal = Goal { routing, remove_route: args.remove_route, ..Goal::default() };
    #[cfg(feature = "cluster")]
    let goal = Goal {
        timeout: args.timeout.unwrap_or(goal.timeout),
        take_ownership: args.take_ownership,
        force_conflicts: args.force_conflicts,
        ..goal
    };
    goal
}

/// Writes the warnings of a plan.
pub(super) fn warn(plan: &Plan, report: &mut Report<'_>) {
    for (warning, (text, hint)) in plan.warnings.iter().zip(advised(&plan.warnings)) {
        let place = diff::of_warning(plan, warning, report);
        report.remark("warning", warning.rule(), &text, hint, place);
    }
}

/// The warnings in words; an advice that several share stands with the first of them.
fn advised(warnings: &[Warning]) -> Vec<(String, Option<&'static str>)> {
    let mut told = Vec::new();
    let advised = warnings.iter().map(|warning| {
        let hint = warning.hint().filter(|hint| !told.contains(hint));
        told.extend(hint);
        (warning.to_string(), hint)
    });
    advised.collect()
}

/// A refusal in words, without what is a secret in the values of its field.
pub(super) fn words(refusal: &Refusal) -> String {
    let mut refusal = refusal.clone();
    if let Refusal::Conflict { conflict, values, .. } = &mut refusal {
        let shown = values.take().filter(|_| !secret::sounds_secret(&conflict.field));
        *values = shown.map(|(live, wanted)| secret::hidden_values(&live, &wanted));
    }
    refusal.to_string()
}

/// The refusals of a plan as a failure.
pub(super) fn refused(refusals: &[Refusal]) -> Failure {
    let mut hints: Vec<String> = Vec::new();
    let mut fault = |refusal: &Refusal| {
        let hint = refusal.hint();
        let new = !hints.contains(&hint);
        hints.push(hint.clone());
        Fault { message: words(refusal), place: None, hint: new.then_some(hint) }
    };
    Failure::Refused(refusals.iter().map(&mut fault).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::ObjectKey;
    use crate::plan::Conflict;

    #[test]
    fn a_conflict_shows_no_secret_of_its_values() {
        let refusal = |field: &str, live: &str, wanted: &str| Refusal::Conflict {
            key: ObjectKey { group: String::new(), kind: "A".into(), namespace: "a".into(), name: "a".into() },
            conflict: Conflict { manager: "x".into(), field: field.into() },
            values: Some((live.into(), wanted.into())),
        };
        let env = |value: &str| format!(r#"[{{"name":"API_TOKEN","value":"{value}"}}]"#);
        let start = "of A a/a is owned by `x`";
        for (refusal, want) in [
            (refusal(".spec.n", "1", "2"), format!("`.spec.n` {start}: it is 1 and would become 2")),
            (refusal(".spec.password", "\"a\"", "\"b\""), format!("`.spec.password` {start}")),
            (
                refusal(".spec.env", &env("abc"), &env("abcd")),
                format!(
                    "`.spec.env` {start}: it is {} and would become {}",
                    env("(hidden, 3 characters, before)"),
                    env("(hidden, 4 characters, after)")
                ),
            ),
            (
                refusal(".spec.uri", "\"https://a:b@h\"", "\"https://a:c@h\""),
                format!(
                    "`.spec.uri` {start}: it is \"https://•••••@h (hidden, before)\" and would become \"https://•••••@h \
                     (hidden, after)\""
                ),
            ),
        ] {
            assert_eq!(words(&refusal), want);
        }
    }

    #[test]
    fn each_advice_is_given_once_and_none_is_lost() {
        let moved = |index: usize, to: &str| Warning::Moved { index, from: "shop-9".into(), to: to.into() };
        // The first one bears a name of its own and needs no advice.
        let warnings = [moved(0, "final"), moved(1, "shop-1"), moved(2, "shop-2"), Warning::Off("shop-3".into())];
        let hints: Vec<bool> = advised(&warnings).iter().map(|(_, hint)| hint.is_some()).collect();
        assert_eq!(hints, [false, true, false, true]);
    }
}
