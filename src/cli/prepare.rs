//! The way that `diff` and `apply` share: from values to a plan for one cluster.

use std::time::Duration;

use serde_json::{Map, Value};

use super::args::{self, Global, Writer};
use super::failure::{Failure, Fault};
use super::report::Report;
use super::request::{Verb, World, settle};
use super::{helm, render, secret};
use crate::cluster::{Cluster, ClusterError, Ground, Sight};
use crate::manifest::Manifests;
use crate::plan::{Goal, Mode, Plan, Refusal, Release, Routing, Wanted, Warning, plan};
use crate::render::{ApiVersion, Options};
use crate::route::Route;
use crate::values;

/// What the values say.
pub(super) struct Said {
    /// Which release.
    pub release: Release,
    /// Its objects, the route with all versions ready.
    pub manifests: Manifests,
    /// The route with its weights open.
    pub route: Option<Route>,
    /// The values as given, nulls included.
    pub config: Map<String, Value>,
    /// The values that hold where nothing is given.
    pub defaults: Map<String, Value>,
}

/// Reads the values and renders what they say.
pub(super) fn said(
    args: &args::Change,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Said, Failure> {
    let name = helm::release_name(args.name.as_deref(), args.chart.as_deref(), Verb::Own, report)?;
    let request = settle(&args.sources, global, Verb::Own, name, world)?;
    let (spec, rendered) = render::decode(&request, report)?;
    let route = rendered.route.clone();
    // The route is looked at whoever writes it.
    let routing = match args.routing {
        Writer::Auto | Writer::Both | Writer::Routemap => crate::render::Routing::Both,
        Writer::Route => crate::render::Routing::Route,
    };
    let options = Options { routing, api_version: ApiVersion::V1beta1, ready: None };
    let manifests = rendered.select(&options).map_err(|error| Failure::render(&error, request.templates.as_deref()))?;
    let release = Release { name: spec.name.to_string(), namespace: spec.namespace.to_string() };
    let given = values::load(&request.sources).map(|values| values.root().to_json_as_given());
    let config = given.ok().and_then(|given| given.as_object().cloned()).unwrap_or_default();
    Ok(Said { release, manifests, route, config, defaults: spec.environment.defaults() })
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
    look_on(ground, cluster, said, goal).await
}

/// The same where it is known what the cluster serves.
pub(super) async fn look_on(
    ground: Ground,
    cluster: &Cluster<'_>,
    said: &Said,
    goal: &Goal,
) -> Result<(Sight, Plan), ClusterError> {
    let sight = cluster.observe_on(ground, said.manifests.clone(), &said.release).await?;
    let wanted = Wanted { manifests: sight.manifests.clone(), route: said.route.clone() };
    let plan = plan(&wanted, &sight.observed, &said.release, goal);
    Ok((sight, plan))
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
    let mut moved = 0;
    for warning in &plan.warnings {
        // The advice of one is that of all.
        moved += usize::from(matches!(warning, Warning::Moved { .. }));
        let hint = warning.hint().filter(|_| moved <= 1);
        report.message("warning", &warning.to_string(), hint);
    }
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
