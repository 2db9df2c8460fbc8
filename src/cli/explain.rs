//! `explain`: which version answers a request, and why.

mod document;
#[cfg(feature = "cluster")]
mod live;
mod shown;

use serde_json::Value;

use super::args::{self, Form, Global};
use super::failure::{Failure, Fault};
use super::render::{decode, ready};
use super::report::Report;
use super::request::{Verb, World, settle};
use super::secret;
use crate::manifest::ObjectKey;
use crate::route::{Answer, HttpRequest, RequestError, answer, default_host};

/// A route, and what is known of the release around it.
struct Explained {
    /// Name and namespace of the release.
    release: (String, String),
    /// The route; none where the release has none.
    route: Option<(ObjectKey, Value)>,
    /// Whence the route is.
    whence: Whence,
}

/// Whence a route is.
enum Whence {
    /// Rendered with these of so many versions ready.
    Values { ready: Vec<usize>, versions: usize },
    /// From the cluster.
    #[cfg(feature = "cluster")]
    Cluster {
        /// Why it is not in force.
        not_in_force: Option<String>,
    },
}

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(
    args: &args::Explain,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<String, Failure> {
    let mut request = request(&args.asked)?;
    #[cfg(feature = "cluster")]
    let explained = if args.live {
        live::find(live_name(args)?, global, world, report)?
    } else {
        rendered(args, global, world, report)?
    };
    #[cfg(not(feature = "cluster"))]
    let explained = rendered(args, global, world, report)?;
    let route = explained.route.as_ref().map(|(_, route)| route);
    let answer: Option<Answer> = route.map(|route| answer(route, &request));
    if route.is_some_and(has_path_expression) {
        let text = "path expressions stand where Istio puts them, behind all other paths: the Gateway API leaves that to each \
                    implementation";
        report.message("note", text, None);
    }
    if let (None, Some(route)) = (&request.host, route) {
        request.host = Some(default_host(route));
    }
    Ok(match args.output {
        Form::Text => secret::without_passwords(&shown::text(&explained, &request, answer.as_ref())).into_owned(),
        Form::Json => {
            format!("{:#}\n", secret::masked(document::document(&explained, &request, answer.as_ref())))
        }
    })
}

/// Whether a rule of the Gateway API's compares paths with an expression.
fn has_path_expression(route: &Value) -> bool {
    let rules = route["spec"]["rules"].as_array().into_iter().flatten();
    let mut matches = rules.filter_map(|rule| rule["matches"].as_array()).flatten();
    matches.any(|one| one["path"]["type"] == "RegularExpression")
}

/// The release whose live route is meant; what is said of values goes with none.
#[cfg(feature = "cluster")]
fn live_name(args: &args::Explain) -> Result<&str, Failure> {
    let sources = &args.sources;
    let given = [
        ("--values", !sources.files.is_empty()),
        ("--set", !sources.set.is_empty()),
        ("--set-string", !sources.set_string.is_empty()),
        ("--set-json", !sources.set_json.is_empty()),
        ("--set-file", !sources.set_file.is_empty()),
        ("--set-literal", !sources.set_literal.is_empty()),
        ("--templates", sources.templates.is_some()),
        ("--ready", args.ready.is_some()),
    ];
    if let Some((flag, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
        let hint =
            format!("leave out `{flag}` for the route that is in the cluster, or `--live` for that of the values");
        return Err(Failure::usage(format!("`--live` does not go with `{flag}`: it reads no values"), hint));
    }
    args.name.as_deref().ok_or_else(|| {
        Failure::usage("`--live` needs the name of a release", "write it behind the command, `r8 explain NAME --live`")
    })
}

/// The request that the flags name.
fn request(asked: &args::Asked) -> Result<HttpRequest, Failure> {
    let refused = |flag: &str| {
        let flag = flag.to_owned();
        move |error: RequestError| {
            let message = format!("`{flag}`: {}", secret::shown(&error.to_string()));
            Failure::from(Fault::new(message, error.hint().map(|hint| secret::shown(&hint)).as_deref()))
        }
    };
    let mut request = HttpRequest::parse(&asked.request).map_err(refused("--request"))?;
    for header in &asked.headers {
        let before = request.host.clone();
        request.add_header(header).map_err(refused("--header"))?;
        if before.is_some() && request.host != before {
            return Err(two_hosts());
        }
    }
    if let Some(host) = &asked.host {
        if request.host.is_some() {
            return Err(two_hosts());
        }
        request.send_to(host).map_err(refused("--host"))?;
    }
    Ok(request)
}

fn two_hosts() -> Failure {
    Failure::usage("the request has two hosts", "name it once: in the URL, with `--host`, or as the header `Host`")
}

/// The route of the values.
fn rendered(
    args: &args::Explain,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Explained, Failure> {
    let settled = settle(&args.sources, global, Verb::Own, args.name.clone(), world)?;
    let (spec, rendered) = decode(&settled, report)?;
    let versions = spec.application.versions.len();
    let ready = match args.ready.as_deref() {
        Some(text) => ready(text, versions)?,
        None => (0..versions).collect(),
    };
    let route = rendered.route.map(|route| route.at(&route.in_force(|index| ready.contains(&index)))).transpose();
    let route = route.map_err(|error| Failure::Bug(error.to_string()))?;
    Ok(Explained {
        release: (spec.name.to_string(), spec.namespace.to_string()),
        route: route.map(|route| (route.key, route.object)),
        whence: Whence::Values { ready, versions },
    })
}
