//! `validate`: every check of `render`, nothing printed but the verdict.

use super::args;
use super::failure::Failure;
use super::render::decode;
use super::report::Report;
use super::request::{Request, World, settle, text};
use crate::render::{ApiVersion, Options, Routing};
use crate::values::{Source, SourceName};

/// The most versions for which every subset of ready ones is evaluated.
const MAX_SUBSETS: usize = 10;

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(args: &args::Validate, world: &mut World<'_>, report: &mut Report<'_>) -> Result<String, Failure> {
    if args.releases.is_empty() {
        let request = settle(&args.sources, None, world)?;
        let name = request.sources.first().map(super::report::name).unwrap_or_default();
        let (line, objects) = check(&name, &request, report)?;
        return Ok(format!("{line}1 release, {objects} objects: valid\n"));
    }
    let mut printed = String::new();
    let (mut objects, mut invalid) = (0, 0);
    for path in &args.releases {
        match release(path, args, world).and_then(|request| check(path, &request, report)) {
            Ok((line, count)) => {
                printed.push_str(&line);
                objects += count;
            }
            Err(failure) => {
                invalid += 1;
                report.failure(&failure).map_err(|error| Failure::stream("stderr", error))?;
            }
        }
    }
    if invalid > 0 {
        let text = format!("{invalid} of {} releases are invalid", args.releases.len());
        report.message("error", &text, None, None).map_err(|error| Failure::stream("stderr", error))?;
        return Err(Failure::Reported);
    }
    let releases = if args.releases.len() == 1 { "release" } else { "releases" };
    Ok(format!("{printed}{} {releases}, {objects} objects: valid\n", args.releases.len()))
}

/// A request for one file, with the values given by flags over it.
fn release(path: &str, args: &args::Validate, world: &mut World<'_>) -> Result<Request, Failure> {
    let own = text(path, "validate", world).map_err(|problem| Failure::Files(vec![problem]))?;
    let name = if path == "-" { SourceName::Stdin } else { SourceName::File(path.to_owned()) };
    let sources = args::Sources {
        // An argument that sets nothing keeps `values.yaml` from being read beside the named file.
        set_json: if args.sources.set_json.is_empty() { vec!["{}".into()] } else { args.sources.set_json.clone() },
        files: args.sources.files.clone(),
        set: args.sources.set.clone(),
        set_string: args.sources.set_string.clone(),
        set_file: args.sources.set_file.clone(),
        set_literal: args.sources.set_literal.clone(),
        namespace: args.sources.namespace.clone(),
        kubeconfig: args.sources.kubeconfig.clone(),
        kube_context: args.sources.kube_context.clone(),
        templates: args.sources.templates.clone(),
        allow_unknown: args.sources.allow_unknown,
    };
    let mut request = settle(&sources, None, world)?;
    request.sources.insert(0, Source { name, text: own });
    Ok(request)
}

fn check(name: &str, request: &Request, report: &mut Report<'_>) -> Result<(String, usize), Failure> {
    let (spec, rendered) = decode(request, report)?;
    let versions = spec.application.versions.len();
    let subsets = if versions <= MAX_SUBSETS { 1_usize << versions } else { 1 };
    let mut objects = 0;
    for subset in 0..subsets {
        let ready = (0..versions).filter(|index| subsets == 1 || subset & (1 << index) != 0).collect();
        let options = Options { routing: Routing::Both, api_version: ApiVersion::V1beta1, ready: Some(ready) };
        let manifests = rendered.clone().select(&options).map_err(Failure::Render)?;
        manifests.to_yaml().map_err(|error| Failure::Render(error.into()))?;
        objects = manifests.len();
    }
    let plural = if versions == 1 { "version" } else { "versions" };
    Ok((format!("{name}: release {}: {versions} {plural}, {objects} objects\n", spec.name), objects))
}
