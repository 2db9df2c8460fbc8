//! The way that `diff` and `apply` share: from values to a plan for one cluster.

use std::time::Duration;

use super::args::{self, Global, Writer};
use super::failure::{Failure, Fault};
use super::report::Report;
use super::request::{Request, Verb, World, settle, settle_files};
use super::{helm, render, secret, sources};
use crate::cluster::{Cluster, ClusterError, Sight};
use crate::manifest::{Manifests, Role};
use crate::plan::{Goal, Mode, Plan, Refusal, Release, Routing, Wanted, Warning, plan};
use crate::record::{Chart, Info, RecordError, Revision, Status as RecordStatus, StoredRoute};
use crate::render::{ApiVersion, Options};
use crate::route::Route;
use crate::values;

/// What a release is to be.
pub(super) struct Said {
    /// Which release.
    pub release: Release,
    /// Its objects, the route with all versions ready.
    pub manifests: Manifests,
    /// The route with its weights open.
    pub route: Option<Route>,
    /// Its record, but for number, times, status and manifest.
    pub draft: Revision,
    /// The revision that is gone back to.
    pub back_to: Option<u64>,
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
    let iter8_version = helm::iter8_version(args.chart_version.as_deref())?;
    let name = helm::release_name(args.name.as_deref(), args.chart.as_deref(), verb, report)?;
    let mut request = match reuse {
        true => settle_files(&sources::files(&args.sources)?, "--values", &args.sources, global, name, world)?,
        false => settle(&args.sources, global, verb, name, world)?,
    };
    if let Some(version) = iter8_version {
        request.put_below("--version", format!("iter8Version: {version}\n"));
    }
    Ok(request)
}

/// Renders what values say.
pub(super) fn said(request: &Request, writer: Writer, report: &mut Report<'_>) -> Result<Said, Failure> {
    let (spec, rendered) = render::decode(request, report)?;
    let route = rendered.route.clone();
    // The route is looked at whoever writes it.
    let routing = match writer {
        Writer::Auto | Writer::Both | Writer::Routemap => crate::render::Routing::Both,
        Writer::Route => crate::render::Routing::Route,
    };
    let options = Options { routing, api_version: ApiVersion::V1beta1, ready: None };
    let manifests = rendered.select(&options).map_err(|error| Failure::render(&error, request.templates.as_deref()))?;
    let release = Release { name: spec.name.to_string(), namespace: spec.namespace.to_string() };
    let given = values::load(&request.sources).map(|values| values.root().to_json_as_given());
    let config = given.ok().and_then(|given| given.as_object().cloned()).unwrap_or_default();
    let mut chart = Chart::own(env!("CARGO_PKG_VERSION"), spec.environment.defaults());
    if let Some(route) = &route {
        keep(route, &mut chart).map_err(|error| Failure::Bug(error.to_string()))?;
    }
    let info = Info::new(RecordStatus::Unknown, "");
    let draft = Revision::new(&release.name, &release.namespace, 0, info, Some(chart), config);
    Ok(Said { release, manifests, route, draft, back_to: None })
}

/// Writes a route into the chart of a record, with its weights open.
pub(super) fn keep(route: &Route, chart: &mut Chart) -> Result<(), RecordError> {
    let (open, weights) = (route.open().to_owned(), route.wanted().to_vec());
    StoredRoute { open, weights, template: route.template().to_owned() }.write(chart)
}

impl Said {
    /// What the user wants, for what is to be: a revision without a routemap needs its route from r8.
    pub fn goal(&self, goal: &Goal) -> Goal {
        let has_routemap = self.manifests.iter().any(|manifest| manifest.role == Role::Routemap);
        match self.back_to {
            Some(_) if self.route.is_some() && !has_routemap => Goal { routing: Routing::Route, ..goal.clone() },
            _ => goal.clone(),
        }
    }
}

/// What the flags say.
pub(super) fn goal(args: &args::Change) -> Goal {
    let routing = match args.routing {
        Writer::Auto => Routing::Auto,
        Writer::Both => Routing::Both,
        Writer::Routemap => Routing::Routemap,
        Writer::Route => Routing::Route,
    };
    Goal {
        routing,
        timeout: args.timeout.unwrap_or(Duration::from_secs(600)),
        remove_route: args.remove_route,
        take_ownership: args.take_ownership,
        force_conflicts: args.force_conflicts,
        ..Goal::default()
    }
}

/// Looks at the cluster and plans.
pub(super) async fn look(cluster: &Cluster<'_>, said: &Said, goal: &Goal) -> Result<(Sight, Plan), ClusterError> {
    let ground = cluster.ground(&said.manifests).await?;
    let sight = cluster.observe_on(ground, said.manifests.clone(), &said.release).await?;
    let plan = planned(&sight, said, goal);
    Ok((sight, plan))
}

/// What follows from a look at the cluster.
pub(super) fn planned(sight: &Sight, said: &Said, goal: &Goal) -> Plan {
    let wanted = Wanted { manifests: sight.manifests.clone(), route: said.route.clone() };
    plan(&wanted, &sight.observed, &said.release, &said.goal(goal))
}

/// Writes what is to be known of a look at the cluster, and the plan's warnings.
pub(super) fn remarks(sight: &Sight, plan: &Plan, report: &mut Report<'_>) {
    let observed = &sight.observed;
    if !observed.unlisted.is_empty() {
        let kinds = observed.unlisted.join(", ");
        report.message("note", &format!("objects to prune are unknown for {kinds}: you may not list them"), None);
    }
    if plan.changes.iter().any(|change| change.mode == Mode::Compared) {
        let hint = "changes by defaulting and webhooks are not foreseen; the right to `patch` makes it exact";
        report.message("note", "compared field by field: you may not `patch`", Some(hint));
    }
    if plan.left_to_controller.is_some() && plan.goal.routing == Routing::Auto {
        let hint = "`--routing route` takes it over";
        report.message("note", "the live route is the Iter8 controller's and is left to it", Some(hint));
    }
    for (warning, hint) in advised(&plan.warnings) {
        report.message("warning", &warning, hint);
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

/// A refusal in words, without the values of a field that sounds like a secret.
pub(super) fn words(refusal: &Refusal) -> String {
    let mut refusal = refusal.clone();
    if let Refusal::Conflict { conflict, values, .. } = &mut refusal
        && secret::sounds_secret(&conflict.field)
    {
        *values = None;
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

    #[test]
    fn each_advice_is_given_once_and_none_is_lost() {
        let moved = |index: usize, to: &str| Warning::Moved { index, from: "shop-9".into(), to: to.into() };
        // The first one bears a name of its own and needs no advice.
        let warnings = [moved(0, "final"), moved(1, "shop-1"), moved(2, "shop-2"), Warning::Off("shop-3".into())];
        let hints: Vec<bool> = advised(&warnings).iter().map(|(_, hint)| hint.is_some()).collect();
        assert_eq!(hints, [false, true, false, true]);
    }
}
