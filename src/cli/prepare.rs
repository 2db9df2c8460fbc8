//! The way that `diff`, `apply` and `rollback` share: from what a release is to be to a plan for one cluster.

use super::args::Writer;
use super::failure::Failure;
use super::report::Report;
use super::request::Request;
use super::wanted::{self, Made};
use crate::cluster::Sight;
use crate::manifest::{Manifests, Role};
use crate::plan::{Goal, Mode, Plan, Release, Routing, Wanted, plan};
use crate::record::{Chart, Info, RecordError, Revision, Status as RecordStatus, StoredRoute};
use crate::render::ApiVersion;
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

/// Renders what values say.
pub(super) fn said(request: &Request, writer: Writer, report: &mut Report<'_>) -> Result<Said, Failure> {
    let Made { release, manifests, route, defaults } = wanted::made(request, writer, ApiVersion::V1beta1, report)?;
    let given = values::load(&request.sources).map(|values| values.root().to_json_as_given());
    let config = given.ok().and_then(|given| given.as_object().cloned()).unwrap_or_default();
    let mut chart = Chart::own(env!("CARGO_PKG_VERSION"), defaults);
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
    wanted::warn(plan, report);
}
